"""The pages keep what they promise: Python blocks run, commands exist, links lead somewhere.

A Python block is a program of its own, whole as it stands: it runs in an interpreter and a folder of its own, with warnings
as errors. What it prints is what the `text` block right behind it shows, or nothing. A block below the comment
``<!-- served: NAME -->`` makes an application; the test file of its page serves that and talks to it instead.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest

import dev
from pages import PAGES, ROOT, Block, anchors_of, blocks_of, links_of
from spry_cli.main import make_parser

PATIENCE = 30.0
"""Seconds that one block may take; a busy machine is slow."""

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
PROGRAMS = [block for block in BLOCKS if block.language == "python" and block.marker is None]
SERVED_PAGES = {"docs/websockets.md": "tests/docs/test_websockets.py"}
"""Pages with served blocks, and who talks to these."""


def shown_behind(block: Block) -> str:
    """Return what the page shows as the output of `block`."""
    blocks = list(blocks_of(block.page))
    following = blocks[blocks.index(block) + 1 :][:1]
    end = block.line + block.code.count("\n")  # the line of the closing fence
    shown = [each.code for each in following if each.language == "text" and each.line <= end + 4]
    return shown[0] if shown else ""


@pytest.mark.parametrize("block", PROGRAMS, ids=str)
def test_a_python_block_is_a_program_that_runs(block: Block, tmp_path: Path) -> None:
    program = tmp_path / PurePosixPath(block.page).with_suffix(".py").name
    # Empty lines in front: a traceback then names the line of the page.
    program.write_text("\n" * (block.line - 1) + block.code, encoding="utf-8")
    # CI: Hypothesis then draws the same examples at every run, and does not judge how fast a busy machine draws them.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "CI": "1"}
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == shown_behind(block)


def test_every_served_block_has_somebody_who_talks_to_it() -> None:
    served = {block.page for block in BLOCKS if block.marker is not None}
    assert served == set(SERVED_PAGES)
    assert all((ROOT / test).is_file() for test in SERVED_PAGES.values())
    assert {block.marker[0] for block in BLOCKS if block.marker is not None} == {"served"}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_every_block_is_in_a_known_language(block: Block) -> None:
    assert block.language in {"python", "console", "text"}


SHELL = {"mkdir first", "cd first", "python3 -m venv .venv", ". .venv/bin/activate"}
"""What needs no looking after."""


def commands_of(block: Block) -> list[list[str]]:
    """Return the command lines of a console block; its other lines are output."""
    return [shlex.split(line[2:]) for line in block.code.splitlines() if line.startswith("$ ")]


COMMANDS = [
    pytest.param(command, id=f"{block}: {shlex.join(command)}")
    for block in BLOCKS
    if block.language == "console"
    for command in commands_of(block)
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_exists(command: list[str]) -> None:
    match command:
        case ["python3", "dev.py", *arguments]:
            dev.parse(arguments)
        case ["spry", *arguments]:
            make_parser().parse_args(arguments)
        case ["pip", "install", what]:
            assert re.fullmatch(r"\.|(?:\.|\.\./spry|spry)\[(?:trio|fast|trio,fast)\]", what)
        case ["python", "-m", program, *_]:
            assert find_spec(f"{program}.__main__") is not None
        case ["curl", address]:
            assert address.startswith("http://127.0.0.1:8000/")
        case _:
            assert shlex.join(command) in SHELL


def test_a_console_block_begins_with_a_command() -> None:
    begins = {str(block): block.code.startswith("$ ") for block in BLOCKS if block.language == "console"}
    assert [block for block, fine in begins.items() if not fine] == []


def test_commands_in_running_text_exist_too() -> None:
    """`python3 dev.py …` in backquotes is a command as well; brackets and bars in it are those of a synopsis."""
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for command in re.findall(r"`python3 dev\.py ([^`\[]+)[`\[]", text):
            assert dev.parse(shlex.split(command))[0].command in dev.EXTRAS


LINKS = [(page, link) for page in PAGES for link in links_of(page)]


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_every_link_leads_somewhere(page: str, link: str) -> None:
    if link.startswith("https://"):
        return  # no test asks another machine
    path, _, anchor = link.partition("#")
    target = (ROOT / page).parent.joinpath(path).resolve() if path else ROOT / page
    assert target.exists(), f"{page}: {link}"
    if anchor:
        assert anchor in anchors_of(target.relative_to(ROOT).as_posix()), f"{page}: {link}"


def test_every_page_of_the_docs_is_in_the_index() -> None:
    listed = {(ROOT / "docs" / link.partition("#")[0]).resolve() for link in links_of("docs/index.md")}
    pages = {(ROOT / page).resolve() for page in PAGES if page.startswith("docs/")}
    assert pages - listed == {ROOT / "docs/index.md"}


def test_no_page_names_a_place_of_one_machine() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/", text), page
