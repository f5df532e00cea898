"""The WebSocket of an application: receiving, sending, closing, and what it says of itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import cast

import pytest

from frames import BINARY, CLOSE_FRAME, PING, PONG, TEXT, Frame, close_payload, frame, read_frames
from sockets import (
    SWITCH,
    UPGRADE,
    Opened,
    Peer,
    Running,
    client_of,
    close_frame,
    stalled,
)
from spry_core import (
    Abort,
    BufferFull,
    Close,
    CloseInfo,
    ConnectionClosed,
    ConnectionLost,
    ReadyState,
    Request,
    WebSocket,
    WebSocketClose,
    WebSocketStateError,
    sleep,
)
from spry_core.testing import MemoryPeer, TestClient
from spry_core.web.upgrade import WebSocketHandler

# Before it is accepted


def opened_by_hand(handler: WebSocketHandler) -> tuple[TestClient, MemoryPeer]:
    """Send an opening handshake to a route that accepts by hand."""
    client = client_of(handler, accept="manual")
    stream = client.connect()
    stream.send(UPGRADE)
    return client, stream


def test_a_handler_may_look_before_it_accepts() -> None:
    seen = list[object]()

    async def handler(ws: WebSocket, request: Request) -> None:
        seen.extend((ws.ready_state, bool(ws.closed), ws.request is request, ws.locals is request.locals))
        seen.extend((ws.peer, ws.protocol, ws.extensions, ws.buffered_amount, ws.latency))
        seen.extend((ws.close_info, ws.close_code, ws.close_reason))
        await sleep(1.0)
        await ws.accept()
        seen.append(ws.ready_state)
        await ws.send("hello")

    client, stream = opened_by_hand(handler)
    assert stream.take() == b""
    assert seen == [0, False, True, True, "127.0.0.1:50000", None, (), 0, None, None, None, None]
    client.advance(1.0)
    assert stream.take() == SWITCH + b"\x81\x05hello"
    assert seen[-1] is ReadyState.OPEN


@pytest.mark.parametrize(
    "name", ["send", "receive", "send_nowait", "listen", "close", "abort", "ping", "pong", "drained"]
)
def test_nothing_else_can_be_done_before_it_is_accepted(name: str) -> None:
    raised = list[str]()
    arguments: Mapping[str, tuple[object, ...]] = {"send": ("x",), "send_nowait": ("x",), "listen": (print,)}

    async def handler(ws: WebSocket, request: Request) -> str:
        try:
            result = getattr(ws, name)(*arguments.get(name, ()))
            await result
        except WebSocketStateError as error:
            raised.append(str(error))
        return "no"

    _, stream = opened_by_hand(handler)
    assert stream.take().startswith(b"HTTP/1.1 200 OK\r\n")
    (text,) = raised
    assert "`await ws.accept()` comes first" in text
    assert ("to refuse it, return or raise an answer" in text) is (name in ("close", "abort"))


def test_nor_its_end_awaited_a_block_begun_or_keepalive_changed() -> None:
    raised = list[bool]()

    async def handler(ws: WebSocket, request: Request) -> str:
        for attempt in (wait, enter, look, change):
            with pytest.raises(WebSocketStateError, match="is not accepted"):
                await attempt(ws)
            raised.append(True)
        return "no"

    async def wait(ws: WebSocket) -> None:
        await ws.closed

    async def enter(ws: WebSocket) -> None:
        async with ws:
            raise AssertionError("not reached")

    async def look(ws: WebSocket) -> None:
        raise AssertionError(ws.ping_interval)

    async def change(ws: WebSocket) -> None:
        ws.ping_interval = 1.0

    _, stream = opened_by_hand(handler)
    assert (stream.take()[:15], raised) == (b"HTTP/1.1 200 OK", [True] * 4)


def test_what_was_refused_is_closed() -> None:
    """As `readyState` in browsers, where a connection could not be made."""
    sockets = list[WebSocket]()

    def handler(ws: WebSocket, request: Request) -> str:
        sockets.append(ws)
        return "no"

    _, stream = opened_by_hand(handler)
    (ws,) = sockets
    assert stream.take().startswith(b"HTTP/1.1 200 OK\r\n")
    assert (ws.ready_state, bool(ws.closed), ws.close_info) == (ReadyState.CLOSED, True, None)


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


def test_closing_is_safe_in_a_callback_that_waits_for_the_end() -> None:
    opened = Opened()
    ends = list[CloseInfo]()

    async def on_message(message: str | bytes) -> None:
        assert message == "one"
        ends.append(await opened.ws.close(4000))

    opened.ws.listen(on_message)
    opened.peer.send("one", "dropped")
    opened.stream.send(close_frame(4000))
    assert [(info.clean, info.close_code) for info in ends] == [(True, 4000)]


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


# Pings


def only_ping(opened: Opened) -> bytes:
    """Return the payload of the one frame that has come, a Ping."""
    (ping,) = opened.peer.frames()
    assert ping.opcode == PING
    return ping.payload


def test_a_ping_takes_as_long_as_its_pong_does() -> None:
    """RFC 6455 §5.5.2, §5.5.3."""
    opened = Opened(ping_interval=None)
    pinging = opened.start(opened.ws.ping, b"mine")
    assert opened.stream.take() == b"\x89\x04mine"
    opened.client.advance(0.25)
    assert pinging.is_waiting
    opened.stream.send(frame(PONG, b"mine"))
    assert (pinging.result, opened.ws.latency) == (0.25, 0.25)


def test_a_ping_without_a_payload_has_one_that_no_other_has() -> None:
    opened = Opened()
    first = opened.start(opened.ws.ping)
    payload = only_ping(opened)
    second = opened.start(opened.ws.ping)
    other = only_ping(opened)
    assert (len(payload), len(other), payload != other) == (8, 8, True)
    opened.stream.send(frame(PONG, payload))
    assert (first.result, second.is_waiting) == (0.0, True)
    opened.stream.send(frame(PONG, other))
    assert second.result == 0.0


def test_a_pong_answers_earlier_pings_too_and_no_later_one() -> None:
    """RFC 6455 §5.5.3."""
    opened = Opened(ping_interval=None)
    pings = list[Running[float]]()
    for payload in (b"1", bytearray(b"2"), memoryview(b"3")):
        pings.append(opened.start(opened.ws.ping, payload))
        opened.client.advance(1.0)
    opened.stream.send(frame(PONG, b"unasked") + frame(PONG, b"2"))
    assert [each.results for each in pings] == [[3.0], [2.0], []]
    opened.stream.send(frame(PONG, b"3"))
    assert pings[2].result == 1.0


def test_the_pong_to_keepalive_answers_earlier_pings_too() -> None:
    """RFC 6455 §5.5.3: a peer may answer the most recent Ping only."""
    opened = Opened(ping_interval=5.0)
    opened.client.advance(1.0)
    pinging = opened.start(opened.ws.ping, b"mine")
    opened.client.advance(4.0)
    _, keepalive = opened.peer.frames()
    assert pinging.is_waiting
    opened.stream.send(frame(PONG, keepalive.payload))
    assert (pinging.result, opened.ws.latency) == (4.0, 0.0)


@pytest.mark.parametrize("payload", ["text", 5, [1]], ids=repr)
def test_what_a_control_frame_carries_is_bytes(payload: object) -> None:
    opened = Opened()
    wrong = cast("bytes", payload)
    what = f"the payload of a Ping or Pong is bytes, not {type(payload).__name__}"
    with pytest.raises(TypeError, match=what):
        opened.driver.run(opened.ws.ping, wrong)
    with pytest.raises(TypeError, match=what):
        opened.ws.pong(wrong)
    assert opened.stream.take() == b""


def test_a_control_frame_carries_at_most_125_bytes() -> None:
    """RFC 6455 §5.5."""
    opened = Opened()
    for size in (124, 125):
        opened.ws.pong(bytes(size))
        opened.driver.settle()
        assert opened.peer.frames() == [Frame(PONG, bytes(size))]
        opened.start(opened.ws.ping, bytes(size))
        assert opened.peer.frames() == [Frame(PING, bytes(size))]
    with pytest.raises(ValueError, match="at most 125 bytes"):
        opened.ws.pong(bytes(126))
    with pytest.raises(ValueError, match="at most 125 bytes"):
        opened.driver.run(opened.ws.ping, bytes(126))
    assert opened.stream.take() == b""


def test_a_payload_is_in_flight_once() -> None:
    opened = Opened()
    first = opened.start(opened.ws.ping, b"")
    with pytest.raises(ValueError, match="a Ping with this payload is in flight already"):
        opened.driver.run(opened.ws.ping, b"")
    assert opened.stream.take() == b"\x89\x00"
    opened.stream.send(frame(PONG))
    assert first.result == 0.0
    again = opened.start(opened.ws.ping, b"")
    opened.stream.send(frame(PONG))
    assert again.result == 0.0


def test_a_cancelled_ping_is_forgotten() -> None:
    opened = Opened(ping_interval=None)
    opened.start(opened.ws.ping, b"mine").cancel()
    opened.client.advance(1.0)
    again = opened.start(opened.ws.ping, b"mine")
    opened.client.advance(1.0)
    opened.stream.send(frame(PONG, b"mine"))
    assert again.result == 1.0


@pytest.mark.parametrize("how", ["reset", "half_close"])
def test_a_ping_that_waits_when_the_connection_is_lost_raises(how: str) -> None:
    opened = Opened()
    pinging = opened.start(opened.ws.ping)
    cast("Callable[[], None]", getattr(opened.stream, how))()
    assert isinstance(pinging.error, ConnectionLost)


def test_a_ping_waits_on_while_we_close_and_no_new_one_is_sent() -> None:
    """RFC 6455 §5.5.1: the peer answers until it closes too."""
    opened = Opened()
    answered, unanswered = opened.start(opened.ws.ping, b"1"), opened.start(opened.ws.ping, b"2")
    opened.ws.close()
    with pytest.raises(ConnectionClosed):
        opened.driver.run(opened.ws.ping)
    with pytest.raises(ConnectionClosed):
        opened.ws.pong()
    opened.stream.send(frame(PONG, b"1"))
    assert (answered.result, unanswered.is_waiting) == (0.0, True)
    opened.stream.send(close_frame(1000))
    assert type(unanswered.error) is ConnectionClosed


def test_a_pong_that_nobody_asked_for_goes_out_at_once() -> None:
    """RFC 6455 §5.5.3."""
    opened = Opened()
    opened.ws.pong()
    opened.ws.pong(memoryview(b"alive"))
    opened.driver.settle()
    assert opened.stream.take() == b"\x8a\x00\x8a\x05alive"


def test_a_peer_that_does_not_read_is_not_pinged_without_end() -> None:
    opened = stalled()
    opened.ws.add(bytes(98))
    with pytest.raises(BufferFull, match="100 bytes are unsent already"):
        opened.ws.pong()
    with pytest.raises(BufferFull, match="100 bytes are unsent already"):
        opened.driver.run(opened.ws.ping, b"x")
    assert opened.ws.buffered_amount == 100
    opened.stream.is_reading = True
    pinging = opened.start(opened.ws.ping, b"x")  # what was refused is not in flight
    opened.stream.send(frame(PONG, b"x"))
    assert pinging.result == 0.0


def test_latency_is_known_from_keepalive_alone() -> None:
    opened = Opened(ping_interval=5.0)
    assert opened.ws.latency is None
    opened.client.advance(5.0)
    payload = only_ping(opened)
    opened.client.advance(0.5)
    opened.stream.send(frame(PONG, payload))
    assert opened.ws.latency == 0.5


def test_the_interval_of_keepalive_may_be_changed_and_counts_from_then() -> None:
    opened = Opened(ping_interval=20.0)
    assert opened.ws.ping_interval == 20.0
    opened.client.advance(19.0)
    opened.ws.ping_interval = 3.0
    opened.client.advance(2.9)
    assert (opened.ws.ping_interval, opened.stream.take()) == (3.0, b"")
    opened.client.advance(0.1)
    opened.stream.send(frame(PONG, only_ping(opened)))
    opened.ws.ping_interval = None
    opened.client.advance(600.0)
    assert (opened.ws.ping_interval, opened.stream.take()) == (None, b"")
    opened.ws.ping_interval = 1.0
    opened.client.advance(1.0)
    assert len(only_ping(opened)) == 4


def test_an_interval_is_not_negative() -> None:
    opened = Opened(ping_interval=20.0)
    with pytest.raises(ValueError, match="ping_interval is negative: -1"):
        opened.ws.ping_interval = -1.0
    assert opened.ws.ping_interval == 20.0
    opened.client.advance(20.0)
    assert len(only_ping(opened)) == 4


def test_an_interval_for_a_connection_that_has_ended_does_no_harm() -> None:
    opened = Opened()
    opened.stream.reset()
    opened.ws.ping_interval = 1.0
    opened.client.advance(60.0)
    assert (opened.ws.close_code, opened.client.server.session_count) == (1006, 0)


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


def test_a_scope_of_the_connection_runs_tasks() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(ws.send, "from a task")

    peer = Peer(client_of(handler))
    assert read_frames(peer.first) + peer.frames() == [Frame(TEXT, b"from a task")]
