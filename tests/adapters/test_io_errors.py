"""An error of the kernel at the k-th call of every kind, on every backend: it ends one connection and nothing else."""

from __future__ import annotations

import logging
import socket
from contextlib import suppress
from typing import Final

import pytest

from adapters.failing import CALLS, ERRORS, Failures
from adapters.scenarios import HEALTHY, SCENARIOS, Scenario, hold
from adapters.world import Served, World, answer
from spry_core import Request, Timeouts

pytestmark = pytest.mark.anyio

SHORT: Final = Timeouts(linger=0.01, close_timeout=0.05, keep_alive=0.2, write=0.2)
THOROUGHLY: Final = (
    "both are streamed",
    "messages are echoed",
    "messages are called back",
    "the server closes",
)
"""Conversations that meet every error; each of the others meets one."""

ONE_EACH: Final = {name: (ERRORS[position % len(ERRORS)],) for position, name in enumerate(SCENARIOS)}
MOST: Final = 30
"""Calls of one kind beyond which a scenario is no conversation any more."""


async def healthy(request: Request) -> str:
    return "as ever"


async def see_it_serve(server: Served) -> None:
    """See that the next connection is answered."""
    peer = await server.connected()
    await peer.send(HEALTHY)
    assert await peer.receive_answer() == answer("200 OK", "as ever")
    peer.close()


@pytest.mark.parametrize("is_sticky", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("name", ONE_EACH)
async def test_an_error_of_any_call_ends_one_connection_and_nothing_else(
    socket_world: World, name: str, is_sticky: bool
) -> None:
    """The peer sees an end, nothing is left, the next connection is served, and the log has no traceback."""
    failures, app = Failures(), socket_world.app()
    app.get("/healthy", healthy)
    SCENARIOS[name].build(app, lambda function: function)
    tried: set[str] = set()
    with failures.in_accepted_sockets():
        async with socket_world.serving(app, timeouts=SHORT) as server:
            for call in CALLS:
                for number in ERRORS if name in THOROUGHLY else ONE_EACH[name]:
                    tried |= await fail_each(
                        socket_world, server, SCENARIOS[name], failures, call, number, is_sticky
                    )
    assert tried >= EXPECTED


EXPECTED: Final = {"recv", "send", "setsockopt", "getsockname"}
"""Calls that must have failed, or the test tells nothing."""


async def fail_each(
    world: World,
    server: Served,
    scenario: Scenario,
    failures: Failures,
    call: str,
    number: int,
    is_sticky: bool,
) -> set[str]:
    """Let it fail at its first time, its second, and so on as often as it is made; return it if it was."""
    at, made = 1, 1
    while at <= made and at < MOST:
        failures.arm(call, at, number, is_sticky=is_sticky)
        peer = await server.connected()
        with suppress(ConnectionError):
            await hold(world, peer, scenario.says)
        made = failures.counts.get(call, 0)
        failures.arm("", 0, 0)
        await see_it_serve(server)
        at += 1
    return {call} if made else set()


@pytest.mark.parametrize("number", ERRORS)
async def test_an_error_of_accept_is_told_once_and_survived(
    socket_world: World, number: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever it is, the listener rests a little and accepts again."""
    app, faults, accept = socket_world.app(), [number, number], socket.socket.accept
    app.get("/healthy", healthy)

    def fail(listener: socket.socket) -> tuple[socket.socket, object]:
        if faults:
            raise OSError(faults.pop(), "it failed")
        return accept(listener)

    async with socket_world.serving(app, timeouts=Timeouts(linger=0.01, accept_pause=0.01)) as server:
        with monkeypatch.context() as patch:
            patch.setattr(socket.socket, "accept", fail)
            await see_it_serve(server)
    assert faults == []
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]
    assert lines == [f"cannot accept connections, trying again every 0.01 s: [Errno {number}] it failed"]
