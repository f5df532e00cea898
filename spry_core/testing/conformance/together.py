"""Runs jobs in threads side by side, because each spends its time waiting.

This is the one module of `spry_core` that imports `threading`: a server that cannot be stopped holds its job for ever, and only
threads that nobody waits for leave a report and an exit possible. Nothing loads it but the conformance kit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

T = TypeVar("T")


def each_in_turn(jobs: Sequence[Callable[[], T]]) -> Iterator[T]:
    """Run one after the other, here."""
    for job in jobs:
        yield job()


def side_by_side(
    jobs: Sequence[Callable[[], T]], workers: int, patience: float
) -> Generator[tuple[int, T | None]]:
    """Run `workers` of them at a time; give each number and result as it comes.

    When nothing has come for `patience` seconds, those that still run are given up, and so are those that have not begun: their
    result is None. What a job raises is lost, and its result None as well. If nobody asks for more, no further job begins.
    """
    waiting: SimpleQueue[int] = SimpleQueue()
    done: SimpleQueue[tuple[int, T | None]] = SimpleQueue()
    for number in range(len(jobs)):
        waiting.put(number)
    for _ in range(min(workers, len(jobs))):
        Thread(target=_work, args=(jobs, waiting, done), daemon=True).start()
    missing = set(range(len(jobs)))
    try:
        while missing:
            try:
                number, result = done.get(timeout=patience)
            except Empty:
                break
            missing.remove(number)
            yield number, result
    finally:
        _empty(waiting)
    yield from ((number, None) for number in sorted(missing))


def _empty(waiting: SimpleQueue[int]) -> None:
    with suppress(Empty):
        while True:
            waiting.get_nowait()


def _work(
    jobs: Sequence[Callable[[], T]], waiting: SimpleQueue[int], done: SimpleQueue[tuple[int, T | None]]
) -> None:
    while True:
        try:
            number = waiting.get_nowait()
        except Empty:
            return
        try:
            done.put((number, jobs[number]()))
        except Exception:
            done.put((number, None))
