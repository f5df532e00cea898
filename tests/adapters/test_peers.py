"""The hostile peers of the testing kit over real sockets: on every backend each meets what it meets in memory."""

from __future__ import annotations

from functools import partial
from typing import Final

import anyio
import anyio.to_thread
import pytest

from adapters.serving import Running, serving
from hostile import TARGETS, application
from spry_core import Timeouts
from spry_core.testing.address import AddressWire
from spry_core.testing.peers import ALL, Peer, Report, sipper, slow_reader
from spry_core.testing.peers.healthy import healthy

pytestmark = pytest.mark.anyio

TIMEOUTS: Final = Timeouts(
    head=0.4,
    body=0.4,
    keep_alive=0.4,
    write=0.4,
    linger=0.4,
    ping_interval=1.5,
    ping_timeout=0.3,
    close_timeout=0.4,
)
PATIENCE: Final = 30.0
"""Seconds; a busy machine is slow."""
CROWD: Final = 8
"""Peers at a time, each in a thread of its own: a wire blocks."""
LOSING: Final = {
    "header_bomb",
    "endless_line",
    "chunk_extension_flood",
    "trailer_flood",
    "body_flood",
    "zero_window",
}
"""Those that may find a reset where an answer was, since they still send when the server has stopped reading (RFC 9112 §9.6)."""


def suffer(peer: Peer, address: tuple[str, int]) -> Report:
    """Let a peer loose, as slow as these timeouts need it."""
    wire = AddressWire(address, patience=PATIENCE, receive_buffer=peer.receive_buffer)
    target = "/big" if peer.name in {"zero_window", "sipper"} else TARGETS[peer.kind]
    if peer.name == "slow_reader":  # it answers no Ping, so it must be done before one is missed
        return slow_reader(wire, target, patience=PATIENCE, pause=0.01)
    if peer.name == "sipper":
        return sipper(wire, target, patience=PATIENCE, pause=0.1)
    return peer.run(wire, target, patience=PATIENCE)


async def everybody(server: Running) -> dict[str, Report]:
    """Let all of them loose, so many at a time."""
    reports: dict[str, Report] = {}
    limiter = anyio.CapacityLimiter(CROWD)

    async def one(peer: Peer) -> None:
        call = partial(suffer, peer, server.addresses[0])
        reports[peer.name] = await anyio.to_thread.run_sync(call, limiter=limiter)

    async with anyio.create_task_group() as group:
        for peer in ALL:
            group.start_soon(one, peer)
    return reports


async def test_every_peer_meets_what_it_is_expected_to_meet() -> None:
    """And a healthy client is answered when all have gone."""
    async with serving(application(), timeouts=TIMEOUTS) as server:
        reports = await everybody(server)
        wire = AddressWire(server.addresses[0], patience=PATIENCE)
        last = await anyio.to_thread.run_sync(partial(healthy, wire, patience=PATIENCE))
    assert (last.answer, last.ending.value) == ("200", "end of stream")
    wrong = [
        str(reports[peer.name])
        for peer in ALL
        if not peer.has_met(reports[peer.name])
        and not (peer.name in LOSING and reports[peer.name].ending.value == "reset")
    ]
    assert wrong == []
    assert not any(report.outlived for report in reports.values())
