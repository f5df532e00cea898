"""Tests of `spry_core.web.sending`: messages go whole, one by one or in streams, with backpressure."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from sockets import Opened, close_frame
from spry_core import (
    BufferFull,
    ConnectionClosed,
    ConnectionLost,
    Limits,
    ReadyState,
    SendResult,
    WebSocket,
)
from spry_core.web.sending import Sendable

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
