"""Jobs in threads: all results come, and whoever never ends is given up."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Event

from spry_core.testing.conformance.together import each_in_turn, side_by_side


def test_each_in_turn_is_in_turn() -> None:
    seen: list[int] = []
    jobs: list[Callable[[], None]] = [partial(seen.append, number) for number in range(3)]
    assert list(each_in_turn(jobs)) == [None, None, None]
    assert seen == [0, 1, 2]


def test_jobs_run_side_by_side() -> None:
    """Each waits for the others, so they end only if all three run at a time."""
    barrier = Barrier(3, timeout=30)

    def meet(number: int) -> int:
        barrier.wait()
        return number * 10

    jobs = [partial(meet, number) for number in range(3)]
    assert sorted(side_by_side(jobs, 3, 30.0)) == [(0, 0), (1, 10), (2, 20)]


def test_there_are_no_more_threads_than_jobs_and_no_fewer_results() -> None:
    jobs = [partial(pow, number, 2) for number in range(20)]
    assert sorted(side_by_side(jobs, 3, 30.0)) == [(number, number**2) for number in range(20)]
    assert list(side_by_side([], 3, 30.0)) == []


def test_a_job_that_never_ends_is_given_up_and_so_is_what_waits_behind_it() -> None:
    release = Event()
    jobs: list[Callable[[], bool]] = [lambda: release.wait(60), lambda: True]
    assert list(side_by_side(jobs, 1, 0.05)) == [(0, None), (1, None)]
    release.set()


def test_when_nobody_asks_for_more_no_further_job_begins() -> None:
    begun: list[int] = []
    release = Event()

    def job(number: int) -> int:
        begun.append(number)
        assert number == 0 or release.wait(30)
        return number

    results = side_by_side([partial(job, number) for number in range(9)], 1, 30.0)
    assert next(results) == (0, 0)
    results.close()
    release.set()
    assert begun in ([0], [0, 1])


def test_a_job_that_raises_has_no_result() -> None:
    def fail() -> int:
        raise LookupError("on purpose")

    assert list(side_by_side([fail], 1, 30.0)) == [(0, None)]
