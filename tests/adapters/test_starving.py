"""A server without descriptors, on every backend: a process with a real limit, which must serve again and not spin meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from adapters.peer import PATIENCE

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PROGRAM: Final = Path(__file__).resolve().parent / "starving.py"


@contextmanager
def starving(backend: str) -> Generator[subprocess.Popen[str]]:
    """Run the program; it has ended when the block has."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", str(PROGRAM), backend],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


class Client:
    """A connection that asks for one path after the other."""

    def __init__(self, port: int) -> None:
        self._sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def ask(self, path: str) -> None:
        self._sock.sendall(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())

    def hear(self) -> str:
        """Return the content of the answer, which ends with the only exclamation mark."""
        answer = b""
        while not answer.endswith(b"!"):
            data = self._sock.recv(65536)
            assert data, answer
            answer += data
        return answer.partition(b"\r\n\r\n")[2].decode()

    def close(self) -> None:
        self._sock.close()


@pytest.mark.parametrize("backend", ["asyncio", "uvloop", "trio"])
def test_without_descriptors_it_rests_says_so_once_and_serves_again(backend: str) -> None:
    with starving(backend) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with closing(Client(port)) as first:
            first.ask("/take")
            assert first.hear() == "Too many open files!"
            with closing(Client(port)) as waiting, closing(Client(port)) as another:
                waiting.ask("/idle")
                another.ask("/idle")
                first.ask("/idle")
                assert float(first.hear().rstrip("!")) < 0.025  # 5 % of half a second
                first.ask("/give")
                assert first.hear() == "given!"
                assert float(waiting.hear().rstrip("!")) < 0.025
                assert float(another.hear().rstrip("!")) < 0.025
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert errors == "cannot accept connections, trying again every 0.05 s: [Errno 24] Too many open files\n"
