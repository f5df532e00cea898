"""WebSocket frames made and read by hand, right or wrong (RFC 6455 §5.2)."""

from __future__ import annotations

from typing import Final, NamedTuple

CONTINUATION, TEXT, BINARY, CLOSE_FRAME, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
MASK: Final = b"\x37\xfa\x21\x3d"
"""The masking key of the examples in RFC 6455 §5.7."""


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    length_form: int | None = None,
) -> bytes:
    """Make one frame by hand, masked as a client's unless `mask` is None (RFC 6455 §5.2).

    `length_form` forces the length into 7, 16 or 64 bits, also where that is wrong.
    """
    n = len(payload)
    form = length_form or (7 if n < 126 else 16 if n < 65536 else 64)
    bit = 0 if mask is None else 0x80
    short = n if form == 7 else {16: 126, 64: 127}[form]
    head = bytes((fin << 7 | rsv << 4 | opcode, bit | short))
    if form > 7:
        head += n.to_bytes(form // 8, "big")
    return head + payload if mask is None else head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes = MASK) -> bytes:
    """XOR with the key; the same again takes it off (RFC 6455 §5.3)."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def close_payload(code: int, reason: str = "") -> bytes:
    """Make the payload of a Close frame (RFC 6455 §5.5.1)."""
    return code.to_bytes(2, "big") + reason.encode()


class Frame(NamedTuple):
    """One frame as read by hand."""

    opcode: int
    payload: bytes
    fin: bool = True
    mask: bytes | None = None


def read_frames(data: bytes) -> list[Frame]:
    """Read whole frames; whatever is left over is an error of the test."""
    frames: list[Frame] = []
    while data:
        first, second = data[0], data[1]
        size = {126: 2, 127: 8}.get(second & 0x7F, 0)
        n = int.from_bytes(data[2 : 2 + size], "big") if size else second & 0x7F
        start = 2 + size
        mask = data[start : start + 4] if second & 0x80 else None
        start += 4 if mask else 0
        payload = data[start : start + n]
        assert len(payload) == n, "half a frame"
        frames.append(
            Frame(first & 0x0F, masked(payload, mask) if mask else payload, bool(first & 0x80), mask)
        )
        data = data[start + n :]
    return frames
