"""Tests of `spry_core.protocol.websocket`, through `Connection`: messages, closing, keepalive (RFC 6455 §5 to §7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import pytest

from frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    close_payload,
    frame,
    read_frames,
)
from spry_core.closing import Close, CloseInfo, ConnectionLost, KeepaliveTimeout
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import (
    ABORT,
    CLOSE,
    HALF_CLOSE,
    Accept,
    Agreement,
    Connection,
    ConnectionEnded,
    Deflate,
    Event,
    Failure,
    Kind,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ping,
    Pong,
    RequestHead,
    SentEvent,
    Timeouts,
    Writable,
)
from spry_core.protocol.compression import Compressor
from spry_core.protocol.turn import STEPS
from traces import (
    COUNTED_MASK,
    HANDSHAKE,
    comparable,
    counted,
    ended,
    error_values,
    fetched,
    open_websocket,
    said,
    size_of,
)

T0 = 100.0
"""When each of these WebSockets was opened."""


def server(
    *, limits: Limits | None = None, timeouts: Timeouts | None = None, can_half_close: bool = True
) -> Connection:
    return open_websocket(now=T0, limits=limits, timeouts=timeouts, can_half_close=can_half_close)


def client(*, timeouts: Timeouts | None = None, can_half_close: bool = True) -> Connection:
    return open_websocket("client", now=T0, timeouts=timeouts, can_half_close=can_half_close)


def close_of_server(code: int | None, reason: str = "") -> bytes:
    return frame(CLOSE_FRAME, b"" if code is None else close_payload(code, reason), mask=None)


def close_of_client(code: int | None, reason: str = "") -> bytes:
    return frame(CLOSE_FRAME, b"" if code is None else close_payload(code, reason))


def error_of(conn: Connection) -> RemoteProtocolError:
    """Return the error of the failure that must be the next and only event."""
    (event,) = conn
    assert isinstance(event, Failure)
    return event.error


# ------------------------------------------------------------------------------------------------------------- receiving


def test_messages_are_whole_and_of_their_kind() -> None:
    """RFC 6455 §5.6; an empty message is a message."""
    conn = server()
    conn.receive_data(frame(TEXT, "é".encode()) + frame(BINARY, b"\xff") + frame(TEXT) + frame(BINARY), T0)
    assert list(conn) == [Message(data="é"), Message(data=b"\xff"), Message(data=""), Message(data=b"")]


def test_control_frames_stand_between_fragments_also_inside_a_character() -> None:
    """RFC 6455 §5.4, §5.5."""
    conn = server()
    conn.receive_data(
        frame(TEXT, b"a\xe2", fin=False) + frame(PING, b"p") + frame(CONTINUATION, b"\x82", fin=False), T0
    )
    conn.receive_data(frame(PONG, b"q") + frame(CONTINUATION, b"\xac"), T0)
    assert list(conn) == [Ping(payload=b"p"), Pong(payload=b"q"), Message(data="a€")]
    assert said(conn) == frame(PONG, b"p", mask=None)


def test_a_client_hears_unmasked_frames_and_masks_its_own() -> None:
    """RFC 6455 §5.1, §5.3."""
    conn = client()
    conn.receive_data(frame(TEXT, b"hi", mask=None) + frame(PING, b"p", mask=None), T0)
    assert list(conn) == [Message(data="hi"), Ping(payload=b"p")]
    conn.send(Message(data="ho"), T0)
    assert said(conn) == frame(PONG, b"p", mask=COUNTED_MASK) + frame(TEXT, b"ho", mask=COUNTED_MASK)


def test_every_ping_is_answered_in_order() -> None:
    """RFC 6455 §5.5.2, also ten in one read, the largest and the empty one."""
    payloads = [b"", b"x" * 125, *(b"%d" % i for i in range(8))]
    conn = server()
    conn.receive_data(b"".join(frame(PING, payload) for payload in payloads), T0)
    assert list(conn) == [Ping(payload=payload) for payload in payloads]
    assert read_frames(said(conn)) == [Frame(PONG, payload) for payload in payloads]


def test_above_the_high_water_mark_only_the_latest_ping_is_answered() -> None:
    """RFC 6455 §5.5.3; a peer that pings and never reads must not grow our buffer."""
    conn = server(limits=Limits(high_water=10))
    conn.send(Message(data=b"x" * 5), T0)
    conn.receive_data(frame(PING, b"1"), T0)
    assert conn.buffered_amount == 10
    for payload in (b"2", b"3", b"4"):
        conn.receive_data(frame(PING, payload), T0)
    assert conn.buffered_amount == 10
    conn.bytes_written(0, T0)
    assert conn.buffered_amount == 10
    conn.bytes_written(1, T0)
    frames = read_frames(b"".join(item for item in conn.data_to_send() if isinstance(item, bytes)))
    assert frames == [Frame(BINARY, b"x" * 5), Frame(PONG, b"1"), Frame(PONG, b"4")]
    conn.bytes_written(conn.buffered_amount, T0)
    assert said(conn) == b""


@pytest.mark.parametrize(("unsent", "is_answered"), [(9, True), (10, False), (11, False)])
def test_a_ping_is_answered_while_less_than_the_mark_is_unsent(unsent: int, is_answered: bool) -> None:
    conn = server(limits=Limits(high_water=10))
    conn.send(Message(data=b"x" * (unsent - 2)), T0)
    conn.receive_data(frame(PING, b"1"), T0)
    assert conn.buffered_amount == unsent + 3 * is_answered


def test_a_ping_is_answered_where_nothing_is_to_be_unsent() -> None:
    """With a mark of 0 each answer goes alone (RFC 6455 §5.5.3)."""
    conn = server(limits=Limits(high_water=0))
    conn.receive_data(frame(PING, b"1") + frame(PING, b"2") + frame(PING, b"3"), T0)
    assert read_frames(said(conn)) == [Frame(PONG, b"1")]
    assert read_frames(said(conn)) == [Frame(PONG, b"3")]
    assert said(conn) == b""


def test_no_pong_follows_a_close() -> None:
    """RFC 6455 §5.5.1."""
    conn = server(limits=Limits(high_water=1))
    conn.send(Message(data="xx"), T0)
    conn.receive_data(frame(PING, b"1"), T0)
    conn.send(Close(), T0)
    assert said(conn) == frame(TEXT, b"xx", mask=None) + close_of_server(None)
    assert said(conn) == b""


@pytest.mark.parametrize("end", [Connection.receive_eof, Connection.abort])
def test_a_pong_that_had_no_room_is_forgotten_when_the_connection_ends(
    end: Callable[[Connection, float], None],
) -> None:
    conn = server(limits=Limits(high_water=1))
    conn.send(Message(data=b"xx"), T0)
    conn.receive_data(frame(PING, b"1"), T0)
    conn.data_to_send()
    end(conn, T0)
    conn.bytes_written(4, T0)
    assert [item for item in conn.data_to_send() if isinstance(item, bytes)] == []


# ----------------------------------------------------------------------------------------------------------- peer's faults

FAULTS = {
    "unmasked frame": (frame(TEXT, b"a", mask=None), 1002),
    "reserved bit": (frame(TEXT, b"a", rsv=4), 1002),
    "reserved opcode": (frame(3), 1002),
    "reserved control opcode": (frame(11), 1002),
    "length in too many bits": (frame(TEXT, b"a", length_form=16), 1002),
    "fragmented control frame": (frame(PING, fin=False), 1002),
    "long control frame": (frame(PING, b"a" * 126), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"a"), 1002),
    "message inside another": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "text that is not UTF-8": (frame(TEXT, b"\xff"), 1007),
    "text cut inside a character": (frame(TEXT, b"\xe2\x82"), 1007),
    "surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "overlong form": (frame(TEXT, b"\xc0\xaf"), 1007),
    "beyond U+10FFFF": (frame(TEXT, b"\xf4\x90\x80\x80"), 1007),
    "bad text in the second fragment": (frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"\x80"), 1007),
    "message over the limit": (frame(TEXT, b"a" * 201), 1009),
    "fragments over the limit": (frame(TEXT, b"a" * 150, fin=False) + frame(CONTINUATION, b"a" * 51), 1009),
    "header alone over the limit": (b"\x82\xff" + (1 << 62).to_bytes(8, "big"), 1009),
    "too many fragments": (
        frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 2 + frame(CONTINUATION),
        1008,
    ),
    "close with half a code": (frame(CLOSE_FRAME, b"\x03"), 1002),
    "close with 999": (close_of_client(999), 1002),
    "close with 1004": (close_of_client(1004), 1002),
    "close with 1005": (close_of_client(1005), 1002),
    "close with 1006": (close_of_client(1006), 1002),
    "close with 1015": (close_of_client(1015), 1002),
    "close with 2999": (close_of_client(2999), 1002),
    "close with 5000": (close_of_client(5000), 1002),
    "close with a reason that is not UTF-8": (frame(CLOSE_FRAME, close_payload(1000) + b"\xff"), 1007),
}
FEW = Limits(max_message_size=200, max_fragments=3)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_fails_the_connection(name: str) -> None:
    """RFC 6455 §7.1.7: the code on the wire, then the half-close; what comes behind is thrown away."""
    data, code = FAULTS[name]
    conn = server(limits=FEW)
    conn.receive_data(data + frame(TEXT, b"never"), T0 + 1)
    assert fetched(conn) == (close_of_server(code), HALF_CLOSE)
    error = error_of(conn)
    assert (error.close_code, error.status_code) == (code, None)
    assert error.section.startswith("RFC 6455 §")
    sent = Close(code=code)
    assert conn.close_info == CloseInfo(
        initiator="local", sent=sent, cause=error, close_code=code, duration=1.0
    )
    assert not conn.is_open
    for _ in range(3):
        assert conn.wants_read
        conn.receive_data(frame(TEXT, b"never") * 100 + close_of_client(1000), T0 + 2)
    assert list(conn) == []
    assert conn.next_deadline() == T0 + 6
    conn.receive_eof(T0 + 3)
    assert fetched(conn) == (b"", CLOSE)
    info = conn.close_info
    assert info is not None
    conn.connection_lost(None, T0 + 3)
    assert list(conn) == [ConnectionEnded(info=info)]


@pytest.mark.parametrize("name", [name for name in FAULTS if "close" in name])
def test_a_client_fails_a_connection_just_the_same(name: str) -> None:
    """RFC 6455 §7.1.7."""
    data, code = FAULTS[name]
    conn = client()
    conn.receive_data(frame(CLOSE_FRAME, read_frames(data)[0].payload, mask=None), T0)
    assert fetched(conn) == (frame(CLOSE_FRAME, close_payload(code), mask=COUNTED_MASK), HALF_CLOSE)
    assert error_of(conn).close_code == code


def test_two_mebibytes_of_text_are_too_big_by_default() -> None:
    conn = server()
    conn.receive_data(frame(TEXT, b"a" * (2 << 20))[:100], T0)
    assert fetched(conn) == (close_of_server(1009), HALF_CLOSE)
    assert error_values(error_of(conn)) == ("the message is too big", None, 1009, "RFC 6455 §7.4.1")


@pytest.mark.parametrize(("size", "code"), [(199, None), (200, None), (201, 1009)])
def test_a_message_may_have_its_limit_of_bytes(size: int, code: int | None) -> None:
    conn = server(limits=FEW)
    conn.receive_data(frame(TEXT, b"a" * 100, fin=False) + frame(CONTINUATION, b"b" * (size - 100)), T0)
    if code is None:
        assert list(conn) == [Message(data="a" * 100 + "b" * (size - 100))]
        assert fetched(conn) == (b"", None)
    else:
        assert fetched(conn) == (close_of_server(code), HALF_CLOSE)


@pytest.mark.parametrize(("n", "code"), [(2, None), (3, None), (4, 1008)])
def test_a_message_may_have_its_limit_of_fragments(n: int, code: int | None) -> None:
    conn = server(limits=FEW)
    conn.receive_data(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"a", fin=False) * (n - 2), T0)
    conn.receive_data(frame(CONTINUATION, b"a"), T0)
    if code is None:
        assert list(conn) == [Message(data="a" * n)]
    else:
        assert fetched(conn) == (close_of_server(code), HALF_CLOSE)


def failing(*, close_timeout: float | None = 5.0) -> Connection:
    """Make a server that got two messages and a fault in one read."""
    conn = server(timeouts=Timeouts(close_timeout=close_timeout))
    conn.receive_data(
        frame(TEXT, b"ab") + frame(TEXT, b"") + frame(TEXT, b"\xff") + frame(TEXT, b"c"), T0 + 1
    )
    assert list(conn) == [Message(data="ab"), Message(data="")]
    return conn


def test_what_came_before_a_fault_is_delivered_and_may_be_answered() -> None:
    """RFC 6455 §7.1.7: the Close frame waits until the messages before it are released."""
    conn = failing()
    assert conn.is_open
    assert conn.close_info is None
    conn.send(Message(data="AB"), T0 + 2)
    conn.release(2, T0 + 2)
    assert said(conn) == frame(TEXT, b"AB", mask=None)
    conn.send(Ping(payload=b"p"), T0 + 3)
    conn.release(0, T0 + 3)
    assert fetched(conn) == (frame(PING, b"p", mask=None) + close_of_server(1007), HALF_CLOSE)
    assert error_of(conn).close_code == 1007
    assert conn.next_deadline() == T0 + 8


def test_a_close_frame_waits_for_its_time_and_no_longer() -> None:
    conn = failing()
    assert conn.next_deadline() == T0 + 6
    conn.handle_deadline(T0 + 5.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 6)
    assert fetched(conn) == (close_of_server(1007), HALF_CLOSE)
    assert error_of(conn).close_code == 1007
    assert conn.next_deadline() == T0 + 11
    conn.release(2, T0 + 7)
    assert list(conn) == []


def test_nothing_more_is_parsed_while_a_close_frame_waits() -> None:
    conn = failing()
    conn.receive_data(close_of_client(1000) + frame(PING, b"p"), T0 + 2)
    assert list(conn) == []
    assert fetched(conn) == (b"", None)
    assert conn.wants_read


def test_a_peer_that_ends_its_side_may_still_be_answered() -> None:
    conn = failing()
    conn.receive_eof(T0 + 2)
    conn.send(Message(data="AB"), T0 + 2)
    conn.release(2, T0 + 2)
    conn.release(0, T0 + 2)
    assert fetched(conn) == (frame(TEXT, b"AB", mask=None) + close_of_server(1007), CLOSE)


def test_a_loss_ends_the_waiting() -> None:
    conn = failing()
    conn.connection_lost(None, T0 + 2)
    failure, end = conn
    assert isinstance(failure, Failure)
    assert failure.error.close_code == 1007
    assert isinstance(end, ConnectionEnded)
    assert (end.info.close_code, end.info.sent, end.info.clean) == (1006, None, False)
    assert isinstance(end.info.cause, ConnectionLost)


def test_our_own_close_ends_the_waiting() -> None:
    """Nobody waits for messages any more that the owner does not want."""
    conn = failing()
    conn.send(Close(code=1000), T0 + 2)
    assert fetched(conn) == (close_of_server(1000), HALF_CLOSE)
    error = error_of(conn)
    assert conn.close_info is not None
    assert (conn.close_info.sent, conn.close_info.cause) == (Close(code=1000), error)
    assert conn.next_deadline() == T0 + 7


def test_a_shutdown_ends_the_waiting() -> None:
    conn = failing()
    conn.shutdown(T0 + 2)
    assert fetched(conn) == (close_of_server(1001), HALF_CLOSE)
    assert error_of(conn).close_code == 1007


def test_a_fault_after_our_close_waits_for_nobody() -> None:
    """What is not yet consumed after a local close is dropped; the Close frame is out already."""
    conn = server()
    conn.receive_data(frame(TEXT, b"ab"), T0)
    conn.send(Close(code=1000), T0 + 1)
    assert fetched(conn) == (close_of_server(1000), None)
    conn.receive_data(frame(3), T0 + 2)
    assert fetched(conn) == (b"", HALF_CLOSE)
    *_, failure = conn
    assert isinstance(failure, Failure)
    assert conn.close_info == CloseInfo(
        initiator="local",
        sent=Close(code=1000),
        cause=failure.error,
        close_code=1000,
        duration=2.0,
        messages_received=1,
        bytes_received=2,
    )
    assert conn.next_deadline() == T0 + 6


def refusal() -> RemoteProtocolError:
    """Make what an owner has against a message that it got."""
    return RemoteProtocolError("not text", close_code=1003, section="RFC 6455 §7.4.1")


def test_its_owner_may_fail_it_for_what_came() -> None:
    """RFC 6455 §7.1.7: as by a fault that the protocol finds, after what was delivered before is released."""
    conn, error = server(), refusal()
    conn.receive_data(frame(TEXT, b"ab") + frame(BINARY, b"c") + frame(TEXT, b"half", fin=False), T0)
    assert list(conn) == [Message(data="ab"), Message(data=b"c")]
    conn.fail(error, T0 + 1)
    conn.receive_data(frame(CONTINUATION, b"not parsed"), T0 + 1)
    assert (fetched(conn), conn.is_open, conn.close_info) == ((b"", None), True, None)
    conn.fail(RemoteProtocolError("late", close_code=1009, section="RFC 6455 §7.4.1"), T0 + 1)
    conn.release(2, T0 + 2)
    assert fetched(conn) == (b"", None)
    conn.release(1, T0 + 2)
    assert fetched(conn) == (close_of_server(1003), HALF_CLOSE)
    assert error_of(conn) is error
    assert conn.close_info == CloseInfo(
        initiator="local",
        sent=Close(code=1003),
        cause=error,
        close_code=1003,
        duration=2.0,
        messages_received=2,
        bytes_received=3,
    )


def test_a_connection_of_which_everything_is_released_fails_at_once() -> None:
    conn = server()
    conn.fail(refusal(), T0 + 1)
    assert fetched(conn) == (close_of_server(1003), HALF_CLOSE)


@pytest.mark.parametrize("end", [Close(code=1000), None])
def test_a_connection_that_is_ending_already_cannot_be_failed(end: Close | None) -> None:
    conn = server()
    if end is None:
        conn.receive_data(close_of_client(1000), T0)
    else:
        conn.send(end, T0)
    fetched(conn)
    before = conn.close_info
    conn.fail(refusal(), T0 + 1)
    assert (fetched(conn)[0], conn.close_info) == (b"", before)


@pytest.mark.parametrize("code", [None, 1005, 999])
def test_only_with_a_close_code_can_a_connection_be_failed(code: int | None) -> None:
    """RFC 6455 §7.4."""
    conn = server()
    with pytest.raises(ValueError, match=f"close code {code} may not be sent"):
        conn.fail(RemoteProtocolError("no code", close_code=code, section="RFC 6455 §7.4"), T0)
    assert fetched(conn) == (b"", None)


def test_without_a_close_timeout_a_close_frame_waits_for_the_release_alone() -> None:
    conn = failing(close_timeout=None)
    assert conn.next_deadline() is None
    conn.release(2, T0 + 1000)
    conn.release(0, T0 + 1000)
    assert fetched(conn) == (close_of_server(1007), HALF_CLOSE)
    assert conn.next_deadline() is None


# ----------------------------------------------------------------------------------------------------- closing handshake


@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (1001, "bye"), (1014, "é" * 61), (4999, "x" * 123)])
def test_the_peers_close_is_answered_with_its_code(code: int, reason: str) -> None:
    """RFC 6455 §5.5.1; the server ends its side first (§7.1.1), then waits for the client's end."""
    conn = server()
    conn.receive_data(close_of_client(code, reason) + frame(TEXT, b"never"), T0 + 1)
    received, sent = Close(code=code, reason=reason), Close(code=code)
    assert fetched(conn) == (close_of_server(code), HALF_CLOSE)
    assert list(conn) == [received]
    info = CloseInfo(
        initiator="remote",
        sent=sent,
        received=received,
        close_code=code,
        close_reason=reason,
        duration=1.0,
    )
    assert conn.close_info == info
    assert info.clean
    conn.receive_eof(T0 + 2)
    assert fetched(conn) == (b"", CLOSE)
    conn.connection_lost(None, T0 + 3)
    assert list(conn) == [ConnectionEnded(info=info)]
    assert conn.closed


def test_an_empty_close_is_answered_empty() -> None:
    """RFC 6455 §7.1.5: reported as 1005."""
    conn = server()
    conn.receive_data(close_of_client(None), T0)
    assert fetched(conn) == (close_of_server(None), HALF_CLOSE)
    assert list(conn) == [Close()]
    assert conn.close_info is not None
    assert (conn.close_info.close_code, conn.close_info.close_reason) == (1005, "")
    assert conn.close_info.clean


def test_the_answer_to_a_close_comes_after_what_is_queued() -> None:
    conn = server()
    conn.send(Message(data="a"), T0)
    conn.receive_data(close_of_client(1000), T0)
    assert fetched(conn) == (frame(TEXT, b"a", mask=None) + close_of_server(1000), HALF_CLOSE)


def test_messages_before_the_peers_close_are_delivered() -> None:
    conn = server()
    conn.receive_data(frame(TEXT, b"a") + close_of_client(1000), T0)
    assert list(conn) == [Message(data="a"), Close(code=1000)]
    assert conn.close_info is not None
    assert (conn.close_info.messages_received, conn.close_info.bytes_received) == (1, 1)


def test_a_close_may_interrupt_a_fragmented_message() -> None:
    """RFC 6455 §5.4, §5.5.1."""
    conn = server()
    conn.receive_data(frame(TEXT, b"a", fin=False) + close_of_client(1000), T0)
    assert list(conn) == [Close(code=1000)]
    assert conn.close_info is not None
    assert conn.close_info.messages_received == 0


def test_a_server_closes() -> None:
    """RFC 6455 §7.1.2: Close, the peer's Close, our half-close, the peer's end, the close of the stream."""
    conn = server()
    conn.send(Message(data="last"), T0)
    conn.send(Close(code=4000, reason="bye"), T0 + 1)
    assert fetched(conn) == (frame(TEXT, b"last", mask=None) + close_of_server(4000, "bye"), None)
    assert not conn.is_open
    assert conn.close_info is None
    conn.receive_data(frame(TEXT, b"late") + close_of_client(4000, "bye too"), T0 + 2)
    assert fetched(conn) == (b"", HALF_CLOSE)
    assert list(conn) == [Close(code=4000, reason="bye too")]
    info = CloseInfo(
        initiator="local",
        sent=Close(code=4000, reason="bye"),
        received=Close(code=4000, reason="bye too"),
        close_code=4000,
        close_reason="bye too",
        duration=2.0,
        messages_sent=1,
        bytes_sent=4,
    )
    assert conn.close_info == info
    conn.receive_eof(T0 + 3)
    assert fetched(conn) == (b"", CLOSE)
    conn.connection_lost(None, T0 + 3)
    assert list(conn) == [ConnectionEnded(info=info)]


def test_a_client_closes_and_lets_the_server_end_the_stream() -> None:
    """RFC 6455 §7.1.1."""
    conn = client()
    conn.send(Close(), T0)
    assert fetched(conn) == (frame(CLOSE_FRAME, mask=COUNTED_MASK), None)
    conn.receive_data(frame(CLOSE_FRAME, mask=None), T0 + 1)
    assert fetched(conn) == (b"", None)
    assert conn.close_info is not None
    assert (conn.close_info.close_code, conn.close_info.initiator) == (1005, "local")
    assert conn.next_deadline() == T0 + 5
    conn.receive_eof(T0 + 2)
    assert fetched(conn) == (b"", CLOSE)


def test_a_client_answers_a_close_and_waits() -> None:
    conn = client()
    conn.receive_data(frame(CLOSE_FRAME, close_payload(1001, "x"), mask=None), T0)
    assert fetched(conn) == (frame(CLOSE_FRAME, close_payload(1001), mask=COUNTED_MASK), None)
    conn.receive_eof(T0 + 1)
    assert fetched(conn) == (b"", CLOSE)


def test_a_stream_that_cannot_half_close_is_closed() -> None:
    conn = server(can_half_close=False)
    conn.receive_data(close_of_client(1000), T0)
    assert fetched(conn) == (close_of_server(1000), CLOSE)
    assert not conn.wants_read
    conn.receive_data(b"already on its way", T0)
    assert list(conn) == [Close(code=1000)]


def test_two_closes_may_cross() -> None:
    """RFC 6455 §7.1.5: the code is the peer's."""
    conn = server()
    conn.send(Close(code=1000, reason="ours"), T0)
    conn.receive_data(close_of_client(1001, "theirs"), T0)
    assert fetched(conn) == (close_of_server(1000, "ours"), HALF_CLOSE)
    assert conn.close_info is not None
    assert (conn.close_info.close_code, conn.close_info.close_reason) == (1001, "theirs")
    assert (conn.close_info.initiator, conn.close_info.clean) == ("local", True)


def test_after_our_close_what_comes_is_dropped_but_followed() -> None:
    """RFC 6455 §1.4: also what would be too big, broken text or more than the queue holds; a Ping gets no Pong."""
    conn = server(limits=replace(FEW, max_queue=1))
    conn.receive_data(frame(TEXT, b"\xe2", fin=False), T0)
    conn.send(Close(code=1000), T0)
    conn.receive_data(
        frame(CONTINUATION, b"\xff" * 300) + frame(BINARY, b"x" * 300) * 3 + frame(PING, b"p"), T0
    )
    assert conn.wants_read
    conn.receive_data(close_of_client(1000), T0)
    assert [event for event in conn if not isinstance(event, (Ping, Pong))] == [Close(code=1000)]
    assert fetched(conn) == (close_of_server(1000), HALF_CLOSE)
    assert conn.close_info is not None
    assert conn.close_info.messages_received == 0


@pytest.mark.parametrize("is_answered", [False, True])
def test_one_deadline_covers_the_whole_closing_and_traffic_does_not_move_it(is_answered: bool) -> None:
    """Then the stream is aborted."""
    conn = server()
    conn.send(Close(code=1000), T0 + 1)
    for second in (2, 3, 4, 5):
        conn.receive_data(frame(TEXT, b"late"), T0 + second)
    if is_answered:
        conn.receive_data(close_of_client(1000), T0 + 5)
    fetched(conn)
    assert conn.next_deadline() == T0 + 6
    conn.handle_deadline(T0 + 5.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 6)
    assert fetched(conn) == (b"", ABORT)
    assert conn.next_deadline() is None
    conn.connection_lost(None, T0 + 6)
    info = ended(conn).info
    assert (info.clean, info.initiator) == (is_answered, "local" if is_answered else "timeout")
    assert (info.close_code, info.sent) == (1000, Close(code=1000))
    if not is_answered:
        assert isinstance(info.cause, ConnectionLost)
        assert str(info.cause) == "the closing handshake took too long"


def test_the_deadline_of_a_closing_that_the_peer_began_runs_from_our_answer() -> None:
    conn = server(timeouts=Timeouts(close_timeout=7.0))
    conn.receive_data(close_of_client(1000), T0 + 3)
    assert conn.next_deadline() == T0 + 10
    conn.handle_deadline(T0 + 10)
    assert fetched(conn) == (b"", ABORT)


def test_without_a_close_timeout_the_peer_may_take_for_ever() -> None:
    conn = server(timeouts=Timeouts(close_timeout=None))
    conn.send(Close(), T0)
    said(conn)
    assert conn.next_deadline() is None


def test_the_end_of_the_stream_without_a_close_is_abnormal() -> None:
    """RFC 6455 §7.1.5."""
    conn = server()
    conn.send(Message(data="a"), T0)
    conn.receive_eof(T0 + 1)
    assert fetched(conn) == (frame(TEXT, b"a", mask=None), CLOSE)
    assert conn.close_info is not None
    info = conn.close_info
    assert (info.initiator, info.close_code, info.clean, info.duration) == ("transport", 1006, False, 1.0)
    assert isinstance(info.cause, ConnectionLost)
    assert str(info.cause) == "the stream ended without a Close frame"
    assert not conn.is_open
    assert conn.next_deadline() is None
    conn.connection_lost(None, T0 + 2)
    assert list(conn) == [ConnectionEnded(info=info)]


def test_behind_the_end_of_the_stream_nothing_is_waited_for_unless_something_is_unsent() -> None:
    conn = server()
    conn.receive_eof(T0 + 1)
    assert (conn.is_open, conn.next_deadline()) == (False, None)
    conn = server()
    conn.send(Message(data="a"), T0)
    conn.receive_eof(T0 + 1)
    assert conn.next_deadline() == T0 + 6


def test_the_end_of_the_stream_moves_no_deadline_of_a_closing() -> None:
    """It is one, and absolute, from our Close frame on, whether that has gone or not."""
    conn = server()
    conn.send(Close(code=1000), T0)
    conn.receive_eof(T0 + 3)
    assert conn.next_deadline() == T0 + 5


def test_the_end_of_the_stream_instead_of_the_peers_close_is_abnormal_too() -> None:
    conn = server()
    conn.send(Close(code=1000), T0)
    conn.receive_eof(T0 + 1)
    assert conn.close_info is not None
    info = conn.close_info
    assert (info.initiator, info.close_code, info.sent, info.clean) == (
        "local",
        1006,
        Close(code=1000),
        False,
    )


def test_a_loss_tells_its_error() -> None:
    conn = server()
    error = ConnectionResetError()
    conn.connection_lost(error, T0 + 1)
    (end,) = conn
    assert end == ConnectionEnded(info=CloseInfo(initiator="transport", cause=error, duration=1.0))


def test_a_loss_after_the_end_was_settled_changes_nothing() -> None:
    conn = server()
    conn.receive_data(close_of_client(1000), T0)
    info = conn.close_info
    conn.connection_lost(ConnectionResetError(), T0 + 1)
    assert ended(conn).info == info


def test_an_abort_drops_what_is_unsent_and_sends_no_close() -> None:
    conn = server()
    conn.send(Message(data="a"), T0)
    cause = RuntimeError()
    conn.abort(T0 + 1, cause)
    assert conn.data_to_send() == [ABORT]
    assert conn.next_deadline() is None
    conn.connection_lost(None, T0 + 1)
    assert ended(conn).info == CloseInfo(
        initiator="local", cause=cause, duration=1.0, messages_sent=1, bytes_sent=1
    )


def test_a_shutdown_closes_with_1001() -> None:
    """RFC 6455 §7.4.1: a server going down."""
    conn = server()
    conn.shutdown(T0)
    assert fetched(conn) == (close_of_server(1001), None)
    conn.receive_data(close_of_client(1001), T0)
    assert conn.close_info is not None
    assert conn.close_info.initiator == "shutdown"
    conn.shutdown(T0, 1012)
    assert fetched(conn) == (b"", HALF_CLOSE)


# --------------------------------------------------------------------------------------------------------------- keepalive


BEAT = frame(PONG, counted(4), mask=None)


def pinged(conn: Connection, moment: float) -> None:
    """Check that a keepalive Ping goes out at this moment and not before."""
    assert conn.next_deadline() == moment
    conn.handle_deadline(moment - 0.001)
    assert fetched(conn, moment) == (b"", None)
    conn.handle_deadline(moment)
    assert fetched(conn, moment) == (frame(PING, counted(4), mask=None), None)


def test_a_silent_peer_is_pinged_and_then_failed() -> None:
    """RFC 6455 §5.5.2: keepalive; the Close frame waits for no release."""
    conn = server()
    conn.receive_data(frame(TEXT, b"unreleased"), T0)
    list(conn)
    pinged(conn, T0 + 20)
    assert conn.next_deadline() == T0 + 40
    conn.handle_deadline(T0 + 39.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 40)
    assert fetched(conn) == (close_of_server(1011, "keepalive timeout"), HALF_CLOSE)
    error = error_of(conn)
    assert error_values(error) == ("keepalive timeout", None, 1011, "RFC 6455 §5.5.2")
    info = conn.close_info
    assert info is not None
    assert isinstance(info.cause, KeepaliveTimeout)
    assert info == CloseInfo(
        initiator="timeout",
        sent=Close(code=1011, reason="keepalive timeout"),
        cause=info.cause,
        close_code=1011,
        close_reason="keepalive timeout",
        duration=40.0,
        messages_received=1,
        bytes_received=10,
    )
    assert conn.next_deadline() == T0 + 45
    conn.handle_deadline(T0 + 45)
    assert fetched(conn) == (b"", ABORT)


@pytest.mark.parametrize(
    "life",
    [frame(PONG, counted(4)), frame(PONG, b"?"), frame(TEXT, b"a"), frame(PING), frame(TEXT, b"a")[:1]],
)
def test_any_byte_is_a_sign_of_life_and_the_next_ping_counts_from_it(life: bytes) -> None:
    conn = server()
    pinged(conn, T0 + 20)
    conn.receive_data(life, T0 + 39.999)
    fetched(conn, T0 + 39.999)
    assert conn.next_deadline() == T0 + 39.999 + 20.0


def test_what_comes_before_the_ping_does_not_move_it() -> None:
    conn = server()
    conn.receive_data(frame(TEXT, b"a"), T0 + 10)
    conn.release(1, T0 + 10)
    pinged(conn, T0 + 20)


def test_the_ping_comes_each_interval_and_never_twice_at_once() -> None:
    conn = server(timeouts=Timeouts(ping_interval=5.0, ping_timeout=50.0))
    pinged(conn, T0 + 5)
    conn.handle_deadline(T0 + 20)
    assert fetched(conn) == (b"", None)
    conn.receive_data(frame(PONG, counted(4)), T0 + 30)
    pinged(conn, T0 + 35)


def test_a_late_look_at_the_clock_pings_first_and_judges_later() -> None:
    conn = server()
    conn.handle_deadline(T0 + 1000)
    assert fetched(conn, T0 + 1000) == (frame(PING, counted(4), mask=None), None)
    assert conn.next_deadline() == T0 + 1020


def test_keepalive_may_be_off() -> None:
    assert server(timeouts=Timeouts(ping_interval=None)).next_deadline() is None


def test_without_a_ping_timeout_the_pings_go_on_and_nobody_waits_for_an_answer() -> None:
    """They keep a path open that forgets idle connections."""
    conn = server(timeouts=Timeouts(ping_timeout=None))
    for moment in (T0 + 20, T0 + 40, T0 + 60):
        pinged(conn, moment)
    conn.receive_data(frame(PONG, counted(4)), T0 + 61)
    assert conn.next_deadline() == T0 + 80


def test_the_peers_silence_is_not_judged_while_we_do_not_read() -> None:
    """A queue that is full when the Ping goes out, and one that fills behind it, stop the clock."""
    conn = server(limits=Limits(max_queue=2))
    conn.receive_data(frame(TEXT, b"a") * 2, T0)
    assert not conn.wants_read
    pinged(conn, T0 + 20)
    conn.handle_deadline(T0 + 990)
    assert fetched(conn, T0 + 990) == (BEAT, None)
    conn.release(1, T0 + 1000)
    assert conn.wants_read
    assert conn.next_deadline() == T0 + 1020
    conn.handle_deadline(T0 + 1019.999)
    assert fetched(conn) == (b"", None)
    conn.handle_deadline(T0 + 1020)
    assert fetched(conn) == (close_of_server(1011, "keepalive timeout"), HALF_CLOSE)


def test_while_we_do_not_read_something_is_written_at_each_interval() -> None:
    """An unsolicited Pong (RFC 6455 §5.5.3): without it TCP never tells that the peer is gone."""
    conn = server(limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"a"), T0)
    pinged(conn, T0 + 20)
    for moment in (T0 + 40, T0 + 60):
        assert conn.next_deadline() == moment
        conn.handle_deadline(moment - 0.001)
        assert fetched(conn) == (b"", None)
        conn.handle_deadline(moment)
        assert fetched(conn, moment) == (BEAT, None)
    conn.release(1, T0 + 70)
    assert conn.next_deadline() == T0 + 90  # to answer the Ping: none of the beats was one


def test_what_is_unsent_beats_by_itself_so_a_pause_costs_no_memory() -> None:
    conn = server(limits=Limits(max_queue=1), timeouts=Timeouts(write=None))
    conn.receive_data(frame(TEXT, b"a"), T0)
    conn.handle_deadline(T0 + 20)
    for moment in (T0 + 40, T0 + 60):
        assert conn.next_deadline() == moment
        conn.handle_deadline(moment)
        assert conn.buffered_amount == 6
    conn.bytes_written(6, T0 + 61)
    conn.handle_deadline(T0 + 80)
    assert conn.buffered_amount == 6


def test_after_our_close_the_peer_is_read_however_much_is_unreleased() -> None:
    """RFC 6455 §7.1.1: its Close frame may stand behind messages that nobody will read."""
    conn = server()
    for _ in range(16):
        conn.receive_data(frame(TEXT, b"unreleased"), T0)
    assert not conn.wants_read
    conn.shutdown(T0)
    assert conn.wants_read
    conn.receive_data(frame(TEXT, b"dropped") + frame(CLOSE_FRAME, b"\x03\xe9"), T0)
    info = conn.close_info
    assert info is not None
    assert (info.initiator, info.clean, info.close_code) == ("shutdown", True, 1001)
    assert fetched(conn) == (close_of_server(1001), HALF_CLOSE)


def test_a_closing_connection_is_not_pinged() -> None:
    conn = server()
    conn.send(Close(), T0 + 19)
    fetched(conn)
    assert conn.next_deadline() == T0 + 24
    conn.handle_deadline(T0 + 23)
    assert fetched(conn) == (b"", None)


def test_a_failing_connection_is_neither_pinged_nor_judged() -> None:
    conn = server(timeouts=Timeouts(ping_interval=2.0, ping_timeout=2.0))
    pinged(conn, T0 + 2)
    conn.receive_data(frame(TEXT, b"a") + frame(3), T0 + 2)
    assert conn.next_deadline() == T0 + 7


# ------------------------------------------------------------------------------------------------ credit and backpressure


@pytest.mark.parametrize(("n", "wants_read"), [(2, True), (3, False), (4, False)])
def test_reading_pauses_at_so_many_messages(n: int, wants_read: bool) -> None:
    conn = server(limits=Limits(max_queue=3))
    conn.receive_data(frame(TEXT) * n, T0)
    assert conn.wants_read is wants_read
    assert list(conn) == [Message(data="")] * min(n, 3)
    for _ in range(n - 2):
        conn.release(0, T0)
    assert conn.wants_read
    assert len(list(conn)) == max(n - 3, 0)


@pytest.mark.parametrize(
    ("sizes", "wants_read"), [((9,), True), ((10,), False), ((11,), False), ((4, 5), True), ((5, 5), False)]
)
def test_reading_pauses_at_so_many_bytes(sizes: tuple[int, ...], wants_read: bool) -> None:
    """Bytes on the wire, not characters."""
    conn = server(limits=Limits(max_queue_size=10))
    for size in sizes:
        conn.receive_data(frame(TEXT, ("é" * (size // 2) + "a" * (size % 2)).encode()), T0)
    assert conn.wants_read is wants_read


def test_a_message_that_is_still_coming_in_does_not_stop_itself() -> None:
    conn = server(limits=Limits(max_queue_size=10))
    conn.receive_data(frame(BINARY, b"a" * 100)[:90], T0)
    assert conn.wants_read
    conn.receive_data(frame(BINARY, b"a" * 100)[90:], T0)
    assert not conn.wants_read


def test_one_more_read_is_taken_while_reading_is_paused() -> None:
    conn = server(limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"a"), T0)
    assert not conn.wants_read
    conn.receive_data(frame(TEXT, b"b"), T0)
    assert list(conn) == [Message(data="a")]
    conn.release(1, T0)
    assert list(conn) == [Message(data="b")]
    assert not conn.wants_read
    conn.release(1, T0)
    assert conn.wants_read


def test_what_is_released_is_the_oldest_first_and_nothing_stands_for_an_empty_message() -> None:
    conn = server(limits=Limits(max_queue=1))
    conn.receive_data(
        frame(TEXT, b"abc") + frame(TEXT) + frame(TEXT, b"de") + frame(TEXT) + frame(TEXT, b"f"), T0
    )
    assert list(conn) == [Message(data="abc")]
    delivered: list[list[Event]] = []
    for n in (0, 1, 2, 0, 0, 2, 0):
        conn.release(n, T0)
        delivered.append(list(conn))
        assert not conn.wants_read
    empty, two, last = Message(data=""), Message(data="de"), Message(data="f")
    assert delivered == [[], [], [empty], [two], [], [empty], [last]]
    conn.release(1, T0)
    assert conn.wants_read


def test_a_message_may_be_released_bit_by_bit() -> None:
    conn = server(limits=Limits(max_queue_size=10))
    conn.receive_data(frame(BINARY, b"x" * 12), T0)
    left: list[bool] = []
    for n in (1, 1, 1, 9):
        conn.release(n, T0)
        left.append(conn.wants_read)
    assert left == [False, False, True, True]
    conn.receive_data(frame(BINARY, b"x" * 9), T0)
    assert conn.wants_read
    conn.receive_data(frame(BINARY, b"x"), T0)
    assert not conn.wants_read


def test_one_release_may_stand_for_several_messages() -> None:
    conn = server(limits=Limits(max_queue=3))
    conn.receive_data(frame(TEXT, b"abc") + frame(TEXT) + frame(TEXT, b"de"), T0)
    conn.release(4, T0)
    conn.receive_data(frame(TEXT) + frame(TEXT), T0)
    assert not conn.wants_read
    conn.release(1, T0)
    assert conn.wants_read


# -------------------------------------------------------------------------------------------------- what waits for its turn


def test_what_lies_behind_a_full_queue_is_parsed_when_there_is_room() -> None:
    """So a peer cannot make many objects out of one read: what waits costs what it was on the wire."""
    conn = server(limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"a") + frame(PING, b"p") + frame(TEXT, b"b"), T0)
    assert list(conn) == [Message(data="a")]
    assert said(conn) == b""
    conn.release(1, T0)
    assert list(conn) == [Ping(payload=b"p"), Message(data="b")]
    assert said(conn) == frame(PONG, b"p", mask=None)


def test_the_end_of_the_stream_comes_behind_what_waits_for_room() -> None:
    conn = server(limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"a") + frame(TEXT, b"b"), T0)
    conn.receive_eof(T0)
    assert conn.close_info is None
    conn.release(1, T0)
    assert list(conn) == [Message(data="a"), Message(data="b")]
    assert conn.close_info is not None
    assert conn.close_info.messages_received == 2


def test_the_end_of_the_stream_waits_for_nothing_behind_a_queue_that_is_just_full() -> None:
    conn = server(limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"a"), T0)
    conn.receive_eof(T0)
    assert conn.close_info is not None


def test_a_close_frame_of_ours_drops_what_waits_for_room_and_finds_the_peers() -> None:
    conn = server(limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"a") * 3 + frame(CLOSE_FRAME, close_payload(1000)), T0)
    assert len(list(conn)) == 1
    conn.send(Close(code=1001), T0)
    assert list(conn) == [Close(code=1000)]


@pytest.mark.parametrize("n", [STEPS - 1, STEPS, STEPS + 1])
def test_a_turn_has_so_many_frames_and_the_rest_is_due_at_once(n: int) -> None:
    conn = server(timeouts=Timeouts(ping_interval=None))
    conn.receive_data(frame(PONG) * n, T0)
    assert list(conn) == [Pong(payload=b"")] * min(n, STEPS)
    assert conn.wants_read is (n <= STEPS)
    assert conn.next_deadline() == (T0 if n > STEPS else None)
    conn.handle_deadline(T0)
    assert list(conn) == [Pong(payload=b"")] * max(n - STEPS, 0)
    assert (conn.wants_read, conn.next_deadline()) == (True, None)


def test_a_call_for_the_deadline_gives_one_turn_and_no_more() -> None:
    conn = server()
    conn.receive_data(frame(PONG) * 3 * STEPS, T0)
    turns = [len(list(conn))]
    while conn.next_deadline() == T0:
        conn.handle_deadline(T0)
        turns.append(len(list(conn)))
    assert turns == [STEPS] * 3


def test_a_consumer_does_not_make_a_turn_longer() -> None:
    conn = server(limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"a") * (STEPS + 1), T0)
    delivered = 0
    while list(conn):
        delivered += 1
        conn.release(1, T0)
    assert delivered == STEPS
    assert conn.next_deadline() == T0
    conn.handle_deadline(T0)
    assert list(conn) == [Message(data="a")]


def test_bytes_count_as_well_in_a_turn() -> None:
    """A compressed frame may be as long as a message may: 4 KiB count as one more frame."""
    conn = server(limits=Limits(max_queue=9, max_queue_size=1 << 24, max_message_size=None))
    size = STEPS * 4096
    conn.receive_data(frame(BINARY, b"x" * size) + frame(PONG), T0)
    assert [type(event) for event in conn] == [MessageStart, MessageData, MessageEnd]
    conn.handle_deadline(T0)
    assert list(conn) == [Pong(payload=b"")]


def test_a_turn_of_a_connection_that_fails_is_the_last() -> None:
    conn = server()
    conn.receive_data(frame(PONG) * (STEPS - 1) + frame(3) + frame(PONG), T0)
    assert len([event for event in conn if isinstance(event, Pong)]) == STEPS - 1
    assert fetched(conn) == (frame(CLOSE_FRAME, close_payload(1002), mask=None), HALF_CLOSE)
    assert conn.next_deadline() == T0 + 5


def test_the_end_of_the_stream_comes_behind_the_last_turn() -> None:
    conn = server()
    conn.receive_data(frame(PONG) * (STEPS + 1), T0)
    conn.receive_eof(T0)
    assert conn.close_info is None
    conn.handle_deadline(T0)
    assert len(list(conn)) == STEPS + 1
    assert conn.close_info is not None


def test_blocks_that_inflate_to_nothing_are_looked_at_in_turns() -> None:
    """RFC 7692 §7.2.3.4 lets a message have any number of blocks; what stands behind them waits, the end included."""
    conn = open_websocket(now=T0, agreement=Agreement())
    conn.receive_data(frame(BINARY, b"\x03\x00" * 2 * STEPS + b"\x00", rsv=4) + frame(PING, b"?"), T0)
    conn.receive_eof(T0)
    assert list(conn) == []
    for _ in range(2):
        assert (conn.wants_read, conn.next_deadline(), conn.close_info) == (False, T0, None)
        conn.release(0, T0)
        assert list(conn) == []
        conn.handle_deadline(T0)
    assert list(conn) == [Message(data=b""), Ping(payload=b"?")]
    assert conn.close_info is not None


def compressed(*contents: bytes) -> list[bytes]:
    """Make one compressed frame of a client of each, in one context (RFC 7692 §7.2.3.2)."""
    compressor = Compressor(Agreement(), "client", Deflate())
    return [frame(TEXT, compressor.compress(each, ends_message=True), rsv=4) for each in contents]


def test_messages_that_are_compressed_and_others_come_in_runs_and_in_order() -> None:
    """RFC 7692 §6: each message may be compressed or not."""
    conn = open_websocket(now=T0, agreement=Agreement())
    first, second, third = compressed(b"one", b"two", b"three")
    conn.receive_data(first + second + frame(TEXT, b"plain") + third + frame(PING, b"p"), T0)
    messages = ["one", "two", "plain", "three"]
    assert list(conn) == [*(Message(data=each) for each in messages), Ping(payload=b"p")]
    conn.send(Close(code=1000), T0)
    conn.receive_data(close_of_client(1000), T0)
    info = conn.close_info
    assert info is not None
    assert (info.messages_received, info.bytes_received) == (4, 16)


def test_a_run_of_compressed_messages_ends_where_there_is_no_room_for_more() -> None:
    conn = open_websocket(now=T0, limits=Limits(max_queue=2), agreement=Agreement())
    conn.receive_data(b"".join(compressed(b"a", b"", b"b", b"c")), T0)
    assert (list(conn), conn.wants_read) == ([Message(data="a"), Message(data="")], False)
    conn.release_messages(1, T0)
    assert (list(conn), conn.wants_read) == ([Message(data="b")], False)
    conn.release_messages(2, T0)
    assert (list(conn), conn.wants_read) == ([Message(data="c")], True)


def test_what_is_wrong_with_a_compressed_message_is_found_behind_the_run_before_it() -> None:
    """RFC 7692 §7.2.3.6: a block of the reserved type."""
    conn = open_websocket(now=T0, agreement=Agreement())
    conn.receive_data(b"".join(compressed(b"a", b"b")) + frame(TEXT, b"\x07", rsv=4), T0)
    assert list(conn) == [Message(data="a"), Message(data="b")]
    conn.release_messages(2, T0)
    assert error_of(conn).close_code == 1007


class Counting(Connection):
    """As one that records: it asks how much it is that it consumes."""

    def sizes(self, n: int) -> list[int]:
        return self._sizes(n)


def test_the_bytes_of_messages_that_are_not_consumed_are_known() -> None:
    conn = Counting("server", now=T0, random=counted)
    conn.receive_data(HANDSHAKE, T0)
    conn.send(Accept(), T0)
    conn.receive_data(frame(TEXT, "é".encode()) + frame(BINARY) + frame(TEXT, b"abc"), T0)
    conn.release(2, T0)
    assert (conn.sizes(1), conn.sizes(2)) == ([0], [0, 3])


def test_messages_of_which_so_many_are_consumed_count_by_their_bytes() -> None:
    """What comes in pieces, or was not yet consumed, does not."""
    conn = server(limits=Limits(max_queue=3, max_queue_size=100))
    conn.receive_data(frame(TEXT, b"x" * 40) + frame(TEXT, b"x" * 50) + frame(TEXT, b"x" * 10), T0)
    assert not conn.wants_read
    conn.release_messages(1, T0)
    assert conn.wants_read
    conn.receive_data(frame(TEXT, b"x" * 40), T0)
    assert not conn.wants_read
    conn.release(50, T0)
    assert conn.wants_read


def test_who_waits_for_room_is_not_called_again_and_again() -> None:
    conn = in_pieces(limits=Limits(max_queue_size=10), agreement=Agreement())
    zeros = Compressor(Agreement(), "client", Deflate()).compress(bytes(1000), ends_message=True)
    conn.receive_data(frame(BINARY, b"\x03\x00" * STEPS + zeros, rsv=4), T0)
    conn.handle_deadline(T0)
    assert [type(event) for event in conn] == [MessageStart, MessageData]
    assert not conn.wants_read
    assert conn.next_deadline() == T0 + 20


def test_a_peer_that_has_left_and_reads_a_byte_now_and_then_is_cut() -> None:
    conn = server(limits=Limits(min_write_rate=0), timeouts=Timeouts(write=3.0, close_timeout=5.0))
    conn.send(Message(data=b"x" * 1000), T0)
    conn.data_to_send()
    conn.receive_eof(T0)
    assert fetched(conn, T0) == (b"", CLOSE)
    for second in (2, 4):
        conn.bytes_written(1, T0 + second)
    assert conn.next_deadline() == T0 + 5
    conn.handle_deadline(T0 + 4.999)
    assert conn.data_to_send() == []
    conn.handle_deadline(T0 + 5)
    assert conn.data_to_send() == [ABORT]


def test_writers_hear_when_there_is_room_again() -> None:
    conn = server(limits=Limits(high_water=10))
    conn.send(Message(data=b"x" * 9), T0)
    assert conn.buffered_amount == 11
    conn.data_to_send()
    conn.bytes_written(1, T0)
    assert list(conn) == [Writable()]


# ----------------------------------------------------------------------------------------------------------------- sending


def test_a_message_may_be_said_without_an_event_for_it() -> None:
    """RFC 6455 §5.6; and as little as with one when the closing handshake has begun (§5.5.1)."""
    conn = server()
    conn.send_message("é", None, T0)
    conn.send_message(b"\xff", False, T0)
    assert said(conn) == frame(TEXT, "é".encode(), mask=None) + frame(BINARY, b"\xff", mask=None)
    conn.send(Close(code=1000), T0)
    with pytest.raises(LocalProtocolError, match=r"^Message cannot be sent in state CLOSE_SENT$"):
        conn.send_message("a", None, T0)
    assert said(conn) == close_of_server(1000)


def test_messages_are_compressed_where_that_was_agreed() -> None:
    """RFC 7692 §7.2.1."""
    conn = open_websocket(agreement=Agreement())
    conn.send(Message(data="Hello", compress=True), T0)
    payload = Compressor(Agreement(), "server", Deflate()).compress(b"Hello", ends_message=True)
    assert said(conn) == frame(TEXT, payload, rsv=4, mask=None)


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_of_every_kind_are_binary(data: bytes) -> None:
    conn = server()
    conn.send(Message(data=data), T0)
    assert said(conn) == frame(BINARY, b"ab", mask=None)


def test_a_message_may_be_sent_in_pieces() -> None:
    """RFC 6455 §5.4: one frame for each piece, the last one empty; control frames pass between them."""
    conn = server()
    conn.send(MessageStart(kind="text"), T0)
    assert said(conn) == b""
    conn.send(MessageData(data="é"), T0)
    conn.send(Ping(payload=b"p"), T0)
    conn.send(MessageData(data=""), T0)
    conn.receive_data(frame(PING, b"q"), T0)
    conn.send(MessageEnd(), T0)
    assert read_frames(said(conn)) == [
        Frame(TEXT, "é".encode(), fin=False),
        Frame(PING, b"p"),
        Frame(CONTINUATION, b"", fin=False),
        Frame(PONG, b"q"),
        Frame(CONTINUATION, b""),
    ]
    conn.send(MessageStart(kind="binary"), T0)
    conn.send(MessageEnd(), T0)
    assert said(conn) == frame(BINARY, mask=None)
    conn.connection_lost(None, T0)
    info = ended(conn).info
    assert (info.messages_sent, info.bytes_sent) == (2, 2)


def test_a_close_passes_between_pieces() -> None:
    """RFC 6455 §5.4, §5.5.1."""
    conn = server()
    conn.send(MessageStart(kind="binary"), T0)
    conn.send(MessageData(data=b"a"), T0)
    conn.send(Close(code=1011), T0)
    assert read_frames(said(conn)) == [
        Frame(BINARY, b"a", fin=False),
        Frame(CLOSE_FRAME, close_payload(1011)),
    ]


@pytest.mark.parametrize("event", [Ping(payload=b"x" * 126), Pong(payload=b"x" * 126)])
def test_a_control_frame_carries_at_most_125_bytes(event: Ping | Pong) -> None:
    """RFC 6455 §5.5."""
    conn = server()
    with pytest.raises(ValueError, match=r"^a control frame carries at most 125 bytes"):
        conn.send(event, T0)
    assert said(conn) == b""
    conn.send(type(event)(payload=b"x" * 125), T0)
    assert read_frames(said(conn)) == [Frame(PING if isinstance(event, Ping) else PONG, b"x" * 125)]


@pytest.mark.parametrize("data", [None, 1, ["a"], object()])
def test_a_message_is_text_or_bytes(data: object) -> None:
    conn = server()
    with pytest.raises(TypeError, match=r"^a binary message is made of bytes, not "):
        conn.send(Message(data=cast("bytes", data)), T0)
    assert said(conn) == b""


@pytest.mark.parametrize(("kind", "data", "wanted"), [("text", b"a", "str"), ("binary", "a", "bytes")])
def test_a_piece_is_of_its_messages_kind(kind: Kind, data: str | bytes, wanted: str) -> None:
    conn = server()
    conn.send(MessageStart(kind=kind), T0)
    with pytest.raises(
        TypeError, match=rf"^a {kind} message is made of {wanted}, not {type(data).__name__}$"
    ):
        conn.send(MessageData(data=data), T0)
    conn.send(MessageEnd(), T0)
    assert said(conn) == frame(TEXT if kind == "text" else BINARY, mask=None)


def test_text_that_is_none_is_not_sent() -> None:
    """RFC 3629 §3: UTF-8 has no surrogates."""
    conn = server()
    with pytest.raises(UnicodeEncodeError):
        conn.send(Message(data="\ud800"), T0)
    assert said(conn) == b""
    assert conn.is_open


PIECES: list[SentEvent] = [MessageData(data="a"), MessageEnd()]


@pytest.mark.parametrize("event", PIECES)
def test_a_piece_needs_a_beginning(event: SentEvent) -> None:
    conn = server()
    with pytest.raises(LocalProtocolError, match=r"^a message in pieces is not under way"):
        conn.send(event, T0)


def test_two_messages_do_not_mix() -> None:
    """RFC 6455 §5.4."""
    conn = server()
    conn.send(MessageStart(kind="text"), T0)
    with pytest.raises(LocalProtocolError, match=r"^a message in pieces is under way"):
        conn.send(MessageStart(kind="text"), T0)
    with pytest.raises(LocalProtocolError, match=r"^a message in pieces is under way"):
        conn.send(Message(data="a"), T0)
    assert said(conn) == b""


@pytest.mark.parametrize(
    "close", [Close(code=1005), Close(code=1006), Close(reason="x"), Close(code=1000, reason="x" * 124)]
)
def test_a_close_that_no_frame_may_say_is_refused(close: Close) -> None:
    """RFC 6455 §5.5.1, §7.4."""
    conn = server()
    with pytest.raises(ValueError, match=r"^(close code|a close reason|the close reason)"):
        conn.send(close, T0)
    assert said(conn) == b""
    assert conn.is_open


@pytest.mark.parametrize("event", [Message(data="a"), Ping(), Pong(), MessageStart(kind="text"), Close()])
def test_after_our_close_nothing_is_sent(event: SentEvent) -> None:
    """RFC 6455 §5.5.1."""
    conn = server()
    conn.send(Close(), T0)
    said(conn)
    with pytest.raises(LocalProtocolError, match=r"cannot be sent in state CLOSE_SENT$"):
        conn.send(event, T0)
    conn.receive_data(close_of_client(None), T0)
    fetched(conn)
    with pytest.raises(LocalProtocolError, match=r"^the connection has ended$"):
        conn.send(event, T0)
    assert fetched(conn) == (b"", None)


def test_http_is_over() -> None:
    conn = server()
    with pytest.raises(LocalProtocolError, match=r"^RequestHead cannot be sent in state OPEN$"):
        conn.send(RequestHead(method=b"GET", target=b"/"), T0)


def test_traffic_is_counted_both_ways() -> None:
    conn = server()
    conn.receive_data(frame(TEXT, "é".encode()) + frame(BINARY, b"abc") + frame(PING, b"not counted"), T0)
    conn.send(Message(data="€"), T0)
    events: list[Event] = list(conn)
    assert len(comparable(events)) == 3
    conn.connection_lost(None, T0 + 2.5)
    info = ended(conn).info
    assert (info.messages_received, info.bytes_received) == (2, 5)
    assert (info.messages_sent, info.bytes_sent, info.duration) == (1, 3, 2.5)


# --------------------------------------------------------------------------------------------------------------- in pieces


def in_pieces(
    *, limits: Limits | None = None, timeouts: Timeouts | None = None, agreement: Agreement | None = None
) -> Connection:
    conn = open_websocket(now=T0, limits=limits, timeouts=timeouts, agreement=agreement)
    conn.receive_in_pieces(True, T0)
    return conn


def deflated(data: bytes, *, fin: bool = True) -> bytes:
    """Make one compressed frame of a client (RFC 7692 §7.2.1)."""
    compressor = Compressor(Agreement(), "client", Deflate(client_max_window_bits=15))
    return frame(BINARY, compressor.compress(data, ends_message=fin), rsv=4, fin=fin)


def test_a_message_in_pieces_comes_as_its_bytes_come() -> None:
    """RFC 6455 §5.4; control frames stand between them, and the traffic is counted as it comes."""
    conn = in_pieces()
    conn.receive_data(frame(TEXT, "a€".encode(), fin=False)[:-1], T0)
    assert list(conn) == [MessageStart(kind="text"), MessageData(data="a")]
    conn.receive_data(frame(TEXT, "a€".encode())[-1:] + frame(PING, b"p") + frame(CONTINUATION), T0)
    assert list(conn) == [MessageData(data="€"), Ping(payload=b"p"), MessageEnd()]
    conn.receive_data(frame(BINARY, b"b", fin=False), T0)
    conn.connection_lost(None, T0)
    info = ended(conn).info
    assert (info.messages_received, info.bytes_received) == (1, 5)


@pytest.mark.parametrize("kind", ["text", "binary"])
def test_what_has_come_of_a_long_message_comes_at_once_where_pieces_are_wanted(kind: Kind) -> None:
    """However far it had come, and also where it stops within a character."""
    payload = ("é" * 100).encode()
    data = frame(TEXT if kind == "text" else BINARY, payload)
    for end in range(8, len(data)):
        conn = open_websocket(now=T0)
        conn.receive_data(data[:end], T0)
        assert list(conn) == []
        conn.receive_in_pieces(True, T0)
        came = payload[: end - 8] if kind == "binary" else payload[: (end - 8) // 2 * 2]
        found = list(conn)
        pieces: list[str | bytes] = [came.decode() if kind == "text" else came] if came else []
        begun: list[Event] = [MessageStart(kind=kind)] if end > 8 else []
        assert found == [*begun, *(MessageData(data=piece) for piece in pieces)]
        conn.receive_data(data[end:], T0)
        found += list(conn)
        rest = payload[len(came) :]
        assert found == [
            MessageStart(kind=kind),
            *(MessageData(data=piece) for piece in pieces),
            MessageData(data=rest.decode() if kind == "text" else rest),
            MessageEnd(),
        ]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_long_message_that_nobody_will_read_is_followed_to_its_end(opcode: int) -> None:
    """RFC 6455 §5.5.1: the Close of the peer may stand behind it."""
    data = frame(opcode, b"x" * 300)
    for end in range(1, len(data)):
        conn = open_websocket(now=T0)
        conn.receive_data(data[:end], T0)
        conn.send(Close(code=1000), T0)
        conn.receive_data(data[end:] + frame(CLOSE_FRAME, close_payload(1000)), T0)
        assert list(conn) == [Close(code=1000)]
        assert conn.data_to_send() == [b"\x88\x02\x03\xe8", HALF_CLOSE]


def test_a_long_text_fails_with_the_byte_that_is_none() -> None:
    """RFC 6455 §8.1: within a frame, and before the rest of it."""
    data = frame(TEXT, b"a" * 200 + b"\xff" + b"a" * 200)
    conn = open_websocket(now=T0)
    conn.receive_data(data[:208], T0)
    assert (list(conn), conn.data_to_send()) == ([], [])
    conn.receive_data(data[208:209], T0)
    [failure] = list(conn)
    assert isinstance(failure, Failure)
    assert failure.error.close_code == 1007
    assert conn.data_to_send() == [b"\x88\x02\x03\xef", HALF_CLOSE]


@pytest.mark.engines_by_name  # of the reference, messages never come in runs, nor payloads as they are
@pytest.mark.parametrize(("size", "pieces"), [((32 << 10) - 1, 1), (32 << 10, 2)])
def test_a_long_payload_goes_to_the_stream_as_it_is(size: int, pieces: int) -> None:
    payload = bytes(size)
    conn = open_websocket(now=T0)
    conn.send(Message(data=payload), T0)
    batch = conn.data_to_send()
    assert [item for item in batch if isinstance(item, bytes)] == batch
    assert len(batch) == pieces
    assert (batch[-1] is payload) is (pieces == 2)
    assert b"".join(item for item in batch if isinstance(item, bytes)) == frame(BINARY, payload, mask=None)
    assert conn.buffered_amount == size + 4


def test_reading_pauses_below_the_size_of_a_frame() -> None:
    """Ten mebibytes in one frame are read as they are consumed."""
    size, step = 10 << 20, 1 << 14
    conn = in_pieces(limits=Limits(max_message_size=size))
    data, taken, out = memoryview(frame(BINARY, b"x" * size)), 0, 0
    while taken < len(data):
        while conn.wants_read and taken < len(data):
            conn.receive_data(bytes(data[taken : taken + step]), T0)
            taken += step
        pieces = [event for event in conn if isinstance(event, MessageData)]
        held = sum(len(piece.data) for piece in pieces)
        assert 0 < held < (64 << 10) + step
        conn.release(held, T0)
        out += held
    assert out == size


@pytest.mark.parametrize(("n", "wants_read"), [(9, True), (10, False), (11, False)])
def test_pieces_count_as_unreleased_bytes(n: int, wants_read: bool) -> None:
    conn = in_pieces(limits=Limits(max_queue_size=10))
    conn.receive_data(frame(BINARY, b"x" * 100)[: 6 + n], T0)
    assert conn.wants_read is wants_read
    conn.release(n, T0)
    assert conn.wants_read


def test_the_end_of_a_message_in_pieces_is_released_by_nothing() -> None:
    conn = in_pieces(limits=Limits(max_queue=1))
    conn.receive_data(frame(TEXT, b"ab"), T0)
    assert not conn.wants_read
    conn.release(2, T0)
    assert not conn.wants_read
    conn.release(0, T0)
    assert conn.wants_read


def test_pieces_may_be_wanted_in_the_middle_of_a_message() -> None:
    """What has come of it is out at once, and in the account."""
    conn = server(limits=Limits(max_queue_size=3))
    conn.receive_data(frame(TEXT, b"abc", fin=False), T0)
    assert (list(conn), conn.wants_read) == ([], True)
    conn.receive_in_pieces(True, T0)
    assert (list(conn), conn.wants_read) == ([MessageStart(kind="text"), MessageData(data="abc")], False)
    conn.release(3, T0)
    conn.receive_in_pieces(False, T0)
    conn.receive_data(frame(CONTINUATION, b"d") + frame(TEXT, b"e"), T0)
    assert list(conn) == [MessageData(data="d"), MessageEnd(), Message(data="e")]


def test_pieces_that_fill_the_account_stop_the_clock_of_the_peers_silence() -> None:
    conn = server(limits=Limits(max_queue_size=3))
    conn.receive_data(frame(TEXT, b"abc", fin=False), T0)
    pinged(conn, T0 + 20)
    conn.receive_in_pieces(True, T0 + 30)
    assert conn.next_deadline() == T0 + 50  # of nothing but the interval
    conn.release(3, T0 + 50)
    assert conn.next_deadline() == T0 + 60


def test_messages_of_any_size_come_in_pieces_and_in_no_other_way() -> None:
    conn = server(limits=Limits(max_message_size=None, max_fragments=None))
    with pytest.raises(LocalProtocolError, match=r"^messages of any size come in pieces$"):
        conn.receive_in_pieces(False, T0)
    conn.receive_in_pieces(True, T0)
    conn.receive_data(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, fin=False) * 2000, T0)
    assert list(conn) == [MessageStart(kind="text"), MessageData(data="a")]


def test_a_fault_in_the_middle_of_a_message_comes_behind_its_pieces() -> None:
    """RFC 6455 §7.1.7: the Close frame waits until they are released."""
    conn = in_pieces()
    conn.receive_data(frame(TEXT, b"ab\xffcd") + frame(TEXT, b"never"), T0 + 1)
    assert list(conn) == [MessageStart(kind="text"), MessageData(data="ab")]
    assert (fetched(conn), conn.next_deadline()) == ((b"", None), T0 + 6)
    conn.send(Message(data="still here"), T0 + 2)
    said(conn)
    conn.release(2, T0 + 3)
    assert fetched(conn) == (close_of_server(1007), HALF_CLOSE)
    assert error_of(conn).close_code == 1007


def test_a_close_frame_waits_for_the_release_of_pieces_until_its_time() -> None:
    conn = in_pieces()
    conn.receive_data(frame(TEXT, b"ab\xff"), T0)
    list(conn)
    conn.handle_deadline(T0 + 5)
    assert fetched(conn) == (close_of_server(1007), HALF_CLOSE)


def test_a_frame_that_is_too_big_gives_no_piece() -> None:
    """Its header is enough to know."""
    conn = in_pieces(limits=FEW)
    conn.receive_data(frame(TEXT, b"x" * 200, fin=False), T0)
    conn.release(200, T0)
    list(conn)
    conn.receive_data(frame(CONTINUATION, b"y")[:2], T0)
    assert fetched(conn) == (close_of_server(1009), HALF_CLOSE)
    assert error_of(conn).close_code == 1009


def test_after_our_close_no_more_pieces_come() -> None:
    conn = in_pieces()
    conn.receive_data(frame(TEXT, b"ab", fin=False), T0)
    list(conn)
    conn.send(Close(code=1000), T0)
    conn.receive_data(frame(CONTINUATION, b"\xff") + frame(TEXT, b"c") + close_of_client(1000), T0)
    assert list(conn) == [Close(code=1000)]
    info = conn.close_info
    assert info is not None
    assert (info.clean, info.messages_received, info.bytes_received) == (True, 0, 2)


def test_a_close_may_interrupt_a_message_in_pieces() -> None:
    """RFC 6455 §5.4, §5.5.1: control frames may stand between fragments, and nothing follows this one."""
    conn = in_pieces()
    conn.receive_data(frame(TEXT, b"ab", fin=False) + close_of_client(1000), T0)
    assert list(conn) == [MessageStart(kind="text"), MessageData(data="ab"), Close(code=1000)]
    assert conn.close_info is not None
    assert conn.close_info.clean


@pytest.mark.parametrize("end", [Connection.shutdown, Connection.abort, Connection.receive_eof])
def test_pieces_that_are_wanted_too_late_bring_nothing(end: Callable[[Connection, float], None]) -> None:
    conn = server()
    conn.receive_data(frame(TEXT, b"ab", fin=False), T0)
    end(conn, T0)
    conn.receive_in_pieces(True, T0)
    assert list(conn) == []


# ----------------------------------------------------------------------------------------------------- what waits for room


def waiting(size: int = 25) -> Connection:
    """Make a server that has room for ten bytes and got a compressed message of `size` bytes, and more behind it."""
    conn = in_pieces(limits=Limits(max_queue_size=10), agreement=Agreement())
    conn.receive_data(deflated(b"x" * size) + frame(PING, b"p") + close_of_client(1000), T0)
    assert list(conn) == [MessageStart(kind="binary"), MessageData(data=b"x" * 10)]
    assert not conn.wants_read
    return conn


def test_what_is_inflated_waits_for_room_and_what_stands_behind_it_too() -> None:
    """RFC 7692 §6.2: release brings events."""
    conn = waiting()
    conn.release(10, T0 + 1)
    assert list(conn) == [MessageData(data=b"x" * 10)]
    conn.release(6, T0 + 1)
    assert list(conn) == [MessageData(data=b"x" * 5), MessageEnd(), Ping(payload=b"p"), Close(code=1000)]
    assert fetched(conn) == (frame(PONG, b"p", mask=None) + close_of_server(1000), HALF_CLOSE)
    info = conn.close_info
    assert info is not None
    assert (info.messages_received, info.bytes_received, info.clean) == (1, 25, True)


def test_the_end_of_the_stream_comes_behind_what_waits() -> None:
    """Nothing of what was received before it is lost."""
    conn = waiting()
    conn.receive_eof(T0)
    assert (conn.close_info, fetched(conn)) == (None, (b"", None))
    conn.release(10, T0)
    conn.release(10, T0)
    assert list(conn)[1:] == [
        *(MessageData(data=b"x" * 5), MessageEnd(), Ping(payload=b"p"), Close(code=1000)),
    ]
    assert fetched(conn) == (frame(PONG, b"p", mask=None) + close_of_server(1000), CLOSE)


def test_the_end_of_the_stream_without_a_close_is_abnormal_when_it_comes_behind_what_waited() -> None:
    conn = in_pieces(limits=Limits(max_queue_size=10), agreement=Agreement())
    conn.receive_data(deflated(b"x" * 15), T0)
    conn.receive_eof(T0)
    conn.release(10, T0)
    assert list(conn)[-2:] == [MessageData(data=b"x" * 5), MessageEnd()]
    assert fetched(conn) == (b"", CLOSE)
    assert conn.close_info is not None
    assert conn.close_info.close_code == 1006


def test_our_close_drops_what_waits_and_finds_the_peers_behind_it() -> None:
    """RFC 6455 §1.4."""
    conn = waiting()
    conn.send(Close(code=1001), T0)
    assert list(conn) == [Ping(payload=b"p"), Close(code=1000)]
    assert fetched(conn) == (close_of_server(1001), HALF_CLOSE)
    conn.release(10, T0)
    assert list(conn) == []


@pytest.mark.parametrize("is_lost", [False, True])
def test_when_the_stream_is_cut_what_waits_is_lost(is_lost: bool) -> None:
    conn = waiting()
    if is_lost:
        conn.connection_lost(None, T0)
    else:
        conn.abort(T0)
    list(conn)
    conn.release(10, T0)
    assert list(conn) == []
    assert conn.close_info is not None
    assert conn.close_info.close_code == 1006


def test_what_waits_is_bounded_by_the_limit_too() -> None:
    """1009 when it is inflated so far, and not before it is consumed so far."""
    conn = in_pieces(limits=Limits(max_queue_size=10, max_message_size=25), agreement=Agreement())
    conn.receive_data(deflated(b"x" * (1 << 20)), T0)
    sizes: list[int] = []
    while fetched(conn) == (b"", None):
        sizes += [size_of(event.data) for event in conn if isinstance(event, MessageData)]
        conn.release(sizes[-1], T0)
    assert sizes == [10, 10, 5]
    assert error_values(error_of(conn)) == ("the message is too big", None, 1009, "RFC 6455 §7.4.1")


# ----------------------------------------------------------------------------------------------------- interval and latency


def test_another_ping_interval_counts_from_now() -> None:
    conn = server()
    conn.set_ping_interval(3.0, T0 + 5)
    assert conn.timeouts.ping_interval == 3.0
    pinged(conn, T0 + 8)
    conn.set_ping_interval(None, T0 + 9)
    assert conn.next_deadline() is None
    conn.set_ping_interval(1.0, T0 + 10)
    pinged(conn, T0 + 11)


def test_a_negative_ping_interval_is_refused() -> None:
    conn = server()
    with pytest.raises(ValueError, match=r"^Timeouts\.ping_interval is negative"):
        conn.set_ping_interval(-1.0, T0)
    assert conn.next_deadline() == T0 + 20


def test_nothing_is_pinged_that_is_closing_or_failing() -> None:
    closing = server()
    closing.send(Close(), T0)
    closing.set_ping_interval(1.0, T0)
    assert closing.next_deadline() == T0 + 5
    broken = failing()
    broken.set_ping_interval(1.0, T0 + 1)
    assert broken.next_deadline() == T0 + 6


def test_the_latency_is_that_of_pings_from_whoever_sent_them() -> None:
    """And it is known until when Pings are answered."""
    conn = server()
    assert (conn.latency, conn.answered_until) == (None, None)
    conn.send(Ping(payload=b"mine"), T0 + 1)
    conn.receive_data(frame(PONG, b"mine"), T0 + 1.5)
    assert (conn.latency, conn.answered_until) == (0.5, T0 + 1)
    assert said(conn) == frame(PING, b"mine", mask=None)
    pinged(conn, T0 + 20)
    conn.receive_data(frame(PONG, b"unsolicited"), T0 + 21)
    assert conn.latency == 0.5
    conn.receive_data(frame(PONG, counted(4)), T0 + 22)
    assert (conn.latency, conn.answered_until) == (2.0, T0 + 20)


def test_a_failure_keeps_nothing_of_what_was_read() -> None:
    """The frames of its traceback would, for as long as somebody keeps the `CloseInfo`."""
    conn = server()
    conn.receive_data(frame(TEXT, b"\xff"), T0)
    failure = list(conn)[-1]
    assert isinstance(failure, Failure)
    assert failure.error.__traceback__ is None
    assert failure.error.__cause__ is not None
    assert failure.error.__cause__.__traceback__ is None
