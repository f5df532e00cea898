"""A program that serves handlers which consume nothing, to see what its peers can make it hold: `python hungry.py BACKEND`."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from time import thread_time

import spry_asyncio
import spry_trio
from adapters.serving import Running
from spry_core import Application, Request, WebSocket, scope, sleep

LOOK = 0.005
"""Seconds between two looks at the loop."""

app = Application()


class Loop:
    """How long anybody has had it for himself since somebody asked: seconds of the processor and not of the clock."""

    longest = 0.0


@app.lifespan
async def watch(app: Application) -> AsyncGenerator[None]:
    """Look at the loop as often as it lets us."""
    async with scope() as tasks:
        tasks.start_soon(look)
        yield
        tasks.cancel()


async def look() -> None:
    before = thread_time()
    while True:
        await sleep(LOOK)
        now = thread_time()
        Loop.longest, before = max(Loop.longest, now - before), now


@app.get("/longest")
def tell(request: Request) -> str:
    """Say how long that was, in seconds, and begin anew."""
    longest, Loop.longest = Loop.longest, 0.0
    return f"{longest:.6f}"


@app.get("/hello")
def hello(request: Request) -> str:
    return "hello"


@app.post("/never")
async def never_read(request: Request) -> None:
    await sleep(3600)


@app.get("/stream")
def stream(request: Request) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield bytes(16 * 1024)

    return pieces()


@app.ws("/never", compression=True)
async def never_receive(ws: WebSocket, request: Request) -> None:
    await sleep(3600)


@app.ws("/echo", compression=True)
async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


@app.ws("/gone", compression=True)
def leave_at_once(ws: WebSocket, request: Request) -> None:
    pass


def started(server: Running) -> None:
    print(server.addresses[0][1], flush=True)


match sys.argv[1]:
    case "asyncio" | "uvloop" as loop:
        spry_asyncio.run(app, port=0, loop=loop, started=started, access_log=False)
    case _:
        spry_trio.run(app, port=0, started=started, access_log=False)
