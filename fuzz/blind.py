"""Fuzzing by chance alone: seeds, changed here and there, until time or number is up or a check fails."""

from __future__ import annotations

import signal
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from types import FrameType
from typing import Final

from fuzz.mutation import mutate, shrink
from fuzz.targets import Target


@dataclass(frozen=True, slots=True)
class Report:
    """What a run has found."""

    inputs: int
    """How many inputs were checked."""

    crash: bytes | None = None
    """The input that failed, made short."""

    error: Exception | None = None
    """What it raised."""


PATIENCE: Final = 20.0
"""Seconds that one input may take, many times what the slowest one needs."""


def failure(target: Target, data: bytes, patience: float = PATIENCE) -> Exception | None:
    """Check one input; return what was raised, if anything was."""
    try:
        with _at_most(patience):
            target.check(data)
    except Exception as error:  # whatever it is, it is what we are looking for
        return error
    return None


@contextmanager
def _at_most(seconds: float) -> Generator[None]:
    """Raise `TimeoutError` inside the block if it takes longer, where the system has such timers."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run(target: Target, *, seconds: float | None, runs: int | None, seed: int) -> Report:
    """Check the seeds and then changes of them, at most so many, at most so long; stop at the first that fails."""
    random, seeds = Random(seed), target.seeds()
    end = None if seconds is None else time.monotonic() + seconds
    count = 0
    while (runs is None or count < runs) and (end is None or time.monotonic() < end):
        data = seeds[count] if count < len(seeds) else mutate(seeds, random)
        count += 1
        error = failure(target, data)
        if error is not None:
            return (
                Report(count, data, error)
                if _is_slow(error)
                else _shortened(target, data, type(error), count)
            )
    return Report(count)


def _is_slow(error: Exception) -> bool:
    """Tell whether to find out what is not needed of the input would take hours."""
    return type(error) is TimeoutError


def _shortened(target: Target, data: bytes, kind: type[Exception], count: int) -> Report:
    short = shrink(data, lambda each: isinstance(failure(target, each), kind))
    return Report(count, short, failure(target, short))
