"""Content that goes out: which framing a head asks for, and that what follows keeps to it.

Everything is checked before a byte is written, so a mistake of the caller changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from http import HTTPStatus
from typing import Final

from spry_core.errors import LocalProtocolError
from spry_core.headers import FIELD_TEXT, TOKEN, check_raw_fields
from spry_core.protocol.events import BodyEnd, RequestHead, ResponseHead
from spry_core.protocol.head import (
    FRAMING_FIELDS,
    Chunked,
    Framing,
    Length,
    Terms,
    UntilClose,
    lowered,
    may_have_content,
    parse_length,
    parse_size,
    tokens,
    values,
)
from spry_core.protocol.lines import REMEMBERED, field_line

_PHRASE: Final = re.compile(FIELD_TEXT)
_METHOD: Final = re.compile(TOKEN)
# What RFC 9110 calls otherwise than its forerunners; Python's own table has the new names from 3.13 on.
_RENAMED: Final = {
    413: b"Content Too Large",
    414: b"URI Too Long",
    416: b"Range Not Satisfiable",
    422: b"Unprocessable Content",
}
_TARGET: Final = re.compile(rb"[!-\"$-~]+")
# About framing, routing and the form of the content (RFC 9110 §6.5.1): behind the content they come too late.
_NO_TRAILERS: Final = FRAMING_FIELDS | {
    *(b"connection", b"content-encoding", b"content-range", b"content-type", b"host", b"trailer", b"upgrade")
}


@lru_cache(maxsize=512)
def reason_phrase(status_code: int) -> bytes:
    """Return the usual reason phrase (RFC 9110 §15), empty for an unknown code."""
    if status_code in _RENAMED:
        return _RENAMED[status_code]
    try:
        return HTTPStatus(status_code).phrase.encode("ascii")
    except ValueError:
        return b""


class OutgoingContent:
    """The content of one message of ours."""

    __slots__ = ("_framing", "_left")

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._left = framing.size if isinstance(framing, Length) else None

    @property
    def is_chunked(self) -> bool:
        """True if it goes out in chunks (RFC 9112 §7.1)."""
        return isinstance(self._framing, Chunked)

    def check_data(self, data: bytes) -> None:
        """Count `data`, or raise `LocalProtocolError` if it is more than the head announced (RFC 9112 §6.2)."""
        if self._left is None:
            return
        if len(data) > self._left:
            raise LocalProtocolError(
                f"{len(data)} bytes of content where {self._left} are left (RFC 9112 §6.2)"
            )
        self._left -= len(data)

    def check_end(self, end: BodyEnd) -> None:
        """Raise `LocalProtocolError` if the content is short, or trailers do not fit its framing (RFC 9112
        §7.1.2).
        """
        if self._left:
            raise LocalProtocolError(f"{self._left} bytes of content are missing (RFC 9112 §6.2)")
        if end.trailers and not isinstance(self._framing, Chunked):
            raise LocalProtocolError("trailers need a chunked content (RFC 9112 §7.1.2)")
        check_raw_fields(end.trailers)
        for name, _ in end.trailers:
            if name.lower() in _NO_TRAILERS:
                raise ValueError(
                    f"{name.decode('ascii')[:40]} is no field for a trailer section (RFC 9110 §6.5.1)"
                )


def content_of(head: RequestHead) -> OutgoingContent:
    """Check a request of ours and return its content."""
    if not _METHOD.fullmatch(head.method):
        raise ValueError("the method is not a token (RFC 9110 §9.1)")
    if head.method == b"CONNECT":
        raise ValueError("a tunnel is not supported (RFC 9110 §9.3.6)")
    if not _TARGET.fullmatch(head.target):
        raise ValueError("the target has a byte that no target has (RFC 9112 §3.2)")
    check_raw_fields(head.headers)
    if len(values(lowered(head.headers), b"host")) != 1:
        raise ValueError("a request has exactly one Host field (RFC 9112 §3.2)")
    return OutgoingContent(_framing(head) or Length(0))


def check_interim_head(head: ResponseHead) -> None:
    """Check an interim response of ours (RFC 9110 §15.2)."""
    if head.status_code < 100:
        raise ValueError(f"{head.status_code} is no interim status code (RFC 9110 §15.2)")
    _check_phrase(head)
    if _framing(head) is not None:
        raise ValueError("an interim response has no content (RFC 9110 §15.2)")


def _check_phrase(head: ResponseHead) -> None:
    if head.reason_phrase and not _PHRASE.fullmatch(head.reason_phrase):
        raise ValueError("the reason phrase has a control character (RFC 9112 §4)")


def check_response_head(
    head: ResponseHead, request: RequestHead
) -> tuple[list[tuple[bytes, bytes]], OutgoingContent]:
    """Check a final response of ours; return its fields and its content.

    Without Content-Length the content is chunked, or goes to the end of the stream for HTTP/1.0 (RFC 9112
    §6.3).
    """
    if not 200 <= head.status_code <= 599:
        raise ValueError(f"{head.status_code} is no final status code (RFC 9110 §15)")
    if request.method == b"CONNECT" and head.status_code < 300:
        raise ValueError("a tunnel is not supported (RFC 9110 §9.3.6)")
    _check_phrase(head)
    framing = _framing(head)
    if not may_have_content(head.status_code, request.method):
        unwanted = (
            (b"transfer-encoding", b"content-length") if head.status_code == 204 else (b"transfer-encoding",)
        )
        return _without(head.headers, *unwanted), OutgoingContent(Length(0))
    if request.http_version == b"1.0" and not isinstance(framing, Length):
        return _without(head.headers, b"transfer-encoding"), OutgoingContent(UntilClose())
    if framing is None:
        return [*head.headers, (b"Transfer-Encoding", b"chunked")], OutgoingContent(Chunked())
    return list(head.headers), OutgoingContent(framing)


def plain_length(head: ResponseHead, method: bytes) -> int | None:
    """Return the length of the content of a final response, if it says that and nothing else that decides about anything;
    else None. Raises `ValueError` for a field that may not be sent.
    """
    if head.reason_phrase or head.http_version != b"1.1" or not 200 <= head.status_code <= 599:
        return None
    if method == b"CONNECT" or not may_have_content(head.status_code, method):
        return None
    length = None
    for field in head.headers:
        name = (REMEMBERED.get(field) or field_line(field))[1]
        if name:
            if length is not None or name != b"content-length":
                return None
            length = parse_size(field[1])
            if length is None:
                return None
    return length


def with_close(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Add the connection option ``close`` to those that are there, or put it in place of ``keep-alive`` (RFC
    9112 §9.6).
    """
    options = tokens(lowered(tuple(fields)), b"connection")
    kept = [option for option in options if option not in (b"close", b"keep-alive")]
    return [*_without(fields, b"connection"), (b"Connection", b", ".join((*kept, b"close")))]


def in_order(
    fields: Sequence[tuple[bytes, bytes]], status_code: int, terms: Terms
) -> Sequence[tuple[bytes, bytes]]:
    """Return the fields of a final response with Transfer-Encoding behind all others, and behind that Connection if the
    client asked for the end: one line for each option.

    An answer to HEAD says what one to GET would say (RFC 9110 §9.3.2), so it is chunked in words if that would be in deed.
    """
    names = [field_line(field)[1] for field in fields]
    if status_code not in (204, 304) and b"content-length" not in names:
        fields = _without(fields, b"transfer-encoding")
        if not terms.is_old:
            fields.append((b"Transfer-Encoding", b"chunked"))
    if not terms.persists:
        options = {*tokens(lowered(tuple(fields)), b"connection"), b"close"} - {b"keep-alive"}
        fields = _without(fields, b"connection")
        fields += [(b"Connection", option) for option in sorted(options)]
    return fields


def failure_answer(status_code: int) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the fields and the content of the answer to a request that broke a rule or a limit."""
    content = reason_phrase(status_code) + b"\n"
    fields = [
        (b"Content-Type", b"text/plain; charset=utf-8"),
        (b"Content-Length", b"%d" % len(content)),
        (b"Connection", b"close"),
    ]
    return fields, content


def _without(fields: Iterable[tuple[bytes, bytes]], *names: bytes) -> list[tuple[bytes, bytes]]:
    return [each for each in fields if field_line(each)[1] not in names]


def _framing(head: RequestHead | ResponseHead) -> Framing | None:
    lengths, codings = list[bytes](), list[bytes]()
    for field in head.headers:
        name = field_line(field)[1]  # it is checked here too
        if name == b"content-length":
            lengths.append(field[1])
        elif name == b"transfer-encoding":
            codings.append(field[1])
    if codings:
        if lengths or codings != [b"chunked"]:
            raise ValueError("Transfer-Encoding is chunked, and never beside Content-Length (RFC 9112 §6.1)")
        return Chunked()
    if not lengths:
        return None
    length = parse_length(lengths)
    if length is None:
        raise ValueError("Content-Length is one number (RFC 9110 §8.6)")
    return length
