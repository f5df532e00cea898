"""Plays whole scenarios: serves, plays the steps, compares the outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.scenario import Scenario
from spry_core.testing.conformance.stage import Backend, Stage, memory, stage_of
from spry_core.testing.conformance.step_player import Mismatch, StepPlayer
from spry_core.testing.conformance.steps import Step
from spry_core.testing.conformance.together import each_in_turn, side_by_side

LONGEST: Final = 60.0
"""Seconds after which a scenario over sockets counts as one that does not end: its backend cannot be stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Where and how a scenario went another way."""

    what: str
    """In words."""

    step: int | None = None
    """Which step it was, counted from 0; None if all were played, and the outcome is wrong."""

    expected: bytes | None = None
    """The bytes expected, if it is about bytes."""

    actual: bytes | None = None
    """Those that came instead."""

    is_of_serving: bool = False
    """True if the backend itself has raised, or cannot be stopped, so that what the scenario looks for has no part in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one scenario."""

    scenario: Scenario

    failure: Failure | None = None
    """None if it went as it should, or was skipped."""

    skipped: str = ""
    """Why it was not played, or nothing."""

    @property
    def passed(self) -> bool:
        """True if it was played, and went as it should."""
        return self.failure is None and not self.skipped


def play(backend: Backend, scenario: Scenario, *, patience: float = LONGEST) -> Result:
    """Serve the application of a scenario on this backend, and play it.

    Never raises for what a backend does wrong: that is the result's `failure`. It is played in a thread, but for `memory`, so
    that a backend that cannot be stopped is given up; that thread, and those which it has started, keep no process from its exit.

    Args:
        backend: What serves.
        scenario: What is played.
        patience: Seconds after which it counts as one that does not end; `memory` takes none.
    """
    if backend is memory:
        return _play(backend, scenario)
    ((_, result),) = side_by_side([partial(_play, backend, scenario)], 1, patience)
    return result or _endless(scenario, patience)


def _endless(scenario: Scenario, patience: float) -> Result:
    failure = Failure(what=f"it has not come to its end in {patience} s", is_of_serving=True)
    return Result(scenario=scenario, failure=failure)


def _play(backend: Backend, scenario: Scenario) -> Result:
    note = Notebook()
    app = scenario.application(note)
    try:
        with backend(app, limits=scenario.limits, timeouts=scenario.timeouts) as given:
            stage = stage_of(given)
            if scenario.needs_shutdown and not stage.has_shutdown:
                return Result(scenario=scenario, skipped="the backend gives no way to shut down")
            note.tolerance = stage.tolerance
            failure = _play_steps(scenario, stage, note)
    except Exception as error:
        failure = Failure(what=f"serving has failed: {error!r}", is_of_serving=True)
        return Result(scenario=scenario, failure=failure)
    if failure is None:
        failure = _compare(scenario, (*scenario.notes, *scenario.farewell), note.notes)
    return Result(scenario=scenario, failure=failure)


def _play_steps(scenario: Scenario, stage: Stage, note: Notebook) -> Failure | None:
    player = StepPlayer(stage, note)
    try:
        for number, step in enumerate(scenario.steps):
            if (failure := _play_step(player, step, number)) is not None:
                return failure
    finally:
        player.leave()
    player.wait_for_notes(len(scenario.notes))
    return _compare(scenario, scenario.notes, note.notes)


def _play_step(player: StepPlayer, step: Step, number: int) -> Failure | None:
    try:
        player.play(step)
    except Mismatch as found:
        return Failure(what=found.what, step=number, expected=found.expected, actual=found.actual)
    except Exception as error:
        return Failure(what=repr(error), step=number)
    return None


def _compare(scenario: Scenario, expected: tuple[str, ...], notes: list[str]) -> Failure | None:
    actual = tuple(notes)
    if scenario.any_order:
        expected, actual = tuple(sorted(expected)), tuple(sorted(actual))
    if actual == expected:
        return None
    return Failure(what=f"the handlers have told {list(actual)}, and should have told {list(expected)}")


def play_all(backend: Backend, scenarios: Iterable[Scenario], *, workers: int = 1) -> Iterator[Result]:
    """Play these and give the results as they come.

    Args:
        backend: What serves.
        scenarios: What is played; each has a server of its own.
        workers: How many are played at a time, each in a thread; 1 for one after the other, as `play` plays them.
    """
    scenarios = list(scenarios)
    if workers == 1:
        yield from each_in_turn([partial(play, backend, scenario) for scenario in scenarios])
        return
    jobs: list[Callable[[], Result]] = [partial(_play, backend, scenario) for scenario in scenarios]
    for number, result in side_by_side(jobs, workers, LONGEST):
        yield result or _endless(scenarios[number], LONGEST)
