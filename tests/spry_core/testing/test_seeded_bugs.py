"""The kit is worth having: bugs of the kind that people make are put into copies of real modules, and each is found.

The bugs are in `seeded.bugs` and what may find them in `seeded.finders`, which runs in an interpreter of its own for each copy.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from pages import ROOT
from seeded.bugs import ADAPTERS, BUGS, CORE, HANDLERS, Bug

PACKAGES: Final = ("spry_core", "spry_system", "spry_asyncio", "spry_trio")
PAGE: Final = ROOT / "docs/explanation/what-the-kit-finds.md"
KINDS: Final = ("law", "machine", "explorer", "peer", "recording", "scenario")
PATIENCE: Final = 240.0
"""Seconds that the finders of one copy may take; a busy machine is slow."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Where the copies are."""

    folder: Path

    @property
    def clean(self) -> Path:
        """The copy without a bug."""
        return self.folder / "clean"

    def copy(self, bug: Bug, folder: Path) -> Path:
        """Make one with this bug; whoever has read its module before has compiled the right one."""
        tree = Path(shutil.copytree(self.clean, folder / "tree"))
        for compiled in (tree / bug.path).parent.glob(f"__pycache__/{Path(bug.path).stem}.*"):
            compiled.unlink()
        bug.seed(tree)
        return tree

    def find(self, tree: Path, finders: Sequence[str]) -> subprocess.CompletedProcess[str]:
        """Try these finders on a copy."""
        return subprocess.run(
            [sys.executable, "-m", "seeded.finders", str(self.folder / "records"), *finders],
            cwd=tree,
            env={**os.environ, "PYTHONPATH": str(tree), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Trees:
    """Copy what the finders need."""
    trees = Trees(tmp_path_factory.mktemp("trees"))
    uncompiled = shutil.ignore_patterns("__pycache__")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, trees.clean / package, ignore=uncompiled)
    shutil.copytree(ROOT / "examples/demo", trees.clean / "examples/demo", ignore=uncompiled)
    shutil.copytree(ROOT / "tests/seeded", trees.clean / "seeded", ignore=uncompiled)
    return trees


@pytest.fixture(scope="module")
def clean(trees: Trees) -> list[str]:
    """Try every finder of the list on the copy without a bug, which makes the recordings besides; return what they say."""
    finders = list(dict.fromkeys(finder for bug in BUGS for finder in bug.finders))
    ended = trees.find(trees.clean, finders)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout.splitlines()


def test_without_a_bug_nothing_is_found(clean: list[str]) -> None:
    assert clean == list(dict.fromkeys(f"nothing by {finder}" for bug in BUGS for finder in bug.finders))


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_is_found_by_everybody_who_is_to_find_it(
    bug: Bug, trees: Trees, clean: list[str], tmp_path: Path
) -> None:
    tree = trees.copy(bug, tmp_path)
    ended = trees.find(tree, bug.finders)
    shutil.rmtree(tree)
    said = [line for line in ended.stdout.splitlines() if not line.startswith(" ")]
    assert (ended.returncode, said) == (1, [f"found by {finder}" for finder in bug.finders]), ended.stderr


def test_there_are_bugs_of_every_sort() -> None:
    assert len(CORE) >= 6
    assert len(ADAPTERS) >= 3
    assert len(HANDLERS) >= 3
    assert len({bug.name for bug in BUGS}) == len(BUGS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_finder_is_needed(kind: str) -> None:
    """One bug at least is found by no other kind of those that were tried on it."""
    assert [bug.name for bug in BUGS if bug.kinds == (kind,)] != []


def test_every_finder_is_of_a_known_kind() -> None:
    assert {kind for bug in BUGS for kind in bug.kinds} == set(KINDS)
    assert [bug.name for bug in BUGS if len(set(bug.kinds)) != len(bug.kinds)] == []


def test_a_bug_that_does_not_fit_the_module_any_more_is_an_error(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("a = 1\n\nb = 1\nb = 1\n", encoding="utf-8")
    for change, times in (("-b = 1\n", 2), ("-c = 1\n", 0), (" a = 1\n-b = 1\n", 0), ("-= 1\n", 0)):
        with pytest.raises(ValueError, match=f"^it: .* stands {times} times in module.py, not once$"):
            Bug(name="it", path="module.py", change=change, finders=()).seed(tmp_path)
    assert module.read_text(encoding="utf-8") == "a = 1\n\nb = 1\nb = 1\n"
    Bug(name="it", path="module.py", change="\n a = 1\n\n-b = 1\n+c = 1\n", finders=()).seed(tmp_path)
    assert module.read_text(encoding="utf-8") == "a = 1\n\nc = 1\nb = 1\n"


def rows() -> Iterator[str]:
    """Give the lines of the page's tables."""
    for bug in BUGS:
        yield f"| {bug.name} | `{bug.path}` | {'<br>'.join(bug.finders)} |"


def test_the_page_lists_every_bug_and_its_finders() -> None:
    page = PAGE.read_text(encoding="utf-8")
    listed = [line for line in page.splitlines() if re.match(r"\| (?!bug |-)", line) and line.count("|") == 4]
    assert listed == list(rows())
