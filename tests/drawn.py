"""What strategies give: their simplest example, and how much of a grammar comes up."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st

T = TypeVar("T")

EVERY = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)


def simplest(strategy: st.SearchStrategy[T], condition: Callable[[T], bool] = lambda each: True) -> T:
    """Return what an example shrinks to, among those with that property."""
    return find(strategy, condition, settings=settings(database=None, suppress_health_check=EVERY))


def examples(strategy: st.SearchStrategy[T], count: int = 300) -> list[T]:
    """Return so many examples, the same ones at every run."""
    drawn = list[T]()

    @seed(1)
    @settings(
        max_examples=count, database=None, phases=[Phase.generate], deadline=None, suppress_health_check=EVERY
    )
    @given(strategy)
    def collect(each: T) -> None:
        drawn.append(each)

    collect()
    return drawn


def missing(drawn: list[T], productions: Mapping[str, Callable[[T], bool]]) -> list[str]:
    """Return the productions of a grammar that none of the examples shows."""
    return [name for name, shows in productions.items() if not any(map(shows, drawn))]
