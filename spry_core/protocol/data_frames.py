"""Our messages as data frames: whole or in pieces, compressed or not (RFC 6455 §5.4, §5.6; RFC 7692 §7.2.1)."""

from __future__ import annotations

from typing import Final

from spry_core.errors import LocalProtocolError
from spry_core.protocol.compression import Compressor
from spry_core.protocol.engines import FrameEngine, Opcode
from spry_core.protocol.events import Kind, Message, MessageData, MessageEnd, MessageStart
from spry_core.protocol.prepared import PreparedMessage
from spry_core.protocol.stream import Stream

_WHOLE_TEXT: Final = 0x81
"""FIN and the opcode, as they stand in the first byte of a message of one frame."""
_WHOLE_BINARY: Final = 0x82

_RSV1: Final = 0x40
"""Of a compressed message (RFC 7692 §6)."""

_APART: Final = 32 * 1024
"""From so many bytes of payload on another call costs less than a copy of them."""


class DataFrameWriter:
    """Writes the data frames of one WebSocket, and knows the message that is under way."""

    __slots__ = (
        "_compressor",
        "_engine",
        "_is_compressed",
        "_is_continuing",
        "_kind",
        "_stream",
        "messages",
        "size",
    )

    def __init__(self, engine: FrameEngine, stream: Stream, compressor: Compressor | None) -> None:
        """Encode with `engine`, write into `stream`, and compress with `compressor` if that was negotiated."""
        self.messages: int = 0
        """Complete messages sent."""
        self.size: int = 0
        """Bytes of messages and of pieces sent, before they were compressed."""
        self._engine = engine
        self._stream = stream
        self._compressor = compressor
        self._kind: Kind | None = None
        self._is_continuing = False
        self._is_compressed = False

    def send(self, event: Message | MessageStart | MessageData | MessageEnd, now: float) -> None:
        """Say this. Raises `LocalProtocolError`, `TypeError` or `ValueError` and changes nothing if it may not be
        said.
        """
        if isinstance(event, (Message, MessageStart)) == (self._kind is not None):
            raise self._misplaced()
        match event:
            case Message():
                self.send_message(event.data, event.compress, now)
            case MessageStart():
                self._start(event)
            case MessageData():
                self._send_fragment(event.data, False, now)
            case _:
                assert self._kind is not None
                self._send_fragment("" if self._kind == "text" else b"", True, now)
                self._kind = None
                self.messages += 1

    def _misplaced(self) -> LocalProtocolError:
        what = "is not under way" if self._kind is None else "is under way"
        return LocalProtocolError(f"a message in pieces {what} (RFC 6455 §5.4)")

    def send_message(self, data: str | bytes, compress: bool | None, now: float) -> None:
        """Say a whole message; as `send`."""
        if self._kind is not None:
            raise self._misplaced()
        if isinstance(data, str):
            first, payload = _WHOLE_TEXT, data.encode()
        else:
            first, payload = _WHOLE_BINARY, data if type(data) is bytes else encode(data, "binary")
        self.messages += 1
        self.size += len(payload)
        compressor = self._compressor
        if compressor is not None and compressor.wants(len(payload), compress):
            first, payload = first | _RSV1, compressor.compress(payload, ends_message=True)
        if len(payload) < _APART:  # as `_encode`, without two more calls for each message
            self._stream.write(self._engine.frame(first, payload), now)
        else:
            self.write(first, payload, now)

    def send_prepared(self, message: PreparedMessage, compress: bool | None, now: float) -> None:
        """Do as `send_message`, but encode it only if nobody has; for a server, whose frames are not masked."""
        compressor, size = self._compressor, len(message.payload)
        if self._kind is not None or (compressor is not None and compressor.wants(size, compress)):
            self.send_message(message.data, compress, now)
            return
        if message.pieces is None:
            first = _WHOLE_TEXT if isinstance(message.data, str) else _WHOLE_BINARY
            message.pieces = self._encode(first, message.payload)
        self.messages += 1
        self.size += size
        for piece in message.pieces:
            self._stream.write(piece, now)

    def _start(self, start: MessageStart) -> None:
        self._kind, self._is_continuing = start.kind, False
        # Its size is not known yet, so no threshold holds.
        wanted = start.compress is not False
        self._is_compressed = self._compressor is not None and self._compressor.wants(0, wanted)

    def _send_fragment(self, data: str | bytes, fin: bool, now: float) -> None:
        assert self._kind is not None
        payload = encode(data, self._kind)
        self.size += len(payload)
        first = fin << 7 | (Opcode.CONTINUATION if self._is_continuing else _opcode(self._kind))
        if self._is_compressed:
            if not self._is_continuing:
                first |= _RSV1  # of the first frame alone (RFC 7692 §6.1)
            assert self._compressor is not None
            payload = self._compressor.compress(payload, ends_message=fin)
        self._is_continuing = True
        self.write(first, payload, now)

    def write(self, first: int, payload: bytes, now: float) -> None:
        """Write one frame, of any kind; `first` is its first byte."""
        for piece in self._encode(first, payload):
            self._stream.write(piece, now)

    def _encode(self, first: int, payload: bytes) -> tuple[bytes, ...]:
        engine = self._engine
        return (
            (engine.frame(first, payload),) if len(payload) < _APART else engine.frame_apart(first, payload)
        )


def _opcode(kind: Kind) -> Opcode:
    return Opcode.TEXT if kind == "text" else Opcode.BINARY


def encode(data: str | bytes, kind: Kind) -> bytes:
    """Return the payload of a message or piece of that kind, or raise `TypeError`."""
    if kind == "text" and isinstance(data, str):
        return data.encode()
    if kind == "binary" and isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)  # the very same where it is bytes
    raise TypeError(
        f"a {kind} message is made of {'str' if kind == 'text' else 'bytes'}, not {type(data).__name__}"
    )
