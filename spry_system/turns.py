"""Looking at connections behind the call that changes them, and behind the steps of the handlers that it begins or wakes.

For loops where a handler takes its step in a later turn than the call that wakes it. A look that waits for the handlers finds all
that they have to say, to whomever: one write for each connection, and each kind of work for many connections in a row, which is
much faster than all kinds of work for one after the other. And nobody looks inside of a look, however long a chain they make.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Final, Protocol


class Watched(Protocol):
    """A connection of which something may have changed."""

    def waits(self) -> bool:
        """Tell whether the look waits: handlers are about to take a step, which the loop has to begin. Not for ever."""
        ...

    def look(self) -> None:
        """Do what the session wants done."""
        ...


class Turns:
    """The looks at the connections of a server, in order."""

    __slots__ = ("_noted", "_put_off", "_schedule", "context", "is_on")

    def __init__(self, schedule: Callable[[Callable[[], None], Context], object]) -> None:
        """Have `schedule` call back, in that context, before the loop sleeps and behind what is due by then."""
        self.is_on: bool = False
        """True while a call is not over, or looks that were put off are to come; whoever raises it calls `finish`."""
        self.context: Final = copy_context()
        """That of the server. What its connections have the loop call runs in it, and not in that of a handler which was running
        when they asked for it; nor does each need one of its own.
        """
        self._schedule = schedule
        self._noted = deque[Watched]()
        self._put_off: list[Watched] = []  # until the loop comes to it, which it has been asked to

    def note(self, watched: Watched) -> None:
        """Look at this when the present call is over, or at once if there is none."""
        self._noted.append(watched)
        if not self.is_on:
            self.is_on = True
            self._look_at_noted()

    def finish(self, watched: Watched | None = None) -> None:
        """End the call of who has raised `is_on`: look at this, and at all that were noted meanwhile."""
        try:
            if watched is None:
                pass
            elif watched.waits():
                self.put_off(watched)
            else:
                watched.look()
        finally:
            if self._noted:
                self._look_at_noted()
            else:
                self.is_on = bool(self._put_off)

    def put_off(self, watched: Watched) -> None:
        """Look at this when the loop comes to it."""
        if not self._put_off:
            self._schedule(self._go_on, self.context)
        self._put_off.append(watched)
        self.is_on = True

    def _look_at_noted(self) -> None:
        """Look at all that are noted, also those that one of these looks leads to."""
        noted = self._noted
        try:
            while noted:
                watched = noted.popleft()
                if watched.waits():
                    self.put_off(watched)
                else:
                    watched.look()
        finally:
            if noted:  # what ends the process has come out of a look: the others have their turn behind it
                self._schedule(self._go_on, self.context)
            self.is_on = bool(noted or self._put_off)

    def _go_on(self) -> None:
        """The loop has come to those that were put off."""
        self._noted.extend(self._put_off)
        self._put_off.clear()
        self._look_at_noted()
