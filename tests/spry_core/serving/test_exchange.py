"""One request and its answer, as an application sees the connection below."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from spry_core import (
    Abort,
    Application,
    ConnectionLost,
    Limits,
    Next,
    Outcome,
    Request,
    Response,
    Timeouts,
    WebSocket,
    sleep,
)
from spry_core.serving.exchange import HttpExchange
from spry_core.tasks import event
from spry_core.testing import Cancelled, TestClient

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


def test_an_accepted_handshake_gives_the_link_and_obeys_the_routes_own_limits() -> None:
    app = Application()

    @app.ws("/", max_message_size=3, close_timeout=1.5)
    async def handler(ws: WebSocket, request: Request) -> None:
        connection = ws.request.exchange
        seen.append((connection.limits.max_message_size, connection.timeouts.close_timeout))
        async for message in ws:
            await ws.send(message)

    seen = list[tuple[int | None, float | None]]()
    with TestClient(app).ws("/") as ws:
        ws.send("abc")
        assert ws.receive() == "abc"
        ws.send("abcd")
        assert ws.close().close_code == 1009
    assert seen == [(1024 * 1024, 5.0)]  # the exchange's own are still the server's


def test_a_field_that_no_101_can_have_leaves_the_connection_to_http() -> None:
    """RFC 6455 §4.2.2: the opening handshake sets its fields itself."""
    app = Application()

    async def meddle(request: Request, next: Next) -> Outcome:
        request.upgrade_headers["sec-websocket-accept"] = "mine"
        return await next()

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        raise AssertionError("not called")

    app.middleware.use(meddle)
    client = TestClient(app)
    peer = client.connect()
    peer.send(UPGRADE)
    assert peer.take().startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    peer.send(b"GET /nowhere HTTP/1.1\r\nHost: t\r\n\r\n")
    assert peer.take().startswith(b"HTTP/1.1 404 Not Found\r\n")


def test_what_is_reported_through_it_is_a_warning_without_an_exception() -> None:
    app = Application()

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> str:
        return "ignored"

    client = TestClient(app)
    client.ws("/")
    client.ws("/")
    (record,) = client.reports
    assert (record.logger, record.level, record.exception) == ("spry.error", 30, None)
    assert "is ignored" in record.text


def test_a_stream_waits_for_room_and_is_woken_by_it() -> None:
    app = Application()
    made = list[int]()

    @app.get("/")
    async def handler(request: Request) -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            for number in range(5):
                made.append(number)
                yield bytes(60_000)

        return pieces()

    client = TestClient(app)
    peer = client.connect()
    peer.is_reading = False
    peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert made == [0, 1, 2]  # one in the pipe, two that are together above the water mark
    peer.is_reading = True
    assert made == [0, 1, 2, 3, 4]


def test_a_stream_that_waits_for_room_hears_that_the_peer_has_left() -> None:
    app = Application()
    ends = list[str]()

    @app.get("/")
    async def handler(request: Request) -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            try:
                while True:
                    yield bytes(60_000)
            finally:
                ends.append("closed")

        return pieces()

    client = TestClient(app)
    peer = client.connect()
    peer.is_reading = False
    peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    peer.reset()
    assert (ends, [record.logger for record in client.reports]) == (["closed"], ["spry.access"])


def test_a_stream_that_fails_aborts_the_connection() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            yield b"a"
            raise LookupError("of the stream")

        return pieces()

    peer = TestClient(app).connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert peer.is_reset is True


def test_an_answer_that_the_connection_gives_itself_is_the_one_that_is_logged() -> None:
    """RFC 9110 §15.5.9: the content did not come in time."""
    app = Application()

    @app.post("/")
    async def handler(request: Request) -> bytes:
        return await request.read()

    client = TestClient(app, timeouts=Timeouts(body=3.0))
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n")
    client.advance(3.0)
    assert peer.received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
    assert [record.text for record in client.reports if record.logger == "spry.access"] == [
        '127.0.0.1:50000 "POST /" 408 3000.0 ms'
    ]


def test_a_stream_that_goes_on_all_the_same_is_told_that_the_peer_has_left() -> None:
    app = Application()
    ends = list[str]()

    @app.get("/")
    async def handler(request: Request) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                yield b"a"
                try:
                    await event().wait()
                except Cancelled:
                    yield b"for nobody"
            finally:
                ends.append("closed")

        return pieces()

    client = TestClient(app)
    peer = client.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    peer.reset()
    assert (ends, [record.logger for record in client.reports]) == (["closed"], ["spry.access"])


def test_a_complete_answer_is_not_cut() -> None:
    app = Application()
    kept = list[Request]()

    @app.get("/")
    async def handler(request: Request) -> str:
        kept.append(request)
        return "fine"

    client = TestClient(app)
    client.get("/")
    exchange = kept[0].exchange
    assert isinstance(exchange, HttpExchange)
    assert (exchange.is_over, exchange.is_complete, exchange.is_upgraded) == (True, True, False)
    exchange.abort()
    assert (client.get("/").text, client.server.session_count) == ("fine", 1)


def test_an_answer_to_head_counts_no_content_for_the_log() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        return "a"

    client = TestClient(app)
    client.connect().send(b"HEAD / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert [record.fields["bytes_sent"] for record in client.reports] == [0]


def test_an_answer_whose_length_does_not_fit_is_none() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> Response:
        return Response("a", headers={"content-length": "2"})

    client = TestClient(app)
    peer = client.connect()
    peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert (peer.received, peer.is_reset) == (b"", True)
    access = client.reports[-1].fields
    assert (access["status_code"], access["complete"], access["bytes_sent"]) == (200, False, 0)
