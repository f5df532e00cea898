"""What only trio needs: tasks that are used again. The rest of the driver is tested with every backend in `tests/adapters`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar

import trio

from spry_trio.driver import Driver, Workers, open_workers

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


class Notes:
    """An owner that writes down how tasks ended."""

    def __init__(self) -> None:
        self.ends: list[Exception | None] = []

    def notify(self, soon: bool = False) -> None:
        raise AssertionError("nobody asks for it here")

    def task_ended(self, error: Exception | None) -> None:
        self.ends.append(error)


def run(test: Callable[[Driver, Notes], Awaitable[None]]) -> None:
    """Run with a driver of its own."""

    async def main() -> None:
        notes = Notes()
        async with open_workers() as workers:
            await test(Driver(notes, workers), notes)

    trio.run(main)


def test_a_task_that_has_ended_is_used_for_the_next_work() -> None:
    async def main(driver: Driver, notes: Notes) -> None:
        tasks: list[trio.lowlevel.Task] = []

        async def work() -> None:
            tasks.append(trio.lowlevel.current_task())
            await trio.lowlevel.checkpoint()

        driver.start(work)
        await trio.testing.wait_all_tasks_blocked()
        driver.start(work)
        assert len(tasks) == 1
        await trio.testing.wait_all_tasks_blocked()
        assert tasks[0] is tasks[1]
        assert notes.ends == [None, None]
        assert not driver.has_tasks

    run(main)


def test_a_task_that_is_used_again_has_the_context_of_its_starter_and_nothing_of_the_last() -> None:
    async def main(driver: Driver, notes: Notes) -> None:
        names: list[str] = []

        async def work() -> None:
            names.append(NAME.get())
            NAME.set("work")

        driver.start(work)
        await trio.testing.wait_all_tasks_blocked()
        NAME.set("starter")
        driver.start(work)
        NAME.set("starter, later")
        await trio.testing.wait_all_tasks_blocked()
        assert names == ["nobody", "starter"]
        assert NAME.get() == "starter, later"

    run(main)


def test_a_cancelled_task_is_not_used_again() -> None:
    async def main(driver: Driver, notes: Notes) -> None:
        tasks: list[trio.lowlevel.Task] = []
        log: list[str] = []

        async def wait() -> None:
            tasks.append(trio.lowlevel.current_task())
            try:
                await trio.sleep_forever()
            finally:
                log.append("ended")

        async def swallow() -> None:
            tasks.append(trio.lowlevel.current_task())
            with trio.CancelScope(shield=True):
                await trio.testing.wait_all_tasks_blocked()
            log.append("never waited")

        for work in (wait, swallow):
            task = driver.start(work)
            await trio.lowlevel.checkpoint()
            task.cancel()
            await trio.testing.wait_all_tasks_blocked()
        driver.start(wait)
        await trio.testing.wait_all_tasks_blocked()
        assert len(set(tasks)) == 3
        assert log == ["ended", "never waited"]
        driver.cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert notes.ends == [None, None, None]

    run(main)


def test_cancelling_too_late_leaves_the_next_work_alone() -> None:
    async def main(driver: Driver, notes: Notes) -> None:
        go_on = driver.event()
        log: list[str] = []

        async def first() -> None:
            log.append("first")

        async def second() -> None:
            await go_on.wait()
            log.append("second")

        task = driver.start(first)
        await trio.testing.wait_all_tasks_blocked()
        driver.start(second)
        task.cancel()
        await trio.testing.wait_all_tasks_blocked()
        task.cancel()
        go_on.set()
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["first", "second"]

    run(main)


def test_a_used_task_that_is_cancelled_before_it_runs_still_begins() -> None:
    async def main(driver: Driver, notes: Notes) -> None:
        log: list[str] = []

        async def work() -> None:
            log.append("begun")
            try:
                await trio.lowlevel.checkpoint()
                log.append("went on")
            finally:
                log.append("ended")

        driver.start(work)
        await trio.testing.wait_all_tasks_blocked()
        driver.start(work).cancel()
        await trio.testing.wait_all_tasks_blocked()
        assert log == ["begun", "went on", "ended", "begun", "ended"]

    run(main)


def test_what_a_task_raises_is_told_and_the_task_used_again() -> None:
    async def main(driver: Driver, notes: Notes) -> None:
        failure = ZeroDivisionError()
        tasks: list[trio.lowlevel.Task] = []

        async def fail() -> None:
            tasks.append(trio.lowlevel.current_task())
            raise failure

        for _ in range(2):
            driver.start(fail)
            await trio.testing.wait_all_tasks_blocked()
        assert notes.ends == [failure, failure]
        assert tasks[0] is tasks[1]

    run(main)


def test_a_burst_leaves_no_more_than_256_tasks_behind() -> None:
    async def main() -> None:
        async with trio.open_nursery() as nursery:
            workers, go_on = Workers(nursery), trio.Event()
            for _ in range(300):
                workers.start(go_on.wait)
            await trio.testing.wait_all_tasks_blocked()
            assert len(nursery.child_tasks) == 300
            go_on.set()
            await trio.testing.wait_all_tasks_blocked()
            assert len(nursery.child_tasks) == 256
            workers.dismiss()
            await trio.testing.wait_all_tasks_blocked()
            assert len(nursery.child_tasks) == 0

    trio.run(main)


def test_workers_that_are_dismissed_do_what_they_have_begun() -> None:
    async def main() -> None:
        done: list[str] = []

        async def work() -> None:
            await trio.lowlevel.checkpoint()
            done.append("work")

        async with open_workers() as workers:
            workers.start(work)
        assert done == ["work"]

    trio.run(main)
