"""Requests that a server must refuse, each with what it deserves (RFC 9112 §2 to §7).

Each is a right request with one fault put into it, behind requests that are right. Where the standard leaves a server the
choice between repair and refusal, the verdict is refusal: what has two readings smuggles (RFC 9112 §11.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeAlias

from hypothesis import strategies as st

from spry_core.protocol.limits import Limits
from spry_core.testing.strategies.conversations import http_conversations
from spry_core.testing.strategies.fields import field_names
from spry_core.testing.strategies.requests import HttpRequest, requests
from spry_core.testing.strategies.shown import Shown
from spry_core.testing.strategies.verdict import Verdict

CONTROLS: Final = tuple(bytes((each,)) for each in (*range(9), 11, 12, *range(14, 32), 127))
"""Every control character but HTAB, LF and CR: none may stand in a head."""

CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenRequests(Shown):
    """Bytes of a client that end in a fault."""

    data: bytes
    """What goes over the wire."""
    before: tuple[HttpRequest, ...] = field(default=(), repr=False)
    """The requests before the faulty one, which are right and are answered."""
    verdict: Verdict
    """What the last one deserves. Nothing behind it may be read as a request."""


class Parts(NamedTuple):
    """A request in parts, for a fault to be put in."""

    line: bytes = b"POST / HTTP/1.1"
    host: bytes = b"Host: a\r\n"
    fields: bytes = b""
    framing: bytes = b""
    body: bytes = b""

    def data(self) -> bytes:
        """Return the bytes."""
        return b"%s\r\n%s%s%s\r\n%s" % (self.line, self.host, self.fields, self.framing, self.body)


Fault: TypeAlias = Callable[[st.DrawFn, Limits], Parts]


@dataclass(frozen=True, slots=True)
class Broken:
    """One kind of fault."""

    fault: str
    status_code: int
    section: str
    make: Fault


_LASTING: Final = requests(is_last=False)
_NAMES: Final = field_names()
_SHORT_NAMES: Final = field_names(max_size=3)


def _any(draw: st.DrawFn, *choices: bytes) -> bytes:
    return draw(st.sampled_from(choices))


def _line(*lines: bytes) -> Fault:
    return lambda draw, limits: Parts(line=_any(draw, *lines))


def _field(*lines: bytes) -> Fault:
    """Make a request with one of these lines of a field, ``N`` standing for any name."""

    def make(draw: st.DrawFn, limits: Limits) -> Parts:
        name = draw(_NAMES)
        return Parts(fields=_any(draw, *lines).replace(b"N", name))

    return make


def _host(*lines: bytes) -> Fault:
    return lambda draw, limits: Parts(host=_any(draw, *lines))


def _framing(*fields: bytes) -> Fault:
    return lambda draw, limits: Parts(framing=_any(draw, *fields), body=b"0\r\n\r\n")


def _chunks(*bodies: bytes) -> Fault:
    return lambda draw, limits: Parts(framing=CHUNKED, body=_any(draw, *bodies))


def _control(draw: st.DrawFn, limits: Limits) -> Parts:
    return Parts(fields=b"%s: a%sb\r\n" % (draw(_NAMES), _any(draw, *CONTROLS)))


def _long_line(draw: st.DrawFn, limits: Limits) -> Parts:
    return Parts(line=b"GET /" + b"a" * limits.max_request_line + b" HTTP/1.1")


def _long_field(draw: st.DrawFn, limits: Limits) -> Parts:
    return Parts(fields=b"%s: %s\r\n" % (draw(_NAMES), b"a" * limits.max_field_line))


def _many_fields(draw: st.DrawFn, limits: Limits) -> Parts:
    return Parts(fields=b"%s:\r\n" % draw(_SHORT_NAMES) * limits.max_fields)


def _long_extension(draw: st.DrawFn, limits: Limits) -> Parts:
    return Parts(framing=CHUNKED, body=b"1;" + b"a" * limits.max_chunk_line + b"\r\na\r\n0\r\n\r\n")


def _many_trailers(draw: st.DrawFn, limits: Limits) -> Parts:
    body = b"0\r\n" + b"%s:\r\n" % draw(_SHORT_NAMES) * (limits.max_trailer_fields + 1)
    return Parts(framing=CHUNKED, body=body + b"\r\n")


def _empty_lines(draw: st.DrawFn, limits: Limits) -> Parts:
    return Parts(line=b"\r\n" * (limits.max_empty_lines + 1) + b"GET / HTTP/1.1")


BROKEN: Final[tuple[Broken, ...]] = (
    Broken("no Host field", 400, "RFC 9112 §3.2", _host(b"")),
    Broken("more than one Host field", 400, "RFC 9112 §3.2", _host(b"Host: a\r\nHost: a\r\n")),
    Broken(
        "malformed Host field",
        400,
        "RFC 9112 §3.2",
        _host(b"Host: a/b\r\n", b"Host: u@a\r\n", b"Host: a b\r\n", b"Host: a:b\r\n", b"Host: [::1\r\n"),
    ),
    Broken(
        "malformed request line",
        400,
        "RFC 9112 §3",
        _line(
            *(b"GET /", b"GET  / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET / http/1.1", b" GET / HTTP/1.1"),
            *(b"GET\t/ HTTP/1.1", b"GET / HTTP/1.10", b"G(T / HTTP/1.1", b"GET /\x00 HTTP/1.1"),
            *(b"GET /\xe9 HTTP/1.1", b"GET / x HTTP/1.1", b"HTTP/1.1 200 OK", b"GET / HTTP/1.1\r"),
        ),
    ),
    Broken(
        "neither HTTP/1.1 nor HTTP/1.0",
        505,
        "RFC 9110 §15.6.6",
        _line(b"GET / HTTP/1.2", b"GET / HTTP/0.9", b"GET / HTTP/2.0", b"PRI * HTTP/2.0"),
    ),
    Broken("fragment in the request target", 400, "RFC 9112 §3.2", _line(b"GET /#a HTTP/1.1")),
    Broken(
        "malformed request target",
        400,
        "RFC 9112 §3.2",
        _line(b"GET a HTTP/1.1", b"GET * HTTP/1.1", b"GET http:/a HTTP/1.1", b"GET http://u@a/ HTTP/1.1"),
    ),
    Broken(
        "malformed field line",
        400,
        "RFC 9112 §5",
        _field(
            b"N : a\r\n", b"N\t: a\r\n", b"N\r\n", b": a\r\n", b"N N: a\r\n", b"N\xe9: a\r\n", b"N: \r\r\n"
        ),
    ),
    Broken("control character in a field value", 400, "RFC 9112 §5", _control),
    Broken("obsolete line folding", 400, "RFC 9112 §5.2", _field(b"N: a\r\n b\r\n", b"N:\r\n\ta\r\n")),
    Broken("bare LF", 400, "RFC 9112 §2.2", _field(b"N: a\n", b"N: a\nN: b\r\n")),
    Broken(
        "both Content-Length and Transfer-Encoding",
        400,
        "RFC 9112 §6.1",
        _framing(CHUNKED + b"Content-Length: 5\r\n", b"Content-Length: 5\r\n" + CHUNKED),
    ),
    Broken(
        "Transfer-Encoding in HTTP/1.0",
        400,
        "RFC 9112 §6.1",
        lambda draw, limits: Parts(line=b"POST / HTTP/1.0", framing=CHUNKED, body=b"0\r\n\r\n"),
    ),
    Broken(
        "a transfer coding other than chunked",
        501,
        "RFC 9112 §6.1",
        _framing(b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: x\r\n", CHUNKED + CHUNKED),
    ),
    Broken(
        "malformed Content-Length",
        400,
        "RFC 9112 §6.3",
        _framing(
            *(b"Content-Length: +5\r\n", b"Content-Length: -5\r\n", b"Content-Length: 5, 5\r\n"),
            *(b"Content-Length:\r\n", b"Content-Length: 0x5\r\n", b"Content-Length: 1_0\r\n"),
            *(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 5 5\r\n"),
        ),
    ),
    Broken(
        "malformed chunk-size line",
        400,
        "RFC 9112 §7.1",
        _chunks(b"x\r\n", b"+1\r\na\r\n", b"0x1\r\na\r\n", b"\r\n0\r\n\r\n", b"1 \r\na\r\n", b"1;\r\na\r\n"),
    ),
    Broken(
        "chunk data not followed by CRLF",
        400,
        "RFC 9112 §7.1",
        _chunks(b"1\r\nab\r\n0\r\n\r\n", b"1\r\na0\r\n\r\n", b"2\r\na\r\n0\r\n\r\n"),
    ),
    Broken(
        "bare LF in the framing of chunks",
        400,
        "RFC 9112 §2.2",
        _chunks(b"1\na\r\n0\r\n\r\n", b"1\r\na\r\n0\n\r\n", b"0\r\na: b\n\r\n"),
    ),
    Broken(
        "a framing field in the trailer section",
        400,
        "RFC 9110 §6.5.1",
        _chunks(b"0\r\nContent-Length: 1\r\n\r\n", b"0\r\ntransfer-encoding: chunked\r\n\r\n"),
    ),
    Broken("malformed trailer", 400, "RFC 9112 §5", _chunks(b"0\r\na : b\r\n\r\n", b"0\r\na\r\n\r\n")),
    Broken("the start line is too long", 414, "RFC 9112 §3", _long_line),
    Broken("a field line is too long", 431, "RFC 6585 §5", _long_field),
    Broken("too many fields", 431, "RFC 6585 §5", _many_fields),
    Broken("a chunk-size line is too long", 400, "RFC 9112 §7.1", _long_extension),
    Broken("too many trailer fields", 400, "RFC 9112 §7.1.2", _many_trailers),
    Broken("too many empty lines before a start line", 400, "RFC 9112 §2.2", _empty_lines),
)
"""Every kind of fault, those that beginners make first."""


@st.composite
def broken_requests(
    draw: st.DrawFn,
    *,
    before: st.SearchStrategy[HttpRequest] | None = None,
    limits: Limits | None = None,
    max_before: int = 2,
) -> BrokenRequests:
    """Give requests of which the last one is broken, in one of 26 ways; the simplest has no Host.

    Args:
        before: Instead of any requests before it.
        limits: The limits of whoever reads them, which the faults of size go beyond.
        max_before: Requests before it at most.

    RFC 9112 §2 to §7.
    """
    lasting = _LASTING if before is None else before.filter(lambda each: not each.is_last)
    earlier = tuple[HttpRequest, ...]()
    if max_before and draw(st.booleans()):
        earlier = draw(http_conversations(requests=lasting, max_size=max_before)).requests
    kind = draw(st.sampled_from(BROKEN))
    data = kind.make(draw, limits or Limits()).data()
    return BrokenRequests(
        data=b"".join(each.data for each in earlier) + data,
        before=earlier,
        verdict=Verdict(fault=kind.fault, section=kind.section, status_code=kind.status_code),
    )
