"""What a server has said, in a form in which two runs can be compared.

Where bytes were cut decides what a server knows when it answers, so a Pong may overtake an echo or not. Each kind of frame has
its own order, and that is what counts; of HTTP every byte does.
"""

from __future__ import annotations

import zlib
from typing import Final

from spry_core.testing.frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, Frame, take_frames

COMPRESSED: Final = 4
"""RSV1 of a frame, among its reserved bits (RFC 7692 §6)."""


def is_switched(data: bytes) -> bool:
    """Tell whether these bytes of a server begin with a 101, so that frames stand behind its head (RFC 6455 §4.2.2)."""
    return data.startswith(b"HTTP/1.1 101 ")


def frames(data: bytes) -> list[Frame]:
    """Read the frames behind a head, as far as they are whole."""
    return take_frames(bytearray(data.partition(b"\r\n\r\n")[2]))


def messages(data: bytes) -> list[str | bytes]:
    """Return the messages in what a server has sent, its head first."""
    found: list[str | bytes] = []
    kind, parts, is_compressed = TEXT, b"", False
    inflate = Inflate(data.partition(b"\r\n\r\n")[0])
    for each in frames(data):
        if each.opcode in (TEXT, BINARY):
            kind, parts, is_compressed = each.opcode, b"", each.rsv == COMPRESSED
        elif each.opcode != CONTINUATION:
            continue
        parts += each.payload
        if each.fin:
            parts = inflate(parts) if is_compressed else parts
            found.append(parts.decode(errors="replace") if kind == TEXT else parts)
    return found


class Inflate:
    """What reads compressed messages with no more of a window than the head of the 101 has agreed to (RFC 7692 §7.2.2)."""

    def __init__(self, head: bytes) -> None:
        self._forgets = b"server_no_context_takeover" in head
        self._context = zlib.decompressobj(-zlib.MAX_WBITS)

    def __call__(self, data: bytes) -> bytes:
        """Return the message, or the bytes as they are if they cannot be read so."""
        if self._forgets:
            self._context = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._context.decompress(data + b"\x00\x00\xff\xff")
        except zlib.error:
            return data


def payloads(data: bytes, opcode: int) -> list[bytes]:
    """Return the payloads of all frames of one opcode."""
    return [each.payload for each in frames(data) if each.opcode == opcode]


def heard(data: bytes, ending: str) -> dict[str, object]:
    """Return what a peer has heard, by kind."""
    if not is_switched(data):
        return {"bytes": data, "ending": ending}
    return {
        "head": data.partition(b"\r\n\r\n")[0],
        "messages": messages(data),
        "Pings": payloads(data, PING),
        "Pongs": payloads(data, PONG),
        "Close frames": payloads(data, CLOSE_FRAME),
        "ending": ending,
    }


def difference(expected: dict[str, object], got: dict[str, object]) -> tuple[str, str] | None:
    """Show the first kind in which two differ, or None if they do not."""
    for kind in expected | got:
        one, other = expected.get(kind), got.get(kind)
        if one == other:
            continue
        if isinstance(one, bytes) and isinstance(other, bytes):
            start = max(0, _parting(one, other) - 20)
            return _shown(kind, one, start), _shown(kind, other, start)
        return f"{kind}: {one!r}", f"{kind}: {other!r}"
    return None


def _parting(one: bytes, other: bytes) -> int:
    """Return the place where two strings of bytes part."""
    shorter = min(len(one), len(other))
    return next((place for place in range(shorter) if one[place] != other[place]), shorter)


def _shown(kind: str, data: bytes, start: int) -> str:
    return f"{len(data)} {kind}, from {start}: {data[start : start + 80]!r}"
