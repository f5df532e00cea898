"""Where scenarios are played: in memory, and over sockets against a server of three lines."""

from __future__ import annotations

import socket
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from spry_core import Application, Limits, Timeouts
from spry_core.testing.conformance import REAL, VIRTUAL, Running, memory
from spry_core.testing.conformance.stage import SocketStage, Stage, stage_of


@contextmanager
def listening() -> Generator[tuple[str, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


@contextmanager
def in_memory() -> Generator[Stage]:
    with memory(Application(), limits=Limits(), timeouts=Timeouts()) as given:
        yield stage_of(given)


def test_an_address_is_enough() -> None:
    with listening() as address:
        stage = stage_of(address)
        assert isinstance(stage, SocketStage)
        assert (stage.has_shutdown, stage.tolerance) == (False, REAL)
        wire = stage.connect(slow=False, patience=None)
        assert wire.receive(0.0) is None
        wire.close()


def test_a_backend_may_be_shut_down() -> None:
    asked: list[tuple[int, str, float | None]] = []

    def shut_down(*, code: int, reason: str, grace: float | None) -> None:
        asked.append((code, reason, grace))

    stage = stage_of(Running(("127.0.0.1", 1), shut_down))
    assert stage.has_shutdown
    stage.shutdown(4000, "bye", 0.5)
    assert asked == [(4000, "bye", 0.5)]


def test_waiting_over_sockets_takes_as_long_as_it_takes_and_no_longer() -> None:
    with listening() as address:
        stage = stage_of(address)
        wire = stage.connect(slow=True, patience=0.1)
        looks = iter([False, False, True])
        assert stage.wait_until(lambda: next(looks), 30.0)
        assert list(looks) == []
        begun = wire.now()
        assert not stage.wait_until(lambda: False, 0.02)
        assert wire.now() - begun >= 0.02
        wire.close()


def test_nobody_listens() -> None:
    with listening() as address:
        pass
    with pytest.raises(ConnectionRefusedError):
        stage_of(address).connect(slow=False, patience=None)


def test_memory_is_a_stage_with_a_time_of_its_own() -> None:
    with in_memory() as stage:
        assert (stage.has_shutdown, stage.tolerance) == (True, VIRTUAL)
        wire = stage.connect(slow=False, patience=None)
        assert not stage.wait_until(lambda: False, 5.0)
        assert wire.now() == 5.0
        assert stage.wait_until(lambda: True, 5.0)
        stage.shutdown(1001, "", None)
        assert wire.receive(0.0) == b""
        with pytest.raises(ConnectionRefusedError):
            stage.connect(slow=False, patience=None)
