"""The WebSocket of an application: receiving, sending, closing, and what it says of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from frames import BINARY, CLOSE_FRAME, TEXT, Frame, close_payload, frame
from sockets import Opened, Peer, client_of, close_frame
from spry_core import (
    Abort,
    Close,
    CloseInfo,
    ConnectionLost,
    Limits,
    ReadyState,
    Request,
    WebSocket,
    WebSocketClose,
)

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
