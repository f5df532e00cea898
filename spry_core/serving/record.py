"""What there is to log, finished: the core writes no log, it hands over records."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from spry_core.protocol.events import RequestHead

Fields: TypeAlias = Mapping[str, str | int | float | bool | None]
"""What a record says, piece by piece (docs/reference/logs.md); flat, and every value is one of JSON's."""

ACCESS: Final = "spry.access"
"""The logger of one line per request and per WebSocket."""

ERROR: Final = "spry.error"
"""The logger of everything that went wrong."""

SERVER: Final = "spry.server"
"""The logger of the server's own life."""

INFO: Final = 20
WARNING: Final = 30
FAULT: Final = 40

LONGEST_TARGET: Final = 100
"""Characters of a target in a line of the log."""

_LONGEST_METHOD: Final = 10
_ESCAPED: Final = b'"\\'
_PLAIN: Final = re.compile(rb"[!#-\[\]-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One finished record."""

    logger: str
    """`ACCESS`, `ERROR` or `SERVER`."""

    level: int
    """The number of the level, as everywhere: 20 info, 30 warning, 40 error."""

    text: str
    """One line of printable characters."""

    fields: Fields = field(default_factory=dict[str, str | int | float | bool | None])
    """The same for programs: what the line tells, and a little more."""

    exception: BaseException | None = None
    """Whose traceback belongs to it: only for what an application did wrong, never for what a peer did."""


def record_internal_fault(what: str, error: BaseException) -> LogRecord:
    """Record an error of our own, and `what` it has cost, with its traceback.

    Memory that is wanting is nobody's mistake, and a peer may have brought about that it is: a line will do.
    """
    if isinstance(error, MemoryError):
        return LogRecord(logger=ERROR, level=FAULT, text=f"out of memory: {what}")
    return LogRecord(logger=ERROR, level=FAULT, text=f"internal error: {what}", exception=error)


def printable(data: bytes, longest: int) -> str:
    """Write bytes of a peer so that they fit into one line of a log: printable ASCII, the rest escaped, and
    three dots where that would be more than `longest` characters.
    """
    if len(data) <= longest and _PLAIN.fullmatch(data):  # nearly always, and for every request
        return data.decode("ascii")
    text = "".join(
        chr(each) if 0x20 < each < 0x7F and each not in _ESCAPED else f"\\x{each:02x}"
        for each in data[: longest + 1]
    )
    return cut(text, longest)


def printable_text(text: str, longest: int) -> str:
    """Do the same with text, in which spaces and quotes may stay as they are."""
    return cut(text[: longest + 1].encode("unicode_escape").decode("ascii"), longest)


def cut(text: str, longest: int) -> str:
    """Put three dots where `text` would go beyond `longest` characters."""
    return text if len(text) <= longest else text[: longest - 3] + "..."


def method_of(head: RequestHead) -> str:
    """Write the method within bounds."""
    return printable(head.method, _LONGEST_METHOD)


def target_of(head: RequestHead, longest: int = LONGEST_TARGET) -> str:
    """Write the target within bounds and without its query: clients put tokens there, browsers in particular,
    which can give a WebSocket no field.
    """
    return printable(head.target.partition(b"?")[0], longest)
