"""A whole program on trio: make a loop, serve on it until a signal, and end in good order."""

from __future__ import annotations

import signal
import socket
import ssl
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from types import FrameType
from typing import Final

import trio

from spry_core import Application
from spry_core.protocol import DEFAULT_ENGINE, EngineName, Limits, Timeouts
from spry_core.serving import MakeConnection
from spry_trio.server import RunningServer, serve

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

MAX_HEARD: Final = 2
"""Signals that end the server in good order, and at once; another one is for whoever handled them before."""


def run(
    app: Application,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    uds: str | None = None,
    sockets: Sequence[socket.socket] = (),
    ssl_context: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    engine: EngineName = DEFAULT_ENGINE,
    access_log: bool = True,
    make_connection: MakeConnection | None = None,
    started: Callable[[RunningServer], None] | None = None,
) -> None:
    """Serve `app` on a loop of its own until SIGINT or SIGTERM; then drain with Close 1001 and return. A second signal aborts.
    A signal that comes before it listens cancels the startup of the lifespan.

    In another thread than the main one there are no signals, and nothing but an exception ends it. The signal handlers are
    put back as they were.

    Args:
        app, host, port, uds, sockets, ssl_context, limits, timeouts, engine, access_log, make_connection: As
            for `serve`.
        started: Called once when the server listens and signals are taken.

    Raises:
        OSError, ValueError, Exception: As for `serve`.
    """
    serving = serve(
        app,
        host,
        port,
        uds=uds,
        sockets=sockets,
        ssl_context=ssl_context,
        limits=limits,
        timeouts=timeouts,
        engine=engine,
        access_log=access_log,
        make_connection=make_connection,
    )
    trio.run(serve_until_signal, serving, started)


async def serve_until_signal(
    serving: AbstractAsyncContextManager[RunningServer], started: Callable[[RunningServer], None] | None
) -> None:
    """Serve until the first signal, or until the lifespan fails; the second signal aborts, wherever the shutdown has got to.

    One that comes while it starts cancels that, since a startup may wait for ever. From the third on they do what they did
    before: a handler that swallows its cancellation cannot keep the process.
    """
    server: RunningServer | None = None
    stop = trio.Event()
    starting = trio.CancelScope()

    def signalled() -> None:
        if stop.is_set():
            put_back()
            if server is not None:
                server.abort()
        elif server is None:
            starting.cancel()
        stop.set()

    with signals_to(signalled) as put_back, starting:
        async with serving as server:
            server.when_ended(stop.set)
            if started is not None:
                started(server)
            await stop.wait()


@contextmanager
def signals_to(handle: Callable[[], None]) -> Generator[Callable[[], None]]:
    """Call `handle` in the loop for SIGINT and SIGTERM; at the end, or by what this gives, put back what handled them.

    So does the third signal by itself, because a loop that is blocked calls nothing.

    Not `trio.open_signal_receiver`: a second signal that nobody has read when its block ends is raised again, and would kill
    the process at the end of an orderly shutdown.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None  # Python hands signals to the main thread only
        return
    token = trio.lowlevel.current_trio_token()
    heard = 0

    def from_outside(number: int, frame: FrameType | None) -> None:
        nonlocal heard
        heard += 1
        if heard > MAX_HEARD:
            put_back()
            signal.raise_signal(number)
        else:
            token.run_sync_soon(handle)

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: not a handler of Python's

    before = {number: signal.signal(number, from_outside) for number in SIGNALS}
    try:
        yield put_back
    finally:
        put_back()
