"""What a row of the corpus of responses says: bytes from a server, and the one way in which a client reads them."""

from __future__ import annotations

from typing import Final, NamedTuple

from ambiguous.case import Refused
from spry_core.protocol import RawFields

LINE: Final = Refused(400, "malformed status line", "RFC 9112 §4")
VERSION: Final = Refused(505, "neither HTTP/1.1 nor HTTP/1.0", "RFC 9110 §15.6.6")
LONG_LINE: Final = Refused(414, "the start line is too long", "RFC 9112 §3")
MANY_FIELDS: Final = Refused(431, "too many fields", "RFC 6585 §5")
LONG_FIELD: Final = Refused(431, "a field line is too long", "RFC 6585 §5")
LONG_SECTION: Final = Refused(431, "the header section is too long", "RFC 6585 §5")
SHORT: Final = Refused(400, "the stream ended inside the content", "RFC 9112 §8")
NONE: Final = Refused(400, "the stream ended before the response", "RFC 9112 §8")
MORE: Final = Refused(400, "a response that nobody asked for", "RFC 9112 §9.2")
SWITCH: Final = Refused(400, "a 101 that nobody asked for", "RFC 9110 §15.2.2")


class Answer(NamedTuple):
    """Bytes from a server up to the end of its stream, and what a client makes of them."""

    data: bytes
    status_codes: tuple[int, ...] = ()
    """Of each head."""
    content: bytes = b""
    """All content that was given out, whether complete or not."""
    is_whole: bool = False
    """True if the response is complete."""
    trailers: RawFields = ()
    refused: Refused | None = None
    method: bytes = b"GET"
    """Of the request that is answered."""


def good(data: bytes, *status_codes: int, content: bytes = b"", method: bytes = b"GET") -> Answer:
    """Make a row of a response that is right."""
    return Answer(data, status_codes, content, True, refused=None, method=method)


def trailed(section: bytes, *trailers: tuple[bytes, bytes]) -> Answer:
    """Make a row of a chunked response without content that has this trailer section."""
    return good(CHUNKED + b"0\r\n" + section + b"\r\n", 200)._replace(trailers=trailers)


def more(data: bytes, *status_codes: int, content: bytes = b"", method: bytes = b"GET") -> Answer:
    """Make a row of a response that is right, and of bytes behind it."""
    return good(data, *status_codes, content=content, method=method)._replace(refused=MORE)


def bad(refused: Refused, data: bytes, method: bytes = b"GET") -> Answer:
    """Make a row of a response whose head is refused."""
    return Answer(data, refused=refused, method=method)


def cut(refused: Refused, data: bytes, content: bytes = b"") -> Answer:
    """Make a row of a response whose content is refused."""
    return Answer(data, (200,), content, refused=refused)


def head(*lines: bytes, start: bytes = b"HTTP/1.1 200 OK") -> bytes:
    """Make the head of a response with these field lines."""
    return b"\r\n".join((start, *lines)) + b"\r\n\r\n"


def start(line: bytes) -> bytes:
    """Make a response with this status line."""
    return head(b"Content-Length: 0", start=line)


CHUNKED: Final = head(b"Transfer-Encoding: chunked")
