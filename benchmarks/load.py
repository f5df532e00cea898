"""The load generator, `load.c`: compiled on the spot, run on a core of its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, TypedDict, cast

from benchmarks import exchanges
from benchmarks.exchanges import Exchange
from benchmarks.work import Kind, Work

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = Path(__file__).with_name("load.c")
BUILT: Final = ROOT / "build" / "benchmarks"

OPTIONS: Final = ("-O2", "-Wall", "-Wextra")

WARM_UP: Final = 0.2
"""Seconds of the same load before anything is counted."""

_PATIENCE: Final = 60.0


class CannotLoad(Exception):  # noqa: N818 - it states a fact, as the project's own exceptions do
    """The load generator cannot be made, or a server has not done what it has to; the text says which."""


class _Printed(TypedDict):
    """The line that `load.c` prints."""

    count: int
    seconds: float
    server_cpu: float
    load_cpu: float
    sample: str


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a load; every reply in it has been checked."""

    count: int
    seconds: float
    server_cpu: float
    """Seconds of CPU that the processes of the server took."""
    load_cpu: float
    """Seconds of CPU that the load generator took: where this comes near to `seconds`, it is what is measured."""

    @property
    def each(self) -> float:
        """Seconds of the server's CPU for one exchange."""
        return self.server_cpu / self.count


@cache
def program() -> Path:
    """Compile `load.c`, unless it is there already; return the program.

    Raises:
        CannotLoad: There is no compiler, this is no Linux, or it does not compile.
    """
    if not sys.platform.startswith("linux"):
        raise CannotLoad("the load generator needs Linux: it lives on epoll and the CPU clocks of processes")
    compiler = os.environ.get("CC") or next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if compiler is None:
        raise CannotLoad("no C compiler for the load generator: apt-get install gcc, or set CC")
    made = BUILT / f"load-{hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]}"
    if not made.exists():
        BUILT.mkdir(parents=True, exist_ok=True)
        unfinished = made.with_suffix(f".{os.getpid()}")
        result = subprocess.run(
            [compiler, *OPTIONS, "-o", str(unfinished), str(SOURCE)],
            capture_output=True,
            text=True,
            check=False,
        )
        if result.returncode:
            raise CannotLoad(f"{compiler} does not compile the load generator:\n{result.stderr}")
        unfinished.replace(made)
    return made


def run(
    work: Work,
    path: str,
    port: int,
    processes: Sequence[int],
    core: int,
    seconds: float,
    *,
    is_raw: bool = False,
) -> Measured:
    """Put a load on a server and return what came of it.

    Args:
        work: What to do.
        path: Where the server's WebSockets are opened; "" if it takes no opening handshake for this work.
        port: Where it listens, on 127.0.0.1.
        processes: Its process ids: the CPU of all of them counts.
        core: The core that the load generator is to run on.
        seconds: How long to count; a warm-up comes before it.
        is_raw: The server knows no frames: what it echoes are the octets that came.

    Raises:
        CannotLoad: There is no load generator; or a reply was not what it has to be, or did not come.
    """
    with TemporaryDirectory() as folder:
        files = Path(folder)
        (files / "exchanges").write_bytes(exchanges.to_file(spoken(work, is_raw)))
        opening = "-"
        if path:
            offer = exchanges.DEFLATE_OFFER if work.kind is Kind.DEFLATE else b""
            (files / "opening").write_bytes(exchanges.opening(path, offer))
            opening = str(files / "opening")
        numbers = (port, work.connections, work.in_flight, WARM_UP, seconds)
        pids = ",".join(map(str, processes))
        command = [
            str(program()),
            mode(work, is_raw),
            *map(str, numbers),
            pids,
            str(files / "exchanges"),
            opening,
        ]
        printed = _run(command, core)
    if work.kind is Kind.DEFLATE and not is_raw:
        check_sample(bytes.fromhex(printed["sample"]), work.size)
    return Measured(printed["count"], printed["seconds"], printed["server_cpu"], printed["load_cpu"])


def spoken(work: Work, is_raw: bool) -> tuple[Exchange, ...]:
    """Return what is sent and has to come back."""
    if is_raw and work.kind in (Kind.ECHO, Kind.FAN, Kind.DEFLATE):
        return tuple(Exchange(each.request, each.request) for each in work.exchanges())
    return work.exchanges()


def mode(work: Work, is_raw: bool) -> str:
    """Return how `load.c` has to judge the replies."""
    if is_raw and work.kind is Kind.DEFLATE:
        return "exact"
    named = {Kind.GET: "http", Kind.POST: "http", Kind.DEFLATE: "frames", Kind.FAN: "fan", Kind.OPEN: "open"}
    return named.get(work.kind, "exact")


def check_sample(payload: bytes, size: int) -> None:
    """See that the first compressed reply is the first text."""
    if (found := exchanges.inflated(payload)) != exchanges.texts(size)[0]:
        raise CannotLoad(f"another compressed reply than expected: {found[:100]!r}")


def _run(command: Sequence[str], core: int) -> _Printed:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    os.sched_setaffinity(process.pid, {core})
    try:
        output, errors = process.communicate(timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise CannotLoad(f"the load generator has not ended within {_PATIENCE:.0f} s") from None
    if process.returncode:
        raise CannotLoad(errors.strip() or f"the load generator has ended with {process.returncode}")
    printed = cast("_Printed", json.loads(output))
    if not printed["count"]:
        raise CannotLoad("not a single reply came")
    return printed
