"""Tests of `spry_core.protocol.date`: the Date field (RFC 9110 §5.6.7, §6.6.1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.protocol.date import DateCache, imf_fixdate


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (0.0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (0.999, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784111777.5, "Sun, 06 Nov 1994 08:49:37 GMT"),
        (951782399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951782400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (4102444799, "Thu, 31 Dec 2099 23:59:59 GMT"),
    ],
)
def test_a_moment_is_written_as_an_imf_fixdate(seconds: float, written: str) -> None:
    """RFC 9110 §5.6.7, whose example is the third."""
    assert imf_fixdate(seconds) == written


@given(st.integers(0, 253402300799))
def test_the_standard_library_writes_the_same(seconds: int) -> None:
    assert imf_fixdate(seconds) == format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


def test_the_value_is_made_once_a_second() -> None:
    moments: Iterator[float] = iter([10.0, 10.2, 10.999, 11.0, 9.5])
    cache = DateCache(lambda: next(moments))
    values = [cache.value() for _ in range(5)]
    assert values == [b"Thu, 01 Jan 1970 00:00:%02d GMT" % second for second in (10, 10, 10, 11, 9)]
    assert values[0] is values[1] is values[2]


def test_without_a_wall_clock_there_is_no_date() -> None:
    """RFC 9110 §6.6.1: an origin server without a clock must not send Date."""
    assert DateCache(None).value() is None
    assert DateCache(None).field() is None
    assert DateCache(None).line() == b""


def test_a_line_is_made_once_a_second() -> None:
    moments: Iterator[float] = iter([10.0, 10.2, 11.0])
    cache = DateCache(lambda: next(moments))
    lines = [cache.line() for _ in range(3)]
    assert lines == [b"Date: Thu, 01 Jan 1970 00:00:%02d GMT\r\n" % second for second in (10, 10, 11)]
    assert lines[0] is lines[1]
