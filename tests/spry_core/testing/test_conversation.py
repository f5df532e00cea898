"""A client's end of a connection, against bytes that the test writes by hand."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import repeat

import pytest

from sockets import SWITCH
from spry_core.closing import Close, ConnectionClosed, ConnectionLost, ProtocolFailure
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import (
    Accept,
    BodyData,
    BodyEnd,
    Connection,
    ConnectionEnded,
    Limits,
    Message,
    RequestHead,
    ResponseHead,
    Timeouts,
)
from spry_core.protocol.handshake import request as opening_handshake
from spry_core.testing.conversation import Conversation
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.parked import Deadlock
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.pipe import stream

GET = RequestHead(method=b"GET", target=b"/", headers=((b"host", b"test"),))
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


def conversation(
    *, limits: Limits | None = None, timeouts: Timeouts | None = None
) -> tuple[Conversation, MemoryPeer]:
    driver = MemoryDriver()
    ours, theirs = stream()
    connection = Connection("client", now=0.0, random=bytes, limits=limits, timeouts=timeouts)
    return Conversation(driver, ours, connection), MemoryPeer(driver, theirs)


def websocket(
    *, limits: Limits | None = None, timeouts: Timeouts | None = None
) -> tuple[Conversation, MemoryPeer]:
    talk, peer = conversation(limits=limits, timeouts=timeouts)
    talk.send(opening_handshake(host="test", target="/", random=bytes))
    talk.send(BodyEnd())
    peer.send(SWITCH)
    assert isinstance(talk.receive("the 101"), Accept)
    peer.take()
    return talk, peer


def test_what_is_said_leaves_as_bytes_when_the_driver_runs() -> None:
    talk, peer = conversation()
    talk.send(GET)
    talk.send(BodyEnd())
    assert peer.received == b""
    talk.driver.settle()
    assert peer.received == b"GET / HTTP/1.1\r\nhost: test\r\n\r\n"


def test_what_may_not_be_said_is_an_error_of_the_caller() -> None:
    talk, _ = conversation()
    with pytest.raises(LocalProtocolError):
        talk.send(Message(data="too early"))


def test_events_come_in_order() -> None:
    talk, peer = conversation()
    talk.send(GET)
    talk.send(BodyEnd())
    peer.send(ANSWER)
    head = talk.receive("the head")
    assert isinstance(head, ResponseHead)
    assert (head.status_code, talk.receive("the content"), talk.receive("the end")) == (
        200,
        BodyData(data=b"abc"),
        BodyEnd(),
    )


POST = RequestHead(
    method=b"POST", target=b"/", headers=((b"host", b"test"), (b"transfer-encoding", b"chunked"))
)


def test_content_leaves_piece_by_piece_and_empty_pieces_do_not() -> None:
    """RFC 9112 §7.1: an empty chunk would be the last."""
    talk, peer = conversation()
    talk.send(POST)
    talk.send_content([b"ab", b"", b"c"], "POST /")
    assert peer.received.endswith(b"\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n")


def test_content_is_not_sent_to_a_server_that_has_ended_the_connection() -> None:
    talk, peer = conversation()
    asked: list[bytes] = []

    def pieces() -> Iterator[bytes]:
        yield b"a"
        peer.reset()
        asked.append(bytes(peer.received))
        yield b"b"
        asked.append(b"more")
        yield b"c"

    talk.send(POST)
    talk.send_content(pieces(), "POST /")
    assert [each[-6:] for each in asked] == [b"1\r\na\r\n"]


@pytest.mark.parametrize(
    ("piece", "pieces", "most", "told"),
    [
        (b"", 3, 100, "4 pieces, 0 bytes"),
        (b"ab", 3, 100, "4 pieces, 8 bytes"),
        (b"ab", 10, 4, "3 pieces, 6 bytes"),
    ],
)
def test_content_without_an_end_is_given_up_and_cut(
    monkeypatch: pytest.MonkeyPatch, piece: bytes, pieces: int, most: int, told: str
) -> None:
    monkeypatch.setattr(f"{Conversation.__module__}.MAX_SENT_PIECES", pieces)
    monkeypatch.setattr(f"{Conversation.__module__}.MAX_SENT", most)
    talk, peer = conversation()
    talk.send(POST)
    with pytest.raises(Deadlock) as caught:
        talk.send_content(repeat(piece), "POST /")
    assert str(caught.value) == (
        f"the content of POST / has not ended after {told}: an iterable has to come to an end (time 0.0)"
    )
    talk.driver.settle()
    assert peer.is_reset


def test_one_piece_may_be_as_large_as_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{Conversation.__module__}.MAX_SENT", 4)
    talk, peer = conversation()
    talk.send(POST)
    talk.send_content([b"abcde"], "POST /")
    assert peer.received.endswith(b"5\r\nabcde\r\n0\r\n\r\n")


def test_waiting_for_what_nobody_sends_is_a_deadlock() -> None:
    talk, _ = conversation(timeouts=Timeouts(keep_alive=None))
    talk.send(GET)
    with pytest.raises(Deadlock, match=r"^nothing can bring the answer \(time 0\.0\)$"):
        talk.receive("the answer")


def test_waiting_may_end_after_some_virtual_time() -> None:
    talk, _ = conversation()
    with pytest.raises(TimeoutError, match=r"^the answer did not come within 3\.0 s$"):
        talk.receive("the answer", timeout=3.0)
    assert talk.driver.now() == 3.0


def test_an_opening_handshake_is_waited_for_until_its_deadline() -> None:
    talk, _ = conversation(timeouts=Timeouts(opening=10.0))
    talk.send(opening_handshake(host="test", target="/", random=bytes))
    talk.send(BodyEnd())
    while not isinstance(event := talk.receive("the answer"), ConnectionEnded):
        pass
    assert (talk.driver.now(), event.info.initiator, talk.is_ended) == (10.0, "timeout", True)


def test_keepalive_is_not_waited_for() -> None:
    talk, peer = websocket(timeouts=Timeouts(ping_interval=20.0))
    with pytest.raises(Deadlock, match=r"the next deadline is at 20\.0"):
        talk.receive("a message")
    assert (peer.received, talk.driver.now()) == (b"", 0.0)


def test_a_closing_handshake_is_waited_for_until_its_deadline() -> None:
    talk, peer = websocket(timeouts=Timeouts(close_timeout=5.0))
    talk.send(Close(code=1000))
    while not isinstance(event := talk.receive("the end"), ConnectionEnded):
        pass
    assert (talk.driver.now(), event.info.clean, peer.is_reset) == (5.0, False, True)
    assert talk.info == event.info


def test_content_is_released_when_it_is_received() -> None:
    """A client that receives nothing reads no further than its limit."""
    talk, peer = conversation(limits=Limits(max_read_ahead=3))
    talk.send(GET)
    talk.send(BodyEnd())
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc")
    peer.send(b"def")
    assert peer.unread == 3
    assert isinstance(talk.receive("the head"), ResponseHead)
    assert talk.receive("content") == BodyData(data=b"abc")
    assert (talk.receive("content"), peer.unread) == (BodyData(data=b"def"), 0)


@pytest.mark.parametrize(
    ("frame", "data"),
    [
        (b"\x81\x05caf\xc3\xa9", "café"),
        (b"\x81\x00", ""),
        (b"\x82\x02\xff\x00", b"\xff\x00"),
    ],
)
def test_messages_are_released_when_they_are_received(frame: bytes, data: str | bytes) -> None:
    talk, peer = websocket(limits=Limits(max_queue=1))
    peer.send(frame)
    peer.send(frame)
    assert peer.unread == len(frame)
    assert talk.receive("a message") == Message(data=data)
    assert (talk.receive("a message"), peer.unread) == (Message(data=data), 0)


def test_aborting_resets_the_stream() -> None:
    talk, peer = conversation()
    talk.abort()
    talk.driver.settle()
    assert (peer.is_reset, talk.is_ended) == (True, True)


def test_ending_says_that_no_more_will_be_asked() -> None:
    talk, peer = conversation()
    talk.end()
    talk.driver.settle()
    assert (peer.is_ended, peer.is_reset) == (True, False)
    peer.close()
    assert talk.is_ended is True


def test_a_connection_that_is_there_has_no_info() -> None:
    talk, _ = conversation()
    assert (talk.is_ended, talk.info, talk.is_open) == (False, None, False)


def test_while_it_closes_the_error_knows_no_end() -> None:
    talk, _ = websocket()
    error = talk.closed_error()
    assert (type(error), error.info) == (ConnectionClosed, None)


def test_an_end_after_a_close_of_ours_is_no_loss() -> None:
    talk, peer = websocket()
    talk.send(Close(code=1000))
    talk.driver.settle()
    peer.send(b"\x88\x02\x03\xe8")
    peer.close()
    error = talk.closed_error()
    assert (type(error), error.close_code, error.info) == (ConnectionClosed, 1000, talk.info)


def test_an_abort_of_ours_is_no_loss() -> None:
    talk, _ = websocket()
    talk.abort()
    talk.driver.settle()
    error = talk.closed_error()
    assert (type(error), error.close_code) == (ConnectionClosed, 1006)


def test_a_reset_is_a_loss_and_its_cause_is_told() -> None:
    talk, peer = websocket()
    peer.reset()
    error = talk.closed_error()
    assert (type(error), error.close_code) == (ConnectionLost, 1006)
    assert isinstance(error.__cause__, ConnectionResetError)


def test_a_server_that_breaks_the_protocol_is_told_with_how() -> None:
    """RFC 6455 §5.1: a server does not mask."""
    talk, peer = websocket()
    peer.send(b"\x81\x81\0\0\0\0a")
    peer.close()
    error = talk.closed_error()
    assert (type(error), error.close_code) == (ProtocolFailure, 1002)
    assert isinstance(error.__cause__, RemoteProtocolError)


def test_having_room_again_is_no_event_for_a_test() -> None:
    talk, peer = conversation(limits=Limits(high_water=0))
    talk.send(GET)
    talk.send(BodyEnd())
    peer.send(ANSWER)
    assert isinstance(talk.receive("the head"), ResponseHead)
