"""What each server is told."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass

from benchmarks.work import Kind


@dataclass(frozen=True, slots=True)
class Arguments:
    """The command line of a server."""

    loop: str
    """"asyncio", "uvloop", "trio", or whatever the server calls its own."""
    port: int
    """To listen on, on 127.0.0.1."""
    kind: Kind
    """What it will be asked to do, and nothing else."""
    engine: str


def read() -> Arguments:
    """Return what the command line says."""
    loop, port, kind, *engine = sys.argv[1:]
    return Arguments(loop, int(port), Kind(kind), engine[0] if engine else "")


def run(loop: str, main: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run `main` on a loop of that name."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    if loop == "uvloop":
        import uvloop  # noqa: PLC0415 - installed only where there is one to measure

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(main())
