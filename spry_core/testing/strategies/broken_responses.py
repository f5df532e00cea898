"""Responses that a client must refuse, each with what is wrong with it (RFC 9112 §4 to §9).

No status code answers a fault of a server: the client ends the connection, and what was not whole never looks whole.
Where the standard leaves a client the choice between repair and refusal, the verdict is refusal, as for requests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, TypeAlias

from hypothesis import strategies as st

from spry_core.protocol.limits import Limits
from spry_core.testing.strategies.fields import field_names
from spry_core.testing.strategies.responses import HttpResponse, responses
from spry_core.testing.strategies.shown import Shown
from spry_core.testing.strategies.verdict import Verdict

CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
CHUNK: Final = b"3\r\nabc\r\n"
OK: Final = b"HTTP/1.1 200 OK"

Place: TypeAlias = Literal["head", "content", "behind"]
"""Where the fault is: in the head, in the content, or behind a response that is right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenResponse(Shown):
    """Bytes of a server up to the end of its stream, with a fault in them."""

    data: bytes
    """What goes over the wire. Then the stream ends, which is the fault itself where something is missing."""
    status_codes: tuple[int, ...] = field(default=(), repr=False)
    """Those of the heads before the fault, interim ones first: these are right, and are read."""
    content: bytes = field(default=b"", repr=False)
    """The content before the fault, which may have been given out when the fault is found."""
    is_whole: bool = field(default=False, repr=False)
    """True if the response is right and complete, and the fault stands behind it."""
    verdict: Verdict
    """What is wrong. It has neither code: the client ends the connection and says nothing."""


class Answered(NamedTuple):
    """A response with a fault, and what of it is right."""

    data: bytes
    status_codes: tuple[int, ...] = ()
    content: bytes = b""


Fault: TypeAlias = Callable[[st.DrawFn, Limits, bytes], Answered]
"""Makes one, for a client with these limits that has sent this method."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One kind of fault."""

    fault: str
    section: str
    make: Fault
    place: Place = "head"


_NAMES: Final = field_names()
_SHORT_NAMES: Final = field_names(max_size=3)
_INTERIM: Final = st.lists(st.sampled_from((100, 102, 103)), max_size=2)
_CODES: Final = st.sampled_from((200, 204, 304, 404))


def _any(draw: st.DrawFn, *choices: bytes) -> bytes:
    return draw(st.sampled_from(choices))


def _line(*lines: bytes) -> Fault:
    return lambda draw, limits, method: Answered(_any(draw, *lines) + b"\r\nContent-Length: 0\r\n\r\n")


def _fields(*lines: bytes) -> Fault:
    """Make a response with one of these, ``N`` standing for any name; a fault in a head counts whatever the status is."""

    def make(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
        own = _any(draw, *lines).replace(b"N:", draw(_NAMES) + b":")
        return Answered(b"HTTP/1.1 %d A\r\n%s\r\n%s0\r\n\r\n" % (draw(_CODES), own, CHUNK))

    return make


def _behind_chunk(*rests: bytes) -> Fault:
    """Make chunks of which the first is right, and one of these behind it."""
    return lambda draw, limits, method: _chunks(CHUNK + _any(draw, *rests), b"abc")


def _chunks(body: bytes, content: bytes = b"") -> Answered:
    return Answered(b"%s\r\n%s\r\n%s" % (OK, CHUNKED, body), (200,), content)


def _control(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    control = _any(draw, b"\x00", b"\x01", b"\x0b", b"\x1b", b"\x7f", b"\r")
    return Answered(b"%s\r\n%s: a%sb\r\n\r\n" % (OK, draw(_NAMES), control))


def _long_line(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    return Answered(OK + b"a" * limits.max_request_line + b"\r\n\r\n")


def _long_field(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    return Answered(b"%s\r\n%s: %s\r\n\r\n" % (OK, draw(_NAMES), b"a" * limits.max_field_line))


def _many_fields(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    return Answered(OK + b"\r\n" + b"%s:\r\n" % draw(_SHORT_NAMES) * (limits.max_fields + 1) + b"\r\n")


def _long_extension(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    return _chunks(b"1;" + b"a" * limits.max_chunk_line + b"\r\na\r\n0\r\n\r\n")


def _many_trailers(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    return _chunks(b"0\r\n" + b"%s:\r\n" % draw(_SHORT_NAMES) * (limits.max_trailer_fields + 1) + b"\r\n")


def _nothing(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    """Break a head off anywhere, before its first byte as well."""
    whole = OK + b"\r\nContent-Length: 0\r\n\r\n"
    return Answered(whole[: draw(st.integers(0, len(whole) - 1))])


def _short(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    """End before the length is reached, or before the last chunk and its empty line have come."""
    if draw(st.booleans()):
        rest, has_content = draw(st.sampled_from(_BROKEN_OFF))
        return _chunks(rest, b"abc" if has_content else b"")
    content = draw(st.binary(max_size=5))
    length = len(content) + draw(st.integers(1, 1000))
    return Answered(b"%s\r\nContent-Length: %d\r\n\r\n%s" % (OK, length, content), (200,), content)


_BROKEN_OFF: Final = (
    (b"", False),
    (b"3", False),
    (b"3\r\nabc", True),
    (CHUNK, True),
    (CHUNK + b"0\r\n", True),
    (CHUNK + b"0\r\na: b\r\n", True),
    (CHUNK + b"0\r\n\r", True),
)
"""Chunked contents that lack their end, and whether there is content in them."""


def _more(draw: st.DrawFn, limits: Limits, method: bytes) -> Answered:
    """Put bytes behind a response that is right: content that it does not have, or a response that nobody asked for."""
    right = draw(responses(method=method).filter(_keeps_alive))
    rest = _any(draw, b"a", b"\r\n", CHUNK, OK + b"\r\nContent-Length: 0\r\n\r\n", b"HTTP/1.1 100 A\r\n\r\n")
    return Answered(right.data + rest, (right.status_code,), right.content)


def _keeps_alive(response: HttpResponse) -> bool:
    """Tell whether a client goes on reading behind it; other interim responses than the drawn ones are not needed."""
    is_last = response.ends_with_stream or response.http_version == b"1.0"
    return not is_last and not response.interim


BROKEN: Final[tuple[Broken, ...]] = (
    Broken(
        "malformed status line",
        "RFC 9112 §4",
        _line(
            *(b"HTTP/1.1", b"HTTP/1.1 ", b"HTTP/1.1 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK"),
            *(b"HTTP/1.1 +20 OK", b"HTTP/1.1 099 OK", b"HTTP/1.1 200OK", b"HTTP/1.1  200 OK"),
            *(b"HTTP/1.1\t200 OK", b" HTTP/1.1 200 OK", b"http/1.1 200 OK", b"HTTP/1.10 200 OK"),
            *(b"HTTP/1 200 OK", b"ICY 200 OK", b"\r\nHTTP/1.1 200 OK", b"HTTP/1.1 200 O\x00K"),
            *(b"HTTP/1.1 200 O\x7fK", b"HTTP/1.1 200 OK\r", b"GET / HTTP/1.1", b"abc"),
        ),
    ),
    Broken(
        "neither HTTP/1.1 nor HTTP/1.0",
        "RFC 9110 §15.6.6",
        _line(b"HTTP/2.0 200 OK", b"HTTP/1.2 200 OK", b"HTTP/0.9 200 OK"),
    ),
    Broken(
        "a 101 that nobody asked for",
        "RFC 9110 §15.2.2",
        _line(b"HTTP/1.1 101 A", b"HTTP/1.1 101 A\r\nUpgrade: websocket\r\nConnection: Upgrade"),
    ),
    Broken(
        "malformed field line",
        "RFC 9112 §5",
        _fields(
            b"a : b\r\n", b"a\t: b\r\n", b"a\r\n", b": b\r\n", b"a N: b\r\n", b"\xe9N: b\r\n", b"N: \r\r\n"
        ),
    ),
    Broken("control character in a field value", "RFC 9112 §5", _control),
    Broken(
        "obsolete line folding", "RFC 9112 §5.2", _fields(b"N: a\r\n b\r\n", b"N:\r\n\ta\r\n", b" N: a\r\n")
    ),
    Broken("bare LF", "RFC 9112 §2.2", _fields(b"N: a\n", b"N: a\na: b\r\n")),
    Broken(
        "both Content-Length and Transfer-Encoding",
        "RFC 9112 §6.1",
        _fields(CHUNKED + b"Content-Length: 5\r\n", b"Content-Length: 5\r\n" + CHUNKED),
    ),
    Broken(
        "Transfer-Encoding in HTTP/1.0",
        "RFC 9112 §6.1",
        lambda draw, limits, method: Answered(b"HTTP/1.0 200 OK\r\n%s\r\n%s0\r\n\r\n" % (CHUNKED, CHUNK)),
    ),
    Broken(
        "a transfer coding other than chunked",
        "RFC 9112 §6.1",
        _fields(
            *(b"Transfer-Encoding: gzip, chunked\r\n", b"Transfer-Encoding: identity\r\n", CHUNKED * 2),
            *(b"Transfer-Encoding: chunked, identity\r\n", b"Transfer-Encoding:\r\n"),
        ),
    ),
    Broken(
        "malformed Content-Length",
        "RFC 9112 §6.3",
        _fields(
            *(b"Content-Length: +5\r\n", b"Content-Length: -5\r\n", b"Content-Length: 5, 5\r\n"),
            *(b"Content-Length:\r\n", b"Content-Length: 0x5\r\n", b"Content-Length: 1_0\r\n"),
            *(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"Content-Length: 5 5\r\n"),
        ),
    ),
    Broken("the start line is too long", "RFC 9112 §3", _long_line),
    Broken("a field line is too long", "RFC 6585 §5", _long_field),
    Broken("too many fields", "RFC 6585 §5", _many_fields),
    Broken("the stream ended before the response", "RFC 9112 §8", _nothing),
    Broken(
        "malformed chunk-size line",
        "RFC 9112 §7.1",
        _behind_chunk(
            b"x\r\n", b"+1\r\na\r\n", b"0x1\r\na\r\n", b"\r\n0\r\n\r\n", b"1 \r\na\r\n", b"1;\r\na\r\n"
        ),
        "content",
    ),
    Broken(
        "chunk data not followed by CRLF",
        "RFC 9112 §7.1",
        lambda draw, limits, method: _chunks(
            _any(draw, b"3\r\nabcd\r\n", b"3\r\nabc0\r\n\r\n", b"3\r\nabc\n", b"3\r\nabc\r\r\n"), b"abc"
        ),
        "content",
    ),
    Broken(
        "bare LF in the framing of chunks",
        "RFC 9112 §2.2",
        _behind_chunk(b"1\na\r\n0\r\n\r\n", b"0\n\r\n", b"0\r\na: b\n\r\n"),
        "content",
    ),
    Broken(
        "a framing field in the trailer section",
        "RFC 9110 §6.5.1",
        _behind_chunk(b"0\r\nContent-Length: 1\r\n\r\n", b"0\r\ntransfer-encoding: chunked\r\n\r\n"),
        "content",
    ),
    Broken(
        "malformed trailer",
        "RFC 9112 §5",
        _behind_chunk(b"0\r\na : b\r\n\r\n", b"0\r\na\r\n\r\n", b"0\r\n" + OK + b"\r\n\r\n"),
        "content",
    ),
    Broken("a chunk-size line is too long", "RFC 9112 §7.1", _long_extension, "content"),
    Broken("too many trailer fields", "RFC 9112 §7.1.2", _many_trailers, "content"),
    Broken("the stream ended inside the content", "RFC 9112 §8", _short, "content"),
    Broken("a response that nobody asked for", "RFC 9112 §9.2", _more, "behind"),
)
"""Every kind of fault."""


@st.composite
def broken_responses(
    draw: st.DrawFn, *, method: bytes = b"GET", limits: Limits | None = None
) -> BrokenResponse:
    """Give responses to a request of `method` with a fault, of one of 24 kinds; the simplest is ``HTTP/1.1`` alone in its line.

    Interim responses may stand before them. To HEAD there is no fault of the content, which no response to it has.

    Args:
        method: The method of the request.
        limits: The limits of the client, which the faults of size go beyond.

    RFC 9112 §4 to §9.
    """
    interim = draw(_INTERIM)
    kind = draw(st.sampled_from([each for each in BROKEN if method != b"HEAD" or each.place != "content"]))
    answered = kind.make(draw, limits or Limits(), method)
    return BrokenResponse(
        data=b"".join(b"HTTP/1.1 %d \r\n\r\n" % each for each in interim) + answered.data,
        status_codes=(*interim, *answered.status_codes),
        content=answered.content,
        is_whole=kind.place == "behind",
        verdict=Verdict(fault=kind.fault, section=kind.section),
    )
