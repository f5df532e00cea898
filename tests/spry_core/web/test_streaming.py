"""Tests of `spry_core.web.streaming`: iterables of messages, and of the fragments of one message."""

from __future__ import annotations

import zlib
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterable
from typing import Literal, cast

import pytest

from frames import CONTINUATION, PING, PONG, TEXT, Frame, frame, read_frames
from sockets import UPGRADE, Opened, Peer, client_of, close_frame, stalled
from spry_core import (
    ConnectionClosed,
    ConnectionLost,
    ReadyState,
    Request,
    WebSocket,
    WebSocketBusyError,
    sleep,
)
from spry_core.driver import Event

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


# Fragments of one message


def fragments(*payloads: bytes, opcode: int = TEXT) -> bytes:
    """Return the frames of one message, and the empty one that ends it."""
    first, *others = payloads
    return b"".join(
        (
            frame(opcode, first, fin=False, mask=None),
            *(frame(CONTINUATION, each, fin=False, mask=None) for each in others),
            frame(CONTINUATION, mask=None),
        )
    )


def test_each_chunk_is_one_frame_of_one_message() -> None:
    """RFC 6455 §5.4."""
    opened, notes = Opened(), list[str]()
    ws, run = opened.ws, opened.driver.run
    run(lambda: ws.send_fragments(["h", "é", ""], "text"))
    assert opened.stream.take() == b"\x01\x01h\x00\x02\xc3\xa9\x00\x00\x80\x00"
    run(lambda: ws.send_fragments([b"\xff", bytearray(b"ab"), memoryview(b"abcd")[::2]], "binary"))
    assert opened.stream.take() == b"\x02\x01\xff\x00\x02ab\x00\x02ac\x80\x00"
    run(lambda: ws.send_fragments(generated(notes), "text"))
    assert (opened.stream.take(), notes) == (fragments(b"a", b"b", b"c"), ["closed"])


def test_the_chunks_may_come_one_by_one() -> None:
    opened = Opened()
    source = Source(opened, "a")
    sending = opened.start(lambda: opened.ws.send_fragments(source, "text"))
    assert opened.stream.take() == b"\x01\x01a"
    source.push("b")
    assert opened.stream.take() == b"\x00\x01b"
    source.push(END)
    assert (opened.stream.take(), sending.results, source.is_closed) == (b"\x80\x00", [None], True)


@pytest.mark.parametrize(("kind", "wire"), [("text", b"\x81\x00"), ("binary", b"\x82\x00")])
def test_without_chunks_it_is_an_empty_message(kind: Literal["text", "binary"], wire: bytes) -> None:
    """RFC 6455 §5.6."""
    opened = Opened()
    if kind == "text":
        opened.driver.run(lambda: opened.ws.send_fragments([], "text"))
    else:
        opened.driver.run(lambda: opened.ws.send_fragments([], "binary"))
    assert opened.stream.take() == wire


def test_fragments_are_one_message_in_the_count() -> None:
    opened = Opened()
    opened.driver.run(lambda: opened.ws.send_fragments(["ab", "c"], "text"))
    opened.stream.reset()
    (info,) = opened.ends
    assert (info.messages_sent, info.bytes_sent) == (1, 3)


def test_control_frames_pass_between_fragments_and_messages_do_not() -> None:
    """RFC 6455 §5.4."""
    opened = Opened()
    source = Source(opened, "a")
    sending = opened.start(lambda: opened.ws.send_fragments(source, "text"))
    sends: list[Callable[[], Awaitable[object]]] = [
        lambda: opened.ws.send("between"),
        lambda: opened.ws.send_json("between"),
        lambda: opened.ws.add_stream(["between"], exclusive=False),
        lambda: opened.ws.send_fragments(["between"], "text"),
    ]
    for send in sends:
        with pytest.raises(WebSocketBusyError, match="a stream is being sent"):
            opened.driver.run(send)
    with pytest.raises(WebSocketBusyError, match="a stream is being sent"):
        opened.ws.add("between")
    opened.stream.send(frame(PING, b"?"))
    opened.ws.pong(b"!")
    source.push("b")
    source.push(END)
    opened.driver.run(opened.ws.send, "behind")
    assert opened.stream.take() == b"\x01\x01a\x8a\x01?\x8a\x01!\x00\x01b\x80\x00\x81\x06behind"
    assert sending.results == [None]


def test_a_close_passes_too_and_the_rest_is_not_sent() -> None:
    """RFC 6455 §5.5.1."""
    opened = Opened()
    source = Source(opened, "a")
    sending = opened.start(lambda: opened.ws.send_fragments(source, "text"))
    opened.ws.close(4000)
    source.push("b")
    assert type(sending.error) is ConnectionClosed
    assert (opened.stream.take(), source.is_closed) == (b"\x01\x01a\x88\x02\x0f\xa0", True)
    opened.stream.send(close_frame(4000))
    opened.stream.close()
    assert [(info.close_code, info.cause) for info in opened.ends] == [(4000, None)]


def test_the_next_chunk_is_asked_for_only_when_there_is_room() -> None:
    opened = stalled()
    source = Source(opened, "12345678", "", END)
    sending = opened.start(lambda: opened.ws.send_fragments(source, "text"))
    assert (source.asked, opened.ws.buffered_amount, sending.is_waiting) == (2, 12, True)
    opened.stream.is_reading = True
    assert (source.asked, sending.results) == (3, [None])


def test_behind_the_last_fragment_it_waits_for_room_as_behind_a_message() -> None:
    opened = stalled()
    sending = opened.start(lambda: opened.ws.send_fragments(["12345678"], "text"))
    assert (opened.ws.buffered_amount, sending.is_waiting) == (12, True)
    sending.cancel()  # the message is whole by now
    assert opened.ws.ready_state is ReadyState.OPEN
    opened.stream.is_reading = True
    assert opened.stream.take()[65_536:] == fragments(b"12345678")


def test_a_message_whose_source_fails_halfway_closes_the_connection() -> None:
    """RFC 6455 §7.4.1, 1011: what has begun cannot be finished, and nothing else may follow it."""
    opened = Opened()
    source = Source(opened, "a")
    sending = opened.start(lambda: opened.ws.send_fragments(source, "text"))
    source.push(LookupError("of the source"))
    assert repr(sending.error) == "LookupError('of the source')"
    assert (opened.stream.take(), source.is_closed) == (b"\x01\x01a\x88\x02\x03\xf3", True)
    opened.stream.send(close_frame(1011))
    opened.stream.close()
    (info,) = opened.ends
    assert (info.cause, info.initiator, opened.errors) == (sending.error, "local", [])


def test_a_message_that_is_cancelled_halfway_closes_the_connection() -> None:
    opened = Opened()
    source = Source(opened, "a")
    opened.start(lambda: opened.ws.send_fragments(source, "text")).cancel()
    assert opened.stream.take() == b"\x01\x01a\x88\x02\x03\xf3"


def test_a_message_that_has_not_begun_may_fail_or_be_cancelled_without_harm() -> None:
    opened = Opened()
    source = Source(opened, LookupError("at once"))
    assert isinstance(opened.start(lambda: opened.ws.send_fragments(source, "text")).error, LookupError)
    waiting = Source(opened)
    opened.start(lambda: opened.ws.send_fragments(waiting, "text")).cancel()
    opened.driver.run(opened.ws.send, "still open")
    assert (opened.peer.texts(), source.is_closed) == (["still open"], True)


@pytest.mark.parametrize(
    ("kind", "chunk", "error"),
    [
        ("text", b"bytes", "a chunk of a text message cannot be bytes"),
        ("text", 5, "a chunk of a text message cannot be int"),
        ("binary", "text", "a chunk of a binary message cannot be str"),
        ("binary", None, "a chunk of a binary message cannot be NoneType"),
    ],
)
def test_a_chunk_of_another_kind_is_refused_before_any_effect(kind: str, chunk: object, error: str) -> None:
    opened = Opened()
    chunks = cast("list[str]", [chunk])
    with pytest.raises(TypeError, match=error):
        opened.driver.run(lambda: opened.ws.send_fragments(chunks, cast("Literal['text']", kind)))
    assert (opened.stream.take(), opened.ws.ready_state) == (b"", ReadyState.OPEN)


def test_half_a_surrogate_pair_is_no_chunk_of_text() -> None:
    """RFC 6455 §5.6."""
    opened = Opened()
    with pytest.raises(UnicodeEncodeError):
        opened.driver.run(lambda: opened.ws.send_fragments(["\ud800"], "text"))
    assert (opened.stream.take(), opened.ws.ready_state) == (b"", ReadyState.OPEN)
    with pytest.raises(UnicodeEncodeError):
        opened.driver.run(lambda: opened.ws.send_fragments(["a", "\ud800"], "text"))
    assert opened.stream.take() == b"\x01\x01a\x88\x02\x03\xf3"


def test_one_chunk_is_no_source_of_chunks_and_there_are_two_kinds() -> None:
    opened = Opened()
    with pytest.raises(TypeError, match=r"an iterable of chunks, not one of them \(str\)"):
        opened.driver.run(lambda: opened.ws.send_fragments("abc", "text"))
    with pytest.raises(TypeError, match=r"an iterable of chunks, not one of them \(bytes\)"):
        opened.driver.run(lambda: opened.ws.send_fragments(cast("list[bytes]", b"abc"), "binary"))
    with pytest.raises(ValueError, match="kind is 'text' or 'binary'"):
        opened.driver.run(lambda: opened.ws.send_fragments(["a"], cast("Literal['text']", "TEXT")))
    assert opened.stream.take() == b""


def test_chunks_for_a_connection_that_is_not_open_are_closed_unasked() -> None:
    opened = Opened()
    opened.ws.close()
    source = Source(opened, "never")
    with pytest.raises(ConnectionClosed):
        opened.driver.run(lambda: opened.ws.send_fragments(source, "text"))
    assert (source.asked, source.is_closed) == (0, True)


@pytest.mark.parametrize("how", ["reset", "half_close"])
def test_when_the_connection_is_lost_halfway_the_source_is_closed_even_while_it_waits(how: str) -> None:
    opened = Opened()
    source = Source(opened, "a")
    sending = opened.start(lambda: opened.ws.send_fragments(source, "text"))
    cast("Callable[[], None]", getattr(opened.stream, how))()
    assert (type(sending.error), source.is_closed) == (ConnectionLost, True)


def test_when_the_peer_closes_halfway_what_it_sent_before_stays_readable() -> None:
    opened = Opened()
    opened.peer.send("kept")
    source = Source(opened, "a")
    sending = opened.start(lambda: opened.ws.send_fragments(source, "text"))
    opened.stream.send(close_frame(4000))
    assert (type(sending.error), source.is_closed) == (ConnectionClosed, True)
    assert opened.driver.run(opened.ws.receive) == "kept"


def test_a_message_in_fragments_goes_on_when_the_handler_has_returned() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        client.driver.start(send, ws)
        while not events:
            await sleep(0)

    async def send(ws: WebSocket) -> None:
        event = client.driver.event()
        events.append(event)

        async def source() -> AsyncGenerator[str]:
            yield "a"
            await event.wait()
            yield "b"

        await ws.send_fragments(source(), "text")

    events = list[Event]()
    client = client_of(handler, close_on_return=True)
    peer = Peer(client)
    assert peer.first == b"\x01\x01a"
    events[0].set()
    client.driver.settle()
    assert peer.stream.take() == b"\x00\x01b\x80\x00\x88\x02\x03\xe8"


@pytest.mark.parametrize(("compress", "is_compressed"), [(None, True), (True, True), (False, False)])
def test_a_message_in_fragments_may_be_compressed(compress: bool | None, is_compressed: bool) -> None:
    """RFC 7692 §6.1: the first frame of the message alone says so."""
    sockets = list[WebSocket]()
    client = client_of(lambda ws, request: sockets.append(ws), compression=True)
    stream = client.connect()
    stream.send(UPGRADE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    stream.take()
    client.driver.run(lambda: sockets[0].send_fragments(["a" * 50, "b" * 50], "text", compress=compress))
    wire = stream.take()
    assert wire[0] == (0x41 if is_compressed else 0x01)
    if not is_compressed:
        assert wire == fragments(b"a" * 50, b"b" * 50)
        return
    frames = read_frames(wire)
    inflated = zlib.decompressobj(-15).decompress(b"".join(each.payload for each in frames) + b"\0\0\xff\xff")
    assert inflated == b"a" * 50 + b"b" * 50
    assert [each.opcode for each in frames] == [TEXT, *[CONTINUATION] * (len(frames) - 1)]
