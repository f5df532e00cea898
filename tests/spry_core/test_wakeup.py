"""Waiting for a change, and passing checkpoints."""

from __future__ import annotations

import pytest

from fakes import FakeDriver, run
from spry_core.testing import MemoryDriver
from spry_core.wakeup import Checkpoints, WakeUp


class Waiting:
    """Tasks that wait for one wake-up, and how often each has woken."""

    def __init__(self) -> None:
        self.driver = MemoryDriver()
        self.wake_up = WakeUp(self.driver)
        self.woken: list[str] = []

    async def wait(self, name: str) -> None:
        while True:
            await self.wake_up.wait()
            self.woken.append(name)

    def wake(self) -> list[str]:
        self.wake_up.wake()
        self.driver.settle()
        woken, self.woken = self.woken, []
        return sorted(woken)


def test_a_wake_up_wakes_everybody_who_waits_each_time() -> None:
    waiting = Waiting()
    waiting.driver.start(waiting.wait, "a")
    waiting.driver.start(waiting.wait, "b")
    waiting.driver.settle()
    assert [waiting.wake(), waiting.wake()] == [["a", "b"], ["a", "b"]]


def test_a_wake_up_is_not_kept_for_those_who_come_later() -> None:
    waiting = Waiting()
    waiting.wake_up.wake()
    waiting.driver.start(waiting.wait, "late")
    waiting.driver.settle()
    assert waiting.woken == []


def test_who_is_cancelled_takes_nothing_from_the_others() -> None:
    waiting = Waiting()
    task = waiting.driver.start(waiting.wait, "cancelled")
    waiting.driver.start(waiting.wait, "other")
    waiting.driver.settle()
    task.cancel()
    assert waiting.wake() == ["other"]
    assert waiting.wake() == ["other"]


def test_an_event_is_made_only_by_who_waits() -> None:
    driver = FakeDriver()
    wake_up = WakeUp(driver)
    wake_up.wake()
    assert driver.events == []


def test_others_may_run_at_every_32nd_operation_that_did_not_wait() -> None:
    driver = FakeDriver()
    checkpoints = Checkpoints(driver)

    async def pass_many() -> None:
        for _ in range(96):
            await checkpoints.pass_one()

    run(pass_many())
    assert [n for n, switch in enumerate(driver.switches, 1) if switch] == [32, 64, 96]


def test_an_operation_that_waited_begins_the_count_anew() -> None:
    driver = FakeDriver()
    checkpoints = Checkpoints(driver)

    async def pass_many() -> None:
        for n in range(1, 61):
            await checkpoints.pass_one()
            if n == 20:
                checkpoints.waited()

    run(pass_many())
    assert [n for n, switch in enumerate(driver.switches, 1) if switch] == [52]


@pytest.mark.parametrize(
    ("size", "first"), [(0, 32), (16 * 1024 - 1, 32), (16 * 1024, 16), (64 * 1024, 7), (1 << 20, 1)]
)
def test_others_run_sooner_beside_big_operations(size: int, first: int) -> None:
    """16 KiB count as one more."""
    driver = FakeDriver()
    checkpoints = Checkpoints(driver)

    async def pass_many() -> None:
        for _ in range(32):
            await checkpoints.pass_one(size)

    run(pass_many())
    assert driver.switches.index(True) == first - 1


def test_a_checkpoint_raises_if_the_task_is_cancelled() -> None:
    driver = MemoryDriver()
    checkpoints = Checkpoints(driver)
    passed = list[int]()

    async def pass_two() -> None:
        await checkpoints.pass_one()
        passed.append(1)
        task.cancel()
        await checkpoints.pass_one()
        passed.append(2)

    task = driver.start(pass_two)
    driver.settle()
    assert (passed, task.is_done) == ([1], True)
