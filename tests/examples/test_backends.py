"""The example backends: a part of the conformance kit on each, and the bare connection in its loop."""

from __future__ import annotations

import secrets
import socket
import time
from threading import Thread
from typing import Final

import pytest

from examples.backends import anyio_streams, threads
from examples.backends.blocking import echo
from examples.backends.thread_driver import outside
from spry_core import Application, Limits, Request, Timeouts
from spry_core.protocol import Connection
from spry_core.testing.conformance import SCENARIOS, Backend, Scenario, play

BACKENDS: Final[dict[str, Backend]] = {
    "threads": threads.backend,
    "anyio on asyncio": anyio_streams.backend,
    "anyio on trio": anyio_streams.trio_backend,
}
QUICK: Final = [each for each in SCENARIOS if each.group in ("tasks", "half-close", "resets", "lifespan")]
PRESSURE: Final = [each for each in SCENARIOS if each.title.startswith("backpressure: reading stops while")]


@pytest.mark.parametrize("name", BACKENDS)
@pytest.mark.parametrize("scenario", [*QUICK, *PRESSURE], ids=lambda scenario: scenario.title)
def test_a_backend_keeps_what_the_core_relies_on(name: str, scenario: Scenario) -> None:
    assert play(BACKENDS[name], scenario).failure is None


def test_a_call_outside_of_the_lock_lets_others_run() -> None:
    app = Application()
    ways: list[str] = []

    @app.get("/slow")
    async def slow(request: Request) -> str:
        outside(there.recv, 1)
        ways.append("slow")
        return "slow"

    @app.get("/fast")
    async def fast(request: Request) -> str:
        ways.append("fast")
        return "fast"

    here, there = socket.socketpair()
    with here, there, threads.backend(app, limits=Limits(), timeouts=Timeouts()) as server:
        with socket.create_connection(server.address) as one, socket.create_connection(server.address) as two:
            one.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
            two.sendall(b"GET /fast HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            assert read_all(two).endswith(b"\r\n\r\nfast")
            here.sendall(b"!")
            assert one.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    assert ways == ["fast", "slow"]


def test_the_blocking_loop_answers_http_and_echoes_messages() -> None:
    """RFC 9112 §9.6, RFC 6455 §5.7: a masked "Hello" comes back unmasked."""
    ours, theirs = socket.socketpair()
    connection = Connection("server", now=time.monotonic(), random=secrets.token_bytes)
    thread = Thread(target=echo, args=(theirs, connection), daemon=True)
    thread.start()
    with ours:
        ours.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert read_up_to(ours, b"lo\n") == b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n"
        ours.sendall(
            b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        assert read_up_to(ours, b"\r\n\r\n").startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        ours.sendall(bytes.fromhex("818537fa213d7f9f4d5158"))
        assert read_up_to(ours, b"Hello") == b"\x81\x05Hello"
        ours.sendall(bytes.fromhex("88820000000003e8"))
        assert read_all(ours) == b"\x88\x02\x03\xe8"
    thread.join(10)
    assert connection.closed


def read_all(stream: socket.socket) -> bytes:
    data = b""
    while more := stream.recv(65536):
        data += more
    return data


def read_up_to(stream: socket.socket, end: bytes) -> bytes:
    data = b""
    while not data.endswith(end):
        data += stream.recv(65536)
    return data
