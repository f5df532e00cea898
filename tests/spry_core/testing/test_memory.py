"""The memory driver: order by seed, virtual time, deadlocks and what is foreign."""

from __future__ import annotations

import asyncio
import math
import re

import pytest
import trio

from spry_core.errors import LocalProtocolError
from spry_core.tasks import Timers, enter, event, now, scope, sleep, timeout
from spry_core.testing import memory
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.parked import Deadlock, ForeignAwaitable
from spry_core.testing.task import Cancelled


def order_of_ten(seed: int) -> list[int]:
    driver, order = MemoryDriver(seed=seed), list[int]()

    async def note(number: int) -> None:
        order.append(number)

    for number in range(10):
        driver.start(note, number)
    driver.settle()
    return order


def test_every_ready_task_runs_and_the_seed_decides_in_which_order() -> None:
    orders = [order_of_ten(seed) for seed in range(20)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 20


def test_the_same_seed_gives_the_same_order() -> None:
    assert order_of_ten(7) == order_of_ten(7)


def test_the_order_of_a_seed_is_the_same_everywhere() -> None:
    """A seed in a bug report is worth something only if it does the same on every machine and version."""
    assert order_of_ten(0) == [8, 6, 3, 1, 7, 2, 5, 0, 4, 9]


def test_starting_runs_nothing() -> None:
    driver, done = MemoryDriver(), list[str]()

    async def function() -> None:
        done.append("done")

    task = driver.start(function)
    assert (done, driver.tasks()) == ([], [task])
    driver.settle()
    assert (done, driver.tasks()) == (["done"], [])


def test_no_time_passes_while_the_driver_settles() -> None:
    driver = MemoryDriver(now=5.0)
    task = driver.start(enter, driver, sleep, 1.0)
    driver.settle()
    assert (driver.now(), task.is_done, driver.next_deadline()) == (5.0, False, 6.0)


def test_advancing_brings_everything_at_its_own_moment() -> None:
    driver, seen = MemoryDriver(), list[tuple[str, float]]()

    async def ticker(name: str, seconds: float) -> None:
        for _ in range(3):
            await sleep(seconds)
            seen.append((name, now()))

    driver.start(enter, driver, ticker, "slow", 2.5)
    driver.start(enter, driver, ticker, "fast", 1.0)
    driver.advance(5.0)
    assert seen == [("fast", 1.0), ("fast", 2.0), ("slow", 2.5), ("fast", 3.0), ("slow", 5.0)]
    assert driver.now() == 5.0


def test_advancing_by_nothing_only_settles() -> None:
    driver, done = MemoryDriver(now=1.0), list[float]()

    async def function() -> None:
        done.append(driver.now())

    driver.start(function)
    driver.advance(0)
    assert (done, driver.now()) == ([1.0], 1.0)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_time_runs_forward_and_not_for_ever(seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds must be a finite number and not negative"):
        MemoryDriver().advance(seconds)


def test_running_a_function_gives_its_result() -> None:
    async def function(a: int, b: int) -> int:
        await sleep(a)
        return a + b

    driver = MemoryDriver()
    assert (driver.run(function, 1, 2), driver.now()) == (3, 1.0)


def test_what_a_function_raises_comes_out_of_the_run() -> None:
    async def function() -> None:
        raise LookupError("of the function")

    with pytest.raises(LookupError, match="of the function"):
        MemoryDriver().run(function)


def test_a_wait_that_nothing_can_end_is_a_deadlock_that_names_every_task() -> None:
    driver = MemoryDriver()

    async def forever() -> None:
        await event().wait()

    async def sleeper() -> None:
        await sleep(1.0)
        await event().wait()

    driver.start(enter, driver, sleeper)
    with pytest.raises(Deadlock) as caught:
        driver.run(forever)
    name = test_a_wait_that_nothing_can_end_is_a_deadlock_that_names_every_task.__qualname__
    assert str(caught.value) == (
        f"nothing can bring the end of {name}.<locals>.forever (time 1.0)\n"
        f"  task 1 at {__file__}:{sleeper.__code__.co_firstlineno + 2} in {name}.<locals>.sleeper, awaiting MemoryEvent.wait\n"
        f"  task 2 at {__file__}:{forever.__code__.co_firstlineno + 1} in {name}.<locals>.forever, awaiting MemoryEvent.wait"
    )


def test_a_run_that_failed_leaves_nothing_of_it_behind() -> None:
    driver, seen = MemoryDriver(), list[type[BaseException]]()

    async def forever() -> None:
        try:
            await event().wait()
        except BaseException as error:
            seen.append(type(error))
            raise

    with pytest.raises(Deadlock):
        driver.run(forever)
    assert (seen, driver.tasks()) == ([Cancelled], [])


def test_a_task_that_goes_round_in_circles_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_STEPS", 100)
    driver = MemoryDriver()

    async def circle() -> None:
        while True:
            await sleep(0)

    driver.start(enter, driver, circle)
    with pytest.raises(Deadlock, match="still busy after 100 steps without any time passing"):
        driver.settle()


def test_a_task_that_passes_many_waits_at_each_step_is_found_as_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_POINTS", 100)
    driver = MemoryDriver()

    async def circle() -> None:
        while True:
            for _ in range(32):
                await driver.checkpoint(False)
            await driver.checkpoint(True)

    driver.start(circle)
    with pytest.raises(Deadlock, match=r"^still busy after 100 waits without any time passing"):
        driver.settle()


def test_tasks_that_start_more_than_end_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_TASKS", 100)
    driver = MemoryDriver()

    async def parent() -> None:
        driver.start(parent)
        driver.start(parent)
        await driver.event().wait()

    driver.start(parent)
    for _ in range(2):  # what is too much stays so, and is said at once
        with pytest.raises(
            Deadlock, match=r"^there are more than 100 tasks at once \(time 0\.0\)\n  task 1 at "
        ):
            driver.settle()
        assert len(driver.tasks()) == 101


def test_waits_of_an_earlier_run_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_POINTS", 100)
    driver, ends = MemoryDriver(), list[int]()

    async def many(number: int) -> None:
        for _ in range(90):
            await driver.checkpoint(False)
        ends.append(number)

    for number in range(3):
        driver.start(many, number)
        driver.settle()
    assert ends == [0, 1, 2]


async def tick() -> None:
    while True:
        await sleep(0.125)


def test_a_given_time_is_given_up_when_too_much_falls_due_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_PASSED", 80)
    driver = MemoryDriver()
    driver.start(enter, driver, tick)
    driver.advance(10.0)
    line = tick.__code__.co_firstlineno + 2
    with pytest.raises(Deadlock) as caught:
        driver.advance(10.125)
    assert str(caught.value) == (
        "80 deadlines have passed, and more are due before 20.125 (time 20.0)\n"
        f"  task 1 at {__file__}:{line} in tick, awaiting sleep\n"
        "  the next deadline is at 20.125: `advance` or a timeout lets time pass"
    )


def test_a_timeout_is_given_up_in_the_same_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_PASSED", 80)
    driver = MemoryDriver()
    driver.start(enter, driver, tick)
    with pytest.raises(TimeoutError):
        driver.wait_until(lambda: False, "a reply", timeout=10.0)
    with pytest.raises(Deadlock, match=r"^80 deadlines have passed without a reply \(time 20\.0\)"):
        driver.wait_until(lambda: False, "a reply", timeout=10.125)


@pytest.mark.parametrize("timeout", [math.inf, math.nan])
def test_a_timeout_is_finite(timeout: float) -> None:
    with pytest.raises(
        ValueError, match=f"^a timeout must be a finite number, not {timeout}; None is for ever$"
    ):
        MemoryDriver().wait_until(lambda: False, "a reply", timeout=timeout)


def test_of_many_tasks_the_oldest_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_TOLD", 2)
    driver = MemoryDriver()
    for _ in range(5):
        driver.start(enter, driver, driver.event().wait)
    with pytest.raises(Deadlock) as caught:
        driver.wait_until(lambda: False, "a reply")
    first, *tasks, rest = str(caught.value).splitlines()
    assert first == "nothing can bring a reply (time 0.0)"
    assert [task.split(" at ")[0] for task in tasks] == ["  task 1", "  task 2"]
    assert rest == "  and 3 further tasks"


def test_a_ticker_does_not_keep_a_wait_going_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_JUMPS", 100)
    driver = MemoryDriver()

    async def ticker() -> None:
        while True:
            await sleep(1.0)

    driver.start(enter, driver, ticker)
    with pytest.raises(Deadlock, match=r"^100 deadlines have passed without a reply \(time 100\.0\)"):
        driver.wait_until(lambda: False, "a reply")


def test_a_deadline_that_nobody_handles_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_STALLED", 10)
    driver = MemoryDriver()

    def again() -> None:
        driver.schedule(job)

    class Job:
        def step(self) -> None:
            driver.add_alarm(1.0, again)

    job = Job()
    driver.schedule(job)
    with pytest.raises(Deadlock, match=r"^a deadline at 1\.0 is due and does not go away"):
        driver.advance(2.0)


def test_a_wait_goes_over_the_timers_of_any_host() -> None:
    driver = MemoryDriver()

    class Host:
        def __init__(self) -> None:
            self.driver = driver
            self.timers = Timers()

    host = Host()
    done = list[str]()
    host.timers.add(3.0, lambda: done.append("timer"))
    driver.add_alarm(2.0, lambda: done.append("alarm"))
    driver.add_alarm(3.0, lambda: host.timers.handle_deadline(3.0))
    driver.add_host(host)
    driver.wait_until(lambda: "timer" in done, "the timer")
    assert (done, driver.now()) == (["alarm", "timer"], 3.0)


def test_a_host_that_is_gone_does_not_make_a_wait_go_on() -> None:
    driver = MemoryDriver()

    class Host:
        def __init__(self) -> None:
            self.driver = driver
            self.timers = Timers()

    host = Host()
    host.timers.add(3.0, lambda: None)
    driver.add_alarm(3.0, lambda: None)
    driver.add_host(host)
    driver.remove_host(host)
    driver.remove_host(host)
    with pytest.raises(Deadlock):
        driver.wait_until(lambda: False, "anything")
    assert driver.now() == 0.0


def test_the_deadlines_of_connections_alone_do_not_make_time_pass() -> None:
    driver = MemoryDriver()
    driver.add_alarm(20.0, lambda: None)
    with pytest.raises(Deadlock) as caught:
        driver.wait_until(lambda: False, "a message")
    assert str(caught.value) == (
        "nothing can bring a message (time 0.0)\n"
        "  the next deadline is at 20.0: `advance` or a timeout lets time pass"
    )


def test_a_hasty_wait_goes_over_them() -> None:
    driver = MemoryDriver()
    rung = list[float]()
    driver.add_alarm(20.0, lambda: rung.append(driver.now()))
    driver.wait_until(lambda: bool(rung), "the alarm", is_hasty=lambda: True)
    assert rung == [20.0]


def test_a_wait_with_a_timeout_goes_over_everything_and_stops_there() -> None:
    driver = MemoryDriver()
    rung = list[float]()
    driver.add_alarm(1.0, lambda: rung.append(driver.now()))
    driver.add_alarm(2.0, lambda: rung.append(driver.now()))
    driver.add_alarm(2.5, lambda: rung.append(driver.now()))
    with pytest.raises(TimeoutError, match=r"^a reply did not come within 2\.0 s$"):
        driver.wait_until(lambda: False, "a reply", timeout=2.0)
    assert (rung, driver.now()) == ([1.0, 2.0], 2.0)


def test_a_timeout_passes_also_when_nothing_is_set() -> None:
    driver = MemoryDriver()
    with pytest.raises(TimeoutError):
        driver.wait_until(lambda: False, "a reply", timeout=2.0)
    assert driver.now() == 2.0


def test_what_is_over_is_not_waited_for() -> None:
    driver = MemoryDriver()
    driver.wait_until(lambda: True, "nothing", timeout=2.0)
    assert driver.now() == 0.0


def test_a_checkpoint_lets_others_be_drawn_only_if_it_says_so() -> None:
    driver, order = MemoryDriver(), list[str]()

    async def other() -> None:
        order.append("other")

    async def function() -> None:
        driver.start(other)
        for _ in range(100):
            await driver.checkpoint(False)
        order.append("function")
        while "other" not in order:
            await driver.checkpoint(True)

    driver.run(function)
    assert order == ["function", "other"]


@pytest.mark.parametrize("switch", [False, True])
def test_a_checkpoint_raises_in_a_cancelled_task(switch: bool) -> None:
    driver, seen = MemoryDriver(), list[str]()

    async def function() -> None:
        tasks[0].cancel()
        seen.append("cancelled")
        await driver.checkpoint(switch)
        seen.append("not reached")

    tasks = [driver.start(function)]
    driver.settle()
    assert (seen, tasks[0].is_done) == (["cancelled"], True)


def test_a_checkpoint_raises_if_the_task_is_cancelled_while_others_run() -> None:
    driver, seen = MemoryDriver(), list[str]()

    async def function() -> None:
        driver.start(cancel)
        while True:
            await driver.checkpoint(True)

    async def cancel() -> None:
        tasks[0].cancel()
        seen.append("cancelled")

    tasks = [driver.start(function)]
    driver.settle()
    assert (seen, tasks[0].is_done) == (["cancelled"], True)


def test_what_is_lent_looks_at_its_own_session() -> None:
    driver, looks = MemoryDriver(), list[str]()
    one = driver.lend("one", lambda: looks.append("one"))
    driver.lend("two", lambda: looks.append("two")).notify()
    one.notify()
    assert (looks, one.start(sleep, 1.0).name) == (["two", "one"], "task 1 of one")


def test_scopes_and_events_need_a_task_of_the_driver() -> None:
    driver = MemoryDriver()
    with pytest.raises(LocalProtocolError, match="no task of this memory driver is running"):
        driver.scope()
    with pytest.raises(LocalProtocolError, match="no task of this memory driver is running"):
        driver.event().wait().send(None)


def test_a_task_cannot_run_the_driver_that_runs_it() -> None:
    driver = MemoryDriver()

    async def function() -> None:
        driver.settle()

    with pytest.raises(LocalProtocolError, match="this memory driver is running"):
        driver.run(function)


async def trio_sleep() -> None:
    await trio.sleep(1)


def test_a_foreign_awaitable_is_raised_in_the_task_as_well_before_the_run_ends() -> None:
    driver, seen = MemoryDriver(), list[str]()

    async def function() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            seen.append("cleaned up")

    driver.start(function)
    with pytest.raises(ForeignAwaitable):
        driver.settle()
    assert (seen, driver.tasks()) == (["cleaned up"], [])


def test_a_task_that_tries_it_again_and_again_does_not_keep_the_run_going() -> None:
    driver, tried = MemoryDriver(), list[int]()

    async def stubborn() -> None:
        while True:
            try:
                await asyncio.sleep(0)
            except ForeignAwaitable:
                tried.append(len(tried))

    driver.start(stubborn)
    with pytest.raises(ForeignAwaitable):
        driver.settle()
    assert len(tried) == memory.MAX_FAILURES - 1
    with pytest.raises(ForeignAwaitable):
        driver.settle()
    assert len(tried) == 2 * memory.MAX_FAILURES - 1


def test_what_the_library_had_to_say_is_kept_as_the_cause() -> None:
    with pytest.raises(ForeignAwaitable) as caught:
        MemoryDriver().run(trio_sleep)
    assert isinstance(caught.value.__cause__, RuntimeError)
    assert str(caught.value.__cause__) == "must be called from async context"


def test_an_error_that_was_handled_elsewhere_is_recognised_by_inspection() -> None:
    driver = MemoryDriver()

    async def function() -> None:
        try:
            await trio.sleep(1)
        except RuntimeError as error:
            driver.inspect(error)

    with pytest.raises(ForeignAwaitable, match=r"^task 1 at .* awaited trio\._timeouts\.sleep"):
        driver.run(function)


def test_an_inspected_error_of_nobodys_task_fails_the_next_run() -> None:
    driver = MemoryDriver()
    with pytest.raises(RuntimeError) as error:
        trio.sleep(1).send(None)
    for given, named in (((), "a callback"), (("the lifespan",), "the lifespan")):
        driver.inspect(error.value, *given)
        with pytest.raises(ForeignAwaitable, match=f"^{named} at "):
            driver.settle()


def test_inspection_passes_over_everything_else() -> None:
    driver, done = MemoryDriver(), list[str]()

    async def function() -> None:
        driver.inspect(None)
        driver.inspect(RuntimeError("of the user"))
        driver.inspect(LookupError("of the user"))
        done.append("done")

    driver.run(function)
    assert done == ["done"]


def test_a_job_that_is_no_task_may_meet_something_foreign_too() -> None:
    class Job:
        def step(self) -> None:
            trio.sleep(1).send(None)

    driver = MemoryDriver()
    driver.schedule(Job())
    with pytest.raises(ForeignAwaitable, match=r"^a callback at .* awaited trio\._timeouts\.sleep"):
        driver.settle()


def test_a_job_stands_on_the_ready_list_once() -> None:
    steps = list[str]()

    class Job:
        def step(self) -> None:
            steps.append("step")

    driver, job = MemoryDriver(), Job()
    driver.schedule(job)
    driver.schedule(job)
    driver.settle()
    assert steps == ["step"]
    driver.schedule(job)
    driver.settle()
    assert steps == ["step", "step"]


def test_a_minute_with_a_timeout_inside_costs_no_minute() -> None:
    async def function() -> float:
        limit = timeout(60.0)
        with pytest.raises(TimeoutError), limit:
            await sleep(3600.0)
        return now()

    assert MemoryDriver().run(function) == 60.0


def test_the_deadlock_of_a_task_that_has_not_begun_says_so() -> None:
    class Job:
        def step(self) -> None:
            driver.schedule(self)

    driver = MemoryDriver()
    job = Job()
    driver.schedule(job)

    async def function() -> None:
        """Never gets its turn with so few steps."""

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "MAX_STEPS", 0)
        driver.start(function)
        with pytest.raises(Deadlock) as caught:
            driver.settle()
    assert re.fullmatch(r"still busy after 0 steps .*\n  task 1 at not begun", str(caught.value))


def test_what_is_run_can_have_tasks_that_end_with_a_block() -> None:
    async def program() -> float:
        with pytest.raises(KeyError, match="a task"):
            await block()
        return now()

    async def block() -> None:
        async with scope() as s:
            s.start_soon(fail)
            await event().wait()

    async def fail() -> None:
        await sleep(1.0)
        raise KeyError("a task")

    driver = MemoryDriver()
    assert (driver.run(program), driver.tasks(), driver.is_cancelling) == (1.0, [], False)


def test_bytes_on_their_way_are_waited_for() -> None:
    driver, came = MemoryDriver(), list[float]()
    driver.add_arrival(3.0, lambda: came.append(driver.now()))
    driver.wait_until(lambda: bool(came), "the bytes")
    assert came == [3.0]


def test_points_are_watched_as_long_as_somebody_asks_for_them() -> None:
    """A checkpoint and a wait are one each, whether they suspend the task or not."""
    driver, names = MemoryDriver(), list[str]()
    driver.watch(lambda task: names.append(task.name))

    async def function() -> None:
        await driver.checkpoint(False)
        await sleep(1.0)

    driver.run(function)
    assert names == ["task 1", "task 1"]
    driver.watch(None)
    driver.run(function)
    assert len(names) == 2


def test_what_watches_may_cancel_a_task_at_the_point_that_it_comes_to() -> None:
    driver, passed = MemoryDriver(), list[str]()

    async def function() -> None:
        passed.append("first")
        await driver.checkpoint(False)
        passed.append("second")  # pragma: no cover - it is cancelled before

    driver.watch(lambda task: task.cancel())
    driver.start(function)
    driver.settle()
    assert (passed, driver.tasks()) == (["first"], [])
