"""What an idle WebSocket takes, measured as `soak.idle` does: in resident memory, from outside."""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.process import Server
from soak import idle


def each(server: Server, path: str, connections: int) -> float:
    """Return the bytes of memory that each of so many idle WebSockets takes in a server, the first ones left aside.

    Raises:
        OSError, RuntimeError: They cannot be opened.
    """
    with ExitStack() as stack:
        for number in range(idle.WARM_UP):
            stack.enter_context(idle.open_websocket(server.port, number, path))
        before = server.memory()
        for number in range(connections):
            stack.enter_context(idle.open_websocket(server.port, number, path))
        return (server.memory() - before) / connections
