"""What the worst peers make a real server hold: its resident memory grows by two messages of the greatest size and 8 MiB at most,
none of them has the loop for itself for long, and beside each of them a healthy client is answered.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Final

import pytest

from adapters.peer import PATIENCE
from adapters.serving import handshake
from frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame
from spry_core.protocol import Agreement, Deflate
from spry_core.protocol.compression import Compressor

HERE: Final = Path(__file__).parent
MIB: Final = 1024 * 1024
ALLOWED: Final = 2 * MIB + 8 * MIB
LONGEST: Final = 0.05
"""Seconds of the processor for which one peer may have the loop; it takes half of that."""

MOST_SENT: Final = 2 * MIB
"""Bytes after which a server that goes on reading is believed."""

IDLE: Final = 400
"""Idle connections, a sample of the thousands that a server is made for."""

OFFER: Final = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
POST: Final = b"POST /never HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")


def opening(path: str) -> bytes:
    return handshake(path).removesuffix(b"\r\n") + OFFER


def bomb(size: int) -> bytes:
    return frame(
        BINARY, Compressor(Agreement(), "client", Deflate()).compress(bytes(size), ends_message=True), rsv=4
    )


HEAD: Final = b"GET /hello HTTP/1.1\r\nHost: a\r\n"
LONG_FIELDS: Final = b"".join(b"%02d:%s\r\n" % (number, b"x" * 320) for number in range(98))

PEERS: Final[dict[str, tuple[bytes, bytes]]] = {
    "a head without an end": (HEAD, b"x:y\r\n"),
    "heads of the greatest size": (b"", HEAD + LONG_FIELDS + b"\r\n"),
    "pipelined requests, unread": (b"", b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a stream, unread": (b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    "tiny chunks": (POST, b"1\r\nx\r\n"),
    "empty messages": (opening("/never"), frame(TEXT)),
    "empty messages that are dropped": (opening("/gone"), frame(TEXT)),
    "messages of the greatest size, echoed and unread": (opening("/echo"), frame(BINARY, bytes(MIB))),
    "texts with one wide character": (
        opening("/never"),
        frame(TEXT, "\N{GRINNING FACE}".encode() + b"a" * (MIB - 4)),
    ),
    "empty fragments": (opening("/never") + frame(TEXT, fin=False), frame(CONTINUATION, fin=False)),
    "pings, unread": (opening("/never"), frame(PING)),
    "pongs": (opening("/never"), frame(PONG)),
    "bombs": (opening("/never"), bomb(MIB)),
    "bombs that are dropped": (opening("/gone"), bomb(MIB)),
    "bombs, echoed and unread": (opening("/echo"), bomb(MIB)),
}


@contextmanager
def hungry(backend: str) -> Generator[tuple[int, int]]:
    """Run the program; give its process and its port."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(HERE.parent), str(HERE.parent.parent)))}
    program = [sys.executable, str(HERE / "hungry.py"), backend]
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout is not None
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.kill()


def peak(pid: int) -> int:
    """Return the most that a process has had resident, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def fetched(port: int, path: str) -> bytes:
    """Return the content of an answer."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        data = bytearray()
        while some := sock.recv(4096):
            data += some
    return bytes(data.partition(b"\r\n\r\n")[2])


def answered(port: int) -> float:
    """Ask as a healthy client; return how long the answer took."""
    since = monotonic()
    assert fetched(port, "/hello") == b"hello"
    return monotonic() - since


def flood(sock: socket.socket, lead: bytes, unit: bytes, port: int) -> list[float]:
    """Send until nobody reads any more, or that is enough; ask meanwhile as somebody else."""
    sock.sendall(lead)
    block = unit * (-(-65536 // len(unit)))
    waits, sent = [answered(port)], 0
    sock.settimeout(0.2)
    try:
        while sent < MOST_SENT:
            sent += sock.send(block[sent % len(unit) :][:65536])
            waits.append(answered(port))
    except OSError:
        pass  # it does not read any more, or has reset the stream
    return [*waits, answered(port), answered(port)]


@pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "compressed"])
def test_no_peer_makes_a_server_grow_beyond_the_figure(backend: str, is_compressed: bool) -> None:
    """One after the other, and the most that it ever had is what counts: those whose handlers never end are there to the last."""
    waits: list[float] = []
    longest: dict[str, float] = {}
    with hungry(backend) as (pid, port):
        answered(port)
        fetched(port, "/longest")
        before = peak(pid)
        for name, (lead, unit) in PEERS.items():
            if name.startswith("bombs") is is_compressed:
                with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
                    waits += flood(sock, lead, unit, port)
                longest[name] = float(fetched(port, "/longest"))
        grown = peak(pid) - before
    assert grown <= ALLOWED
    assert {name: seconds for name, seconds in longest.items() if seconds > LONGEST} == {}
    assert median(waits) < 0.1


def resident(pid: int) -> int:
    """Return what a process has resident now, in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(("path", "each"), [("/hello", (7.5, 7.5, 13)), ("/echo", (16, 16, 23.5))])
@pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
def test_an_idle_connection_takes_little(backend: str, path: str, each: tuple[float, float, float]) -> None:
    """So many KiB with all that belongs to it, a third more than was measured; and a healthy client is answered among them."""
    if path == "/echo":
        asks, end = handshake(path), b"\r\n\r\n"
    else:
        asks, end = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", b"hello"

    def idle(port: int) -> socket.socket:
        sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), PATIENCE))
        sock.sendall(asks)
        data = bytearray()
        while not data.endswith(end):
            data += sock.recv(4096)
        return sock

    with hungry(backend) as (pid, port), ExitStack() as stack:
        for _ in range(100):
            idle(port)
        before = resident(pid)
        for _ in range(IDLE):
            idle(port)
        grown = (resident(pid) - before) / IDLE / 1024
        waits = [answered(port) for _ in range(5)]
    assert grown <= each[["asyncio", "uvloop", "trio"].index(backend)]
    assert median(waits) < 0.1
