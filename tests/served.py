"""The `spry run` command as a process, for the tests that want the whole of it."""

from __future__ import annotations

import queue
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from engines import present

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 30.0
"""Seconds until a process that says nothing, or does not end, counts as stuck; a busy machine is slow."""


class Served:
    """A running server and what it has written."""

    def __init__(self, arguments: tuple[str, ...], pass_fds: tuple[int, ...] = ()) -> None:
        is_elsewhere = {"--uds", "--fd"} & set(arguments)
        place = () if is_elsewhere else ("--port", "0")
        command = [sys.executable, "-W", "error", "-m", "spry_cli", "run", *arguments, *place]
        command += ["--engine", present()]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            pass_fds=pass_fds,
        )
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.reader = threading.Thread(target=self.read_lines, daemon=True)
        self.reader.start()

    def read_lines(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.put(line)

    def wait_for_address(self) -> None:
        """Read the first line, `spry 0.1.0 on http://127.0.0.1:PORT (asyncio)`; a unix socket has no port, and counts as 0."""
        self.first_line = self.lines.get(timeout=PATIENCE)
        found = re.search(r" on (https?://127\.0\.0\.1:(\d+)|unix:\S+) ", self.first_line)
        assert found is not None, self.first_line
        self.address, self.port = found[1], int(found[2] or 0)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send one signal and return the exit status."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def rest(self) -> tuple[str, list[str]]:
        """Return what the ended process wrote: standard output, and standard error behind the lines read so far."""
        assert self.process.stdout is not None
        self.reader.join(PATIENCE)
        lines: list[str] = []
        while not self.lines.empty():
            lines.append(self.lines.get())
        return self.process.stdout.read(), lines

    def messages(self) -> list[tuple[str, str]]:
        """Return level and message of each line that the ended process has logged as text; it has printed nothing else."""
        out, lines = self.rest()
        assert out == ""
        parts = [line.rstrip("\n").split(maxsplit=3) for line in lines]
        assert [len(each) for each in parts] == [4] * len(parts), lines
        return [(level, message) for _, _, level, message in parts]

    def end(self) -> None:
        """End the process, if it still runs, and give back its pipes."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self.reader.join(PATIENCE)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


@contextmanager
def served(*arguments: str, pass_fds: tuple[int, ...] = ()) -> Generator[Served]:
    """Run `spry run ARGUMENTS`, on a free port if they do not say where else; it has ended when the block has, whatever
    happens in it.
    """
    server = Served(arguments, pass_fds)
    try:
        server.wait_for_address()
        yield server
    finally:
        server.end()
