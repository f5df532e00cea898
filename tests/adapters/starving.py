"""A program in which no descriptor is left, for the tests that need a process: `python starving.py BACKEND`."""

from __future__ import annotations

import os
import resource
import sys
import time

import spry_asyncio
import spry_trio
from adapters.serving import Running
from spry_core import Application, Request, Timeouts, sleep

app = Application()
taken: list[int] = []


@app.get("/take")
async def take(request: Request) -> str:
    """Take every descriptor that is left."""
    try:
        while True:
            taken.append(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return f"{error.strerror}!"


@app.get("/idle")
async def idle(request: Request) -> str:
    """Do nothing for a while, and say what the process has done meanwhile, in seconds of the processor."""
    before = time.process_time()
    await sleep(0.5)
    return f"{time.process_time() - before:.3f}!"


@app.get("/give")
async def give(request: Request) -> str:
    """Give them back."""
    while taken:
        os.close(taken.pop())
    return "given!"


def started(server: Running) -> None:
    print(server.addresses[0][1], flush=True)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    timeouts = Timeouts(accept_pause=0.05)
    match sys.argv[1]:
        case "asyncio":
            spry_asyncio.run(app, port=0, timeouts=timeouts, loop="asyncio", started=started)
        case "uvloop":
            spry_asyncio.run(app, port=0, timeouts=timeouts, loop="uvloop", started=started)
        case _:
            spry_trio.run(app, port=0, timeouts=timeouts, started=started)


if __name__ == "__main__":
    main()
