"""Tasks, scopes and events of the memory driver, stepped by hand."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar

import pytest

from spry_core.testing.parked import Deadlock, ForeignAwaitable
from spry_core.testing.task import (
    MAX_SWALLOWED,
    Cancelled,
    Job,
    MemoryEvent,
    MemoryScope,
    MemoryTask,
    let_others,
)

STUBBORN_PROGRAM = """
from spry_core.testing import Deadlock, MemoryDriver

async def stubborn():
    while True:
        try:
            await driver.event().wait()
        except BaseException:
            pass

driver = MemoryDriver()
driver.start(stubborn).cancel()
try:
    driver.settle()
except Deadlock:
    print("stopped")
"""


class Steps:
    """A scheduler that runs in the order of scheduling and keeps what failed."""

    def __init__(self) -> None:
        self.ready = list[Job]()
        self.failed = list[BaseException]()
        self.ended = list[MemoryTask]()
        self.reached = list[MemoryTask]()
        self._current = list[MemoryTask]()

    def schedule(self, job: Job) -> None:
        self.ready.append(job)

    @contextmanager
    def running(self, task: MemoryTask) -> Generator[None]:
        self._current.append(task)
        try:
            yield
        finally:
            self._current.pop()

    def current_task(self) -> MemoryTask:
        return self._current[-1]

    def reach(self, task: MemoryTask) -> None:
        self.reached.append(task)

    def fail(self, error: BaseException) -> None:
        self.failed.append(error)

    def forget(self, task: MemoryTask) -> None:
        self.ended.append(task)

    def start(self, function: Callable[[], Awaitable[None]]) -> MemoryTask:
        async def body() -> None:
            await function()

        task = MemoryTask(self, "task", body)
        self.schedule(task)
        return task

    def event(self) -> MemoryEvent:
        return MemoryEvent(self)

    def scope(self) -> MemoryScope:
        return MemoryScope(self.current_task())

    def run(self) -> None:
        """Run until nothing is ready."""
        while self.ready:
            self.step()

    def step(self) -> None:
        """Run what is the first in turn."""
        self.ready.pop(0).step()


def test_a_task_begins_at_its_first_step() -> None:
    steps, done = Steps(), list[str]()

    async def function() -> None:
        done.append("ran")

    task = steps.start(function)
    assert (done, task.is_done, str(task)) == ([], False, "task at not begun")
    steps.step()
    assert (done, task.is_done, steps.ended) == (["ran"], True, [task])


def test_what_a_task_raises_comes_out_of_its_step() -> None:
    steps = Steps()

    async def function() -> None:
        raise LookupError("of the task")

    task = steps.start(function)
    with pytest.raises(LookupError, match="of the task"):
        steps.step()
    assert (task.is_done, steps.ended) == (True, [task])


def test_a_task_has_its_own_copy_of_the_context() -> None:
    steps, variable = Steps(), ContextVar[str]("variable")
    seen = list[str]()
    variable.set("outside")

    async def function() -> None:
        seen.append(variable.get())
        variable.set("inside")
        await let_others()
        seen.append(variable.get())

    steps.start(function)
    variable.set("later")
    steps.run()
    assert (seen, variable.get()) == (["outside", "inside"], "later")


def test_letting_others_run_puts_the_task_at_the_end() -> None:
    steps, order = Steps(), list[str]()

    async def first() -> None:
        order.append("first")
        await let_others()
        order.append("first again")

    async def second() -> None:
        order.append("second")

    steps.start(first)
    steps.start(second)
    steps.run()
    assert order == ["first", "second", "first again"]


def test_an_event_wakes_all_that_wait_and_nobody_before() -> None:
    steps, woken = Steps(), list[str]()
    event = steps.event()

    async def waiter(name: str) -> None:
        await event.wait()
        woken.append(name)

    steps.start(lambda: waiter("a"))
    steps.start(lambda: waiter("b"))
    steps.run()
    assert (woken, event.is_set()) == ([], False)
    event.set()
    assert (woken, event.is_set()) == ([], True)
    steps.run()
    assert woken == ["a", "b"]


def test_an_event_that_is_set_does_not_make_wait() -> None:
    steps, done = Steps(), list[str]()
    event = steps.event()
    event.set()
    event.set()

    async def waiter() -> None:
        await event.wait()
        done.append("done")

    steps.start(waiter)
    steps.step()
    assert done == ["done"]


def test_a_cancelled_waiter_takes_nothing_from_the_others() -> None:
    steps, woken = Steps(), list[str]()
    event = steps.event()

    async def waiter(name: str) -> None:
        await event.wait()
        woken.append(name)

    cancelled = steps.start(lambda: waiter("cancelled"))
    steps.start(lambda: waiter("left"))
    steps.run()
    cancelled.cancel()
    steps.run()
    assert cancelled.is_done
    event.set()
    steps.run()
    assert woken == ["left"]


def test_cancelling_raises_where_the_task_waits_and_at_every_wait_after_that() -> None:
    """Level-triggered, as on trio: a task that goes on all the same gets no further."""
    steps, seen = Steps(), list[str]()
    event = steps.event()

    async def stubborn() -> None:
        for _ in range(3):
            try:
                await event.wait()
            except Cancelled:
                seen.append("cancelled")

    task = steps.start(stubborn)
    steps.run()
    task.cancel()
    task.cancel()
    steps.run()
    assert (seen, task.is_done) == (["cancelled"] * 3, True)
    task.cancel()
    assert steps.ready == []


def test_a_task_that_swallows_its_cancellation_for_ever_is_stopped() -> None:
    """Its waits never suspend it, so nobody else would get a turn; and no exception can end it."""
    steps = Steps()
    event = steps.event()

    async def stubborn() -> None:
        while True:
            try:
                await event.wait()
            except BaseException:
                continue

    task = steps.start(stubborn)
    task.cancel()
    steps.run()
    task.cancel()
    assert (task.is_done, steps.ready, len(steps.failed)) == (False, [], 1)
    assert isinstance(steps.failed[0], Deadlock)
    assert str(steps.failed[0]) == f"{task}, swallows its cancellation and goes on, again and again"


def test_a_task_may_swallow_many_cancellations_that_end() -> None:
    """Each of these is over with its scope."""
    steps, passed = Steps(), list[int]()

    async def patient() -> None:
        for number in range(2 * MAX_SWALLOWED):
            with steps.scope() as scope:
                scope.cancel()
                await steps.event().wait()
            passed.append(number)

    task = steps.start(patient)
    steps.run()
    assert (task.is_done, len(passed), steps.failed) == (True, 2 * MAX_SWALLOWED, [])


def test_every_wait_is_a_point_that_a_task_comes_to() -> None:
    steps = Steps()
    event = steps.event()
    event.set()

    async def function() -> None:
        await event.wait()
        await event.wait()

    task = steps.start(function)
    steps.run()
    assert steps.reached == [task, task]


def test_a_program_with_a_task_that_swallows_everything_comes_to_its_end() -> None:
    """Closing its coroutine when the interpreter ends would go round for ever."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", STUBBORN_PROGRAM],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "stopped\n", "")


def test_a_task_cancelled_before_its_first_step_runs_up_to_its_first_wait() -> None:
    steps, seen = Steps(), list[str]()
    event = steps.event()

    async def function() -> None:
        seen.append("begun")
        event.set()
        await event.wait()
        seen.append("not reached")

    task = steps.start(function)
    task.cancel()
    steps.run()
    assert (seen, task.is_done) == (["begun"], True)


def test_a_task_that_was_woken_before_it_was_cancelled_sees_what_woke_it() -> None:
    steps, seen = Steps(), list[str]()
    event = steps.event()

    async def function() -> None:
        await event.wait()
        seen.append("woken")
        await event.wait()
        seen.append("not reached")

    task = steps.start(function)
    steps.run()
    event.set()
    task.cancel()
    steps.run()
    assert (seen, task.is_done) == (["woken"], True)


def test_a_scope_ends_its_block_alone() -> None:
    steps, seen = Steps(), list[str | bool]()
    event = steps.event()
    scopes = list[MemoryScope]()

    async def function() -> None:
        with steps.scope() as scope:
            scopes.append(scope)
            await event.wait()
            seen.append("not reached")
        seen.append(scope.cancelled)
        await let_others()
        seen.append("behind")

    steps.start(function)
    steps.run()
    scopes[0].cancel()
    scopes[0].cancel()
    steps.run()
    assert seen == [True, "behind"]


def test_a_scope_that_was_cancelled_in_vain_did_not_end_its_block() -> None:
    steps, seen = Steps(), list[bool]()

    async def function() -> None:
        with steps.scope() as scope:
            scope.cancel()
        seen.append(scope.cancelled)

    steps.start(function)
    steps.run()
    assert seen == [False]


def test_cancelling_a_scope_that_is_over_does_not_reach_the_task() -> None:
    steps, seen = Steps(), list[str]()
    event = steps.event()
    scopes = list[MemoryScope]()

    async def function() -> None:
        with steps.scope() as scope:
            scopes.append(scope)
        await event.wait()
        seen.append("woken")

    steps.start(function)
    steps.run()
    scopes[0].cancel()
    event.set()
    steps.run()
    assert seen == ["woken"]


def test_of_two_cancelled_scopes_the_outer_one_takes_it() -> None:
    steps, seen = Steps(), list[tuple[bool, bool]]()
    event = steps.event()

    async def function() -> None:
        outer, inner = steps.scope(), steps.scope()
        with outer, inner:
            inner.cancel()
            outer.cancel()
            await event.wait()
        seen.append((outer.cancelled, inner.cancelled))

    steps.start(function)
    steps.run()
    assert seen == [(True, False)]


def test_a_cancelled_task_is_not_caught_by_a_cancelled_scope() -> None:
    steps, seen = Steps(), list[bool]()
    event = steps.event()
    scopes = list[MemoryScope]()

    async def function() -> None:
        try:
            with steps.scope() as scope:
                scopes.append(scope)
                await event.wait()
        finally:
            seen.append(scopes[0].cancelled)

    task = steps.start(function)
    steps.run()
    scopes[0].cancel()
    task.cancel()
    steps.run()
    assert (seen, task.is_done) == ([False], True)


def test_an_error_leaves_a_cancelled_scope_as_it_is() -> None:
    steps = Steps()

    async def function() -> None:
        with steps.scope() as scope:
            scope.cancel()
            raise LookupError("of the block")

    steps.start(function)
    with pytest.raises(LookupError, match="of the block"):
        steps.run()


def test_something_foreign_is_reported_and_raised_at_its_line() -> None:
    steps, seen = Steps(), list[BaseException]()

    async def function() -> None:
        try:
            await asyncio.sleep(0)
        except ForeignAwaitable as error:
            seen.append(error)

    task = steps.start(function)
    line = function.__code__.co_firstlineno + 2
    steps.run()
    assert seen == steps.failed
    assert str(seen[0]) == (
        f"task at {__file__}:{line} in {function.__qualname__} awaited asyncio.tasks.sleep, which belongs to an event loop; "
        "under the memory driver only what spry lends can be awaited"
    )
    assert task.is_done


def test_a_task_that_catches_this_and_waits_is_woken_as_ever() -> None:
    steps, done = Steps(), list[str]()
    event = steps.event()

    async def function() -> None:
        try:
            await asyncio.sleep(0)
        except ForeignAwaitable:
            await event.wait()
            done.append("done")

    steps.start(function)
    steps.run()
    event.set()
    steps.run()
    assert (done, len(steps.failed)) == (["done"], 1)


def test_a_task_that_tries_again_is_reported_again() -> None:
    steps, tried = Steps(), list[int]()

    async def function() -> None:
        for number in range(3):
            try:
                await asyncio.sleep(0)
            except ForeignAwaitable:
                tried.append(number)

    task = steps.start(function)
    steps.step()
    assert (tried, len(steps.failed), task.is_done) == ([], 1, False)
    steps.run()
    assert (tried, len(steps.failed), task.is_done) == ([0, 1, 2], 3, True)


def test_an_interruption_may_come_when_the_task_is_awake() -> None:
    steps = Steps()
    tasks = list[MemoryTask]()

    async def function() -> None:
        tasks[0].interrupt()
        tasks[0].wake()

    tasks.append(steps.start(function))
    steps.run()
    assert (tasks[0].is_done, steps.ready) == (True, [])


def test_a_task_knows_whose_it_is_and_where_it_is() -> None:
    steps, places = Steps(), list[str]()

    async def function() -> None:
        places.append(str(task.running_at()))

    async def body() -> None:
        await function()

    task = MemoryTask(steps, "task 3 of connection 50000", body)
    steps.schedule(task)
    steps.run()
    line = function.__code__.co_firstlineno + 1
    assert places == [f"{__file__}:{line} in {function.__qualname__}"]
    assert (task.owner, MemoryTask(steps, "task 4", body).owner) == ("connection 50000", "")
