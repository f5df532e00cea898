"""Processes in trouble, on every backend: no memory, children that hold its sockets, nobody who reads its log."""

from __future__ import annotations

import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, suppress
from fcntl import F_SETPIPE_SZ, fcntl
from typing import Final

import pytest

from adapters.serving import handshake
from frames import BINARY, PONG, TEXT, frame
from handshakes import SWITCHED
from served import PATIENCE, ROOT, Served, served

BACKENDS: Final = {
    "asyncio": ("--backend", "asyncio", "--loop", "asyncio"),
    "uvloop": ("--backend", "asyncio", "--loop", "uvloop"),
    "trio": ("--backend", "trio"),
}
on_backends = pytest.mark.parametrize("backend", BACKENDS)
MUCH: Final = 256 * 1024 * 1024


@contextmanager
def straining(backend: str, *options: str) -> Generator[Served]:
    """Serve `straining.py`."""
    with served(
        "--app-dir", "tests/adapters", "straining:app", *BACKENDS[backend], "--no-access-log", *options
    ) as server:
        yield server


class Client:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def ask(self, path: str, *fields: str) -> str:
        """Return the status code and the content of an answer that ends with an exclamation mark."""
        lines = (f"GET {path} HTTP/1.1", "Host: test", *fields)
        self.say("".join(f"{line}\r\n" for line in lines).encode() + b"\r\n")
        return self.hear()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def hear(self) -> str:
        answer = b""
        while not answer.endswith((b"!", b"Error")) and (data := self.socket.recv(65536)):
            answer += data
        content = answer.partition(b"\r\n\r\n")[2]
        return f"{answer[9:12].decode()} {content.decode()}"

    def is_ended(self) -> bool:
        """Wait for the end of the stream, in order or not, and see that nothing comes before it."""
        with suppress(ConnectionError):
            return self.socket.recv(1) == b""
        return True

    def close(self) -> None:
        self.socket.close()


@contextmanager
def connected(server: Served) -> Generator[Client]:
    client = Client(server.port)
    try:
        yield client
    finally:
        client.close()


def ask(server: Served, path: str, *fields: str) -> str:
    """Ask over a new connection."""
    with connected(server) as client:
        return client.ask(path, *fields)


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that counts memory by addresses")
@on_backends
def test_a_handler_without_memory_is_a_500_and_nothing_else(backend: str) -> None:
    with straining(backend) as server:
        assert ask(server, "/confine") == "200 confined!"
        with connected(server) as client:
            assert client.ask("/allocate") == "500 Internal Server Error"
            assert client.ask("/hello") == "200 hello!"
        assert server.stop() == 0
        lines = server.rest()[1]
    assert sum("MemoryError in the application" in line for line in lines) == 1


def overflow_a_content(client: Client) -> None:
    client.say(b"POST /collect HTTP/1.1\r\nHost: test\r\nContent-Length: %d\r\n\r\n" % MUCH)
    for _ in range(MUCH // 65536):
        client.say(b"x" * 65536)


def overflow_a_message(client: Client) -> None:
    client.say(handshake("/collect"))
    head = frame(BINARY, b"x" * 65536, mask=b"\0\0\0\0")[10 + 4 :]
    client.say(bytes((0x82, 0xFF)) + MUCH.to_bytes(8, "big") + b"\0\0\0\0")
    for _ in range(MUCH // 65536):
        client.say(head)


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that counts memory by addresses")
@on_backends
@pytest.mark.parametrize(
    ("overflow", "told"),
    [
        (overflow_a_content, 'POST /collect": MemoryError in the application\n'),
        (overflow_a_message, 'GET /collect": out of memory, connection aborted\n'),
    ],
)
def test_a_peer_that_brings_more_than_there_is_ends_its_connection_alone_with_one_line(
    backend: str, overflow: Callable[[Client], None], told: str
) -> None:
    with straining(backend, "--limit", f"max_body={2 * MUCH}") as server:
        assert ask(server, "/confine") == "200 confined!"
        with connected(server) as client:
            with suppress(ConnectionError):
                overflow(client)
            received = b""
            with suppress(ConnectionError):
                while data := client.socket.recv(65536):
                    received += data
        assert str(MUCH).encode() not in received
        assert ask(server, "/hello") == "200 hello!"
        assert server.stop() == 0
        lines = server.rest()[1]
    # The core's code is short of memory in either case, but only of a message it knows that before it is asked for it.
    assert [line.partition('"')[2] for line in lines if " ERROR " in line] == [told]
    assert len(lines) == 3, lines  # and the two of the shutdown


def take_ping(client: Client) -> bytes:
    """See a Ping come, and nothing before it; return the frame that answers it."""
    assert client.socket.recv(2, socket.MSG_WAITALL) == b"\x89\x04"
    return frame(PONG, client.socket.recv(4, socket.MSG_WAITALL))


@on_backends
def test_a_handler_that_blocks_the_loop_costs_nobody_a_connection_who_has_been_in_time(backend: str) -> None:
    """What has come while nothing ran is read before deadlines are judged that have passed meanwhile."""
    pings = ("--ws-ping-interval", "0.3", "--ws-ping-timeout", "1.2")
    with straining(backend, "--timeout", "head=2", *pings) as server:
        with connected(server) as ws, connected(server) as slow, connected(server) as blocking:
            ws.say(handshake("/echo"))
            assert ws.socket.recv(len(SWITCHED), socket.MSG_WAITALL) == SWITCHED
            slow.say(b"GET /hello HTTP/1.1\r\nHost: te")
            pong = take_ping(ws)
            blocking.say(b"GET /block HTTP/1.1\r\nHost: test\r\n\r\n")
            assert server.process.stdout is not None
            assert server.process.stdout.readline() == "blocking\n"
            ws.say(pong)
            slow.say(b"st\r\n\r\n")
            assert blocking.hear() == "200 blocked!"
            assert slow.hear() == "200 hello!"
            ws.say(take_ping(ws))
            take_ping(ws)
        assert server.stop() == 0


GET: Final = b"GET /never HTTP/1.1\r\nHost: test\r\n\r\n"
FLOOD: Final = frame(TEXT) * 11_000


def say_nothing_more(sock: socket.socket) -> None:
    pass


def end(sock: socket.socket) -> None:
    sock.shutdown(socket.SHUT_WR)


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def flood(sock: socket.socket) -> None:
    """Send until nobody reads any more."""
    sock.settimeout(0.2)
    with suppress(TimeoutError):
        while True:
            sock.sendall(FLOOD)


@on_backends
@pytest.mark.parametrize("leave", [say_nothing_more, end, reset])
def test_a_process_whose_peers_do_nothing_does_nothing_either(
    backend: str, leave: Callable[[socket.socket], None]
) -> None:
    """Nor if they have ended or reset the stream, which leaves a socket ready for ever: 1 % of the time at most."""
    with straining(backend, "--timeout", "grace=0.1", "--timeout", "close_timeout=0.1") as server:
        with ExitStack() as stack:
            for lead in (b"", GET[:-2], GET, handshake("/never"), handshake("/push")):
                client = stack.enter_context(connected(server))
                client.say(lead)
                if lead == handshake("/never"):
                    assert client.socket.recv(len(SWITCHED), socket.MSG_WAITALL) == SWITCHED
                    flood(client.socket)
                leave(client.socket)
            assert ask(server, "/hello") == "200 hello!"
            status, _, seconds = ask(server, "/idle").removesuffix("!").partition(" ")
            assert (status, float(seconds) < 0.01) == ("200", True), seconds
        assert server.stop() == 0


@on_backends
@pytest.mark.parametrize("path", ["/spawn", "/fork"])
def test_a_child_holds_no_connection_open_and_no_port(backend: str, path: str) -> None:
    """RFC 9112 §9.6: the server ends the stream, whoever has a copy of its socket."""
    with straining(backend) as server:
        with connected(server) as client:
            answer = client.ask(path, "Connection: close")
            child = int(answer.removeprefix("200 ").removesuffix("!"))
            try:
                assert client.is_ended()
                assert ask(server, "/hello") == "200 hello!"
            finally:
                os.kill(child, signal.SIGKILL)
        assert server.stop() == 0


@on_backends
def test_a_child_holds_no_connection_open_that_the_peer_has_ended_first(backend: str) -> None:
    """Then the server does not half-close but close, which alone ends nothing while somebody has a copy (RFC 9112 §9.6)."""
    with straining(backend) as server:
        with connected(server) as client:
            child = int(client.ask("/fork").removeprefix("200 ").removesuffix("!"))
            try:
                client.socket.shutdown(socket.SHUT_WR)
                assert client.is_ended()
            finally:
                os.kill(child, signal.SIGKILL)
        assert server.stop() == 0


@on_backends
def test_a_log_that_nobody_reads_any_more_disturbs_nothing(backend: str) -> None:
    command = [sys.executable, "-W", "error", "-m", "spry_cli", "run", "--app-dir", "tests/adapters"]
    process = subprocess.Popen(
        [*command, "straining:app", "--port", "0", *BACKENDS[backend]],
        cwd=os.fspath(ROOT),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        port = int(process.stderr.readline().rpartition(":")[2].split()[0])
        process.stderr.close()
        process.stdout.close()
        for _ in range(3):
            client = Client(port)
            assert client.ask("/hello") == "200 hello!"
            client.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="it is Linux that lets a pipe be made small")
@on_backends
def test_a_log_that_nobody_reads_holds_up_neither_requests_nor_the_end(backend: str) -> None:
    """The reader is there and stands still: the pipe is full after some forty lines."""
    command = [sys.executable, "-W", "error", "-m", "spry_cli", "run", "--app-dir", "tests/adapters"]
    with subprocess.Popen(
        [*command, "straining:app", "--port", "0", *BACKENDS[backend]],
        cwd=os.fspath(ROOT),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        bufsize=1,
    ) as process:
        try:
            assert process.stderr is not None
            fcntl(process.stderr, F_SETPIPE_SZ, 4096)
            port = int(process.stderr.readline().rpartition(":")[2].split()[0])
            client = Client(port)
            for _ in range(200):
                assert client.ask("/hello") == "200 hello!"
            client.close()
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
            lines = process.stderr.readlines()
            assert 0 < len(lines) < 100
            assert all('"GET /hello" 200' in line for line in lines)
        finally:
            process.kill()
