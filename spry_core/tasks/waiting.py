"""Waiting for time: `sleep`, and `timeout` around whatever else waits.

A timer does no more than raise an event or cancel a scope, so no backend needs a timer of its own for this.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from spry_core.driver import Scope
from spry_core.errors import LocalProtocolError
from spry_core.tasks.host import current_host
from spry_core.tasks.timers import Timer


async def sleep(seconds: float) -> None:
    """Wait for `seconds`, at least; 0 only lets other tasks run.

    Cancelling it leaves no timer behind. It needs the connection (or the server) that the task belongs to: a task of the event
    loop's own that outlives it is not woken again.

    Raises:
        ValueError: `seconds` is negative or not finite.
        LocalProtocolError: This is no task of Spry's.
    """
    _check(seconds)
    host = current_host()
    driver = host.driver
    if seconds == 0:
        await driver.checkpoint(True)
        return
    done = driver.event()
    timer = host.timers.add(driver.now() + seconds, done.set)
    driver.notify()
    try:
        await done.wait()
    finally:
        timer.cancel()


class Timeout:
    """A time limit for one `with` block, as `timeout` makes it."""

    __slots__ = ("_block", "_scope", "_seconds", "_timer")

    def __init__(self, seconds: float | None) -> None:
        if seconds is not None:
            _check(seconds)
        self._seconds = seconds
        self._block: AbstractContextManager[Scope] | None = None
        self._scope: Scope | None = None
        self._timer: Timer | None = None

    @property
    def expired(self) -> bool:
        """True if it was this limit that ended the block; other limits, and errors of the system, are `TimeoutError` too."""
        return self._scope is not None and self._scope.cancelled

    def __enter__(self) -> Self:
        if self._block is not None:
            raise LocalProtocolError("a time limit is for one block: make another")
        host = current_host()
        self._block = host.driver.scope()
        self._scope = self._block.__enter__()
        if self._seconds is not None:
            self._timer = host.timers.add(host.driver.now() + self._seconds, self._scope.cancel)
            host.driver.notify()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._block is not None
        if self._timer is not None:
            self._timer.cancel()
        self._block.__exit__(kind, error, traceback)
        if self.expired:  # `from None`: the cancellation was our own, and is over
            raise TimeoutError(f"not finished within {self._seconds} s") from None


def timeout(seconds: float | None) -> Timeout:
    """Make a time limit for a `with` block: after `seconds` what it waits for is cancelled and the block raises `TimeoutError`.

    None sets no limit. The error is raised at the end of the block, and only if the block was ended by the limit: a block that
    finishes, or raises something of its own, in the moment of expiry is left alone, and so is a cancellation from outside.

    Raises:
        TimeoutError: At the end of the block: the limit ended it.
        ValueError: `seconds` is negative or not finite.
        LocalProtocolError: On entering the block: this is no task of Spry's, or the limit was used already.
    """
    return Timeout(seconds)


def _check(seconds: float) -> None:
    if not 0 <= seconds < math.inf:  # false for NaN as well
        raise ValueError(f"seconds must be a finite number and not negative, not {seconds}")
