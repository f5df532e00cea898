"""Tests of `spry_core.protocol.lines`: our own field lines, checked, encoded and remembered (RFC 9112 §5)."""

from __future__ import annotations

import pytest

from spry_core.protocol.lines import DECIDING, field_line


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ((b"X-A", b"b c"), b"X-A: b c\r\n"),
        ((b"X-A", b""), b"X-A: \r\n"),
        ((b"X-A", b"\xff" * 500), b"X-A: " + b"\xff" * 500 + b"\r\n"),
        ((b"Set-Cookie", b"a=b"), b"Set-Cookie: a=b\r\n"),
    ],
)
def test_a_field_is_one_line(field: tuple[bytes, bytes], line: bytes) -> None:
    for _ in range(2):
        assert field_line(field) == (line, b"")


@pytest.mark.parametrize("name", sorted(DECIDING))
def test_a_name_that_decides_about_something_is_told(name: bytes) -> None:
    """In lower case, however it is spelled."""
    for _ in range(2):
        assert field_line((name.title(), b"1")) == (name.title() + b": 1\r\n", name)


@pytest.mark.parametrize(
    ("field", "fault"),
    [
        ((b"a b", b""), r"^the field name b'a b' is not a token"),
        ((b"A", b"b\r\nC: d"), r"^the value of field b'A' has a byte that no field may have"),
        ((b"A", b" b"), r"^the value of field b'A' begins or ends with whitespace"),
    ],
)
def test_what_may_not_be_sent_is_refused_every_time(field: tuple[bytes, bytes], fault: str) -> None:
    """RFC 9110 §5.5: it is not remembered."""
    for _ in range(2):
        with pytest.raises(ValueError, match=fault):
            field_line(field)


def test_short_lines_are_remembered_and_no_others() -> None:
    """A long one would fill memory, and what is secret is not for whoever finds it there."""

    def is_remembered(name: bytes, value: bytes) -> bool:
        first = field_line((name, value))
        return field_line((name, value)) is first

    assert is_remembered(b"X-A", b"b" * 153)  # 160 with what is around it
    assert not is_remembered(b"X-A", b"b" * 154)
    for name in (
        b"Authorization",
        b"cookie",
        b"Proxy-Authorization",
        b"Set-Cookie",
        b"Sec-WebSocket-Protocol",
    ):
        assert not is_remembered(name, b"a")
    assert not is_remembered(b"Sec-WebSocket-Accept", b"a")  # never the same twice


def test_so_many_are_remembered_at_most() -> None:
    first = field_line((b"X-First", b"1"))
    for i in range(1024):
        assert field_line((b"X-Next", b"%d" % i)) == (b"X-Next: %d\r\n" % i, b"")
    again = field_line((b"X-First", b"1"))
    assert again is not first
    assert again == first
