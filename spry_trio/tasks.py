"""What tasks do on trio, who does it, and what they wait for.

To start a task costs trio more than everything else that it does for a request. So a task that has done its work is parked, and
given the next work of whichever connection; an idle connection holds none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from types import TracebackType
from typing import Final, Protocol, TypeAlias, TypeVarTuple, cast

import trio

Args = TypeVarTuple("Args")

Work: TypeAlias = Callable[[], Awaitable[Awaitable[None] | None]]
"""What is to be done; it may give something that the same task is to do behind it."""


class Ended(Protocol):
    """Whoever wants to know that tasks have ended."""

    def task_ended(self, error: Exception | None) -> None:
        """Learn that a task is over, with what it raised if nobody caught that."""
        ...


class Task:
    """One task of a connection (`spry_core.driver.Task`)."""

    __slots__ = ("_function", "_is_cancelled", "_owner", "_tasks", "_worker", "context", "has_begun")

    def __init__(self, owner: Ended, tasks: list[Task], function: Callable[[], Awaitable[None]]) -> None:
        """Do what `function` gives to await, and then leave `tasks` and tell the owner."""
        self.has_begun: bool = False
        """True since it took its first step."""
        self.context: Context | None = None
        """What it is to begin in, if that is not the context of whoever does it."""
        self._owner = owner
        self._tasks = tasks
        self._function = function
        self._worker: Worker | None = None  # who does the work, as long as it is not done
        self._is_cancelled = False

    async def run(self) -> None:
        """Be what it does."""
        self.has_begun = True
        failure: Exception | None = None
        try:
            await self._function()
        except Exception as error:
            failure = error
        finally:
            self._tasks.remove(self)
            self._worker = None
            self._owner.task_ended(failure)

    def begin_in(self, worker: Worker) -> None:
        """It is this worker who does it, from now on."""
        self._worker = worker
        if self._is_cancelled:
            worker.cancel()

    def cancel(self) -> None:
        """Cancel it, at its next wait; before it runs, at its first one."""
        self._is_cancelled = True
        if self._worker is not None:
            self._worker.cancel()


class Lot(Protocol):
    """Where workers are parked."""

    def park(self, worker: Worker) -> bool:
        """Keep one that has nothing to do, or tell that it is to end."""
        ...


class Worker:
    """A task of trio's that does one piece of work after the other, in a scope that is shielded and reused."""

    __slots__ = ("_lot", "_scope", "_task", "_work", "is_cancelled")

    def __init__(self, lot: Lot, work: Work) -> None:
        self.is_cancelled: bool = False
        """True if it cannot be used again; to ask the scope costs more."""
        self._lot = lot
        self._work: Work | None = work
        self._scope = trio.CancelScope(shield=True)
        self._task: trio.lowlevel.Task | None = None

    async def run(self) -> None:
        """Be the task. One that was cancelled is not used again: nothing takes a cancellation back."""
        self._task = trio.lowlevel.current_task()
        with self._scope:
            while (work := self._work) is not None:
                self._work = None
                rest = await work()
                del work
                if rest is not None:
                    await rest
                    del rest
                if self.is_cancelled or not self._lot.park(self):
                    break
                self.change_context(Context())  # so that it does not keep what its last work has set
                await trio.lowlevel.wait_task_rescheduled(stay)

    def change_context(self, context: Context) -> None:
        """Have this for its context variables, from its next step on."""
        assert self._task is not None
        self._task.context = context

    def go_on(self, work: Work | None) -> None:
        """Wake it from where it is parked, for this work in a copy of the caller's context, or to end."""
        assert self._task is not None
        self._work = work
        if work is not None:
            self._task.context = copy_context()
        trio.lowlevel.reschedule(self._task)

    def cancel(self) -> None:
        """Cancel the work it has."""
        self.is_cancelled = True
        self._scope.cancel()


class Rest:
    """What is left of a coroutine that has taken its first step: awaited, it waits for what that has led to, and goes on.

    Its further steps cost nothing: what is sent to this is sent to the coroutine.
    """

    __slots__ = ("_message", "cr_await", "send", "throw")

    def __init__(self, running: Coroutine[object, object, None], message: object) -> None:
        self.cr_await: Final = running
        """For who asks where the task stands."""
        self.send: Final = running.send
        self.throw: Final = running.throw
        self._message = message

    def __await__(self) -> Generator[object, object, None]:
        return cast("Generator[object, object, None]", self)

    def __iter__(self) -> Rest:
        return self

    def __next__(self) -> object:
        """Take the place of the first step; trio sends something at each of the others."""
        message, self._message = self._message, None
        return message


class Steps(Protocol):
    """Who looks at connections when the tasks that it has woken have taken their step."""

    def expect_steps(self, count: int) -> bool:
        """Take note that this many tasks were woken; tell whether looks wait until `step_begins` was said for each."""
        ...

    def step_begins(self) -> None:
        """One of those takes its step."""
        ...


class Event:
    """A flag that goes up once (`spry_core.driver.Event`); trio's, but that the loop learns whom it has woken."""

    __slots__ = ("_is_due", "_is_set", "_loop", "_waiters")

    def __init__(self, loop: Steps) -> None:
        self._loop = loop
        self._is_set = False
        self._is_due = False  # the loop waits for the steps of who waited here
        self._waiters: list[trio.lowlevel.Task] = []  # a short one is much smaller than a set

    def set(self) -> None:
        """Raise the flag; the waiters run later."""
        self._is_set = True
        waiters = self._waiters
        if not waiters:
            return
        self._waiters = []
        self._is_due = self._loop.expect_steps(len(waiters))
        for task in waiters:
            trio.lowlevel.reschedule(task)

    def is_set(self) -> bool:
        """Tell whether the flag is up."""
        return self._is_set

    @trio.lowlevel.enable_ki_protection  # what is counted has to be right while the connections are closed
    async def wait(self) -> None:
        """Wait until the flag is up. Cancelling the wait leaves nothing behind."""
        if self._is_set:
            await trio.lowlevel.checkpoint()
            return
        task = trio.lowlevel.current_task()
        self._waiters.append(task)

        def leave(raise_cancel: object) -> trio.lowlevel.Abort:
            self._waiters.remove(task)
            return trio.lowlevel.Abort.SUCCEEDED

        await trio.lowlevel.wait_task_rescheduled(leave)
        if self._is_due:
            self._loop.step_begins()


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


def stay(raise_cancel: object) -> trio.lowlevel.Abort:  # pragma: no cover - nobody cancels who has no work
    """Say that whoever is parked cannot be cancelled."""
    return trio.lowlevel.Abort.FAILED


@trio.lowlevel.disable_ki_protection
def interruptibly(call: Callable[[*Args], None], *args: *Args) -> None:
    """Call what runs callbacks of an application: who presses Ctrl-C has to get out of one that never returns."""
    call(*args)


async def fail(error: BaseException) -> None:
    """Raise this."""
    raise error
