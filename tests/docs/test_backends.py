"""docs/reference/backends.md names the calls that there are, and no others."""

from __future__ import annotations

import re
from typing import Final

from pages import section_of, tables_in
from spry_core.driver import Driver
from spry_core.protocol import Connection
from spry_core.serving import Session

PAGE: Final = "docs/reference/backends.md"

QUESTIONS: Final = {
    "awaits_continue",
    "buffered_amount",
    "close_info",
    "is_open",
    "is_websocket",
    "limits",
    "timeouts",
}
"""What an owner may ask a connection; decision 4 lists them, since they change nothing."""


def names_in(rows: list[tuple[str, ...]]) -> list[str]:
    """Return what the first cells name, without arguments."""
    return [re.sub(r"`(\w+)\b.*", r"\1", row[0]) for row in rows]


def public(kind: type) -> set[str]:
    """Return the public names of a class."""
    return {name for name in vars(kind) if not name.startswith("_")}


def test_the_face_of_a_connection_is_complete() -> None:
    pump, owner = tables_in(section_of(PAGE, "## The face of a connection"))
    assert sorted(names_in(pump) + names_in(owner)) == sorted(public(Connection) - QUESTIONS)


def test_decision_4_lists_what_an_owner_may_ask() -> None:
    page = section_of("docs/decisions/0004-shutdown-abort-and-configure.md", "## Decision")
    (sentence,) = re.findall(r"^Beside them .*$", page, flags=re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", sentence)) == QUESTIONS


def test_a_session_has_the_pumps_half() -> None:
    pump, _ = tables_in(section_of(PAGE, "## The face of a connection"))
    assert set(names_in(pump)) <= public(Session)


def test_the_verbs_are_those_of_the_driver() -> None:
    (verbs,) = tables_in(section_of(PAGE, "## The driver"))
    assert names_in(verbs) == [name for name in vars(Driver) if not name.startswith("_")]
