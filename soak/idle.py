"""Thousands of connections that say nothing: how much memory each takes, and how long a healthy client waits among them.

The connections are opened one after the other by this process, the server is another one. Its resident memory before and after
is what counts, so everything is in it: objects of the core, of the adapter and of the event loop, and what the allocator loses.
"""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final

from soak.server import Server, served

KINDS: Final = ("http", "websocket")
"""HTTP that is kept alive behind one answer; a WebSocket, not compressed, whose handler waits for a message."""

QUIET: Final = ("--timeout-keep-alive", "3600", "--timeout", "ping_interval=none")
"""So that nothing ends, or speaks, while it is measured."""

HEALTHY: Final = 0.1
"""Seconds that a healthy request may always take; on a busy machine more, see `Report.is_slow`."""

_SLOWER: Final = 5
"""Times as long may a healthy request take among many as among few."""

_REQUEST: Final = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
_ANSWER: Final = b"\r\n\r\nhello"
_HANDSHAKE: Final = (
    b"GET %b HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
WARM_UP: Final = 100
"""Connections that are there before the first measurement: the first ones load code and fill caches."""

_ASKED: Final = 21
"""Healthy requests, each on a connection of its own."""

_SPARE: Final = 100
"""Descriptors for everything else."""

_PORTS: Final = 20_000
"""Connections from one address: a system has not many more ports to connect from."""

_PATIENCE: Final = 30.0


@dataclass(frozen=True, slots=True)
class Report:
    """What so many idle connections of one kind came to."""

    kind: str
    connections: int
    each: float
    """KiB that one of them takes in the server."""
    calm: float
    """Seconds that a healthy request took before they were there, the median."""
    wait: float
    """Seconds that one takes among them, the median."""
    longest: float
    """Seconds that the slowest of the healthy requests took."""

    @property
    def is_slow(self) -> bool:
        """True if it is they that a healthy client has to wait for, and not a busy machine."""
        return self.wait > max(HEALTHY, _SLOWER * self.calm)

    def text(self) -> str:
        """Return it as a line."""
        return (
            f"{self.connections} idle {self.kind}: {self.each:.1f} KiB each; a healthy request takes "
            f"{self.wait * 1000:.1f} ms, {self.longest * 1000:.1f} at the most"
        )


def affordable(wanted: int) -> int:
    """Let this process, and the servers that it starts, have as many descriptors as the system allows; return how many
    connections they are enough for.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    # A server keeps a fifth of its descriptors for the application.
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most * 4 // 5 - WARM_UP - _SPARE)


def run(backend: str, kind: str, connections: int) -> Report:
    """Open so many connections to a server of their own; measure, and close them."""
    room = ("--limit", f"max_connections={connections + WARM_UP + _SPARE}")
    with served(backend, *QUIET, *room) as server, ExitStack() as stack:
        opened = _open_idle if kind == "http" else open_websocket
        for number in range(WARM_UP):
            stack.enter_context(opened(server.port, number))
        calm = median(_asked(server) for _ in range(_ASKED))
        before = server.memory()
        for number in range(connections):
            stack.enter_context(opened(server.port, number))
        grown = server.memory() - before
        waits = [_asked(server) for _ in range(_ASKED)]
        if faults := server.faults():
            raise RuntimeError(f"the server has logged {faults[0]}")
    return Report(kind, connections, grown / connections / 1024, calm, median(waits), max(waits))


def _open_idle(port: int, number: int) -> socket.socket:
    return _asked_for(port, number, _REQUEST, lambda answer: answer.endswith(_ANSWER))


def open_websocket(port: int, number: int, path: str = "/echo") -> socket.socket:
    """Open a WebSocket and return its socket.

    Args:
        port: Where somebody listens on 127.0.0.1.
        number: Of this connection: the system has not ports enough for all of them to come from one address.
        path: ASCII.

    Raises:
        OSError: It cannot be opened.
        RuntimeError: The server has ended the connection.
    """
    return _asked_for(
        port, number, _HANDSHAKE % path.encode("ascii"), lambda answer: answer.endswith(b"\r\n\r\n")
    )


def _asked_for(port: int, number: int, request: bytes, is_whole: Callable[[bytes], bool]) -> socket.socket:
    """Connect, ask, and take the answer."""
    source = (f"127.0.0.{1 + number // _PORTS}", 0)
    sock = socket.create_connection(("127.0.0.1", port), _PATIENCE, source_address=source)
    try:
        sock.sendall(request)
        answer = b""
        while not is_whole(answer):
            some = sock.recv(4096)
            if not some:
                raise RuntimeError(f"the server has ended the connection: {answer[:100]!r}")
            answer += some
    except BaseException:
        sock.close()
        raise
    return sock


def _asked(server: Server) -> float:
    """Ask as a healthy client; return the seconds that the answer took."""
    since = time.monotonic()
    with _open_idle(server.port, 0):
        return time.monotonic() - since
