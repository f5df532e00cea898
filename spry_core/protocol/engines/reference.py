"""The engine to trust: h11 for HTTP/1.1, wsproto's frame layer for WebSocket. Both libraries stop at this
file.

wsproto is used below its own connection class: that one reports its parse failures as if the peer had closed,
shortens close reasons and draws masks from the operating system. Here its decoder reads, and a server-role
`FrameProtocol` writes unmasked frames, which are masked with bytes from the source that was passed in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ClassVar, Final, assert_never

import h11
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, FrameDecoder, FrameProtocol, ParseFailed, RsvBits
from wsproto.frame_protocol import Opcode as WsprotoOpcode

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.engines.interface import (
    Admit,
    FramePart,
    HttpEvent,
    Inflate,
    Opcode,
    Role,
    TakenHead,
)
from spry_core.protocol.events import BodyData, BodyEnd, RawFields, RequestHead, ResponseHead
from spry_core.protocol.limits import Limits


class H11Engine:
    """`HttpEngine` on h11."""

    __slots__ = ("_h11",)

    decodes_chunks: ClassVar[bool] = True
    keeps_nothing: ClassVar[bool] = False

    def __init__(self, role: Role, max_incomplete: int) -> None:
        """Make one that holds at most `max_incomplete` bytes of an unfinished line or head."""
        h11_role = h11.SERVER if role == "server" else h11.CLIENT
        self._h11 = h11.Connection(h11_role, max_incomplete_event_size=max_incomplete)

    def take_request(
        self,
        data: bytes | bytearray,
        limits: Limits,
        known: dict[bytes, bytes],
        notable: frozenset[bytes],
    ) -> TakenHead | None:
        """Take none: every head is scanned, and then read by h11."""
        return None

    def receive_head(self, head: bytes) -> None:
        """Let h11 read a head. What it tidies up in it counts for nothing: the head was taken apart as it came."""
        self.receive_data(head)

    def receive_content(self, data: bytes) -> bytes:
        """Return the content in bytes of it, in one piece: of tiny chunks each would cost many times its size."""
        return b"".join([event.data for event in self.receive_data(data) if isinstance(event, BodyData)])

    def receive_data(self, data: bytes) -> list[HttpEvent]:
        """Decode bytes of one message; return what they complete."""
        self._h11.receive_data(data)
        return self._events()

    def end_content(self) -> None:
        """Let h11 see the end of the stream, which is that of a content without a length."""
        self.receive_eof()

    def receive_eof(self) -> list[HttpEvent]:
        """Take note of the end of the stream."""
        self._h11.receive_data(b"")
        return self._events()

    def _events(self) -> list[HttpEvent]:
        events: list[HttpEvent] = []
        try:
            while (event := self._h11.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if isinstance(event, h11.ConnectionClosed):
                    break
                events.append(_from_h11(event))
                if isinstance(event, h11.EndOfMessage):
                    break
        except h11.RemoteProtocolError as error:
            raise RemoteProtocolError(
                str(error)[:100], status_code=error.error_status_hint, section="RFC 9112"
            ) from error
        return events

    def write_request(self, head: RequestHead) -> bytes:
        """Encode the head of a request."""
        return self.send(head)

    def write_response(self, status_code: int, phrase: bytes, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Encode the head of a response, an interim one too."""
        return self.send(ResponseHead(status_code=status_code, headers=tuple(fields), reason_phrase=phrase))

    def write_whole_response(
        self, status_code: int, phrase: bytes, fields: Sequence[tuple[bytes, bytes]], content: bytes
    ) -> bytes:
        """Encode a response with its content, which is framed by its length."""
        head = self.write_response(status_code, phrase, fields)
        return head + self.send(BodyData(data=content)) + self.send(BodyEnd())

    def write_data(self, data: bytes, is_chunked: bool) -> bytes:
        """Encode some content."""
        return self.send(BodyData(data=data))

    def write_end(self, trailers: RawFields, is_chunked: bool) -> bytes:
        """Encode the end of a content."""
        return self.send(BodyEnd(trailers=trailers))

    def send(self, event: HttpEvent) -> bytes:
        """Encode one event."""
        return self._h11.send(_to_h11(event)) or b""

    def next_cycle(self) -> None:
        """Forget the finished exchange."""
        self._h11.start_next_cycle()


def _from_h11(event: h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]) -> HttpEvent:
    match event:
        case h11.Request():
            return RequestHead(
                method=event.method,
                target=event.target,
                headers=_fields(event.headers),
                http_version=event.http_version,
            )
        case h11.Response() | h11.InformationalResponse():
            return ResponseHead(
                status_code=event.status_code,
                headers=_fields(event.headers),
                reason_phrase=event.reason,
                http_version=event.http_version,
            )
        case h11.Data():
            return BodyData(data=bytes(event.data))
        case h11.EndOfMessage():
            return BodyEnd(trailers=_fields(event.headers))
        case _:  # pragma: no cover - the loop that calls this has dealt with every other value
            raise AssertionError(event)


def _fields(headers: Iterable[tuple[bytes, bytes]]) -> RawFields:
    return tuple((bytes(name), bytes(value)) for name, value in headers)


def _to_h11(event: HttpEvent) -> h11.Event:
    match event:
        case RequestHead():
            return h11.Request(method=event.method, target=event.target, headers=list(event.headers))
        case ResponseHead() if event.status_code < 200:
            return h11.InformationalResponse(
                status_code=event.status_code, headers=list(event.headers), reason=event.reason_phrase
            )
        case ResponseHead():
            return h11.Response(
                status_code=event.status_code, headers=list(event.headers), reason=event.reason_phrase
            )
        case BodyData():
            return h11.Data(data=event.data)
        case BodyEnd():
            return h11.EndOfMessage(headers=list(event.trailers))
        case _:
            assert_never(event)


class _Gate(Extension):
    """Sees each frame's header before its payload: wsproto's hook for extensions is the place for it."""

    name = "gate"

    def __init__(self, admit: Admit) -> None:
        self.rsv1 = False
        """RSV1 of the frame that was seen last."""
        self._admit = admit

    def offer(self) -> bool | str:  # pragma: no cover - wanted by the base class; a gate is never negotiated
        return False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: WsprotoOpcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        self.rsv1 = rsv.rsv1
        self._admit(Opcode(opcode), payload_length, rsv.rsv1)
        return RsvBits(rsv.rsv1, False, False)


_ENCODER: Final = FrameProtocol(client=False, extensions=[])
"""Writes the frames of all connections: what is used of it keeps no state."""


class WsprotoEngine:
    """`FrameEngine` on wsproto."""

    __slots__ = ("_decoder", "_gate", "_opcode", "_random")

    def __init__(self, role: Role, admit: Admit, random: Callable[[int], bytes]) -> None:
        """Make one that asks `admit` about each frame and masks with keys from `random` if we are the client."""
        self._gate = _Gate(admit)
        self._decoder = FrameDecoder(client=role == "client", extensions=[self._gate])
        self._random = random if role == "client" else None
        self._opcode: Opcode | None = None

    def receive_data(self, data: bytes) -> None:
        """Take bytes."""
        self._decoder.receive_bytes(data)

    def take_messages(
        self, data: bytes, most: int, room: int, longest: int
    ) -> tuple[list[str | bytes], list[int], bool]:
        """Take bytes, and no message: each comes in parts here."""
        self.receive_data(data)
        return [], [], self.has_data

    def take_compressed(
        self, inflate: Inflate, most: int, room: int, longest: int
    ) -> tuple[list[str | bytes], list[int], bool]:
        """Take no message."""
        return [], [], self.has_data

    def take_begun(self, is_wanted: bool = True) -> FramePart | None:
        """Return None: nothing is kept of a message."""
        return None

    def next_part(self) -> FramePart | None:
        """Return the next part, or None."""
        try:
            frame = self._decoder.process_buffer()
        except ParseFailed as error:
            raise RemoteProtocolError(
                str(error), close_code=int(error.code), section="RFC 6455 §5.2"
            ) from error
        if frame is None:
            return None
        # From its second part on, wsproto calls any frame a continuation.
        opcode = self._opcode or Opcode(frame.opcode)
        self._opcode = None if frame.frame_finished else opcode
        assert isinstance(frame.payload, bytes)
        return FramePart(opcode, frame.payload, frame.frame_finished, frame.message_finished, self._gate.rsv1)

    @property
    def has_data(self) -> bool:
        """True if bytes are here that no part was made of."""
        return len(self._decoder.buffer) > 0

    def frame(self, first: int, payload: bytes, /) -> bytes:
        """Encode one frame."""
        opcode, fin = WsprotoOpcode(first & 0x0F), bool(first & 0x80)
        # The one method of FrameProtocol that takes any opcode and FIN; its public ones keep a state that is ours.
        plain = _ENCODER._serialize_frame(opcode, payload, fin)  # pyright: ignore[reportPrivateUsage]
        plain[0] = first
        if self._random is None:
            return bytes(plain)
        return _mask(bytes(plain), len(payload), self._random(4))

    def frame_apart(self, first: int, payload: bytes, /) -> tuple[bytes, ...]:
        """Encode one frame; in one piece."""
        return (self.frame(first, payload),)


def _mask(frame: bytes, length: int, key: bytes) -> bytes:
    """Mask an unmasked frame: set the bit, insert the key, XOR the payload (RFC 6455 §5.3)."""
    start = len(frame) - length
    head = bytes((frame[0], frame[1] | 0x80)) + frame[2:start] + key
    pattern = (key * (length // 4 + 1))[:length]
    masked = int.from_bytes(frame[start:], "big") ^ int.from_bytes(pattern, "big")
    return head + masked.to_bytes(length, "big")
