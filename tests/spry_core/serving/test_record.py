"""What goes into a log of what a peer has sent."""

from __future__ import annotations

import pytest

from spry_core.protocol.events import RequestHead
from spry_core.serving.record import (
    ACCESS,
    ERROR,
    LogRecord,
    method_of,
    printable,
    printable_text,
    record_internal_fault,
    target_of,
)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"/rooms/hall?a=1", "/rooms/hall?a=1"),
        (b"/a\r\nb", "/a\\x0d\\x0ab"),
        (b"/a b", "/a\\x20b"),
        (b'/a"b', "/a\\x22b"),
        (b"/a\\x", "/a\\x5cx"),
        (b"/caf\xc3\xa9\x00\x7f\x1b", "/caf\\xc3\\xa9\\x00\\x7f\\x1b"),
    ],
)
def test_bytes_of_a_peer_fit_into_one_line(data: bytes, text: str) -> None:
    """No log can be made to show a line that nobody wrote, nor to move a terminal's cursor."""
    assert printable(data, 100) == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"x" * 9, "x" * 9),
        (b"x" * 10, "x" * 10),
        (b"x" * 11, "x" * 7 + "..."),
        (b"x" * 10_000_000, "x" * 7 + "..."),
        (b"\0" * 3, "\\x00\\x0..."),
    ],
)
def test_what_is_too_long_is_cut(data: bytes, text: str) -> None:
    assert printable(data, 10) == text


def test_a_record_is_complete_as_it_is() -> None:
    error = LookupError()
    record = LogRecord(logger=ERROR, level=40, text="text", exception=error)
    assert (record.logger, record.level, record.text, record.exception) == ("spry.error", 40, "text", error)
    plain = LogRecord(logger=ACCESS, level=20, text="text")
    assert (plain.exception, plain.fields) == (None, {})


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("", ""),
        ('the "end" of it', 'the "end" of it'),
        ("caf\u00e9", "caf\\xe9"),
        ("a\r\nb\x1b[2J\x7f", "a\\r\\nb\\x1b[2J\\x7f"),
        ("\u2028\ud800", "\\u2028\\ud800"),
        ("x" * 20, "x" * 20),
        ("x" * 21, "x" * 17 + "..."),
    ],
)
def test_text_of_a_peer_fits_into_one_line(text: str, written: str) -> None:
    assert printable_text(text, 20) == written


def test_a_method_is_bounded() -> None:
    assert method_of(RequestHead(method=b"PROPPATCHES", target=b"/")) == "PROPPAT..."


@pytest.mark.parametrize(
    ("target", "written"),
    [
        (b"/", "/"),
        (b"/a?token=secret", "/a"),
        (b"/a?", "/a"),
        (b"/a?b?c", "/a"),
        (b'/"' + b"x" * 200, "/\\x22" + "x" * 92 + "..."),
        (b"/" + b"x" * 200 + b"?secret", "/" + "x" * 96 + "..."),
    ],
)
def test_a_target_is_bounded_and_a_query_is_left_out(target: bytes, written: str) -> None:
    assert target_of(RequestHead(method=b"GET", target=target)) == written


def test_a_target_may_be_bounded_more_closely() -> None:
    assert target_of(RequestHead(method=b"GET", target=b"/xxxxxxxxxx"), 10) == "/xxxxxx..."


def test_an_error_of_our_own_has_its_traceback() -> None:
    error = LookupError()
    assert record_internal_fault("connection aborted", error) == LogRecord(
        logger=ERROR, level=40, text="internal error: connection aborted", exception=error
    )


def test_want_of_memory_has_none() -> None:
    record = record_internal_fault("connection aborted", MemoryError())
    assert record == LogRecord(logger=ERROR, level=40, text="out of memory: connection aborted")
