"""How much work something is, in lines of Python that are run through: exact, whatever the machine does meanwhile."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Self


class _Counter:
    """Counts the lines that are run through."""

    lines = 0

    def __call__(self, frame: FrameType, event: str, argument: object) -> Self:
        self.lines += event == "line"
        return self


def steps(act: Callable[[], object]) -> int:
    """Return how many lines of Python `act` runs through."""
    counter, before = _Counter(), sys.gettrace()
    sys.settrace(counter)
    try:
        act()
    finally:
        sys.settrace(before)
    return counter.lines


def is_in_proportion(work: Callable[[int], Callable[[], object]], size: int) -> bool:
    """Tell whether `work` of twice the size takes at most twice the steps, and a few; `work` of a size says what to run.

    What it runs is run once before it is counted: what is made only once counts for neither.
    """
    work(size)()
    return steps(work(2 * size)) <= 2.1 * steps(work(size)) + 100
