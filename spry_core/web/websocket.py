"""The WebSocket of an application: messages in, messages out, and the end, the same on every backend.

It is written once, over what the driver lends: every wait looks at the state again in a loop, every effect
comes after the last wait before it and before the only wait after it. So a cancelled `receive` has lost
nothing, and a cancelled `send` has sent its message whole or not at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterable
from contextlib import contextmanager
from enum import Enum, auto
from types import TracebackType
from typing import TypeAlias

from spry_core.closing import CloseInfo, check_close
from spry_core.errors import BufferFull, ConnectionClosed, WebSocketBusyError
from spry_core.protocol.events import Message
from spry_core.wakeup import Checkpoints
from spry_core.web.failure import close_for
from spry_core.web.iteration import Items
from spry_core.web.link import Link, ReadyState
from spry_core.web.request import Request
from spry_core.web.subscription import OnDone, OnError, OnMessage, Subscription

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


class Closing:
    """What `WebSocket.close` gives: the closing handshake has begun; await it to wait until the end is
    settled.
    """

    def __init__(self, link: Link) -> None:
        self._link = link

    def __await__(self) -> Generator[object, None, CloseInfo]:
        """Wait until both Close frames are through, or none can come any more; cancelling the wait changes
        nothing.
        """
        return self._wait().__await__()

    async def _wait(self) -> CloseInfo:
        await self._link.driver.checkpoint(False)
        while (info := self._link.info) is None:
            await self._link.settling.wait()
        return info


class Closed:
    """What `WebSocket.closed` gives: true when the stream is gone; await it to wait for that."""

    def __init__(self, link: Link) -> None:
        self._link = link

    def __bool__(self) -> bool:
        """Tell whether the stream is gone."""
        return self._link.connection.closed

    def __await__(self) -> Generator[object, None, CloseInfo]:
        """Wait until the stream is gone; any number of tasks may."""
        return self._wait().__await__()

    async def _wait(self) -> CloseInfo:
        await self._link.driver.checkpoint(False)
        while not self._link.connection.closed:
            await self._link.ending.wait()
        info = self._link.info
        assert info is not None
        return info


class WebSocket:
    """One WebSocket connection (RFC 6455), as its handler gets it."""

    def __init__(self, link: Link, request: Request, protocol: str | None) -> None:
        self._link = link
        self._checkpoints = Checkpoints(link.driver)
        self._request = request
        self._protocol = protocol

    # Receiving

    async def receive(self) -> str | bytes:
        """Return the next message: `str` for text, `bytes` for binary (RFC 6455 §5.6).

        Cancelling it loses no message.

        Raises:
            ConnectionClosed: No message is left and none can come; `ConnectionLost`, `KeepaliveTimeout` or
                `ProtocolFailure` if the connection did not end well.
            WebSocketBusyError: Somebody else is receiving.
        """
        link = self._link
        with link.consuming("receive"):
            link.come_back()
            await self._checkpoints.pass_one()
            while not link.inbox:
                if link.info is not None:
                    raise link.closed_error()
                await link.mail.wait()
                self._checkpoints.waited()
            return link.take()

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """Iterate over the messages.

        The loop ends when the connection has closed cleanly or we closed it, and raises what `receive` raises
        otherwise. After it, `close_info` is set.
        """
        return self

    async def __anext__(self) -> str | bytes:
        """Return the next message, or end the loop."""
        try:
            return await self.receive()
        except ConnectionClosed as error:
            if type(error) is ConnectionClosed:
                raise StopAsyncIteration from None
            raise

    def listen(
        self, on_message: OnMessage, on_error: OnError | None = None, on_done: OnDone | None = None
    ) -> Subscription:
        """Call `on_message` with each message from now on, one at a time, in order; returns at once.

        A callback may be sync or async, and the next message waits for it. An exception in a callback closes
        the connection as one of the handler would.

        Args:
            on_message: Called with `str` or `bytes`.
            on_error: Called with the `ConnectionClosed` of a connection that did not end well.
            on_done: Called with the `CloseInfo`, on any end.

        Raises:
            ConnectionClosed: The connection is over, and its handler too.
            WebSocketBusyError: Somebody else is receiving.
        """
        return Subscription(self._link, on_message, on_error, on_done)

    # Sending

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

    # Closing

    def close(self, code: int | None = 1000, reason: str = "") -> Closing:
        """Begin the closing handshake, at once; await the result to wait until the end is settled (RFC 6455
        §7.1.2).

        What was sent before goes out first; what was received and not yet read is dropped. A second call
        changes nothing. The whole takes at most `Timeouts.close_timeout` seconds. Not awaiting it is no
        mistake.

        Args:
            code: 1000 to 1003, 1007 to 1014 or 3000 to 4999; None for an empty Close frame.
            reason: At most 123 bytes as UTF-8.

        Raises:
            ValueError: No Close frame may say this; nothing was changed.
        """
        self._link.close(check_close(code, reason))
        return Closing(self._link)

    def abort(self) -> None:
        """Cut the connection: no Close frame, unsent messages are dropped; the peer sees 1006."""
        self._link.abort()

    @property
    def closed(self) -> Closed:
        """True when the stream is gone; ``await ws.closed`` waits for that and gives the `CloseInfo`."""
        return Closed(self._link)

    async def __aenter__(self) -> WebSocket:
        """Close it at the end of the block: with 1000, or after an exception with 1011, or what the exception says
        (`WebSocketClose`, `Abort`).
        """
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close, and wait until the end is settled unless the block was left by an exception."""
        if error is not None:
            self._link.close(close_for(error))
        else:
            await self.close()

    # Attributes

    @property
    def ready_state(self) -> ReadyState:
        """OPEN until the first Close frame went either way, CLOSED when the stream is gone."""
        return self._link.ready_state

    @property
    def close_info(self) -> CloseInfo | None:
        """How the connection ended; None until that is settled."""
        return self._link.info

    @property
    def close_code(self) -> int | None:
        """The close code to report (RFC 6455 §7.1.5); None until the end is settled."""
        return None if self._link.info is None else self._link.info.close_code

    @property
    def close_reason(self) -> str | None:
        """The close reason (RFC 6455 §7.1.6); None until the end is settled."""
        return None if self._link.info is None else self._link.info.close_reason

    @property
    def protocol(self) -> str | None:
        """The subprotocol that was selected, or None (RFC 6455 §1.9)."""
        return self._protocol

    @property
    def buffered_amount(self) -> int:
        """Bytes accepted and not yet taken by the transport, frame headers included."""
        return self._link.connection.buffered_amount

    @property
    def request(self) -> Request:
        """The request of the opening handshake: context only, its content is empty."""
        return self._request

    @property
    def locals(self) -> dict[str, object]:
        """What middleware and handler keep for this connection: the same dict as the request's."""
        return self._request.locals

    @property
    def peer(self) -> str:
        """The peer's address for logs, such as ``"127.0.0.1:50312"``."""
        return self._request.peer


def _message(data: Sendable) -> Message:
    return Message(data=data if isinstance(data, (str, bytes)) else bytes(data))
