"""What a request carries, and what its header section says of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Unpack

import pytest

from spry_core.headers import MutableHeaders
from spry_core.testing.content import ContentSettings, content_of, on_wire

Described = tuple[list[bytes], list[tuple[str, str]]]


def described(*, fields: Mapping[str, str] | None = None, **content: Unpack[ContentSettings]) -> Described:
    headers = MutableHeaders(fields or {})
    pieces = list(content_of(headers, content))
    return pieces, list(headers.items())


JSON, TEXT = ("content-type", "application/json"), ("content-type", "text/plain; charset=utf-8")
FORM = ("content-type", "application/x-www-form-urlencoded")


CASES: list[tuple[Described, Described]] = [
    (described(), ([b""], [])),
    (described(content=b"abc"), ([b"abc"], [("content-length", "3")])),
    (described(content="é"), ([b"\xc3\xa9"], [TEXT, ("content-length", "2")])),
    (described(json=None), ([b"null"], [JSON, ("content-length", "4")])),
    (described(json={"a": "é"}), ([b'{"a":"\xc3\xa9"}'], [JSON, ("content-length", "10")])),
    (described(json=1, data=None), ([b"1"], [JSON, ("content-length", "1")])),
    (described(data={"a b": "é&"}), ([b"a+b=%C3%A9%26"], [FORM, ("content-length", "13")])),
    (described(content=iter([b"a", b"b"])), ([b"a", b"b"], [("transfer-encoding", "chunked")])),
]


@pytest.mark.parametrize(
    ("got", "wanted"),
    CASES,
    ids=["none", "bytes", "text", "null", "json", "no form", "form", "pieces"],
)
def test_content_is_described(got: Described, wanted: Described) -> None:
    assert got == wanted


def test_fields_that_are_given_win() -> None:
    assert described(json=1, fields={"content-type": "a/b", "content-length": "9"}) == (
        [b"1"],
        [("content-type", "a/b"), ("content-length", "9")],
    )
    assert described(content=[b"ab"], fields={"content-length": "2"}) == ([b"ab"], [("content-length", "2")])


WRONG: list[tuple[dict[str, Any], str]] = [  # Any: checkers refuse them too
    ({"content": 3}, "content is str, bytes or an iterable of bytes, not int"),
    ({"content": None}, "content is str, bytes or an iterable of bytes, not NoneType"),
    ({"content": bytearray(b"a")}, "a piece of the content is bytes, not int"),
    ({"content": ["a"]}, "a piece of the content is bytes, not str"),
    ({"content": b"", "json": 1}, "content and json: a request has one content, so give one of them"),
    ({"json": None, "data": {}}, "json and data: a request has one content, so give one of them"),
    ({"body": b""}, "a request has no argument 'body': its content is content, json or data"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_what_cannot_be_sent_is_a_type_error_that_says_what_can(
    settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(TypeError) as caught:
        described(**settings)
    assert str(caught.value) == message


def test_a_target_stands_on_the_wire_as_it_is() -> None:
    """RFC 9112 §3.2: other octets are percent-encoded by who makes the URI."""
    assert on_wire("/caf%C3%A9?a=b") == b"/caf%C3%A9?a=b"
    with pytest.raises(
        ValueError, match=r"^the target has '\\xe9' at 4: percent-encode it, as `urllib"
    ) as caught:
        on_wire("/café/é")
    assert not isinstance(caught.value, UnicodeError)
