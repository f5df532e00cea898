"""The named deadlines of one connection, over a clock that is only ever an argument.

A deadline can stand still: the peer's silence is not judged while it is we who do not read (`hold`,
`resume`).
"""

from __future__ import annotations

from enum import Enum, auto


class Deadline(Enum):
    """What time alone can bring about."""

    TURN = auto()  # more of what came is to be parsed: at once, but behind what else is ready
    HEAD = auto()  # a head is not complete: 408
    BODY = auto()  # the content stalls or trickles: 408
    KEEP_ALIVE = auto()  # no further request: close
    OPENING = auto()  # the opening handshake is not answered: 503
    LINGER = auto()  # the peer does not end its side: close
    WRITE = auto()  # the peer does not read: abort
    PING = auto()  # time for a keepalive Ping
    PONG = auto()  # no sign of life since that Ping: 1011
    RELEASE = auto()  # messages before a failure are not consumed: send the Close frame without waiting
    CLOSE = auto()  # the closing handshake takes too long: abort


# That of Enum is a call into Python for each look into a dict; set like this, no checker takes it for another type.
type.__setattr__(Deadline, "__hash__", object.__hash__)


class Deadlines:
    """A small set of named moments."""

    __slots__ = ("_held", "running")

    def __init__(self) -> None:
        self.running: dict[Deadline, float] = {}
        """Those that run. Who never holds a deadline may set and clear it here, where that costs least."""
        self._held: dict[Deadline, float] | None = None  # most connections never hold one

    def set(self, name: Deadline, now: float, seconds: float | None) -> None:
        """Let `name` fall due `seconds` after `now`; with None it never does. A deadline set before is
        forgotten.
        """
        if self._held:
            self._held.pop(name, None)
        if seconds is not None:
            self.running[name] = now + seconds
        else:
            self.running.pop(name, None)

    def clear(self, *names: Deadline) -> None:
        """Forget these deadlines, set or not."""
        running, held = self.running, self._held
        for name in names:
            if name in running:
                del running[name]
            elif held:
                held.pop(name, None)

    def clear_all(self) -> None:
        """Forget everything."""
        self.running.clear()
        self._held = None

    def is_set(self, name: Deadline) -> bool:
        """Tell whether `name` is set, running or held."""
        return name in self.running or (self._held is not None and name in self._held)

    def hold(self, name: Deadline, now: float) -> bool:
        """Stop the clock of `name`, if it runs; what is left of it is kept. Tell whether it ran."""
        if (moment := self.running.pop(name, None)) is None:
            return False
        self._held = self._held or {}
        self._held[name] = moment - now
        return True

    def resume(self, name: Deadline, now: float) -> bool:
        """Let the clock of `name` run on, if it is held. Tell whether it was."""
        if not self._held or (left := self._held.pop(name, None)) is None:
            return False
        self.running[name] = now + left
        return True

    def next(self) -> float | None:
        """Return the earliest moment, or None."""
        running = self.running
        return min(running.values()) if running else None

    def pop_due(self, now: float) -> Deadline | None:
        """Take out the earliest deadline that has come at `now`, or return None.

        Call it again after each: what one deadline does may set or clear another.
        """
        if not self.running:
            return None
        name = min(self.running, key=lambda each: (self.running[each], each.value))
        if self.running[name] > now:
            return None
        del self.running[name]
        return name
