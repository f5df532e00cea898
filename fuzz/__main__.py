"""`python -m fuzz`: fuzz some targets or all of them, one after the other, guided by coverage where Atheris is installed."""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))  # the corpora are those of the tests

from engines import exchange_default  # noqa: E402
from fuzz import blind, guided, sanitized  # noqa: E402
from fuzz.mutation import TOKENS  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402
from spry_core.protocol import DEFAULT_ENGINE  # noqa: E402
from spry_core.protocol.engines import check_engine  # noqa: E402

FOLDER: Final = ROOT / ".fuzz"
"""Where inputs that reached something new, and those that failed, are kept."""

_COUNT: Final = re.compile(r"^stat::number_of_executed_units:\s+(\d+)$", re.MULTILINE)


class Result(NamedTuple):
    """What is told of one target."""

    inputs: int
    has_failed: bool
    text: str


def main(arguments: Sequence[str]) -> int:
    """Do what the arguments say; 1 if something was found."""
    options = parse(arguments)
    names: list[str] = options.target or list(TARGETS)
    exchange_default(options.engine)
    if options.replay is not None:
        TARGETS[names[0]].check(options.replay.read_bytes())
        print("no check fails")
        return 0
    if options.sanitize:
        return run_sanitized(names if options.target else ["primitives"], options)
    seconds = 60.0 if options.seconds is None and options.runs is None else options.seconds
    failed = 0
    for name in names:
        start = time.monotonic()
        if options.blind or not guided.is_available():
            result = run_blind(name, seconds, options.runs, options.seed)
        else:
            result = run_guided(name, seconds, options.runs, options.seed, options.engine)
        failed += result.has_failed
        verdict = "FAILED" if result.has_failed else "ok"
        print(
            f"{verdict:<7}{name:<14}{result.inputs:>9} inputs, {time.monotonic() - start:.0f} s", flush=True
        )
        if result.has_failed:
            print(result.text, flush=True)
    print(f"{failed} of {len(names)} targets failed" if failed else "nothing found")
    return 1 if failed else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, allow_abbrev=False)
    parser.add_argument("target", nargs="*", help=f"default: each of {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, help="for each target (default: 60, or as --runs takes)")
    parser.add_argument("--runs", type=int, help="inputs for each target")
    parser.add_argument(
        "--seed", type=int, default=random.randrange(1, 1 << 31), help="(default: another each time)"
    )
    parser.add_argument(
        "--engine", default=DEFAULT_ENGINE, help="the one below all that is fuzzed (default: %(default)s)"
    )
    parser.add_argument("--blind", action="store_true", help="change seeds by chance, without Atheris")
    parser.add_argument(
        "--sanitize",
        action="store_true",
        help="with the module in C under sanitizers: its tests, then the targets (default: primitives), without Atheris",
    )
    parser.add_argument(
        "--replay", type=Path, metavar="FILE", help="check this one input with the first target"
    )
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.target if name not in TARGETS]:
        parser.error(f"no such target: {', '.join(unknown)}")
    try:
        check_engine(options.engine)
    except ValueError as error:
        parser.error(str(error))
    if options.replay is not None and not options.target:
        parser.error("--replay needs a target")
    return options


def run_sanitized(names: Sequence[str], options: argparse.Namespace) -> int:
    """Compile the module in C with sanitizers, run its tests, and fuzz in a process that has loaded it."""
    try:
        library = sanitized.build(FOLDER / "sanitized")
    except sanitized.CannotBuild as error:
        print(f"FAILED {error}")
        return 1
    tests = sanitized.run(library, "pytest", "-q", "-p", "no:cacheprovider", *sanitized.UNIT_TESTS)
    given = {
        "--seconds": options.seconds,
        "--runs": options.runs,
        "--seed": options.seed,
        "--engine": options.engine,
    }
    limits = [word for name, value in given.items() if value is not None for word in (name, str(value))]
    fuzzing = sanitized.run(library, "fuzz", *names, "--blind", *limits)
    return 1 if tests.returncode or fuzzing.returncode else 0


def run_blind(name: str, seconds: float | None, runs: int | None, seed: int) -> Result:
    """Fuzz in this process."""
    report = blind.run(TARGETS[name], seconds=seconds, runs=runs, seed=seed)
    if report.crash is None:
        return Result(report.inputs, False, "")
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"crash-{hashlib.sha1(report.crash, usedforsecurity=False).hexdigest()}"
    file.write_bytes(report.crash)
    return Result(
        report.inputs, True, f"{report.crash!r}\n{report.error!r}\nkept in {file.relative_to(ROOT)}"
    )


def run_guided(
    name: str, seconds: float | None, runs: int | None, seed: int, engine: str = DEFAULT_ENGINE
) -> Result:
    """Fuzz in a process of its own, and read what it tells at its end."""
    folder = FOLDER / name
    new, given = folder / "corpus", folder / "seeds"
    for each in (new, given):
        each.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(TARGETS[name].seeds()):
        (given / str(number)).write_bytes(data)
    words = FOLDER / "words"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in TOKENS), encoding="ascii")
    options = [
        f"-artifact_prefix={folder}{os.sep}",
        f"-dict={words}",
        f"-seed={seed}",
        "-print_final_stats=1",
    ]
    options += ["-max_len=4096", "-timeout=20", "-rss_limit_mb=2048", f"-max_total_time={int(seconds or 0)}"]
    options += [f"-runs={runs}"] if runs is not None else []
    process = subprocess.run(
        [sys.executable, "-m", "fuzz.guided", name, engine, *options, str(new), str(given)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT / "tests"), str(ROOT)))},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    count = _COUNT.search(process.stdout)
    inputs = int(count[1]) if count else 0
    return Result(inputs, process.returncode != 0, "\n".join(process.stdout.splitlines()[-40:]))


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
