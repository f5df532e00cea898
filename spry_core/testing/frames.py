"""WebSocket frames made and read by hand, right or wrong (RFC 6455 §5.2).

Nothing of the core's own codec is in here, so what a test writes and reads with it is a second opinion. A masked frame is a
client's, one without a mask a server's; who may send which is for the test to say.
"""

from __future__ import annotations

import zlib
from typing import Final, NamedTuple

CONTINUATION: Final = 0x0
TEXT: Final = 0x1
BINARY: Final = 0x2
CLOSE_FRAME: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

MASK: Final = b"\x37\xfa\x21\x3d"
"""The masking key of the examples in RFC 6455 §5.7."""

LONGEST_CONTROL: Final = 125
"""The most bytes of payload that a control frame may have (RFC 6455 §5.5)."""


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    length_form: int | None = None,
) -> bytes:
    """Make one frame, masked as a client's unless `mask` is None.

    Args:
        opcode: Four bits; `TEXT` and the others, or one that nobody has defined.
        payload: Payload data, before masking.
        fin: Whether it is the last of its message.
        rsv: The three reserved bits as a number; 4 is RSV1, which says "compressed" (RFC 7692 §6).
        mask: Four bytes, or None.
        length_form: 7, 16 or 64 to force the length into so many bits, also where that is wrong.

    RFC 6455 §5.2.
    """
    size = len(payload)
    form = length_form or (7 if size < 126 else 16 if size < 65536 else 64)
    bit = 0 if mask is None else 0x80
    short = size if form == 7 else {16: 126, 64: 127}[form]
    head = bytes((fin << 7 | rsv << 4 | opcode, bit | short))
    if form > 7:
        head += size.to_bytes(form // 8, "big")
    return head + payload if mask is None else head + mask + masked(payload, mask)


def masked(payload: bytes, mask: bytes = MASK) -> bytes:
    """XOR with the key; the same again takes it off (RFC 6455 §5.3)."""
    size = len(payload)
    key = (mask * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")).to_bytes(size, "big")


def close_payload(code: int, reason: str = "") -> bytes:
    """Make the payload of a Close frame: any 16 bits, and any reason (RFC 6455 §5.5.1)."""
    return code.to_bytes(2, "big") + reason.encode()


def deflated_zeros(size: int) -> bytes:
    """Make the payload of a message that inflates to `size` zeros, in about a thousandth of the bytes (RFC 7692 §7.2.1).

    They are never all held: what ends in a full flush refers to nothing before it, so the same piece may stand there again and
    again.
    """
    count, rest = divmod(size, 1 << 20)
    deflater = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece, last = (
        deflater.compress(bytes(each)) + deflater.flush(zlib.Z_FULL_FLUSH) for each in (1 << 20, rest)
    )
    return (piece * count + last).removesuffix(b"\x00\x00\xff\xff")


class Frame(NamedTuple):
    """One frame as read by hand."""

    opcode: int
    """Four bits."""
    payload: bytes
    """Payload data, without the mask."""
    fin: bool = True
    """True if it is the last of its message; of a control frame always, if it is right."""
    mask: bytes | None = None
    """The masking key, or None."""
    rsv: int = 0
    """The three reserved bits as a number."""

    @property
    def data(self) -> bytes:
        """The frame as it goes over the wire, its length in the shortest form."""
        return frame(self.opcode, self.payload, fin=self.fin, rsv=self.rsv, mask=self.mask)


def take_frames(held: bytearray) -> list[Frame]:
    """Take the frames that are complete out of `held`, and leave the rest there, for bytes that come bit by bit."""
    taken: list[Frame] = []
    while (end := _end_of_frame(held)) is not None:
        taken.append(_read(bytes(held[:end])))
        del held[:end]
    return taken


def read_frames(data: bytes) -> list[Frame]:
    """Read whole frames.

    Raises:
        ValueError: Half a frame is left over.
    """
    held = bytearray(data)
    frames = take_frames(held)
    if held:
        raise ValueError(f"half a frame behind {len(frames)} whole ones: {bytes(held[:40])!r}")
    return frames


def _extended(second: int) -> int:
    """Return how many bytes of length follow the second byte of a frame."""
    return {126: 2, 127: 8}.get(second & 0x7F, 0)


def _end_of_frame(held: bytearray) -> int | None:
    """Return where the first frame ends, or None if that has not come."""
    if len(held) < 2 or len(held) < 2 + (size := _extended(held[1])):
        return None
    length = int.from_bytes(held[2 : 2 + size], "big") if size else held[1] & 0x7F
    end = 2 + size + (4 if held[1] & 0x80 else 0) + length
    return end if end <= len(held) else None


def _read(data: bytes) -> Frame:
    """Take one whole frame apart."""
    first, second = data[0], data[1]
    start = 2 + _extended(second)
    mask = data[start : start + 4] if second & 0x80 else None
    payload = data[start + 4 :] if mask else data[start:]
    return Frame(
        first & 0x0F, masked(payload, mask) if mask else payload, bool(first & 0x80), mask, first >> 4 & 7
    )
