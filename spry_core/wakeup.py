"""Waiting for a change of state, on the driver's one-shot events.

A wake-up carries nothing: who was woken looks at the state again, in a loop. An event is made only by those
who must wait.
"""

from __future__ import annotations

from collections.abc import Awaitable

from spry_core.driver import Driver, Event

_SWITCH_EVERY = 32

_SIZE = 16 * 1024
"""Bytes that cost about as much as another operation."""


class WakeUp:
    """Lets any number of tasks wait for the next change of something."""

    __slots__ = ("_driver", "_event")

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._event: Event | None = None

    def wake(self) -> None:
        """Wake everybody who waits now."""
        if self._event is not None:
            self._event.set()
            self._event = None

    def wait(self) -> Awaitable[None]:
        """Give what waits for the next `wake`; cancelling it takes nothing from the others."""
        if self._event is None:
            self._event = self._driver.event()
        return self._event.wait()


class Checkpoints:
    """Counts operations that need not wait, and lets other tasks run at every 32nd of them; big ones count for several.

    Without it a sender whose peer keeps up would never let the event loop go on; at every operation it would
    cost more than the operation itself.
    """

    __slots__ = ("_driver", "left")

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self.left: int = _SWITCH_EVERY
        """Operations until the next of them lets other tasks run."""

    def pass_one(self, size: int = 0) -> Awaitable[None]:
        """Give what is to be awaited: raise here if the running task is cancelled; now and then let others run.

        `size` are the bytes that the operation moves: of many fast streams each would else hold the others up for long.
        """
        self.left -= 1 + size // _SIZE
        if self.left > 0:
            return self._driver.checkpoint(False)
        self.left = _SWITCH_EVERY
        return self._driver.checkpoint(True)

    def waited(self) -> None:
        """Take note that the operation had to wait after all, so that others have run."""
        self.left = _SWITCH_EVERY
