#!/usr/bin/env python3
"""Work on a clone: `python3 dev.py demo`, `test`, `check`, `conformance`, `fuzz`, `soak` or `bench`.

Needs nothing but Python 3.11. It makes a virtual environment of its own in `.venv`, installs what the command
asks for, and does so again only when `pyproject.toml`, what the module in C is built from, the Python version or the place of the
clone changed (`docs/decisions/0001-dev-makes-its-own-environment.md` says why).
"""

# Alone in this project: no `from __future__ import annotations`, and no syntax newer than Python 3.6. An older
# Python must be able to parse the file, to get as far as the line that tells what is wrong.
import sys

if sys.version_info < (3, 11):
    sys.exit(
        f"dev.py: Spry needs Python 3.11 or newer, and this is {sys.version_info[0]}.{sys.version_info[1]}"
    )

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import time
import venv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, NoReturn

ROOT = Path(__file__).resolve().parent
ENVIRONMENT = ROOT / ".venv"
STAMP = ENVIRONMENT / "dev.stamp"
PYTHON = ENVIRONMENT / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

MODULE_SOURCES = (ROOT / "setup.py", ROOT / "spry_core/speedups.c")
"""What the module in C is built from."""

MODULE_FOLDER = ROOT / "spry_core"
"""Where an editable installation puts the module, and leaves it."""

PACKAGES = ("spry_core", "spry_system", "spry_asyncio", "spry_trio", "spry_cli")
"""Every package whose public types must be complete."""

EXTRAS = {
    "demo": frozenset({"trio", "fast"}),
    "test": frozenset({"trio", "fast", "test", "conformance", "hypothesis"}),
    # What is type-checked, is so with what it imports.
    "check": frozenset({"trio", "fast", "test", "conformance", "hypothesis", "check"}),
    "prepare": frozenset({"trio", "fast", "test", "conformance", "hypothesis", "check"}),
    "conformance": frozenset({"trio", "fast", "conformance"}),
    "fuzz": frozenset({"test", "fuzz", "hypothesis"}),  # it begins with the corpora of the tests
    "soak": frozenset({"trio", "fast", "test"}),
    "bench": frozenset({"trio", "fast"}),  # what it measures Spry beside is in an environment of its own
}
"""The extras of pyproject.toml that a command needs."""

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Commands that may start the browser which the tests of the demo drive."""

LEADS_ASTRAY = ("PYTHONHOME", "PYTHONPATH", "PIP_PREFIX", "PIP_TARGET", "PIP_USER", "VIRTUAL_ENV")
"""Variables that would make the environment's Python or pip work on some other installation."""


class CannotPrepare(Exception):  # noqa: N818 - it states a fact, as the project's own exceptions do
    """The environment cannot be made; the text is for the person at the terminal."""


@dataclass(frozen=True)
class Stamp:
    """What an environment was made from. It is written last, so an environment without one is unfinished."""

    root: str
    """Where the clone lay: an environment cannot be moved, and the editable installation points here."""

    python: str
    """The Python that made it (`python_tag`)."""

    pyproject: str
    """SHA-256 of pyproject.toml."""

    module: str
    """SHA-256 of what the module in C is built from, or `pure` where it is not to be built (`module_tag`)."""

    extras: frozenset[str]
    """The extras installed so far."""

    def to_text(self) -> str:
        """Return the text that `from_text` reads: one line for each field."""
        return (
            "\n".join((self.root, self.python, self.pyproject, self.module, " ".join(sorted(self.extras))))
            + "\n"
        )

    @classmethod
    def from_text(cls, text: str) -> "Stamp | None":
        """Return the stamp that `to_text` wrote, or None if `text` is not complete."""
        lines = text.split("\n")
        if len(lines) != 6 or lines[-1]:
            return None
        return cls(lines[0], lines[1], lines[2], lines[3], frozenset(lines[4].split()))


def plan(found: Stamp | None, wanted: Stamp) -> Literal["keep", "install", "remake"]:
    """Tell what the environment that bears the stamp `found` needs to become the `wanted` one."""
    if found is None or (found.root, found.python) != (wanted.root, wanted.python):
        return "remake"
    made_from = (found.pyproject, found.module)
    if made_from != (wanted.pyproject, wanted.module) or not wanted.extras <= found.extras:
        return "install"
    return "keep"


def python_tag() -> str:
    """Name the running Python as far as installed packages depend on it, such as `cpython-311`."""
    return f"{sys.implementation.cache_tag}{getattr(sys, 'abiflags', '')}"


def digest(*files: Path) -> str:
    """Return the SHA-256 of what is in the files, one behind the other."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def module_tag(variables: Mapping[str, str]) -> str:
    """Name what the module in C is made of; `pure` if setup.py, which reads the same variable, leaves it out."""
    return "pure" if variables.get("SPRY_PURE") == "1" else digest(*MODULE_SOURCES)


def wanted_extras(command: str, has_node: bool) -> frozenset[str]:
    """Return the extras for `command`; pyright, which `check` runs, is a Node.js program."""
    extras = EXTRAS[command]
    return extras if has_node or "check" not in extras else extras | {"node"}


def clean_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return `variables` without those that would lead the environment's Python astray."""
    return {name: value for name, value in variables.items() if name not in LEADS_ASTRAY}


def find_chromium() -> str | None:
    """Return the path of an installed Chromium, or None."""
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


# ------------------------------------------------------------------------------------------------- the environment


def say(line: str) -> None:
    """Tell the person at the terminal what happens; standard output belongs to the command itself."""
    print(f"dev.py: {line}", file=sys.stderr, flush=True)


def run(*command: str | Path) -> None:
    """Run one step of making the environment, silent unless it fails.

    Raises:
        CannotPrepare: The step failed; what it printed has been shown.
    """
    step = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=clean_environment(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if step.returncode:
        print(step.stdout, end="", file=sys.stderr)
        raise CannotPrepare(f"this failed with exit code {step.returncode}: {' '.join(map(str, command))}")


def is_alive() -> bool:
    """Tell whether the environment's Python starts and is still the one it was made with."""
    try:
        answer = subprocess.run(
            [str(PYTHON), "-I", "-c", "import sys; print(sys.implementation.cache_tag)"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:  # not there, or its Python has been removed
        return False
    return answer.stdout.strip() == sys.implementation.cache_tag


def has_module(name: str) -> bool:
    """Tell whether the Python that runs this has the module `name`."""
    return importlib.util.find_spec(name) is not None


def make_environment() -> None:
    """Make `.venv` anew, with a pip in it, whichever way this Python offers one.

    Debian and Ubuntu take `ensurepip` out of their Python, and forbid their pip to install anything outside of a
    virtual environment; but that pip, or virtualenv, can still fill one.
    """
    if ENVIRONMENT.exists():
        shutil.rmtree(ENVIRONMENT)
    if has_module("ensurepip"):
        venv.create(ENVIRONMENT, symlinks=os.name != "nt")
        run(PYTHON, "-I", "-m", "ensurepip")
    elif has_module("pip"):
        venv.create(ENVIRONMENT, symlinks=os.name != "nt")
        run(sys.executable, "-m", "pip", "--python", PYTHON, "install", "--quiet", "pip")
    elif has_module("virtualenv"):
        run(sys.executable, "-m", "virtualenv", "--quiet", ENVIRONMENT)
    else:
        raise CannotPrepare(
            "this Python has neither ensurepip nor pip (Debian: apt-get install python3-venv)"
        )


def remove_module() -> None:
    """Remove the module in C: where it cannot be built or is not wanted any more, pip leaves the old one there."""
    for suffix in ("so", "pyd"):
        for file in MODULE_FOLDER.glob(f"speedups.*{suffix}"):
            file.unlink()


def prepare(command: str) -> None:
    """Bring the environment to what `command` needs; silent and quick when there is nothing to do."""
    wanted = Stamp(
        root=str(ROOT),
        python=python_tag(),
        pyproject=digest(ROOT / "pyproject.toml"),
        module=module_tag(os.environ),
        extras=wanted_extras(command, has_node=shutil.which("node") is not None),
    )
    found = Stamp.from_text(STAMP.read_text(encoding="utf-8")) if STAMP.exists() and is_alive() else None
    step = plan(found, wanted)
    if step == "keep":
        return
    say(f"installing what `{command}` needs into .venv (this time only) ...")
    if step == "remake":
        make_environment()
    elif found:
        wanted = replace(wanted, extras=wanted.extras | found.extras)
        STAMP.unlink()
    remove_module()
    extras = ",".join(sorted(wanted.extras))
    run(PYTHON, "-m", "pip", "install", "--quiet", "--no-input", "--editable", f".[{extras}]")
    unfinished = STAMP.with_suffix(".new")
    unfinished.write_text(wanted.to_text(), encoding="utf-8")
    unfinished.replace(STAMP)


# ---------------------------------------------------------------------------------------------------- the commands


def become(arguments: Sequence[str]) -> NoReturn:
    """Go on as the environment's Python: signals, output and the exit code are then that program's own."""
    command = [str(PYTHON), *arguments]
    environment = clean_environment(os.environ)
    os.chdir(ROOT)
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(PYTHON, command, environment)
    try:
        sys.exit(subprocess.call(command, env=environment))
    except KeyboardInterrupt:  # Windows sends it to both
        sys.exit(130)


def demo(backend: str, host: str, port: int) -> NoReturn:
    """Serve examples/demo until interrupted."""
    application = ["--app-dir", "examples/demo", "app:app"]
    become(["-m", "spry_cli", "run", *application, "--backend", backend, "--host", host, "--port", str(port)])


def pytest_arguments(given: Sequence[str]) -> list[str]:
    """Return pytest's arguments: those given, or else the whole suite and how much it has to cover (`tests/conftest.py`)."""
    if given:
        return list(given)  # a part of the suite cannot cover the whole
    return ["--cov", "--cov-report=term-missing:skip-covered", "--gates"]


def test(given: Sequence[str]) -> NoReturn:
    """Run the tests; the last line is pytest's summary."""
    if find_chromium() is None:
        print("browser tests will be skipped: no chromium found; apt-get install chromium", flush=True)
    become(["-m", "pytest", *pytest_arguments(given)])


def checkers() -> dict[str, list[str]]:
    """Return each check by its name: arguments for the environment's Python."""
    imports = (
        "from importlinter.cli import lint_imports_command as lint; lint()"  # it has no `python -m` form
    )
    return {
        "ruff check": ["-m", "ruff", "check"],
        "ruff format": ["-m", "ruff", "format", "--check"],
        "mypy --strict": ["-m", "mypy", "--strict"],
        "pyright": ["-m", "pyright", "--pythonpath", str(PYTHON)],
        # The types of pytest and Hypothesis, which two modules of the kit derive from, are not ours to complete.
        **{
            f"pyright --verifytypes {name}": ["-m", "pyright", "--ignoreexternal", "--verifytypes", name]
            for name in PACKAGES
        },
        "lint-imports": ["-c", imports, "--no-cache", "--no-logo"],
    }


def check() -> int:
    """Run every checker, one line for each and the output of those that failed; return the exit code."""
    environment = {
        **clean_environment(os.environ),
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",  # or its wrapper asks for its newest release at every start
        # --verifytypes knows no --pythonpath: it asks the first `python` on the path, and sees no editable installation.
        "PATH": os.pathsep.join((str(PYTHON.parent), os.environ.get("PATH", os.defpath))),
        "PYTHONPATH": str(ROOT),
    }
    failed: list[str] = []
    for name, arguments in checkers().items():
        start = time.monotonic()
        result = subprocess.run(
            [str(PYTHON), *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            check=False,
        )
        verdict = "FAILED" if result.returncode else "ok"
        print(f"{verdict:<7}{name} ({time.monotonic() - start:.1f} s)", flush=True)
        if result.returncode:
            failed.append(name)
            print(result.stdout.rstrip(), flush=True)
    print(
        f"{len(failed)} of {len(checkers())} checks failed: {', '.join(failed)}"
        if failed
        else "every check passed"
    )
    return 1 if failed else 0


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Return what the command line says, and what of it is for the program that a command becomes."""
    parser = argparse.ArgumentParser(
        prog="dev.py", allow_abbrev=False, description="Work on a clone of Spry."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser("demo", help="serve the demo application", allow_abbrev=False)
    serve.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    # Options behind `test` are pytest's, also --help.
    commands.add_parser(
        "test", help="run the tests; what follows is for pytest", add_help=False, allow_abbrev=False
    )
    commands.add_parser("check", help="run the linters and type checkers", allow_abbrev=False)
    commands.add_parser("prepare", help="only install what `test` and `check` need", allow_abbrev=False)
    commands.add_parser(
        "conformance", help="run the cases of the Autobahn test suite", add_help=False, allow_abbrev=False
    )
    commands.add_parser("fuzz", help="fuzz the parsers", add_help=False, allow_abbrev=False)
    commands.add_parser(
        "soak", help="run chaos and signals for a long time", add_help=False, allow_abbrev=False
    )
    commands.add_parser("bench", help="measure how fast it is", add_help=False, allow_abbrev=False)
    if arguments[:1] in (["test"], ["conformance"], ["fuzz"], ["soak"], ["bench"]):
        return parser.parse_args(arguments[:1]), list(arguments[1:])
    return parser.parse_args(arguments), []


def main(arguments: Sequence[str]) -> int:
    """Run the command that `arguments` name and return its exit code (2: it could not be prepared)."""
    options, behind = parse(arguments)
    try:
        prepare(options.command)
    except CannotPrepare as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        say("interrupted; the next run starts again")
        return 130
    if options.command == "demo":
        demo(options.backend, options.host, options.port)
    if options.command == "test":
        test(behind)
    if options.command in ("conformance", "fuzz", "soak"):
        become(["-m", options.command, *behind])
    if options.command == "bench":
        become(["-m", "benchmarks.environment", *behind])
    return 0 if options.command == "prepare" else check()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
