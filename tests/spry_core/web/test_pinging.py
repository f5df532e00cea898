"""Tests of `spry_core.web.pinging`: which Pong answers which Ping."""

from __future__ import annotations

import pytest

from fakes import FakeDriver, Stepped
from spry_core.web.pinging import Pings


async def _answered(pings: Pings) -> None:
    await pings.answers.wait()


def test_a_pong_answers_its_ping_and_says_how_long_that_took() -> None:
    """RFC 6455 §5.5.3."""
    pings = Pings(FakeDriver())
    ping = pings.add(b"a", 1.0)
    assert (ping.round_trip_time, len(pings)) == (None, 1)
    pings.take_pong(b"a", 1.5)
    assert (ping.round_trip_time, len(pings)) == (0.5, 0)


def test_a_pong_answers_every_earlier_ping_too_and_no_later_one() -> None:
    """RFC 6455 §5.5.3: a peer may answer the most recent Ping only."""
    pings = Pings(FakeDriver())
    first, second, third = (
        pings.add(payload, sent) for payload, sent in ((b"1", 1.0), (b"2", 2.0), (b"3", 3.0))
    )
    pings.take_pong(b"2", 5.0)
    assert [each.round_trip_time for each in (first, second, third)] == [4.0, 3.0, None]
    pings.take_pong(b"1", 6.0)
    assert (first.round_trip_time, third.round_trip_time, len(pings)) == (4.0, None, 1)
    pings.take_pong(b"3", 7.0)
    assert (third.round_trip_time, len(pings)) == (4.0, 0)


def test_a_pong_that_nobody_asked_for_answers_nothing_and_wakes_nobody() -> None:
    """RFC 6455 §5.5.3: an unsolicited Pong serves as a heartbeat of the peer."""
    pings = Pings(FakeDriver())
    ping = pings.add(b"a", 1.0)
    waiting = Stepped(_answered(pings))
    pings.take_pong(b"", 2.0)
    pings.take_pong(b"b", 2.0)
    assert (ping.round_trip_time, waiting.step()) == (None, False)
    pings.take_pong(b"a", 2.0)
    assert waiting.step()


def test_the_pong_to_a_ping_of_keepalive_answers_what_was_sent_before_that() -> None:
    """RFC 6455 §5.5.3: a peer may answer the most recent Ping only, whoever sent it."""
    pings = Pings(FakeDriver())
    first, second, third = (
        pings.add(payload, sent) for payload, sent in ((b"1", 1.0), (b"2", 2.0), (b"3", 3.0))
    )
    pings.take_pong(b"unasked", 2.0, None)
    pings.take_pong(b"unasked", 3.0, 1.0)
    assert [each.round_trip_time for each in (first, second, third)] == [None] * 3
    pings.take_pong(b"keepalive", 5.0, 2.5)
    assert [each.round_trip_time for each in (first, second, third)] == [4.0, 3.0, None]
    assert len(pings) == 1


def test_a_payload_that_nobody_chose_is_another_one_each_time() -> None:
    pings = Pings(FakeDriver())
    assert [pings.fresh(lambda n: b"r" * n) for _ in range(2)] == [b"rrrr\0\0\0\1", b"rrrr\0\0\0\2"]


def test_two_pings_in_flight_have_different_payloads() -> None:
    pings = Pings(FakeDriver())
    pings.check(b"a")
    pings.add(b"a", 1.0)
    with pytest.raises(ValueError, match="a Ping with this payload is in flight already"):
        pings.check(b"a")
    pings.check(b"b")
    pings.take_pong(b"a", 2.0)
    pings.check(b"a")


def test_a_ping_that_is_forgotten_takes_no_answer() -> None:
    pings = Pings(FakeDriver())
    forgotten, other = pings.add(b"a", 1.0), pings.add(b"b", 1.0)
    pings.forget(forgotten)
    pings.take_pong(b"a", 2.0)
    assert (forgotten.round_trip_time, other.round_trip_time, len(pings)) == (None, None, 1)


def test_forgetting_an_answered_ping_leaves_a_later_one_of_its_payload() -> None:
    pings = Pings(FakeDriver())
    answered = pings.add(b"a", 1.0)
    pings.take_pong(b"a", 2.0)
    later = pings.add(b"a", 3.0)
    pings.forget(answered)
    pings.take_pong(b"a", 5.0)
    assert later.round_trip_time == 2.0
