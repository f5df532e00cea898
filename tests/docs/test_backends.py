"""docs/reference/backends.md names the calls that there are, and no others."""

from __future__ import annotations

import re
from typing import Final

from pages import section_of, tables_in
from spry_core.driver import Driver
from spry_core.protocol import Connection
from spry_core.serving import Session

PAGE: Final = "docs/reference/backends.md"


def names_in(rows: list[tuple[str, ...]]) -> list[str]:
    """Return what the first cells name, without arguments."""
    return [re.sub(r"`(\w+)\b.*", r"\1", row[0]) for row in rows]


def public(kind: type) -> set[str]:
    """Return the public names of a class, inherited ones too."""
    return {name for name in dir(kind) if not name.startswith("_")}


def test_the_face_of_a_connection_is_complete() -> None:
    section = section_of(PAGE, "## The face of a connection")
    pump, owner = tables_in(section)
    (questions,) = re.findall(r"^And it answers questions.*$", section, flags=re.MULTILINE)
    named = names_in(pump) + names_in(owner) + re.findall(r"`(\w+)`", questions)
    assert sorted(named) == sorted(public(Connection))


def test_a_session_has_the_pumps_half() -> None:
    pump, _ = tables_in(section_of(PAGE, "## The face of a connection"))
    assert set(names_in(pump)) <= public(Session)


def test_the_verbs_are_those_of_the_driver() -> None:
    (verbs,) = tables_in(section_of(PAGE, "## The driver"))
    assert names_in(verbs) == [name for name in vars(Driver) if not name.startswith("_")]
