"""Tests of `spry_core.protocol.http1_server`, through `Connection`: requests, their answers and their time (RFC 9112)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from exchanges import (
    GET_HEAD,
    HOST,
    OK,
    OK_CLOSE,
    T0,
    answer,
    error_answer,
    events,
    failure,
    get,
    post,
    server,
)
from frames import TEXT, frame
from handshakes import KEY
from spry_core.errors import LocalProtocolError
from spry_core.protocol import (
    ABORT,
    CLOSE,
    HALF_CLOSE,
    Accept,
    BodyData,
    BodyEnd,
    Connection,
    Limits,
    Message,
    Offer,
    RawFields,
    Refusal,
    RequestHead,
    ResponseHead,
    StreamEnd,
    Timeouts,
    Writable,
)
from traces import DATE, GET, HANDSHAKE, SWITCH, comparable, connection, ended, fetched, look, said

# -------------------------------------------------------------------------------------------------- requests and answers


def test_a_request_and_its_answer() -> None:
    conn = server()
    conn.receive_data(
        b"POST /x?y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nX-A: 1\r\nX-A: 2\r\n\r\nabc", T0
    )
    headers = (HOST, (b"content-length", b"3"), (b"x-a", b"1"), (b"x-a", b"2"))
    assert list(conn) == [
        RequestHead(method=b"POST", target=b"/x?y", headers=headers),
        BodyData(data=b"abc"),
        BodyEnd(),
    ]
    answer(conn, b"hello", (b"X-B", b"1"), status_code=404)
    assert said(conn) == b"HTTP/1.1 404 Not Found\r\nX-B: 1\r\nContent-Length: 5\r\n\r\nhello"


@pytest.mark.parametrize("behind", [b"", GET, b"GET / HT"])
@pytest.mark.parametrize("before", [b"", GET])
@pytest.mark.parametrize("field", [b"content-length: 3", b"content-length: 3\r\nexpect: 100-continue"])
def test_a_request_that_came_whole_is_what_its_pieces_are(before: bytes, behind: bytes, field: bytes) -> None:
    """However much of it, and of others, came in one read."""
    data = before + b"POST / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n\r\nabc" + behind
    whole, cut = server(), server()
    whole.receive_data(data, T0)
    for at in range(len(data)):
        cut.receive_data(data[at : at + 1], T0)
    if before:
        for conn in (whole, cut):
            assert [type(event) for event in conn] == [RequestHead, BodyEnd]
            answer(conn)
            assert said(conn).endswith(b"Content-Length: 0\r\n\r\n")
    content = list(whole)
    assert content[1:] == [BodyData(data=b"abc"), BodyEnd()]
    assert comparable(content) == comparable(cut)
    for conn in (whole, cut):
        assert conn.next_deadline() is None
        assert conn.wants_read
        assert not conn.awaits_continue
        conn.release(3, T0)
        answer(conn)
    assert said(whole) == said(cut) != b""
    assert whole.next_deadline() == cut.next_deadline()
    assert whole.wants_read == cut.wants_read
    behind_it = [type(event) for event in whole]
    assert behind_it == [type(event) for event in cut] == ([RequestHead, BodyEnd] if behind == GET else [])


def test_a_request_that_is_complete_has_no_deadline() -> None:
    """The owner may take its time."""
    conn = server()
    conn.receive_data(post(b"abc")[:-1], T0)
    assert conn.next_deadline() == T0 + 20
    conn.receive_data(b"c", T0 + 1)
    assert conn.next_deadline() is None


def test_chunks_and_trailers_are_decoded_and_never_merged_into_the_headers() -> None:
    """RFC 9112 §7.1, RFC 9110 §6.5."""
    conn = server()
    conn.receive_data(
        get((b"transfer-encoding", b"chunked"), method=b"PUT")
        + b"3;x\r\nabc\r\n1\r\nd\r\n0\r\nHost: b\r\nSum: 7\r\n\r\n",
        T0,
    )
    head = RequestHead(method=b"PUT", target=b"/", headers=(HOST, (b"transfer-encoding", b"chunked")))
    trailers = ((b"host", b"b"), (b"sum", b"7"))
    assert events(conn) == [head, BodyData(data=b"abcd"), BodyEnd(trailers=trailers)]


def test_an_answer_without_a_length_is_chunked() -> None:
    """RFC 9112 §7.1."""
    conn = server()
    conn.receive_data(GET, T0)
    conn.send(ResponseHead(status_code=200, reason_phrase=b"Fine"), T0)
    conn.send(BodyData(data=b"hello"), T0)
    conn.send(BodyData(data=b""), T0)
    conn.send(BodyEnd(trailers=((b"Sum", b"7"),)), T0)
    assert said(conn) == (
        b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nSum: 7\r\n\r\n"
    )


def test_every_final_answer_has_a_date_and_no_other() -> None:
    """RFC 9110 §6.6.1."""
    conn = server(has_clock=True)
    conn.receive_data(GET, T0)
    conn.send(ResponseHead(status_code=103), T0)
    answer(conn)
    assert said(conn) == (
        b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\nDate: " + DATE + b"\r\n\r\n"
    )
    conn.receive_data(GET, T0)
    answer(conn, b"", (b"date", b"mine"))
    assert said(conn) == b"HTTP/1.1 200 OK\r\ndate: mine\r\nContent-Length: 0\r\n\r\n"
    conn.receive_data(b"?", T0 + 1)
    conn.receive_eof(T0 + 1)
    assert fetched(conn) == (error_answer(b"400 Bad Request", date=DATE), CLOSE)


@pytest.mark.parametrize("fields", [((b"Content-Length", b"5"),), ()])
def test_head_is_answered_without_content(fields: RawFields) -> None:
    """RFC 9110 §9.3.2."""
    conn = server()
    conn.receive_data(get(method=b"HEAD"), T0)
    conn.send(ResponseHead(status_code=200, headers=fields), T0)
    with pytest.raises(LocalProtocolError, match=r"^1 bytes of content where 0 are left"):
        conn.send(BodyData(data=b"a"), T0)
    conn.send(BodyEnd(), T0)
    data = said(conn)
    assert data.startswith(b"HTTP/1.1 200 OK\r\n")
    assert data.endswith(b"\r\n\r\n")
    assert (b"Content-Length: 5" in data) is bool(fields)
    conn.receive_data(GET, T0)
    assert events(conn)[-2:] == [GET_HEAD, BodyEnd()]


@pytest.mark.parametrize(
    ("status_line", "fields"),
    [
        (b"204 No Content", b""),
        (b"304 Not Modified", b"Content-Length: 5\r\n"),
    ],
)
def test_204_and_304_have_no_content(status_line: bytes, fields: bytes) -> None:
    """RFC 9112 §6.3, RFC 9110 §8.6."""
    conn = server()
    conn.receive_data(GET + GET, T0)
    conn.send(ResponseHead(status_code=int(status_line[:3]), headers=((b"Content-Length", b"5"),)), T0)
    conn.send(BodyEnd(), T0)
    answer(conn)
    assert said(conn) == b"HTTP/1.1 " + status_line + b"\r\n" + fields + b"\r\n" + OK


def test_content_must_have_the_length_announced_or_nothing_is_written() -> None:
    """RFC 9112 §6.2: short and long contents are the caller's mistake."""
    conn = server()
    conn.receive_data(GET, T0)
    conn.send(ResponseHead(status_code=200, headers=((b"Content-Length", b"3"),)), T0)
    said(conn)
    for event in (BodyData(data=b"abcd"), BodyEnd()):
        with pytest.raises(LocalProtocolError):
            conn.send(event, T0)
        assert fetched(conn) == (b"", None)
    conn.send(BodyData(data=b"abc"), T0)
    with pytest.raises(LocalProtocolError):
        conn.send(BodyData(data=b"d"), T0)
    conn.send(BodyEnd(), T0)
    assert said(conn) == b"abc"


@pytest.mark.parametrize("fields", [((b"Content-Length", b"x"),), ((b"a b", b"c"),), ((b"A", b"b\r\nC: d"),)])
def test_a_head_that_may_not_be_sent_changes_nothing(fields: RawFields) -> None:
    conn = server()
    conn.receive_data(GET, T0)
    with pytest.raises(ValueError):
        conn.send(ResponseHead(status_code=200, headers=fields), T0)
    with pytest.raises(ValueError):
        conn.send(ResponseHead(status_code=99), T0)
    with pytest.raises(LocalProtocolError, match=r"^a 101 is sent by the event Accept"):
        conn.send(ResponseHead(status_code=101), T0)
    assert said(conn) == b""
    answer(conn)
    assert said(conn) == OK


def test_http_1_0_gets_content_up_to_the_end_of_the_stream() -> None:
    """RFC 9112 §9.3, §6.3."""
    conn = server()
    conn.receive_data(b"GET / HTTP/1.0\r\n\r\n", T0)
    conn.send(ResponseHead(status_code=200), T0)
    conn.send(BodyData(data=b"hello"), T0)
    conn.send(BodyEnd(), T0)
    assert fetched(conn) == (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello", HALF_CLOSE)


def test_http_1_0_hears_no_interim_response() -> None:
    """RFC 9110 §15.2."""
    conn = server()
    conn.receive_data(b"GET / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", T0)
    assert not conn.awaits_continue
    with pytest.raises(LocalProtocolError, match=r"^HTTP/1\.0 knows no interim responses"):
        conn.send(ResponseHead(status_code=100), T0)
    assert said(conn) == b""


# ------------------------------------------------------------------------------------------------------ whole responses

LENGTH_3 = (b"Content-Length", b"3")


@pytest.mark.parametrize("wall_clock", [None, lambda: 7.0])
@pytest.mark.parametrize("keep_alive", [None, 5.0])
@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
def test_a_whole_response_is_its_three_events_however_often_its_head_was_written(
    method: str, keep_alive: float | None, wall_clock: Callable[[], float] | None
) -> None:
    """RFC 9112 §9.3. From the second time on its head is known, and its state is that of all steps at once."""
    request = b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % method.encode()
    head = ResponseHead(status_code=203, headers=((b"X-Seen", b"often"), LENGTH_3))
    one, three = (
        connection(timeouts=Timeouts(keep_alive=keep_alive), wall_clock=wall_clock) for _ in range(2)
    )
    for moment in (T0, T0 + 1, T0 + 2):
        one.receive_data(request, moment)
        three.receive_data(request, moment)
        assert list(one) == list(three)
        one.send_response(head, b"abc", moment)
        three.send(head, moment)
        if method != "HEAD":
            three.send(BodyData(data=b"abc"), moment)
        three.send(BodyEnd(), moment)
        assert look(one) == look(three)
        assert said(one, moment) == said(three, moment)
        assert one.next_deadline() == three.next_deadline()
        assert one.next_deadline() == (None if keep_alive is None else moment + keep_alive)
        with pytest.raises(LocalProtocolError):
            one.send_response(head, b"abc", moment)


def test_a_whole_response_is_one_piece_and_the_next_request_has_its_time() -> None:
    conn = server(has_clock=True)
    conn.receive_data(get(), T0)
    assert events(conn) == [GET_HEAD, BodyEnd()]
    conn.send_response(ResponseHead(status_code=200, headers=(LENGTH_3,)), b"abc", T0 + 1)
    assert conn.data_to_send() == [b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nDate: " + DATE + b"\r\n\r\nabc"]
    conn.bytes_written(conn.buffered_amount, T0 + 2)
    assert (conn.next_deadline(), events(conn)) == (T0 + 16, [])


WHOLE: list[tuple[bytes, ResponseHead, bytes]] = [
    (get(), ResponseHead(status_code=200, headers=(LENGTH_3,)), b"abc"),
    (get(), ResponseHead(status_code=200, headers=(LENGTH_3,), reason_phrase=b"Fine"), b"abc"),
    (get(), ResponseHead(status_code=200), b"abc"),
    (get(), ResponseHead(status_code=200), b""),
    (get(), ResponseHead(status_code=204), b""),
    (get(), ResponseHead(status_code=304, headers=(LENGTH_3,)), b""),
    (get(), ResponseHead(status_code=200, headers=(LENGTH_3, (b"Connection", b"close"))), b"abc"),
    (get(), ResponseHead(status_code=200, headers=(LENGTH_3, (b"Date", b"mine"))), b"abc"),
    (get(method=b"HEAD"), ResponseHead(status_code=200, headers=(LENGTH_3,)), b"abc"),
    (get(method=b"HEAD"), ResponseHead(status_code=200), b"abc"),
    (get(version=b"1.0"), ResponseHead(status_code=200, headers=(LENGTH_3,)), b"abc"),
    (get(version=b"1.0"), ResponseHead(status_code=200), b"abc"),
    (get((b"Connection", b"close")), ResponseHead(status_code=200, headers=(LENGTH_3,)), b"abc"),
    (post(b"abc"), ResponseHead(status_code=200, headers=(LENGTH_3,)), b"abc"),
    (post(b"abc")[:-1], ResponseHead(status_code=200, headers=(LENGTH_3,)), b"abc"),
    (HANDSHAKE, ResponseHead(status_code=403, headers=(LENGTH_3,)), b"abc"),
    (HANDSHAKE + frame(TEXT, b"a"), ResponseHead(status_code=403, headers=(LENGTH_3,)), b"abc"),
    (get() + get(), ResponseHead(status_code=200, headers=(LENGTH_3,)), b"abc"),
]


@pytest.mark.parametrize(("data", "head", "content"), WHOLE)
def test_a_whole_response_is_what_its_parts_are(data: bytes, head: ResponseHead, content: bytes) -> None:
    """Plain or not: the same bytes, and the same connection afterwards."""

    def answered(*, at_once: bool) -> tuple[object, ...]:
        conn = server(has_clock=True)
        conn.receive_data(data, T0)
        asked = events(conn)
        if at_once:
            conn.send_response(head, content, T0)
        else:
            conn.send(head, T0)
            if content and not data.startswith(b"HEAD"):
                conn.send(BodyData(data=content), T0)
            conn.send(BodyEnd(), T0)
        return asked, events(conn), fetched(conn, T0), conn.next_deadline(), conn.wants_read, conn.is_ending

    assert answered(at_once=True) == answered(at_once=False)


@pytest.mark.parametrize(
    ("head", "content", "fault"),
    [
        (ResponseHead(status_code=200, headers=(LENGTH_3,)), b"ab", r"^1 bytes of content are missing"),
        (
            ResponseHead(status_code=200, headers=(LENGTH_3,)),
            b"abcd",
            r"^4 bytes of content where 3 are left",
        ),
        (ResponseHead(status_code=204), b"a", r"^1 bytes of content where 0 are left"),
        (ResponseHead(status_code=103), b"", r"^an interim response is not a whole one"),
        (ResponseHead(status_code=101), b"", r"^an interim response is not a whole one"),
        (ResponseHead(status_code=600), b"", r"^600 is no final status code"),
        (
            ResponseHead(status_code=200, headers=((b"A", b"\n"),)),
            b"",
            r"^the value of field b'A' has a byte",
        ),
    ],
)
def test_nothing_of_a_whole_response_is_said_if_a_part_of_it_is_wrong(
    head: ResponseHead, content: bytes, fault: str
) -> None:
    conn = server()
    conn.receive_data(get(), T0)
    with pytest.raises((LocalProtocolError, ValueError), match=fault):
        conn.send_response(head, content, T0)
    assert (conn.data_to_send(), conn.next_deadline()) == ([], None)
    conn.send_response(ResponseHead(status_code=200, headers=((b"Content-Length", b"0"),)), b"", T0)
    assert said(conn, T0) == OK


def test_a_whole_response_needs_a_request_and_a_connection_that_goes_on() -> None:
    conn = server()
    head = ResponseHead(status_code=200, headers=((b"Content-Length", b"0"),))
    with pytest.raises(LocalProtocolError, match=r"^the head of a response cannot come in state IDLE$"):
        conn.send_response(head, b"", T0)
    conn.receive_data(get(), T0)
    conn.abort(T0)
    with pytest.raises(LocalProtocolError, match=r"^the connection takes nothing more"):
        conn.send_response(head, b"", T0)


def test_pipelined_requests_may_all_be_answered_at_once() -> None:
    """RFC 9112 §9.3.2: those that came in one read go on as each is answered."""
    conn = server()
    conn.receive_data(get() * 16, T0)
    for _ in range(16):
        assert events(conn) == [GET_HEAD, BodyEnd()]
        conn.send_response(ResponseHead(status_code=200, headers=((b"Content-Length", b"0"),)), b"", T0)
    assert (said(conn, T0), events(conn), conn.wants_read) == (OK * 16, [], True)


def test_an_answer_to_the_last_request_of_a_stream_that_has_ended_ends_it() -> None:
    conn = server()
    conn.receive_data(get(), T0)
    conn.receive_eof(T0)
    conn.send_response(ResponseHead(status_code=200, headers=((b"Content-Length", b"0"),)), b"", T0)
    assert fetched(conn, T0) == (OK, CLOSE)


@pytest.mark.parametrize("rest", [b"", b"ab", b"abc", b"abcGET"])
def test_a_head_that_came_whole_may_have_anything_behind_it(rest: bytes) -> None:
    conn = server()
    conn.receive_data(get((b"content-length", b"3"), method=b"POST") + rest, T0)
    seen = events(conn)[1:]
    expected: list[object] = [BodyData(data=rest[:3])] if rest else []
    assert seen == expected + ([BodyEnd()] if len(rest) >= 3 else [])


def test_an_offer_that_is_none_is_an_ordinary_request() -> None:
    """RFC 9110 §7.8: without its connection option, Upgrade says nothing."""
    conn = server()
    conn.receive_data(get((b"upgrade", b"websocket")), T0)
    head, end = events(conn)
    assert isinstance(head, RequestHead)
    assert (head.websocket, end, conn.next_deadline()) == (None, BodyEnd(), None)


# --------------------------------------------------------------------------------------------- keep-alive and pipelining


@pytest.mark.parametrize(
    "head",
    [
        get((b"connection", b"close")),
        get((b"connection", b"x, CLOSE")),
        get((b"connection", b"keep-alive"), (b"connection", b"close")),
        get(version=b"1.0"),
        get((b"connection", b"keep-alive"), version=b"1.0"),
    ],
)
def test_a_client_may_end_the_connection_with_the_answer(head: bytes) -> None:
    """RFC 9112 §9.3, §9.6: what is pipelined behind is dropped."""
    conn = server()
    conn.receive_data(head + GET, T0)
    assert len(list(conn)) == 2
    answer(conn)
    assert fetched(conn) == (OK_CLOSE, HALF_CLOSE)
    conn.receive_data(GET, T0)
    assert list(conn) == []


def test_the_owner_may_end_the_connection_with_the_answer() -> None:
    """RFC 9112 §9.6."""
    conn = server()
    conn.receive_data(GET, T0)
    answer(conn, b"", (b"Connection", b"close"))
    assert fetched(conn) == (OK_CLOSE, HALF_CLOSE)
    with pytest.raises(LocalProtocolError, match=r"^the connection takes nothing more"):
        answer(conn)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_so_many_requests_on_one_connection(n: int) -> None:
    """The last answer allowed says so; a limit of none or one leaves one request."""
    conn = server(limits=Limits(max_requests=n))
    for _ in range(n - 1):
        conn.receive_data(GET, T0)
        answer(conn)
        assert fetched(conn) == (OK, None)
    conn.receive_data(GET, T0)
    answer(conn)
    assert fetched(conn) == (OK_CLOSE, HALF_CLOSE)


def test_pipelined_requests_come_one_at_a_time_and_are_answered_in_order() -> None:
    """RFC 9112 §9.3.2."""
    conn = server()
    conn.receive_data(GET + post(b"abc") + get(method=b"OPTIONS") + b"GET /last HT", T0)
    methods: list[bytes] = []
    for i in range(3):
        head, *content = conn
        assert isinstance(head, RequestHead)
        assert isinstance(content[-1], BodyEnd)
        methods.append(head.method)
        answer(conn, b"%d" % i)
    assert methods == [b"GET", b"POST", b"OPTIONS"]
    assert list(conn) == []
    assert said(conn) == b"".join(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % i for i in range(3))
    conn.receive_data(b"TP/1.1\r\nHost: a\r\n\r\n", T0)
    assert list(conn) == [replace(GET_HEAD, target=b"/last"), BodyEnd()]


def behind(more: bytes = b"") -> Connection:
    """A server with one byte more than the mark unsent, one request waiting behind that, and whatever comes after."""
    conn = server(
        limits=Limits(high_water=99, max_read_ahead=len(GET)), timeouts=Timeouts(keep_alive=5.0, head=7.0)
    )
    conn.receive_data(GET + GET + more, T0)
    assert events(conn) == [GET_HEAD, BodyEnd()]
    answer(conn, bytes(61))
    assert conn.buffered_amount == 100
    return conn


def test_the_next_request_waits_while_too_much_is_unsent() -> None:
    """A peer that asks and does not read is not to fill memory with answers."""
    conn = behind()
    assert (events(conn), conn.wants_read) == ([], False)
    conn.data_to_send()
    conn.bytes_written(0, T0)
    assert events(conn) == []
    conn.bytes_written(1, T0)
    assert (events(conn), conn.wants_read) == ([Writable(), GET_HEAD, BodyEnd()], True)
    answer(conn)
    conn.receive_data(GET, T0)
    assert (events(conn), conn.wants_read) == ([], False)


def test_the_time_of_a_request_that_waits_for_room_does_not_run() -> None:
    conn = behind(b"GET ")
    conn.handle_deadline(T0 + 29)
    assert events(conn) == []
    conn.data_to_send()
    conn.bytes_written(100, T0 + 29)
    assert events(conn) == [Writable(), GET_HEAD, BodyEnd()]
    answer(conn, now=T0 + 29)
    assert conn.next_deadline() == T0 + 29 + 7


def test_a_request_that_waits_for_room_is_answered_after_the_end_of_the_peers_bytes() -> None:
    conn = behind()
    conn.receive_eof(T0)
    conn.data_to_send()
    conn.bytes_written(100, T0)
    assert events(conn) == [Writable(), GET_HEAD, BodyEnd()]
    answer(conn)
    assert fetched(conn) == (OK, CLOSE)


def test_the_end_of_the_peers_bytes_is_the_end_although_much_is_unsent() -> None:
    conn = server(limits=Limits(high_water=10))
    conn.receive_data(GET, T0)
    answer(conn)
    conn.receive_eof(T0)
    assert fetched(conn) == (OK, CLOSE)


@pytest.mark.parametrize(("n", "wants_read"), [(99, True), (100, False), (101, False)])
def test_reading_pauses_behind_a_request_that_is_not_answered(n: int, wants_read: bool) -> None:
    conn = server(limits=Limits(max_read_ahead=100))
    conn.receive_data(GET, T0)
    conn.receive_data(b"x" * n, T0)
    assert conn.wants_read is wants_read
    conn.send(ResponseHead(status_code=200), T0)
    assert conn.wants_read is wants_read
    conn.send(BodyEnd(), T0)
    assert conn.wants_read


def test_credit_that_comes_late_belongs_to_nobody() -> None:
    conn = server()
    conn.release(1, T0)
    conn.receive_data(post(b"abc"), T0)
    answer(conn)
    conn.release(3, T0)
    assert conn.wants_read


def test_empty_lines_before_a_request_are_passed_over() -> None:
    """RFC 9112 §2.2."""
    conn = server()
    conn.receive_data(b"\r\n\r\n" + GET, T0)
    answer(conn)
    conn.receive_data(b"\r\n" + GET, T0)
    answer(conn)
    assert said(conn) == OK + OK


# ---------------------------------------------------------------------------------------------------------- 100-continue

EXPECT = get((b"expect", b"100-continue"), (b"content-length", b"3"), method=b"POST")


def test_a_client_that_waits_for_100_gets_it() -> None:
    """RFC 9110 §10.1.1."""
    conn = server()
    conn.receive_data(EXPECT, T0)
    assert conn.awaits_continue
    conn.send(ResponseHead(status_code=100), T0)
    assert not conn.awaits_continue
    conn.receive_data(b"abc", T0)
    answer(conn)
    assert fetched(conn) == (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, None)


def test_a_100_that_nobody_waits_for_changes_no_deadline() -> None:
    conn = server()
    conn.receive_data(GET, T0)
    conn.send(ResponseHead(status_code=100), T0)
    assert said(conn) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert conn.next_deadline() is None


@pytest.mark.parametrize("content", [b"a", b"abc"])
def test_a_client_that_did_not_wait_needs_no_100(content: bytes) -> None:
    """RFC 9110 §10.1.1: a server may omit it when some of the content has come."""
    conn = server()
    conn.receive_data(EXPECT + content, T0)
    assert not conn.awaits_continue
    answer(conn)
    assert fetched(conn) == (OK, None)


def test_a_final_answer_instead_of_100_ends_the_connection() -> None:
    """RFC 9110 §10.1.1: the client may send its content or not, and only one of them is the next request."""
    conn = server()
    conn.receive_data(EXPECT, T0)
    answer(conn, status_code=417)
    assert fetched(conn) == (
        b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        HALF_CLOSE,
    )
    assert not conn.awaits_continue


def test_no_interim_response_comes_after_the_final_one() -> None:
    conn = server()
    conn.receive_data(EXPECT, T0)
    conn.send(ResponseHead(status_code=200), T0)
    assert not conn.awaits_continue
    with pytest.raises(LocalProtocolError, match=r"^an interim response cannot come in state EARLY$"):
        conn.send(ResponseHead(status_code=100), T0)


def test_another_expectation_waits_for_nothing() -> None:
    conn = server()
    conn.receive_data(get((b"expect", b"x"), (b"content-length", b"3"), method=b"POST"), T0)
    assert not conn.awaits_continue
    assert not server().awaits_continue


# ------------------------------------------------------------------------------------------------------ broken requests

BROKEN = [
    (b"GET / HTTP/1.1\nHost: a\r\n\r\n", b"400 Bad Request", "a line ends with a bare LF", "RFC 9112 §2.2"),
    (b"GET / HTTP/1.1\r\n\r\n", b"400 Bad Request", "no Host field", "RFC 9112 §3.2"),
    (get((b"host", b"b")), b"400 Bad Request", "more than one Host field", "RFC 9112 §3.2"),
    (get((b"a ", b"b")), b"400 Bad Request", "malformed field line", "RFC 9112 §5"),
    (get((b"a", b"b\r\n c")), b"400 Bad Request", "obsolete line folding", "RFC 9112 §5.2"),
    (get((b"a", b"\x00")), b"400 Bad Request", "malformed field line", "RFC 9112 §5"),
    (get((b"content-length", b"+5")), b"400 Bad Request", "malformed Content-Length", "RFC 9112 §6.3"),
    (
        get((b"content-length", b"3"), (b"content-length", b"3")),
        b"400 Bad Request",
        "malformed Content-Length",
        "RFC 9112 §6.3",
    ),
    (get((b"content-length", b"3, 3")), b"400 Bad Request", "malformed Content-Length", "RFC 9112 §6.3"),
    (
        get((b"content-length", b"3"), (b"transfer-encoding", b"chunked")),
        b"400 Bad Request",
        "both Content-Length and Transfer-Encoding",
        "RFC 9112 §6.1",
    ),
    (b"\r\n" * 5, b"400 Bad Request", "too many empty lines before a start line", "RFC 9112 §2.2"),
    (
        b"GET /" + b"a" * 8179 + b" HTTP/1.1\r\n",
        b"414 URI Too Long",
        "the start line is too long",
        "RFC 9112 §3",
    ),
    (
        get((b"a", b"x" * 8190)),
        b"431 Request Header Fields Too Large",
        "a field line is too long",
        "RFC 6585 §5",
    ),
    (
        get(*[(b"a%d" % i, b"x" * 8000) for i in range(5)]),
        b"431 Request Header Fields Too Large",
        "the header section is too long",
        "RFC 6585 §5",
    ),
    (get(*[(b"a", b"")] * 100), b"431 Request Header Fields Too Large", "too many fields", "RFC 6585 §5"),
    (
        get((b"transfer-encoding", b"gzip")),
        b"501 Not Implemented",
        "a transfer coding other than chunked",
        "RFC 9112 §6.1",
    ),
    (
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"505 HTTP Version Not Supported",
        "neither HTTP/1.1 nor HTTP/1.0",
        "RFC 9110 §15.6.6",
    ),
]


@pytest.mark.parametrize(("data", "status_line", "message", "section"), BROKEN)
@pytest.mark.parametrize("is_second", [False, True])
def test_a_broken_head_is_answered_and_ends_the_connection(
    data: bytes, status_line: bytes, message: str, section: str, is_second: bool
) -> None:
    """RFC 9112 §2.2, §9.6: exact bytes, then the half-close; nothing that follows is taken for a request."""
    conn = server()
    if is_second:
        conn.receive_data(GET, T0)
        answer(conn)
        said(conn)
        list(conn)
    conn.receive_data(data + GET, T0)
    assert fetched(conn) == (error_answer(status_line), HALF_CLOSE)
    assert events(conn) == [failure(int(status_line[:3]), message, section)]
    conn.receive_data(GET, T0)
    assert fetched(conn) == (b"", None)
    assert list(conn) == []


@pytest.mark.parametrize(
    "data", [b"HEAD / HTTP/1.1\r\n\r\n", b"HEAD / HTTP/1.0\r\nContent-Length: x\r\n\r\n"]
)
def test_a_broken_head_request_is_answered_without_content(data: bytes) -> None:
    """RFC 9110 §9.3.2."""
    conn = server()
    conn.receive_data(data, T0)
    assert fetched(conn) == (error_answer(b"400 Bad Request", with_content=False), HALF_CLOSE)


@pytest.mark.parametrize(
    ("content", "message", "section"),
    [
        (b"x\r\n", "malformed chunk-size line", "RFC 9112 §7.1"),
        (b"3\r\nabcdef", "chunk data not followed by CRLF", "RFC 9112 §7.1"),
        (b"0\r\nA\r\n", "malformed field line", "RFC 9112 §5"),
    ],
)
def test_broken_content_is_answered_and_ends_the_connection(
    content: bytes, message: str, section: str
) -> None:
    """RFC 9112 §7.1, §9.6."""
    conn = server()
    conn.receive_data(get((b"transfer-encoding", b"chunked")) + b"1\r\na\r\n" + content, T0)
    assert fetched(conn) == (error_answer(b"400 Bad Request"), HALF_CLOSE)
    *_, data, fault = [event for event in events(conn) if not isinstance(event, BodyEnd)]
    assert isinstance(data, BodyData)
    assert fault == failure(400, message, section)
    with pytest.raises(LocalProtocolError, match=r"^the connection takes nothing more"):
        conn.send(ResponseHead(status_code=200), T0)


@pytest.mark.parametrize("field", [b"Transfer-Encoding: gzip", b"Content-Length: 3", b"content-length: x"])
def test_trailers_say_nothing_about_framing(field: bytes) -> None:
    """RFC 9110 §6.5.1: whatever an engine would make of it, the content is over."""
    conn = server()
    conn.receive_data(get((b"transfer-encoding", b"chunked")) + b"0\r\n" + field + b"\r\n\r\n" + GET, T0)
    assert fetched(conn) == (error_answer(b"400 Bad Request"), HALF_CLOSE)
    message = "a framing field in the trailer section"
    assert events(conn)[1:] == [failure(400, message, "RFC 9110 §6.5.1")]


@pytest.mark.parametrize(
    ("name", "value"), [(b"Content-Length", b"x"), (b"Transfer-Encoding", b"gzip"), (b"Host", b"a")]
)
def test_a_trailer_that_may_not_be_sent_changes_nothing(name: bytes, value: bytes) -> None:
    """RFC 9110 §6.5.1."""
    conn = server()
    conn.receive_data(GET, T0)
    conn.send(ResponseHead(status_code=200), T0)
    said(conn)
    with pytest.raises(ValueError, match=r"is no field for a trailer section \(RFC 9110 §6\.5\.1\)$"):
        conn.send(BodyEnd(trailers=((name, value),)), T0)
    assert conn.data_to_send() == []
    conn.send(BodyEnd(trailers=((b"X", b"y"),)), T0)
    assert said(conn) == b"0\r\nX: y\r\n\r\n"


def test_broken_content_behind_an_answer_that_has_begun_cuts_the_stream() -> None:
    """There is no second answer to give, and the first must not look complete."""
    conn = server()
    conn.receive_data(get((b"transfer-encoding", b"chunked")), T0)
    conn.send(ResponseHead(status_code=200), T0)
    conn.receive_data(b"x\r\n", T0)
    assert conn.data_to_send() == [ABORT]
    assert events(conn)[-1] == failure(400, "malformed chunk-size line", "RFC 9112 §7.1")
    assert conn.next_deadline() is None
    conn.handle_deadline(T0 + 1000)
    conn.receive_eof(T0 + 1000)
    assert list(conn) == []


def test_broken_content_behind_a_complete_answer_ends_the_connection() -> None:
    conn = server()
    conn.receive_data(get((b"transfer-encoding", b"chunked")), T0)
    answer(conn)
    assert fetched(conn) == (OK, None)
    conn.receive_data(b"x\r\n", T0)
    assert fetched(conn) == (b"", HALF_CLOSE)
    assert events(conn)[-1] == failure(400, "malformed chunk-size line", "RFC 9112 §7.1")


@pytest.mark.parametrize("size", [8191, 8192])
def test_the_trailer_section_may_be_longer_than_a_head(size: int) -> None:
    """Whatever the limits are, each of them is kept by itself."""
    limits = Limits(max_request_line=100, max_header_section=100, max_trailer_section=8192)
    conn = server(limits=limits)
    conn.receive_data(get((b"transfer-encoding", b"chunked")) + b"0\r\n", T0)
    for line in (b"A: " + b"x" * 4000 + b"\r\n", b"B: " + b"x" * (size - 4010) + b"\r\n", b"\r\n"):
        conn.receive_data(line, T0)
    assert isinstance(list(conn)[-1], BodyEnd)


# ------------------------------------------------------------------------------------------------------------- deadlines


def test_a_peer_that_says_nothing_is_closed_without_an_answer() -> None:
    conn = server()
    assert conn.next_deadline() == T0 + 10
    conn.handle_deadline(T0 + 9.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 10)
    assert fetched(conn) == (b"", HALF_CLOSE)
    assert list(conn) == []
    conn.handle_deadline(T0 + 12)
    assert fetched(conn) == (b"", CLOSE)
    conn.connection_lost(None, T0 + 12)
    assert ended(conn).info.initiator == "timeout"


def test_a_head_that_takes_too_long_is_answered_408() -> None:
    """RFC 9110 §15.5.9: from the accept, not moved by bytes."""
    conn = server()
    for second in range(1, 10):
        conn.receive_data(GET[second - 1 : second], T0 + second)
    assert conn.next_deadline() == T0 + 10
    conn.handle_deadline(T0 + 9.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 10)
    assert fetched(conn) == (error_answer(b"408 Request Timeout"), HALF_CLOSE)
    assert events(conn) == [failure(408, "the head took too long", "RFC 9110 §15.5.9")]


def test_empty_lines_are_no_byte_of_a_head() -> None:
    conn = server()
    conn.receive_data(b"\r\n\r\n", T0)
    conn.handle_deadline(T0 + 10)
    assert fetched(conn) == (b"", HALF_CLOSE)


def test_an_idle_connection_is_closed_after_a_while() -> None:
    """RFC 9112 §9.5."""
    conn = server()
    conn.receive_data(GET, T0 + 1)
    assert conn.next_deadline() is None
    answer(conn, now=T0 + 5)
    said(conn, T0 + 5)
    list(conn)
    assert conn.next_deadline() == T0 + 20
    conn.handle_deadline(T0 + 19.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 20)
    assert fetched(conn) == (b"", HALF_CLOSE)
    assert list(conn) == []


def test_the_next_head_has_its_time_from_its_first_byte() -> None:
    conn = server()
    conn.receive_data(GET, T0)
    answer(conn)
    said(conn)
    conn.receive_data(GET[:1], T0 + 14.9)
    assert conn.next_deadline() == T0 + 24.9
    conn.receive_data(GET[1:2], T0 + 20)
    assert conn.next_deadline() == T0 + 24.9
    conn.handle_deadline(T0 + 24.9)
    assert fetched(conn) == (error_answer(b"408 Request Timeout"), HALF_CLOSE)


def test_timeouts_may_be_off() -> None:
    conn = server(
        timeouts=Timeouts(head=None, keep_alive=None, body=None, opening=None, linger=None, write=None)
    )
    assert conn.next_deadline() is None
    conn.receive_data(GET[:5], T0)
    assert conn.next_deadline() is None
    conn.receive_data(GET[5:] + post(b"abc")[:-1], T0)
    answer(conn)
    assert conn.next_deadline() is None
    answer(conn)
    assert conn.next_deadline() is None


def test_content_that_stops_is_answered_408() -> None:
    """RFC 9110 §15.5.9."""
    conn = server()
    conn.receive_data(post(b"abc")[:-1], T0 + 1)
    assert conn.next_deadline() == T0 + 21
    conn.handle_deadline(T0 + 20.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 21)
    assert fetched(conn) == (error_answer(b"408 Request Timeout"), HALF_CLOSE)
    assert events(conn)[-1] == failure(408, "the content came too slowly", "RFC 9110 §15.5.9")


EXPECTING = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"


def test_who_waits_for_100_is_not_judged_before_it_gets_one() -> None:
    """RFC 9110 §10.1.1: the silence is ours."""
    conn = server()
    conn.receive_data(EXPECTING, T0)
    assert conn.next_deadline() is None
    conn.send(ResponseHead(status_code=100), T0 + 50)
    assert fetched(conn) == (b"HTTP/1.1 100 Continue\r\n\r\n", None)
    assert conn.next_deadline() == T0 + 70
    conn.handle_deadline(T0 + 70)
    assert fetched(conn) == (error_answer(b"408 Request Timeout"), HALF_CLOSE)


def test_who_does_not_wait_for_100_is_judged_from_its_first_byte_on() -> None:
    """RFC 9110 §10.1.1: a client may send its content all the same."""
    conn = server()
    conn.receive_data(EXPECTING, T0)
    conn.receive_data(b"a", T0 + 50)
    assert conn.next_deadline() == T0 + 70


def test_content_that_trickles_is_answered_408() -> None:
    conn = server()
    conn.receive_data(get((b"content-length", b"100000"), method=b"POST"), T0)
    for tenth in range(1, 200):
        conn.receive_data(b"x" * 51, T0 + tenth / 10)
        conn.release(51, T0 + tenth / 10)
    assert conn.next_deadline() == pytest.approx(T0 + 199 * 51 / 500)
    conn.handle_deadline(T0 + 199 * 51 / 500 + 0.001)
    assert fetched(conn)[0] == error_answer(b"408 Request Timeout")


def test_content_is_not_judged_while_we_do_not_read() -> None:
    conn = server(limits=Limits(max_read_ahead=10))
    conn.receive_data(get((b"content-length", b"100"), method=b"POST") + b"x" * 10, T0)
    assert conn.next_deadline() is None
    conn.handle_deadline(T0 + 1000)
    assert fetched(conn) == (b"", None)
    conn.release(1, T0 + 1000)
    assert conn.next_deadline() == T0 + 1020


def test_a_slow_upload_behind_an_answer_that_has_begun_is_cut() -> None:
    conn = server()
    conn.receive_data(post(b"abc")[:-1], T0)
    conn.send(ResponseHead(status_code=200), T0)
    said(conn)
    conn.handle_deadline(T0 + 20)
    assert conn.data_to_send() == [ABORT]


def test_a_peer_that_does_not_read_is_cut() -> None:
    conn = server(limits=Limits(min_write_rate=0))
    conn.receive_data(GET, T0)
    answer(conn, b"x" * 100, now=T0 + 1)
    conn.data_to_send()
    conn.bytes_written(10, T0 + 11)
    conn.receive_data(GET, T0 + 12)
    conn.handle_deadline(T0 + 40.999)
    assert conn.data_to_send() == []
    conn.handle_deadline(T0 + 41)
    assert conn.data_to_send() == [ABORT]
    assert conn.next_deadline() is None
    conn.connection_lost(None, T0 + 41)
    info = ended(conn).info
    assert (info.initiator, str(info.cause)) == ("timeout", "the peer does not read")


@pytest.mark.parametrize(
    ("data", "sent"),
    [
        (b"", b""),
        (GET[:5], error_answer(b"408 Request Timeout")),
        (post(b"abc")[:-1], error_answer(b"408 Request Timeout")),
        (HANDSHAKE, error_answer(b"503 Service Unavailable")),
    ],
)
def test_being_late_at_a_deadline_does_no_harm(data: bytes, sent: bytes) -> None:
    """What begins with it has its own time from then on."""
    conn = server()
    if data:
        conn.receive_data(data, T0)
    conn.handle_deadline(T0 + 1000)
    assert fetched(conn, T0 + 1000) == (sent, HALF_CLOSE)
    assert conn.next_deadline() == T0 + 1002


def test_a_connection_is_not_idle_while_its_answer_is_on_its_way() -> None:
    """RFC 9112 §9.5: nobody can ask again before it has the answer."""
    conn = server(timeouts=Timeouts(keep_alive=15.0, write=None))
    conn.receive_data(GET, T0)
    answer(conn)
    sent = sum(len(data) for data in conn.data_to_send() if isinstance(data, bytes))
    conn.handle_deadline(T0 + 15)
    conn.bytes_written(sent - 1, T0 + 16)
    assert conn.next_deadline() is None
    conn.bytes_written(1, T0 + 17)
    assert conn.next_deadline() == T0 + 32
    conn.handle_deadline(T0 + 32)
    assert fetched(conn) == (b"", HALF_CLOSE)


def test_the_time_to_ask_again_begins_once() -> None:
    conn = server(timeouts=Timeouts(keep_alive=15.0, write=None))
    conn.receive_data(GET, T0)
    answer(conn)
    sent = sum(len(data) for data in conn.data_to_send() if isinstance(data, bytes))
    conn.handle_deadline(T0 + 15)
    conn.bytes_written(sent, T0 + 17)
    conn.bytes_written(0, T0 + 20)
    assert conn.next_deadline() == T0 + 32


def test_nobody_may_ask_again_when_the_connection_is_over() -> None:
    conn = server(timeouts=Timeouts(keep_alive=1.0, linger=9.0, write=None))
    conn.receive_data(GET, T0)
    answer(conn)
    sent = sum(len(data) for data in conn.data_to_send() if isinstance(data, bytes))
    conn.handle_deadline(T0 + 1)
    conn.shutdown(T0 + 2)
    conn.bytes_written(sent, T0 + 3)
    assert fetched(conn) == (b"", HALF_CLOSE)
    assert conn.next_deadline() == T0 + 11


def test_the_end_of_the_stream_inside_a_head_is_found_when_the_answer_before_it_has_gone() -> None:
    """RFC 9112 §8: the head lay behind an answer that the peer did not read."""
    conn = server(limits=Limits(high_water=10))
    conn.receive_data(GET + b"G", T0)
    answer(conn)
    conn.receive_eof(T0 + 1)
    assert events(conn) == [GET_HEAD, BodyEnd()]
    assert fetched(conn, T0 + 2) == (OK, None)
    assert fetched(conn, T0 + 2) == (error_answer(b"400 Bad Request"), CLOSE)
    assert events(conn)[1] == failure(400, "the stream ended inside a head", "RFC 9112 §8")


def test_a_request_that_comes_before_the_answer_has_gone_ends_the_wait_for_it() -> None:
    """RFC 9112 §9.5."""
    conn = server(timeouts=Timeouts(keep_alive=1.0, head=10.0, write=None))
    conn.receive_data(GET, T0)
    answer(conn)
    conn.data_to_send()
    conn.handle_deadline(T0 + 1)
    conn.receive_data(b"G", T0 + 2)
    conn.bytes_written(conn.buffered_amount, T0 + 3)
    assert conn.next_deadline() == T0 + 12


def test_a_server_that_keeps_nothing_alive_ends_when_its_answer_has_gone() -> None:
    """With no time at all the deadline is due at once, but only once."""
    conn = server(timeouts=Timeouts(keep_alive=0.0))
    conn.receive_data(GET, T0)
    answer(conn)
    sent = sum(len(data) for data in conn.data_to_send() if isinstance(data, bytes))
    conn.handle_deadline(T0)
    assert conn.next_deadline() == T0 + 30
    conn.bytes_written(sent, T0 + 1)
    assert conn.next_deadline() == T0 + 1
    conn.handle_deadline(T0 + 1)
    assert fetched(conn, T0 + 1) == (b"", HALF_CLOSE)


def test_two_deadlines_at_once_come_in_their_order() -> None:
    """The write deadline at 130 and the keep-alive's at 130: the connection is finished, then cut."""
    conn = server(timeouts=Timeouts(keep_alive=30.0))
    conn.receive_data(GET, T0)
    answer(conn)
    conn.data_to_send()
    conn.handle_deadline(T0 + 30)
    assert conn.data_to_send() == [ABORT]
    conn.connection_lost(None, T0 + 30)
    assert ended(conn).info.initiator == "timeout"


# ------------------------------------------------------------------------------------------------ the opening handshake

OFFER = Offer(key=KEY)


def test_an_opening_handshake_is_accepted() -> None:
    """RFC 6455 §4.2.2."""
    conn = server()
    conn.receive_data(HANDSHAKE, T0)
    head, end = conn
    assert isinstance(head, RequestHead)
    assert head.websocket == OFFER
    assert end == BodyEnd()
    assert conn.next_deadline() == T0 + 10
    conn.send(Accept(), T0)
    assert said(conn) == SWITCH
    assert conn.is_websocket
    assert conn.next_deadline() == T0 + 20


def test_a_peer_that_ends_its_side_behind_the_handshake_is_heard_to_the_end() -> None:
    conn = server()
    conn.receive_data(HANDSHAKE + frame(TEXT, b"hi"), T0)
    conn.receive_eof(T0)
    list(conn)
    conn.send(Accept(), T0)
    assert fetched(conn) == (SWITCH, CLOSE)
    assert list(conn) == [Message(data="hi")]
    assert conn.close_info is not None
    assert conn.close_info.close_code == 1006


@pytest.mark.parametrize(("n", "wants_read"), [(99, True), (100, False)])
def test_reading_pauses_behind_an_opening_handshake(n: int, wants_read: bool) -> None:
    conn = server(limits=Limits(max_read_ahead=100))
    conn.receive_data(HANDSHAKE + b"x" * n, T0)
    assert conn.wants_read is wants_read


def test_a_denied_handshake_leaves_http() -> None:
    conn = server()
    conn.receive_data(HANDSHAKE, T0)
    answer(conn, b"no", status_code=403)
    assert fetched(conn) == (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno", None)
    list(conn)
    assert conn.next_deadline() == T0 + 15
    conn.receive_data(GET, T0)
    assert list(conn) == [GET_HEAD, BodyEnd()]


def test_a_denied_handshake_with_bytes_behind_it_ends_the_connection() -> None:
    """Frames are never taken for HTTP."""
    conn = server()
    conn.receive_data(HANDSHAKE + GET, T0)
    list(conn)
    answer(conn, status_code=403)
    assert fetched(conn) == (
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        HALF_CLOSE,
    )
    assert list(conn) == []


def test_a_handshake_that_is_not_answered_in_time_is_answered_503() -> None:
    conn = server()
    conn.receive_data(HANDSHAKE, T0 + 1)
    list(conn)
    conn.handle_deadline(T0 + 10.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 11)
    assert fetched(conn) == (error_answer(b"503 Service Unavailable"), HALF_CLOSE)
    assert events(conn) == [failure(503, "the opening handshake took too long", "RFC 9110 §15.6.4")]
    with pytest.raises(LocalProtocolError, match=r"^the connection takes nothing more"):
        conn.send(Accept(), T0 + 11)


def test_a_faulty_handshake_says_which_answer_it_deserves() -> None:
    conn = server()
    conn.receive_data(HANDSHAKE.replace(b"Version: 13", b"Version: 12"), T0)
    head = next(iter(conn))
    assert isinstance(head, RequestHead)
    assert head.websocket == Refusal(status_code=426, reason="Sec-WebSocket-Version is not 13")
    with pytest.raises(LocalProtocolError, match=r"^this request offers no WebSocket"):
        conn.send(Accept(), T0)
    answer(conn, status_code=426)
    assert fetched(conn) == (b"HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n", None)


def test_a_handshake_with_content_ends_the_connection() -> None:
    conn = server()
    conn.receive_data(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n") + b"hi", T0)
    head = next(iter(conn))
    assert isinstance(head, RequestHead)
    assert head.websocket == Refusal(status_code=400, reason="an opening handshake has no content")
    answer(conn, status_code=400)
    assert fetched(conn) == (
        b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        HALF_CLOSE,
    )


@pytest.mark.parametrize(
    "accept",
    [
        Accept(subprotocol="x"),
        Accept(extensions=("x",)),
        Accept(headers=((b"Upgrade", b"x"),)),
        Accept(headers=((b"a", b"\n"),)),
    ],
)
def test_an_accept_that_may_not_be_sent_changes_nothing(accept: Accept) -> None:
    conn = server()
    conn.receive_data(HANDSHAKE, T0)
    with pytest.raises(ValueError):
        conn.send(accept, T0)
    assert said(conn) == b""
    assert not conn.is_websocket
    assert conn.next_deadline() == T0 + 10
    conn.send(Accept(), T0)
    assert said(conn) == SWITCH


def test_an_ordinary_request_cannot_be_accepted() -> None:
    conn = server()
    conn.receive_data(GET, T0)
    with pytest.raises(LocalProtocolError, match=r"^this request offers no WebSocket"):
        conn.send(Accept(), T0)


def test_an_upgrade_to_something_else_is_an_ordinary_request() -> None:
    """RFC 9110 §7.8: a server may ignore Upgrade; the connection goes on."""
    conn = server()
    for _ in range(2):
        conn.receive_data(get((b"upgrade", b"h2c"), (b"connection", b"upgrade")), T0)
        assert len(list(conn)) == 2
        answer(conn)
    assert fetched(conn) == (OK * 2, None)


def test_a_request_for_a_tunnel_is_answered_and_the_connection_goes_on() -> None:
    """RFC 9110 §9.3.6."""
    conn = server()
    conn.receive_data(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n" + GET, T0)
    with pytest.raises(ValueError, match=r"^a tunnel is not supported"):
        answer(conn)
    answer(conn, status_code=405)
    answer(conn)
    assert fetched(conn) == (b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n" + OK, None)


# -------------------------------------------------------------------------------------------- what is left of a request


def test_unread_content_of_a_length_is_dropped_and_the_connection_goes_on() -> None:
    """What is left unread must never become the next request (RFC 9112 §9.3)."""
    conn = server(limits=Limits(max_linger=10, max_read_ahead=3))
    conn.receive_data(get((b"content-length", b"15"), method=b"POST") + b"GET /", T0)
    assert not conn.wants_read
    answer(conn)
    assert fetched(conn) == (OK, None)
    assert conn.wants_read
    list(conn)
    conn.receive_data(b" HTTP/1.1\n" + GET, T0)
    assert list(conn) == [GET_HEAD, BodyEnd()]
    assert fetched(conn) == (b"", None)


@pytest.mark.parametrize(("left", "said"), [(9, (OK, None)), (10, (OK, None)), (11, (OK_CLOSE, HALF_CLOSE))])
def test_more_unread_content_than_is_worth_reading_ends_the_connection(
    left: int, said: tuple[bytes, StreamEnd | None]
) -> None:
    """RFC 9112 §9.6: a server that means to close says so."""
    conn = server(limits=Limits(max_linger=10))
    conn.receive_data(get((b"content-length", b"%d" % (left + 5)), method=b"POST") + b"abcde", T0)
    answer(conn)
    assert fetched(conn) == said


def test_too_many_unread_chunks_end_the_connection_also_when_they_are_complete() -> None:
    conn = server(limits=Limits(max_linger=10))
    conn.receive_data(get((b"transfer-encoding", b"chunked")), T0)
    answer(conn)
    conn.receive_data(b"b\r\n" + b"x" * 11 + b"\r\n0\r\n\r\n" + GET, T0)
    assert fetched(conn) == (OK, HALF_CLOSE)
    assert len(list(conn)) == 1
    assert conn.next_deadline() == T0 + 2
    conn.handle_deadline(T0 + 2)
    assert fetched(conn) == (b"", CLOSE)


def test_unread_content_must_come_in_time() -> None:
    conn = server()
    conn.receive_data(get((b"content-length", b"5"), method=b"POST"), T0)
    answer(conn)
    said(conn)
    assert conn.next_deadline() == T0 + 2
    conn.handle_deadline(T0 + 1.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 2)
    assert fetched(conn) == (b"", HALF_CLOSE)
    conn.handle_deadline(T0 + 4)
    assert fetched(conn) == (b"", CLOSE)


def test_unread_content_that_came_in_time_leaves_an_idle_connection() -> None:
    conn = server()
    conn.receive_data(get((b"content-length", b"5"), method=b"POST"), T0)
    answer(conn)
    said(conn)
    conn.receive_data(b"x" * 5, T0 + 1.5)
    assert conn.next_deadline() == T0 + 16.5


def test_unread_content_does_not_use_up_what_the_next_request_may_have() -> None:
    conn = server(limits=Limits(max_linger=10))
    for _ in range(3):
        conn.receive_data(get((b"content-length", b"8"), method=b"POST"), T0)
        answer(conn)
        conn.receive_data(b"x" * 8, T0)
    assert fetched(conn) == (OK * 3, None)


def test_an_early_answer_may_be_followed_by_the_rest_of_the_request() -> None:
    """RFC 9112 §9.3: the request goes on being delivered while the answer is under way."""
    conn = server()
    conn.receive_data(get((b"content-length", b"4"), method=b"POST") + b"ab", T0)
    conn.send(ResponseHead(status_code=200), T0)
    conn.receive_data(b"cd", T0)
    conn.send(BodyData(data=b"x"), T0)
    conn.send(BodyEnd(), T0)
    assert events(conn)[1:] == [BodyData(data=b"abcd"), BodyEnd()]
    assert fetched(conn) == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
        None,
    )
    conn.receive_data(GET, T0)
    assert list(conn) == [GET_HEAD, BodyEnd()]


# ------------------------------------------------------------------------------------------------------------- shutdown


def test_a_shutdown_lets_the_present_answer_be_given() -> None:
    """RFC 9112 §9.6."""
    conn = server()
    conn.receive_data(GET + GET, T0)
    conn.shutdown(T0)
    assert fetched(conn) == (b"", None)
    list(conn)
    answer(conn)
    assert fetched(conn) == (OK_CLOSE, HALF_CLOSE)
    assert list(conn) == []


def test_a_shutdown_answers_a_head_that_has_begun_with_503() -> None:
    conn = server()
    conn.receive_data(GET[:-1], T0)
    conn.shutdown(T0)
    assert fetched(conn) == (error_answer(b"503 Service Unavailable"), HALF_CLOSE)
    conn.receive_data(GET[-1:], T0)
    assert list(conn) == []
