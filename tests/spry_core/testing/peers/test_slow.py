"""Slow peers against an application in memory: each is ended at its exact moment, by its own timeout."""

from __future__ import annotations

from functools import partial

from hostile import application, met
from spry_core import Limits, Timeouts
from spry_core.testing import TestClient
from spry_core.testing.peers import slow
from spry_core.testing.wire import MemoryWire


def test_a_silent_peer_gets_no_answer_and_the_end() -> None:
    assert met(slow.silent) == ("nothing", "end of stream", 10.0)


def test_a_head_that_drips_is_too_slow_however_it_drips() -> None:
    """RFC 9110 §15.5.9: the time for the head is absolute."""
    for peer in (slow.slow_head, slow.header_drip, slow.slowloris):
        assert met(peer) == ("408", "end of stream", 10.0), peer
        assert met(partial(peer, pause=2.5)) == ("408", "end of stream", 10.0), peer


def test_a_content_that_drips_or_stalls_is_too_slow() -> None:
    for peer in (slow.slow_body, slow.stalled_body):
        assert met(partial(peer, target="/upload")) == ("408", "end of stream", 20.0), peer


def test_a_connection_that_asks_no_more_is_ended_behind_its_answer() -> None:
    """RFC 9112 §9.5."""
    assert met(slow.idle) == ("200", "end of stream", 15.0)


def test_who_never_reads_is_cut() -> None:
    assert met(slow.zero_window) == ("nothing", "reset", 30.0)
    assert met(partial(slow.never_reads, target="/echo")) == ("101", "reset", 30.0)


def test_what_is_taken_from_who_never_reads_is_bounded() -> None:
    wire = MemoryWire(TestClient(application()))
    report = slow.never_reads(wire, "/echo")
    assert report.sent < 300_000  # both pipes, the queue of messages, the water mark, and one read
    assert report.received == 129  # the 101


def test_who_sips_is_cut_although_it_takes_something_again_and_again() -> None:
    assert met(slow.sipper) == ("200", "reset", 30.0)
    assert met(partial(slow.sipper, sip=400, pause=2.0)) == ("200", "reset", 30.0)
    assert met(slow.sipper, limits=Limits(min_write_rate=0)) == ("200", "outlived", 60.0)
    assert met(partial(slow.sipper, sip=500)) == ("200", "outlived", 60.0)  # just fast enough


def test_who_does_read_is_not_cut_and_gets_everything() -> None:
    wire = MemoryWire(TestClient(application()))
    report = slow.slow_reader(wire, "/echo")
    assert (report.messages, report.close_code, report.ending.value) == (64, 1000, "end of stream")
    assert report.seconds == 4.0


def test_who_answers_no_ping_is_told_so_and_ended() -> None:
    """RFC 6455 §5.5.2."""
    for peer in (slow.mute, slow.half_frame):
        assert met(partial(peer, target="/echo")) == ("101, Close 1011", "end of stream", 40.0), peer


def test_without_timeouts_all_of_them_outlive_their_patience() -> None:
    never = Timeouts(head=None, body=None, keep_alive=None, write=None, ping_interval=None)
    for peer in (slow.silent, slow.slow_head, slow.header_drip, slow.slowloris, slow.idle, slow.zero_window):
        assert met(partial(peer, patience=90.0), timeouts=never)[1:] == ("outlived", 90.0), peer
    assert met(slow.sipper, timeouts=never) == ("200", "outlived", 60.0)
    for peer in (slow.slow_body, slow.stalled_body):
        assert met(partial(peer, target="/upload"), timeouts=never)[1:] == ("outlived", 60.0), peer
    for peer in (slow.never_reads, slow.mute, slow.half_frame):
        assert met(partial(peer, target="/echo"), timeouts=never) == ("101", "outlived", 60.0), peer


def test_where_no_websocket_is_they_report_what_was_answered() -> None:
    for peer in (slow.never_reads, slow.slow_reader, slow.mute, slow.half_frame):
        assert met(partial(peer, target="/nowhere")) == ("404", "end of stream", 15.0), peer
