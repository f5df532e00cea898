"""Every duration of `Timeouts` that a connection keeps, to the tick: what begins it, what begins it anew, what does not, and what
has happened one tick before its end, at it and one behind it.

The shutdown's grace is in `tests/spry_core/serving/test_server.py` and the TLS handshake in `test_tls.py` beside it, likewise to
the tick; the pause of a listener is the adapters' own (`tests/adapters/test_accepting.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final, NamedTuple

import pytest

from frames import CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from spry_core.closing import Close
from spry_core.protocol import (
    ABORT,
    CLOSE,
    HALF_CLOSE,
    BodyData,
    BodyEnd,
    Connection,
    Limits,
    Message,
    ResponseHead,
    StreamEnd,
    Timeouts,
)
from spry_core.protocol.handshake import request
from traces import HANDSHAKE, connection, counted, fetched, open_websocket

TICK: Final = 2.0**-20
"""The shortest step of time that is looked at, in seconds; floats hold it exactly beside whole ones."""

TIMEOUTS: Final = Timeouts(
    head=10.0,
    body=20.0,
    keep_alive=15.0,
    write=30.0,
    linger=2.0,
    opening=9.0,
    ping_interval=21.0,
    ping_timeout=19.0,
    close_timeout=5.0,
)
"""No two alike, so that none is taken for another."""

GET: Final = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"
POST: Final = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n"
TOO_LATE: Final = b"HTTP/1.1 408 Request Timeout\r\n"

End = tuple[bytes, StreamEnd | None]
"""How what is sent begins, and how the stream ends."""

SILENT: Final[End] = (b"", None)


class Row(NamedTuple):
    """One way in which time alone brings something about."""

    act: Callable[[], Connection]
    due: float
    """Seconds from the beginning, at time 0."""
    end: End


def server(limits: Limits | None = None) -> Connection:
    return connection(timeouts=TIMEOUTS, limits=limits)


def answered(conn: Connection, now: float, *, closes: bool = False) -> None:
    """Answer the request that is there, in full."""
    list(conn)
    conn.send(ResponseHead(status_code=200, headers=((b"content-length", b"2"), *CLOSING[closes])), now)
    conn.send(BodyData(data=b"ok"), now)
    conn.send(BodyEnd(), now)


CLOSING: Final = {False: (), True: ((b"connection", b"close"),)}


def say_nothing() -> Connection:
    """The time of the first head runs from the accept."""
    return server()


def drip_a_head() -> Connection:
    """Bytes do not extend it, nor does an empty line before it."""
    conn = server()
    for second, data in enumerate((b"\r\n", b"GET ", b"/ HTTP/1.1\r\n", b"Host: t\r\n")):
        conn.receive_data(data, 2.0 * second)
    return conn


def drip_the_next_head() -> Connection:
    """That of the next head runs from its first byte."""
    conn = server()
    conn.receive_data(GET, 1.0)
    answered(conn, 2.0)
    fetched(conn, 2.0)
    conn.receive_data(b"G", 5.0)
    conn.receive_data(b"ET /", 14.0)
    return conn


def ask_no_more() -> Connection:
    """That of an idle connection from the end of the answer, whatever the request took."""
    conn = server()
    conn.receive_data(GET, 1.0)
    answered(conn, 7.0)
    fetched(conn, 7.0)
    return conn


def ask_no_more_and_read_late() -> Connection:
    """Where it has passed while the answer was on its way, it begins when that has gone."""
    conn = server()
    conn.receive_data(GET, 1.0)
    answered(conn, 7.0)
    conn.data_to_send()
    conn.handle_deadline(22.0)
    conn.bytes_written(conn.buffered_amount, 24.0)
    return conn


def stop_in_the_content() -> Connection:
    """Each byte of a content begins its time anew."""
    conn = server(Limits(min_body_rate=0))
    conn.receive_data(POST % 100, 3.0)
    conn.receive_data(b"a", 22.0)
    conn.receive_data(b"b", 41.0)
    return conn


def stop_behind_a_pause() -> Connection:
    """While we do not read it stands still, and goes on with what was left."""
    conn = server(Limits(max_read_ahead=4, min_body_rate=0))
    conn.receive_data(POST % 100, 3.0)
    conn.receive_data(b"full", 4.0)
    list(conn)
    conn.handle_deadline(100.0)
    conn.release(1, 104.0)
    return conn


def drip_a_content() -> Connection:
    """Behind so many seconds there is a rate to keep: 500 bytes a second of 10,500 are 21 seconds."""
    conn = server()
    conn.receive_data(POST % 100_000, 3.0)
    conn.receive_data(bytes(10_400), 4.0)
    conn.release(10_400, 4.0)
    conn.receive_data(bytes(100), 22.0)
    return conn


def stay_behind_the_last_answer() -> Connection:
    """Bytes do not extend the time to end the stream."""
    conn = server()
    conn.receive_data(GET, 1.0)
    answered(conn, 3.0, closes=True)
    fetched(conn, 3.0)
    conn.receive_data(b"more", 4.0)
    return conn


def leave_content_out() -> Connection:
    """Nor that for a content that nobody wants; what ends it is the end of our side."""
    conn = server()
    conn.receive_data(POST % 100, 1.0)
    answered(conn, 3.0)
    fetched(conn, 3.0)
    conn.receive_data(b"some", 4.0)
    return conn


def leave_content_out_and_stay() -> Connection:
    """From there on, the stream has the same time once more."""
    conn = leave_content_out()
    conn.handle_deadline(5.0)
    assert fetched(conn, 5.0) == (b"", HALF_CLOSE)
    conn.receive_data(b"some more", 6.0)
    return conn


def shake_hands_unheard() -> Connection:
    """An opening handshake is to be answered; frames behind it do not extend that."""
    conn = server()
    conn.receive_data(HANDSHAKE, 4.0)
    conn.receive_data(frame(TEXT, b"early"), 6.0)
    return conn


def ask_a_silent_server() -> Connection:
    """A client waits from the start of its handshake to the end of the answer's head."""
    conn = connection("client", timeouts=TIMEOUTS)
    conn.send(request(host="t", target="/", random=counted, extensions=()), 4.0)
    conn.send(BodyEnd(), 4.0)
    fetched(conn, 4.0)
    conn.receive_data(b"HTTP/1.1 101 Switching Protocols\r\n", 12.0)
    return conn


def read_nothing() -> Connection:
    """The time to read begins with the first unsent byte, and again with each that is taken."""
    timeouts = replace(TIMEOUTS, ping_interval=None)
    conn = open_websocket(timeouts=timeouts, limits=Limits(min_write_rate=0))
    conn.send(Message(data=b"a" * 100), 1.0)
    conn.data_to_send()
    conn.send(Message(data=b"b" * 100), 3.0)
    conn.bytes_written(1, 9.0)
    conn.bytes_written(0, 12.0)
    return conn


def read_slowly() -> Connection:
    """15,500 bytes are those of 31 seconds."""
    conn = server()
    conn.receive_data(GET, 1.0)
    list(conn)
    conn.send(ResponseHead(status_code=200, headers=((b"connection", b"close"),)), 2.0)
    fetched(conn, 2.0)
    conn.send(BodyData(data=bytes(100_000)), 3.0)
    conn.send(BodyEnd(), 3.0)
    conn.data_to_send()
    conn.bytes_written(15_400, 4.0)
    conn.handle_deadline(5.0)
    conn.data_to_send()
    conn.bytes_written(100, 32.0)
    return conn


def be_pinged() -> Connection:
    """Nothing but the answer to a Ping moves the next one."""
    conn = open_websocket(now=2.0, timeouts=TIMEOUTS)
    conn.receive_data(frame(PONG), 11.0)
    return conn


def be_pinged_again() -> Connection:
    """Any byte is one."""
    conn = be_pinged()
    conn.handle_deadline(23.0)
    fetched(conn, 23.0)
    conn.receive_data(b"\x89", 25.0)
    return conn


def answer_no_ping() -> Connection:
    conn = be_pinged()
    conn.handle_deadline(23.0)
    fetched(conn, 23.0)
    return conn


def be_written_to_in_a_pause() -> Connection:
    """The Ping at 21 seconds was the last, and something is written at each interval behind it."""
    conn = open_websocket(timeouts=TIMEOUTS, limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"a"), 1.0)
    conn.handle_deadline(21.0)
    fetched(conn, 21.0)
    return conn


def answer_no_ping_behind_a_pause() -> Connection:
    """While we do not read, the time to answer stands still."""
    conn = be_written_to_in_a_pause()
    conn.handle_deadline(90.0)
    fetched(conn, 90.0)
    list(conn)
    conn.release(1, 100.0)
    return conn


def answer_no_close() -> Connection:
    """Our Close frame begins the one time that all the rest has; messages do not extend it."""
    conn = open_websocket(timeouts=TIMEOUTS)
    conn.send(Close(code=1000), 3.0)
    fetched(conn, 3.0)
    conn.receive_data(frame(TEXT, b"go on"), 7.0)
    return conn


def stay_behind_both_closes() -> Connection:
    """Nor does the peer's Close frame."""
    conn = answer_no_close()
    conn.receive_data(frame(CLOSE_FRAME, close_payload(1000)), 7.5)
    assert fetched(conn, 7.5) == (b"", HALF_CLOSE)
    return conn


def break_a_rule_unread() -> Connection:
    """What came before the fault may still be answered, for so long."""
    conn = open_websocket(timeouts=TIMEOUTS)
    conn.receive_data(frame(TEXT, b"good") + frame(CONTINUATION, b"of nothing"), 3.0)
    list(conn)
    return conn


def leave_without_a_close_and_read_slowly() -> Connection:
    """Nobody will answer any more, so what is unsent has that time too."""
    conn = open_websocket(timeouts=TIMEOUTS)
    conn.send(Message(data=b"a" * 100), 2.0)
    conn.data_to_send()
    conn.receive_eof(3.0)
    conn.data_to_send()
    conn.bytes_written(1, 7.0)
    return conn


CLOSE_1000: Final = frame(CLOSE_FRAME, close_payload(1000), mask=None)
CLOSE_1011: Final = frame(CLOSE_FRAME, close_payload(1011, "keepalive timeout"), mask=None)
CLOSE_1002: Final = frame(CLOSE_FRAME, close_payload(1002), mask=None)
A_PING: Final = frame(PING, counted(4), mask=None)
A_PONG: Final = frame(PONG, counted(4), mask=None)

ROWS: Final = (
    Row(say_nothing, 10.0, (b"", HALF_CLOSE)),
    Row(drip_a_head, 10.0, (TOO_LATE, HALF_CLOSE)),
    Row(drip_the_next_head, 15.0, (TOO_LATE, HALF_CLOSE)),
    Row(ask_no_more, 22.0, (b"", HALF_CLOSE)),
    Row(ask_no_more_and_read_late, 39.0, (b"", HALF_CLOSE)),
    Row(stop_in_the_content, 61.0, (TOO_LATE, HALF_CLOSE)),
    Row(stop_behind_a_pause, 124.0, (TOO_LATE, HALF_CLOSE)),
    Row(drip_a_content, 24.0, (TOO_LATE, HALF_CLOSE)),
    Row(stay_behind_the_last_answer, 5.0, (b"", CLOSE)),
    Row(leave_content_out, 5.0, (b"", HALF_CLOSE)),
    Row(leave_content_out_and_stay, 7.0, (b"", CLOSE)),
    Row(shake_hands_unheard, 13.0, (b"HTTP/1.1 503 Service Unavailable\r\n", HALF_CLOSE)),
    Row(ask_a_silent_server, 13.0, (b"", CLOSE)),
    Row(read_nothing, 39.0, (b"", ABORT)),
    Row(read_slowly, 34.0, (b"", ABORT)),
    Row(be_pinged, 23.0, (A_PING, None)),
    Row(be_pinged_again, 46.0, (A_PING, None)),
    Row(answer_no_ping, 42.0, (CLOSE_1011, HALF_CLOSE)),
    Row(be_written_to_in_a_pause, 42.0, (A_PONG, None)),
    Row(answer_no_ping_behind_a_pause, 119.0, (CLOSE_1011, HALF_CLOSE)),
    Row(answer_no_close, 8.0, (b"", ABORT)),
    Row(stay_behind_both_closes, 8.0, (b"", ABORT)),
    Row(break_a_rule_unread, 8.0, (CLOSE_1002, HALF_CLOSE)),
    Row(leave_without_a_close_and_read_slowly, 8.0, (b"", ABORT)),
)


def ends_at(row: Row, moment: float) -> End:
    """Look at the clock once, at this moment; return what came of it."""
    conn = row.act()
    conn.data_to_send()
    conn.handle_deadline(moment)
    data, end = fetched_alone(conn)
    return data[: len(row.end[0]) or None], end


def fetched_alone(conn: Connection) -> End:
    """Fetch what is to be written, without any credit for it."""
    items = conn.data_to_send()
    ends = [item for item in items if isinstance(item, StreamEnd)]
    return b"".join(item for item in items if isinstance(item, bytes)), ends[0] if ends else None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.act.__name__)
def test_it_happens_at_its_moment_and_not_a_tick_before(row: Row) -> None:
    assert row.act().next_deadline() == row.due
    assert ends_at(row, row.due - TICK) == SILENT
    assert ends_at(row, row.due) == row.end
    assert ends_at(row, row.due + TICK) == row.end


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.act.__name__)
def test_it_happens_once(row: Row) -> None:
    conn = row.act()
    conn.data_to_send()
    for moment in (row.due - TICK, row.due - TICK, row.due):
        conn.handle_deadline(moment)
    assert fetched_alone(conn)[1] is row.end[1]
    conn.handle_deadline(row.due)
    conn.handle_deadline(row.due + TICK)
    assert fetched_alone(conn) == SILENT


NONE: Final = Timeouts(
    head=None,
    body=None,
    keep_alive=None,
    write=None,
    linger=None,
    opening=None,
    ping_interval=None,
    ping_timeout=None,
    close_timeout=None,
)


def test_content_is_judged_whatever_else_is_not() -> None:
    conn = connection(timeouts=replace(NONE, body=20.0))
    conn.receive_data(POST % 100, 3.0)
    assert conn.next_deadline() == 23.0


def test_content_that_nobody_wants_is_not_judged_as_one_that_is_wanted() -> None:
    conn = connection(timeouts=replace(NONE, body=20.0))
    conn.receive_data(POST % 100, 3.0)
    answered(conn, 4.0)
    fetched(conn, 4.0)
    conn.receive_data(b"some", 5.0)
    assert conn.next_deadline() is None
