"""The cases against a server: `spry run` as a process of its own, once for each backend."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from kosoku import FailureError, run_fuzzingclient
from kosoku._kosoku import CaseResult

from spry_core.protocol import DEFAULT_ENGINE, EngineName

ROOT: Final = Path(__file__).resolve().parent.parent
SUBJECTS: Final = {
    "asyncio": ("--backend", "asyncio", "--loop", "asyncio"),
    "uvloop": ("--backend", "asyncio", "--loop", "uvloop"),
    "trio": ("--backend", "trio"),
}
"""What the command gets for each server under test."""


def run(
    subject: str, cases: Sequence[str], concurrency: int, engine: EngineName = DEFAULT_ENGINE
) -> list[CaseResult]:
    """Run the cases (globs) against a server on that backend; return their results in the order of the cases."""
    with served(*SUBJECTS[subject], "--engine", engine) as port:
        return asyncio.run(drive(f"ws://127.0.0.1:{port}/", cases, concurrency))


async def drive(url: str, cases: Sequence[str], concurrency: int) -> list[CaseResult]:
    """Run the cases against whatever serves there."""
    try:
        return await run_fuzzingclient(url, cases, concurrency=concurrency)
    except FailureError as failure:
        return failure.results


@contextmanager
def served(*arguments: str) -> Generator[int]:
    """Serve the echo on a free port while the block runs, and give the port."""
    command = [sys.executable, "-m", "spry_cli", "run", "conformance.echo:app", *arguments]
    # The lines of a thousand broken rules would fill a pipe that nobody reads.
    command += ["--port", "0", "--no-access-log"]
    server = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert server.stderr is not None
    try:
        first = server.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+) ", first)
        if found is None:
            raise RuntimeError(f"the server did not start: {first}{server.stderr.read()}")
        yield int(found[1])
        server.terminate()
        server.wait(30)
    finally:
        server.kill()
        server.wait(30)
        server.stderr.close()
