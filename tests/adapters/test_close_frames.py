"""A Close frame always arrives before the end of TCP: each row a hundred times on every backend with sockets, under what makes
others lose it: a flood behind the fault, an end of the peer's side, everything in one packet with the handshake.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Final

import pytest

from adapters.world import Peer, Served, World, close, closing, server_frame, shake, tell
from frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame
from handshakes import SWITCHED
from spry_core import Application, Limits, Request, WebSocket

pytestmark = pytest.mark.anyio

ROUNDS, CROWD = 5, 20
FLOOD: Final = 192 * 1024
"""Bytes behind a fault: more than is read at a time, so that a server that closes with some of it unread sends a reset."""
LIMITS: Final = Limits(max_message_size=100_000, max_fragments=3)


def bomb() -> bytes:
    context = zlib.compressobj(9, zlib.DEFLATED, -15)
    return context.compress(bytes(10_000_000)) + context.flush(zlib.Z_SYNC_FLUSH)[:-4]


@dataclass(frozen=True)
class Row:
    """What a peer sends, and the only thing that it hears."""

    frames: bytes
    code: int
    told: str
    path: str = "/echo"
    before: bytes = b""
    """What it hears before the Close frame."""


FAILED: Final = "{0} by local, sent {0}, received nothing, unclean, RemoteProtocolError"
FAULTS: Final = {
    "a reserved opcode": (1002, frame(3)),
    "corrupt compressed data": (1007, frame(TEXT, b"\xff" * 50, rsv=4)),
    "too many fragments": (1008, frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 3),
    "a message that is too big": (1009, b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4)),
    "a bomb": (1009, frame(BINARY, bomb(), rsv=4)),
}
ROWS: Final = {
    **{name: Row(fault, code, FAILED.format(code)) for name, (code, fault) in FAULTS.items()},
    "another kind than is asked for": Row(frame(BINARY, b"?"), 1003, FAILED.format(1003), "/text"),
    "a Close frame": Row(close(4001), 4001, "4001 by remote, sent 4001, received 4001, clean"),
    "a message, a Ping and a fault": Row(
        frame(PING, b"p") + frame(TEXT, b"ok") + frame(3),
        1002,
        FAILED.format(1002),
        before=server_frame(PONG, b"p") + server_frame(TEXT, b"ok"),
    ),
}


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def ask_for_text(ws: WebSocket, request: Request) -> None:
    await ws.receive_text()


def application(world: World) -> Application:
    app = world.app()
    app.ws("/echo", echo, compression=True)
    app.ws("/text", ask_for_text)
    return app


OFFER: Final = "Sec-WebSocket-Extensions: permessage-deflate"
AGREED: Final = b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12\r\n"


def opening_of(row: Row) -> tuple[bytes, bytes]:
    """Return the opening handshake and its answer."""
    if row.path == "/text":
        return shake(path=row.path), SWITCHED
    return shake(OFFER, path=row.path), SWITCHED.removesuffix(b"\r\n") + AGREED + b"\r\n"


async def open_first(server: Served, row: Row) -> Peer:
    ask, answer = opening_of(row)
    peer = await server.connected()
    await peer.send(ask)
    await peer.expect(answer)
    return peer


async def flood(server: Served, row: Row) -> None:
    """Go on sending without listening."""
    peer = await open_first(server, row)
    peer.flood(row.frames + frame(BINARY, b"x" * 125) * (FLOOD // 131))
    await peer.expect_end(row.before, closing(row.code))


async def leave(server: Served, row: Row) -> None:
    """Send it, and end our side in the same breath."""
    peer = await open_first(server, row)
    await peer.send(row.frames)
    peer.end()
    await peer.expect_end(row.before, closing(row.code))


async def rush(server: Served, row: Row) -> None:
    """Send the handshake, it and a flood at once: they may come in one read."""
    ask, answer = opening_of(row)
    peer = await server.connected()
    peer.flood(ask + row.frames + frame(BINARY, b"x" * 125) * (FLOOD // 131))
    await peer.expect_end(answer, row.before, closing(row.code))


WAYS: Final = {each.__name__: each for each in (flood, leave, rush)}


CASES: Final = [
    (name, way)
    for name, row in ROWS.items()
    for way in WAYS
    if (row.path, way)
    != ("/text", "leave")  # who leaves before anybody has looked at the message is owed nothing
]


@pytest.mark.parametrize(("name", "way"), CASES)
async def test_the_close_frame_arrives_before_the_end_of_tcp(
    socket_world: World, name: str, way: str
) -> None:
    """RFC 6455 §7.1.1, §7.1.7: a hundred times, twenty at once, and never a reset in its place."""
    row, world = ROWS[name], socket_world
    async with world.serving(application(world), limits=LIMITS) as server:
        for number in range(ROUNDS):
            tasks = [server.start(WAYS[way], server, row) for _ in range(CROWD)]
            for task in tasks:
                await task.result()
            await world.ended(CROWD * (number + 1))
    assert {tell(info) for info in world.ends} == {row.told}
