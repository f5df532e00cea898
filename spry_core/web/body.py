"""The content of a request, on its way from the session to whoever asks for it.

An object with ``__anext__`` and not an async generator, so that there is nothing to close when a handler stops reading. It has
two faces: the consumer's, which waits, and the session's, which never does. The state is here and a wake-up carries nothing, so a
reader that is cancelled loses no byte.
"""

from __future__ import annotations

from typing import Final, Self

from spry_core.closing import ConnectionClosed
from spry_core.errors import LocalProtocolError
from spry_core.headers import Headers
from spry_core.protocol.events import RawFields
from spry_core.wakeup import Checkpoints, WakeUp
from spry_core.web.exceptions import Abort
from spry_core.web.exchange import Exchange

_MANY: Final = 128
"""Waiting pieces behind which small ones are joined."""

_SMALL: Final = 1024
"""Bytes below which the last of them takes in the next one."""


class RequestBody:
    """The content of one request: ``async for piece in request.body`` gives it as it arrives, in pieces of at least one byte.

    Asking for a piece says that the one before is consumed, and lets as many bytes be read again; the first question sends
    100 Continue if the client waits for it (RFC 9110 §10.1.1). One reader at a time.

    Raises:
        ConnectionLost: On asking for more after the peer has left; what had arrived before comes first.
        LocalProtocolError: Another task is reading, or the content was collected by `Request.read`.
    """

    __slots__ = (
        "_arrival",
        "_checkpoints",
        "_collected",
        "_content",
        "_error",
        "_exchange",
        "_held",
        "_is_busy",
        "_is_complete",
        "_is_invited",
        "_is_iterated",
        "_pieces",
        "_trailers",
    )

    def __init__(self, exchange: Exchange, *, is_complete: bool = False) -> None:
        self._exchange = exchange
        self._arrival = WakeUp(exchange.driver)
        self._checkpoints = Checkpoints(exchange.driver)
        self._pieces: list[bytes] = []  # delivered and not asked for yet
        self._held = 0  # bytes of the piece that the consumer has
        self._is_invited = False
        self._is_complete = is_complete
        self._error: ConnectionClosed | None = None
        self._trailers: Headers | None = None
        self._is_busy = False
        self._is_iterated = False
        self._collected: bytearray | None = None  # what `collect` has so far
        self._content: bytes | None = None  # what it found

    # The consumer's face.

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece; cancelled, it has taken none."""
        if self._collected is not None:
            raise LocalProtocolError("the content was collected; `read` gives it again")
        self._is_iterated = True
        piece = await self._next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def collect(self, max_size: int) -> bytes:
        """Return the whole content; called again, the same.

        Cancelled, or stopped by an exception, it keeps what it has, and the next call goes on from there.

        Raises:
            Abort: 413; there are more than `max_size` bytes. The rest is not read and the connection ends with the answer.
            ConnectionLost: The peer has left before the end.
            LocalProtocolError: Another task is reading, or pieces were taken by iterating.
        """
        if self._is_iterated:
            raise LocalProtocolError("the content was taken piece by piece and cannot be collected any more")
        if self._content is None:
            self._content = await self._collect(max_size)
            self._collected = (
                bytearray()
            )  # that it was collected is still to be known, what it was stands in one place
        if len(self._content) > max_size:
            raise too_large()
        return self._content

    def begin_to_collect(self) -> None:
        """Give nothing piece by piece from now on. For the request, which may have collected what there is."""
        if self._collected is None:
            self._collected = bytearray()

    async def _collect(self, max_size: int) -> bytes:
        self.begin_to_collect()
        assert self._collected is not None
        while len(self._collected) <= max_size:
            piece = await self._next()
            if piece is None:
                return bytes(self._collected)
            self._collected += piece
        raise too_large()

    @property
    def trailers(self) -> Headers:
        """The trailer section; empty before the end (RFC 9110 §6.5)."""
        return self._trailers or Headers()

    async def _next(self) -> bytes | None:
        """Return the next piece, or None at the end."""
        if self._is_busy:
            raise LocalProtocolError("another task is reading this content")
        self._is_busy = True
        try:
            return await self._take()
        finally:
            self._is_busy = False

    async def _take(self) -> bytes | None:
        await self._checkpoints.pass_one()
        self._come_back()
        while not self._pieces:
            if self._is_complete:
                return None
            if self._error is not None:
                raise self._error
            self._checkpoints.waited()
            await self._arrival.wait()
        piece = self._pieces.pop(0)
        self._held = len(piece)
        return piece

    def _come_back(self) -> None:
        """The consumer is done with the piece before, and wants another."""
        held, self._held = self._held, 0
        if held:
            self._exchange.release(held)
        if not (self._is_invited or self._is_complete or self._error):
            self._is_invited = True
            self._exchange.invite_content()

    # The session's face.

    def deliver(self, data: bytes) -> None:
        """Take a piece that has arrived. Of a content that drips in and is not read there must not be an object for every few
        bytes, so small ones are joined when many wait.
        """
        pieces = self._pieces
        if len(pieces) >= _MANY and len(pieces[-1]) < _SMALL:
            pieces[-1] += data
        else:
            pieces.append(data)
        self._arrival.wake()

    def finish(self, trailers: RawFields = ()) -> None:
        """Take the end of the content and its trailer section."""
        self._is_complete = True
        self._trailers = Headers.from_raw(trailers) if trailers else None
        self._arrival.wake()

    def fail(self, error: ConnectionClosed) -> None:
        """Say that no more will come, unless it is complete: who asks for more gets `error`."""
        self._error = error
        self._arrival.wake()


def too_large() -> Abort:
    """Make the answer to more content than is wanted: 413, after which the connection ends (RFC 9110 §15.5.14)."""
    return Abort(413, headers={"connection": "close"})
