"""Servers side by side on one kind of work, over the loopback: every round asks each of them in turn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from benchmarks import load, memory, process
from benchmarks.load import CannotLoad
from benchmarks.process import CannotServe, Server
from benchmarks.results import Result, Round
from benchmarks.subjects import Subject
from benchmarks.work import Kind, Work
from soak import idle


def run(
    work: Work,
    subjects: Sequence[Subject],
    rounds: int,
    seconds: float,
    tell: Callable[[str], None],
) -> list[Result]:
    """Measure every server that does this kind of work.

    All of them are there from the beginning, idle while it is not their turn: so whatever else the machine does meets all alike.

    Args:
        work: The row.
        subjects: The servers; those that do other work are passed over.
        rounds: How often each has its turn.
        seconds: How long a turn is counted.
        tell: Takes one line for each server that has to be left out.

    Raises:
        CannotLoad: There is no load generator.
    """
    load.program()  # before any server is started
    if work.kind in (
        Kind.OPEN,
        Kind.IDLE,
    ):  # so is this, because they inherit how many descriptors they may have
        work = replace(work, in_flight=idle.affordable(work.in_flight))
    ours, theirs = process.cores()
    with ExitStack() as stack:
        started: dict[Subject, Server] = {}
        for subject in subjects:
            if work.kind in subject.does:
                try:
                    started[subject] = stack.enter_context(process.served(subject.arguments(work.kind), ours))
                except CannotServe as problem:
                    tell(f"{subject.name} does not start: {line_of(problem, -1)}")
        found = {each: Result(work.name, work.title, work.unit, each.name, each.loop) for each in started}
        for _ in range(1 if work.kind is Kind.IDLE else rounds):
            for subject, server in started.items():
                if subject in found:
                    try:
                        found[subject].rounds.append(turn(work, subject, server, theirs, seconds))
                    except (CannotLoad, OSError, RuntimeError) as problem:
                        tell(f"{subject.name} is left out of {work.name}: {line_of(problem, 0)}")
                        del found[subject]
    return list(found.values())


def turn(work: Work, subject: Subject, server: Server, core: int, seconds: float) -> Round:
    """Measure one server once."""
    path = subject.path_for(work.kind)
    if work.kind is Kind.IDLE:
        return Round(memory.each(server, path, work.in_flight) * work.scale, 0.0, 0.0, 0.0)
    pids = server.processes()
    measured = load.run(work, path, server.port, pids, core, seconds, is_raw=subject.is_raw)
    return Round(
        each=measured.each * work.scale,
        rate=measured.count / measured.seconds,
        load=measured.load_cpu / measured.seconds,
        server=measured.server_cpu / measured.seconds,
    )


def line_of(problem: BaseException, which: int) -> str:
    """Return one line of a text: the last of a traceback and the first of anything else says what was wrong."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[which][:200]
