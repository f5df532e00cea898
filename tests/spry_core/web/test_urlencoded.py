from __future__ import annotations

import pytest

from spry_core.web.urlencoded import count_pairs, parse_pairs


@pytest.mark.parametrize(
    ("data", "pairs"),
    [
        (b"", []),
        (b"&&", []),
        (b"a", [("a", "")]),
        (b"a=", [("a", "")]),
        (b"=1", [("", "1")]),
        (b"=", [("", "")]),
        (b"a=1&b=2&a=3", [("a", "1"), ("b", "2"), ("a", "3")]),
        (b"a=1=2", [("a", "1=2")]),
        (b"a;b=1", [("a;b", "1")]),
        (b"a+b=c+d", [("a b", "c d")]),
        (b"%61=%3D%26%2B", [("a", "=&+")]),
        (b"a=%2541", [("a", "%41")]),
        (b"a=%C3%A9", [("a", "é")]),
        (b"a=\xc3\xa9", [("a", "é")]),
        (b"a=%FF%", [("a", "\ufffd%")]),
        (b"a=%zz%4", [("a", "%zz%4")]),
        (b"a=%00", [("a", "\0")]),
    ],
)
def test_pairs_are_read_as_browsers_write_them(data: bytes, pairs: list[tuple[str, str]]) -> None:
    """WHATWG URL §5.1."""
    assert parse_pairs(data).items() == pairs


@pytest.mark.parametrize(("data", "count"), [(b"", 1), (b"a", 1), (b"a&b", 2), (b"&&", 3)])
def test_the_count_is_never_less_than_what_is_read(data: bytes, count: int) -> None:
    assert count_pairs(data) == count
    assert len(parse_pairs(data).items()) <= count
