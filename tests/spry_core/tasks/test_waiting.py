"""Sleeping and time limits, under the memory driver, so that every moment is exact."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable

import pytest

from spry_core.errors import LocalProtocolError
from spry_core.tasks import Timers, enter, now, sleep, timeout
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.task import Cancelled


def test_sleeping_outside_of_tasks_is_an_error_too() -> None:
    with pytest.raises(LocalProtocolError, match="no task of Spry's is running here"):
        sleep(1.0).send(None)


def test_sleep_lasts_exactly_so_long_in_virtual_time() -> None:
    async def sleeper() -> float:
        await sleep(2.5)
        return now()

    assert MemoryDriver(now=1.0).run(sleeper) == 3.5


def test_sleeping_zero_seconds_lets_others_run_and_no_time_pass() -> None:
    driver = MemoryDriver()
    order = list[str]()

    async def other() -> None:
        order.append("other")

    async def sleeper() -> float:
        driver.start(other)
        while not order:
            await sleep(0)
        return now()

    assert driver.run(sleeper) == 0.0


def test_sleepers_wake_in_the_order_of_their_moments() -> None:
    driver = MemoryDriver()
    woken = list[tuple[float, str]]()

    async def sleeper(name: str, seconds: float) -> None:
        await sleep(seconds)
        woken.append((now(), name))

    for name, seconds in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
        driver.start(enter, driver, sleeper, name, seconds)
    driver.advance(10.0)
    assert woken == [(1.0, "a"), (2.0, "b"), (3.0, "c")]


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_what_is_no_span_of_time_is_refused(seconds: float) -> None:
    async def limited() -> None:
        with timeout(seconds):
            pass

    with pytest.raises(ValueError, match="seconds must be a finite number and not negative"):
        MemoryDriver().run(sleep, seconds)
    with pytest.raises(ValueError, match="seconds must be a finite number and not negative"):
        MemoryDriver().run(limited)


def test_a_cancelled_sleep_leaves_no_timer() -> None:
    driver = MemoryDriver()
    task = driver.start(enter, driver, sleep, 5.0)
    driver.settle()
    assert driver.timers.next_deadline() == 5.0
    task.cancel()
    driver.settle()
    assert (task.is_done, driver.timers.next_deadline()) == (True, None)


def test_sleep_tells_the_driver_that_there_is_a_deadline() -> None:
    """The pump sleeps until the deadline it saw last, so whoever sets a nearer one says so."""
    driver = MemoryDriver()
    looks = list[float]()

    class Host:
        def __init__(self) -> None:
            self.driver = driver.lend("host", lambda: looks.append(driver.now()))
            self.timers = Timers()
            self.is_cancelling = False

        def start(self, function: Callable[[], Awaitable[None]]) -> None:
            raise AssertionError("nothing here starts a task")

    host = Host()

    async def sleeper() -> None:
        await sleep(1.0)

    async def limited() -> None:
        with timeout(1.0):
            pass

    driver.start(enter, host, sleeper)
    driver.settle()
    assert looks == [0.0]
    driver.start(enter, host, limited)
    driver.settle()
    assert looks == [0.0, 0.0]


def test_a_timeout_ends_the_block_and_raises_at_its_end() -> None:
    async def limited() -> tuple[float, bool, bool]:
        limit = timeout(2.0)
        with pytest.raises(TimeoutError, match=r"^not finished within 2\.0 s$") as caught, limit:
            await sleep(5.0)
        return now(), limit.expired, caught.value.__suppress_context__

    assert MemoryDriver().run(limited) == (2.0, True, True)


def test_a_block_that_is_done_in_time_goes_on_undisturbed() -> None:
    async def limited() -> tuple[float, bool]:
        with timeout(2.0) as limit:
            await sleep(1.0)
        await sleep(5.0)
        return now(), limit.expired

    driver = MemoryDriver()
    assert driver.run(limited) == (6.0, False)
    assert driver.timers.next_deadline() is None


def test_none_sets_no_limit() -> None:
    async def unlimited() -> tuple[float, bool]:
        with timeout(None) as limit:
            await sleep(1e9)
        return now(), limit.expired

    assert MemoryDriver().run(unlimited) == (1e9, False)


def test_an_error_of_the_block_comes_out_and_the_timer_is_gone() -> None:
    driver = MemoryDriver()

    async def limited() -> None:
        with timeout(2.0):
            raise LookupError("of the block")

    with pytest.raises(LookupError, match="of the block"):
        driver.run(limited)
    assert driver.timers.next_deadline() is None


def test_another_timeout_error_is_not_taken_for_this_limit() -> None:
    """`OSError(ETIMEDOUT)` is a `TimeoutError`: who wants to know asks the object."""

    async def limited() -> bool:
        limit = timeout(2.0)
        with pytest.raises(TimeoutError, match="of the system"), limit:
            raise TimeoutError("of the system")
        return limit.expired

    assert MemoryDriver().run(limited) is False


def test_a_block_that_finishes_in_the_moment_of_expiry_is_left_alone() -> None:
    driver = MemoryDriver()

    async def limited() -> bool:
        with timeout(2.0) as limit:
            driver.timers.handle_deadline(5.0)  # late, and the block waits for nothing more
        return limit.expired

    assert driver.run(limited) is False


def test_no_time_at_all_still_lets_a_block_do_what_needs_no_waiting() -> None:
    done = list[str]()

    async def limited() -> bool:
        limit = timeout(0.0)
        with pytest.raises(TimeoutError), limit:
            await work()
        return limit.expired

    async def work() -> None:
        done.append("before")
        await sleep(1.0)
        done.append("after")

    assert MemoryDriver().run(limited) is True
    assert done == ["before"]


def test_of_nested_limits_the_one_that_expired_raises() -> None:
    async def limited(outer_limit: float, inner_limit: float) -> tuple[bool, bool]:
        outer, inner = timeout(outer_limit), timeout(inner_limit)
        with pytest.raises(TimeoutError), outer, inner:
            await sleep(9.0)
        return outer.expired, inner.expired

    assert MemoryDriver().run(limited, 1.0, 2.0) == (True, False)
    assert MemoryDriver().run(limited, 2.0, 1.0) == (False, True)
    assert MemoryDriver().run(limited, 1.0, 1.0) == (True, False)


def test_a_time_limit_is_for_one_block() -> None:
    limit = timeout(1.0)

    async def use() -> None:
        with limit:
            pass

    assert not limit.expired
    MemoryDriver().run(use)
    with pytest.raises(LocalProtocolError, match="a time limit is for one block"):
        MemoryDriver().run(use)


def test_a_cancellation_from_outside_is_not_the_limits_own() -> None:
    driver = MemoryDriver()
    seen = list[BaseException]()

    async def limited() -> None:
        try:
            with timeout(2.0):
                await sleep(5.0)
        except BaseException as error:
            seen.append(error)
            raise

    task = driver.start(enter, driver, limited)
    driver.advance(1.0)
    task.cancel()
    driver.settle()
    assert [type(each) for each in seen] == [Cancelled]
    assert driver.timers.next_deadline() is None
