"""The adapters as backends of the conformance kit: each serves in a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from threading import Thread

import trio
import uvloop

import spry_asyncio
import spry_trio
from spry_core import Application, Limits, Timeouts
from spry_core.testing.conformance import Running


@contextmanager
def _asyncio(
    app: Application,
    limits: Limits,
    timeouts: Timeouts,
    loop_factory: Callable[[], asyncio.AbstractEventLoop],
) -> Generator[Running]:
    served: SimpleQueue[tuple[asyncio.AbstractEventLoop, spry_asyncio.RunningServer]] = SimpleQueue()
    stopped = asyncio.Event()

    async def main() -> None:
        async with spry_asyncio.serve(app, port=0, limits=limits, timeouts=timeouts) as server:
            served.put((asyncio.get_running_loop(), server))
            await stopped.wait()
            server.shut_down(grace=0.0)

    def run() -> None:
        with asyncio.Runner(loop_factory=loop_factory) as runner:
            runner.run(main())

    thread = Thread(target=run, daemon=True)
    thread.start()
    loop, server = served.get()

    def shut_down(*, code: int, reason: str, grace: float | None) -> None:
        loop.call_soon_threadsafe(partial(server.shut_down, code, reason, grace=grace))

    try:
        yield Running(server.addresses[0], shut_down)
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join()


@contextmanager
def asyncio_backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Running]:
    with _asyncio(app, limits, timeouts, asyncio.SelectorEventLoop) as running:
        yield running


@contextmanager
def uvloop_backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Running]:
    with _asyncio(app, limits, timeouts, uvloop.new_event_loop) as running:
        yield running


@contextmanager
def trio_backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Running]:
    served: SimpleQueue[tuple[trio.lowlevel.TrioToken, spry_trio.RunningServer]] = SimpleQueue()
    stopped = trio.Event()

    async def main() -> None:
        async with spry_trio.serve(app, port=0, limits=limits, timeouts=timeouts) as server:
            served.put((trio.lowlevel.current_trio_token(), server))
            await stopped.wait()
            server.shut_down(grace=0.0)

    thread = Thread(target=trio.run, args=(main,), daemon=True)
    thread.start()
    token, server = served.get()

    def shut_down(*, code: int, reason: str, grace: float | None) -> None:
        token.run_sync_soon(partial(server.shut_down, code, reason, grace=grace))

    try:
        yield Running(server.addresses[0], shut_down)
    finally:
        token.run_sync_soon(stopped.set)
        thread.join()


@contextmanager
def nowhere(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[tuple[str, int]]:
    """A backend that does not listen."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    yield address
