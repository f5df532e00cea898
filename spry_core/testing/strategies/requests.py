"""Requests of HTTP/1.1 and HTTP/1.0 that a server must read, as bytes and as what they say (RFC 9112 §3 to §7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from spry_core.protocol.events import RawFields
from spry_core.testing.strategies.content import Framed, chunked, contents, with_length
from spry_core.testing.strategies.fields import PADDINGS, field_lines, header_sections, tokens
from spry_core.testing.strategies.shown import Shown
from spry_core.testing.strategies.targets import hosts
from spry_core.testing.strategies.targets import targets as any_targets

METHODS: Final = (b"GET", b"POST", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"PATCH")
"""The methods that come up most (RFC 9110 §9.3). CONNECT never does: what follows it is no HTTP."""

KEEPING: Final = ((), (b"keep-alive",), (b"", b"Keep-Alive , x"), (b"x,,y",))
"""Values of Connection that leave an HTTP/1.1 connection open, one for each field line (RFC 9112 §9.3)."""

ENDING: Final = ((b"close",), (b"Close",), (b"x, CLOSE ,y",), (b"keep-alive", b"close"))
"""Values of Connection that end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest(Shown):
    """One request: what it says, and its bytes. It shows itself as its bytes, which say all the rest."""

    method: bytes = field(default=b"GET", repr=False)
    """A token (RFC 9110 §9.1)."""
    target: bytes = field(default=b"/", repr=False)
    """The target as it stands on the wire (RFC 9112 §3.2)."""
    http_version: bytes = field(default=b"1.1", repr=False)
    """``b"1.1"`` or ``b"1.0"``."""
    headers: RawFields = field(default=(), repr=False)
    """The whole header section: names as they are written, values without the whitespace around them."""
    content: bytes = field(default=b"", repr=False)
    """The content, without its framing."""
    trailers: RawFields = field(default=(), repr=False)
    """The trailer section (RFC 9110 §6.5)."""
    is_last: bool = field(default=False, repr=False)
    """True if the connection ends with its answer: HTTP/1.0, or ``Connection: close`` (RFC 9112 §9.3)."""
    data: bytes
    """All of it, as it goes over the wire."""

    @property
    def path(self) -> bytes:
        """The path of the target, without the query; that of an absolute target is ``b"/"`` if it has none."""
        rest = self.target
        if not rest.startswith(b"/") and b"://" in rest:
            authority, slash, path = rest.partition(b"://")[2].partition(b"/")
            rest = slash + path if slash else b"/" + b"".join(authority.partition(b"?")[1:])
        return rest.partition(b"?")[0]


def http_methods() -> st.SearchStrategy[bytes]:
    """Give methods: the usual ones, then any token; the simplest is ``b"GET"``. CONNECT is not among them."""
    own = tokens().filter(lambda token: token != b"CONNECT" and token not in METHODS)
    return st.sampled_from(METHODS) | own


@st.composite
def requests(
    draw: st.DrawFn,
    *,
    methods: st.SearchStrategy[bytes] | None = None,
    targets: st.SearchStrategy[bytes] | None = None,
    content: st.SearchStrategy[bytes] | None = None,
    headers: st.SearchStrategy[RawFields] | None = None,
    is_last: bool | None = None,
) -> HttpRequest:
    """Give valid requests; the simplest is ``GET / HTTP/1.1`` with a Host and nothing else.

    They cover both versions, all framings (none, Content-Length, chunked with extensions and trailers), every way to write
    fields and sizes, absolute targets, the asterisk of OPTIONS, empty lines before the request line, Expect, and what
    Connection may say. None of them offers another protocol.

    Args:
        methods: Instead of any method.
        targets: Instead of any target; paths for one application, for example.
        content: Instead of any content.
        headers: Instead of any further fields; one of Host, Connection or the framing does not belong here.
        is_last: True for those that end the connection, False for those that do not, None for both.

    RFC 9112 §3 to §7, §9.3.
    """
    method = draw(_METHODS if methods is None else methods)
    target = draw(_targets_of(method) if targets is None else targets)
    version = draw(st.sampled_from(_versions(is_last)))
    more = draw(_HEADERS if headers is None else headers)
    body = draw(_CONTENTS if content is None else content)
    framed = draw(_framings(body, version))
    options = draw(_options(version, is_last))
    place = draw(st.integers(0, len(more)))
    expects = ((b"Expect", b"100-continue"),) if body and draw(_RARELY) and version == b"1.1" else ()
    own = ((b"Host", draw(_HOSTS)), *framed.fields, *expects, *((b"Connection", each) for each in options))
    section = (*more[:place], *own, *more[place:])
    lines = draw(_EMPTY_LINES)
    head = b"%s%s %s HTTP/%s\r\n%s\r\n" % (
        lines,
        method,
        target,
        version,
        field_lines(section, draw(PADDINGS)),
    )
    return HttpRequest(
        method=method,
        target=target,
        http_version=version,
        headers=section,
        content=body,
        trailers=framed.trailers,
        is_last=version == b"1.0" or options in ENDING,
        data=head + framed.data,
    )


_METHODS: Final = http_methods()
_TARGETS: Final = any_targets()
_ASTERISK: Final = _TARGETS | st.just(b"*")
_HEADERS: Final = header_sections()
_CONTENTS: Final = contents()
_HOSTS: Final = hosts()
_RARELY: Final = st.integers(0, 9).map(lambda number: number == 9)
_EMPTY_LINES: Final = st.sampled_from((b"", b"", b"", b"\r\n", b"\r\n" * 4))


def _targets_of(method: bytes) -> st.SearchStrategy[bytes]:
    """Give the targets that a request of this method may have (RFC 9112 §3.2.4)."""
    return _ASTERISK if method == b"OPTIONS" else _TARGETS


def _versions(is_last: bool | None) -> tuple[bytes, ...]:
    return (b"1.1",) if is_last is False else (b"1.1", b"1.1", b"1.1", b"1.0")


def _framings(body: bytes, version: bytes) -> st.SearchStrategy[Framed]:
    """Give the framings of a request's content (RFC 9112 §6.3); HTTP/1.0 knows no chunks (§6.1)."""
    framings = [with_length(body)] if body else [st.just(Framed()), with_length(body)]
    # Never one alone: what has a choice less would be the simplest, and that is not HTTP/1.0.
    framings.append(chunked(body) if version == b"1.1" else with_length(body))
    return st.one_of(framings)


def _options(version: bytes, is_last: bool | None) -> st.SearchStrategy[tuple[bytes, ...]]:
    """Give what Connection says, as the values of its lines."""
    if is_last is None:
        return st.sampled_from((*KEEPING, *KEEPING, *ENDING))
    return st.sampled_from(ENDING if is_last and version == b"1.1" else KEEPING)
