"""The project's pages in Markdown, taken apart for the tests: their code blocks, tables, headings and links."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent

PAGES: Final = tuple(
    path.relative_to(ROOT).as_posix()
    for path in (
        *sorted(ROOT.glob("*.md")),
        *sorted(ROOT.glob("examples/*.md")),
        *sorted(ROOT.glob("docs/**/*.md")),
    )
)
"""Every page, by its path from the root."""

_FENCE: Final = re.compile(r"( *)(`{3,})([a-z]*)\n")
_MARKER: Final = re.compile(r"<!-- (\w+): (\w+) -->")


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced code block."""

    page: str
    line: int
    """The number of its first line of code, from 1."""
    language: str
    code: str
    marker: tuple[str, str] | None
    """What a comment ``<!-- name: value -->`` right above the block says; a reader of the page does not see it."""

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def lines_of(page: str) -> list[str]:
    """Return the lines of a page, with their ends."""
    return (ROOT / page).read_text(encoding="utf-8").splitlines(keepends=True)


def blocks_of(page: str) -> Iterator[Block]:
    """Yield the code blocks of a page, in order; an unclosed one is an `AssertionError`."""
    lines = lines_of(page)
    position = 0
    while position < len(lines):
        found = _FENCE.fullmatch(lines[position])
        position += 1
        if found is None:
            continue
        indent, fence, language = found.groups()
        start = position
        while lines[position : position + 1] not in ([], [f"{indent}{fence}\n"]):
            position += 1
        assert position < len(lines), f"{page}:{start}: the block is not closed"
        code = "".join(line.removeprefix(indent) for line in lines[start:position])
        marker = _MARKER.fullmatch(lines[start - 2].strip()) if start > 1 else None
        yield Block(page, start + 1, language, code, (marker[1], marker[2]) if marker else None)
        position += 1


def prose_of(page: str) -> str:
    """Return a page without its code blocks."""
    text = "".join(lines_of(page))
    return re.sub(r"^( *)(`{3,})[a-z]*\n.*?^\1\2$", "", text, flags=re.MULTILINE | re.DOTALL)


def section_of(page: str, heading: str) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    level = heading.split(" ", maxsplit=1)[0]
    text = "".join(lines_of(page))
    assert text.count(f"\n{heading}\n") == 1, f"{page} has not one heading {heading!r}"
    rest = text.split(f"\n{heading}\n")[1]
    return re.split(rf"^#{{1,{len(level)}}} ", rest, flags=re.MULTILINE)[0]


def tables_in(text: str) -> list[list[tuple[str, ...]]]:
    """Return the tables in a text, each a list of rows without the head and the line below it."""
    found = re.findall(r"^(?:\|.*\|\n)+", text, flags=re.MULTILINE)
    return [
        [tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in table.splitlines()[2:]]
        for table in found
    ]


def anchors_of(page: str) -> set[str]:
    """Return the anchors that a page's headings give: in lower case, without punctuation, spaces as hyphens."""
    headings = re.findall(r"^#{1,6} (.*)$", prose_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def links_of(page: str) -> list[str]:
    """Return the targets of a page's links."""
    return re.findall(r"\]\(([^)\s]+)\)", prose_of(page))
