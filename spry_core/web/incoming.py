"""`ws.incoming`: messages piece by piece, as they arrive, with backpressure below the size of a frame.

Objects with ``__anext__`` and not async generators: left early they hold nothing that would have to be closed, and a task that is
cancelled while it waits loses no byte, since what has come lies in the inbox.
"""

from __future__ import annotations

from typing import AnyStr, Generic, Literal, Self, TypeAlias, cast

from spry_core.closing import ConnectionClosed
from spry_core.errors import RemoteProtocolError, WebSocketStateError
from spry_core.wakeup import Checkpoints
from spry_core.web.arrival import Arrival
from spry_core.web.link import Link

_WHAT = "incoming"


class IncomingMessage(Generic[AnyStr]):
    """One message that is coming in: ``async for piece in message``, or ``await message.read()``.

    Asking for a piece says that the one before is consumed, and lets as many bytes be read again. A loop that is left may be
    gone on with by another one, until `Incoming` is asked for the next message or somebody else receives: then the rest is
    dropped as it comes, still counted against `Limits.max_message_size`.

    Raises:
        ConnectionClosed: On asking for more when the connection has ended before the message has.
        WebSocketBusyError: Somebody else is receiving.
        WebSocketStateError: The rest of the message was dropped.
    """

    def __init__(self, link: Link, checkpoints: Checkpoints, arrival: Arrival) -> None:
        self._link = link
        self._checkpoints = checkpoints
        self._arrival = arrival
        self._is_iterated = False
        self._is_read = False
        self._content: AnyStr | None = None

    def __aiter__(self) -> Self:
        """Iterate over what has not been taken yet."""
        return self

    async def __anext__(self) -> AnyStr:
        """Return the next piece, of at least one byte, text cut between code points; cancelled, it has taken none."""
        if self._is_read:
            raise WebSocketStateError("the message was joined by `read`, which gives it again")
        self._is_iterated = True
        self._check_there()
        if self._arrival.is_over:
            await self._checkpoints.pass_one()
            raise StopAsyncIteration
        piece = await self._next_piece()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def read(self, max_size: int | None = None) -> AnyStr:
        """Return the whole message; called again, the same.

        Cancelled, it keeps what it has, and the next call goes on from there.

        Args:
            max_size: In bytes, as on the wire and uncompressed. A bigger message fails the connection with 1009
                (RFC 6455 §7.4.1). None leaves it to `Limits.max_message_size`, which must not be None then.

        Raises:
            ConnectionClosed: The connection has ended before the message; `ProtocolFailure` if it was too big.
            TypeError: There is no bound.
            ValueError: `max_size` is negative.
            WebSocketBusyError: Somebody else is receiving.
            WebSocketStateError: Pieces of it were taken already, or the rest of it was dropped.
        """
        self._check_bound(max_size)
        if self._is_iterated:
            raise WebSocketStateError("pieces of the message were taken, and it cannot be joined any more")
        self._is_read = True
        if self._content is None:
            self._check_there()
            self._content = await self._join(max_size)
        else:
            await self._checkpoints.pass_one()
        return self._content

    async def _next_piece(self) -> AnyStr | None:
        link, arrival = self._link, self._arrival
        inbox = link.inbox
        with inbox.consuming(_WHAT, arrival, pieces=True):
            inbox.come_back(arrival)
            await self._checkpoints.pass_one()
            while (piece := inbox.take_piece(arrival)) is None and not arrival.is_complete:
                await self._wait()
            if piece is None:
                inbox.finish(arrival)
            return cast("AnyStr | None", piece)

    async def _join(self, max_size: int | None) -> AnyStr:
        link, arrival = self._link, self._arrival
        inbox = link.inbox
        with inbox.consuming(_WHAT, arrival, pieces=True):
            inbox.come_back()
            await self._checkpoints.pass_one()
            while not inbox.join(arrival, max_size):
                await self._check_size(max_size)
                await self._wait()
            await self._check_size(max_size)
            return cast("AnyStr", arrival.take_joined())

    async def _check_size(self, max_size: int | None) -> None:
        if max_size is not None and self._arrival.joined_size > max_size:
            error = RemoteProtocolError(
                "the message is too big for its reader", close_code=1009, section="RFC 6455 §7.4.1"
            )
            await self._link.refuse(error)

    async def _wait(self) -> None:
        link = self._link
        if link.info is not None:
            raise link.closed_error()
        await link.inbox.mail.wait()
        self._checkpoints.waited()

    def _check_there(self) -> None:
        """Refuse what nobody can have any more. Where we have closed, the end is waited for instead, as by every receiver."""
        link = self._link
        if not self._arrival.is_dropped or link.inbox.is_closed:
            return
        if link.info is not None:
            raise link.closed_error()
        raise WebSocketStateError(
            "the rest of the message was dropped: somebody has received since, or nobody did when the handler had returned"
        )

    def _check_bound(self, max_size: int | None) -> None:
        if max_size is None and self._link.inbox.is_boundless:
            raise TypeError(
                "read wants max_size here: messages of this route may be of any size (max_message_size=None)"
            )
        if max_size is not None and max_size < 0:
            raise ValueError(f"max_size is negative: {max_size}")


class IncomingText(IncomingMessage[str]):
    """A text message: its pieces are `str` (RFC 6455 §5.6)."""

    @property
    def kind(self) -> Literal["text"]:
        """Always ``"text"``, which tells it from `IncomingBinary`."""
        return "text"


class IncomingBinary(IncomingMessage[bytes]):
    """A binary message: its pieces are `bytes` (RFC 6455 §5.6)."""

    @property
    def kind(self) -> Literal["binary"]:
        """Always ``"binary"``, which tells it from `IncomingText`."""
        return "binary"


AnyIncoming: TypeAlias = IncomingText | IncomingBinary
"""A message that `Incoming` gives: ``message.kind`` tells which."""


class Incoming:
    """What `WebSocket.incoming` gives: an iterator over the messages, each as soon as it begins."""

    def __init__(self, link: Link, checkpoints: Checkpoints) -> None:
        self._link = link
        self._checkpoints = checkpoints

    def __aiter__(self) -> Self:
        """Iterate over the messages from the next one on."""
        return self

    async def __anext__(self) -> AnyIncoming:
        """Return the next message; cancelled, it has taken none. What is left of the one before is dropped.

        The loop ends when the connection has closed cleanly or we closed it.

        Raises:
            ConnectionClosed: `ConnectionLost`, `KeepaliveTimeout` or `ProtocolFailure`: it has ended otherwise.
            WebSocketBusyError: Somebody else is receiving.
        """
        try:
            arrival = await self._next()
        except ConnectionClosed as error:
            if type(error) is ConnectionClosed:
                raise StopAsyncIteration from None
            raise
        make = IncomingText if arrival.kind == "text" else IncomingBinary
        return make(self._link, self._checkpoints, arrival)

    async def _next(self) -> Arrival:
        link = self._link
        inbox = link.inbox
        with inbox.consuming(_WHAT, pieces=True):
            inbox.come_back()
            await self._checkpoints.pass_one()
            while (arrival := inbox.begin()) is None:
                if link.info is not None:
                    raise link.closed_error()
                await inbox.mail.wait()
                self._checkpoints.waited()
            return arrival
