"""Names with several values: what a header section, a query, cookies and path parameters have in common.

`MultiMapping` is the reading half for all of them; `Headers` adds names without case, `MutableHeaders` writing. Whatever is
written is checked where it is set, so that a CR, LF or NUL of an application never reaches the wire. The same rules on bytes
are `check_raw_fields`, for those who drive a connection by themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, Self, TypeAlias, TypeVar, cast, overload

from spry_core.errors import ResponseSealedError

D = TypeVar("D")

TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
"""A token, as a pattern for larger ones (RFC 9110 §5.6.2)."""

FIELD_TEXT: Final = rb"[\t\x20-\x7e\x80-\xff]*"
"""HTAB, SP, VCHAR and obs-text, as a pattern for larger ones (RFC 9110 §5.5)."""

HARMLESS: Final = frozenset(
    (
        *(b"host", b"connection", b"upgrade", b"user-agent", b"te", b"cache-control", b"pragma"),
        *(b"content-length", b"content-type", b"transfer-encoding"),
        *(b"accept", b"accept-charset", b"accept-encoding", b"accept-language"),
        *(b"sec-websocket-version", b"sec-websocket-extensions"),
        *(b"dnt", b"sec-gpc", b"upgrade-insecure-requests"),
        *(b"sec-fetch-dest", b"sec-fetch-mode", b"sec-fetch-site", b"sec-fetch-user"),
        *(b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform"),
    )
)
"""Names of the fields of a request that may be kept in memory when its connection is gone.

In them clients say what they are, what they can take and how they send it, in words that are those of many (RFC 9110 §7, §8.3,
§8.6, §10.1, §12.5; RFC 9111 §5.2, §5.4; RFC 9112 §6.1; RFC 6455 §11.3; Fetch Metadata; Client Hints). A field of any other name
may be a token. Some are none and left out all the same: Referer, Origin and From say where somebody comes from, If-None-Match
and Range what he has, Forwarded who he is.
"""

# Each is used with `fullmatch`: `$` would let a line feed pass.
_TOKEN: Final = re.compile(TOKEN.decode())
_RAW_TOKEN: Final = re.compile(TOKEN)
_VALUE: Final = re.compile(FIELD_TEXT.decode())
_RAW_VALUE: Final = re.compile(FIELD_TEXT)
_WHOLE_VALUE: Final = re.compile("(?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?")
"""A value with no whitespace at its ends."""

# Words of names that the standards do not simply begin with a capital (RFC 9110, RFC 6455).
_SPELLINGS: Final = {"etag": "ETag", "te": "TE", "websocket": "WebSocket", "www": "WWW"}
_LONGEST_ECHO: Final = 40  # characters of a name that an error's message repeats


def is_token(text: str) -> bool:
    """Tell whether `text` is a token, which names of fields, methods, cookies and subprotocols are (RFC 9110 §5.6.2)."""
    return _TOKEN.fullmatch(text) is not None


def check_field_name(name: str) -> None:
    """Raise `ValueError` unless `name` may be the name of a field, which is a token (RFC 9110 §5.1, §5.6.2)."""
    if not is_token(name):
        raise _bad_name(name)


def check_field_value(name: str, value: str) -> None:
    """Raise `ValueError`, naming the field, unless `value` may be sent as the value of `name` (RFC 9110 §5.5).

    Allowed are the characters of latin-1 but for control characters, of which HTAB alone is allowed, and no whitespace at
    either end. An empty value is allowed.
    """
    if _WHOLE_VALUE.fullmatch(value) is not None:
        return
    if _VALUE.fullmatch(value) is None:
        raise _bad_value(name, "has a character that no field may have")
    raise _bad_value(name, "begins or ends with whitespace")


def check_raw_fields(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Raise `ValueError` unless all of these fields may be sent: `check_field_name` and `check_field_value`, on bytes."""
    for name, value in fields:
        if _RAW_TOKEN.fullmatch(name) is None:
            raise _bad_name(name)
        if _RAW_VALUE.fullmatch(value) is None:
            raise _bad_value(name, "has a byte that no field may have")
        if value.strip(b" \t") != value:
            raise _bad_value(name, "begins or ends with whitespace")


def _bad_name(name: str | bytes) -> ValueError:
    return ValueError(f"the field name {name[:_LONGEST_ECHO]!r} is not a token (RFC 9110 §5.6.2)")


def _bad_value(name: str | bytes, fault: str) -> ValueError:
    return ValueError(f"the value of field {name[:_LONGEST_ECHO]!r} {fault} (RFC 9110 §5.5)")


class MultiMapping:  # noqa: PLW1641 - a subclass changes, so none of them is hashable
    """Strings to strings with several values for a name, in the order in which they came; it never changes.

    ``m[name]`` is the first value of a name, or `KeyError`. Iteration, `keys` and `len` see each name once, in the order of
    first appearance; `items` sees every pair. Two are equal if they have the same pairs in the same order.
    """

    __slots__ = ("_pairs", "_values")

    def __init__(self, pairs: Pairs = ()) -> None:
        """Take the pairs of a mapping, or pairs of name and value in order."""
        self._pairs: list[tuple[str, str]] = []
        self._values: dict[str, list[str]] = {}
        if pairs != ():
            for name, value in _each(pairs):
                self._append(self._fold(name), value)

    def _append(self, name: str, value: str) -> None:
        self._pairs.append((name, value))
        values = self._values.get(name)
        if values is None:
            self._values[name] = [value]
        else:
            values.append(value)

    @staticmethod
    def _fold(name: str) -> str:
        """Return the form in which a name is kept and looked up."""
        return name

    def __getitem__(self, name: str) -> str:
        return self._values[self._fold(name)][0]

    @overload
    def get(self, name: str) -> str | None: ...

    @overload
    def get(self, name: str, default: D) -> str | D: ...

    def get(self, name: str, default: D | None = None) -> str | D | None:
        """Return the first value of `name`, or `default`."""
        values = self._values.get(self._fold(name))
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """Return every value of `name` in order, in a new list; an empty one if there is none."""
        return list(self._values.get(self._fold(name), ()))

    def keys(self) -> list[str]:
        """Return the names, each once, in the order of first appearance."""
        return list(self._values)

    def items(self) -> list[tuple[str, str]]:
        """Return all pairs of name and value in order, with repeats."""
        return list(self._pairs)

    def __contains__(self, name: str) -> bool:
        return self._fold(name) in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        return self._pairs == other._pairs if isinstance(other, MultiMapping) else NotImplemented

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._pairs!r})"


Pairs: TypeAlias = Mapping[str, str] | MultiMapping | Iterable[tuple[str, str]]
"""What a `MultiMapping` is made of: another mapping, or pairs of name and value in order."""


def _each(pairs: Pairs) -> Iterable[tuple[str, str]]:
    if type(pairs) is dict:  # what most are; to be asked for the protocol costs as much as the rest
        return cast("dict[str, str]", pairs).items()
    if isinstance(pairs, MultiMapping):
        return pairs.items()
    # Without the cast a checker takes the mapping for one whose names are pairs.
    return cast("Mapping[str, str]", pairs).items() if isinstance(pairs, Mapping) else pairs


class Headers(MultiMapping):
    """A received header or trailer section: names without case, given in lower case; values as latin-1 (RFC 9110 §5)."""

    __slots__ = ()

    @classmethod
    def from_raw(cls, fields: Iterable[tuple[bytes, bytes]]) -> Self:
        """Make them of names and values as on the wire, in wire order."""
        made = cls()
        for name, value in fields:
            # Of bytes, `lower` knows the letters of ASCII alone.
            made._append(name.lower().decode("latin-1"), value.decode("latin-1"))
        return made

    @staticmethod
    def _fold(name: str) -> str:
        # Only the letters of ASCII have case in a field's name; lower() would take the Kelvin sign for a k.
        return name.lower() if name.isascii() else name


class MutableHeaders(Headers):
    """A header section to be sent. Every name and every value is checked when it is set.

    Raises:
        ValueError: A name is no token, or a value has a character or whitespace that no field may have; nothing was changed.
        ResponseSealedError: It was changed after `seal`.
    """

    __slots__ = ("_sealed",)

    def __init__(self, pairs: Pairs = ()) -> None:
        """Take the pairs of a mapping, or pairs of name and value in order."""
        self._sealed = False
        super().__init__(pairs)

    def _append(self, name: str, value: str) -> None:
        self._check(name, value)
        self._pairs.append((name, value))
        if name in self._values:
            self._values[name].append(value)
        else:
            self._values[name] = [value]

    def _check(self, name: str, value: str) -> None:
        if self._sealed:
            raise ResponseSealedError("the header section has been sent")
        _check_name_once(name)
        if _WHOLE_VALUE.fullmatch(value) is None:
            check_field_value(name, value)  # says what is wrong

    def __setitem__(self, name: str, value: str) -> None:
        """Set the only value of `name`: in the place of its first one, or at the end."""
        name = self._fold(name)
        if name not in self._values:
            self._append(name, value)
            return
        self._check(name, value)
        place = next(i for i, pair in enumerate(self._pairs) if pair[0] == name)
        self._pairs = [pair for pair in self._pairs if pair[0] != name]
        self._pairs.insert(place, (name, value))
        self._values[name] = [value]

    def __delitem__(self, name: str) -> None:
        """Take out every value of `name`; `KeyError` if there is none."""
        if self._sealed:
            raise ResponseSealedError("the header section has been sent")
        name = self._fold(name)
        del self._values[name]
        self._pairs = [pair for pair in self._pairs if pair[0] != name]

    def add(self, name: str, value: str) -> None:
        """Add a field line behind all others, whether the name is there already or not."""
        self._append(self._fold(name), value)

    def setdefault(self, name: str, value: str) -> str:
        """Return the first value of `name`, after setting it to `value` if there is none."""
        name = self._fold(name)
        if name not in self._values:
            self._append(name, value)
        return self._values[name][0]

    def discard(self, name: str) -> None:
        """Take out every value of `name`, if there is one."""
        if self._fold(name) in self._values:
            del self[name]

    def seal(self) -> None:
        """Refuse every further change with `ResponseSealedError`: the section is on its way."""
        self._sealed = True

    def raw(self) -> tuple[tuple[bytes, bytes], ...]:
        """Return names and values as on the wire, in order.

        Names are spelled as the standards have them, so that all fields of a message look alike.
        """
        return tuple([(_spell(name), value.encode("latin-1")) for name, value in self._pairs])


@lru_cache(maxsize=1024)
def _check_name_once(name: str) -> None:
    """Do as `check_field_name`, for names that come again and again. They are few, and whoever sends them is on our side."""
    check_field_name(name)


@lru_cache(maxsize=1024)
def _spell(name: str) -> bytes:
    """Give each word of a name a capital, and some words more than one. Names are few, and whoever sends them is on our side."""
    words = (_SPELLINGS.get(word) or word.title() for word in name.lower().split("-"))
    return "-".join(words).encode("ascii")
