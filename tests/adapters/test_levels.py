"""Every option of a WebSocket route, set on the route, on its group or on the application, in every world.

Each is seen by what it changes on the wire or for the handler, beside defaults that would give something else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
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
)
from frames import CONTINUATION, PING, PONG, TEXT, frame
from handshakes import SWITCHED
from spry_core import Application, Request, Response, Timeouts, WebSocket
from spry_core.tasks import event
from spry_core.web.options import WebSocketSettings
from spry_core.web.upgrade import WebSocketHandler

pytestmark = pytest.mark.anyio

OFFERS: Final = (
    "Sec-WebSocket-Protocol: soap, chat",
    "Sec-WebSocket-Extensions: permessage-deflate",
)
FOREIGN: Final = "Origin: https://elsewhere.example"


def switched(field: str) -> bytes:
    """Make the 101 with one more field."""
    return SWITCHED[:-2] + field.encode() + b"\r\n\r\n"


# ------------------------------------------------------------------------------------------------ what options do

Act = Callable[[World, Served], Awaitable[None]]


@dataclass
class Option:
    """A value, and what shows that it holds."""

    settings: WebSocketSettings
    shows: Act
    handler: Callable[[World], WebSocketHandler]


def echoing(world: World) -> WebSocketHandler:
    async def echo(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await ws.send(message)

    return echo


def late(world: World) -> WebSocketHandler:
    """Echo, but not before the test says so."""

    async def echo_late(ws: WebSocket, request: Request) -> None:
        await world.held()
        async for message in ws:
            await ws.send(message)

    return echo_late


def returning(world: World) -> WebSocketHandler:
    async def leave(ws: WebSocket, request: Request) -> Response:
        return Response("by hand", status_code=409)

    return leave


def closing_at_once(world: World) -> WebSocketHandler:
    async def leave(ws: WebSocket, request: Request) -> None:
        ws.close(4000)

    return leave


def waiting(world: World) -> WebSocketHandler:
    """Wait for what never comes, and tell how that ends."""

    async def wait(ws: WebSocket, request: Request) -> None:
        world.note("waits")
        try:
            await event().wait()
        finally:
            world.note("is cancelled")

    return wait


def say_hello(request: Request) -> str:
    return "hello"


def sees(sent: bytes, expected: bytes) -> Act:
    """Send one request, and see this answer to it."""

    async def act(world: World, server: Served) -> None:
        peer = await server.connected()
        await peer.send(sent)
        assert await peer.receive_answer() == expected

    return act


def sees_the_end(sent: bytes, expected: bytes) -> Act:
    """Send this over a WebSocket, and see it end with that."""

    async def act(world: World, server: Served) -> None:
        peer = await server.upgraded("/a/b")
        await peer.send(sent)
        await peer.expect_end(expected)

    return act


async def sees_the_reading_pause(world: World, server: Served) -> None:
    """The Ping behind one message is not seen before that is consumed; a read under way may still be taken."""
    peer = await server.upgraded("/a/b")
    await world.noted("held")
    for each in (say("1"), ping(b"may be taken"), ping(b"waits")):
        await peer.send(each)
        await world.rest()
    world.let_go()
    answers = await peer.receive_until(server_frame(PONG, b"waits"))
    assert said("1") in answers


async def sees_a_ping(world: World, server: Served) -> None:
    peer = await server.upgraded("/a/b")
    assert (await peer.receive(2)) == server_frame(PING, bytes(4))[:2]


async def sees_that_its_silence_is_noticed(world: World, server: Served) -> None:
    peer = await server.upgraded("/a/b")
    told = await peer.receive_until(closing(1011, "keepalive timeout"))
    assert told[:2] == server_frame(PING, bytes(4))[:2]


async def sees_a_reset(world: World, server: Served) -> None:
    peer = await server.upgraded("/a/b")
    await peer.expect_reset(closing(4000))


async def sees_a_close(world: World, server: Served) -> None:
    peer = await server.upgraded("/a/b")
    await peer.expect(closing(1000))


async def sees_its_handler_cancelled(world: World, server: Served) -> None:
    peer = await server.upgraded("/a/b")
    await world.noted("waits")
    await peer.send(close(1000))
    await peer.expect_end(closing(1000))
    await world.noted("is cancelled")


CHOSEN: Final = sees(shake(*OFFERS, path="/a/b"), switched("Sec-WebSocket-Protocol: chat"))

OPTIONS: Final[Mapping[str, Option]] = {
    "protocols": Option({"protocols": ("chat",)}, CHOSEN, echoing),
    "select_protocol": Option({"select_protocol": lambda offers: offers[-1]}, CHOSEN, echoing),
    "require_protocol": Option(
        {"require_protocol": True},
        sees(shake(path="/a/b"), answer("400 Bad Request", "no common subprotocol")),
        echoing,
    ),
    "compression": Option(
        {"compression": True},
        sees(
            shake(*OFFERS, path="/a/b"),
            switched("Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=12"),
        ),
        echoing,
    ),
    "origins": Option({"origins": None}, sees(shake(FOREIGN, path="/a/b"), SWITCHED), echoing),
    "fallback": Option({"fallback": say_hello}, sees(request("/a/b"), answer("200 OK", "hello")), echoing),
    "accept": Option(
        {"accept": "manual"}, sees(shake(path="/a/b"), answer("409 Conflict", "by hand")), returning
    ),
    "max_message_size": Option({"max_message_size": 3}, sees_the_end(say("four"), closing(1009)), echoing),
    "max_fragments": Option(
        {"max_fragments": 1},
        sees_the_end(frame(TEXT, b"a", fin=False) + frame(CONTINUATION), closing(1008)),
        echoing,
    ),
    "max_queue": Option({"max_queue": 1}, sees_the_reading_pause, late),
    "ping_interval": Option({"ping_interval": 0.02}, sees_a_ping, echoing),
    "ping_timeout": Option(
        {"ping_interval": 0.02, "ping_timeout": 0.02}, sees_that_its_silence_is_noticed, echoing
    ),
    "close_timeout": Option({"close_timeout": 0.02}, sees_a_reset, closing_at_once),
    "on_disconnect": Option({"on_disconnect": "cancel"}, sees_its_handler_cancelled, waiting),
    "close_on_return": Option({"close_on_return": True}, sees_a_close, returning),
}

NO_TIMES: Final = Timeouts(ping_interval=None, ping_timeout=None, close_timeout=None)
"""What `serve` is given: without the option under test nothing would ever happen."""


# --------------------------------------------------------------------------------------------------- where they stand


def on_the_route(app: Application, handler: WebSocketHandler, settings: WebSocketSettings) -> None:
    with app.group("/a") as group:
        group.ws("/b", handler, **settings)


def on_the_group(app: Application, handler: WebSocketHandler, settings: WebSocketSettings) -> None:
    with app.group("/a", ws_defaults=settings) as group:
        group.ws("/b", handler)


def on_the_application(app: Application, handler: WebSocketHandler, settings: WebSocketSettings) -> None:
    with app.group("/a") as group:
        group.ws("/b", handler)
    app.ws_defaults = settings


LEVELS: Final = {"route": on_the_route, "group": on_the_group, "application": on_the_application}


def test_every_option_is_tried() -> None:
    assert set(OPTIONS) == WebSocketSettings.__optional_keys__ | WebSocketSettings.__required_keys__


@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("level", LEVELS)
async def test_an_option_holds_wherever_it_is_set(world: World, level: str, name: str) -> None:
    option = OPTIONS[name]
    app = world.app()
    LEVELS[level](app, option.handler(world), option.settings)
    async with world.serving(app, timeouts=NO_TIMES) as server:
        await option.shows(world, server)
