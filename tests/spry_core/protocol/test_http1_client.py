"""Tests of `spry_core.protocol.http1_client`, through `Connection`: requests of ours and their answers (RFC 9112)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchanges import (
    HOST,
    LENGTH_2,
    T0,
    asking,
    client,
    events,
    failure,
    final,
    heard,
)
from frames import TEXT, frame
from handshakes import KEY
from spry_core.errors import LocalProtocolError
from spry_core.protocol import (
    CLOSE,
    Accept,
    BodyData,
    BodyEnd,
    Limits,
    Message,
    Offer,
    RawFields,
    RequestHead,
    ResponseHead,
)
from spry_core.protocol.handshake import accept_key, request
from traces import (
    connection,
    counted,
    fetched,
    said,
)

# ----------------------------------------------------------------------------------------------------------- client's role


def test_a_client_says_what_it_wants_and_hears_the_answer() -> None:
    conn = connection("client", now=T0)
    conn.send(
        RequestHead(method=b"POST", target=b"/x", headers=((b"Host", b"a"), (b"Content-Length", b"3"))), T0
    )
    conn.send(BodyData(data=b"abc"), T0)
    conn.send(BodyEnd(), T0)
    assert said(conn) == b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    assert conn.next_deadline() is None
    assert heard(conn, b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n") == [
        final((b"a", b"b"), status_code=103, phrase=b"Hints")
    ]
    assert heard(conn, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi") == [
        final(LENGTH_2),
        BodyData(data=b"hi"),
        BodyEnd(),
    ]
    assert not conn.awaits_continue
    conn.send(RequestHead(method=b"GET", target=b"/", headers=(HOST,)), T0)
    conn.send(BodyEnd(), T0)
    assert said(conn) == b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
    assert heard(conn, b"HTTP/1.1 204 No Content\r\n\r\n")[1:] == [BodyEnd()]


@pytest.mark.parametrize("status_code", [102, 199])
def test_what_an_interim_answer_says_of_the_connection_counts_for_nothing(status_code: int) -> None:
    """RFC 9112 §9.3: the final answer says whether another request may follow."""
    conn = client()
    data = b"HTTP/1.1 %d A\r\nConnection: close\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n" % status_code
    assert [type(event) for event in heard(conn, data)] == [ResponseHead, ResponseHead, BodyEnd]
    conn.send(RequestHead(method=b"GET", target=b"/", headers=(HOST,)), T0)
    assert said(conn) == b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def test_a_client_sends_chunks() -> None:
    conn = client((b"Transfer-Encoding", b"chunked"), content=None)
    conn.send(BodyData(data=b"abc"), T0)
    conn.send(BodyEnd(), T0)
    assert said(conn) == b"3\r\nabc\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "head",
    [
        RequestHead(method=b"G T", target=b"/", headers=(HOST,)),
        RequestHead(method=b"GET", target=b"/ ", headers=(HOST,)),
        RequestHead(method=b"GET", target=b"/"),
        RequestHead(method=b"CONNECT", target=b"a:1", headers=(HOST,)),
    ],
)
def test_a_request_that_may_not_be_sent_changes_nothing(head: RequestHead) -> None:
    conn = connection("client", now=T0)
    with pytest.raises(ValueError):
        conn.send(head, T0)
    assert said(conn) == b""
    conn.send(RequestHead(method=b"GET", target=b"/", headers=(HOST,)), T0)


def test_a_client_sends_one_request_at_a_time() -> None:
    conn = client()
    with pytest.raises(LocalProtocolError, match=r"^the head of a request cannot come in state WAITING$"):
        conn.send(RequestHead(method=b"GET", target=b"/", headers=(HOST,)), T0)


@pytest.mark.parametrize(
    ("method", "data"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"),
        (b"GET", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n"),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n"),
    ],
)
def test_some_answers_have_no_content(method: bytes, data: bytes) -> None:
    """RFC 9112 §6.3, first rule."""
    conn = client(method=method)
    assert heard(conn, data)[1:] == [BodyEnd()]
    conn.send(RequestHead(method=b"GET", target=b"/", headers=(HOST,)), T0)


@pytest.mark.parametrize(
    ("request_fields", "data"),
    [
        (((b"Connection", b"close"),), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        ((), b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
        ((), b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"),
    ],
)
def test_a_client_ends_the_connection_with_the_last_answer(request_fields: RawFields, data: bytes) -> None:
    """RFC 9112 §9.3, §9.6."""
    conn = client(*request_fields)
    assert heard(conn, data)[-1] == BodyEnd()
    assert fetched(conn) == (b"", CLOSE)
    assert not conn.wants_read


def test_an_answer_may_come_before_the_request_is_complete() -> None:
    """RFC 9112 §9.3: an early answer; what is behind it nobody asked for."""
    conn = client((b"Content-Length", b"4"), content=None)
    assert heard(conn, b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\n\r\nno")[-1] == BodyEnd()
    conn.send(BodyData(data=b"abcd"), T0)
    conn.send(BodyEnd(), T0)
    assert fetched(conn) == (b"abcd", None)
    conn.send(RequestHead(method=b"GET", target=b"/", headers=(HOST,)), T0)


def test_a_server_may_leave_after_an_early_answer() -> None:
    """The answer is complete: nothing has failed."""
    conn = client((b"Content-Length", b"4"), content=None)
    heard(conn, b"HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n\r\n")
    conn.receive_eof(T0)
    assert list(conn) == []
    assert fetched(conn) == (b"", CLOSE)


UNASKED = failure(400, "a response that nobody asked for", "RFC 9112 §9.2")


@pytest.mark.parametrize("is_early", [False, True])
def test_a_response_that_nobody_asked_for_ends_the_connection(is_early: bool) -> None:
    """RFC 9112 §9.2: it must never be taken for the answer to the next request."""
    conn = client((b"Content-Length", b"4"), content=None) if is_early else client()
    response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    assert heard(conn, response + response)[-1] == UNASKED
    assert fetched(conn) == (b"", CLOSE)


def test_a_server_may_not_speak_first() -> None:
    conn = connection("client", now=T0)
    assert heard(conn, b"H") == [UNASKED]
    assert fetched(conn) == (b"", CLOSE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the stream ended before the response"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "the stream ended before the response"),
        (b"HTTP/1.1 200", "the stream ended before the response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", "the stream ended inside the content"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "the stream ended inside the content",
        ),
    ],
)
def test_half_an_answer_is_a_failure(data: bytes, message: str) -> None:
    """RFC 9112 §8: never a silent truncation."""
    conn = client()
    if data:
        heard(conn, data)
    conn.receive_eof(T0)
    assert events(conn) == [failure(400, message, "RFC 9112 §8")]
    assert fetched(conn) == (b"", CLOSE)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", "a line ends with a bare LF"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", "malformed status line"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\n", "malformed Content-Length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", "malformed chunk-size line"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "a 101 that nobody asked for"),
    ],
)
def test_a_broken_answer_ends_the_connection(data: bytes, message: str) -> None:
    conn = client()
    *_, last = heard(conn, data)
    assert isinstance(last, tuple)
    assert last[:2] == ("Failure", message)
    assert fetched(conn) == (b"", CLOSE)
    with pytest.raises(LocalProtocolError, match=r"^the connection takes nothing more"):
        conn.send(BodyEnd(), T0)


def test_an_idle_server_may_close() -> None:
    conn = client()
    heard(conn, b"HTTP/1.1 204 No Content\r\n\r\n")
    conn.receive_eof(T0)
    assert fetched(conn) == (b"", CLOSE)
    assert list(conn) == []


@pytest.mark.parametrize(("n", "wants_read"), [(99, True), (100, False)])
def test_a_client_pauses_reading_too_and_judges_no_silence(n: int, wants_read: bool) -> None:
    conn = connection("client", now=T0, limits=Limits(max_read_ahead=100))
    conn.send(RequestHead(method=b"GET", target=b"/", headers=(HOST,)), T0)
    conn.send(BodyEnd(), T0)
    said(conn, T0)
    heard(conn, b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * n)
    assert conn.wants_read is wants_read
    assert conn.next_deadline() is None


def switch(key: bytes) -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n"
    )


def test_a_client_opens_a_websocket_and_hears_a_frame_in_the_same_packet() -> None:
    """RFC 6455 §4.1."""
    conn, key = asking()
    assert conn.next_deadline() == T0 + 10
    accept, message = heard(
        conn, b"HTTP/1.1 103 Hints\r\n\r\n" + switch(key) + frame(TEXT, b"hi", mask=None)
    )[1:]
    assert isinstance(accept, Accept)
    assert message == Message(data="hi")
    assert conn.is_open
    assert conn.next_deadline() == T0 + 20


@pytest.mark.parametrize("is_whole", [False, True])
def test_a_101_comes_behind_a_whole_request_that_asks_for_it(is_whole: bool) -> None:
    """RFC 9110 §7.8: the client has finished what it says in HTTP before it says anything else."""
    conn = connection("client", now=T0)
    head = request(host="a", target="/", random=counted)
    conn.send(head if not is_whole else replace(head, websocket=None), T0)
    if is_whole:
        conn.send(BodyEnd(), T0)
    said(conn, T0)
    assert isinstance(head.websocket, Offer)
    fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
    data = b"HTTP/1.1 101 A\r\n" + fields + accept_key(head.websocket.key) + b"\r\n\r\n"
    assert heard(conn, data)[0] == failure(400, "a 101 that nobody asked for", "RFC 9110 §15.2.2")
    assert fetched(conn) == (b"", CLOSE)


def test_a_client_does_not_believe_a_wrong_accept_key() -> None:
    """RFC 6455 §4.1."""
    conn, _ = asking()
    assert heard(conn, switch(KEY)) == [
        ("Failure", "Sec-WebSocket-Accept does not fit the key", None, None, "RFC 6455 §4.1")
    ]
    assert fetched(conn) == (b"", CLOSE)


def test_a_client_hears_why_it_was_refused() -> None:
    conn, _ = asking()
    assert heard(conn, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno") == [
        final(LENGTH_2, status_code=403, phrase=b"Forbidden"),
        BodyData(data=b"no"),
        BodyEnd(),
    ]
    assert conn.next_deadline() is None


def test_a_client_gives_no_whole_response() -> None:
    with pytest.raises(LocalProtocolError, match=r"^a client cannot send ResponseHead over HTTP/1\.1$"):
        client().send_response(ResponseHead(status_code=200), b"", T0)
