"""Faults at the k-th step: an exception or a cancellation at the k-th wait of a task, or a call at the k-th of the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from types import coroutine
from typing import Final, Literal, TypeAlias, TypeVar, cast

import pytest
import trio
from trio.abc import Instrument

import spry_asyncio.driver
import spry_trio.driver
from spry_core.driver import Task
from spry_core.testing import MemoryDriver

T = TypeVar("T")

Kind: TypeAlias = Literal["raise", "cancel"]
Steps: TypeAlias = Generator[object, object, T]

KINDS: Final[tuple[Kind, ...]] = ("raise", "cancel")


class Injected(Exception):  # noqa: N818 - a word of the tests
    """The fault."""


class Fault:
    """Counts the waits of what it is told of, and strikes at one of them."""

    def __init__(self, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        self._kind: Kind = "raise"
        self._at = 0
        self.steps = 0
        """Waits that have been counted since `arm`."""
        self.running = 0
        """Coroutines under way."""

    def arm(self, kind: Kind, at: int) -> None:
        """Strike once, at this wait, counted from 1 and from now; at none for 0."""
        self._kind, self._at, self.steps = kind, at, 0

    def of(self, function: Callable[..., Awaitable[object]]) -> Callable[..., Awaitable[object]]:
        """Count the waits of calls of this function, if the fault is an exception."""

        async def stepped(*args: object) -> object:
            return await self._drive(function(*args), "raise", lambda: None)

        return stepped

    @contextmanager
    def in_tasks(self) -> Generator[None]:
        """Count the waits of all tasks that any driver starts, if the fault is a cancellation."""
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in (
                (spry_asyncio.driver.Driver, "start"),
                (spry_trio.driver.Driver, "start"),
                (MemoryDriver, "start_for"),
            ):
                patch.setattr(owner, name, self._starting(getattr(owner, name)))
            yield

    def _starting(self, start: Callable[..., Task]) -> Callable[..., Task]:
        def stepped_start(driver: object, *args: object) -> Task:
            # `start_for` has the owner's name in front.
            before = args[:1] if isinstance(args[0], str) else ()
            function, *rest = args[len(before) :]
            tasks: list[Task] = []

            def cancel() -> None:
                if isinstance(driver, MemoryDriver):
                    driver.schedule(Later(tasks[0].cancel))
                elif tasks:
                    tasks[0].cancel()
                else:  # its first step, inside `start`
                    asyncio.get_running_loop().call_soon(cancel)

            async def stepped() -> None:
                call = cast(Callable[..., Awaitable[None]], function)
                await self._drive(call(*rest), "cancel", cancel)

            tasks.append(start(driver, *before, stepped))
            return tasks[0]

        return stepped_start

    async def _drive(self, inner: Awaitable[T], kind: Kind, cancel: Callable[[], None]) -> T:
        self.running += 1
        try:
            return await self._step(inner.__await__(), kind, cancel)
        finally:
            self.running -= 1
            self._changed()

    @coroutine
    def _step(self, inner: Steps[T], kind: Kind, cancel: Callable[[], None]) -> Steps[T]:
        """Be `inner`, with a fault at one of its waits."""
        reply: object = None
        error: BaseException | None = None
        while True:
            try:
                waits_for = inner.send(reply) if error is None else inner.throw(error)
            except StopIteration as end:
                return cast(T, end.value)
            reply = error = None
            strikes = self._strikes(kind)
            if strikes and kind == "cancel":
                cancel()
            # What has told trio that it waits must wait; elsewhere nobody has been told yet.
            if strikes and kind == "raise" and not trio.lowlevel.in_trio_run():
                error = Injected(f"at step {self.steps}")
                continue
            try:
                reply = yield waits_for
            except BaseException as raised:
                error = raised
            if strikes and kind == "raise" and error is None:
                error = Injected(f"at step {self.steps}")

    def _strikes(self, kind: Kind) -> bool:
        if kind != self._kind:
            return False
        self.steps += 1
        return self.steps == self._at


class Later:
    """A job for the memory driver: a call when the running task has come to its wait."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.step = call


class Countdown:
    """Cancels when the loop has made so many steps."""

    def __init__(self, steps: int, cancel: Callable[[], None]) -> None:
        self.left = steps
        self._cancel = cancel

    def count(self) -> None:
        self.left -= 1
        if self.left == 0:
            self._cancel()


class Watcher(Instrument):
    """Counts the steps of trio's tasks."""

    def __init__(self, countdown: Countdown) -> None:
        self._countdown = countdown

    def before_task_step(self, task: trio.lowlevel.Task) -> None:
        self._countdown.count()


@contextmanager
def counting(countdown: Countdown) -> Generator[None]:
    """Count the steps of the running loop; on uvloop those of what it is asked to call."""
    if trio.lowlevel.in_trio_run():
        watcher = Watcher(countdown)
        trio.lowlevel.add_instrument(watcher)
        try:
            yield
        finally:
            trio.lowlevel.remove_instrument(watcher)
        return
    loop = asyncio.get_running_loop()

    async def tick() -> None:
        while True:
            countdown.count()
            await asyncio.sleep(0)

    ticking = loop.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
