"""``python -m spry_core.testing.conformance my_backend:driver``: plays the scenarios on a backend and reports."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import Final, cast

from spry_core.testing.conformance.catalogue import SCENARIOS
from spry_core.testing.conformance.playing import Result, play_all
from spry_core.testing.conformance.report import explanation, table, verdict
from spry_core.testing.conformance.scenario import Scenario
from spry_core.testing.conformance.stage import Backend, memory

PROGRAM: Final = "python -m spry_core.testing.conformance"
MEMORY: Final = "memory"
"""The name of the backend that needs no module."""

WORKERS: Final = 4
"""Scenarios played at a time over sockets: most of their time they wait."""

FEW: Final = 8
"""Scenarios after which a backend that has served none of them is given up."""

DESCRIPTION: Final = """\
Play the conformance scenarios on a backend.

A backend is named as MODULE:NAME, a callable that serves an application; or it is
"memory", the memory driver. The exit status is 0 if no scenario failed, 1 if one
did, 2 if nothing could be played, or nothing was served in the first scenarios."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit status."""
    options = _parser().parse_args(arguments)
    chosen = choose(options.group, options.scenario)
    if options.list:
        _print_lines([scenario.title for scenario in chosen])
        return 0
    try:
        backend = load(options.backend, options.over)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        return _refuse(str(error))
    if not chosen:
        return _refuse("no scenario is named so; --list lists them")
    workers = 1 if backend is memory else options.workers
    results = _play(backend, chosen, workers, is_telling=options.verbose)
    _report(results, options.backend)
    if len(results) < len(chosen):
        return _refuse(f"nothing was served in the first {FEW} scenarios, and the others are left out")
    return 0 if all(result.failure is None for result in results) else 1


def load(name: str, over: str | None = None) -> Backend:
    """Return the backend of that name.

    Args:
        name: ``"memory"``, or the module and the name of a callable, with a colon between them.
        over: ``"memory"`` or ``"socket"`` to insist on it.

    Raises:
        ImportError: There is no such module.
        AttributeError: The module has no such name.
        TypeError: What has that name cannot be called.
        ValueError: This is no name of a backend, or its streams are not those that `over` asks for.
    """
    if (name == MEMORY) is not ((over or MEMORY) == MEMORY) and over is not None:
        raise ValueError(f"the backend {name!r} is not played over {over}: only {MEMORY!r} is in memory")
    if name == MEMORY:
        return memory
    if ":" not in name:
        raise ValueError(f"a backend is named MODULE:NAME, or {MEMORY!r}, and not {name!r}")
    backend = resolve_name(name)
    if not callable(backend):
        raise TypeError(f"{name} is no callable that serves an application, but {type(backend).__name__}")
    return cast(Backend, backend)  # what it takes and gives shows when it is called


def choose(groups: Sequence[str], titles: Sequence[str]) -> list[Scenario]:
    """Return the scenarios of these groups whose title contains one of these texts; without either all."""
    return [
        scenario
        for scenario in SCENARIOS
        if (not groups or scenario.group in groups)
        and (not titles or any(text in scenario.title for text in titles))
    ]


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog=PROGRAM, description=DESCRIPTION, formatter_class=RawDescriptionHelpFormatter
    )
    groups = list(dict.fromkeys(scenario.group for scenario in SCENARIOS))
    parser.add_argument(
        "backend", nargs="?", default=MEMORY, help=f'MODULE:NAME, or "{MEMORY}", which is the default'
    )
    parser.add_argument("--over", choices=[MEMORY, "socket"], help="insist on these streams")
    parser.add_argument("--group", action="append", default=[], choices=groups, help="only this group")
    parser.add_argument(
        "--scenario", action="append", default=[], metavar="TEXT", help="only those whose title contains TEXT"
    )
    parser.add_argument(
        "--workers", type=int, default=WORKERS, help="scenarios at a time over sockets (default: %(default)s)"
    )
    parser.add_argument("--list", action="store_true", help="list the scenarios and play none")
    parser.add_argument("-v", "--verbose", action="store_true", help="a line for each scenario as it ends")
    return parser


def _play(backend: Backend, chosen: Sequence[Scenario], workers: int, *, is_telling: bool) -> list[Result]:
    results: list[Result] = []
    for result in play_all(backend, chosen, workers=workers):
        if is_telling:
            _print_lines([verdict(result)])
        results.append(result)
        if len(results) == FEW and not any(map(_was_served, results)):
            break
    order = {scenario.title: number for number, scenario in enumerate(chosen)}
    return sorted(results, key=lambda result: order[result.scenario.title])


def _was_served(result: Result) -> bool:
    return result.failure is None or not result.failure.is_of_serving


def _report(results: Sequence[Result], backend: str) -> None:
    for result in results:
        if result.failure is not None:
            again = f'{PROGRAM} {backend} --scenario "{result.scenario.title}"'
            _print_lines([*explanation(result.scenario, result.failure, again), ""])
    _print_lines(list(table(results)))


def _print_lines(lines: Sequence[str]) -> None:
    for line in lines:
        sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _refuse(why: str) -> int:
    sys.stderr.write(f"{PROGRAM}: {why}\n")
    return 2
