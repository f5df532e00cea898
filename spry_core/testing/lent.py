"""What the memory driver lends to one session: the six verbs, with a `notify` of the session's own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVarTuple

from spry_core.testing.task import MemoryEvent, MemoryScope, MemoryTask

Args = TypeVarTuple("Args")


class Lender(Protocol):
    """Who lends: the memory driver."""

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        ...

    def start_for(self, owner: str, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> MemoryTask:
        """Put `function(*args)` on the ready list as a task of its own, whose name says that it is `owner`'s."""
        ...

    def scope(self) -> MemoryScope:
        """Give a `with` block of the running task that its `cancel` ends."""
        ...

    async def checkpoint(self, switch: bool) -> None:
        """Raise `Cancelled` if the running task is cancelled; with `switch`, let others be drawn as well."""
        ...

    def event(self) -> MemoryEvent:
        """Make an event."""
        ...


class LentDriver:
    """The part of a `MemoryDriver` that one session gets: the same verbs, a `notify` of its own."""

    def __init__(self, driver: Lender, owner: str, look: Callable[[], None]) -> None:
        self._driver = driver
        self._owner = owner
        self._look = look

    def now(self) -> float:
        """Return the virtual time, in seconds."""
        return self._driver.now()

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> MemoryTask:
        """Put `function(*args)` on the ready list as a task of its own, with a copy of the context."""
        return self._driver.start_for(self._owner, function, *args)

    def scope(self) -> MemoryScope:
        """Give a `with` block of the running task that its `cancel` ends."""
        return self._driver.scope()

    async def checkpoint(self, switch: bool) -> None:
        """Raise `Cancelled` if the running task is cancelled; with `switch`, let others be drawn as well."""
        await self._driver.checkpoint(switch)

    def event(self) -> MemoryEvent:
        """Make an event."""
        return self._driver.event()

    def notify(self, soon: bool = False) -> None:
        """Have the session looked at again: its pump goes on the ready list."""
        self._look()
