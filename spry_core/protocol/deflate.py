"""permessage-deflate: its settings, and how two peers agree on it (RFC 7692 §5, §7.1).

`Deflate` is what the owner of a connection wants, `Agreement` what both sides have said. A server finds the
agreement with `negotiate`, a client makes its `offer` and judges the answer with `check_answer`. Nothing is
compressed here; `spry_core.protocol.compression` does it under an agreement.

One grammar serves offers and answers (RFC 6455 §9.1): names and values are tokens, a value may be quoted, and
whitespace may stand around ``;`` and ``=``. They differ in one rule, a ``client_max_window_bits`` without a
value, which only an offer may have (RFC 7692 §7.1.2.2). An element is read once, from left to right, and
given up at its first fault, so a hostile one costs no more than its length.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from spry_core.errors import RemoteProtocolError
from spry_core.headers import TOKEN

NAME: Final = "permessage-deflate"
"""The name of the extension (RFC 7692 §7)."""

FEWEST_BITS: Final = 9
"""The smallest window that zlib compresses raw DEFLATE with; it inflates with 8 as well."""

MOST_BITS: Final = 15
"""The largest window of DEFLATE, and the one that holds where none is named (RFC 7692 §7.1.2)."""

_TOKEN: Final = TOKEN.decode()
_NAME: Final = re.compile(rf"[\t ]*({_TOKEN})[\t ]*")
_QUOTED: Final = r'"((?:[\t\x20\x21\x23-\x5b\x5d-\x7e]|\\[\t\x20-\x7e])*)"'
_PARAMETER: Final = re.compile(rf";[\t ]*({_TOKEN})[\t ]*(?:=[\t ]*(?:({_TOKEN})|{_QUOTED})[\t ]*)?")
_ESCAPE: Final = re.compile(r"\\(.)")
# Without leading zeros (RFC 7692 §7.1.2.1); `int` would take much more.
_BITS: Final = {str(bits): bits for bits in range(8, MOST_BITS + 1)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deflate:
    """How a WebSocket compresses its messages: what is negotiated, and what is up to us alone.

    Raises:
        ValueError: A setting is out of its range.

    RFC 7692 §7.1.
    """

    server_max_window_bits: int = 12
    """The window that the server compresses with: a base-2 logarithm of bytes, 9 to 15, by default 4 KiB. A
    server takes a smaller one if the client asks for it; a client asks for it (RFC 7692 §7.1.2.1).
    """

    client_max_window_bits: int = 12
    """The window that the client compresses with: as above, 8 to 15. A server asks for it where the client lets
    it, and inflates with 15 where not; a client never compresses with 8, which zlib cannot (RFC 7692 §7.1.2.2).
    """

    server_no_context_takeover: bool = False
    """Whether the server forgets its window after each message; a client asks for it (RFC 7692 §7.1.1.1)."""

    client_no_context_takeover: bool = False
    """Whether the client forgets its window after each message; a server asks for it (RFC 7692 §7.1.1.2)."""

    level: int | None = None
    """How hard our own direction is compressed, 0 (not at all) to 9; None for Spry's choice."""

    mem_level: int = 5
    """The memory for compressing beside the window, 1 to 9: ``2 ** (mem_level + 9)`` bytes, by default 16 KiB."""

    threshold: int = 64
    """Bytes of a message below which it is sent uncompressed, because it would hardly become smaller."""

    def __post_init__(self) -> None:
        """Judge every setting."""
        self._check("server_max_window_bits", FEWEST_BITS, MOST_BITS)
        self._check("client_max_window_bits", 8, MOST_BITS)
        self._check("level", 0, 9)
        self._check("mem_level", 1, 9)
        if self.threshold < 0:
            raise ValueError(f"Deflate.threshold is negative: {self.threshold}")

    def _check(self, name: str, least: int, most: int) -> None:
        value = getattr(self, name)
        if value is not None and not least <= value <= most:
            raise ValueError(f"Deflate.{name} is {least} to {most}, not {value}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """What both sides said: the server's answer to an offer of permessage-deflate; `str` gives its wire form.

    RFC 7692 §7.1.
    """

    server_no_context_takeover: bool = False
    """The server forgets its window after each message."""

    client_no_context_takeover: bool = False
    """The client forgets its window after each message."""

    server_max_window_bits: int | None = None
    """The largest window of the server, 8 to 15; None, the parameter is not there, means 15."""

    client_max_window_bits: int | None = None
    """The largest window of the client, 8 to 15; None, the parameter is not there, means 15."""

    def __str__(self) -> str:
        """Return the element of Sec-WebSocket-Extensions that says this, such as
        ``permessage-deflate; server_max_window_bits=12``.
        """
        return _written(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Offer(Agreement):
    """What a client offers: the parameters of an agreement, and whether it lets the server choose its window."""

    has_client_max_window_bits: bool = False


def offer(deflate: Deflate) -> str:
    """Return what a client with these settings offers, as an element of Sec-WebSocket-Extensions (RFC 7692 §7.1)."""
    raise NotImplementedError


def negotiate(offers: Sequence[str], deflate: Deflate) -> Agreement | None:
    """Answer a client's offers as a server: the agreement on the first acceptable one, None if there is none.

    An offer is declined, never an error, if it is of another extension, malformed, or demands what zlib cannot
    do: a server that compresses with 8 window bits.

    Args:
        offers: The elements of Sec-WebSocket-Extensions in the client's order.
        deflate: The server's settings.

    RFC 7692 §5.1, §7.1.
    """
    raise NotImplementedError


def parse_agreement(extensions: Sequence[str], offers: Sequence[str] | None = None) -> Agreement | None:
    """Read the extensions that a server's owner wants to accept; None if there is none.

    Raises:
        ValueError: They are not one well-formed answer of permessage-deflate, or, with `offers`, one that
            answers none of them.

    RFC 7692 §7.1.
    """
    raise NotImplementedError


def check_answer(extensions: Sequence[str], offers: Sequence[str]) -> Agreement | None:
    """Judge a server's answer to a client's `offers`; return what both now agree on, None without an extension.

    Raises:
        RemoteProtocolError: The answer fits no offer, and the connection must be failed.

    RFC 6455 §9.1, RFC 7692 §5.1, §7.1.
    """
    raise NotImplementedError
