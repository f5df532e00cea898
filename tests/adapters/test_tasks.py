"""Time and tasks: each promise of docs/reference/tasks.md, in every world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Final, TypeAlias

import pytest

from adapters.world import World, answer, close, closing, request, said, say
from spry_core import Application, ConnectionClosed, Next, Outcome, Request, WebSocket, scope, sleep, timeout
from spry_core.errors import LocalProtocolError
from spry_core.tasks import TaskScope, event, now

pytestmark = pytest.mark.anyio

Note: TypeAlias = Callable[[str], None]
Program: TypeAlias = Callable[[Note], Awaitable[None]]

WHO: Final[ContextVar[str]] = ContextVar("who", default="nobody")
DONE: Final = answer("200 OK", "done")


async def wait(note: Note, name: str) -> None:
    """Wait for ever, and note the cancellation."""
    try:
        await event().wait()
    finally:
        note(f"{name} is cancelled")


async def pause() -> None:
    """Show that nothing is left of any cancellation."""
    await sleep(0)
    await sleep(0.001)


# ---------------------------------------------------------------------------------------------------- sleep and now


async def sleep_lasts_at_least_so_long(note: Note) -> None:
    begun = now()
    await sleep(0.02)
    note(f"{now() >= begun + 0.02}")


async def sleeping_zero_seconds_lets_others_run(note: Note) -> None:
    async def other() -> None:
        note("the other")

    async with scope() as s:
        s.start_soon(other)
        for _ in range(1000):  # it is not said after how many turns
            await sleep(0)
        note("over")


async def no_span_of_time_can_be_negative_or_endless(note: Note) -> None:
    for seconds in (-1.0, float("inf"), float("nan")):
        try:
            await sleep(seconds)
        except ValueError as error:
            note(str(error))


# --------------------------------------------------------------------------------------------------------- timeout


async def a_limit_cancels_the_wait_and_raises_at_the_end(note: Note) -> None:
    limit = timeout(0.01)
    try:
        with limit:
            await wait(note, "the block")
    except TimeoutError as error:
        note(f"{error}, {limit.expired}")
    await pause()


async def none_sets_no_limit(note: Note) -> None:
    with timeout(None) as limit:
        await sleep(0.001)
    note(f"{limit.expired}")


async def a_block_that_ends_in_time_goes_on_undisturbed(note: Note) -> None:
    with timeout(0.02) as limit:
        await sleep(0)
    await sleep(0.03)
    note(f"{limit.expired}")


async def without_a_wait_no_limit_is_too_short(note: Note) -> None:
    with timeout(0):
        note("no wait")
    try:
        with timeout(0):
            await wait(note, "the block")
    except TimeoutError:
        note("over")
    await pause()


async def of_nested_limits_the_inner_leaves_the_outer_alone(note: Note) -> None:
    with timeout(3600) as outer:
        try:
            with timeout(0.01):
                await wait(note, "the block")
        except TimeoutError:
            note("inner")
        await pause()
    note(f"{outer.expired}")


async def of_nested_limits_the_outer_is_not_taken_for_the_inner(note: Note) -> None:
    try:
        with timeout(0.01):
            try:
                with timeout(3600):
                    await wait(note, "the block")
            except TimeoutError:
                note("inner")
    except TimeoutError:
        note("outer")
    await pause()


async def another_timeout_error_is_not_the_limits(note: Note) -> None:
    limit = timeout(3600)
    try:
        with limit:
            raise TimeoutError("of the system")
    except TimeoutError as error:
        note(f"{error}, {limit.expired}")


async def an_error_of_the_block_comes_out_of_an_expired_limit(note: Note) -> None:
    limit = timeout(0.01)
    try:
        with limit:
            try:
                await wait(note, "the block")
            finally:
                raise KeyError("its own")
    except KeyError as error:
        note(f"{error}, {limit.expired}")
    await pause()


async def a_cancellation_from_outside_is_not_the_limits(note: Note) -> None:
    async with scope() as s:
        with timeout(3600):
            s.cancel()
            await wait(note, "the block")
    await pause()
    note("over")


async def a_limit_is_for_one_block(note: Note) -> None:
    with (limit := timeout(1)):
        pass
    try:
        with limit:
            note("never")
    except LocalProtocolError as error:
        note(str(error))


# ----------------------------------------------------------------------------------------------------------- event


async def an_event_wakes_all_its_waiters_and_none_inside_the_call(note: Note) -> None:
    flag = event()

    async def waiter() -> None:
        await flag.wait()
        note("woken")

    async with scope() as s:
        for _ in range(3):
            s.start_soon(waiter)
        await sleep(0.005)
        flag.set()
        note(f"{flag.is_set()}")


async def an_event_goes_up_once_and_is_not_waited_for_then(note: Note) -> None:
    flag = event()
    note(f"{flag.is_set()}")
    flag.set()
    flag.set()
    await flag.wait()
    note(f"{flag.is_set()}")


async def who_has_given_up_is_not_missed(note: Note) -> None:
    flag = event()

    async def waiter() -> None:
        await flag.wait()
        note("woken")

    async with scope() as s:
        s.start_soon(waiter)
        try:
            with timeout(0.005):
                await flag.wait()
        except TimeoutError:
            note("gave up")
        flag.set()


# ----------------------------------------------------------------------------------------------------------- scope


async def a_task_begins_after_its_start_in_the_context_of_its_starter(note: Note) -> None:
    async def task() -> None:
        note(f"the task of {WHO.get()}")
        WHO.set("the task")

    async with scope() as s:
        WHO.set("a handler")
        s.start_soon(task)
        WHO.set("somebody else")
        note("started")
    note(f"after: {WHO.get()}")


async def leaving_a_block_waits_for_its_tasks_and_theirs(note: Note) -> None:
    async def task(s: TaskScope, depth: int) -> None:
        await sleep(0.002)
        note(f"depth {depth}")
        if depth < 2:
            s.start_soon(task, s, depth + 1)

    async with scope() as s:
        s.start_soon(task, s, 0)
    note("over")


async def an_error_of_a_task_cancels_the_rest_and_comes_out_as_itself(note: Note) -> None:
    async def fail() -> None:
        await sleep(0.005)
        raise KeyError("a task")

    try:
        async with scope() as s:
            s.start_soon(fail)
            await wait(note, "the body")
    except KeyError as error:
        note(str(error))
    try:
        async with scope() as s:
            s.start_soon(wait, note, "the other")
            s.start_soon(fail)
    except KeyError as error:
        note(str(error))
    await pause()


async def several_errors_come_out_as_a_group(note: Note) -> None:
    async def fail() -> None:
        try:
            await wait(note, "a task")
        finally:
            raise KeyError("a task")

    try:
        async with scope() as s:
            s.start_soon(fail)
            s.start_soon(fail)
            await sleep(0.005)
            raise KeyError("the body")
    except ExceptionGroup as group:
        note(f"{group.message}: {sorted(map(str, group.exceptions))}")
    await pause()


async def an_error_of_the_body_cancels_the_tasks_and_waits_for_them(note: Note) -> None:
    try:
        async with scope() as s:
            s.start_soon(wait, note, "the task")
            await sleep(0.005)
            raise KeyError("the body")
    except KeyError as error:
        note(str(error))
    await pause()


async def a_limit_around_a_block_cancels_its_tasks_before_it_goes_on(note: Note) -> None:
    try:
        with timeout(0.01):
            async with scope() as s:
                s.start_soon(wait, note, "the task")
            note("never")
    except TimeoutError:
        note("over")
    await pause()


async def cancelling_a_block_ends_it_without_an_error(note: Note) -> None:
    inner = scope()
    async with scope() as outer:
        outer.start_soon(sleep, 0.01)
        async with inner:
            inner.start_soon(wait, note, "the task")
            await sleep(0.005)
            inner.cancel()
            inner.cancel()
        note("behind the inner")
        await pause()
    inner.cancel()
    await pause()
    note("behind the outer")


async def what_is_started_in_a_cancelled_block_goes_to_its_first_wait(note: Note) -> None:
    async def task() -> None:
        note("begun")
        await wait(note, "the task")

    async with scope() as s:
        s.cancel()
        s.start_soon(task)
    await pause()


async def tasks_are_started_inside_of_the_block_alone(note: Note) -> None:
    s = scope()
    for _ in range(2):
        try:
            s.start_soon(pause)
        except LocalProtocolError as error:
            note(str(error))
        try:
            async with s:
                pass
        except LocalProtocolError as error:
            note(str(error))


ELSEWHERE: Final = "tasks can be started inside of the `async with` block of their scope only"

PROGRAMS: Final[dict[Program, tuple[str, ...]]] = {
    sleep_lasts_at_least_so_long: ("True",),
    sleeping_zero_seconds_lets_others_run: ("the other", "over"),
    no_span_of_time_can_be_negative_or_endless: tuple(
        f"seconds must be a finite number and not negative, not {each}" for each in ("-1.0", "inf", "nan")
    ),
    a_limit_cancels_the_wait_and_raises_at_the_end: (
        "the block is cancelled",
        "not finished within 0.01 s, True",
    ),
    none_sets_no_limit: ("False",),
    a_block_that_ends_in_time_goes_on_undisturbed: ("False",),
    without_a_wait_no_limit_is_too_short: ("no wait", "the block is cancelled", "over"),
    of_nested_limits_the_inner_leaves_the_outer_alone: ("the block is cancelled", "inner", "False"),
    of_nested_limits_the_outer_is_not_taken_for_the_inner: ("the block is cancelled", "outer"),
    another_timeout_error_is_not_the_limits: ("of the system, False",),
    an_error_of_the_block_comes_out_of_an_expired_limit: ("the block is cancelled", "'its own', False"),
    a_cancellation_from_outside_is_not_the_limits: ("the block is cancelled", "over"),
    a_limit_is_for_one_block: ("a time limit is for one block: make another",),
    an_event_wakes_all_its_waiters_and_none_inside_the_call: ("True", "woken", "woken", "woken"),
    an_event_goes_up_once_and_is_not_waited_for_then: ("False", "True"),
    who_has_given_up_is_not_missed: ("gave up", "woken"),
    a_task_begins_after_its_start_in_the_context_of_its_starter: (
        "started",
        "the task of a handler",
        "after: somebody else",
    ),
    leaving_a_block_waits_for_its_tasks_and_theirs: ("depth 0", "depth 1", "depth 2", "over"),
    an_error_of_a_task_cancels_the_rest_and_comes_out_as_itself: (
        "the body is cancelled",
        "'a task'",
        "the other is cancelled",
        "'a task'",
    ),
    several_errors_come_out_as_a_group: (
        "a task is cancelled",
        "a task is cancelled",
        """several tasks of a scope have failed: ["'a task'", "'a task'", "'the body'"]""",
    ),
    an_error_of_the_body_cancels_the_tasks_and_waits_for_them: ("the task is cancelled", "'the body'"),
    a_limit_around_a_block_cancels_its_tasks_before_it_goes_on: ("the task is cancelled", "over"),
    cancelling_a_block_ends_it_without_an_error: (
        "the task is cancelled",
        "behind the inner",
        "behind the outer",
    ),
    what_is_started_in_a_cancelled_block_goes_to_its_first_wait: ("begun", "the task is cancelled"),
    tasks_are_started_inside_of_the_block_alone: (
        ELSEWHERE,
        ELSEWHERE,
        "a scope is for one block: make another",
    ),
}
"""What a handler does, and what it notes."""


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.__name__)
async def test_a_handler_can_rely_on_it(world: World, program: Program) -> None:
    app = world.app()

    @app.get("/")
    async def handler(request: Request) -> str:
        await program(world.note)
        return "done"

    async with world.serving(app) as server:
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == DONE
    assert tuple(world.notes) == PROGRAMS[program]


# ------------------------------------------------------------------------------------------------------- everywhere


def done(request: Request) -> str:
    return "done"


async def everything() -> str:
    """Use all five of it."""
    flag, begun = event(), now()

    async def task() -> None:
        await sleep(0.002)
        flag.set()

    try:
        with timeout(0.01):
            async with scope() as s:
                s.start_soon(task)
                await flag.wait()
                await event().wait()
    except TimeoutError:
        return "done" if now() >= begun + 0.01 else "too early"
    return "never"


async def test_middleware_can_use_it_all(world: World) -> None:
    async def middleware(request: Request, next: Next) -> Outcome:
        world.note(await everything())
        return await next()

    app = world.app()
    app.middleware.use(middleware)
    app.get("/", done)
    async with world.serving(app) as server:
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == DONE
    assert world.notes == ["done"]


async def test_an_exception_filter_can_use_it_all(world: World) -> None:
    app = world.app()

    @app.exceptions.filter(KeyError)
    async def filter_it(error: KeyError, request: Request) -> str:
        return await everything()

    @app.get("/")
    async def handler(request: Request) -> str:
        raise KeyError

    async with world.serving(app) as server:
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == DONE


async def test_a_streamed_answer_can_use_it_all(world: World) -> None:
    app = world.app()

    @app.get("/")
    async def handler(request: Request) -> AsyncIterator[str]:
        async def pieces() -> AsyncIterator[str]:
            yield await everything()
            yield await everything()

        return pieces()

    async with world.serving(app) as server:
        peer = await server.connected()
        await peer.send(request("/"))
        assert (await peer.receive_until(b"0\r\n\r\n")).endswith(
            b"\r\n\r\n4\r\ndone\r\n4\r\ndone\r\n0\r\n\r\n"
        )


async def test_the_lifespan_can_use_it_all(world: World) -> None:
    app = world.app()

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        world.note(await everything())
        yield
        world.note(await everything())

    app.get("/", done)
    async with world.serving(app) as server:
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == DONE
        peer.close()
        server.shutdown()
        await server.closed()
    assert world.notes == ["done", "done"]


async def test_a_callback_of_listen_can_use_it_all(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        async def take(message: str | bytes) -> None:
            await ws.send(await everything())

        ws.listen(take)
        await ws.closed

    async with world.opened(handler) as peer:
        await peer.send(say("?"))
        await peer.expect(said("done"))
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))


async def test_an_event_wakes_a_handler_on_another_connection(world: World) -> None:
    app = world.app()

    @app.get("/wait")
    async def waiter(request: Request) -> str:
        flag = app.locals["flag"] = event()
        world.note("waits")
        await flag.wait()
        return "done"

    @app.get("/set")
    async def setter(request: Request) -> str:
        app.locals["flag"].set()
        return "done"

    async with world.serving(app) as server:
        waiting, setting = await server.connected(), await server.connected()
        await waiting.send(request("/wait"))
        await world.noted("waits")
        await setting.send(request("/set"))
        assert await setting.receive_answer() == DONE
        assert await waiting.receive_answer() == DONE


async def test_tasks_of_a_websocket_end_with_it_and_its_body_sees_the_end_itself(world: World) -> None:
    """A `ConnectionClosed` that one of them raises then is no error; one of the body is told as ever."""

    async def handler(ws: WebSocket, request: Request) -> None:
        async def late() -> None:
            try:
                await event().wait()
            finally:
                world.note("a task is cancelled")
                ws.send_nowait("late")

        async with ws.scope() as s:
            s.start_soon(late)
            async for message in ws:
                await ws.send(message)
            world.note("no more messages")
            await sleep(0.005)  # the body is not cancelled
            try:
                await ws.send("late")
            except ConnectionClosed as error:
                world.note(f"the body is told {error.close_code}")
        world.note("over")

    async with world.opened(handler) as peer:
        await peer.send(say("a"))
        await peer.expect(said("a"))
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.noted("over")
    assert sorted(world.notes[:2]) == ["a task is cancelled", "no more messages"]
    assert world.notes[2:] == ["the body is told 1000", "over"]


async def test_nothing_of_it_works_outside_of_tasks(world: World) -> None:
    for use in (now, event, timeout(1).__enter__):
        with pytest.raises(LocalProtocolError, match=r"^no task of Spry's is running here: "):
            use()
    for wait_for in (lambda: sleep(0), lambda: scope().__aenter__()):
        with pytest.raises(LocalProtocolError, match=r"^no task of Spry's is running here: "):
            await wait_for()
