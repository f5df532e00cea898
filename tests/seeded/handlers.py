"""Handlers of the kind that people write, for finders to try: an echo, an upload, a shop with one worker, an agenda."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from spry_core import Abort, Application, Request, WebSocket, sleep
from spry_core.tasks import timeout

MAX_UPLOAD: Final = 1 << 20
"""Bytes of a content: pieces have no limit of their own."""


def make_app() -> Application:
    """Make the application; everything that outlives a connection is made with it."""
    app = Application()
    app.get("/", hello)
    app.get("/ticks", ticks)
    app.post("/upload", upload)
    app.ws("/echo", echo, compression=True)
    app.ws("/digest", digest)
    app.ws("/report", report)
    shop = Shop()
    app.ws("/orders", shop.take_orders)
    app.get("/audit", shop.audit)
    app.get("/press", Press().press)
    return app


async def hello(request: Request) -> str:
    """Greet."""
    return "hello"


async def ticks(request: Request) -> AsyncIterator[str]:
    """Stream without an end."""

    async def each() -> AsyncIterator[str]:
        while True:
            yield "tick\n"
            await sleep(1)

    return each()


async def upload(request: Request) -> str:
    """Say how much has come."""
    size = 0
    async for piece in request.body:
        size += len(piece)
        if size > MAX_UPLOAD:
            raise Abort(413)
    return str(size)


async def echo(ws: WebSocket, request: Request) -> None:
    """Send every message back."""
    async for message in ws:
        await ws.send(message)


async def digest(ws: WebSocket, request: Request) -> None:
    """Answer every third message with how long the three were."""
    sizes = list[int]()
    async for message in ws:
        sizes.append(len(message))
        if len(sizes) == 3:
            await ws.send(" ".join(map(str, sizes)))
            sizes.clear()


async def report(ws: WebSocket, request: Request) -> None:
    """Send a report in two pieces, of which the second may be late: then say so instead."""

    async def pieces() -> AsyncIterator[str]:
        yield "first "
        await sleep(0.1)
        yield "second"

    async for _ in ws:
        try:
            with timeout(1):
                await ws.send_fragments(pieces(), "text")
        except TimeoutError:
            await ws.send("the report is late")


class Shop:
    """Takes orders, one after the other; an order that has come is waiting or done, whatever happens."""

    def __init__(self) -> None:
        self.received = list[str]()
        self.waiting = list[str]()
        self.done = list[str]()

    async def take_orders(self, ws: WebSocket, request: Request) -> None:
        """Deal with each order, and say so."""
        async for order in ws:
            self.received.append(str(order))
            self.waiting.append(str(order))
            await self.deal_with()
            await ws.send("done")

    async def deal_with(self) -> None:
        """Do what takes time, and only then cross the order off."""
        await sleep(0.1)
        self.done.append(self.waiting[0])
        del self.waiting[0]

    async def audit(self, request: Request) -> list[str]:
        """List the orders that are lost."""
        return [order for order in self.received if order not in self.waiting and order not in self.done]


class Press:
    """Something that one request at a time may use."""

    def __init__(self) -> None:
        self.is_busy = False

    async def press(self, request: Request) -> str:
        """Use it for a second, unless somebody else does."""
        if self.is_busy:
            return "busy"
        self.is_busy = True
        try:
            await sleep(1)
        finally:
            self.is_busy = False
        return "pressed"
