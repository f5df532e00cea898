"""docs/reference/application.md and tasks.md name what there is, and nothing else."""

from __future__ import annotations

import re
from typing import Final

import spry_core
from pages import lines_of, section_of, tables_in
from spry_core import Application, RouteGroup, tasks

PAGE: Final = "docs/reference/application.md"
INTERNAL: Final = {
    "Host",
    "Starter",
    "TaskScope",
    "Timeout",
    "Timer",
    "Timers",
    "become_host",
    "current_host",
    "enter",
    "part",
    "unwrap",
}
"""What `spry_core.tasks` has for those who run tasks, and the types of what the functions give."""


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


def named(section: str) -> set[str]:
    """Return the names in the first column of the table of a section."""
    (rows,) = tables_in(section_of(PAGE, section))
    return {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def test_the_members_of_a_group_are_complete() -> None:
    app = Application()
    assert named("## What both have") == public(app.group("/"))
    assert type(app.group("/")) is RouteGroup


def test_the_members_of_an_application_are_complete() -> None:
    app = Application()
    assert named("## What only the application has") == public(app) - public(app.group("/"))


def test_the_functions_of_tasks_are_complete() -> None:
    rows = tables_in("".join(lines_of("docs/reference/tasks.md")))[0]
    names = {row[0].strip("`") for row in rows}
    assert names == set(tasks.__all__) - INTERNAL
    assert {"sleep", "timeout", "scope", "TaskScope"} <= set(spry_core.__all__)
