"""A TCP proxy on the loopback that does to a stream what networks do: delays, cuts, slices, stalls and resets.

The words are those that such tools have in common: latency, bandwidth, slicer, slow_close leave the bytes as they are;
limit_data, reset_peer and timeout do not let all of them through. Each has a port of its own, so a client knows what to expect.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random
from typing import Final, Literal

READ_SIZE: Final = 16 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxic:
    """What happens to the bytes of a connection, in both directions."""

    delay: float = 0.0
    """Seconds at most before each piece."""

    piece: int = READ_SIZE
    """Bytes at most that are written at once."""

    first: int | None = None
    """Only so many bytes of a direction are delayed and cut into pieces, if it is a number; the rest as they come."""

    rate: float | None = None
    """Bytes in a second."""

    slow_close: float = 0.0
    """Seconds by which the end of a direction comes later."""

    limit: int | None = None
    """Bytes at most in one direction of the connection until `cut` comes; at least none."""

    cut: Literal["end", "reset", "silence"] = "reset"

    @property
    def is_harmless(self) -> bool:
        """True if every byte comes through in time."""
        return self.limit is None


TOXICS: Final = {
    "none": Toxic(),
    "latency": Toxic(delay=0.02),
    "bandwidth": Toxic(rate=200_000.0, piece=2048),
    "slicer": Toxic(piece=7, delay=0.0005, first=2000),
    "bytewise": Toxic(piece=1, first=2000),
    "slow_close": Toxic(slow_close=0.2),
    "limit_data": Toxic(limit=30_000, cut="end"),
    "reset_peer": Toxic(limit=30_000, cut="reset"),
    "timeout": Toxic(limit=30_000, cut="silence"),
}


@dataclass
class Proxy:
    """One listener for each toxic, before the server at `port`."""

    port: int
    random: Random
    ports: dict[str, int] = field(default_factory=dict[str, int])
    """Where to connect for which toxic."""

    _servers: list[asyncio.Server] = field(default_factory=list[asyncio.Server])
    _tasks: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])

    async def open(self) -> None:
        """Listen."""
        for name, toxic in TOXICS.items():

            async def accept(
                reader: asyncio.StreamReader, writer: asyncio.StreamWriter, toxic: Toxic = toxic
            ) -> None:
                task = asyncio.current_task()
                assert task is not None
                self._tasks.add(task)
                try:
                    await self._join(toxic, reader, writer)
                finally:
                    self._tasks.discard(task)

            server = await asyncio.start_server(accept, "127.0.0.1", 0)
            self._servers.append(server)
            self.ports[name] = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Cut what is left, and wait for it."""
        for server in self._servers:
            server.close()
        left = tuple(self._tasks)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _join(self, toxic: Toxic, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            reset(writer)
            return
        silent = self.random.choice(
            (0, 1, None)
        )  # the direction in which nothing comes any more; None: in both
        ways = ((reader, back), (there, writer))
        is_cut = True
        try:
            async with asyncio.TaskGroup() as group:
                for number, (source, sink) in enumerate(ways):
                    is_limited = toxic.limit is not None and (
                        toxic.cut != "silence" or silent in (number, None)
                    )
                    limit = self.random.randrange(toxic.limit or 1) if is_limited else None
                    group.create_task(self._carry(toxic, limit, source, sink))
            is_cut = False  # both directions have come to their end
        except* OSError:
            pass  # one side is cut, and the other will be
        except* asyncio.CancelledError:
            pass
        finally:
            for each in (writer, back):
                if is_cut:
                    reset(each)
                else:
                    each.close()
                with suppress(OSError):
                    await each.wait_closed()

    async def _carry(
        self, toxic: Toxic, left: int | None, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        """Carry one direction to its end; `OSError` cuts both."""
        carried = 0
        while data := await source.read(READ_SIZE):
            while data:
                is_slow = toxic.first is None or carried < toxic.first
                size = toxic.piece if is_slow else len(data)
                piece, data = data[:size], data[size:]
                carried += len(piece)
                if left is not None and len(piece) >= left:
                    sink.write(piece[:left])
                    await self._cut(toxic, source, sink)
                    return
                left = None if left is None else left - len(piece)
                if is_slow:
                    await self._wait(toxic, len(piece))
                sink.write(piece)
                await sink.drain()
        await asyncio.sleep(toxic.slow_close)
        with suppress(OSError):
            sink.write_eof()

    async def _wait(self, toxic: Toxic, size: int) -> None:
        delay = toxic.delay * self.random.random() + (size / toxic.rate if toxic.rate else 0.0)
        await asyncio.sleep(delay)

    async def _cut(self, toxic: Toxic, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        if toxic.cut == "reset":
            raise ConnectionResetError("cut")
        if toxic.cut == "end":
            sink.write_eof()
        while await source.read(READ_SIZE):
            pass  # as if it were still on its way


def reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset, if it is open."""
    sock = writer.get_extra_info("socket")
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
