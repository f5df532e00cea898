"""`python -m benchmarks`: measure, print the tables, and write them down."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast

from benchmarks import loopback, machine, page, subjects, table
from benchmarks.inside import timing
from benchmarks.inside.timing import Case
from benchmarks.load import CannotLoad
from benchmarks.results import Report, Timing
from benchmarks.subjects import Subject
from benchmarks.work import WORKS
from spry_core.protocol import DEFAULT_ENGINE
from spry_core.protocol.engines.choice import ENGINES

PARTS: Final = ("codec", "parser", "router", "middleware", "session")
"""What is measured in memory: the modules of `benchmarks.inside`."""


class Part(Protocol):
    """A module of `benchmarks.inside`."""

    def cases(self) -> Iterable[Case]:
        """Give what is to be called."""
        ...


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line says."""
    command = argparse.ArgumentParser(prog="dev.py bench", description="Measure Spry.", allow_abbrev=False)
    names = ", ".join((*PARTS, *(work.name for work in WORKS)))
    command.add_argument("works", nargs="*", metavar="WORK", help=f"patterns of: {names}")
    command.add_argument(
        "--only", action="append", metavar="SERVER", help="patterns of servers, such as 'spry-*'"
    )
    command.add_argument("--rounds", type=int, default=5, help="turns of each server (%(default)s)")
    command.add_argument("--seconds", type=float, default=1.0, help="of each turn (%(default)s)")
    command.add_argument(
        "--engine",
        action="append",
        choices=tuple(ENGINES),
        help=f"of Spry (repeatable; default: {DEFAULT_ENGINE})",
    )
    command.add_argument(
        "--peers", action=argparse.BooleanOptionalAction, default=True, help="other servers too (the default)"
    )
    command.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    command.add_argument("--write", action="store_true", help=f"write the tables on {page.PAGE.name}")
    command.add_argument("--list", action="store_true", help="name the servers, and do nothing else")
    return command.parse_args(arguments)


def chosen(options: argparse.Namespace) -> list[Subject]:
    """Return the servers that the command line asks for."""
    found = subjects.subjects(tuple(options.engine or (DEFAULT_ENGINE,)))
    patterns: list[str] = options.only or ["*"]
    return [
        each
        for each in found
        if (options.peers or not each.is_peer) and any(fnmatchcase(each.name, one) for one in patterns)
    ]


def measure(
    report: Report,
    installed: Sequence[Subject],
    options: argparse.Namespace,
    leave_out: Callable[[str], None],
) -> None:
    """Fill the report, and print each part of it as soon as it is there."""
    patterns: list[str] = options.works or ["*"]
    for name in PARTS:
        if any(fnmatchcase(name, one) for one in patterns):
            timings = in_memory(name, options.rounds, options.seconds / 10, leave_out)
            report.in_memory += timings
            print("\n".join(table.in_memory_lines(timings)), flush=True)
    for work in WORKS:
        if any(fnmatchcase(work.name, one) for one in patterns):
            results = loopback.run(work, installed, options.rounds, options.seconds, leave_out)
            report.loopback += results
            if results:
                print(
                    "\n".join(("", f"{work.name}: {work.title}", *table.work_lines(report, results))),
                    flush=True,
                )


def in_memory(name: str, rounds: int, seconds: float, leave_out: Callable[[str], None]) -> list[Timing]:
    """Measure one of `PARTS`."""
    try:
        module = cast("Part", import_module(f"benchmarks.inside.{name}"))
    except ModuleNotFoundError as problem:
        leave_out(f"{name} is left out: {problem.name} not installed")
        return []
    return timing.measure(list(module.cases()), rounds, seconds)


def main(arguments: Sequence[str]) -> int:
    """Run what the arguments say; 1 if there is no load generator."""
    options = parse(arguments)
    wanted = chosen(options)
    if options.list:
        print("\n".join(each.name for each in wanted))
        return 0
    report = Report(
        machine.machine(), machine.versions(), {"rounds": options.rounds, "seconds": options.seconds}
    )

    def leave_out(line: str) -> None:
        report.left_out.append(line)
        print(line, file=sys.stderr, flush=True)

    for each in wanted:
        if missing := each.missing():
            leave_out(f"{each.name} is left out: {', '.join(missing)} not installed")
    installed = [each for each in wanted if not each.missing()]
    try:
        measure(report, installed, options, leave_out)
    except KeyboardInterrupt:
        return 130
    except CannotLoad as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.write:
        page.write(report)
    if options.json:
        options.json.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
