"""What dev.py decides; making an environment for real is what everybody does who runs these tests with it."""

from __future__ import annotations

import ast
import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import dev

STAMP = dev.Stamp(
    root="/clone", python="cpython-311", pyproject="abc", module="012", extras=frozenset({"trio", "fast"})
)


def test_a_stamp_reads_back_as_it_was_written() -> None:
    assert STAMP.to_text() == "/clone\ncpython-311\nabc\n012\nfast trio\n"
    assert dev.Stamp.from_text(STAMP.to_text()) == STAMP


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "/clone\ncpython-311\nabc\n012\nfast trio",
        "/clone\ncpython-311\nabc\nfast trio\n",
        "a\n" * 6,
    ],
)
def test_a_torn_stamp_is_none(text: str) -> None:
    assert dev.Stamp.from_text(text) is None


@pytest.mark.parametrize(
    ("found", "step"),
    [
        (STAMP, "keep"),
        (replace(STAMP, extras=STAMP.extras | {"test"}), "keep"),
        (replace(STAMP, extras=frozenset({"trio"})), "install"),
        (replace(STAMP, pyproject="def"), "install"),
        (replace(STAMP, module="pure"), "install"),
        (replace(STAMP, python="cpython-312"), "remake"),
        (replace(STAMP, root="/elsewhere"), "remake"),
        (None, "remake"),
    ],
)
def test_an_environment_is_touched_only_when_it_must_be(found: dev.Stamp | None, step: str) -> None:
    assert dev.plan(found, STAMP) == step


def test_only_the_checks_need_node_and_only_where_it_is_missing() -> None:
    assert dev.wanted_extras("demo", has_node=False) == {"trio", "fast"}
    test = {"trio", "fast", "test", "conformance", "hypothesis"}
    assert dev.wanted_extras("test", has_node=False) == test
    assert dev.wanted_extras("check", has_node=True) == {*test, "check"}
    assert dev.wanted_extras("check", has_node=False) == {*test, "check", "node"}


def test_what_runs_side_by_side_can_be_prepared_before() -> None:
    """Two that find something missing would install it at the same time, each under the other's feet."""
    for has_node in (True, False):
        prepared = dev.wanted_extras("prepare", has_node)
        assert prepared == dev.wanted_extras("check", has_node)
        assert prepared >= dev.wanted_extras("test", has_node)


def test_the_environment_is_not_led_to_another_installation() -> None:
    variables = {"PATH": "/bin", "PYTHONPATH": "/x", "PYTHONHOME": "/x", "VIRTUAL_ENV": "/x", "PIP_USER": "1"}
    assert dev.clean_environment(variables) == {"PATH": "/bin"}


def test_arguments_for_pytest_pass_through_untouched() -> None:
    options, for_pytest = dev.parse(["test", "-k", "cuts", "--help", "--", "-x"])
    assert (options.command, for_pytest) == ("test", ["-k", "cuts", "--help", "--", "-x"])
    assert dev.pytest_arguments(for_pytest) == for_pytest


def test_arguments_for_the_soak_pass_through_untouched() -> None:
    options, for_soak = dev.parse(["soak", "--seconds", "5", "--help"])
    assert (options.command, for_soak) == ("soak", ["--seconds", "5", "--help"])
    assert dev.wanted_extras("soak", has_node=False) == {"trio", "fast", "test"}


def test_arguments_for_the_benchmarks_pass_through_untouched() -> None:
    options, for_bench = dev.parse(["bench", "echo-*", "--rounds", "3", "--help"])
    assert (options.command, for_bench) == ("bench", ["echo-*", "--rounds", "3", "--help"])
    assert dev.wanted_extras("bench", has_node=False) == {"trio", "fast"}


def test_arguments_for_the_fuzzer_pass_through_untouched() -> None:
    options, for_fuzzer = dev.parse(["fuzz", "deflate", "--runs", "5", "--help"])
    assert (options.command, for_fuzzer) == ("fuzz", ["deflate", "--runs", "5", "--help"])
    assert dev.wanted_extras("fuzz", has_node=False) == {"test", "fuzz", "hypothesis"}


def test_only_a_whole_run_must_cover_the_packages() -> None:
    assert dev.pytest_arguments([])[-1] == "--gates"


def test_the_demo_has_defaults() -> None:
    options, _ = dev.parse(["demo"])
    assert vars(options) == {"command": "demo", "backend": "asyncio", "host": "127.0.0.1", "port": 8000}


@pytest.mark.parametrize("arguments", [[], ["deploy"], ["check", "-x"], ["demo", "--backend", "curio"]])
def test_a_wrong_command_line_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        dev.parse(arguments)
    assert capsys.readouterr().err.startswith("usage: dev.py")


def test_every_check_of_the_project_is_run() -> None:
    assert list(dev.checkers()) == [
        "ruff check",
        "ruff format",
        "mypy --strict",
        "pyright",
        "pyright --verifytypes spry_core",
        "pyright --verifytypes spry_system",
        "pyright --verifytypes spry_asyncio",
        "pyright --verifytypes spry_trio",
        "pyright --verifytypes spry_cli",
        "lint-imports",
    ]


def test_an_older_python_can_parse_it() -> None:
    """Or else it would answer with a SyntaxError instead of the sentence that names the version it needs."""
    ast.parse(Path(dev.__file__).read_text(encoding="utf-8"), feature_version=(3, 6))


# ------------------------------------------------------------------------------------------------- the environment


class Workshop:
    """An empty folder in place of `.venv`, and a list of the steps in place of running them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.environment = folder / ".venv"
        self.stamp = self.environment / "dev.stamp"
        self.steps: list[list[str]] = []
        self.stamp_while_running: list[bool] = []
        self.fails = False
        monkeypatch.setattr(dev, "PYTHON", self.environment / dev.PYTHON.relative_to(dev.ENVIRONMENT))
        monkeypatch.setattr(dev, "ENVIRONMENT", self.environment)
        monkeypatch.setattr(dev, "STAMP", self.stamp)
        monkeypatch.setattr(dev, "MODULE_FOLDER", folder)
        monkeypatch.delenv("SPRY_PURE", raising=False)
        monkeypatch.setattr(dev, "run", self.run)
        monkeypatch.setattr(dev, "has_module", {"ensurepip"}.__contains__)

    def run(self, *command: str | Path) -> None:
        self.steps.append([str(part) for part in command[1:]])
        self.stamp_while_running.append(self.stamp.exists())
        if self.fails:
            raise dev.CannotPrepare("no network")


@pytest.fixture
def workshop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    return Workshop(tmp_path, monkeypatch)


def pip_install(extras: str) -> list[str]:
    return ["-m", "pip", "install", "--quiet", "--no-input", "--editable", f".[{extras}]"]


@pytest.mark.parametrize(
    ("modules", "step"),
    [
        ({"ensurepip", "pip", "virtualenv"}, ["-I", "-m", "ensurepip"]),
        ({"pip", "virtualenv"}, ["-m", "pip", "--python", "PYTHON", "install", "--quiet", "pip"]),
    ],
)
def test_pip_comes_from_whatever_this_python_has(
    modules: set[str], step: list[str], workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Debian's Python has no ensurepip, and its pip installs nothing for the whole system (PEP 668)."""
    monkeypatch.setattr(dev, "has_module", modules.__contains__)
    dev.make_environment()
    assert workshop.steps == [[str(dev.PYTHON) if part == "PYTHON" else part for part in step]]
    assert (workshop.environment / "pyvenv.cfg").is_file()


def test_virtualenv_makes_the_whole_environment(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "has_module", {"virtualenv"}.__contains__)
    dev.make_environment()
    assert workshop.steps == [["-m", "virtualenv", "--quiet", str(workshop.environment)]]


def test_a_python_that_can_make_no_environment_is_told_what_to_install(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dev, "has_module", set[str]().__contains__)
    with pytest.raises(dev.CannotPrepare, match="apt-get install python3-venv"):
        dev.make_environment()


def test_a_new_environment_is_stamped_when_it_is_complete(workshop: Workshop) -> None:
    dev.prepare("demo")
    assert workshop.steps == [["-I", "-m", "ensurepip"], pip_install("fast,trio")]
    assert workshop.stamp_while_running == [False, False]
    stamp = dev.Stamp.from_text(workshop.stamp.read_text(encoding="utf-8"))
    pyproject = hashlib.sha256((dev.ROOT / "pyproject.toml").read_bytes()).hexdigest()
    sources = b"".join((dev.ROOT / name).read_bytes() for name in ("setup.py", "spry_core/speedups.c"))
    module = hashlib.sha256(sources).hexdigest()
    assert stamp == dev.Stamp(str(dev.ROOT), dev.python_tag(), pyproject, module, frozenset({"fast", "trio"}))


def test_a_complete_environment_is_left_alone(workshop: Workshop) -> None:
    dev.prepare("test")
    workshop.steps.clear()
    dev.prepare("demo")
    assert workshop.steps == []


def test_more_extras_join_those_that_are_there(workshop: Workshop) -> None:
    dev.prepare("demo")
    workshop.steps.clear()
    workshop.stamp_while_running.clear()
    dev.prepare("test")
    assert workshop.steps == [pip_install("conformance,fast,hypothesis,test,trio")]
    assert workshop.stamp_while_running == [False]


def test_what_is_installed_without_the_module_in_c_is_installed_anew(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And pip would leave the module of before where it is."""
    dev.prepare("demo")
    workshop.steps.clear()
    modules = [
        workshop.environment.parent / f"speedups.{suffix}" for suffix in ("abi3.so", "pyd", "c", "pyi")
    ]
    for module in modules:
        module.touch()
    monkeypatch.setenv("SPRY_PURE", "1")
    dev.prepare("demo")
    assert workshop.steps == [pip_install("fast,trio")]
    assert [module.suffix for module in modules if module.exists()] == [".c", ".pyi"]
    dev.prepare("demo")
    assert len(workshop.steps) == 1
    monkeypatch.setenv("SPRY_PURE", "0")
    dev.prepare("demo")
    assert len(workshop.steps) == 2


def test_a_failed_installation_starts_from_nothing_the_next_time(workshop: Workshop) -> None:
    dev.prepare("demo")
    workshop.fails = True
    with pytest.raises(dev.CannotPrepare, match="no network"):
        dev.prepare("test")
    workshop.fails = False
    workshop.steps.clear()
    dev.prepare("demo")
    assert workshop.steps == [["-I", "-m", "ensurepip"], pip_install("fast,trio")]


def test_an_environment_whose_python_has_gone_is_made_anew(workshop: Workshop) -> None:
    dev.prepare("demo")
    workshop.steps.clear()
    dev.PYTHON.unlink()
    dev.prepare("demo")
    assert workshop.steps == [["-I", "-m", "ensurepip"], pip_install("fast,trio")]


def test_a_failing_step_shows_its_output_and_names_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    command = [sys.executable, "-c", "print('no such package'); raise SystemExit(3)"]
    with pytest.raises(dev.CannotPrepare, match=r"exit code 3: .*no such package"):
        dev.run(*command)
    assert capsys.readouterr().err == "no such package\n"


def test_what_cannot_be_prepared_is_one_line_and_exit_code_2(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.fails = True
    assert dev.main(["check"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "dev.py: no network"


def test_preparing_does_nothing_else(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dev, "check", lambda: 1)
    assert dev.main(["prepare"]) == 0
    assert workshop.steps[-1][:3] == ["-m", "pip", "install"]
