"""Tokens, field values and whole sections of fields (RFC 9110 §5)."""

from __future__ import annotations

import string
from typing import Final

from hypothesis import strategies as st

from spry_core.protocol.events import RawFields

TOKEN_CHARACTERS: Final = string.ascii_lowercase + string.ascii_uppercase + string.digits + "-!#$%&'*+.^_`|~"
"""Every character of a token, the plain ones first (RFC 9110 §5.6.2)."""

MEANINGFUL: Final = frozenset(
    (
        *(b"connection", b"content-length", b"date", b"expect", b"host", b"http2-settings", b"keep-alive"),
        *(b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade"),
    )
)
"""Names of fields that change how a message is read or what follows it, in lower case; sections have none of them by chance."""

MEANINGFUL_PREFIXES: Final = (b"sec-websocket-",)
"""Beginnings of names of which the same is true."""

WHITESPACE: Final = (b" ", b"", b"\t", b"  ", b" \t ")
"""What may stand around a field value (RFC 9112 §5)."""


def tokens(*, max_size: int = 10) -> st.SearchStrategy[bytes]:
    """Give tokens, of every character that one may have; the simplest is ``b"0"`` (RFC 9110 §5.6.2)."""
    return st.text(st.sampled_from(TOKEN_CHARACTERS), min_size=1, max_size=max_size).map(str.encode)


def has_no_meaning(name: bytes) -> bool:
    """Tell whether a field of that name leaves framing and connection alone."""
    lowered = name.lower()
    return lowered not in MEANINGFUL and not lowered.startswith(MEANINGFUL_PREFIXES)


def field_names(*, max_size: int = 10) -> st.SearchStrategy[bytes]:
    """Give names of fields that mean nothing to whoever frames messages."""
    return tokens(max_size=max_size).filter(has_no_meaning)


def field_values(*, max_size: int = 20) -> st.SearchStrategy[bytes]:
    """Give values of fields: visible characters, spaces and tabs inside, 8-bit characters (RFC 9110 §5.5).

    The simplest is empty.
    """
    plain = st.text(st.sampled_from("0" + string.ascii_lowercase + " ,;="), max_size=max_size)
    every = st.text(
        st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f") | st.just("\t"),
        max_size=max_size,
    )
    return (plain | every).map(lambda text: text.strip(" \t").encode("latin-1"))


def header_sections(*, max_size: int = 4) -> st.SearchStrategy[RawFields]:
    """Give pairs of name and value, names in any case and with repeats (RFC 9110 §5.2, §5.3). The simplest has none.

    None of them says anything about framing, the host or the connection; `requests` and `responses` add those.
    """
    return st.lists(st.tuples(field_names(), field_values()), max_size=max_size).map(tuple)


PADDINGS: Final = st.tuples(st.sampled_from(WHITESPACE), st.sampled_from((b"", b" ", b"\t", b" \t")))
"""What stands before and behind the values of one section."""


def field_lines(fields: RawFields, padding: tuple[bytes, bytes]) -> bytes:
    """Write `fields`, each line with its CRLF, and with that whitespace around the values (RFC 9112 §5)."""
    before, behind = padding
    return b"".join(b"%s:%s%s%s\r\n" % (name, before, value, behind) for name, value in fields)
