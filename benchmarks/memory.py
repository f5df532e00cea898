"""What an idle WebSocket takes, measured as `soak.idle` does: in resident memory, from outside."""

from __future__ import annotations

import socket
import struct
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
            stack.enter_context(opened(server.port, number, path))
        before = server.memory()
        for number in range(connections):
            stack.enter_context(opened(server.port, number, path))
        return (server.memory() - before) / connections


def opened(port: int, number: int, path: str) -> socket.socket:
    """Open a WebSocket that ends with a reset: no port of ours has to wait after it, and there are many servers to come."""
    sock = idle.open_websocket(port, number, path)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return sock
