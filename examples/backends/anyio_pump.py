"""The pump over a byte stream of anyio: one task reads, one writes, one sleeps until the deadline."""

from __future__ import annotations

import socket
import struct
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf

import anyio
from anyio.abc import ByteStream, SocketAttribute, TaskStatus

from examples.backends.anyio_driver import Bell, Driver
from spry_core.protocol import StreamEnd
from spry_core.serving import Server, StreamInfo

PIECE = (
    64 * 1024
)  # bytes: what is sent at once is told as sent at once, and a slow reader is to be seen to read
LOST = (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError)


async def paused(stream: ByteStream) -> bytes:
    """Let a stream that was just accepted read no further than it is asked to; return what it has read before.

    On asyncio anyio reads such a stream from the first, and pauses whenever a `receive` that had to wait is over, however that
    came about. Call this with no other wait between it and `accept`.
    """
    with anyio.CancelScope(deadline=-inf, shield=True), suppress(anyio.EndOfStream, *LOST):
        return await stream.receive()
    return b""


class Pump:
    """Moves the bytes of one connection, and keeps its timer. `first` are those that have come already."""

    def __init__(self, core: Server, stream: ByteStream, first: bytes, ended: Callable[[], None]) -> None:
        self.core, self.stream, self.first, self.ended = core, stream, first, ended
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
                self.session = self.core.session(Driver(tasks, self.look), info)
                task_status.started()
                for each in (self.read, self.write, self.keep_time):
                    tasks.start_soon(each)
                while not self.session.closed:
                    await self.over.wait()
                tasks.cancel_scope.cancel()
        self.ended()  # there is room for another, or this was the last

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
            if self.first:
                self.session.receive_data(self.first, anyio.current_time())
                self.look()
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
            else:
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
