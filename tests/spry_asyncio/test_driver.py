"""What only asyncio needs; the rest of the driver is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

import pytest

from spry_asyncio.driver import Driver


class Notes:
    """An owner that writes down how tasks ended."""

    def __init__(self) -> None:
        self.ends: list[BaseException | None] = []

    def notify(self, soon: bool = False) -> None:
        raise AssertionError("nobody asks for it here")

    def task_ended(self, error: BaseException | None) -> None:
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
