"""How a task finds out who runs it."""

from __future__ import annotations

from contextvars import copy_context

import pytest

from spry_core.errors import LocalProtocolError
from spry_core.tasks import become_host, current_host, enter, event, now, sleep
from spry_core.testing.memory import MemoryDriver


def test_a_task_finds_its_host_and_hands_it_down() -> None:
    driver = MemoryDriver()
    found = list[object]()

    async def child() -> None:
        found.append(current_host())

    async def parent() -> None:
        found.append(current_host())
        driver.start(child)

    driver.start(enter, driver, parent)
    driver.settle()
    assert found == [driver, driver]


def test_outside_of_tasks_there_is_a_clear_error() -> None:
    with pytest.raises(LocalProtocolError, match="no task of Spry's is running here"):
        now()
    with pytest.raises(LocalProtocolError, match="no task of Spry's is running here"):
        event()


def test_now_is_the_clock_of_the_driver() -> None:
    async def read() -> float:
        return now()

    assert MemoryDriver(now=12.5).run(read) == 12.5


def test_an_event_wakes_every_waiter() -> None:
    driver = MemoryDriver()
    woken = list[str]()

    async def main() -> None:
        flag = event()

        async def waiter(name: str) -> None:
            await flag.wait()
            woken.append(name)

        driver.start(waiter, "a")
        driver.start(waiter, "b")
        await sleep(1.0)
        assert not flag.is_set()
        assert woken == []
        flag.set()
        await flag.wait()
        assert flag.is_set()

    driver.run(main)
    driver.settle()
    assert sorted(woken) == ["a", "b"]


def test_a_host_can_be_that_of_everything_in_a_context() -> None:
    driver = MemoryDriver()
    context = copy_context()
    context.run(become_host, driver)
    assert context.copy().run(current_host) is driver
    with pytest.raises(LocalProtocolError):
        current_host()
