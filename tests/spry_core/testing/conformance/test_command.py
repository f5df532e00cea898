"""The command: what it plays, what it prints, how it ends."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys

import pytest

from pages import ROOT
from spry_core.testing.conformance import SCENARIOS, memory
from spry_core.testing.conformance.command import FEW, choose, load, main

ONE = "http: a request is answered"


def test_it_is_a_program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["conformance", "memory", "--scenario", ONE])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("spry_core.testing.conformance", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out.splitlines()[-1] == "all        1       0        0"


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


def test_a_backend_that_serves_nothing_is_given_up_after_a_few_scenarios(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["conformance_backends:broken", "--group", "http", "--workers", "1"]) == 2
    out, error = capsys.readouterr()
    assert out.splitlines()[-1] == f"all        0       {FEW}        0"
    assert error == (
        "python -m spry_core.testing.conformance: "
        "nothing was served in the first 8 scenarios, and the others are left out\n"
    )


def test_threads_that_a_backend_has_left_do_not_keep_the_command_from_its_exit() -> None:
    command = [sys.executable, "-m", "spry_core.testing.conformance", "conformance_backends:unstoppable"]
    ended = subprocess.run(
        [*command, "--scenario", ONE],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "serving has failed: OSError('no more ports')" in ended.stdout


def test_scenarios_are_chosen_by_group_and_by_title() -> None:
    assert choose([], []) == list(SCENARIOS)
    assert [each.title for each in choose(["http"], ["request is answered"])] == [ONE]
    assert load("memory") is memory
