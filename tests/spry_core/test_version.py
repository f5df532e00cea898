"""The version is written once; the build reads it there."""

from __future__ import annotations

import tomllib
from pathlib import Path

from spry_core.version import VERSION

ROOT = Path(__file__).resolve().parents[2]


def test_the_build_reads_the_version_where_it_is_written() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" not in project["project"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "spry_core.version.VERSION"}


def test_the_version_is_three_numbers() -> None:
    """PEP 440, and what a user may compare."""
    assert [int(number) for number in VERSION.split(".")] == [0, 1, 0]
