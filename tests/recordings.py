"""Recordings for tests: of an application and a peer that does what it is told."""

from __future__ import annotations

from typing import Final

from spry_core import Application, Limits, Request, Response, WebSocket
from spry_core.testing import MemoryPeer, TestClient
from spry_core.testing.frames import CLOSE_FRAME, PING, TEXT, close_payload, frame
from spry_core.testing.transcript import MemoryRecorder

SECRET: Final = "SECRET"
"""Stands wherever a recording is to hide something, and nowhere else."""

FIELDS: Final = f"Host: a\r\nCookie: sid={SECRET}\r\nX-Key: {SECRET}\r\n".encode()
GET: Final = f"GET /?token={SECRET} HTTP/1.1\r\n".encode() + FIELDS + b"\r\n"
POST: Final = b"POST /take HTTP/1.1\r\n" + FIELDS + b"Content-Length: 5\r\n\r\nhello"
CHUNKED: Final = (
    b"POST /take HTTP/1.1\r\n" + FIELDS + b"Transfer-Encoding: chunked\r\n\r\n"
    b"3;x=y\r\nabc\r\n0\r\nCookie: " + SECRET.encode() + b"\r\n\r\n"
)
HANDSHAKE: Final = (
    f"GET /chat?token={SECRET} HTTP/1.1\r\n".encode()
    + FIELDS
    + b"Upgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
)
HELLO: Final = frame(TEXT, b"hello " * 20)
ASK: Final = frame(PING, b"?")
BYE: Final = frame(CLOSE_FRAME, close_payload(1000, "bye"))


def app() -> Application:
    """Make an application in which a little of everything happens."""
    app = Application()

    @app.get("/")
    async def home(request: Request) -> Response:
        response = Response("home", headers={"X-Key": SECRET})
        response.set_cookie("sid", SECRET)
        return response

    @app.post("/take")
    async def take(request: Request) -> str:
        return (await request.text()).upper()

    @app.ws("/chat", compression=True, ping_interval=5.0, ping_timeout=5.0)
    async def chat(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await ws.send(message)
            if message == "end":
                raise KeyError(SECRET)

    return app


def recorded(*said: bytes, pause: float = 1.0) -> str:
    """Return the recording of a connection on which the peer says this, with a pause behind each, and is then cut."""
    recorder = MemoryRecorder(redact=["x-key"])
    with TestClient(app(), limits=Limits(max_message_size=1000), record=recorder) as client:
        peer: MemoryPeer = client.connect()
        for each in said:
            peer.send(each)
            client.advance(pause)
        peer.reset()
    (recording,) = recorder.recordings
    return recording.text
