"""Floods against an application in memory: each meets its own limit, before what it sends is held."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from hostile import application, met
from spry_core import Limits
from spry_core.testing import TestClient
from spry_core.testing.peers import Report, floods
from spry_core.testing.wire import MemoryWire


@pytest.mark.parametrize(
    ("peer", "status_code"),
    [
        (floods.header_bomb, 431),
        (floods.endless_line, 414),
        (partial(floods.chunk_extension_flood, target="/upload"), 400),
        (partial(floods.trailer_flood, target="/upload"), 400),
        (partial(floods.body_flood, target="/upload"), 413),
    ],
)
def test_too_much_in_a_request_is_refused_at_once(peer: Callable[..., Report], status_code: int) -> None:
    assert met(peer) == (str(status_code), "end of stream", 0.0)


def test_what_is_within_the_limits_is_answered() -> None:
    """The peers are requests like others, if they are small enough."""
    boundless = Limits(max_chunk_extensions=1 << 30, max_body=1 << 30, max_trailer_fields=100)
    for peer in (
        partial(floods.chunk_extension_flood, count=100),
        partial(floods.trailer_flood, count=100),
        partial(floods.body_flood, size=1 << 20),
    ):
        run = partial(peer, target="/upload")
        assert met(run, limits=boundless)[0] == "200", peer
    assert met(partial(floods.header_bomb, count=50))[0] == "200"


def test_pipelined_requests_are_all_answered_in_turn() -> None:
    """RFC 9112 §9.3.2."""
    report = floods.pipelined_flood(MemoryWire(TestClient(application())), count=200)
    assert (report.answers, report.status_code, report.ending.value) == (200, 200, "end of stream")


def test_fragments_are_counted_also_the_empty_ones() -> None:
    for peer in (floods.fragment_flood, floods.empty_fragment_flood):
        run = partial(peer, target="/echo", count=20_000)
        assert met(run) == ("101, Close 1008", "end of stream", 0.0), peer


def test_a_message_of_few_fragments_is_echoed() -> None:
    report = floods.fragment_flood(MemoryWire(TestClient(application())), "/echo", count=100)
    assert (report.messages, report.close_code) == (1, 1000)


def test_pings_are_answered_one_by_one_to_who_reads() -> None:
    """RFC 6455 §5.5.3."""
    report = floods.ping_flood(MemoryWire(TestClient(application())), "/echo", count=500)
    assert (report.pongs, report.close_code, report.ending.value) == (500, 1000, "end of stream")


def test_a_promise_of_too_much_is_refused_by_its_header() -> None:
    """RFC 6455 §10.4."""
    assert met(partial(floods.message_bomb, target="/echo")) == ("101, Close 1009", "end of stream", 0.0)


def test_what_inflates_to_too_much_is_refused() -> None:
    """RFC 7692 §8."""
    run = partial(floods.compression_bomb, target="/echo", size=4 << 20)
    assert met(run) == ("101, Close 1009", "end of stream", 0.0)
    assert met(run, limits=Limits(max_message_size=8 << 20))[0] == "101, Close 1011"  # echoed, and then mute


def test_where_no_websocket_is_they_report_what_was_answered() -> None:
    for peer in (floods.fragment_flood, floods.ping_flood, floods.message_bomb, floods.compression_bomb):
        assert met(partial(peer, target="/nowhere")) == ("404", "end of stream", 15.0), peer
