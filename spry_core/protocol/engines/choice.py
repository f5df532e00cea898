"""Which engine does the grammar work, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NoReturn

from spry_core.protocol.engines import pure
from spry_core.protocol.engines.interface import Admit, EngineName, FrameEngine, HttpEngine, Primitives, Role
from spry_core.protocol.engines.native_frames import NativeFrameEngine
from spry_core.protocol.engines.native_http import NativeHttpEngine
from spry_core.protocol.engines.reference import H11Engine, WsprotoEngine

DEFAULT_ENGINE: Final[EngineName] = "native"
"""The engine of who does not choose."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What makes the two halves of one engine."""

    http: Callable[[Role, int], HttpEngine]
    """Makes the HTTP half, which never has to hold more than so many bytes of an unfinished head."""

    frames: Callable[[Role, Admit, Callable[[int], bytes]], FrameEngine]
    """Makes the WebSocket half."""


def _native(primitives: Primitives) -> Engine:
    http = NativeHttpEngine(primitives)
    return Engine(
        http=lambda _role, _max_incomplete: http,
        frames=lambda role, admit, random: NativeFrameEngine(role, admit, random, primitives),
    )


def _primitives() -> Primitives:
    """Return those in C where they are built, and else those in Python."""
    try:
        from spry_core import speedups  # noqa: PLC0415 - it may not be there
    except ImportError:
        return pure
    return speedups


PRIMITIVES: Final = _primitives()
"""What the native engine works with."""

HAS_SPEEDUPS: Final = PRIMITIVES is not pure
"""True if the native engine has its primitives in C."""

ENGINES: Final[Mapping[EngineName, Engine]] = {
    "native": _native(PRIMITIVES),
    "pure": _native(pure),
    "reference": Engine(http=H11Engine, frames=WsprotoEngine),
}
"""All of them."""


def check_engine(name: str) -> None:
    """Raise `ValueError` if there is no engine of that name."""
    if name not in ENGINES:
        _miss(name)


def _miss(name: str) -> NoReturn:
    raise ValueError(f"no engine {name!r}; there is: {', '.join(ENGINES)}")


def http_engine(name: EngineName, role: Role, max_incomplete: int) -> HttpEngine:
    """Make the HTTP half; it never has to hold more than `max_incomplete` bytes of an unfinished head."""
    return (ENGINES.get(name) or _miss(name)).http(role, max_incomplete)


def frame_engine(name: EngineName, role: Role, admit: Admit, random: Callable[[int], bytes]) -> FrameEngine:
    """Make the WebSocket half."""
    return (ENGINES.get(name) or _miss(name)).frames(role, admit, random)
