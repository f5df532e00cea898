"""Tests of `spry_core.protocol.http1`, through `Connection`: one exchange after the other, its turns and its end (RFC 9112)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exchanges import (
    GET_HEAD,
    HOST,
    OK,
    OK_CLOSE,
    T0,
    answer,
    asking,
    client,
    error_answer,
    events,
    failure,
    final,
    get,
    heard,
    post,
    server,
)
from frames import TEXT, frame
from spry_core.errors import LocalProtocolError
from spry_core.protocol import (
    ABORT,
    CLOSE,
    HALF_CLOSE,
    Accept,
    BodyData,
    BodyEnd,
    Connection,
    Event,
    Failure,
    Limits,
    Message,
    RequestHead,
    ResponseHead,
    StreamEnd,
)
from spry_core.protocol.turn import HEAD_STEPS, STEPS
from traces import (
    GET,
    HANDSHAKE,
    Owner,
    connection,
    ended,
    fetched,
    said,
)

# -------------------------------------------------------------------------------------------------- content and its end


def test_a_chunk_may_come_byte_by_byte() -> None:
    """RFC 9112 §2.2: a stream of octets."""
    conn = server()
    conn.receive_data(get((b"transfer-encoding", b"chunked")), T0)
    for byte in b"2;x=y\r\nab\r\n0\r\n\r\n":
        conn.receive_data(bytes([byte]), T0)
    assert events(conn)[1:] == [BodyData(data=b"ab"), BodyEnd()]


@pytest.mark.parametrize("start", [b"", b"1", b"1\r", b"1\r\nx", b"1\r\nx\r", b"0\r\nA: b"])
def test_what_is_no_whole_part_of_a_content_waits_for_the_peer_and_for_no_turn(start: bytes) -> None:
    conn = server()
    conn.receive_data(get((b"transfer-encoding", b"chunked")), T0)
    if start:
        conn.receive_data(start, T0)
    assert conn.next_deadline() == T0 + 20


@pytest.mark.parametrize(("n", "wants_read"), [(99, True), (100, False), (101, False)])
def test_reading_pauses_while_content_is_not_consumed(n: int, wants_read: bool) -> None:
    conn = server(limits=Limits(max_read_ahead=100))
    conn.receive_data(get((b"content-length", b"1000"), method=b"POST") + b"x" * n, T0)
    assert conn.wants_read is wants_read
    conn.release(n - 99, T0)
    assert conn.wants_read


@pytest.mark.parametrize("earlier", [0, 1, 2])
@pytest.mark.parametrize(("n", "end"), [(9, None), (10, None), (11, HALF_CLOSE)])
def test_unread_chunks_are_dropped_up_to_the_same_amount(n: int, end: StreamEnd | None, earlier: int) -> None:
    conn = server(limits=Limits(max_linger=10))
    for _ in range(earlier):
        conn.receive_data(GET, T0)
        answer(conn)
    said(conn)
    conn.receive_data(get((b"transfer-encoding", b"chunked")), T0)
    answer(conn)
    list(conn)
    conn.receive_data(b"5\r\nabcde\r\n%x\r\n%s\r\n" % (n - 5, b"x" * (n - 5)), T0 + 1)
    assert fetched(conn) == (OK, end)
    assert conn.next_deadline() == T0 + (2 if end is None else 3)
    conn.receive_data(b"0\r\n\r\n" + GET, T0 + 1)
    assert list(conn) == ([GET_HEAD, BodyEnd()] if end is None else [])


# --------------------------------------------------------------------------------------------- ends, lingering, leftovers


def finished(*, can_half_close: bool = True, limits: Limits | None = None) -> Connection:
    """Make a connection that has given its last answer."""
    conn = server(can_half_close=can_half_close, limits=limits)
    conn.receive_data(get((b"connection", b"close")), T0)
    answer(conn)
    assert fetched(conn) == (OK_CLOSE, HALF_CLOSE if can_half_close else CLOSE)
    return conn


def test_after_the_last_answer_the_peer_has_a_while_to_end_its_side() -> None:
    """RFC 9112 §9.6: so that no reset overtakes the answer."""
    conn = finished()
    assert conn.wants_read
    assert conn.next_deadline() == T0 + 2
    conn.handle_deadline(T0 + 1.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 2)
    assert fetched(conn) == (b"", CLOSE)
    assert not conn.wants_read
    assert conn.next_deadline() is None


def test_the_peers_end_closes_the_stream() -> None:
    conn = finished()
    conn.receive_eof(T0 + 1)
    assert fetched(conn) == (b"", CLOSE)
    assert conn.next_deadline() is None


@pytest.mark.parametrize(("n", "end"), [(99, None), (100, None), (101, CLOSE)])
def test_so_many_bytes_are_thrown_away(n: int, end: StreamEnd | None) -> None:
    conn = finished(limits=Limits(max_linger=100))
    conn.receive_data(b"x" * 50, T0)
    conn.receive_data(b"x" * (n - 50), T0)
    assert fetched(conn) == (b"", end)
    assert conn.wants_read is (end is None)
    assert (conn.next_deadline() is None) is (end is not None)


def test_a_stream_that_cannot_half_close_is_closed_at_once() -> None:
    conn = finished(can_half_close=False)
    assert not conn.wants_read
    assert conn.next_deadline() is None


def test_everything_is_read_while_a_failed_request_lingers() -> None:
    """Also when content of it was never consumed."""
    conn = server(limits=Limits(max_read_ahead=3))
    conn.receive_data(get((b"transfer-encoding", b"chunked")) + b"5\r\nabcde\r\nx\r\n", T0)
    assert fetched(conn)[1] is HALF_CLOSE
    assert conn.wants_read


def test_requests_complete_before_the_peers_end_are_all_answered() -> None:
    """RFC 9112 §9.6: a client may half-close after its last request."""
    conn = server()
    conn.receive_data(GET + post(b"abc") + GET, T0)
    conn.receive_eof(T0)
    for _ in range(2):
        list(conn)
        answer(conn)
        assert fetched(conn) == (OK, None)
    assert list(conn) == [GET_HEAD, BodyEnd()]
    answer(conn)
    assert fetched(conn) == (OK, CLOSE)


def test_half_a_request_behind_whole_ones_is_refused_after_these() -> None:
    conn = server()
    conn.receive_data(GET + GET[:-1], T0)
    conn.receive_eof(T0)
    list(conn)
    answer(conn)
    assert fetched(conn) == (OK + error_answer(b"400 Bad Request"), CLOSE)
    assert events(conn) == [failure(400, "the stream ended inside a head", "RFC 9112 §8")]


@pytest.mark.parametrize(
    ("data", "message"),
    [(GET[:5], "the stream ended inside a head"), (post(b"abc")[:-1], "the stream ended inside the content")],
)
def test_half_a_request_is_refused(data: bytes, message: str) -> None:
    """RFC 9112 §8."""
    conn = server()
    conn.receive_data(data, T0)
    conn.receive_eof(T0)
    assert fetched(conn) == (error_answer(b"400 Bad Request"), CLOSE)
    assert events(conn)[-1] == failure(400, message, "RFC 9112 §8")
    assert conn.next_deadline() is None


@pytest.mark.parametrize("requests", [0, 1])
def test_the_end_of_an_idle_stream_is_answered_with_ours(requests: int) -> None:
    conn = server()
    for _ in range(requests):
        conn.receive_data(GET + b"\r\n", T0)
        answer(conn)
    conn.receive_eof(T0)
    assert fetched(conn) == (OK * requests, CLOSE)
    assert conn.next_deadline() is None
    conn.connection_lost(None, T0)
    assert ended(conn).info.initiator == "remote"


@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_an_answer_without_a_length_ends_with_the_stream(version: bytes) -> None:
    """RFC 9112 §6.3, last rule; such a connection cannot go on."""
    conn = client()
    assert heard(conn, b"HTTP/" + version + b" 200 OK\r\n\r\nabc") == [
        replace(final(), http_version=version),
        BodyData(data=b"abc"),
    ]
    conn.receive_eof(T0)
    assert list(conn) == [BodyEnd()]
    assert fetched(conn) == (b"", CLOSE)


def test_an_answer_that_ends_with_the_stream_may_come_before_the_request_is_complete() -> None:
    """RFC 9112 §9.3, §9.6: what is left of the request reaches nobody any more."""
    conn = client((b"Content-Length", b"4"), content=None)
    heard(conn, b"HTTP/1.1 413 Too Much\r\n\r\nno")
    conn.receive_eof(T0)
    assert list(conn) == [BodyEnd()]
    assert fetched(conn) == (b"", CLOSE)
    with pytest.raises(LocalProtocolError, match=r"^the connection takes nothing more"):
        conn.send(BodyData(data=b"abcd"), T0)


# ----------------------------------------------------------------------------------------------- what waits for its turn


def put_in_chunks(n: int) -> bytes:
    """A request, and so many chunks of one byte."""
    return get((b"transfer-encoding", b"chunked"), method=b"PUT") + b"1\r\nx\r\n" * n


def test_a_turn_has_so_many_chunks_and_the_rest_is_due_at_once() -> None:
    """The head counts as well; what the chunks of a turn carry is one piece."""
    conn = server()
    conn.receive_data(put_in_chunks(STEPS), T0)
    chunks = -(-(STEPS - HEAD_STEPS) // 3)
    head, data = list(conn)
    assert isinstance(head, RequestHead)
    assert data == BodyData(data=b"x" * chunks)
    assert not conn.wants_read
    assert conn.next_deadline() == T0
    conn.handle_deadline(T0)
    (data,) = list(conn)
    assert isinstance(data, BodyData)
    assert STEPS // 3 <= len(data.data) <= STEPS // 3 + 1


def test_content_in_tiny_chunks_comes_whole_over_the_turns() -> None:
    conn = server()
    conn.receive_data(put_in_chunks(3 * STEPS) + b"0\r\n\r\n", T0)
    pieces, turns = list(conn)[1:], 1
    while conn.next_deadline() == T0:
        conn.handle_deadline(T0)
        pieces += list(conn)
        turns += 1
    assert turns == 10
    assert b"".join(piece.data for piece in pieces if isinstance(piece, BodyData)) == b"x" * 3 * STEPS
    assert pieces[-1] == BodyEnd()
    assert len(pieces) == turns + 1
    assert conn.wants_read


def test_the_end_of_the_stream_comes_behind_the_last_turn_of_a_content() -> None:
    conn = server()
    conn.receive_data(put_in_chunks(STEPS) + b"0\r\n\r\n", T0)
    conn.receive_eof(T0)
    while conn.next_deadline() == T0:
        conn.handle_deadline(T0)
    seen = list(conn)
    assert seen[-1] == BodyEnd()
    assert sum(len(event.data) for event in seen if isinstance(event, BodyData)) == STEPS


def test_a_content_that_the_stream_has_ended_is_refused_behind_the_last_turn() -> None:
    """RFC 9112 §8."""
    conn = server()
    conn.receive_data(put_in_chunks(STEPS), T0)
    conn.receive_eof(T0)
    seen = events(conn)
    while conn.next_deadline() == T0:
        conn.handle_deadline(T0)
        seen += events(conn)
    assert seen[-1] == failure(400, "the stream ended inside the content", "RFC 9112 §8")


def test_an_answer_in_between_does_not_take_what_waits_for_its_turn_for_half_a_head() -> None:
    conn = server()
    conn.receive_data(get() * 40, T0)
    conn.receive_eof(T0)
    answered = 0
    while not conn.closed and answered < 40:
        for event in conn:
            assert not isinstance(event, Failure)
            if isinstance(event, BodyEnd):
                conn.send(ResponseHead(status_code=204), T0)
                conn.send(BodyEnd(), T0)
                answered += 1
        if conn.next_deadline() == T0:
            conn.handle_deadline(T0)
    assert answered == 40
    assert fetched(conn)[1] is CLOSE


def test_what_waits_for_its_turn_is_dropped_with_the_last_answer() -> None:
    conn = server()
    conn.receive_data(put_in_chunks(STEPS), T0)
    list(conn)
    conn.send(ResponseHead(status_code=200, headers=((b"connection", b"close"),)), T0)
    conn.send(BodyEnd(), T0)
    assert conn.next_deadline() == T0 + 2
    assert conn.wants_read


def test_interim_answers_without_end_wait_for_their_turn() -> None:
    conn = connection("client")
    conn.send(RequestHead(method=b"GET", target=b"/", headers=(HOST,)), 0.0)
    conn.send(BodyEnd(), 0.0)
    n = STEPS // HEAD_STEPS
    conn.receive_data(b"HTTP/1.1 100 Continue\r\n\r\n" * (n + 2), 0.0)
    assert len(list(conn)) == n
    conn.handle_deadline(0.0)
    assert len(list(conn)) == 2
    assert conn.wants_read


def test_requests_that_are_answered_at_once_have_their_turns_too() -> None:
    conn = server()
    n = STEPS // HEAD_STEPS
    conn.receive_data(GET * (n + 2), T0)
    for _ in range(n):
        assert [type(event) for event in conn] == [RequestHead, BodyEnd]
        # A turn that is over is nobody's business before something is due.
        assert conn.next_deadline() is None
        answer(conn)
        said(conn)
    assert (list(conn), conn.wants_read, conn.next_deadline()) == ([], False, T0)
    conn.handle_deadline(T0)
    assert [type(event) for event in conn] == [RequestHead, BodyEnd]
    answer(conn)
    assert [type(event) for event in conn] == [RequestHead, BodyEnd]
    assert conn.wants_read


# ---------------------------------------------------------------------------------------------------- shutdown and abort


def test_a_shutdown_ends_an_idle_connection_at_once() -> None:
    conn = server()
    conn.receive_data(GET, T0)
    answer(conn)
    conn.shutdown(T0)
    assert fetched(conn) == (OK, HALF_CLOSE)
    conn.shutdown(T0)
    conn.receive_eof(T0)
    assert fetched(conn) == (b"", CLOSE)
    conn.connection_lost(None, T0)
    assert ended(conn).info.initiator == "shutdown"


def test_a_shutdown_lets_an_answer_under_way_be_finished() -> None:
    conn = server()
    conn.receive_data(GET, T0)
    conn.send(ResponseHead(status_code=204), T0)
    conn.shutdown(T0)
    conn.send(BodyEnd(), T0)
    assert fetched(conn) == (b"HTTP/1.1 204 No Content\r\n\r\n", HALF_CLOSE)


@pytest.mark.parametrize("data", [b"", GET[:5], GET, post(b"abc")[:-1], post(b"abc")[:-1] + b"!"])
def test_nothing_happens_after_an_abort(data: bytes) -> None:
    conn = server()
    if data:
        conn.receive_data(data, T0)
    cause = RuntimeError()
    conn.abort(T0, cause)
    assert conn.data_to_send() == [ABORT]
    assert not conn.wants_read
    list(conn)
    conn.receive_data(GET, T0)
    conn.release(1, T0)
    conn.bytes_written(0, T0)
    conn.shutdown(T0)
    conn.receive_eof(T0)
    assert conn.next_deadline() is None
    conn.handle_deadline(T0 + 1000)
    conn.abort(T0)
    with pytest.raises(LocalProtocolError, match=r"^the connection takes nothing more"):
        conn.send(ResponseHead(status_code=200), T0)
    assert list(conn) == []
    assert conn.data_to_send() == []
    conn.connection_lost(None, T0)
    info = ended(conn).info
    assert (info.initiator, info.cause) == ("local", cause)


def test_owners_of_the_tests_answer_all_kinds_of_requests() -> None:
    """The owner that other tests use does what they take for granted."""
    conn = server()
    owner = Owner(conn)
    conn.receive_data(post(b"abc") + HANDSHAKE.replace(b"13\r\n", b"12\r\n"), T0)
    owner.look()
    kinds: list[type[Event]] = [type(event) for event in owner.heard]
    assert kinds == [RequestHead, BodyData, BodyEnd, RequestHead, BodyEnd]
    assert Failure not in kinds
    assert said(conn) == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n"
    )


def test_a_failure_keeps_nothing_of_what_was_read() -> None:
    """The frames of its traceback would, for as long as the connection lives."""
    conn = server()
    conn.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", T0)
    failure = list(conn)[-1]
    assert isinstance(failure, Failure)
    assert failure.error.__traceback__ is None


# ------------------------------------------------------------------------------------------------ the opening handshake


def test_a_first_frame_in_the_handshakes_packet_is_a_message() -> None:
    """It is held until the 101 is sent, then parsed as a frame."""
    conn = server()
    conn.receive_data(HANDSHAKE + frame(TEXT, b"hi"), T0)
    assert len(list(conn)) == 2
    conn.send(Accept(), T0)
    assert list(conn) == [Message(data="hi")]


def test_a_handshake_whose_offer_is_ignored_has_all_the_time_of_a_request() -> None:
    """RFC 9110 §7.8: a server may ignore Upgrade."""
    conn = server()
    conn.receive_data(HANDSHAKE, T0 + 1)
    list(conn)
    conn.ignore_offer()
    assert conn.next_deadline() is None
    conn.handle_deadline(T0 + 100)
    assert fetched(conn) == (b"", None)
    conn.send(ResponseHead(status_code=204), T0 + 100)
    conn.send(BodyEnd(), T0 + 100)
    assert fetched(conn) == (b"HTTP/1.1 204 No Content\r\n\r\n", None)


def test_a_client_does_not_wait_for_ever() -> None:
    conn, _ = asking()
    conn.receive_data(b"HTTP/1.1 101", T0 + 5)
    conn.handle_deadline(T0 + 9.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 10)
    assert events(conn) == [failure(503, "the opening handshake took too long", "RFC 9110 §15.6.4")]
    assert fetched(conn) == (b"", CLOSE)


def test_a_client_waits_for_no_100_of_its_own() -> None:
    """Only a server is asked for one (RFC 9110 §10.1.1)."""
    assert not client((b"Expect", b"100-continue"), method=b"POST", content=None).awaits_continue


def test_a_whole_response_comes_from_a_server() -> None:
    head = ResponseHead(status_code=204)
    asking_one, answering = client(), server()
    with pytest.raises(LocalProtocolError, match=r"^a client cannot send ResponseHead over HTTP/1\.1$"):
        asking_one.send_response(head, b"", T0)
    answering.receive_data(get(), T0)
    answering.send_response(head, b"", T0)
    assert said(answering, T0) == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_a_fault_is_found_in_a_read_that_need_not_be_held() -> None:
    conn = server()
    conn.receive_data(b"GET / HTTP/1.1\r\n\r\n", T0)
    assert events(conn) == [failure(400, "no Host field", "RFC 9112 §3.2")]
    assert fetched(conn, T0) == (error_answer(b"400 Bad Request"), HALF_CLOSE)


def test_content_that_is_all_of_a_read_comes_as_it_is() -> None:
    conn = server()
    conn.receive_data(post(b"abcdef")[:-6], T0)
    conn.receive_data(b"abc", T0)
    conn.receive_data(b"def", T0)
    assert list(conn)[1:] == [BodyData(data=b"abc"), BodyData(data=b"def"), BodyEnd()]
