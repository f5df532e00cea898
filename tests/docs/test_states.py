"""docs/explanation/states.md holds exactly the rows of the tables, and its drawings exactly their arrows."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Final

import pytest

from pages import blocks_of, section_of, tables_in
from spry_core.protocol import closing_handshake, exchange

PAGE: Final = "docs/explanation/states.md"
EXCHANGE: Final = "## One HTTP exchange"
CLOSING: Final = "## The closing handshake"

ROWS: Final = {
    EXCHANGE: [
        (before.name, step.value, after.name) for (before, step), after in exchange.TRANSITIONS.items()
    ],
    CLOSING: [
        (before.name, f"`{event.__name__}` {direction.value}", after.name)
        for (before, direction, event), after in closing_handshake.TRANSITIONS.items()
    ],
}
STATES: Final[dict[str, type[Enum]]] = {EXCHANGE: exchange.State, CLOSING: closing_handshake.State}


class Drawing:
    """Names of states, and lines with an arrowhead at one end."""

    def __init__(self, text: str, states: set[str]) -> None:
        rows = text.splitlines()
        width = max(len(row) for row in rows)
        self.rows = [row.ljust(width) for row in rows]
        self.names: dict[tuple[int, int], str] = {}
        for y, row in enumerate(self.rows):
            for word in set(row.split()) & states:
                start = row.index(word)
                self.names.update({(y, x): word for x in range(start - 1, start + len(word) + 1)})

    def arrows(self) -> Iterator[tuple[str, str]]:
        """Yield where each arrow begins and ends."""
        for y, row in enumerate(self.rows):
            for x, character in enumerate(row):
                if character in self.AHEAD:
                    dy, dx = self.AHEAD[character]
                    yield self.begin(y, x, -dy, -dx), self.names[y + dy, x + dx]

    AHEAD: Final = {"▶": (0, 1), "▼": (1, 0), "▲": (-1, 0)}
    TURNS: Final = {
        "┘": {(1, 0): (0, -1), (0, 1): (-1, 0)},
        "└": {(1, 0): (0, 1), (0, -1): (-1, 0)},
    }

    def begin(self, y: int, x: int, dy: int, dx: int) -> str:
        """Follow a line back from its head to the state where it begins."""
        while (y, x) not in self.names:
            y, x = y + dy, x + dx
            dy, dx = self.TURNS.get(self.rows[y][x], {}).get((dy, dx), (dy, dx))
            assert (y, x) in self.names or self.rows[y][x] in "─│┘└", (y, x)
        return self.names[y, x]


@pytest.mark.parametrize("heading", ROWS)
def test_the_rows_are_those_of_the_table(heading: str) -> None:
    *_, rows = tables_in(section_of(PAGE, heading))
    assert rows == [(f"`{before}`", what, f"`{after}`") for before, what, after in ROWS[heading]]


@pytest.mark.parametrize("heading", ROWS)
def test_every_state_is_explained(heading: str) -> None:
    states, _ = tables_in(section_of(PAGE, heading))
    assert sorted(row[0] for row in states) == sorted(f"`{state.name}`" for state in STATES[heading])


@pytest.mark.parametrize("heading", ROWS)
def test_the_drawing_has_every_step_from_one_state_to_another(heading: str) -> None:
    drawing = [block for block in blocks_of(PAGE) if block.code in section_of(PAGE, heading)]
    assert len(drawing) == 1
    arrows = list(Drawing(drawing[0].code, {state.name for state in STATES[heading]}).arrows())
    assert sorted(arrows) == sorted(
        {(before, after) for before, _, after in ROWS[heading] if before != after}
    )


def test_a_drawing_that_lacks_an_arrow_is_found_out() -> None:
    arrows = list(Drawing("A ──▶ B\n▲     │\n└─────┘\n", {"A", "B"}).arrows())
    assert arrows == [("A", "B"), ("B", "A")]
    assert list(Drawing("A ─── B\n", {"A", "B"}).arrows()) == []
