"""Virtual time on asyncio: for tests of an application on the event loop that it will run on.

`VirtualTime().run(test)` runs a coroutine function on a loop whose clock begins at 0 and goes forward only when nothing else can
be done: then it jumps to the next timer. `spry_trio.testing` has the same names for trio.

Sockets work and are looked at before every jump. In the network, however, bytes take real time, and nobody can tell whether
some are on their way: between sockets of one process, and over loopback, they are there when they are looked for, or within
`grace`. While a thread of `run_in_executor` works for the loop (as for the look-up of a name), time stands still; others it
does not know. uvloop has a clock of its own and is not patched: this loop is asyncio's selector loop.
"""

from __future__ import annotations

import asyncio
import logging
import math
import selectors
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Executor
from contextlib import contextmanager
from contextvars import Context
from functools import partial
from heapq import heappop, heappush
from typing import Final, TypeVar, TypeVarTuple

from spry_asyncio.runner import LoopName, loop_factory
from spry_asyncio.server import RunningServer, serve
from spry_core import Application, Limits, Timeouts
from spry_core.testing.conformance import Running
from spry_core.testing.parked import Deadlock, describe
from spry_system.threads import Started, in_thread

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

GRACE: Final = 0.001
"""Real seconds that open sockets get before time jumps."""

PATIENCE: Final = 5.0
"""Real seconds to wait for sockets and threads when no timer is left."""

_NEAR: Final = 1e-9
"""Seconds by which a difference of two moments may be wrong, and the resolution of asyncio's clock."""


class VirtualTime:
    """Runs tests in virtual time, each on a loop of its own.

    Args:
        grace: Real seconds that open sockets get to become ready before time jumps; more where the other end is not in this
            process. Without open sockets nothing is waited for.
        patience: Real seconds to wait for open sockets and for threads when there is no timer to jump to; then `Deadlock`.
    """

    def __init__(self, *, grace: float = GRACE, patience: float = PATIENCE) -> None:
        self._grace = grace
        self._patience = patience

    def run(self, function: Callable[[*Args], Awaitable[Result]], *args: *Args) -> Result:
        """Run `function(*args)` to its end and return its result; what it raises comes out.

        Raises:
            Deadlock: Nothing can ever happen any more, or not within `patience`; says where each task waits.
            RuntimeError: A loop is running in this thread already.
        """

        loop = self.make_loop()

        async def body() -> Result:
            loop.main = asyncio.current_task()
            return await function(*args)

        try:
            with asyncio.Runner(loop_factory=lambda: loop) as runner:
                return runner.run(body())
        finally:
            if loop.failure is not None:
                raise loop.failure

    def make_loop(self) -> VirtualLoop:
        """Make a loop in virtual time, for whoever runs it."""
        return VirtualLoop(grace=self._grace, patience=self._patience)

    def anyio_options(self) -> dict[str, object]:
        """Return what `anyio.run` takes as ``backend_options``, and anyio's plugin for pytest beside ``"asyncio"``."""
        return {"loop_factory": self.make_loop}


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop with a clock that jumps."""

    def __init__(self, *, grace: float = GRACE, patience: float = PATIENCE) -> None:
        self._now = 0.0
        self._moments: list[float] = []
        self._threads = 0
        self.main: asyncio.Task[object] | None = None
        """What to cancel when nothing can ever happen any more; without it the error comes out of the loop."""
        self.failure: Deadlock | None = None
        """That error, if it has come to that."""
        super().__init__(_Selector(self, grace, patience))

    def time(self) -> float:
        """Return the virtual time, in seconds; it begins at 0."""
        return self._now

    @property
    def has_threads(self) -> bool:
        """True while a thread works for this loop."""
        return self._threads > 0

    def jump(self, seconds: float) -> None:
        """Go to the very moment of the next timer, which the loop expects in `seconds`, or later if that is a day or more."""
        while self._moments[0] < self._now + seconds - _NEAR:
            heappop(self._moments)  # it was cancelled
        self._now = max(self._now, self._moments[0])
        if (
            self._now + _NEAR == self._now
        ):  # after half a year: asyncio adds its clock's resolution, and compares
            self._now = math.nextafter(self._now, math.inf)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """Call `callback(*args)` when the clock has reached `when`."""
        if math.isinf(when):  # `sleep(math.inf)`: the loop would wake up every day, for ever
            return asyncio.TimerHandle(when, callback, args, self, context)
        heappush(self._moments, when)
        return super().call_at(when, callback, *args, context=context)

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[*Args], Result], *args: *Args
    ) -> asyncio.Future[Result]:
        """Run `func(*args)` in a thread; no time passes meanwhile."""
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._forget_thread)
        return future

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        """Wait until the threads of `run_in_executor` have ended. Without a limit, whatever `timeout` says: from Python 3.12 on
        there is one when a loop is closed, which a jump of the clock would reach before them.
        """
        await super().shutdown_default_executor()

    def _forget_thread(self, future: asyncio.Future[Result]) -> None:
        self._threads -= 1

    def give_up(self) -> None:
        """End the main task, so that it can clear up; the second time there is nobody to ask, and `Deadlock` is raised."""
        deadlock = self._deadlock()
        if self.main is None or self.failure is not None:
            raise deadlock
        self.failure = deadlock
        self.main.cancel()

    def _deadlock(self) -> Deadlock:
        """Make the error that says where each task waits."""
        tasks = sorted(asyncio.all_tasks(self), key=lambda task: task.get_name())
        lines = [f"{task.get_name()} at {describe(task.get_coro())}" for task in tasks]
        return Deadlock("\n  ".join([f"nothing can ever happen any more (time {self._now})", *lines]))


class _Selector(selectors.DefaultSelector):
    """Looks for what is ready, and lets time jump where asyncio would sleep."""

    def __init__(self, loop: VirtualLoop, grace: float, patience: float) -> None:
        super().__init__()
        self._loop = loop
        self._grace = grace
        self._patience = patience

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; if nothing is, wait as long as that may change, and let the time pass."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        ready = super().select(self._real_seconds(timeout))
        if not ready:
            if timeout is None:
                self._loop.give_up()
            else:
                self._loop.jump(timeout)
        return ready

    def _real_seconds(self, timeout: float | None) -> float:
        """Return how long something may become ready, so that time should stand still."""
        has_sockets = len(self.get_map()) > 1  # one is the loop's own
        if self._loop.has_threads:
            return self._patience
        if timeout is None and (has_sockets or threading.active_count() > 1):
            return self._patience
        return self._grace if has_sockets else 0.0


@contextmanager
def backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Running]:
    """Serve on asyncio in a thread, for ``python -m spry_core.testing.conformance spry_asyncio.testing:backend``."""
    with _serving(app, limits, timeouts, "asyncio") as running:
        yield running


@contextmanager
def uvloop_backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Running]:
    """Do the same on uvloop."""
    with _serving(app, limits, timeouts, "uvloop") as running:
        yield running


@contextmanager
def _serving(app: Application, limits: Limits, timeouts: Timeouts, name: LoopName) -> Generator[Running]:
    logging.getLogger("spry").addHandler(logging.NullHandler())  # the errors of scenarios are on purpose

    async def main(started: Started[RunningServer]) -> None:
        stopped = asyncio.Event()
        async with serve(app, port=0, limits=limits, timeouts=timeouts) as server:
            started(asyncio.get_running_loop().call_soon_threadsafe, server, stopped.set)
            await stopped.wait()
            server.shut_down(grace=0.0)

    def run(started: Started[RunningServer]) -> None:
        with asyncio.Runner(loop_factory=loop_factory(name)) as runner:
            runner.run(main(started))

    with in_thread(run) as (soon, server):

        def shut_down(*, code: int, reason: str, grace: float | None) -> None:
            soon(partial(server.shut_down, code, reason, grace=grace))

        yield Running(server.addresses[0], shut_down)


try:
    import pytest
except ImportError:  # pragma: no cover - the tests of this have it
    pass  # only the fixture needs it
else:

    @pytest.fixture
    def virtual_time() -> VirtualTime:
        """Give a test what runs a coroutine function in virtual time."""
        return VirtualTime()
