"""Tasks: when they start, how they wait for each other, how they end."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.driver import Event
from spry_core.tasks import event, scope, sleep, timeout
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import SWITCHED, answer, close, closing, request, said, shake
from spry_core.testing.conformance.scenario import Route, Scenario, http
from spry_core.testing.conformance.scripts import LOST
from spry_core.testing.conformance.steps import Connect, Expect, ExpectEnd, Noted, Send
from spry_core.web.application import Application
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "tasks")


async def order(request: Request, note: Notebook) -> str:
    """Start a task, and note who comes first."""

    async def task() -> None:
        note("task")

    async with scope() as tasks:
        tasks.start_soon(task)
        note("starter")
    note("end of block")
    return "done"


async def wake_many(request: Request, note: Notebook) -> str:
    """Have five tasks wait for one event, one of them with a limit that is over before."""
    flag = event()

    async def wait() -> None:
        await flag.wait()
        note("woken")

    async def give_up() -> None:
        try:
            with timeout(0.02):
                await flag.wait()
        except TimeoutError:
            note("gave up")

    async with scope() as tasks:
        for _ in range(4):
            tasks.start_soon(wait)
        tasks.start_soon(give_up)
        await sleep(0.05)
        flag.set()
        note("set")
    return f"{flag.is_set()}"


async def wait_for_old(request: Request, note: Notebook) -> str:
    """Wait for an event that has come already."""
    flag = event()
    flag.set()
    flag.set()
    await flag.wait()
    return "there"


async def ping_pong(request: Request, note: Notebook) -> str:
    """Have two tasks wake each other, a hundred times."""
    there, back = event(), event()

    async def answer() -> None:
        nonlocal there, back
        for _ in range(100):
            await there.wait()
            there = event()
            back.set()

    async with scope() as tasks:
        tasks.start_soon(answer)
        for _ in range(100):
            there.set()
            await back.wait()
            back = event()
            note.count("rounds")
    return f"{note.counts['rounds']} rounds"


async def fail_in_task(request: Request, note: Notebook) -> str:
    """Have a task fail, which ends its brother and the block."""

    async def fail() -> None:
        await sleep(0.02)
        raise LookupError("on purpose")

    async def work() -> None:
        try:
            await sleep(3600)
        finally:
            note("brother cancelled")

    try:
        async with scope() as tasks:
            tasks.start_soon(work)
            tasks.start_soon(fail)
            try:
                await sleep(3600)
            finally:
                note("block cancelled")
    except LookupError as error:
        return str(error)
    return "no error"  # pragma: no cover - only a wrong backend comes here


async def cancel_early(request: Request, note: Notebook) -> str:
    """Cancel tasks before they have begun, and at once after."""

    async def work() -> None:
        note("begun")
        await sleep(3600)
        note("never")  # pragma: no cover - only a wrong backend comes here

    async with scope() as tasks:
        tasks.start_soon(work)
        tasks.cancel()
        tasks.cancel()
    return "done"


async def cancel_late(request: Request, note: Notebook) -> str:
    """Cancel a block when it has ended."""
    async with scope() as tasks:
        tasks.start_soon(sleep, 0.02)
    tasks.cancel()
    await sleep(0.02)
    return "still here"


async def cancel_self(request: Request, note: Notebook) -> str:
    """Cancel the block from within, and wait."""
    async with scope() as tasks:
        tasks.cancel()
        await sleep(0)
        await sleep(3600)  # pragma: no cover - only a wrong backend comes here
        note("never")  # pragma: no cover - only a wrong backend comes here
    await sleep(0.02)
    return "out of it"


async def cancel_and_clean_up(request: Request, note: Notebook) -> str:
    """Cancel a task that takes a while to end."""

    async def work() -> None:
        try:
            await sleep(3600)
        finally:
            note("cleaning")

    async with scope() as tasks:
        tasks.start_soon(work)
        await sleep(0.02)
        tasks.cancel()
    note("after")
    return "done"


async def spawn_in_tasks(request: Request, note: Notebook) -> str:
    """Start tasks from tasks."""

    async def work(depth: int) -> None:
        note.count("tasks")
        if depth:
            tasks.start_soon(work, depth - 1)
            tasks.start_soon(work, depth - 1)

    async with scope() as tasks:
        tasks.start_soon(work, 5)
    return f"{note.counts['tasks']} tasks"


async def outlive_request(request: Request, note: Notebook) -> str:
    """Wait for tasks at the end of the block."""
    async with scope() as tasks:
        tasks.start_soon(sleep, 0.1)
    return "waited"


def meeting() -> Route:
    """Make a room: whoever comes last wakes all the others, on whatever connection they are."""

    def register(app: Application, note: Notebook) -> None:
        waiting: list[tuple[WebSocket, Event]] = []

        @app.ws("/room")
        async def room(ws: WebSocket, request: Request) -> None:
            mine = event()
            waiting.append((ws, mine))
            if len(waiting) == 3:
                for other, flag in waiting:
                    other.send_nowait("complete")
                    flag.set()
            await mine.wait()
            note("woken")
            await ws.closed

        @app.get("/closing")
        async def close_all(request: Request) -> str:
            for each, _ in waiting:
                each.close(4000)
            return "closed"

    return register


TASKS: Final = (
    _of(
        "a task never begins inside the call that starts it",
        (http(order),),
        (Send(request()), Expect(answer(b"done"))),
        ("starter", "task", "end of block"),
        catches="runs a task inside `start`",
    ),
    _of(
        "an event wakes everybody, and who has given up is not missed",
        (http(wake_many),),
        (Send(request()), Expect(answer(b"True"), after=0.05)),
        ("gave up", "set", "woken", "woken", "woken", "woken"),
        catches="wakes one waiter of many, or runs a waiter inside `set`",
    ),
    _of(
        "an event that has come is not waited for",
        (http(wait_for_old),),
        (Send(request()), Expect(answer(b"there"))),
    ),
    _of(
        "two tasks may wake each other again and again",
        (http(ping_pong),),
        (Send(request()), Expect(answer(b"100 rounds"))),
        catches="loses a wake-up",
    ),
    _of(
        "an error in a task ends its block, and comes out as it is",
        (http(fail_in_task),),
        (Send(request()), Expect(answer(b"on purpose"), after=0.02)),
        ("block cancelled", "brother cancelled"),
        any_order=True,
        catches="does not cancel tasks",
    ),
    _of(
        "a task that is cancelled before it begins begins all the same, and goes no further",
        (http(cancel_early),),
        (Send(request()), Expect(answer(b"done"))),
        ("begun",),
        catches="drops a task that is cancelled before it has begun",
    ),
    _of(
        "a cancellation that comes too late does nothing",
        (http(cancel_late),),
        (Send(request()), Expect(answer(b"still here"), after=0.04)),
        catches="cancels what comes behind a block",
    ),
    _of(
        "a block that cancels itself is left, and nothing else",
        (http(cancel_self),),
        (Send(request()), Expect(answer(b"out of it"), after=0.02)),
        catches="cancels what comes behind a block",
    ),
    _of(
        "a block waits for tasks that are cancelled",
        (http(cancel_and_clean_up),),
        (Send(request()), Expect(answer(b"done"), after=0.02)),
        ("cleaning", "after"),
    ),
    _of("tasks may start tasks", (http(spawn_in_tasks),), (Send(request()), Expect(answer(b"63 tasks")))),
    _of(
        "a block waits for its tasks",
        (http(outlive_request),),
        (Send(request()), Expect(answer(b"waited"), after=0.1)),
    ),
    _of(
        "one connection may wake the handlers of others",
        (meeting(),),
        (
            *[
                step
                for name in "abc"
                for step in (Connect(name), Send(shake("/room"), name), Expect(SWITCHED, name))
            ],
            *[Expect(said("complete"), name) for name in "abc"],
            Noted("woken"),
        ),
        ("woken",) * 3 + (LOST,) * 3,
        any_order=True,  # who wakes last may see that the others have left
        catches="lets one connection's task do nothing for another",
    ),
    _of(
        "one connection may close others",
        (meeting(),),
        (
            *[
                step
                for name in "abc"
                for step in (Connect(name), Send(shake("/room"), name), Expect(SWITCHED, name))
            ],
            *[Expect(said("complete"), name) for name in "abc"],
            Connect("closer"),
            Send(request("/closing"), "closer"),
            Expect(answer(b"closed"), "closer"),
            *[
                step
                for name in "abc"
                for step in (Expect(closing(4000), name), Send(close(4000), name), ExpectEnd(peer=name))
            ],
        ),
        ("woken",) * 3 + ("end 4000 by local",) * 3,
        catches="ignores notify if it comes from another connection's task",
    ),
)
"""Start, context, wake-ups and end of tasks."""
