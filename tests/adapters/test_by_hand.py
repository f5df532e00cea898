"""What a handler does by its own hand, in every world: accepting, fragments, Pings (semantics, sections 2, 3 and 5)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest

from adapters.world import World, answer, close, closing, said, server_frame, shake
from frames import CONTINUATION, PING, PONG, TEXT, frame
from handshakes import SWITCHED
from spry_core import Abort, ConnectionClosed, ConnectionLost, Request, Timeouts, WebSocket, sleep

pytestmark = pytest.mark.anyio


# ------------------------------------------------------------------------------------------------------- accepting


async def test_a_handler_gets_its_websocket_before_the_101_and_accepts_it(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await world.held(ws.ready_state.name)
        await ws.accept(headers={"x-room": "hall"})
        world.note(ws.ready_state.name)
        await ws.send("welcome")

    app = world.app()
    app.ws("/", handler, accept="manual")
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake())
        await world.noted("CONNECTING")
        world.let_go()
        await peer.expect(SWITCHED[:-2], b"X-Room: hall\r\n\r\n", said("welcome"))
        await peer.send(close(1000))
        assert await peer.receive_all() == closing(1000)
        peer.close()
        assert (await world.end()).clean
    assert world.notes == ["CONNECTING", "OPEN"]


async def test_or_it_returns_or_raises_another_answer_and_the_connection_goes_on(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> str:
        if request.query.get("who") is None:
            raise Abort(401, "who are you?")
        return "full"

    app = world.app()
    app.ws("/", handler, accept="manual")
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake())
        assert await peer.receive_answer() == answer("401 Unauthorized", "who are you?")
        await peer.send(shake(path="/?who=me"))
        assert (await peer.receive_answer()).endswith(b"\r\n\r\nfull")


async def test_a_handler_that_does_neither_in_time_is_cancelled_and_the_answer_is_a_503(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await sleep(60.0)
        finally:
            world.note("over")

    app = world.app()
    app.ws("/", handler, accept="manual")
    async with world.serving(app, timeouts=Timeouts(opening=0.05)) as server:
        peer = await server.connected()
        await peer.send(shake())
        assert (await peer.receive_all()).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        await world.noted("over")


async def test_the_end_cancels_a_handler_that_has_accepted_if_the_route_says_so(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.accept()
        try:
            await world.held("accepted")
        finally:
            world.note("cancelled")

    app = world.app()
    app.ws("/", handler, accept="manual", on_disconnect="cancel")
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake())
        await peer.expect(SWITCHED)
        await world.noted("accepted")
        peer.reset()
        await world.noted("cancelled")
        assert (await world.end()).close_code == 1006


# ------------------------------------------------------------------------------------------------------- fragments


async def test_a_message_in_fragments_lets_control_frames_pass_and_nothing_else(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        async def chunks() -> AsyncGenerator[str]:
            yield "one"
            await world.held()
            yield "two"

        await ws.send_fragments(chunks(), "text")
        await ws.send("behind")

    async with world.opened(handler) as peer, world.at_once():
        await peer.expect(server_frame(TEXT, b"one", fin=False))
        await world.noted("held")
        await peer.send(frame(PING, b"?"))
        await peer.expect(server_frame(PONG, b"?"))
        world.let_go()
        await peer.expect(
            server_frame(CONTINUATION, b"two", fin=False), server_frame(CONTINUATION, b""), said("behind")
        )


async def test_one_that_breaks_off_halfway_closes_the_connection(world: World) -> None:
    """RFC 6455 §7.4.1, 1011."""

    async def handler(ws: WebSocket, request: Request) -> None:
        async def chunks() -> AsyncGenerator[str]:
            yield "one"
            raise LookupError("of the source")

        try:
            await ws.send_fragments(chunks(), "text")
        except LookupError:
            world.note("failed")

    async with world.opened(handler) as peer, world.at_once():
        await peer.expect(server_frame(TEXT, b"one", fin=False))
        assert await peer.receive(4) == closing(1011)
        await peer.send(close(1011))
        assert await peer.receive_all() == b""
        peer.close()
        assert repr((await world.end()).cause) == "LookupError('of the source')"


# ------------------------------------------------------------------------------------------------------------ pings


async def test_a_ping_is_answered_by_its_pong_or_a_later_one_and_ends_with_the_connection(
    world: World,
) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        assert await ws.ping(b"one") >= 0.0
        assert ws.latency is not None
        world.note("answered")
        try:
            await ws.ping(b"two")
        except ConnectionClosed as error:
            world.note(type(error).__name__)

    async with world.opened(handler) as peer, world.at_once():
        await peer.expect(server_frame(PING, b"one"))
        await peer.send(frame(PONG, b"unasked") + frame(PONG, b"one"))
        await peer.expect(server_frame(PING, b"two"))
        peer.reset()
        await world.noted("answered", ConnectionLost.__name__)


async def test_an_interval_that_is_set_takes_effect_from_then(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await world.held()
        ws.ping_interval = 0.02
        await ws.closed

    async with world.opened(handler, ping_interval=3600.0) as peer:
        await world.noted("held")
        world.let_go()
        assert (await peer.receive(6))[:2] == bytes((0x80 | PING, 4))
