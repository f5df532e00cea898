"""What a WebSocket route answers to what is no good opening handshake (semantics, section 9), to the byte, in every world."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import pytest

from adapters.world import UPGRADE, World, answer, close, closing, request, said, say, server_frame, shake
from frames import TEXT, frame
from handshakes import KEY, SWITCHED
from spry_core import Abort, Application, Next, Outcome, Request, Response, WebSocket

pytestmark = pytest.mark.anyio

ALIVE: Final = answer("200 OK", "alive")
REQUIRED: Final = answer("426 Upgrade Required", "Upgrade Required", *UPGRADE)
NOT_13: Final = answer("426 Upgrade Required", "Sec-WebSocket-Version is not 13", *UPGRADE)
BAD_KEY: Final = answer("400 Bad Request", "Sec-WebSocket-Key is not one key of 16 bytes")
NOT_ALLOWED: Final = answer("405 Method Not Allowed", "Method Not Allowed", "Allow: GET, HEAD, OPTIONS")
FALLBACK: Final = answer("200 OK", "fallback")
PAGE: Final = answer("200 OK", "page")


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def fall_back(request: Request) -> str:
    return "fallback"


async def page(request: Request) -> str:
    return "page"


async def alive(request: Request) -> str:
    return "alive"


async def post(request: Request) -> str:
    return f"posted {await request.text()}"


def application(world: World) -> Application:
    """A WebSocket alone, one with a fallback, one beside a page, one with both, and one beside a POST."""
    app = world.app()
    app.get("/alive", alive)
    app.ws("/alone", echo)
    app.ws("/fallback", echo, fallback=fall_back)
    app.ws("/page", echo)
    app.get("/page", page)
    app.ws("/both", echo, fallback=fall_back)
    app.get("/both", page)
    app.ws("/post", echo)
    app.post("/post", post)
    return app


@dataclass
class Case:
    """A request and its answer."""

    sent: bytes
    answer: bytes
    has_content: bool = True


def each(path: str, expected: bytes) -> dict[str, Case]:
    """Every kind of request that asks for no WebSocket, all with one answer."""
    without_content = expected[: expected.index(b"\r\n\r\n") + 4]
    return {
        f"GET {path}": Case(request(path), expected),
        f"HEAD {path}": Case(request(path, method="HEAD"), without_content, has_content=False),
        f"HEAD with an offer {path}": Case(
            shake(path=path, method="HEAD"), without_content, has_content=False
        ),
        f"no Connection: upgrade {path}": Case(shake(path=path, without="Connection"), expected),
        f"no Upgrade {path}": Case(shake(path=path, without="Upgrade"), expected),
        f"h2c {path}": Case(shake("Upgrade: h2c", path=path, without="Upgrade"), expected),
        f"another protocol {path}": Case(shake("Upgrade: IRC/6.9", path=path, without="Upgrade"), expected),
    }


CASES: Final[dict[str, Case]] = {
    **each("/alone", REQUIRED),
    **each("/fallback", FALLBACK),
    **each("/page", PAGE),
    **each("/both", FALLBACK),
    "another method": Case(shake(path="/alone", method="POST"), NOT_ALLOWED),
    "another method without an offer": Case(request("/alone", method="DELETE"), NOT_ALLOWED),
    "another method beside a GET route": Case(shake(path="/page", method="PUT"), NOT_ALLOWED),
    "another method that has a route": Case(
        shake("Content-Length: 3", path="/post", method="POST") + b"abc", answer("200 OK", "posted abc")
    ),
    "another method beside a POST route": Case(
        shake(path="/post", method="PUT"),
        answer("405 Method Not Allowed", "Method Not Allowed", "Allow: GET, HEAD, OPTIONS, POST"),
    ),
    "a method in lower case": Case(shake(path="/alone", method="get"), NOT_ALLOWED),
    "version missing": Case(shake(path="/fallback", without="Sec-WebSocket-Version"), NOT_13),
    "version twice": Case(shake("Sec-WebSocket-Version: 13", path="/fallback"), NOT_13),
    "version list": Case(
        shake("Sec-WebSocket-Version: 13, 8", path="/fallback", without="Sec-WebSocket-Version"), NOT_13
    ),
    "version 8": Case(
        shake("Sec-WebSocket-Version: 8", path="/fallback", without="Sec-WebSocket-Version"), NOT_13
    ),
    "version 013": Case(
        shake("Sec-WebSocket-Version: 013", path="/page", without="Sec-WebSocket-Version"), NOT_13
    ),
    "key missing": Case(shake(path="/fallback", without="Sec-WebSocket-Key"), BAD_KEY),
    "key twice": Case(shake(f"Sec-WebSocket-Key: {KEY.decode()}", path="/fallback"), BAD_KEY),
    "key of 15 bytes": Case(
        shake("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA", path="/alone", without="Sec-WebSocket-Key"), BAD_KEY
    ),
    "key of 17 bytes": Case(
        shake("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAAA=", path="/alone", without="Sec-WebSocket-Key"),
        BAD_KEY,
    ),
    "key that is no base64": Case(
        shake("Sec-WebSocket-Key: AAAAAAAAAAAA_AAAAAAAAA==", path="/alone", without="Sec-WebSocket-Key"),
        BAD_KEY,
    ),
    "foreign Origin": Case(
        shake("Origin: https://elsewhere.example", path="/fallback"),
        answer("403 Forbidden", "this origin may not connect"),
    ),
    "foreign Origin without an upgrade": Case(
        request("/fallback", "Origin: https://elsewhere.example"), FALLBACK
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_websocket_route_answers_what_is_no_opening_handshake_and_keeps_the_connection(
    world: World, name: str
) -> None:
    """RFC 6455 §4.2.1 and §4.4, RFC 9110 §7.8, §15.5.6 and §15.5.22."""
    case = CASES[name]
    async with world.serving(application(world)) as server, world.at_once():
        peer = await server.connected()
        await peer.send(case.sent)
        assert await peer.receive_answer(has_content=case.has_content) == case.answer
        await peer.send(request("/alive"))
        assert await peer.receive_answer() == ALIVE
    assert world.ends == []


def last(expected: bytes, *connection: str) -> bytes:
    """Make the last answer of its connection of one that is not."""
    lines = "".join(f"Connection: {each}\r\n" for each in connection or ("close",)).encode()
    return expected.replace(b"Connection: Upgrade\r\n", b"").replace(
        b"\r\n\r\n", b"\r\n" + lines + b"\r\n", 1
    )


BODY: Final = answer("400 Bad Request", "an opening handshake has no content", ends=True)
LAST: Final[dict[str, Case]] = {
    "HTTP/1.0": Case(shake(path="/alone", version="1.0"), last(REQUIRED, "close", "upgrade")),
    "HTTP/1.0, fallback": Case(shake(path="/fallback", version="1.0"), last(FALLBACK)),
    "HTTP/1.0, GET route": Case(shake(path="/page", version="1.0"), last(PAGE)),
    "a body with a length": Case(shake("Content-Length: 3", path="/fallback") + b"abc", BODY),
    "a body in chunks": Case(
        shake("Transfer-Encoding: chunked", path="/fallback") + b"3\r\nabc\r\n0\r\n\r\n", BODY
    ),
    "a body that does not come": Case(shake("Content-Length: 3", path="/fallback"), BODY),
    "426 and bytes behind the head": Case(
        shake("Sec-WebSocket-Version: 12", path="/alone", without="Sec-WebSocket-Version") + say("early"),
        last(NOT_13, "upgrade, close"),
    ),
    "400 and bytes behind the head": Case(
        shake(path="/alone", without="Sec-WebSocket-Key") + say("early"), last(BAD_KEY)
    ),
    "403 and bytes behind the head": Case(
        shake("Origin: https://elsewhere.example", path="/alone") + say("early"),
        answer("403 Forbidden", "this origin may not connect", ends=True),
    ),
    "403 and a request behind the head": Case(
        shake("Origin: https://elsewhere.example", path="/alone") + request("/alive"),
        answer("403 Forbidden", "this origin may not connect", ends=True),
    ),
}


@pytest.mark.parametrize("name", LAST)
async def test_some_answers_are_the_last_of_their_connection(world: World, name: str) -> None:
    """What stands behind the head is dropped: it is no request of HTTP (RFC 9112 §9.6 for how it ends)."""
    case = LAST[name]
    async with world.serving(application(world)) as server, world.at_once():
        peer = await server.connected()
        await peer.send(case.sent)
        assert await peer.receive_answer() == case.answer
        await peer.expect_end()
    assert world.ends == []


async def test_the_first_row_that_fits_counts(world: World) -> None:
    """Method before version, version before key, key before body, body before Origin."""
    faults = ("Origin: https://elsewhere.example", "Content-Length: 3", "Sec-WebSocket-Version: 12")
    async with world.serving(application(world)) as server, world.at_once():
        for sent, expected in (
            (shake(*faults, path="/alone", method="POST"), NOT_ALLOWED),
            (shake(*faults, path="/alone", without="Sec-WebSocket-Key"), last(NOT_13, "upgrade, close")),
            (shake(*faults[:2], path="/alone", without="Sec-WebSocket-Key"), last(BAD_KEY)),
            (shake(*faults[:2], path="/alone"), BODY),
        ):
            peer = await server.connected()
            await peer.send(sent)
            assert await peer.receive_answer() == expected


async def test_a_handshake_during_a_shutdown_is_answered_503(world: World) -> None:
    """Before every other row; `Connection: close` (RFC 9110 §15.6.4)."""
    refused = answer("503 Service Unavailable", "Service Unavailable\n", ends=True)
    async with world.serving(application(world)) as server, world.at_once():
        good, bad = await server.connected(), await server.connected()
        await good.send(shake(path="/fallback")[:-2])
        await bad.send(shake(path="/alone", method="POST", without="Sec-WebSocket-Version")[:-2])
        await world.rest()
        server.shutdown()
        for peer in (good, bad):
            await peer.send(b"\r\n")
            assert await peer.receive_answer() == refused
            await peer.expect_end()
        await server.closed()
    assert world.ends == []


async def test_bytes_behind_the_head_are_held_until_the_101_and_then_parsed_as_frames(world: World) -> None:
    """Whatever they look like: never as HTTP."""
    app = world.app()

    async def wait(request: Request, next: Next) -> Outcome:
        await world.held()
        return await next()

    with app.group("/", middleware=[wait]) as group:
        group.ws("/echo", echo)
    async with world.serving(app) as server, world.at_once():
        for behind, expected in (
            (say("early", "bird"), said("early") + said("bird")),
            (frame(TEXT, b"GET / HTTP/1.1\r\n\r\n"), server_frame(TEXT, b"GET / HTTP/1.1\r\n\r\n")),
            (request("/echo"), closing(1002)),
        ):
            world.notes.clear()
            peer = await server.connected()
            await peer.send(shake(path="/echo") + behind[:3])
            await world.noted("held")
            await peer.send(behind[3:])
            await world.rest()
            world.let_go()
            await peer.expect(SWITCHED, expected)


async def test_reading_pauses_when_too_much_stands_behind_the_head(world: World) -> None:
    """`max_read_ahead`, as for pipelining; nothing of it is lost."""
    app = world.app()

    async def wait(request: Request, next: Next) -> Outcome:
        await world.held()
        return await next()

    with app.group("/", middleware=[wait]) as group:
        group.ws("/count", count)
    payload = bytes(1 << 20)
    async with world.serving(app) as server:
        peer = await server.connected()
        await peer.send(shake(path="/count"))
        await world.noted("held")
        peer.flood(frame(0x2, payload, mask=bytes(4)) * 16)
        await world.rest()
        world.let_go()
        await peer.expect(SWITCHED, *[said(str(len(payload)))] * 16)


async def count(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(str(len(message)))


async def test_a_denial_with_bytes_behind_the_head_says_connection_close(world: World) -> None:
    """A middleware's too, and nothing behind it is answered."""
    app = world.app()

    async def deny(request: Request, next: Next) -> Outcome:
        await world.held()
        return Response("not you", status_code=401)

    with app.group("/", middleware=[deny]) as group:
        group.ws("/echo", echo)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake(path="/echo") + request("/echo"))
        await world.noted("held")
        world.let_go()
        assert await peer.receive_answer() == answer("401 Unauthorized", "not you", ends=True)
        await peer.expect_end()


async def test_a_fallback_runs_inside_the_same_middleware_and_its_exceptions_go_to_the_filters(
    world: World,
) -> None:
    app = world.app()

    async def around(request: Request, next: Next) -> Outcome:
        world.note(f"around, upgrade {request.is_upgrade}")
        return await next()

    async def fail(request: Request) -> str:
        raise KeyError("in the fallback")

    @app.exceptions.filter(KeyError)
    async def explain(error: KeyError, request: Request) -> Response:
        return Response(f"no {error.args[0]}", status_code=404)

    with app.group("/", middleware=[around]) as group:
        group.ws("/echo", echo, fallback=fail)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/echo"))
        assert await peer.receive_answer() == answer("404 Not Found", "no in the fallback")
    assert world.notes == ["around, upgrade False"]


async def test_an_abort_426_raised_by_hand_gets_the_three_fields_too(world: World) -> None:
    """RFC 9110 §15.5.22."""
    app = world.app()

    @app.get("/")
    async def refuse(request: Request) -> str:
        raise Abort(426, "use a WebSocket")

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/"))
        assert await peer.receive_answer() == answer("426 Upgrade Required", "use a WebSocket", *UPGRADE)


async def test_an_offer_on_a_path_without_a_websocket_is_ignored(world: World) -> None:
    """RFC 9110 §7.8: a server may ignore Upgrade."""
    async with world.serving(application(world)) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake(path="/alive"))
        assert await peer.receive_answer() == ALIVE
        await peer.send(shake(path="/nowhere"))
        assert await peer.receive_answer() == answer("404 Not Found", "Not Found")
        await peer.send(shake(path="/alone"))
        await peer.expect(SWITCHED)
        await peer.fence()
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
