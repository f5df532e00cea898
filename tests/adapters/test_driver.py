"""The six verbs, on every backend."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import anyio
import pytest

from adapters.peer import PATIENCE
from adapters.scripted import pumped
from spry_core.driver import Driver, Scope

pytestmark = pytest.mark.anyio

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


@asynccontextmanager
async def driver() -> AsyncGenerator[Driver]:
    """Lend the driver of a connection that says nothing."""
    async with pumped() as this:
        yield this.session.driver


class Log(list[str]):
    """What happened, in order; a task may wait for it."""

    def __init__(self) -> None:
        self._changed = anyio.Event()

    def note(self, what: str) -> None:
        self.append(what)
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, *what: str) -> None:
        with anyio.fail_after(PATIENCE):
            while self != list(what):
                await self._changed.wait()


async def test_time_never_runs_backwards() -> None:
    async with driver() as lent:
        before = lent.now()
        await lent.checkpoint(True)
        assert lent.now() >= before


async def test_a_task_begins_after_the_call_that_starts_it() -> None:
    async with driver() as lent:
        log = Log()

        async def work(first: str, second: str) -> None:
            log.note(first)
            log.note(second)

        lent.start(work, "one", "two")
        assert log == []
        await log.until("one", "two")


async def test_a_task_has_a_copy_of_its_starters_context() -> None:
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            log.note(NAME.get())
            NAME.set("task")

        token = NAME.set("starter")
        lent.start(work)
        NAME.reset(token)
        await log.until("starter")
        assert NAME.get() == "nobody"


async def test_a_cancelled_task_ends_at_its_wait() -> None:
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            log.note("begun")
            try:
                await lent.event().wait()
            finally:
                log.note("ended")

        task = lent.start(work)
        await log.until("begun")
        task.cancel()
        await log.until("begun", "ended")


async def test_a_task_that_is_cancelled_before_it_runs_still_begins() -> None:
    """What it holds is given back by its own `finally`, so it must get there."""
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            log.note("begun")
            try:
                await lent.event().wait()
                log.note("went on")  # pragma: no cover - it is cancelled
            finally:
                log.note("ended")

        lent.start(work).cancel()
        await log.until("begun", "ended")


async def test_cancelling_too_late_or_twice_does_no_harm() -> None:
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            log.note("ended")

        task = lent.start(work)
        await log.until("ended")
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        task.cancel()
        lent.start(work)
        await log.until("ended", "ended")


async def test_a_scope_that_nobody_ends_changes_nothing() -> None:
    async with driver() as lent:
        log, scopes = Log(), list[Scope]()

        async def work() -> None:
            with lent.scope() as scope:
                scopes.append(scope)
                await lent.checkpoint(True)
            log.note("on")

        lent.start(work)
        await log.until("on")
        assert not scopes[0].cancelled


async def in_task(lent: Driver, log: Log, scopes: list[Scope]) -> None:
    """Wait in a scope, and go on behind it."""
    with lent.scope() as scope:
        scopes.append(scope)
        log.note("in")
        await lent.event().wait()
    log.note(f"out {scope.cancelled}")
    await lent.checkpoint(True)
    log.note("on")


async def test_another_task_ends_a_scope_and_its_task_goes_on() -> None:
    async with driver() as lent:
        log, scopes = Log(), list[Scope]()
        lent.start(in_task, lent, log, scopes)
        await log.until("in")
        assert not scopes[0].cancelled
        scopes[0].cancel()
        scopes[0].cancel()
        await log.until("in", "out True", "on")
        scopes[0].cancel()


async def test_a_task_ends_its_own_scope_at_the_next_wait() -> None:
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            with lent.scope() as scope:
                scope.cancel()
                log.note("cancelled")
                await lent.event().wait()
            log.note(f"out {scope.cancelled}")
            await lent.checkpoint(True)
            log.note("on")

        lent.start(work)
        await log.until("cancelled", "out True", "on")


@pytest.mark.parametrize("switch", [True, False])
async def test_a_checkpoint_is_a_wait_for_a_task_that_has_ended_its_own_scope(switch: bool) -> None:
    """Of an inner scope or an outer one; once it has left, a checkpoint is no more than that."""
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            with lent.scope() as outer:
                with lent.scope() as inner:
                    inner.cancel()
                    await lent.checkpoint(switch)
                    log.note("never")
                log.note(f"inner {inner.cancelled}")
                await lent.checkpoint(switch)
                with lent.scope():
                    outer.cancel()
                    await lent.checkpoint(switch)
                    log.note("never")
            log.note(f"outer {outer.cancelled}")
            await lent.checkpoint(switch)
            log.note("on")

        lent.start(work)
        await log.until("inner True", "outer True", "on")


async def test_a_scope_that_was_left_without_waiting_leaves_the_one_around_it_cancelled() -> None:
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            with lent.scope() as outer:
                with lent.scope() as inner:
                    outer.cancel()
                    inner.cancel()
                await lent.checkpoint(False)
                log.note("never")
            log.note(f"out {inner.cancelled} {outer.cancelled}")

        lent.start(work)
        await log.until("out False True")


async def test_a_task_that_leaves_its_cancelled_scope_without_waiting_is_not_cancelled_later() -> None:
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            with lent.scope() as scope:
                scope.cancel()
            log.note(f"out {scope.cancelled}")
            for _ in range(3):
                await lent.checkpoint(True)
            log.note("on")

        lent.start(work)
        await log.until("out False", "on")


async def test_an_error_that_leaves_a_cancelled_scope_stays_that_error() -> None:
    async with driver() as lent:
        log, scopes = Log(), list[Scope]()

        async def work() -> None:
            try:
                with lent.scope() as scope:
                    scopes.append(scope)
                    scope.cancel()
                    try:
                        await lent.event().wait()
                    finally:
                        raise KeyError("from the cleanup")
            except KeyError:
                log.note(f"error {scopes[0].cancelled}")
            await lent.checkpoint(True)
            log.note("on")

        lent.start(work)
        await log.until("error False", "on")


async def test_the_end_of_an_outer_scope_ends_the_inner_one_too() -> None:
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            with lent.scope() as outer:
                with lent.scope() as inner:
                    outer.cancel()
                    await lent.event().wait()
                log.note("between")  # pragma: no cover - it is passed over
            log.note(f"out {outer.cancelled} {inner.cancelled}")

        lent.start(work)
        await log.until("out True False")


async def test_the_end_of_an_inner_scope_leaves_the_outer_one_alone() -> None:
    async with driver() as lent:
        log = Log()

        async def work() -> None:
            with lent.scope() as outer:
                with lent.scope() as inner:
                    inner.cancel()
                    await lent.event().wait()
                await lent.checkpoint(True)
                log.note("between")
            log.note(f"out {outer.cancelled} {inner.cancelled}")

        lent.start(work)
        await log.until("between", "out False True")


async def test_a_scope_does_not_hold_back_the_end_of_its_whole_task() -> None:
    async with driver() as lent:
        log, scopes = Log(), list[Scope]()

        async def work() -> None:
            try:
                await in_task(lent, log, scopes)
            finally:
                log.note("ended")

        task = lent.start(work)
        await log.until("in")
        scopes[0].cancel()
        task.cancel()
        await log.until("in", "ended")
        assert not scopes[0].cancelled


async def test_waiting_for_an_event_that_is_up_does_not_wait() -> None:
    async with driver() as lent:
        event = lent.event()
        assert not event.is_set()
        event.set()
        event.set()
        assert event.is_set()
        await event.wait()


async def test_an_event_wakes_all_its_waiters_and_none_inside_the_call() -> None:
    async with driver() as lent:
        log, event = Log(), lent.event()

        async def wait(name: str) -> None:
            await event.wait()
            log.note(name)

        for name in "abc":
            lent.start(wait, name)
        await anyio.wait_all_tasks_blocked()
        event.set()
        assert log == []
        await anyio.wait_all_tasks_blocked()
        assert sorted(log) == ["a", "b", "c"]


async def test_cancelling_one_waiter_leaves_the_others_waiting() -> None:
    async with driver() as lent:
        log, event = Log(), lent.event()

        async def wait(name: str) -> None:
            try:
                await event.wait()
                log.note(name)
            finally:
                log.note(f"end of {name}")

        first = lent.start(wait, "first")
        lent.start(wait, "second")
        await anyio.wait_all_tasks_blocked()
        first.cancel()
        await log.until("end of first")
        event.set()
        await log.until("end of first", "second", "end of second")


async def test_a_waiter_that_is_cancelled_in_the_moment_it_is_woken_does_not_trouble_the_event() -> None:
    async with driver() as lent:
        log, event = Log(), lent.event()

        async def wait() -> None:
            try:
                await event.wait()
            finally:
                log.note("ended")

        task = lent.start(wait)
        await anyio.wait_all_tasks_blocked()
        task.cancel()
        event.set()
        await log.until("ended")


async def test_a_checkpoint_with_a_switch_lets_others_run() -> None:
    async with driver() as lent:
        log = Log()

        async def count(name: str) -> None:
            for number in range(2):
                log.note(f"{name}{number}")
                await lent.checkpoint(True)

        lent.start(count, "a")
        lent.start(count, "b")
        await anyio.wait_all_tasks_blocked()
        assert sorted(log[:2]) == ["a0", "b0"]
        assert sorted(log[2:]) == ["a1", "b1"]


async def test_a_checkpoint_without_a_switch_lets_nobody_run() -> None:
    async with driver() as lent:
        log = Log()

        async def count(name: str) -> None:
            for number in range(2):
                log.note(f"{name}{number}")
                await lent.checkpoint(False)

        lent.start(count, "a")
        lent.start(count, "b")
        await anyio.wait_all_tasks_blocked()
        assert log in (["a0", "a1", "b0", "b1"], ["b0", "b1", "a0", "a1"])
