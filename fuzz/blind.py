"""Fuzzing by chance alone: seeds, changed here and there, until time or number is up or a check fails."""

from __future__ import annotations

import time
from dataclasses import dataclass
from random import Random

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


def failure(target: Target, data: bytes) -> Exception | None:
    """Check one input; return what was raised, if anything was."""
    try:
        target.check(data)
    except Exception as error:  # whatever it is, it is what we are looking for
        return error
    return None


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
            return _shortened(target, data, type(error), count)
    return Report(count)


def _shortened(target: Target, data: bytes, kind: type[Exception], count: int) -> Report:
    short = shrink(data, lambda each: isinstance(failure(target, each), kind))
    return Report(count, short, failure(target, short))
