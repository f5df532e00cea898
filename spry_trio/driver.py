"""The six verbs on trio: a clock, tasks, scopes, checkpoints, events, and "look again".

Only the session cancels what it started: every task runs in a scope of its own that is shielded from whatever is around it.
trio's cancellation is a level, so a scope needs nothing more, and nor does a task that is cancelled before it runs.

To start a task costs trio more than everything else that it does for a request. So a task that has done its work is parked, and
given the next work of whichever connection; an idle connection holds none.

A task that waits for a socket costs more than to receive and to send. So one task of the server's waits for all of them, by a
descriptor that is readable when one of them is, and for the next of their deadlines.
"""

from __future__ import annotations

import math
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from contextvars import Context, copy_context
from functools import partial
from types import TracebackType
from typing import Final, Protocol, TypeVarTuple

import trio

from spry_core import driver
from spry_core.tasks import Timer
from spry_system import HAS_EPOLL, Agenda, Part, Poller

Args = TypeVarTuple("Args")

_NAME: Final = "spry"

_MOST_PARKED: Final = 256
"""Parked tasks, of 3 KiB each, that a server keeps: what a burst has left behind need not be kept for ever."""

_NOBODYS: Final = Context()
"""What a parked task has for its context variables, so that it does not keep what its last work has set."""


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

    __slots__ = ("_owner", "_tasks", "_workers")

    def __init__(self, owner: Owner, workers: Workers) -> None:
        self._owner = owner
        self._workers = workers
        self._tasks: list[Task] = []  # a short one is much smaller than a set

    @property
    def has_tasks(self) -> bool:
        """True while a task that was started here has not ended."""
        return bool(self._tasks)

    @property
    def is_starting(self) -> bool:
        """True while the task that was started last has not taken its first step."""
        return bool(self._tasks) and not self._tasks[-1].has_begun

    def now(self) -> float:
        """Return trio's clock, in seconds."""
        return self._workers.loop.now()

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> driver.Task:
        """Run `function(*args)` as a task, in a copy of the caller's context; it begins after this call."""
        task = Task()
        self._tasks.append(task)
        task.worker = self._workers.start(partial(self._run, task, function, *args))
        return task

    def scope(self) -> AbstractContextManager[driver.Scope]:
        """Give a block of the running task that `cancel` ends."""
        return Scope()

    def checkpoint(self, switch: bool) -> Awaitable[None]:
        """Raise here if the running task is cancelled; with `switch`, let others run too."""
        # Not `await`: that would be another coroutine for each message.
        return trio.lowlevel.checkpoint() if switch else trio.lowlevel.checkpoint_if_cancelled()  # noqa: ASYNC105

    def event(self) -> driver.Event:
        """Make an event; trio's is one as it comes."""
        return trio.Event()

    def notify(self, soon: bool = False) -> None:
        """Look at the session again: bytes, deadline, reading, end."""
        self._owner.notify(soon)

    def cancel(self) -> None:
        """Cancel every task: the last resort when the session itself has failed."""
        for task in tuple(self._tasks):
            task.cancel()

    async def _run(self, task: Task, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> None:
        task.has_begun = True
        failure: Exception | None = None
        try:
            await function(*args)
        except Exception as error:
            failure = error
        finally:
            self._tasks.remove(task)
            task.worker = None
            self._owner.task_ended(failure)


class Task:
    """One task of a connection (`spry_core.driver.Task`)."""

    __slots__ = ("has_begun", "worker")

    def __init__(self) -> None:
        self.has_begun: bool = False
        """True since it took its first step."""
        self.worker: Worker | None = None
        """Who does the work, as long as it is not done."""

    def cancel(self) -> None:
        """Cancel it, at its next wait; before it runs, at its first one."""
        if self.worker is not None:
            self.worker.cancel()


class Worker:
    """A task of trio's that does one piece of work after the other, in a scope that is shielded and reused."""

    __slots__ = ("_scope", "_task", "_work", "_workers")

    def __init__(self, workers: Workers, work: Callable[[], Awaitable[None]]) -> None:
        self._workers = workers
        self._work: Callable[[], Awaitable[None]] | None = work
        self._scope = trio.CancelScope(shield=True)
        self._task: trio.lowlevel.Task | None = None

    async def run(self) -> None:
        """Be the task. One that was cancelled is not used again: nothing takes a cancellation back."""
        self._task = trio.lowlevel.current_task()
        with self._scope:
            while (work := self._work) is not None:
                self._work = None
                await work()
                del work
                if self._scope.cancel_called or not self._workers.park(self):
                    break
                self._task.context = _NOBODYS
                await trio.lowlevel.wait_task_rescheduled(_stay)

    def go_on(self, work: Callable[[], Awaitable[None]] | None) -> None:
        """Wake it from where it is parked, for this work in a copy of the caller's context, or to end."""
        assert self._task is not None
        self._work = work
        if work is not None:
            self._task.context = copy_context()
        trio.lowlevel.reschedule(self._task)

    def cancel(self) -> None:
        """Cancel the work it has."""
        self._scope.cancel()


class Workers:
    """The tasks of a server's connections: those that work, and some that are parked."""

    __slots__ = ("_is_dismissed", "_nursery", "_parked", "loop")

    def __init__(self, nursery: trio.Nursery) -> None:
        self.loop: Final[Loop] = Loop(self, nursery)
        """What waits for the sockets of those connections."""
        self._nursery = nursery
        self._parked: list[Worker] = []
        self._is_dismissed = False

    def start(self, work: Callable[[], Awaitable[None]]) -> Worker:
        """Have this done in a copy of the caller's context; it begins after this call."""
        if self._parked:
            worker = self._parked.pop()
            worker.go_on(work)
        else:
            worker = Worker(self, work)
            # A name for all: trio would make one for each task.
            self._nursery.start_soon(worker.run, name=_NAME)
        return worker

    def park(self, worker: Worker) -> bool:
        """Keep one that has nothing to do, or tell that it is to end."""
        if self._is_dismissed or len(self._parked) >= _MOST_PARKED:
            return False
        self._parked.append(worker)
        return True

    def dismiss(self) -> None:
        """End those that are parked, and the others when they have done their work."""
        self._is_dismissed = True
        self.loop.end()
        while self._parked:
            self._parked.pop().go_on(None)


class Loop:
    """What the pumps of a server share: a task that waits for their sockets and deadlines, and one for what is to be done soon.

    Nobody outside cancels either: they run until nothing is left that could ask them for something.
    """

    __slots__ = (
        "_agenda",
        "_is_over",
        "_nursery",
        "_parked",
        "_scope",
        "_until",
        "_watched",
        "_workers",
        "look",
        "now",
    )

    def __init__(self, workers: Workers, nursery: trio.Nursery) -> None:
        self.now: Final[Callable[[], float]] = trio.lowlevel.current_clock().current_time
        """Return trio's clock, in seconds; `trio.current_time` has to look for it each time."""
        self._agenda = Agenda(self._end_process)
        self.look: Final[Callable[[Part], None]] = self._agenda.looks.look
        """Let this one look: at once, or when the call that is on has ended."""
        self._workers = workers
        self._nursery = nursery
        self._watched: Poller[Part] | OneByOne | None = None  # since it has begun
        self._scope = trio.CancelScope()
        self._until = math.inf  # the scope's deadline, kept beside it: reading the scope's costs more
        self._parked: trio.lowlevel.Task | None = None  # the second of the tasks, while it has nothing to do
        self._is_over = False

    def begin(self) -> None:
        """Begin, if it has not yet; raises `OSError` if no descriptor is left."""
        if self._watched is None:
            self._watched = Poller() if HAS_EPOLL else OneByOne(self._workers, self._agenda)
            self._nursery.start_soon(self._wait, name=_NAME)
            self._nursery.start_soon(self._work_off, name=_NAME)

    def end(self) -> None:
        """End both tasks."""
        self._is_over = True
        self._scope.cancel()
        self._wake()

    def watch(self, sock: socket.socket, part: Part) -> None:
        """Let this one `receive` whenever it can, until `forget`; raises `OSError` if the kernel watches no more sockets."""
        assert self._watched is not None
        self._watched.watch(sock, part)

    def forget(self, sock: socket.socket) -> None:
        """Watch it no longer; to be called before it is closed."""
        assert self._watched is not None
        self._watched.forget(sock)

    def call_at(self, when: float, part: Part) -> Timer:
        """Tell this one when its time has come."""
        if when < self._until:
            self._until = self._scope.deadline = when
        return self._agenda.add(when, part)

    def look_soon(self, part: Part) -> None:
        """Let this one look before trio sleeps, once."""
        self._agenda.look_soon(part)
        self._wake()

    def _wake(self) -> None:
        if self._parked is not None:
            trio.lowlevel.reschedule(self._parked)
            self._parked = None

    def _end_process(self, error: BaseException) -> None:
        """Raise this in a task of its own; the one that waits is needed to close the connections."""
        self._workers.start(partial(_raise, error))

    @trio.lowlevel.enable_ki_protection
    async def _wait(self) -> None:
        agenda, poller = self._agenda, self._watched if isinstance(self._watched, Poller) else None
        try:
            while not self._is_over:
                deadline = agenda.next_deadline()
                self._until = math.inf if deadline is None else deadline
                with trio.CancelScope(deadline=self._until, shield=True) as self._scope:
                    while poller is not None:
                        await trio.lowlevel.wait_readable(poller)
                        _interruptibly(agenda.receive, poller.ready())
                    await trio.sleep_forever()
                if poller is not None:
                    _interruptibly(agenda.receive, poller.ready())  # what has come in time is not late
                _interruptibly(agenda.handle_deadline, self.now())
        finally:
            if poller is not None:
                poller.close()

    @trio.lowlevel.enable_ki_protection
    async def _work_off(self) -> None:
        while not self._is_over:
            if self._agenda.has_soon:
                _interruptibly(self._agenda.handle_soon)
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                self._parked = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(_stay)


class OneByOne:
    """What stands for `Poller` where there is none: a task for each socket that is watched."""

    __slots__ = ("_agenda", "_watches", "_workers")

    def __init__(self, workers: Workers, agenda: Agenda) -> None:
        self._workers = workers
        self._agenda = agenda
        self._watches: dict[socket.socket, object] = {}

    def watch(self, sock: socket.socket, part: Part) -> None:
        """As `Poller.watch`."""
        self._watches[sock] = watch = object()
        self._workers.start(partial(self._wait, sock, part, watch))

    def forget(self, sock: socket.socket) -> None:
        """As `Poller.forget`; who is not inside `receive` has to say `notify_closing` as well."""
        del self._watches[sock]

    async def _wait(self, sock: socket.socket, part: Part, watch: object) -> None:
        while self._watches.get(sock) is watch:
            try:
                await trio.lowlevel.wait_readable(sock)
            except trio.ClosedResourceError:
                return
            if self._watches.get(sock) is watch:
                self._agenda.receive([part])


@trio.lowlevel.disable_ki_protection
def _interruptibly(call: Callable[[*Args], None], *args: *Args) -> None:
    """Call what runs callbacks of an application: who presses Ctrl-C has to get out of one that never returns."""
    call(*args)


async def _raise(error: BaseException) -> None:
    raise error


@asynccontextmanager
async def open_workers() -> AsyncGenerator[Workers]:
    """Give workers for the length of the block, which ends when the last of them has."""
    async with trio.open_nursery() as nursery:
        workers = Workers(nursery)
        try:
            yield workers
        finally:
            workers.dismiss()


def _stay(raise_cancel: object) -> trio.lowlevel.Abort:  # pragma: no cover - nobody cancels who has no work
    return trio.lowlevel.Abort.FAILED


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
