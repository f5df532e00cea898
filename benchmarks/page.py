"""The figures on the page: what stands between its two marks is written by the command, all else by people."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from benchmarks import summary, table
from benchmarks.results import Report

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "explanation" / "performance.md"
BEGIN: Final = "<!-- figures: written by `python3 dev.py bench --write` -->"
END: Final = "<!-- end of the figures -->"


def figures(report: Report) -> str:
    """Return everything that was measured, as Markdown."""
    lines = [*on(report), ""]
    if over_loopback := summary.lines(report):
        lines += ["## Over the loopback", "", *over_loopback]
    lines += [*table.loopback_lines(report), ""]
    if report.in_memory:
        lines += ["## In memory", *table.in_memory_lines(report.in_memory), ""]
    if report.left_out:
        lines += ["## Left out", "", *(f"- {each}" for each in report.left_out), ""]
    return "\n".join(lines)


def on(report: Report) -> list[str]:
    """Return what it was measured on, one sentence a line."""
    machine, settings = report.machine, report.settings
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    return [
        f"Measured on {machine['cores']} cores of an {machine['cpu']}, {machine['kernel']}, {machine['python']}.",
        f"Engine `{machine['engine']}`, primitives in {machine['primitives']}.",
        f"{settings['rounds']:.0f} rounds of {settings['seconds']:g} s.",
        f"Versions: {versions}.",
    ]


def replaced(text: str, new: str) -> str:
    """Return a page with other figures.

    Raises:
        ValueError: It has not both marks, once each and in order.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end or BEGIN in after or END in after:
        raise ValueError(f"the page has not the marks {BEGIN} and {END}, once each")
    return f"{before}{BEGIN}\n\n{new}\n{END}{after}"


def write(report: Report, path: Path = PAGE) -> None:
    """Write the figures on the page."""
    path.write_text(replaced(path.read_text(encoding="utf-8"), figures(report)), encoding="utf-8")
