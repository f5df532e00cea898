"""Tests of `spry_core.testing.strategies.requests`: read by h11, by llhttp and by Spry alike (RFC 9112)."""

from __future__ import annotations

import h11
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from differential.reading import Request
from differential.request_readers import by_httptools, by_spry
from drawn import Productions, examples, few, missing, simplest
from spry_core.testing.strategies import HttpRequest, http_methods, requests


def as_read(request: HttpRequest) -> Request:
    fields = tuple((name.lower(), value) for name, value in request.headers)
    trailers = tuple((name.lower(), value) for name, value in request.trailers)
    return Request(request.method, request.target, request.http_version, fields, request.content, trailers)


@few
@given(requests())
def test_spry_reads_what_a_request_says(request: HttpRequest) -> None:
    reading = by_spry(request.data)
    assert (reading.fault, reading.messages) == ("", (as_read(request),))


@few
@given(requests())
def test_h11_reads_what_a_request_says(request: HttpRequest) -> None:
    """It knows no empty line before a request (RFC 9112 §2.2)."""
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(request.data.lstrip(b"\r\n"))
    head, content = reader.next_event(), b""
    assert isinstance(head, h11.Request)
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        content += bytes(event.data)
    assert (head.method, head.target, content) == (request.method, request.target, request.content)
    assert list(event.headers) == [(name.lower(), value) for name, value in request.trailers]
    assert (reader.their_state is h11.MUST_CLOSE) is request.is_last


@few
@given(requests(methods=st.sampled_from((b"GET", b"POST", b"PUT"))))
def test_httptools_reads_what_a_request_says(request: HttpRequest) -> None:
    """It knows no methods of one's own, and no tab behind a value that it looks at (RFC 9112 §5)."""
    assume(b"\t\r\n" not in request.data)
    reading = by_httptools(request.data)
    (read,) = reading.messages
    assert reading.fault == ""
    assert read[:3] == as_read(request)[:3]
    assert read.content == request.content


def test_the_simplest_are_short() -> None:
    assert simplest(http_methods()) == b"GET"
    assert simplest(requests()).data == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    with_content = simplest(requests(), lambda request: bool(request.content))
    assert with_content.data == b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n\x00"
    last = simplest(requests(is_last=True))
    assert last.is_last


def test_every_production_comes_up() -> None:
    shows: Productions[HttpRequest] = {
        "HTTP/1.0": lambda each: each.http_version == b"1.0",
        "a method of one's own": lambda each: (
            each.method not in (b"GET", b"POST", b"HEAD") and each.method.islower()
        ),
        "HEAD": lambda each: each.method == b"HEAD",
        "the asterisk": lambda each: each.target == b"*",
        "absolute": lambda each: b"://" in each.target,
        "a length": lambda each: b"content-length" in names(each),
        "chunks": lambda each: b"transfer-encoding" in names(each),
        "no framing": lambda each: not names(each) & {b"content-length", b"transfer-encoding"},
        "trailers": lambda each: bool(each.trailers),
        "empty lines": lambda each: each.data.startswith(b"\r\n"),
        "Expect": lambda each: b"expect" in names(each),
        "close": lambda each: each.is_last and each.http_version == b"1.1",
        "an option that keeps": lambda each: b"connection" in names(each) and not each.is_last,
        "Host behind others": lambda each: each.headers[0][0] != b"Host",
    }
    assert missing(requests(), shows) == set()


def names(request: HttpRequest) -> set[bytes]:
    return {name.lower() for name, _ in request.headers}


@pytest.mark.parametrize("is_last", [True, False])
def test_those_that_end_the_connection_can_be_had_alone(is_last: bool) -> None:
    """RFC 9112 §9.3."""
    assert {request.is_last for request in examples(requests(is_last=is_last), 40)} == {is_last}


def test_parts_can_be_given() -> None:
    given_parts = requests(
        methods=st.just(b"PUT"),
        targets=st.just(b"/x"),
        content=st.just(b"abc"),
        headers=st.just(((b"A", b"b"),)),
        is_last=False,
    )
    simple = simplest(given_parts)
    assert (simple.method, simple.target, simple.content) == (b"PUT", b"/x", b"abc")
    assert (b"A", b"b") in simple.headers


def test_a_request_shows_its_bytes_alone() -> None:
    assert repr(simplest(requests())) == r"HttpRequest(data=b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')"


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"/a?b", b"/a"),
        (b"/", b"/"),
        (b"*", b"*"),
        (b"http://b/c?d", b"/c"),
        (b"http://b", b"/"),
        (b"http://b?c", b"/"),
        (b"/a://b", b"/a://b"),
    ],
)
def test_a_request_knows_its_path(target: bytes, path: bytes) -> None:
    assert HttpRequest(target=target, data=b"").path == path
