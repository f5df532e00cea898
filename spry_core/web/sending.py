"""Sending on a WebSocket: whole messages, from any number of tasks.

Every effect comes after the last wait before it and before the only wait after it. So a cancelled `send` has sent its message
whole or not at all. Iterables of messages or of fragments are sent in `streaming`.
"""

from __future__ import annotations

from typing import Final, TypeAlias, cast

from spry_core.errors import BufferFull, WebSocketBusyError
from spry_core.protocol.events import Ping, Pong
from spry_core.web.json_text import to_json
from spry_core.web.link import Link, SendResult
from spry_core.web.linked import Linked

BytesLike: TypeAlias = bytes | bytearray | memoryview
"""What can be sent as a binary message."""

Sendable: TypeAlias = str | BytesLike
"""What can be sent as a message: `str` as text, anything bytes-like as binary."""

BYTES_LIKE: Final = (bytes, bytearray, memoryview)
"""The same as `BytesLike`, to ask an object for."""

_SENDABLE: Final = (str, *BYTES_LIKE)

_STREAMING = "a stream is being sent on this WebSocket"


_OK: Final = SendResult.OK
_BACKPRESSURE: Final = SendResult.BACKPRESSURE


class Sending(Linked):
    """The sending of whole messages, of `WebSocket`."""

    __slots__ = ()

    async def send(self, data: Sendable, *, compress: bool | None = None) -> None:
        """Send one message; return when the unsent bytes are under the high-water mark.

        The message enters the connection whole or not at all: cancelled before, nothing was sent; cancelled
        while waiting for the mark, it is on its way.

        Args:
            data: `str` is sent as text, bytes-like as binary.
            compress: Whether to compress it (RFC 7692 §6); None leaves it to `Deflate.threshold`. Without a negotiated
                compression it goes out plain in any case.

        Raises:
            ConnectionClosed: The connection is not open, or has ended while this waited.
            TypeError: `data` is neither.
            UnicodeEncodeError: It is text with half a surrogate pair; nothing was sent.
            WebSocketBusyError: A stream is being sent (`add_stream`, `send_fragments`).
        """
        link = self._connected
        if link is None or link.has_exclusive_sender or not isinstance(data, (str, bytes)):
            link = self._link_to_send(data)
        await link.checkpoints.pass_one(len(data))
        if link.has_exclusive_sender:
            raise WebSocketBusyError(_STREAMING)
        link.send_message(data if isinstance(data, (str, bytes)) else bytes(data), compress)
        if link.flow.is_pressed and link.is_full:
            await self._room()

    async def send_text(self, data: str | BytesLike, *, compress: bool | None = None) -> None:
        """Send one text message, as `send` does.

        Args:
            data: `str`, or bytes that are its UTF-8 already; they are checked (RFC 6455 §5.6).
            compress: As for `send`.

        Raises:
            UnicodeDecodeError: The bytes are no UTF-8; nothing was sent.
            ConnectionClosed, TypeError, WebSocketBusyError: As `send`.
        """
        await self.send(
            bytes(data).decode() if isinstance(data, BYTES_LIKE) else _checked_text(data), compress=compress
        )

    async def send_bytes(self, data: BytesLike, *, compress: bool | None = None) -> None:
        """Send one binary message, as `send` does.

        Raises:
            TypeError: `data` is not bytes-like.
            ConnectionClosed, WebSocketBusyError: As `send`.
        """
        await self.send(_checked_bytes(data), compress=compress)

    async def send_json(self, value: object, *, compress: bool | None = None) -> None:
        """Send one text message with a value as JSON (RFC 8259), as `send` does.

        Args:
            value: What `json.dumps` takes.
            compress: As for `send`.

        Raises:
            TypeError: `json` knows no JSON for the value; nothing was sent.
            ValueError: It holds NaN or an infinity, for which there is no JSON, or itself; nothing was sent.
            ConnectionClosed, WebSocketBusyError: As `send`.
        """
        await self.send(to_json(value), compress=compress)

    def send_nowait(self, data: Sendable, *, compress: bool | None = None) -> SendResult:
        """Queue one message now, in a sync callback too; see `send` for the arguments.

        Returns:
            Whether there is room for more.

        Raises:
            BufferFull: `Limits.max_unsent` bytes or more are unsent already; nothing was queued.
            ConnectionClosed, TypeError, UnicodeEncodeError, WebSocketBusyError: As `send`.
        """
        link = self._connected
        if link is None or link.has_exclusive_sender or not isinstance(data, (str, bytes)):
            link = self._link_to_send(data)
            data = data if isinstance(data, (str, bytes)) else bytes(data)
        flow = link.flow
        if flow.is_pressed and link.connection.is_stuffed:
            raise _buffer_full(link)
        link.send_message(data, compress)
        return _BACKPRESSURE if flow.is_pressed and link.is_full else _OK

    add = send_nowait
    """The original's name for `send_nowait`."""

    async def drained(self) -> None:
        """Wait until the unsent bytes are under the high-water mark, so that `send_nowait` would say OK.

        That is what `send` waits for behind its message; not all of the bytes are gone then. Cancelling it changes nothing.

        Raises:
            ConnectionClosed: The connection is not open, or no longer when there is room.
        """
        await self._link.checkpoints.pass_one()
        self._check_open()
        await self._room()
        self._check_open()

    async def _room(self) -> None:
        link = self._link
        while link.is_full:
            await link.room.wait()
            self._link.checkpoints.waited()
            if link.info is not None:
                raise link.closed_error()

    def _send_control(self, event: Ping | Pong) -> None:
        """Send a control frame, which may pass between messages and between fragments (RFC 6455 §5.4)."""
        link = self._link
        if link.connection.is_stuffed:
            raise _buffer_full(link)
        link.send(event)

    def _check_open(self) -> None:
        if not self._link.connection.is_open:
            raise self._link.closed_error()

    def _link_to_send(self, data: object) -> Link:
        """Return the link if this can be sent as a message, and now."""
        check_message(data)
        link = self._link
        if link.has_exclusive_sender:
            raise WebSocketBusyError(_STREAMING)
        return link


def _buffer_full(link: Link) -> BufferFull:
    return BufferFull(f"{link.connection.buffered_amount} bytes are unsent already")


def check_message(data: object) -> None:
    """Raise `TypeError` unless this can be sent as a message."""
    if not isinstance(data, _SENDABLE):
        raise TypeError(f"a message is str or bytes, not {type(data).__name__}")


def _checked_text(data: object) -> str:
    if not isinstance(data, str):
        raise TypeError(f"a text message is str or bytes of UTF-8, not {type(data).__name__}")
    return data


def _checked_bytes(data: object) -> BytesLike:
    if not isinstance(data, BYTES_LIKE):
        raise TypeError(f"a binary message is bytes, not {type(data).__name__}")
    return cast("BytesLike", data)
