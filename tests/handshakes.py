"""Opening handshakes: that of the RFC's example and its answer, with lists that bomb, and with bytes that are no ASCII, as rows
of data (RFC 6455 §4.1).
"""

from __future__ import annotations

from typing import Final

KEY: Final = b"dGhlIHNhbXBsZSBub25jZQ=="
"""The key of the example in RFC 6455 §1.3."""

SWITCHED: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""The answer to it."""

OWN: Final = {
    b"Host": b"t",
    b"Upgrade": b"websocket",
    b"Connection": b"Upgrade",
    b"Sec-WebSocket-Version": b"13",
    b"Sec-WebSocket-Key": KEY,
}


def shake(*more: tuple[bytes, bytes], target: bytes = b"/", **changes: bytes) -> bytes:
    """Make an opening handshake; `changes` replace the values of its own fields, underscores standing for hyphens."""
    changed = {name.replace("_", "-").lower(): value for name, value in changes.items()}
    own = [(name, changed.get(name.decode().lower(), value)) for name, value in OWN.items()]
    lines = b"".join(b"%s: %s\r\n" % field for field in (*own, *more))
    return b"GET " + target + b" HTTP/1.1\r\n" + lines + b"\r\n"


WIDE: Final = 8 * 1024 - 100
"""Bytes of a value that a field line still has room for."""


def filled(unit: bytes, size: int = WIDE) -> bytes:
    return (unit * (size // len(unit) + 1))[:size]


EXTENSIONS: Final = b"Sec-WebSocket-Extensions"
PROTOCOL: Final = b"Sec-WebSocket-Protocol"
NOISE: Final = {
    "commas": b",",
    "commas and spaces": b", ",
    "quotes": b'"',
    "escaped quotes": b'\\"',
    "a quoted string that never ends": b"a",
    "semicolons": b";",
    "short tokens": b"a,",
    "the name over and over": b"permessage-deflate,",
    "the name without commas": b"permessage-deflate;",
    "a parameter over and over": b"permessage-deflate; client_max_window_bits; client_max_window_bits, ",
    "a window of 8": b"permessage-deflate; server_max_window_bits=8, ",
    "quoted numbers": b'permessage-deflate; server_max_window_bits="1\\0", ',
    "equals": b"=",
    "spaces": b"a ",
    "backslashes": b"\\",
}
ODD: Final = {
    "latin-1": b"\xe9",
    "no-break space": b"\xa0",
    "next line": b"\x85",
    "no-break space in UTF-8": b"\xc2\xa0",
    "KELVIN SIGN": "\u212a".encode(),
    "fullwidth": "\uff57".encode(),
    "Arabic digit": "\u0663".encode(),
    "surrogate": b"\xed\xa0\x80",
    "overlong": b"\xc0\xaf",
    "no UTF-8": b"\xff\xfe",
    "emoji": "😀".encode(),
    "byte order mark": b"\xef\xbb\xbf",
}
"""Bytes that are obs-text in a field value (RFC 9110 §5.5), and nothing in a token."""
