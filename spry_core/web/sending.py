"""Sending on a WebSocket: whole messages, from any number of tasks.

Every effect comes after the last wait before it and before the only wait after it. So a cancelled `send` has sent its message
whole or not at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Generator, Iterable
from contextlib import contextmanager
from enum import Enum, auto
from typing import TypeAlias

from spry_core.errors import BufferFull, WebSocketBusyError
from spry_core.protocol.events import Message
from spry_core.web.iteration import Items
from spry_core.web.linked import Linked

_MESSAGE = (str, bytes, bytearray, memoryview)
_STREAMING = "a stream is being sent on this WebSocket"


Sendable: TypeAlias = str | bytes | bytearray | memoryview
"""What can be sent as a message: `str` as text, anything bytes-like as binary."""


class SendResult(Enum):
    """What `send_nowait` found when it had queued a message."""

    OK = auto()
    """There is room for more."""

    BACKPRESSURE = auto()
    """More than `Limits.high_water` bytes are unsent: better wait before sending more."""


class Sending(Linked):
    """The sending half of `WebSocket`."""

    async def send(self, data: Sendable) -> None:
        """Send one message; return when the unsent bytes are under the high-water mark.

        The message enters the connection whole or not at all: cancelled before, nothing was sent; cancelled
        while waiting for the mark, it is on its way.

        Args:
            data: `str` is sent as text, bytes-like as binary.

        Raises:
            ConnectionClosed: The connection is not open, or has ended while this waited.
            TypeError: `data` is neither.
            WebSocketBusyError: A stream is being sent (`add_stream`).
        """
        self._check_sending(data)
        await self._checkpoints.pass_one()
        self._check_sending(data)
        await self._send(data)

    def send_nowait(self, data: Sendable) -> SendResult:
        """Queue one message now, in a sync callback too; see `send` for the arguments.

        Returns:
            Whether there is room for more.

        Raises:
            BufferFull: `Limits.max_unsent` bytes or more are unsent already; nothing was queued.
            ConnectionClosed, TypeError, WebSocketBusyError: As `send`.
        """
        self._check_sending(data)
        connection = self._link.connection
        if connection.is_open and connection.buffered_amount >= connection.limits.max_unsent:
            raise BufferFull(f"{connection.buffered_amount} bytes are unsent already")
        self._link.send(_message(data))
        return SendResult.BACKPRESSURE if self._link.is_full else SendResult.OK

    add = send_nowait
    """The original's name for `send_nowait`."""

    async def add_stream(
        self, source: AsyncIterable[Sendable] | Iterable[Sendable], *, exclusive: bool = True
    ) -> int:
        """Send each item of `source` as one message; the next is asked for only when there is room.

        The source's own exception comes out as it is, and the connection stays open. Whatever ends this once
        it has begun, the source is closed.

        Cancelled it has not taken an item that it did not send, unless the source was waiting for one.

        Args:
            source: A sync or async iterable of what `send` takes.
            exclusive: False lets other senders' messages come between; else they raise `WebSocketBusyError`.

        Returns:
            The number of messages.

        Raises:
            ConnectionClosed: The connection is not open, or ended first.
            TypeError: `source` is a message itself, or an item of it is none.
            WebSocketBusyError: Another stream is being sent, and one of the two is exclusive.
        """
        if isinstance(source, _MESSAGE):
            raise TypeError(f"a source is an iterable of messages, not one of them ({type(source).__name__})")
        link = self._link
        items = Items(source)
        with self._streaming(exclusive):
            try:
                await self._checkpoints.pass_one()
                self._check_open()
                with link.interrupted_by_settling():
                    return await self._send_all(items)
            finally:
                await items.aclose()
        raise link.closed_error()

    async def _send_all(self, items: Items[Sendable]) -> int:
        count = 0
        await self._room()
        async for item in items:
            self._check_type(item)
            await self._send(item)
            await self._checkpoints.pass_one()
            count += 1
        return count

    async def _send(self, data: Sendable) -> None:
        self._link.send(_message(data))
        await self._room()

    async def _room(self) -> None:
        link = self._link
        while link.is_full:
            await link.room.wait()
            self._checkpoints.waited()
            if link.info is not None:
                raise link.closed_error()

    @contextmanager
    def _streaming(self, exclusive: bool) -> Generator[None]:
        link = self._link
        if link.has_exclusive_sender or (exclusive and link.streams):
            raise WebSocketBusyError(_STREAMING)
        link.has_exclusive_sender = exclusive
        link.streams += 1
        link.background += 1
        try:
            yield
        finally:
            link.has_exclusive_sender = False
            link.streams -= 1
            link.background -= 1
            link.leave_alone()

    def _check_open(self) -> None:
        if not self._link.connection.is_open:
            raise self._link.closed_error()

    def _check_sending(self, data: Sendable) -> None:
        self._check_type(data)
        if self._link.has_exclusive_sender:
            raise WebSocketBusyError(_STREAMING)

    @staticmethod
    def _check_type(data: object) -> None:
        if not isinstance(data, _MESSAGE):
            raise TypeError(f"a message is str or bytes, not {type(data).__name__}")


def _message(data: Sendable) -> Message:
    return Message(data=data if isinstance(data, (str, bytes)) else bytes(data))
