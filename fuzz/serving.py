"""A whole application that gets any bytes: handlers, bodies, inboxes and streams, in memory and virtual time.

Whatever comes, no line of the log blames the application, every connection ends, no task is left, and the next client is
served.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from random import Random
from typing import Final
from zlib import crc32

from fuzz.checks import LONGEST, cut
from fuzz.subjects import HANDSHAKE, LIMITS
from spry_core import Application, Request, Response, Timeouts, WebSocket, sleep
from spry_core.serving.record import FAULT
from spry_core.testing import MemoryPeer, TestClient

FOREVER: Final = 600.0
"""Virtual seconds in which every timeout has passed."""

LONGEST_LINE: Final = 200
"""Characters of a line of the log that a peer can bring about."""

_LIMITS: Final = replace(LIMITS, max_body=100, high_water=300)
_TIMEOUTS: Final = Timeouts(body=5.0, keep_alive=5.0, ping_interval=10.0, ping_timeout=5.0)


def application() -> Application:
    """Make one with a handler for each way in which content and messages are read."""
    app = Application()

    @app.on(("GET", "POST", "PUT"), "/")
    async def reads(request: Request) -> bytes:
        return await request.read()

    @app.on(("GET", "POST"), "/text")
    async def reads_text(request: Request) -> str:
        return await request.text() + request.query.get("a", "") + request.cookies.get("b", "")

    @app.post("/json")
    async def reads_json(request: Request) -> Response:
        return Response(repr(await request.json()))

    @app.post("/form")
    async def reads_form(request: Request) -> list[str]:
        return [name for name, _ in (await request.form()).items()]

    @app.on(("GET", "POST"), "/echo/:name")
    async def streams(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            async for piece in request.body:
                yield piece
            yield request.params["name"].encode()

        return Response(pieces())

    @app.on(("GET", "POST"), "/slow/**")
    async def waits(request: Request) -> None:
        await sleep(1.0)

    @app.ws("/chat", protocols=("chat",), compression=True, origins=None)
    async def echoes(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await ws.send(message)

    @app.ws("/pieces", compression=True, origins=None)
    async def counts(ws: WebSocket, request: Request) -> None:
        async for message in ws.incoming():
            await ws.send(f"{len([piece async for piece in message])}")

    @app.ws("/listen", max_message_size=50)
    def listens(ws: WebSocket, request: Request) -> None:
        ws.listen(ws.add)

    @app.ws("/leave")
    async def leaves(ws: WebSocket, request: Request) -> None:
        await ws.close(4000)

    return app


def check_server(data: bytes) -> None:
    """Let peers send the bytes, in pieces and over time, to a server that others use too."""
    data = data[:LONGEST]
    random = Random(crc32(data))
    with TestClient(application(), seed=random.randrange(8), limits=_LIMITS, timeouts=_TIMEOUTS) as client:
        path = random.choice((b"/chat", b"/pieces", b"/listen", b"/leave"))
        end = random.choice((b"", b"\r\n", b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"))
        for start in (b"", HANDSHAKE.replace(b"/chat", path) + end):
            _talk(client, start + data, random)
        answer = client.post("/", content=b"still there")
        assert (answer.status_code, answer.content) == (200, b"still there")
    wrong = [record for record in client.reports if record.exception is not None or record.level >= FAULT]
    assert not wrong, f"the log blames the application: {wrong}"
    lines = [record.text for record in client.reports]
    strange = [line for line in lines if not line.isprintable() or len(line) > LONGEST_LINE]
    assert not strange, f"lines of the log that nobody can read: {strange}"


def _talk(client: TestClient, data: bytes, random: Random) -> None:
    """Send it, then be silent; the connection ends at some time, whatever it was."""
    peer = client.connect()
    for piece in cut(data, random) if data else []:
        if not peer.is_ended and not peer.is_reset:
            peer.send(piece)
        _do_something(client, peer, random)
    peer.is_reading = True
    ending = random.choice((None, peer.half_close, peer.reset, peer.close))
    if ending is not None and not peer.is_reset:
        ending()
    client.advance(FOREVER)
    assert ending in (peer.reset, peer.close) or peer.is_ended or peer.is_reset, "the connection never ends"
    assert not client.driver.tasks(), f"tasks are left: {client.driver.tasks()}"


def _do_something(client: TestClient, peer: MemoryPeer, random: Random) -> None:
    match random.randrange(12):
        case 0:
            client.advance(random.choice((0.001, 1.0, 6.0)))
        case 1:
            peer.is_reading = not peer.is_reading
        case _:
            pass
