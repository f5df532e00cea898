"""What strategies give: their simplest example, and how much of a grammar comes up. The same at every run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from random import Random
from typing import Final, TypeAlias, TypeVar

from hypothesis import HealthCheck, Phase, find, given, seed, settings
from hypothesis import strategies as st

T = TypeVar("T")
K = TypeVar("K")

Productions: TypeAlias = Mapping[str, Callable[[T], bool]]
"""Names, and what tells whether an example shows that."""

few: Final = settings(max_examples=40)
"""For what is drawn at length, and read by others."""

EVERY: Final = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
BATCH: Final = 100
LOOKING: Final = settings(
    max_examples=2000,
    database=None,
    phases=[Phase.generate, Phase.shrink],  # what explains may end with an example that is not shrunk
    suppress_health_check=EVERY,
)


def simplest(strategy: st.SearchStrategy[T], condition: Callable[[T], bool] = lambda each: True) -> T:
    """Return what an example shrinks to, among those with that property."""
    return find(strategy, condition, settings=LOOKING, random=Random(1))


def examples(strategy: st.SearchStrategy[T], count: int = 100, *, turn: int = 1) -> list[T]:
    """Return so many examples; others in another turn."""
    drawn = list[T]()

    @seed(turn)
    @settings(max_examples=count, database=None, phases=[Phase.generate], suppress_health_check=EVERY)
    @given(strategy)
    def collect(each: T) -> None:
        drawn.append(each)

    collect()
    return drawn


def seen(
    strategy: st.SearchStrategy[T], facts: Callable[[T], Iterable[K]], wanted: Set[K], *, most: int = 5000
) -> set[K]:
    """Return what `facts` tells of the examples, which are drawn until all that is wanted has been told, or `most` of them."""
    told = set[K]()
    for turn in range(most // BATCH):
        told.update(fact for each in examples(strategy, BATCH, turn=turn) for fact in facts(each))
        if told >= wanted:
            break
    return told


def missing(strategy: st.SearchStrategy[T], productions: Productions[T]) -> set[str]:
    """Return the productions of a grammar that no example shows."""

    def shown(each: T) -> list[str]:
        return [name for name, shows in productions.items() if shows(each)]

    return set(productions) - seen(strategy, shown, set(productions))
