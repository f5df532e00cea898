"""Tests of `spry_core.testing.strategies.responses`: read by h11, by llhttp and by Spry alike (RFC 9112 §6.3)."""

from __future__ import annotations

import h11
import httptools
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from drawn import Productions, examples, few, missing, simplest
from spry_core.protocol import BodyData, BodyEnd, Failure, RequestHead, ResponseHead
from spry_core.testing.strategies import HttpResponse, responses
from traces import connection, trace

ANY = st.sampled_from((b"GET", b"HEAD")).flatmap(
    lambda method: st.tuples(st.just(method), responses(method=method))
)


@few
@given(ANY)
def test_spry_reads_what_a_response_says(drawn: tuple[bytes, HttpResponse]) -> None:
    method, response = drawn
    conn = connection("client")
    conn.send(RequestHead(method=method, target=b"/", headers=((b"Host", b"a"),)), 0.0)
    conn.send(BodyEnd(), 0.0)
    events = trace(conn, [response.data]).events
    assert not [event for event in events if isinstance(event, Failure)]
    *interim, head = [event for event in events if isinstance(event, ResponseHead)]
    assert tuple(each.status_code for each in interim) == response.interim
    assert (head.status_code, head.reason_phrase) == (response.status_code, response.reason_phrase)
    assert head.headers == tuple((name.lower(), value) for name, value in response.headers)
    assert b"".join(each.data for each in events if isinstance(each, BodyData)) == response.content
    (end,) = [each for each in events if isinstance(each, BodyEnd)]
    assert end.trailers == tuple((name.lower(), value) for name, value in response.trailers)


@few
@given(ANY)
def test_h11_reads_what_a_response_says(drawn: tuple[bytes, HttpResponse]) -> None:
    method, response = drawn
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(response.data)
    reader.receive_data(b"")
    content = b""
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.Data):
            content += bytes(event.data)
        if isinstance(event, h11.Response):
            assert event.status_code == response.status_code
    assert content == response.content


class Callbacks:
    """What llhttp tells."""

    def __init__(self) -> None:
        self.content = b""
        self.complete = 0

    def on_body(self, body: bytes) -> None:
        self.content += body

    def on_message_complete(self) -> None:
        self.complete += 1


@few
@given(responses())
def test_httptools_reads_what_a_response_says(response: HttpResponse) -> None:
    """It knows no tab behind a value that it looks at (RFC 9112 §5)."""
    assume(b"\t\r\n" not in response.data)
    callbacks = Callbacks()
    parser = httptools.HttpResponseParser(callbacks)
    parser.feed_data(response.data)
    assert parser.get_status_code() == response.status_code
    assert callbacks.content == response.content
    assert callbacks.complete == len(response.interim) + (not response.ends_with_stream)


def test_the_simplest_is_short() -> None:
    assert simplest(responses()).data == b"HTTP/1.1 200 \r\n\r\n"
    assert simplest(responses(), lambda each: not each.ends_with_stream).content == b""
    assert repr(simplest(responses())) == r"HttpResponse(data=b'HTTP/1.1 200 \r\n\r\n')"


def test_every_production_comes_up() -> None:
    shows: Productions[HttpResponse] = {
        "HTTP/1.0": lambda each: each.http_version == b"1.0",
        "to the end of the stream": lambda each: each.ends_with_stream and bool(each.content),
        "chunks": lambda each: (
            each.data.endswith(b"\r\n\r\n") and bool(each.content) and not each.ends_with_stream
        ),
        "trailers": lambda each: bool(each.trailers),
        "interim": lambda each: len(each.interim) == 2,
        "204": lambda each: each.status_code == 204,
        "304 with a length": lambda each: each.status_code == 304 and b"ength" in each.data.lower(),
        "a reason": lambda each: bool(each.reason_phrase),
        "a client's fault": lambda each: 400 <= each.status_code < 500,
    }
    assert missing(responses(), shows) == set()


@pytest.mark.parametrize("content", [b"abc"])
def test_a_content_can_be_given(content: bytes) -> None:
    drawn = examples(responses(content=st.just(content)), 20)
    assert {each.content for each in drawn} <= {content, b""}
    assert {each.content for each in examples(responses(method=b"HEAD", content=st.just(content)), 20)} == {
        b""
    }
