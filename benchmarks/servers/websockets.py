"""websockets, its asyncio server."""

from __future__ import annotations

from typing import Final

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

from benchmarks.exchanges import LEVEL, WINDOW_BITS
from benchmarks.servers import arguments
from benchmarks.work import Kind

everybody: Final[set[ServerConnection]] = set()

COMPRESSION: Final = ServerPerMessageDeflateFactory(
    server_max_window_bits=WINDOW_BITS,
    client_max_window_bits=WINDOW_BITS,
    compress_settings={"level": LEVEL, "memLevel": 5},
)


async def echo(ws: ServerConnection) -> None:
    """Send every message back."""
    async for message in ws:
        await ws.send(message)


async def fan(ws: ServerConnection) -> None:
    """Send every message to everybody."""
    everybody.add(ws)
    try:
        async for message in ws:
            broadcast(everybody, message)
    finally:
        everybody.discard(ws)


async def main(port: int, kind: Kind) -> None:
    """Serve until the process is ended."""
    handler = fan if kind is Kind.FAN else echo
    extensions = [COMPRESSION] if kind is Kind.DEFLATE else None
    async with serve(
        handler, "127.0.0.1", port, extensions=extensions, compression=None, ping_interval=None, backlog=1024
    ) as server:
        await server.serve_forever()


if __name__ == "__main__":
    given = arguments.read()
    arguments.run(given.loop, lambda: main(given.port, given.kind))
