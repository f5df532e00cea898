"""A recording for the terminal: what came on the left, what went on the right, and between them what happened inside."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from spry_core.testing.transcript.sequence import Step

WIDTH: Final = 120
"""Characters of a line, unless another number is given."""

_MARGIN: Final = 18  # time and line
_LEAST: Final = 60


def lines_of(steps: Iterable[Step], *, width: int = WIDTH, all_of_it: bool = False) -> Iterator[str]:
    """Yield the lines.

    Args:
        steps: What to show.
        width: Characters of a line, at least 60.
        all_of_it: Shows details below each step, and what is left out otherwise: calls that only count.
    """
    column = (max(width, _LEAST) - _MARGIN - 3) // 2
    yield f"{'time':>9} {'line':>6}  {'received':<{column}} | sent"
    last = None
    for step in steps:
        if not all_of_it and step.kind in ("call", "source"):
            continue
        time = f"{step.now:9.3f}" if step.now != last else " " * 9
        last = step.now
        yield _row(f"{time} {step.number:>6}", step, step.title, column)
        if all_of_it or step.kind == "head":
            for name, value in step.details:
                if name != "start line":
                    yield _row(" " * 16, step, f"  {name}: {value}", column)


def _row(margin: str, step: Step, text: str, column: int) -> str:
    match step.lane:
        case "in":
            return f"{margin}  {_fit(text, column):<{column}} |"
        case "out":
            return f"{margin}  {'':<{column}} | {_fit(text, column)}"
        case _:
            return f"{margin}  {_fit(f'. {text}', 2 * column + 3)}"


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 3]}..."
