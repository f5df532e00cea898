"""A backend over the byte streams of anyio, which run on asyncio and on trio.

What a stream of anyio does is awaited, so each connection has three tasks: one that reads, one that writes, one that sleeps
until the deadline. Handlers are further tasks, and may use whatever the loop offers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from secrets import token_bytes

import anyio
from anyio.abc import SocketAttribute, SocketListener, TaskGroup
from anyio.from_thread import start_blocking_portal

from examples.backends.anyio_driver import Bell, Driver
from examples.backends.anyio_pump import Pump, paused
from spry_core import Application, Limits, Timeouts
from spry_core.serving import LogRecord, Server
from spry_core.testing.conformance import Running


class AnyioServer:
    """Listens, accepts, and ends."""

    def __init__(
        self, app: Application, listener: SocketListener, limits: Limits, timeouts: Timeouts
    ) -> None:
        self.listener = listener
        self.core = Server(
            app, limits=limits, timeouts=timeouts, random=token_bytes, wall_clock=time.time, report=report
        )
        self.address: tuple[str, int] = listener.extra(SocketAttribute.raw_socket).getsockname()[:2]
        self.timer, self.room = Bell(), Bell()
        self.accepting = anyio.CancelScope()
        self.begun, self.deaf, self.ended = anyio.Event(), anyio.Event(), anyio.Event()

    def look(self) -> None:
        if self.core.is_closing:
            self.accepting.cancel()
        if self.core.has_started:
            self.begun.set()
        self.timer.ring()
        self.room.ring()

    async def run(self) -> None:
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                self.core.start(Driver(tasks, self.look))
                self.look()
                tasks.start_soon(self.accept, tasks)
                while not self.core.closed:
                    await self.timer.wait(self.core.next_deadline())
                    self.core.handle_deadline(anyio.current_time())
        self.begun.set()
        self.ended.set()

    async def accept(self, tasks: TaskGroup) -> None:
        with self.accepting:
            while True:
                while self.core.is_full or not self.core.has_started:
                    await self.room.wait()
                try:
                    stream = await self.listener.accept()
                except OSError:  # no descriptor is left
                    await anyio.sleep(self.core.timeouts.accept_pause or 0.0)
                else:
                    pump = Pump(self.core, stream, await paused(stream), self.look)
                    await tasks.start(pump.run)  # it counts before the next is accepted
        with anyio.CancelScope(shield=True):
            await self.listener.aclose()
        self.deaf.set()

    async def shutdown(self, code: int = 1001, reason: str = "", grace: float | None = None) -> None:
        """Begin to end."""
        self.core.shutdown(anyio.current_time(), code, reason, grace=grace)
        self.look()  # the deadline is another one now
        await self.deaf.wait()  # who is told to go would knock again


def report(record: LogRecord) -> None:
    logging.getLogger(record.logger).log(record.level, "%s", record.text, exc_info=record.exception)


@asynccontextmanager
async def serve(
    app: Application, host: str, port: int, *, limits: Limits | None = None, timeouts: Timeouts | None = None
) -> AsyncGenerator[AnyioServer]:
    """Serve while the block runs, and cut what is left at its end."""
    listeners = await anyio.create_tcp_listener(local_host=host, local_port=port)
    (listener,) = [each for each in listeners.listeners if isinstance(each, SocketListener)]
    server = AnyioServer(app, listener, limits or Limits(), timeouts or Timeouts())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(server.run)
        try:
            await server.begun.wait()
            if not server.ended.is_set():
                yield server
        finally:
            with anyio.CancelScope(shield=True):
                await server.shutdown(grace=0.0)
                await server.ended.wait()
    if server.core.failure is not None:
        raise server.core.failure


@contextmanager
def backend(
    app: Application, *, limits: Limits, timeouts: Timeouts, loop: str = "asyncio"
) -> Generator[Running]:
    """Serve for ``python -m spry_core.testing.conformance examples.backends.anyio_streams:backend``."""
    logging.getLogger("spry").addHandler(logging.NullHandler())  # the errors of scenarios are on purpose
    serving = serve(app, "127.0.0.1", 0, limits=limits, timeouts=timeouts)
    with start_blocking_portal(loop) as portal, portal.wrap_async_context_manager(serving) as server:

        def shutdown(*, code: int, reason: str, grace: float | None) -> None:
            portal.call(server.shutdown, code, reason, grace)

        yield Running(server.address, shutdown)


@contextmanager
def trio_backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Running]:
    """Serve the same on trio."""
    with backend(app, limits=limits, timeouts=timeouts, loop="trio") as running:
        yield running
