"""Field lines of ours: each is checked and encoded once, and then remembered, since most answers have most of them in common.

Short ones alone are remembered, so many at most, and none that never comes again, or is of a name under which secrets usually
go. A secret that an application puts under a name of its own may stay in memory until others have driven it out.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from spry_core.headers import check_raw_fields

FieldLine: TypeAlias = tuple[bytes, bytes]
"""A line with its CRLF, and the name in lower case if it is one of `DECIDING`; else that is empty."""

DECIDING: Final = frozenset((b"connection", b"content-length", b"date", b"host", b"transfer-encoding"))
"""The names of fields that decide about something when they are sent."""

REMEMBERED: Final[dict[tuple[bytes, bytes], FieldLine]] = {}
"""What `field_line` has found; who looks here first is spared the call."""

_LONGEST: Final = 160
_MOST: Final = 1024
_SECRET: Final = (
    *(b"authorization", b"cookie", b"proxy-authorization", b"set-cookie"),
    b"sec-websocket-protocol",  # scripts in browsers can put a token nowhere else
)
_UNIQUE: Final = (b"sec-websocket-accept", b"sec-websocket-key")
_FORGOTTEN: Final = frozenset((*_SECRET, *_UNIQUE))


def field_line(field: tuple[bytes, bytes]) -> FieldLine:
    """Encode one field (RFC 9112 §5); raise `ValueError` unless it may be sent (`spry_core.headers.check_raw_fields`)."""
    return REMEMBERED.get(field) or _encode(field)


def _encode(field: tuple[bytes, bytes]) -> FieldLine:
    check_raw_fields((field,))
    name, value = field
    lowered = name.lower()
    line = b"%b: %b\r\n" % (name, value), lowered if lowered in DECIDING else b""
    if len(line[0]) <= _LONGEST and lowered not in _FORGOTTEN:
        if len(REMEMBERED) >= _MOST:
            REMEMBERED.clear()
        REMEMBERED[field] = line
    return line
