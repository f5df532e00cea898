"""The limit on asyncio and uvloop: what comes in goes out, or a constant answer does, and nobody reads it.

A plain protocol: on both loops it takes less than one with a buffer of its own.
"""

from __future__ import annotations

import asyncio
from typing import Final, cast

from benchmarks.servers import arguments, constant
from benchmarks.work import Kind


class Echo(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Send it back."""
        self.transport.write(data)


class Constant(Echo):
    """One that answers something else."""

    def __init__(self, kind: Kind) -> None:
        self._answer = constant.answer(kind)

    def data_received(self, data: bytes) -> None:
        """Answer."""
        self.transport.write(self._answer(data))


class Fan(Constant):
    """One that sends to everybody, once they are there."""

    everybody: Final[set[asyncio.Transport]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self.everybody.add(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.everybody.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        """Send it to everybody."""
        answer = self._answer(data)
        for each in self.everybody if answer is data else (self.transport,):
            each.write(answer)


def protocol(kind: Kind) -> asyncio.Protocol:
    """Return what does that kind of work on one connection."""
    if kind in (Kind.ECHO, Kind.DEFLATE):
        return Echo()
    return Fan(kind) if kind is Kind.FAN else Constant(kind)


async def serve(port: int, kind: Kind) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: protocol(kind), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    given = arguments.read()
    arguments.run(given.loop, lambda: serve(given.port, given.kind))
