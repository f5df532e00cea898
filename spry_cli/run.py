"""`spry run`: serve an application on the backend that was asked for.

A backend is imported when it was chosen, so that the other one need not be installed. This is the one place that sets up
logging: the core hands over finished records, the adapters pass them to `logging`, and neither decides where they go.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, Protocol

from spry_cli.errors import CommandError
from spry_core import Application
from spry_core.version import VERSION

Backend = Literal["asyncio", "trio"]
"""Who moves the bytes."""

Loop = Literal["auto", "asyncio", "uvloop"]
"""The event loop below asyncio; `auto` is uvloop where it is installed."""

LOG_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class Listening(Protocol):
    """What both adapters' servers have, as far as the command needs it."""

    @property
    def addresses(self) -> Iterable[tuple[str, int]]:
        """Host and port of each listening socket."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What `spry run` was asked for."""

    backend: Backend = "asyncio"
    loop: Loop = "auto"
    host: str = "127.0.0.1"
    port: int = 8000
    """0 takes any free port; the line at the start says which."""
    access_log: bool = True
    """Whether each request is logged, to `spry.access`."""


def run(app: Application, settings: RunSettings) -> None:
    """Serve `app` until SIGINT or SIGTERM; say on standard error where, as soon as it listens.

    Raises:
        CommandError: The backend or the loop is not installed, or the address cannot be listened on.
    """
    configure_logging()
    serve = serve_on_trio if settings.backend == "trio" else serve_on_asyncio
    is_listening = False

    def started(server: Listening, backend: str) -> None:
        nonlocal is_listening
        is_listening = True
        where = " and ".join(address(host, port) for host, port in server.addresses)
        announce(f"spry {VERSION} on {where} ({backend})")

    try:
        serve(app, settings, started)
    except (OSError, UnicodeError) as error:  # UnicodeError: the host cannot be the name of one
        if is_listening:
            raise
        raise CommandError(f"cannot listen on {settings.host}:{settings.port}: {reason(error)}") from None


def announce(line: str) -> None:
    """Print on standard error. Where that is closed, full or a pipe without a reader, the server is not worse for it."""
    if sys.stderr is not None:  # `print` would take standard output instead
        with suppress(OSError):
            print(line, file=sys.stderr, flush=True)


def serve_on_asyncio(
    app: Application, settings: RunSettings, started: Callable[[Listening, str], None]
) -> None:
    """Serve on asyncio, or on uvloop below it."""
    import spry_asyncio

    if settings.loop == "uvloop" and find_spec("uvloop") is None:
        raise CommandError("uvloop is not installed: pip install 'spry[fast]'")

    def say(server: Listening) -> None:
        # Asked of the running loop, because `auto` leaves the choice to the adapter.
        loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        started(server, "asyncio" if loop == "asyncio" else f"asyncio, {loop}")

    spry_asyncio.run(
        app, settings.host, settings.port, access_log=settings.access_log, loop=settings.loop, started=say
    )


def serve_on_trio(app: Application, settings: RunSettings, started: Callable[[Listening, str], None]) -> None:
    """Serve on trio."""
    if settings.loop != "auto":
        raise CommandError("--loop chooses a loop of asyncio; trio has its own")
    if find_spec("trio") is None:
        raise CommandError("trio is not installed: pip install 'spry[trio]'")
    import spry_trio

    spry_trio.run(
        app,
        settings.host,
        settings.port,
        access_log=settings.access_log,
        started=lambda server: started(server, "trio"),
    )


def configure_logging() -> None:
    """Send `spry.access` and `spry.error` to standard error, unless the application has said already where they go."""
    logger = logging.getLogger("spry")
    if logger.handlers:
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    # Or every line stands there twice where the application has a handler at the root.
    logger.propagate = False


def address(host: str, port: int) -> str:
    """Write an address as a URI, with an IPv6 host in brackets (RFC 3986 §3.2.2)."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def reason(error: OSError | UnicodeError) -> str:
    """Say why listening failed, in few words; asyncio and trio word it at length, each in its own way."""
    if isinstance(error, UnicodeError):
        return "not the name of a host"
    if isinstance(error, socket.gaierror) or error.errno is None:
        return (error.strerror or str(error)).lower()  # the numbers of getaddrinfo are not those of errno
    return os.strerror(error.errno).lower()
