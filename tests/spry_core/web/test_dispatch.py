from __future__ import annotations

from collections.abc import Callable

import pytest

from fakes import FakeExchange, head, run
from spry_core.closing import ConnectionLost
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.events import Accept, Offer, Refusal, RequestHead
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.web.application import Application, RouteGroup
from spry_core.web.exceptions import Abort
from spry_core.web.link import Link
from spry_core.web.middleware import Next, Outcome
from spry_core.web.request import Request
from spry_core.web.response import Response
from spry_core.web.websocket import WebSocket

OFFER = Offer(key=b"AAAAAAAAAAAAAAAAAAAAAA==")
UPGRADE = [("upgrade", "websocket"), ("connection", "Upgrade"), ("sec-websocket-version", "13")]


class AcceptedError(Exception):
    """The 101 would have been sent, under these limits."""

    def __init__(self, limits: Limits, timeouts: Timeouts) -> None:
        super().__init__()
        self.limits = limits
        self.timeouts = timeouts


class AcceptingExchange(FakeExchange):
    def accept(self, accept: Accept, limits: Limits, timeouts: Timeouts, deflate: Deflate | None) -> Link:
        raise AcceptedError(limits, timeouts)


class Recorder:
    """A middleware that writes down what passes it."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    async def __call__(self, request: Request, next: Next) -> Outcome:
        self.seen.append(f"{self.name} {'ws' if request.is_upgrade else 'http'}")
        return await next()


def answer(app: Application, event: RequestHead) -> Response:
    """Return what the application answers to a request that opens no WebSocket."""
    request, chain = app.compile().resolve(event, FakeExchange())

    async def call() -> Outcome:
        return await chain(request)

    outcome = run(call())
    assert isinstance(outcome, Response)
    return outcome


def accepted(app: Application, event: RequestHead) -> AcceptedError:
    """Return what the 101 to an opening handshake would have been."""
    request, chain = app.compile().resolve(event, AcceptingExchange())

    async def call() -> Outcome:
        return await chain(request)

    assert request.is_upgrade
    with pytest.raises(AcceptedError) as raised:
        run(call())
    return raised.value


def summary(response: Response) -> tuple[int, object]:
    return response.status_code, response.content


def text(value: str) -> Callable[[Request], str]:
    """Make a handler that always answers the same."""
    return lambda request: value


async def silent(ws: WebSocket, request: Request) -> None:
    raise AssertionError("no 101 is ever sent here")


def test_a_request_reaches_its_handler() -> None:
    app = Application()
    app.get("/", text("root"))
    app.post("/a", text("posted"))
    assert summary(answer(app, head("/?q=1"))) == (200, b"root")
    assert summary(answer(app, head("/a", method="POST"))) == (200, b"posted")


def test_the_handler_gets_what_the_pattern_took() -> None:
    app = Application()

    @app.get("/:a/:a/*/**")
    def show(request: Request) -> list[object]:
        return [request.params.get_all("a"), request.params.catchall, request.query["q"], request.path]

    response = answer(app, head("/1/%C3%A9/x/y/%2F?q=z"))
    assert response.content == '[["1","é"],["x","y","/"],"z","/1/é/x/y//"]'.encode()


def test_the_target_may_be_absolute() -> None:
    """RFC 9112 §3.2.2."""
    app = Application()
    app.get("/a", text("a"))
    app.get("/", text("root"))
    assert summary(answer(app, head("http://example.org/a?b"))) == (200, b"a")
    assert summary(answer(app, head("http://example.org"))) == (200, b"root")


def test_head_is_answered_by_the_route_of_get() -> None:
    """RFC 9110 §9.3.2: the content is left out where it is sent."""
    app = Application()

    @app.get("/a")
    def method(request: Request) -> str:
        return request.method

    assert summary(answer(app, head("/a", method="HEAD"))) == (200, b"HEAD")


def test_no_route_is_404() -> None:
    assert summary(answer(Application(), head("/a"))) == (404, b"Not Found")


def test_another_method_is_405_with_allow() -> None:
    """RFC 9110 §15.5.6."""
    app = Application()
    app.get("/a", text("a"))
    app.put("/a", text("a"))
    response = answer(app, head("/a", method="POST"))
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")
    response = answer(app, head("/a", method="get"))
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS, PUT")


def test_options_without_a_route_is_204_with_allow() -> None:
    """RFC 9110 §9.3.7."""
    app = Application()
    app.post("/a", text("a"))
    response = answer(app, head("/a", method="OPTIONS"))
    assert summary(response) == (204, b"")
    assert response.headers.items() == [("allow", "OPTIONS, POST")]
    assert answer(app, head("/b", method="OPTIONS")).status_code == 404


def test_options_for_the_whole_server_is_204() -> None:
    """RFC 9110 §9.3.7."""
    app = Application()
    app.get("/", text("root"))
    for target in ("*", "http://example.org"):
        response = answer(app, head(target, method="OPTIONS"))
        assert (response.status_code, response.headers.items()) == (204, [])
    assert answer(app, head("http://example.org/", method="OPTIONS")).headers["allow"] == "GET, HEAD, OPTIONS"


def test_options_may_have_a_route() -> None:
    app = Application()
    app.options("/a", text("mine"))
    assert summary(answer(app, head("/a", method="OPTIONS"))) == (200, b"mine")


@pytest.mark.parametrize(
    ("target", "method", "message"),
    [
        ("/%zz", "GET", b"the path has a broken percent-escape"),
        ("/%00", "GET", b"the path holds a null character"),
        ("/%ff", "GET", b"the path is not UTF-8"),
        ("*", "GET", b"the path does not begin with a slash"),
        ("a", "OPTIONS", b"the path does not begin with a slash"),
        ("example.org:80", "CONNECT", b"the path does not begin with a slash"),
        ("/%zz", "OPTIONS", b"the path has a broken percent-escape"),
    ],
)
def test_a_path_that_cannot_be_is_400(target: str, method: str, message: bytes) -> None:
    app = Application()
    app.on(("GET", "OPTIONS", "CONNECT"), "/**", text("never"))
    app.get("/", text("never"))
    assert summary(answer(app, head(target, method=method))) == (400, message)


def test_middleware_of_the_application_sees_every_request_and_that_of_a_group_its_own() -> None:
    seen = list[str]()
    app = Application()
    app.middleware.use(Recorder("app", seen))
    group = app.group("/g", middleware=[Recorder("group", seen)])
    group.group("/h", middleware=[Recorder("inner", seen)]).get("/a", text("a"))
    group.ws("/ws", silent)
    for event in (
        head("/nothing"),
        head("/g/h/a", method="POST"),
        head("/g/h/a", method="OPTIONS"),
        head("/%zz"),
        head("/g/ws"),
    ):
        answer(app, event)
        assert seen == ["app http"]
        seen.clear()
    assert summary(answer(app, head("/g/h/a"))) == (200, b"a")
    assert seen == ["app http", "group http", "inner http"]


def test_middleware_applies_to_routes_that_were_registered_before() -> None:
    seen = list[str]()
    app = Application()
    app.get("/", text("a"))
    app.middleware.use(Recorder("late", seen))
    answer(app, head("/"))
    assert seen == ["late http"]


def test_groups_do_not_lose_each_other() -> None:
    """In the original the middleware of a group captured itself, and that of the application was not applied."""
    seen = list[str]()
    app = Application()
    app.middleware.use(Recorder("app", seen))

    def boot(group: RouteGroup) -> None:
        group.ws("/ws", silent)
        group.get("/get", text("a"))

    app.group("/a", boot, middleware=[Recorder("a1", seen), Recorder("a2", seen)])
    app.group("/b", boot, middleware=[Recorder("b", seen)])
    accepted(app, head("/a/ws", websocket=OFFER))
    assert seen == ["app ws", "a1 ws", "a2 ws"]
    seen.clear()
    accepted(app, head("/b/ws", websocket=OFFER))
    assert seen == ["app ws", "b ws"]
    seen.clear()
    answer(app, head("/b/get"))
    assert seen == ["app http", "b http"]


@pytest.mark.parametrize("target", ["/nothing", "/%zz"])
def test_a_verdict_can_be_made_a_page(target: str) -> None:
    app = Application()

    @app.exceptions.filter(Abort)
    def page(error: Abort, request: Request) -> Response:
        return Response(f"<h1>{error.status_code}</h1>", error.status_code, {"content-type": "text/html"})

    response = answer(app, head(target))
    assert response.content == f"<h1>{response.status_code}</h1>".encode()
    assert response.headers["content-type"] == "text/html"


def test_a_verdict_can_be_known_before_it_is_given() -> None:
    app = Application()
    verdicts = list[object]()

    @app.middleware.use
    async def look(request: Request, next: Next) -> Outcome:
        verdicts.append(str(request.verdict))
        return await next()

    app.get("/", text("a"))
    answer(app, head("/"))
    answer(app, head("/nothing"))
    assert verdicts == ["None", "404 Not Found"]


def test_a_handler_that_returns_no_answer_is_named() -> None:
    app = Application()

    @app.get("/rooms/:room")
    def number(request: Request) -> int:
        return 1

    with pytest.raises(TypeError, match=r"^GET /rooms/:room returned int, of which no response can be made$"):
        answer(app, head("/rooms/a"))


def test_an_opening_handshake_reaches_its_handler() -> None:
    app = Application()
    app.ws("/rooms/:room", silent)
    request, _ = app.compile().resolve(head("/rooms/a", websocket=OFFER), FakeExchange())
    assert request.is_upgrade
    assert request.verdict is None
    assert request.params["room"] == "a"
    accepted(app, head("/rooms/a", websocket=OFFER))


def test_an_opening_handshake_that_loses_its_peer_is_no_answer() -> None:
    class Lost(FakeExchange):
        def accept(self, accept: Accept, limits: Limits, timeouts: Timeouts, deflate: Deflate | None) -> Link:
            raise ConnectionLost

    app = Application()
    app.ws("/ws", silent)
    request, chain = app.compile().resolve(head("/ws", websocket=OFFER), Lost())

    async def call() -> Outcome:
        return await chain(request)

    with pytest.raises(ConnectionLost):
        run(call())


def test_options_come_from_the_route_then_the_groups_then_the_application_then_the_server() -> None:
    app = Application()
    group = app.group("/g", ws_defaults={"max_queue": 2, "max_fragments": 2})
    inner = group.group("/h", ws_defaults={"max_fragments": 3, "ping_timeout": 3.0})
    inner.ws("/ws", silent, ping_timeout=4.0)
    app.ws_defaults = {"max_queue": 1, "max_fragments": 1, "ping_timeout": 1.0, "ping_interval": 1.0}
    found = accepted(app, head("/g/h/ws", websocket=OFFER))
    assert found.limits == Limits(max_queue=2, max_fragments=3)
    assert found.timeouts == Timeouts(ping_interval=1.0, ping_timeout=4.0)


def test_a_mistake_in_the_defaults_shows_when_serving_starts() -> None:
    app = Application()
    app.ws("/ws", silent)
    app.ws_defaults = {"max_queue": -1}
    with pytest.raises(ValueError, match="max_queue is negative"):
        app.compile()


def test_a_websocket_and_a_get_route_may_share_a_path() -> None:
    app = Application()
    app.ws("/a", silent)
    app.get("/a", text("page"))
    accepted(app, head("/a", websocket=OFFER))
    assert summary(answer(app, head("/a"))) == (200, b"page")
    assert summary(answer(app, head("/a", method="HEAD"))) == (200, b"page")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_an_ordinary_request_for_a_websocket_is_426(method: str) -> None:
    """RFC 9110 §15.5.22."""
    app = Application()
    app.ws("/a", silent)
    response = answer(app, head("/a", method=method))
    assert summary(response) == (426, b"Upgrade Required")
    assert response.headers.items()[:3] == UPGRADE


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_fallback_answers_before_the_get_route(method: str) -> None:
    seen = list[str]()
    app = Application()
    group = app.group("/g", middleware=[Recorder("group", seen)])
    group.get("/a", text("page"))
    group.ws("/a", silent, fallback=text("fallback"))
    group.get("/b", text("page b"))
    assert summary(answer(app, head("/g/a", method=method))) == (200, b"fallback")
    assert seen == ["group http"]
    assert summary(answer(app, head("/g/b", method=method))) == (200, b"page b")


def test_a_fallback_is_for_its_own_path() -> None:
    app = Application()
    app.ws("/:any", silent, fallback=text("fallback"))
    app.get("/about", text("about"))
    app.head("/about", text("head"))
    assert summary(answer(app, head("/about"))) == (200, b"about")
    assert summary(answer(app, head("/about", method="HEAD"))) == (200, b"head")
    assert summary(answer(app, head("/other"))) == (200, b"fallback")


def test_what_a_fallback_raises_goes_to_the_filters() -> None:
    app = Application()

    async def failing(request: Request) -> None:
        raise KeyError("a")

    app.ws("/a", silent, fallback=failing)
    app.exceptions.filter(KeyError, lambda error, request: Response(str(error), 404))
    assert summary(answer(app, head("/a"))) == (404, b"'a'")


def test_what_a_fallback_returns_must_be_an_answer() -> None:
    app = Application()
    app.ws("/a", silent, fallback=lambda request: 1)
    with pytest.raises(TypeError, match=r"^the fallback of /a returned int"):
        answer(app, head("/a"))


def test_another_method_on_a_websocket_is_405() -> None:
    """RFC 6455 §4.1: the method is GET."""
    app = Application()
    app.ws("/a", silent, fallback=text("fallback"))
    response = answer(app, head("/a", method="POST"))
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")
    response = answer(app, head("/a", method="POST", websocket=OFFER))
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


def test_another_method_has_its_own_route_whatever_it_offers() -> None:
    app = Application()
    app.ws("/a", silent)
    app.post("/a", text("posted"))
    assert summary(answer(app, head("/a", method="POST", websocket=OFFER))) == (200, b"posted")
    response = answer(app, head("/a", method="PUT"))
    assert response.headers["allow"] == "GET, HEAD, OPTIONS, POST"


@pytest.mark.parametrize("offer", [OFFER, Refusal(status_code=400, reason="no key")])
def test_an_offer_where_there_is_no_websocket_is_ignored(offer: Offer | Refusal) -> None:
    """RFC 9110 §7.8."""
    app = Application()
    app.get("/a", text("page"))
    assert summary(answer(app, head("/a", websocket=offer))) == (200, b"page")
    assert summary(answer(app, head("/b", websocket=offer))) == (404, b"Not Found")


def test_a_refused_handshake_is_answered_before_any_middleware_of_a_group() -> None:
    """RFC 6455 §4.2.2. The fallback is not asked."""
    seen = list[str]()
    app = Application()
    app.middleware.use(Recorder("app", seen))
    app.group("/g", middleware=[Recorder("group", seen)]).ws("/a", silent, fallback=text("fallback"))
    response = answer(app, head("/g/a", websocket=Refusal(status_code=426, reason="not version 13")))
    assert summary(response) == (426, b"not version 13")
    assert response.headers.items()[:3] == UPGRADE
    response = answer(app, head("/g/a", websocket=Refusal(status_code=400, reason="no key")))
    assert summary(response) == (400, b"no key")
    assert seen == ["app ws", "app ws"]


def test_a_foreign_page_is_refused_before_any_middleware_of_a_group() -> None:
    """RFC 6455 §4.2.2, §10.2."""
    seen = list[str]()
    app = Application()
    app.middleware.use(Recorder("app", seen))
    group = app.group("/g", middleware=[Recorder("group", seen)])
    group.ws("/same", silent)
    group.ws("/any", silent, origins=None)
    fields = ("Host", "example.org"), ("Origin", "https://evil.example")
    assert summary(answer(app, head("/g/same", *fields, websocket=OFFER))) == (
        403,
        b"this origin may not connect",
    )
    assert seen == ["app ws"]
    accepted(app, head("/g/any", *fields, websocket=OFFER))
    accepted(app, head("https://evil.example/g/same", *fields, websocket=OFFER))


def test_a_path_may_be_found_without_case() -> None:
    app = Application()
    app.routes.case_sensitive = False
    app.get("/a", text("a"))
    app.ws("/b", silent)
    assert summary(answer(app, head("/A"))) == (200, b"a")
    accepted(app, head("/B", websocket=OFFER))


@pytest.mark.parametrize(
    ("pattern", "target", "found"),
    [
        ("/a", "/a", (200, b"[] ()")),
        ("/a", "/a?b", (200, b"[] ()")),
        ("/a?b", "/a?b", (404, b"Not Found")),
        ("/a?b", "/a%3Fb", (200, b"[] ()")),
        ("/\xe9", "/\xe9", (400, b"the path is not ASCII")),
        ("/\xe9", "/%C3%A9", (200, b"[] ()")),
        ("/a%b", "/a%25b", (200, b"[] ()")),
        ("/:x", "/:x", (200, b"[('x', ':x')] ()")),
        ("/**", "/**", (200, b"[] ('**',)")),
    ],
)
def test_a_target_that_reads_like_a_pattern_is_a_target(
    pattern: str, target: str, found: tuple[int, bytes]
) -> None:
    """Targets that are written as their routes are known beforehand, and mean what they mean without that."""

    def taken(request: Request) -> str:
        return f"{request.params.items()} {request.params.catchall}"

    app = Application()
    app.get(pattern, taken)
    assert summary(answer(app, head(target))) == found
