"""Timers, and what handlers do with them: under the memory driver, so that every moment is exact."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.errors import LocalProtocolError
from spry_core.tasks import Timer, Timers, current_host, enter, event, now, sleep, timeout
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.task import Cancelled


def noting(fired: list[str], name: str) -> Callable[[], None]:
    return lambda: fired.append(name)


def test_no_timer_has_no_deadline() -> None:
    assert Timers().next_deadline() is None


def test_timers_fire_in_the_order_of_their_moments() -> None:
    timers, fired = Timers(), list[str]()
    timers.add(3.0, noting(fired, "third"))
    timers.add(1.0, noting(fired, "first"))
    timers.add(2.0, noting(fired, "second"))
    assert timers.next_deadline() == 1.0
    timers.handle_deadline(2.0)
    assert fired == ["first", "second"]
    assert timers.next_deadline() == 3.0


def test_of_two_timers_for_one_moment_the_older_fires_first() -> None:
    timers, fired = Timers(), list[str]()
    for name in "abc":
        timers.add(1.0, noting(fired, name))
    timers.handle_deadline(1.0)
    assert fired == ["a", "b", "c"]


def test_a_timer_does_not_fire_before_its_moment() -> None:
    timers, fired = Timers(), list[str]()
    timer = timers.add(1.0, noting(fired, "early"))
    timers.handle_deadline(math.nextafter(1.0, 0.0))
    assert (fired, timer.is_pending, timer.when) == ([], True, 1.0)


def test_a_timer_fires_once() -> None:
    timers, fired = Timers(), list[str]()
    timer = timers.add(1.0, noting(fired, "once"))
    timers.handle_deadline(1.0)
    timers.handle_deadline(1.0)
    timer.fire()
    assert (fired, timer.is_pending, timers.next_deadline()) == (["once"], False, None)


def test_a_cancelled_timer_does_not_fire_and_is_no_deadline() -> None:
    timers, fired = Timers(), list[str]()
    timer = timers.add(1.0, noting(fired, "cancelled"))
    timers.add(2.0, noting(fired, "left"))
    timer.cancel()
    timer.cancel()
    assert timers.next_deadline() == 2.0
    timers.handle_deadline(3.0)
    assert fired == ["left"]


def test_cancelling_a_timer_that_has_fired_changes_nothing() -> None:
    timers, fired = Timers(), list[str]()
    timer = timers.add(1.0, noting(fired, "fired"))
    timers.handle_deadline(1.0)
    timer.cancel()
    assert (fired, len(timers)) == (["fired"], 0)


def test_what_a_callback_adds_fires_as_well_if_it_is_due() -> None:
    timers, fired = Timers(), list[str]()

    def add_more() -> None:
        timers.add(1.5, noting(fired, "due"))
        timers.add(2.5, noting(fired, "not due"))

    timers.add(1.0, add_more)
    timers.handle_deadline(2.0)
    assert (fired, timers.next_deadline()) == (["due"], 2.5)


def test_a_callback_may_cancel_a_timer_that_is_due() -> None:
    timers, fired = Timers(), list[str]()
    later = list[Timer]()

    def cancel_later() -> None:
        later[0].cancel()

    timers.add(1.0, cancel_later)
    later.append(timers.add(1.0, noting(fired, "later")))
    timers.handle_deadline(1.0)
    assert fired == []


def test_cancelled_timers_do_not_pile_up_behind_one_that_stays() -> None:
    timers = Timers()
    timers.add(0.0, lambda: None)
    for i in range(1, 10_000):
        timers.add(float(i), lambda: None).cancel()
    assert len(timers) <= 34


def test_at_most_as_many_timers_are_cancelled_as_are_left() -> None:
    timers = Timers()
    kept = [timers.add(0.0, lambda: None) for _ in range(1000)]
    for i in range(1, 10_000):
        timers.add(float(i), lambda: None).cancel()
    assert len(timers) <= 2 * len(kept) + 1
    assert all(timer.is_pending for timer in kept)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 9)),
            st.tuples(st.just("cancel"), st.integers(0, 99)),
            st.tuples(st.just("handle"), st.integers(0, 9)),
        ),
        max_size=200,
    )
)
def test_timers_do_as_a_plain_list_does(steps: list[tuple[str, int]]) -> None:
    timers, fired = Timers(), list[int]()
    handles = [timers.add(5.0, lambda: fired.append(0))]
    model, expected = [(5.0, 0)], list[int]()
    for what, number in steps:
        if what == "add":
            name = len(handles)
            model.append((float(number), name))
            handles.append(timers.add(float(number), partial(fired.append, name)))
        elif what == "cancel":
            name = number % len(handles)
            handles[name].cancel()
            model = [each for each in model if each[1] != name]
        else:
            timers.handle_deadline(float(number))
            expected += [each[1] for each in sorted(model) if each[0] <= number]
            model = [each for each in model if each[0] > number]
        assert fired == expected
        assert timers.next_deadline() == min((when for when, _ in model), default=None)


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


def test_sleeping_outside_of_tasks_is_an_error_too() -> None:
    with pytest.raises(LocalProtocolError, match="no task of Spry's is running here"):
        sleep(1.0).send(None)


def test_now_is_the_clock_of_the_driver() -> None:
    async def read() -> float:
        return now()

    assert MemoryDriver(now=12.5).run(read) == 12.5


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
