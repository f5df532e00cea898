"""What the long runs serve: every way to answer, and a check of the numbers that come in."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator

from spry_core import Application, Request, WebSocket

app = Application()


@app.post("/echo")
async def answer(request: Request) -> bytes:
    """Collect the content and send it back."""
    return await request.read()


@app.post("/stream")
def stream(request: Request) -> AsyncIterator[bytes]:
    """Send the content back while it comes."""
    return pieces(request)


async def pieces(request: Request) -> AsyncIterator[bytes]:
    """Give the content as it comes."""
    yield b""
    async for piece in request.body:
        yield piece


@app.ws("/echo", compression=True)
async def echo(ws: WebSocket, request: Request) -> None:
    """Send every message back; one that is missing, double or somebody else's is an error of this handler."""
    number, owner = 0, None
    async for message in ws:
        assert isinstance(message, str)
        whose, which, _ = message.split(":", 2)
        owner = owner or whose
        if (whose, int(which)) != (owner, number):
            raise AssertionError(f"{whose}:{which} came instead of {owner}:{number}")
        number += 1
        await ws.send(message)


@app.ws("/listen")
def listen(ws: WebSocket, request: Request) -> None:
    """Send every message back, without a task."""
    ws.listen(ws.add)


@app.ws("/push", compression=True)
async def push(ws: WebSocket, request: Request) -> None:
    """Send numbered messages as fast as they are taken, then close."""
    order = await ws.receive()
    assert isinstance(order, str)
    owner, count, size = order.split(":")

    def numbered() -> Iterator[str]:
        for number in range(int(count)):
            yield f"{owner}:{number}:{'.' * int(size)}"

    await ws.add_stream(numbered())
    await ws.close()


@app.ws("/gather")
async def gather(ws: WebSocket, request: Request) -> None:
    """Take messages piece by piece, and answer each empty one with the number and the hash of what came so far."""
    digest, count = hashlib.sha256(), 0
    async for message in ws.incoming():
        size = 0
        async for piece in message:
            data = piece.encode() if isinstance(piece, str) else piece
            size += len(data)
            digest.update(data)
        count += 1
        if not size:
            await ws.send(f"{count}:{digest.hexdigest()}")
