"""SIGTERM at a random moment under load: exit code 0, in time, no traceback, and 1001 for every WebSocket."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from random import Random
from typing import Final

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from soak.clients import answer, closed, request
from soak.server import Server, served

GRACE: Final = 2.0
CLOSE_TIMEOUT: Final = 2.0
MARGIN: Final = 3.0
"""Seconds for a busy machine."""

LATEST: Final = 0.5
"""Seconds after the start at which the signal comes at the latest."""


def run(backend: str, seed: int) -> list[str]:
    """Do it once, and return what went wrong."""
    arguments = ("--timeout", f"close_timeout={CLOSE_TIMEOUT}", "--timeout-graceful-shutdown", str(GRACE))
    with served(backend, *arguments) as server:
        wrong = asyncio.run(stop_under_load(server, Random(seed)))
        wrong += server.faults()
    return wrong


async def stop_under_load(server: Server, random: Random) -> list[str]:
    """Load it, stop it, and judge."""
    wrong: list[str] = []
    async with asyncio.TaskGroup() as group:
        for number in range(4):
            group.create_task(keep_echoing(server.port, number, wrong))
        group.create_task(keep_silent(server.port, wrong))
        for _ in range(2):
            group.create_task(keep_asking(server.port, Random(random.random())))
        await asyncio.sleep(random.random() * LATEST)
        begun = time.monotonic()
        code = await asyncio.to_thread(server.stop)
        seconds = time.monotonic() - begun
    if code != 0:
        wrong.append(f"the exit code is {code}")
    if seconds > GRACE + CLOSE_TIMEOUT + MARGIN:
        wrong.append(f"it took {seconds:.1f} s")
    return wrong


async def keep_echoing(port: int, number: int, wrong: list[str]) -> None:
    """Send and receive until the end, which has to be 1001; then try again until nobody listens."""
    for attempt in range(1 << 20):
        try:
            ws = await connect(f"ws://127.0.0.1:{port}/echo", ping_interval=None, proxy=None)
        except (OSError, InvalidHandshake, EOFError):
            return  # it is closing
        try:
            async with ws:
                for count in range(50):
                    await ws.send(said := f"{number}.{attempt}:{count}:")
                    if (heard := await ws.recv()) != said:
                        wrong.append(f"{heard!r} instead of {said!r}")
        except ConnectionClosed as error:
            judge(error, wrong)
            return


async def keep_silent(port: int, wrong: list[str]) -> None:
    """Wait for the end, which has to be 1001."""
    with suppress(OSError, InvalidHandshake, EOFError):
        ws = await connect(f"ws://127.0.0.1:{port}/echo", ping_interval=None, proxy=None)
        try:
            await ws.recv()
        except ConnectionClosed as error:
            judge(error, wrong)


def judge(error: ConnectionClosed, wrong: list[str]) -> None:
    """The peer of a server that goes away is told so (RFC 6455 §7.4.1)."""
    if error.rcvd is None or error.rcvd.code != 1001:
        wrong.append(f"a WebSocket ended with {error}")


async def keep_asking(port: int, random: Random) -> None:
    """Send requests until the end."""
    with suppress(OSError, EOFError, asyncio.LimitOverrunError):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for _ in range(20):
                    writer.write(request(random.choice(("/echo", "/stream")), b"ask", random))
                    await answer(reader)
            finally:
                await closed(writer)
