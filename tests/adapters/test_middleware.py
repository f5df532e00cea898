"""Middleware and exception filters around HTTP and WebSocket (semantics, section 10), in every world."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from adapters.world import UPGRADE, World, answer, close, closing, request, said, say, shake, tell
from handshakes import SWITCHED
from spry_core import (
    Abort,
    CloseInfo,
    LocalProtocolError,
    Middleware,
    Next,
    Outcome,
    Request,
    Response,
    ResponseSealedError,
    Rethrow,
    WebSocket,
)

pytestmark = pytest.mark.anyio

ERROR_500: Final = answer("500 Internal Server Error", "Internal Server Error")


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def hello(request: Request) -> str:
    return "hello"


def named(world: World, name: str) -> Middleware:
    """Make a middleware that notes when it is entered and left, and with what."""

    async def middleware(request: Request, next: Next) -> Outcome:
        world.note(f"{name} in")
        outcome = await next()
        world.note(f"{name} out with {type(outcome).__name__}")
        return outcome

    return middleware


# --------------------------------------------------------------------------------------------------------- one chain


async def test_app_wide_middleware_is_outside_groups_inside_and_back_in_reverse(world: World) -> None:
    """For HTTP and for WebSocket alike; `prepend` puts one outside of those before it. Each is called once, also two of one
    group, of which the original's called itself for ever.
    """
    app = world.app()
    app.middleware.use(named(world, "app"))
    app.middleware.use(named(world, "first"), prepend=True)
    with app.group("/a", middleware=[named(world, "outer"), named(world, "second")]) as outer:
        with outer.group("/b", middleware=[named(world, "inner")]) as inner:
            inner.get("/http", hello)
            inner.ws("/ws", echo)
    async with world.serving(app) as server, world.at_once():
        names = ("first", "app", "outer", "second", "inner")
        peer = await server.connected()
        await peer.send(request("/a/b/http"))
        assert await peer.receive_answer() == answer("200 OK", "hello")
        inwards = [f"{name} in" for name in names]
        assert world.notes == [*inwards, *(f"{name} out with Response" for name in reversed(names))]
        world.notes.clear()
        peer = await server.upgraded("/a/b/ws")
        await world.rest()
        assert world.notes == inwards
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.end()
    assert world.notes == [*inwards, *(f"{name} out with CloseInfo" for name in reversed(names))]


async def test_a_middleware_registered_last_holds_for_routes_registered_before(world: World) -> None:
    app = world.app()
    app.get("/", hello)
    app.middleware.use(named(world, "late"))
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == answer("200 OK", "hello")
    assert world.notes == ["late in", "late out with Response"]


async def test_the_result_for_a_ws_route_is_the_response_of_a_denial_or_a_fallback(world: World) -> None:
    app = world.app()
    app.middleware.use(named(world, "app"))

    async def deny(request: Request, next: Next) -> Outcome:
        return Response("no", status_code=403)

    app.ws("/fallback", echo, fallback=hello)
    with app.group("/denied", middleware=[deny]) as denied:
        denied.ws("/", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake(path="/denied/"))
        assert await peer.receive_answer() == answer("403 Forbidden", "no")
        await peer.send(request("/fallback"))
        assert await peer.receive_answer() == answer("200 OK", "hello")
    assert world.notes == ["app in", "app out with Response"] * 2


async def return_response(request: Request, next: Next) -> Outcome:
    await next()
    return Response("too late", status_code=500)


async def return_none(request: Request, next: Next) -> None:
    await next()


@pytest.mark.parametrize("middleware", [return_response, return_none])
async def test_what_a_middleware_returns_after_a_close_info_is_ignored(
    world: World, middleware: Callable[[Request, Next], Awaitable[Outcome]]
) -> None:
    """The one outside still sees the `CloseInfo`, and nothing of it is on the wire."""
    app = world.app()
    app.middleware.use(middleware)
    app.ws("/", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/")
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        assert tell(await world.end()) == "1000 by remote, sent 1000, received 1000, clean"


async def test_request_is_upgrade_tells_which_it_is(world: World) -> None:
    """True for a handshake on a path that has a WebSocket, good or bad; False for the fallback and elsewhere."""
    app = world.app()

    async def note(request: Request, next: Next) -> Outcome:
        world.note(str(request.is_upgrade))
        return await next()

    app.middleware.use(note)
    app.ws("/", echo, fallback=hello)
    async with world.serving(app) as server, world.at_once():
        for sent in (shake(), shake(path="/nowhere"), request("/"), shake(without="Sec-WebSocket-Key")):
            peer = await server.connected()
            await peer.send(sent)
            await peer.receive_answer()
    assert world.notes == ["True", "False", "False", "True"]


# -------------------------------------------------------------------------------------------------------- sealed


async def test_after_the_101_upgrade_headers_and_the_response_half_of_the_close_info_raise(
    world: World,
) -> None:
    """`ResponseSealedError`: there is no response left."""

    async def too_late(request: Request, next: Next) -> Outcome:
        outcome = await next()
        assert isinstance(outcome, CloseInfo)
        attempts: list[Callable[[], object]] = [
            lambda: request.upgrade_headers.add("x-late", "1"),
            lambda: set_field(request, "x-late"),
            lambda: outcome.headers,
            lambda: outcome.status_code,
        ]
        for attempt in attempts:
            try:
                attempt()
            except ResponseSealedError:
                world.note("sealed")
        return outcome

    async def inside(ws: WebSocket, request: Request) -> None:
        try:
            request.upgrade_headers["x-late"] = "1"
        except ResponseSealedError:
            world.note("sealed inside")

    app = world.app()
    app.middleware.use(too_late)
    app.ws("/", inside)
    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/")
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.end()
    assert world.notes == ["sealed inside", *["sealed"] * 4]


def set_field(request: Request, name: str) -> None:
    request.upgrade_headers[name] = "1"


async def test_next_may_be_called_once(world: World) -> None:
    async def twice(request: Request, next: Next) -> Outcome:
        outcome = await next()
        try:
            await next()
        except LocalProtocolError:
            world.note("refused")
        return outcome

    app = world.app()
    app.middleware.use(twice)
    app.get("/", hello)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == answer("200 OK", "hello")
    assert world.notes == ["refused"]


class ForHttp:
    """Skips WebSockets, and says so."""

    handles = frozenset({"http"})

    def __init__(self, world: World) -> None:
        self.world = world

    async def __call__(self, request: Request, next: Next) -> Outcome:
        self.world.note(f"http {request.path}")
        return await next()


async def test_a_class_attribute_lets_a_middleware_skip_ws_routes_explicitly(world: World) -> None:
    """A fallback is HTTP and is not skipped."""
    app = world.app()
    app.middleware.use(ForHttp(world))
    app.ws("/ws", echo, fallback=hello)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/ws") + shake(path="/ws"))
        assert await peer.receive_answer() == answer("200 OK", "hello")
        await peer.expect(SWITCHED)
        await peer.fence()
    assert world.notes == ["http /ws"]


# --------------------------------------------------------------------------------------------------------- filters


def failing(error: Exception) -> Callable[[Request], Awaitable[str]]:
    """Make a handler that raises."""

    async def fail(request: Request) -> str:
        raise error

    return fail


async def test_filters_are_chosen_by_the_most_specific_class_and_rethrow_passes_to_the_next_one(
    world: World,
) -> None:
    """Not by the order of registration, as in the original."""
    app = world.app()

    @app.exceptions.filter(Exception)
    async def any_error(error: Exception, request: Request) -> Response:
        return Response(f"any {type(error).__name__}", status_code=500)

    @app.exceptions.filter(LookupError)
    def look_up(error: LookupError, request: Request) -> Response:
        return Response(f"lookup {type(error).__name__}", status_code=404)

    @app.exceptions.filter(KeyError)
    async def key(error: KeyError, request: Request) -> Response:
        if error.args == ("pass",):
            raise Rethrow
        return Response("key", status_code=404)

    app.get("/key", failing(KeyError("x")))
    app.get("/pass", failing(KeyError("pass")))
    app.get("/index", failing(IndexError()))
    app.get("/value", failing(ValueError()))
    app.get("/group", failing(ExceptionGroup("tasks", [KeyError("x")])))
    expected = {
        "/key": answer("404 Not Found", "key"),
        "/pass": answer("404 Not Found", "lookup KeyError"),
        "/index": answer("404 Not Found", "lookup IndexError"),
        "/value": answer("500 Internal Server Error", "any ValueError"),
        "/group": answer("404 Not Found", "key"),
    }
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        for path, content in expected.items():
            await peer.send(request(path))
            assert await peer.receive_answer() == content


async def test_an_exception_that_a_filter_answers_becomes_a_response_where_it_leaves_the_handler(
    world: World,
) -> None:
    """So `next()` gives that response, and CORS fields reach the error too; `Abort` always has one."""
    app = world.app()

    async def allow(request: Request, next: Next) -> Outcome:
        outcome = await next()
        assert isinstance(outcome, Response)
        outcome.headers["access-control-allow-origin"] = "*"
        return outcome

    app.middleware.use(allow)

    @app.exceptions.filter(KeyError)
    async def explain(error: KeyError, request: Request) -> Response:
        return Response("explained", status_code=404)

    async def refuse(request: Request, next: Next) -> Outcome:
        raise KeyError("in a middleware")

    app.get("/key", failing(KeyError()))
    app.get("/abort", failing(Abort(409, "not now")))
    with app.group("/group", middleware=[refuse]) as group:
        group.ws("/ws", echo)
    field = b"Access-Control-Allow-Origin: *\r\n"
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        for sent, content in (
            (request("/key"), answer("404 Not Found", "explained")),
            (request("/abort"), answer("409 Conflict", "not now")),
            (shake(path="/group/ws"), answer("404 Not Found", "explained")),
            (request("/nowhere"), answer("404 Not Found", "Not Found")),
        ):
            await peer.send(sent)
            seen = await peer.receive_answer()
            assert seen.count(field) == 1
            assert seen.replace(field, b"") == content


async def test_any_other_exception_goes_outwards_and_ends_as_a_500_logged_once_with_its_traceback(
    world: World,
) -> None:
    """`try`, `finally` and `async with` of the middleware work as usual."""
    app = world.app()

    async def outer(request: Request, next: Next) -> Outcome:
        try:
            return await next()
        except KeyError:
            world.note("outer except")
            raise
        finally:
            world.note("outer finally")

    app.middleware.use(outer)
    app.middleware.use(named(world, "inner"))
    app.get("/", failing(KeyError("why")))
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == ERROR_500
        (error,) = server.take_errors()
        assert repr(error) == "KeyError('why')"
        assert error.__traceback__ is not None
    assert world.notes == ["inner in", "outer except", "outer finally"]


async def test_a_middleware_may_answer_an_exception_itself(world: World) -> None:
    app = world.app()

    async def catch(request: Request, next: Next) -> Outcome:
        try:
            return await next()
        except KeyError:
            return Response("caught", status_code=503)

    app.middleware.use(catch)
    app.get("/", failing(KeyError()))
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == answer("503 Service Unavailable", "caught")


async def test_abort_426_from_a_filtered_route_keeps_its_fields(world: World) -> None:
    """An answer of the dispatcher is an `Abort` like others: a filter may make a page of it."""
    app = world.app()

    @app.exceptions.filter(Abort)
    async def page(error: Abort, request: Request) -> Response:
        return Response(f"sorry: {error.status_code}", error.status_code, error.headers)

    app.ws("/", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == answer("426 Upgrade Required", "sorry: 426", *UPGRADE)
        await peer.send(shake() + say("hello"))
        await peer.expect(SWITCHED, said("hello"))
