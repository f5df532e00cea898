"""Another engine in the place of the default, and under its name: for a whole run of the tests, or for a while.

Whoever does not choose gets `DEFAULT_ENGINE`, which is the default of many parameters and cannot be changed when they are
there; so the engine behind that name is exchanged. Tests that ask for the default by its name bear the mark
``engines_by_name``, and have nothing to say in a run with another one.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final, cast

from spry_core.protocol.engines import DEFAULT_ENGINE, EngineName
from spry_core.protocol.engines.choice import ENGINES, Engine, check_engine

NAMES: Final[tuple[EngineName, ...]] = ("reference", "pure", "native")
"""All of them, the one first to which the others are held."""

_PROPER: Final = dict(ENGINES)
_TABLE: Final = cast("dict[str, Engine]", ENGINES)


def present() -> EngineName:
    """Return the name of the engine that has the default's place, for processes of their own."""
    return next(name for name in NAMES if _PROPER[name] is ENGINES[DEFAULT_ENGINE])


def exchange_default(name: str) -> None:
    """Let the default engine be the one of this name from now on.

    Raises:
        ValueError: There is none.
    """
    check_engine(name)
    _TABLE[DEFAULT_ENGINE] = _PROPER[cast("EngineName", name)]


def is_exchanged() -> bool:
    """Tell whether the default engine is another one in this run."""
    return ENGINES[DEFAULT_ENGINE] is not _PROPER[DEFAULT_ENGINE]


@contextmanager
def in_place(name: EngineName) -> Generator[None]:
    """Let the default engine be this one while the block runs."""
    before = ENGINES[DEFAULT_ENGINE]
    exchange_default(name)
    try:
        yield
    finally:
        _TABLE[DEFAULT_ENGINE] = before
