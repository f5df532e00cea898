"""What a hostile peer can do with frames, as rows of data: for each abuse the bytes, and the Close frame that it deserves
(RFC 6455 §5, §7.1.7, §7.4.1).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from frames import BINARY, CLOSE_FRAME, CONTINUATION, MASK, PING, PONG, TEXT, close_payload, frame
from spry_core.protocol import Limits, Role

LIMITS: Final = Limits(max_message_size=200, max_fragments=3)
"""The limits that the rows break."""

NAMES: Final = {
    CONTINUATION: "continuation",
    TEXT: "text",
    BINARY: "binary",
    8: "Close",
    9: "Ping",
    10: "Pong",
}
MASKED: Final = 0x80


@dataclass(frozen=True)
class Abuse:
    """What a peer sends: masked as the peer of a server, and `bare` as that of a client."""

    code: int
    """The close code that it deserves."""
    frames: bytes
    bare: bytes
    found_at: int
    """After so many bytes, masking keys not counted, the Close frame is out: the header of the faulty frame, or the byte of
    its payload that no text can have.
    """
    is_framing: bool = True
    """False if it is found only where the message is wanted: nobody judges what is thrown away."""
    deflates: bool = False
    """True if it needs an agreement about compression."""
    says: bytes | None = None
    """A text that is complete before the fault."""

    def of_peer(self, role: Role) -> bytes:
        """Return what the peer of `role` sends."""
        return self.frames if role == "server" else self.bare


Part = tuple[int, bytes, bool, int, int | None]
"""Opcode, payload, FIN, RSV bits, form of the length."""


def part(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, form: int | None = None
) -> Part:
    return opcode, payload, fin, rsv, form


def header_size(one: Part) -> int:
    """Return the bytes of a frame before its masking key."""
    opcode, payload, fin, rsv, form = one
    return len(frame(opcode, payload, fin=fin, rsv=rsv, mask=None, length_form=form)) - len(payload)


def abuse(
    code: int,
    *parts: Part,
    payload: int = 0,
    is_framing: bool = True,
    deflates: bool = False,
    says: bytes | None = None,
) -> Abuse:
    """Make a row: the last frame is the faulty one, seen by its header or after `payload` bytes behind it."""

    def written(mask: bytes | None) -> list[bytes]:
        return [
            frame(opcode, data, fin=fin, rsv=rsv, mask=mask, length_form=form)
            for opcode, data, fin, rsv, form in parts
        ]

    bare = written(None)
    found_at = len(b"".join(bare[:-1])) + header_size(parts[-1]) + payload
    return Abuse(code, b"".join(written(MASK)), b"".join(bare), found_at, is_framing, deflates, says)


def raw(code: int, first: int, second: int, rest: bytes) -> Abuse:
    """Make a row of one header that promises whatever it likes, and of no payload at all."""
    header = bytes((first, second | MASKED)) + rest
    return Abuse(code, header, bytes((first, second)) + rest, len(header))


def wrong_masks() -> Iterator[tuple[str, Abuse]]:
    """RFC 6455 §5.1: a client masks every frame, a server none."""
    for opcode, name in NAMES.items():
        before = frame(TEXT, fin=False) if opcode == CONTINUATION else b""
        bare_before = frame(TEXT, fin=False, mask=None) if opcode == CONTINUATION else b""
        for payload in (b"", b"ab"):
            masked, bare = frame(opcode, payload), frame(opcode, payload, mask=None)
            row = Abuse(1002, before + bare, bare_before + masked, len(bare_before) + 2)
            yield f"{name} of {len(payload)} bytes with the mask of the other role", row


def wrong_lengths() -> Iterator[tuple[str, Abuse]]:
    """RFC 6455 §5.2: the minimal number of bytes, and the most significant bit of eight is 0."""
    for opcode in (TEXT, BINARY):
        for form, sizes in ((16, (0, 1, 125)), (64, (0, 125, 126, 200))):
            for size in sizes:
                what = f"{NAMES[opcode]}, {size} bytes in {form} bits"
                yield what, abuse(1002, part(opcode, b"a" * size, form=form))
    yield "65535 bytes in 64 bits", raw(1002, 0x82, 127, (65535).to_bytes(8, "big"))
    for length in (1 << 63, (1 << 63) + 1, (1 << 64) - 1):
        yield f"a length of {length:#x}", raw(1002, 0x82, 127, length.to_bytes(8, "big"))
        yield f"a fragment of {length:#x}", raw(1002, 0x01, 127, length.to_bytes(8, "big"))


def huge_lengths() -> Iterator[tuple[str, Abuse]]:
    """RFC 6455 §10.4: what is too big is refused by its header."""
    for length in (201, 65535):
        yield f"{length} bytes are promised", raw(1009, 0x81, 126, length.to_bytes(2, "big"))
    for length in (65536, 1 << 31, (1 << 32) + 5, 1 << 40, (1 << 63) - 1):
        yield f"{length} bytes are promised", raw(1009, 0x82, 127, length.to_bytes(8, "big"))
        yield f"{length} bytes of a fragment", raw(1009, 0x02, 127, length.to_bytes(8, "big"))
    yield (
        "fragments that are too big together",
        abuse(
            1009,
            part(TEXT, b"a" * 120, fin=False),
            part(CONTINUATION, b"a" * 80, fin=False),
            part(CONTINUATION, b"b"),
            is_framing=False,
        ),
    )


def reserved() -> Iterator[tuple[str, Abuse]]:
    """RFC 6455 §5.2: bits and opcodes that nobody has negotiated."""
    for opcode in (*range(3, 8), *range(11, 16)):
        for fin in (True, False):
            yield f"opcode {opcode:#x}, FIN {fin}", abuse(1002, part(opcode, b"a", fin=fin))
    for opcode, name in NAMES.items():
        before = [part(TEXT, fin=False)] if opcode == CONTINUATION else []
        for rsv in range(1, 8):
            yield f"{name} with RSV {rsv:03b}", abuse(1002, *before, part(opcode, rsv=rsv))
            if rsv != 4 or opcode not in (TEXT, BINARY):
                row = abuse(1002, *before, part(opcode, rsv=rsv), deflates=True)
                yield f"{name} with RSV {rsv:03b}, though some are compressed", row


def control_frames() -> Iterator[tuple[str, Abuse]]:
    """RFC 6455 §5.5: at most 125 bytes, and never in fragments."""
    for opcode in (CLOSE_FRAME, PING, PONG):
        name = NAMES[opcode]
        payload = close_payload(1000) if opcode == CLOSE_FRAME else b"p"
        yield f"{name} in fragments", abuse(1002, part(opcode, payload, fin=False))
        yield f"{name} in fragments, empty", abuse(1002, part(opcode, fin=False))
        for size in (126, 127, 200):
            yield f"{name} of {size} bytes", abuse(1002, part(opcode, b"\x03\xe8" + b"a" * (size - 2)))
        yield f"{name} of one byte in 16 bits", abuse(1002, part(opcode, payload, form=16))
        yield f"{name} of one byte in 64 bits", abuse(1002, part(opcode, payload, form=64))
        yield f"{name} of 4 GiB", raw(1002, 0x80 | opcode, 127, (1 << 32).to_bytes(8, "big"))


def fragments() -> Iterator[tuple[str, Abuse]]:
    """RFC 6455 §5.4."""
    yield "a continuation of nothing", abuse(1002, part(CONTINUATION, b"a"))
    yield "a fragment that continues nothing", abuse(1002, part(CONTINUATION, b"a", fin=False))
    whole = [part(TEXT, b"a", fin=False), part(CONTINUATION, b"b")]
    yield "a continuation behind the last one", abuse(1002, *whole, part(CONTINUATION, b"c"), says=b"ab")
    yield "a continuation behind a Ping", abuse(1002, part(PING), part(CONTINUATION))
    for opcode in (TEXT, BINARY):
        for fin in (True, False):
            what = f"{NAMES[opcode]}, FIN {fin}, inside another message"
            yield what, abuse(1002, part(BINARY, b"a", fin=False), part(opcode, b"b", fin=fin))
            yield (
                what + ", behind a Ping",
                abuse(1002, part(TEXT, fin=False), part(PING), part(opcode, b"b", fin=fin)),
            )
    empty = [part(BINARY, fin=False), *[part(CONTINUATION, fin=False)] * 2]
    yield "too many empty fragments", abuse(1008, *empty, part(CONTINUATION, fin=False), is_framing=False)
    yield "too many fragments, the last one", abuse(1008, *empty, part(CONTINUATION), is_framing=False)


BAD_REASONS: Final = {
    b"\xff": 1,
    b"\x80": 1,
    b"ok\xc0\xaf": 4,
    b"\xed\xa0\x80": 3,
    b"\xed\xbf\xbf": 3,
    b"\xf4\x90\x80\x80": 4,
    b"\xe2\x82": 2,
    b"a" * 122 + b"\xc3": 123,
}
NO_CODES: Final = (
    *(0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1099, 1100, 1999, 2000, 2999),
    *(5000, 9999, 10_000, 0x8000 | 1000, 65535),
)


def close_payloads() -> Iterator[tuple[str, Abuse]]:
    """RFC 6455 §5.5.1, §7.4: judged when the frame is complete."""
    for byte in (0, 3, 0x80, 0xFF):
        yield f"a Close of the byte {byte}", abuse(1002, part(CLOSE_FRAME, bytes((byte,))), payload=1)
    for code in NO_CODES:
        for text in ("", "x", "y" * 123):
            data = close_payload(code, text)
            what = f"a Close with {code} and a reason of {len(text)}"
            yield what, abuse(1002, part(CLOSE_FRAME, data), payload=len(data))
    for reason in BAD_REASONS:
        data = close_payload(1000) + reason
        yield f"a Close with the reason {reason!r}", abuse(1007, part(CLOSE_FRAME, data), payload=len(data))
    both = close_payload(1005) + b"\xff"
    yield "a Close with nothing right in it", abuse(1002, part(CLOSE_FRAME, both), payload=len(both))


BAD_TEXTS: Final = {
    b"\xff": 1,
    b"caf\xe9!": 5,
    b"\x80": 1,
    b"\xc0\xaf": 1,
    b"\xc1": 1,
    b"\xe0\x80\x80": 2,
    b"\xed\xa0\x80": 2,
    b"\xed\xb0\x80": 2,
    b"\xf0\x8f\xbf\xbf": 2,
    b"\xf4\x90\x80\x80": 2,
    b"\xf5": 1,
    b"\xfe\xff": 1,
    "κόσμε".encode() + b"\xed\xa0\x80edited": 12,
    b"\xe2\x28\xa1": 2,
    b"\xf8\x88\x80\x80\x80": 1,
}
"""Texts that are none, and after how many bytes that is certain."""


def texts() -> Iterator[tuple[str, Abuse]]:
    """RFC 6455 §8.1: at the earliest byte, wherever the frames are cut."""
    for data, at in BAD_TEXTS.items():
        yield f"the text {data!r}", abuse(1007, part(TEXT, data), payload=at, is_framing=False)
        first = part(TEXT, data[: at - 1], fin=False)
        rest = part(CONTINUATION, data[at - 1 :])
        yield f"the text {data!r} in fragments", abuse(1007, first, rest, payload=1, is_framing=False)
    for data in (b"\xc3", b"\xe2\x82", b"a\xf0\x9f\x98"):
        yield f"the text {data!r}", abuse(1007, part(TEXT, data), payload=len(data), is_framing=False)
        ended = [part(TEXT, data, fin=False), part(PING), part(CONTINUATION)]
        yield f"the text {data!r} and an empty end", abuse(1007, *ended, is_framing=False)


EVERY: Final = [
    row
    for rows in (
        *(wrong_masks, wrong_lengths, huge_lengths, reserved),
        *(control_frames, fragments, close_payloads, texts),
    )
    for row in rows()
]
ROWS: Final = dict(EVERY)
