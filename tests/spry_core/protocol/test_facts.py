"""Tests of `spry_core.protocol.facts`: what the owner of a connection may ask, through `Connection`."""

from __future__ import annotations

import pytest

from frames import CLOSE_FRAME, PONG, TEXT, frame
from spry_core.protocol import (
    BodyEnd,
    Close,
    Connection,
    ConnectionEnded,
    Limits,
    Message,
    Ping,
    RequestHead,
    Timeouts,
)
from spry_core.protocol.memory import http_bound, websocket_bound
from traces import GET, connection, counted, open_websocket


def test_it_says_what_it_has_become() -> None:
    conn = connection()
    assert (conn.is_websocket, conn.is_open, conn.close_info) == (False, False, None)
    conn = open_websocket()
    assert (conn.is_websocket, conn.is_open, conn.close_info) == (True, True, None)
    assert not conn.awaits_continue
    conn.send(Close(), 0.0)
    assert (conn.is_websocket, conn.is_open, conn.is_ending) == (True, False, False)
    conn.receive_data(frame(CLOSE_FRAME), 0.0)
    assert conn.is_ending


def test_settings_are_the_defaults_or_those_given() -> None:
    assert (connection().limits, connection().timeouts) == (Limits(), Timeouts())
    limits, timeouts = Limits(max_queue=3), Timeouts(head=1.0)
    conn = connection(limits=limits, timeouts=timeouts)
    assert (conn.limits, conn.timeouts) == (limits, timeouts)
    assert conn.next_deadline() == 1.0


def test_what_was_not_fetched_is_always_the_same_sequence() -> None:
    conn = connection()
    unfetched = conn.flow.events
    assert len(unfetched) == 0
    conn.receive_data(GET, 0.0)
    assert [type(each) for each in unfetched] == [RequestHead, BodyEnd]
    assert (len(list(conn)), len(unfetched), conn.flow.events is unfetched) == (2, 0, True)
    conn.connection_lost(None, 0.0)
    assert [type(each) for each in unfetched] == [ConnectionEnded]


def test_it_says_whether_the_client_waits_for_a_100() -> None:
    """RFC 9110 §10.1.1."""
    conn = connection()
    assert not conn.awaits_continue
    conn.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n", 0.0)
    assert conn.awaits_continue
    conn.receive_data(b"abc", 0.0)
    assert not conn.awaits_continue


def test_it_says_how_much_is_unsent_and_when_it_is_ending() -> None:
    conn = open_websocket()
    conn.send(Message(data="abc"), 0.0)
    assert conn.buffered_amount == len(frame(TEXT, b"abc", mask=None))
    assert conn.data_to_send() == [frame(TEXT, b"abc", mask=None)]
    conn.bytes_written(2, 0.0)
    assert (conn.buffered_amount, conn.is_ending) == (3, False)
    conn.connection_lost(None, 0.0)
    assert conn.is_ending


@pytest.mark.parametrize(
    ("size", "is_full", "is_stuffed"),
    [(8, False, False), (9, True, False), (17, True, False), (18, True, True)],
)
def test_it_says_whether_better_no_more_is_sent_or_none_at_all(
    size: int, is_full: bool, is_stuffed: bool
) -> None:
    """A frame of so few bytes is two longer than they."""
    conn = open_websocket(limits=Limits(high_water=10, max_unsent=20))
    conn.send(Message(data=b"x" * size), 0.0)
    assert (conn.is_full, conn.is_stuffed) == (is_full, is_stuffed)
    conn.send(Close(), 0.0)  # who would wait for room could not send any more
    assert (conn.is_full, conn.is_stuffed) == (False, False)


def test_only_a_websocket_is_ever_full() -> None:
    conn = connection(limits=Limits(high_water=10, max_unsent=20))
    conn.receive_data(b"?\r\n", 0.0)
    assert conn.buffered_amount > 20
    assert (conn.is_full, conn.is_stuffed) == (False, False)


@pytest.mark.engines_by_name  # of the reference, messages never come in runs, nor payloads as they are
def test_it_says_whether_something_is_to_be_fetched() -> None:
    conn = open_websocket()
    unfetched = conn.flow.events  # may be asked for once
    assert (conn.has_events, len(unfetched)) == (False, 0)
    conn.receive_data(frame(TEXT, b"a") + frame(TEXT, b"b"), 0.0)
    assert (conn.has_events, len(unfetched)) == (True, 1)  # both of one run
    assert (conn.next_event(), conn.has_events) == (Message(data="a"), True)
    assert (conn.next_event(), conn.has_events) == (Message(data="b"), False)
    assert (len(unfetched), conn.flow.events is unfetched) == (0, True)


def test_what_is_on_its_way_is_told_without_a_call() -> None:
    conn = open_websocket(limits=Limits(high_water=10))
    flow = conn.flow
    assert (flow.unsent, flow.is_pressed, flow.is_settled, flow.is_lost, len(flow.events)) == (
        0,
        False,
        False,
        False,
        0,
    )
    conn.send(Message(data=b"x" * 9), 0.0)
    conn.receive_data(frame(TEXT, b"a"), 0.0)
    assert (flow.unsent, flow.is_pressed, len(flow.events)) == (11, True, 1)
    conn.connection_lost(None, 0.0)
    assert (flow.is_settled, flow.is_lost, conn.flow is flow) == (True, True, True)


def test_its_bound_is_that_of_what_it_speaks() -> None:
    limits = Limits(max_message_size=10)
    assert connection(limits=limits).memory_bound() == http_bound(limits)
    assert open_websocket(limits=limits).memory_bound() == websocket_bound(limits, "server")


def test_its_owner_may_draw_from_its_source_of_random_bytes() -> None:
    assert connection().random is counted


def test_it_knows_until_when_pings_are_answered_whoever_sent_them() -> None:
    """RFC 6455 §5.5.3: a peer may answer the most recent Ping only."""
    assert connection().answered_until is None
    conn = open_websocket(timeouts=Timeouts(ping_interval=3.0))
    assert conn.answered_until is None
    conn.send(Ping(payload=b"mine"), 1.0)
    conn.handle_deadline(3.0)
    conn.receive_data(frame(PONG, b"unasked"), 3.5)
    assert (conn.answered_until, conn.latency) == (None, None)
    conn.receive_data(frame(PONG, counted(4)), 4.0)
    assert answered(conn) == (3.0, 1.0)
    conn.receive_data(frame(PONG, b"mine"), 5.0)
    assert answered(conn) == (3.0, 1.0)


def answered(conn: Connection) -> tuple[float | None, float | None]:
    return conn.answered_until, conn.latency
