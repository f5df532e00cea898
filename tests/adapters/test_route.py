"""What may be said about a WebSocket route, and what it changes (semantics, section 2), in every world."""

from __future__ import annotations

from typing import Final

import pytest

from adapters.world import (
    Served,
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
from frames import CONTINUATION, PING, TEXT, frame
from handshakes import SWITCHED
from spry_core import Limits, Next, Outcome, Request, Timeouts, WebSocket
from spry_core.web.options import WebSocketSettings

pytestmark = pytest.mark.anyio


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def say_protocol(ws: WebSocket, request: Request) -> None:
    await ws.send(str(ws.protocol))


async def shaken(server: Served, *fields: str, path: str = "/") -> bytes:
    """Try to open a WebSocket and return the whole answer, to the head's end where it is the 101."""
    peer = await server.connected()
    await peer.send(shake(*fields, path=path))
    return await peer.receive_answer()


def switched(*fields: str) -> bytes:
    """Make the 101 with more fields."""
    return SWITCHED[:-2] + "".join(f"{each}\r\n" for each in fields).encode() + b"\r\n"


# ------------------------------------------------------------------------------------------------------ registering


@pytest.mark.parametrize("pattern", ["/echo", "echo"])
async def test_a_route_is_registered_by_a_decorator_or_a_call_with_or_without_the_slash(
    world: World, pattern: str
) -> None:
    """As in the original: ``app.ws("echo", handler)``."""
    called, decorated = world.app(), world.app()
    called.ws(pattern, echo)
    decorated.ws(pattern)(echo)
    for app in (called, decorated):
        async with world.serving(app) as server, world.at_once():
            peer = await server.upgraded("/echo")
            await peer.send(say("hello"))
            await peer.expect(said("hello"))


async def test_a_ws_route_and_a_get_route_may_share_a_path(world: World) -> None:
    app = world.app()
    app.get("/both", hello)
    app.ws("/both", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/both"))
        assert await peer.receive_answer() == answer("200 OK", "hello")
        await peer.send(shake(path="/both") + say("hello"))
        await peer.expect(SWITCHED, said("hello"))


async def hello(request: Request) -> str:
    return "hello"


async def test_in_a_group_the_prefix_and_the_middleware_apply_as_to_any_route(world: World) -> None:
    app = world.app()

    async def note(request: Request, next: Next) -> Outcome:
        world.note(f"{request.path} {request.params['room']} {request.is_upgrade}")
        return await next()

    with app.group("/rooms/:room", middleware=[note]) as rooms:
        rooms.get("/chat", hello)
        rooms.ws("/chat", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/rooms/red/chat"))
        assert await peer.receive_answer() == answer("200 OK", "hello")
        peer = await server.upgraded("/rooms/blue/chat")
        await peer.send(say("hello"))
        await peer.expect(said("hello"))
    assert world.notes == ["/rooms/red/chat red False", "/rooms/blue/chat blue True"]


async def test_a_handler_may_be_sync_and_call_what_acts_at_once(world: World) -> None:
    def listen(ws: WebSocket, request: Request) -> None:
        ws.listen(ws.add)
        ws.add("welcome")

    def leave(ws: WebSocket, request: Request) -> None:
        ws.add("bye")
        ws.close(4000, "sync")

    def cut(ws: WebSocket, request: Request) -> None:
        ws.listen(lambda message: ws.abort())

    app = world.app()
    app.ws("/listen", listen)
    app.ws("/leave", leave)
    app.ws("/cut", cut)
    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/listen")
        await peer.expect(said("welcome"))
        await peer.send(say("hello"))
        await peer.expect(said("hello"))
        peer = await server.upgraded("/leave")
        await peer.expect(said("bye"), closing(4000, "sync"))
        await peer.send(close(4000))
        await peer.expect_end()
        assert tell(await world.end()) == "4000 by local, sent 4000 sync, received 4000, clean"
        peer = await server.upgraded("/cut")
        await peer.send(say("cut"))
        await peer.expect_reset()
        assert tell(await world.end()) == "1006 by local, sent nothing, received nothing, unclean"


# ------------------------------------------------------------------------------------- where options come from

LEVELS: Final = ("serve", "application", "group", "inner group", "route")


@pytest.mark.parametrize("level", range(len(LEVELS)), ids=LEVELS)
async def test_an_option_that_is_left_out_comes_from_the_next_level(world: World, level: int) -> None:
    """Route, groups from the inside, application, then what `serve` was given; seen by which size is too big."""
    sizes = [10 * (number + 1) for number in range(level + 1)]
    settings = [WebSocketSettings(max_message_size=size) for size in sizes[1:]]
    settings += [WebSocketSettings()] * (4 - level)
    app = world.app()
    app.ws_defaults = settings[0]
    with (
        app.group("/a", ws_defaults=settings[1]) as outer,
        outer.group("/b", ws_defaults=settings[2]) as inner,
    ):
        inner.ws("/c", echo, **settings[3])
    async with world.serving(app, limits=Limits(max_message_size=10)) as server, world.at_once():
        peer = await server.upgraded("/a/b/c")
        await peer.send(say("a" * sizes[-1]))
        await peer.expect(said("a" * sizes[-1]))
        await peer.send(say("a" * (sizes[-1] + 1)))
        await peer.expect_end(closing(1009))


async def test_defaults_of_the_application_hold_for_routes_registered_before_too(world: World) -> None:
    app = world.app()
    app.ws("/", give_up)
    app.ws_defaults = {"close_on_return": True}
    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/")
        await peer.expect(closing(1000))


async def give_up(ws: WebSocket, request: Request) -> None:
    pass


# -------------------------------------------------------------------------------------------------- subprotocols

OFFER: Final = "Sec-WebSocket-Protocol: superchat, chat, chat.v2"


def chosen(name: str) -> bytes:
    return switched(f"Sec-WebSocket-Protocol: {name}")


async def decline(offers: list[str]) -> str | None:
    return None


SELECTIONS: Final[dict[str, tuple[WebSocketSettings, tuple[str, ...], bytes, str]]] = {
    "the server's order wins": ({"protocols": ("chat.v2", "chat")}, (OFFER,), chosen("chat.v2"), "chat.v2"),
    "none in common": ({"protocols": ("soap",)}, (OFFER,), SWITCHED, "None"),
    "none of ours": ({}, (OFFER,), SWITCHED, "None"),
    "none offered": ({"protocols": ("chat",)}, (), SWITCHED, "None"),
    "names have a case": ({"protocols": ("CHAT",)}, (OFFER,), SWITCHED, "None"),
    "a list over two lines": (
        {"protocols": ("chat",)},
        ("Sec-WebSocket-Protocol: superchat", "Sec-WebSocket-Protocol: chat"),
        chosen("chat"),
        "chat",
    ),
    "required and in common": (
        {"protocols": ("chat",), "require_protocol": True},
        (OFFER,),
        chosen("chat"),
        "chat",
    ),
    "selected, sync": ({"select_protocol": lambda offers: offers[1]}, (OFFER,), chosen("chat"), "chat"),
    "selected None, async": ({"select_protocol": decline}, (OFFER,), SWITCHED, "None"),
}


@pytest.mark.parametrize("name", SELECTIONS)
async def test_a_subprotocol_is_selected(world: World, name: str) -> None:
    """RFC 6455 §4.2.2; `ws.protocol` says which."""
    options, fields, head, protocol = SELECTIONS[name]
    app = world.app()
    app.ws("/", say_protocol, **options)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake(*fields))
        await peer.expect(head, said(protocol))


@pytest.mark.parametrize(
    "fields", [(), ("Sec-WebSocket-Protocol: soap",)], ids=["none offered", "none in common"]
)
@pytest.mark.parametrize("is_list", [True, False], ids=["protocols", "select_protocol"])
async def test_no_common_subprotocol_where_one_is_required_is_400(
    world: World, fields: tuple[str, ...], is_list: bool
) -> None:
    app = world.app()
    if is_list:
        app.ws("/", echo, protocols=("chat",), require_protocol=True)
    else:
        app.ws("/", echo, select_protocol=lambda offers: None, require_protocol=True)
    async with world.serving(app) as server, world.at_once():
        assert await shaken(server, *fields) == answer("400 Bad Request", "no common subprotocol")


async def test_select_protocol_gets_the_list_in_the_clients_order_and_is_never_called_without_an_offer(
    world: World,
) -> None:
    async def select(offers: list[str]) -> str | None:
        world.note(" ".join(offers))
        return offers[-1]

    app = world.app()
    app.ws("/", echo, select_protocol=select)
    async with world.serving(app) as server, world.at_once():
        assert await shaken(server) == SWITCHED
        assert await shaken(server, OFFER) == chosen("chat.v2")
    assert world.notes == ["superchat chat chat.v2"]


async def test_a_selected_value_that_was_not_offered_is_a_500_and_a_log_line(world: World) -> None:
    app = world.app()
    app.ws("/", echo, select_protocol=lambda offers: "soap")
    async with world.serving(app) as server, world.at_once():
        assert await shaken(server, OFFER) == answer("500 Internal Server Error", "Internal Server Error")
        error = await server.error()
    assert repr(error) == "ValueError(\"select_protocol chose 'soap', which the client did not offer\")"


# --------------------------------------------------------------------------------------------------------- origins

REFUSED: Final = answer("403 Forbidden", "this origin may not connect")

ORIGINS: Final[dict[str, tuple[WebSocketSettings, tuple[str, ...], bool]]] = {
    "same": ({}, ("Origin: http://test",), True),
    "no Origin": ({}, (), True),
    "the default port of http": ({}, ("Origin: http://test:80",), True),
    "the scheme is not compared": ({}, ("Origin: https://test:80",), False),
    "https, TLS may end in front of us": ({}, ("Origin: https://test",), True),
    "another port": ({}, ("Origin: http://test:8000",), False),
    "another host": ({}, ("Origin: http://elsewhere",), False),
    "host without case": ({}, ("Origin: http://TEST",), True),
    "null": ({}, ("Origin: null",), False),
    "two fields": ({}, ("Origin: http://test", "Origin: http://test"), False),
    "listed": ({"origins": ["https://example.org"]}, ("Origin: https://example.org",), True),
    "the same beside a list": ({"origins": ["https://example.org"]}, ("Origin: http://test",), True),
    "listed with another scheme": (
        {"origins": ["https://example.org"]},
        ("Origin: http://example.org",),
        False,
    ),
    "not listed": ({"origins": ["https://example.org"]}, ("Origin: https://sub.example.org",), False),
    "null beside a list": ({"origins": ["https://example.org"]}, ("Origin: null",), False),
    "all": ({"origins": None}, ("Origin: https://elsewhere",), True),
    "all, null": ({"origins": None}, ("Origin: null",), True),
    "all, two fields": ({"origins": None}, ("Origin: a", "Origin: b"), True),
}


@pytest.mark.parametrize("name", ORIGINS)
async def test_an_origin_is_judged(world: World, name: str) -> None:
    """RFC 6455 §10.2: another site's page must not act as our user."""
    options, fields, is_allowed = ORIGINS[name]
    app = world.app()
    app.ws("/", echo, **options)
    async with world.serving(app) as server, world.at_once():
        assert await shaken(server, *fields) == (SWITCHED if is_allowed else REFUSED)


async def test_a_missing_port_is_the_default_of_the_origins_scheme(world: World) -> None:
    """Also where Host says it."""
    app = world.app()
    app.ws("/", echo)
    async with world.serving(app) as server, world.at_once():
        for host, origin, is_allowed in (
            (b"test:443", "https://test", True),
            (b"test:443", "http://test", False),
            (b"test:80", "http://test", True),
        ):
            peer = await server.connected()
            await peer.send(shake(f"Origin: {origin}").replace(b"Host: test", b"Host: " + host))
            assert await peer.receive_answer() == (SWITCHED if is_allowed else REFUSED), (host, origin)


# -------------------------------------------------------------------------------------------------- limits and times


async def test_max_fragments_counts_the_frames_of_a_message(world: World) -> None:
    """One more than the limit is 1008."""
    pieces = [frame(TEXT, b"a", fin=False), frame(CONTINUATION, b"b", fin=False), frame(CONTINUATION, b"c")]
    async with world.opened(echo, max_fragments=3) as peer, world.at_once():
        await peer.send(b"".join(pieces))
        await peer.expect(said("abc"))
        await peer.send(b"".join((pieces[0], pieces[1], pieces[1], pieces[2])))
        await peer.expect_end(closing(1008))


async def test_max_queue_stops_the_reading_and_nothing_is_lost(world: World) -> None:
    """What the handler does not consume stays with the peer."""

    async def consume_late(ws: WebSocket, request: Request) -> None:
        await world.held()
        async for message in ws:
            await ws.send(message)

    async with world.opened(consume_late, max_queue=2) as peer, world.at_once():
        await world.noted("held")
        await peer.send(say("1") + say("2"))
        await world.rest()
        # A read that was under way may still be taken; what comes after it is not.
        await peer.send(ping(b"first"))
        await world.rest()
        await peer.send(say("3"))
        world.let_go()
        answers = await peer.receive(len(said("1") * 3) + len(server_frame(0xA, b"first")))
    assert answers.replace(server_frame(0xA, b"first"), b"") == said("1") + said("2") + said("3")


async def test_ping_interval_and_ping_timeout_are_those_of_the_route(world: World) -> None:
    options = WebSocketSettings(ping_interval=0.03, ping_timeout=0.02, close_timeout=0.5)
    async with world.opened(echo, timeouts=Timeouts(ping_interval=None), **options) as peer:
        ping_frame = await peer.receive(6)
        assert ping_frame[:2] == server_frame(PING, bytes(4))[:2]
        await peer.expect_end(closing(1011, "keepalive timeout"))
        info = await world.end()
        assert 0.05 - 0.002 <= info.duration <= 0.05 + world.precision
        expected = "1011 keepalive timeout by timeout, sent 1011 keepalive timeout, received nothing, unclean, KeepaliveTimeout"
        assert tell(info) == expected


async def test_close_timeout_is_that_of_the_route(world: World) -> None:
    async def leave(ws: WebSocket, request: Request) -> None:
        await ws.close()

    async with world.opened(leave, close_timeout=0.05) as peer:
        await peer.expect_reset(closing(1000))
        info = await world.end()
        assert 0.05 - 0.002 <= info.duration <= 0.05 + world.precision
        assert tell(info) == "1000 by timeout, sent 1000, received nothing, unclean, ConnectionLost"
