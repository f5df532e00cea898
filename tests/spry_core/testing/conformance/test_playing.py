"""Whole scenarios: served, played, compared; and whatever a backend does, there is a result."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event

import pytest

from spry_core import Application, Limits, Request, Timeouts
from spry_core.testing.conformance import Failure, Running, Scenario, http, memory, play, play_all
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import answer, request
from spry_core.testing.conformance.scripts import hello
from spry_core.testing.conformance.steps import Expect, Send, Shutdown

STEPS = (Send(request()), Expect(answer(b"hello")))
SCENARIO = Scenario("test", "test", (http(hello),), STEPS)


@contextmanager
def broken(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Running]:
    raise OSError("no more ports")
    yield


@contextmanager
def nowhere(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[tuple[str, int]]:
    yield ("127.0.0.1", 1)


def test_a_scenario_passes_if_all_goes_as_it_should() -> None:
    result = play(memory, SCENARIO)
    assert (result.passed, result.failure, result.skipped) == (True, None, "")


def test_a_failure_tells_step_and_bytes() -> None:
    result = play(memory, replace(SCENARIO, steps=(STEPS[0], Expect(b"HTTP/1.0"))))
    expected = Failure(what="other bytes have come", step=1, expected=b"HTTP/1.0", actual=b"HTTP/1.1")
    assert (result.passed, result.failure) == (False, expected)


def test_notes_must_be_those_that_are_expected() -> None:
    result = play(memory, replace(SCENARIO, notes=("a",), farewell=("b",)))
    assert result.failure == Failure(what="the handlers have told [], and should have told ['a']")
    result = play(memory, replace(SCENARIO, farewell=("b",)))
    assert result.failure == Failure(what="the handlers have told [], and should have told ['b']")


def test_the_order_of_notes_may_be_open() -> None:
    def tell(request: Request, note: Notebook) -> str:
        note("b")
        note("a")
        return hello(request, note)

    scenario = replace(SCENARIO, routes=(http(tell),), notes=("a", "b"))
    assert not play(memory, scenario).passed
    assert play(memory, replace(scenario, any_order=True)).passed


def test_a_backend_that_raises_has_failed() -> None:
    assert play(broken, SCENARIO).failure == Failure(
        what="serving has failed: OSError('no more ports')", is_of_serving=True
    )


def test_a_backend_without_shutdown_is_not_asked_for_it() -> None:
    result = play(nowhere, replace(SCENARIO, steps=(Shutdown(),)))
    assert (result.passed, result.failure) == (False, None)
    assert result.skipped == "the backend gives no way to shut down"


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_of_all(workers: int) -> None:
    scenarios = [replace(SCENARIO, name=str(number)) for number in range(5)]
    results = list(play_all(memory, scenarios, workers=workers))
    assert sorted(result.scenario.name for result in results) == ["0", "1", "2", "3", "4"]
    assert all(result.passed for result in results)


def test_a_backend_that_cannot_be_stopped_is_given_up() -> None:
    release = Event()

    @contextmanager
    def endless(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[tuple[str, int]]:
        yield ("127.0.0.1", 1)
        release.wait(60)

    result = play(endless, SCENARIO, patience=0.05)
    assert result.failure == Failure(what="it has not come to its end in 0.05 s", is_of_serving=True)
    release.set()


def test_a_scenario_without_a_result_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    def give_up(jobs: object, workers: int, patience: float) -> list[tuple[int, None]]:
        return [(0, None)]

    monkeypatch.setattr("spry_core.testing.conformance.playing.side_by_side", give_up)
    (result,) = play_all(memory, [SCENARIO], workers=2)
    assert result.failure == Failure(what="it has not come to its end in 60.0 s", is_of_serving=True)
