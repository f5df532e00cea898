"""The six verbs on asyncio: a clock, tasks, scopes, checkpoints, events, and "look again".

Only the session cancels what it started. asyncio's cancellation is an edge, delivered once and to whatever the task waits for,
so three things stand here that trio needs nothing for: a task is never cancelled before it runs, a waiter never shares its
future, and a scope takes back what it asked for.
"""

from __future__ import annotations

import asyncio
import time
from asyncio import AbstractEventLoop
from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final, Protocol, TypeVarTuple, cast

from spry_asyncio.tasks import NAME, begin_at_once
from spry_core import driver

Args = TypeVarTuple("Args")


class Now(Protocol):
    """The verb `now`."""

    def __call__(self) -> float:
        """Return the loop's clock, in seconds."""
        ...


class Notify(Protocol):
    """The verb `notify`."""

    def __call__(self, soon: bool = False) -> None:
        """Look at the session again; with `soon`, before the loop sleeps is early enough."""
        ...


class Owner(Protocol):
    """Whoever moves the bytes of the connection that a driver is lent to; in this package the pump."""

    def notify(self, soon: bool = False) -> None:
        """Look at the session again; with `soon`, before the loop sleeps is early enough."""
        ...

    def task_ended(self, error: Exception | None) -> None:
        """Learn that a task is at its end, with what it raised if nobody caught that."""
        ...


async def _switch(task: asyncio.Task[object] | None) -> None:
    await asyncio.sleep(0)
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


_NO_STEPS: Final = cast("Generator[None]", iter(()))


class _Passed:
    """What there is to await where nothing is to be awaited: a coroutine for each message would cost several times as much."""

    __slots__ = ()

    def __await__(self) -> Generator[None]:
        return _NO_STEPS


_PASSED: Final = _Passed()


_USUAL_TIME: Final = asyncio.BaseEventLoop.time
"""As it is before anybody puts another in its place, which tests do that set the clock."""


def clock_of(loop: AbstractEventLoop) -> Callable[[], float]:
    """Return what tells the loop's time: what asyncio's own loops ask themselves, unless this one has a clock of its own."""
    is_usual = getattr(loop.time, "__func__", None) is _USUAL_TIME
    return time.monotonic if is_usual else loop.time


class Driver:
    """What asyncio lends to one connection (`spry_core.driver.Driver`)."""

    __slots__ = ("_leaving", "_loop", "_owner", "_tasks", "due", "is_pumping", "notify", "now")

    def __init__(self, owner: Owner) -> None:
        self.is_pumping: bool = False
        """True while the pump is in a call of the session's; a task may take its first step in it."""
        self.due: int = 0
        """How many tasks the loop is about to step: they have not begun, or an event of this driver has woken them."""
        self._loop = asyncio.get_running_loop()
        self._owner = owner
        # Not methods of our own: both are called several times for each message.
        self.now: Now = clock_of(self._loop)
        """Return the loop's clock, in seconds."""
        self.notify: Notify = owner.notify
        """Look at the session again: bytes, deadline, reading, end."""
        # The loop itself holds tasks weakly: without these a waiting handler could be collected.
        self._tasks: list[Task] = []  # a short one is much smaller than a set
        # Asked to end by the very task that is in them, and not yet cancelled by the loop.
        self._leaving: list[Scope] | None = None  # most connections never open a scope

    @property
    def has_tasks(self) -> bool:
        """True while a task that was started here has not ended."""
        return bool(self._tasks)

    @property
    def is_starting(self) -> bool:
        """True while the task that was started last has not taken its first step."""
        return bool(self._tasks) and not self._tasks[-1].has_begun

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> driver.Task:
        """Run `function(*args)` as a task, in a copy of the caller's context. It begins after this call, or, since Python 3.12,
        inside it, if the pump is in a call of the session's: what need not wait then never meets the loop.
        """
        task = Task(self)
        self._tasks.append(task)
        self.due += 1
        if self.is_pumping:
            task.running = begin_at_once(task.run(function, *args), self._loop)
        else:
            # Not `create_task`: an eager task factory on this loop would run the function inside this call.
            task.running = asyncio.Task(task.run(function, *args), loop=self._loop, name=NAME)
        return task

    def scope(self) -> AbstractContextManager[driver.Scope]:
        """Give a block of the running task that `cancel` ends."""
        if self._leaving is None:
            self._leaving = []
        return Scope(self._loop, self._leaving)

    def checkpoint(self, switch: bool) -> Awaitable[None]:
        """Raise here if the running task is cancelled and nobody has taken that back; with `switch`, let others run too.

        asyncio delivers a cancellation once. Who catches it and goes on is cancelled all the same, as on trio: else the
        core could not tell a handler whose middleware has run out of time from one that awaited something cancelled. And a task
        that has ended its own scope is cancelled here, though there is nothing to wait for: the loop gets its turn for that.
        """
        task = asyncio.current_task(self._loop)
        if switch or (self._leaving and any(each.is_of(task) for each in self._leaving)):
            return _switch(task)
        if task is not None and task.cancelling():
            raise asyncio.CancelledError
        return _PASSED

    def event(self) -> driver.Event:
        """Make an event."""
        return Event(self)

    def make_waiter(self) -> asyncio.Future[None]:
        """Make what one task waits for."""
        return self._loop.create_future()

    def cancel(self) -> None:
        """Cancel every task: the last resort when the session itself has failed."""
        for task in tuple(self._tasks):
            task.cancel()

    def forget(self, task: Task, error: Exception | None) -> None:
        """A task is at its end, with what it raised if nobody caught that."""
        self._tasks.remove(task)
        self._owner.task_ended(error)


class Task:
    """One task of a connection (`spry_core.driver.Task`)."""

    __slots__ = ("_driver", "_is_cancelled", "has_begun", "running")

    def __init__(self, driver: Driver) -> None:
        self.running: asyncio.Task[None] | None = None
        self._driver = driver
        self.has_begun: bool = False
        """True since it took its first step."""
        self._is_cancelled = False

    async def run(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> None:
        """Be the task: deliver a cancellation that came before the first step, then call the function.

        It says itself that it has ended: a callback of asyncio's would cost another turn of the loop.
        """
        self.has_begun = True
        self._driver.due -= 1
        if self._is_cancelled:
            self._deliver()
        try:
            work = function(*args)
            del function, args  # they would live as long as the task
            await work
        except Exception as error:
            self._driver.forget(self, error)
        except GeneratorExit:
            raise  # the loop is closed and the task collected: nobody is left to be told
        except asyncio.CancelledError:
            self._driver.forget(self, None)
            raise
        except BaseException:
            # It ends the process, and asyncio would complain that nobody has asked the task for it.
            self._current().add_done_callback(_ask)
            self._driver.forget(self, None)
            raise
        else:
            self._driver.forget(self, None)

    def cancel(self) -> None:
        """Cancel it, once: a second `CancelledError` would tear the cleanup that answers the first.

        asyncio ends a task that is cancelled before its first step without entering the coroutine, so no `finally` of it would
        ever run. Such a cancellation waits for the first step and arrives at the first wait, as on trio.
        """
        if self._is_cancelled:
            return
        self._is_cancelled = True
        if self.has_begun:
            self._deliver()

    def _deliver(self) -> None:
        self._current().cancel()

    def _current(self) -> asyncio.Task[None]:
        """Return the task, also in a first step that it takes while it is being made."""
        running = self.running or asyncio.current_task()
        assert running is not None
        return running


def _ask(task: asyncio.Task[None]) -> None:
    task.exception()


class Event:
    """A flag that goes up once (`spry_core.driver.Event`)."""

    __slots__ = ("_driver", "_is_set", "_waiters")

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._is_set = False
        self._waiters: list[asyncio.Future[None]] = []  # a short one is much smaller than a set

    def set(self) -> None:
        """Raise the flag; the waiters run later."""
        self._is_set = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
                self._driver.due += 1

    def is_set(self) -> bool:
        """Tell whether the flag is up."""
        return self._is_set

    async def wait(self) -> None:
        """Wait until the flag is up. Cancelling the wait leaves nothing behind.

        Each waiter has a future of its own: cancelling a task cancels the future it waits for, and with it everybody else's wait.
        """
        if self._is_set:
            return
        waiter = self._driver.make_waiter()
        self._waiters.append(waiter)
        try:
            await waiter
        finally:
            self._waiters.remove(waiter)
            if waiter.done() and not waiter.cancelled():
                self._driver.due -= 1


class Scope:
    """A part of a task that can be ended alone (`spry_core.driver.Scope`), by the means of `asyncio.timeout`."""

    __slots__ = ("_before", "_cancelled", "_is_asked", "_later", "_leaving", "_loop", "_task")

    def __init__(self, loop: AbstractEventLoop, leaving: list[Scope]) -> None:
        self._loop = loop
        self._leaving = leaving
        self._task: asyncio.Task[object] | None = None
        self._before = 0
        self._is_asked = False
        self._cancelled = False
        self._later: asyncio.Handle | None = None

    def __enter__(self) -> Scope:
        self._task = asyncio.current_task()
        assert self._task is not None  # a scope is opened by a task that this driver started
        self._before = self._task.cancelling()
        return self

    def cancel(self) -> None:
        """End the block at its next wait; does nothing when it has ended, or was asked to before.

        A task that cancels itself and leaves the block without waiting would take the `CancelledError` out to its next wait:
        until CPython 3.13 `uncancel` does not take that back. So it is cancelled by the loop instead, and `__exit__` can
        withdraw the request as long as the task has not waited.
        """
        if self._task is None or self._is_asked:
            return
        self._is_asked = True
        if asyncio.current_task() is self._task:
            self._later = self._loop.call_soon(self._deliver)
            self._leaving.append(self)
        else:
            self._task.cancel()

    def is_of(self, task: asyncio.Task[object] | None) -> bool:
        """Tell whether the block is one of this task's."""
        return self._task is task

    @property
    def cancelled(self) -> bool:
        """True if `cancel` ended the block: it was left by that cancellation and by no other."""
        return self._cancelled

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        task, self._task = self._task, None
        if task is None or not self._is_asked:
            return False
        if self._later is not None:
            self._later.cancel()
            self._leaving.remove(self)
            return False
        # More requests than at the beginning: somebody else wants the whole task to end, so the error goes on.
        is_ours = task.uncancel() <= self._before
        self._cancelled = is_ours and isinstance(error, asyncio.CancelledError)
        return self._cancelled

    def _deliver(self) -> None:
        self._later = None
        self._leaving.remove(self)
        if self._task is not None:
            self._task.cancel()
