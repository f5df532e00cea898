"""Tasks that belong to a block: none of them outlives it, and no error of them is lost.

Each child runs in a scope of the driver's, and so does the body of the block: cancelling one of them is `Scope.cancel`, whose
discipline is the backend's. No backend lends a section that cannot be cancelled. So when a block that waits for its children
is cancelled itself, it cancels them and then lets others run, again and again, until they have ended: where a cancellation is
delivered once that is one more wait, and where it is a level, as on trio, a few turns of the loop.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from functools import partial
from types import TracebackType
from typing import Protocol, Self, TypeVarTuple, cast

from spry_core.driver import Driver, Scope
from spry_core.errors import LocalProtocolError
from spry_core.tasks.host import current_host
from spry_core.tasks.raised import END_THE_PROCESS, part
from spry_core.wakeup import WakeUp

Args = TypeVarTuple("Args")


class Starter(Protocol):
    """What a scope needs of the host of its tasks."""

    @property
    def driver(self) -> Driver:
        """The driver lent to it."""
        ...

    @property
    def is_cancelling(self) -> bool:
        """True since it has cancelled its tasks."""
        ...

    def start(self, function: Callable[[], Awaitable[None]]) -> object:
        """Run this as one more of its tasks, never inside this call."""
        ...


class TaskScope:
    """An ``async with`` block and the tasks that are started in it, as `scope` and `WebSocket.scope` make it."""

    def __init__(self) -> None:
        self._host: Starter | None = None
        self._body: tuple[AbstractContextManager[Scope], Scope] | None = None
        self._children: set[Scope] = set()
        self._running = 0
        self._ended: WakeUp | None = None
        self._errors: list[BaseException] = []
        self._interruption: BaseException | None = (
            None  # a cancellation from outside, or what ends the process
        )
        self._is_cancelled = False
        self._is_over = False

    def start_soon(self, function: Callable[[*Args], Awaitable[object]], *args: *Args) -> None:
        """Run ``await function(*args)`` as a task of this block, with the context variables of the caller.

        It begins after this call, and what it returns is dropped. Tasks may start more of them, until the block has ended. In a
        block that is cancelled already, its first wait is cancelled.

        Raises:
            LocalProtocolError: The block has not begun, or has ended.
        """
        if self._host is None or self._is_over:
            raise LocalProtocolError(
                "tasks can be started inside of the `async with` block of their scope only"
            )
        self._host.start(partial(self._run, function, *args))
        self._running += 1

    def cancel(self) -> None:
        """Cancel the rest of the body and every task; the block then ends without an error. May be called twice, or too late."""
        self._is_cancelled = True
        if self._body is not None:
            self._body[1].cancel()
        for child in tuple(self._children):
            child.cancel()

    async def __aenter__(self) -> Self:
        if self._host is not None:
            raise LocalProtocolError("a scope is for one block: make another")
        self._host = self._find_host()
        self._ended = WakeUp(self._host.driver)
        block = self._host.driver.scope()
        self._body = block, block.__enter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            remaining = self._leave_body(kind, error, traceback)
            if remaining is not None:
                self._take(remaining)
            await self._wait_for_children()
        finally:
            self._is_over = True
        return self._conclude(error)

    # What `WebSocket.scope` does otherwise

    def _find_host(self) -> Starter:
        """Return who runs the tasks."""
        return current_host()

    def _open_child(self) -> AbstractContextManager[Scope]:
        """Give the scope of one task."""
        assert self._host is not None
        return self._host.driver.scope()

    def _judge(self, error: BaseException) -> BaseException | None:
        """Return what of a task's error is one; None if it is none."""
        return error

    # One task

    async def _run(self, function: Callable[[*Args], Awaitable[object]], *args: *Args) -> None:
        assert self._ended is not None
        try:
            with self._open_child() as child:
                await self._run_in(child, function, *args)
        except BaseException as raised:
            self._take_from_child(raised)
        finally:
            self._running -= 1
            self._ended.wake()

    async def _run_in(
        self, child: Scope, function: Callable[[*Args], Awaitable[object]], *args: *Args
    ) -> None:
        self._children.add(child)
        try:
            if self._is_cancelled:
                child.cancel()
            await function(*args)
        finally:
            self._children.discard(child)

    def _take_from_child(self, raised: BaseException) -> None:
        """Keep an error of a task; raise again what is not for the block to deal with."""
        assert self._host is not None
        error, rest = part(raised, is_cancelling=self._host.is_cancelling)
        if error is not None:
            error = self._judge(raised if rest is None else error)
        if error is not None:
            self._errors.append(error)
        if error is not None or isinstance(rest, END_THE_PROCESS):
            self.cancel()
        if rest is not None:
            raise rest from None

    # The end of the block

    def _leave_body(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> BaseException | None:
        """End the scope of the body, and return what of its exception is not the end of that scope."""
        assert self._body is not None
        block, self._body = self._body[0], None
        try:
            is_ours = block.__exit__(kind, error, traceback)
        except BaseException as remaining:  # what trio leaves of a group when its own part is taken out
            return remaining
        return None if is_ours else error

    def _take(self, raised: BaseException) -> None:
        """Keep what has ended the body, or the wait for the tasks, and cancel them."""
        if isinstance(raised, Exception) or _has_errors(raised):
            self._errors.append(raised)
        elif self._interruption is None:
            self._interruption = raised
        self.cancel()

    async def _wait_for_children(self) -> None:
        assert self._ended is not None
        while self._running:
            try:
                await self._ended.wait()
            except END_THE_PROCESS:
                raise
            except BaseException as cancellation:
                self._take(cancellation)
                await self._let_others()

    async def _let_others(self) -> None:
        assert self._host is not None
        try:
            await self._host.driver.checkpoint(True)
        except END_THE_PROCESS:
            raise
        except BaseException:
            return  # the same cancellation again: it is kept, and goes on when the tasks have ended

    def _conclude(self, error: BaseException | None) -> bool:
        """Raise what the block has to raise: an error as itself, several as a group; without any, a cancellation from outside."""
        outcome = self._interruption
        if self._errors:
            several = len(self._errors) > 1
            outcome = (
                BaseExceptionGroup("several tasks of a scope have failed", self._errors)
                if several
                else self._errors[0]
            )
        if outcome is None or outcome is error:
            return outcome is None
        context = outcome.__context__
        try:
            raise outcome
        finally:
            outcome.__context__ = (
                context  # where it was raised, and not the cancellation that it has brought about
            )


def _has_errors(raised: BaseException) -> bool:
    """Tell whether there are errors beside cancellations in a group, as a nursery of trio's makes them."""
    if not isinstance(raised, BaseExceptionGroup):
        return False
    return cast("BaseExceptionGroup[BaseException]", raised).subgroup(Exception) is not None


def scope() -> TaskScope:
    """Make an ``async with`` block for tasks: ``async with scope() as s: s.start_soon(function, *args)``.

    Leaving the block waits for its tasks. If one raises, the others and the body of the block are cancelled, and the error comes
    out of the block as itself; several come out as an `ExceptionGroup`. If the body raises, or the block is cancelled from
    outside, the tasks are cancelled and waited for. `TaskScope.cancel` ends all of it without an error.

    A task that is cancelled and goes on all the same, as it may in a shielded section of trio's, holds up the block.

    Raises:
        LocalProtocolError: On entering the block: this is no task of Spry's, or the scope was used already.
    """
    return TaskScope()
