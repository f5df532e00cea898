"""What a reader makes of bytes, how two readers part, and which reviewed row explains that."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple, TypeAlias

from spry_core.protocol import RawFields
from spry_core.protocol.head import tokens, values


class Request(NamedTuple):
    """A request that was read to its end."""

    method: bytes
    target: bytes
    version: bytes
    fields: RawFields
    """Names in lower case, as the readers do not agree about their case."""
    content: bytes = b""
    trailers: RawFields | None = ()
    """The same; None from a reader that keeps them to itself."""

    def is_last(self) -> bool:
        """Tell whether what comes behind it is no request any more, or is another protocol's."""
        return ends(self.version, self.fields) or self.method == b"CONNECT"


class Response(NamedTuple):
    """A response that was read to its end; an interim one (1xx) is one of its own."""

    status_code: int
    version: bytes
    reason_phrase: bytes
    fields: RawFields
    """Names in lower case, as the readers do not agree about their case."""
    content: bytes = b""
    trailers: RawFields | None = ()
    """The same; None from a reader that keeps them to itself."""

    def is_last(self) -> bool:
        """Tell whether what comes behind it is no response any more."""
        return self.status_code >= 200 and ends(self.version, self.fields)


Seen: TypeAlias = Request | Response


def ends(version: bytes, fields: RawFields) -> bool:
    """Tell whether a head that says this is a connection's last."""
    options = tokens(fields, b"connection")
    switches = b"upgrade" in options and bool(values(fields, b"upgrade"))
    return version == b"1.0" or b"close" in options or switches


class Reading(NamedTuple):
    """What one reader makes of some bytes."""

    messages: tuple[Seen, ...]
    fault: str = ""
    """What it says where it stops, if it does."""


def until_last(messages: list[Seen], fault: str) -> Reading:
    """Leave out what stands behind a message that is the last."""
    for i, each in enumerate(messages):
        if each.is_last():
            return Reading(tuple(messages[: i + 1]))
    return Reading(tuple(messages), fault)


Kind: TypeAlias = Literal["takes", "refuses", "reads"]
"""The other reader takes what Spry refuses, or refuses what Spry takes, or both take it and read it otherwise."""

HTTPTOOLS: Final = ("httptools",)
AIOHTTP: Final = ("aiohttp",)
BOTH: Final = ("httptools", "aiohttp")

SPRY: Final = "Spry"
CHOICE: Final = "both: the standard leaves it open"


@dataclass(frozen=True)
class Difference:
    """One reviewed class of disagreements."""

    readers: tuple[str, ...]
    kind: Kind
    said: str
    """What is said to what one refuses: the text of Spry's error, or the name of the other's exception. Of what is read
    otherwise the parts of the message.
    """
    what: str
    """The class of input, for people."""
    section: str
    sentence: str
    """What it says, in short."""
    right: str
    where: bytes = b""
    """What the bytes match if the class is a part of what `said` covers."""

    def explains(self, reader: str, kind: Kind, said: str, data: bytes) -> bool:
        """Tell whether a disagreement about `data` is of this class."""
        is_ours = reader in self.readers and (kind, said) == (self.kind, self.said)
        return is_ours and re.search(self.where, data) is not None


def first_difference(ours: Reading, theirs: Reading) -> tuple[Kind, str] | None:
    """Say how two readings part, if they do: the kind, and what is said to it."""
    count = min(len(ours.messages), len(theirs.messages))
    for mine, other in zip(ours.messages, theirs.messages, strict=False):
        parts = [part for part in mine._fields if is_other(part, getattr(mine, part), getattr(other, part))]
        if parts:
            return "reads", ", ".join(parts)
    if len(theirs.messages) > count:
        return "takes", ours.fault
    return ("refuses", theirs.fault) if len(ours.messages) > count else None


def is_other(part: str, mine: object, theirs: object) -> bool:
    """Tell whether two readers gave two values for one part of a message."""
    return mine != theirs and not (part == "trailers" and None in (mine, theirs))


class Comparison(NamedTuple):
    """Spry's reader, the others', and what is known of how they part."""

    ours: Callable[[bytes], Reading]
    others: Mapping[str, Callable[[bytes], Reading]]
    rows: tuple[Difference, ...]

    def unexplained(self, data: bytes) -> list[str]:
        """Return the disagreements about `data` that no row explains."""
        ours, found = self.ours(data), list[str]()
        for reader, read in self.others.items():
            difference = first_difference(ours, read(data))
            if difference is not None and not self._explaining(reader, difference, data):
                found.append(f"{reader} {difference[0]} it otherwise than Spry ({difference[1]}): {data!r}")
        return found

    def used(self, data: bytes) -> set[tuple[str, str]]:
        """Return what is disagreed about in `data`, and by which reader, of what the rows explain."""
        ours, found = self.ours(data), set[tuple[str, str]]()
        for reader, read in self.others.items():
            difference = first_difference(ours, read(data))
            if difference is not None:
                found |= {(row.what, reader) for row in self._explaining(reader, difference, data)}
        return found

    def _explaining(self, reader: str, difference: tuple[Kind, str], data: bytes) -> list[Difference]:
        return [row for row in self.rows if row.explains(reader, *difference, data)]


def named(rows: tuple[Difference, ...]) -> set[tuple[str, str]]:
    """Return every class of disagreements with each reader that it names."""
    return {(row.what, reader) for row in rows for reader in row.readers}
