"""The Date field (RFC 9110 §5.6.7, §6.6.1), from a wall clock that is an argument."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def imf_fixdate(seconds: float) -> str:
    """Write a moment, in seconds since the epoch, as an IMF-fixdate; names of days and months never follow a
    locale.
    """
    moment = datetime.fromtimestamp(int(seconds), UTC)
    day, month = _DAYS[moment.weekday()], _MONTHS[moment.month - 1]
    clock = f"{moment.hour:02}:{moment.minute:02}:{moment.second:02}"  # `strftime` would ask the time module
    return f"{day}, {moment.day:02} {month} {moment.year:04} {clock} GMT"


class DateCache:
    """The value of the Date field, made anew once a second."""

    __slots__ = ("_wall_clock",)

    def __init__(self, wall_clock: Callable[[], float] | None) -> None:
        self._wall_clock = wall_clock

    def field(self) -> tuple[bytes, bytes] | None:
        """Return the field for now, or None where there is no wall clock."""
        return None if self._wall_clock is None else _field(int(self._wall_clock()))

    def line(self) -> bytes:
        """Return the field for now as a line with its CRLF, or nothing where there is no wall clock."""
        return b"" if self._wall_clock is None else _line(int(self._wall_clock()))

    def value(self) -> bytes | None:
        """Return the value for now, or None where there is no wall clock."""
        field = self.field()
        return None if field is None else field[1]


@lru_cache(maxsize=4)
def _field(second: int) -> tuple[bytes, bytes]:
    """Make the field; connections of one server, and servers of one process, have the same seconds."""
    return b"Date", imf_fixdate(second).encode("ascii")


@lru_cache(maxsize=4)
def _line(second: int) -> bytes:
    return b"%b: %b\r\n" % _field(second)
