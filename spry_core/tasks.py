"""What handlers do with time and with each other, on any backend: `sleep`, `timeout`, `event`, `now`.

All of it is built on the driver's six verbs and on the deadlines of whoever started the task: a session, or the server. That
host keeps the moments in its `Timers`, its pump sleeps until the next of them, and a timer does no more than raise an event or
cancel a scope; so no backend needs a timer of its own for this. The host is found in a context variable that `enter` sets.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from heapq import heapify, heappop, heappush
from itertools import count
from types import TracebackType
from typing import Final, Protocol, Self, TypeVarTuple

from spry_core.driver import Driver, Event, Scope
from spry_core.errors import LocalProtocolError

Args = TypeVarTuple("Args")

_KEPT: Final = 32
"""Cancelled timers that may stay in the heap in any case: sweeping a small heap more often would cost more than it frees."""


class Timer:
    """One moment of `Timers`, as `Timers.add` gives it."""

    __slots__ = ("_callback", "_timers", "when")

    def __init__(self, when: float, callback: Callable[[], None], timers: Timers) -> None:
        self.when: Final = when
        """The moment, on the driver's clock."""
        self._callback: Callable[[], None] | None = callback
        self._timers = timers

    @property
    def is_pending(self) -> bool:
        """True until it has fired or was cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget it. May be called twice, or when it has fired."""
        if self._callback is not None:
            self._callback = None
            self._timers.forget()

    def fire(self) -> None:
        """Call what it was made for; a second time, or after `cancel`, nothing happens."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Timers:
    """Moments at which something is to be called: a heap, with no clock of its own.

    A cancelled timer stays in the heap until it comes to the top or until more than half of the heap is cancelled; so cancelling
    costs little, and a thousand requests that each set a timeout and finish early leave at most as many dead entries as live
    ones (and `_KEPT`).
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = count()  # of two timers for one moment the older fires first
        self._cancelled = 0

    def __len__(self) -> int:
        """Count the entries held, cancelled ones too."""
        return len(self._heap)

    def add(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once in `handle_deadline` when its `now` has reached `when`.

        The pump sleeps until the deadline it saw last: whoever adds a timer from a task calls the driver's `notify` as well.
        """
        timer = Timer(when, callback, self)
        heappush(self._heap, (when, next(self._numbers), timer))
        return timer

    def next_deadline(self) -> float | None:
        """Return the earliest moment, or None."""
        self._drop_cancelled()
        return self._heap[0][0] if self._heap else None

    def handle_deadline(self, now: float) -> None:
        """Fire everything that is due at `now`, the earliest first; also what a callback adds meanwhile, if it is due."""
        self._drop_cancelled()
        while self._heap and self._heap[0][0] <= now:
            timer = heappop(self._heap)[2]
            timer.fire()
            self._drop_cancelled()

    def forget(self) -> None:
        """Count one cancelled entry, and sweep when they have become too many. For `Timer.cancel` alone."""
        self._cancelled += 1
        if self._cancelled > max(_KEPT, len(self._heap) // 2):
            self._heap = [entry for entry in self._heap if entry[2].is_pending]
            heapify(self._heap)
            self._cancelled = 0

    def _drop_cancelled(self) -> None:
        while self._heap and not self._heap[0][2].is_pending:
            heappop(self._heap)
            self._cancelled -= 1


class Host(Protocol):
    """Who runs tasks: a session, or the server for its lifespan."""

    @property
    def driver(self) -> Driver:
        """The driver lent to it."""
        ...

    @property
    def timers(self) -> Timers:
        """The moments that its `next_deadline` and `handle_deadline` include."""
        ...


_HOST: ContextVar[Host] = ContextVar("spry_core.tasks.host")


async def enter(host: Host, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> None:
    """Run `function(*args)` with `host` as the one whose clock and timers it uses.

    Hosts start every task with it: `driver.start(enter, self, function, *args)`. The variable lives in the task's own context,
    and everything that the task starts in turn inherits it.
    """
    _HOST.set(host)
    await function(*args)


def current_host() -> Host:
    """Return the host of the running task.

    Raises:
        LocalProtocolError: This is no task of Spry's.
    """
    try:
        return _HOST.get()
    except LookupError:
        message = (
            "no task of Spry's is running here: use this inside a handler, a middleware, a callback of listen or the lifespan, "
            "and elsewhere what your event loop offers"
        )
        raise LocalProtocolError(message) from None


def now() -> float:
    """Return the clock of all deadlines, in seconds; only differences matter, and it never runs backwards.

    Raises:
        LocalProtocolError: This is no task of Spry's.
    """
    return current_host().driver.now()


def event() -> Event:
    """Make an `Event` of the running backend: `set()`, `is_set()`, `await wait()`. It goes up once and wakes every waiter.

    Raises:
        LocalProtocolError: This is no task of Spry's.
    """
    return current_host().driver.event()


async def sleep(seconds: float) -> None:
    """Wait for `seconds`, at least; 0 only lets other tasks run.

    Cancelling it leaves no timer behind. It needs the connection (or the server) that the task belongs to: a task of the event
    loop's own that outlives it is not woken again.

    Raises:
        ValueError: `seconds` is negative or not finite.
        LocalProtocolError: This is no task of Spry's.
    """
    _check(seconds)
    host = current_host()
    driver = host.driver
    if seconds == 0:
        await driver.checkpoint(True)
        return
    done = driver.event()
    timer = host.timers.add(driver.now() + seconds, done.set)
    driver.notify()
    try:
        await done.wait()
    finally:
        timer.cancel()


class Timeout:
    """A time limit for one `with` block, as `timeout` makes it."""

    __slots__ = ("_block", "_scope", "_seconds", "_timer")

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None:
            _check(seconds)
        self._seconds = seconds
        self._block: AbstractContextManager[Scope] | None = None
        self._scope: Scope | None = None
        self._timer: Timer | None = None

    @property
    def expired(self) -> bool:
        """True if it was this limit that ended the block; other limits, and errors of the system, are `TimeoutError` too."""
        return self._scope is not None and self._scope.cancelled

    def __enter__(self) -> Self:
        if self._block is not None:
            raise LocalProtocolError("a time limit is for one block: make another")
        host = current_host()
        self._block = host.driver.scope()
        self._scope = self._block.__enter__()
        if self._seconds is not None:
            self._timer = host.timers.add(host.driver.now() + self._seconds, self._scope.cancel)
            host.driver.notify()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._block is not None
        if self._timer is not None:
            self._timer.cancel()
        self._block.__exit__(kind, error, traceback)
        if self.expired:  # `from None`: the cancellation was our own, and is over
            raise TimeoutError(f"not finished within {self._seconds} s") from None


def timeout(seconds: float | None) -> Timeout:
    """Make a time limit for a `with` block: after `seconds` what it waits for is cancelled and the block raises `TimeoutError`.

    None sets no limit. The error is raised at the end of the block, and only if the block was ended by the limit: a block that
    finishes, or raises something of its own, in the moment of expiry is left alone, and so is a cancellation from outside.

    Raises:
        TimeoutError: At the end of the block: the limit ended it.
        ValueError: `seconds` is negative or not finite.
        LocalProtocolError: On entering the block: this is no task of Spry's, or the limit was used already.
    """
    return Timeout(seconds)


def _check(seconds: float) -> None:
    if not 0 <= seconds < math.inf:  # false for NaN as well
        raise ValueError(f"seconds must be a finite number and not negative, not {seconds}")
