"""The command: what it plays, what it prints, how it ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from spry_core.testing.conformance import SCENARIOS, memory
from spry_core.testing.conformance.command import choose, load, main

ROOT = Path(__file__).resolve().parents[4]
ONE = "http: a request is answered"


def test_it_runs_as_a_module() -> None:
    command = [sys.executable, "-m", "spry_core.testing.conformance", "memory", "--scenario", ONE]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[-1] == "all        1       0        0"


def test_it_lists_titles(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--group", "timers", "--group", "lifespan"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert listed == [each.title for each in SCENARIOS if each.group in {"timers", "lifespan"}]


def test_it_says_how_each_went_and_then_all(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", "-v", "--over", "memory", "--scenario", ONE]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"passed   {ONE}",
        "group  passed  failed  skipped",
        "http       1       0        0",
        "all        1       0        0",
    ]


def test_a_failure_is_explained_and_the_status_is_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance_backends:nowhere", "--over", "socket", "--scenario", ONE]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"FAILED {ONE}"
    assert lines[1].startswith("  at step 1 of 3: Send(data=b'GET / ")
    assert lines[2].startswith("  ConnectionRefusedError(")
    assert lines[3].endswith(f'conformance conformance_backends:nowhere --scenario "{ONE}"')
    assert lines[-1] == "all        0       1        0"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["nonsense"], "a backend is named MODULE:NAME, or 'memory', and not 'nonsense'"),
        (["no_such_module:backend"], "No module named 'no_such_module'"),
        (["conformance_backends:nothing"], "has no attribute 'nothing'"),
        (["conformance_backends:__doc__"], "conformance_backends:__doc__ is no callable"),
        (["memory", "--over", "socket"], "the backend 'memory' is not played over socket"),
        (["conformance_backends:nowhere", "--over", "memory"], "is not played over memory"),
        (["memory", "--scenario", "no such title"], "no scenario is named so; --list lists them"),
    ],
)
def test_what_cannot_be_played_is_said_and_the_status_is_2(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m spry_core.testing.conformance: ")
    assert text in error


def test_scenarios_are_chosen_by_group_and_by_title() -> None:
    assert choose([], []) == list(SCENARIOS)
    assert [each.title for each in choose(["http"], ["request is answered"])] == [ONE]
    assert load("memory") is memory
