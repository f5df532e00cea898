"""How an example shows itself in what Hypothesis prints."""

from __future__ import annotations

from typing import Protocol


class Printer(Protocol):
    """As much of Hypothesis's pretty printer as is needed."""

    def text(self, obj: str, /) -> None:
        """Print this."""
        ...


class Shown:
    """Prints itself as `repr` does: a failing example shows its bytes, and not what they say once more beside them."""

    __slots__ = ()

    def _repr_pretty_(self, printer: Printer, cycle: bool) -> None:
        """Do as Hypothesis, and others who print, ask."""
        printer.text(repr(self))
