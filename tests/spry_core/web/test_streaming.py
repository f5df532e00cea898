"""Tests of `spry_core.web.streaming`: iterables of messages, and of the fragments of one message."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from typing import cast

import pytest

from frames import PING, PONG, TEXT, Frame, frame
from sockets import Opened, close_frame
from spry_core import ConnectionClosed, ConnectionLost, Limits, ReadyState, WebSocketBusyError

SMALL = Limits(high_water=10, max_unsent=100)
"""Eight bytes of payload make a frame of ten."""


def stalled() -> Opened:
    """Return one whose peer does not read and whose pipe is full to the last byte."""
    opened = Opened(limits=SMALL)
    opened.stream.is_reading = False
    opened.ws.add(bytes(65_532))  # and four bytes of frame header: what a pump lets stand in the pipe
    opened.driver.settle()
    assert opened.ws.buffered_amount == 0
    return opened


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
