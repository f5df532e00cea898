"""Peers that end badly, against an application in memory."""

from __future__ import annotations

from functools import partial

from hostile import application, met
from spry_core import Timeouts
from spry_core.testing import TestClient
from spry_core.testing.peers import leaving
from spry_core.testing.wire import MemoryWire


def test_who_has_ended_its_direction_is_answered_still() -> None:
    """RFC 9112 §9.6."""
    assert met(leaving.half_open) == ("200", "end of stream", 0.0)


def test_a_websocket_whose_peer_sends_no_more_ends() -> None:
    """RFC 6455 §7.1.5."""
    assert met(partial(leaving.half_open_websocket, target="/echo")) == ("101", "end of stream", 0.0)


def test_a_reset_in_the_midst_leaves_a_server_that_answers() -> None:
    for peer, target, answer in (
        (leaving.reset_mid_head, "/", "nothing"),
        (leaving.reset_mid_body, "/upload", "nothing"),
        (leaving.reset_mid_frame, "/echo", "101"),
    ):
        client = TestClient(application())
        report = peer(MemoryWire(client), target)
        assert (report.answer, report.ending.value, report.seconds) == (answer, "left", 0.0), peer
        assert client.get("/").text == "hello"
        client.close()
        assert client.driver.tasks() == []


def test_who_does_not_close_is_cut_when_the_time_for_it_is_over() -> None:
    """RFC 6455 §7.1.1: no traffic puts it off."""
    never = met(partial(leaving.never_closing, target="/echo"))
    chatty = met(partial(leaving.chatty_closer, target="/echo"))
    assert (never, chatty) == (("101, Close 1002", "reset", 5.0), ("101, Close 1000", "reset", 5.0))


def test_without_a_time_for_closing_they_outlive_their_patience() -> None:
    never = Timeouts(close_timeout=None, linger=None)
    for peer in (leaving.never_closing, leaving.chatty_closer):
        assert met(partial(peer, target="/echo", patience=30.0), timeouts=never)[1:] == ("outlived", 30.0), (
            peer
        )


def test_where_no_websocket_is_they_report_what_was_answered() -> None:
    for peer in (
        leaving.half_open_websocket,
        leaving.reset_mid_frame,
        leaving.never_closing,
        leaving.chatty_closer,
    ):
        assert met(partial(peer, target="/nowhere")) == ("404", "end of stream", 15.0), peer
