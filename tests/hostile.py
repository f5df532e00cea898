"""A server in memory for hostile peers to meet, and one on a socket that knows no defence at all."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from spry_core import Application, Limits, Request, Timeouts, WebSocket
from spry_core.testing import MemoryPeer, TestClient
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.peers import Report
from spry_core.testing.pipe import End, stream
from spry_core.testing.wire import MemoryWire, Wire

TARGETS: Final = {"get": "/", "upload": "/upload", "websocket": "/echo", "handshake": "/echo"}
"""Where each kind of peer finds what it wants in `application()`."""


def application() -> Application:
    """Something to GET, something that reads a content, and an echo."""
    app = Application()

    @app.get("/")
    async def hello(request: Request) -> str:
        return "hello"

    @app.get("/big")
    async def big(request: Request) -> bytes:
        return bytes(1 << 20)

    @app.post("/upload")
    async def upload(request: Request) -> str:
        return str(len(await request.read()))

    @app.ws("/echo", compression=True)
    async def echo(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await ws.send(message)

    return app


def met(
    run: Callable[[Wire], Report], *, limits: Limits | None = None, timeouts: Timeouts | None = None
) -> tuple[str, str, float]:
    """Run a peer against `application()`: what came back, what ended it, after how many virtual seconds."""
    report = run(MemoryWire(TestClient(application(), limits=limits, timeouts=timeouts)))
    return report.answer, report.ending.value, report.seconds


class Raw:
    """A server of nothing: the other end of each stream is in the test's hands."""

    def __init__(self) -> None:
        self.driver = MemoryDriver()
        self.ends: list[End] = []

    def connect(self) -> MemoryPeer:
        ours, theirs = stream()
        self.ends.append(theirs)
        return MemoryPeer(self.driver, ours)


def raw() -> tuple[MemoryWire, End, MemoryDriver]:
    """Return a wire, its other end, and the driver."""
    server = Raw()
    wire = MemoryWire(server)
    return wire, server.ends[0], server.driver


@contextmanager
def naive_server() -> Generator[tuple[str, int]]:
    """Serve an echo of bytes, with a thread for each connection, and with no limit and no timeout; yield its address."""
    sockets: list[socket.socket] = []

    def echo(sock: socket.socket) -> None:
        try:
            while data := sock.recv(65536):
                sock.sendall(data)
        except OSError:
            pass
        sock.close()

    def accept(listener: socket.socket) -> None:
        while not ending.is_set():
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sockets.append(sock)
            threading.Thread(target=echo, args=(sock,), daemon=True).start()

    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        yield address
        ending.set()
        socket.create_connection(address).close()  # closing a listener wakes nobody who waits in `accept`
        thread.join(10)
    for each in sockets:
        each.close()
