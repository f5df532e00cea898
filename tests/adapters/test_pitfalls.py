"""What implementers get wrong (semantics, section 13), as a peer would notice it, in every world."""

from __future__ import annotations

from typing import Final

import pytest

from adapters.world import World, answer, close, closing, ping, request, said, say, server_frame, shake
from frames import BINARY, CONTINUATION, PONG, TEXT, frame
from handshakes import SWITCHED
from spry_core import Abort, Next, Outcome, Request, SendResult, WebSocket

pytestmark = pytest.mark.anyio

HELLO: Final = answer("200 OK", "hello")
CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"


async def hello(request: Request) -> str:
    return "hello"


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def stay(ws: WebSocket, request: Request) -> None:
    await ws.closed


# ------------------------------------------------------------------------------------------------------------ HTTP


@pytest.mark.parametrize("size", [3, 64 * 1024])
async def test_a_content_that_nobody_reads_is_dropped_and_the_next_request_is_the_next_request(
    world: World, size: int
) -> None:
    """Up to 64 KiB; what looks like a request in it is none."""
    app = world.app()
    app.get("/", hello)

    @app.post("/")
    async def ignore(request: Request) -> str:
        return "ignored"

    embedded = request("/", method="DELETE")
    content = (embedded * (size // len(embedded) + 1))[:size]
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        peer.flood(request("/", f"Content-Length: {size}", method="POST", content=content) + request("/"))
        assert await peer.receive_answer() == answer("200 OK", "ignored")
        assert await peer.receive_answer() == HELLO


async def test_of_a_content_that_is_longer_nobody_waits_for_the_end(world: World) -> None:
    """The answer says that it is the last, and what is in the content is never served."""
    app = world.app()
    app.get("/", hello)

    @app.post("/")
    async def ignore(request: Request) -> str:
        return "ignored"

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        peer.flood(request("/", "Content-Length: 10000000", method="POST", content=request("/") * 5))
        assert await peer.receive_answer() == answer("200 OK", "ignored", ends=True)
        await peer.expect_end()


async def test_after_a_denial_with_a_content_the_connection_is_still_http(world: World) -> None:
    """Who denies must have seen the end of the content first."""
    app = world.app()

    async def deny(request: Request, next: Next) -> Outcome:
        raise Abort(401)

    with app.group("/", middleware=[deny]) as group:
        group.post("/", hello)
    app.get("/alive", hello)
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/", "Transfer-Encoding: chunked", method="POST", content=b"3\r\nabc\r\n"))
        assert await peer.receive_answer() == answer("401 Unauthorized", "Unauthorized")
        await peer.send(b"2\r\nde\r\n0\r\n\r\n" + request("/alive"))
        assert await peer.receive_answer() == HELLO


async def test_100_continue_is_sent_when_the_content_is_first_asked_for_and_once(world: World) -> None:
    """RFC 9110 §10.1.1."""
    app = world.app()

    @app.post("/")
    async def read(request: Request) -> str:
        await world.held()
        first = await request.read()
        return f"{first.decode()}{(await request.read()).decode()}"

    expecting = request("/", "Expect: 100-continue", "Content-Length: 3", method="POST")
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        for _ in range(2):
            world.notes.clear()
            await peer.send(expecting)
            await world.noted("held")
            await world.rest()
            world.let_go()
            await peer.expect(CONTINUE)
            await peer.send(b"abc")
            assert await peer.receive_answer() == answer("200 OK", "abcabc")


async def test_100_continue_is_never_sent_after_a_final_answer_nor_when_the_content_is_there(
    world: World,
) -> None:
    """RFC 9110 §10.1.1: who did not ask for the content ends the connection, since nobody knows what follows."""
    app = world.app()

    @app.post("/refuse")
    async def refuse(request: Request) -> str:
        return "no, thanks"

    @app.post("/read")
    async def read(request: Request) -> str:
        await world.held()
        return await request.text()

    fields = ("Expect: 100-continue", "Content-Length: 3")
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/refuse", *fields, method="POST"))
        await peer.expect_end_of(answer("200 OK", "no, thanks", ends=True))
        peer = await server.connected()
        await peer.send(request("/read", *fields, method="POST", content=b"abc"))
        await world.noted("held")
        await world.rest()
        world.let_go()
        assert await peer.receive_answer() == answer("200 OK", "abc")


async def test_bytes_behind_the_101_are_taken_once(world: World) -> None:
    """Not lost, not doubled, also when they come in many pieces."""
    app = world.app()
    app.ws("/", echo)
    texts = [f"message {number}" for number in range(50)]
    async with world.serving(app) as server, world.at_once():
        whole, cut = await server.connected(), await server.connected()
        sent = shake() + say(*texts)
        await whole.send(sent)
        for start in range(0, len(sent), 13):
            await cut.send(sent[start : start + 13])
        for peer in (whole, cut):
            await peer.expect(SWITCHED, *[said(text) for text in texts])
            await peer.fence()


# ------------------------------------------------------------------------------------------------------ WebSocket

EARLIEST: Final[dict[str, bytes]] = {
    "a byte that is never right": b"abc\xff",
    "a surrogate, at its second byte": b"abc\xed\xa0",
    "overlong, at its second byte": b"abc\xe0\x80",
    "beyond U+10FFFF, at its second byte": b"abc\xf4\x90",
    "overlong, of two bytes": b"abc\xc0",
}


@pytest.mark.parametrize("is_fragment", [True, False])
@pytest.mark.parametrize("name", EARLIEST)
async def test_invalid_utf_8_fails_the_connection_at_the_earliest_byte(
    world: World, name: str, is_fragment: bool
) -> None:
    """RFC 6455 §8.1: in a fragment before the message ends, in a frame before its payload does."""
    payload = EARLIEST[name]
    async with world.opened(echo) as peer, world.at_once():
        if is_fragment:
            await peer.send(frame(TEXT, payload[:4], fin=False))
            await peer.send(frame(CONTINUATION, payload[4:], fin=False))
        else:
            whole = frame(TEXT, payload + b"more to come")
            await peer.send(whole[: len(whole) - len(b"more to come")])
        await peer.expect_end(closing(1007))


async def test_every_ping_is_answered_in_order_also_ten_in_one_read(world: World) -> None:
    """RFC 6455 §5.5.3."""
    async with world.opened(stay) as peer, world.at_once():
        payloads = [b"%d" % number for number in range(10)] + [b"", bytes(125)]
        await peer.send(b"".join(map(ping, payloads)))
        await peer.expect(*[server_frame(PONG, payload) for payload in payloads])


async def test_a_peer_that_pings_and_never_reads_does_not_grow_our_buffer(world: World) -> None:
    """Above the mark only the latest Pong is kept, and sent when there is room."""
    chunk = bytes(1 << 16)
    async with world.opened(stay, is_reading=False) as peer:
        ws, count = world.ws, 0
        while ws.buffered_amount <= 65536:
            assert count < 1000
            count += 1
            if ws.send_nowait(chunk) is SendResult.BACKPRESSURE:
                await world.rest()
        before = ws.buffered_amount
        for number in range(200):
            await peer.send(ping(b"%d" % number))
        await world.rest()
        assert ws.buffered_amount <= before
        await peer.expect(*[server_frame(BINARY, chunk)] * count)
        await peer.expect(server_frame(PONG, b"199"))
        await peer.fence()


async def test_a_flood_that_nobody_consumes_is_held_back_and_delivered_whole(world: World) -> None:
    """The pump may take one more read after the core wants none; nothing is lost or doubled by that."""
    received: list[str | bytes] = []

    async def consume_late(ws: WebSocket, request: Request) -> None:
        await world.held()
        async for message in ws:
            received.append(message)
            if message == "last":
                await ws.send("done")

    texts = [f"{number:05}" * 2000 for number in range(500)]
    async with world.opened(consume_late) as peer:
        await world.noted("held")
        peer.flood(say(*texts, "last"))
        await world.rest()
        world.let_go()
        await peer.expect(said("done"))
    assert received == [*texts, "last"]


async def test_a_reset_while_a_sender_waits_wakes_it_and_ends_the_handler(world: World) -> None:
    """`connection_lost` never resumes writing: the waiters are woken by the end."""

    async def push(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        try:
            while True:
                await ws.send(bytes(1 << 16))
        finally:
            world.note("woken")

    async with world.opened(push, is_reading=False) as peer:
        await peer.send(say("go"))
        await world.rest()
        peer.reset()
        await world.noted("woken")
        assert (await world.end()).close_code == 1006


async def test_one_bad_peer_ends_nothing_but_its_own_connection(world: World) -> None:
    """Whatever it sends behind an opening handshake, or instead of one."""
    app = world.app()
    app.ws("/", echo)
    async with world.serving(app) as server, world.at_once():
        good = await server.upgraded("/")
        for sent in (
            b"\x00" * 100,
            b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n",
            shake() + b"\xff" * 100,
            shake("Sec-WebSocket-Protocol: \u00fc, , ;"),
            shake() + frame(0x8, b"\x00"),
            shake() + close(1000) + b"trailing",
        ):
            bad = await server.connected()
            await bad.send(sent)
            bad.end()
            await bad.receive_all()
            bad.close()
        await good.send(say("still there"))
        await good.expect(said("still there"))
        assert server.take_errors() == []
