"""Tests of `spry_core.testing.machines.answers`: responses read by hand, wherever they are cut (RFC 9112 §6.3, §7.1)."""

from __future__ import annotations

import pytest

from spry_core.headers import Headers
from spry_core.testing.machines import Answer, AnswerReader

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2;x\r\nbc\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "method", "content"),
    [
        (OK, b"GET", b"ab"),
        (OK[:-2], b"HEAD", b""),
        (CHUNKED, b"GET", b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b"GET", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, b"POST", b"ab"),
    ],
)
def test_a_response_is_read_when_it_is_complete(data: bytes, method: bytes, content: bytes) -> None:
    reader = AnswerReader()
    for place in range(len(data)):
        assert reader.take(method, is_ended=False) is None
        reader.add(data[place : place + 1])
    got = reader.take(method, is_ended=False)
    assert got is not None
    assert got.content == content
    assert reader.rest == b""


def test_what_has_no_length_goes_to_the_end_of_the_stream() -> None:
    reader = AnswerReader()
    reader.add(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert reader.take(b"GET", is_ended=False) is None
    got = reader.take(b"GET", is_ended=True)
    assert got is not None
    assert got.content == b"abc"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"HTTP/2 200 OK\r\n\r\n", "a malformed status line: b'HTTP/2 200 OK'"),
        (b"HTTP/1.1 abc\r\n\r\n", "a malformed status line: b'HTTP/1.1 abc'"),
        (CHUNKED.replace(b"\r\n2;x", b"xx2;x"), "chunk data not followed by CRLF"),
    ],
)
def test_what_is_malformed_fails(data: bytes, words: str) -> None:
    reader = AnswerReader()
    reader.add(data)
    with pytest.raises(AssertionError) as caught:
        reader.take(b"GET", is_ended=False)
    assert str(caught.value).startswith(words)


def test_what_is_wrong_is_said() -> None:
    wanted = Answer(status_code=200, content=b"a", headers=Headers({"x": "1"}))
    assert wanted.misses(Answer(content=b"a", headers=Headers({"X": "1", "y": "2"}))) == ""
    assert wanted.misses(Answer(status_code=404)) == "the status code is 404, and should be 200"
    assert wanted.misses(Answer(content=b"b")) == "the content is b'b', and should be b'a'"
    assert wanted.misses(Answer(content=b"a")) == "x is [], and should be '1'"
    assert Answer().misses(Answer(content=b"b")) == ""
