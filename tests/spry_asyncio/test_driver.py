"""What only asyncio needs; the rest of the driver is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Coroutine
from contextvars import ContextVar

import pytest

from spry_asyncio.driver import Driver, clock_of
from spry_core.driver import Task

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")

eager = pytest.mark.skipif(sys.version_info < (3, 12), reason="new in Python 3.12")


class Notes:
    """An owner that writes down how tasks ended."""

    def __init__(self) -> None:
        self.ends: list[BaseException | None] = []

    def notify(self, soon: bool = False) -> None:
        raise AssertionError("nobody asks for it here")

    def task_ended(self, error: Exception | None) -> None:
        self.ends.append(error)


def run(test: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run on a loop of its own."""
    with asyncio.Runner() as runner:
        runner.run(test())


def test_a_second_cancellation_does_not_tear_the_cleanup_of_the_first() -> None:
    async def main() -> None:
        driver, log = Driver(Notes()), list[str]()

        async def work() -> None:
            try:
                await driver.event().wait()
            finally:
                await asyncio.sleep(0)
                log.append("cleaned up")

        task = driver.start(work)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        while driver.has_tasks:
            await asyncio.sleep(0)
        assert log == ["cleaned up"]

    run(main)


def test_the_owner_learns_how_each_task_ended() -> None:
    async def main() -> None:
        notes = Notes()
        driver = Driver(notes)
        failure = ZeroDivisionError()

        async def succeed() -> None:
            return

        async def fail() -> None:
            raise failure

        driver.start(succeed)
        driver.start(fail)
        driver.start(driver.event().wait)
        await asyncio.sleep(0)
        driver.cancel()
        while driver.has_tasks:
            await asyncio.sleep(0)
        assert notes.ends == [None, failure, None]

    run(main)


@pytest.mark.skipif(not hasattr(asyncio, "eager_task_factory"), reason="new in Python 3.12")
def test_a_task_is_not_begun_early_by_an_eager_task_factory() -> None:
    async def main() -> None:
        factory = getattr(asyncio, "eager_task_factory")  # noqa: B009 - unknown to the checkers for 3.11
        asyncio.get_running_loop().set_task_factory(factory)
        driver, log = Driver(Notes()), list[str]()

        async def work() -> None:
            log.append("begun")

        driver.start(work)
        assert log == []
        while driver.has_tasks:
            await asyncio.sleep(0)
        assert log == ["begun"]

    run(main)


def test_what_ends_the_process_goes_through_a_task_and_is_not_complained_about(
    caplog: pytest.LogCaptureFixture,
) -> None:
    notes = Notes()

    async def main() -> None:
        async def leave() -> None:
            raise SystemExit(3)

        Driver(notes).start(leave)
        await asyncio.sleep(1)

    with pytest.raises(SystemExit):
        run(main)
    gc.collect()
    assert notes.ends == [None]
    assert caplog.messages == []


def test_a_task_that_is_collected_with_its_loop_tells_nobody() -> None:
    notes, loop = Notes(), asyncio.new_event_loop()
    cleaned: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            cleaned.append("up")

    async def main() -> None:
        Driver(notes).start(wait)
        await asyncio.sleep(0)

    loop.run_until_complete(main())
    [task] = asyncio.all_tasks(loop)
    setattr(task, "_log_destroy_pending", False)  # noqa: B010 - asyncio's own means, unknown to the checkers
    del task
    loop.close()
    gc.collect()
    assert (cleaned, notes.ends) == (["up"], [])


def start_in_a_call_of_the_pump(driver: Driver, work: Callable[[], Coroutine[None, None, None]]) -> Task:
    driver.is_pumping = True
    try:
        return driver.start(work)
    finally:
        driver.is_pumping = False


@eager
def test_a_task_begins_at_once_in_a_call_of_the_pump_and_is_a_task_of_its_own() -> None:
    async def main() -> None:
        notes = Notes()
        driver, log = Driver(notes), list[str]()
        outer = asyncio.current_task()

        async def work() -> None:
            inner = asyncio.current_task()
            assert inner is not None
            assert inner is not outer
            log.append(f"{inner.get_name()} of {NAME.get()}")
            NAME.set("inner")

        NAME.set("outer")
        start_in_a_call_of_the_pump(driver, work)
        assert log == ["spry of outer"]
        assert NAME.get() == "outer"
        assert asyncio.current_task() is outer
        assert notes.ends == [None]
        assert not driver.has_tasks

    run(main)


@eager
def test_a_task_that_began_at_once_and_waits_goes_on_as_any_other() -> None:
    async def main() -> None:
        notes = Notes()
        driver, log = Driver(notes), list[str]()
        event = driver.event()

        async def work() -> None:
            log.append("begun")
            await event.wait()
            log.append("woken")

        start_in_a_call_of_the_pump(driver, work)
        assert log == ["begun"]
        assert driver.has_tasks
        event.set()
        while driver.has_tasks:
            await asyncio.sleep(0)
        assert log == ["begun", "woken"]
        assert notes.ends == [None]

    run(main)


@eager
def test_what_a_first_step_raises_belongs_to_the_task() -> None:
    async def main() -> None:
        notes = Notes()
        driver, failure = Driver(notes), ZeroDivisionError()

        async def fail() -> None:
            raise failure

        start_in_a_call_of_the_pump(driver, fail)
        assert notes.ends == [failure]

    run(main)


@eager
def test_a_task_can_be_cancelled_in_its_first_step() -> None:
    async def main() -> None:
        notes = Notes()
        driver, log = Driver(notes), list[str]()

        async def work() -> None:
            driver.cancel()
            log.append("on")
            try:
                await driver.event().wait()
            finally:
                log.append("ended")

        start_in_a_call_of_the_pump(driver, work)
        while driver.has_tasks:
            await asyncio.sleep(0)
        assert log == ["on", "ended"]
        assert notes.ends == [None]

    run(main)


def test_a_scope_that_was_never_entered_cannot_be_cancelled() -> None:
    async def main() -> None:
        scope = Driver(Notes()).scope()
        with scope as entered:
            pass
        entered.cancel()
        await asyncio.sleep(0)
        assert not entered.cancelled

    run(main)


def test_a_cancellation_of_the_task_that_meets_a_scopes_own_goes_on() -> None:
    """Both ask in the same moment: only one error arrives, and the scope must not keep it."""

    async def main() -> None:
        driver, log = Driver(Notes()), list[str]()

        async def work() -> None:
            with driver.scope() as scope:
                scope.cancel()
                task = asyncio.current_task()
                assert task is not None
                asyncio.get_running_loop().call_soon(task.cancel)
                try:
                    await driver.event().wait()
                except asyncio.CancelledError:
                    log.append(f"asked {task.cancelling()} times")
                    raise

        driver.start(work)
        while driver.has_tasks:
            await asyncio.sleep(0)
        assert log == ["asked 2 times"]

    run(main)


def test_the_clock_is_that_of_the_loop_whatever_that_says() -> None:
    class Slow(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return super().time() / 2

    loop = Slow()
    try:
        assert clock_of(loop)() == pytest.approx(time.monotonic() / 2, abs=1.0)
    finally:
        loop.close()
    usual = asyncio.new_event_loop()
    try:
        before = usual.time()
        assert before <= clock_of(usual)() <= usual.time()
        setattr(usual, "time", lambda: 5.0)  # noqa: B010 - no checker likes a method to be replaced
        assert clock_of(usual)() == 5.0
    finally:
        usual.close()
