"""The outcome table: what is done to a WebSocket route, and what its peer sees; the rows of `test_outcomes` and of
the page docs/reference/outcomes.md.

A row's name is what the page calls it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.serving import handshake
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
)
from frames import BINARY, CONTINUATION, PONG, TEXT, frame
from handshakes import SWITCHED
from spry_core import (
    Abort,
    Application,
    ConnectionClosed,
    Middleware,
    Next,
    Outcome,
    Request,
    Response,
    WebSocket,
    WebSocketClose,
)
from spry_core.web.upgrade import WebSocketHandler

SHAKE: Final = handshake("/echo")

SOON: Final = 0.1
"""Seconds of the timeouts that run out."""


def application(world: World) -> Application:
    """Handlers that echo, return, raise and are busy with something else; a middleware that raises.

    What a handler meets is noted, and so is what an app-wide middleware gets from `next()`.
    """
    app = world.app()
    app.middleware.use(note_outcomes(world))
    echo, leave = echoing(world), returning(world)
    app.ws("/echo", echo)
    app.ws("/both", echo)
    app.get("/both", say_hello)
    app.ws("/fallback", echo, fallback=say_hello)
    app.ws("/chosen", echo, protocols=["chat"], require_protocol=True)
    app.ws("/silent", echo, ping_interval=SOON, ping_timeout=SOON)
    app.ws("/busy", busy(world))
    app.ws("/return", leave)
    app.ws("/close", leave, close_on_return=True)
    app.ws("/leave", returning(world, lambda ws: ws.close(4002, "leave")), close_timeout=SOON)
    app.ws("/abort", aborting(world))
    app.ws("/raise", raising(world, ZeroDivisionError("in a handler")))
    app.ws("/raise/close", raising(world, WebSocketClose(4001, "enough")))
    app.ws("/raise/403", raising(world, Abort(403)))
    app.ws("/raise/503", raising(world, Abort(503)))
    app.ws("/by-hand/raise", raising(world, ZeroDivisionError("before the 101")), accept="manual")
    app.ws("/by-hand/refuse", returning(world, refuse), accept="manual")
    app.ws("/by-hand/forget", leave, accept="manual")
    with app.group("/denied", middleware=[raise_before]) as denied:
        denied.ws("/", echo)
    with app.group("/refused", middleware=[refuse_before]) as refused:
        refused.ws("/", echo)
    return app


def note_outcomes(world: World) -> Middleware:
    """Note the answers that `next()` gives, and what it raises; how WebSockets end is in `world.ends`."""

    async def note(request: Request, next: Next) -> Outcome:
        try:
            outcome = await next()
        except Exception as error:
            world.note(f"middleware: raises `{type(error).__name__}`")
            raise
        if isinstance(outcome, Response):
            world.note(f"middleware: `Response` {outcome.status_code}")
        return outcome

    return note


def echoing(world: World) -> WebSocketHandler:
    """Send back what comes, to the end."""

    async def echo(ws: WebSocket, request: Request) -> None:
        world.note("handler: is in its loop")
        try:
            async for message in ws:
                await ws.send(message)
        except ConnectionClosed as error:
            world.note(f"handler: its loop raises `{type(error).__name__}`")
            raise
        world.note("handler: its loop ends")

    return echo


def busy(world: World) -> WebSocketHandler:
    """Wait for something else than the peer, then do the next thing with it."""

    async def wait(ws: WebSocket, request: Request) -> None:
        world.note("handler: is busy")
        await world.held("busy")
        try:
            await ws.send("finished")
        except ConnectionClosed as error:
            world.note(f"told {error.close_code}")
            world.note(f"handler: its next operation raises `{type(error).__name__}`")

    return wait


def returning(world: World, act: Callable[[WebSocket], object] = lambda ws: None) -> WebSocketHandler:
    """Do one thing and return: what it gives, if that is a response."""

    async def leave(ws: WebSocket, request: Request) -> Response | None:
        result = act(ws)
        world.note("handler: has returned")
        return result if isinstance(result, Response) else None

    return leave


def aborting(world: World) -> WebSocketHandler:
    """Cut the connection when a message has come: an abort drops what is unsent, the 101 too."""

    async def cut(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        ws.abort()
        world.note("handler: has returned")

    return cut


def raising(world: World, error: Exception) -> WebSocketHandler:
    """Raise at once."""

    async def fail(ws: WebSocket, request: Request) -> None:
        world.note("handler: has raised it")
        raise error

    return fail


def refuse(ws: WebSocket) -> Response:
    return Response("not today", status_code=409)


async def say_hello(request: Request) -> str:
    return "hello"


async def raise_before(request: Request, next: Next) -> Outcome:
    raise ZeroDivisionError("in a middleware")


async def refuse_before(request: Request, next: Next) -> Outcome:
    raise Abort(401)


# -------------------------------------------------------------------------------------------------- before the 101


HELLO: Final = answer("200 OK", "hello")
ASK: Final = request("/both")
FAILED: Final = answer("500 Internal Server Error", "Internal Server Error")


@dataclass
class Refused:
    """An opening handshake that gets another answer; the connection is kept."""

    request: bytes
    answer: bytes
    error: str | None = None
    """What is logged with a traceback."""


REFUSED: Final = {
    "a middleware raises": Refused(handshake("/denied/"), FAILED, "ZeroDivisionError('in a middleware')"),
    "a middleware raises `Abort(401)`": Refused(
        handshake("/refused/"), answer("401 Unauthorized", "Unauthorized")
    ),
    'the handler raises before it accepts (`accept="manual"`)': Refused(
        handshake("/by-hand/raise"), FAILED, "ZeroDivisionError('before the 101')"
    ),
    'the handler returns a response instead (`accept="manual"`)': Refused(
        handshake("/by-hand/refuse"), answer("409 Conflict", "not today")
    ),
    'the handler returns nothing and has not accepted (`accept="manual"`)': Refused(
        handshake("/by-hand/forget"),
        FAILED,
        "WebSocketStateError('WS /by-hand/forget has returned without `await ws.accept()` and without an answer')",
    ),
    "a plain GET, and there is a `fallback`": Refused(request("/fallback"), HELLO),
    "a plain GET, and there is a GET route of the same path": Refused(ASK, HELLO),
    "a plain GET": Refused(request("/echo"), answer("426 Upgrade Required", "Upgrade Required", *UPGRADE)),
    "Sec-WebSocket-Version is 12": Refused(
        SHAKE.replace(b"Version: 13", b"Version: 12"),
        answer("426 Upgrade Required", "Sec-WebSocket-Version is not 13", *UPGRADE),
    ),
    "there is no Sec-WebSocket-Key": Refused(
        SHAKE.replace(b"Sec-WebSocket-Key", b"X-Key"),
        answer("400 Bad Request", "Sec-WebSocket-Key is not one key of 16 bytes"),
    ),
    "the method is POST": Refused(
        SHAKE.replace(b"GET", b"POST"),
        answer("405 Method Not Allowed", "Method Not Allowed", "Allow: GET, HEAD, OPTIONS"),
    ),
    "Origin names another site": Refused(
        SHAKE.replace(b"Upgrade: w", b"Origin: http://elsewhere.example\r\nUpgrade: w"),
        answer("403 Forbidden", "this origin may not connect"),
    ),
    "there is no common subprotocol, and one is required": Refused(
        handshake("/chosen"), answer("400 Bad Request", "no common subprotocol")
    ),
}


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
    """What is logged with a traceback."""


ENDED: Final = {
    "the handler returns (`close_on_return=True`)": Ended(
        b"", closing(1000), "1000 by local, sent 1000, received 1000, clean", "/close"
    ),
    "the handler raises": Ended(
        b"",
        closing(1011),
        "1011 by local, sent 1011, received 1011, clean, ZeroDivisionError",
        "/raise",
        "ZeroDivisionError('in a handler')",
    ),
    'the handler raises `WebSocketClose(4001, "enough")`': Ended(
        b"",
        closing(4001, "enough"),
        "4001 enough by local, sent 4001 enough, received 4001 enough, clean, WebSocketClose",
        "/raise/close",
    ),
    "the handler raises `Abort(403)`": Ended(
        b"", closing(1008), "1008 by local, sent 1008, received 1008, clean, Abort", "/raise/403"
    ),
    "the handler raises `Abort(503)`": Ended(
        b"",
        closing(1011),
        "1011 by local, sent 1011, received 1011, clean, Abort",
        "/raise/503",
        "Abort(503, '')",
    ),
    "a frame without a mask": Ended(
        server_frame(TEXT, b"bare"),
        closing(1002),
        "1002 by local, sent 1002, received nothing, unclean, RemoteProtocolError",
    ),
    "text that is not UTF-8": Ended(
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
    "Close that is empty": Ended(close(), closing(), "1005 by remote, sent empty, received empty, clean"),
    "Close with code 4001": Ended(
        close(4001, "enough"),
        closing(4001),
        "4001 enough by remote, sent 4001, received 4001 enough, clean",
    ),
    "text of 2 MiB": Ended(
        frame(TEXT, b"a" * (2 << 20), mask=bytes(4)),
        closing(1009),
        "1009 by local, sent 1009, received nothing, unclean, RemoteProtocolError",
    ),
}


async def end(row: Ended, peer: Peer) -> None:
    """Send what ends the connection, and see how it ends; answer a Close frame that expects an answer."""
    await peer.send(row.frames)
    if "by local" in row.told and "received nothing" not in row.told:
        await peer.expect(row.answer)
        await peer.send(frame(0x8, row.answer[2:]))
        await peer.expect_end()
    else:
        await peer.expect_end(row.answer)


# --------------------------------------------------------------------- the handler is busy, or time and the network end it


async def close_on_a_busy_handler(world: World, server: Served, peer: Peer) -> None:
    """Close while the handler does something else; then let it go on."""
    await world.noted("busy")
    await peer.send(close(4001, "enough"))
    await peer.expect_end(closing(4001))
    world.let_go()
    await world.noted("told 4001")


async def shut_down(world: World, server: Served, peer: Peer) -> None:
    """Shut the server down, and answer its Close frame."""
    server.shutdown()
    await peer.expect(closing(1001))
    await peer.send(close(1001))
    await peer.expect_end()
    await server.closed()


async def reset(world: World, server: Served, peer: Peer) -> None:
    await peer.fence()
    peer.reset()


async def end_the_stream(world: World, server: Served, peer: Peer) -> None:
    peer.end()
    await peer.expect_end()


async def keep_silent(world: World, server: Served, peer: Peer) -> None:
    """See the Ping of keepalive and do not answer it."""
    assert (await peer.receive(2))[:1] == b"\x89"
    await peer.receive_until(closing(1011, "keepalive timeout"))
    await peer.expect_end()


async def ask_for_a_reset(world: World, server: Served, peer: Peer) -> None:
    await peer.send(say("cut me off"))
    await peer.expect_reset()


async def leave_close_unanswered(world: World, server: Served, peer: Peer) -> None:
    await peer.expect_reset(closing(4002, "leave"))


LOST: Final = "1006 by transport, sent nothing, received nothing, unclean, ConnectionLost"


@dataclass
class Acted:
    """What is done, and how that is recorded."""

    act: Callable[[World, Served, Peer], Awaitable[None]]
    told: str
    path: str = "/echo"
    duration: float = 0.0
    """Seconds that pass before the end."""
    traffic: tuple[int, int, int, int] | None = None
    """Messages and bytes received, and sent, if it is not what the path tells."""


ACTED: Final = {
    "Close while the handler is busy": Acted(
        close_on_a_busy_handler,
        "4001 enough by remote, sent 4001, received 4001 enough, clean",
        "/busy",
    ),
    "the server is shut down": Acted(shut_down, "1001 by shutdown, sent 1001, received 1001, clean"),
    "the stream is reset": Acted(reset, LOST.replace("ConnectionLost", "ConnectionResetError")),
    "the stream ends without a Close frame": Acted(end_the_stream, LOST),
    "the peer does not answer the Ping of keepalive": Acted(
        keep_silent,
        "1011 keepalive timeout by timeout, sent 1011 keepalive timeout, received nothing, unclean, "
        "KeepaliveTimeout",
        "/silent",
        duration=2 * SOON,
    ),
    'the handler calls `ws.close(4002, "leave")`, and the peer does not answer': Acted(
        leave_close_unanswered,
        "4002 leave by timeout, sent 4002 leave, received nothing, unclean, ConnectionLost",
        "/leave",
        duration=SOON,
    ),
    "the handler calls `ws.abort()`": Acted(
        ask_for_a_reset,
        "1006 by local, sent nothing, received nothing, unclean",
        "/abort",
        traffic=(1, 10, 0, 0),
    ),
}


# -------------------------------------------------------------------------------------------------- what goes on


@dataclass
class Answered:
    """What a WebSocket is sent, and what it answers; it stays open."""

    frames: Sequence[bytes]
    answer: bytes
    path: str = "/echo"


ANSWERED: Final = {
    "the handler returns": Answered([say("unheard")], b"", "/return"),
    "UTF-8 that is cut by fragments, and a Ping between them": Answered(
        [
            frame(TEXT, b"gr\xc3", fin=False),
            ping(b"inside"),
            frame(CONTINUATION, b"\xbc\xc3\x9f", fin=False),
            frame(CONTINUATION, b"e"),
        ],
        server_frame(PONG, b"inside") + said("grüße"),
    ),
    "a binary message that is empty": Answered([frame(BINARY)], server_frame(BINARY)),
    "Pings while the handler is busy": Answered(
        [ping(b"1"), ping(b"2")], server_frame(PONG, b"1") + server_frame(PONG, b"2"), "/busy"
    ),
}


async def converse(row: Answered, peer: Peer) -> None:
    """Send what is sent, and see it answered, and nothing else."""
    for each in row.frames:
        await peer.send(each)
    await peer.expect(row.answer)
    await peer.fence()


async def send_early(peer: Peer) -> None:
    """Send a message in one packet with the opening handshake, and see it answered behind the 101."""
    await peer.send(SHAKE + say("early"))
    await peer.expect(SWITCHED, said("early"))
