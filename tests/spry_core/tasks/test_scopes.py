"""Tasks that belong to a block, under the memory driver: whatever order it draws, they end with the block."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from types import TracebackType
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks import Block, Program, blocks
from spry_core.errors import LocalProtocolError
from spry_core.tasks import TaskScope, event, now, scope, sleep, timeout
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.task import Cancelled, MemoryEvent, MemoryScope

SEEDS = pytest.mark.parametrize("seed", range(5))


class Notes(list[str]):
    """What has happened, in order."""

    async def note(self, what: str, seconds: float = 0.0) -> None:
        await sleep(seconds)
        self.append(what)

    async def wait(self, name: str) -> None:
        """Wait for ever, and note the cancellation."""
        try:
            await event().wait()
        except Cancelled:
            self.append(f"{name} is cancelled")
            raise

    async def fail(self, error: BaseException, seconds: float = 0.0) -> None:
        await sleep(seconds)
        raise error


def run(function: Callable[[Notes], Awaitable[None]], seed: int = 0) -> Notes:
    """Run a program under the memory driver; every task has ended behind it."""
    driver, notes = MemoryDriver(seed=seed), Notes()

    async def program() -> None:
        await function(notes)

    driver.run(program)
    assert driver.tasks() == []
    return notes


async def raised(block: Callable[[], Awaitable[None]], limit: float | None = None) -> BaseException:
    """Return what the block raises."""
    try:
        with timeout(limit):
            await block()
    except BaseException as error:
        return error
    raise AssertionError("it raised nothing")


def members(group: BaseException) -> list[BaseException]:
    """List what is in a group."""
    assert isinstance(group, BaseExceptionGroup)
    return list(cast("BaseExceptionGroup[BaseException]", group).exceptions)


@SEEDS
def test_leaving_the_block_waits_for_its_tasks(seed: int) -> None:
    async def program(notes: Notes) -> None:
        async with scope() as s:
            s.start_soon(notes.note, "second", 2.0)
            s.start_soon(notes.note, "first", 1.0)
            notes.append("body")
        notes.append(f"over at {now()}")

    assert run(program, seed) == ["body", "first", "second", "over at 2.0"]


def test_a_block_without_tasks_is_left_at_once() -> None:
    async def program(notes: Notes) -> None:
        async with scope():
            notes.append("body")
        notes.append("over")

    assert run(program) == ["body", "over"]


def test_a_task_may_start_more_of_them() -> None:
    async def program(notes: Notes) -> None:
        async def first(s: TaskScope) -> None:
            await sleep(1.0)
            s.start_soon(notes.note, "second", 1.0)

        async with scope() as s:
            s.start_soon(first, s)
        notes.append(f"over at {now()}")

    assert run(program) == ["second", "over at 2.0"]


def test_tasks_have_the_context_variables_of_who_starts_them() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")

    async def program(notes: Notes) -> None:
        async def read() -> None:
            notes.append(variable.get())
            variable.set("of the task")

        async with scope() as s:
            variable.set("one")
            s.start_soon(read)
            variable.set("two")
            s.start_soon(read)
        notes.append(variable.get())

    assert sorted(run(program)) == ["one", "two", "two"]


@SEEDS
def test_an_error_of_a_task_cancels_the_rest_and_comes_out_as_itself(seed: int) -> None:
    cause = OSError("cause")

    async def failing() -> None:
        await sleep(1.0)
        try:
            raise cause
        except OSError as error:
            raise KeyError("a task") from error

    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(failing)
                s.start_soon(notes.wait, "the other")
                await notes.wait("the body")

        error = await raised(block)
        assert (type(error), error.args) == (KeyError, ("a task",))
        assert (error.__cause__, error.__context__) == (cause, cause)
        notes.append(f"over at {now()}")

    notes = run(program, seed)
    assert (sorted(notes[:2]), notes[2:]) == (
        ["the body is cancelled", "the other is cancelled"],
        ["over at 1.0"],
    )


def test_an_error_of_a_task_comes_out_of_a_body_that_waits_for_nothing() -> None:
    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(notes.fail, KeyError("a task"), 1.0)
                s.start_soon(notes.wait, "the other")

        error = await raised(block)
        assert (type(error), error.args) == (KeyError, ("a task",))

    assert run(program) == ["the other is cancelled"]


@SEEDS
def test_several_errors_come_out_as_a_group(seed: int) -> None:
    errors = [KeyError("one"), OSError("two"), ValueError("three")]

    async def program(notes: Notes) -> None:
        async def tidying(error: Exception) -> None:
            try:
                await event().wait()
            finally:
                raise error

        async def block() -> None:
            async with scope() as s:
                s.start_soon(tidying, errors[1])
                s.start_soon(notes.fail, errors[0], 1.0)
                s.start_soon(tidying, errors[2])

        error = await raised(block)
        assert str(error) == "several tasks of a scope have failed (3 sub-exceptions)"
        assert members(error)[0] is errors[0]
        assert set(members(error)) == set(errors)

    run(program, seed)


@SEEDS
def test_an_error_of_the_body_cancels_the_tasks_and_waits(seed: int) -> None:
    expected = KeyError("the body")

    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(notes.wait, "one")
                s.start_soon(notes.wait, "two")
                await sleep(1.0)
                raise expected

        error = await raised(block)
        assert error is expected
        notes.append("over")

    notes = run(program, seed)
    assert (sorted(notes[:2]), notes[2:]) == (["one is cancelled", "two is cancelled"], ["over"])


def test_an_error_of_the_body_and_one_of_a_task_make_a_group() -> None:
    errors = [KeyError("a task"), OSError("the body")]

    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(notes.fail, errors[0])
                try:
                    await event().wait()
                finally:
                    raise errors[1]

        error = await raised(block)
        assert (type(error), members(error)) == (ExceptionGroup, errors)

    run(program)


def test_a_task_that_has_not_begun_is_cancelled_at_its_first_wait() -> None:
    async def program(notes: Notes) -> None:
        async def child() -> None:
            notes.append("begins")
            await notes.wait("the task")

        async with scope() as s:
            s.start_soon(child)
            s.cancel()

    assert run(program) == ["begins", "the task is cancelled"]


@SEEDS
def test_cancelling_a_scope_ends_its_block_without_an_error(seed: int) -> None:
    async def program(notes: Notes) -> None:
        async def canceller(s: TaskScope) -> None:
            await sleep(1.0)
            s.cancel()
            s.cancel()

        async with scope() as s:
            s.start_soon(canceller, s)
            s.start_soon(notes.wait, "the other")
            await notes.wait("the body")
        notes.append(f"over at {now()}")
        s.cancel()
        await notes.note("goes on", 1.0)

    notes = run(program, seed)
    assert sorted(notes[:2]) == ["the body is cancelled", "the other is cancelled"]
    assert notes[2:] == ["over at 1.0", "goes on"]


def test_what_is_started_in_a_cancelled_block_is_cancelled_too() -> None:
    async def program(notes: Notes) -> None:
        async with scope() as s:
            s.cancel()
            s.start_soon(notes.wait, "late")

    assert run(program) == ["late is cancelled"]


@SEEDS
def test_a_cancellation_of_the_body_from_outside_cancels_the_tasks_and_goes_on(seed: int) -> None:
    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(notes.wait, "one")
                await notes.wait("the body")

        error = await raised(block, 1.0)
        assert type(error) is TimeoutError
        notes.append("over")

    notes = run(program, seed)
    assert (sorted(notes[:2]), notes[2:]) == (["one is cancelled", "the body is cancelled"], ["over"])


@SEEDS
def test_a_block_that_is_cancelled_while_it_waits_still_waits_for_its_tasks(seed: int) -> None:
    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                for name in ("one", "two", "three"):
                    s.start_soon(notes.wait, name)

        error = await raised(block, 1.0)
        assert type(error) is TimeoutError
        notes.append("over")

    notes = run(program, seed)
    assert sorted(notes[:3]) == ["one is cancelled", "three is cancelled", "two is cancelled"]
    assert notes[3:] == ["over"]


def test_a_task_that_is_cancelled_sees_its_scopes_cancelled_with_it() -> None:
    driver, notes = MemoryDriver(), Notes()

    async def program() -> None:
        async with scope() as s:
            s.start_soon(notes.wait, "the child")

    async def main() -> None:
        async with scope() as outer:
            outer.start_soon(program)
            await sleep(1.0)
            outer.cancel()

    driver.run(main)
    assert (notes, driver.tasks()) == (["the child is cancelled"], [])


def test_errors_are_worth_more_than_a_cancellation_from_outside() -> None:
    async def program(notes: Notes) -> None:
        async def tidying() -> None:
            try:
                await event().wait()
            finally:
                raise KeyError("while tidying up")

        async def block() -> None:
            async with scope() as s:
                s.start_soon(tidying)
                await event().wait()

        error = await raised(block, 1.0)
        assert (type(error), error.args) == (KeyError, ("while tidying up",))

    run(program)


def test_a_cancellation_that_nobody_asked_for_is_an_error_of_the_task() -> None:
    class Foreign(BaseException):
        """What a library throws whose own task was cancelled."""

    expected = Foreign()

    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(notes.fail, expected, 1.0)
                await notes.wait("the body")

        error = await raised(block)
        assert error is expected

    assert run(program) == ["the body is cancelled"]


def test_several_errors_of_which_one_is_no_exception_are_a_group_as_well() -> None:
    class Foreign(BaseException):
        """What a library throws whose own task was cancelled."""

    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(notes.fail, Foreign())
                try:
                    await event().wait()
                finally:
                    raise KeyError("the body")

        error = await raised(block)
        assert [type(each) for each in members(error)] == [Foreign, KeyError]

    run(program)


def test_what_ends_the_process_leaves_a_task_at_once_and_cancels_the_rest() -> None:
    driver, notes = MemoryDriver(), Notes()

    async def program() -> None:
        async with scope() as s:
            s.start_soon(notes.fail, SystemExit(3), 1.0)
            await notes.wait("the body")

    with pytest.raises(SystemExit, match="3"):
        driver.run(program)
    driver.settle()
    assert (notes, driver.tasks()) == (["the body is cancelled"], [])


class EndingEvent(MemoryEvent):
    """An event at which the process ends."""

    async def wait(self) -> None:
        raise SystemExit(4)


class EndingInTheWait(MemoryDriver):
    """Ends the process where the first task waits."""

    def event(self) -> MemoryEvent:
        return EndingEvent(self) if self.current_task().name == "task 1" else super().event()


class EndingInTheTurn(MemoryDriver):
    """Ends the process where a task lets others run."""

    async def checkpoint(self, switch: bool) -> None:
        raise SystemExit(4)


@pytest.mark.parametrize("driver", [EndingInTheWait(), EndingInTheTurn()])
def test_what_ends_the_process_leaves_the_wait_for_the_tasks_at_once(driver: MemoryDriver) -> None:
    async def forever() -> None:
        await event().wait()

    async def program() -> None:
        with timeout(1.0):
            async with scope() as s:
                s.start_soon(forever)

    with pytest.raises(SystemExit, match="4"):
        driver.run(program)


class Splitting(MemoryDriver):
    """A driver whose scopes take their own part out of a group, as trio's do."""

    def scope(self) -> MemoryScope:
        return SplittingScope(self.current_task())


class SplittingScope(MemoryScope):
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if not isinstance(error, BaseExceptionGroup):
            return super().__exit__(kind, error, traceback)
        super().__exit__(None, None, None)
        rest = cast("BaseExceptionGroup[BaseException]", error).split(Cancelled)[1]
        assert rest is not None
        raise rest


def test_what_the_backend_leaves_of_a_group_comes_out() -> None:
    errors = list[BaseException]()

    async def block() -> None:
        async with scope() as s:
            s.cancel()
            raise BaseExceptionGroup("a nursery", [Cancelled(), KeyError("a task of it")])

    async def program() -> None:
        errors.append(await raised(block))

    Splitting().run(program)
    assert repr(errors) == "[ExceptionGroup('a nursery', [KeyError('a task of it')])]"


def test_the_errors_of_a_group_are_not_lost_beside_those_of_a_task() -> None:
    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(notes.fail, OSError("a task"))
                try:
                    await event().wait()
                finally:
                    raise BaseExceptionGroup("a nursery", [Cancelled(), KeyError("a task of it")])

        error = await raised(block)
        assert sorted(type(each).__name__ for each in members(error)) == ["BaseExceptionGroup", "OSError"]

    run(program)


def test_a_scope_may_judge_that_an_error_is_none() -> None:
    class Forgiving(TaskScope):
        def _judge(self, error: BaseException) -> BaseException | None:
            return None if isinstance(error, KeyError) else error

    async def program(notes: Notes) -> None:
        async with Forgiving() as s:
            s.start_soon(notes.fail, KeyError("nothing to speak of"))
            s.start_soon(notes.note, "goes on", 1.0)

    assert run(program) == ["goes on"]


def test_of_several_cancellations_the_first_goes_on() -> None:
    async def program(notes: Notes) -> None:
        async def block() -> None:
            async with scope() as s:
                s.start_soon(notes.wait, "the task")
                try:
                    await event().wait()
                except Cancelled:
                    s.start_soon(notes.wait, "a late task")
                    raise

        error = await raised(block, 1.0)
        assert (type(error), error.args) == (TimeoutError, ("not finished within 1.0 s",))

    assert sorted(run(program)) == ["a late task is cancelled", "the task is cancelled"]


def test_tasks_are_started_inside_of_the_block_only() -> None:
    async def program(notes: Notes) -> None:
        s = scope()
        with pytest.raises(LocalProtocolError, match="inside of the `async with` block"):
            s.start_soon(notes.note, "early")
        async with s:
            pass
        with pytest.raises(LocalProtocolError, match="inside of the `async with` block"):
            s.start_soon(notes.note, "late")
        with pytest.raises(LocalProtocolError, match="a scope is for one block"):
            async with s:
                pass

    assert run(program) == []


def test_a_scope_can_be_cancelled_before_its_block_begins() -> None:
    async def program(notes: Notes) -> None:
        s = scope()
        s.cancel()
        async with s:
            s.start_soon(notes.wait, "the task")

    assert run(program) == ["the task is cancelled"]


def test_outside_of_tasks_there_is_a_clear_error() -> None:
    with pytest.raises(LocalProtocolError, match="no task of Spry's is running here"):
        scope().__aenter__().send(None)


# Random programs


@settings(max_examples=300)
@given(blocks(), st.integers(0, 1000))
def test_no_task_outlives_its_block_and_no_error_is_lost_or_told_twice(block: Block, seed: int) -> None:
    driver, program = MemoryDriver(seed=seed), Program(sleep)
    assert driver.run(program.verdict, block) == "kept"
    assert driver.tasks() == []
