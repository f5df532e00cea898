"""A client that does everything right: it sees whether the server is still there."""

from __future__ import annotations

from spry_core.testing.peers.report import Report
from spry_core.testing.peers.talk import PATIENCE, Talk
from spry_core.testing.requests import HOST, head
from spry_core.testing.wire import Wire


def healthy(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send one request that ends the connection, and take the answer.

    Expected: any answer, and the end of the stream (RFC 9112 §9.6).
    """
    talk = Talk("healthy", wire, patience)
    talk.say(head("GET", target, host, "Connection: close"))
    return talk.finish()
