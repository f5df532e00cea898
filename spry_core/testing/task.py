"""Tasks of the memory driver, and what they wait with: events and scopes.

A task is a coroutine that is stepped by hand. It yields only at a pause of ours: until somebody wakes it, or until it is drawn
again; whatever else it yields belongs to an event loop and is reported. Cancellation is level-triggered, as on trio: from the
moment a task (or a scope of it) is cancelled, every wait in it raises.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import copy_context
from types import TracebackType, coroutine
from typing import Final, Protocol, TypeVar

from spry_core.testing.parked import (
    Deadlock,
    ForeignAwaitable,
    Place,
    describe,
    foreign_in,
    running_place,
)

E = TypeVar("E")

MAX_SWALLOWED: Final = 1_000
"""Cancellations that a task may go on behind; after so many it is taken for a loop that would never end."""


class Cancelled(BaseException):
    """Raised where a cancelled task waits. Let it pass; every further wait raises it again."""


class Job(Protocol):
    """What can stand in the ready list: a task or a pump."""

    def step(self) -> None:
        """Do what there is to do now, without waiting."""
        ...


class Scheduler(Protocol):
    """Who holds the ready list: the memory driver."""

    def schedule(self, job: Job) -> None:
        """Put `job` on the ready list, once."""
        ...

    def running(self, task: MemoryTask) -> AbstractContextManager[None]:
        """Say that `task` is the one that runs."""
        ...

    def current_task(self) -> MemoryTask:
        """Return the running task."""
        ...

    def reach(self, task: MemoryTask) -> None:
        """Note that `task` has come to a point where it may be suspended, or cancelled."""
        ...

    def fail(self, error: BaseException) -> None:
        """Let the run raise `error` when it has come to rest."""
        ...

    def forget(self, task: MemoryTask) -> None:
        """Note that `task` has ended."""
        ...


class _Pause:
    """Why a coroutine has stopped."""


class _Foreign(_Pause):
    """It yielded something that is not ours."""

    def __init__(self, yielded: object) -> None:
        self.yielded = yielded


_PARK: Final = _Pause()  # until somebody wakes the task
_SWITCH: Final = _Pause()  # until the task is drawn again
_ABANDON: Final = _Pause()  # for ever
_END: Final = _Pause()  # it has ended


@coroutine
def _pause(how: _Pause) -> Generator[_Pause, BaseException | None, None]:
    # What the task is to raise is sent and raised here: `throw` would do it too, but tracers lose their way in a deep chain.
    error = yield how
    if error is not None:
        raise error


async def let_others() -> None:
    """Let others be drawn before the running task goes on."""
    await _pause(_SWITCH)


def _keep_for_ever(coroutine: object) -> None:
    """Never let this be collected, not even at the end of the interpreter.

    A coroutine is closed when it goes, by an exception at its wait. One that goes on whatever is raised there would swallow that
    too and go round for ever, this time with nobody to stop it.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(coroutine))


class MemoryTask:
    """One running function, as `start` gives it."""

    def __init__(
        self,
        scheduler: Scheduler,
        name: str,
        body: Callable[[], Coroutine[object, BaseException | None, None]],
    ) -> None:
        self._scheduler = scheduler
        self.name: Final = name
        """Which task this is, such as ``"task 3 of connection 50000"``."""
        self._body = body
        self._coroutine: Coroutine[object, BaseException | None, None] | None = (
            None  # made in the task's own context, at the first step
        )
        self._context = copy_context()
        self._scopes: list[MemoryScope] = []
        self._was_cancelled = False
        self._is_parked = False
        self._interruption: Cancelled | None = None  # to be raised at the pause, at the next step
        self._foreign: ForeignAwaitable | None = None  # to be raised at whatever it awaits, at the next step
        self._swallowed = 0  # how often it has gone on although it was cancelled
        self._is_done = False

    def __str__(self) -> str:
        """Name it, and say where it waits."""
        where = "not begun" if self._coroutine is None else describe(self._coroutine)
        return f"{self.name} at {where}"

    @property
    def is_done(self) -> bool:
        """True when the function has ended, however."""
        return self._is_done

    @property
    def is_cancelled(self) -> bool:
        """True if a wait would raise now: the task, or a scope that it is in, is cancelled."""
        return self._was_cancelled or any(scope.is_called for scope in self._scopes)

    @property
    def owner(self) -> str:
        """Whose it is, such as ``"connection 50000"``; empty if it is nobody's."""
        return self.name.partition(" of ")[2]

    def running_at(self) -> Place | None:
        """Return the user's line that it is at while it runs: what is innermost of code that Spry did not write, if any is."""
        return running_place(_STEP)

    def cancel(self) -> None:
        """Cancel it: from now on every wait in it raises `Cancelled`. May come at any time, twice, or too late."""
        self._was_cancelled = True
        self.interrupt()

    def interrupt(self) -> None:
        """Let its wait raise `Cancelled`. If it runs, or is woken already, it is the next wait that raises."""
        if self._is_parked:
            self._interruption = Cancelled()
            self.wake()

    def wake(self) -> None:
        """Put it on the ready list, if it waits."""
        if self._is_parked:
            self._is_parked = False
            self._scheduler.schedule(self)

    async def check(self) -> None:
        """Raise `Cancelled` if it is cancelled.

        A task that swallows that again and again is not asked any more: it stays here for ever, where no `except` of its own
        lets it go on, and the run raises `Deadlock`.
        """
        if not self.is_cancelled:
            self._swallowed = 0
            return
        self._swallowed += 1
        if self._swallowed <= MAX_SWALLOWED:
            raise Cancelled
        await _pause(_ABANDON)

    @contextmanager
    def inside(self, scope: MemoryScope) -> Generator[None]:
        """Count `scope` among those that it is in."""
        self._scopes.append(scope)
        try:
            yield
        finally:
            self._scopes.remove(scope)
            if not self.is_cancelled:
                self._swallowed = 0

    def step(self) -> None:
        """Run it to its next wait or its end. What it raises comes out, unless it is the cancellation."""
        if self._coroutine is None:
            self._coroutine = self._context.run(self._body)
        if self._foreign is None:
            interruption, self._interruption = self._interruption, None
            pause = self._resume(self._coroutine.send, interruption)
        else:
            foreign, self._foreign = self._foreign, None
            pause = self._resume(self._coroutine.throw, foreign)
        if isinstance(pause, _Foreign):
            self._foreign = ForeignAwaitable(self.name, *foreign_in(self._coroutine, pause.yielded))
            self._scheduler.fail(self._foreign)
        if pause is _ABANDON:
            _keep_for_ever(self._coroutine)
            self._scheduler.fail(Deadlock(f"{self}, swallows its cancellation and goes on, again and again"))
        elif pause is not _END:
            self._is_parked = True
            if pause is not _PARK:
                self.wake()

    def _resume(self, how: Callable[[E], object], argument: E) -> _Pause:
        """Run the coroutine to the next pause, or to its end."""
        try:
            with self._scheduler.running(self):
                yielded = self._context.run(how, argument)
        except (StopIteration, Cancelled):
            self._finish()
            return _END
        except BaseException:
            self._finish()
            raise
        return yielded if isinstance(yielded, _Pause) else _Foreign(yielded)

    def _finish(self) -> None:
        self._is_done = True
        self._scheduler.forget(self)


_STEP: Final = MemoryTask.step.__code__


class MemoryScope:
    """A part of the running task that `cancel` ends: a mark that its waits look at."""

    def __init__(self, task: MemoryTask) -> None:
        self._task = task
        self._inside = task.inside(self)
        self._cancelled = False
        self.is_called: bool = False
        """True from the call of `cancel` on, whatever became of it."""

    def cancel(self) -> None:
        """End the block: it leaves early, and the task goes on behind it."""
        if not self.is_called:
            self.is_called = True
            if self._task.is_cancelled:  # the block may be over
                self._task.interrupt()

    @property
    def cancelled(self) -> bool:
        """True if `cancel` ended the block."""
        return self._cancelled

    def __enter__(self) -> MemoryScope:
        self._inside.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._inside.__exit__(None, None, None)
        # If something further out is cancelled too, the cancellation is for that, and goes on.
        self._cancelled = isinstance(error, Cancelled) and self.is_called and not self._task.is_cancelled
        return self._cancelled


class MemoryEvent:
    """A flag and the list of those who wait for it."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._is_set = False
        self._waiters: list[MemoryTask] = []

    def set(self) -> None:
        """Raise the flag and put every waiter on the ready list."""
        self._is_set = True
        for task in self._waiters:
            task.wake()
        self._waiters.clear()

    def is_set(self) -> bool:
        """Tell whether the flag is up."""
        return self._is_set

    async def wait(self) -> None:
        """Wait until the flag is up. Cancelled, it takes back nothing but its own waiting."""
        task = self._scheduler.current_task()
        self._scheduler.reach(task)
        await task.check()
        if self._is_set:
            return
        self._waiters.append(task)
        try:
            await _pause(_PARK)
        finally:
            if not self._is_set:
                self._waiters.remove(task)
