"""docs/reference/websocket.md names what a WebSocket has, and the options that its routes have."""

from __future__ import annotations

import re
from typing import Final

import pytest

from pages import section_of, tables_in
from spry_core import WebSocket
from spry_core.web.options import WebSocketOptions, WebSocketSettings

PAGE: Final = "docs/reference/websocket.md"

OTHERS: Final = frozenset(("accept", "scope"))
"""What the page tells in its text, or other pages tell."""


def rows_of(heading: str) -> list[tuple[str, ...]]:
    """Return the rows of all tables of a section."""
    return [row for table in tables_in(section_of(PAGE, heading)) for row in table]


def names_of(heading: str) -> list[str]:
    """Return what the first cells of a section's tables name, without arguments."""
    return [name for row in rows_of(heading) for name in re.findall(r"`(?:await )?(\w+)[`(]", row[0])]


def public(kind: type) -> set[str]:
    """Return the public names of a class and of those that it is made of."""
    return {name for name in dir(kind) if not name.startswith("_")}


def test_every_option_of_a_route_is_there() -> None:
    assert sorted(names_of("## Opening")) == sorted(WebSocketSettings.__optional_keys__)


@pytest.mark.parametrize(
    "name", ["accept", "on_disconnect", "require_protocol", "close_on_return", "compression"]
)
def test_the_defaults_are_those_that_hold(name: str) -> None:
    (default,) = (row[2] for row in rows_of("## Opening") if f"`{name}`" in row[0])
    value: object = getattr(WebSocketOptions(), name)
    assert default == (f'`"{value}"`' if isinstance(value, str) else str(value))


@pytest.mark.parametrize("heading", ["## Sending", "## Pings", "## Closing", "## Attributes"])
def test_what_it_names_is_there(heading: str) -> None:
    names = names_of(heading)
    assert names
    assert set(names) <= public(WebSocket)


def test_what_sends_and_closes_and_tells_is_all_named() -> None:
    sections = ("## Sending", "## Pings", "## Closing", "## Attributes")
    named = [name for heading in sections for name in names_of(heading)]
    assert len(named) == len(set(named))
    received = {name for name in public(WebSocket) if "receive" in name or "incoming" in name} | {"listen"}
    assert set(named) == public(WebSocket) - received - OTHERS
