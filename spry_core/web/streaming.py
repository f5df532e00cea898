"""Sending an iterable on a WebSocket: each item a message, or each a fragment of one message.

While it goes on, it holds the right to send messages. Control frames pass between (RFC 6455 §5.4).
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Generator, Iterable
from contextlib import contextmanager
from typing import Final, Literal, TypeAlias, cast, overload

from spry_core.closing import Close
from spry_core.errors import WebSocketBusyError
from spry_core.protocol.events import Kind, MessageData, MessageEnd, MessageStart
from spry_core.web.iteration import Items
from spry_core.web.link import Link
from spry_core.web.sending import BYTES_LIKE, BytesLike, Sendable, Sending, check_message

TextChunks: TypeAlias = AsyncIterable[str] | Iterable[str]
"""Fragments of a text message."""

BinaryChunks: TypeAlias = AsyncIterable[BytesLike] | Iterable[BytesLike]
"""Fragments of a binary message."""

_INTERNAL_ERROR: Final = 1011


class Streaming(Sending):
    """The sending half of `WebSocket`: whole messages, and iterables of messages and of fragments."""

    __slots__ = ()

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
        _check_source(source, "messages")
        link = self._link
        items = Items(source)
        with self._streaming(exclusive):
            try:
                await self._link.checkpoints.pass_one()
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
            check_message(item)
            self._link.send_message(item if isinstance(item, (str, bytes)) else bytes(item), None)
            await self._room()
            await self._link.checkpoints.pass_one(len(item))
            count += 1
        return count

    @overload
    async def send_fragments(
        self, chunks: TextChunks, kind: Literal["text"], *, compress: bool | None = None
    ) -> None: ...
    @overload
    async def send_fragments(
        self, chunks: BinaryChunks, kind: Literal["binary"], *, compress: bool | None = None
    ) -> None: ...
    async def send_fragments(
        self, chunks: TextChunks | BinaryChunks, kind: Kind, *, compress: bool | None = None
    ) -> None:
        """Send one message, each chunk as one frame (RFC 6455 §5.4); the next is asked for only when there is room.

        An empty frame ends the message, so that no chunk has to wait for the one behind it; without any chunk it is an empty
        message. Other senders of messages raise `WebSocketBusyError` meanwhile; Ping, Pong and Close pass. The source is closed
        at the end, whatever ended it.

        A message that has begun cannot be taken back: cancelled after its first frame, or when the source fails there, the
        connection is closed with 1011. Cancelled before, nothing was sent, and nothing is closed.

        Args:
            chunks: A sync or async iterable of `str` for text, of bytes-like for binary; text is never cut within a character.
            kind: Which of the two the message is.
            compress: Whether to compress it (RFC 7692 §6); None does so wherever that is negotiated.

        Raises:
            ConnectionClosed: The connection is not open, or ended first.
            TypeError: `chunks` is one chunk itself, or gave one of another kind.
            ValueError: There is no such kind.
            WebSocketBusyError: Another stream is being sent.
        """
        _check_source(chunks, "chunks")
        if kind not in ("text", "binary"):
            raise ValueError("kind is 'text' or 'binary'")
        link = self._link
        items = Items(cast("AsyncIterable[object] | Iterable[object]", chunks))
        with self._streaming(exclusive=True):
            try:
                await self._link.checkpoints.pass_one()
                self._check_open()
                with link.interrupted_by_settling():
                    return await self._send_chunks(items, _Fragmented(link, kind, compress))
            finally:
                await items.aclose()
        raise link.closed_error()

    async def _send_chunks(self, chunks: Items[object], message: _Fragmented) -> None:
        await self._room()
        try:
            async for chunk in chunks:
                message.add(chunk)
                await self._room()
                await self._link.checkpoints.pass_one()
            message.end()
        except BaseException as error:
            message.break_off(error)
            raise
        await self._room()

    @contextmanager
    def _streaming(self, exclusive: bool) -> Generator[None]:
        link = self._link
        if link.has_exclusive_sender or (exclusive and link.streams):
            raise WebSocketBusyError("a stream is being sent on this WebSocket")
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


class _Fragmented:
    """One message that is sent in fragments. It begins with its first one, and not before."""

    def __init__(self, link: Link, kind: Kind, compress: bool | None) -> None:
        self._link = link
        self._kind: Kind = kind
        self._start: MessageStart | None = MessageStart(kind=kind, compress=compress)

    def add(self, chunk: object) -> None:
        """Send one fragment. Raises what is wrong with it before any effect."""
        data = self._check(chunk)
        self._begin()
        self._link.send(MessageData(data=data))

    def end(self) -> None:
        """End the message."""
        self._begin()
        self._link.send(MessageEnd())

    def break_off(self, error: BaseException) -> None:
        """The rest will not come. What has begun cannot be taken back, and nothing else may follow it (RFC 6455 §5.4)."""
        if self._start is None and self._link.connection.is_open:
            self._link.fail_handler(error, Close(code=_INTERNAL_ERROR), is_logged=False)

    def _begin(self) -> None:
        if self._start is not None:
            self._link.send(self._start)
            self._start = None

    def _check(self, chunk: object) -> str | bytes:
        if self._kind == "text" and isinstance(chunk, str):
            if not chunk.isascii():
                chunk.encode()  # half a surrogate pair is no text on the wire
            return chunk
        if self._kind == "binary" and isinstance(chunk, BYTES_LIKE):
            return bytes(cast("BytesLike", chunk))
        raise TypeError(f"a chunk of a {self._kind} message cannot be {type(chunk).__name__}")


def _check_source(source: object, of: str) -> None:
    name = type(source).__name__
    if isinstance(source, (str, *BYTES_LIKE)):
        raise TypeError(f"a source is an iterable of {of}, not one of them ({name})")
