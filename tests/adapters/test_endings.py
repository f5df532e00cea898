"""A peer that ends, cuts, is silent or says nonsense in every state of the two tables, in every world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

import pytest

from adapters.memory_world import MemoryWorld
from adapters.scenarios import HEALTHY
from adapters.world import Peer, Served, World, answer, close, closing, request, say, shake
from frames import CONTINUATION, TEXT, frame
from spry_core import Application, Next, Outcome, Request, Timeouts, WebSocket
from spry_core.protocol.closing_handshake import State as WebSocketState
from spry_core.protocol.exchange import State as HttpState

pytestmark = pytest.mark.anyio

SHORT: Final = Timeouts(
    head=0.3,
    body=0.3,
    keep_alive=0.3,
    write=0.3,
    linger=0.02,
    close_timeout=0.3,
    ping_interval=0.2,
    ping_timeout=0.1,
)
"""Everything that is to end a silence; long enough for a busy machine to get as far as the state."""

HALF: Final = request("/", "Content-Length: 8", method="POST", content=b"half")
"""A request without the rest of its content."""

NONSENSE: Final = b"\x81\x05\x00\xff\r\n\x00 : nonsense HTTP/9.9\r\n\r\n" * 3
"""No request, and no frames either: a client's are masked (RFC 6455 §5.1)."""

MUCH: Final = "x" * 2_000_000

Step = Callable[[World, Served, Peer], Awaitable[None]]
"""Brings a connection into a state."""


# ------------------------------------------------------------------------------------------------------ the handlers


def build(world: World) -> Application:
    """Make an application whose handlers note when they are through, however."""
    app = world.app()

    async def held(request: Request) -> str:
        await world.held()
        return "held"

    async def streamed(request: Request) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"begun"
            await world.held()
            yield b"done"

        return pieces()

    async def watched(request: Request, next: Next) -> Outcome:
        try:
            return await next()
        finally:
            world.note("left")

    app.middleware.use(watched)
    app.get("/healthy", healthy)
    app.get("/held", held)
    app.post("/", read_all)
    app.post("/early", answer_early)
    app.post("/late", answer_late)
    app.get("/streamed", streamed)
    app.ws("/echo", echo)
    app.ws("/closing", close_it)
    app.ws("/pushing", push_much)
    return app


async def healthy(request: Request) -> str:
    return "as ever"


async def read_all(request: Request) -> bytes:
    return await request.read()


async def answer_early(request: Request) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"early"
        async for piece in request.body:
            yield piece

    return pieces()


async def answer_late(request: Request) -> str:
    return "late"


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def close_it(ws: WebSocket, request: Request) -> None:
    await ws.close(4000)


async def push_much(ws: WebSocket, request: Request) -> None:
    """Leave the Close frame behind much data."""
    ws.send_nowait(MUCH)
    await ws.closed


# -------------------------------------------------------------------------------------------------------- the states


async def be_fresh(world: World, server: Served, peer: Peer) -> None:
    await world.rest()


async def begin_a_head(world: World, server: Served, peer: Peer) -> None:
    await peer.send(b"GET /held HTTP/1.1\r\nHost: te")
    await world.rest()


async def begin_a_request(world: World, server: Served, peer: Peer) -> None:
    await peer.send(HALF)
    await world.rest()


async def wait_for_an_answer(world: World, server: Served, peer: Peer) -> None:
    await peer.send(request("/held"))
    await world.noted("held")


async def get_an_early_answer(world: World, server: Served, peer: Peer) -> None:
    await peer.send(HALF.replace(b" / ", b" /early "))
    assert (await peer.receive_until(b"early")).startswith(b"HTTP/1.1 200 OK\r\n")


async def get_a_part_of_an_answer(world: World, server: Served, peer: Peer) -> None:
    await peer.send(request("/streamed"))
    assert (await peer.receive_until(b"begun")).startswith(b"HTTP/1.1 200 OK\r\n")
    await world.noted("held")


async def get_an_answer_too_soon(world: World, server: Served, peer: Peer) -> None:
    await peer.send(HALF.replace(b" / ", b" /late "))
    assert (await peer.receive_until(b"late")).startswith(b"HTTP/1.1 200 OK\r\n")


async def get_an_answer(world: World, server: Served, peer: Peer) -> None:
    await peer.send(HEALTHY)
    assert await peer.receive_answer() == answer("200 OK", "as ever")


async def open_a_websocket(world: World, server: Served, peer: Peer, path: str = "/echo") -> None:
    await peer.send(shake(path=path))
    assert (await peer.receive_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")


async def begin_a_message(world: World, server: Served, peer: Peer) -> None:
    await open_a_websocket(world, server, peer)
    await peer.send(say("whole") + frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b")[:-1])
    await world.rest()


async def be_closed_by_the_server(world: World, server: Served, peer: Peer) -> None:
    await open_a_websocket(world, server, peer, "/closing")
    await peer.expect(closing(4000))


async def close_behind_much_data(world: World, server: Served, peer: Peer) -> None:
    await open_a_websocket(world, server, peer, "/pushing")
    await peer.send(close(1000))
    await world.rest()


async def close_and_stay(world: World, server: Served, peer: Peer) -> None:
    await open_a_websocket(world, server, peer)
    await peer.send(close(1000))
    await peer.expect(closing(1000))


HTTP: Final[dict[HttpState, tuple[Step, ...]]] = {
    HttpState.IDLE: (be_fresh, begin_a_head),
    HttpState.REQUEST: (begin_a_request,),
    HttpState.WAITING: (wait_for_an_answer,),
    HttpState.EARLY: (get_an_early_answer,),
    HttpState.ANSWER: (get_a_part_of_an_answer,),
    HttpState.LATE: (get_an_answer_too_soon,),
    HttpState.DONE: (get_an_answer,),
    HttpState.SWITCHED: (open_a_websocket,),
}

WEBSOCKET: Final[dict[WebSocketState, tuple[Step, ...]]] = {
    WebSocketState.OPEN: (open_a_websocket, begin_a_message),
    WebSocketState.CLOSE_SENT: (be_closed_by_the_server,),
    WebSocketState.CLOSE_RECEIVED: (close_behind_much_data,),
    WebSocketState.CLOSED: (close_and_stay,),
}

STEPS: Final = {
    f"{state.name}, {step.__name__}": step
    for table in (HTTP, WEBSOCKET)
    for state, steps in table.items()
    for step in steps
}

# ------------------------------------------------------------------------------------------------------- the endings


async def end(peer: Peer) -> None:
    peer.end()


async def cut(peer: Peer) -> None:
    peer.reset()


async def be_silent(peer: Peer) -> None:
    pass


async def talk_nonsense(peer: Peer) -> None:
    await peer.send(NONSENSE)


async def talk_nonsense_and_end(peer: Peer) -> None:
    await peer.send(NONSENSE)
    with suppress(OSError):
        peer.end()


ENDINGS: Final = (end, cut, be_silent, talk_nonsense, talk_nonsense_and_end)


def test_every_state_of_both_tables_is_there() -> None:
    assert set(HTTP) == set(HttpState)
    assert set(WEBSOCKET) == set(WebSocketState)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("name", STEPS)
async def test_whatever_a_peer_does_in_any_state_is_the_end_of_its_connection_alone(
    world: World, name: str, ending: Callable[[Peer], Awaitable[None]]
) -> None:
    """The peer sees an end, handlers are through, nothing is logged as an error, the next connection is served."""
    async with world.serving(build(world), timeouts=SHORT) as server:
        is_reading = "close_behind_much_data" not in name
        peer = await server.connected(is_reading=is_reading)
        await STEPS[name](world, server, peer)
        with suppress(ConnectionError):
            await ending(peer)
        await world.rest()
        world.let_go()
        if ending is not cut:
            with suppress(ConnectionError):
                while await peer.receive_some():
                    pass
            peer.close()
        entered = 0 if "be_fresh" in name or "begin_a_head" in name else 1
        await world.until(lambda: world.notes.count("left") == entered, "the end of the handler")
        other = await server.connected()
        await other.send(HEALTHY)
        assert await other.receive_answer() == answer("200 OK", "as ever")
        other.close()
        if isinstance(world, MemoryWorld):
            await world.rest()
            assert world.driver.tasks() == []
