from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import cast

import pytest

from spry_core.headers import MutableHeaders
from spry_core.protocol.events import ResponseHead
from spry_core.web.response import Content, Response, encode_piece, to_response

TEXT = "text/plain; charset=utf-8"
BINARY = "application/octet-stream"
JSON = "application/json"


async def async_pieces() -> AsyncIterator[str]:
    yield "a"


def pieces() -> Iterator[str]:
    yield "a"


class Hooked:
    """Makes a response of itself, out of whatever it holds."""

    def __init__(self, answer: object) -> None:
        self.answer = answer
        self.requests: list[object] = []

    def __response__(self, request: object) -> object:
        self.requests.append(request)
        return self.answer


def test_text_is_utf_8() -> None:
    response = Response("né")
    assert response.content == b"n\xc3\xa9"
    assert response.headers.items() == [("content-type", TEXT), ("content-length", "3")]
    assert response.status_code == 200
    assert response.reason_phrase == ""
    assert not response.is_streamed


@pytest.mark.parametrize("content", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_are_bytes(content: bytes | bytearray | memoryview) -> None:
    response = Response(content)
    assert response.content == b"ab"
    assert type(response.content) is bytes
    assert response.headers.items() == [("content-type", BINARY), ("content-length", "2")]


@pytest.mark.parametrize("content", [b"", ""])
def test_nothing_has_no_type(content: bytes | str) -> None:
    response = Response(content)
    assert response.content == b""
    assert response.headers.items() == [("content-length", "0")]


def test_pieces_are_streamed_without_a_length() -> None:
    for content in (pieces(), async_pieces(), ["a", b"b"]):
        response = Response(cast("Content", content))
        assert response.content is content
        assert response.is_streamed
        assert response.headers.items() == [("content-type", BINARY)]


@pytest.mark.parametrize("content", [None, 1, {"a": "b"}, object()])
def test_other_content_is_a_mistake(content: object) -> None:
    with pytest.raises(TypeError, match=f"content is str, bytes .*, not {type(content).__name__}$"):
        Response(cast("Content", content))


def test_fields_of_ones_own_win() -> None:
    given = {"Content-Type": "text/html", "Content-Length": "9", "X": "1"}
    response = Response("a", headers=given)
    assert response.headers.items() == [("content-type", "text/html"), ("content-length", "9"), ("x", "1")]


def test_a_stream_may_have_a_length_of_its_own() -> None:
    assert Response(["a"], headers={"content-length": "1"}).headers["content-length"] == "1"


def test_a_response_keeps_its_own_fields() -> None:
    given = MutableHeaders({"x": "1"})
    Response("a", headers=given).headers["x"] = "2"
    assert given.items() == [("x", "1")]


@pytest.mark.parametrize("status_code", [204, 304])
def test_some_statuses_have_no_length(status_code: int) -> None:
    """RFC 9110 §8.6."""
    assert Response(status_code=status_code).headers.items() == []


def test_a_304_may_say_the_length_of_what_it_stands_for() -> None:
    """RFC 9110 §8.6: as the 200 would have it; with 204 it is forbidden."""
    assert Response(status_code=304, headers={"content-length": "9"}).headers.items() == [
        ("content-length", "9")
    ]
    assert Response(status_code=204, headers={"content-length": "9"}).headers.items() == []


def test_a_205_has_the_length_zero() -> None:
    """RFC 9110 §15.3.6."""
    assert Response(status_code=205).headers.items() == [("content-length", "0")]


@pytest.mark.parametrize("status_code", [204, 205, 304])
@pytest.mark.parametrize("content", [b"a", "a", ["a"]])
def test_some_statuses_forbid_content(status_code: int, content: bytes | str | list[str]) -> None:
    """RFC 9110 §15.3.5, §15.3.6, §15.4.5."""
    with pytest.raises(ValueError, match=f"a response with {status_code} has no content"):
        Response(content, status_code)
    response = Response(content)
    with pytest.raises(ValueError, match="has no content"):
        response.status_code = status_code
    assert response.status_code == 200
    response = Response(status_code=status_code)
    with pytest.raises(ValueError, match="has no content"):
        response.content = content
    assert response.content == b""


@pytest.mark.parametrize("status_code", [-1, 0, 100, 101, 199, 600, 1000])
def test_a_response_is_a_final_one(status_code: int) -> None:
    """RFC 9110 §15."""
    with pytest.raises(ValueError, match=f"not {status_code} "):
        Response(status_code=status_code)
    response = Response()
    with pytest.raises(ValueError, match=f"not {status_code} "):
        response.status_code = status_code
    assert Response(status_code=200).status_code == 200
    assert Response(status_code=599).status_code == 599


def test_another_status_changes_the_length_with_it() -> None:
    response = Response()
    response.status_code = 204
    assert (response.status_code, response.headers.items()) == (204, [])
    response.status_code = 404
    assert (response.status_code, response.headers.items()) == (404, [("content-length", "0")])


def test_other_content_changes_the_length_with_it() -> None:
    response = Response("a", headers={"content-length": "9"})
    response.content = "abc"
    content: object = response.content
    assert content == b"abc"
    assert response.headers.items() == [("content-length", "3"), ("content-type", TEXT)]
    response.content = b"abcd"
    assert response.headers.items() == [("content-length", "4"), ("content-type", TEXT)]
    response.content = ["a"]
    assert response.headers.items() == [("content-type", TEXT)]


@pytest.mark.parametrize("phrase", ["", "OK", "I am a teapot", "\xe9", "a\tb"])
def test_a_reason_phrase_is_visible(phrase: str) -> None:
    """RFC 9112 §4."""
    assert Response(reason_phrase=phrase).reason_phrase == phrase


@pytest.mark.parametrize("phrase", [" ", "OK ", "\tOK", "a\r\nb", "a\n", "\x7f", "\x00", "€"])
def test_a_reason_phrase_cannot_end_its_line(phrase: str) -> None:
    """RFC 9112 §4."""
    with pytest.raises(ValueError, match="the reason phrase has a character"):
        Response(reason_phrase=phrase)


def test_a_field_that_cannot_be_sent_is_refused() -> None:
    with pytest.raises(ValueError, match="'x'"):
        Response(headers={"x": "1\r\ny: 2"})


def test_json_is_compact_utf_8() -> None:
    """RFC 8259 §8.1."""
    response = Response.json({"é": [1, None]}, 201, {"X": "1"})
    assert response.content == b'{"\xc3\xa9":[1,null]}'
    assert response.status_code == 201
    assert response.headers.items() == [("x", "1"), ("content-type", JSON), ("content-length", "15")]


def test_json_escapes_what_utf_8_cannot_say() -> None:
    """RFC 8259 §8.2: a lone surrogate is JSON, but no Unicode text."""
    assert Response.json(["é\ud800"]).content == b'["\\u00e9\\ud800"]'


def test_json_may_have_a_type_of_its_own() -> None:
    response = Response.json([], headers={"Content-Type": "application/problem+json"})
    assert response.headers.items() == [("content-type", "application/problem+json"), ("content-length", "2")]


def test_what_is_no_json_is_a_mistake() -> None:
    """RFC 8259 §6: NaN is not permitted."""
    with pytest.raises(TypeError, match="set is not JSON serializable"):
        Response.json({1, 2})
    with pytest.raises(ValueError, match="not JSON compliant"):
        Response.json(float("nan"))


def test_every_cookie_is_a_field_of_its_own() -> None:
    """RFC 6265 §3."""
    response = Response()
    response.set_cookie("a", "1", httponly=True)
    response.set_cookie(
        "b",
        "2",
        max_age=1,
        expires=datetime(2015, 10, 21, 7, 28, tzinfo=UTC),
        path="/x",
        domain="example.org",
        secure=True,
        samesite="none",
    )
    response.set_cookie("c", samesite=None)
    assert response.headers.get_all("set-cookie") == [
        "a=1; Path=/; HttpOnly; SameSite=Lax",
        "b=2; Max-Age=1; Expires=Wed, 21 Oct 2015 07:28:00 GMT; Domain=example.org; Path=/x; Secure; SameSite=None",
        "c=; Path=/",
    ]


def test_a_cookie_is_deleted_where_it_was_set() -> None:
    """RFC 6265 §3.1."""
    response = Response()
    response.delete_cookie("a")
    response.delete_cookie("__Host-b", secure=True)
    response.delete_cookie("c", path="/x", domain="example.org")
    end = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT"
    assert response.headers.get_all("set-cookie") == [
        f"a=; {end}; Path=/; SameSite=Lax",
        f"__Host-b=; {end}; Path=/; Secure; SameSite=Lax",
        f"c=; {end}; Domain=example.org; Path=/x; SameSite=Lax",
    ]


def test_a_bad_cookie_changes_nothing() -> None:
    response = Response()
    with pytest.raises(ValueError):
        response.set_cookie("a", "1; Secure")
    assert "set-cookie" not in response.headers


def test_a_response_shows_its_status_and_size() -> None:
    assert repr(Response("abc", 404)) == "<Response 404, 3 bytes>"
    assert repr(Response(["a"])) == "<Response 200, streamed>"


@pytest.mark.parametrize("piece", ["é", b"\xc3\xa9", bytearray(b"\xc3\xa9"), memoryview(b"\xc3\xa9")])
def test_a_piece_becomes_bytes(piece: object) -> None:
    encoded = encode_piece(piece)
    assert encoded == b"\xc3\xa9"
    assert type(encoded) is bytes


def test_a_piece_is_text_or_bytes() -> None:
    with pytest.raises(TypeError, match="a stream of content gave int, which is neither str nor bytes"):
        encode_piece(1)


@pytest.mark.parametrize(
    ("value", "content", "kind"),
    [
        ("é", b"\xc3\xa9", TEXT),
        (b"a", b"a", BINARY),
        (bytearray(b"a"), b"a", BINARY),
        (memoryview(b"a"), b"a", BINARY),
        ({"a": 1}, b'{"a":1}', JSON),
        ({}, b"{}", JSON),
        ([1, "é"], b'[1,"\xc3\xa9"]', JSON),
    ],
)
def test_a_returned_value_becomes_a_response(value: object, content: bytes, kind: str) -> None:
    response = to_response(value, None)
    assert response.status_code == 200
    assert response.content == content
    assert response.headers.items() == [("content-type", kind), ("content-length", str(len(content)))]


def test_nothing_returned_is_no_content() -> None:
    """RFC 9110 §15.3.5."""
    response = to_response(None, None)
    assert (response.status_code, response.content, response.headers.items()) == (204, b"", [])


def test_a_response_returned_is_itself() -> None:
    response = Response("a", 418)
    assert to_response(response, None) is response


def test_an_iterable_returned_is_streamed() -> None:
    for value in (pieces(), async_pieces(), ("a", "b")):
        response = to_response(value, None)
        assert response.content is value
        assert response.status_code == 200


@pytest.mark.parametrize(
    ("answer", "status_code", "content"),
    [("a", 200, b"a"), (None, 204, b""), ({"a": 1}, 200, b'{"a":1}'), (Response("b", 418), 418, b"b")],
)
def test_an_object_can_say_what_its_response_is(answer: object, status_code: int, content: bytes) -> None:
    value = Hooked(answer)
    request = object()
    response = to_response(value, request)
    assert (response.status_code, response.content) == (status_code, content)
    assert value.requests == [request]


def test_what_an_object_says_is_not_asked_again() -> None:
    with pytest.raises(TypeError, match=r"^__response__ of what GET / returned returned Hooked, of which no"):
        to_response(Hooked(Hooked("a")), None, returned_by="GET /")


@pytest.mark.parametrize("value", [1, 1.5, True, object()])
def test_anything_else_returned_is_a_mistake(value: object) -> None:
    name = type(value).__name__
    with pytest.raises(TypeError, match=rf"^GET / returned {name}, of which no response can be made$"):
        to_response(value, None, returned_by="GET /")
    with pytest.raises(TypeError, match=r"^the handler returned"):
        to_response(value, None)


def test_the_fields_of_a_response_that_nobody_looked_at_are_type_and_length() -> None:
    assert Response("é").usual_fields() == ("text/plain; charset=utf-8", 2)
    assert Response().usual_fields() == ("", 0)
    assert Response(status_code=204).usual_fields() == ("", None)
    assert Response(iter([b"a"])).usual_fields() == ("application/octet-stream", None)
    assert Response.json({}).usual_fields() == ("application/json", 2)


def test_the_head_is_what_goes_out() -> None:
    usual = Response("é").as_head()
    assert usual == ResponseHead(
        status_code=200,
        headers=((b"Content-Type", b"text/plain; charset=utf-8"), (b"Content-Length", b"2")),
    )
    assert Response("è").as_head() is usual
    assert Response(status_code=204).as_head() == ResponseHead(status_code=204)
    assert Response(b"a", 404, {"x": "1"}, reason_phrase="Gone").as_head() == ResponseHead(
        status_code=404,
        headers=((b"X", b"1"), (b"Content-Type", b"application/octet-stream"), (b"Content-Length", b"1")),
        reason_phrase=b"Gone",
    )
    assert Response(b"", reason_phrase="\xe9").as_head() == ResponseHead(
        status_code=200, headers=((b"Content-Length", b"0"),), reason_phrase=b"\xe9"
    )


def test_fields_that_somebody_may_have_changed_are_not_the_usual_ones() -> None:
    response = Response("a")
    assert response.headers.items() == [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "1"),
    ]
    assert response.usual_fields() is None
    assert Response("a", headers={}).usual_fields() is None


def test_what_is_set_before_anybody_looks_at_the_fields_is_in_them() -> None:
    response = Response("a")
    response.content = b"bc"
    assert response.usual_fields() == ("text/plain; charset=utf-8", 2)
    response = Response()
    response.content = b"bc"
    response.status_code = 404
    response.reason_phrase = "Gone"
    assert response.headers.items() == [("content-type", "application/octet-stream"), ("content-length", "2")]
    response.content = iter([b"a"])
    assert response.headers.items() == [("content-type", "application/octet-stream")]


def test_fields_can_be_put_in_the_place_of_others() -> None:
    response = Response("a")
    response.headers = MutableHeaders({"x": "1"})
    assert response.headers.items() == [("x", "1")]


def test_a_subclass_of_response_is_one() -> None:
    class Page(Response):
        pass

    page = Page("a")
    assert to_response(page, None) is page


@pytest.mark.parametrize("name", ["content-type", "Content-Type"])
@pytest.mark.parametrize(
    ("content", "status_code"),
    [("a", 200), (b"a", 404), (b"", 200), (b"", 204), (b"", 205), (b"", 304), (["a"], 200)],
)
def test_a_type_alone_makes_the_same_response_as_a_section_with_nothing_else(
    name: str, content: Content, status_code: int
) -> None:
    """A type is all that most answers say; no section is made for it."""
    alone = Response(content, status_code, {name: "text/x"})
    section = Response(content, status_code, MutableHeaders({name: "text/x"}))
    assert section.usual_fields() is None
    length = alone.headers.get("content-length")
    assert Response(content, status_code, {name: "text/x"}).usual_fields() == (
        "text/x",
        None if length is None else int(length),
    )
    assert alone.headers == section.headers
    alone.content = section.content = b""
    alone.status_code = section.status_code = 200
    assert alone.headers == section.headers


@pytest.mark.parametrize("kind", ["a\r\nb: c", "a\x00", " a", "a "])
def test_a_type_alone_is_checked_where_it_is_given(kind: str) -> None:
    """RFC 9110 §5.5."""
    with pytest.raises(ValueError, match="the value of field 'content-type'"):
        Response("a", headers={"Content-Type": kind})


def test_an_empty_type_is_a_field_all_the_same() -> None:
    assert Response("a", headers={"content-type": ""}).headers.items() == [
        ("content-type", ""),
        ("content-length", "1"),
    ]
