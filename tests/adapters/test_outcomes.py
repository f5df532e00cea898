"""What a peer sees in twenty situations in which the servers of the field differ, to the byte, in every world.

Where the end of the stream could overtake a Close frame, the same is done two hundred times on each backend with sockets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from adapters.serving import SWITCHED, handshake
from adapters.world import (
    UPGRADE,
    Peer,
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
    tell,
)
from frames import BINARY, CONTINUATION, PONG, TEXT, frame
from spry_core import Application, ConnectionClosed, Next, Outcome, Request, WebSocket

pytestmark = pytest.mark.anyio

SHAKE: Final = handshake("/echo")
ROUNDS, CROWD = 10, 20


def application(world: World) -> Application:
    """Handlers that echo, return, raise and are busy with something else; a middleware that raises."""
    app = world.app()

    @app.ws("/busy")
    async def busy(ws: WebSocket, request: Request) -> None:
        """Wait for something else than the peer, then do the next thing with it."""
        await world.held("busy")
        try:
            await ws.send("finished")
        except ConnectionClosed as error:
            world.note(f"told {error.close_code}")

    app.ws("/echo", echo)
    app.ws("/return", return_at_once)
    app.ws("/close", return_at_once, close_on_return=True)
    app.ws("/raise", raise_error)
    app.ws("/fallback", echo, fallback=say_hello)
    app.ws("/both", echo)
    app.get("/both", say_hello)
    with app.group("/denied", middleware=[raise_before]) as denied:
        denied.ws("/", echo)
    return app


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def return_at_once(ws: WebSocket, request: Request) -> None:
    pass


async def raise_error(ws: WebSocket, request: Request) -> None:
    raise ZeroDivisionError("in a handler")


async def say_hello(request: Request) -> str:
    return "hello"


async def raise_before(request: Request, next: Next) -> Outcome:
    raise ZeroDivisionError("in a middleware")


# -------------------------------------------------------------------------------------------------- before the 101


HELLO: Final = answer("200 OK", "hello")
ASK: Final = request("/both")


@dataclass
class Refused:
    """An opening handshake that gets another answer; the connection is kept."""

    request: bytes
    answer: bytes


REFUSED = {
    "raises before accept": Refused(
        handshake("/denied/"), answer("500 Internal Server Error", "Internal Server Error")
    ),
    "plain GET, fallback": Refused(request("/fallback"), HELLO),
    "plain GET, GET route": Refused(ASK, HELLO),
    "plain GET": Refused(
        request("/echo"),
        answer("426 Upgrade Required", "Upgrade Required", *UPGRADE),
    ),
    "Sec-WebSocket-Version 12": Refused(
        SHAKE.replace(b"Version: 13", b"Version: 12"),
        answer("426 Upgrade Required", "Sec-WebSocket-Version is not 13", *UPGRADE),
    ),
    "no key": Refused(
        SHAKE.replace(b"Sec-WebSocket-Key", b"X-Key"),
        answer("400 Bad Request", "Sec-WebSocket-Key is not one key of 16 bytes"),
    ),
    "POST upgrade": Refused(
        SHAKE.replace(b"GET", b"POST"),
        answer("405 Method Not Allowed", "Method Not Allowed", "Allow: GET, HEAD, OPTIONS"),
    ),
    "foreign Origin": Refused(
        SHAKE.replace(b"Upgrade: w", b"Origin: http://elsewhere.example\r\nUpgrade: w"),
        answer("403 Forbidden", "this origin may not connect"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_opening_handshake_that_is_refused_leaves_http(world: World, name: str) -> None:
    """RFC 6455 §4.2 and §4.4, RFC 9110 §15.5; the connection is kept for the next request."""
    row = REFUSED[name]
    async with world.serving(application(world)) as server:
        peer = await server.connected()
        async with world.at_once():
            await peer.send(row.request)
            assert await peer.receive_answer() == row.answer
            await peer.send(ASK)
            assert await peer.receive_answer() == HELLO
        raised = [repr(error) for error in server.take_errors()]
        assert raised == (["ZeroDivisionError('in a middleware')"] if name == "raises before accept" else [])
    assert world.ends == []


# -------------------------------------------------------------------------------------------------- after the 101


@dataclass
class Ended:
    """What a WebSocket is sent, what it answers before the end of the stream, and how that is recorded."""

    frames: bytes
    answer: bytes
    told: str
    path: str = "/echo"
    """Where."""
    error: str | None = None
    """What is logged."""


ENDED = {
    "handler returns, close_on_return": Ended(
        b"", closing(1000), "1000 by local, sent 1000, received 1000, clean", "/close"
    ),
    "handler raises": Ended(
        b"",
        closing(1011),
        "1011 by local, sent 1011, received 1011, clean, ZeroDivisionError",
        "/raise",
        "ZeroDivisionError('in a handler')",
    ),
    "unmasked frame": Ended(
        server_frame(TEXT, b"bare"),
        closing(1002),
        "1002 by local, sent 1002, received nothing, unclean, RemoteProtocolError",
    ),
    "invalid UTF-8": Ended(
        frame(TEXT, b"caf\xe9!"),
        closing(1007),
        "1007 by local, sent 1007, received nothing, unclean, RemoteProtocolError",
    ),
    "Close with code 1005": Ended(
        close(1005),
        closing(1002),
        "1002 by local, sent 1002, received nothing, unclean, RemoteProtocolError",
    ),
    "Close with 1 byte": Ended(
        frame(0x8, b"\x03"),
        closing(1002),
        "1002 by local, sent 1002, received nothing, unclean, RemoteProtocolError",
    ),
    "empty Close": Ended(close(), closing(), "1005 by remote, sent empty, received empty, clean"),
    "2 MiB text": Ended(
        frame(TEXT, b"a" * (2 << 20), mask=bytes(4)),
        closing(1009),
        "1009 by local, sent 1009, received nothing, unclean, RemoteProtocolError",
    ),
}


async def end(row: Ended, peer: Peer) -> None:
    """Send what ends the connection, and see how it ends; answer a Close frame that expects an answer."""
    await peer.send(row.frames)
    if "received 1" in row.told:
        await peer.expect(row.answer)
        await peer.send(frame(0x8, row.answer[2:]))
        await peer.expect_end()
    else:
        await peer.expect_end(row.answer)


@pytest.mark.parametrize("name", ENDED)
async def test_a_websocket_ends_with_this_close_frame_and_an_end_of_stream(world: World, name: str) -> None:
    """RFC 6455 §7: the Close frame, then FIN, and never a reset."""
    row = ENDED[name]
    async with world.serving(application(world)) as server:
        peer = await server.upgraded(row.path)
        async with world.at_once():
            await end(row, peer)
            assert tell(await world.end()) == row.told
        assert [repr(error) for error in server.take_errors()] == ([row.error] if row.error else [])


@pytest.mark.parametrize("name", ENDED)
async def test_no_close_frame_is_ever_lost(socket_world: World, name: str) -> None:
    """Two hundred times: a reset or an early end would take the Close frame with it."""
    row, world = ENDED[name], socket_world
    async with world.serving(application(world)) as server:
        for number in range(ROUNDS):
            await crowd(server, row)
            await world.ended(CROWD * (number + 1))
        server.take_errors()
    assert [tell(info) for info in world.ends] == [row.told] * ROUNDS * CROWD


async def crowd(server: Served, row: Ended) -> None:
    """Do it with several connections at a time: all speak, then all are heard."""
    peers = [await server.upgraded(row.path) for _ in range(CROWD)]
    for task in [server.start(end, row, peer) for peer in peers]:
        await task.result()


# -------------------------------------------------------------------------------------------------- what goes on


@dataclass
class Answered:
    """What a WebSocket is sent, and what it answers; it stays open."""

    frames: Sequence[bytes]
    answer: bytes
    path: str = "/echo"


ANSWERED = {
    "handler returns": Answered([say("unheard")], b"", "/return"),
    "split UTF-8 + ping inside": Answered(
        [
            frame(TEXT, b"gr\xc3", fin=False),
            ping(b"inside"),
            frame(CONTINUATION, b"\xbc\xc3\x9f", fin=False),
            frame(CONTINUATION, b"e"),
        ],
        server_frame(PONG, b"inside") + said("grüße"),
    ),
    "empty binary message": Answered([frame(BINARY)], server_frame(BINARY)),
    "ping while the handler is busy": Answered(
        [ping(b"1"), ping(b"2")], server_frame(PONG, b"1") + server_frame(PONG, b"2"), "/busy"
    ),
}


@pytest.mark.parametrize("name", ANSWERED)
async def test_a_websocket_answers_this_and_stays_open(world: World, name: str) -> None:
    """RFC 6455 §5.4 to §5.6."""
    row = ANSWERED[name]
    async with world.serving(application(world)) as server:
        peer = await server.upgraded(row.path)
        async with world.at_once():
            for each in row.frames:
                await peer.send(each)
            await peer.expect(row.answer)
            await peer.fence()
            await peer.send(close(1000))
            await peer.expect_end(closing(1000))
            world.let_go()
            assert tell(await world.end()) == "1000 by remote, sent 1000, received 1000, clean"


async def test_a_frame_in_the_packet_of_the_handshake_is_answered_behind_the_101(world: World) -> None:
    """It may not be there (RFC 6455 §4.1), but it is kept."""
    async with world.serving(application(world)) as server:
        peer = await server.connected()
        async with world.at_once():
            await peer.send(SHAKE + say("early"))
            await peer.expect(SWITCHED, said("early"))
            await peer.fence()


async def test_a_peer_that_closes_while_the_handler_is_busy_is_answered_and_the_handler_is_told(
    world: World,
) -> None:
    """RFC 6455 §5.5.1: the answer waits for nobody; the handler's next operation raises."""
    async with world.serving(application(world)) as server:
        peer = await server.upgraded("/busy")
        async with world.at_once():
            await world.noted("busy")
            await peer.send(close(4001, "enough"))
            await peer.expect_end(closing(4001))
            world.let_go()
            await world.noted("told 4001")
            expected = "4001 enough by remote, sent 4001, received 4001 enough, clean"
            assert tell(await world.end()) == expected


async def test_a_shutdown_closes_an_open_websocket_with_1001(world: World) -> None:
    """What SIGTERM does under `run` (RFC 6455 §7.4.1: going away)."""
    async with world.serving(application(world)) as server:
        peer = await server.upgraded("/echo")
        async with world.at_once():
            server.shutdown()
            await peer.expect(closing(1001))
            await peer.send(close(1001))
            await peer.expect_end()
            await server.closed()
            assert tell(await world.end()) == "1001 by shutdown, sent 1001, received 1001, clean"


async def test_no_close_frame_of_a_shutdown_is_ever_lost(socket_world: World) -> None:
    """Two hundred connections of ten servers, idle or with a message under way."""
    world = socket_world
    for _ in range(ROUNDS):
        async with world.serving(application(world)) as server:
            peers = [await server.upgraded("/echo") for _ in range(CROWD)]
            for peer in peers[::2]:
                await peer.send(say("last words"))
            server.shutdown()
            for peer in peers:
                told = await peer.receive_until(closing(1001))
                assert told in (closing(1001), said("last words") + closing(1001))
                await peer.send(close(1001))
                await peer.expect_end()
            await server.closed()
    expected = "1001 by shutdown, sent 1001, received 1001, clean"
    assert [tell(info) for info in world.ends] == [expected] * ROUNDS * CROWD
