"""A peer's end of an open WebSocket, written and read by hand."""

from __future__ import annotations

from typing import Final

from spry_core.protocol import Close
from spry_core.testing.client import TestClient
from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    Frame,
    take_frames,
)
from spry_core.testing.requests import ACCEPT, handshake
from spry_core.testing.strategies import Cut


class Line:
    """Opens a WebSocket, and keeps what came: messages, Pongs, the Close frame, the end.

    It reads nothing of the core's codec, and answers a keepalive Ping when it reads one. That frames are unmasked and whole,
    that control frames are short and that nothing stands behind a Close frame is checked in passing (RFC 6455 §5).
    """

    def __init__(self, client: TestClient, target: str) -> None:
        self.peer: Final = client.connect()
        self.messages: Final[list[str | bytes]] = []
        """The messages that have come, in order."""
        self.pongs: Final[list[bytes]] = []
        """The payloads of the Pongs that have come, in order."""
        self.close: Close | None = None
        """What the server's Close frame says."""
        self._held = bytearray()
        self._kind = TEXT
        self._partial: bytearray | None = None
        self._has_closed = False
        self._open(target)

    def _open(self, target: str) -> None:
        self.peer.send(handshake(target))
        head, end, rest = self.peer.take().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), f"no WebSocket opens at {target}: {head!r}"
        assert end
        assert f"\r\nsec-websocket-accept: {ACCEPT}".lower().encode() in head.lower(), (
            "a wrong Sec-WebSocket-Accept"
        )
        self._held += rest

    @property
    def is_over(self) -> bool:
        """True if the server has ended the stream, or cut it."""
        return self.peer.is_ended or self.peer.is_reset

    def send(self, frame: Frame, *, cut: Cut | None = None) -> None:
        """Send one frame, masked, in the pieces that `cut` makes of it (RFC 6455 §5.3)."""
        data = frame._replace(mask=MASK).data
        for piece in [data] if cut is None else cut(data):
            self.send_bytes(piece)

    def send_bytes(self, data: bytes) -> None:
        """Send this, whatever it is."""
        self.peer.send(data)

    def half_close(self) -> None:
        """End this direction."""
        self.peer.half_close()

    def reset(self) -> None:
        """Cut the stream."""
        self.peer.reset()

    def answer_close(self) -> None:
        """Answer the server's Close frame, if it has sent one, and end this direction (RFC 6455 §7.1.1)."""
        if self.close is not None and not self._has_closed:
            self._has_closed = True
            self.send(Frame(CLOSE_FRAME, b""))
        self.half_close()

    def read(self) -> list[str | bytes]:
        """Take what has come, and answer Pings; return all messages so far."""
        self._held += self.peer.take()
        for frame in take_frames(self._held):
            self.take(frame)
        return self.messages

    def take(self, frame: Frame) -> None:
        """Look at one frame of the server."""
        assert self.close is None, f"something stands behind the Close frame: {frame} (RFC 6455 §5.5.1)"
        assert frame.mask is None, "a server masks (RFC 6455 §5.1)"
        assert frame.rsv == 0, f"a reserved bit without an extension: {frame} (RFC 6455 §5.2)"
        if frame.opcode in (TEXT, BINARY, CONTINUATION):
            self._take_data(frame)
            return
        assert frame.fin, f"a control frame in fragments: {frame} (RFC 6455 §5.5)"
        if frame.opcode == PING:
            self.send(Frame(PONG, frame.payload))
        elif frame.opcode == PONG:
            self.pongs.append(frame.payload)
        else:
            assert frame.opcode == CLOSE_FRAME, f"an opcode that nobody has defined: {frame}"
            self.close = _close_of(frame.payload)

    def _take_data(self, frame: Frame) -> None:
        is_first = frame.opcode != CONTINUATION
        assert is_first is (self._partial is None), f"a fragment out of its place: {frame} (RFC 6455 §5.4)"
        if self._partial is None:
            self._kind, self._partial = frame.opcode, bytearray()
        self._partial += frame.payload
        if frame.fin:
            data, self._partial = bytes(self._partial), None
            self.messages.append(data.decode() if self._kind == TEXT else data)


def frame_of(message: str | bytes) -> Frame:
    """Make one frame of a message: text for `str`, binary for `bytes` (RFC 6455 §5.6)."""
    return Frame(TEXT, message.encode()) if isinstance(message, str) else Frame(BINARY, message)


def _close_of(payload: bytes) -> Close:
    if not payload:
        return Close()
    return Close(code=int.from_bytes(payload[:2], "big"), reason=payload[2:].decode())
