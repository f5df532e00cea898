"""A server of the core with what the operating system gives it: randomness, the time of day, a log, and so many descriptors."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from dataclasses import replace

from spry_core import Application
from spry_core.protocol import EngineName, Limits, Timeouts
from spry_core.serving import LogRecord, Server

if sys.platform != "win32":
    import resource


def make_server(
    app: Application,
    limits: Limits | None,
    timeouts: Timeouts | None,
    engine: EngineName,
    *,
    access_log: bool,
) -> Server:
    """Make the core's server for `app`; see the `serve` of the adapters for the arguments."""
    limits = limits or Limits()
    return Server(
        app,
        limits=replace(limits, max_connections=most_connections(limits)),
        timeouts=timeouts,
        engine=engine,
        random=secrets.token_bytes,
        wall_clock=time.time,
        report=log,
        access_log=access_log,
    )


def most_connections(limits: Limits) -> int:
    """Return how many connections to hold: four fifths of the process's descriptors are ours, the rest the application's."""
    if sys.platform == "win32":
        return limits.max_connections
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return limits.max_connections
    return min(limits.max_connections, descriptors * 4 // 5)


def log(record: LogRecord) -> None:
    """Hand a finished record to `logging`."""
    logger = logging.getLogger(record.logger)
    # The fields under one name: as attributes of their own they could not be told from those of `logging`.
    extra = {"spry": record.fields}
    logger.log(record.level, "%s", record.text, exc_info=record.exception, extra=extra)
