"""What a peer does and hears on its wire; the other end is in the test's hands."""

from __future__ import annotations

from frames import BINARY, CLOSE_FRAME, PING, PONG, TEXT, close_payload, frame
from hostile import raw
from spry_core.testing.peers.report import Ending
from spry_core.testing.peers.talk import Talk

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def test_everything_that_comes_is_counted() -> None:
    wire, other, _ = raw()
    talk = Talk("me", wire, 5.0)
    other.outgoing.write(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nhelloHTTP/1.0 404 \r\n\r\n")
    other.outgoing.finish()
    report = talk.finish()
    assert (report.answers, report.status_code, report.received, report.name) == (3, 404, 66, "me")
    assert report.beginning.startswith(b"HTTP/1.1 100 Continue\r\n")


def test_a_status_line_may_come_in_pieces() -> None:
    wire, other, driver = raw()
    for moment, byte in enumerate(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 408 X\r\n\r\n", 1):
        driver.add_alarm(moment, lambda byte=byte: other.outgoing.write(bytes((byte,))))  # type: ignore[misc]
    driver.add_alarm(50.0, other.close)
    report = Talk("me", wire, 60.0).finish()
    assert (report.answers, report.status_code, report.seconds) == (2, 408, 50.0)


def test_behind_a_101_frames_are_heard() -> None:
    wire, other, _ = raw()
    heard = [
        frame(TEXT, b"a", mask=None, fin=False),
        frame(0, b"b", mask=None),
        frame(PING, mask=None),
        frame(PONG, b"p", mask=None),
        frame(BINARY, b"c", mask=None),
    ]
    other.outgoing.write(SWITCHED + b"".join(heard))
    talk = Talk("me", wire, 5.0)
    assert talk.open("/")
    other.outgoing.write(frame(CLOSE_FRAME, close_payload(1001), mask=None)[:3])
    talk.hear(1.0)
    assert not talk.is_refused
    other.outgoing.write(frame(CLOSE_FRAME, close_payload(1001), mask=None)[3:] * 1)
    other.outgoing.write(frame(CLOSE_FRAME, close_payload(1000), mask=None))
    other.outgoing.finish()
    report = talk.finish()
    assert (report.messages, report.pongs, report.close_code, report.answers) == (2, 1, 1001, 1)


def test_an_empty_close_frame_is_1005() -> None:
    """RFC 6455 §7.1.5."""
    wire, other, _ = raw()
    other.outgoing.write(SWITCHED + frame(CLOSE_FRAME, mask=None))
    other.outgoing.finish()
    talk = Talk("me", wire, 5.0)
    assert talk.open("/")
    assert talk.finish().close_code == 1005


def test_anything_but_a_101_is_no_opening() -> None:
    for answer in (b"HTTP/1.1 404 Not Found\r\n\r\n", b"SSH-2.0\r\n\r\n", b""):
        wire, other, _ = raw()
        other.outgoing.write(answer)
        other.outgoing.finish()
        assert not Talk("me", wire, 5.0).open("/")


def test_patience_ends_whatever_is_done() -> None:
    wire, other, _ = raw()
    talk = Talk("me", wire, 5.0)
    talk.say(bytes(1 << 20), deaf=True)
    assert (talk.is_over, talk.left) == (True, 0.0)
    talk.say(b"more")
    talk.hear(1.0)
    talk.leave_rudely()
    report = talk.finish()
    assert (report.sent, report.seconds, report.outlived) == (64 * 1024, 5.0, True)
    assert other.incoming.is_reset


def test_who_hears_does_not_wait_for_who_takes_nothing_longer_than_it_must() -> None:
    wire, other, driver = raw()
    driver.add_alarm(1.0, other.close)
    talk = Talk("me", wire, 5.0)
    talk.say(bytes(1 << 20))
    report = talk.finish()
    assert (report.ending.value, report.sent, report.seconds) == ("reset", 64 * 1024, 1.0)


def test_a_stream_that_breaks_is_reported_as_reset() -> None:
    wire, other, _ = raw()
    talk = Talk("me", wire, 5.0)
    other.close()
    talk.say(b"a", deaf=True)
    talk.say(b"b", deaf=True)
    report = talk.finish()
    assert (report.ending.value, report.sent) == ("reset", 0)


def test_who_ended_its_direction_and_sends_on_has_broken_it() -> None:
    wire, other, _ = raw()
    talk = Talk("me", wire, 5.0)
    wire.half_close()
    talk.say(b"a")
    other.outgoing.finish()
    assert talk.finish().ending.value == "reset"


def test_the_end_is_no_reason_to_go_for_who_outstays() -> None:
    wire, other, driver = raw()
    talk = Talk("me", wire, 10.0)
    other.outgoing.finish()
    driver.add_alarm(3.5, other.close)
    talk.outstay(b"x", 1.0)
    assert (talk.finish().seconds, talk.finish().ending.value) == (4.0, "reset")


def test_who_outstays_may_be_cut_while_it_listens_or_never() -> None:
    wire, other, driver = raw()
    driver.add_alarm(2.0, other.reset)
    talk = Talk("me", wire, 10.0)
    talk.outstay(b"", 1.0)
    assert talk.finish().ending.value == "reset"
    wire, other, _ = raw()
    talk = Talk("me", wire, 10.0)
    talk.outstay(b"x", 3.0)
    report = talk.finish()
    assert (report.ending.value, report.seconds, report.sent) == ("outlived", 10.0, 4)


def test_a_wait_for_a_request_ends_with_the_stream() -> None:
    wire, other, _ = raw()
    other.outgoing.write(b"GET")
    other.outgoing.finish()
    talk = Talk("me", wire, 5.0)
    talk.request(b"")
    assert (talk.is_over, talk.beginning) == (True, b"GET")


def test_bytes_may_drip_until_the_patience_is_over() -> None:
    wire, other, driver = raw()
    talk = Talk("me", wire, 5.0)
    talk.drip(b"abc", 1.0)
    assert (driver.now(), other.incoming.read(99), talk.finish().sent) == (5.0, b"abcab", 5)


def test_what_is_poured_is_sent_so_many_times() -> None:
    wire, other, _ = raw()
    Talk("me", wire, 5.0).pour(b"ab", 3)
    assert other.incoming.read(99) == b"ababab"


def test_who_leaves_politely_says_so_and_hears_to_the_end() -> None:
    """RFC 6455 §7.1.2."""
    wire, other, driver = raw()
    driver.add_alarm(2.0, other.outgoing.finish)
    talk = Talk("me", wire, 5.0)
    talk.leave_politely()
    assert (driver.now(), talk.finish().ending) == (2.0, Ending.END)


def test_who_leaves_rudely_cuts_the_stream_once() -> None:
    wire, other, _ = raw()
    talk = Talk("me", wire, 5.0)
    talk.leave_rudely()
    talk.leave_rudely()
    assert (other.incoming.is_reset, talk.finish().ending) == (True, Ending.LEFT)
