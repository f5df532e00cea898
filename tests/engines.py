"""The engine of a whole run of the tests: another one in the place of the default, and under its name.

Whoever does not choose gets `DEFAULT_ENGINE`, which is the default of many parameters and cannot be changed when they are
there; so the engine behind that name is exchanged. Tests that ask for engines by their names bear the mark
``engines_by_name``, and have nothing to say in such a run.
"""

from __future__ import annotations

from typing import cast

from spry_core.protocol.engines import DEFAULT_ENGINE, EngineName
from spry_core.protocol.engines.choice import ENGINES, Engine, check_engine

_PROPER = ENGINES[DEFAULT_ENGINE]


def exchange_default(name: str) -> None:
    """Let the default engine be the one of this name from now on.

    Raises:
        ValueError: There is none.
    """
    check_engine(name)
    table = cast("dict[str, Engine]", ENGINES)
    table[DEFAULT_ENGINE] = ENGINES[cast("EngineName", name)]


def is_exchanged() -> bool:
    """Tell whether the default engine is another one in this run."""
    return ENGINES[DEFAULT_ENGINE] is not _PROPER
