"""Moments at which something is to be called: what everything that waits for time is built on."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Final

_KEPT: Final = 32
"""Cancelled timers that may stay in the heap in any case: sweeping a small heap more often would cost more than it frees."""


class Timer:
    """One moment of `Timers`, as `Timers.add` gives it."""

    __slots__ = ("_callback", "_timers", "when")

    def __init__(self, when: float, callback: Callable[[], None], timers: Timers) -> None:
        self.when: Final = when
        """The moment, on the driver's clock."""
        self._callback: Callable[[], None] | None = callback
        self._timers = timers

    @property
    def is_pending(self) -> bool:
        """True until it has fired or was cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget it. May be called twice, or when it has fired."""
        if self._callback is not None:
            self._callback = None
            self._timers.forget()

    def fire(self) -> None:
        """Call what it was made for; a second time, or after `cancel`, nothing happens."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Timers:
    """Moments at which something is to be called: a heap, with no clock of its own.

    A cancelled timer stays in the heap until it comes to the top or until more than half of the heap is cancelled; so cancelling
    costs little, and a thousand requests that each set a timeout and finish early leave at most as many dead entries as live
    ones (and `_KEPT`).
    """

    __slots__ = ("_added", "_cancelled", "heap")

    def __init__(self) -> None:
        self.heap: list[tuple[float, int, Timer]] | None = None
        """What is held; None as long as nothing ever was, as on most connections."""
        self._added = 0  # of two timers for one moment the older fires first
        self._cancelled = 0

    def __len__(self) -> int:
        """Count the entries held, cancelled ones too."""
        return len(self.heap or ())

    def add(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call `callback` once in `handle_deadline` when its `now` has reached `when`.

        The pump sleeps until the deadline it saw last: whoever adds a timer from a task calls the driver's `notify` as well.
        """
        timer = Timer(when, callback, self)
        self._added += 1
        if self.heap is None:
            self.heap = []
        heappush(self.heap, (when, self._added, timer))
        return timer

    def next_deadline(self) -> float | None:
        """Return the earliest moment, or None."""
        if not self.heap:
            return None
        self._drop_cancelled()
        return self.heap[0][0] if self.heap else None

    def handle_deadline(self, now: float) -> None:
        """Fire everything that is due at `now`, the earliest first; also what a callback adds meanwhile, if it is due."""
        self._drop_cancelled()
        while self.heap and self.heap[0][0] <= now:
            timer = heappop(self.heap)[2]
            timer.fire()
            self._drop_cancelled()

    def forget(self) -> None:
        """Count one cancelled entry, and sweep when they have become too many. For `Timer.cancel` alone."""
        self._cancelled += 1
        if self._cancelled > max(_KEPT, len(self) // 2):
            self.heap = [entry for entry in self.heap or () if entry[2].is_pending]
            heapify(self.heap)
            self._cancelled = 0

    def _drop_cancelled(self) -> None:
        while self.heap and not self.heap[0][2].is_pending:
            heappop(self.heap)
            self._cancelled -= 1
