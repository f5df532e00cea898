"""What a backend lends to a connection: six verbs, and no code.

Everything that differs between backends is here; whoever writes these six and a pump has written a backend. A
wake-up carries nothing: state is in the session, a waiter looks again in a loop, and `Event.set` wakes all.
So a waiter that is cancelled after it was woken loses neither a message nor somebody else's turn.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Protocol, TypeVarTuple

Args = TypeVarTuple("Args")


class Task(Protocol):
    """A task of the connection, as `Driver.start` gives it."""

    def cancel(self) -> None:
        """Cancel it. May come at any time, twice, or too late."""
        ...


class Event(Protocol):
    """A flag that goes up once; any number of waiters."""

    def set(self) -> None:
        """Raise the flag. Never runs a waiter inside this call."""
        ...

    def is_set(self) -> bool:
        """Tell whether the flag is up."""
        ...

    async def wait(self) -> None:
        """Wait until the flag is up; cancelling the wait leaves the others alone."""
        ...


class Scope(Protocol):
    """A part of the running task that can be ended alone."""

    def cancel(self) -> None:
        """End that part: it leaves its `with` block early and the task goes on behind it."""
        ...

    @property
    def cancelled(self) -> bool:
        """True if `cancel` ended the block."""
        ...


class Driver(Protocol):
    """The six verbs."""

    def now(self) -> float:
        """Return the clock of all deadlines, in seconds; it never runs backwards."""
        ...

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> Task:
        """Run `function(*args)` as a task of the connection, in a copy of the caller's context. Nothing but its
        `cancel` cancels it. The function itself is called in the task too, with the context variables of the task.

        It never begins inside this call, with one exception that a driver may make and need not: while its pump is in a
        call of the session (`receive_data`, `handle_deadline` and the others of that half), the task may take its first step
        at once, if it is a task of its own all the same: what the backend calls the running task is this one, and not the pump's.
        Where only the loop can do that, it may begin right behind that call and before the pump looks at the session. Either
        way the answer of a handler that need not wait goes out with all that the call has led to. The session is made for
        this: inside such a call it starts nothing before it has taken every event, and the callbacks have returned. The task
        may be over when this returns, and its `cancel` then comes too late. What the first step raises belongs to the task
        and is not raised here, but for what ends the process.
        """
        ...

    def scope(self) -> AbstractContextManager[Scope]:
        """Give a `with` block of the running task that `Scope.cancel` ends."""
        ...

    def checkpoint(self, switch: bool) -> Awaitable[None]:
        """Raise if the running task is cancelled, here or when what this gives is awaited, which has to be at once; with
        `switch`, let other tasks run as well.
        """
        ...

    def event(self) -> Event:
        """Make an `Event`."""
        ...

    def notify(self, soon: bool = False) -> None:
        """Look at the session again: bytes, deadline, reading, end. With `soon`, before the loop sleeps is
        early enough.

        It may write at once, and so call `bytes_written` or `connection_lost` of that session before it
        returns.
        """
        ...
