"""The WebSocket opening handshake over HTTP/1.1, both sides, without a connection (RFC 6455 §4).

`examine` looks at a request, `response` writes the 101, `request` and `check` are the client's two halves.
Who answers, and whether an offer is taken, is not decided here: only the owner of a connection knows the
route.
"""

from __future__ import annotations

import re
from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Final

from spry_core.errors import RemoteProtocolError
from spry_core.headers import check_raw_fields, is_token
from spry_core.protocol.deflate import check_answer, parse_agreement
from spry_core.protocol.events import Accept, Offer, RawFields, Refusal, RequestHead, ResponseHead
from spry_core.protocol.head import EMPTY, MOST_SETTLED, NOTABLE, Framing, is_short, tokens, values

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_KEY: Final = re.compile(rb"[A-Za-z0-9+/]{21}[AQgw]==")
# Of a list: all up to a comma that is not in a quoted string, in which a backslash takes what is behind it (RFC 9110 §5.6.4).
_MEMBER: Final[re.Pattern[str]] = re.compile(r'(?s)(?:[^",]|"(?:[^"\\]|\\.?)*+(?:"|\Z))++')
_SUBPROTOCOLS: Final = b"sec-websocket-protocol"
_EXTENSIONS: Final = b"sec-websocket-extensions"
_OF_BOTH: Final = frozenset(
    (
        b"upgrade",
        b"connection",
        b"content-length",
        b"transfer-encoding",
        b"sec-websocket-accept",
        _SUBPROTOCOLS,
        _EXTENSIONS,
    )
)
_SWITCHING: Final = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))
_OF_REQUEST: Final = _OF_BOTH | {b"host", b"sec-websocket-key", b"sec-websocket-version"}


def accept_key(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept that answers `key` (RFC 6455 §4.2.2)."""
    return b2a_base64(sha1(key + _GUID, usedforsecurity=False).digest(), newline=False)


def examine(head: RequestHead, framing: Framing, most: int) -> Offer | Refusal | None:
    """Find the opening handshake in a request: a valid offer, what its faults deserve, or None for an
    ordinary request.

    A request without ``Upgrade: websocket`` and ``Connection: upgrade``, in HTTP/1.0, or of another method
    than GET offers nothing: a server may ignore Upgrade (RFC 9110 §7.8).

    An offer of more than `most` subprotocols, or extensions, is refused: it lives as long as the WebSocket, and a list of
    very short names takes twenty times its bytes.
    """
    return look(head, tuple([field for field in head.headers if field[0] in NOTABLE]), framing, most)


def look(head: RequestHead, noted: RawFields, framing: Framing, most: int) -> Offer | Refusal | None:
    """Do as `examine`; `noted` are those of the request's fields that are `NOTABLE`, in order."""
    if head.method != b"GET" or head.http_version != b"1.1":
        return None
    asked = _ASKED.get((noted, most)) or _ask(noted, most)
    if not asked.is_opening:
        return None
    if asked.is_of_other_version:
        return Refusal(status_code=426, reason="Sec-WebSocket-Version is not 13")
    keys = values(head.headers, b"sec-websocket-key")
    if len(keys) != 1 or not _KEY.fullmatch(keys[0]):
        return Refusal(status_code=400, reason="Sec-WebSocket-Key is not one key of 16 bytes")
    if framing != EMPTY:
        return Refusal(status_code=400, reason="an opening handshake has no content")
    offered = values(head.headers, _SUBPROTOCOLS)
    if asked.is_too_much or (offered and _count(offered) > most):
        return Refusal(status_code=431, reason="too many subprotocols or extensions")
    subprotocols = _subprotocols(offered) if offered else ()
    return Offer(key=keys[0], subprotocols=subprotocols, extensions=asked.extensions)


@dataclass(slots=True)
class _Asked:
    """What the fields of a request ask for, but for the key and the subprotocols of an opening handshake."""

    is_opening: bool = False
    is_of_other_version: bool = False
    is_too_much: bool = False
    extensions: tuple[str, ...] = ()


# What short fields ask for, where so many extensions may be: most clients send the same ones.
_ASKED: Final[dict[tuple[RawFields, int], _Asked]] = {}


def _ask(noted: RawFields, most: int) -> _Asked:
    extensions = values(noted, _EXTENSIONS)
    asked = _Asked(
        is_opening=b"websocket" in tokens(noted, b"upgrade") and b"upgrade" in tokens(noted, b"connection"),
        is_of_other_version=values(noted, b"sec-websocket-version") != [b"13"],
        is_too_much=_count(extensions) > most,
    )
    if not asked.is_too_much:
        asked.extensions = _members(extensions)
    if is_short(noted):
        if len(_ASKED) >= MOST_SETTLED:
            _ASKED.clear()
        _ASKED[noted, most] = asked
    return asked


def response(offer: Offer, accept: Accept) -> ResponseHead:
    """Write the 101 that takes up `offer` (RFC 6455 §4.2.2).

    Raises `ValueError` for a subprotocol that was not offered, extensions that answer none of the offers, or a field
    that is not allowed there.
    """
    if accept.subprotocol is not None and accept.subprotocol not in offer.subprotocols:
        raise ValueError("the client did not offer this subprotocol (RFC 6455 §4.2.2)")
    parse_agreement(accept.extensions, offer.extensions)
    fields = list[tuple[bytes, bytes]]()
    if accept.subprotocol is not None:
        fields.append((b"Sec-WebSocket-Protocol", accept.subprotocol.encode("ascii")))
    if accept.extensions:
        fields.append((b"Sec-WebSocket-Extensions", ", ".join(accept.extensions).encode("ascii")))
    return ResponseHead(
        status_code=101,
        reason_phrase=b"Switching Protocols",
        headers=(
            *_SWITCHING,
            (b"Sec-WebSocket-Accept", accept_key(offer.key)),
            *_with(fields, accept.headers, _OF_BOTH),
        ),
    )


def request(
    *,
    host: str,
    target: str,
    random: Callable[[int], bytes],
    subprotocols: Sequence[str] = (),
    extensions: Sequence[str] = (),
    headers: RawFields = (),
) -> RequestHead:
    """Write a client's opening handshake with a fresh key of 16 bytes from `random` (RFC 6455 §4.1).

    Raises `ValueError` for subprotocols that are no tokens or not different, or a field that is not allowed
    there.
    """
    if len(set(subprotocols)) < len(subprotocols) or not all(is_token(each) for each in subprotocols):
        raise ValueError("subprotocols are different tokens (RFC 6455 §4.1)")
    offer = Offer(key=b64encode(random(16)), subprotocols=tuple(subprotocols), extensions=tuple(extensions))
    fields = [
        (b"Host", host.encode("ascii")),
        *_SWITCHING,
        (b"Sec-WebSocket-Key", offer.key),
        (b"Sec-WebSocket-Version", b"13"),
    ]
    if subprotocols:
        fields.append((b"Sec-WebSocket-Protocol", ", ".join(subprotocols).encode("ascii")))
    if extensions:
        fields.append((b"Sec-WebSocket-Extensions", ", ".join(extensions).encode("ascii")))
    return RequestHead(
        method=b"GET",
        target=target.encode("ascii"),
        headers=_with(fields, headers, _OF_REQUEST),
        websocket=offer,
    )


def _with(fields: list[tuple[bytes, bytes]], more: RawFields, reserved: frozenset[bytes]) -> RawFields:
    """Add the caller's fields to those of the handshake, unless one of them is the handshake's own."""
    for name, _ in more:
        if name.lower() in reserved:
            raise ValueError(f"the opening handshake sets {name.decode()} itself (RFC 6455 §4)")
    every = (*fields, *more)
    check_raw_fields(every)
    return every


def check(offer: Offer, head: ResponseHead) -> Accept:
    """Judge the 101 that a server sent to `offer`; return what it accepted (RFC 6455 §4.1, the client's last
    six steps).

    Raises `RemoteProtocolError` if the connection must be failed.
    """
    headers = head.headers
    if tokens(headers, b"upgrade") != [b"websocket"] or b"upgrade" not in tokens(headers, b"connection"):
        raise _broken("the 101 does not switch to WebSocket")
    if values(headers, b"sec-websocket-accept") != [accept_key(offer.key)]:
        raise _broken("Sec-WebSocket-Accept does not fit the key")
    subprotocols = values(headers, _SUBPROTOCOLS)
    if len(subprotocols) > 1 or any(
        each.decode("latin-1") not in offer.subprotocols for each in subprotocols
    ):
        raise _broken("the server chose a subprotocol that was not offered")
    extensions = _members(values(headers, _EXTENSIONS))
    check_answer(extensions, offer.extensions)
    return Accept(
        subprotocol=subprotocols[0].decode("latin-1") if subprotocols else None,
        extensions=extensions,
        headers=headers,
    )


def _broken(message: str) -> RemoteProtocolError:
    return RemoteProtocolError(message, section="RFC 6455 §4.1")


def _subprotocols(lines: list[bytes]) -> tuple[str, ...]:
    """Return the subprotocols offered; a member that is no token names none and is passed over."""
    return tuple([each for each in _members(lines) if is_token(each)])


def _count(lines: list[bytes]) -> int:
    """Return how many members a list field has at most; a comma in a quoted string counts as well."""
    return sum([line.count(b",") + 1 for line in lines])


def _members(lines: list[bytes]) -> tuple[str, ...]:
    """Split a list field over all its lines at the commas outside of quoted strings (RFC 9110 §5.6.1, §5.6.4)."""
    text = b",".join(lines).decode("latin-1")
    return tuple(member for each in _MEMBER.findall(text) if (member := each.strip(" \t")))
