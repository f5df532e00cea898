"""Tests of `spry_core.protocol.control_frames`: our Pings, Pongs and Close (RFC 6455 §5.5)."""

from __future__ import annotations

import pytest

from frames import close_payload
from spry_core.closing import Close
from spry_core.protocol.control_frames import ControlFrameWriter
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.engines import Opcode
from spry_core.protocol.events import Ping, Pong
from spry_core.protocol.keepalive import Keepalive
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.stream import Stream

NOW = 7.0
TIMEOUTS = Timeouts(ping_interval=10.0, ping_timeout=4.0)


class Writing:
    """A writer, and the frames that it has written; each leaves as many bytes unsent as its payload has."""

    def __init__(self, high_water: int = 10) -> None:
        limits = Limits(high_water=high_water)
        self.stream = Stream(limits=limits, timeouts=TIMEOUTS, random=lambda n: b"r" * n, can_half_close=True)
        self.keepalive = Keepalive(self.stream, NOW)
        self.writer = ControlFrameWriter(self, self.stream, self.keepalive)
        self._frames: list[tuple[Opcode, bytes]] = []

    def write(self, first: int, payload: bytes, now: float) -> None:
        assert (first & 0xF0, now) == (0x80, NOW)  # never in fragments, never compressed (RFC 6455 §5.5)
        self._frames.append((Opcode(first & 0x0F), payload))
        self.stream.write(payload, now)

    def frames(self) -> list[tuple[Opcode, bytes]]:
        """Return what has been written since the last time."""
        frames, self._frames = self._frames, []
        return frames

    def let_go(self, n: int) -> None:
        """Take `n` bytes of what is unsent."""
        self.stream.bytes_written(n, NOW)
        self.writer.go_on(NOW)


def test_a_ping_is_remembered_and_a_pong_is_not() -> None:
    """RFC 6455 §5.5.2, §5.5.3."""
    made = Writing()
    made.writer.send(Pong(payload=b"b"), NOW)
    made.writer.send(Ping(payload=b"a" * 125), NOW)
    assert made.frames() == [(Opcode.PONG, b"b"), (Opcode.PING, b"a" * 125)]
    made.keepalive.take_pong(b"b", NOW + 1)
    assert made.keepalive.latency is None
    made.keepalive.take_pong(b"a" * 125, NOW + 2)
    assert made.keepalive.latency == 2.0


@pytest.mark.parametrize("event", [Ping(payload=b"x" * 126), Pong(payload=b"x" * 126)])
def test_no_payload_is_longer_than_125_bytes(event: Ping | Pong) -> None:
    """RFC 6455 §5.5."""
    made = Writing()
    with pytest.raises(ValueError, match=r"^a control frame carries at most 125 bytes \(RFC 6455 §5\.5\)$"):
        made.writer.send(event, NOW)
    assert made.frames() == []


def test_an_answer_that_has_no_room_waits_for_it_and_only_the_latest_does() -> None:
    """RFC 6455 §5.5.3."""
    made = Writing(high_water=10)
    made.writer.answer(b"first one", NOW)
    made.writer.answer(b"2", NOW)
    assert made.frames() == [(Opcode.PONG, b"first one"), (Opcode.PONG, b"2")]
    made.writer.answer(b"3", NOW)
    made.writer.answer(b"4", NOW)
    made.let_go(0)
    assert made.frames() == []
    made.let_go(1)
    assert made.frames() == [(Opcode.PONG, b"4")]
    made.let_go(10)
    assert made.frames() == []


def test_without_a_mark_there_is_room_when_nothing_is_unsent() -> None:
    made = Writing(high_water=0)
    made.writer.answer(b"1", NOW)
    made.writer.answer(b"2", NOW)
    assert made.frames() == [(Opcode.PONG, b"1")]
    made.let_go(1)
    assert made.frames() == [(Opcode.PONG, b"2")]


def test_an_answer_that_waits_is_dropped_at_the_end() -> None:
    made = Writing(high_water=0)
    made.writer.answer(b"1", NOW)
    made.writer.answer(b"2", NOW)
    made.writer.drop()
    made.let_go(1)
    assert made.frames() == [(Opcode.PONG, b"1")]


def test_nothing_comes_behind_a_close() -> None:
    """RFC 6455 §5.5.1."""
    made = Writing(high_water=0)
    made.writer.answer(b"1", NOW)
    made.writer.answer(b"2", NOW)
    made.writer.close(Close(code=4000, reason="bye"), NOW)
    made.let_go(1 + 5)
    assert made.frames() == [(Opcode.PONG, b"1"), (Opcode.CLOSE, close_payload(4000, "bye"))]


def test_a_keepalive_ping_is_waited_for() -> None:
    made = Writing()
    made.writer.keep_alive(NOW)
    assert made.frames() == [(Opcode.PING, b"rrrr")]
    assert made.keepalive.is_waiting
    made.keepalive.take_pong(b"rrrr", NOW + 3)
    assert made.keepalive.latency == 3.0


@pytest.mark.parametrize("unsent", [b"", b"x"])
def test_while_a_ping_is_on_its_way_a_pong_that_nobody_asked_for_is_written_unless_something_is_unsent(
    unsent: bytes,
) -> None:
    """RFC 6455 §5.5.3; the next one follows after another interval."""
    made = Writing()
    made.writer.keep_alive(NOW)
    made.stream.bytes_written(4, NOW)
    made.stream.write(unsent, NOW)
    made.stream.deadlines.clear(Deadline.PING)
    made.frames()
    made.writer.keep_alive(NOW)
    assert made.frames() == ([] if unsent else [(Opcode.PONG, b"rrrr")])
    assert made.stream.deadlines.is_set(Deadline.PING)
