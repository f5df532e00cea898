"""`scope` and `ws.scope` on every backend, with handlers that wait for what is the backend's own as well."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import anyio
import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.peer import connect
from adapters.serving import Notes, serving
from blocks import Block, Program, blocks, leaves
from handshakes import KEY, SWITCHED
from spry_core import Application, Request, WebSocket, scope, sleep, timeout
from spry_core.tasks import TaskScope, event

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)


async def sleep_natively(seconds: float) -> None:
    """Wait with what the running backend itself offers."""
    if trio.lowlevel.in_trio_run():
        await trio.sleep(seconds)
    else:
        await asyncio.sleep(seconds)


async def answer_of(program: Callable[[Notes], Awaitable[None]]) -> tuple[bytes, list[str]]:
    """Run a program in a handler; return the status line of the answer, and what was noted."""
    app, notes = Application(), Notes()

    @app.get("/")
    async def handler(request: Request) -> None:
        await program(notes)

    async with serving(app) as server, await connect(server.addresses[0]) as peer:
        await peer.send(GET)
        return (await peer.receive_all()).partition(b"\r\n")[0], list(notes)


NO_CONTENT = b"HTTP/1.1 204 No Content"
FAILED = b"HTTP/1.1 500 Internal Server Error"


async def wait_natively(notes: Notes, name: str) -> None:
    """Wait for ever in the backend's own way, and note the cancellation."""
    try:
        await sleep_natively(3600)
    finally:
        notes.note(f"{name} is cancelled")


async def test_leaving_the_block_waits_for_native_and_for_lent_waits() -> None:
    async def program(notes: Notes) -> None:
        async def native() -> None:
            await sleep_natively(0.01)
            notes.note("native")

        async def lent() -> None:
            await sleep(0.03)
            notes.note("lent")

        async with scope() as s:
            s.start_soon(lent)
            s.start_soon(native)
        notes.note("over")

    assert await answer_of(program) == (NO_CONTENT, ["native", "lent", "over"])


async def test_an_error_of_a_task_cancels_native_waits_and_comes_out_as_itself() -> None:
    async def program(notes: Notes) -> None:
        async def fail() -> None:
            await sleep_natively(0.01)
            raise KeyError("a task")

        try:
            async with scope() as s:
                s.start_soon(fail)
                s.start_soon(wait_natively, notes, "the other")
                await wait_natively(notes, "the body")
        except KeyError as error:
            notes.sort()
            notes.note(str(error))
        await sleep_natively(0.01)  # nothing of the cancellation is left
        await sleep(0.01)
        notes.note("over")

    assert await answer_of(program) == (
        NO_CONTENT,
        ["the body is cancelled", "the other is cancelled", "'a task'", "over"],
    )


async def test_an_error_of_a_task_is_one_of_the_handler() -> None:
    async def program(notes: Notes) -> None:
        async def fail() -> None:
            raise KeyError("a task")

        async with scope() as s:
            s.start_soon(fail)
            await wait_natively(notes, "the body")

    assert await answer_of(program) == (FAILED, ["the body is cancelled"])


async def test_cancelling_the_scope_leaves_the_handler_uncancelled() -> None:
    async def program(notes: Notes) -> None:
        async def stop(s: TaskScope) -> None:
            await sleep(0.01)
            s.cancel()

        async with scope() as s:
            s.start_soon(stop, s)
            await wait_natively(notes, "the body")
        async with scope() as s:
            s.cancel()
        await sleep_natively(0.01)
        await sleep(0.01)
        notes.note("over")

    assert await answer_of(program) == (NO_CONTENT, ["the body is cancelled", "over"])


@pytest.mark.parametrize("is_native", [False, True])
@pytest.mark.parametrize("body_waits", [False, True])
async def test_a_time_limit_cancels_the_tasks_and_they_end_first(is_native: bool, body_waits: bool) -> None:
    async def program(notes: Notes) -> None:
        try:
            with anyio.fail_after(0.02) if is_native else timeout(0.02):
                async with scope() as s:
                    for name in ("one", "two"):
                        s.start_soon(wait_natively, notes, name)
                    if body_waits:
                        await event().wait()
        except TimeoutError:
            notes.sort()
            notes.note("over")
        await sleep_natively(0.01)

    assert await answer_of(program) == (NO_CONTENT, ["one is cancelled", "two is cancelled", "over"])


async def test_a_cleanup_that_waits_holds_up_the_block() -> None:
    """On trio that takes a shield, on asyncio nothing: a cancellation is delivered once there."""

    async def program(notes: Notes) -> None:
        async def tidy() -> None:
            try:
                await sleep_natively(3600)
            finally:
                with anyio.CancelScope(shield=True):
                    await sleep_natively(0.02)
                notes.note("tidied up")

        with anyio.move_on_after(0.02):
            async with scope() as s:
                s.start_soon(tidy)
        notes.note("over")

    assert await answer_of(program) == (NO_CONTENT, ["tidied up", "over"])


async def test_a_task_group_in_a_task_is_cancelled_with_it() -> None:
    async def program(notes: Notes) -> None:
        async def group() -> None:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait_natively, notes, "one")
                tasks.start_soon(wait_natively, notes, "two")

        async with scope() as s:
            s.start_soon(group)
            await sleep(0.01)
            s.cancel()
        notes.sort()
        notes.note("over")
        await sleep_natively(0.01)

    assert await answer_of(program) == (NO_CONTENT, ["one is cancelled", "two is cancelled", "over"])


async def test_an_error_in_a_task_group_of_the_body_comes_out_beside_one_of_a_task() -> None:
    async def program(notes: Notes) -> None:
        async def fail(text: str) -> None:
            raise KeyError(text)

        try:
            async with scope() as s, anyio.create_task_group() as tasks:
                try:
                    s.start_soon(fail, "of the scope")
                    await sleep_natively(3600)
                finally:
                    tasks.start_soon(fail, "of the group")
                    with anyio.CancelScope(shield=True):
                        await sleep_natively(0.01)
        except* KeyError as errors:
            notes.note(" ".join(sorted(str(error) for error in leaves(errors))))
        await sleep_natively(0.01)

    assert await answer_of(program) == (NO_CONTENT, ["'of the group' 'of the scope'"])


async def test_tasks_of_a_connection_end_with_it() -> None:
    app, notes = Application(), Notes()

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(wait_natively, notes, "the task")
            async for message in ws:
                await ws.send(message)
        notes.note(f"over: {ws.close_code}")

    async with serving(app) as server, await connect(server.addresses[0]) as peer:
        await peer.send(UPGRADE)
        assert await peer.receive(len(SWITCHED)) == SWITCHED
        await peer.send(b"\x81\x82\0\0\0\0hi")
        assert await peer.receive(4) == b"\x81\x02hi"
        await peer.send(b"\x88\x82\0\0\0\0\x03\xe8")
        assert await peer.receive_all() == b"\x88\x02\x03\xe8"
        await notes.until("over: 1000")
    assert notes == ["the task is cancelled", "over: 1000"]


async def test_at_the_end_of_the_grace_tasks_are_cancelled_with_their_handler() -> None:
    app, notes = Application(), Notes()

    @app.get("/")
    async def handler(request: Request) -> None:
        try:
            async with scope() as s:
                s.start_soon(wait_natively, notes, "the task")
                notes.note("begun")
                await wait_natively(notes, "the body")
        finally:
            notes.note("over")

    async with serving(app) as server, await connect(server.addresses[0]) as peer:
        await peer.send(GET)
        await notes.until("begun")
        server.shut_down(grace=0.0)
        assert (await peer.receive_all()).startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert (notes[0], sorted(notes[1:3]), notes[3:]) == (
        "begun",
        ["the body is cancelled", "the task is cancelled"],
        ["over"],
    )


async def test_a_task_that_fails_in_a_scope_of_the_lifespan_ends_the_server() -> None:
    app, notes = Application(), Notes()

    async def fail() -> None:
        await sleep_natively(0.02)
        raise KeyError("a task")

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        async with scope() as s:
            s.start_soon(wait_natively, notes, "the other")
            s.start_soon(fail)
            yield

    async def serve_until_it_ends() -> None:
        async with serving(app) as server:
            await notes.until("the other is cancelled")
            await server.close()

    with pytest.raises(KeyError, match="a task"):
        await serve_until_it_ends()
    assert notes == ["the other is cancelled"]


@settings(max_examples=30, deadline=None)
@given(blocks(), st.booleans())
def test_no_task_outlives_its_block_and_no_error_is_lost_or_told_twice_on_asyncio(
    block: Block, is_native: bool
) -> None:
    assert asyncio.run(verdict(block, is_native)) == "kept"


@settings(max_examples=30, deadline=None)
@given(blocks(), st.booleans())
def test_no_task_outlives_its_block_and_no_error_is_lost_or_told_twice_on_trio(
    block: Block, is_native: bool
) -> None:
    assert trio.run(verdict, block, is_native) == "kept"


async def verdict(block: Block, is_native: bool) -> str:
    """Run a random program in a handler, with waits of either kind."""
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        verdict = await Program(sleep_natively if is_native else sleep, 0.001).verdict(block)
        await sleep(0.001)  # nothing is left of any cancellation
        await sleep_natively(0.001)
        return verdict

    async with serving(app) as server, await connect(server.addresses[0]) as peer:
        await peer.send(GET)
        return (await peer.receive_all()).partition(b"\r\n\r\n")[2].decode()
