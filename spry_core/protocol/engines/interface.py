"""The grammar work below the protocol: what every engine can do, and nothing of what the protocol decides.

An engine gets only bytes whose framing the protocol has judged (`spry_core.protocol.head`,
`spry_core.protocol.chunked`), so every engine gives the same events and the same verdicts. Faults of the peer
that an engine finds all the same are `RemoteProtocolError`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar, Final, Literal, Protocol, TypeAlias

from spry_core.protocol.events import BodyData, BodyEnd, RawFields, RequestHead, ResponseHead
from spry_core.protocol.limits import Limits

Role: TypeAlias = Literal["server", "client"]
"""Which side of a connection we are."""

EngineName: TypeAlias = Literal["native", "pure", "reference"]
"""``"native"``: our own, with C primitives where they are built; ``"pure"``: the same without them; ``"reference"``: h11 and
wsproto.
"""

HttpEvent: TypeAlias = RequestHead | ResponseHead | BodyData | BodyEnd
"""The events of an HTTP message."""


TakenHead: TypeAlias = tuple[bytes, bytes, bytes, RawFields, RawFields, int]
"""The head of a request taken apart: method, target, version, fields, those of them that decide about something, and where it
ends.
"""


class HttpEngine(Protocol):
    """HTTP/1.1 for one connection: heads and content, one message after the other in each direction.

    What comes in was judged before, and what goes out was checked; an engine may find a fault in what the peer sent all the
    same, and raises `RemoteProtocolError`.
    """

    decodes_chunks: ClassVar[bool]
    """True if a chunked content is to come as on the wire; False if only the data of its chunks is."""

    keeps_nothing: ClassVar[bool]
    """True if no call changes what another one does, so that what one has written may be written again without it."""

    def take_request(
        self, data: bytes | bytearray, limits: Limits, known: dict[bytes, bytes], notable: frozenset[bytes]
    ) -> TakenHead | None:
        """Take the head of a request apart with which `data` begins, if it is complete and everything in it is in order;
        `Primitives.parse_head` has the rest. What is anything else is left, so an engine may take none at all.
        """
        ...

    def receive_head(self, head: bytes) -> None:
        """Take note of a head that was not taken by `take_request`."""
        ...

    def receive_content(self, data: bytes) -> bytes:
        """Return the content in bytes of it."""
        ...

    def end_content(self) -> None:
        """Take note that the stream has ended, and with it a content without a length."""
        ...

    def write_request(self, head: RequestHead) -> bytes:
        """Encode the head of a request."""
        ...

    def write_response(self, status_code: int, phrase: bytes, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Encode the head of a response, an interim one too."""
        ...

    def write_whole_response(
        self, status_code: int, phrase: bytes, fields: Sequence[tuple[bytes, bytes]], content: bytes
    ) -> bytes:
        """Encode a response with its content, which is framed by its length."""
        ...

    def write_data(self, data: bytes, is_chunked: bool) -> bytes:
        """Encode some content."""
        ...

    def write_end(self, trailers: RawFields, is_chunked: bool) -> bytes:
        """Encode the end of a content."""
        ...

    def next_cycle(self) -> None:
        """Forget the finished exchange, so that the next may begin."""
        ...


class Opcode(IntEnum):
    """What a frame is (RFC 6455 §5.2)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA

    @property
    def is_control(self) -> bool:
        """True for Close, Ping and Pong (RFC 6455 §5.5)."""
        return self >= Opcode.CLOSE


@dataclass(slots=True)
class FramePart:
    """Some of one frame: unmasked payload, in wire order. Control frames come whole."""

    opcode: Opcode
    """The frame's own opcode, the same for all of its parts."""

    data: bytes
    """Payload data; empty only for an empty frame."""

    ends_frame: bool
    """True with the last of this frame's payload."""

    ends_message: bool
    """True if the frame has FIN (RFC 6455 §5.2)."""

    rsv1: bool = False
    """The frame's RSV1 bit, the same for all of its parts (RFC 7692 §6)."""


Admit: TypeAlias = Callable[[Opcode, int, bool], None]
"""Asked with opcode, payload length and RSV1 as soon as a frame's length is known, before any payload; raises to
refuse it.

It may be asked more than once about one frame, so it must not count. RSV2 and RSV3 belong to no extension that we
know, so the engine itself refuses a frame that has one of them (RFC 6455 §5.2).
"""


AT_ONCE: Final = 4 * 1024
"""Compressed bytes that zlib is given at a time. It copies what it leaves of them, and it may leave nearly all of them
each time that room or a stream of blocks ends: given everything, it would copy everything over and over.
"""

Inflate: TypeAlias = Callable[[bytes, bool, int], tuple[str | bytes, int] | None]
"""Asked with all the payload of a compressed message, whether it is text, and the most bytes that it may inflate to. Returns
the message and its bytes, or None if it is not plainly in order, or there is no time for it.
"""


class Arrival(Protocol):
    """A message of one frame while its payload comes in."""

    def add(self, data: bytes, start: int, end: int, /) -> bool:
        """Take ``data[start:end]``, which comes next. False if the text cannot go on behind it, which is for the rules to
        judge; it is taken all the same. Of the last piece that may be left to `take`.
        """
        ...

    def so_far(self) -> bytes:
        """Return what has come of the payload, unmasked."""
        ...

    def take(self) -> str | bytes | None:
        """Return the message, all of which has come, once; None if it is text and no UTF-8, which is left."""
        ...


class Primitives(Protocol):
    """The innermost loops of the native engine: in Python (`pure`), and in C where that is built. They decide nothing: what
    is not plainly in order they leave alone, for the rules to judge.
    """

    def unmask(self, data: bytes, start: int, end: int, key: bytes, /) -> bytes:
        """Return ``data[start:end]``, each byte XORed with the four of `key` in turn (RFC 6455 §5.3)."""
        ...

    def frame(self, first: int, payload: bytes, key: bytes | None = None, /) -> bytes:
        """Return a frame with this first byte (FIN, reserved bits, opcode), masked with the four bytes of `key` if there is
        one (RFC 6455 §5.2).
        """
        ...

    def scan(
        self, data: bytes, start: int, masked: bool, most: int, room: int, longest: int, /
    ) -> tuple[list[str | bytes], list[int], int]:
        """Take the messages of one unfragmented, uncompressed frame each that lie complete in `data` from `start` on; return
        them, the payload bytes of each, and where the first frame begins that was left.

        Text that is no UTF-8, a length that is not in its shortest form, a mask that is there and should not be, and the other
        way round, are all left (`FrameEngine.take_messages` has the rest).
        """
        ...

    def arrival(self, is_text: bool, length: int, key: bytes | None, /) -> Arrival:
        """Make what gathers a message of so many bytes, masked with the four bytes of `key` if there is one. It never holds
        more than these and an eighth, and of a long message little before much has come.
        """
        ...

    def parse_head(
        self,
        data: bytes | bytearray,
        start: int,
        max_line: int,
        max_field_line: int,
        max_section: int,
        max_fields: int,
        known: dict[bytes, bytes],
        notable: frozenset[bytes],
        /,
    ) -> TakenHead | None:
        """Take the head of a request apart that lies complete in `data` from `start` on; return its method, its target, its
        version (``b"1.0"`` or ``b"1.1"``), its fields, those of them whose names are `notable`, in order, and where it ends.

        Names come in lower case, and as the very object that `known` has for them; values without the whitespace around
        them. None if the head is not complete, exceeds a limit, or has anything that `HeadScanner` would not let through as
        it stands: an empty line in front, a line that does not end with CRLF, another version, a fragment in the target
        (RFC 9112 §2.2, §3, §5).
        """
        ...


class FrameEngine(Protocol):
    """WebSocket frames of one connection, both directions (RFC 6455 §5)."""

    def receive_data(self, data: bytes) -> None:
        """Take bytes; `next_part` then decodes them."""
        ...

    def take_messages(
        self, data: bytes, most: int, room: int, longest: int
    ) -> tuple[list[str | bytes], list[int], bool]:
        """Take bytes, or none; then take the messages that come next and are complete, of one frame each and not compressed.
        Return them, the payload bytes of each, and whether bytes are left (`has_data`).

        At most `most`, none of more than `longest` bytes, and none behind the one with which they are `room` bytes or more.
        Of one that is not complete, what has come may be gathered here as long as it is plainly in order (`take_begun`).
        What is anything else, or breaks a rule, is left to `next_part`; so an engine may find none at all. Ask only between
        two messages.
        """
        ...

    def take_compressed(
        self, inflate: Inflate, most: int, room: int, longest: int
    ) -> tuple[list[str | bytes], list[int], bool]:
        """Take the messages that come next and are complete, compressed, of one frame each and of `AT_ONCE` bytes of payload
        at most. Otherwise as `take_messages`, with the bytes that they inflate to; what `inflate` does not take is left.
        """
        ...

    def take_begun(self, is_wanted: bool = True) -> FramePart | None:
        """Return what `take_messages` has gathered of a message that is not complete, or None if that is nothing; the rest then
        comes in parts. `next_part` begins with the same. If it is not wanted, the part is empty, which takes no memory.
        """
        ...

    def next_part(self) -> FramePart | None:
        """Return the next part, or None when more bytes are needed; raise `RemoteProtocolError` with a close
        code.
        """
        ...

    @property
    def has_data(self) -> bool:
        """True if bytes are here that no part was made of yet; it may take more of them to make one. What `take_messages`
        gathers of a message is none of them.
        """
        ...

    def frame(self, first: int, payload: bytes, /) -> bytes:
        """Encode one frame, masked if we are the client. `first` is its first byte: FIN, reserved bits, opcode."""
        ...

    def frame_apart(self, first: int, payload: bytes, /) -> tuple[bytes, ...]:
        """Encode one frame in pieces, so that a long payload need not be copied."""
        ...
