"""What must be as it was when a server has gone: tasks, threads, descriptors."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import trio

DESCRIPTORS = Path("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd")


@dataclass(frozen=True)
class Census:
    """What there is in this process and on this loop."""

    tasks: int
    threads: frozenset[str]
    descriptors: frozenset[str]


def census() -> Census:
    """Count."""
    if trio.lowlevel.in_trio_run():
        tasks = trio.lowlevel.current_statistics().tasks_living
    else:
        tasks = len(asyncio.all_tasks())
    # anyio's plugin runs trio as the guest of another loop, which waits for events in a thread of its own.
    names = (thread.name for thread in threading.enumerate())
    threads = frozenset(name for name in names if not name.startswith("Trio thread"))
    return Census(
        tasks, threads, frozenset(os.readlink(each) for each in DESCRIPTORS.iterdir() if each.exists())
    )


@asynccontextmanager
async def nothing_left() -> AsyncGenerator[None]:
    """Compare before and after the block, at the very moment of its end."""
    before = census()
    yield
    after = census()
    assert after == before, f"{before} became {after}"
