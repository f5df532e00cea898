"""What becomes of a request whose chain was left: by an answer, by an error, by a cancellation, as a WebSocket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from clients import GET, closing, faults, held, http, lines, waiting, websocket
from spry_core import (
    Application,
    ConnectionClosed,
    ConnectionLost,
    Next,
    Outcome,
    Request,
    Response,
    WebSocket,
    sleep,
)
from spry_core.tasks import timeout
from spry_core.testing import Cancelled, TestClient

# Errors


def test_a_handler_that_raises_is_a_500_and_costs_nothing_else() -> None:
    async def handler(request: Request) -> str:
        raise LookupError("of the handler")

    client = http(handler)
    peer = client.connect()
    peer.send(GET)
    assert peer.take().startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    peer.send(GET)
    assert peer.take().startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert [repr(record.exception) for record in client.reports if record.logger == "spry.error"] == [
        "LookupError('of the handler')"
    ] * 2


def test_a_cancellation_that_nobody_asked_for_is_an_error_of_the_handler() -> None:
    async def handler(request: Request) -> str:
        raise Cancelled

    client = http(handler)
    assert client.get("/").status_code == 500
    assert isinstance(client.reports[0].exception, Cancelled)


def test_a_handler_that_is_cancelled_leaves_a_503() -> None:
    client = http(waiting)
    session, peer = held(client)
    peer.send(GET)
    session.shutdown(client.now, grace=2.0)
    client.advance(2.0)
    assert peer.received.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert [record.text for record in client.reports] == ['peer "GET /" 503 19 B 2000.0 ms']


def test_a_handler_that_is_cancelled_when_the_peer_has_left_answers_nobody() -> None:
    client = http(waiting)
    session, peer = held(client)
    peer.send(GET)
    peer.reset()
    assert len(client.driver.tasks()) == 1
    session.abort(client.now)
    client.driver.settle()
    assert (peer.received, client.driver.tasks(), session.closed) == (b"", [], True)
    assert lines(client) == ['peer "GET /" no answer 0.0 ms']


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_error_leaves_no_request_without_an_end(error: type[BaseException]) -> None:
    async def handler(request: Request) -> str:
        raise error

    client = http(handler)
    peer = client.connect()
    with pytest.raises(error):
        peer.send(GET)
    client.driver.settle()
    assert (peer.take(), peer.is_reset) == (b"", True)


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_the_process_passes(error: type[BaseException]) -> None:
    async def handler(request: Request) -> str:
        raise error

    client = http(handler)
    with pytest.raises(error):
        client.get("/")


def test_what_a_handler_returns_that_is_no_answer_is_a_500_and_the_log_names_the_route() -> None:
    async def handler(request: Request) -> object:
        return 1

    client = http(handler, path="/rooms/:room")
    assert client.get("/rooms/a").status_code == 500
    (report,) = [each for each in client.reports if each.logger == "spry.error"]
    assert report.text == '127.0.0.1:50000 "GET /rooms/a": TypeError in the application'
    assert str(report.exception) == "GET /rooms/:room returned int, of which no response can be made"


def test_a_group_of_one_is_logged_as_that_one() -> None:
    async def handler(request: Request) -> None:
        raise ExceptionGroup("a task group's", [ExceptionGroup("another's", [LookupError("inner")])])

    client = http(handler)
    client.get("/")
    assert [what for _, _, what in faults(client)] == ["LookupError('inner')"]


# Whose fault it is


def test_two_tasks_of_a_handler_that_notice_that_the_peer_has_left_are_no_error() -> None:
    async def handler(request: Request) -> None:
        try:
            await request.read()
        except ConnectionClosed as error:
            raise ExceptionGroup("tasks", [error, ConnectionLost(None)]) from None

    client = http(handler)
    peer = client.connect()
    peer.send(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab")
    peer.reset()
    assert lines(client) == ['127.0.0.1:50000 "POST /" no answer 0.0 ms']


def test_an_error_that_has_nothing_to_do_with_a_peer_that_has_left_is_logged() -> None:
    async def handler(request: Request) -> None:
        await sleep(1.0)
        raise LookupError("all the same")

    client = http(handler)
    peer = client.connect()
    peer.send(GET)
    peer.reset()
    client.advance(1.0)
    assert [what for _, _, what in faults(client)] == ["LookupError('all the same')"]


def test_a_lost_connection_of_somebody_else_is_an_error() -> None:
    async def handler(request: Request) -> None:
        raise ConnectionLost(None, "the database")

    client = http(handler)
    assert client.get("/").status_code == 500
    assert [what for _, _, what in faults(client)] == ["ConnectionLost('the database')"]


def test_a_handler_goes_on_when_the_peer_has_left_and_its_answer_is_dropped() -> None:
    done = list[float]()

    async def handler(request: Request) -> str:
        await sleep(5.0)
        done.append(client.now)
        return "for nobody"

    client = http(handler)
    peer = client.connect()
    peer.send(GET)
    peer.reset()
    assert client.server.session_count == 1
    client.advance(5.0)
    assert (done, client.server.session_count) == ([5.0], 0)
    assert [record.logger for record in client.reports] == ["spry.access"]


def test_an_error_behind_a_complete_answer_is_of_that_request_and_leaves_the_next_alone() -> None:
    """The stream of the first is closed when the second, which came in one piece with it, has begun."""

    class Pieces:
        """A stream that fails when it is closed."""

        def __init__(self) -> None:
            self.left = 1

        def __aiter__(self) -> Pieces:
            return self

        async def __anext__(self) -> bytes:
            if not self.left:
                raise StopAsyncIteration
            self.left -= 1
            return b"first"

        async def aclose(self) -> None:
            raise LookupError("in the cleanup")

    async def handler(request: Request) -> object:
        if request.params["name"] == "first":
            return Pieces()
        await sleep(1.0)
        return "second"

    client = http(handler, path="/:name")
    peer = client.connect()
    peer.send(GET.replace(b"/", b"/first", 1) + GET.replace(b"/", b"/second", 1))
    client.advance(1.0)
    assert peer.received.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert peer.received.endswith(b"\r\n\r\nsecond")
    assert faults(client) == [
        (
            40,
            '127.0.0.1:50000 "GET /first": LookupError in the application',
            "LookupError('in the cleanup')",
        )
    ]
    assert [each.text for each in client.reports if each.logger == "spry.access"] == [
        '127.0.0.1:50000 "GET /first" 200 5 B 0.0 ms',
        '127.0.0.1:50000 "GET /second" 200 6 B 1000.0 ms',
    ]


# Answers that fail


def test_an_answer_that_cannot_be_sent_becomes_a_500() -> None:
    """RFC 9112 §6.1."""

    async def handler(request: Request) -> Response:
        return Response("abc", headers={"transfer-encoding": "gzip"})

    client = http(handler)
    assert client.get("/").status_code == 500
    assert [type(record.exception) for record in client.reports if record.logger == "spry.error"] == [
        ValueError
    ]


def test_an_answer_that_breaks_off_is_logged_and_cut() -> None:
    async def handler(request: Request) -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            yield b"a"
            raise LookupError("of the stream")

        return pieces()

    client = http(handler)
    with pytest.raises(ConnectionLost):
        client.get("/")
    assert [repr(record.exception) for record in client.reports if record.logger == "spry.error"] == [
        "LookupError('of the stream')"
    ]


def test_a_stream_that_raises_what_ends_the_process_lets_it_pass() -> None:
    async def handler(request: Request) -> Iterator[bytes]:
        def pieces() -> Iterator[bytes]:
            yield b"a"
            raise KeyboardInterrupt

        return pieces()

    with pytest.raises(KeyboardInterrupt):
        http(handler).get("/")


# WebSockets


def test_a_websocket_handler_that_raises_is_1011_and_is_logged_once() -> None:
    """RFC 6455 §7.4.1; the reason never says what went wrong."""

    async def handler(ws: WebSocket, request: Request) -> None:
        raise LookupError("of the handler")

    client = websocket(handler)
    info = client.ws("/").close()
    assert (info.close_code, info.close_reason) == (1011, "")
    assert [repr(record.exception) for record in client.reports if record.logger == "spry.error"] == [
        "LookupError('of the handler')"
    ]


def test_an_unasked_cancellation_in_a_websocket_handler_is_1011_too() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        raise Cancelled

    client = websocket(handler)
    assert client.ws("/").close().close_code == 1011
    assert [type(record.exception) for record in client.reports if record.logger == "spry.error"] == [
        Cancelled
    ]


def test_middleware_that_raises_after_the_websocket_has_ended_is_logged() -> None:
    app = Application()

    async def careless(request: Request, next: Next) -> Outcome:
        await next()
        raise LookupError("of the middleware")

    app.middleware.use(careless)
    app.ws("/", closing)
    client = TestClient(app)
    client.ws("/").close()
    assert [repr(record.exception) for record in client.reports if record.logger == "spry.error"] == [
        "LookupError('of the middleware')"
    ]


def test_middleware_that_leaves_before_the_websocket_has_ended_closes_it() -> None:
    app = Application()

    async def hasty(request: Request, next: Next) -> Outcome:
        try:
            with timeout(5.0):
                return await next()
        except TimeoutError:
            return Response("never sent")

    app.middleware.use(hasty)
    app.ws("/", closing)
    client = TestClient(app)
    ws = client.ws("/")
    client.advance(5.0)
    assert ws.close().close_code == 1011
