"""Every call that can wait is a cancellation point, in every world, though what it would wait for is there already.

Those that send, and that likewise are done at once where there is room, are in `test_sending.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import pytest

from adapters.world import World, answer, close, closing, request, said, say
from spry_core import ConnectionClosed, Request, WebSocket, scope, sleep

pytestmark = pytest.mark.anyio


async def cancelled(world: World, operate: Callable[[], Awaitable[object]]) -> None:
    """Do it in a block that is cancelled."""
    async with scope() as block:
        block.cancel()
        await operate()
        world.note("not cancelled")


OPEN: Final[dict[str, Callable[[WebSocket], Awaitable[object]]]] = {
    "receive": lambda ws: ws.receive(),
    "receive_text": lambda ws: ws.receive_text(),
    "receive_json": lambda ws: ws.receive_json(),
    "iteration": lambda ws: ws.__anext__(),
    "drained": lambda ws: ws.drained(),
    "sleep": lambda ws: sleep(0),
}


@pytest.mark.parametrize("name", OPEN)
async def test_on_a_websocket_that_is_open(world: World, name: str) -> None:
    """The message that is there stays there."""

    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        await cancelled(world, lambda: OPEN[name](ws))
        await ws.send(await ws.receive())

    async with world.opened(handler) as peer, world.at_once():
        await peer.send(say("go", '"kept"'))
        await peer.expect(said('"kept"'))
    assert world.notes == []


CLOSED: Final[dict[str, Callable[[WebSocket], Awaitable[object]]]] = {
    "closed": lambda ws: ws.closed,
    "close": lambda ws: ws.close(),
}


@pytest.mark.parametrize("name", CLOSED)
async def test_on_a_websocket_that_is_closed(world: World, name: str) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.closed
        await cancelled(world, lambda: CLOSED[name](ws))
        world.note("through")

    async with world.opened(handler) as peer, world.at_once():
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.noted("through")
    assert world.notes == ["through"]


AFTER: Final[dict[str, Callable[[WebSocket], Awaitable[object]]]] = {
    **CLOSED,
    "receive": lambda ws: ws.receive(),
    "send": lambda ws: ws.send("too late"),
    "ping": lambda ws: ws.ping(),
    "drained": lambda ws: ws.drained(),
}


@pytest.mark.parametrize("name", AFTER)
async def test_who_tries_again_and_again_after_the_end_lets_others_run(world: World, name: str) -> None:
    """Without that one handler's mistake would stop everybody on its loop."""

    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.closed

        async def other() -> None:
            world.note("another task has run")

        async with scope() as tasks:
            tasks.start_soon(other)
            for _ in range(1000):
                if world.notes:
                    break
                with suppress(ConnectionClosed):
                    await AFTER[name](ws)
            world.note("tried")

    async with world.opened(handler) as peer, world.at_once():
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.noted("tried")
    assert world.notes == ["another task has run", "tried"]


async def iterate(request: Request) -> str:
    return b"".join([piece async for piece in request.body]).decode()


READ: Final[dict[str, tuple[Callable[[Request], Awaitable[object]], Callable[[Request], Awaitable[str]]]]] = {
    "read": (lambda request: request.read(), Request.text),
    "text": (lambda request: request.text(), Request.text),
    "json": (lambda request: request.json(), Request.text),
    "iteration": (lambda request: request.body.__anext__(), iterate),
}
"""What is cancelled, and what has the content then."""


@pytest.mark.parametrize("name", READ)
async def test_on_a_request_whose_content_has_come(world: World, name: str) -> None:
    """The content stays there too."""
    app, (operate, have) = world.app(), READ[name]

    @app.post("/")
    async def handler(request: Request) -> str:
        await sleep(0)
        await cancelled(world, lambda: operate(request))
        return await have(request)

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/", "Content-Length: 2", method="POST", content=b"17"))
        assert await peer.receive_answer() == answer("200 OK", "17")
        peer.close()
    assert world.notes == []
