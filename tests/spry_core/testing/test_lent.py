"""The six verbs, lent to one session."""

from __future__ import annotations

from spry_core.testing.memory import MemoryDriver
from spry_core.testing.task import MemoryTask


def test_what_is_lent_is_the_same_driver_with_a_notify_of_its_own() -> None:
    driver, looks, seen = MemoryDriver(now=2.0), list[float](), list[object]()
    lent = driver.lend("connection 1", lambda: looks.append(driver.now()))

    async def function() -> None:
        await lent.checkpoint(True)
        with lent.scope() as scope:
            scope.cancel()
            await flag.wait()
        seen.append(scope.cancelled)

    flag = lent.event()
    task = lent.start(function)
    assert isinstance(task, MemoryTask)
    assert (str(task), lent.now()) == ("task 1 of connection 1 at not begun", 2.0)
    driver.settle()
    assert (seen, looks) == ([True], [])
    lent.notify()
    lent.notify(soon=True)
    assert looks == [2.0, 2.0]
    driver.notify()
    assert looks == [2.0, 2.0]
