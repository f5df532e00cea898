"""The six verbs on threads: one thread for each task, and one lock.

Whoever does anything with the core holds the lock of its server, handlers too, and gives it away only to wait. So between two
awaits a handler is alone, as on any event loop, and the same async handlers run. Their waits block the thread: a coroutine never
yields, and one step runs it to its end.
"""

from __future__ import annotations

import math
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from select import POLLIN, poll
from threading import Condition, RLock, Thread
from typing import ParamSpec, TypeVar, TypeVarTuple

Args = TypeVarTuple("Args")
P = ParamSpec("P")
R = TypeVar("R")
NO_LOOP = "this belongs to an event loop, and there is none: await what spry_core lends"
TURN = (
    0.0001  # seconds: a lock is handed to nobody, so whoever lets others run leaves them the time to take it
)


class Cancelled(BaseException):
    """What cancels. No `Exception`: a handler would take it for an error."""


class Block:
    """A part of a task that can be ended alone. The outermost one of a task is all of it."""

    def __init__(self, wake: Condition) -> None:
        self.wake = wake
        self.is_over = self.cancelled = False

    def cancel(self) -> None:
        self.is_over = True
        self.wake.notify()


class Task(Block):
    """A thread that holds the lock whenever it does not wait."""

    def __init__(self, lock: RLock, body: Callable[[], Awaitable[None]]) -> None:
        super().__init__(Condition(lock))
        self.lock = lock
        self.blocks: list[Block] = [self]
        # A daemon: a handler that never comes back does not keep the process alive.
        Thread(target=copy_context().run, args=(self.run, body), daemon=True).start()

    def run(self, body: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine to its end; what yields waits for an event loop, and is told that there is none."""
        RUNNING.set(self)
        # Whoever has called `start` still has the lock, so nothing begins inside of that call.
        with self.lock, suppress(Cancelled, StopIteration):
            steps = body().__await__()
            next(steps)
            while True:
                steps.throw(RuntimeError(NO_LOOP))

    def check(self) -> None:
        """Raise here if it is cancelled, or a block that it is in."""
        if any(block.is_over for block in self.blocks):
            raise Cancelled


RUNNING: ContextVar[Task] = ContextVar("the task that runs")


def outside(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call what blocks, such as a database, from a handler, and let others run meanwhile.

    Nothing cancels it: a cancellation arrives at the next wait. What it calls has nothing to do with Spry.
    """
    lock = RUNNING.get().lock
    lock.release()
    try:
        return function(*args, **kwargs)
    finally:
        lock.acquire()


class Event:
    """A flag that goes up once."""

    def __init__(self) -> None:
        self.is_up = False
        self.waiting: set[Task] = set()

    def set(self) -> None:
        self.is_up = True
        for task in self.waiting:
            task.wake.notify()

    def is_set(self) -> bool:
        return self.is_up

    async def wait(self) -> None:
        task = RUNNING.get()
        self.waiting.add(task)
        try:
            task.check()
            while not self.is_up:
                task.wake.wait()
                task.check()
        finally:
            self.waiting.discard(task)


class Driver:
    """The six verbs. Their callers hold the lock of the server; `look` is what `notify` does."""

    def __init__(self, lock: RLock, look: Callable[[], None]) -> None:
        self.lock, self.look = lock, look

    def now(self) -> float:
        return time.monotonic()

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> Task:
        return Task(self.lock, lambda: function(*args))

    @contextmanager
    def scope(self) -> Generator[Block]:
        task = RUNNING.get()
        block = Block(task.wake)
        task.blocks.append(block)
        try:
            yield block
        except Cancelled:
            if any(outer.is_over for outer in task.blocks[:-1]):
                raise  # it is for one further out
            block.cancelled = True
        finally:
            task.blocks.pop()

    async def checkpoint(self, switch: bool) -> None:
        if switch:
            outside(time.sleep, TURN)
        RUNNING.get().check()

    def event(self) -> Event:
        return Event()

    def notify(self, soon: bool = False) -> None:
        self.look()


class Watch(ABC):
    """A thread that looks after one socket and one deadline, and sleeps until either has something to say."""

    def __init__(self, lock: RLock, stream: socket.socket) -> None:
        self.lock, self.stream = lock, stream
        self.driver = Driver(lock, self.look)
        self.armed = (0, math.inf)
        self.bell, self.rope = socket.socketpair()
        for each in (stream, self.rope):
            each.setblocking(False)
        self.thread = Thread(target=self.run, daemon=True)

    @abstractmethod
    def plan(self) -> tuple[int, float]:
        """Return what to wait for on the stream, and until when."""

    @abstractmethod
    def run(self) -> None:
        """Be the thread: sleep and act in turn, to the end."""

    def look(self) -> None:
        """Wake the thread if it sleeps for something else than it should."""
        if self.plan() != self.armed:
            with suppress(OSError):  # it has rung often enough already, or nobody is there any more
                self.rope.send(b"!")

    def sleep(self) -> int:
        """Wait as planned, or until somebody rings; return what `poll` has found on the stream."""
        self.armed = wanted, deadline = self.plan()
        waiter = poll()
        waiter.register(self.bell, POLLIN)
        if wanted:  # else a stream that was cut would wake us again and again
            waiter.register(self.stream, wanted)
        left = max(0.0, deadline - self.driver.now())
        self.lock.release()
        found = dict(waiter.poll(None if left == math.inf else math.ceil(left * 1000)))
        self.lock.acquire()
        if found.pop(self.bell.fileno(), 0):
            self.bell.recv(4096)
        return sum(found.values())

    def close(self) -> None:
        for each in (self.stream, self.bell, self.rope):
            each.close()
