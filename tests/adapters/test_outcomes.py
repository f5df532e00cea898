"""What a peer sees in situations in which the servers of the field differ, to the byte, in every world.

The rows stand in `outcomes`, for the page docs/reference/outcomes.md shows them too. Where the end of the stream could
overtake a Close frame, the same is done two hundred times on each backend with sockets.
"""

from __future__ import annotations

import pytest

from adapters.outcomes import (
    ACTED,
    ANSWERED,
    ASK,
    ENDED,
    HELLO,
    REFUSED,
    Ended,
    application,
    converse,
    end,
    send_early,
)
from adapters.world import Peer, Served, World, close, closing, said, say, tell
from spry_core import CloseInfo

pytestmark = pytest.mark.anyio

ROUNDS, CROWD = 10, 20


# -------------------------------------------------------------------------------------------------- before the 101


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
        assert [repr(error) for error in server.take_errors()] == ([row.error] if row.error else [])
    assert world.ends == []


# -------------------------------------------------------------------------------------------------- after the 101


async def talk(path: str, peer: Peer) -> tuple[int, int, int, int]:
    """Have one message echoed where that is done; return messages and bytes received, and sent."""
    if path != "/echo":
        return (0, 0, 0, 0)
    await peer.send(say("grüße"))
    await peer.expect(said("grüße"))
    return (1, 7, 1, 7)


def traffic(info: CloseInfo) -> tuple[int, int, int, int]:
    return (info.messages_received, info.bytes_received, info.messages_sent, info.bytes_sent)


@pytest.mark.parametrize("name", ENDED)
async def test_a_websocket_ends_with_this_close_frame_and_an_end_of_stream(world: World, name: str) -> None:
    """RFC 6455 §7: the Close frame, then FIN, and never a reset; and its `CloseInfo` lacks nothing."""
    row = ENDED[name]
    async with world.serving(application(world)) as server:
        peer = await server.upgraded(row.path)
        async with world.at_once():
            expected = await talk(row.path, peer)
            await end(row, peer)
            info = await world.end()
        assert [repr(error) for error in server.take_errors()] == ([row.error] if row.error else [])
    assert (tell(info), traffic(info)) == (row.told, expected)
    assert 0.0 <= info.duration <= world.precision


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


@pytest.mark.parametrize("name", ANSWERED)
async def test_a_websocket_answers_this_and_stays_open(world: World, name: str) -> None:
    """RFC 6455 §5.4 to §5.6."""
    row = ANSWERED[name]
    async with world.serving(application(world)) as server:
        peer = await server.upgraded(row.path)
        async with world.at_once():
            await converse(row, peer)
            await peer.send(close(1000))
            await peer.expect_end(closing(1000))
            world.let_go()
            assert tell(await world.end()) == "1000 by remote, sent 1000, received 1000, clean"


async def test_a_frame_in_the_packet_of_the_handshake_is_answered_behind_the_101(world: World) -> None:
    """It may not be there (RFC 6455 §4.1), but it is kept."""
    async with world.serving(application(world)) as server:
        peer = await server.connected()
        async with world.at_once():
            await send_early(peer)
            await peer.fence()


# -------------------------------------------------------------------------------------------------- who else ends it


@pytest.mark.parametrize("name", ACTED)
async def test_a_websocket_that_ends_in_this_way_is_recorded_so(world: World, name: str) -> None:
    """RFC 6455 §5.5.1, §7.1.4, §7.1.5, §7.4.1: whoever ends it, and whether with a Close frame or without."""
    row = ACTED[name]
    async with world.serving(application(world)) as server:
        peer = await server.upgraded(row.path)
        expected = await talk(row.path, peer)
        await row.act(world, server, peer)
        info = await world.end()
    assert (tell(info), traffic(info)) == (row.told, row.traffic or expected)
    assert row.duration - 0.002 <= info.duration <= row.duration + world.precision


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
