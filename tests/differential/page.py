"""Writes docs/explanation/http-differences.md from the list: ``python -m differential.page`` with `tests` and `.` on the path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from differential.differences import DIFFERENCES, Difference, Kind

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "http-differences.md"

_INTRODUCTION: Final = (
    "# How others read HTTP\n",
    (
        "Two programs that read the same bytes as different requests are a hole between them: "
        "what one of them lets through as content is a request to the other."
    ),
    (
        "So the tests give the same bytes to Spry, to httptools (llhttp with all of its leniencies off) "
        "and to the parser of aiohttp in pure Python, and compare the requests that come out."
    ),
    (
        "The bytes are those of the corpus in `tests/ambiguous`, and what random changes make of them; "
        "a request that is beyond doubt stands behind each, and shows who has gone astray.\n"
    ),
    (
        "This page is the list of every disagreement that was found, "
        "written by `python -m differential.page` (with `tests` and `.` on the path)."
    ),
    "One that is not on it fails the tests, and so does a line that explains none.\n",
    (
        "Trailers are not compared, nor what stands behind the last request of a connection: "
        "one of HTTP/1.0, with `Connection: close`, with an upgrade, or CONNECT.\n"
    ),
)
_HEADINGS: Final[tuple[tuple[Kind, str, str], ...]] = (
    ("takes", "What others take and Spry refuses", "Spry answers with 4xx or 5xx and ends the connection."),
    ("refuses", "What others refuse and Spry takes", "The standard asks for it."),
    ("reads", "What others read otherwise", "Both take it, and disagree about what it says."),
)


def page() -> str:
    """Return the text of the page."""
    return "\n".join([*_INTRODUCTION, *(line for heading in _HEADINGS for line in _section(*heading)), ""])


def _section(kind: Kind, title: str, introduction: str) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{introduction}\n"
    yield "| input | who | the standard | says | who is right |"
    yield "|---|---|---|---|---|"
    yield from (_row(each) for each in DIFFERENCES if each.kind == kind)
    if kind != _HEADINGS[-1][0]:
        yield ""


def _row(each: Difference) -> str:
    return f"| {each.what} | {', '.join(each.readers)} | {each.section} | {each.sentence} | {each.right} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
