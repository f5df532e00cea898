"""`spry run`: serve an application on the backend that was asked for.

A backend is imported when it was chosen, so that the other one need not be installed.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from traceback import walk_tb
from typing import Final, Protocol

from spry_cli.errors import CommandError
from spry_cli.inherited import inherited
from spry_cli.log import announce, configure_logging, log_end
from spry_cli.settings import RunSettings
from spry_core import Application
from spry_core.recording import Recorder
from spry_core.version import VERSION
from spry_system import record_in

LIFESPAN: Final = "spry_core.serving.lifespan"


class Listening(Protocol):
    """What both adapters' servers have, as far as the command needs it."""

    @property
    def addresses(self) -> Iterable[tuple[str, int]]:
        """Host and port of each listening TCP socket."""
        ...

    @property
    def paths(self) -> Iterable[str]:
        """The path of each listening unix socket."""
        ...


def run(app: Application, settings: RunSettings) -> None:
    """Serve `app` until SIGINT or SIGTERM; say on standard error where, as soon as it listens.

    Raises:
        CommandError: The backend or the loop is not installed, the address cannot be listened on, or nothing can be recorded
            in the folder.
    """
    configure_logging(settings.log_level, settings.log_format)
    recorder = make_recorder(settings)
    serve = serve_on_trio if settings.backend == "trio" else serve_on_asyncio
    is_listening = False

    def started(server: Listening, backend: str) -> None:
        nonlocal is_listening
        is_listening = True
        where = " and ".join(places(server, is_secure=settings.ssl_context is not None))
        announce(f"spry {VERSION} on {where} ({backend})", settings.log_format)
        if recorder is not None:
            announce(recording_words(settings, recorder), settings.log_format)

    with ExitStack() as stack:
        sockets = [] if settings.fd is None else [stack.enter_context(inherited(settings.fd))]
        try:
            serve(app, settings, sockets, recorder, started)
        except Exception as error:
            if is_of_lifespan(error):
                when, cause = ("end", None) if is_listening else ("start", error)
                # What came after the start stands in the log already, with its traceback.
                raise CommandError(f"the application failed at its {when}: {type(error).__name__}") from cause
            # UnicodeError: the host cannot be the name of one
            if is_listening or not isinstance(error, OSError | UnicodeError):
                raise
            raise CommandError(f"cannot listen on {place_of(settings)}: {reason(error)}") from None
    log_end()


def make_recorder(settings: RunSettings) -> Recorder | None:
    """Make what records, if that was asked for."""
    if settings.record is None:
        return None
    try:
        return record_in(
            settings.record,
            redact=settings.redact,
            max_size=settings.record_size,
            max_files=settings.record_files,
        )
    except OSError as error:
        raise CommandError(f"cannot record in {settings.record}: {reason(error)}") from None


def recording_words(settings: RunSettings, recorder: Recorder) -> str:
    """Say that connections are recorded: who serves so keeps what others have said."""
    return (
        f"recording each connection in {settings.record}: at most {settings.record_files} files "
        f"of {settings.record_size} bytes, without {', '.join(recorder.redaction.names)}"
    )


def serve_on_asyncio(
    app: Application,
    settings: RunSettings,
    sockets: Sequence[socket.socket],
    recorder: Recorder | None,
    started: Callable[[Listening, str], None],
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
        app,
        settings.host,
        settings.port,
        uds=settings.uds,
        sockets=sockets,
        ssl_context=settings.ssl_context,
        limits=settings.limits,
        timeouts=settings.timeouts,
        engine=settings.engine,
        access_log=settings.access_log,
        make_connection=recorder,
        loop=settings.loop,
        started=say,
    )


def serve_on_trio(
    app: Application,
    settings: RunSettings,
    sockets: Sequence[socket.socket],
    recorder: Recorder | None,
    started: Callable[[Listening, str], None],
) -> None:
    """Serve on trio."""
    if find_spec("trio") is None:
        raise CommandError("trio is not installed: pip install 'spry[trio]'")
    import spry_trio

    spry_trio.run(
        app,
        settings.host,
        settings.port,
        uds=settings.uds,
        sockets=sockets,
        ssl_context=settings.ssl_context,
        limits=settings.limits,
        timeouts=settings.timeouts,
        engine=settings.engine,
        access_log=settings.access_log,
        make_connection=recorder,
        started=lambda server: started(server, "trio"),
    )


def is_of_lifespan(error: Exception) -> bool:
    """Tell whether the application raised this before the first connection or after the last.

    The adapters raise it as it is, so that it may be an `OSError` as well as one of listening; its traceback tells them apart.
    """
    return any(frame.f_globals.get("__name__") == LIFESPAN for frame, _ in walk_tb(error.__traceback__))


def places(server: Listening, *, is_secure: bool) -> list[str]:
    """Say where a server listens."""
    scheme = "https" if is_secure else "http"
    sites = [address(scheme, host, port) for host, port in server.addresses]
    return [*sites, *(f"unix:{path}" for path in server.paths)]


def address(scheme: str, host: str, port: int) -> str:
    """Write an address as a URI, with an IPv6 host in brackets (RFC 3986 §3.2.2)."""
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def place_of(settings: RunSettings) -> str:
    """Say where it should have listened."""
    if settings.fd is not None:
        return f"descriptor {settings.fd}"
    return f"{settings.host}:{settings.port}" if settings.uds is None else f"unix:{settings.uds}"


def reason(error: OSError | UnicodeError) -> str:
    """Say why listening failed, in few words; asyncio and trio word it at length, each in its own way."""
    if isinstance(error, UnicodeError):
        return "not the name of a host"
    if isinstance(error, socket.gaierror) or error.errno is None:
        return (error.strerror or str(error)).lower()  # the numbers of getaddrinfo are not those of errno
    return os.strerror(error.errno).lower()
