"""The well-formed parts of what hostile peers send."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha1
from typing import Final

HOST: Final = "localhost"
"""What the Host field says if nobody says otherwise."""

KEY: Final = b64encode(bytes(range(16))).decode()
"""A key of an opening handshake: 16 bytes in base64 (RFC 6455 §4.1)."""

_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455 §1.3


def head(method: str, target: str, host: str, *lines: str) -> bytes:
    """Make the head of a request, the empty line included (RFC 9112 §2.1)."""
    return unfinished(method, target, host, *lines) + b"\r\n"


def unfinished(method: str, target: str, host: str, *lines: str) -> bytes:
    """Make all of it but the empty line."""
    return "".join(
        f"{line}\r\n" for line in (f"{method} {target} HTTP/1.1", f"Host: {host}", *lines)
    ).encode()


def handshake(target: str, host: str, *lines: str) -> bytes:
    """Make an opening handshake (RFC 6455 §4.1)."""
    own = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {KEY}",
    )
    return head("GET", target, host, *own, *lines)


def accept_of(key: bytes) -> bytes:
    """Return what answers this key (RFC 6455 §4.2.2)."""
    return b64encode(sha1(key + _GUID).digest())
