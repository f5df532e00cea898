"""The frame of a chunked content: the limits and the strictness that no engine is trusted with (RFC 9112
§7.1).

`ChunkScanner` walks over the bytes, wherever they were cut, and says how many of them may go to the engine:
complete lines and chunk data. What it lets through keeps every limit, so the engine behind it has only the
decoding to do.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from spry_core.errors import RemoteProtocolError
from spry_core.headers import TOKEN
from spry_core.protocol.events import RawFields
from spry_core.protocol.head import FRAMING_FIELDS, check_field_line, refuse, take_apart
from spry_core.protocol.limits import Limits
from spry_core.protocol.turn import Turn

_QUOTED: Final = rb'"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
_EXTENSION: Final = rb"[\t ]*;[\t ]*" + TOKEN + rb"(?:[\t ]*=[\t ]*(?:" + TOKEN + rb"|" + _QUOTED + rb"))?"
_CHUNK_LINE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})((?:" + _EXTENSION + rb")*)")


class _Part(Enum):
    SIZE = auto()  # a chunk-size line
    DATA = auto()  # chunk data
    DATA_END = auto()  # the CRLF behind it
    TRAILERS = auto()  # field lines up to the empty line
    DONE = auto()


class ChunkScanner:
    """Where we are in one chunked content."""

    __slots__ = ("_decodes", "_error", "_extensions", "_left", "_limits", "_part", "_section", "trailers")

    def __init__(self, limits: Limits, *, decodes: bool = False) -> None:
        """Begin; with `decodes`, only chunk data comes out, and not the frame around it."""
        self._limits = limits
        self._decodes = decodes
        self.trailers: RawFields = ()
        """The trailer section, as far as it has come."""
        self._part = _Part.SIZE
        self._left = 0  # bytes of chunk data left
        self._extensions = 0
        self._section = 0
        self._error: RemoteProtocolError | None = None

    @property
    def is_done(self) -> bool:
        """True when the content with its trailer section is complete."""
        return self._part is _Part.DONE

    def take(self, held: bytearray, turn: Turn) -> bytes:
        """Take out of `held` what is complete, until the turn is over, and return what the engine needs of it: chunk data, and,
        unless that is decoded here, sizes without extensions and trailers.

        Raises `RemoteProtocolError` as soon as the bytes that are there break the framing or a limit; what
        stood before the fault is returned first, and the next call raises.
        """
        taken, has_taken = bytearray(), False
        while held and not (self.is_done or self._error is not None or turn.left <= 0):
            turn.spend()
            try:
                good = self._step(held)
            except RemoteProtocolError as error:
                self._error = error
                break
            if good is None:
                break
            has_taken = True
            taken += good
        if self._error is not None and not has_taken:
            raise self._error
        return bytes(taken)

    def _step(self, held: bytearray) -> bytes | None:
        """Take one line, or as much chunk data as there is; None if the line is not complete."""
        match self._part:
            case _Part.SIZE:
                return self._step_size(held)
            case _Part.DATA:
                return self._step_data(held)
            case _Part.DATA_END:
                return self._step_data_end(held)
            case _:
                return self._step_trailer(held)

    def _step_data(self, held: bytearray) -> bytes:
        good = _cut(held, self._left)
        self._left -= len(good)
        if not self._left:
            self._part = _Part.DATA_END
        return good

    def _step_data_end(self, held: bytearray) -> bytes | None:
        if not b"\r\n".startswith(held[:2]):
            raise refuse(400, "chunk data not followed by CRLF", "RFC 9112 §7.1")
        if len(held) < 2:
            return None
        self._part = _Part.SIZE
        return self._frame(_cut(held, 2))

    def _frame(self, part: bytes) -> bytes:
        """Return what the engine needs of a part that is no data."""
        return b"" if self._decodes else part

    def _line(self, held: bytearray, limit: int, message: str) -> bytes | None:
        """Look at the line that stands first. It stays in `held` until it is judged: what is faulty is found
        there again.
        """
        end = held.find(b"\n")
        line = bytes(held if end < 0 else held[:end])
        if len(line.removesuffix(b"\r")) > limit:
            raise refuse(400, message, "RFC 9112 §7.1")
        if end < 0:
            return None
        if not line.endswith(b"\r"):
            raise refuse(400, "a line ends with a bare LF", "RFC 9112 §2.2")
        return line[:-1]

    def _step_size(self, held: bytearray) -> bytes | None:
        line = self._line(held, self._limits.max_chunk_line, "a chunk-size line is too long")
        if line is None:
            return None
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise refuse(400, "malformed chunk-size line", "RFC 9112 §7.1")
        self._extensions += len(match[2])
        if self._extensions > self._limits.max_chunk_extensions:
            raise refuse(400, "too many chunk extensions", "RFC 9112 §7.1.1")
        _cut(held, len(line) + 2)
        self._left = int(match[1], 16)
        self._part = _Part.DATA if self._left else _Part.TRAILERS
        return self._frame(match[1] + b"\r\n")

    def _step_trailer(self, held: bytearray) -> bytes | None:
        room = self._limits.max_trailer_section - self._section
        line = self._line(held, max(room - 2, 0), "the trailer section is too long")
        if line is None:
            return None
        if not line:
            self._part = _Part.DONE
            return self._frame(_cut(held, 2))
        check_field_line(line)
        field = take_apart(line)
        if field[0] in FRAMING_FIELDS:
            raise refuse(400, "a framing field in the trailer section", "RFC 9110 §6.5.1")
        self._section += len(line) + 2
        self.trailers += (field,)
        if len(self.trailers) > self._limits.max_trailer_fields:
            raise refuse(400, "too many trailer fields", "RFC 9112 §7.1.2")
        return self._frame(_cut(held, len(line) + 2))


def _cut(held: bytearray, n: int) -> bytes:
    """Take at most `n` bytes out of `held`."""
    taken = bytes(held[:n])
    del held[: len(taken)]
    return taken
