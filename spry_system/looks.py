"""Looking at sessions in order: what one connection's call says to others goes out when that call is over, at the earliest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol


class Looker(Protocol):
    """Who looks at a session; the pump of a connection."""

    def look(self) -> None:
        """Do what the session wants done."""
        ...


class Looks:
    """The looks of all connections of a server, of which one begins when no other is on.

    A callback that tells a thousand connections something says `notify` to each, and for each message again. Looked at when the
    callback has returned, each of them sends once; and however they answer each other, nobody looks inside of a look.
    """

    __slots__ = ("_touched", "is_on")

    def __init__(self) -> None:
        self.is_on: bool = False
        """True in a call: who is to look does so behind it. Who sets it works that off, before or after setting it back."""
        self._touched: Final[dict[Looker, None]] = {}  # in order, and each once

    def look(self, looker: Looker) -> None:
        """Let this one look: now, or when the call that is on has ended."""
        if self.is_on:
            self._touched[looker] = None
        else:
            self.call(looker.look)

    def call(self, call: Callable[[], None]) -> None:
        """Call this, and then let everybody look who was to; not inside of another call. Raises what the call raises."""
        self.is_on = True
        try:
            call()
        finally:
            self.finish()

    def finish(self) -> None:
        """Let everybody look who is to."""
        self.is_on = True
        try:
            while self._touched:
                self.look_next()
        finally:
            self.is_on = False

    def catch_up(self, looker: Looker) -> None:
        """Let this one look now if it is to: before something else comes to it."""
        if looker in self._touched:
            del self._touched[looker]
            looker.look()

    @property
    def has_next(self) -> bool:
        """True if somebody is still to look."""
        return bool(self._touched)

    def look_next(self) -> None:
        """Let the next of them look."""
        looker = next(iter(self._touched))
        del self._touched[looker]
        looker.look()
