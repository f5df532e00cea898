"""What the handlers of a scenario tell: notes in order, and counts."""

from __future__ import annotations

from collections import Counter
from typing import Final

from spry_core.tasks import now
from spry_core.testing.conformance.tolerance import REAL, Tolerance


class Notebook:
    """Is handed to every handler of one scenario; handlers of any thread may write in it."""

    def __init__(self) -> None:
        self.tolerance: Tolerance = REAL
        """How exact time is where the scenario is played."""
        self.notes: Final[list[str]] = []
        """What was noted, in order; it belongs to the outcome of the scenario."""
        self.counts: Final[Counter[str]] = Counter()
        """What was counted; how far it came may differ from run to run."""

    def __call__(self, what: str) -> None:
        """Note this."""
        self.notes.append(what)

    def count(self, what: str) -> None:
        """Count one more of these."""
        self.counts[what] += 1

    def lasted(self, what: str, begun: float, seconds: float) -> None:
        """Note whether `what`, which began at `begun` on the handler's clock, has taken so many seconds until now."""
        taken = now() - begun
        if seconds - self.tolerance.early <= taken <= seconds + self.tolerance.late:
            self(f"{what} on time")
        else:
            self(f"{what} after {taken:.3f} s instead of {seconds} s")
