"""One direction of a byte stream as it goes by, wherever it is cut: which part of which message each byte belongs to.

Secrets stand in header and trailer sections, so whoever hides them has to follow the framing of the messages (RFC 9112 §6), as
`protocol.head` judges it. Nothing is held back. Where the bytes are no HTTP the connection fails, and what follows is never
parsed: from there on every line is taken for a field line. Behind an opening handshake there may be frames at once, of a client
that did not wait for the 101; `http1` keeps them for the WebSocket.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.handshake import examine
from spry_core.protocol.head import (
    Chunked,
    Framing,
    Length,
    check_request,
    check_response,
    read_request,
    read_response,
)
from spry_core.recording.redaction import Redaction, hide_query

SWITCHED: Final = 101
"""The status code behind which a stream is no HTTP any more (RFC 9110 §15.2.2)."""

_MASK_BIT: Final = 0x80
_DIGITS: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")


class Part(Enum):
    """What bytes belong to."""

    START = auto()
    """A start line, and empty lines before it."""

    FIELDS = auto()
    """Field lines up to the empty line."""

    CONTENT = auto()
    """Content of a known length."""

    SIZE = auto()
    """A chunk-size line."""

    CHUNK = auto()
    """Chunk data with the CRLF behind it."""

    TRAILERS = auto()
    """Field lines behind the last chunk, up to the empty line."""

    BROKEN = auto()
    """No HTTP: nothing is parsed any more."""

    RAW = auto()
    """Content up to the end of the stream, or another protocol."""


_STARTS: Final = (Part.START, Part.BROKEN)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes of one part; of a line at most that line."""

    part: Part
    data: bytes
    before: bytes = b""
    """What came of the same line earlier."""


class PartReader:
    """Follows one direction.

    Args:
        kind: What heads it has.
        methods: The methods of the requests that wait for their answer: the two directions of a connection share it.
    """

    def __init__(self, kind: Literal["request", "response"], methods: deque[bytes]) -> None:
        self._is_request = kind == "request"
        self._methods = methods
        self._part = Part.START
        self._line = bytearray()  # what has come of the present line
        self._head = bytearray()  # the complete lines of the present head
        self._left = 0  # bytes of content or chunk data to come
        self._is_offered = False  # the last request was an opening handshake

    def switch(self) -> None:
        """No HTTP comes any more."""
        self._part = Part.RAW
        self._line.clear()

    def break_off(self) -> None:
        """Nothing is parsed any more."""
        self._part = Part.BROKEN

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Take the next bytes apart."""
        begin = 0
        while begin < len(data):
            if self._is_offered and self._part is Part.START and self._has_frame(data, begin):
                self.switch()
            part = self._part
            if part is Part.RAW:
                piece = Piece(part, data[begin:])
            elif part in (Part.CONTENT, Part.CHUNK):
                piece = Piece(part, data[begin : begin + self._left])
                self._pass(len(piece.data))
            else:
                end = data.find(b"\n", begin)
                piece = Piece(part, data[begin:] if end < 0 else data[begin : end + 1], bytes(self._line))
                self._line += piece.data
                if end >= 0:
                    self._end_line()
            begin += len(piece.data)
            yield piece

    def _has_frame(self, data: bytes, begin: int) -> bool:
        """Tell whether a frame begins here and no request: behind its first byte stands the bit of the mask, which those of
        a client have (RFC 6455 §5.2), and in a method there is no such byte (RFC 9110 §9.1).
        """
        second = begin + 1 - len(self._line)
        return begin <= second < len(data) and data[second] >= _MASK_BIT

    def _pass(self, n: int) -> None:
        self._left -= n
        if not self._left:
            self._part = Part.SIZE if self._part is Part.CHUNK else Part.START

    def _end_line(self) -> None:
        line = bytes(self._line)
        self._line.clear()
        is_empty = line in (b"\r\n", b"\n")
        match self._part:
            case Part.START if not is_empty:
                self._head[:] = line
                self._part = Part.FIELDS
            case Part.FIELDS:
                self._head += line
                self._part = self._behind_fields() if is_empty else Part.FIELDS
            case Part.SIZE:
                self._end_size(line)
            case Part.TRAILERS if is_empty:
                self._part = Part.START
            case _:
                pass

    def _behind_fields(self) -> Part:
        """Return what follows the head, which is whole."""
        head = bytes(self._head)
        self._head.clear()
        try:
            framing = self._judge_request(head) if self._is_request else self._judge_response(head)
        except (RemoteProtocolError, ValueError):  # whoever reads it fails by it as well
            return Part.BROKEN
        match framing:
            case Length(size=size):
                self._left = size
                return Part.CONTENT if size else Part.START
            case Chunked():
                return Part.SIZE
            case _:
                return Part.RAW

    def _judge_request(self, head: bytes) -> Framing:
        request = read_request(head)
        self._methods.append(request.method)
        framing = check_request(request)
        # Refused or not: what is behind it before its answer is never parsed as a request.
        self._is_offered = examine(request, framing, 0) is not None
        return framing

    def _judge_response(self, head: bytes) -> Framing | None:
        """Return the framing; None where no HTTP follows."""
        response = read_response(head)
        if response.status_code == SWITCHED:
            return None
        is_final = response.status_code >= 200
        method = self._methods.popleft() if is_final and self._methods else b"GET"
        return check_response(response, method)

    def _end_size(self, line: bytes) -> None:
        digits = _DIGITS.match(line)
        if digits is None:
            self._part = Part.BROKEN
            return
        size = int(digits[0], 16)
        self._left = size + 2
        self._part = Part.CHUNK if size else Part.TRAILERS


class Redactor:
    """Hides the secrets of one direction.

    Args:
        kind, methods: As of `PartReader`.
        redaction: The rule.
    """

    def __init__(
        self, kind: Literal["request", "response"], redaction: Redaction, methods: deque[bytes]
    ) -> None:
        self._parts = PartReader(kind, methods)
        self._is_request = kind == "request"
        self._redaction = redaction

    def switch(self) -> None:
        """No HTTP comes any more: nothing is hidden."""
        self._parts.switch()

    def break_off(self) -> None:
        """Nothing is parsed any more: what looks like a secret is hidden wherever it stands."""
        self._parts.break_off()

    def feed(self, data: bytes) -> bytes:
        """Return the next bytes as they may be shown, as many as there are."""
        return b"".join(map(self._shown, self._parts.feed(data)))

    def _shown(self, piece: Piece) -> bytes:
        if piece.part in (Part.CONTENT, Part.CHUNK, Part.RAW):
            return piece.data
        line = piece.before + piece.data
        # In the place of a start line there may stand a field line, and the other way round.
        shown = self._redaction.line(line)
        if (
            shown == line
            and self._is_request
            and (piece.part in _STARTS or b":" not in line.partition(b" ")[0])
        ):
            shown = _without_query(line)
        return shown[len(piece.before) :]


def _without_query(line: bytes) -> bytes:
    """Hide the query in a request line, whole or only its beginning; in a faulty one whatever may be a query."""
    method, first, rest = line.partition(b" ")
    target, second, version = rest.partition(b" ")
    return hide_query(method) + first + hide_query(target) + second + hide_query(version)
