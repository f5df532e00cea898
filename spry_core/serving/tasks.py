"""The tasks of one connection: begun when it is their turn, behind a barrier, cancelled together, and missed by nobody.

A driver may take the first step of a task at once while its pump is in a call of the session. So what is to be begun inside
such a call waits for its end, when all that came is taken.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import Context, copy_context
from functools import partial
from typing import Final, Protocol, TypeAlias

from spry_core.driver import Driver, Task
from spry_core.protocol.connection import Connection
from spry_core.tasks import Timers, become_host, enter, part


class Owner(Protocol):
    """What the tasks need of their session."""

    @property
    def connection(self) -> Connection:
        """The connection that the session owns."""
        ...

    @property
    def driver(self) -> Driver:
        """The driver lent to the session."""
        ...

    @property
    def timers(self) -> Timers:
        """The moments that the session's `next_deadline` and `handle_deadline` include."""
        ...

    @property
    def is_inside(self) -> bool:
        """True in a call of the pump, and while events are taken: who calls begins what waits, when that is done."""
        ...

    def report_error(self, text: str, error: BaseException | None) -> None:
        """Log an error, with its traceback."""
        ...

    def cut(self) -> None:
        """End the connection at once."""
        ...

    def finish_if_over(self) -> None:
        """The last task has ended and the stream is gone."""
        ...


class _NotBegun:
    """Stands for a task that the driver has not given back yet. Nothing is lost: who is cancelling then cancels it then."""

    __slots__ = ()

    def cancel(self) -> None:
        """Do nothing."""


_NOT_BEGUN: Final = _NotBegun()

Start: TypeAlias = tuple[Context, object, Callable[[], Awaitable[None]]]
"""What a task begins in, what it is known by, and what it does."""


class Tasks:
    """The tasks of one connection, and what `spry_core.tasks` calls their host."""

    __slots__ = (
        "_flow",
        "_owner",
        "_running",
        "context",
        "driver",
        "is_cancelling",
        "timers",
        "waiting",
    )

    def __init__(self, owner: Owner) -> None:
        self.driver: Driver = owner.driver
        """The driver of the connection."""
        self.timers: Timers = owner.timers
        """What handlers wait for, among others."""
        self.is_cancelling: bool = False
        """True since the tasks were cancelled; what is started later is cancelled at once."""
        self.context: Context = copy_context()
        """What every request begins in, so that none sees the context variables of another; its host stands there. Who knows that
        none will begin any more may take it away.
        """
        self.waiting: list[Start] | None = None
        """What `begin_waiting` will begin."""
        self._owner = owner
        self._flow = owner.connection.flow
        self._running: dict[object, Task] = {}
        self.context.run(become_host, self)

    @property
    def are_over(self) -> bool:
        """True when none runs or waits for its beginning."""
        return not self._running

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run this as one more task, with the context variables of the caller. It never begins inside this call: inside a call
        of the pump, where the driver might begin it at once, it waits until the events are taken and those that asked for it
        have returned.
        """
        key = object()
        self.begin_later(copy_context(), key, partial(enter, self, partial(self._run, key, function)))
        if not self._owner.is_inside:
            self.begin_waiting()

    def begin_later(self, context: Context, key: object, begin: Callable[[], Awaitable[None]]) -> None:
        """Have `begin_waiting` begin this as a task, which `contain`s what comes out of it and says its `end` by itself."""
        self._running[key] = _NOT_BEGUN
        if self.waiting is None:
            self.waiting = [(context, key, begin)]
        else:
            self.waiting.append((context, key, begin))

    def begin_waiting(self) -> None:
        """Begin what has been waiting, in order; what that asks for in turn waits for the next time."""
        starts, self.waiting = self.waiting or [], None
        running = self._running
        while starts:
            context, key, begin = starts.pop(0)
            try:
                task = context.run(self.driver.start, begin)
            except BaseException:
                # There was no memory for it, or its first step has ended the process, and may have said its end.
                running.pop(key, None)
                self.waiting = [*starts, *(self.waiting or ())]  # they are to begin all the same
                raise
            if key in running:  # else it is over already
                running[key] = task
            if self.is_cancelling:
                task.cancel()

    def cancel(self) -> None:
        """Cancel every task, and whatever is started from here on."""
        self.is_cancelling = True
        for task in tuple(self._running.values()):
            task.cancel()

    async def _run(self, key: object, function: Callable[[], Awaitable[None]]) -> None:
        """Run one task behind a barrier: nothing gets out but our own cancellation and what ends the process."""
        try:
            await function()
        except BaseException as raised:
            self.contain(raised)
        finally:
            self.end(key)

    def contain(self, raised: BaseException) -> None:
        """Deal with what has come out of a task; what has to go further is raised again.

        What applications raise is dealt with further in; an error that comes as far as this is our own, and costs
        the connection but not the server.
        """
        error, rest = part(raised, is_cancelling=self.is_cancelling)
        if error is not None:
            self._owner.report_error("internal error", error)
            self._owner.cut()
        if rest is not None:
            if not self.is_cancelling:
                self._owner.cut()  # nobody will answer any more, whether the process ends by this or not
            raise rest from None

    def end(self, key: object) -> None:
        """This task is at its end."""
        del self._running[key]
        if not self._running and self._flow.is_lost:
            self._owner.finish_if_over()
