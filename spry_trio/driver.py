"""The six verbs on trio: a clock, tasks, scopes, checkpoints, events, and "look again"; and the loop that pumps have in common.

Only the session cancels what it started: every task runs in a scope of its own that is shielded from whatever is around it.
trio's cancellation is a level, so a scope needs nothing more, and nor does a task that is cancelled before it runs.

A task that waits for a socket costs more than to receive and to send. So one of them waits for all sockets, by a descriptor that
is readable when one of them is; and what begins because something came takes its first step in it, behind the pump's call.
"""

from __future__ import annotations

import math
import socket
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import AbstractContextManager, asynccontextmanager
from contextvars import Context, copy_context
from functools import partial
from types import coroutine
from typing import Final, Protocol, TypeVarTuple

import trio

from spry_core import driver
from spry_core.tasks import Timer
from spry_system import HAS_EPOLL, Agenda, Part, Poller
from spry_trio.tasks import (
    Ended,
    Event,
    Rest,
    Scope,
    Task,
    Work,
    Worker,
    fail,
    interruptibly,
    stay,
)

Args = TypeVarTuple("Args")

_NAME: Final = "spry"

_MOST_PARKED: Final = 256
"""Parked tasks, of 3 KiB each, that a server keeps: what a burst has left behind need not be kept for ever."""

MOST_STEPS: Final = 16
"""First steps that the leader takes for each connection that has received something; requests are parsed as many at a time."""

MOST_AT_ONCE: Final = 64
"""Sockets that are read before their connections are looked at."""


class Now(Protocol):
    """The verb `now`."""

    def __call__(self) -> float:
        """Return trio's clock, in seconds."""
        ...


class Owner(Ended, Protocol):
    """Whoever moves the bytes of the connection that a driver is lent to; in this package the pump."""

    def notify(self, soon: bool = False) -> None:
        """Look at the session again; with `soon`, before the loop sleeps is early enough."""
        ...


class Driver:
    """What trio lends to one connection (`spry_core.driver.Driver`)."""

    __slots__ = ("_owner", "_tasks", "_workers", "now")

    def __init__(self, owner: Owner, workers: Workers) -> None:
        self.now: Now = workers.loop.now
        """Return trio's clock, in seconds."""
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

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> driver.Task:
        """Run `function(*args)` as a task, in a copy of the caller's context; it begins after this call."""
        task = Task(self._owner, self._tasks, partial(function, *args))
        self._tasks.append(task)
        self._workers.loop.start(task)
        return task

    def scope(self) -> AbstractContextManager[driver.Scope]:
        """Give a block of the running task that `cancel` ends."""
        return Scope()

    def checkpoint(self, switch: bool) -> Awaitable[None]:
        """Raise here if the running task is cancelled; with `switch`, let others run too."""
        # Not `await`: that would be another coroutine for each message.
        return trio.lowlevel.checkpoint() if switch else trio.lowlevel.checkpoint_if_cancelled()  # noqa: ASYNC105

    def event(self) -> driver.Event:
        """Make an event."""
        return Event(self._workers.loop)

    def notify(self, soon: bool = False) -> None:
        """Look at the session again: bytes, deadline, reading, end."""
        self._owner.notify(soon)

    def cancel(self) -> None:
        """Cancel every task: the last resort when the session itself has failed."""
        for task in tuple(self._tasks):
            task.cancel()


class Workers:
    """The tasks of a server's connections: those that work, and some that are parked."""

    __slots__ = ("_is_dismissed", "_nursery", "_parked", "loop")

    def __init__(self, nursery: trio.Nursery) -> None:
        self.loop: Final[Loop] = Loop(self, nursery)
        """What waits for the sockets of those connections."""
        self._nursery = nursery
        self._parked: list[Worker] = []
        self._is_dismissed = False

    def start(self, work: Work) -> Worker:
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
    """What the pumps of a server share: who waits for their sockets, who keeps their time, and who does what is to be done soon.

    The one that waits is the leader among the workers. What receives begins tasks, and the leader takes the first step of each
    itself: nearly all requests are answered in it, and then no other task has to be woken. One that has to wait goes on where it
    is, in a worker that leads no longer, and another worker takes over, behind it.

    Of several that have received something none is looked at before the tasks that this has woken have taken their step: the
    leader waits for that. What they have to say, to whomever, goes out with those looks.
    """

    __slots__ = (
        "_agenda",
        "_beginning",
        "_context",
        "_is_leading",
        "_is_over",
        "_leader",
        "_nursery",
        "_parked",
        "_scope",
        "_steps_left",
        "_until",
        "_waiting",
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
        self._leader: Worker | None = None
        self._is_leading = False  # the leader is at work, and takes the first step of who is beginning
        self._beginning: deque[Task] = deque()
        self._waiting: trio.lowlevel.Task | None = None  # the leader, while he waits for others' steps
        self._steps_left = 0  # then the others have their turn
        self._scope = trio.CancelScope()  # of the time keeper
        self._until = math.inf  # its deadline, kept beside it: reading the scope's costs more
        self._parked: trio.lowlevel.Task | None = None  # who does what is to be done soon, while nothing is
        self._is_over = False
        # The leader's: nobody's variables. A context can be in use once, so it is not that of another server in another thread.
        self._context = Context()

    def begin(self) -> None:
        """Begin, if it has not yet; raises `OSError` if no descriptor is left."""
        if self._watched is not None:
            return
        self._watched = Poller() if HAS_EPOLL else OneByOne(self._workers, self._agenda)
        self._nursery.start_soon(self._keep_time, name=_NAME)
        self._nursery.start_soon(self._work_off, name=_NAME)
        if isinstance(self._watched, Poller):
            self._change_leader()

    def end(self) -> None:
        """End all of it."""
        if self._is_over:
            return
        self._is_over = True
        self._scope.cancel()
        self._wake()
        if isinstance(self._watched, Poller):
            trio.lowlevel.notify_closing(self._watched)
            self._watched.close()

    def start(self, task: Task) -> None:
        """Let this begin: in the leader's hands if he is at work, else in those of another worker."""
        if self._is_leading and self._steps_left:
            self._steps_left -= 1
            task.context = copy_context()
            self._beginning.append(task)
        else:
            task.begin_in(self._workers.start(task.run))

    def expect_steps(self, count: int) -> bool:
        """Take note that this many tasks were woken; tell whether looks wait until `step_begins` was said for each."""
        agenda = self._agenda
        if agenda.is_patient:
            agenda.steps_due += count
        return agenda.is_patient

    def hurry(self) -> None:
        """Let nothing wait for those who have still to receive, or for whom they wake."""
        self._agenda.is_patient = False

    def step_begins(self) -> None:
        """One of those takes its step; behind the last one the leader goes on."""
        self._agenda.steps_due -= 1
        if not self._agenda.steps_due and self._waiting is not None:
            trio.lowlevel.reschedule(self._waiting)
            self._waiting = None

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
        """Raise this in a task of its own; the leader is needed to close the connections."""
        self._workers.start(partial(fail, error))

    def _ready(self, most: int | None = None) -> list[Part]:
        """Return those who have something to receive, or some of them."""
        watched = self._watched
        return watched.ready(most) if isinstance(watched, Poller) and not self._is_over else []

    # ---------------------------------------------------------------------------------------------------- the leader

    def _change_leader(self) -> None:
        self._is_leading = self._agenda.looks.is_on = False
        if not self._is_over:
            self._leader = self._workers.start(self._lead)

    @coroutine
    def _lead(self) -> Generator[object, None, Awaitable[None] | None]:
        """Do what there is to do until a task has to wait, and return that; no scope is open when it takes its steps."""
        worker, poller = self._leader, self._watched
        assert worker is not None
        assert isinstance(poller, Poller)
        worker.change_context(self._context)
        try:
            while not worker.is_cancelled:
                if (task := self._next_to_begin()) is not None:
                    if (rest := self._step(task, worker)) is not None:
                        return rest
                elif self._agenda.steps_due:
                    self._waiting = trio.lowlevel.current_task()
                    yield from trio.lowlevel.wait_task_rescheduled(stay).__await__()  # noqa: ASYNC105 - as below
                elif self._is_over:
                    return None
                else:
                    # A generator, and not a coroutine, since `await` is not all that it does.
                    yield from trio.lowlevel.wait_readable(poller).__await__()  # noqa: ASYNC105
                    ready = self._ready(MOST_AT_ONCE)
                    self._steps_left = MOST_STEPS * len(ready)
                    self._agenda.expect(ready)
            return None
        except trio.ClosedResourceError:
            return None
        finally:
            self._change_leader()

    def _next_to_begin(self) -> Task | None:
        """Go on with everything until a task is to begin."""
        self._is_leading = True
        self._agenda.go_on(self._beginning)
        if self._beginning:
            return self._beginning.popleft()
        self._is_leading = False
        return None

    def _step(self, task: Task, worker: Worker) -> Awaitable[None] | None:
        """Take the first step of a task; return what is left of it if it waits then."""
        context, task.context = task.context, None
        assert context is not None
        task.begin_in(worker)
        running = task.run()
        try:
            message = context.run(running.send, None)
        except StopIteration:
            return None
        worker.change_context(context)
        return Rest(running, message)

    # -------------------------------------------------------------------------------------------------- time, and soon

    @trio.lowlevel.enable_ki_protection
    async def _keep_time(self) -> None:
        agenda = self._agenda
        while not self._is_over:
            deadline = agenda.next_deadline()
            self._until = math.inf if deadline is None else deadline
            with trio.CancelScope(deadline=self._until, shield=True) as self._scope:
                await trio.sleep_forever()
            interruptibly(agenda.receive, self._ready())  # what has come in time is not late
            interruptibly(agenda.handle_deadline, self.now())

    @trio.lowlevel.enable_ki_protection
    async def _work_off(self) -> None:
        while not self._is_over:
            if self._agenda.has_soon:
                interruptibly(self._agenda.handle_soon)
                await trio.lowlevel.cancel_shielded_checkpoint()
            else:
                self._parked = trio.lowlevel.current_task()
                await trio.lowlevel.wait_task_rescheduled(stay)


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


@asynccontextmanager
async def open_workers() -> AsyncGenerator[Workers]:
    """Give workers for the length of the block, which ends when the last of them has."""
    async with trio.open_nursery() as nursery:
        workers = Workers(nursery)
        try:
            yield workers
        finally:
            workers.dismiss()
