"""A fault at the k-th wait of everything a connection may be in the middle of, for all k, in every world."""

from __future__ import annotations

import asyncio
import errno
import logging
from collections.abc import AsyncGenerator
from typing import Final

import anyio
import pytest
import trio

from adapters.faults import KINDS, Countdown, Fault, Injected, Kind, counting
from adapters.leaks import nothing_left
from adapters.memory_world import MemoryWorld
from adapters.peer import PATIENCE, connect
from adapters.scenarios import BRIEF, HEALTHY, SCENARIOS, Scenario, hold
from adapters.serving import serving
from adapters.world import Served, World, answer, close, closing, request, say
from spry_core import Application, Request, Timeouts, WebSocket, sleep
from spry_core.testing.task import Cancelled

pytestmark = pytest.mark.anyio

EXPECTED: Final = (Injected, asyncio.CancelledError, trio.Cancelled, Cancelled)
"""The errors that the log may tell of."""
SHORT: Final = Timeouts(linger=0.01, close_timeout=0.05, keep_alive=0.2, write=0.2)
MOST: Final = 40
"""Steps beyond which a scenario is no conversation any more."""

MOST_STEPS: Final = 60
"""The same for the steps of a loop."""


async def healthy(request: Request) -> str:
    return "as ever"


async def see_it_serve(server: Served) -> None:
    """See that the next connection is answered."""
    peer = await server.connected()
    await peer.send(HEALTHY)
    assert await peer.receive_answer() == answer("200 OK", "as ever")
    peer.close()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_fault_at_any_wait_ends_one_connection_and_nothing_else(
    world: World, name: str, kind: Kind
) -> None:
    """The peer sees an end, nothing is left, the next connection is served, and the log tells of nothing but the fault."""
    fault, app, scenario = Fault(world.changed), world.app(), SCENARIOS[name]
    app.get("/healthy", healthy)
    scenario.build(app, fault.of)
    with fault.in_tasks():
        async with world.serving(app, timeouts=SHORT) as server:
            at, steps = 0, 1
            while at <= steps and at < MOST:
                fault.arm(kind, at)
                await hold(world, await server.connected(is_reading=scenario.is_reading), scenario.says)
                await world.until(lambda: fault.running == 0, "the end of every task")
                steps = max(steps, fault.steps) if at else fault.steps
                fault.arm(kind, 0)
                await see_it_serve(server)
                for error in server.take_errors():
                    assert isinstance(error, EXPECTED), (at, error)
                at += 1
        assert at > 1
        if isinstance(world, MemoryWorld):
            assert world.driver.tasks() == []


# ------------------------------------------------------------------------------------------------------ the lifespan


async def test_a_fault_at_any_wait_of_the_lifespan_comes_out_of_the_server_and_leaves_nothing(
    world: World,
) -> None:
    fault = Fault(world.changed)

    async def wait() -> None:
        await sleep(BRIEF)
        await sleep(BRIEF)

    stepped = fault.of(wait)

    async def live(app: Application) -> AsyncGenerator[None]:
        await stepped()
        yield
        await stepped()

    async def serve() -> None:
        app = world.app()
        app.lifespan(live)
        app.get("/healthy", healthy)
        async with world.serving(app, timeouts=SHORT) as server:
            world.note("served")
            await see_it_serve(server)
            server.shutdown()
            await server.closed()

    fault.arm("raise", 0)
    await serve()
    steps = fault.steps
    assert steps >= 4
    for at in range(1, steps + 1):
        fault.arm("raise", at)
        with pytest.raises(Injected, match=f"at step {at}"):
            await serve()
        assert fault.running == 0
    assert world.notes == ["served"] * (1 + steps - steps // 2)


# ------------------------------------------------------------------------------------------------ errors of handlers

ERRORS: Final = {
    type(error).__name__: error
    for error in (
        MemoryError(),
        RecursionError(),
        StopAsyncIteration(),
        AssertionError(),
        EOFError(),
        BrokenPipeError(errno.EPIPE, "not the peer's"),
        ConnectionResetError(errno.ECONNRESET, "not the peer's"),
        BlockingIOError(errno.EAGAIN, "not the socket's"),
        OSError(errno.EBADF, "not the socket's"),
    )
}


@pytest.mark.parametrize("name", ERRORS)
async def test_errors_of_a_handler_that_look_like_the_streams_or_the_loops_are_the_handlers(
    world: World, name: str
) -> None:
    """HTTP goes on after a 500, a WebSocket closes with 1011; logged once."""
    app = world.app()

    @app.get("/raise")
    async def fail(request: Request) -> str:
        await sleep(0)
        raise ERRORS[name]

    @app.ws("/raise")
    async def fail_in_websocket(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        raise ERRORS[name]

    async with world.serving(app) as server:
        peer = await server.connected()
        for _ in range(2):
            await peer.send(request("/raise"))
            assert await peer.receive_answer() == answer("500 Internal Server Error", "Internal Server Error")
            assert await server.error() is ERRORS[name]
        ws = await server.upgraded("/raise")
        await ws.send(say("go"))
        await ws.expect(closing(1011))
        await ws.send(close(1011))
        await ws.expect_end()
        assert await server.error() is ERRORS[name]


# ------------------------------------------------------------------------------------------------ the whole server


OUTSIDE: Final = (
    "a content comes slowly",
    "both are streamed",
    "messages are echoed",
    "the socket has a scope",
    "the server closes",
    "messages are called back",
)


async def converse(address: tuple[str, int], scenario: Scenario, ends: list[str]) -> None:
    """Say everything, and note how the stream ends."""
    try:
        peer = await connect(address, receive_buffer=None if scenario.is_reading else 4096)
    except ConnectionRefusedError:
        ends.append("refused")
        return
    async with peer:
        try:
            for data in scenario.says:
                await anyio.lowlevel.checkpoint()
                await peer.send(data)
            await peer.receive_all()
            ends.append("ended")
        except ConnectionError:
            ends.append("reset")


async def serve_until_cancelled(scenario: Scenario, steps: int) -> tuple[int, list[str]]:
    """Serve a conversation, cancelled from outside at that step; return how many steps were left, and how it ended."""
    app, ends = Application(), list[str]()
    scenario.build(app, lambda function: function)
    countdown = Countdown(steps, lambda: cancelled.cancel())
    cancelled = anyio.CancelScope()
    async with nothing_left(), anyio.create_task_group() as tasks:
        with counting(countdown), cancelled:
            async with serving(app, timeouts=SHORT, access_log=False) as server:
                tasks.start_soon(converse, server.addresses[0], scenario, ends)
                with anyio.fail_after(PATIENCE):
                    while not ends:
                        await anyio.sleep(BRIEF)
    return countdown.left, ends


@pytest.mark.parametrize("name", OUTSIDE)
async def test_a_server_that_is_cancelled_at_any_step_leaves_nothing_and_its_peer_sees_an_end(
    anyio_backend: object, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    steps, left, seen = 0, 0, set[str]()
    while left <= 0 and steps < MOST_STEPS:
        steps += 1
        left, ends = await serve_until_cancelled(SCENARIOS[name], steps)
        seen.update(ends)
    assert seen <= {"ended", "reset", "refused"}
    assert steps > 5
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
