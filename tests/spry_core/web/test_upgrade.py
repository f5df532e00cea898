"""The innermost step of a WebSocket route: opening handshake, handler, and the end of the connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from frames import CLOSE_FRAME, PING, PONG, TEXT, Frame, close_payload, frame
from sockets import SWITCH, UPGRADE, Peer, client_of, close_frame, errors, messages, refused
from spry_core import (
    Abort,
    Application,
    CloseInfo,
    Limits,
    Next,
    Outcome,
    Request,
    Response,
    ResponseSealedError,
    Timeouts,
    WebSocket,
    sleep,
    timeout,
)
from spry_core.testing import Cancelled, TestClient

# The five examples of the original's page


def test_a_handler_that_only_prints_leaves_the_connection_open(capsys: pytest.CaptureFixture[str]) -> None:
    def echo(ws: WebSocket, request: Request) -> None:
        print("WebSocket connected")

    peer = Peer(client_of(echo))
    peer.stream.send(messages("nobody reads this") + frame(PING, b"?"))
    assert peer.frames() == [Frame(PONG, b"?")]
    assert capsys.readouterr().out == "WebSocket connected\n"


def test_a_handler_that_loops_over_the_messages(capsys: pytest.CaptureFixture[str]) -> None:
    async def echo(ws: WebSocket, request: Request) -> None:
        print("WebSocket connected")
        async for message in ws:
            print(f"Received: {message!r}")

    peer = Peer(client_of(echo))
    peer.send("one", b"two")
    assert capsys.readouterr().out == "WebSocket connected\nReceived: 'one'\nReceived: b'two'\n"
    assert peer.frames() == []


def test_a_handler_that_listens(capsys: pytest.CaptureFixture[str]) -> None:
    def echo(ws: WebSocket, request: Request) -> None:
        print("WebSocket connected")
        ws.listen(lambda message: print(f"Received: {message!r}"))

    peer = Peer(client_of(echo))
    peer.send("one", b"two")
    assert capsys.readouterr().out == "WebSocket connected\nReceived: 'one'\nReceived: b'two'\n"
    assert peer.frames() == []


def test_a_handler_that_sends_each_message_back(capsys: pytest.CaptureFixture[str]) -> None:
    def echo(ws: WebSocket, request: Request) -> None:
        def on_message(message: str | bytes) -> None:
            print(f"Received: {message!r}")
            ws.add(message)

        ws.listen(on_message)

    peer = Peer(client_of(echo))
    peer.send("one", b"two")
    assert peer.stream.take() == b"\x81\x03one\x82\x03two"
    assert capsys.readouterr().out == "Received: 'one'\nReceived: b'two'\n"


def test_a_handler_that_sends_the_first_message_back_and_closes(capsys: pytest.CaptureFixture[str]) -> None:
    def echo(ws: WebSocket, request: Request) -> None:
        def on_message(message: str | bytes) -> None:
            print(f"Received: {message!r}")
            ws.add(message)
            ws.close()

        ws.listen(on_message)

    client = client_of(echo)
    peer = Peer(client)
    peer.send("one", "dropped")
    assert peer.stream.take() == b"\x81\x03one\x88\x02\x03\xe8"
    peer.stream.send(close_frame(1000))
    assert peer.stream.is_ended is True
    assert capsys.readouterr().out == "Received: 'one'\n"
    peer.stream.close()
    assert [each.text for each in client.reports] == [
        '127.0.0.1:50000 "GET /" websocket 1000 by local, 2 in (10 B), 1 out (3 B), 0.0 ms'
    ]


# The opening handshake


def talk(ws: WebSocket, request: Request) -> None:
    """Leave the connection open."""


def test_middleware_may_put_fields_into_the_101() -> None:
    app = Application()

    async def stamp(request: Request, next: Next) -> Outcome:
        request.upgrade_headers["x-room"] = "hall"
        return await next()

    app.middleware.use(stamp)
    app.ws("/", talk)
    stream = TestClient(app).connect()
    stream.send(UPGRADE)
    assert stream.take() == SWITCH[:-2] + b"X-Room: hall\r\n\r\n"


def test_a_field_that_the_101_cannot_have_is_a_500_and_the_connection_stays_http() -> None:
    """RFC 6455 §4.2.2; the limits of the route do not hold for what is no WebSocket."""
    app = Application()

    async def stamp(request: Request, next: Next) -> Outcome:
        request.upgrade_headers["sec-websocket-accept"] = "mine"
        return await next()

    app.middleware.use(stamp)
    app.ws("/", talk, max_message_size=5)

    @app.get("/plain")
    def plain(request: Request) -> str:
        return str(request.exchange.limits.max_message_size)

    client = TestClient(app)
    stream = client.connect()
    stream.send(UPGRADE)
    assert stream.take().startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    stream.send(b"GET /plain HTTP/1.1\r\nHost: t\r\n\r\n")
    assert stream.take().endswith(b"\r\n\r\n1048576")
    assert [each.split("(")[0] for each in errors(client)] == [
        '40 127.0.0.1:50000 "GET /": ValueError in the application ValueError'
    ]


def test_after_the_101_there_is_no_response_to_change() -> None:
    raised = list[type[Exception]]()

    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            request.upgrade_headers["x-late"] = "1"
        except ResponseSealedError as error:
            raised.append(type(error))

    assert Peer(client_of(handler)).first == b""
    assert raised == [ResponseSealedError]


def test_frames_behind_the_opening_handshake_are_taken_as_frames() -> None:
    """RFC 6455 §4.1: a client may only send them after the 101, but TCP may have them together."""

    def echo(ws: WebSocket, request: Request) -> None:
        ws.listen(ws.add)

    stream = client_of(echo).connect()
    stream.send(UPGRADE + messages("early", "birds"))
    assert stream.take() == SWITCH + b"\x81\x05early\x81\x05birds"


def test_a_peer_that_leaves_before_the_101_is_no_error_and_meets_no_handler() -> None:
    app = Application()

    async def hesitate(request: Request, next: Next) -> Outcome:
        await sleep(1.0)
        return await next()

    async def handler(ws: WebSocket, request: Request) -> None:
        raise AssertionError("not called")

    app.middleware.use(hesitate)
    app.ws("/", handler)
    client = TestClient(app)
    stream = client.connect()
    stream.send(UPGRADE)
    stream.reset()
    client.advance(1.0)
    assert [each.text for each in client.reports] == ['127.0.0.1:50000 "GET /" no answer 1000.0 ms']


def test_the_options_of_the_route_hold_for_its_websockets() -> None:
    client = client_of(talk, max_message_size=5, ping_interval=1.0)
    peer = Peer(client)
    client.advance(1.0)
    assert [each.opcode for each in peer.frames()] == [PING]
    peer.send("12345")
    assert peer.frames() == []
    peer.send("123456")
    assert peer.frames() == [Frame(CLOSE_FRAME, close_payload(1009))]


# The handler


def test_when_the_handler_has_returned_the_connection_goes_on() -> None:
    """Ping and Close are answered, and what nobody consumes never fills memory."""
    client = client_of(talk, limits=Limits(max_queue=1))
    peer = Peer(client)
    for n in range(10):
        peer.send(f"message {n}")
    peer.stream.send(frame(PING, b"?"))
    assert (peer.stream.unread, peer.frames()) == (0, [Frame(PONG, b"?")])
    peer.stream.send(close_frame(4000))
    (answer,) = peer.frames()
    assert (answer.opcode, answer.payload[:2]) == (CLOSE_FRAME, b"\x0f\xa0")
    peer.stream.close()
    assert client.server.session_count == 0


def test_when_the_handler_has_returned_keepalive_goes_on() -> None:
    """RFC 6455 §5.5.2."""
    client = client_of(talk, timeouts=Timeouts(ping_interval=20.0, ping_timeout=5.0))
    peer = Peer(client)
    client.advance(20.0)
    assert [each.opcode for each in peer.frames()] == [PING]
    client.advance(5.0)
    assert peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011, "keepalive timeout"))]


def test_somebody_else_may_send_receive_and_close_when_the_handler_has_returned() -> None:
    sockets = list[WebSocket]()
    client = client_of(lambda ws, request: sockets.append(ws))
    peer = Peer(client)
    (ws,) = sockets
    peer.send("too early")

    async def answer() -> None:
        message = await ws.receive()
        await ws.send(f"late {message!r}")
        ws.close(4000)

    client.driver.start(answer)
    client.driver.settle()
    peer.send("question")
    assert peer.frames() == [
        Frame(TEXT, b"late 'question'"),
        Frame(CLOSE_FRAME, close_payload(4000)),
    ]


def test_a_route_may_close_when_its_handler_returns() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.send("bye")

    assert Peer(client_of(handler, close_on_return=True)).first == b"\x81\x03bye\x88\x02\x03\xe8"


def test_a_stream_that_is_being_sent_goes_on_when_the_handler_returns() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        client.driver.start(send, ws)
        while not waiting:
            await sleep(0)

    async def send(ws: WebSocket) -> None:
        event = client.driver.event()
        waiting.append(event.set)

        async def source() -> AsyncIterator[str]:
            yield "one"
            await event.wait()
            yield "two"

        await ws.add_stream(source())

    waiting = list[Callable[[], None]]()
    client = client_of(handler, close_on_return=True)
    peer = Peer(client)
    assert peer.first == b"\x81\x03one"
    waiting[0]()
    client.driver.settle()
    assert peer.frames() == [Frame(TEXT, b"two"), Frame(CLOSE_FRAME, close_payload(1000))]


def test_what_a_handler_returns_is_ignored_with_one_warning_for_its_route() -> None:
    async def handler(ws: WebSocket, request: Request) -> str:
        return "nobody gets this"

    client = client_of(handler)
    assert [Peer(client).first, Peer(client).first] == [b"", b""]
    name = "test_what_a_handler_returns_is_ignored_with_one_warning_for_its_route.<locals>.handler"
    what = f"what the WebSocket handler {name} returned (str) is ignored: the 101 was the answer"
    assert errors(client) == [f"30 {what} None"]


def test_a_handler_may_be_an_object() -> None:
    class Handler:
        def __call__(self, ws: WebSocket, request: Request) -> int:
            return 5

    client = client_of(Handler())
    Peer(client)
    what = "what the WebSocket handler Handler returned (int) is ignored: the 101 was the answer"
    assert errors(client) == [f"30 {what} None"]


def test_a_handler_goes_on_after_the_end_unless_the_route_says_otherwise() -> None:
    notes = list[str]()

    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await sleep(1.0)
            notes.append("went on")
            await ws.send("nobody is there")
        except BaseException as error:
            notes.append(type(error).__name__)
            raise

    for on_disconnect in ("raise", "cancel"):
        client = client_of(handler, on_disconnect="cancel" if on_disconnect == "cancel" else "raise")
        Peer(client).stream.reset()
        client.advance(1.0)
        assert errors(client) == []
    assert notes == ["went on", "ConnectionLost", "Cancelled"]


def test_a_handler_that_the_end_cancels_may_fail_in_its_cleanup() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await sleep(1.0)
        finally:
            raise LookupError("in the cleanup")

    client = client_of(handler, on_disconnect="cancel")
    Peer(client).stream.reset()
    assert errors(client) == [
        "40 127.0.0.1:50000 \"GET /\": LookupError in the application LookupError('in the cleanup')"
    ]


def test_a_handler_that_is_cancelled_at_the_end_of_the_grace_is_no_error() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await sleep(60.0)

    client = client_of(handler)
    peer = Peer(client)
    client.shutdown(1012, "restart", grace=1.0)
    assert peer.frames() == [Frame(CLOSE_FRAME, close_payload(1012, "restart"))]
    assert len(client.driver.tasks()) == 1
    client.advance(1.0)
    assert (client.driver.tasks(), errors(client)) == ([], [])


def test_errors_beside_the_cancellation_of_a_handler_are_handled() -> None:
    """Of a group each part goes its own way."""

    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await sleep(60.0)
        except Cancelled as cancelled:
            raise BaseExceptionGroup("tasks", [cancelled, LookupError("of a task")]) from None

    client = client_of(handler)
    Peer(client)
    client.shutdown(grace=1.0)
    client.advance(1.0)
    assert errors(client) == [
        "40 127.0.0.1:50000 \"GET /\": LookupError in the application LookupError('of a task')"
    ]
    assert client.driver.tasks() == []


def test_a_cancellation_that_nobody_asked_for_is_an_error_of_the_handler_and_goes_no_further() -> None:
    outcomes = list[CloseInfo]()
    app = Application()

    async def note(request: Request, next: Next) -> Outcome:
        outcome = await next()
        assert isinstance(outcome, CloseInfo)
        outcomes.append(outcome)
        return outcome

    app.middleware.use(note)

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        raise Cancelled

    client = TestClient(app)
    peer = Peer(client)
    assert (peer.first, outcomes) == (b"\x88\x02\x03\xf3", [])
    peer.stream.send(close_frame(1011))
    peer.stream.close()
    (info,) = outcomes
    assert (type(info.cause), info.close_code, info.clean) == (Cancelled, 1011, True)
    assert len(errors(client)) == 1


# Answers of a handler that accepts by hand


def test_a_handler_may_return_another_answer_like_one_of_http() -> None:
    async def handler(ws: WebSocket, request: Request) -> object:
        return answers.pop()

    answers: list[object] = [{"why": "full"}, Response("no", 403), "text"]
    client = client_of(handler, accept="manual")
    stream = client.connect()
    heads = list[tuple[bytes, bytes]]()
    for _ in range(3):
        stream.send(UPGRADE)
        head, _, content = stream.take().partition(b"\r\n\r\n")
        heads.append((head.partition(b"\r\n")[0], content))
    assert heads == [
        (b"HTTP/1.1 200 OK", b"text"),
        (b"HTTP/1.1 403 Forbidden", b"no"),
        (b"HTTP/1.1 200 OK", b'{"why":"full"}'),
    ]
    assert (stream.is_ended, errors(client)) == (False, [])


def test_a_handler_may_raise_another_answer_and_filters_see_it() -> None:
    app = Application()

    @app.exceptions.filter(LookupError)
    async def missing(error: Exception, request: Request) -> Response:
        return Response("no such room", 404)

    @app.ws("/", accept="manual")
    async def handler(ws: WebSocket, request: Request) -> None:
        raise raised.pop()

    raised: list[Exception] = [ZeroDivisionError(), KeyError("room"), Abort(401, "who are you?")]
    client = TestClient(app)
    answers = [refused(lambda: client.ws("/")) for _ in range(3)]
    assert [(each.status_code, each.text) for each in answers] == [
        (401, "who are you?"),
        (404, "no such room"),
        (500, "Internal Server Error"),
    ]
    assert len(errors(client)) == 1


def test_a_handler_that_neither_accepts_nor_answers_is_a_500_and_the_log_names_its_route() -> None:
    client = client_of(talk, accept="manual")
    assert refused(lambda: client.ws("/")).status_code == 500
    text = "WS / has returned without `await ws.accept()` and without an answer"
    assert errors(client) == [
        f'40 127.0.0.1:50000 "GET /": WebSocketStateError in the application WebSocketStateError({text!r})'
    ]


def test_what_is_no_answer_is_a_500_and_the_log_names_its_route() -> None:
    client = client_of(lambda ws, request: 5, accept="manual")
    assert refused(lambda: client.ws("/")).status_code == 500
    text = "WS / returned int, of which no response can be made"
    assert errors(client) == [f'40 127.0.0.1:50000 "GET /": TypeError in the application TypeError({text!r})']


def test_after_the_101_a_handler_by_hand_is_like_any_other() -> None:
    """Its error closes the connection, what it returns is ignored with a warning, and middleware sees the end."""
    outcomes = list[Outcome]()
    app = Application()

    async def note(request: Request, next: Next) -> Outcome:
        outcomes.append(await next())
        return outcomes[-1]

    app.middleware.use(note)

    @app.ws("/fails", accept="manual")
    async def fails(ws: WebSocket, request: Request) -> None:
        await ws.accept()
        raise LookupError("of the handler")

    @app.ws("/returns", accept="manual", close_on_return=True)
    async def returns(ws: WebSocket, request: Request) -> str:
        await ws.accept()
        return "ignored"

    client = TestClient(app)
    for path, code in (("/fails", 1011), ("/returns", 1000)):
        stream = client.connect()
        stream.send(UPGRADE.replace(b"GET /", b"GET " + path.encode()))
        assert stream.take() == SWITCH + frame(CLOSE_FRAME, close_payload(code), mask=None)
        stream.send(frame(CLOSE_FRAME, close_payload(code)))
        stream.close()
    infos = [outcome for outcome in outcomes if isinstance(outcome, CloseInfo)]
    assert [repr(info.cause) for info in infos] == ["LookupError('of the handler')", "None"]
    assert len(errors(client)) == 2


# Middleware


class Noted:
    """An application with a middleware that notes what it sees of a WebSocket."""

    def __init__(self, handler: Callable[[WebSocket, Request], Awaitable[None]]) -> None:
        self.notes: list[object] = []
        app = Application()
        app.middleware.use(self._note)
        app.ws("/", handler)
        self.client = TestClient(app)

    async def _note(self, request: Request, next: Next) -> Outcome:
        self.notes.append(f"in {request.is_upgrade}")
        outcome = await next()
        self.notes.append(outcome)
        return outcome


def test_middleware_resumes_when_the_connection_has_ended_not_when_the_handler_has() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        noted.notes.append("handler")

    noted = Noted(handler)
    peer = Peer(noted.client)
    assert noted.notes == ["in True", "handler"]
    peer.stream.send(close_frame(4000, "bye"))
    assert noted.notes == ["in True", "handler"]
    peer.stream.close()
    (info,) = noted.notes[2:]
    assert isinstance(info, CloseInfo)
    assert (info.close_code, info.close_reason, info.cause) == (4000, "bye", None)


def test_middleware_waits_for_a_handler_that_runs_longer_than_the_connection() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        await sleep(5.0)

    noted = Noted(handler)
    Peer(noted.client).stream.reset()
    noted.client.advance(4.9)
    assert len(noted.notes) == 1
    noted.client.advance(0.1)
    (info,) = noted.notes[1:]
    assert isinstance(info, CloseInfo)
    assert repr(info.cause) == "ConnectionResetError('the peer has reset the stream')"


def test_middleware_sees_an_error_of_the_handler_as_the_cause_of_the_end() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        raise LookupError("of the handler")

    noted = Noted(handler)
    peer = Peer(noted.client)
    peer.stream.send(close_frame(1011))
    peer.stream.close()
    (info,) = noted.notes[1:]
    assert isinstance(info, CloseInfo)
    assert (repr(info.cause), info.close_code, info.initiator) == (
        "LookupError('of the handler')",
        1011,
        "local",
    )


def test_middleware_may_deny_with_an_answer() -> None:
    app = Application()

    async def deny(request: Request, next: Next) -> Outcome:
        raise Abort(401, "who are you?")

    app.middleware.use(deny)
    app.ws("/", talk)
    client = TestClient(app)
    response = refused(lambda: client.ws("/"))
    assert (response.status_code, response.text) == (401, "who are you?")
    assert errors(client) == []


def test_a_time_limit_of_a_middleware_ends_the_handler_and_the_connection() -> None:
    """A cancellation that comes of a scope further out gets through to it."""
    seen = list[type[BaseException]]()
    app = Application()

    async def limit(request: Request, next: Next) -> Outcome:
        with timeout(2.0):
            return await next()

    app.middleware.use(limit)

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            await ws.receive()
        except BaseException as error:
            seen.append(type(error))
            raise

    client = TestClient(app)
    peer = Peer(client)
    client.advance(2.0)
    assert (seen, peer.frames()) == ([Cancelled], [Frame(CLOSE_FRAME, close_payload(1011))])
    assert errors(client) == [
        "40 127.0.0.1:50000 \"GET /\": TimeoutError in the application TimeoutError('not finished within 2.0 s')"
    ]


def test_a_middleware_that_swallows_its_time_limit_closes_the_connection_too() -> None:
    app = Application()

    async def limit(request: Request, next: Next) -> Outcome | None:
        try:
            with timeout(2.0):
                return await next()
        except TimeoutError:
            return None

    app.middleware.use(limit)
    app.ws("/", talk)
    client = TestClient(app)
    peer = Peer(client)
    client.advance(2.0)
    assert (peer.frames(), errors(client)) == ([Frame(CLOSE_FRAME, close_payload(1011))], [])
