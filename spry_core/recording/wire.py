"""Redacts one direction of a byte stream as it goes by, wherever it is cut; nothing is held back.

Secrets stand in header and trailer sections, so this follows the framing of the messages (RFC 9112 §6), as `protocol.head` judges
it. Where the bytes are no HTTP the connection fails, and what follows is never parsed: from there on every line is taken for a
field line. Behind the 101 nothing is looked at.
"""

from __future__ import annotations

import re
from collections import deque
from enum import Enum, auto
from typing import Final, Literal

from spry_core.errors import RemoteProtocolError
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

_DIGITS: Final = re.compile(rb"[0-9A-Fa-f]{1,16}")


class _Part(Enum):
    START = auto()  # a start line, and empty lines before it
    FIELDS = auto()  # field lines up to the empty line
    CONTENT = auto()  # so many bytes
    SIZE = auto()  # a chunk-size line
    CHUNK = auto()  # chunk data with the CRLF behind it
    TRAILERS = auto()  # field lines up to the empty line
    BROKEN = auto()  # no HTTP: nothing is parsed any more
    RAW = auto()  # content up to the end of the stream, or no HTTP any more


_OF_BYTES: Final = (_Part.CONTENT, _Part.CHUNK)


class WireRedactor:
    """Follows one direction.

    Args:
        kind: What heads it has.
        redaction: The rule.
        methods: The methods of the requests that wait for their answer: the two directions of a connection share it.
    """

    def __init__(
        self, kind: Literal["request", "response"], redaction: Redaction, methods: deque[bytes]
    ) -> None:
        self._is_request = kind == "request"
        self._redaction = redaction
        self._methods = methods
        self._part = _Part.START
        self._line = bytearray()  # what has come of the present line
        self._head = bytearray()  # the complete lines of the present head
        self._left = 0  # bytes of content or chunk data to come

    def switch(self) -> None:
        """No HTTP comes any more."""
        self._part = _Part.RAW

    def feed(self, data: bytes) -> bytes:
        """Return the next bytes as they may be shown, as many as there are."""
        shown = bytearray()
        while len(shown) < len(data):
            if self._part is _Part.RAW:
                shown += data[len(shown) :]
            elif self._part in _OF_BYTES:
                shown += self._pass(data, len(shown))
            else:
                shown += self._pass_line(data, len(shown))
        return bytes(shown)

    def _pass(self, data: bytes, begin: int) -> bytes:
        """Let content through."""
        passed = data[begin : begin + self._left]
        self._left -= len(passed)
        if not self._left:
            self._part = _Part.SIZE if self._part is _Part.CHUNK else _Part.START
        return passed

    def _pass_line(self, data: bytes, begin: int) -> bytes:
        """Let the next bytes of a line through, as they may be shown."""
        known = len(self._line)
        end = data.find(b"\n", begin)
        self._line += data[begin:] if end < 0 else data[begin : end + 1]
        shown = self._shown(bytes(self._line))[known:]
        if end >= 0:
            line = bytes(self._line)
            self._line.clear()
            self._end_line(line)
        return shown

    def _shown(self, line: bytes) -> bytes:
        shown = self._redaction.line(
            line
        )  # a start line too may be a field line that stands in the wrong place
        if self._part is not _Part.START or not self._is_request or shown != line:
            return shown
        method, first, rest = line.partition(b" ")
        target, second, version = rest.partition(b" ")
        return method + first + hide_query(target) + second + version

    def _end_line(self, line: bytes) -> None:
        is_empty = line in (b"\r\n", b"\n")
        match self._part:
            case _Part.START if not is_empty:
                self._head[:] = line
                self._part = _Part.FIELDS
            case _Part.FIELDS:
                self._head += line
                if is_empty:
                    head = bytes(self._head)
                    self._head.clear()
                    self._end_head(head)
            case _Part.SIZE:
                self._end_size(line)
            case _Part.TRAILERS if is_empty:
                self._part = _Part.START
            case _:
                pass

    def _end_head(self, head: bytes) -> None:
        try:
            framing = self._judge_request(head) if self._is_request else self._judge_response(head)
        except (RemoteProtocolError, ValueError):  # whoever reads it fails by it as well
            self._part = _Part.BROKEN
            return
        match framing:
            case Length(size=size):
                self._left = size
                self._part = _Part.CONTENT if size else _Part.START
            case Chunked():
                self._part = _Part.SIZE
            case _:
                self._part = _Part.RAW

    def _judge_request(self, head: bytes) -> Framing | None:
        request = read_request(head)
        self._methods.append(request.method)
        return check_request(request)

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
            self._part = _Part.BROKEN
            return
        size = int(digits[0], 16)
        self._left = size + 2
        self._part = _Part.CHUNK if size else _Part.TRAILERS
