"""Tests of `spry_core.web.receiving`: messages come whole and in order, and a cancelled wait loses none."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from frames import BINARY, CLOSE_FRAME, PING, TEXT, Frame, close_payload, frame
from sockets import Opened, Peer, Running, client_of, close_frame, messages, receive_all, stalled
from spry_core import (
    Close,
    CloseInfo,
    ConnectionClosed,
    ConnectionLost,
    KeepaliveTimeout,
    ProtocolFailure,
    ReadyState,
    Request,
    Timeouts,
    WebSocket,
    WebSocketBusyError,
    WebSocketStateError,
)
from spry_core.errors import RemoteProtocolError


def test_text_is_str_and_binary_is_bytes_and_empty_messages_are_messages() -> None:
    """RFC 6455 §5.6."""
    opened = Opened()
    received = opened.start(receive_all, opened.ws)
    opened.peer.send("grüße", b"\x00\xff", "", b"")
    opened.stream.send(close_frame(1000))
    assert received.result == ["grüße", b"\x00\xff", "", b""]
    assert [type(message) for message in received.result] == [str, bytes, str, bytes]


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4001])
def test_a_loop_ends_when_the_peer_has_closed_whatever_the_code(code: int) -> None:
    """RFC 6455 §7.1.4: a Close frame went both ways; the end of TCP is not waited for."""
    opened = Opened()
    received = opened.start(receive_all, opened.ws)
    opened.stream.send(messages("last") + close_frame(code, "bye"))
    assert received.result == ["last"]
    info = opened.ws.close_info
    assert info == CloseInfo(
        initiator="remote",
        sent=Close(code=code, reason=info.sent.reason if info and info.sent else ""),
        received=Close(code=code, reason="bye"),
        close_code=code,
        close_reason="bye",
        bytes_received=4,
        messages_received=1,
    )
    assert opened.ws.ready_state is ReadyState.CLOSING


def test_messages_before_the_close_of_the_peer_stay_readable_after_the_end_of_the_stream() -> None:
    received = list[object]()

    async def handler(ws: WebSocket, request: Request) -> None:
        info = await ws.closed
        received.extend((await ws.receive(), await ws.receive()))
        with pytest.raises(ConnectionClosed) as caught:
            await ws.receive()
        received.extend((type(caught.value), caught.value.close_code, caught.value.info == info))

    peer = Peer(client_of(handler))
    peer.stream.send(messages("one", "two") + close_frame(4000))
    peer.stream.close()
    assert received == ["one", "two", ConnectionClosed, 4000, True]


@pytest.mark.parametrize("how", ["reset", "close", "half_close"])
def test_a_loop_raises_when_the_stream_ends_without_a_close_frame(how: str) -> None:
    """RFC 6455 §7.1.5: 1006 says that none came."""
    opened = Opened()
    received = opened.start(receive_all, opened.ws)
    cast("Callable[[], None]", getattr(opened.stream, how))()
    error = received.error
    assert type(error) is ConnectionLost
    assert (error.close_code, error.close_reason, error.info) == (1006, "", opened.ws.close_info)
    assert error.info is not None
    assert (error.info.initiator, error.info.clean) == ("transport", False)
    assert error.__cause__ is error.info.cause


def test_a_loop_raises_when_the_peer_is_found_dead() -> None:
    """RFC 6455 §5.5.2."""
    opened = Opened(timeouts=Timeouts(ping_interval=20.0, ping_timeout=5.0))
    received = opened.start(receive_all, opened.ws)
    opened.client.advance(20.0)
    assert [each.opcode for each in opened.peer.frames()] == [PING]
    opened.client.advance(4.9)
    assert received.is_waiting
    opened.client.advance(0.1)
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011, "keepalive timeout"))]
    error = received.error
    assert isinstance(error, KeepaliveTimeout)
    assert isinstance(error.__cause__, KeepaliveTimeout)
    assert error.info is not None
    assert (error.info.initiator, error.close_code, error.close_reason, error.info.duration) == (
        "timeout",
        1011,
        "keepalive timeout",
        25.0,
    )


def test_a_loop_raises_when_we_failed_the_connection_and_the_cause_says_why() -> None:
    """RFC 6455 §7.1.7; what came before the fault is delivered and answered first."""
    opened = Opened()

    async def echo() -> None:
        async for message in opened.ws:
            await opened.ws.send(message)

    echoing = opened.start(echo)
    opened.stream.send(messages("one", "two") + frame(TEXT, b"\xff") + messages("not parsed"))
    assert opened.peer.frames() == [
        Frame(TEXT, b"one"),
        Frame(TEXT, b"two"),
        Frame(CLOSE_FRAME, close_payload(1007)),
    ]
    error = echoing.error
    assert isinstance(error, ProtocolFailure)
    assert isinstance(error.__cause__, RemoteProtocolError)
    assert (error.close_code, error.__cause__.close_code, error.__cause__.section) == (
        1007,
        1007,
        "RFC 6455 §8.1",
    )
    assert error.info is not None
    assert (error.info.cause, error.info.sent, error.info.received) == (
        error.__cause__,
        Close(code=1007),
        None,
    )


def test_a_loop_ends_when_we_closed_even_if_the_peer_never_answers() -> None:
    opened = Opened(timeouts=Timeouts(close_timeout=5.0))
    received = opened.start(receive_all, opened.ws)
    opened.ws.close(4000, "enough")
    opened.client.advance(4.9)
    assert received.is_waiting
    opened.client.advance(0.1)
    assert received.result == []
    info = opened.ws.close_info
    assert info is not None
    assert (info.initiator, info.clean, info.close_code, info.close_reason) == (
        "timeout",
        False,
        4000,
        "enough",
    )


def test_a_loop_ends_when_we_aborted() -> None:
    opened = Opened()
    received = opened.start(receive_all, opened.ws)
    opened.ws.abort()
    opened.driver.settle()
    assert received.result == []
    assert opened.ws.close_code == 1006


def test_after_our_close_what_was_not_read_is_dropped() -> None:
    opened = Opened()
    opened.peer.send("unread", "too")
    opened.ws.close()
    opened.peer.send("late")
    receiving = opened.start(opened.ws.receive)
    assert receiving.is_waiting
    opened.stream.send(close_frame(1000))
    assert type(receiving.error) is ConnectionClosed
    assert opened.ends == []
    opened.stream.close()
    (info,) = opened.ends
    assert (info.clean, info.messages_received) == (True, 2)


def test_the_end_is_told_although_the_stream_cannot_end_yet() -> None:
    """The peer has ended its side and reads nothing: what we have queued keeps the stream there."""
    opened = stalled()
    opened.ws.add("stuck")
    receiving = opened.start(opened.ws.receive)
    opened.stream.half_close()
    assert isinstance(receiving.error, ConnectionLost)
    assert (bool(opened.ws.closed), opened.ws.close_code) == (False, 1006)


def test_cancelling_a_receive_loses_no_message() -> None:
    opened = Opened()
    receiving = opened.start(opened.ws.receive)
    receiving.cancel()
    opened.peer.send("kept")
    assert opened.driver.run(opened.ws.receive) == "kept"


def test_a_receive_that_is_cancelled_in_the_moment_of_its_message_leaves_it_to_the_next() -> None:
    opened = Opened()
    receiving = opened.start(opened.ws.receive)
    opened.stream.send(messages("kept")[:-1])
    receiving.task.cancel()
    opened.stream.send(messages("kept")[-1:])
    assert (receiving.results, receiving.is_waiting) == ([], False)
    assert opened.driver.run(opened.ws.receive) == "kept"


def test_a_cancelled_task_receives_nothing_although_it_would_not_have_to_wait() -> None:
    opened = Opened()
    opened.peer.send("kept")
    taken = list[str | bytes]()

    async def take() -> None:
        task.cancel()
        taken.append(await opened.ws.receive())

    task = opened.driver.start(take)
    opened.driver.settle()
    assert taken == []
    assert opened.driver.run(opened.ws.receive) == "kept"


def test_one_consumer_at_a_time() -> None:
    opened = Opened()
    receiving = opened.start(opened.ws.receive)
    for second in (opened.ws.receive, opened.ws.__anext__):
        with pytest.raises(WebSocketBusyError, match="somebody else is receiving"):
            opened.driver.run(second)
    with pytest.raises(WebSocketBusyError, match="listen: somebody else"):
        opened.ws.listen(print)
    opened.peer.send("for the first")
    assert receiving.result == "for the first"


def test_messages_nobody_takes_stop_the_reading_and_taking_one_lets_it_go_on() -> None:
    opened = Opened(max_queue=3)
    opened.peer.send("1", "2", "3")
    opened.peer.send("4")
    assert opened.stream.unread == len(messages("4"))
    assert opened.driver.run(opened.ws.receive) == "1"
    assert opened.stream.unread == len(messages("4"))  # the first is still in the consumer's hands
    assert opened.driver.run(opened.ws.receive) == "2"
    assert opened.stream.unread == 0
    assert [opened.driver.run(opened.ws.receive) for _ in range(2)] == ["3", "4"]


def test_a_consumer_that_never_has_to_wait_lets_others_run() -> None:
    opened = Opened(max_queue=100)
    opened.peer.send(*["x"] * 80)
    order = list[str]()

    async def take() -> None:
        for _ in range(80):
            await opened.ws.receive()
            order.append("take")

    async def other() -> None:
        order.append("other")

    opened.driver.start(take)
    while len(order) < 32:
        opened.driver.start(other)
        opened.driver.settle()
    assert order.index("other") <= 32


def test_two_tasks_may_take_turns() -> None:
    """They cannot be told from one."""
    opened = Opened()
    opened.peer.send("one", "two", "three")
    taken = [opened.start(opened.ws.receive).result for _ in range(2)]
    assert (taken, opened.driver.run(anext, aiter(opened.ws))) == (["one", "two"], "three")


# One kind


def test_messages_of_the_wanted_kind_are_taken() -> None:
    opened = Opened()
    opened.peer.send("grüße", b"\x00", "", b"", '{"a": [1, null]}')
    ws = opened.ws
    taken: list[object] = [opened.driver.run(ws.receive_text), opened.driver.run(ws.receive_bytes)]
    taken += [opened.driver.run(ws.receive_text), opened.driver.run(ws.receive_bytes)]
    assert taken == ["grüße", b"\x00", "", b""]
    assert opened.driver.run(ws.receive_json) == {"a": [1, None]}


@pytest.mark.parametrize(
    ("way", "message", "text"),
    [
        ("receive_text", b"{}", "a message that is not text"),
        ("receive_bytes", "{}", "a message that is not binary"),
        ("receive_json", b"{}", "a message that is not text"),
    ],
)
def test_the_other_kind_fails_the_connection(way: str, message: str | bytes, text: str) -> None:
    """RFC 6455 §7.4.1: 1003, for data that cannot be accepted; §7.1.7."""
    opened = Opened()
    opened.peer.send(message, "dropped", b"dropped")
    receive = cast("Callable[[], Awaitable[object]]", getattr(opened.ws, way))
    error = opened.start(receive).error
    assert isinstance(error, ProtocolFailure)
    assert isinstance(error.__cause__, RemoteProtocolError)
    assert (str(error.__cause__), error.__cause__.section) == (text, "RFC 6455 §7.4.1")
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1003))]
    info = opened.ws.close_info
    assert info is not None
    assert (info.initiator, info.close_code, info.sent, info.received, info.cause) == (
        "local",
        1003,
        Close(code=1003),
        None,
        error.__cause__,
    )
    assert isinstance(opened.start(opened.ws.receive).error, ProtocolFailure)
    lines = [each.text for each in opened.client.reports if each.logger == "spry.error"]
    assert [line.endswith(f"{text} (RFC 6455 §7.4.1)") for line in lines] == [True]


def test_a_handler_that_gets_the_other_kind_and_lets_it_out_is_not_to_blame() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.receive_text()

    client = client_of(handler)
    peer = Peer(client)
    peer.send(b"binary")
    assert peer.frames() == [Frame(CLOSE_FRAME, close_payload(1003))]
    assert [each.exception for each in client.reports if each.logger == "spry.error"] == [None]


@pytest.mark.parametrize(("code", "kind"), [(4000, ConnectionClosed), (None, ConnectionLost)])
def test_the_other_kind_cannot_fail_what_has_ended(code: int | None, kind: type[ConnectionClosed]) -> None:
    opened = Opened()
    opened.stream.send(messages(b"binary", "dropped") + (close_frame(code) if code else b""))
    if code is None:
        opened.stream.half_close()
        opened.ws.close()
        assert type(opened.start(opened.ws.receive_text).error) is kind
    else:
        errors = [opened.start(opened.ws.receive_text).error for _ in range(2)]
        assert [type(error) for error in errors] == [kind, kind]
        assert opened.ws.close_code == code


@pytest.mark.parametrize("text", ["", "{", "[NaN]", "[" * 100_000])
def test_what_is_no_json_is_a_value_error_and_the_connection_stays_open(text: str) -> None:
    """RFC 8259 §2, §6, §9."""
    opened = Opened()
    opened.peer.send(text, "0")
    with pytest.raises(ValueError, match=r"Expecting|NaN is not JSON|too many levels"):
        opened.driver.run(opened.ws.receive_json)
    assert opened.ws.ready_state is ReadyState.OPEN
    assert opened.driver.run(opened.ws.receive_json) == 0


def test_what_is_no_json_closes_with_1007_if_nobody_minds_and_is_no_fault_of_the_application() -> None:
    """RFC 6455 §7.4.1."""

    async def handle(ws: WebSocket, request: Request) -> None:
        await ws.receive_json()

    client = client_of(handle)
    peer = Peer(client)
    peer.send("{")
    assert peer.frames() == [Frame(CLOSE_FRAME, close_payload(1007))]
    assert [each for each in client.reports if each.logger == "spry.error"] == []


def test_who_waits_for_one_kind_may_be_cancelled_and_loses_nothing() -> None:
    opened = Opened()
    ways: tuple[Callable[[], Awaitable[object]], ...] = (
        opened.ws.receive_text,
        opened.ws.receive_bytes,
        opened.ws.receive_json,
    )
    for way in ways:
        opened.start(way).cancel()
    opened.peer.send("kept")
    assert opened.driver.run(opened.ws.receive_text) == "kept"


# Messages of any size


def test_messages_of_any_size_come_by_incoming_alone() -> None:
    opened = Opened(max_message_size=None)
    ways: tuple[Callable[[], Awaitable[object]], ...] = (
        opened.ws.receive,
        opened.ws.receive_text,
        opened.ws.receive_bytes,
        opened.ws.receive_json,
        aiter(opened.ws).__anext__,
    )
    for way in ways:
        with pytest.raises(WebSocketStateError, match=r"receive: .*max_message_size=None.*`incoming`"):
            opened.driver.run(way)
    with pytest.raises(WebSocketStateError, match=r"listen: .*max_message_size=None.*`incoming`"):
        opened.ws.listen(print)
    opened.stream.send(frame(BINARY, bytes(3)))
    message = opened.driver.run(anext, opened.ws.incoming())
    assert opened.driver.run(anext, message) == bytes(3)


# Throwing away


@pytest.mark.parametrize("size", [1, None])
def test_who_only_sends_may_throw_away_what_comes_until_the_end(size: int | None) -> None:
    opened = Opened(max_queue=1, max_message_size=None if size is None else size << 20)
    opened.peer.send("one")
    opened.peer.send("two")
    discarding = opened.start(opened.ws.discard_incoming)
    opened.peer.send("three", b"four")
    opened.stream.send(frame(TEXT, b"half", fin=False))
    assert (discarding.is_waiting, opened.stream.unread) == (True, 0)
    opened.driver.run(opened.ws.send, "answer")
    assert opened.peer.texts() == ["answer"]
    opened.stream.send(close_frame(4000))
    assert discarding.result == opened.ws.close_info
    assert (discarding.result.close_code, discarding.result.messages_received) == (4000, 4)


@pytest.mark.parametrize(
    ("end", "code"), [("reset", 1006), ("half_close", 1006), ("close", 1006), ("break", 1007)]
)
def test_throwing_away_does_not_raise_for_the_end(end: str, code: int) -> None:
    opened = Opened()
    discarding = opened.start(opened.ws.discard_incoming)
    if end == "break":
        opened.stream.send(frame(TEXT, b"\xff"))
    else:
        cast("Callable[[], None]", getattr(opened.stream, end))()
    assert discarding.result.close_code == code
    assert opened.driver.run(opened.ws.discard_incoming) == discarding.result


def test_who_throws_away_is_the_only_consumer() -> None:
    opened = Opened()
    discarding = opened.start(opened.ws.discard_incoming)
    for second in (opened.ws.receive, opened.ws.discard_incoming, opened.ws.incoming().__anext__):
        with pytest.raises(WebSocketBusyError, match="somebody else is receiving"):
            opened.driver.run(second)
    with pytest.raises(WebSocketBusyError, match="listen: somebody else"):
        opened.ws.listen(print)
    discarding.cancel()
    opened.peer.send("kept")
    assert opened.driver.run(opened.ws.receive) == "kept"


def test_who_is_cancelled_before_throwing_away_has_thrown_away_nothing() -> None:
    opened = Opened()
    opened.peer.send("kept")

    async def discard() -> None:
        task.cancel()
        await opened.ws.discard_incoming()

    task = opened.driver.start(discard)
    opened.driver.settle()
    assert opened.driver.run(opened.ws.receive) == "kept"


def test_when_the_handler_has_returned_throwing_away_goes_on_behind_who_did_it() -> None:
    sockets = list[WebSocket]()

    async def handler(ws: WebSocket, request: Request) -> None:
        sockets.append(ws)

    client = client_of(handler, max_queue=1)
    peer = Peer(client)
    Running(client.driver, sockets[0].discard_incoming).cancel()
    peer.send("one", "two", "three")
    peer.send("four")
    assert peer.stream.unread == 0
