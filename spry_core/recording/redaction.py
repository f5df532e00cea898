"""What a recording does not tell: the rule, and how it changes values and events.

A secret keeps its length, its spaces and its control characters, and every other byte of it becomes an asterisk. So whatever
was refused for its length or its grammar is refused in a replay too, and whatever passed passes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final, TypeVar

from spry_core.headers import TOKEN
from spry_core.protocol.events import Accept, BodyEnd, Event, RawFields, RequestHead, ResponseHead

SECRET_FIELDS: Final = frozenset({"authorization", "cookie", "proxy-authorization", "set-cookie"})
"""Fields whose values no recording holds (RFC 9110 §11.6.2 and §11.7.2, RFC 6265 §4)."""

NEEDED_FIELDS: Final = frozenset(
    {
        "connection",
        "content-length",
        "date",
        "expect",
        "host",
        "keep-alive",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that the core reads or writes itself: without their values a replay would go another way."""

_ASTERISK: Final = ord("*")
_HIDDEN: Final = bytes(each if each <= 0x20 or each == 0x7F else _ASTERISK for each in range(256))
# In a query some characters decide whether the target is one: those that may stand there are hidden, the others are not.
_IN_QUERY: Final = re.compile(rb"[A-Za-z0-9\-._~%+/:@!$'(),;?]")
_HIDDEN_IN_QUERY: Final = bytes(_ASTERISK if _IN_QUERY.match(bytes([each])) else each for each in range(256))
_NAME: Final = re.compile(TOKEN)

T = TypeVar("T", bound=Event)


class Redaction:
    """Which fields are secret: those of `SECRET_FIELDS`, and what the user names besides.

    Args:
        names: Further names of fields, in any case.

    Raises:
        ValueError: One is no name of a field, or one of `NEEDED_FIELDS`.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        further = {check_name(name) for name in names}
        self.names: Final[tuple[str, ...]] = tuple(sorted(SECRET_FIELDS | further))
        """All names, in lower case."""
        self._names = frozenset(name.encode("ascii") for name in self.names)

    def is_secret(self, name: bytes) -> bool:
        """Tell whether the field of this name, in any case, is secret."""
        return name.lower() in self._names

    def line(self, line: bytes) -> bytes:
        """Return a field line as it may be shown, whole or only its beginning.

        A faulty one is judged by what its name seems to be, so that a space before the colon gives nothing away.
        """
        name, colon, value = line.partition(b":")
        if not colon or not self.is_secret(name.strip()):
            return line
        return name + colon + hide(value)

    def fields(self, fields: RawFields) -> RawFields:
        """Return a section as it may be shown."""
        if not any(self.is_secret(name) for name, _ in fields):
            return fields
        return tuple((name, hide(value) if self.is_secret(name) else value) for name, value in fields)

    def event(self, event: T) -> T:
        """Return an event as it may be shown."""
        match event:
            case RequestHead():
                target = hide_query(event.target)
                return replace(event, target=target, headers=self.fields(event.headers))
            case ResponseHead() | Accept():
                return replace(event, headers=self.fields(event.headers))
            case BodyEnd():
                return replace(event, trailers=self.fields(event.trailers))
            case _:
                return event


def check_name(name: str) -> str:
    """Return the name of a field in lower case, or raise `ValueError` if it cannot be redacted."""
    lowered = name.lower()
    if not name.isascii() or _NAME.fullmatch(lowered.encode("ascii")) is None:
        raise ValueError(f"{name[:60]!r} is not the name of a field (RFC 9110 §5.1)")
    if lowered in NEEDED_FIELDS:
        raise ValueError(f"{lowered} cannot be redacted: a replay needs it")
    return lowered


def hide(value: bytes) -> bytes:
    """Replace every byte but spaces and control characters by an asterisk."""
    return value.translate(_HIDDEN)


def hide_query(target: bytes) -> bytes:
    """Hide what stands behind the first question mark of a target, but for the characters between names and values: browsers
    put tokens there, since they can give a WebSocket no field.
    """
    path, mark, query = target.partition(b"?")
    return path + mark + query.translate(_HIDDEN_IN_QUERY)
