"""The client that does everything right."""

from __future__ import annotations

from hostile import met
from spry_core.testing.peers.healthy import healthy


def test_it_is_answered_and_the_connection_ends() -> None:
    """RFC 9112 §9.6."""
    assert met(healthy) == ("200", "end of stream", 0.0)
