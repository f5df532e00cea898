"""docs/reference/command.md and docs/howto/run-the-command.md say what the table of options says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Final

from pages import blocks_of, lines_of, section_of, tables_in
from spry_cli.options import OF_ROUTES, OPTIONS, Option
from spry_cli.settings import make_settings
from spry_cli.sources import Values, from_project

PAGE: Final = "docs/reference/command.md"
GUIDE: Final = "docs/howto/run-the-command.md"


def row(option: Option[object]) -> tuple[str, str, str, str]:
    """Write an option as the page does."""
    value = {"switch": "true or false", "target": "`module:app`"}.get(option.shape, f"`{option.metavar}`")
    default = f"`{option.default_text}`" if option.default_text else ""
    return f"`{option.name}`", value, default, option.help


def test_the_page_lists_every_option_as_the_table_has_it() -> None:
    rows, _ = tables_in(section_of(PAGE, "## Options"))
    assert rows == [row(option) for option in OPTIONS]


def test_the_page_says_which_setting_an_option_sets() -> None:
    _, rows = tables_in(section_of(PAGE, "## Options"))
    assert rows == [
        (f"`{option.name}`", f"`Limits.{option.limit}`" if option.limit else f"`Timeouts.{option.timeout}`")
        for option in OPTIONS
        if option.limit or option.timeout
    ]


def test_routes_has_as_many_options_as_the_page_says() -> None:
    assert "`spry routes` has the first three." in section_of(PAGE, "## Options")
    assert OPTIONS[:3] == OF_ROUTES


def test_what_is_said_not_to_be_there_is_not() -> None:
    (rows,) = tables_in(section_of(PAGE, "## Names of uvicorn's that are not here"))
    names = {name for each, _ in rows for name in re.findall(r"--[\w-]+", each)}
    assert len(names) == 11
    assert names & {option.flag for option in OPTIONS} == set()


def test_the_project_file_on_the_page_is_one(tmp_path: Path) -> None:
    texts = [block.code for page in (PAGE, GUIDE) for block in blocks_of(page) if block.language == "text"]
    projects = [text for text in texts if text.startswith("[tool.spry]")]
    assert len(projects) == 2
    for text in projects:
        assert tomllib.loads(text)["tool"]["spry"]["app"]
        (tmp_path / "pyproject.toml").write_text(text)
        make_settings(Values(OPTIONS, (from_project(tmp_path / "pyproject.toml"),)))


def test_every_option_that_the_guide_names_exists() -> None:
    named = set(re.findall(r"--([a-z][\w-]+)", "".join(lines_of(GUIDE))))
    assert len(named) > 15
    assert named - {option.name for option in OPTIONS} == {"no-access-log"}
