"""The memory driver: tasks, time and chance without an event loop.

Nothing happens by itself here. Tasks and pumps that have something to do stand in one ready list; `settle` runs them, the next
always drawn by the seed, until the list is empty, and no time passes meanwhile. Time is a number that goes forward when
somebody asks for it (`advance`) or waits (`run`, `wait_until`), and then from deadline to deadline. So the same seed gives the
same run, and a minute of silence costs microseconds.

Cancellation is level-triggered, as on trio: from the moment a task (or a scope of it) is cancelled, every wait in it raises.
What a test finds out here that it would not find with an event loop: a wait that nothing can end is a `Deadlock` at once, and a
foreign awaitable is named instead of hanging.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from itertools import count, islice
from random import Random
from typing import Final, Protocol, TypeVar, TypeVarTuple

from spry_core.errors import LocalProtocolError
from spry_core.tasks import Timer, Timers, enter
from spry_core.testing.lent import LentDriver
from spry_core.testing.parked import Deadlock, ForeignAwaitable, foreign_call
from spry_core.testing.task import Job, MemoryEvent, MemoryScope, MemoryTask, let_others

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

MAX_STEPS: Final = 200_000
"""Steps without any time passing, after which a run is given up: some task goes round in circles."""

MAX_POINTS: Final = 1_000_000
"""The same in points where a task may be suspended: some of them are passed 32 at a step."""

MAX_TASKS: Final = 100_000
"""Tasks at once, beyond which a run is given up: some task starts more than end."""

MAX_JUMPS: Final = 10_000
"""Deadlines that one wait goes over before it is given up: some timer comes again and again and changes nothing."""

MAX_IDLE_JUMPS: Final = 1_000
"""The same where no task and no bytes are waited for, so that keepalive is all that goes on."""

MAX_PASSED: Final = 100_000
"""Deadlines within a time that was given, by `advance` or a timeout, before that is given up: some timer comes again too soon."""

MAX_TOLD: Final = 50
"""Tasks that the text of a `Deadlock` lists; the oldest say most."""

MAX_FAILURES: Final = 10
"""Foreign awaitables after which a run does not go on to its rest: some task tries again and again."""

MAX_STALLED: Final = 1_000
"""Deadlines in a row that are due already, after which a run is given up: some pump does not handle its own."""


class HasTimers(Protocol):
    """Who runs tasks, as far as a wait has to know: a session, or the lifespan."""

    @property
    def timers(self) -> Timers:
        """What its tasks wait for."""
        ...


class MemoryDriver:
    """The six verbs in memory, the ready list behind them, and the clock.

    One driver holds the time and the tasks of any number of sessions; each session gets a part of it by `lend`. It is a `Host`
    itself, so `run` can run a function that sleeps and sets timeouts, without any session.

    Args:
        seed: Decides every drawing from the ready list. `random.Random.random` draws, which gives the same numbers for a seed
            in every version of Python.
        now: What the clock shows at the beginning, in seconds.
    """

    def __init__(self, *, seed: int = 0, now: float = 0.0) -> None:
        self._random = Random(seed)
        self._now = now
        self._ready: list[Job] = []
        self._queued: set[Job] = set()
        self._tasks: dict[MemoryTask, None] = {}  # a set that keeps the order
        self._numbers = count(1)
        self._current: MemoryTask | None = None
        self._is_stepping = False
        self._stalled = 0
        self._points = 0
        self._failures: list[BaseException] = []
        self._alarms = Timers()
        self._arrivals = Timers()
        self._watch: Callable[[MemoryTask], None] | None = None
        self._timers = Timers()
        self._hosts: dict[HasTimers, None] = {self: None}

    # ------------------------------------------------------------------------------------------------ the six verbs

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        return self._now

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> MemoryTask:
        """Put `function(*args)` on the ready list as a task of its own, with a copy of the context."""
        return self.start_for("", function, *args)

    def start_for(self, owner: str, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> MemoryTask:
        """Do the same, and let the task's name say whose it is."""

        async def body() -> None:
            await function(*args)

        number = next(self._numbers)
        task = MemoryTask(self, f"task {number} of {owner}" if owner else f"task {number}", body)
        self._tasks[task] = None
        self.schedule(task)
        return task

    def scope(self) -> MemoryScope:
        """Give a `with` block of the running task that its `cancel` ends."""
        return MemoryScope(self.current_task())

    async def checkpoint(self, switch: bool) -> None:
        """Raise `Cancelled` if the running task is cancelled; with `switch`, let others be drawn as well."""
        task = self.current_task()
        self.reach(task)
        if switch:  # first, as elsewhere: whoever is cancelled and has to wait all the same lets the others come to an end
            await let_others()
        await task.check()

    def event(self) -> MemoryEvent:
        """Make an event."""
        return MemoryEvent(self)

    def notify(self, soon: bool = False) -> None:
        """Do nothing: a run looks at this driver's own timers anyway. What `lend` gives looks at a session."""

    # -------------------------------------------------------------------------------------- for sessions and pumps

    @property
    def driver(self) -> MemoryDriver:
        """This driver, as a `Host` names it."""
        return self

    @property
    def timers(self) -> Timers:
        """The timers of what `run` runs."""
        return self._timers

    @property
    def is_cancelling(self) -> bool:
        """False: what `run` runs is cancelled by its scopes alone."""
        return False

    def lend(self, owner: str, look: Callable[[], None]) -> LentDriver:
        """Give the six verbs to one session, whose `notify` is `look`; `owner` goes into the names of its tasks."""
        return LentDriver(self, owner, look)

    def schedule(self, job: Job) -> None:
        """Put `job` on the ready list, once."""
        if job not in self._queued:
            self._queued.add(job)
            self._ready.append(job)

    def add_alarm(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` when the clock has reached `when`: the deadline of a connection."""
        return self._alarms.add(when, callback)

    def add_arrival(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` when the clock has reached `when`: bytes come then that are on their way, so every wait goes there."""
        return self._arrivals.add(when, callback)

    def add_host(self, host: HasTimers) -> None:
        """Let waits go over the timers that tasks of `host` have set."""
        self._hosts[host] = None

    def remove_host(self, host: HasTimers) -> None:
        """Forget `host`."""
        self._hosts.pop(host, None)

    def inspect(self, error: BaseException | None, who: str = "a callback") -> None:
        """Look whether an error that somebody else has handled comes of a foreign awaitable; if so, the run fails with it.

        Ordinary error handling makes a 500 or a 1011 of any error of a handler. Hand in what the log records carry, and the
        test fails with the name of what was awaited instead. `who` has met it, if no task is running.
        """
        who = who if self._current is None else self._current.name
        if error is not None and (foreign := _recognise(who, error)) is not None:
            self.fail(foreign)

    # ------------------------------------------------------------------------------------------------- for tasks

    def reach(self, task: MemoryTask) -> None:
        """Note that `task` has come to a point where it may be suspended, or cancelled."""
        self._points += 1
        if self._watch is not None:
            self._watch(task)

    def current_task(self) -> MemoryTask:
        """Return the running task.

        Raises:
            LocalProtocolError: What is awaited belongs to this driver, and no task of it is running.
        """
        if self._current is None:
            raise LocalProtocolError(
                "no task of this memory driver is running: await this in one that it started"
            )
        return self._current

    @contextmanager
    def running(self, task: MemoryTask) -> Generator[None]:
        """Say that `task` is the one that runs."""
        self._current = task
        try:
            yield
        finally:
            self._current = None

    def fail(self, error: BaseException) -> None:
        """Let the run raise `error` when it has come to rest."""
        self._failures.append(error)

    def forget(self, task: MemoryTask) -> None:
        """Note that `task` has ended."""
        del self._tasks[task]

    # -------------------------------------------------------------------------------------------------- for tests

    def tasks(self) -> list[MemoryTask]:
        """List the tasks that have not ended, the oldest first; `str` of one says where it waits."""
        return list(self._tasks)

    def watch(self, callback: Callable[[MemoryTask], None] | None) -> None:
        """Call `callback` whenever a task comes to a point where it may be suspended or cancelled; None to stop that.

        Such a point is every wait and every checkpoint. What the callback does to the task (`MemoryTask.cancel`) has its effect
        there; tests that explore what can go wrong at which line are built on it.
        """
        self._watch = callback

    def next_deadline(self) -> float | None:
        """Return the next moment at which time alone changes something, or None."""
        arrival = self._arrivals.next_deadline()
        return _earliest(arrival, self._alarms.next_deadline(), self._timers.next_deadline())

    def deadlock(self, what: str) -> Deadlock:
        """Make the error that says what is the matter, the time, and where everybody waits."""
        lines = [f"{what} (time {self._now})"]
        lines += [f"  {task}" for task in islice(self._tasks, MAX_TOLD)]
        if len(self._tasks) > MAX_TOLD:
            lines.append(f"  and {len(self._tasks) - MAX_TOLD} further tasks")
        if (when := self.next_deadline()) is not None:
            lines.append(f"  the next deadline is at {when}: `advance` or a timeout lets time pass")
        return Deadlock("\n".join(lines))

    def settle(self) -> None:
        """Run all that is ready, and what becomes ready by it; no time passes.

        Raises:
            Deadlock: It does not come to rest in `MAX_STEPS` steps, or `MAX_POINTS` points where a task may be suspended; or it
                has more than `MAX_TASKS` tasks.
            LocalProtocolError: It runs already: this is called in a task of it, or in another thread.
            ForeignAwaitable: A task awaited what belongs to an event loop.
        """
        if self._is_stepping:
            raise LocalProtocolError(
                "this memory driver is running: neither what it runs nor another thread can run it as well"
            )
        self._points = 0
        for _ in range(MAX_STEPS):
            if not self._ready or len(self._failures) == MAX_FAILURES:
                break
            if len(self._tasks) > MAX_TASKS:
                raise self.deadlock(f"there are more than {MAX_TASKS} tasks at once")
            if self._points > MAX_POINTS:
                raise self.deadlock(f"still busy after {MAX_POINTS} waits without any time passing")
            self._step()
        else:
            raise self.deadlock(f"still busy after {MAX_STEPS} steps without any time passing")
        if self._failures:
            first = self._failures[0]
            self._failures.clear()
            raise first

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass: everything that falls due happens at its own moment.

        Raises what `settle` raises, and `Deadlock` if more than `MAX_PASSED` deadlines lie in that time; the clock then stands
        where it happened.
        """
        if not 0 <= seconds < math.inf:
            raise ValueError(f"seconds must be a finite number and not negative, not {seconds}")
        self.settle()
        until, passed = self._now + seconds, 0
        while (when := self.next_deadline()) is not None and when <= until:
            if passed == MAX_PASSED:
                raise self.deadlock(f"{passed} deadlines have passed, and more are due before {until}")
            passed += 1
            self._jump(when)
        self._now = until

    def run(self, function: Callable[[*Args], Awaitable[Result]], *args: *Args) -> Result:
        """Run `function(*args)` to its end in virtual time and return its result; what it raises comes out.

        Raises what `wait_until` raises; the task is then cancelled.
        """
        results: list[Result] = []

        async def body() -> None:
            results.append(await function(*args))

        task = self.start(enter, self, body)
        try:
            self.wait_until(lambda: task.is_done, f"the end of {getattr(function, '__qualname__', function)}")
        except BaseException:
            task.cancel()
            self.settle()
            raise
        return results[0]

    def wait_until(
        self,
        is_over: Callable[[], bool],
        what: str,
        *,
        timeout: float | None = None,
        is_hasty: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run, and let time pass as far as it must, until `is_over()`.

        Without `timeout`, time passes only while bytes are on their way, while a timer of some task is set (`sleep`, `timeout`),
        which will let that task go on, or while `is_hasty()` says that the deadlines of a connection are worth waiting for. They
        are not always: keepalive goes on for ever.

        Args:
            is_over: Asked whenever everything has settled.
            what: What is waited for, for the text of the errors.
            timeout: Virtual seconds to wait at most; so long time passes, whatever is set.
            is_hasty: Asked when nothing but deadlines of connections is left.

        Raises:
            Deadlock: Nothing can bring it, or `MAX_JUMPS` deadlines have not brought it (`MAX_PASSED` with a timeout).
            TimeoutError: `timeout` has passed.
            ForeignAwaitable: A task awaited what belongs to an event loop.
            ValueError: `timeout` is not finite.
        """
        if timeout is not None and not timeout < math.inf:
            raise ValueError(f"a timeout must be a finite number, not {timeout}; None is for ever")
        until = math.inf if timeout is None else self._now + timeout
        jumps = idle = 0
        while not self._is_over(is_over):
            when = self.next_deadline()
            if timeout is not None and (when is None or when > until):
                self._now = until
                raise TimeoutError(f"{what} did not come within {timeout} s")
            if when is None or (timeout is None and not (self._is_awaited() or is_hasty())):
                raise self.deadlock(f"nothing can bring {what}")
            jumps, idle = jumps + 1, 0 if self._is_awaited() else idle + 1
            if jumps > MAX_PASSED or (timeout is None and (jumps > MAX_JUMPS or idle > MAX_IDLE_JUMPS)):
                raise self.deadlock(f"{jumps - 1} deadlines have passed without {what}")
            self._jump(when)

    def _is_over(self, is_over: Callable[[], bool]) -> bool:
        self.settle()
        return is_over()

    def _is_awaited(self) -> bool:
        """Tell whether time brings bytes, or lets a task go on."""
        if self._arrivals.next_deadline() is not None:
            return True
        return any(host.timers.next_deadline() is not None for host in self._hosts)

    def _step(self) -> None:
        # The last takes the place of the one drawn: the order of the list says nothing, so no need to keep it.
        drawn = int(self._random.random() * len(self._ready))
        job, self._ready[drawn] = self._ready[drawn], self._ready[-1]
        self._ready.pop()
        self._queued.discard(job)
        self._is_stepping = True
        try:
            job.step()
        except Exception as error:
            who = job.name if isinstance(job, MemoryTask) else "a callback"
            if (foreign := _recognise(who, error)) is not None:
                raise foreign from error
            raise
        finally:
            self._is_stepping = False

    def _jump(self, when: float) -> None:
        self._stalled = 0 if when > self._now else self._stalled + 1
        if self._stalled > MAX_STALLED:
            self._stalled = 0
            raise self.deadlock(f"a deadline at {when} is due and does not go away")
        self._now = max(self._now, when)
        self._arrivals.handle_deadline(self._now)
        self._alarms.handle_deadline(self._now)
        self._timers.handle_deadline(self._now)
        self.settle()


def _earliest(*moments: float | None) -> float | None:
    return min((each for each in moments if each is not None), default=None)


def _recognise(who: str, error: BaseException) -> ForeignAwaitable | None:
    """Make a `ForeignAwaitable` of an error of `who` that says that no event loop runs."""
    if (found := foreign_call(error)) is None:
        return None
    foreign = ForeignAwaitable(who, *found)
    foreign.__cause__ = error
    return foreign
