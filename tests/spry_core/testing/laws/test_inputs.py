"""What a law sends if it is given nothing else."""

from __future__ import annotations

from hostile import application
from spry_core.testing.laws.inputs import default, is_websocket, places, requests, websocket_frames
from spry_core.testing.requests import handshake


def test_what_is_sent_suits_the_target() -> None:
    assert (is_websocket(application(), "/echo"), is_websocket(application(), "/")) == (True, False)
    assert default(application(), "/") == requests("/")
    opened = handshake("/echo") + websocket_frames()
    assert default(application(), "/echo", closes=False) == opened
    closed = default(application(), "/echo")
    assert (closed[: len(opened)], len(closed) - len(opened)) == (opened, 6 + 6)


def test_places_are_all_or_drawn_by_the_seed() -> None:
    assert places(3, 5, 0) == [0, 1, 2]
    drawn = places(1000, 20, 7)
    assert drawn == places(1000, 20, 7) == sorted(set(drawn))
    assert drawn != places(1000, 20, 8)
    assert 15 < len(drawn) <= 20
