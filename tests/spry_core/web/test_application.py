from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest

from fakes import FakeExchange, head, run
from spry_core.errors import LocalProtocolError
from spry_core.web.application import Application, LifespanFunction, RouteGroup
from spry_core.web.middleware import Middleware, Next, Outcome
from spry_core.web.options import WebSocketSettings
from spry_core.web.request import HttpHandler, Request
from spry_core.web.response import Response
from spry_core.web.upgrade import WebSocketHandler
from spry_core.web.websocket import WebSocket


async def page(request: Request) -> str:
    return request.path


async def echo(ws: WebSocket, request: Request) -> None:
    raise AssertionError("nothing here becomes a WebSocket")


async def passing(request: Request, next: Next) -> Outcome:
    return await next()


class HandlesOther:
    handles = "tcp"

    async def __call__(self, request: Request, next: Next) -> Outcome:
        return await next()


def listed(app: Application) -> list[tuple[str, str, tuple[Middleware, ...]]]:
    return [(entry.method, str(entry.pattern), entry.middleware) for entry in app.routes]


def get(app: Application, target: str) -> object:
    """Return the content of the answer to a GET."""
    request, chain = app.compile().resolve(head(target), FakeExchange())

    async def call() -> Outcome:
        return await chain(request)

    outcome = run(call())
    assert isinstance(outcome, Response)
    return outcome.content


def test_routes_are_registered_by_decorators_and_by_calls() -> None:
    app = Application()
    assert app.get("/a", page) is page
    assert app.post("/a")(page) is page
    assert app.ws("/a", echo) is echo
    assert app.ws("b", close_on_return=True)(echo) is echo
    assert listed(app) == [
        ("GET", "/a", ()),
        ("POST", "/a", ()),
        (":websocket", "/a", ()),
        (":websocket", "/b", ()),
    ]
    assert [dict(entry.options) for entry in app.routes] == [{}, {}, {}, {"close_on_return": True}]


def test_routes_know_where_they_were_registered() -> None:
    app = Application()
    app.ws("/a", echo)
    app.group("/b").get("/", page)
    assert [entry.place.rpartition("/")[2].partition(":")[0] for entry in app.routes] == [
        "test_application.py"
    ] * 2


def test_a_group_is_a_value_a_callback_and_a_block() -> None:
    app = Application()
    value = app.group("/value", middleware=[passing])
    value.get("/a", page)

    def boot(group: RouteGroup) -> None:
        group.get("/a", page)

    booted = app.group("/boot", boot)
    booted.get("/b", page)
    with app.group("/block") as block:
        block.ws("/a", echo)
        with block.group("/inner", middleware=[passing]) as inner:
            inner.group("/most", middleware=[HandlesBoth()]).get("/a", page)
    assert [(method, path, len(around)) for method, path, around in listed(app)] == [
        ("GET", "/value/a", 1),
        ("GET", "/boot/a", 0),
        ("GET", "/boot/b", 0),
        (":websocket", "/block/a", 0),
        ("GET", "/block/inner/most/a", 2),
    ]


class HandlesBoth:
    handles = frozenset(("http", "ws"))

    async def __call__(self, request: Request, next: Next) -> Outcome:
        return await next()


def test_a_controller_registers_its_own_routes() -> None:
    class Rooms:
        def boot(self, routes: RouteGroup) -> None:
            routes.get("/rooms", self.show)
            routes.ws("/rooms", echo)

        async def show(self, request: Request) -> str:
            return "rooms"

    app = Application()
    app.group("/v1", middleware=[passing], ws_defaults={"max_queue": 1}).register(Rooms())
    assert listed(app) == [("GET", "/v1/rooms", (passing,)), (":websocket", "/v1/rooms", (passing,))]
    assert [dict(entry.options) for entry in app.routes] == [{}, {"max_queue": 1}]
    assert get(app, "/v1/rooms") == b"rooms"


def test_options_are_handed_down_from_group_to_group() -> None:
    app = Application()
    outer = app.group("/a", ws_defaults={"max_queue": 1, "protocols": ["a"]})
    inner = outer.group("/b", ws_defaults={"max_fragments": 2})
    inner.ws("/c", echo, max_queue=3)
    outer.ws("/c", echo)
    assert [dict(entry.options) for entry in app.routes] == [
        {"max_queue": 3, "protocols": ["a"], "max_fragments": 2},
        {"max_queue": 1, "protocols": ["a"]},
    ]


def test_options_are_judged_where_they_are_given() -> None:
    app = Application()
    wrong = cast("WebSocketSettings", {"compresion": True})
    with pytest.raises(TypeError, match="a WebSocket route has no option 'compresion'"):
        app.ws("/a", **wrong)
    with pytest.raises(TypeError, match="a WebSocket route has no option 'compresion'"):
        app.group("/a", ws_defaults=wrong)
    with pytest.raises(ValueError, match="max_queue is negative"):
        app.ws("/a", echo, max_queue=-1)
    assert listed(app) == []


def test_middleware_of_a_group_is_judged_where_it_is_given() -> None:
    app = Application()
    with pytest.raises(ValueError, match="`handles` of HandlesOther"):
        app.group("/a", middleware=[HandlesOther()])


def test_conflicts_name_both_places() -> None:
    app = Application()
    app.ws("/:a", echo)
    with pytest.raises(ValueError, match=r"conflicts with .*test_application\.py:[0-9]+"):
        app.ws("/:b", echo)


def test_an_application_and_its_requests_have_room_for_what_is_not_ours() -> None:
    app = Application()
    app.locals["answer"] = 42

    @app.middleware.use
    async def remember(request: Request, next: Next) -> Outcome:
        request.locals["user"] = "ada"
        return await next()

    @app.get("/")
    def show(request: Request) -> str:
        return f"{request.locals['user']} {app.locals['answer']}"

    assert get(app, "/") == b"ada 42"


def test_an_application_is_compiled_once() -> None:
    app = Application()
    app.get("/a", page)
    assert app.compile() is app.compile()
    assert get(app, "/a") == b"/a"


def test_nothing_can_be_registered_when_serving_has_started() -> None:
    app = Application()
    group = app.group("/g")
    app.compile()
    with pytest.raises(LocalProtocolError, match="serving has started"):
        app.get("/a", page)
    with pytest.raises(LocalProtocolError, match="serving has started"):
        group.ws("/a", echo)
    with pytest.raises(LocalProtocolError, match="serving has started"):
        app.middleware.use(passing)
    with pytest.raises(LocalProtocolError, match="serving has started"):
        app.exceptions.filter(KeyError, lambda error, request: "a")
    with pytest.raises(LocalProtocolError, match="serving has started"):
        app.routes.case_sensitive = False
    assert get(app, "/a") == b"Not Found"


def test_a_mistake_in_the_defaults_leaves_the_application_open() -> None:
    app = Application()
    app.ws("/a", echo)
    app.ws_defaults = {"protocols": ["a", "a"]}
    with pytest.raises(ValueError, match="protocols are different tokens"):
        app.compile()
    app.ws_defaults = {}
    app.get("/b", page)
    assert get(app, "/b") == b"/b"


def test_what_cannot_be_called_is_no_handler() -> None:
    app = Application()
    with pytest.raises(TypeError, match=r"^the handler of /a cannot be called: 'page'$"):
        app.get("/a", cast("HttpHandler", "page"))
    with pytest.raises(TypeError, match=r"^the handler of /b cannot be called: 1$"):
        app.ws("/b", cast("WebSocketHandler", 1))
    assert list(app.routes) == []


async def lifespan(app: Application) -> AsyncGenerator[None, None]:
    yield


async def other_lifespan(app: Application) -> AsyncIterator[str]:
    yield "anything"


def test_lifespan_functions_are_kept_in_order() -> None:
    app = Application()
    assert len(app.lifespans) == 0
    assert app.lifespan(lifespan) is lifespan
    assert app.lifespan(other_lifespan) is other_lifespan
    assert list(app.lifespans) == [lifespan, other_lifespan]


async def not_a_generator(app: Application) -> None:
    raise AssertionError("nobody calls this")


@pytest.mark.parametrize("function", [not_a_generator, asynccontextmanager(lifespan), None])
def test_what_is_no_async_generator_function_is_no_lifespan(function: object) -> None:
    app = Application()
    with pytest.raises(TypeError, match="a lifespan is an async generator function"):
        app.lifespan(cast("LifespanFunction", function))
    assert len(app.lifespans) == 0


def test_a_lifespan_cannot_be_added_when_serving_has_started() -> None:
    app = Application()
    app.compile()
    with pytest.raises(
        LocalProtocolError, match="lifespan comes too late for a lifespan: serving has started"
    ):
        app.lifespan(lifespan)
