"""A server of the core with what the operating system gives it: randomness, the time of day, a log, and so many descriptors."""

from __future__ import annotations

import logging
import secrets
import sys
import time
from dataclasses import replace

from spry_core import Application
from spry_core.protocol import Connection, EngineName, Limits, Timeouts
from spry_core.serving import LogRecord, MakeConnection, Server

if sys.platform != "win32":
    import resource


def make_server(
    app: Application,
    limits: Limits | None,
    timeouts: Timeouts | None,
    engine: EngineName,
    *,
    access_log: bool,
    make_connection: MakeConnection | None = None,
) -> Server:
    """Make the core's server for `app`; see the `serve` of the adapters for the arguments."""
    each = 1 if make_connection is None else 2  # the stream, and the file of whoever looks on
    limits = limits or Limits()
    return Server(
        app,
        limits=replace(limits, max_connections=most_connections(limits, each)),
        timeouts=timeouts,
        engine=engine,
        random=secrets.token_bytes,
        wall_clock=time.time,
        report=log,
        access_log=access_log,
        make_connection=make_connection or Connection,
    )


def most_connections(limits: Limits, each: int = 1) -> int:
    """Return how many connections to hold, each with so many descriptors: four fifths of the process's are ours, the rest the
    application's.
    """
    if sys.platform == "win32":
        return limits.max_connections
    descriptors, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if descriptors == resource.RLIM_INFINITY:
        return limits.max_connections
    return min(limits.max_connections, descriptors * 4 // 5 // each)


def log(record: LogRecord) -> None:
    """Hand a finished record to `logging`."""
    logger = logging.getLogger(record.logger)
    # The fields under one name: as attributes of their own they could not be told from those of `logging`.
    extra = {"spry": record.fields}
    logger.log(record.level, "%s", record.text, exc_info=record.exception, extra=extra)
