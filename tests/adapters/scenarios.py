"""What a connection may be in the middle of when something fails: handlers that wait in every way, and what their peer says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, cast

from adapters.world import Peer, World, close, ping, request, say, shake
from frames import BINARY, CONTINUATION, TEXT, frame
from spry_core import Application, ConnectionClosed, Next, Outcome, Request, WebSocket, scope, sleep, timeout

Wrap: TypeAlias = Callable[[Callable[..., Awaitable[object]]], Callable[..., Awaitable[object]]]
"""Puts a fault into a function."""

Select: TypeAlias = Callable[[list[str]], Awaitable[str]]

BRIEF: Final = 0.002
HEALTHY: Final = request("/healthy")
LONG: Final = "x" * 2_000_000
"""More than the sockets of a peer that does not read take at once."""


@dataclass(frozen=True)
class Scenario:
    """One conversation."""

    build: Callable[[Application, Wrap], None]
    """Registers its handler, the fault inside."""

    says: tuple[bytes, ...]
    """What the peer says, one after the other, and then the end of its direction."""

    is_reading: bool = True


def http(handler: Callable[[Request], Awaitable[object]], *says: bytes) -> Scenario:
    """Make one of a POST route."""

    def build(app: Application, wrap: Wrap) -> None:
        app.post("/", wrap(handler))

    return Scenario(build, says)


def ws(
    handler: Callable[[WebSocket, Request], Awaitable[object]],
    *says: bytes,
    opening: bytes | None = None,
    is_reading: bool = True,
    cancels: bool = False,
    by_hand: bool = False,
) -> Scenario:
    """Make one of a WebSocket route."""

    def build(app: Application, wrap: Wrap) -> None:
        on_disconnect: Literal["raise", "cancel"] = "cancel" if cancels else "raise"
        accept: Literal["auto", "manual"] = "manual" if by_hand else "auto"
        app.ws("/", wrap(handler), on_disconnect=on_disconnect, accept=accept)

    return Scenario(build, (opening or shake(), *says), is_reading)


def post(content: bytes, *fields: str) -> bytes:
    """Make a request with a content."""
    return request("/", f"Content-Length: {len(content)}", *fields, method="POST", content=content)


# -------------------------------------------------------------------------------------------------------------- HTTP


async def read_it(request: Request) -> bytes:
    await sleep(BRIEF)
    return await request.read()


async def count_pieces(request: Request) -> str:
    size = 0
    async for piece in request.body:
        size += len(piece)
    return str(size)


async def stream_out(request: Request) -> AsyncIterator[bytes]:
    await sleep(0)

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            await sleep(BRIEF)
            yield b"piece"

    return pieces()


async def stream_both_ways(request: Request) -> AsyncIterator[bytes]:
    await sleep(0)

    async def pieces() -> AsyncIterator[bytes]:
        yield b"<"
        async for piece in request.body:
            yield piece

    return pieces()


async def be_limited(request: Request) -> str:
    with suppress(TimeoutError):
        with timeout(BRIEF):
            await sleep(3600)
    return "in time"


async def use_a_scope(request: Request) -> str:
    async with scope() as tasks:
        tasks.start_soon(sleep, BRIEF)
        tasks.start_soon(sleep, 2 * BRIEF)
        await sleep(BRIEF)
    return "all done"


def with_middleware(app: Application, wrap: Wrap) -> None:
    async def around(request: Request, next: Next) -> Outcome:
        await sleep(BRIEF)
        try:
            return await next()
        finally:
            await sleep(BRIEF)

    app.middleware.use(around)
    app.post("/", wrap(read_it))


# --------------------------------------------------------------------------------------------------------- WebSocket


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def add_stream(ws: WebSocket, request: Request) -> None:
    async def source() -> AsyncIterator[str]:
        for number in range(3):
            await sleep(BRIEF)
            yield f"item {number}"

    await ws.add_stream(source())


async def push_much(ws: WebSocket, request: Request) -> None:
    for _ in range(4):
        await ws.send(LONG)
    await ws.drained()


async def take_pieces(ws: WebSocket, request: Request) -> None:
    async for message in ws.incoming():
        async for piece in message:
            await ws.send(piece)


async def send_pieces(ws: WebSocket, request: Request) -> None:
    async def pieces() -> AsyncIterator[str]:
        for _ in range(3):
            await sleep(BRIEF)
            yield "piece"

    await ws.send_fragments(pieces(), "text")


async def ping_it(ws: WebSocket, request: Request) -> None:
    await ws.ping(b"are you there")
    await ws.receive()


async def close_it(ws: WebSocket, request: Request) -> None:
    await ws.send("so long")
    await ws.close(4000, "bye")
    await ws.closed


async def use_it_as_a_block(ws: WebSocket, request: Request) -> None:
    async with ws:
        await ws.receive()
        await sleep(BRIEF)


async def use_its_scope(ws: WebSocket, request: Request) -> None:
    async with ws.scope() as tasks:
        tasks.start_soon(sleep, 3600)
        tasks.start_soon(ws.send, "from a task")
        await ws.receive()
        await ws.receive()


async def await_its_end(ws: WebSocket, request: Request) -> None:
    await ws.discard_incoming()
    await ws.closed


async def only_push(ws: WebSocket, request: Request) -> None:
    """Never receive; the end of the connection cancels it."""
    while True:
        await ws.send("tick")
        await sleep(BRIEF)


async def hold_on(ws: WebSocket, request: Request) -> None:
    """Go on after the end, and clean up with waits."""
    try:
        while True:
            await ws.receive()
    except ConnectionClosed:
        await sleep(BRIEF)


async def accept_by_hand(ws: WebSocket, request: Request) -> None:
    await sleep(BRIEF)
    await ws.accept()
    await ws.send(await ws.receive())


async def deny_by_hand(ws: WebSocket, request: Request) -> object:
    await sleep(BRIEF)
    return "no"


def listen(app: Application, wrap: Wrap) -> None:
    """Listen with a callback that waits."""

    def start(ws: WebSocket, request: Request) -> None:
        async def call_back(message: str | bytes) -> None:
            await sleep(BRIEF)
            await ws.send(message)

        ws.listen(wrap(call_back))

    app.ws("/", start)


def choose_protocol(app: Application, wrap: Wrap) -> None:
    """Choose a subprotocol with waits."""

    async def select(offers: list[str]) -> str:
        await sleep(BRIEF)
        return offers[0]

    app.ws("/", wrap(echo), select_protocol=cast(Select, wrap(select)))


FRAGMENTED: Final = (
    frame(BINARY, b"one", fin=False),
    ping(b"between"),
    frame(CONTINUATION, b"two", fin=False) + frame(CONTINUATION, b"three"),
)

SCENARIOS: Final = {
    "a content is read": http(read_it, post(b"content")),
    "a content comes slowly": http(count_pieces, post(b"four")[:-3], b"ou", b"r"),
    "a content is asked for": http(count_pieces, post(b"four", "Expect: 100-continue")[:-4], b"four"),
    "two requests are pipelined": http(read_it, post(b"one") + post(b"two")),
    "an answer is streamed": http(stream_out, post(b"")),
    "both are streamed": http(stream_both_ways, post(b"12345678")[:-6], b"345", b"678"),
    "a wait has a limit": http(be_limited, post(b"")),
    "a request has a scope": http(use_a_scope, post(b"")),
    "there is middleware": Scenario(with_middleware, (post(b"content"),)),
    "a content is left unread": http(be_limited, post(b"x" * 1000)[:-500], b"x" * 500),
    "messages are echoed": ws(echo, say("one"), say("two", "three"), close(1000)),
    "a peer leaves without a word": ws(echo, say("one")),
    "a peer breaks the protocol": ws(echo, say("one") + frame(TEXT, b"\xff")),
    "messages are called back": Scenario(listen, (shake(), say("one", "two"), close(1000))),
    "a stream is added": ws(add_stream, close(1000)),
    "a peer does not read": ws(push_much, is_reading=False),
    "messages are taken in pieces": ws(take_pieces, *FRAGMENTED, close(1000)),
    "a message is sent in pieces": ws(send_pieces, close(1000)),
    "a ping is answered": ws(ping_it, frame(0xA, b"are you there"), say("one"), close(1000)),
    "a ping is never answered": ws(ping_it, close(1000)),
    "the server closes": ws(close_it, close(4000)),
    "the server closes, and the peer never": ws(close_it),
    "the socket is a block": ws(use_it_as_a_block, say("one"), close(1000)),
    "the socket has a scope": ws(use_its_scope, say("one"), close(1000)),
    "nobody receives": ws(await_its_end, say("one"), close(1000)),
    "the end cancels": ws(only_push, close(1000), cancels=True),
    "the handler goes on": ws(hold_on, say("one"), close(1000)),
    "it is accepted by hand": ws(accept_by_hand, say("one"), close(1000), by_hand=True),
    "it is denied by hand": ws(deny_by_hand, by_hand=True),
    "a subprotocol is chosen": Scenario(
        choose_protocol, (shake("Sec-WebSocket-Protocol: chat"), say("one"), close(1000))
    ),
}


async def hold(world: World, peer: Peer, says: tuple[bytes, ...]) -> None:
    """Be the peer of one: say everything, with a rest before each, and see an end, in order or by a reset."""
    for data in says:
        await world.rest()
        with suppress(ConnectionError):
            await peer.send(data)
    await world.rest()
    with suppress(OSError):
        peer.end()
    with suppress(ConnectionError):
        while await peer.receive_some():
            pass
    peer.close()
