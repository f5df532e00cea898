"""How exactly time is kept where a scenario is played."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tolerance:
    """How exactly a place keeps time, in seconds."""

    at_once: float
    """Within this comes what is due at once."""

    early: float
    """By so much may seem to come early what takes time."""

    late: float
    """By so much may come late what takes time."""


VIRTUAL: Final = Tolerance(at_once=0.0, early=1e-6, late=1e-6)
"""Of virtual time: nothing but the rounding of numbers."""

REAL: Final = Tolerance(at_once=5.0, early=0.01, late=1.5)
"""Of sockets on a machine that may be busy."""
