"""Tests of `spry_core.testing.machines.harness`: what every machine does, shown on one with a single rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase
from hypothesis.stateful import rule

from broken_apps import app_of, steps_to_failure
from spry_core import Application, Request, WebSocket, sleep
from spry_core.serving import LogRecord
from spry_core.testing.machines import Machine, Steps


class Poke(Machine):
    """Opens a WebSocket; fails if `is_wrong`."""

    max_examples = 5
    step_count = 3
    is_wrong = False


class PokeSteps(Steps[Poke]):
    @rule()
    def poke(self) -> None:
        with self.client.ws("/") as ws:
            ws.send("a")
        if self.model.is_wrong:
            raise AssertionError("poked")


Poke.steps = PokeSteps


async def quiet(ws: WebSocket, request: Request) -> None:
    async for _ in ws:
        pass


def machine_of(app: Application, tmp_path: Path, *, is_wrong: bool = False) -> Poke:
    machine = Poke()
    machine.app, machine.recordings, machine.is_wrong = app, tmp_path, is_wrong
    return machine


def test_what_is_right_leaves_nothing(tmp_path: Path) -> None:
    machine_of(app_of(quiet), tmp_path).test_against_model()
    assert list(tmp_path.iterdir()) == []


def test_what_fails_keeps_its_recordings_and_says_where(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        machine_of(app_of(quiet), tmp_path, is_wrong=True).test_against_model()
    (path,) = tmp_path.iterdir()
    first, second, _ = caught.value.__notes__[-1].splitlines()
    assert first == f"recordings kept: {path}"
    assert second == f"look at one with: python -m spry_core.testing.transcript {path}"
    assert "state = Poke()" in "\n".join(caught.value.__notes__)


def test_recordings_that_cannot_be_kept_hide_nothing(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("", encoding="ascii")
    with pytest.raises(AssertionError) as caught:
        machine_of(app_of(quiet), place, is_wrong=True).test_against_model()
    assert caught.value.__notes__[-1].startswith(f"the recordings could not be kept in {place}: ")


def test_nothing_is_recorded_if_nothing_is_to_be_kept() -> None:
    machine = Poke()
    machine.app, machine.recordings, machine.is_wrong = app_of(quiet), None, True
    assert steps_to_failure(machine) == ("poked", ["poke"])
    assert machine.recorder is None


async def fails(ws: WebSocket, request: Request) -> None:
    await ws.receive()
    raise KeyError("lost")


def test_an_error_in_the_log_fails_the_machine_unless_it_is_expected(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        machine_of(app_of(fails), tmp_path).test_against_model()
    assert str(caught.value) == 'the server logged: 127.0.0.1:50000 "GET /": KeyError in the application'
    assert isinstance(caught.value.__cause__, KeyError)

    class Forgiving(Poke):
        def may_log(self, record: LogRecord) -> bool:
            return isinstance(record.exception, KeyError)

    forgiving = Forgiving()
    forgiving.app = app_of(fails)
    forgiving.test_against_model()


async def stubborn(ws: WebSocket, request: Request) -> None:
    while True:
        try:
            await sleep(1000)
        except BaseException:
            continue


def test_a_handler_that_outlives_its_connection_fails_the_machine(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        machine_of(app_of(stubborn), tmp_path).test_against_model()
    assert str(caught.value).startswith("a handler outlives its connection, although it was cancelled: ")


def test_what_a_step_has_found_says_more_than_what_comes_of_it(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught:
        machine_of(app_of(stubborn), tmp_path, is_wrong=True).test_against_model()
    assert str(caught.value) == "poked"


def test_patience_ends_when_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    machine = machine_of(app_of(quiet), tmp_path)
    steps = PokeSteps(machine)
    machine.patience = 5.0
    steps.wait_for(lambda: True)
    assert steps.client.driver.now() == 0.0
    steps.wait_for(lambda: False)
    assert steps.client.driver.now() == 5.0


def test_health_checks_and_the_phase_that_explains_are_left_out() -> None:
    chosen = Poke().settings()
    assert (chosen.max_examples, chosen.stateful_step_count) == (5, 3)
    assert Phase.explain not in chosen.phases
    assert HealthCheck.too_slow in chosen.suppress_health_check
    assert Machine().settings().stateful_step_count == 20
