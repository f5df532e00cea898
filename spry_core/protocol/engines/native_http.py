"""HTTP/1.1 by ourselves (RFC 9112): what was judged before is not read again, and what was checked is not checked again.

Nothing is kept between two calls, so all connections have the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import ClassVar, Final

from spry_core.protocol.engines.interface import Primitives, TakenHead
from spry_core.protocol.events import RawFields, RequestHead
from spry_core.protocol.limits import Limits
from spry_core.protocol.lines import REMEMBERED, field_line

_LAST_CHUNK: Final = b"0\r\n"


class NativeHttpEngine:
    """`HttpEngine` of our own."""

    __slots__ = ("_parse_head",)

    decodes_chunks: ClassVar[bool] = False
    keeps_nothing: ClassVar[bool] = True

    def __init__(self, primitives: Primitives) -> None:
        """Make one on these primitives."""
        self._parse_head = primitives.parse_head

    def take_request(
        self, data: bytes | bytearray, limits: Limits, known: dict[bytes, bytes], notable: frozenset[bytes]
    ) -> TakenHead | None:
        """Take the head of a request apart with which `data` begins, if it is complete and in order."""
        return self._parse_head(
            data,
            0,
            limits.max_request_line,
            limits.max_field_line,
            limits.max_header_section,
            limits.max_fields,
            known,
            notable,
        )

    def receive_head(self, head: bytes) -> None:
        """Do nothing: there is no need to know."""

    def receive_content(self, data: bytes) -> bytes:
        """Return the content, which it is already."""
        return data

    def end_content(self) -> None:
        """Do nothing: there is no need to know."""

    def write_request(self, head: RequestHead) -> bytes:
        """Encode the head of a request."""
        return _written(b"%b %b HTTP/1.1\r\n" % (head.method, head.target), head.headers)

    def write_response(self, status_code: int, phrase: bytes, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
        """Encode the head of a response, an interim one too."""
        return _written(_status_line(status_code, phrase), fields)

    def write_whole_response(
        self, status_code: int, phrase: bytes, fields: Sequence[tuple[bytes, bytes]], content: bytes
    ) -> bytes:
        """Encode a response with its content, which is framed by its length."""
        return _written(_status_line(status_code, phrase), fields, content)

    def write_data(self, data: bytes, is_chunked: bool) -> bytes:
        """Encode some content; no data is no chunk, which would be the last one (RFC 9112 §7.1)."""
        return b"%x\r\n%b\r\n" % (len(data), data) if is_chunked and data else data

    def write_end(self, trailers: RawFields, is_chunked: bool) -> bytes:
        """Encode the end of a content."""
        return _written(_LAST_CHUNK, trailers) if is_chunked else b""

    def next_cycle(self) -> None:
        """Do nothing: nothing is kept."""


@lru_cache(maxsize=256)
def _status_line(status_code: int, phrase: bytes) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (status_code, phrase)


def _written(start: bytes, fields: Iterable[tuple[bytes, bytes]], content: bytes = b"") -> bytes:
    """Encode a section behind its first line, and with what follows it; Host comes first, since it decides about all others
    (RFC 9110 §7.2).
    """
    parts, hosts = [start], 0
    for field in fields:
        line, name = REMEMBERED.get(field) or field_line(field)
        if name == b"host":
            hosts += 1
            parts.insert(hosts, line)
        else:
            parts.append(line)
    parts += b"\r\n", content
    return b"".join(parts)
