"""The primitives of the native engine in Python (`spry_core.protocol.engines.interface.Primitives`)."""

from __future__ import annotations

import re
from codecs import utf_8_decode
from collections.abc import Mapping
from typing import Final

from spry_core.headers import FIELD_TEXT, HARMLESS, TOKEN
from spry_core.protocol.engines.interface import TakenHead

_TEXT: Final = 0x81  # FIN and the opcode, as they stand in the first byte of a message of one frame
_BINARY: Final = 0x82


def unmask(data: bytes, start: int, end: int, key: bytes, /) -> bytes:
    """Return ``data[start:end]``, each byte XORed with the four of `key` in turn (RFC 6455 §5.3)."""
    length = end - start
    # Without names, so that each copy is gone when the next one is made.
    return (
        int.from_bytes(data[start:end], "little")
        ^ int.from_bytes((key * ((length >> 2) + 1))[:length], "little")
    ).to_bytes(length, "little")


def frame(first: int, payload: bytes, key: bytes | None = None, /) -> bytes:
    """Return a frame with this first byte, masked if there is a `key` (RFC 6455 §5.2)."""
    length = len(payload)
    if key is None:
        return header(first, length, 0) + payload
    return header(first, length, 0x80) + key + unmask(payload, 0, length, key)


def header(first: int, length: int, masked: int) -> bytes:
    """Return the header of a frame, without the key; `masked` is 0 or the bit that says that there is one (RFC 6455 §5.2)."""
    if length < 126:
        return bytes((first, masked | length))
    if length < 65536:
        return bytes((first, masked | 126, length >> 8, length & 0xFF))
    return bytes((first, masked | 127)) + length.to_bytes(8, "big")


def scan(
    data: bytes, start: int, masked: bool, most: int, room: int, longest: int, /
) -> tuple[list[str | bytes], list[int], int]:
    """Take the messages of one unfragmented, uncompressed frame each that lie complete in `data` from `start` on; return
    them, the payload bytes of each, and where the first frame begins that was left (RFC 6455 §5.2, §5.6).
    """
    messages, sizes = list[str | bytes](), list[int]()
    here, last = 0x80 if masked else 0, len(data) - 2
    while most > 0 and room > 0 and start <= last:
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


class Arrival:
    """A message of one frame while its payload comes in (`spry_core.protocol.engines.interface.Arrival`)."""

    __slots__ = ("_is_text", "_key", "_payload", "_rest")

    def __init__(self, is_text: bool, length: int, key: bytes | None, /) -> None:
        """Begin with nothing; the length is of no use here."""
        self._is_text = is_text
        self._key = key
        # Not a list of pieces: of a message that drips in it would hold an object for every few bytes.
        self._payload = bytearray()
        self._rest = b""  # half a character

    def add(self, data: bytes, start: int, end: int, /) -> bool:
        """Take ``data[start:end]``; return whether the text can go on behind it."""
        key = self._key
        if key is None:
            piece = data[start:end]
        else:
            turned = len(self._payload) & 3
            piece = unmask(data, start, end, key[turned:] + key[:turned])
        self._payload += piece
        return not self._is_text or self._can_go_on(piece)

    def _can_go_on(self, piece: bytes) -> bool:
        if not self._rest and piece.isascii():
            return True
        piece = self._rest + piece
        try:
            done = utf_8_decode(piece, "strict", False)[1]
        except UnicodeDecodeError:
            return False
        self._rest = piece[done:]
        # The decoder notices a surrogate one byte late.
        return not (self._rest[:1] == b"\xed" and self._rest[1:2] >= b"\xa0")

    def so_far(self) -> bytes:
        """Return what has come."""
        return bytes(self._payload)

    def take(self) -> str | bytes | None:
        """Return the message; None if it is text and no UTF-8."""
        if not self._is_text:
            return bytes(self._payload)
        return None if self._rest else self._payload.decode()


def arrival(is_text: bool, length: int, key: bytes | None, /) -> Arrival:
    """Make what gathers a message of so many bytes, masked with the four bytes of `key` if there is one."""
    return Arrival(is_text, length, key)


_REQUEST_LINE: Final = re.compile(rb"(" + TOKEN + rb""") ([!"$-~]+) HTTP/(1\.[01])\r\n""")
_FIELD_LINE: Final = re.compile(TOKEN + rb":" + FIELD_TEXT)
# Field lines that were found to be in order, since most heads have most of their lines in common. Short ones alone, so many
# at most, and none that may be a secret.
_SEEN: Final[dict[bytes, tuple[bytes, bytes]]] = {}
_LONGEST_SEEN: Final = 160
_MOST_SEEN: Final = 1024


def parse_head(
    data: bytes | bytearray,
    start: int,
    max_line: int,
    max_field_line: int,
    max_section: int,
    max_fields: int,
    known: Mapping[bytes, bytes],
    notable: frozenset[bytes],
    /,
) -> TakenHead | None:
    """Take the head of a request apart that lies complete and in order in `data` from `start` on; return method, target,
    version, fields, those of them whose names are `notable`, and where the head ends. None for every other (RFC 9112 §3, §5).
    """
    end = data.find(b"\r\n\r\n", start)
    if end < 0:
        return None
    line = _REQUEST_LINE.match(data, start)
    if line is None:
        return None
    first = line.end()
    size = end + 2 - first
    if first - 2 - start > max_line or size > max_section:
        return None
    method, target, version = line.groups()
    if not size:
        return method, target, version, (), (), end + 4
    lines = bytes(data[first:end]).split(b"\r\n")
    if len(lines) > max_fields or (size > max_field_line + 2 and max(map(len, lines)) > max_field_line):
        return None
    pairs = [_SEEN.get(line) or _read_field(line, known) for line in lines]
    fields = tuple([pair for pair in pairs if pair is not None])
    if len(fields) < len(lines):
        return None
    noted = tuple([pair for pair in fields if pair[0] in notable])
    return method, target, version, fields, noted, end + 4


def _read_field(line: bytes, known: Mapping[bytes, bytes]) -> tuple[bytes, bytes] | None:
    """Take a field line apart; None if it is not in order."""
    if _FIELD_LINE.fullmatch(line) is None:
        return None
    name, _, value = line.partition(b":")
    name = name.lower()
    pair = known.get(name, name), value.strip(b" \t")
    if len(line) <= _LONGEST_SEEN and name in HARMLESS:
        if len(_SEEN) >= _MOST_SEEN:
            _SEEN.clear()
        _SEEN[line] = pair
    return pair
