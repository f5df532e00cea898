"""`python -m benchmarks`: measure, print the tables, and write them down."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from benchmarks import loopback, machine, subjects, table
from benchmarks.load import CannotLoad
from benchmarks.results import Report
from benchmarks.subjects import Subject
from benchmarks.work import WORKS
from spry_core.protocol import DEFAULT_ENGINE
from spry_core.protocol.engines.choice import ENGINES


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(prog="dev.py bench", description="Measure Spry.", allow_abbrev=False)
    names = ", ".join(work.name for work in WORKS)
    parser.add_argument("works", nargs="*", metavar="WORK", help=f"patterns of: {names}")
    parser.add_argument(
        "--only", action="append", metavar="SERVER", help="patterns of servers, such as 'spry-*'"
    )
    parser.add_argument("--rounds", type=int, default=5, help="turns of each server (%(default)s)")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each turn (%(default)s)")
    parser.add_argument(
        "--engine",
        action="append",
        choices=tuple(ENGINES),
        help=f"of Spry (repeatable; default: {DEFAULT_ENGINE})",
    )
    parser.add_argument(
        "--peers", action=argparse.BooleanOptionalAction, default=True, help="other servers too (the default)"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    parser.add_argument("--list", action="store_true", help="name the servers, and do nothing else")
    return parser.parse_args(arguments)


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
    for work in WORKS:
        if any(fnmatchcase(work.name, one) for one in patterns):
            results = loopback.run(work, installed, options.rounds, options.seconds, leave_out)
            report.loopback += results
            if results:
                print(
                    "\n".join(("", f"{work.name}: {work.title}", *table.work_lines(report, results))),
                    flush=True,
                )


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
    except CannotLoad as problem:
        print(problem, file=sys.stderr)
        return 1
    if options.json:
        options.json.write_text(json.dumps(report.to_json(), indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
