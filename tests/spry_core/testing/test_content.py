"""What a request carries, and what its header section says of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from spry_core.headers import MutableHeaders
from spry_core.testing.content import NOTHING, content_of

Described = tuple[list[bytes], list[tuple[str, str]]]


def described(
    content: str | bytes | Iterable[bytes] = b"",
    *,
    json: object = NOTHING,
    data: Mapping[str, str] | None = None,
    fields: Mapping[str, str] | None = None,
) -> Described:
    headers = MutableHeaders(fields or {})
    pieces = list(content_of(headers, content, json, data))
    return pieces, list(headers.items())


JSON, TEXT = ("content-type", "application/json"), ("content-type", "text/plain; charset=utf-8")
FORM = ("content-type", "application/x-www-form-urlencoded")


CASES: list[tuple[Described, Described]] = [
    (described(), ([b""], [])),
    (described(b"abc"), ([b"abc"], [("content-length", "3")])),
    (described("é"), ([b"\xc3\xa9"], [TEXT, ("content-length", "2")])),
    (described(json=None), ([b"null"], [JSON, ("content-length", "4")])),
    (described(json={"a": "é"}), ([b'{"a":"\xc3\xa9"}'], [JSON, ("content-length", "10")])),
    (described(data={"a b": "é&"}), ([b"a+b=%C3%A9%26"], [FORM, ("content-length", "13")])),
    (described(iter([b"a", b"b"])), ([b"a", b"b"], [("transfer-encoding", "chunked")])),
]


@pytest.mark.parametrize(
    ("got", "wanted"), CASES, ids=["none", "bytes", "text", "null", "json", "form", "pieces"]
)
def test_content_is_described(got: Described, wanted: Described) -> None:
    assert got == wanted


def test_fields_that_are_given_win() -> None:
    assert described(json=1, fields={"content-type": "a/b", "content-length": "9"}) == (
        [b"1"],
        [("content-type", "a/b"), ("content-length", "9")],
    )
    assert described([b"ab"], fields={"content-length": "2"}) == ([b"ab"], [("content-length", "2")])
