"""Messages piece by piece, of one kind, or thrown away (semantics, section 4), in every world."""

from __future__ import annotations

from typing import Final

import pytest

from adapters.world import Peer, World, close, closing, said, say, server_frame, tell
from frames import BINARY, CONTINUATION, TEXT, frame
from spry_core import (
    ConnectionClosed,
    Limits,
    ProtocolFailure,
    Request,
    WebSocket,
    WebSocketBusyError,
    WebSocketStateError,
    timeout,
)

pytestmark = pytest.mark.anyio

BIG: Final = 3 * 2**20
"""Bytes of a message that fits into no buffer on the way, all of them together."""


async def wait(ws: WebSocket, request: Request) -> None:
    """Do nothing, until the end; the test does it."""
    await ws.closed


async def answer_pieces(ws: WebSocket, request: Request) -> None:
    """Answer each piece as it comes, and the end of each message."""
    async for message in ws.incoming():
        async for piece in message:
            await ws.send(piece)
        await ws.send(f"end of {message.kind}")


async def test_pieces_come_as_they_arrive_and_text_is_cut_between_code_points(world: World) -> None:
    """RFC 6455 §5.4, §8.1: no frame has to end for that."""
    data = frame(TEXT, "grün".encode(), fin=False)
    async with world.opened(answer_pieces) as peer, world.at_once():
        await peer.send(data[:9])  # the header, two letters and half of the third
        await peer.expect(said("gr"))
        await peer.send(data[9:10])
        await peer.expect(said("ü"))
        await peer.send(data[10:])
        await peer.expect(said("n"))
        await peer.send(frame(CONTINUATION))
        await peer.expect(said("end of text"))
        await peer.send(frame(BINARY, b"\x00\xff"))
        await peer.expect(server_frame(BINARY, b"\x00\xff"), said("end of binary"))
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        assert tell(await world.end()) == "1000 by remote, sent 1000, received 1000, clean"


async def test_reading_stops_within_a_frame_while_pieces_are_not_consumed(world: World) -> None:
    sizes: list[int] = []

    async def hesitate(ws: WebSocket, request: Request) -> None:
        async for message in ws.incoming():
            async for piece in message:
                sizes.append(len(piece))
                if len(sizes) == 1:
                    await world.held()
            await ws.send(str(sum(sizes)))

    async with world.opened(hesitate, max_message_size=None) as peer:
        peer.flood(frame(BINARY, bytes(BIG)))
        await world.noted("held")
        await world.rest()
        assert len(sizes) == 1
        world.let_go()
        await peer.expect(said(str(BIG)))
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
    # What waited for the reader is at most the queue and one read of the pump beyond it.
    assert max(sizes) <= 3 * 65_536


@pytest.mark.parametrize("size", [4, 5])
async def test_a_message_that_is_too_big_for_its_reader_fails_the_connection(world: World, size: int) -> None:
    """RFC 6455 §7.4.1."""

    async def read(ws: WebSocket, request: Request) -> None:
        async for message in ws.incoming():
            await ws.send(await message.read(4))

    async with world.opened(read) as peer, world.at_once():
        await peer.send(frame(TEXT, "é".encode(), fin=False))
        await peer.send(frame(CONTINUATION, b"x" * (size - 2)))
        if size == 4:
            await peer.expect(said("éxx"))
            await peer.send(close(1000))
            await peer.expect_end(closing(1000))
        else:
            await peer.expect_end(closing(1009))
            failed = "1009 by local, sent 1009, received nothing, unclean, RemoteProtocolError"
            assert tell(await world.end()) == failed


@pytest.mark.parametrize(("wanted", "opcode"), [("text", BINARY), ("bytes", TEXT), ("json", BINARY)])
async def test_the_other_kind_fails_the_connection_with_1003(world: World, wanted: str, opcode: int) -> None:
    """RFC 6455 §7.4.1."""

    async def receive(ws: WebSocket, request: Request) -> None:
        ways = {"text": ws.receive_text, "bytes": ws.receive_bytes, "json": ws.receive_json}
        try:
            await ways[wanted]()
        except ProtocolFailure as failure:
            world.note(f"{failure.close_code}: {failure.__cause__}")

    async with world.opened(receive) as peer, world.at_once():
        await peer.send(frame(opcode, b"1") + say("dropped"))
        await peer.expect_end(closing(1003))
        failed = "1003 by local, sent 1003, received nothing, unclean, RemoteProtocolError"
        assert tell(await world.end()) == failed
    kind = "binary" if wanted == "bytes" else "text"
    assert world.notes == [f"1003: a message that is not {kind}"]


async def test_text_that_is_no_json_is_a_value_error_and_the_connection_stays_open(world: World) -> None:
    async def receive(ws: WebSocket, request: Request) -> None:
        with pytest.raises(ValueError, match="Expecting"):
            await ws.receive_json()
        await ws.send(f"{await ws.receive_json()}")
        await ws.close()

    async with world.opened(receive) as peer, world.at_once():
        await peer.send(say("{", "[1, 2]"))
        await peer.expect(said("[1, 2]"), closing(1000))
        await peer.send(close(1000))
        await peer.expect_end()


async def test_leaving_the_inner_loop_drops_the_rest(world: World) -> None:
    async def take_heads(ws: WebSocket, request: Request) -> None:
        async for message in ws.incoming():
            async for piece in message:
                await ws.send(piece[:2])
                break

    async with world.opened(take_heads, limits=Limits(max_queue_size=1000)) as peer, world.at_once():
        await peer.send(frame(TEXT, b"one" + bytes(200_000)))
        await peer.expect(said("on"))
        await peer.send(say("two"))
        await peer.expect(said("tw"))
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))


@pytest.mark.parametrize("size", [10, 11])
@pytest.mark.parametrize("is_left", [True, False], ids=["left", "read on"])
async def test_the_limits_of_a_message_hold_for_pieces_taken_and_dropped(
    world: World, is_left: bool, size: int
) -> None:
    """Whether a message is too big must not depend on how soon, or how much of it, the handler takes (RFC 6455 §7.4.1)."""

    async def take(ws: WebSocket, request: Request) -> None:
        async for message in ws.incoming():
            async for piece in message:
                await ws.send(piece)
                if is_left:
                    break

    async with world.opened(take, max_message_size=10, max_fragments=3) as peer, world.at_once():
        await peer.send(frame(TEXT, b"four", fin=False))
        await peer.expect(said("four"))
        await peer.send(frame(CONTINUATION, b"x" * (size - 4)))
        if size > 10:
            await peer.expect_end(closing(1009))
            return
        if not is_left:
            await peer.expect(said("x" * 6))
        await peer.send(frame(TEXT, b"a", fin=False))
        await peer.expect(said("a"))
        await peer.send(frame(CONTINUATION, fin=False) * 3)
        await peer.expect_end(closing(1008))


async def test_leaving_the_outer_loop_drops_the_rest_and_messages_come_whole_again(world: World) -> None:
    async def take_one_piece(ws: WebSocket) -> None:
        async for message in ws.incoming():
            async for piece in message:
                await ws.send(piece)
                return

    async def mix(ws: WebSocket, request: Request) -> None:
        await take_one_piece(ws)
        await ws.send(await ws.receive())
        ws.listen(ws.add)

    async with world.opened(mix) as peer, world.at_once():
        await peer.send(frame(TEXT, b"first", fin=False))
        await peer.expect(said("first"))
        await peer.send(frame(CONTINUATION, b"dropped", fin=False))
        await peer.send(frame(CONTINUATION, b"dropped") + frame(TEXT, b"wh", fin=False))
        await peer.send(frame(CONTINUATION, b"ole") + say("and more"))
        await peer.expect(said("whole"), said("and more"))
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))


async def test_messages_of_any_size_come_by_incoming_alone(world: World) -> None:
    async def refuse(ws: WebSocket, request: Request) -> None:
        for way in (ws.receive, ws.__anext__):
            with pytest.raises(WebSocketStateError, match="`incoming`"):
                await way()
        with pytest.raises(WebSocketStateError, match="`incoming`"):
            ws.listen(ws.add)
        message = await anext(ws.incoming())
        with pytest.raises(TypeError, match="max_size"):
            await message.read()
        await ws.send(await message.read(10))

    async with world.opened(refuse, max_message_size=None) as peer, world.at_once():
        await peer.send(say("small"))
        await peer.expect(said("small"))


async def test_one_that_waits_for_a_piece_is_the_only_consumer(world: World) -> None:
    async with world.opened(wait) as peer, world.at_once():
        ws, start = world.ws, peer.server.start
        await peer.send(frame(TEXT, b"a", fin=False))
        message = await start(ws.incoming().__anext__).result()
        assert await start(message.__anext__).result() == "a"
        waiting = start(message.__anext__)
        await world.rest()
        for second in (ws.receive, ws.discard_incoming, message.__anext__, ws.incoming().__anext__):
            with pytest.raises(WebSocketBusyError):
                await start(second).result()
        await peer.send(frame(CONTINUATION, b"b"))
        assert await waiting.result() == "b"


async def test_a_cancelled_read_can_be_gone_on_with(world: World) -> None:
    async def hurry(ws: WebSocket, request: Request) -> None:
        message = await anext(ws.incoming())
        try:
            with timeout(0.01):
                await message.read()
        except TimeoutError:
            await ws.send("timed out")
        await ws.send(await message.read())

    async with world.opened(hurry) as peer:
        await peer.send(frame(TEXT, b"one ", fin=False))
        await peer.expect(said("timed out"))
        await peer.send(frame(CONTINUATION, b"and two"))
        await peer.expect(said("one and two"))


async def leave(peer: Peer, how: str) -> None:
    """End the connection from the peer's side."""
    if how == "close":
        await peer.send(close(4000))
    elif how == "reset":
        peer.reset()
    else:
        peer.end()


@pytest.mark.parametrize(("how", "code"), [("close", 4000), ("end", 1006), ("reset", 1006)])
async def test_half_a_message_is_never_taken_for_a_whole_one(world: World, how: str, code: int) -> None:
    async def read(ws: WebSocket, request: Request) -> None:
        message = await anext(ws.incoming())
        try:
            await message.read()
        except ConnectionClosed as closed:
            world.note(f"{closed.close_code}")

    async with world.opened(read) as peer, world.at_once():
        await peer.send(frame(TEXT, b"half", fin=False))
        await peer.fence()
        await leave(peer, how)
        await world.noted(str(code))
        peer.close()


@pytest.mark.parametrize(("how", "code"), [("close", 4000), ("end", 1006), ("reset", 1006)])
async def test_what_comes_is_thrown_away_until_the_end_which_is_not_raised(
    world: World, how: str, code: int
) -> None:
    async def discard(ws: WebSocket, request: Request) -> None:
        info = await ws.discard_incoming()
        world.note(f"{info.close_code}, {info.messages_received}")

    async with world.opened(discard, max_queue=1) as peer, world.at_once():
        await peer.send(say("one", "two", "three"))
        await peer.fence()
        await leave(peer, how)
        await world.noted(f"{code}, 3")
        peer.close()
