"""Tests of `spry_core.protocol.keepalive`: the time of Pings, and of the Pongs to them (RFC 6455 §5.5.2, §5.5.3)."""

from __future__ import annotations

import pytest

from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.keepalive import Keepalive
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.stream import Stream
from traces import counted

T0 = 100.0


def stream(ping_interval: float | None = 20.0, ping_timeout: float | None = 8.0) -> Stream:
    timeouts = Timeouts(ping_interval=ping_interval, ping_timeout=ping_timeout)
    return Stream(limits=Limits(), timeouts=timeouts, random=counted, can_half_close=True)


def due(made: Stream) -> tuple[Deadline, float] | None:
    """Return the next deadline; taking it out is its sign."""
    moment = made.deadlines.next()
    if moment is None:
        return None
    name = made.deadlines.pop_due(moment)
    assert name is not None
    return name, moment


def waiting(moment: float, **timeouts: float | None) -> tuple[Stream, Keepalive]:
    """Make one whose Ping has gone out at `moment`."""
    made = stream(**timeouts)
    keepalive = Keepalive(made, T0)
    made.deadlines.pop_due(moment)
    keepalive.begin_waiting(moment)
    return made, keepalive


def test_the_first_interval_begins_with_the_connection() -> None:
    made = stream()
    Keepalive(made, T0)
    assert due(made) == (Deadline.PING, T0 + 20)
    off = stream(None)
    Keepalive(off, T0)
    assert due(off) is None


def test_a_ping_waits_for_any_byte_and_the_next_interval_begins_with_it() -> None:
    made, keepalive = waiting(T0 + 20)
    assert made.deadlines.next() == T0 + 28
    keepalive.take_sign_of_life(T0 + 21)
    assert due(made) == (Deadline.PING, T0 + 41)


def test_bytes_that_nobody_waits_for_move_nothing() -> None:
    made = stream()
    keepalive = Keepalive(made, T0)
    keepalive.take_sign_of_life(T0 + 5)
    assert due(made) == (Deadline.PING, T0 + 20)


def test_without_a_timeout_the_next_interval_begins_with_the_ping() -> None:
    made, _ = waiting(T0 + 20, ping_timeout=None)
    assert due(made) == (Deadline.PING, T0 + 40)


def test_the_time_to_answer_stands_still_while_nothing_is_read() -> None:
    made, keepalive = waiting(T0 + 20)
    keepalive.judge(False, T0 + 23)
    assert not made.deadlines.resume(Deadline.PING, T0 + 23)
    keepalive.judge(False, T0 + 24)
    keepalive.judge(True, T0 + 40)
    assert due(made) == (Deadline.PONG, T0 + 45)
    assert due(made) is None


def test_a_pause_has_intervals_of_its_own() -> None:
    """The first begins with the pause, or with the Ping if that goes out later; its end is that of them all."""
    made, keepalive = waiting(T0 + 20)
    keepalive.judge(False, T0 + 23)
    keepalive.judge(False, T0 + 24)
    assert due(made) == (Deadline.PING, T0 + 43)
    assert keepalive.is_waiting
    keepalive.beat(T0 + 43)
    assert due(made) == (Deadline.PING, T0 + 63)
    keepalive.beat(T0 + 63)
    keepalive.judge(True, T0 + 70)
    assert due(made) == (Deadline.PONG, T0 + 75)
    assert not keepalive.is_waiting


def test_bytes_that_were_on_their_way_begin_another_interval_in_a_pause_too() -> None:
    made, keepalive = waiting(T0 + 20)
    keepalive.judge(False, T0 + 23)
    keepalive.take_sign_of_life(T0 + 24)
    keepalive.judge(False, T0 + 24)
    assert not keepalive.is_waiting
    assert due(made) == (Deadline.PING, T0 + 44)
    assert due(made) is None


def test_another_interval_is_that_of_a_pause_too() -> None:
    made, keepalive = waiting(T0 + 20)
    keepalive.judge(False, T0 + 23)
    keepalive.set_interval(3.0, T0 + 24)
    assert keepalive.is_waiting
    assert due(made) == (Deadline.PING, T0 + 27)


# ------------------------------------------------------------------------------------------------------ another interval


@pytest.mark.parametrize("seconds", [0.001, 3.0, 50.0])
def test_another_interval_counts_from_now(seconds: float) -> None:
    made = stream()
    keepalive = Keepalive(made, T0)
    keepalive.set_interval(seconds, T0 + 5)
    assert made.timeouts == Timeouts(ping_interval=seconds, ping_timeout=8.0)
    assert due(made) == (Deadline.PING, T0 + 5 + seconds)


def test_another_interval_waits_for_the_answer_to_the_ping_on_its_way() -> None:
    """At most one is."""
    made, keepalive = waiting(T0 + 20)
    keepalive.set_interval(3.0, T0 + 21)
    assert made.deadlines.next() == T0 + 28
    keepalive.take_sign_of_life(T0 + 22)
    assert due(made) == (Deadline.PING, T0 + 25)


def test_turned_off_it_waits_for_nothing_from_that_moment() -> None:
    made = stream()
    keepalive = Keepalive(made, T0)
    keepalive.set_interval(None, T0 + 1)
    assert due(made) is None
    made, keepalive = waiting(T0 + 20)
    keepalive.set_interval(None, T0 + 21)
    assert due(made) is None
    assert not keepalive.is_waiting


def test_it_is_turned_off_and_on_again() -> None:
    """With it goes the judgement about the Ping on its way, also while that stands still."""
    for is_reading in (True, False):
        made, keepalive = waiting(T0 + 20)
        keepalive.judge(is_reading, T0 + 20)
        keepalive.set_interval(None, T0 + 21)
        keepalive.take_sign_of_life(T0 + 22)
        keepalive.judge(True, T0 + 22)
        assert due(made) is None
        keepalive.set_interval(4.0, T0 + 30)
        assert due(made) == (Deadline.PING, T0 + 34)


def test_a_negative_interval_is_refused() -> None:
    made = stream()
    keepalive = Keepalive(made, T0)
    with pytest.raises(ValueError, match=r"^Timeouts\.ping_interval is negative: -1$"):
        keepalive.set_interval(-1, T0)
    assert made.timeouts.ping_interval == 20.0
    assert due(made) == (Deadline.PING, T0 + 20)


def test_once_stopped_nothing_begins_it_again() -> None:
    made, keepalive = waiting(T0 + 20)
    keepalive.stop()
    assert due(made) is None
    keepalive.set_interval(1.0, T0 + 21)
    assert due(made) is None


# --------------------------------------------------------------------------------------------------------------- latency


def test_the_latency_is_that_of_the_last_ping_that_was_answered() -> None:
    keepalive = Keepalive(stream(), T0)
    assert (keepalive.latency, keepalive.answered) == (None, None)
    keepalive.take_ping_sent(b"a", T0 + 1)
    assert keepalive.latency is None
    keepalive.take_pong(b"a", T0 + 1.5)
    assert keepalive.latency == 0.5
    keepalive.take_ping_sent(b"b", T0 + 2)
    keepalive.take_pong(b"b", T0 + 2.25)
    assert keepalive.latency == 0.25


@pytest.mark.parametrize("payload", [b"", b"b", b"A"])
def test_a_pong_to_nothing_says_nothing(payload: bytes) -> None:
    """RFC 6455 §5.5.3: it may be unsolicited."""
    keepalive = Keepalive(stream(), T0)
    keepalive.take_ping_sent(b"a", T0)
    keepalive.take_pong(payload, T0 + 1)
    assert keepalive.latency is None
    keepalive.take_pong(b"a", T0 + 2)
    assert keepalive.latency == 2.0
    keepalive.take_pong(b"a", T0 + 9)
    assert keepalive.latency == 2.0


def test_a_pong_answers_all_earlier_pings_too() -> None:
    """RFC 6455 §5.5.3: a peer may answer the latest only."""
    keepalive = Keepalive(stream(), T0)
    for i, payload in enumerate((b"a", b"b", b"c")):
        keepalive.take_ping_sent(payload, T0 + i)
    keepalive.take_pong(b"b", T0 + 4)
    assert keepalive.latency == 3.0
    keepalive.take_pong(b"a", T0 + 5)
    assert keepalive.latency == 3.0
    keepalive.take_pong(b"c", T0 + 6)
    assert keepalive.latency == 4.0


def test_pings_that_look_alike_are_answered_in_their_order() -> None:
    keepalive = Keepalive(stream(), T0)
    keepalive.take_ping_sent(b"a", T0)
    keepalive.take_ping_sent(b"a", T0 + 1)
    keepalive.take_pong(b"a", T0 + 2)
    assert keepalive.latency == 2.0
    keepalive.take_pong(b"a", T0 + 2)
    assert keepalive.latency == 1.0


@pytest.mark.parametrize(("n", "is_known"), [(15, True), (16, False)])
def test_only_the_latest_pings_are_remembered(n: int, is_known: bool) -> None:
    """A peer that answers none must not fill our memory."""
    keepalive = Keepalive(stream(), T0)
    keepalive.take_ping_sent(b"first", T0)
    for i in range(n):
        keepalive.take_ping_sent(b"%d" % i, T0)
    keepalive.take_pong(b"first", T0 + 1)
    assert (keepalive.latency == 1.0) is is_known
