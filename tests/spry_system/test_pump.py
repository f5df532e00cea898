"""Tests of `spry_system.pump`: what the pumps of all loops do alike, without a loop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import cast

from adapters.peer import pair
from adapters.scripted import ScriptedSession
from spry_core.protocol.memory import LONG_READ_SIZE, READ_SIZE
from spry_core.serving import LogRecord, Served
from spry_core.testing import MemoryDriver
from spry_system import BasePump, TimerHandle

NOW = 7.0


class Timer:
    """A moment that the pump has asked for."""

    def __init__(self, when: float) -> None:
        self.when = when
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Pump(BasePump):
    """A pump whose loop is the test; what the base leaves to it is written down."""

    def __init__(self, sock: socket.socket) -> None:
        self.reports: list[LogRecord] = []
        super().__init__(sock, lambda: NOW, self.reports.append)
        self.session = ScriptedSession(MemoryDriver())
        self._session = cast("Served", self.session)
        self.timers: list[Timer] = []
        self.log: list[object] = []

    def follow(self) -> None:
        self._follow_session()

    def clear_timer(self) -> None:
        self._clear_timer()

    def fail(self, error: Exception) -> None:
        self._fail(error)

    def read_size_behind(self, n: int) -> int:
        self._choose_read_size(n)
        return self._read_size

    def _watch(self) -> None:
        self._is_watched = True
        self.log.append("watch")

    def _call_at(self, deadline: float) -> TimerHandle:
        self.timers.append(Timer(deadline))
        return self.timers[-1]

    def _cancel_tasks(self) -> None:
        self.log.append("cancel tasks")

    def _wait_for_room(self) -> None:
        self.log.append("wait for room")

    def _lose(self, error: Exception | None, now: float, *, reset: bool = False) -> None:
        self._is_lost = True
        self.log.append(("lose", error, now, reset))
        self.session.connection_lost(error, now)


def pumped(test: Callable[[Pump], None]) -> bytes:
    """Run this with a pump; return what it has sent."""
    sock, peer = pair()
    with sock, peer.socket:
        test(Pump(sock))
        sock.close()
        sent = b""
        peer.socket.setblocking(True)
        while piece := peer.socket.recv(65536):
            sent += piece
        return sent


def test_it_is_watched_when_the_session_wants_to_read_and_once() -> None:
    def test(pump: Pump) -> None:
        pump.session.wants_reading = False
        pump.follow()
        assert pump.log == []
        pump.session.wants_reading = True
        pump.follow()
        pump.follow()
        assert pump.log == ["watch"]

    assert pumped(test) == b""


def test_bytes_come_before_the_question_whether_to_read() -> None:
    def test(pump: Pump) -> None:
        pump.session.outbox = [b"abc"]
        pump.session.unsent = 3
        pump.follow()
        assert pump.session.all("written") == [3]

    assert pumped(test) == b"abc"


def test_the_timer_is_only_ever_lowered() -> None:
    """One that moved later fires early once, and is set again then."""

    def test(pump: Pump) -> None:
        for deadline in (None, 9.0, 10.0, 8.0):
            pump.session.deadline = deadline
            pump.follow()
        assert [(timer.when, timer.is_cancelled) for timer in pump.timers] == [(9.0, True), (8.0, False)]
        pump.clear_timer()
        pump.session.deadline = 12.0
        pump.follow()
        assert [(timer.when, timer.is_cancelled) for timer in pump.timers[1:]] == [(8.0, True), (12.0, False)]

    pumped(test)


def test_an_error_of_our_own_ends_the_connection_once() -> None:
    def test(pump: Pump) -> None:
        pump.session.deadline = 9.0
        pump.follow()
        pump.log.clear()
        for _ in range(2):
            pump.fail(ZeroDivisionError("ours"))
        assert [repr(report.exception) for report in pump.reports] == ["ZeroDivisionError('ours')"]
        assert pump.timers[0].is_cancelled
        assert pump.session.heard == [("abort", None), ("lost", None)]
        assert pump.log == ["cancel tasks", ("lose", None, NOW, True)]

    pumped(test)


def test_a_session_that_fails_at_its_end_too_loses_its_tasks_and_its_stream() -> None:
    def test(pump: Pump) -> None:
        pump.session.faulty = ("abort", "lost")
        pump.fail(ZeroDivisionError("ours"))
        assert len(pump.reports) == 1
        assert pump.log == ["cancel tasks", ("lose", None, NOW, True)]

    pumped(test)


def test_more_is_asked_for_behind_a_full_read_alone() -> None:
    def test(pump: Pump) -> None:
        pump.session.read_size = LONG_READ_SIZE
        sizes = [pump.read_size_behind(n) for n in (1, READ_SIZE, LONG_READ_SIZE, READ_SIZE - 1)]
        assert sizes == [READ_SIZE, LONG_READ_SIZE, LONG_READ_SIZE, READ_SIZE]

    pumped(test)
