"""Tests of `spry_core.protocol.stream`: what to write, what was taken, how it ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.events import Writable
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.stream import ABORT, CLOSE, HALF_CLOSE, Stream, StreamEnd
from traces import counted


def stream(
    *,
    can_half_close: bool = True,
    high_water: int = 10,
    max_unsent: int = 100,
    write: float | None = 30.0,
    rate: int = 0,
) -> Stream:
    return Stream(
        limits=Limits(high_water=high_water, max_unsent=max_unsent, min_write_rate=rate),
        timeouts=Timeouts(write=write),
        random=counted,
        can_half_close=can_half_close,
    )


def test_bytes_are_handed_over_once_and_in_order() -> None:
    made = stream()
    made.write(b"ab", 0.0)
    made.write(b"c", 0.0)
    assert made.data_to_send() == [b"ab", b"c"]
    assert made.data_to_send() == []
    assert made.unsent == 3


def test_without_a_limit_of_time_a_peer_may_read_whenever_it_likes() -> None:
    made = stream(write=None)
    made.write(b"ab", 0.0)
    assert (next_deadline(made), next_deadline(made)) == (None, None)
    made.bytes_written(1, 5.0)
    assert (next_deadline(made), made.unsent) == (None, 1)


def test_nothing_written_is_nothing_to_send() -> None:
    made = stream()
    made.write(b"", 0.0)
    assert made.data_to_send() == []
    assert next_deadline(made) is None


@pytest.mark.parametrize(("end", "say"), [(HALF_CLOSE, Stream.half_close), (CLOSE, Stream.close)])
def test_the_end_comes_after_the_bytes_and_once(end: StreamEnd, say: Callable[[Stream], None]) -> None:
    made = stream()
    made.write(b"ab", 0.0)
    say(made)
    assert made.end is end
    assert made.data_to_send() == [b"ab", end]
    assert made.data_to_send() == []


def test_an_abort_drops_what_was_not_fetched() -> None:
    made = stream()
    made.write(b"ab", 0.0)
    made.abort()
    assert made.data_to_send() == [ABORT]
    assert made.data_to_send() == []


def test_each_end_may_follow_a_weaker_one_and_no_other() -> None:
    made = stream()
    made.half_close()
    assert made.data_to_send() == [HALF_CLOSE]
    made.close()
    made.half_close()
    assert made.data_to_send() == [CLOSE]
    made.abort()
    made.close()
    made.half_close()
    assert made.data_to_send() == [ABORT]
    assert made.end is ABORT


def test_of_two_ends_not_yet_fetched_only_the_stronger_is_said() -> None:
    made = stream()
    made.half_close()
    made.close()
    assert made.data_to_send() == [CLOSE]


def test_a_stream_that_cannot_half_close_is_closed() -> None:
    made = stream(can_half_close=False)
    made.half_close()
    assert made.data_to_send() == [CLOSE]


def test_when_the_peer_has_ended_too_half_a_close_is_a_whole_one() -> None:
    made = stream()
    made.received_end = True
    made.half_close()
    assert made.data_to_send() == [CLOSE]


def test_a_lost_stream_has_nothing_to_send() -> None:
    made = stream()
    made.write(b"ab", 0.0)
    made.close()
    made.lose()
    assert made.is_lost
    assert made.data_to_send() == []
    assert next_deadline(made) is None


def test_nothing_can_be_said_on_a_lost_stream() -> None:
    made = stream()
    made.lose()
    made.write(b"ab", 0.0)
    made.half_close()
    made.close()
    made.abort()
    assert made.data_to_send() == []
    assert made.end is None
    assert made.unsent == 0


@pytest.mark.parametrize(("size", "is_full"), [(9, False), (10, False), (11, True)])
def test_the_water_mark_is_passed_by_more_than_its_value(size: int, is_full: bool) -> None:
    made = stream(high_water=10)
    made.write(b"a" * size, 0.0)
    made.bytes_written(size - 10 if is_full else 0, 0.0)
    assert list(made.events) == ([Writable()] if is_full else [])


@pytest.mark.parametrize(
    ("high_water", "max_unsent", "least"), [(10, 100, 11), (10, 8, 8), (0, 100, 1), (0, 1, 1)]
)
def test_it_is_pressed_from_the_first_mark_on(high_water: int, max_unsent: int, least: int) -> None:
    """More than `high_water`, or as many as `max_unsent`: only then is the one or the other worth asking for."""
    made = stream(high_water=high_water, max_unsent=max_unsent)
    if least > 1:
        made.write(b"a" * (least - 1), 0.0)
    assert made.is_pressed is False
    made.write(b"a", 0.0)
    assert made.is_pressed is True
    made.bytes_written(1, 0.0)
    assert made.is_pressed is False


def test_it_is_pressed_from_the_beginning_if_nothing_may_be_unsent() -> None:
    assert stream(max_unsent=0).is_pressed is True


def test_other_limits_are_other_marks() -> None:
    made = stream(high_water=10)
    made.configure(Limits(high_water=1), made.timeouts)
    made.write(b"ab", 0.0)
    assert made.is_pressed is True


def test_writable_comes_once_when_the_unsent_bytes_are_back_at_the_mark() -> None:
    made = stream(high_water=10)
    made.write(b"a" * 20, 0.0)
    made.bytes_written(9, 0.0)
    assert list(made.events) == []
    made.bytes_written(1, 0.0)
    assert list(made.events) == [Writable()]
    made.bytes_written(10, 0.0)
    assert list(made.events) == [Writable()]
    made.write(b"a" * 11, 0.0)
    made.bytes_written(11, 0.0)
    assert list(made.events) == [Writable(), Writable()]


def test_the_write_deadline_runs_from_the_first_unsent_byte() -> None:
    made = stream(write=30.0)
    assert next_deadline(made) is None
    made.write(b"ab", 1.0)
    made.write(b"cd", 5.0)
    assert next_deadline(made) == 31.0


def test_progress_moves_the_write_deadline_and_no_progress_does_not() -> None:
    made = stream(write=30.0)
    made.write(b"abcd", 1.0)
    made.bytes_written(0, 10.0)
    assert next_deadline(made) == 31.0
    made.bytes_written(1, 11.0)
    assert next_deadline(made) == 41.0
    made.bytes_written(3, 12.0)
    assert next_deadline(made) is None
    made.write(b"e", 20.0)
    assert next_deadline(made) == 50.0


def next_deadline(made: Stream) -> float | None:
    """Return what a connection would say."""
    made.time_writing()
    return made.deadlines.next()


def written(made: Stream, *progress: tuple[float, int]) -> list[float | None]:
    """Let the transport take so many bytes at each moment; return the deadlines that this gives."""
    given = list[float | None]()
    for moment, n in progress:
        made.bytes_written(n, moment)
        given.append(next_deadline(made))
    return given


@pytest.mark.parametrize(
    ("n", "until"), [(1, 31.0), (299, 31.0), (300, 31.0), (310, 32.0), (410, 41.0), (999, 41.0)]
)
def test_progress_that_is_too_slow_buys_no_more_time_than_the_bytes_may_take(n: int, until: float) -> None:
    """10 bytes a second: 300 of them in the 30 seconds."""
    made = stream(write=30.0, rate=10)
    made.write(b"a" * 1000, 1.0)
    assert written(made, (11.0, n)) == [until]


def test_a_peer_that_takes_a_byte_now_and_then_is_not_waited_for() -> None:
    made = stream(write=30.0, rate=10)
    made.write(b"a" * 1000, 1.0)
    assert written(made, (11.0, 1), (21.0, 1), (30.999, 1)) == [31.0] * 3
    assert written(made, (31.0, 1)) == [31.0]


def test_what_was_taken_early_buys_no_time_later() -> None:
    """Every 30 seconds are judged alone."""
    made = stream(write=30.0, rate=10)
    made.write(b"a" * 10_000, 0.0)
    assert written(made, (1.0, 5000), (29.5, 1), (30.0, 1)) == [31.0, 59.5, 60.0]
    assert written(made, (40.0, 1), (50.0, 299), (59.5, 5), (60.0, 1)) == [60.0, 60.0, 60.5, 90.0]


def test_what_has_gone_whole_is_forgotten() -> None:
    made = stream(write=30.0, rate=10)
    made.write(b"ab", 0.0)
    assert written(made, (29.0, 2)) == [None]
    made.write(b"abc", 100.0)
    assert written(made, (101.0, 1), (101.0, 1), (101.0, 1)) == [130.0, 130.0, None]


def test_without_a_rate_any_progress_will_do() -> None:
    made = stream(write=30.0, rate=0)
    made.write(b"a" * 1000, 0.0)
    assert written(made, (29.0, 1), (58.0, 1), (87.0, 1)) == [59.0, 88.0, 117.0]


@pytest.mark.parametrize("rate", [0, 10])
def test_without_a_write_timeout_there_is_no_deadline(rate: int) -> None:
    made = stream(write=None, rate=rate)
    made.write(b"ab", 1.0)
    made.bytes_written(1, 2.0)
    assert next_deadline(made) is None


def test_progress_forgets_a_deadline_that_the_settings_do_not_have_any_more() -> None:
    """One that runs already runs on as it was set, and no further (`Connection.configure`)."""
    made = stream(write=30.0, rate=10)
    made.write(b"ab", 1.0)
    made.timeouts = Timeouts(write=None)
    assert next_deadline(made) == 31.0
    assert written(made, (2.0, 1)) == [None]


def test_after_an_abort_time_changes_nothing_more() -> None:
    made = stream(high_water=1)
    made.write(b"abcd", 0.0)
    made.data_to_send()
    made.abort()
    assert next_deadline(made) is None
    made.bytes_written(3, 1.0)
    assert next_deadline(made) is None
    assert list(made.events) == []
    assert made.unsent == 1


def test_whoever_waits_for_a_turn_is_due_at_once() -> None:
    made = stream()
    made.wait_for_turn(5.0)
    assert next_deadline(made) == 5.0
    assert made.turn.is_awaited
    assert made.deadlines.pop_due(5.0) is Deadline.TURN


def test_nobody_waits_for_a_turn_that_is_not_taken() -> None:
    made = stream()
    made.wait_for_turn(5.0)
    made.take_no_turn()
    assert next_deadline(made) is None
    assert not made.turn.is_awaited
