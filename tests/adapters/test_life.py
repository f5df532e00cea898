"""The life of a WebSocket from its head to its end (semantics, section 3), in every world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from inspect import isawaitable
from typing import Any, Final

import pytest

from adapters.world import (
    UPGRADE,
    World,
    answer,
    close,
    closing,
    ping,
    request,
    said,
    say,
    server_frame,
    shake,
    tell,
)
from frames import PING, PONG
from handshakes import KEY, SWITCHED
from spry_core import (
    Abort,
    CloseInfo,
    ConnectionClosed,
    Middleware,
    Next,
    Outcome,
    ReadyState,
    Request,
    Response,
    Timeouts,
    WebSocket,
    WebSocketClose,
    WebSocketStateError,
    sleep,
)

pytestmark = pytest.mark.anyio

ERROR_500: Final = answer("500 Internal Server Error", "Internal Server Error")


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def hello(request: Request) -> str:
    return "hello"


async def give_up(ws: WebSocket, request: Request) -> None:
    pass


# ------------------------------------------------------------------------------------------------- before the 101

FOUND: Final[dict[str, tuple[bytes, bytes]]] = {
    "no route": (shake(path="/nowhere"), answer("404 Not Found", "Not Found")),
    "a wrong method": (
        request("/inner/ws", method="PUT"),
        answer("405 Method Not Allowed", "Method Not Allowed", "Allow: GET, HEAD, OPTIONS"),
    ),
    "no upgrade": (request("/inner/ws"), answer("426 Upgrade Required", "Upgrade Required", *UPGRADE)),
    "a wrong version": (
        shake(f"Sec-WebSocket-Key: {KEY.decode()}", path="/inner/ws", without="Sec-WebSocket-Version"),
        answer("426 Upgrade Required", "Sec-WebSocket-Version is not 13", *UPGRADE),
    ),
    "no key": (
        shake(path="/inner/ws", without="Sec-WebSocket-Key"),
        answer("400 Bad Request", "Sec-WebSocket-Key is not one key of 16 bytes"),
    ),
    "a bad Origin": (
        shake("Origin: http://elsewhere", path="/inner/ws"),
        answer("403 Forbidden", "this origin may not connect"),
    ),
    "a broken path": (request("/%zz"), answer("400 Bad Request", "the path has a broken percent-escape")),
}


@pytest.mark.parametrize("name", FOUND)
async def test_app_wide_middleware_runs_around_every_request_and_that_of_groups_only_around_theirs(
    world: World, name: str
) -> None:
    """Whatever was found, if it could be parsed; so logs and CORS see the rest too."""
    sent, expected = FOUND[name]
    app = world.app()

    async def outer(request: Request, next: Next) -> Outcome:
        outcome = await next()
        assert isinstance(outcome, Response)
        outcome.headers["x-seen"] = "yes"
        world.note("app-wide")
        return outcome

    async def inner(request: Request, next: Next) -> Outcome:
        world.note("group")
        return await next()

    app.middleware.use(outer)
    with app.group("/inner", middleware=[inner]) as group:
        group.ws("/ws", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(sent)
        seen = await peer.receive_answer()
        assert seen.count(b"X-Seen: yes\r\n") == 1
        assert seen.replace(b"X-Seen: yes\r\n", b"") == expected
    assert world.notes == ["app-wide"]


async def raise_key_error(request: Request, next: Next) -> Outcome:
    raise KeyError("in a middleware")


async def abort(request: Request, next: Next) -> Outcome:
    raise Abort(401, "who are you?")


async def return_response(request: Request, next: Next) -> Outcome:
    return Response("later", status_code=503, headers={"retry-after": "5"})


@pytest.mark.parametrize(
    ("middleware", "expected"),
    [
        (raise_key_error, ERROR_500),
        (abort, answer("401 Unauthorized", "who are you?")),
        (return_response, answer("503 Service Unavailable", "later", "Retry-After: 5")),
    ],
)
async def test_what_a_middleware_raises_or_returns_is_plain_http_and_keep_alive_continues(
    world: World, middleware: Middleware, expected: bytes
) -> None:
    app = world.app()
    app.get("/hello", hello)
    with app.group("/", middleware=[middleware]) as group:
        group.ws("/ws", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake(path="/ws"))
        assert await peer.receive_answer() == expected
        await peer.send(request("/hello"))
        assert await peer.receive_answer() == answer("200 OK", "hello")
        server.take_errors()
    assert world.ends == []


async def test_the_101_has_the_headers_that_middleware_put_into_upgrade_headers(world: World) -> None:
    """And no other answer has them."""
    app = world.app()

    async def mark(request: Request, next: Next) -> Outcome:
        request.upgrade_headers["x-server"] = "spry"
        request.upgrade_headers.add("set-cookie", "a=1")
        request.upgrade_headers.add("set-cookie", "b=2")
        return await next()

    app.middleware.use(mark)
    app.ws("/", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake())
        fields = b"X-Server: spry\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n"
        assert await peer.receive_answer() == SWITCHED[:-2] + fields
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == answer("426 Upgrade Required", "Upgrade Required", *UPGRADE)


async def test_the_handler_begins_in_the_state_open(world: World) -> None:
    async def look(ws: WebSocket, request: Request) -> None:
        world.note(repr(ws.ready_state))
        assert ws.ready_state is ReadyState.OPEN

    async with world.opened(look) as peer, world.at_once():
        await peer.fence()
    assert world.notes == ["<ReadyState.OPEN: 1>"]


async def test_next_returns_when_the_connection_has_ended_and_not_when_the_handler_has(world: World) -> None:
    """What a middleware opened around it lives as long as anything may use it."""

    async def around(request: Request, next: Next) -> Outcome:
        world.note("in")
        outcome = await next()
        world.note("out")
        return outcome

    async def return_at_once(ws: WebSocket, request: Request) -> None:
        world.note("returned")

    app = world.app()
    app.middleware.use(around)
    app.ws("/", return_at_once)
    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/")
        await peer.fence()
        assert world.notes == ["in", "returned"]
        await peer.send(close(1000))
        await peer.expect(closing(1000))
        await peer.expect_end()
        await world.noted("out")
        assert tell(await world.end()) == "1000 by remote, sent 1000, received 1000, clean"


async def test_next_waits_for_a_handler_that_runs_longer_than_the_connection(world: World) -> None:
    async def stay(ws: WebSocket, request: Request) -> None:
        await ws.closed
        await world.held("alone")
        world.note("returned")

    async with world.opened(stay) as peer, world.at_once():
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.noted("alone")
        assert world.ends == []
        world.let_go()
        await world.end()
    assert world.notes == ["alone", "returned"]


# ---------------------------------------------------------------------------------------------- the handler returns


async def test_after_the_handler_a_subscription_goes_on(world: World) -> None:
    async def listen(ws: WebSocket, request: Request) -> None:
        ws.listen(ws.add)

    async with world.opened(listen) as peer, world.at_once():
        for text in ("one", "two"):
            await peer.send(say(text))
            await peer.expect(said(text))


async def test_when_the_last_subscription_ends_close_on_return_holds(world: World) -> None:
    async def listen(ws: WebSocket, request: Request) -> None:
        subscription = ws.listen(
            lambda message: subscription.cancel() if message == "stop" else ws.add(message)
        )

    async with world.opened(listen, close_on_return=True) as peer, world.at_once():
        await peer.send(say("one"))
        await peer.expect(said("one"))
        await peer.send(say("stop", "unheard"))
        await peer.expect(closing(1000))


async def test_after_the_handler_a_stream_that_is_being_sent_goes_on(world: World) -> None:
    """And when it ends, `close_on_return` holds."""

    async def begin(ws: WebSocket, request: Request) -> None:
        async def items() -> AsyncGenerator[str]:
            yield "one"
            subscription.cancel()
            await world.held()
            yield "two"

        subscription = ws.listen(lambda message: ws.add_stream(items()))

    async with world.opened(begin, close_on_return=True) as peer, world.at_once():
        await peer.send(say("begin"))
        await peer.expect(said("one"))
        await world.noted("held")
        await peer.send(say("discarded"))
        await peer.fence()
        world.let_go()
        await peer.expect(said("two"), closing(1000))


async def test_when_nothing_consumes_messages_are_discarded_and_the_rest_is_answered(world: World) -> None:
    """The core goes on reading; the messages never fill memory."""
    async with world.opened(give_up) as peer:
        for _ in range(5):
            await peer.send(say("a" * 60_000) * 10 + ping(b"still there?"))
            await peer.expect(server_frame(PONG, b"still there?"))
        await peer.send(close(1000, "done"))
        await peer.expect_end(closing(1000))
        info = await world.end()
    assert (info.messages_received, info.bytes_received) == (50, 3_000_000)


async def test_another_consumer_may_come_after_the_handler(world: World) -> None:
    async with world.opened(give_up) as peer, world.at_once():
        await peer.send(say("discarded"))
        await peer.fence()
        receiving = peer.server.start(world.ws.receive)
        await world.rest()
        await peer.send(say("heard"))
        assert await receiving.result() == "heard"
        await peer.send(say("heard too"))
        await peer.fence()
        assert await peer.server.start(world.ws.receive).result() == "heard too"


async def test_a_close_from_elsewhere_ends_what_its_handler_has_left(world: World) -> None:
    async with world.opened(give_up) as peer, world.at_once():
        await peer.fence()
        world.ws.close(4000, "elsewhere")
        await peer.expect(closing(4000, "elsewhere"))
        await peer.send(close(4000))
        await peer.expect_end()
        assert tell(await world.end()) == "4000 by local, sent 4000 elsewhere, received 4000, clean"


async def test_keepalive_finds_a_dead_peer_that_the_handler_has_left(world: World) -> None:
    times = Timeouts(ping_interval=0.02, ping_timeout=0.02)
    async with world.opened(give_up, timeouts=times) as peer:
        assert (await peer.receive(6))[0] == 0x80 | PING
        await peer.expect_end(closing(1011, "keepalive timeout"))


async def test_close_on_return_closes_with_1000(world: World) -> None:
    async with world.opened(give_up, close_on_return=True) as peer, world.at_once():
        await peer.expect(closing(1000))
        await peer.send(close(1000))
        await peer.expect_end()
        assert tell(await world.end()) == "1000 by local, sent 1000, received 1000, clean"


async def test_what_a_handler_returns_is_ignored_with_one_warning_per_route(world: World) -> None:
    async def talkative(ws: WebSocket, request: Request) -> str:
        return "a response, surely?"

    app = world.app()
    app.ws("/", talkative)
    async with world.serving(app) as server, world.at_once():
        for _ in range(3):
            peer = await server.upgraded("/")
            await peer.fence()
        warnings = [text for text in server.warnings() if "returned" in text]
    assert len(warnings) == 1
    assert "talkative returned (str) is ignored: the 101 was the answer" in warnings[0]


# ----------------------------------------------------------------------------------------------- the handler raises

RAISED: Final[dict[str, tuple[BaseException, bytes, str, bool]]] = {
    "WebSocketClose": (
        WebSocketClose(4001, "enough"),
        closing(4001, "enough"),
        "4001 by local, sent 4001 enough, received 4001, clean, WebSocketClose",
        False,
    ),
    "Abort(401)": (
        Abort(401, "secret"),
        closing(1008),
        "1008 by local, sent 1008, received 1008, clean, Abort",
        False,
    ),
    "Abort(503)": (Abort(503), closing(1011), "1011 by local, sent 1011, received 1011, clean, Abort", True),
    "Abort(302)": (
        Abort.redirect("/elsewhere"),
        closing(1011),
        "1011 by local, sent 1011, received 1011, clean, Abort",
        True,
    ),
    "an error": (
        KeyError("secret"),
        closing(1011),
        "1011 by local, sent 1011, received 1011, clean, KeyError",
        True,
    ),
    "an error in a group": (
        ExceptionGroup("task group", [ExceptionGroup("inner", [KeyError("secret")])]),
        closing(1011),
        "1011 by local, sent 1011, received 1011, clean, KeyError",
        True,
    ),
    "an answer in a group": (
        ExceptionGroup("task group", [WebSocketClose(4001)]),
        closing(4001),
        "4001 by local, sent 4001, received 4001, clean, WebSocketClose",
        False,
    ),
    "TimeoutError": (
        TimeoutError(),
        closing(1011),
        "1011 by local, sent 1011, received 1011, clean, TimeoutError",
        True,
    ),
}


@pytest.mark.parametrize("name", RAISED)
async def test_a_handler_that_raises_closes_the_connection_and_nothing_else(world: World, name: str) -> None:
    """No exception text on the wire; the filters do not run; logged once with its traceback; the server lives."""
    error, frame, told, is_logged = RAISED[name]
    app = world.app()

    @app.exceptions.filter(Exception)
    async def explain(error: Exception, request: Request) -> str:
        world.note("filtered")
        return "explained"

    @app.ws("/raise")
    async def fail(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        raise error

    app.ws("/echo", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/raise")
        await peer.send(say("go"))
        await peer.expect(frame)
        await peer.send(close(int(told[:4])))
        await peer.expect_end()
        info = await world.end()
        assert tell(info) == told
        logged = server.take_errors()
        assert len(logged) == is_logged
        assert all(each is info.cause for each in logged)
        other = await server.upgraded("/echo")
        await other.send(say("alive"))
        await other.expect(said("alive"))
    assert world.notes == []


async def test_middleware_sees_the_end_with_its_cause(world: World) -> None:
    """Nothing is raised out of `next()`."""
    seen: list[CloseInfo] = []

    async def look(request: Request, next: Next) -> Outcome:
        outcome = await next()
        assert isinstance(outcome, CloseInfo)
        seen.append(outcome)
        return outcome

    async def fail(ws: WebSocket, request: Request) -> None:
        raise KeyError("why")

    app = world.app()
    app.middleware.use(look)
    app.ws("/", fail)
    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/")
        await peer.send(close(1000))
        await peer.expect_end(closing(1011))
        assert await world.end() is seen[0]
        assert server.take_errors() == [seen[0].cause]
    assert repr(seen[0].cause) == "KeyError('why')"


async def receive_for_ever(ws: WebSocket, request: Request) -> None:
    while True:
        await ws.receive()


async def send_for_ever(ws: WebSocket, request: Request) -> None:
    while True:
        await ws.receive()
        await ws.send("more")


async def find_out_in_tasks(ws: WebSocket, request: Request) -> None:
    try:
        await ws.receive()
    except ConnectionClosed as first:
        try:
            await ws.send("more")
        except ConnectionClosed as second:
            raise ExceptionGroup("both", [first, second]) from None


@pytest.mark.parametrize("handler", [receive_for_ever, send_for_ever, find_out_in_tasks])
@pytest.mark.parametrize("is_clean", [True, False])
async def test_connection_closed_that_escapes_is_no_error(
    world: World, handler: Callable[[WebSocket, Request], object], is_clean: bool
) -> None:
    """Its own connection's, `ConnectionLost` too; nothing is logged, nothing is the cause."""
    async with world.opened(handler) as peer, world.at_once():
        if is_clean:
            await peer.send(close(1000))
            await peer.expect_end(closing(1000))
        else:
            peer.end()
            await peer.expect_end()
        info = await world.end()
    clean = "1000 by remote, sent 1000, received 1000, clean"
    lost = "1006 by transport, sent nothing, received nothing, unclean, ConnectionLost"
    assert tell(info) == (clean if is_clean else lost)


async def test_connection_closed_of_another_connection_is_an_error(world: World) -> None:
    """While this one is open."""
    app = world.app()
    sockets: list[WebSocket] = []

    @app.ws("/first")
    async def first(ws: WebSocket, request: Request) -> None:
        sockets.append(ws)

    @app.ws("/second")
    async def second(ws: WebSocket, request: Request) -> None:
        await sockets[0].send("are you there?")

    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/first")
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.end()
        peer = await server.upgraded("/second")
        await peer.expect(closing(1011))
        assert type(await server.error()) is ConnectionClosed


# -------------------------------------------------------------------------------------------- the handler is cancelled


async def test_a_cancelled_handler_leaves_a_close_frame_behind(world: World) -> None:
    """At the end of the grace: Close 1001 has gone already, and the clean-up of the handler runs."""

    async def stay(ws: WebSocket, request: Request) -> None:
        try:
            world.note("open")
            await sleep(3600)
        finally:
            world.note("cleaned up")

    async with world.opened(stay) as peer:
        await world.noted("open")
        peer.server.shutdown(grace=0.03)
        await peer.expect(closing(1001))
        await peer.send(close(1001))
        await peer.expect_end()
        await peer.server.closed()
        assert world.ws.close_info is not None
        assert tell(world.ws.close_info) == "1001 by shutdown, sent 1001, received 1001, clean"
    assert world.notes == ["open", "cleaned up"]
    assert world.ends == []  # the cancellation has gone on through the middleware


async def test_what_a_cancelled_handler_still_awaits_does_not_hold_the_end_for_ever(world: World) -> None:
    """The close timeout bounds it: then the stream is cut, and a peer that is silent is held by nobody."""

    async def stay(ws: WebSocket, request: Request) -> None:
        await sleep(3600)

    async with world.opened(stay, timeouts=Timeouts(close_timeout=0.05)) as peer:
        begun = world.now()
        peer.server.shutdown(grace=0.02)
        await peer.expect_reset(closing(1001))
        await peer.server.closed()
        assert 0.05 - 0.002 <= world.now() - begun <= 0.07 + world.precision
        assert world.ws.close_info is not None
        expected = "1001 by timeout, sent 1001, received nothing, unclean, ConnectionLost"
        assert tell(world.ws.close_info) == expected


# ------------------------------------------------------------------------------------------------ accepting by hand

BEFORE_ACCEPT: Final[dict[str, Callable[[WebSocket], Any]]] = {
    "receive": lambda ws: ws.receive(),
    "receive_text": lambda ws: ws.receive_text(),
    "receive_bytes": lambda ws: ws.receive_bytes(),
    "receive_json": lambda ws: ws.receive_json(),
    "iteration": lambda ws: ws.__anext__(),
    "incoming": lambda ws: ws.incoming(),
    "discard_incoming": lambda ws: ws.discard_incoming(),
    "listen": lambda ws: ws.listen(print),
    "send": lambda ws: ws.send("x"),
    "send_text": lambda ws: ws.send_text("x"),
    "send_bytes": lambda ws: ws.send_bytes(b"x"),
    "send_json": lambda ws: ws.send_json("x"),
    "send_nowait": lambda ws: ws.send_nowait("x"),
    "add_stream": lambda ws: ws.add_stream(["x"]),
    "send_fragments": lambda ws: ws.send_fragments(["x"], "text"),
    "drained": lambda ws: ws.drained(),
    "ping": lambda ws: ws.ping(),
    "pong": lambda ws: ws.pong(),
    "close": lambda ws: ws.close(),
    "abort": lambda ws: ws.abort(),
    "closed": lambda ws: ws.closed,
    "scope": lambda ws: ws.scope(),
    "ping_interval": lambda ws: ws.ping_interval,
    "async with": lambda ws: ws.__aenter__(),
}


@pytest.mark.parametrize("name", BEFORE_ACCEPT)
async def test_before_accept_any_other_operation_raises_websocket_state_error(
    world: World, name: str
) -> None:
    """Nothing is sent by it, and it can be accepted afterwards."""

    async def handler(ws: WebSocket, request: Request) -> None:
        try:
            result = BEFORE_ACCEPT[name](ws)
            if isawaitable(result):
                await result
        except WebSocketStateError:
            world.note("refused")
        await ws.accept()
        await ws.send("accepted")

    app = world.app()
    app.ws("/", handler, accept="manual")
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake())
        await peer.expect(SWITCHED, said("accepted"))
        await peer.fence()
    assert world.notes == ["refused"]


async def test_returning_nothing_without_accepting_is_a_500_and_a_log_line(world: World) -> None:
    app = world.app()
    app.ws("/", give_up, accept="manual")
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake() + request("/"))
        assert await peer.receive_answer() == answer(
            "500 Internal Server Error", "Internal Server Error", ends=True
        )
        assert type(await server.error()) is WebSocketStateError
    assert world.ends == []


@pytest.mark.parametrize("is_filtered", [True, False])
async def test_what_a_handler_raises_before_it_accepts_goes_to_the_filters(
    world: World, is_filtered: bool
) -> None:
    """Else it is a 500; after accepting it closes with 1011 and no filter runs."""
    app = world.app()

    async def explain(error: KeyError, request: Request) -> Response:
        world.note("filtered")
        return Response("explained", status_code=404)

    if is_filtered:
        app.exceptions.filter(KeyError, explain)

    @app.ws("/:when", accept="manual")
    async def handler(ws: WebSocket, request: Request) -> None:
        if request.params["when"] == "after":
            await ws.accept()
        raise KeyError("why")

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake(path="/before"))
        assert await peer.receive_answer() == (
            answer("404 Not Found", "explained") if is_filtered else ERROR_500
        )
        await peer.send(shake(path="/after"))
        await peer.expect(SWITCHED, closing(1011))
        await world.rest()
        assert len(server.take_errors()) == (1 if is_filtered else 2)
    assert world.notes == (["filtered"] if is_filtered else [])


async def test_accept_takes_a_protocol_that_was_offered_and_fields_and_only_once(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        for wrong in ("soap", ""):
            try:
                await ws.accept(wrong)
            except ValueError:
                world.note("not offered")
        assert ws.ready_state is ReadyState.CONNECTING
        await ws.accept("chat.v2", {"x-room": "7"})
        try:
            await ws.accept()
        except WebSocketStateError:
            world.note("twice")
        await ws.send(str(ws.protocol))

    app = world.app()
    app.ws("/", handler, accept="manual")
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake("Sec-WebSocket-Protocol: chat, chat.v2"))
        fields = b"Sec-WebSocket-Protocol: chat.v2\r\nX-Room: 7\r\n\r\n"
        await peer.expect(SWITCHED[:-2], fields, said("chat.v2"))
    assert world.notes == ["not offered", "not offered", "twice"]
