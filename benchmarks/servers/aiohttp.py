"""aiohttp, its web server."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from aiohttp import WSMsgType, web

from benchmarks.exchanges import CONTENT
from benchmarks.servers import arguments
from benchmarks.work import Kind

everybody: Final[set[web.WebSocketResponse]] = set()


async def hello(request: web.Request) -> web.Response:
    """Answer a constant."""
    return web.Response(body=CONTENT)


async def content(request: web.Request) -> web.Response:
    """Answer the content of the request."""
    return web.Response(body=await request.read(), content_type="application/json")


async def echo(request: web.Request) -> web.WebSocketResponse:
    """Send every message back."""
    ws = web.WebSocketResponse(compress=request.path == "/deflate")
    await ws.prepare(request)
    async for message in ws:
        if message.type is WSMsgType.TEXT:
            await ws.send_str(message.data)
        else:
            await ws.send_bytes(message.data)
    return ws


async def fan(request: web.Request) -> web.WebSocketResponse:
    """Send every message to everybody."""
    ws = web.WebSocketResponse(compress=False)
    await ws.prepare(request)
    everybody.add(ws)
    async for message in ws:
        for each in tuple(everybody):
            with suppress(ConnectionError):  # one that is about to go
                await each.send_bytes(message.data)
    everybody.discard(ws)
    return ws


async def main(port: int, kind: Kind) -> None:
    """Serve until the process is ended."""
    app = web.Application()
    app.router.add_get("/hello", hello)
    app.router.add_post("/content", content)
    app.router.add_get("/fan", fan)
    for path in ("/echo", "/deflate"):
        app.router.add_get(path, echo)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    given = arguments.read()
    arguments.run(given.loop, lambda: main(given.port, given.kind))
