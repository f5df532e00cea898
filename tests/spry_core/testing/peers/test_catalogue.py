"""All peers in a list: against Spry in memory each meets what it is expected to meet."""

from __future__ import annotations

import pytest

from hostile import TARGETS, application
from spry_core.testing import TestClient, peers
from spry_core.testing.peers import ALL, SERVERS, Ending, Peer
from spry_core.testing.wire import MemoryWire


@pytest.mark.parametrize("peer", ALL, ids=lambda peer: peer.name)
def test_every_peer_meets_what_it_is_expected_to_meet(peer: Peer) -> None:
    """And the server has forgotten it afterwards, and has told nobody more than one line about it."""
    client = TestClient(application())
    report = peer.run(MemoryWire(client), TARGETS[peer.kind])
    assert report.name == peer.name
    assert peer.has_met(report), report
    assert not report.outlived
    client.advance(0.0)
    assert client.driver.tasks() == []
    lines = [each for each in client.reports if each.logger == "spry.error"]
    assert len(lines) <= 1
    assert all(each.exception is None for each in lines)


def test_a_peer_that_found_no_websocket_has_met_nothing() -> None:
    for name in ("half_open_websocket", "never_reads"):
        (peer,) = [each for each in ALL if each.name == name]
        report = peer.run(MemoryWire(TestClient(application())), "/nowhere")
        assert (report.ending, peer.has_met(report)) == (Ending.END, False)


def test_every_peer_of_the_package_is_in_a_list() -> None:
    listed = {peer.name.partition("[")[0] for peer in ALL} | set(SERVERS)
    functions = {name for name in peers.__all__ if name.islower()}
    assert listed == functions
    assert len({peer.name for peer in ALL}) == len(ALL)


def test_every_peer_says_what_it_does_in_one_sentence() -> None:
    for peer in ALL:
        assert peer.says.endswith("."), peer.name
