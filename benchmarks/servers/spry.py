"""Spry, on any of its backends and engines."""

from __future__ import annotations

from typing import Final, cast

from benchmarks.exchanges import CONTENT, LEVEL, WINDOW_BITS
from benchmarks.servers import arguments
from spry_core import Application, Deflate, Limits, Request, Response, WebSocket, broadcast
from spry_core.protocol import EngineName

app = Application()

COMPRESSION: Final = Deflate(
    server_max_window_bits=WINDOW_BITS, client_max_window_bits=WINDOW_BITS, level=LEVEL
)

everybody: Final[set[WebSocket]] = set()


@app.get("/hello")
async def hello(request: Request) -> bytes:
    """Answer a constant."""
    return CONTENT


@app.post("/content")
async def content(request: Request) -> Response:
    """Answer the content of the request."""
    return Response(await request.read(), headers={"content-type": "application/json"})


@app.ws("/listen")
def listen(ws: WebSocket, request: Request) -> None:
    """Send every message back, without a task."""
    ws.listen(ws.add)


@app.ws("/deflate", compression=COMPRESSION)
def deflate(ws: WebSocket, request: Request) -> None:
    """Do the same with compression."""
    ws.listen(ws.add)


@app.ws("/echo")
async def echo(ws: WebSocket, request: Request) -> None:
    """Send every message back, in a task."""
    async for message in ws:
        await ws.send(message)


@app.ws("/fan")
async def fan(ws: WebSocket, request: Request) -> None:
    """Send every message to everybody."""
    everybody.add(ws)
    try:
        async for message in ws:
            broadcast(everybody, message)
    finally:
        everybody.discard(ws)


def serve(loop: str, port: int, engine: EngineName) -> None:
    """Serve until the process is ended."""
    limits = Limits(max_connections=100_000)
    if loop == "trio":
        import spry_trio  # noqa: PLC0415 - one backend or the other

        spry_trio.run(app, port=port, limits=limits, engine=engine, access_log=False)
        return
    import spry_asyncio  # noqa: PLC0415
    from spry_asyncio.runner import LoopName  # noqa: PLC0415

    name = cast("LoopName", loop)
    spry_asyncio.run(app, port=port, limits=limits, engine=engine, access_log=False, loop=name)


if __name__ == "__main__":
    given = arguments.read()
    serve(given.loop, given.port, cast("EngineName", given.engine))
