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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from spry_core.errors import RemoteProtocolError
from spry_core.headers import TOKEN

NAME: Final = "permessage-deflate"
"""The name of the extension (RFC 7692 §7)."""

FEWEST_BITS: Final = 9
"""The smallest window that zlib compresses raw DEFLATE with; it inflates with 8 as well."""

MOST_BITS: Final = 15
"""The largest window of DEFLATE, and the one that holds where none is named (RFC 7692 §7.1.2)."""

_SERVER_FORGETS: Final = "server_no_context_takeover"
_CLIENT_FORGETS: Final = "client_no_context_takeover"
_SERVER_BITS: Final = "server_max_window_bits"
_CLIENT_BITS: Final = "client_max_window_bits"

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
        parts = [NAME]
        if self.server_no_context_takeover:
            parts.append(_SERVER_FORGETS)
        if self.client_no_context_takeover:
            parts.append(_CLIENT_FORGETS)
        if self.server_max_window_bits is not None:
            parts.append(f"{_SERVER_BITS}={self.server_max_window_bits}")
        if self.client_max_window_bits is not None:
            parts.append(f"{_CLIENT_BITS}={self.client_max_window_bits}")
        return "; ".join(parts)


def offer(deflate: Deflate) -> str:
    """Return what a client with these settings offers, as an element of Sec-WebSocket-Extensions.

    It lets the server choose the client's window, and asks for one of the server's if 15 bits are too many.

    RFC 7692 §7.1.
    """
    largest = deflate.server_max_window_bits == MOST_BITS
    return str(
        Agreement(
            server_no_context_takeover=deflate.server_no_context_takeover,
            client_no_context_takeover=deflate.client_no_context_takeover,
            server_max_window_bits=None if largest else deflate.server_max_window_bits,
            client_max_window_bits=deflate.client_max_window_bits,
        )
    )


def negotiate(offers: Sequence[str], deflate: Deflate) -> Agreement | None:
    """Answer a client's offers as a server: the agreement on the first acceptable one, None if there is none.

    An offer is declined, never an error, if it is of another extension, malformed, or demands what zlib cannot
    do: a server that compresses with 8 window bits.

    Args:
        offers: The elements of Sec-WebSocket-Extensions in the client's order.
        deflate: The server's settings.

    RFC 7692 §5.1, §7.1.
    """
    for each in offers:
        try:
            asked = _read(each, is_offer=True)
        except ValueError:
            continue
        if asked.get(_SERVER_BITS, MOST_BITS) >= FEWEST_BITS:
            return _answer(asked, deflate)
    return None


def _answer(asked: Mapping[str, int], deflate: Deflate) -> Agreement:
    """Agree to all that is asked and ask for what is set, where the client lets us.

    What a client says about its own direction is only a hint; repeated, it binds the client, and lets us forget
    the window early (RFC 7692 §7.1.1.2) or keep a smaller one (§7.1.2.2).
    """
    server_bits = min(asked.get(_SERVER_BITS, MOST_BITS), deflate.server_max_window_bits)
    client_bits = min(asked.get(_CLIENT_BITS, MOST_BITS), deflate.client_max_window_bits)
    # A client that asked must hear it, even that 15 will do; one that did not may hear it (RFC 7692 §7.1.2.1).
    says_server_bits = _SERVER_BITS in asked or server_bits < MOST_BITS
    # A client that did not offer it must not hear it (RFC 7692 §7.1.2.2).
    says_client_bits = _CLIENT_BITS in asked and client_bits < MOST_BITS
    return Agreement(
        server_no_context_takeover=_SERVER_FORGETS in asked or deflate.server_no_context_takeover,
        client_no_context_takeover=_CLIENT_FORGETS in asked or deflate.client_no_context_takeover,
        server_max_window_bits=server_bits if says_server_bits else None,
        client_max_window_bits=client_bits if says_client_bits else None,
    )


def parse_agreement(extensions: Sequence[str], offers: Sequence[str] | None = None) -> Agreement | None:
    """Read the extensions that a server's owner wants to accept; None if there is none.

    Args:
        extensions: The elements of Sec-WebSocket-Extensions that go into the 101.
        offers: Those that the client sent, in order; None if it does not matter whether the answer fits.

    Raises:
        ValueError: They are not one well-formed answer of permessage-deflate, or one that fits none of `offers`.

    RFC 7692 §5.1, §7.1.
    """
    if not extensions:
        return None
    if len(extensions) > 1:
        raise ValueError("more than one extension (RFC 7692 §5)")
    said = _read(extensions[0], is_offer=False)
    if offers is not None and not any(_fits(said, each) for each in offers):
        raise ValueError("permessage-deflate with these parameters was not offered (RFC 7692 §7.1)")
    return Agreement(
        server_no_context_takeover=_SERVER_FORGETS in said,
        client_no_context_takeover=_CLIENT_FORGETS in said,
        server_max_window_bits=said.get(_SERVER_BITS),
        client_max_window_bits=said.get(_CLIENT_BITS),
    )


def check_answer(extensions: Sequence[str], offers: Sequence[str]) -> Agreement | None:
    """Judge a server's answer to a client's `offers`; return what both now agree on, None without an extension.

    Raises:
        RemoteProtocolError: The answer is malformed or fits no offer: the connection must be failed.

    RFC 6455 §9.1, RFC 7692 §5.1, §7.1.
    """
    try:
        return parse_agreement(extensions, offers)
    except ValueError as error:
        raise RemoteProtocolError(str(error), section="RFC 7692 §7.1") from error


def _fits(said: Mapping[str, int], an_offer: str) -> bool:
    """Tell whether an answer's parameters accept all that `an_offer` asks, and no more than it allows."""
    try:
        asked = _read(an_offer, is_offer=True)
    except ValueError:
        return False
    if _SERVER_FORGETS in asked and _SERVER_FORGETS not in said:
        return False
    if _SERVER_BITS in asked and said.get(_SERVER_BITS, MOST_BITS + 1) > asked[_SERVER_BITS]:
        return False
    return said.get(_CLIENT_BITS, 0) <= asked.get(_CLIENT_BITS, 0)


def _read(element: str, *, is_offer: bool) -> dict[str, int]:
    """Return the parameters of an element that is permessage-deflate, by name; those without a value are 15 or,
    where they have none to have, 0. Anything else is a `ValueError`, at the first fault (RFC 7692 §7).
    """
    name = _NAME.match(element)
    if name is None or name[1] != NAME:
        raise ValueError(f"not {NAME} (RFC 7692 §7)")
    parameters, position = dict[str, int](), name.end()
    while position < len(element):
        match = _PARAMETER.match(element, position)
        if match is None:
            raise ValueError(f"malformed parameters of {NAME} (RFC 6455 §9.1)")
        parameter, token, quoted = match.groups()
        if parameter in parameters:
            raise ValueError(f"{parameter} is there twice (RFC 7692 §7.1)")
        value = token if quoted is None else _ESCAPE.sub(r"\1", quoted)
        parameters[parameter] = _number(parameter, value, is_offer=is_offer)
        position = match.end()
    return parameters


def _number(parameter: str, value: str | None, *, is_offer: bool) -> int:
    """Judge one parameter's value (RFC 7692 §7.1.1, §7.1.2)."""
    if parameter in (_SERVER_FORGETS, _CLIENT_FORGETS):
        if value is not None:
            raise ValueError(f"{parameter} has a value (RFC 7692 §7.1.1)")
        return 0
    if parameter not in (_SERVER_BITS, _CLIENT_BITS):
        raise ValueError(f"{NAME} has an unknown parameter (RFC 7692 §7.1)")
    if value is None and is_offer and parameter == _CLIENT_BITS:
        return MOST_BITS
    bits = _BITS.get(value or "")
    if bits is None:
        raise ValueError(f"{parameter} is not 8 to 15 (RFC 7692 §7.1.2)")
    return bits
