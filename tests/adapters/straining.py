"""An application that strains its process, for the tests that need one: memory, children, standard descriptors."""

from __future__ import annotations

import os
import resource
import subprocess
import time
from pathlib import Path

from spry_core import Application, Request, WebSocket, sleep
from spry_core.tasks import event

app = Application()
ROOM = 48 * 1024 * 1024
"""Bytes that are left to the process when it is confined."""

MUCH = 1 << 30


@app.get("/hello")
async def hello(request: Request) -> str:
    """Be well."""
    return "hello!"


@app.get("/confine")
async def confine(request: Request) -> str:
    """Give the process little more memory than it has."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (size + ROOM, size + ROOM))
    return "confined!"


@app.get("/allocate")
async def allocate(request: Request) -> str:
    """Want more than there is."""
    return str(len(bytearray(MUCH)))


@app.post("/collect")
async def collect(request: Request) -> str:
    """Have the core want more than there is."""
    return str(len(await request.read(MUCH)))


@app.ws("/collect", max_message_size=MUCH)
async def collect_message(ws: WebSocket, request: Request) -> None:
    """Do the same with a message."""
    await ws.send(str(len(await ws.receive())))


@app.ws("/echo")
async def echo(ws: WebSocket, request: Request) -> None:
    """Send every message back."""
    async for message in ws:
        await ws.send(message)


@app.get("/idle")
async def idle(request: Request) -> str:
    """Do nothing for a second, and say what the process has done meanwhile, in seconds of the processor."""
    before = time.process_time()
    await sleep(1)
    return f"{time.process_time() - before:.4f}!"


@app.get("/never")
async def never(request: Request) -> None:
    """Never answer."""
    await event().wait()


@app.ws("/never")
async def never_receive(ws: WebSocket, request: Request) -> None:
    """Never receive."""
    await event().wait()


@app.ws("/push")
async def push(ws: WebSocket, request: Request) -> None:
    """Send more than anybody reads."""
    while True:
        await ws.send(bytes(65536))


@app.get("/block")
def block(request: Request) -> str:
    """Say so, and keep the loop from running."""
    print("blocking", flush=True)
    time.sleep(2.4)
    return "blocked!"


@app.get("/spawn")
async def spawn(request: Request) -> str:
    """Leave a child behind that inherits whatever can be inherited."""
    child = subprocess.Popen(
        ["sleep", "60"], close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    children.append(child)
    return f"{child.pid}!"


@app.get("/fork")
async def fork(request: Request) -> str:
    """Leave a child behind that has a copy of everything."""
    pid = os.fork()
    if not pid:
        time.sleep(60)
        os._exit(0)
    return f"{pid}!"


children: list[subprocess.Popen[bytes]] = []
