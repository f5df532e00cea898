"""The application that the suite serves, and how it is served on the backend that runs."""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
import trio

import spry_asyncio
import spry_trio
from adapters.peer import PATIENCE, Peer, connect
from handshakes import KEY, SWITCHED
from spry_core import Application, CloseInfo, Limits, Next, Outcome, Request, Timeouts, WebSocket, sleep
from spry_core.serving import MakeConnection


class Notes(list[str]):
    """What the handlers of an application have to tell; a test may wait for it."""

    def __init__(self) -> None:
        self._changed = anyio.Event()

    def note(self, what: str) -> None:
        self.append(what)
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, *what: str) -> None:
        """Wait until each of these has been noted."""
        with anyio.fail_after(PATIENCE):
            while not all(each in self for each in what):
                await self._changed.wait()


class App(Application):
    """HTTP and WebSocket routes that behave and misbehave."""

    def __init__(self) -> None:
        super().__init__()
        self.notes = Notes()
        self.ends = Notes()
        """How each WebSocket ended."""
        self.pushing: list[WebSocket] = []
        self.middleware.use(self.watch)
        self.get("/hello/:name", hello)
        self.post("/echo", echo_content)
        self.get("/stream", stream)
        self.get("/raise", raise_error)
        self.get("/slow", self.answer_slowly)
        self.ws("/echo", self.echo)
        self.ws("/listen", listen)
        self.ws("/raise", raise_at_first_message)
        self.ws("/bye", say_bye)
        self.ws("/sleep", self.sleep)
        self.ws("/swallow", self.swallow)
        self.ws("/push", self.push)

    async def watch(self, request: Request, next: Next) -> Outcome:
        outcome = await next()
        if isinstance(outcome, CloseInfo):
            self.ends.note(f"{outcome.close_code} by {outcome.initiator}")
        return outcome

    async def answer_slowly(self, request: Request) -> str:
        self.notes.note("slow begun")
        try:
            await sleep(0.05)
        finally:
            self.notes.note("slow ended")
        return "slow"

    async def echo(self, ws: WebSocket, request: Request) -> None:
        self.notes.note("open")
        async for message in ws:
            await ws.send(message)

    async def sleep(self, ws: WebSocket, request: Request) -> None:
        """Neither receive nor end, whatever happens; only a cancellation can help."""
        self.notes.note("open")
        try:
            await sleep(3600)
        finally:
            self.notes.note("cancelled")

    async def swallow(self, ws: WebSocket, request: Request) -> None:
        """Be deaf to every cancellation."""
        while True:
            try:
                await sleep(3600)
            except BaseException:
                self.notes.note("deaf")

    async def push(self, ws: WebSocket, request: Request) -> None:
        """Send as fast as the peer reads."""
        self.pushing.append(ws)
        for number in range(400):
            await ws.send(number.to_bytes(4, "big") * 4096)
        await ws.close()


async def hello(request: Request) -> str:
    return f"Hello, {request.params['name']}!"


async def echo_content(request: Request) -> bytes:
    return await request.read()


def stream(request: Request) -> AsyncIterator[str]:
    async def pieces() -> AsyncIterator[str]:
        for piece in ("one ", "two ", "three"):
            yield piece

    return pieces()


def raise_error(request: Request) -> str:
    raise ZeroDivisionError("in a handler")


def listen(ws: WebSocket, request: Request) -> None:
    ws.listen(ws.add)


async def raise_at_first_message(ws: WebSocket, request: Request) -> None:
    await ws.receive()
    raise ZeroDivisionError("in a handler")


async def say_bye(ws: WebSocket, request: Request) -> None:
    await ws.send("so long")
    await ws.close(4000, "bye")


class Running(Protocol):
    """What both adapters' servers have."""

    @property
    def addresses(self) -> list[tuple[str, int]]: ...

    @property
    def paths(self) -> list[str]: ...

    async def close(
        self,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None: ...

    def shut_down(
        self,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None: ...

    def abort(self) -> None: ...


@asynccontextmanager
async def serving(
    app: Application,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    uds: str | None = None,
    sockets: Sequence[socket.socket] = (),
    ssl_context: ssl.SSLContext | None = None,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    access_log: bool = True,
    make_connection: MakeConnection | None = None,
) -> AsyncGenerator[Running]:
    """Serve on the backend that runs, on a free port."""
    serve = spry_trio.serve if trio.lowlevel.in_trio_run() else spry_asyncio.serve
    async with serve(
        app,
        host,
        port,
        uds=uds,
        sockets=sockets,
        ssl_context=ssl_context,
        limits=limits,
        timeouts=timeouts,
        access_log=access_log,
        make_connection=make_connection,
    ) as server:
        yield server


def url(server: Running, path: str, scheme: str = "http") -> str:
    """Return the address of a path."""
    host, port = server.addresses[0]
    return f"{scheme}://{host}:{port}{path}"


async def connected(server: Running, *, receive_buffer: int | None = None) -> Peer:
    """Connect to it."""
    return await connect(server.addresses[0], receive_buffer=receive_buffer)


async def upgraded(server: Running, path: str, *, receive_buffer: int | None = None) -> Peer:
    """Connect and go through the opening handshake (RFC 6455 §1.3)."""
    peer = await connected(server, receive_buffer=receive_buffer)
    try:
        await peer.send(handshake(path))
        assert await peer.receive_until(b"\r\n\r\n") == SWITCHED
    except BaseException:
        peer.socket.close()
        raise
    return peer


def handshake(path: str) -> bytes:
    """Make the opening handshake of RFC 6455 §1.3."""
    return (
        b"GET %s HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ) % (path.encode(), KEY)


def dateless(answer: bytes) -> bytes:
    """Take the Date fields out, which are another at every run."""
    return re.sub(rb"(?i)date: [^\r]*\r\n", b"", answer)
