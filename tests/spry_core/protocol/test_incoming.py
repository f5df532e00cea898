"""Tests of `spry_core.protocol.incoming`: how much content is left, how much waits, and whether it comes fast enough.

Chosen: 20 s without a byte, 500 bytes a second after that, reading pauses at 1,000 bytes.
"""

from __future__ import annotations

import pytest

from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.head import Chunked, Framing, Length, UntilClose
from spry_core.protocol.incoming import IncomingContent
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.stream import Stream
from traces import counted

BODY = Deadline.BODY


def stream(*, body: float | None = 20.0, min_body_rate: int = 500, max_read_ahead: int = 1000) -> Stream:
    return Stream(
        limits=Limits(min_body_rate=min_body_rate, max_read_ahead=max_read_ahead),
        timeouts=Timeouts(body=body),
        random=counted,
        can_half_close=True,
    )


def content(
    made: Stream, framing: Framing | None = None, *, is_judged: bool = True, is_invited: bool = True
) -> IncomingContent:
    return IncomingContent(framing or Length(10**9), made, 0.0, is_judged=is_judged, is_invited=is_invited)


def test_a_peer_is_judged_from_the_end_of_the_head_unless_it_is_said_otherwise() -> None:
    of = stream()
    IncomingContent(Length(3), of, 5.0)
    assert of.deadlines.next() == 25.0


def test_a_length_takes_so_many_bytes_and_leaves_the_rest() -> None:
    made = content(stream(), Length(5))
    held = bytearray(b"abc")
    assert (made.take(held), made.is_done) == (b"abc", False)
    held += b"defg"
    assert (made.take(held), made.is_done) == (b"de", True)
    assert held == b"fg"


def test_an_empty_content_is_done_at_once_and_has_no_deadline() -> None:
    of = stream()
    assert content(of, Length(0)).is_done
    assert of.deadlines.next() is None


def test_chunks_end_with_the_last_one() -> None:
    made = content(stream(), Chunked())
    held = bytearray(b"1;x\r\na\r\n0\r\n")
    assert (made.take(held), made.is_done) == (b"1\r\na\r\n0\r\n", False)
    held += b"\r\nrest"
    assert (made.take(held), made.is_done) == (b"\r\n", True)
    assert held == b"rest"


def test_chunks_that_are_decoded_here_have_trailers() -> None:
    made = IncomingContent(Chunked(), stream(), 0.0, decodes=True)
    assert made.take(bytearray(b"1;x\r\na\r\n0\r\nA: b\r\n\r\n")) == b"a"
    assert (made.is_done, made.trailers) == (True, ((b"a", b"b"),))
    assert content(stream(), Length(1)).trailers == ()


def test_a_read_that_is_all_content_need_not_be_held() -> None:
    made = content(stream(), Length(5))
    assert (made.take_whole(6), made.take_whole(3), made.is_done) == (False, True, False)
    assert (made.take_whole(3), made.take_whole(2), made.is_done) == (False, True, True)
    endless = content(stream(), UntilClose())
    assert (endless.take_whole(1000), endless.is_done) == (True, False)
    assert not content(stream(), Chunked()).take_whole(1)


def test_content_to_the_end_of_the_stream_takes_everything() -> None:
    made = content(stream(), UntilClose())
    held = bytearray(b"abc")
    assert (made.take(held), made.is_done, made.ends_with_stream) == (b"abc", False, True)
    made.finish()
    assert made.is_done
    assert not content(stream(), Length(1)).ends_with_stream
    assert not content(stream(), Chunked()).ends_with_stream


def test_only_a_length_says_how_much_is_still_to_come() -> None:
    made = content(stream(), Length(5))
    assert [made.is_longer_than(n) for n in (4, 5, 6)] == [True, False, False]
    made.take(bytearray(b"a"))
    assert [made.is_longer_than(n) for n in (3, 4)] == [True, False]
    assert not content(stream(), Chunked()).is_longer_than(0)
    assert not content(stream(), UntilClose()).is_longer_than(0)


def test_what_was_delivered_and_not_consumed_is_counted() -> None:
    made = content(stream())
    made.count(10, 0.0)
    made.count(5, 0.0)
    assert made.unreleased == 15
    made.release(6, 0.0)
    assert made.unreleased == 9
    made.release(100, 0.0)
    assert made.unreleased == 0


def due(made: Stream) -> float | None:
    return made.deadlines.next()


def test_the_peer_may_be_silent_for_a_while_and_no_longer() -> None:
    """The deadline is 20 s after the head, and then after each byte that keeps the rate."""
    of = stream()
    made = content(of)
    assert due(of) == 20.0
    made.count(9999, 19.0)
    made.release(9999, 19.0)
    assert due(of) == 20.0
    made.count(1, 19.5)
    assert due(of) == 20.0
    made.count(10**6, 19.9)
    made.release(10**6, 19.9)
    assert due(of) == 39.9
    assert of.deadlines.pop_due(39.899) is None
    assert of.deadlines.pop_due(39.9) is BODY


@pytest.mark.parametrize(
    ("received", "moment"), [(0, 20.0), (10_000, 20.0), (10_001, 20.002), (12_500, 25.0)]
)
def test_after_a_while_the_peer_must_keep_a_rate(received: int, moment: float) -> None:
    """500 bytes a second from the head on: with 12,500 bytes the peer has until 25 s."""
    of = stream(max_read_ahead=10**6)
    content(of).count(received, 10.0)
    assert due(of) == pytest.approx(moment)


def test_a_trickle_moves_the_deadline_only_as_far_as_the_rate_allows() -> None:
    of = stream(max_read_ahead=10**6)
    made = content(of)
    made.count(10_000, 0.0)
    for second in range(1, 20):
        made.count(1, float(second))
    assert due(of) == pytest.approx(10_019 / 500)


def test_a_rate_that_was_missed_is_due_already() -> None:
    of = stream()
    made = content(of)
    made.count(1, 30.0)
    assert due(of) == pytest.approx(20.0)
    assert of.deadlines.pop_due(30.0) is BODY


def test_without_a_rate_only_silence_counts() -> None:
    of = stream(min_body_rate=0)
    made = content(of)
    for second in range(0, 190, 19):
        made.count(1, float(second))
        assert due(of) == second + 20.0


def test_without_a_body_timeout_nothing_counts() -> None:
    of = stream(body=None)
    made = content(of)
    made.count(1, 1000.0)
    assert due(of) is None


def test_a_content_that_is_not_judged_may_take_for_ever() -> None:
    of = stream()
    made = content(of, is_judged=False)
    made.count(2000, 1000.0)
    made.release(2000, 2000.0)
    assert due(of) is None


def test_the_deadline_is_not_set_again_when_the_content_is_complete() -> None:
    of = stream()
    made = content(of, Length(1))
    made.take(bytearray(b"a"))
    of.deadlines.clear(BODY)
    made.count(1, 0.0)
    assert due(of) is None


@pytest.mark.parametrize(("unreleased", "stands_still"), [(999, False), (1000, True), (1001, True)])
def test_the_deadline_stands_still_while_we_do_not_read(unreleased: int, stands_still: bool) -> None:
    of = stream(min_body_rate=0)
    made = content(of)
    made.count(unreleased, 5.0)
    assert due(of) == (None if stands_still else 25.0)


def test_the_clock_runs_on_from_where_it_stood() -> None:
    """Paused from 5 to 105: the 20 s that were left at 5 are left at 105."""
    of = stream(min_body_rate=0)
    made = content(of)
    made.count(1000, 5.0)
    made.release(0, 50.0)
    assert due(of) is None
    made.release(1, 105.0)
    assert due(of) == 125.0
    made.release(999, 110.0)
    assert due(of) == 125.0


def test_the_rate_leaves_out_the_time_in_which_we_did_not_read() -> None:
    """12,500 bytes are enough until 25 s, and until 125 s if reading paused for 100 of them."""
    of = stream(max_read_ahead=12_500)
    made = content(of)
    made.count(12_500, 10.0)
    assert due(of) is None
    made.release(12_500, 110.0)
    assert due(of) == pytest.approx(125.0)
    made.count(1, 111.0)
    assert due(of) == pytest.approx(125.002)


def test_the_time_of_a_peer_that_waits_for_100_begins_with_it() -> None:
    """RFC 9110 §10.1.1: its silence until then is no fault."""
    of = stream()
    made = content(of, is_invited=False)
    assert due(of) is None
    made.invite(1000.0)
    assert due(of) == 1020.0
    made.count(1, 1001.0)
    assert due(of) == 1020.0
    made.invite(1002.0)
    assert due(of) == 1020.0


def test_the_time_of_a_peer_that_did_not_wait_begins_with_its_first_byte() -> None:
    of = stream(max_read_ahead=10**6)
    made = content(of, is_invited=False)
    made.count(12_500, 100.0)
    assert due(of) == pytest.approx(120.0)
    made.count(12_500, 110.0)
    assert due(of) == pytest.approx(130.0)


def test_bytes_that_were_on_their_way_when_we_paused_are_taken_and_the_clock_stands() -> None:
    """One more read is still taken after reading has paused."""
    of = stream(max_read_ahead=12_500)
    made = content(of)
    made.count(12_500, 10.0)
    made.count(500, 60.0)
    assert due(of) is None
    made.release(13_000, 110.0)
    assert due(of) == pytest.approx(126.0)
