"""A driver that takes the first step of a task at once while its pump is in a call of the session, and its tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractContextManager
from contextvars import copy_context
from typing import TypeVarTuple, cast

from fakes import Cancelled, FakeEvent, pause
from spry_core.driver import Scope

Args = TypeVarTuple("Args")


class EagerTask:
    """Steps one coroutine in a context of its own."""

    def __init__(self, function: Callable[[], Awaitable[None]]) -> None:
        self._context = copy_context()
        self._function = function
        self._work: Coroutine[object, None, None] | None = None
        self._is_cancelled = False
        self.is_over = False

    def cancel(self) -> None:
        self._is_cancelled = True

    def step(self) -> None:
        self._context.run(self._step)

    def _step(self) -> None:
        has_begun = self._work is not None
        if self._work is None:
            self._work = cast("Coroutine[object, None, None]", self._function())
        try:
            if self._is_cancelled and has_begun:
                self._work.throw(Cancelled())
            else:
                self._work.send(None)
        except (StopIteration, Cancelled):
            self.is_over = True


class FakeScope:
    """A block that nobody ends."""

    cancelled = False

    def __enter__(self) -> FakeScope:
        return self

    def __exit__(self, *details: object) -> None:
        return None

    def cancel(self) -> None:
        return None


class EagerDriver:
    """Steps a new task at once while the pump is in a call of the session, and all others in `run`."""

    def __init__(self) -> None:
        self.is_pumping = False
        self.tasks: list[EagerTask] = []
        self.lacks_memory = False
        self.notes: list[bool] = []
        """With what `notify` was called."""

    def now(self) -> float:
        return 7.0

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> EagerTask:
        if self.lacks_memory:
            raise MemoryError
        task = EagerTask(lambda: function(*args))
        self.tasks.append(task)
        if self.is_pumping:
            task.step()
        return task

    def scope(self) -> AbstractContextManager[Scope]:
        return FakeScope()

    async def checkpoint(self, switch: bool) -> None:
        if switch:
            await pause()

    def event(self) -> FakeEvent:
        return FakeEvent()

    def notify(self, soon: bool = False) -> None:
        self.notes.append(soon)

    def run(self) -> None:
        """Step every task once."""
        for task in tuple(self.tasks):
            if not task.is_over:
                task.step()
