"""`python -m fuzz.guided TARGET ENGINE …`: Atheris on one target. What follows is for libFuzzer.

It is a process of its own, because libFuzzer ends it, and because what is fuzzed is instrumented when it is imported.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol, cast

INSTRUMENTED = ("spry_core", "h11", "wsproto")
"""Packages in which new branches count as progress."""


class Atheris(Protocol):
    """What is used of Atheris, which is not installed everywhere and has no types."""

    def instrument_imports(self, *, include: Sequence[str]) -> AbstractContextManager[None]:
        """Instrument what is imported inside the block."""
        ...

    def Setup(self, args: Sequence[str], test_one_input: Callable[[bytes], None]) -> object:  # noqa: N802
        """Take the arguments and the function to call with inputs."""
        ...

    def Fuzz(self) -> None:  # noqa: N802
        """Fuzz until the arguments or a crash say stop; this ends the process."""
        ...


def is_available() -> bool:
    """Tell whether Atheris is installed."""
    return find_spec("atheris") is not None


def main(name: str, engine: str, options: Sequence[str]) -> None:
    """Fuzz one target on one engine."""
    atheris = cast("Atheris", import_module("atheris"))
    with atheris.instrument_imports(include=INSTRUMENTED):
        targets = import_module("fuzz.targets")
        import_module("engines").exchange_default(engine)
    atheris.Setup(["fuzz", *options], targets.TARGETS[name].check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
