"""Virtual time on trio: for tests of an application on the event loop that it will run on.

`VirtualTime().run(test)` runs an async function under trio's `MockClock`: it begins at 0 and goes forward only when nothing else
can be done, and then jumps to the next deadline. `spry_asyncio.testing` has the same names for asyncio.

Sockets work and are looked at before every jump. In the network, however, bytes take real time, and nobody can tell whether
some are on their way: between sockets of one process, and over loopback, they are there when they are looked for, or within
`grace`. The clock does not know of threads: it jumps while one works, as for the look-up of a name, if there is a deadline.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar, TypeVarTuple

import trio
from trio.abc import Instrument
from trio.testing import MockClock

from spry_core import Application, Limits, Timeouts
from spry_core.testing.conformance import Running
from spry_core.testing.parked import Deadlock, describe
from spry_system.threads import Started, in_thread
from spry_trio.server import RunningServer, serve

Args = TypeVarTuple("Args")
Result = TypeVar("Result")

GRACE: Final = 0.001
"""Real seconds in which sockets may become ready before time jumps."""

PATIENCE: Final = 5.0
"""Real seconds to wait for sockets and threads when no deadline is left."""


class VirtualTime:
    """Runs tests in virtual time, each in a run of its own.

    Args:
        grace: Real seconds in which sockets may become ready before time jumps; more where the other end is not in this process.
            It is waited for before every jump.
        patience: Real seconds to wait for sockets and for threads when there is no deadline to jump to; then `Deadlock`.
    """

    def __init__(self, *, grace: float = GRACE, patience: float = PATIENCE) -> None:
        self._grace = grace
        self._patience = patience

    def run(self, function: Callable[[*Args], Awaitable[Result]], *args: *Args) -> Result:
        """Run `function(*args)` to its end and return its result; what it raises comes out.

        Raises:
            Deadlock: Nothing can ever happen any more, or not within `patience`; says where each task waits.
            RuntimeError: trio is running in this thread already.
        """
        watch = _Watch(self._patience)
        results: list[Result] = []

        async def body() -> None:
            with watch.watching():
                results.append(await function(*args))

        try:
            trio.run(body, clock=self.make_clock(), instruments=[watch])
        finally:
            if watch.deadlock is not None:
                raise watch.deadlock
        return results[0]

    def make_clock(self) -> MockClock:
        """Make a clock in virtual time, for whoever runs trio."""
        return MockClock(autojump_threshold=self._grace)

    def anyio_options(self) -> dict[str, object]:
        """Return what `anyio.run` takes as ``backend_options``, and anyio's plugin for pytest beside ``"trio"``.

        Without `run` nobody sees that nothing can ever happen any more.
        """
        return {"clock": self.make_clock()}


class _Watch(Instrument):
    """Sees whether anything can still happen, and ends the run if not."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._scope = trio.CancelScope()
        self._main: trio.lowlevel.Task | None = None
        self._idle_since: float | None = None
        self.deadlock: Deadlock | None = None

    def watching(self) -> trio.CancelScope:
        """Give the block that is watched, in the main task."""
        self._main = trio.lowlevel.current_task()
        return self._scope

    def before_io_wait(self, timeout: float) -> None:
        """Look before trio waits: tasks, deadlines, and then sockets and threads for as long as patience lasts."""
        if self._main is None or self.deadlock is not None or not _is_idle():
            self._idle_since = None
            return
        now = time.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        if not _may_be_woken() or now - self._idle_since >= self._patience:
            self.deadlock = _deadlock(self._main)
            self._scope.cancel()


def _is_idle() -> bool:
    """Tell whether no task can run and no deadline will ever let one."""
    now = trio.lowlevel.current_statistics()
    return not (now.tasks_runnable or now.run_sync_soon_queue_size) and math.isinf(
        now.seconds_to_next_deadline
    )


def _may_be_woken() -> bool:
    """Tell whether a socket or a thread may let a task go on."""
    if trio.to_thread.current_default_thread_limiter().borrowed_tokens:
        return True
    io = trio.lowlevel.current_statistics().io_statistics
    # One reader is trio's own. A system without these numbers counts as one that has sockets.
    return getattr(io, "tasks_waiting_read", 2) > 1 or bool(getattr(io, "tasks_waiting_write", 0))


def _deadlock(main: trio.lowlevel.Task) -> Deadlock:
    """Make the error that says where each task waits."""
    tasks = sorted([main, *_children(main)], key=lambda task: task.name)
    lines = [f"{task.name} at {describe(task.coro)}" for task in tasks]
    text = f"nothing can ever happen any more (time {trio.current_time()})"
    return Deadlock("\n  ".join([text, *lines]))


def _children(task: trio.lowlevel.Task) -> Iterator[trio.lowlevel.Task]:
    for nursery in task.child_nurseries:
        for child in nursery.child_tasks:
            yield child
            yield from _children(child)


@contextmanager
def backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Running]:
    """Serve on trio in a thread, for ``python -m spry_core.testing.conformance spry_trio.testing:backend``."""
    logging.getLogger("spry").addHandler(logging.NullHandler())  # the errors of scenarios are on purpose

    async def main(started: Started[RunningServer]) -> None:
        stopped = trio.Event()
        async with serve(app, port=0, limits=limits, timeouts=timeouts) as server:
            started(trio.lowlevel.current_trio_token().run_sync_soon, server, stopped.set)
            await stopped.wait()
            server.shut_down(grace=0.0)

    def run(started: Started[RunningServer]) -> None:
        trio.run(main, started)

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
        """Give a test what runs an async function in virtual time."""
        return VirtualTime()
