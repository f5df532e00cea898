"""docs/explanation/threat-model.md and known-faults.md name tests that exist, and settings that are real."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from functools import cache
from typing import Final

import pytest

from pages import ROOT, prose_of, section_of, tables_in
from spry_core.protocol import Deflate, Limits, Timeouts

PAGE: Final = "docs/explanation/threat-model.md"
HEADINGS: Final = [
    "## Two readings of one message",
    "## Too much",
    "## Too slow",
    "## WebSocket",
    "## Compression",
    "## Browsers",
    "## What the application writes",
    "## Log",
    "## TLS",
    "## Faults on the way",
]
FAULTS: Final = "docs/explanation/known-faults.md"
FAULT_HEADINGS: Final = [
    "## Framing",
    "## Size and work",
    "## What is written",
    "## WebSocket",
    "## What is not there",
]
WHO: Final = {"peer", "page", "proxy", "server", "application", "system"}
KINDS: Final = {"Limits": Limits, "Timeouts": Timeouts, "Deflate": Deflate}


def rows(heading: str, page: str = PAGE) -> list[tuple[str, ...]]:
    (found,) = tables_in(section_of(page, heading))
    return found


def names_in(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


@cache
def named_in(path: str) -> frozenset[str]:
    """Return the names of the tests in a file."""
    tree = ast.parse((ROOT / "tests" / path).read_text(encoding="utf-8"))
    functions = (node for node in tree.body if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))


def check_tests(row: str, cell: str) -> None:
    """See that a cell names tests, and nothing else, and that they exist."""
    named = names_in(cell)
    assert named, f"{row}: no test"
    assert cell == ", ".join(f"`{name}`" for name in named), row
    for name in named:
        path, _, test = name.partition("::")
        assert (ROOT / "tests" / path).is_file(), name
        assert test in named_in(path), name


@pytest.mark.parametrize(("page", "headings"), [(PAGE, HEADINGS), (FAULTS, FAULT_HEADINGS)])
def test_every_table_is_looked_at(page: str, headings: list[str]) -> None:
    tables = [table for heading in headings for table in tables_in(section_of(page, heading))]
    assert tables_in(prose_of(page)) == tables


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_threat_names_who_and_a_test_that_exists(heading: str) -> None:
    for threat, who, defence, _, tests in rows(heading):
        assert defence, threat
        assert set(who.split(", ")) <= WHO, threat
        check_tests(threat, tests)


@pytest.mark.parametrize("heading", FAULT_HEADINGS)
def test_every_known_fault_names_where_it_was_and_a_test_that_exists(heading: str) -> None:
    for fault, where, answer, tests in rows(heading, FAULTS):
        assert where, fault
        assert answer, fault
        check_tests(fault, tests)


def test_every_known_fault_stands_there_once() -> None:
    where = " ".join(row[1] for heading in FAULT_HEADINGS for row in rows(heading, FAULTS))
    found = re.findall(r"CVE-\d{4}-\d+|GHSA-\w{4}|#\d+", where)
    assert len(found) >= 40
    assert sorted(set(found)) == sorted(found)


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_setting_is_real(heading: str) -> None:
    for threat, _, _, settings, _ in rows(heading):
        assert settings == (", ".join(f"`{name}`" for name in names_in(settings)) or "–"), threat
        for name in names_in(settings):
            kind, _, setting = name.partition(".")
            assert setting in {field.name for field in fields(KINDS[kind])}, name


@pytest.mark.parametrize("kind", ["Limits", "Timeouts"])
def test_every_limit_and_every_timeout_is_there_for_a_threat(kind: str) -> None:
    named = {name for heading in HEADINGS for row in rows(heading) for name in names_in(row[3])}
    assert {f"{kind}.{field.name}" for field in fields(KINDS[kind])} <= named


def test_open_points_are_named() -> None:
    points = re.findall(r"^- .+$", section_of(PAGE, "## Open points"), flags=re.MULTILINE)
    assert len(points) >= 5


def test_a_test_that_does_not_exist_is_found_out() -> None:
    assert "test_no_such_thing" not in named_in("docs/test_threat_model.py")
    assert "test_open_points_are_named" in named_in("docs/test_threat_model.py")
