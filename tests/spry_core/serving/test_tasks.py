"""The tasks of one connection: when they begin, what comes out of them, and who learns that the last has ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar, copy_context

import pytest

from eager import EagerDriver
from fakes import Cancelled, pause
from spry_core.protocol import Connection
from spry_core.serving.tasks import Tasks
from spry_core.tasks import Timers, current_host, now

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


class Owner:
    """A session that does nothing but write down what it is told."""

    def __init__(self) -> None:
        self.connection = Connection("server", now=7.0, random=bytes)
        self.driver = EagerDriver()
        self.timers = Timers()
        self.is_inside = False
        self.told: list[str] = []

    def report_error(self, text: str, error: BaseException | None) -> None:
        self.told.append(f"{text}: {error!r}")

    def cut(self) -> None:
        self.told.append("cut")

    def finish_if_over(self) -> None:
        self.told.append("over")

    def enter(self) -> None:
        """Be in a call of the pump."""
        self.is_inside = self.driver.is_pumping = True

    def leave(self) -> None:
        self.is_inside = self.driver.is_pumping = False


def made() -> tuple[Owner, Tasks]:
    owner = Owner()
    return owner, Tasks(owner)


def writes(log: list[str], name: str) -> Callable[[], Awaitable[None]]:
    """Return a task that writes its name down and ends."""

    async def work() -> None:
        log.append(name)

    return work


def raises(error: BaseException) -> Callable[[], Awaitable[None]]:
    """Return a task that raises this."""

    async def work() -> None:
        raise error

    return work


async def wait_for_ever() -> None:
    while True:
        await pause()


# Beginning


def test_a_task_begins_after_the_call_that_starts_it() -> None:
    owner, tasks = made()
    log = list[str]()
    tasks.start(writes(log, "begun"))
    assert (log, tasks.are_over, tasks.waiting) == ([], False, None)
    owner.driver.run()
    assert (log, tasks.are_over) == (["begun"], True)


def test_a_task_that_is_started_in_a_call_of_the_pump_waits_for_its_end() -> None:
    owner, tasks = made()
    log = list[str]()
    owner.enter()
    tasks.start(writes(log, "first"))
    tasks.start(writes(log, "second"))
    assert (log, tasks.are_over, owner.driver.tasks) == ([], False, [])
    tasks.begin_waiting()
    assert (log, tasks.are_over, tasks.waiting) == (["first", "second"], True, None)


def test_what_a_first_step_starts_waits_for_the_next_time() -> None:
    owner, tasks = made()
    log = list[str]()

    async def parent() -> None:
        tasks.start(writes(log, "child"))
        log.append("parent")

    owner.enter()
    tasks.start(parent)
    tasks.begin_waiting()
    assert (log, tasks.are_over) == (["parent"], False)
    tasks.begin_waiting()
    assert (log, tasks.are_over) == (["parent", "child"], True)


def test_nothing_begins_where_nothing_waits() -> None:
    owner, tasks = made()
    tasks.begin_waiting()
    assert (owner.driver.tasks, tasks.are_over) == ([], True)


@pytest.mark.parametrize("is_inside", [False, True])
def test_a_task_has_the_context_variables_of_who_starts_it_and_a_clock(is_inside: bool) -> None:
    owner, tasks = made()
    seen = list[tuple[str, float, bool]]()

    async def work() -> None:
        seen.append((NAME.get(), now(), current_host() is tasks))

    if is_inside:
        owner.enter()
    caller = copy_context()
    caller.run(NAME.set, "caller")
    caller.run(tasks.start, work)
    tasks.begin_waiting()
    owner.driver.run()
    assert seen == [("caller", 7.0, True)]


def test_a_request_has_the_context_variables_of_none_but_the_clock_of_its_connection() -> None:
    owner, tasks = made()
    seen = list[tuple[str, bool]]()

    async def work() -> None:
        seen.append((NAME.get(), current_host() is tasks))
        tasks.end("key")

    caller = copy_context()
    caller.run(NAME.set, "caller")
    caller.run(tasks.begin_later, tasks.context, "key", work)
    assert tasks.are_over is False
    caller.run(tasks.begin_waiting)
    owner.driver.run()
    assert (seen, tasks.are_over) == ([("nobody", True)], True)


def test_a_task_for_which_there_is_no_memory_is_none() -> None:
    owner, tasks = made()
    owner.driver.lacks_memory = True
    with pytest.raises(MemoryError):
        tasks.start(wait_for_ever)
    assert tasks.are_over is True


def test_what_waits_behind_a_task_that_cannot_begin_begins_the_next_time() -> None:
    owner, tasks = made()
    log = list[str]()

    async def leave() -> None:
        tasks.start(writes(log, "child"))
        raise KeyboardInterrupt

    owner.enter()
    tasks.start(leave)
    tasks.start(writes(log, "second"))
    tasks.start(writes(log, "third"))
    with pytest.raises(KeyboardInterrupt):
        tasks.begin_waiting()
    assert (log, tasks.are_over) == ([], False)
    tasks.begin_waiting()
    assert (log, tasks.are_over) == (["second", "third", "child"], True)


# Cancelling


def test_all_tasks_are_cancelled_together() -> None:
    owner, tasks = made()
    tasks.start(wait_for_ever)
    tasks.start(wait_for_ever)
    owner.driver.run()
    assert (tasks.is_cancelling, tasks.are_over) == (False, False)
    tasks.cancel()
    owner.driver.run()
    assert (tasks.is_cancelling, tasks.are_over, owner.told) == (True, True, [])


def test_what_is_started_after_the_cancellation_is_cancelled_at_its_first_wait() -> None:
    owner, tasks = made()
    log = list[str]()

    async def late() -> None:
        log.append("begun")
        await pause()
        log.append("not reached")

    tasks.cancel()
    tasks.start(late)
    owner.driver.run()
    owner.driver.run()
    assert (log, tasks.are_over, owner.told) == (["begun"], True, [])


def test_a_task_that_cancels_all_in_its_first_step_is_cancelled_too() -> None:
    """What would cancel it is not known yet while it is being begun."""
    owner, tasks = made()

    async def work() -> None:
        tasks.cancel()
        await wait_for_ever()

    owner.enter()
    tasks.start(work)
    tasks.begin_waiting()
    assert tasks.are_over is False
    owner.driver.run()
    assert (tasks.are_over, owner.told) == (True, [])


# What comes out


def test_an_error_is_told_and_costs_the_connection() -> None:
    owner, tasks = made()
    tasks.start(raises(LookupError("of our own")))
    owner.driver.run()
    assert owner.told == ["internal error: LookupError('of our own')", "cut"]
    assert tasks.are_over is True


def test_what_ends_the_process_passes_and_costs_the_connection() -> None:
    owner, tasks = made()
    tasks.start(raises(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        owner.driver.run()
    assert (owner.told, tasks.are_over) == (["cut"], True)


def test_what_ends_the_process_while_all_is_cancelled_passes_alone() -> None:
    """Who cancels ends the connection as well, in a way of its own."""
    owner, tasks = made()
    tasks.cancel()
    tasks.start(raises(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        owner.driver.run()
    assert (owner.told, tasks.are_over) == ([], True)


def test_a_cancellation_that_nobody_asked_for_is_an_error() -> None:
    owner, tasks = made()
    tasks.start(raises(Cancelled()))
    owner.driver.run()
    assert owner.told == ["internal error: Cancelled()", "cut"]


# The end


def test_the_last_task_to_end_behind_the_stream_is_told() -> None:
    owner, tasks = made()
    log = list[str]()
    tasks.start(writes(log, "first"))
    owner.driver.run()
    assert owner.told == []  # the stream is still there
    tasks.start(writes(log, "second"))
    tasks.start(wait_for_ever)
    owner.connection.connection_lost(None, 7.0)
    owner.driver.run()
    assert (log, owner.told, tasks.are_over) == (["first", "second"], [], False)
    tasks.cancel()
    owner.driver.run()
    assert (owner.told, tasks.are_over) == (["over"], True)
