"""Responses that a client must read, as bytes and as what they say (RFC 9112 §4 to §7)."""

from __future__ import annotations

import string
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from spry_core.protocol.events import RawFields
from spry_core.testing.strategies.content import Framed, chunked, contents, with_length
from spry_core.testing.strategies.fields import PADDINGS, field_lines, header_sections
from spry_core.testing.strategies.shown import Shown

WITHOUT_CONTENT: Final = (204, 304)
"""Final responses that never have content (RFC 9112 §6.3); a 204 does not even have the fields of one (RFC 9110 §8.6)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpResponse(Shown):
    """One response: what it says, and its bytes, which it shows."""

    status_code: int = field(default=200, repr=False)
    """200 to 599 (RFC 9110 §15)."""
    reason_phrase: bytes = field(default=b"", repr=False)
    """Maybe empty (RFC 9112 §4)."""
    http_version: bytes = field(default=b"1.1", repr=False)
    """``b"1.1"`` or ``b"1.0"``."""
    headers: RawFields = field(default=(), repr=False)
    """The header section: names as they are written, values without the whitespace around them."""
    content: bytes = field(default=b"", repr=False)
    """The content, without its framing."""
    trailers: RawFields = field(default=(), repr=False)
    """The trailer section (RFC 9110 §6.5)."""
    interim: tuple[int, ...] = field(default=(), repr=False)
    """The status codes of the interim responses before it (RFC 9110 §15.2)."""
    ends_with_stream: bool = field(default=False, repr=False)
    """True if only the end of the stream tells where the content ends (RFC 9112 §6.3, last rule)."""
    data: bytes
    """All of it, as it goes over the wire."""


def status_codes() -> st.SearchStrategy[int]:
    """Give the status codes of final responses; the simplest is 200 (RFC 9110 §15)."""
    return st.sampled_from((200, 204, 304, 404, 500)) | st.integers(200, 599)


def reason_phrases() -> st.SearchStrategy[bytes]:
    """Give reason phrases; the simplest is empty (RFC 9112 §4)."""
    text = st.text(st.sampled_from(string.ascii_letters + " \té'"), max_size=12)
    return text.map(lambda text: text.encode("latin-1"))


_STATUS_CODES: Final = status_codes()
_CONTENTS: Final = contents()
_HEADERS: Final = header_sections()
_PHRASES: Final = reason_phrases()
_INTERIM: Final = st.lists(st.sampled_from((100, 102, 103)), max_size=2)


@st.composite
def responses(
    draw: st.DrawFn, *, method: bytes = b"GET", content: st.SearchStrategy[bytes] | None = None
) -> HttpResponse:
    """Give the valid responses to a request of `method`; the simplest is a 200 without content.

    They cover both versions, all framings, those that have no content whatever their fields say, and interim responses before
    them. A 101 never comes up: `opening_handshakes` are answered by hand.

    Args:
        method: The method of the request; HEAD is answered without content, whatever Content-Length says.
        content: Instead of any content.

    RFC 9112 §4, §6.3, RFC 9110 §15.
    """
    status_code = draw(_STATUS_CODES)
    version = draw(st.sampled_from((b"1.1", b"1.1", b"1.0")))
    body = draw(_CONTENTS if content is None else content)
    framed = draw(_framings(body, version)) if status_code != 204 else Framed()
    has_content = method != b"HEAD" and status_code not in WITHOUT_CONTENT
    more = draw(_HEADERS)
    section = (*framed.fields, *more)
    phrase = draw(_PHRASES)
    interim = draw(_INTERIM)
    if version == b"1.0":  # which knows none (RFC 9110 §15.2)
        interim.clear()
    before = b"".join(b"HTTP/1.1 %d \r\n\r\n" % each for each in interim)
    head = b"HTTP/%s %d %s\r\n%s\r\n" % (version, status_code, phrase, field_lines(section, draw(PADDINGS)))
    return HttpResponse(
        status_code=status_code,
        reason_phrase=phrase,
        http_version=version,
        headers=section,
        content=body if has_content else b"",
        trailers=framed.trailers if has_content else (),
        interim=tuple(interim),
        ends_with_stream=has_content and not framed.fields,
        data=before + head + (framed.data if has_content else b""),
    )


def _framings(body: bytes, version: bytes) -> st.SearchStrategy[Framed]:
    framings = [st.just(Framed(data=body)), with_length(body)]  # to the end of the stream is the shortest
    if version == b"1.1":
        framings.append(chunked(body))
    return st.one_of(framings)
