"""Which engine does the grammar work, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

from spry_core.protocol.engines.interface import Admit, FrameEngine, HttpEngine, Role
from spry_core.protocol.engines.reference import H11Engine, WsprotoEngine

EngineName: TypeAlias = Literal["reference"]
"""``"reference"``: h11 and wsproto."""


def check_engine(name: str) -> None:
    """Raise `ValueError` if there is no engine of that name."""
    if name not in get_args(EngineName):
        raise ValueError(f"no engine {name!r}; there is: {', '.join(get_args(EngineName))}")


def http_engine(name: EngineName, role: Role, max_incomplete: int) -> HttpEngine:
    """Make the HTTP half; it never has to hold more than `max_incomplete` bytes of an unfinished head."""
    check_engine(name)
    return H11Engine(role, max_incomplete)


def frame_engine(name: EngineName, role: Role, admit: Admit, random: Callable[[int], bytes]) -> FrameEngine:
    """Make the WebSocket half."""
    check_engine(name)
    return WsprotoEngine(role, admit, random)
