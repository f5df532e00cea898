"""What tasks do on trio, and who does it.

To start a task costs trio more than everything else that it does for a request. So a task that has done its work is parked, and
given the next work of whichever connection; an idle connection holds none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextvars import Context, copy_context
from typing import Final, Protocol, TypeAlias, TypeVarTuple, cast

import trio

Args = TypeVarTuple("Args")

NOBODYS: Final = Context()
"""What a parked task has for its context variables, so that it does not keep what its last work has set."""

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
                self.change_context(NOBODYS)
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
