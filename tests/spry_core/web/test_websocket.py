"""The WebSocket of an application: receiving, sending, closing, and what it says of itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from typing import cast

import pytest

from frames import BINARY, CLOSE_FRAME, PING, PONG, TEXT, Frame, close_payload, frame
from sockets import Opened, Peer, client_of, close_frame, messages
from spry_core import (
    Abort,
    BufferFull,
    Close,
    CloseInfo,
    ConnectionClosed,
    ConnectionLost,
    KeepaliveTimeout,
    Limits,
    ProtocolFailure,
    ReadyState,
    Request,
    SendResult,
    Timeouts,
    WebSocket,
    WebSocketBusyError,
    WebSocketClose,
)
from spry_core.errors import RemoteProtocolError
from spry_core.web.websocket import Sendable

SMALL = Limits(high_water=10, max_unsent=100)
"""Eight bytes of payload make a frame of ten."""


async def receive_all(ws: WebSocket) -> list[str | bytes]:
    """Return the messages up to the end."""
    return [message async for message in ws]


def stalled() -> Opened:
    """Return one whose peer does not read and whose pipe is full to the last byte."""
    opened = Opened(limits=SMALL)
    opened.stream.is_reading = False
    opened.ws.add(bytes(65_532))  # and four bytes of frame header: what a pump lets stand in the pipe
    opened.driver.settle()
    assert opened.ws.buffered_amount == 0
    return opened


# Receiving


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


# Sending


@pytest.mark.parametrize(
    ("data", "wire"),
    [
        ("hé", b"\x81\x03h\xc3\xa9"),
        (b"\x00\xff", b"\x82\x02\x00\xff"),
        (bytearray(b"ab"), b"\x82\x02ab"),
        (memoryview(b"abcd")[::2], b"\x82\x02ac"),
        ("", b"\x81\x00"),
        (b"", b"\x82\x00"),
    ],
    ids=repr,
)
def test_str_is_sent_as_text_and_what_is_like_bytes_as_binary(data: Sendable, wire: bytes) -> None:
    """RFC 6455 §5.2, §5.6."""
    opened = Opened()
    opened.driver.run(opened.ws.send, data)
    assert opened.stream.take() == wire
    assert opened.ws.add(data) is SendResult.OK
    opened.driver.settle()
    assert opened.stream.take() == wire


@pytest.mark.parametrize("data", [None, 5, ["a"], {"a": 1}], ids=repr)
def test_anything_else_is_a_type_error_before_any_effect(data: object) -> None:
    opened = Opened()
    wrong = cast("str", data)
    with pytest.raises(TypeError, match=f"a message is str or bytes, not {type(data).__name__}"):
        opened.driver.run(opened.ws.send, wrong)
    with pytest.raises(TypeError, match=f"a message is str or bytes, not {type(data).__name__}"):
        opened.ws.send_nowait(wrong)
    assert (opened.stream.take(), opened.ws.ready_state) == (b"", ReadyState.OPEN)


def test_what_is_no_text_on_the_wire_is_refused_before_any_effect() -> None:
    """RFC 6455 §5.6: text is UTF-8, and has no half of a surrogate pair."""
    opened = Opened()
    with pytest.raises(UnicodeEncodeError):
        opened.driver.run(opened.ws.send, "a\ud800")
    with pytest.raises(UnicodeEncodeError):
        opened.ws.add("a\ud800")
    assert (opened.stream.take(), opened.ws.ready_state) == (b"", ReadyState.OPEN)


def test_sending_waits_while_more_than_the_mark_is_unsent() -> None:
    opened = stalled()
    exactly = opened.start(opened.ws.send, "12345678")
    assert (exactly.results, opened.ws.buffered_amount) == ([None], 10)
    beyond = opened.start(opened.ws.send, "")
    assert (beyond.is_waiting, opened.ws.buffered_amount) == (True, 12)
    opened.stream.is_reading = True
    assert (beyond.results, opened.ws.buffered_amount) == ([None], 0)
    assert opened.stream.take()[-12:] == b"\x81\x0812345678\x81\x00"


def test_a_send_that_is_cancelled_before_it_begins_has_sent_nothing() -> None:
    opened = Opened()

    async def send() -> None:
        task.cancel()
        await opened.ws.send("never")

    task = opened.driver.start(send)
    opened.driver.settle()
    assert (task.is_done, opened.stream.take()) == (True, b"")


def test_a_send_that_is_cancelled_while_it_lets_others_run_has_sent_nothing() -> None:
    opened = Opened()

    async def send() -> None:
        for n in range(32):
            if n == 31:  # this one lets others run
                for _ in range(20):
                    opened.driver.start(cancel)
            await opened.ws.send("x")

    async def cancel() -> None:
        task.cancel()

    task = opened.driver.start(send)
    opened.driver.settle()
    assert (task.is_done, len(opened.peer.texts())) == (True, 31)


def test_a_send_that_is_cancelled_while_it_waits_is_on_its_way_whole() -> None:
    opened = stalled()
    sending = opened.start(opened.ws.send, "cancelled while waiting")
    assert sending.is_waiting
    sending.cancel()
    opened.stream.is_reading = True
    opened.driver.run(opened.ws.send, "next")
    assert opened.stream.take()[65_536:] == b"\x81\x17cancelled while waiting\x81\x04next"


@pytest.mark.parametrize("how", ["reset", "half_close"])
def test_a_send_that_waits_when_the_connection_is_lost_raises(how: str) -> None:
    opened = stalled()
    sending = opened.start(opened.ws.send, "cannot go out")
    cast("Callable[[], None]", getattr(opened.stream, how))()
    assert isinstance(sending.error, ConnectionLost)


def test_a_send_that_waits_when_the_peer_closes_raises() -> None:
    opened = stalled()
    sending = opened.start(opened.ws.send, "cannot go out")
    opened.stream.send(close_frame(4000))
    assert type(sending.error) is ConnectionClosed
    assert sending.error.close_code == 4000


def test_a_send_that_waits_when_nothing_moves_raises_at_last() -> None:
    opened = stalled()
    sending = opened.start(opened.ws.send, "cannot go out")
    opened.client.advance(29.9)
    assert sending.is_waiting
    opened.client.advance(0.1)
    assert isinstance(sending.error, ConnectionLost)
    assert opened.stream.is_reset is True


def test_a_send_that_waits_when_we_close_goes_out_before_the_close_frame() -> None:
    opened = stalled()
    sending = opened.start(opened.ws.send, "before")
    waiting = opened.start(opened.ws.send, "it")
    opened.ws.close()
    opened.stream.is_reading = True
    assert (sending.results, waiting.results) == ([None], [None])
    assert opened.stream.take()[65_536:] == b"\x81\x06before\x81\x02it\x88\x02\x03\xe8"


def test_nothing_is_sent_unless_the_connection_is_open() -> None:
    opened = Opened()
    opened.ws.close(4000)
    opened.driver.settle()
    assert opened.stream.take() == b"\x88\x02\x0f\xa0"
    for _ in range(2):
        with pytest.raises(ConnectionClosed) as waiting:
            opened.driver.run(opened.ws.send, "late")
        with pytest.raises(ConnectionClosed) as at_once:
            opened.ws.add("late")
        assert waiting.value.info == at_once.value.info == opened.ws.close_info
        opened.stream.send(close_frame(4000))
    assert opened.ws.close_code == 4000
    assert opened.stream.take() == b""


def test_many_tasks_may_send_and_their_messages_stay_whole_and_in_order() -> None:
    opened = Opened()
    order = list[str]()

    async def send(name: str) -> None:
        for n in range(3):
            text = f"{name}{n}"
            order.append(text)
            opened.ws.add(text)
            await opened.ws.send(text * 2)

    for name in "abc":
        opened.driver.start(send, name)
    opened.driver.settle()
    texts = opened.peer.texts()
    assert sorted(texts) == sorted([*order, *(each * 2 for each in order)])
    assert [text for text in texts if len(text) == 2] == order
    for name in "abc":
        mine = [f"{name}{n}" for n in range(3)]
        assert [text for text in texts if text[0] == name] == [
            each for text in mine for each in (text, text * 2)
        ]


def test_a_sender_whose_peer_keeps_up_lets_others_run() -> None:
    opened = Opened()
    turns = list[int]()

    async def send() -> None:
        for n in range(64):
            await opened.ws.send("x")
            turns.append(n)

    sending = opened.driver.start(send)
    while not turns:
        opened.driver.settle()
    assert sending.is_done
    assert len(opened.peer.frames()) == 64


# Sending without waiting


def test_sending_at_once_says_when_it_would_be_better_to_wait() -> None:
    opened = stalled()
    assert opened.ws.send_nowait("12345678") is SendResult.OK
    assert opened.ws.send_nowait("") is SendResult.BACKPRESSURE
    assert opened.ws.buffered_amount == 12


def test_the_hard_limit_refuses_only_when_it_is_reached_already() -> None:
    opened = stalled()
    assert opened.ws.add(bytes(97)) is SendResult.BACKPRESSURE
    assert opened.ws.buffered_amount == 99
    assert opened.ws.add(b"") is SendResult.BACKPRESSURE
    assert opened.ws.buffered_amount == 101
    with pytest.raises(BufferFull, match="101 bytes are unsent already"):
        opened.ws.add(b"")
    assert opened.ws.buffered_amount == 101


def test_at_exactly_the_hard_limit_nothing_more_is_taken() -> None:
    opened = stalled()
    opened.ws.add(bytes(98))
    assert opened.ws.buffered_amount == 100
    with pytest.raises(BufferFull):
        opened.ws.add(b"")


def test_one_message_of_any_size_goes_into_an_empty_buffer() -> None:
    opened = stalled()
    assert opened.ws.add(bytes(100_000)) is SendResult.BACKPRESSURE
    assert opened.ws.buffered_amount == 100_010


def test_a_full_buffer_of_a_connection_that_has_ended_is_the_end() -> None:
    opened = stalled()
    opened.ws.add(bytes(200))
    opened.stream.send(close_frame(1000))
    with pytest.raises(ConnectionClosed):
        opened.ws.add("late")


def test_add_is_the_same_under_its_old_name() -> None:
    assert WebSocket.add is WebSocket.send_nowait


# Streams of messages


END = StopAsyncIteration()


class Source:
    """A source by hand: what it gives is pushed, and it is noted what was asked and whether it was closed."""

    def __init__(self, opened: Opened, *ready: str | Exception) -> None:
        self._driver = opened.driver
        self._pushed = self._driver.event()
        self._ready = list(ready)
        self.asked = 0
        self.is_closed = False

    def push(self, item: str | Exception) -> None:
        self._ready.append(item)
        self._pushed.set()
        self._driver.settle()

    def __aiter__(self) -> Source:
        return self

    async def __anext__(self) -> str:
        self.asked += 1
        while not self._ready:
            self._pushed = self._driver.event()
            await self._pushed.wait()
        item = self._ready.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    async def aclose(self) -> None:
        self.is_closed = True


def generated(notes: list[str]) -> Generator[str]:
    try:
        yield from ("a", "b", "c")
    finally:
        notes.append("closed")


async def generated_async(notes: list[str]) -> AsyncGenerator[str | bytes]:
    try:
        yield "a"
        yield b"b"
    finally:
        notes.append("closed")


def test_each_item_of_a_source_is_one_message() -> None:
    opened, notes = Opened(), list[str]()
    assert opened.driver.run(lambda: opened.ws.add_stream(["x", b"y"])) == 2
    assert opened.driver.run(lambda: opened.ws.add_stream(generated(notes))) == 3
    assert opened.driver.run(lambda: opened.ws.add_stream(generated_async(notes))) == 2
    assert opened.driver.run(lambda: opened.ws.add_stream([])) == 0
    assert [each.payload for each in opened.peer.frames()] == [b"x", b"y", b"a", b"b", b"c", b"a", b"b"]
    assert notes == ["closed", "closed"]


def test_the_next_item_is_asked_for_only_when_there_is_room() -> None:
    opened = stalled()
    source = Source(opened, "12345678", "", "last", END)
    streaming = opened.start(lambda: opened.ws.add_stream(source))
    assert (source.asked, opened.ws.buffered_amount, streaming.is_waiting) == (2, 12, True)
    opened.stream.is_reading = True
    assert (source.asked, streaming.result, source.is_closed) == (4, 3, True)


def test_the_first_item_waits_for_room_too() -> None:
    opened = stalled()
    opened.ws.add("more than the mark")
    source = Source(opened)
    opened.start(lambda: opened.ws.add_stream(source))
    assert source.asked == 0
    opened.stream.is_reading = True
    assert source.asked == 1


def test_nobody_else_sends_messages_while_a_stream_does() -> None:
    opened = Opened()
    source = Source(opened, "one")
    streaming = opened.start(lambda: opened.ws.add_stream(source))
    sends: list[Callable[[], Awaitable[object]]] = [
        lambda: opened.ws.send("between"),
        lambda: opened.ws.add_stream(["between"]),
        lambda: opened.ws.add_stream(["between"], exclusive=False),
    ]
    for send in sends:
        with pytest.raises(WebSocketBusyError, match="a stream is being sent"):
            opened.driver.run(send)
    with pytest.raises(WebSocketBusyError, match="a stream is being sent"):
        opened.ws.add("between")
    opened.stream.send(frame(PING, b"hi"))
    source.push("two")
    source.push(END)
    assert streaming.result == 2
    opened.ws.add("behind")
    opened.driver.settle()
    assert opened.peer.frames() == [
        Frame(TEXT, b"one"),
        Frame(PONG, b"hi"),
        Frame(TEXT, b"two"),
        Frame(TEXT, b"behind"),
    ]


def test_a_send_that_meets_a_stream_after_it_has_let_others_run_is_refused() -> None:
    opened = Opened()
    source = Source(opened)

    async def send_many() -> None:
        for n in range(32):
            for _ in range(20 * (n == 31)):  # this one lets others run, and one of them will be drawn first
                opened.start_later(lambda: opened.ws.add_stream(source))
            await opened.ws.send("x")

    sending = opened.start(send_many)
    assert isinstance(sending.error, WebSocketBusyError)
    assert len(opened.peer.texts()) == 31


def test_a_stream_may_let_whole_messages_of_others_in_between() -> None:
    opened = Opened()
    one, two = Source(opened, "1a"), Source(opened, "2a")
    first = opened.start(lambda: opened.ws.add_stream(one, exclusive=False))
    second = opened.start(lambda: opened.ws.add_stream(two, exclusive=False))
    opened.driver.run(opened.ws.send, "between")
    with pytest.raises(WebSocketBusyError):
        opened.driver.run(lambda: opened.ws.add_stream(["alone"]))
    one.push("1b")
    one.push(END)
    assert first.result == 2
    two.push("2b")
    two.push(END)
    assert second.result == 2
    assert opened.peer.texts() == ["1a", "2a", "between", "1b", "2b"]
    assert opened.driver.run(lambda: opened.ws.add_stream(["alone"])) == 1


def test_an_exception_of_the_source_comes_out_and_the_connection_stays_open() -> None:
    opened = Opened()
    source = Source(opened, "one")
    streaming = opened.start(lambda: opened.ws.add_stream(source))
    source.push(LookupError("of the source"))
    assert repr(streaming.error) == "LookupError('of the source')"
    assert (source.is_closed, opened.ws.ready_state) == (True, ReadyState.OPEN)
    opened.ws.add("two")
    opened.driver.settle()
    assert opened.peer.texts() == ["one", "two"]


def test_an_item_that_is_no_message_ends_the_stream_and_not_the_connection() -> None:
    opened, notes = Opened(), list[str]()

    def wrong() -> Generator[str]:
        try:
            yield "one"
            yield cast("str", 2)
        finally:
            notes.append("closed")

    with pytest.raises(TypeError, match="a message is str or bytes, not int"):
        opened.driver.run(opened.ws.add_stream, wrong())
    assert (notes, opened.peer.texts(), opened.ws.ready_state) == (["closed"], ["one"], ReadyState.OPEN)


@pytest.mark.parametrize("source", ["abc", b"abc", bytearray(b"abc")], ids=repr)
def test_a_message_is_no_source(source: Iterable[str]) -> None:
    opened = Opened()
    with pytest.raises(TypeError, match="an iterable of messages, not one of them"):
        opened.driver.run(opened.ws.add_stream, source)
    assert opened.stream.take() == b""


def test_when_the_connection_ends_first_the_source_is_closed_even_while_it_waits() -> None:
    opened = Opened()
    source = Source(opened, "one")
    streaming = opened.start(lambda: opened.ws.add_stream(source))
    assert source.asked == 2
    opened.stream.reset()
    assert isinstance(streaming.error, ConnectionLost)
    assert source.is_closed is True


def test_when_the_peer_closes_the_source_is_closed_without_waiting_for_the_end_of_tcp() -> None:
    opened = Opened()
    source = Source(opened)
    streaming = opened.start(lambda: opened.ws.add_stream(source))
    opened.stream.send(close_frame(4000))
    assert type(streaming.error) is ConnectionClosed
    assert (source.is_closed, bool(opened.ws.closed)) == (True, False)


def test_when_the_connection_ends_while_a_stream_waits_for_room_the_source_is_closed() -> None:
    opened = stalled()
    source = Source(opened, "more than the mark", "never")
    streaming = opened.start(lambda: opened.ws.add_stream(source))
    assert source.asked == 1
    opened.stream.reset()
    assert isinstance(streaming.error, ConnectionLost)
    assert (source.is_closed, source.asked) == (True, 1)


def test_a_source_for_a_connection_that_is_not_open_is_closed_unasked() -> None:
    opened = Opened()
    opened.ws.close()
    source = Source(opened, "never")
    with pytest.raises(ConnectionClosed):
        opened.driver.run(lambda: opened.ws.add_stream(source))
    assert (source.asked, source.is_closed) == (0, True)


def test_a_cancelled_stream_has_taken_no_item_that_it_did_not_send() -> None:
    opened = stalled()
    items = iter(["12345678", "waits for room", "never taken"])
    streaming = opened.start(lambda: opened.ws.add_stream(items))
    streaming.cancel()
    assert list(items) == ["never taken"]
    opened.stream.is_reading = True
    assert opened.stream.take()[65_536:] == b"\x81\x0812345678\x81\x0ewaits for room"


def test_a_source_that_never_waits_lets_others_run() -> None:
    opened = Opened()
    given = list[int]()

    def endless() -> Generator[str]:
        while True:
            given.append(len(given))
            yield "x"

    async def stop() -> None:
        opened.ws.abort()

    opened.start_later(lambda: opened.ws.add_stream(endless()))
    opened.driver.start(stop)
    opened.driver.settle()
    assert opened.ws.close_code == 1006
    assert len(given) < 1000


# Closing


def test_closing_acts_when_it_is_called() -> None:
    """RFC 6455 §7.1.2."""
    opened = Opened()
    opened.ws.add("first")
    opened.ws.close(4000, "enough")
    assert opened.ws.ready_state is ReadyState.CLOSING
    opened.driver.settle()
    assert opened.peer.frames() == [
        Frame(TEXT, b"first"),
        Frame(CLOSE_FRAME, close_payload(4000, "enough")),
    ]


def test_closing_waits_for_the_end_if_it_is_awaited_and_tells_it() -> None:
    opened = Opened()
    closing = opened.start(lambda: opened.ws.close(4000, "enough"))
    assert closing.is_waiting
    opened.stream.send(close_frame(4001, "me too"))
    assert closing.result == CloseInfo(
        initiator="local",
        sent=Close(code=4000, reason="enough"),
        received=Close(code=4001, reason="me too"),
        close_code=4001,
        close_reason="me too",
    )
    assert bool(opened.ws.closed) is False


def test_closing_needs_nobody_who_receives() -> None:
    opened = Opened(max_queue=1)
    opened.peer.send("unread")
    opened.peer.send("not even parsed")
    closing = opened.start(lambda: opened.ws.close())
    opened.stream.send(close_frame(1000))
    assert closing.result.clean is True


def test_the_first_close_counts_and_a_second_waits_for_the_same_end() -> None:
    opened = Opened()
    first, second = opened.start(lambda: opened.ws.close(4000)), opened.start(lambda: opened.ws.close(4001))
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(4000))]
    opened.stream.send(close_frame(4000))
    assert first.result == second.result
    assert opened.driver.run(opened.ws.close) == first.result
    assert opened.stream.take() == b""


def test_closing_after_the_peer_has_closed_returns_at_once() -> None:
    opened = Opened()
    opened.stream.send(close_frame(4002))
    opened.stream.take()
    info = opened.driver.run(lambda: opened.ws.close(4000))
    assert (info.initiator, info.close_code, opened.stream.take()) == ("remote", 4002, b"")


def test_closing_a_lost_connection_does_not_raise() -> None:
    opened = Opened()
    opened.stream.reset()
    assert opened.driver.run(opened.ws.close).close_code == 1006


def test_closing_is_safe_in_the_receiving_task() -> None:
    opened = Opened()

    async def receive_one() -> CloseInfo:
        async for message in opened.ws:
            assert message == "one"
            await opened.ws.close(4000)
        assert opened.ws.close_info is not None
        return opened.ws.close_info

    receiving = opened.start(receive_one)
    opened.peer.send("one", "dropped")
    opened.stream.send(close_frame(4000))
    assert receiving.result.clean is True


def test_without_a_code_the_close_frame_is_empty_and_the_peer_sees_1005() -> None:
    """RFC 6455 §7.1.5."""
    opened = Opened()
    closing = opened.start(lambda: opened.ws.close(None))
    assert opened.stream.take() == b"\x88\x00"
    opened.stream.send(frame(CLOSE_FRAME))
    assert (closing.result.close_code, closing.result.sent, closing.result.received) == (
        1005,
        Close(),
        Close(),
    )


@pytest.mark.parametrize("code", [1000, 1003, 1007, 1014, 3000, 4999])
def test_codes_that_a_close_frame_may_carry(code: int) -> None:
    """RFC 6455 §7.4.2."""
    opened = Opened()
    opened.ws.close(code, "x" * 123)
    opened.driver.settle()
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(code, "x" * 123))]


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (999, ""),
        (1004, ""),
        (1005, ""),
        (1006, ""),
        (1015, ""),
        (2999, ""),
        (5000, ""),
        (None, "a reason"),
        (1000, "x" * 124),
        (1000, "é" * 62),
        (1000, "\ud800"),
    ],
)
def test_what_no_close_frame_may_say_is_refused_and_nothing_is_changed(code: int | None, reason: str) -> None:
    """RFC 6455 §5.5.1, §7.4."""
    opened = Opened()
    opened.peer.send("kept")
    with pytest.raises(ValueError):
        opened.ws.close(code, reason)
    assert (opened.ws.ready_state, opened.stream.take()) == (ReadyState.OPEN, b"")
    assert opened.driver.run(opened.ws.receive) == "kept"


def test_the_close_of_a_peer_that_never_answers_is_cut_and_unclean() -> None:
    opened = Opened(close_timeout=2.0)
    closing = opened.start(lambda: opened.ws.close())
    opened.peer.send("traffic does not prolong it")
    opened.client.advance(1.9)
    assert (closing.is_waiting, opened.stream.is_reset) == (True, False)
    opened.client.advance(0.1)
    assert (closing.result.clean, closing.result.initiator, opened.stream.is_reset) == (
        False,
        "timeout",
        True,
    )
    assert isinstance(closing.result.cause, ConnectionLost)


def test_cancelling_who_waits_for_the_close_changes_nothing() -> None:
    opened = Opened()
    closing = opened.start(lambda: opened.ws.close(4000))
    closing.cancel()
    opened.stream.send(close_frame(4000))
    opened.stream.close()
    assert [info.clean for info in opened.ends] == [True]


def test_waiting_for_the_end_is_a_cancellation_point_even_after_it() -> None:
    opened = Opened()
    opened.stream.reset()
    seen = list[CloseInfo]()

    async def look(wait: Callable[[], Awaitable[CloseInfo]]) -> None:
        seen.append(await wait())
        tasks[-1].cancel()
        seen.append(await wait())

    tasks = [opened.driver.start(look, opened.ws.close)]
    opened.driver.settle()
    tasks.append(opened.driver.start(look, lambda: opened.ws.closed))
    opened.driver.settle()
    assert seen == opened.ends * 2
    assert [task.is_done for task in tasks] == [True, True]


def test_any_number_of_tasks_may_wait_for_the_end_of_the_stream() -> None:
    opened = Opened()

    async def wait() -> CloseInfo:
        return await opened.ws.closed

    waiting = [opened.start(wait) for _ in range(3)]
    opened.stream.send(close_frame(1000))
    assert [each.is_waiting for each in waiting] == [True] * 3
    assert (bool(opened.ws.closed), opened.ws.close_code) == (False, 1000)
    opened.stream.close()
    assert [each.result for each in waiting] == opened.ends * 3
    assert bool(opened.ws.closed) is True
    assert opened.driver.run(wait) == opened.ends[0]


def test_aborting_sends_no_close_frame_and_cuts_the_stream() -> None:
    opened = Opened()
    opened.ws.add("dropped")
    opened.ws.abort()
    opened.driver.settle()
    assert (opened.stream.take(), opened.stream.is_reset) == (b"", True)
    (info,) = opened.ends
    assert (info.initiator, info.close_code, info.sent, info.clean) == ("local", 1006, None, False)
    opened.ws.abort()
    assert opened.ws.close_info == info


def test_a_block_closes_at_its_end_and_waits_for_the_end() -> None:
    opened = Opened()

    async def block() -> None:
        async with opened.ws as ws:
            assert ws is opened.ws

    running = opened.start(block)
    assert (opened.stream.take(), running.is_waiting) == (b"\x88\x02\x03\xe8", True)
    opened.stream.send(close_frame(1000))
    assert not running.is_waiting


@pytest.mark.parametrize(
    ("error", "code"),
    [(LookupError(), 1011), (WebSocketClose(4000), 4000), (Abort(400), 1008)],
    ids=repr,
)
def test_a_block_that_raises_closes_with_what_that_means(error: Exception, code: int) -> None:
    opened = Opened()

    async def block() -> None:
        async with opened.ws:
            raise error

    assert opened.start(block).error is error
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(code))]


def test_a_block_that_is_cancelled_closes_too() -> None:
    opened = Opened()

    async def block() -> None:
        async with opened.ws as ws:
            await ws.receive()

    opened.start(block).cancel()
    assert opened.peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011))]


# What it says of itself


def test_its_state_follows_the_closing_handshake() -> None:
    """As `readyState` in browsers."""
    opened = Opened()
    ws = opened.ws
    states = [(ws.ready_state, ws.close_info, ws.close_code, ws.close_reason)]
    ws.close(4000, "enough")
    states.append((ws.ready_state, ws.close_info, ws.close_code, ws.close_reason))
    opened.stream.send(close_frame(4000, "fine"))
    info = ws.close_info
    states.append((ws.ready_state, info, ws.close_code, ws.close_reason))
    opened.stream.close()
    states.append((ws.ready_state, ws.close_info, ws.close_code, ws.close_reason))
    assert states == [
        (ReadyState.OPEN, None, None, None),
        (ReadyState.CLOSING, None, None, None),
        (ReadyState.CLOSING, info, 4000, "fine"),
        (ReadyState.CLOSED, info, 4000, "fine"),
    ]
    assert [int(state) for state in ReadyState] == [0, 1, 2, 3]


def test_how_it_ended_counts_what_went_through_it() -> None:
    opened = Opened()
    opened.peer.send("é", b"abc")
    opened.ws.add("äöü")
    opened.client.advance(2.5)
    opened.stream.send(close_frame(1000))
    info = opened.ws.close_info
    assert info is not None
    assert (info.messages_received, info.bytes_received, info.messages_sent, info.bytes_sent) == (2, 5, 1, 6)
    assert info.duration == 2.5


def test_it_knows_its_request_and_its_peer() -> None:
    seen = list[WebSocket]()

    async def handler(ws: WebSocket, request: Request) -> None:
        assert ws.request is request
        request.locals["name"] = "Ada"
        seen.append(ws)

    Peer(client_of(handler))
    (ws,) = seen
    assert (ws.locals, ws.locals is ws.request.locals, ws.peer) == (
        {"name": "Ada"},
        True,
        "127.0.0.1:50000",
    )


def test_it_knows_its_subprotocol() -> None:
    """RFC 6455 §1.9."""
    seen = list[str | None]()

    async def handler(ws: WebSocket, request: Request) -> None:
        seen.append(ws.protocol)

    client = client_of(handler, protocols=("chat",))
    client.ws("/", subprotocols=("other", "chat"))
    client.ws("/")
    assert seen == ["chat", None]


def test_bytes_count_as_unsent_until_the_transport_has_taken_them() -> None:
    opened = stalled()
    opened.ws.add(b"abc")
    assert opened.ws.buffered_amount == 5
    opened.stream.is_reading = True
    assert opened.ws.buffered_amount == 0
    assert opened.peer.frames()[-1] == Frame(BINARY, b"abc")
