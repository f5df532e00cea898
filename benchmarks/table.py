"""The table: for the terminal and, as Markdown, for the page; ratios first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks.results import Report, Result, Timing, by_work

TITLES = ("server", "to raw", "each", "spread", "per second", "its core", "load's core")


def loopback_lines(report: Report) -> list[str]:
    """Return the rows of every kind of work as Markdown."""
    lines: list[str] = []
    for results in by_work(report.loopback).values():
        lines += ["", f"### {results[0].title}", "", *work_lines(report, results)]
    return lines


def work_lines(report: Report, results: Sequence[Result]) -> list[str]:
    """Return the table of one kind of work, the least first."""
    titles = (*TITLES[:2], results[0].unit, *TITLES[3:])
    ordered = sorted((each for each in results if each.rounds), key=lambda each: each.each)
    return markdown(titles, [cells(report, each) for each in ordered])


def cells(report: Report, result: Result) -> tuple[str, ...]:
    """Return what one server came to."""
    ratio = result.beside(report.limit_of(result))
    fastest = max(one.rate for one in result.rounds)
    return (
        result.subject,
        "" if ratio is None else f"{ratio:.2f}",
        number(result.each),
        f"{result.spread:.0%}" if len(result.rounds) > 1 else "",
        f"{fastest:,.0f}" if fastest else "",
        f"{max(one.server for one in result.rounds):.0%}" if fastest else "",
        f"{max(one.load for one in result.rounds):.0%}" if fastest else "",
    )


def in_memory_lines(timings: Iterable[Timing]) -> list[str]:
    """Return the figures in memory as Markdown: one table for each group, a column for each kind of work."""
    groups: dict[str, list[Timing]] = {}
    for each in timings:
        groups.setdefault(each.group, []).append(each)
    lines: list[str] = []
    for name, group in groups.items():
        works = list(dict.fromkeys(each.work for each in group))
        subjects = list(dict.fromkeys(each.subject for each in group))
        found = {(each.subject, each.work): number(each.each) for each in group}
        rows = [(subject, *(found.get((subject, work), "") for work in works)) for subject in subjects]
        lines += ["", f"### {name}, µs", "", *markdown(("", *works), rows)]
    return lines


def number(value: float) -> str:
    """Write a figure with as many digits as it is good for."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def markdown(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a Markdown table that reads well as text too: names to the left, figures to the right."""
    columns = list(zip(titles, *rows, strict=True))
    widths = [max(map(len, column)) for column in columns]

    def line(row: Sequence[str]) -> str:
        padded = [row[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(titles), line(rule), *map(line, rows)]
