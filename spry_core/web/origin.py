"""Whether a web page of some site may open a WebSocket here (RFC 6455 §10.2).

A browser lets any page connect to any server, and sends the server's cookies along; it says in the Origin field which page that
is. Clients that are no browsers do not send it, and could send anything.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal, TypeAlias

from spry_core.protocol.events import RequestHead
from spry_core.protocol.head import values

Origins: TypeAlias = Literal["same"] | tuple[str, ...] | None
"""The pages that may connect: of the same host, of these origins and the same, or all."""

SAME: Final = "same"

_ORIGIN: Final = re.compile(r"([a-z][a-z0-9+.-]*)://([a-z0-9_.-]+|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?")
_AUTHORITY: Final = re.compile(r"([^:\[\]]+|\[[^\]]*\])(?::([0-9]*))?")
_PORTS: Final = {"http": "80", "ws": "80", "https": "443", "wss": "443"}


def read_origins(origins: Origins | Sequence[str]) -> Origins:
    """Return allowed origins as they are kept.

    Raises:
        TypeError: It is one origin, not in a list.
        ValueError: One is not written as a browser writes it: scheme, host, and port if it is not the scheme's own, in lower
            case and without a slash at the end (RFC 6454 §6.2).
    """
    if origins is None or origins == SAME:
        return SAME if origins else None
    if isinstance(origins, str):
        raise TypeError("origins is 'same', None or a list of origins")
    for origin in origins:
        found = _ORIGIN.fullmatch(origin)
        if found is None or found[3] == _PORTS.get(found[1], ""):
            raise ValueError(
                f"{origin!r} is not how a browser writes an origin, such as 'https://example.org'"
            )
    return tuple(origins)


def is_allowed(origins: Origins, head: RequestHead, authority: str | None) -> bool:
    """Tell whether the page that opens this handshake may.

    Host and port of the origin are compared with those that the client asked for, a missing port being that of the origin's
    scheme; the scheme itself is not, since TLS may end in front of us.

    Args:
        origins: Who is allowed.
        head: The request.
        authority: The one of an absolute target, which counts instead of the Host field (RFC 9112 §3.2.2).
    """
    if origins is None or not (found := values(head.headers, b"origin")):
        return True
    if len(found) > 1:
        return False
    origin = found[0].decode("latin-1")
    if origins != SAME and origin in origins:
        return True
    hosts = [value.decode("latin-1") for value in values(head.headers, b"host")]
    return _is_same(origin, "".join(hosts) if authority is None else authority)


def _is_same(origin: str, authority: str) -> bool:
    theirs, ours = _ORIGIN.fullmatch(origin.lower()), _AUTHORITY.fullmatch(authority.lower())
    if theirs is None or ours is None:
        return False
    scheme, host, port = theirs.groups()
    default = _PORTS.get(scheme, "")
    return (host, _port(port, default)) == (ours[1], _port(ours[2], default))


def _port(port: str | None, default: str) -> str:
    return (port or default).lstrip("0")
