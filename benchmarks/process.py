"""A server in a process of its own, on a core of its own."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

from soak.server import resident

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 20.0
"""Seconds until a server that does not listen counts as stuck."""

_PROC: Final = Path("/proc")
_PORTS: Final = range(16384, 32768)


class CannotServe(Exception):  # noqa: N818 - it states a fact, as the project's own exceptions do
    """A server has not started; the text is what it wrote."""


class Server:
    """A server that listens."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self._process = process

    def processes(self) -> list[int]:
        """Return its process id, and those of its children and theirs."""
        return family(self._process.pid)

    def memory(self) -> int:
        """Return the bytes of memory that all of them hold."""
        return sum(map(resident, self.processes()))


def family(pid: int) -> list[int]:
    """Return a process id, and those of the process's children and theirs."""
    found = [pid]
    for children in _PROC.glob(f"{pid}/task/*/children"):
        for child in children.read_text().split():
            found += family(int(child))
    return found


def cores() -> tuple[int, int]:
    """Return a core for the server and one for the load; on a machine with a single one they are the same."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[-1]


@contextmanager
def served(arguments: Sequence[str], core: int) -> Generator[Server]:
    """Run a server while the block runs.

    Args:
        arguments: For this Python; `{port}` in them becomes the port to listen on.
        core: The core that all its threads and processes run on.

    Raises:
        CannotServe: It does not start.
    """
    port = free_port()
    command = [sys.executable, *(each.replace("{port}", str(port)) for each in arguments)]
    with TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        os.sched_setaffinity(process.pid, {core})
        try:
            if not listens(port, process):
                raise CannotServe(os.pread(log.fileno(), 1 << 16, 0).decode(errors="replace").strip())
            yield Server(process, port)
        finally:
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """End a server, and the processes that it has started."""
    family_of_it = family(process.pid)[1:]
    process.kill()
    process.wait(PATIENCE)
    for child in family_of_it:
        try:
            os.kill(child, 9)
        except ProcessLookupError:
            pass


def free_port() -> int:
    """Return a port that nobody listens on, of those that a connection never gets: one of them might take it meanwhile."""
    for port in random.sample(_PORTS, k=100):
        try:
            with socket.create_server(("127.0.0.1", port)):
                return port
        except OSError:
            continue
    raise CannotServe("no port is free")


def listens(port: int, process: subprocess.Popen[bytes]) -> bool:
    """Wait until somebody listens there, or the process has ended, or it takes too long."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False
