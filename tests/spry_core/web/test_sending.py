"""Tests of `spry_core.web.sending`: messages go whole, one by one, with backpressure."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockets import SAID, UPGRADE, Opened, client_of, close_frame, stalled
from spry_core import (
    BufferFull,
    ConnectionClosed,
    ConnectionLost,
    Deflate,
    Limits,
    ReadyState,
    SendResult,
    WebSocket,
    WebSocketBusyError,
)
from spry_core.protocol import Connection
from spry_core.testing import MemoryPeer, TestClient
from spry_core.testing.task import MemoryTask
from spry_core.web.sending import BytesLike, Sendable


@pytest.mark.parametrize(("data", "wire"), SAID, ids=repr)
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


def test_a_stream_that_begins_while_others_have_their_turn_comes_first() -> None:
    """Every 32nd message lets others run before it goes out."""
    opened = Opened()
    begin = opened.driver.event()

    async def source() -> AsyncGenerator[str]:
        yield "of the stream"
        await opened.driver.event().wait()

    async def send_many() -> None:
        for n in range(32):
            if n == 31:
                begin.set()
            await opened.ws.send(str(n))

    async def stream() -> int:
        await begin.wait()
        return await opened.ws.add_stream(source())

    streaming = opened.start(stream)
    sending = opened.start(send_many)
    assert type(sending.error) is WebSocketBusyError
    assert opened.peer.texts() == [*(str(n) for n in range(31)), "of the stream"]
    streaming.cancel()


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


# Text, binary, JSON


@pytest.mark.parametrize(
    "data", ["hé", b"h\xc3\xa9", bytearray(b"h\xc3\xa9"), memoryview(b"h\xc3\xa9")], ids=repr
)
def test_text_is_str_or_bytes_that_are_its_utf_8(data: str | BytesLike) -> None:
    """RFC 6455 §5.6."""
    opened = Opened()
    opened.driver.run(opened.ws.send_text, data)
    assert opened.stream.take() == b"\x81\x03h\xc3\xa9"


@pytest.mark.parametrize("data", [b"\xff", b"\xed\xa0\x80", b"\xc3", b"\xc0\x80"], ids=repr)
def test_bytes_that_are_no_utf_8_are_no_text(data: bytes) -> None:
    """RFC 6455 §8.1: the peer would have to fail the connection."""
    opened = Opened()
    with pytest.raises(UnicodeDecodeError):
        opened.driver.run(opened.ws.send_text, data)
    assert (opened.stream.take(), opened.ws.ready_state) == (b"", ReadyState.OPEN)


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), memoryview(b"ab")], ids=repr)
def test_binary_is_bytes_like(data: BytesLike) -> None:
    opened = Opened()
    opened.driver.run(opened.ws.send_bytes, data)
    assert opened.stream.take() == b"\x82\x02ab"


def test_text_is_no_binary_message_and_a_number_is_neither() -> None:
    opened = Opened()
    with pytest.raises(TypeError, match="a binary message is bytes, not str"):
        opened.driver.run(opened.ws.send_bytes, cast("bytes", "text"))
    with pytest.raises(TypeError, match="a text message is str or bytes of UTF-8, not int"):
        opened.driver.run(opened.ws.send_text, cast("str", 5))
    assert opened.stream.take() == b""


def test_json_is_a_text_message() -> None:
    """RFC 8259."""
    opened = Opened()
    opened.driver.run(opened.ws.send_json, {"é": [1, None]})
    assert opened.peer.texts() == ['{"é":[1,null]}']


@pytest.mark.parametrize("value", [float("nan"), {1}], ids=repr)
def test_what_json_cannot_say_is_refused_before_any_effect(value: object) -> None:
    opened = Opened()
    with pytest.raises((TypeError, ValueError)):
        opened.driver.run(opened.ws.send_json, value)
    assert (opened.stream.take(), opened.ws.ready_state) == (b"", ReadyState.OPEN)


# Compression


def compressed(threshold: int) -> tuple[WebSocket, TestClient, MemoryPeer]:
    """Return a WebSocket that compresses messages of `threshold` bytes or more."""
    sockets = list[WebSocket]()
    deflate = Deflate(threshold=threshold, server_no_context_takeover=True)
    client = client_of(lambda ws, request: sockets.append(ws), compression=deflate)
    stream = client.connect()
    stream.send(UPGRADE[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
    stream.take()
    return sockets[0], client, stream


HELLO = bytes.fromhex("c107f248cdc9c90700")
"""RFC 7692 §7.2.3.1."""


@pytest.mark.parametrize(
    ("threshold", "compress", "wire"),
    [
        (5, None, HELLO),
        (6, None, b"\x81\x05Hello"),
        (6, True, HELLO),
        (0, False, b"\x81\x05Hello"),
    ],
)
def test_a_message_may_be_compressed_or_not_whatever_its_size(
    threshold: int, compress: bool | None, wire: bytes
) -> None:
    """RFC 7692 §6."""
    ws, client, stream = compressed(threshold)
    client.driver.run(lambda: ws.send("Hello", compress=compress))
    assert stream.take() == wire
    client.driver.run(lambda: ws.send_text(b"Hello", compress=compress))
    assert stream.take() == wire
    client.driver.run(lambda: ws.send_bytes(b"Hello", compress=compress))
    assert stream.take() == bytes([wire[0] + 1]) + wire[1:]
    assert ws.send_nowait("Hello", compress=compress) is SendResult.OK
    client.driver.settle()
    assert stream.take() == wire
    client.driver.run(lambda: ws.send_json([5555], compress=compress))
    assert stream.take()[0] == (0xC1 if compress or (compress is None and threshold <= 6) else 0x81)


def test_without_an_agreement_nothing_is_compressed() -> None:
    """RFC 7692 §5."""
    opened = Opened(compression=True)
    opened.driver.run(lambda: opened.ws.send("Hello", compress=True))
    assert opened.stream.take() == b"\x81\x05Hello"


# Waiting for room


def test_it_is_drained_when_the_unsent_bytes_are_under_the_mark() -> None:
    opened = stalled()
    assert opened.driver.run(opened.ws.drained) is None
    assert opened.ws.add("12345678") is SendResult.OK
    assert opened.driver.run(opened.ws.drained) is None
    assert opened.ws.add("") is SendResult.BACKPRESSURE
    draining = [opened.start(opened.ws.drained) for _ in range(2)]
    assert [each.is_waiting for each in draining] == [True, True]
    opened.stream.is_reading = True
    assert [each.results for each in draining] == [[None], [None]]


def test_cancelling_who_waits_for_room_changes_nothing() -> None:
    opened = stalled()
    opened.ws.add(bytes(20))
    opened.start(opened.ws.drained).cancel()
    waiting = opened.start(opened.ws.drained)
    opened.stream.is_reading = True
    assert waiting.results == [None]


@pytest.mark.parametrize("how", ["reset", "half_close"])
def test_who_waits_for_room_when_the_connection_is_lost_gets_an_error(how: str) -> None:
    opened = stalled()
    opened.ws.add(bytes(20))
    draining = opened.start(opened.ws.drained)
    cast("Callable[[], None]", getattr(opened.stream, how))()
    assert isinstance(draining.error, ConnectionLost)


def test_there_is_no_room_in_a_connection_that_closes() -> None:
    opened = stalled()
    opened.ws.add(bytes(20))
    draining = opened.start(opened.ws.drained)
    opened.ws.close()
    with pytest.raises(ConnectionClosed):
        opened.driver.run(opened.ws.drained)
    opened.stream.is_reading = True
    assert type(draining.error) is ConnectionClosed


# What goes between messages, and what does not


def test_control_frames_go_between_messages_and_into_the_same_bounds() -> None:
    """RFC 6455 §5.4."""
    opened = stalled()
    opened.ws.add(bytes(94))
    opened.ws.pong()
    assert opened.ws.buffered_amount == 98
    opened.ws.pong()
    with pytest.raises(BufferFull):
        opened.ws.pong()
    opened.ws.close()
    with pytest.raises(ConnectionClosed):
        opened.ws.pong()
    opened.stream.is_reading = True
    assert opened.stream.take()[-8:] == b"\x8a\x00\x8a\x00\x88\x02\x03\xe8"


def test_nobody_sends_a_message_while_a_stream_holds_the_right_to() -> None:
    opened = Opened()

    async def source() -> AsyncGenerator[str]:
        yield "one"
        with pytest.raises(WebSocketBusyError, match="a stream is being sent on this WebSocket"):
            await opened.ws.send("between")
        with pytest.raises(WebSocketBusyError, match="a stream is being sent on this WebSocket"):
            opened.ws.send_nowait("between")
        await opened.ws.drained()
        yield "two"

    assert opened.driver.run(lambda: opened.ws.add_stream(source())) == 2
    assert opened.peer.texts() == ["one", "two"]


# Many senders


@dataclass(frozen=True)
class Start:
    """Another task begins to send messages of this size."""

    count: int
    size: int


@dataclass(frozen=True)
class Cancel:
    """One of the tasks is cancelled."""

    which: int


@dataclass(frozen=True)
class Read:
    """The peer reads on, or stops."""

    is_reading: bool


@dataclass(frozen=True)
class Settle:
    """Everybody runs until nobody can."""


steps = st.lists(
    st.builds(Start, count=st.integers(1, 40), size=st.integers(0, 30_000))
    | st.builds(Cancel, which=st.integers(0, 5))
    | st.builds(Read, is_reading=st.booleans())
    | st.builds(Settle),
    min_size=1,
    max_size=15,
)


@settings(max_examples=60, deadline=None)
@given(program=steps)
def test_what_the_peer_reads_are_the_whole_messages_that_reached_the_connection_in_that_order(
    program: list[Start | Cancel | Read | Settle],
) -> None:
    """Whoever is cancelled, and whenever: a message went out whole, or not at all."""
    opened = Opened(limits=Limits(high_water=1000))
    accepted, returned, tasks = list[str](), list[str](), list[MemoryTask]()
    really_send = Connection.send_message

    def note_and_send(connection: Connection, data: str | bytes, compress: bool | None, now: float) -> None:
        really_send(connection, data, compress, now)
        accepted.append(str(data))

    async def send(name: int, count: int, size: int) -> None:
        for n in range(count):
            text = f"{name}.{n}." + "x" * size
            await opened.ws.send(text)
            returned.append(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "send_message", note_and_send)
        for step in program:
            match step:
                case Start():
                    tasks.append(opened.driver.start(send, len(tasks), step.count, step.size))
                case Cancel() if tasks:
                    tasks[step.which % len(tasks)].cancel()
                case Cancel():
                    pass
                case Read():
                    opened.stream.is_reading = step.is_reading
                case Settle():
                    opened.driver.settle()
        opened.stream.is_reading = True
        opened.driver.settle()
    assert opened.peer.texts() == accepted
    for name in range(len(tasks)):
        mine, done = (
            [text for text in texts if text.startswith(f"{name}.")] for texts in (accepted, returned)
        )
        assert [text.split(".")[1] for text in mine] == [str(n) for n in range(len(mine))]
        assert done == mine[: len(done)]
        assert len(mine) - len(done) <= 1  # the one that was waiting for room when it was cancelled
