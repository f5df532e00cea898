"""The limit on asyncio and uvloop: what comes in goes out, or a constant answer does, and nobody reads it."""

from __future__ import annotations

import asyncio
from typing import Final, cast

from benchmarks.servers import arguments, constant
from benchmarks.work import Kind

_READ: Final = memoryview(bytearray(1 << 18))
"""One for all connections: what was read is copied out of it at once."""


class Raw(asyncio.BufferedProtocol):
    """One connection."""

    everybody: Final[set[asyncio.Transport]] = set()

    def __init__(self, kind: Kind) -> None:
        self._answer = constant.answer(kind)
        self._is_fan = kind is Kind.FAN

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.everybody.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.everybody.discard(self._transport)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Give room for one read."""
        return _READ

    def buffer_updated(self, nbytes: int) -> None:
        """Answer."""
        data = bytes(_READ[:nbytes])
        answer = self._answer(data)
        for each in self.everybody if self._is_fan and answer is data else (self._transport,):
            each.write(answer)


async def serve(port: int, kind: Kind) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Raw(kind), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    given = arguments.read()
    arguments.run(given.loop, lambda: serve(given.port, given.kind))
