"""Clients of an application with one handler, without a loop or a socket, and what such a client has seen and logged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sockets import SWITCH, UPGRADE
from spry_core import Application, Limits, Request, Timeouts, WebSocket
from spry_core.serving import Session
from spry_core.tasks import event
from spry_core.testing import MemoryPeer, MemoryPump, TestClient, stream

GET = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"


def http(
    handler: Callable[[Request], Awaitable[object]],
    *,
    path: str = "/",
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
) -> TestClient:
    """Return a client of an application with one route for GET and POST."""
    app = Application()
    app.on(["GET", "POST"], path, handler)
    return TestClient(app, limits=limits, timeouts=timeouts)


def websocket(
    handler: Callable[[WebSocket, Request], Awaitable[None]],
    *,
    on_disconnect: str = "raise",
    timeouts: Timeouts | None = None,
) -> TestClient:
    """Return a client of an application with one WebSocket route."""
    app = Application()
    app.ws_defaults["on_disconnect"] = "cancel" if on_disconnect == "cancel" else "raise"
    app.ws("/", handler)
    return TestClient(app, timeouts=timeouts)


def opened(client: TestClient) -> MemoryPeer:
    """Return a peer by hand whose WebSocket is open."""
    peer = client.connect()
    peer.send(UPGRADE)
    assert peer.take() == SWITCH
    return peer


def lines(client: TestClient) -> list[str]:
    return [record.text for record in client.reports]


def held(client: TestClient) -> tuple[Session, MemoryPeer]:
    """Return a session of the client's server, and its peer."""
    ours, theirs = stream()
    pump = MemoryPump(client.driver, theirs, "connection")
    session = client.server.session(pump.driver)
    pump.start(session, session)
    return session, MemoryPeer(client.driver, ours)


def faults(client: TestClient) -> list[tuple[int, str, str]]:
    return [
        (record.level, record.text, repr(record.exception))
        for record in client.reports
        if record.logger == "spry.error"
    ]


async def answering(request: Request) -> str:
    return "fine"


async def waiting(request: Request) -> None:
    await event().wait()


async def closing(ws: WebSocket, request: Request) -> None:
    await ws.closed
