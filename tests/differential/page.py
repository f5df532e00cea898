"""Writes docs/explanation/http-differences.md: ``python -m differential.page`` with `tests` and `.` on the path."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from differential.reading import Difference, Kind
from differential.request_differences import REQUEST_DIFFERENCES
from differential.response_differences import RESPONSE_DIFFERENCES

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "explanation" / "http-differences.md"

_INTRODUCTION: Final = (
    "# How others read HTTP\n",
    (
        "Two programs that read the same bytes as different messages are a hole between them: "
        "what one of them lets through as content is a request, or a response, to the other."
    ),
    (
        "So the tests give the same bytes to Spry, to httptools (llhttp with all of its leniencies off) "
        "and to the parsers of aiohttp in pure Python, and compare the messages that come out."
    ),
    (
        "The bytes are those of the corpora in `tests/ambiguous`, and what random changes make of them; "
        "a message that is beyond doubt stands behind each, and shows who has gone astray.\n"
    ),
    (
        "This page is the list of every disagreement that was found, "
        "written by `python -m differential.page` (with `tests` and `.` on the path)."
    ),
    "One that is not on it fails the tests, and so does a line that explains none.\n",
    (
        "What stands behind the last message of a connection is not compared: "
        "one of HTTP/1.0, with `Connection: close`, with an upgrade, or CONNECT."
    ),
    "aiohttp keeps trailers to itself, so they are compared with httptools alone.",
    "httptools cannot be told that a response is one to HEAD, so those are compared with aiohttp alone.",
    "Nor is it told of the end of the stream, so the test does what llhttp would do with that.\n",
)
_PARTS: Final[tuple[tuple[str, str, tuple[Difference, ...]], ...]] = (
    (
        "Requests",
        "Spry answers what it refuses with 4xx or 5xx, and ends the connection.",
        REQUEST_DIFFERENCES,
    ),
    (
        "Responses",
        (
            "Spry gives a client the failure instead of the response, or of its end, and closes the connection.\n"
            "aiohttp is lenient here by intention, unless Python runs in its development mode."
        ),
        RESPONSE_DIFFERENCES,
    ),
)
_HEADINGS: Final[tuple[tuple[Kind, str, str], ...]] = (
    ("takes", "What others take and Spry refuses", "The most; nothing of it is needed to talk to anybody."),
    ("refuses", "What others refuse and Spry takes", "The standard asks for it, or leaves it open."),
    ("reads", "What others read otherwise", "Both take it, and disagree about what it says."),
)


def page() -> str:
    """Return the text of the page."""
    return "\n".join([*_INTRODUCTION, *(line for part in _PARTS for line in _part(*part))]).rstrip() + "\n"


def _part(title: str, introduction: str, rows: tuple[Difference, ...]) -> Iterator[str]:
    yield f"## {title}\n"
    yield f"{introduction}\n"
    for heading in _HEADINGS:
        yield from _section(*heading, rows)


def _section(kind: Kind, title: str, introduction: str, rows: tuple[Difference, ...]) -> Iterator[str]:
    yield f"### {title}\n"
    yield f"{introduction}\n"
    yield "| input | who | the standard | says | who is right |"
    yield "|---|---|---|---|---|"
    yield from (_row(each) for each in rows if each.kind == kind)
    yield ""


def _row(each: Difference) -> str:
    return f"| {each.what} | {', '.join(each.readers)} | {each.section} | {each.sentence} | {each.right} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
