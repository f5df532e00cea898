"""The module in C under AddressSanitizer and UndefinedBehaviorSanitizer for a moment; `dev.py fuzz primitives --sanitize` is
the same at length. And that they would see what they are there for.
"""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Final, cast

import pytest

from fuzz import __main__ as command
from fuzz import sanitized
from fuzz.primitives import check_primitives
from spry_core.protocol import DEFAULT_ENGINE
from spry_core.protocol.engines import pure
from spry_core.protocol.engines.interface import Primitives


def test_an_answer_that_differs_is_found() -> None:
    def scan(*arguments: object) -> object:
        return "nothing"

    wrong = cast("Primitives", SimpleNamespace(**{**vars(pure), "scan": scan}))
    check_primitives(b"")
    with pytest.raises(
        AssertionError, match=r"^scan\(b'', 0, True, .*\): nothing instead of \(\[\], \[\], 0\)$"
    ):
        check_primitives(b"", wrong)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return sanitized.build(tmp_path_factory.mktemp("sanitized"))
    except sanitized.CannotBuild as error:
        pytest.skip(f"the module in C cannot be built with sanitizers: {error}")


def test_a_sample_of_inputs_does_no_harm(library: Path) -> None:
    limits = ("--blind", "--runs", "4000", "--seed", "7")
    result = sanitized.run(library, "fuzz", "primitives", *limits, capture=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert "4000 inputs" in result.stdout
    assert result.stdout.endswith("\nnothing found\n")


FAULTS: Final = {
    "a read beyond the end": (
        "length > (uint64_t)(to - from - key_size)",
        "length > (uint64_t)(to - from - key_size) + 16",
        "AddressSanitizer: heap-buffer-overflow",
    ),
    "a sum that overflows": (
        "room -= found.length;",
        "longest = PY_SSIZE_T_MAX - 2; longest += found.length; room -= found.length;",
        "runtime error: signed integer overflow",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_it_would_be_found(name: str, library: Path, tmp_path: Path) -> None:
    right, wrong, told = FAULTS[name]
    source = sanitized.SOURCE.read_text(encoding="utf-8")
    assert source.count(right) == 1
    faulty = tmp_path / library.with_suffix(".c").name
    faulty.write_text(source.replace(right, wrong), encoding="utf-8")
    result = sanitized.run(
        sanitized.build(tmp_path, faulty),
        "fuzz",
        "primitives",
        "--blind",
        "--runs",
        "4000",
        "--seed",
        "7",
        capture=True,
    )
    assert result.returncode != 0
    assert told in result.stderr


def test_a_compiler_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CC", "no-such-compiler --fast")
    with pytest.raises(sanitized.CannotBuild, match=r"^no compiler 'no-such-compiler'$"):
        sanitized.build(tmp_path)


def test_the_command_says_that_it_cannot(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    assert command.main(["--sanitize"]) == 1
    assert capsys.readouterr().out == "FAILED no compiler 'no-such-compiler'\n"


@pytest.mark.parametrize(("codes", "expected"), [((0, 0), 0), ((1, 0), 1), ((0, 1), 1)])
def test_the_command_runs_the_tests_and_then_the_targets(
    codes: tuple[int, int], expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runs: list[tuple[str, ...]] = []

    def build(folder: Path) -> Path:
        assert folder == tmp_path / "sanitized"
        return folder / "speedups.so"

    def run(library: Path, *arguments: str) -> SimpleNamespace:
        runs.append((library.name, *arguments))
        return SimpleNamespace(returncode=codes[len(runs) - 1])

    monkeypatch.setattr(command, "FOLDER", tmp_path)
    monkeypatch.setattr(sanitized, "build", build)
    monkeypatch.setattr(sanitized, "run", run)
    assert command.main(["client-frames", "--sanitize", "--runs", "5", "--seed", "1"]) == expected
    options = ("--runs", "5", "--seed", "1", "--engine", DEFAULT_ENGINE)
    assert runs == [
        ("speedups.so", "pytest", "-q", "-p", "no:cacheprovider", *sanitized.UNIT_TESTS),
        ("speedups.so", "fuzz", "client-frames", "--blind", *options),
    ]
