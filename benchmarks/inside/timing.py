"""CPU time of calls, taken in turns so that whatever the machine does meets all alike."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.results import Timing


@dataclass(frozen=True, slots=True)
class Case:
    """Something to be called often."""

    group: str
    work: str
    subject: str
    call: Callable[[], object]
    units: int = 1
    """How many of what is counted one call does."""


def measure(cases: Sequence[Case], rounds: int, seconds: float) -> list[Timing]:
    """Call each case in every round, for about so many seconds; return what one unit of each took."""
    counts = [calls_in(case.call, seconds) for case in cases]
    found: list[list[float]] = [[] for _ in cases]
    with no_collection():
        for _ in range(rounds):
            for case, count, times in zip(cases, counts, found, strict=True):
                times.append(elapsed(case.call, count) / count / case.units)
    return [
        Timing(case.group, case.work, case.subject, tuple(times))
        for case, times in zip(cases, found, strict=True)
    ]


def calls_in(call: Callable[[], object], seconds: float) -> int:
    """Return how many calls take about so many seconds, one at least."""
    count = 1
    while (taken := elapsed(call, count)) < min(seconds, 0.01):
        count *= 4
    return max(1, int(count * seconds / taken))


def elapsed(call: Callable[[], object], count: int) -> float:
    """Return the seconds of CPU that so many calls take."""
    repeated = range(count)
    since = time.process_time()
    for _ in repeated:
        call()
    return time.process_time() - since


@contextmanager
def no_collection() -> Generator[None]:
    """Keep the garbage collector, which may come at any moment, out of the figures."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
