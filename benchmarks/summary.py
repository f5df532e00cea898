"""One line for each row: Spry on each loop beside the limit, and the best of the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from benchmarks.results import Report, Result, by_work
from benchmarks.subjects import LOOPS
from benchmarks.table import markdown, number

TITLES: Final = ("", *(f"{loop}, to raw" for loop in LOOPS), "", *LOOPS, "best of the others")

VARIANTS: Final = (("", ""), ("-for", ", in a task"))
"""Ends of Spry's names, and of the titles of their rows."""


def lines(report: Report) -> list[str]:
    """Return the table; nothing if Spry was not measured."""
    rows = [row for results in by_work(report.loopback).values() for row in rows_of(report, results)]
    return markdown(TITLES, rows) if rows else []


def rows_of(report: Report, results: Sequence[Result]) -> Iterator[tuple[str, ...]]:
    """Give the rows of one kind of work."""
    for ending, title in VARIANTS:
        ours = {
            each.loop: each for each in results if each.subject == f"spry-{each.loop}{ending}" and each.rounds
        }
        if ours:
            ratios = {loop: each.beside(report.limit_of(each)) for loop, each in ours.items()}
            yield (
                results[0].title + title,
                *(f"{ratio:.2f}" if (ratio := ratios.get(loop)) else "" for loop in LOOPS),
                results[0].unit,
                *(number(ours[loop].each) if loop in ours else "" for loop in LOOPS),
                best(results),
            )


def best(results: Sequence[Result]) -> str:
    """Return the figure of the best server that is not ours, and its name."""
    others = [each for each in results if each.rounds and not each.subject.startswith(("raw-", "spry-"))]
    if not others:
        return ""
    found = min(others, key=lambda each: each.each)
    return f"{number(found.each)} {found.subject}"
