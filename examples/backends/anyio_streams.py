"""A backend over the byte streams of anyio, which run on asyncio and on trio.

What a stream of anyio does is awaited, so each connection has three tasks: one that reads, one that writes, one that sleeps
until the deadline. Handlers are further tasks, and may use whatever the loop offers.
"""

from __future__ import annotations

import logging
import socket
import struct
import time
from collections import deque
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from math import inf
from secrets import token_bytes

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketListener, TaskGroup, TaskStatus
from anyio.from_thread import start_blocking_portal

from examples.backends.anyio_driver import Bell, Driver
from spry_core import Application, Limits, Timeouts
from spry_core.protocol import StreamEnd
from spry_core.serving import LogRecord, Server, StreamInfo
from spry_core.testing.conformance import Running

PIECE = (
    64 * 1024
)  # bytes: what is sent at once is told as sent at once, and a slow reader is to be seen to read
LOST = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


class Pump:
    """Moves the bytes of one connection, and keeps its timer."""

    def __init__(self, server: AnyioServer, stream: ByteStream) -> None:
        self.server, self.stream = server, stream
        self.batch: deque[bytes | StreamEnd] = deque()
        self.may_read, self.may_write, self.timer, self.over = Bell(), Bell(), Bell(), Bell()
        self.reading, self.writing = anyio.CancelScope(), anyio.CancelScope()
        self.error: Exception | None = None
        self.is_aborted, self.armed = False, inf

    async def run(self, *, task_status: TaskStatus[None]) -> None:
        # Whoever cancels the server has it shut down; the connection ends in its own time, which the core bounds.
        with anyio.CancelScope(shield=True):
            async with anyio.create_task_group() as tasks:
                peer = self.stream.extra(SocketAttribute.remote_address, None)  # None if it is gone already
                info = StreamInfo(peer=f"{peer[0]}:{peer[1]}" if peer else "")
                self.session = self.server.core.session(Driver(tasks, self.look), info)
                task_status.started()
                for each in (self.read, self.write, self.keep_time):
                    tasks.start_soon(each)
                while not self.session.closed:
                    await self.over.wait()
                tasks.cancel_scope.cancel()
        self.server.look()  # there is room for another, or this was the last

    def look(self) -> None:
        """Fetch what there is to write, and wake whoever has something to do."""
        self.batch += self.session.data_to_send()
        if StreamEnd.ABORT in self.batch:
            self.is_aborted = True
            self.writing.cancel()  # a write may be waiting
        deadline = self.session.next_deadline()
        if deadline is not None and deadline < self.armed:  # a later one is looked up when this one fires
            self.timer.ring()
        for bell in (self.may_read, self.may_write, self.over):
            bell.ring()

    async def read(self) -> None:
        with self.reading:
            while True:
                while not self.session.wants_read:
                    await self.may_read.wait()
                try:
                    data = await self.stream.receive()
                except anyio.EndOfStream:
                    self.session.receive_eof(anyio.current_time())
                except LOST as error:
                    self.error = error
                    self.writing.cancel()
                    return
                else:
                    self.session.receive_data(data, anyio.current_time())
                self.look()

    async def write(self) -> None:
        """Write until the end of the stream, and bring that about."""
        try:
            with self.writing:
                while await self.write_batch():
                    await self.may_write.wait()
        except LOST as error:
            self.error = error
        why = self.error  # before the reader takes our own end for another
        self.reading.cancel()
        if self.is_aborted:
            with suppress(OSError):
                raw = self.stream.extra(SocketAttribute.raw_socket)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await anyio.aclose_forcefully(self.stream)
        self.session.connection_lost(why, anyio.current_time())
        self.look()

    async def write_batch(self) -> bool:
        """Write what there is; False if the stream is to be closed."""
        while self.batch:
            each = self.batch.popleft()
            if each in (StreamEnd.CLOSE, StreamEnd.ABORT):
                return False
            if each is StreamEnd.HALF_CLOSE:
                await self.stream.send_eof()
            elif isinstance(each, bytes):
                await self.send(each)
        return True

    async def send(self, data: bytes) -> None:
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            await self.stream.send(piece)
            self.session.bytes_written(len(piece), anyio.current_time())
            self.look()

    async def keep_time(self) -> None:
        while True:
            deadline = self.session.next_deadline()
            self.armed = inf if deadline is None else deadline
            await self.timer.wait(self.armed)
            self.session.handle_deadline(anyio.current_time())
            self.look()


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
                    await tasks.start(Pump(self, stream).run)  # it counts before the next is accepted
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
