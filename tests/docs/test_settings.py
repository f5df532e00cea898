"""docs/reference/settings.md says what the two dataclasses say."""

from __future__ import annotations

import ast
import inspect
import re
from dataclasses import fields
from typing import Final

import pytest

from pages import section_of, tables_in
from spry_core.protocol import limits
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.web.options import LimitSettings, TimeoutSettings

PAGE: Final = "docs/reference/settings.md"
UNITS: Final = {
    "bytes",
    "bytes a second",
    "connections",
    "fields",
    "frames",
    "lines",
    "messages",
    "requests",
    "seconds",
}


def shown(value: float | None, unit: str) -> str:
    """Write a default as the page does."""
    if value is None:
        return "None"
    for size, name in ((1024 * 1024, "MiB"), (1024, "KiB")):
        if unit == "bytes" and value % size == 0:
            return f"{value // size} {name}"
    return f"{value:,g}" if value < 1000 else f"{value:,}"


def described() -> dict[tuple[str, str], str]:
    """Return the docstring of each setting."""
    found: dict[tuple[str, str], str] = {}
    for node in ast.parse(inspect.getsource(limits)).body:
        if isinstance(node, ast.ClassDef):
            for setting, text in zip(node.body, node.body[1:], strict=False):
                match setting, text:
                    case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(
                        value=ast.Constant(value=str(words))
                    ):
                        found[node.name, name] = words
                    case _:
                        pass
    return found


def codes_in(text: str) -> set[str]:
    """Return the status codes and close codes that a text names."""
    return set(re.findall(r"\b(?:[45]\d\d|1\d\d\d)\b", re.sub(r"RFC \d+(?: §[\d.]+)?", "", text)))


@pytest.mark.parametrize(("settings", "heading"), [(Limits(), "## Limits"), (Timeouts(), "## Timeouts")])
def test_the_page_lists_every_setting_with_its_default(settings: Limits | Timeouts, heading: str) -> None:
    (rows,) = tables_in(section_of(PAGE, heading))
    expected = [
        (f"`{field.name}`", shown(getattr(settings, field.name), unit))
        for field, (_, _, unit, _, _) in zip(fields(settings), rows, strict=True)
    ]
    assert [(name, default) for name, _, _, default, _ in rows] == expected
    assert {unit for _, _, unit, _, _ in rows} <= UNITS


@pytest.mark.parametrize(("kind", "heading"), [("Limits", "## Limits"), ("Timeouts", "## Timeouts")])
def test_the_answers_are_those_of_the_docstrings(kind: str, heading: str) -> None:
    (rows,) = tables_in(section_of(PAGE, heading))
    words = described()
    for name, _, _, _, answer in rows:
        assert codes_in(answer) == codes_in(words[kind, name.strip("`")]), name


def test_the_page_names_what_a_route_may_replace() -> None:
    (sentence,) = re.findall(
        r"^Six of them .*$", section_of(PAGE, "## For one WebSocket route"), flags=re.MULTILINE
    )
    assert (
        set(re.findall(r"`(\w+)`", sentence))
        == LimitSettings.__optional_keys__ | TimeoutSettings.__optional_keys__
    )
