"""Tests of `spry_core.routing.builder`: what can be registered, in which forms, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast, overload

import pytest

from spry_core.errors import LocalProtocolError
from spry_core.routing.builder import BaseRouteBuilder, RouteBuilder, RouteTable, place_outside
from spry_core.routing.pattern import Pattern
from spry_core.routing.tree import WEBSOCKET, Match, MethodNotAllowed, NotFound, Route

Http = Callable[[str], str]
WebSocket = Callable[[int], None]
Routes = RouteBuilder[Http, WebSocket, str]


def page(request: str) -> str:
    return request


def chat(ws: int) -> None: ...


def run(file: str, source: str, **names: object) -> None:
    """Run some lines as if they stood in a file of an application."""
    exec(compile(source, file, "exec"), {"__name__": "app", **names})


def lines(routes: Routes) -> list[str]:
    """Write down what is registered, without places."""
    return [f"{entry.method} {entry.pattern} {'>'.join(entry.middleware)}".strip() for entry in routes.routes]


# --------------------------------------------------------------------------------------------------- verbs


@pytest.mark.parametrize("verb", ["get", "post", "put", "patch", "delete", "head", "options"])
def test_each_verb_registers_by_a_call_and_as_a_decorator(verb: str) -> None:
    routes = Routes()
    register = cast("Callable[..., Http]", getattr(routes, verb))
    assert register("/a/:x", page) is page
    decorate = cast("Callable[[Http], Http]", register("/b"))
    assert lines(routes) == [f"{verb.upper()} /a/:x"]
    assert decorate(page) is page
    assert lines(routes) == [f"{verb.upper()} /a/:x", f"{verb.upper()} /b"]
    assert [entry.handler for entry in routes.routes] == [page, page]


def test_decorators_can_be_stacked() -> None:
    routes = Routes()

    @routes.get("/a")
    @routes.post("b")
    def both(request: str) -> str:
        return request

    assert lines(routes) == ["POST /b", "GET /a"]
    assert both("x") == "x"


def test_on_takes_any_method() -> None:
    routes = Routes()
    assert routes.on("PURGE", "/a", page) is page
    assert routes.on("purge", "/b")(page) is page
    assert lines(routes) == ["PURGE /a", "purge /b"]


def test_on_takes_several_methods_each_once() -> None:
    routes = Routes()
    routes.on(["GET", "POST", "GET"], "/a", page)
    routes.on(iter(["PUT", "PATCH"]), "/a")(page)
    assert lines(routes) == ["GET /a", "POST /a", "PUT /a", "PATCH /a"]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ([], "on takes one or more methods of HTTP, not []"),
        (WEBSOCKET, "on takes one or more methods of HTTP, not ':websocket'"),
        (["GET", "no token"], "'no token' is no method: a method is a token (RFC 9110 §5.6.2)"),
    ],
)
def test_on_refuses_what_is_no_method_and_registers_none(method: str | list[str], message: str) -> None:
    routes = Routes()
    with pytest.raises(ValueError) as caught:
        routes.on(method, "/a", page)
    assert str(caught.value) == message
    assert lines(routes) == []


def test_ws_registers_by_a_call_and_as_a_decorator() -> None:
    routes = Routes()
    assert routes.ws("echo", chat) is chat
    assert routes.ws("/chat", protocols=("v2", "v1"), max_queue=4)(chat) is chat
    echo, options = routes.routes.entries
    assert (echo.method, str(echo.pattern), dict(echo.options)) == (WEBSOCKET, "/echo", {})
    assert dict(options.options) == {"protocols": ("v2", "v1"), "max_queue": 4}


def test_options_are_a_copy_that_nobody_can_change() -> None:
    routes = Routes()
    given: dict[str, object] = {"max_queue": 4}
    routes.ws("/a", chat, **given)
    given["max_queue"] = 5
    (entry,) = routes.routes
    assert entry.options == {"max_queue": 4}
    with pytest.raises(TypeError):
        cast("dict[str, object]", entry.options)["max_queue"] = 6


def test_a_decorator_without_its_parentheses_is_refused() -> None:
    with pytest.raises(TypeError) as caught:
        Routes().get(cast("str", page))
    assert str(caught.value) == "a path is a str, not function"


def test_a_bad_path_is_refused_before_the_handler_is_there() -> None:
    with pytest.raises(ValueError) as caught:
        Routes().group("/a").get("/:")
    assert str(caught.value) == "bad pattern '/a/:': ':' without a name"


# -------------------------------------------------------------------------------------------------- groups


def test_a_group_gives_prefix_and_middleware() -> None:
    routes = Routes()
    rooms = routes.group("/rooms", middleware=["auth", "log"])
    rooms.get("", page)
    rooms.get("/", page)
    rooms.ws("/:room", chat)
    routes.get("/", page)
    assert lines(routes) == [
        "GET /rooms auth>log",
        "GET /rooms/ auth>log",
        ":websocket /rooms/:room auth>log",
        "GET /",
    ]


def test_groups_nest_with_the_outer_middleware_first() -> None:
    routes = Routes()
    routes.group("/a", middleware=["one"]).group("b/", middleware=("two", "three")).group("").get("c", page)
    assert lines(routes) == ["GET /a/b/c one>two>three"]


def test_a_group_can_be_filled_by_a_callback() -> None:
    routes = Routes()

    def boot(rooms: Routes) -> None:
        rooms.get("/:room", page)

    returned = routes.group("/rooms", boot, middleware=["auth"])
    assert lines(routes) == ["GET /rooms/:room auth"]
    routes.group("/halls", boot=boot)
    returned.get("/", page)
    assert lines(routes) == ["GET /rooms/:room auth", "GET /halls/:room", "GET /rooms/ auth"]


def test_a_group_can_be_opened_with_with() -> None:
    routes = Routes()
    with routes.group("/rooms", middleware=["auth"]) as rooms:
        rooms.get("/:room", page)
    rooms.get("/", page)
    assert lines(routes) == ["GET /rooms/:room auth", "GET /rooms/ auth"]


def test_a_block_of_a_group_lets_exceptions_out() -> None:
    with pytest.raises(KeyError), Routes().group("/rooms"):
        raise KeyError


def test_a_bad_prefix_is_refused_at_once() -> None:
    with pytest.raises(ValueError) as caught:
        Routes().group("/a*")
    assert str(caught.value) == "bad pattern '/a*': '*' and '**' stand alone in their segment, unlike in 'a*'"


def test_a_controller_registers_its_own_routes() -> None:
    class Rooms:
        def boot(self, routes: Routes) -> None:
            routes.get("/", self.list)
            with routes.group("/:room") as room:
                room.ws("/chat", chat)

        def list(self, request: str) -> str:
            return request

    routes = Routes()
    rooms = Rooms()
    routes.group("/rooms", middleware=["auth"]).register(rooms)
    assert lines(routes) == ["GET /rooms/ auth", ":websocket /rooms/:room/chat auth"]
    assert routes.routes.entries[0].handler == rooms.list


# --------------------------------------------------------------------------------------------- the table


def test_a_match_has_the_entry() -> None:
    routes = Routes()
    routes.group("/rooms", middleware=["auth"]).get("/:room", page)
    (entry,) = routes.routes
    answer = routes.routes.match("HEAD", "/rooms/hall")
    assert answer == Match(Route("GET", entry.pattern, entry, entry.place), (("room", "hall"),))
    assert routes.routes.match("GET", "/rooms") == NotFound()
    assert routes.routes.match("PUT", "/rooms/hall") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))
    assert routes.routes.allowed("/rooms/hall") == ("GET", "HEAD", "OPTIONS")


def test_groups_share_one_table_in_the_order_of_registration() -> None:
    routes = Routes()
    rooms = routes.group("/rooms")
    rooms.get("/b", page)
    routes.get("/a", page)
    assert rooms.routes is routes.routes
    assert lines(rooms) == ["GET /rooms/b", "GET /a"]
    assert list(routes.routes) == list(routes.routes.entries)
    assert len(routes.routes) == 2


def test_a_builder_can_write_into_a_table_that_is_there() -> None:
    table = RouteTable[Http | WebSocket, str]()
    Routes(table, Pattern.parse("/a"), ["auth"]).get("b", page)
    Routes(table).get("c", page)
    assert lines(Routes(table)) == ["GET /a/b auth", "GET /c"]


def test_a_conflict_names_both_places_and_changes_nothing() -> None:
    routes = Routes()
    run("first.py", "routes.get('/a/:x', page)", routes=routes, page=page)
    with pytest.raises(ValueError) as caught:
        run("second.py", "routes.group('/a').on(['PUT', 'GET'], ':y', page)", routes=routes, page=page)
    assert str(caught.value) == "GET /a/:y at second.py:1 conflicts with GET /a/:x at first.py:1"
    assert lines(routes) == ["GET /a/:x"]
    assert routes.routes.match("PUT", "/a/1") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))


def test_a_websocket_conflicts_with_a_websocket_only() -> None:
    routes = Routes()
    run("first.py", "routes.ws('/a', chat)", routes=routes, chat=chat)
    routes.get("/a", page)
    with pytest.raises(ValueError) as caught:
        run("second.py", "routes.ws('/a', chat)", routes=routes, chat=chat)
    assert str(caught.value) == "WebSocket /a at second.py:1 conflicts with WebSocket /a at first.py:1"


def test_case_can_be_ignored_for_all_routes() -> None:
    routes = Routes()
    routes.get("/A/:x", page)
    assert routes.routes.case_sensitive
    routes.routes.case_sensitive = False
    assert not routes.routes.case_sensitive
    answer = routes.routes.match("GET", "/a/Hall")
    assert isinstance(answer, Match)
    assert answer.params == (("x", "Hall"),)


def test_nothing_can_be_registered_once_serving_has_started() -> None:
    routes = Routes()
    rooms = routes.group("/rooms")
    decorate = rooms.ws("/:room")
    assert not routes.routes.is_frozen
    routes.routes.freeze()
    routes.routes.freeze()
    assert routes.routes.is_frozen
    with pytest.raises(LocalProtocolError) as called:
        run("late.py", "routes.get('/a', page)", routes=routes, page=page)
    assert str(called.value) == "GET /a at late.py:1 cannot be registered: serving has started"
    with pytest.raises(LocalProtocolError) as decorated:
        run("late.py", "decorate(chat)", decorate=decorate, chat=chat)
    assert (
        str(decorated.value)
        == "WebSocket /rooms/:room at late.py:1 cannot be registered: serving has started"
    )
    with pytest.raises(LocalProtocolError) as case:
        routes.routes.case_sensitive = False
    assert str(case.value) == "case_sensitive cannot be set: serving has started"
    assert lines(routes) == []
    assert routes.routes.case_sensitive


# ------------------------------------------------------------------------------------------------- entries


def test_an_entry_is_one_line_for_people() -> None:
    class Handler:
        def __call__(self, request: str) -> str:
            return request

    routes = Routes()
    names = {"routes": routes, "page": page, "chat": chat, "handler": Handler()}
    run("app.py", "routes.get('/', page)\nroutes.ws('/rooms/:room', chat)", **names)
    run("app.py", "\n\nroutes.options('/a/rather/long/path/**', handler)", **names)
    assert [str(entry) for entry in routes.routes] == [
        "GET     /                        page  app.py:1",
        "WS      /rooms/:room             chat  app.py:2",
        "OPTIONS /a/rather/long/path/**   Handler  app.py:3",
    ]


def test_entries_are_keys_whatever_they_hold() -> None:
    routes = Routes()
    routes.ws("/a", chat, protocols=["v1"])
    routes.ws("/b", chat, protocols=["v1"])
    first, second = routes.routes
    assert {first: 1, second: 2}[second] == 2
    assert first != second


def test_the_place_is_where_the_application_registers() -> None:
    """Frames of the package itself do not count, so that an application made of several storeys names its own line."""
    routes = Routes()
    ours: dict[str, object] = {"__name__": "spry_core.web.application"}
    exec(compile("def get(routes, page):\n    routes.get('/a', page)", "ours.py", "exec"), ours)
    run("app.py", "\n\nget(routes, page)", get=ours["get"], routes=routes, page=page)
    run("app.py", "\n@routes.get('/b')\ndef b(request): ...", routes=routes)
    run("app.py", "routes.get('/c', page)", routes=routes, page=page, __name__="spry_core_plugin")
    run("app.py", "routes.get('/d', page)", routes=routes, page=page, __name__=None)
    assert [entry.place for entry in routes.routes] == ["app.py:3", "app.py:2", "app.py:1", "app.py:1"]


def test_a_place_that_nobody_knows_is_unknown() -> None:
    assert place_outside(None) == "unknown"


# ------------------------------------------------------------- an application and its groups, as `web` has them


class WebRoutes(BaseRouteBuilder[Http, WebSocket, str, "Group"]):
    """What application and group share: typed options, and groups that are no applications."""

    @overload
    def ws(self, path: str, handler: WebSocket, *, max_queue: int = 16) -> WebSocket: ...
    @overload
    def ws(self, path: str, *, max_queue: int = 16) -> Callable[[WebSocket], WebSocket]: ...
    def ws(
        self, path: str, handler: WebSocket | None = None, *, max_queue: int = 16
    ) -> WebSocket | Callable[[WebSocket], WebSocket]:
        return self._websocket(path, handler, {"max_queue": max_queue})

    def _nested(self, prefix: Pattern, middleware: tuple[str, ...]) -> Group:
        return Group(self._routes, prefix, middleware)


class Group(WebRoutes):
    pass


class Application(WebRoutes):
    pass


def test_the_group_of_an_application_is_of_the_class_that_it_says() -> None:
    app = Application()
    rooms = app.group("/rooms", middleware=["auth"])
    nested = rooms.group("/:room")
    assert nested.ws("chat", max_queue=4)(chat) is nested.ws("talk", chat) is chat
    entry, _ = app.routes
    assert (type(rooms), type(nested)) == (Group, Group)
    assert (str(entry.pattern), entry.middleware, dict(entry.options)) == (
        "/rooms/:room/chat",
        ("auth",),
        {"max_queue": 4},
    )


def test_a_controller_of_an_application_gets_a_group() -> None:
    class Controller:
        def boot(self, routes: Group) -> None:
            seen.append(type(routes))

    seen: list[type[WebRoutes]] = []
    Application().register(Controller())
    assert seen == [Group]
