"""What there is to log, finished: the core writes no log, it hands over records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from spry_core.protocol.events import RequestHead

ACCESS: Final = "spry.access"
"""The logger of one line per request and per WebSocket."""

ERROR: Final = "spry.error"
"""The logger of everything that went wrong."""

INFO: Final = 20
WARNING: Final = 30
FAULT: Final = 40

_LONGEST_METHOD: Final = 10
_LONGEST_TARGET: Final = 100
_ESCAPED: Final = b'"\\'


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One finished record."""

    logger: str
    """`ACCESS` or `ERROR`."""

    level: int
    """The number of the level, as everywhere: 20 info, 30 warning, 40 error."""

    text: str
    """One line."""

    exception: BaseException | None = None
    """Whose traceback belongs to it: only for what an application did wrong, never for what a peer did."""


def printable(data: bytes, longest: int) -> str:
    """Write bytes of a peer so that they fit into one line of a log: printable ASCII, the rest escaped, and
    three dots where that would be more than `longest` characters.
    """
    text = "".join(
        chr(each) if 0x20 < each < 0x7F and each not in _ESCAPED else f"\\x{each:02x}"
        for each in data[:longest]
    )
    return text if len(text) <= longest and len(data) <= longest else text[: longest - 3] + "..."


def request_line(head: RequestHead) -> str:
    """Write what was asked for, in quotes and within bounds, for a line of a log."""
    return f'"{printable(head.method, _LONGEST_METHOD)} {printable(head.target, _LONGEST_TARGET)}"'
