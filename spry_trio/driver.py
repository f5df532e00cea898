"""The six verbs on trio: a clock, tasks, scopes, checkpoints, events, and "look again".

Only the session cancels what it started: every task runs in a scope of its own that is shielded from whatever is around it.
trio's cancellation is a level, so a scope needs nothing more, and nor does a task that is cancelled before it runs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, TypeVarTuple

import trio

from spry_core import driver

Args = TypeVarTuple("Args")

_NAME: Final = "spry"


class Owner(Protocol):
    """Whoever moves the bytes of the connection that a driver is lent to; in this package the pump."""

    def notify(self, soon: bool = False) -> None:
        """Look at the session again; with `soon`, before the loop sleeps is early enough."""
        ...

    def task_ended(self, error: Exception | None) -> None:
        """Learn that a task is over, with what it raised if nobody caught that."""
        ...


class Driver:
    """What trio lends to one connection (`spry_core.driver.Driver`)."""

    __slots__ = ("_nursery", "_owner", "_tasks")

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._nursery: trio.Nursery | None = None
        self._tasks: set[Task] = set()

    def start_in(self, nursery: trio.Nursery) -> None:
        """Run the tasks in this nursery; without one none can be started."""
        self._nursery = nursery

    @property
    def has_tasks(self) -> bool:
        """True while a task that was started here has not ended."""
        return bool(self._tasks)

    def now(self) -> float:
        """Return trio's clock, in seconds."""
        return trio.current_time()

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> driver.Task:
        """Run `function(*args)` as a task, in a copy of the caller's context; it begins after this call."""
        assert self._nursery is not None  # the pump runs before its session hears of anything
        task = Task()
        self._tasks.add(task)
        # A name for all: trio would make one for each task.
        self._nursery.start_soon(self._run, task, function, *args, name=_NAME)
        return task

    def scope(self) -> AbstractContextManager[driver.Scope]:
        """Give a block of the running task that `cancel` ends."""
        return Scope()

    async def checkpoint(self, switch: bool) -> None:
        """Raise here if the running task is cancelled; with `switch`, let others run too."""
        if switch:
            await trio.lowlevel.checkpoint()
        else:
            await trio.lowlevel.checkpoint_if_cancelled()

    def event(self) -> driver.Event:
        """Make an event; trio's is one as it comes."""
        return trio.Event()

    def notify(self, soon: bool = False) -> None:
        """Look at the session again: bytes, deadline, reading, end."""
        self._owner.notify(soon)

    def cancel(self) -> None:
        """Cancel every task: the last resort when the session itself has failed."""
        for task in self._tasks:
            task.cancel()

    async def _run(self, task: Task, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> None:
        failure: Exception | None = None
        try:
            with task.scope:
                await function(*args)
        except Exception as error:
            failure = error
        finally:
            self._tasks.discard(task)
        self._owner.task_ended(failure)


class Task:
    """One task of a connection (`spry_core.driver.Task`)."""

    __slots__ = ("scope",)

    def __init__(self) -> None:
        self.scope: trio.CancelScope = trio.CancelScope(shield=True)

    def cancel(self) -> None:
        """Cancel it, at its next wait; before it runs, at its first one."""
        self.scope.cancel()


class Scope:
    """A part of a task that can be ended alone (`spry_core.driver.Scope`)."""

    __slots__ = ("_scope",)

    def __init__(self) -> None:
        self._scope = trio.CancelScope()

    def __enter__(self) -> Scope:
        self._scope.__enter__()
        return self

    def cancel(self) -> None:
        """End the block at its next wait; does nothing when it has ended."""
        self._scope.cancel()

    @property
    def cancelled(self) -> bool:
        """True if `cancel` ended the block: it was left by that cancellation and by no other."""
        return self._scope.cancelled_caught

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self._scope.__exit__(kind, error, traceback)
