"""What a row of the corpus says: bytes, and the one way in which they are read."""

from __future__ import annotations

from typing import Final, NamedTuple

from spry_core.protocol import RawFields


class Read(NamedTuple):
    """A request that was read to its end."""

    method: bytes
    target: bytes
    content: bytes = b""
    trailers: RawFields = ()


class Refused(NamedTuple):
    """Why the bytes were refused, and with which status."""

    status_code: int
    message: str
    section: str


class Case(NamedTuple):
    """Bytes from a client, and what a server makes of them."""

    data: bytes
    requests: tuple[Read, ...] = ()
    """Those that are complete, in order."""
    refused: Refused | None = None
    """What comes behind them, if it is a fault."""
    is_last: bool = False
    """True if nothing is served behind the last of them."""


def good(data: bytes, *requests: Read, is_last: bool = False) -> Case:
    """Make a row of bytes that are right, however unusual."""
    return Case(data, requests, None, is_last)


def bad(refused: Refused, data: bytes, *requests: Read) -> Case:
    """Make a row of bytes that are refused, behind those requests."""
    return Case(data, requests, refused)


def head(*lines: bytes, start: bytes = b"POST / HTTP/1.1", host: bytes | None = b"a") -> bytes:
    """Make the head of a request with these field lines, Host first."""
    hosts = () if host is None else (b"Host: " + host,)
    return b"\r\n".join((start, *hosts, *lines)) + b"\r\n\r\n"


GET: Final = head(start=b"GET /next HTTP/1.1")
"""A request that is beyond doubt."""

NEXT: Final = Read(b"GET", b"/next")
"""It, as it is read."""

POSTED: Final = Read(b"POST", b"/")
"""A request without content, as `head` makes it."""

BARE_LF: Final = Refused(400, "a line ends with a bare LF", "RFC 9112 §2.2")
BAD_FIELD: Final = Refused(400, "malformed field line", "RFC 9112 §5")
FOLDED: Final = Refused(400, "obsolete line folding", "RFC 9112 §5.2")
