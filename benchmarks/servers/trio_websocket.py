"""trio-websocket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from importlib import import_module
from typing import Final, Protocol, cast

import trio

from benchmarks.servers import arguments
from benchmarks.work import Kind


class WebSocket(Protocol):
    """One connection."""

    async def get_message(self) -> str | bytes:
        """Return the next message."""
        ...

    async def send_message(self, message: str | bytes) -> None:
        """Send one."""
        ...


class Request(Protocol):
    """What asks for one."""

    async def accept(self) -> WebSocket:
        """Open it."""
        ...


class TrioWebsocket(Protocol):
    """As much of the package as is used here; it need not be installed where this is checked."""

    ConnectionClosed: type[Exception]

    async def serve_websocket(
        self, handler: Callable[[Request], Awaitable[None]], host: str, port: int, ssl_context: None
    ) -> None:
        """Serve."""
        ...


package: Final = cast("TrioWebsocket", import_module("trio_websocket"))

everybody: Final[set[WebSocket]] = set()


async def echo(request: Request) -> None:
    """Send every message back."""
    ws = await request.accept()
    with suppress(package.ConnectionClosed):
        while True:
            await ws.send_message(await ws.get_message())


async def fan(request: Request) -> None:
    """Send every message to everybody."""
    ws = await request.accept()
    everybody.add(ws)
    with suppress(package.ConnectionClosed):
        while True:
            message = await ws.get_message()
            for each in tuple(everybody):
                with suppress(package.ConnectionClosed):  # one that is about to go
                    await each.send_message(message)
    everybody.discard(ws)


if __name__ == "__main__":
    given = arguments.read()
    serving = fan if given.kind is Kind.FAN else echo
    trio.run(package.serve_websocket, serving, "127.0.0.1", given.port, None)
