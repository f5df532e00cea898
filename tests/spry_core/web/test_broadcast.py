"""Tests of `spry_core.web.broadcast`: one message to many, held up by none of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

import pytest

from frames import BINARY, TEXT, frame
from sockets import SAID, SMALL, Opened, Peer, close_frame, messages
from spry_core import (
    Application,
    CloseInfo,
    Deflate,
    Limits,
    Request,
    SendResult,
    WebSocket,
    broadcast,
)
from spry_core.testing import TestClient


def server_frame(opcode: int, payload: bytes) -> bytes:
    return frame(opcode, payload, mask=None)


@pytest.mark.parametrize(("data", "wire"), SAID, ids=repr)
def test_everybody_gets_it(data: str | bytes, wire: bytes) -> None:
    """RFC 6455 §5.6."""
    room = [Opened() for _ in range(3)]
    assert broadcast([each.ws for each in room], data) == []
    for each in room:
        each.driver.settle()
    assert [each.stream.take() for each in room] == [wire] * 3


def test_nobody_is_nobody() -> None:
    assert broadcast([], "x") == []


@pytest.mark.parametrize("data", [None, 5, ["a"]], ids=repr)
def test_what_is_no_message_is_sent_to_nobody(data: object) -> None:
    one = Opened()
    with pytest.raises(TypeError, match=f"^a message is str or bytes, not {type(data).__name__}$"):
        broadcast([one.ws], cast("str", data))
    with pytest.raises(UnicodeEncodeError):
        broadcast([one.ws], "\ud800")
    one.driver.settle()
    assert one.stream.take() == b""


def test_who_is_closing_or_closed_is_passed_over() -> None:
    closing, closed, there = Opened(), Opened(), Opened()
    closing.ws.close(4000)
    closed.stream.reset()
    closed.driver.settle()
    assert broadcast([closing.ws, closed.ws, there.ws], "x") == []
    for each in (closing, there):
        each.driver.settle()
    assert closing.stream.take() == close_frame(4000, mask=None)
    assert there.stream.take() == server_frame(TEXT, b"x")


def test_who_is_not_accepted_yet_is_passed_over() -> None:
    app, room, left = Application(), list[WebSocket](), list[list[WebSocket]]()

    @app.ws("/", accept="manual")
    async def late(ws: WebSocket, request: Request) -> None:
        room.append(ws)
        left.append(broadcast(room, "too early"))
        await ws.accept()
        await ws.closed

    client = TestClient(app)
    peer = Peer(client)
    left.append(broadcast(room, "in time"))
    client.driver.settle()
    assert (peer.texts(), left) == (["in time"], [[], []])


def test_who_is_too_slow_is_given_back_and_holds_up_nobody() -> None:
    slow, quick = Opened(limits=SMALL), Opened(limits=SMALL)
    slow.stream.is_reading = False
    while slow.ws.buffered_amount < 100:
        slow.ws.add(bytes(65_532))
        slow.driver.settle()
    unsent = slow.ws.buffered_amount
    assert broadcast([slow.ws, quick.ws], "x") == [slow.ws]
    quick.driver.settle()
    assert quick.stream.take() == server_frame(TEXT, b"x")
    assert slow.ws.buffered_amount == unsent


def test_above_the_mark_it_is_queued_all_the_same() -> None:
    """As by `send_nowait`, which tells that by `BACKPRESSURE`."""
    opened = Opened(limits=Limits(high_water=2, max_unsent=100))
    opened.stream.is_reading = False
    opened.ws.add(bytes(65_532))
    opened.driver.settle()
    assert opened.ws.add("abc") is SendResult.BACKPRESSURE
    assert broadcast([opened.ws], "x") == []
    assert opened.ws.buffered_amount == 5 + 3


def test_a_stream_that_lets_nothing_in_between_does_not_let_it_in() -> None:
    opened = Opened()

    async def endless() -> None:
        await opened.ws.add_stream(source())

    async def source() -> AsyncIterator[str]:
        yield "first"
        await opened.ws.closed

    opened.start_later(endless)
    opened.driver.settle()
    assert broadcast([opened.ws], "x") == [opened.ws]
    assert opened.peer.texts() == ["first"]


def test_who_leaves_meanwhile_may_be_taken_out_of_the_room() -> None:
    """`on_done` is called when the stream is gone, which may be found by sending on it."""
    room = set[WebSocket]()
    app, seen = Application(), list[CloseInfo]()

    @app.ws("/")
    def join(ws: WebSocket, request: Request) -> None:
        room.add(ws)

        def leave(info: CloseInfo) -> None:
            room.discard(ws)
            seen.append(info)

        ws.listen(lambda message: broadcast(room, message), on_done=leave)

    client = TestClient(app)
    peers = [Peer(client) for _ in range(3)]
    peers[0].stream.reset()
    client.driver.settle()
    peers[1].send("hello")
    assert [peer.texts() for peer in peers[1:]] == [["hello"], ["hello"]]
    assert (len(room), len(seen)) == (2, 1)


def test_what_comes_in_one_read_goes_out_to_each_in_one_piece() -> None:
    room = list[WebSocket]()
    app = Application()

    @app.ws("/")
    def join(ws: WebSocket, request: Request) -> None:
        room.append(ws)
        ws.listen(lambda message: broadcast(room, message))

    client = TestClient(app)
    peers = [Peer(client) for _ in range(2)]
    peers[0].stream.send(messages("a", b"b"))
    client.driver.settle()
    wire = server_frame(TEXT, b"a") + server_frame(BINARY, b"b")
    assert [peer.stream.take() for peer in peers] == [wire, wire]


def test_each_compresses_it_as_was_agreed() -> None:
    """RFC 7692 §7.1: a window belongs to one connection."""
    app, room = Application(), list[WebSocket]()

    @app.ws("/", compression=Deflate(threshold=0))
    async def join(ws: WebSocket, request: Request) -> None:
        room.append(ws)
        await ws.closed

    with TestClient(app) as client:
        with client.ws("/", extensions=("permessage-deflate",)) as squeezed, client.ws("/") as plain:
            for compress in (None, True, False):
                assert broadcast(room, "a" * 100, compress=compress) == []
            assert [squeezed.receive() for _ in range(3)] == ["a" * 100] * 3
            assert [plain.receive() for _ in range(3)] == ["a" * 100] * 3
