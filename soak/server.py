"""A server as a process of its own, and what can be seen of it from outside."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 30.0
"""Seconds until a process that does not begin or end counts as stuck; a busy machine is slow."""

BACKENDS: Final = {
    "asyncio": ("--backend", "asyncio", "--loop", "asyncio"),
    "uvloop": ("--backend", "asyncio", "--loop", "uvloop"),
    "trio": ("--backend", "trio"),
}
"""What the command gets for each backend."""

_PROC: Final = Path("/proc")


class Server:
    """A running `spry run`."""

    def __init__(self, process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
        self.process = process
        self._log = log
        self.port = self._wait_for_port()

    def _wait_for_port(self) -> int:
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            if found := re.search(r" on http://127\.0\.0\.1:(\d+) ", self.log()):
                return int(found[1])
            time.sleep(0.01)
        raise RuntimeError(f"the server did not start: {self.log()}")

    def log(self) -> str:
        """Return what it has written so far."""
        return os.pread(self._log.fileno(), 1 << 20, 0).decode(errors="replace")

    def faults(self) -> list[str]:
        """Return the lines of its log that say that Spry, or an application, has done wrong."""
        return [
            line for line in self.log().splitlines() if re.search(r"Traceback|internal error|Error\b", line)
        ]

    def stop(self) -> int:
        """Ask it to end and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def memory(self) -> int:
        """Return the bytes of memory that it holds; 0 where the system does not tell."""
        return resident(self.process.pid)

    def sockets(self) -> list[str]:
        """Return its open sockets; nothing where the system does not tell."""
        try:
            files = [os.readlink(each) for each in (_PROC / str(self.process.pid) / "fd").iterdir()]
        except OSError:
            return []
        return sorted(each for each in files if each.startswith("socket:"))


def resident(pid: int) -> int:
    """Return the bytes of memory that a process holds; 0 where the system does not tell."""
    try:
        pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def served(backend: str, *arguments: str) -> Generator[Server]:
    """Serve `soak.app` on a free port while the block runs."""
    command = [sys.executable, "-W", "error", "-m", "spry_cli", "run", "soak.app:app", "--port", "0"]
    command += ["--no-access-log", *BACKENDS[backend], *arguments]
    with TemporaryFile() as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield Server(process, log)
        finally:
            process.kill()
            process.wait(PATIENCE)
