"""Offers of permessage-deflate, right and wrong, in every spelling (RFC 6455 §9.1, RFC 7692 §7.1)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from spry_core.protocol.deflate import NAME, Agreement
from spry_core.testing.strategies.shown import Shown

SEPARATORS: Final = ("; ", ";", " ;\t", " ; ")
EQUALS: Final = ("=", " = ")

_WRONG: Final = (
    "x",
    "x=1",
    "server_no_context_takeover=1",
    "client_no_context_takeover=true",
    "server_max_window_bits",
    "server_max_window_bits=7",
    "server_max_window_bits=16",
    "server_max_window_bits=08",
    'server_max_window_bits=""',
    "client_max_window_bits=0",
    "client_max_window_bits=+9",
    'client_max_window_bits="9',
    "client_max_window_bits=9 9",
    "=9",
    "",
)
"""Parameters that make an offer unacceptable: unknown, with a value or without one, out of range, malformed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeflateOffer(Shown):
    """One offer of permessage-deflate: what it asks for, and its text, which it shows."""

    server_no_context_takeover: bool = field(default=False, repr=False)
    """The server must forget its window after each message (RFC 7692 §7.1.1.1)."""
    client_no_context_takeover: bool = field(default=False, repr=False)
    """The client may do so: a hint (RFC 7692 §7.1.1.2)."""
    server_max_window_bits: int | None = field(default=None, repr=False)
    """The largest window of the server that is asked for, 9 to 15; None for any (RFC 7692 §7.1.2.1)."""
    client_max_window_bits: int | None = field(default=None, repr=False)
    """The largest window that the client will use: 15 without a value, None if the server may say nothing of it (§7.1.2.2)."""
    text: str
    """The element of Sec-WebSocket-Extensions."""


@st.composite
def deflate_offers(draw: st.DrawFn) -> DeflateOffer:
    """Give offers that a server can accept, in every spelling: any order, whitespace, quotes. The simplest has no parameter.

    RFC 7692 §7.1.
    """
    server_bits = draw(st.none() | st.integers(9, 15))
    client_bits = draw(st.sampled_from((None, "", *map(str, range(8, 16)))))
    server_forgets, client_forgets = draw(st.booleans()), draw(st.booleans())
    parameters = [("server_no_context_takeover", "")] if server_forgets else []
    parameters += [("client_no_context_takeover", "")] if client_forgets else []
    parameters += [] if server_bits is None else [("server_max_window_bits", str(server_bits))]
    parameters += [] if client_bits is None else [("client_max_window_bits", client_bits)]
    return DeflateOffer(
        server_no_context_takeover=server_forgets,
        client_no_context_takeover=client_forgets,
        server_max_window_bits=server_bits,
        client_max_window_bits=None if client_bits is None else int(client_bits or 15),
        text=draw(_spelled(parameters)),
    )


@st.composite
def _spelled(draw: st.DrawFn, parameters: list[tuple[str, str]]) -> str:
    separator, equals = draw(st.sampled_from(SEPARATORS)), draw(st.sampled_from(EQUALS))
    quote = draw(st.sampled_from(("", '"')))
    ordered = draw(st.permutations(parameters))
    said = [f"{name}{equals}{quote}{value}{quote}" if value else name for name, value in ordered]
    return separator.join([NAME, *said])


@st.composite
def broken_deflate_offers(draw: st.DrawFn) -> str:
    """Give elements that a server must decline, not fail: another extension, or a parameter that makes no sense.

    A parameter that is there twice comes up as well (RFC 7692 §7.1).
    """
    if draw(st.integers(0, 4)) == 4:
        return draw(st.sampled_from(("x-webkit-deflate-frame", "permessage-bzip2", "permessage-deflatex")))
    good = draw(deflate_offers()).text
    twice = [each.strip() for each in good.split(";")[1:]]
    wrong = draw(st.sampled_from((*_WRONG, *twice)))
    return f"{good}; {wrong}"


def agreements() -> st.SearchStrategy[Agreement]:
    """Give what two peers can agree on; the simplest is permessage-deflate without a parameter (RFC 7692 §7.1)."""
    bits = st.none() | st.integers(9, 15)
    return st.builds(
        Agreement,
        server_no_context_takeover=st.booleans(),
        client_no_context_takeover=st.booleans(),
        server_max_window_bits=bits,
        client_max_window_bits=bits,
    )
