"""A conversation of the core with itself, over nothing: it needs no socket, no clock and no randomness but what it is given.

It imports only what the core itself may import, so that it can run where everything else raises (`traps`).
"""

from __future__ import annotations

from spry_core import Application, Request, WebSocket, sleep
from spry_core.protocol import (
    Accept,
    BodyData,
    BodyEnd,
    Close,
    Connection,
    ConnectionEnded,
    Event,
    Message,
    Offer,
    RequestHead,
    ResponseHead,
    StreamEnd,
)
from spry_core.protocol.handshake import request
from spry_core.testing import TestClient


def counted(n: int) -> bytes:
    """Stand in for a source of randomness."""
    return bytes(range(n))


class Pair:
    """A client and a server, each the other's peer, and the server's answers written into the test."""

    def __init__(self) -> None:
        self.now = 100.0
        self.client = Connection("client", now=self.now, random=counted)
        self.server = Connection("server", now=self.now, random=counted, wall_clock=lambda: 0.0)
        self.heard: list[str] = []

    def talk(self) -> None:
        """Carry bytes to and fro, and let the server answer, until neither has anything to say."""
        while self.carry(self.client, self.server) | self.carry(self.server, self.client):
            for event in self.server:
                self.hear("server", event)
                self.answer(event)
            for event in self.client:
                self.hear("client", event)
                self.consume(self.client, event)

    def carry(self, sender: Connection, receiver: Connection) -> bool:
        """Move what `sender` has to send, and its end; tell whether there was anything."""
        pieces = sender.data_to_send()
        for piece in pieces:
            if isinstance(piece, bytes):
                sender.bytes_written(len(piece), self.now)
                receiver.receive_data(piece, self.now)
            elif piece is StreamEnd.HALF_CLOSE:
                receiver.receive_eof(self.now)
            else:
                sender.connection_lost(None, self.now)
                receiver.receive_eof(self.now)
        return bool(pieces)

    def answer(self, event: Event) -> None:
        """Echo, as a server's handler would."""
        self.consume(self.server, event)
        match event:
            case RequestHead(websocket=Offer()):
                self.server.send(Accept(), self.now)
            case RequestHead():
                self.server.send(
                    ResponseHead(status_code=200, headers=((b"Content-Length", b"4"),)), self.now
                )
            case BodyEnd() if self.server.is_websocket:
                pass  # of the opening handshake, which has no content
            case BodyData() | BodyEnd() | Message():
                self.server.send(event, self.now)
            case _:
                pass

    def consume(self, owner: Connection, event: Event) -> None:
        """Tell `owner` that the content of `event` has been used."""
        if isinstance(event, BodyData):
            owner.release(len(event.data), self.now)
        elif isinstance(event, Message):
            size = len(event.data.encode()) if isinstance(event.data, str) else len(event.data)
            owner.release(size, self.now)

    def hear(self, who: str, event: Event) -> None:
        """Write down what reached `who`."""
        match event:
            case RequestHead(method=method, target=target):
                what = f"{method.decode()} {target.decode()}"
            case ResponseHead(status_code=status_code, headers=headers):
                what = f"{status_code} {dict(headers).get(b'date', b'no date').decode()}"
            case BodyData(data=data):
                what = repr(data)
            case Message(data=message):
                what = repr(message)
            case Close(code=code, reason=reason):
                what = f"Close {code} {reason}".rstrip()
            case ConnectionEnded(info=info):
                what = f"ended after {info.duration} s"
            case _:
                what = type(event).__name__
        self.heard.append(f"{who}: {what}")


def over_http() -> list[str]:
    """Post some content and have it echoed; say nothing more until the keep-alive time is up."""
    pair = Pair()
    head = ((b"Host", b"example.org"), (b"Content-Length", b"4"))
    pair.client.send(RequestHead(method=b"POST", target=b"/echo", headers=head), pair.now)
    pair.client.send(BodyData(data=b"ping"), pair.now)
    pair.client.send(BodyEnd(), pair.now)
    pair.talk()
    deadline = pair.server.next_deadline()
    assert deadline is not None
    pair.now = deadline
    pair.server.handle_deadline(pair.now)
    pair.talk()
    return pair.heard


def over_websocket() -> list[str]:
    """Open a WebSocket, exchange text and binary, live through one keepalive Ping, and close."""
    pair = Pair()
    pair.client.send(request(host="example.org", target="/chat", random=counted), pair.now)
    pair.client.send(BodyEnd(), pair.now)
    pair.talk()
    for message in ("grüße", b"\0\1\2"):
        pair.client.send(Message(data=message), pair.now)
        pair.talk()
    deadline = pair.server.next_deadline()
    assert deadline is not None
    pair.now = deadline
    pair.server.handle_deadline(pair.now)
    pair.talk()
    pair.client.send(Close(code=1000, reason="done"), pair.now)
    pair.talk()
    return pair.heard


def with_an_application() -> list[str]:
    """Serve an application in memory: content, JSON, an error, a handler that sleeps, and both kinds of WebSocket."""
    app = Application()

    @app.post("/length")
    async def length(request: Request) -> dict[str, int]:
        return {"length": len(await request.read())}

    @app.get("/fails")
    async def fails(request: Request) -> str:
        raise KeyError(request.path)

    @app.get("/slow")
    async def slow(request: Request) -> str:
        await sleep(60)
        return "a minute is nothing here"

    @app.ws("/loop")
    async def loop(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await ws.send(message)

    @app.ws("/callback")
    def callback(ws: WebSocket, request: Request) -> None:
        ws.listen(ws.add)

    heard: list[str] = []
    with TestClient(app) as client:
        answers = [client.post("/length", content=b"12345"), client.get("/fails"), client.get("/slow")]
        heard += [f"{answer.status_code} {answer.headers['date']} {answer.text}" for answer in answers]
        for path in ("/loop", "/callback"):
            with client.ws(path) as ws:
                ws.send("grüße")
                heard.append(f"{path}: {ws.receive()!r}, {ws.close().close_code}")
    return [*heard, *(f"reported: {record.exception!r}" for record in client.reports if record.exception)]
