"""The primitives of the native engine in Python (`spry_core.protocol.engines.interface.Primitives`)."""

from __future__ import annotations

from typing import Final

_TEXT: Final = 0x81  # FIN and the opcode, as they stand in the first byte of a message of one frame
_BINARY: Final = 0x82


def unmask(data: bytes, start: int, end: int, key: bytes, /) -> bytes:
    """Return ``data[start:end]``, each byte XORed with the four of `key` in turn (RFC 6455 §5.3)."""
    length = end - start
    pattern = (key * ((length >> 2) + 1))[:length]
    masked = int.from_bytes(data[start:end], "little") ^ int.from_bytes(pattern, "little")
    return masked.to_bytes(length, "little")


def frame(first: int, payload: bytes, key: bytes | None, /) -> bytes:
    """Return a frame with this first byte, masked if there is a `key` (RFC 6455 §5.2)."""
    length, masked = len(payload), 0 if key is None else 0x80
    if length < 126:
        head = bytes((first, masked | length))
    elif length < 65536:
        head = bytes((first, masked | 126, length >> 8, length & 0xFF))
    else:
        head = bytes((first, masked | 127)) + length.to_bytes(8, "big")
    return head + payload if key is None else head + key + unmask(payload, 0, length, key)


def scan(
    data: bytes, start: int, masked: bool, most: int, room: int, longest: int, /
) -> tuple[list[str | bytes], list[int], int]:
    """Take the messages of one unfragmented, uncompressed frame each that lie complete in `data` from `start` on; return
    them, the payload bytes of each, and where the first frame begins that was left (RFC 6455 §5.2, §5.6).
    """
    messages, sizes = list[str | bytes](), list[int]()
    here, last = 0x80 if masked else 0, len(data) - 2
    while most and room > 0 and start <= last:
        first, length = data[start], data[start + 1] - here
        begin = start + 2
        if not 0 <= length <= 127 or (first != _TEXT and first != _BINARY):  # noqa: PLR1714 - half the time of a tuple
            break
        if length > 125:
            width = 2 if length == 126 else 8
            begin += width
            length = int.from_bytes(data[start + 2 : begin], "big")
            if length < (126 if width == 2 else 65536):
                break  # not in its shortest form, or not all of it is here
        key = begin
        if masked:
            begin += 4
        end = begin + length
        if length > longest or end > len(data):
            break
        payload = unmask(data, begin, end, data[key:begin]) if masked else data[begin:end]
        if first == _TEXT:
            try:
                messages.append(payload.decode())
            except UnicodeDecodeError:
                break
        else:
            messages.append(payload)
        sizes.append(length)
        most -= 1
        room -= length
        start = end
    return messages, sizes, start
