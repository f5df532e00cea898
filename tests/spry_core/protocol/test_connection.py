"""Tests of `spry_core.protocol.connection`: its face, and what each state allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from spry_core.closing import CloseInfo
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import (
    ABORT,
    CLOSE,
    HALF_CLOSE,
    Accept,
    BodyData,
    BodyEnd,
    Close,
    Connection,
    ConnectionEnded,
    Deflate,
    EngineName,
    Event,
    Failure,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ping,
    Pong,
    RequestHead,
    ResponseHead,
    SentEvent,
    Timeouts,
    Writable,
)
from spry_core.protocol.memory import LONG_READ_SIZE, READ_SIZE
from spry_core.protocol.turn import STEPS
from traces import (
    GET,
    HANDSHAKE,
    SWITCH,
    aftermath,
    connection,
    counted,
    ended,
    fetched,
    look,
    open_websocket,
    said,
)

NO_CONTENT = ResponseHead(status_code=204)


def server(**settings: float | None) -> Connection:
    return connection(timeouts=Timeouts(**settings))


# ------------------------------------------------------------------------------------------------------------- the face


def test_an_engine_must_exist() -> None:
    with pytest.raises(ValueError, match=r"^no engine 'x'"):
        Connection("server", now=0.0, random=counted, engine=cast("EngineName", "x"))


def test_no_bytes_are_not_the_end_of_the_stream() -> None:
    conn = connection()
    with pytest.raises(LocalProtocolError, match=r"^no bytes"):
        conn.receive_data(b"", 0.0)
    assert look(conn) == look(connection())


def test_events_come_one_by_one_or_all_at_once() -> None:
    conn = connection()
    assert conn.next_event() is None
    conn.receive_data(GET, 0.0)
    assert isinstance(conn.next_event(), RequestHead)
    assert list(conn) == [BodyEnd()]
    assert list(conn) == []


@pytest.mark.engines_by_name  # of the reference, messages never come in runs, nor payloads as they are
def test_a_run_of_messages_is_taken_one_by_one_or_at_once() -> None:
    """An owner may change its mind within a run."""
    conn = open_websocket()
    conn.receive_data(frame(TEXT, b"a") + frame(BINARY, b"b") + frame(TEXT, b"c") + frame(PING), 0.0)
    assert conn.has_events
    assert conn.next_event() == Message(data="a")
    assert [conn.take_event(), conn.take_event(), conn.take_event()] == [[b"b", "c"], Ping(), None]
    assert (conn.has_events, conn.next_event()) == (False, None)


@pytest.mark.parametrize("is_lost", [False, True])
def test_nothing_comes_after_the_end_of_the_stream(is_lost: bool) -> None:
    conn = connection()
    if is_lost:
        conn.connection_lost(None, 0.0)
    else:
        conn.receive_eof(0.0)
    with pytest.raises(LocalProtocolError, match=r"^bytes after the end of the stream$"):
        conn.receive_data(b"a", 0.0)
    assert not conn.wants_read


@pytest.mark.parametrize("make", [connection, open_websocket])
def test_what_was_on_its_way_when_we_closed_the_stream_is_thrown_away(make: Callable[[], Connection]) -> None:
    conn = make()
    conn.abort(0.0)
    conn.receive_data(GET, 0.0)
    assert list(conn) == []
    assert conn.data_to_send() == [ABORT]


@pytest.mark.parametrize("make", [connection, open_websocket])
def test_an_end_that_comes_twice_is_one(make: Callable[[], Connection]) -> None:
    conn = make()
    conn.receive_eof(0.0)
    conn.receive_eof(1.0)
    assert fetched(conn) == (b"", CLOSE)
    conn.connection_lost(None, 2.0)
    conn.connection_lost(ConnectionResetError(), 3.0)
    conn.receive_eof(4.0)
    assert [type(event) for event in conn] == [ConnectionEnded]


@pytest.mark.parametrize("make", [connection, open_websocket])
def test_a_lost_stream_takes_nothing_more(make: Callable[[], Connection]) -> None:
    conn = make()
    assert not conn.closed
    assert not conn.is_ending
    conn.connection_lost(None, 0.0)
    assert conn.closed
    assert conn.is_ending
    with pytest.raises(LocalProtocolError, match=r"^the stream is gone$"):
        conn.send(NO_CONTENT, 0.0)
    ended(conn)
    conn.bytes_written(5, 0.0)
    conn.release(5, 0.0)
    conn.shutdown(0.0)
    conn.abort(0.0)
    conn.handle_deadline(1000.0)
    assert list(conn) == []
    assert conn.data_to_send() == []
    assert conn.next_deadline() is None
    assert not conn.wants_read


@pytest.mark.parametrize("n", [-1, 3])
def test_no_more_is_written_than_was_said(n: int) -> None:
    conn = open_websocket()
    conn.send(Message(data=""), 0.0)
    with pytest.raises(LocalProtocolError, match=rf"^{n} bytes written where 2 were unsent$"):
        conn.bytes_written(n, 0.0)
    assert conn.buffered_amount == 2
    conn.bytes_written(2, 0.0)
    assert conn.buffered_amount == 0


@pytest.mark.parametrize("make", [connection, open_websocket])
def test_nobody_consumes_less_than_nothing(make: Callable[[], Connection]) -> None:
    conn = make()
    with pytest.raises(LocalProtocolError, match=r"^-1 bytes cannot be consumed$"):
        conn.release(-1, 0.0)
    conn.release(0, 0.0)


def test_what_is_consumed_lets_reading_go_on() -> None:
    conn = connection(limits=Limits(max_read_ahead=3))
    conn.receive_data(POST + b"abc"[:2], 0.0)
    assert conn.wants_read
    conn = connection(limits=Limits(max_read_ahead=2))
    conn.receive_data(POST + b"ab", 0.0)
    assert not conn.wants_read
    conn.release(1, 0.0)
    assert conn.wants_read
    conn = open_websocket(limits=Limits(max_queue_size=2))
    conn.receive_data(frame(TEXT, b"ab"), 0.0)
    assert not conn.wants_read
    conn.release(1, 0.0)
    assert conn.wants_read


def test_a_pong_that_had_no_room_comes_when_there_is_some() -> None:
    conn = open_websocket(limits=Limits(high_water=1))
    conn.send(Message(data=""), 0.0)
    conn.receive_data(frame(PING, b"p"), 0.0)
    assert said(conn) == frame(TEXT, mask=None)
    assert said(conn) == frame(PONG, b"p", mask=None)


def test_an_offer_may_be_ignored() -> None:
    conn = connection()
    conn.receive_data(HANDSHAKE, 0.0)
    assert conn.next_deadline() == 10.0
    conn.ignore_offer()
    assert conn.next_deadline() is None


def test_an_offer_that_was_accepted_cannot_be_ignored_any_more() -> None:
    conn = open_websocket()
    before = conn.next_deadline()
    conn.ignore_offer()
    assert (conn.is_open, conn.next_deadline(), fetched(conn)) == (True, before, (b"", None))


def test_what_came_behind_the_opening_handshake_belongs_to_the_websocket() -> None:
    conn = connection()
    conn.receive_data(HANDSHAKE + frame(TEXT, b"a"), 0.0)
    conn.receive_eof(0.0)
    assert len(list(conn)) == 2
    conn.send(Accept(), 0.0)
    assert list(conn) == [Message(data="a")]
    assert fetched(conn) == (SWITCH, CLOSE)
    assert conn.close_info is not None
    assert conn.close_info.close_code == 1006


def test_settings_may_change_until_the_websocket_is_accepted() -> None:
    """A route has its own limits of messages and its own durations."""
    conn = connection()
    conn.receive_data(HANDSHAKE, 0.0)
    limits, timeouts = Limits(max_message_size=1), Timeouts(ping_interval=3.0)
    conn.configure(limits=limits, timeouts=timeouts)
    assert (conn.limits, conn.timeouts) == (limits, timeouts)
    conn.send(Accept(), 0.0)
    said(conn)
    assert conn.next_deadline() == 3.0
    conn.receive_data(frame(TEXT, b"ab"), 0.0)
    assert fetched(conn) == (frame(CLOSE_FRAME, close_payload(1009), mask=None), HALF_CLOSE)
    with pytest.raises(LocalProtocolError, match=r"^limits and timeouts are settled"):
        conn.configure(limits=Limits(), timeouts=Timeouts())


@pytest.mark.parametrize(("code", "reason"), [(1005, ""), (1000, "x" * 124), (999, "")])
@pytest.mark.parametrize("make", [connection, open_websocket])
def test_a_shutdown_needs_a_close_that_can_be_sent(
    make: Callable[[], Connection], code: int, reason: str
) -> None:
    """RFC 6455 §7.4, whatever is spoken."""
    conn = make()
    with pytest.raises(ValueError, match=r"^(close code|the close reason)"):
        conn.shutdown(0.0, code, reason)
    assert fetched(conn) == (b"", None)


# ------------------------------------------------------------------------------------------------ how HTTP has ended


def end_of_http(conn: Connection, error: BaseException | None = None) -> CloseInfo:
    conn.connection_lost(error, 5.0)
    return ended(conn).info


def test_a_stream_that_goes_without_a_word_ends_by_the_transport() -> None:
    assert end_of_http(connection()) == CloseInfo(initiator="transport", duration=5.0)
    error = ConnectionResetError()
    assert end_of_http(connection(), error) == CloseInfo(initiator="transport", cause=error, duration=5.0)


def test_a_peer_that_ends_its_side_ends_the_connection() -> None:
    conn = connection()
    conn.receive_eof(1.0)
    assert end_of_http(conn).initiator == "remote"


def test_our_last_answer_ends_the_connection_whoever_is_the_first_to_go() -> None:
    for ends in ("eof", "linger", "error"):
        conn = connection()
        conn.receive_data(GET, 0.0)
        conn.send(ResponseHead(status_code=204, headers=((b"Connection", b"close"),)), 0.0)
        conn.send(BodyEnd(), 0.0)
        fetched(conn)
        if ends == "eof":
            conn.receive_eof(1.0)
        elif ends == "linger":
            conn.handle_deadline(2.0)
        error = ConnectionResetError() if ends == "error" else None
        assert end_of_http(conn, error).initiator == ("transport" if error else "local")


def test_a_deadline_may_end_the_connection() -> None:
    conn = connection()
    conn.handle_deadline(10.0)
    assert end_of_http(conn).initiator == "timeout"


def test_a_shutdown_may_end_the_connection() -> None:
    conn = connection()
    conn.shutdown(0.0)
    assert fetched(conn) == (b"", HALF_CLOSE)
    assert end_of_http(conn).initiator == "shutdown"


def test_a_shutdown_that_comes_too_late_ends_nothing() -> None:
    conn = http(b"GET / HTTP/1.0\r\n\r\n", RESPONSE, ABC, END)
    conn.shutdown(0.0)
    assert end_of_http(conn).initiator == "local"


def test_a_shutdown_closes_a_websocket() -> None:
    conn = open_websocket()
    conn.shutdown(0.0)
    assert fetched(conn) == (frame(CLOSE_FRAME, close_payload(1001), mask=None), None)
    conn = open_websocket()
    conn.shutdown(0.0, 1012, "again")
    assert fetched(conn) == (frame(CLOSE_FRAME, close_payload(1012, "again"), mask=None), None)


def test_the_first_abort_counts() -> None:
    first, second = RuntimeError(), ValueError()
    for make in (connection, open_websocket):
        conn = make()
        conn.abort(0.0, first)
        conn.abort(0.0, second)
        assert conn.data_to_send() == [ABORT]
        info = end_of_http(conn)
        assert (info.initiator, info.cause) == ("local", first)


# ------------------------------------------------------------------------------------------------ deadlines, both halves


def test_time_that_has_not_come_changes_nothing() -> None:
    conn = connection()
    conn.handle_deadline(9.999)
    assert look(conn) == look(connection())


def test_a_peer_that_does_not_read_a_websocket_is_cut() -> None:
    conn = open_websocket()
    conn.send(Message(data="a"), 0.0)
    conn.data_to_send()
    conn.receive_data(frame(TEXT), 20.0)
    conn.handle_deadline(29.999)
    assert ABORT not in conn.data_to_send()
    conn.handle_deadline(30.0)
    assert conn.data_to_send() == [ABORT]
    conn.connection_lost(None, 30.0)
    info = ended(conn).info
    assert (info.initiator, info.close_code, str(info.cause)) == ("timeout", 1006, "the peer does not read")


def test_late_deadlines_come_in_their_order() -> None:
    """A Ping due at 20, the write deadline at 30: the Ping is queued, then everything is dropped."""
    conn = open_websocket()
    conn.send(Message(data="a"), 0.0)
    conn.data_to_send()
    conn.handle_deadline(1000.0)
    assert conn.data_to_send() == [ABORT]
    assert conn.next_deadline() is None


@pytest.mark.parametrize(("write", "ends"), [(5.0, "peer does not read"), (20.0, "peer does not read")])
def test_of_two_deadlines_at_once_the_first_named_goes_first(write: float, ends: str) -> None:
    """The write deadline and the Close deadline at the same tick: the stream is cut once."""
    conn = open_websocket(timeouts=Timeouts(write=write, close_timeout=write))
    conn.send(Close(code=1000), 0.0)
    conn.data_to_send()
    assert conn.next_deadline() == write
    conn.handle_deadline(write)
    assert conn.data_to_send() == [ABORT]
    conn.connection_lost(None, write)
    info = ended(conn).info
    assert (info.initiator, info.close_code) == ("timeout", 1000)
    assert ends in str(info.cause)


# --------------------------------------------------------------------------------------------- what each state allows


def http(data: bytes = b"", *events: SentEvent) -> Connection:
    """Make a server that has heard this and said that."""
    conn = connection()
    if data:
        conn.receive_data(data, 0.0)
    return say(conn, *events)


def client(*events: SentEvent, data: bytes = b"") -> Connection:
    conn = say(connection("client"), *events)
    if data:
        conn.receive_data(data, 0.0)
    return conn


def say(conn: Connection, *events: SentEvent) -> Connection:
    for event in events:
        conn.send(event, 0.0)
    return conn


def then(conn: Connection, call: Callable[[Connection], object]) -> Connection:
    call(conn)
    return conn


POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n"
REQUEST = RequestHead(method=b"POST", target=b"/", headers=((b"Host", b"a"), (b"Content-Length", b"3")))
RESPONSE = ResponseHead(status_code=200, headers=((b"Content-Length", b"3"),))
ABC = BodyData(data=b"abc")
INTERIM = ResponseHead(status_code=103)
END = BodyEnd()
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"
FAULT = frame(TEXT, b"a") + frame(3)

EVENTS: dict[str, SentEvent] = {
    "request": REQUEST,
    "response": RESPONSE,
    "interim": INTERIM,
    "data": ABC,
    "end": END,
    "accept": Accept(),
    "message": Message(data="a"),
    "start": MessageStart(kind="text"),
    "piece": MessageData(data="a"),
    "last piece": MessageEnd(),
    "ping": Ping(),
    "pong": Pong(),
    "close": Close(code=1000),
}
MESSAGES = {"message", "start", "ping", "pong", "close"}

STATES: dict[str, tuple[Callable[[], Connection], set[str]]] = {
    "server, idle": (http, set()),
    "server, head half in": (lambda: http(GET[:5]), set()),
    "server, content coming in": (lambda: http(POST), {"response", "interim"}),
    "server, asked": (lambda: http(GET), {"response", "interim"}),
    "server, asked for a websocket": (lambda: http(HANDSHAKE), {"response", "interim", "accept"}),
    "server, early answer": (lambda: http(POST, RESPONSE), {"data"}),
    "server, early answer but for its end": (lambda: http(POST, RESPONSE, ABC), {"end"}),
    "server, answering": (lambda: http(GET, RESPONSE), {"data"}),
    "server, answering but for its end": (lambda: http(GET, RESPONSE, ABC), {"end"}),
    "server, answering nothing": (lambda: http(GET, NO_CONTENT), {"end"}),
    "server, answered before the end of the request": (lambda: http(POST, RESPONSE, ABC, END), set()),
    "server, answered": (lambda: http(GET, RESPONSE, ABC, END), set()),
    "server, last answer given": (lambda: http(b"GET / HTTP/1.0\r\n\r\n", RESPONSE, ABC, END), set()),
    "server, refused": (lambda: http(b"?\r\n"), set()),
    "server, aborted": (lambda: then(http(GET), lambda conn: conn.abort(0.0)), set()),
    "server, peer's side ended": (
        lambda: then(http(GET), lambda conn: conn.receive_eof(0.0)),
        {"response", "interim"},
    ),
    "client, idle": (client, {"request"}),
    "client, asking": (lambda: client(REQUEST), {"data"}),
    "client, asking but for the end": (lambda: client(REQUEST, ABC), {"end"}),
    "client, asked": (lambda: client(REQUEST, ABC, END), set()),
    "client, answer coming in early": (lambda: client(REQUEST, data=OK), {"data"}),
    "client, answered early": (lambda: client(REQUEST, ABC, data=OK + b"abc"), {"end"}),
    "client, answer coming in": (lambda: client(REQUEST, ABC, END, data=OK), set()),
    "client, answered": (lambda: client(REQUEST, ABC, END, data=OK + b"abc"), {"request"}),
    "client, answer broken": (lambda: client(REQUEST, ABC, END, data=b"?\r\n"), set()),
    "websocket, open": (open_websocket, MESSAGES),
    "websocket, client": (lambda: open_websocket("client"), MESSAGES),
    "websocket, in pieces": (
        lambda: say(open_websocket(), MessageStart(kind="text"), MessageData(data="a")),
        {"piece", "last piece", "ping", "pong", "close"},
    ),
    "websocket, failing": (
        lambda: then(open_websocket(), lambda conn: conn.receive_data(FAULT, 0.0)),
        MESSAGES,
    ),
    "websocket, failed": (
        lambda: then(open_websocket(), lambda conn: conn.receive_data(frame(3), 0.0)),
        set(),
    ),
    "websocket, closing": (lambda: say(open_websocket(), Close(code=1000)), set()),
    "websocket, closed by the peer": (
        lambda: then(open_websocket(), lambda conn: conn.receive_data(frame(CLOSE_FRAME), 0.0)),
        set(),
    ),
    "websocket, peer's side ended": (
        lambda: then(open_websocket(), lambda conn: conn.receive_eof(0.0)),
        set(),
    ),
    "websocket, aborted": (lambda: then(open_websocket(), lambda conn: conn.abort(0.0)), set()),
    "lost": (lambda: then(open_websocket(), lambda conn: conn.connection_lost(None, 0.0)), set()),
}


@pytest.mark.parametrize("name", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_each_event_is_allowed_or_changes_nothing(state: str, name: str) -> None:
    """Compared with a twin to which nothing was said: what can be seen now, and all that time then brings."""
    make, allowed = STATES[state]
    conn, twin = make(), make()
    if name in allowed:
        conn.send(EVENTS[name], 0.0)
        return
    with pytest.raises(LocalProtocolError):
        conn.send(EVENTS[name], 0.0)
    assert aftermath(conn) == aftermath(twin)


def outcome(conn: Connection, call: Callable[[Connection], None]) -> list[object]:
    """Do this; return what it raised, and all that is seen then and that time then brings."""
    raised: tuple[type[Exception], str] | None = None
    try:
        call(conn)
    except (LocalProtocolError, TypeError, ValueError) as error:
        raised = type(error), str(error)
    return [raised, *aftermath(conn)]


@pytest.mark.parametrize("data", ["a", b"\xff", "", "\ud800", cast("str", None)], ids=ascii)
@pytest.mark.parametrize("state", STATES)
def test_a_message_may_be_said_without_an_event_wherever_it_may_be_with_one(state: str, data: str) -> None:
    make, _ = STATES[state]
    assert outcome(make(), lambda conn: conn.send_message(data, None, 0.0)) == outcome(
        make(), lambda conn: conn.send(Message(data=data), 0.0)
    )


@pytest.mark.parametrize("state", STATES)
def test_a_whole_response_may_be_said_wherever_one_may_begin_and_elsewhere_changes_nothing(
    state: str,
) -> None:
    """RFC 9112 §6.3: with its head, its content and its end, the same bytes as with one call for each."""
    make, allowed = STATES[state]
    conn, twin = make(), make()
    if "response" in allowed:
        conn.send_response(RESPONSE, b"abc", 0.0)
        assert aftermath(conn) == aftermath(say(twin, RESPONSE, ABC, END))
        return
    with pytest.raises(LocalProtocolError):
        conn.send_response(RESPONSE, b"abc", 0.0)
    assert aftermath(conn) == aftermath(twin)


class Asking(Connection):
    """As one that records: it says one by one what its owner says at once."""

    def events(self, head: ResponseHead, content: bytes) -> tuple[SentEvent, ...]:
        return self._response_events(head, content)

    def sizes(self, n: int) -> list[int]:
        return self._sizes(n)


def asking(heard: bytes) -> Asking:
    conn = Asking("server", now=0.0, random=counted)
    conn.receive_data(heard, 0.0)
    return conn


def test_what_a_whole_response_consists_of_can_be_asked_before_it_is_said() -> None:
    conn = asking(GET)
    assert conn.events(RESPONSE, b"abc") == (RESPONSE, ABC, END)
    assert said(conn) == b""
    with pytest.raises(LocalProtocolError, match=r"^1 bytes of content are missing"):
        conn.events(RESPONSE, b"ab")


def test_a_websocket_has_only_the_head_of_a_response_to_refuse() -> None:
    conn = asking(HANDSHAKE)
    conn.send(Accept(), 0.0)
    (event,) = conn.events(RESPONSE, b"abc")
    assert event is RESPONSE
    with pytest.raises(LocalProtocolError):
        conn.send(event, 0.0)


def test_whole_messages_are_released_by_their_number() -> None:
    conn = asking(HANDSHAKE)
    conn.configure(limits=Limits(max_queue=3), timeouts=Timeouts(), deflate=None)
    conn.send(Accept(), 0.0)
    conn.receive_data(frame(TEXT, b"four") + frame(TEXT) + frame(TEXT, b"a"), 0.0)
    assert (conn.sizes(2), conn.sizes(3), conn.wants_read) == ([4, 0], [4, 0, 1], False)
    conn.release_messages(2, 0.0)
    assert (conn.sizes(3), conn.wants_read) == ([1], True)


def test_only_a_websocket_has_messages_to_release() -> None:
    with pytest.raises(LocalProtocolError, match=r"^the stream is no WebSocket$"):
        server().release_messages(1, 0.0)
    conn = open_websocket()
    conn.receive_data(frame(TEXT, b"a"), 0.0)
    conn.connection_lost(None, 0.0)
    conn.release_messages(1, 0.0)  # changes nothing
    assert next(iter(conn)) == Message(data="a")


NOT_SENT: list[Event] = [
    Failure(error=RemoteProtocolError("x", section="y")),
    Writable(),
    ConnectionEnded(info=CloseInfo(initiator="local")),
]


@pytest.mark.parametrize("event", NOT_SENT, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("state", STATES)
def test_what_only_happens_cannot_be_said(state: str, event: Event) -> None:
    make, _ = STATES[state]
    conn, twin = make(), make()
    with pytest.raises(LocalProtocolError):
        conn.send(cast("SentEvent", event), 0.0)
    assert aftermath(conn) == aftermath(twin)


WRONG: dict[str, list[tuple[SentEvent, type[Exception]]]] = {
    "server, asked": [
        (replace(RESPONSE, status_code=600), ValueError),
        (replace(RESPONSE, headers=((b"a", b"\n"),)), ValueError),
        (replace(RESPONSE, reason_phrase=b"\r\n"), ValueError),
        (ResponseHead(status_code=101), LocalProtocolError),
        (replace(INTERIM, headers=((b"Content-Length", b"1"),)), ValueError),
    ],
    "server, asked for a websocket": [
        (Accept(subprotocol="x"), ValueError),
        (Accept(extensions=("x",)), ValueError),
        (Accept(headers=((b"Connection", b"close"),)), ValueError),
    ],
    "server, answering": [(BodyData(data=b"abcd"), LocalProtocolError), (END, LocalProtocolError)],
    "server, answering but for its end": [
        (BodyData(data=b"d"), LocalProtocolError),
        (BodyEnd(trailers=((b"a", b"b"),)), LocalProtocolError),
    ],
    "client, idle": [
        (replace(REQUEST, method=b"GET /"), ValueError),
        (replace(REQUEST, target=b"/ x"), ValueError),
        (replace(REQUEST, headers=()), ValueError),
    ],
    "client, asking": [(BodyData(data=b"abcd"), LocalProtocolError), (END, LocalProtocolError)],
    "websocket, open": [
        (Message(data="\ud800"), ValueError),
        (Message(data=cast("str", None)), TypeError),
        (Ping(payload=b"x" * 126), ValueError),
        (Close(code=1005), ValueError),
        (Close(code=1000, reason="x" * 124), ValueError),
        (Close(code=1000, reason="\ud800"), ValueError),
    ],
    "websocket, in pieces": [(MessageData(data=b"a"), TypeError), (MessageData(data="\ud800"), ValueError)],
    "websocket, failing": [(Close(code=999), ValueError), (Message(data=cast("str", 1)), TypeError)],
}


@pytest.mark.parametrize(
    ("state", "event", "error"), [(state, *row) for state, rows in WRONG.items() for row in rows]
)
def test_wrong_values_change_nothing_either(state: str, event: SentEvent, error: type[Exception]) -> None:
    make, _ = STATES[state]
    conn, twin = make(), make()
    with pytest.raises(error):
        conn.send(event, 0.0)
    assert aftermath(conn) == aftermath(twin)


def test_a_fragmented_message_of_the_peer_does_not_hinder_ours() -> None:
    conn = open_websocket()
    conn.receive_data(frame(TEXT, b"a", fin=False), 0.0)
    conn.send(Message(data="b"), 0.0)
    conn.receive_data(frame(CONTINUATION, b"c"), 0.0)
    assert said(conn) == frame(TEXT, b"b", mask=None)
    assert list(conn) == [Message(data="ac")]


def test_much_that_came_at_once_is_parsed_in_turns_and_nothing_is_read_meanwhile() -> None:
    conn = open_websocket()
    conn.receive_data(frame(PONG, b"x") * (2 * STEPS), 1.0)
    assert list(conn) == [Pong(payload=b"x")] * STEPS
    assert (conn.wants_read, conn.next_deadline()) == (False, 1.0)
    conn.handle_deadline(1.0)
    assert list(conn) == [Pong(payload=b"x")] * STEPS
    assert (conn.wants_read, conn.next_deadline()) == (True, 20.0)


def test_a_turn_that_comes_when_the_stream_is_cut_is_none() -> None:
    conn = open_websocket(timeouts=Timeouts(write=1.0))
    conn.send(Message(data="unread"), 0.5)
    conn.receive_data(frame(PONG, b"x") * (2 * STEPS), 1.0)
    list(conn)
    conn.handle_deadline(1.5)
    assert list(conn) == []
    assert fetched(conn)[1] is ABORT


def test_only_a_websocket_gets_messages_in_pieces_and_is_pinged() -> None:
    conn = server()
    with pytest.raises(LocalProtocolError, match=r"^the stream is no WebSocket$"):
        conn.receive_in_pieces(True, 0.0)
    with pytest.raises(LocalProtocolError, match=r"^the stream is no WebSocket$"):
        conn.set_ping_interval(1.0, 0.0)
    assert conn.latency is None
    conn = open_websocket()
    conn.receive_in_pieces(True, 0.0)
    conn.set_ping_interval(1.0, 0.5)
    assert conn.next_deadline() == 1.5
    conn.receive_data(frame(TEXT, b"a"), 0.5)
    assert list(conn) == [MessageStart(kind="text"), MessageData(data="a"), MessageEnd()]


@pytest.mark.parametrize(
    ("deflate", "sizes"),
    [(None, [64]), (Deflate(threshold=65), []), (Deflate(threshold=3), [3, 64]), (Deflate(level=0), [64])],
)
def test_an_agreement_is_what_the_accept_said_and_the_rest_is_configured(
    deflate: Deflate | None, sizes: list[int]
) -> None:
    """RFC 7692 §7.1; the threshold is ours alone."""
    conn = connection()
    conn.configure(limits=Limits(), timeouts=Timeouts(), deflate=deflate)
    field = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    conn.receive_data(HANDSHAKE.removesuffix(b"\r\n") + field, 0.0)
    with pytest.raises(ValueError, match=r"^permessage-deflate with these parameters was not offered"):
        conn.send(Accept(extensions=("permessage-deflate; client_max_window_bits=9",)), 0.0)
    assert said(conn) == b""
    conn.send(Accept(extensions=("permessage-deflate",)), 0.0)
    said(conn)
    compressed: list[int] = []
    for size in (2, 3, 64):
        conn.send(Message(data=b"a" * size), 0.0)
        if said(conn)[0] & 0x40:
            compressed.append(size)
    assert compressed == sizes


def test_only_a_websocket_can_be_failed_by_its_owner_and_only_with_a_code() -> None:
    """RFC 6455 §7.1.7."""
    error, codeless = (
        RemoteProtocolError("not text", close_code=code, section="RFC 6455 §7.4.1") for code in (1003, None)
    )
    with pytest.raises(LocalProtocolError, match="the stream is no WebSocket"):
        server().fail(error, 0.0)
    conn = open_websocket()
    with pytest.raises(ValueError, match="close code None may not be sent"):
        conn.fail(codeless, 0.0)
    conn.fail(error, 0.0)
    assert fetched(conn) == (b"\x88\x02\x03\xeb", HALF_CLOSE)


# Reading


def test_more_is_read_at_once_of_a_websocket_whose_messages_come_whole() -> None:
    """A piece is as long as what has come of it: more of those at once would be more ahead of who consumes them."""
    assert connection().read_size == READ_SIZE
    conn = open_websocket()
    assert conn.read_size == LONG_READ_SIZE
    conn.receive_in_pieces(True, 0.0)
    assert conn.read_size == READ_SIZE
    conn.receive_data(frame(TEXT, b"a", fin=False), 0.0)
    conn.receive_in_pieces(False, 0.0)
    assert conn.read_size == READ_SIZE  # the present one comes in pieces to its end
    conn.receive_data(frame(CONTINUATION, b"b"), 0.0)
    assert conn.read_size == LONG_READ_SIZE
    assert open_websocket(limits=Limits(max_message_size=None)).read_size == READ_SIZE
