"""The six verbs on anyio, and what wakes the tasks of a pump."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from math import inf
from typing import TypeVarTuple

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled

Args = TypeVarTuple("Args")


class Block:
    """A part of a task that ends alone."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        self.scope = scope

    def cancel(self) -> None:
        self.scope.cancel()

    @property
    def cancelled(self) -> bool:
        return self.scope.cancelled_caught


class Driver:
    """The six verbs."""

    def __init__(self, tasks: TaskGroup, look: Callable[[], None]) -> None:
        self.tasks, self.look = tasks, look

    def now(self) -> float:
        return anyio.current_time()

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> anyio.CancelScope:
        task = anyio.CancelScope(shield=True)  # nothing but its own `cancel` cancels a task
        self.tasks.start_soon(self.run, task, lambda: function(*args))
        return task

    async def run(self, task: anyio.CancelScope, body: Callable[[], Awaitable[None]]) -> None:
        with task:
            await body()

    @contextmanager
    def scope(self) -> Generator[Block]:
        with anyio.CancelScope() as scope:
            yield Block(scope)

    async def checkpoint(self, switch: bool) -> None:
        await (checkpoint() if switch else checkpoint_if_cancelled())

    def event(self) -> anyio.Event:
        return anyio.Event()

    def notify(self, soon: bool = False) -> None:
        self.look()


class Bell:
    """Wakes one task, again and again."""

    def __init__(self) -> None:
        self.event = anyio.Event()

    def ring(self) -> None:
        self.event.set()

    async def wait(self, until: float | None = inf) -> None:
        """Wait until it has rung since the last wait, or until that moment on the clock; None is never."""
        with anyio.CancelScope(deadline=inf if until is None else until):
            await self.event.wait()
        if self.event.is_set():
            self.event = anyio.Event()
