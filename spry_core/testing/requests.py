"""Requests and opening handshakes made by hand, right or wrong (RFC 9112 §3, RFC 6455 §4.1).

Nothing of the core's own writer is in here, as in `frames`: what a test sends with it is a second opinion.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha1
from typing import Final

HOST: Final = "localhost"
"""What the Host field says if nobody says otherwise."""

KEY: Final = "dGhlIHNhbXBsZSBub25jZQ=="
"""The Sec-WebSocket-Key of the example in RFC 6455 §1.3."""

ACCEPT: Final = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The Sec-WebSocket-Accept that answers it."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


def head(method: str, target: str, host: str = HOST, *lines: str, version: str = "1.1") -> bytes:
    """Make the head of a request, the empty line included (RFC 9112 §2.1).

    Args:
        method: Method token, such as ``"GET"``.
        target: Path and query, or whatever is to stand there.
        host: What the Host field says.
        lines: Further field lines, without their CRLF.
        version: What stands behind ``HTTP/``.
    """
    return unfinished(method, target, host, *lines, version=version) + b"\r\n"


def unfinished(method: str, target: str, host: str = HOST, *lines: str, version: str = "1.1") -> bytes:
    """Make all of a head but the empty line."""
    every = (f"{method} {target} HTTP/{version}", f"Host: {host}", *lines)
    return "".join(f"{line}\r\n" for line in every).encode()


def handshake(target: str = "/", host: str = HOST, *lines: str) -> bytes:
    """Make an opening handshake, whose key is `KEY` (RFC 6455 §4.1); the arguments are those of `head`."""
    return head("GET", target, host, *handshake_lines(), *lines)


def handshake_lines(changes: Mapping[str, str | None] | None = None) -> tuple[str, ...]:
    """Make the field lines of an opening handshake beside Host.

    Args:
        changes: Other values for some of the fields, by name; None leaves a field out.
    """
    fields: dict[str, str | None] = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY,
        "Sec-WebSocket-Version": "13",
        **(changes or {}),
    }
    return tuple(f"{name}: {value}" for name, value in fields.items() if value is not None)


def accept_of(key: bytes) -> bytes:
    """Return the Sec-WebSocket-Accept that answers this key (RFC 6455 §4.2.2)."""
    return b64encode(sha1(key + _GUID).digest())
