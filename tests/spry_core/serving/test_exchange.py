"""One request and its answer, as an application sees the connection below."""

from __future__ import annotations

import pytest

from spry_core import (
    Abort,
    Application,
    ConnectionLost,
    Limits,
    Next,
    Outcome,
    Request,
    Timeouts,
    WebSocket,
    sleep,
)
from spry_core.testing import TestClient

UPGRADE = (
    b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


def test_100_is_sent_when_the_content_is_first_asked_for() -> None:
    """RFC 9110 §10.1.1."""
    app = Application()

    @app.post("/")
    async def handler(request: Request) -> bytes:
        await sleep(1.0)
        return await request.read()

    client = TestClient(app)
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    assert peer.received == b""
    client.advance(1.0)
    assert peer.take() == CONTINUE
    peer.send(b"abc")
    assert peer.take().endswith(b"\r\n\r\nabc")


def test_no_100_is_sent_for_content_that_is_there_already() -> None:
    app = Application()

    @app.post("/")
    async def handler(request: Request) -> bytes:
        return await request.read()

    peer = TestClient(app).connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc")
    assert peer.received.startswith(b"HTTP/1.1 200 OK\r\n")


def test_no_100_comes_after_the_answer() -> None:
    app = Application()
    kept = list[Request]()

    @app.post("/")
    async def handler(request: Request) -> str:
        kept.append(request)
        return "enough"

    client = TestClient(app)
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n")
    kept[0].exchange.invite_content()
    client.driver.settle()
    assert (peer.received.count(b"HTTP/1.1 "), peer.received.endswith(b"enough")) == (1, True)


def test_content_that_nobody_consumes_stops_the_reading_until_it_is() -> None:
    app = Application()
    kept = list[Request]()

    @app.post("/")
    async def handler(request: Request) -> int:
        kept.append(request)
        await sleep(1.0)
        return len(await request.read())

    @app.exceptions.filter(TypeError)
    async def filtered(error: TypeError, request: Request) -> str:
        return "an int is no response"

    client = TestClient(app, limits=Limits(max_read_ahead=10))
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 30\r\n\r\n" + bytes(10))
    peer.send(bytes(20))
    assert peer.unread == 20
    client.advance(1.0)
    assert peer.unread == 0
    kept[0].exchange.release(1)  # too late, and no harm
    assert kept[0].exchange.limits == Limits(max_read_ahead=10)


def test_a_handshake_of_a_peer_that_has_left_is_not_accepted() -> None:
    app = Application()
    seen = list[BaseException]()

    async def slow(request: Request, next: Next) -> Outcome:
        await sleep(1.0)
        try:
            return await next()
        except BaseException as error:
            seen.append(error)
            raise

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        raise AssertionError("not called")

    app.middleware.use(slow)
    client = TestClient(app)
    peer = client.connect()
    peer.send(UPGRADE)
    peer.reset()
    client.advance(1.0)
    assert [type(error) for error in seen] == [ConnectionLost]
    assert [record.logger for record in client.reports] == ["spry.access"]


def test_a_handshake_during_shutdown_is_a_503() -> None:
    """semantics of the table of answers: a 503 at shutdown comes before all."""
    app = Application()

    async def slow(request: Request, next: Next) -> Outcome:
        await sleep(1.0)
        return await next()

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        raise AssertionError("not called")

    app.middleware.use(slow)
    client = TestClient(app, timeouts=Timeouts(grace=10.0))
    peer = client.connect()
    peer.send(UPGRADE)
    client.shutdown()
    client.advance(1.0)
    head = peer.received.partition(b"\r\n\r\n")[0]
    assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"connection: close" in head.lower()


@pytest.mark.parametrize("secure", [False, True])
def test_what_is_known_of_the_stream_reaches_the_request(secure: bool) -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> dict[str, object]:
        stream = request.exchange.stream
        return {
            "peer": stream.peer,
            "local": stream.local,
            "secure": stream.secure,
            "half": stream.can_half_close,
        }

    assert TestClient(app, secure=secure).get("/").json() == {
        "peer": "127.0.0.1:50000",
        "local": "127.0.0.1:80",
        "secure": secure,
        "half": True,
    }


def test_the_timeouts_are_the_servers() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        return str(request.exchange.timeouts.head)

    assert TestClient(app, timeouts=Timeouts(head=7.5)).get("/").text == "7.5"


def test_an_answer_other_than_the_101_denies_the_handshake() -> None:
    app = Application()

    async def deny(request: Request, next: Next) -> Outcome:
        raise Abort(403)

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        raise AssertionError("not called")

    app.middleware.use(deny)
    peer = TestClient(app).connect()
    peer.send(UPGRADE)
    assert peer.received.startswith(b"HTTP/1.1 403 Forbidden\r\n")
