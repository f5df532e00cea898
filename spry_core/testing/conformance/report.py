"""What came of the scenarios, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Final

from spry_core.testing.conformance.playing import Failure, Result
from spry_core.testing.conformance.scenario import Scenario
from spry_core.testing.conformance.steps import WILD, Step

SHOWN: Final = 72
"""Bytes that are shown of a longer run: from a little before the first that differs."""

BEFORE: Final = 16
"""Bytes that are shown before it."""


def table(results: Sequence[Result]) -> Iterator[str]:
    """Give the lines of a table: for each group how many passed, failed and were skipped."""
    groups: dict[str, list[Result]] = {}
    for result in results:
        groups.setdefault(result.scenario.group, []).append(result)
    width = max([len(group) for group in groups], default=5)
    yield f"{'group':{width}}  passed  failed  skipped"
    for group, those in groups.items():
        yield _row(group, those, width)
    yield _row("all", results, width)


def _row(name: str, results: Sequence[Result], width: int) -> str:
    failed = sum(result.failure is not None for result in results)
    skipped = sum(bool(result.skipped) for result in results)
    return f"{name:{width}}  {len(results) - failed - skipped:6}  {failed:6}  {skipped:7}"


def verdict(result: Result) -> str:
    """Say in one line how a scenario went."""
    if result.skipped:
        return f"skipped  {result.scenario.title} ({result.skipped})"
    return f"{'passed ' if result.passed else 'FAILED '}  {result.scenario.title}"


def explanation(scenario: Scenario, failure: Failure, again: str) -> Iterator[str]:
    """Give the lines that tell all about one failure; `again` is the command that plays the scenario alone."""
    yield f"FAILED {scenario.title}"
    if failure.step is not None:
        step = scenario.steps[failure.step]
        yield f"  at step {failure.step + 1} of {len(scenario.steps)}: {describe(step)}"
    yield f"  {failure.what}"
    if failure.expected is not None:
        start = _first_difference(failure.expected, failure.actual or b"")
        yield f"  expected {excerpt(failure.expected, start)}"
        yield f"  actual   {excerpt(failure.actual or b'', start)}"
    if scenario.catches and not failure.is_of_serving:
        yield f"  fails for a backend that {scenario.catches}"
    yield f"  again: {again}"


def describe(step: Step) -> str:
    """Write a step as it stands in its scenario, long bytes shortened and what was left out left out."""
    values = {each.name: (getattr(step, each.name), each.default) for each in fields(step)}
    shown = [f"{name}={_value(value)}" for name, (value, default) in values.items() if value != default]
    return f"{type(step).__name__}({', '.join(shown)})"


def _value(value: object) -> str:
    if isinstance(value, bytes):
        return excerpt(value, 0)
    return str(value) if isinstance(value, float | int) else repr(getattr(value, "value", value))


def excerpt(data: bytes, start: int) -> str:
    """Show the bytes around `start`, and how many there are if that is not all."""
    first = max(0, start - BEFORE) if len(data) > SHOWN else 0
    part = data[first : first + SHOWN]
    text = repr(part.replace(WILD, b"?"))
    if len(part) == len(data):
        return text
    return f"{text} (bytes {first} to {first + len(part)} of {len(data)})"


def _first_difference(expected: bytes, actual: bytes) -> int:
    for position, (wanted, each) in enumerate(zip(expected, actual, strict=False)):
        if wanted not in (each, WILD[0]):
            return position
    return min(len(expected), len(actual))
