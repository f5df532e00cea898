"""Closing, as its users see it (semantics, section 6), in every world."""

from __future__ import annotations

from typing import Final

import pytest

from adapters.world import Peer, World, close, closing, ping, said, say, server_frame, tell
from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, TEXT, close_payload, frame, read_frames
from spry_core import CloseInfo, ConnectionClosed, Limits, ReadyState, Request, Timeouts, WebSocket, sleep

pytestmark = pytest.mark.anyio

ALLOWED: Final = (
    1000,
    1001,
    1002,
    1003,
    1007,
    1008,
    1009,
    1010,
    1011,
    1012,
    1013,
    1014,
    3000,
    3999,
    4000,
    4999,
)
FORBIDDEN: Final = (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)
FAILED: Final = "1002 by local, sent 1002, received nothing, unclean, RemoteProtocolError"


async def stay(ws: WebSocket, request: Request) -> None:
    """Do nothing until the end; the test does it."""
    await ws.closed


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def leave(peer: Peer, code: int | None = 1000) -> None:
    """Answer a Close frame and wait for the end."""
    await peer.send(close(code))
    await peer.expect_end()


# -------------------------------------------------------------------------------------------------- calling it


async def test_close_acts_when_it_is_called_and_not_awaiting_it_is_no_mistake(world: World) -> None:
    """It is no coroutine, so it works in a sync callback; no warning of something that was never awaited."""
    async with world.opened(stay) as peer, world.at_once():
        world.ws.listen(lambda message: world.ws.close(4000, "sync"))
        await peer.send(say("go"))
        await peer.expect(closing(4000, "sync"))
        assert world.ws.ready_state is ReadyState.CLOSING
        await leave(peer, 4000)


async def test_await_close_waits_until_the_end_is_settled_and_gives_the_close_info(world: World) -> None:
    """And not for the end of TCP."""
    async with world.opened(stay) as peer, world.at_once():
        closing_it = peer.server.start(_close, world.ws)
        await peer.expect(closing(1000))
        await world.rest()
        assert not closing_it.is_done
        await peer.send(close(1000, "you too"))
        info = await closing_it.result()
        assert tell(info) == "1000 you too by local, sent 1000, received 1000 you too, clean"
        assert info is world.ws.close_info
        await peer.expect_end()


async def _close(ws: WebSocket) -> CloseInfo:
    return await ws.close()


async def test_awaiting_closed_waits_for_the_end_of_tcp(world: World) -> None:
    """For any number of tasks; in an `if` it says whether that has happened."""

    async def wait(ws: WebSocket) -> object:
        return await ws.closed

    async with world.opened(stay, timeouts=Timeouts(close_timeout=3600.0)) as peer, world.at_once():
        waiting = [peer.server.start(wait, world.ws) for _ in range(3)]
        await peer.send(close(1000))
        await peer.expect(closing(1000))
        await world.rest()
        assert not world.ws.closed
        assert not any(each.is_done for each in waiting)
        peer.close()
        infos = [await each.result() for each in waiting]
        assert world.ws.closed
        assert infos == [world.ws.close_info] * 3


async def test_close_none_sends_an_empty_close(world: World) -> None:
    """The peer sees 1005, and we too if it answers in kind."""
    async with world.opened(stay) as peer, world.at_once():
        world.ws.close(None)
        await peer.expect(closing())
        await leave(peer, None)
        assert tell(await world.end()) == "1005 by local, sent empty, received empty, clean"


@pytest.mark.parametrize("code", ALLOWED)
async def test_these_codes_may_be_sent_and_are_accepted_from_the_peer_and_answered_alike(
    world: World, code: int
) -> None:
    """RFC 6455 §7.4."""
    async with world.opened(stay) as peer, world.at_once():
        await peer.send(close(code, "because"))
        await peer.expect_end(closing(code))
        expected = f"{code} because by remote, sent {code}, received {code} because, clean"
        assert tell(await world.end()) == expected
        other = await peer.server.upgraded("/")
        world.sockets[1].close(code, "because")
        await other.expect(closing(code, "because"))
        await leave(other, code)
        assert tell(await world.end()) == f"{code} by local, sent {code} because, received {code}, clean"


@pytest.mark.parametrize("code", FORBIDDEN)
async def test_these_codes_are_a_value_error_here_and_1002_from_the_peer(world: World, code: int) -> None:
    """RFC 6455 §7.4; nothing is changed by the call."""
    async with world.opened(stay) as peer, world.at_once():
        with pytest.raises(ValueError, match="may not be sent"):
            world.ws.close(code)
        assert world.ws.ready_state is ReadyState.OPEN
        await peer.fence()
        await peer.send(close(code))
        await peer.expect_end(closing(1002))
        assert tell(await world.end()) == FAILED


@pytest.mark.parametrize(("code", "reason"), [(1000, "x" * 124), (1000, "ü" * 62), (None, "x")])
async def test_a_reason_that_is_too_long_or_without_a_code_is_a_value_error(
    world: World, code: int | None, reason: str
) -> None:
    """RFC 6455 §5.5: 123 bytes as UTF-8."""
    async with world.opened(stay) as peer, world.at_once():
        with pytest.raises(ValueError):
            world.ws.close(code, reason)
        await peer.fence()
        longest = "ü" * 61 + "x"
        world.ws.close(4000, longest)
        await peer.expect(closing(4000, longest))


@pytest.mark.parametrize(
    ("payload", "code"),
    [(b"\x03", 1002), (close_payload(1000) + b"\xff", 1007), (close_payload(1000) + b"\xed\xa0\x80", 1007)],
    ids=["one byte", "bad UTF-8", "a surrogate"],
)
async def test_a_close_frame_that_is_broken_fails_the_connection(
    world: World, payload: bytes, code: int
) -> None:
    """RFC 6455 §5.5.1 and §8.1."""
    async with world.opened(stay) as peer, world.at_once():
        await peer.send(frame(0x8, payload))
        await peer.expect_end(closing(code))


# ---------------------------------------------------------------------------------------------------- the steps


async def test_queued_messages_are_flushed_before_the_close_frame_and_incoming_ones_are_dropped(
    world: World,
) -> None:
    async with world.opened(stay) as peer, world.at_once():
        for number in range(10):
            world.ws.add(f"{number}")
        world.ws.close()
        await peer.expect(*[said(f"{number}") for number in range(10)], closing(1000))
        await peer.send(say("late") * 100 + ping(b"late"))
        await leave(peer)
        info = await world.end()
        assert tell(info) == "1000 by local, sent 1000, received 1000, clean"
        assert (info.messages_sent, info.messages_received) == (10, 0)


async def test_what_the_peer_sends_while_it_does_not_read_does_not_keep_its_close_from_being_seen(
    world: World,
) -> None:
    """It never needs the application to be reading."""
    async with world.opened(stay) as peer:
        peer.flood(frame(BINARY, bytes(1 << 16), mask=bytes(4)) * 50)
        await world.rest()
        world.ws.close()
        await peer.expect(closing(1000))
        peer.flood(close(1000))
        await peer.expect_end()
        assert tell(await world.end()) == "1000 by local, sent 1000, received 1000, clean"


async def test_the_server_ends_tcp_first_and_waits_for_the_peer_to_do_the_same(world: World) -> None:
    """RFC 6455 §7.1.1."""
    async with world.opened(stay, timeouts=Timeouts(close_timeout=3600.0)) as peer, world.at_once():
        await peer.send(close(1000))
        assert await peer.receive_all() == closing(1000)
        await world.rest()
        assert not world.ws.closed
        peer.end()
        await world.end()
        assert world.ws.closed


async def test_one_absolute_deadline_covers_all_of_it_and_traffic_does_not_extend_it(world: World) -> None:
    """Then TCP is cut; the end was not clean without the peer's Close."""
    async with world.opened(stay, timeouts=Timeouts(close_timeout=0.06)) as peer:
        begun = world.now()
        world.ws.close(4000)
        await peer.expect(closing(4000))
        try:
            for _ in range(20):
                await peer.send(say("talkative") + ping(b"and alive"))
                await world.rest()
        except ConnectionResetError:
            pass  # where time is real, a busy machine may not get to say it all
        else:
            await peer.expect_reset()
        assert 0.06 - 0.002 <= world.now() - begun <= 0.06 + world.precision
        info = await world.end()
        assert not info.clean
        assert tell(info) == "4000 by timeout, sent 4000, received nothing, unclean, ConnectionLost"


async def test_a_peer_that_answers_and_then_does_not_end_tcp_is_cut_and_the_end_was_clean(
    world: World,
) -> None:
    async with world.opened(stay, timeouts=Timeouts(close_timeout=0.04)) as peer:
        world.ws.close(4000)
        await peer.expect(closing(4000))
        await peer.send(close(4000))
        assert await peer.receive_all() == b""
        assert tell(await world.end()) == "4000 by local, sent 4000, received 4000, clean"


async def test_the_second_call_waits_for_the_same_end_and_the_first_code_counts(world: World) -> None:
    async def close_again(ws: WebSocket) -> object:
        return await ws.close(4002, "second")

    async with world.opened(stay) as peer, world.at_once():
        world.ws.close(4001, "first")
        second = peer.server.start(close_again, world.ws)
        await peer.expect(closing(4001, "first"))
        await world.rest()
        assert not second.is_done
        await leave(peer, 4001)
        assert await second.result() is world.ws.close_info


async def test_after_the_peers_close_it_returns_at_once_and_never_raises(world: World) -> None:
    """Nor when the stream is lost."""

    async def close_late(ws: WebSocket) -> object:
        return await ws.close(4002)

    for sent in (close(4001), b""):
        world.sockets.clear()
        async with world.opened(stay) as peer, world.at_once():
            if sent:
                await peer.send(sent)
                await peer.expect_end(closing(4001))
            else:
                peer.reset()
            info = await world.end()
            result = peer.server.start(close_late, world.ws)
            assert await result.result() == info


async def test_cancelling_the_wait_for_a_close_changes_nothing(world: World) -> None:
    async with world.opened(stay) as peer, world.at_once():
        waiting = peer.server.start(_close, world.ws)
        await peer.expect(closing(1000))
        await waiting.cancel()
        await leave(peer)
        assert tell(await world.end()) == "1000 by local, sent 1000, received 1000, clean"


async def test_closing_is_safe_inside_a_callback_and_in_the_receiving_task(world: World) -> None:
    async def receive_and_close(ws: WebSocket, request: Request) -> None:
        async for _ in ws:
            await ws.close(4000)
            world.note("closed")

    async with world.opened(receive_and_close) as peer, world.at_once():
        await peer.send(say("one", "two"))
        await peer.expect(closing(4000))
        await leave(peer, 4000)
        await world.noted("closed")
    assert world.notes == ["closed"]


async def test_the_peers_close_is_answered_after_the_data_already_queued(world: World) -> None:
    """If it fits the deadline."""
    chunk = bytes(1 << 16)
    async with world.opened(stay, is_reading=False) as peer:
        for _ in range(15):
            world.ws.add(chunk)
        await peer.send(close(4000))
        await world.rest()
        await peer.expect(*[server_frame(BINARY, chunk)] * 15)
        await peer.expect_end(closing(4000))
        assert tell(await world.end()) == "4000 by remote, sent 4000, received 4000, clean"


async def test_a_peer_that_never_reads_the_answer_to_its_close_is_cut_at_the_deadline(world: World) -> None:
    limits = Limits(max_unsent=1 << 26)
    times = Timeouts(close_timeout=0.05)
    async with world.opened(stay, limits=limits, timeouts=times, is_reading=False) as peer:
        for _ in range(300):
            world.ws.add(bytes(1 << 16))
        begun = world.now()
        await peer.send(close(4000))
        info = await world.end()
        assert world.now() - begun >= 0.05 - 0.002
        assert tell(info) == "4000 by remote, sent 4000, received 4000, clean"


# --------------------------------------------------------------------------------------------- failing the connection

FAULTS: Final[dict[str, tuple[bytes, int]]] = {
    "unmasked": (server_frame(TEXT, b"bare"), 1002),
    "RSV1": (frame(TEXT, b"a", rsv=4), 1002),
    "RSV2": (frame(TEXT, b"a", rsv=2), 1002),
    "RSV3": (frame(TEXT, b"a", rsv=1), 1002),
    "opcode 3": (frame(0x3, b"a"), 1002),
    "opcode 11": (frame(0xB, b"a"), 1002),
    "long ping": (frame(PING, bytes(126)), 1002),
    "fragmented ping": (frame(PING, b"a", fin=False), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"a"), 1002),
    "text inside a message": (frame(TEXT, b"a", fin=False) + frame(TEXT, b"b"), 1002),
    "length not minimal, 16": (frame(TEXT, b"a", length_form=16), 1002),
    "length not minimal, 64": (frame(TEXT, b"a", length_form=64), 1002),
    "length of 64 bits with the highest set": (b"\x81\xff" + b"\xff" * 8 + b"\0\0\0\0", 1002),
    "bad UTF-8 in the first fragment": (frame(TEXT, b"a\xff", fin=False), 1007),
    "bad UTF-8 over fragments": (
        frame(TEXT, b"\xf0\x90", fin=False) + frame(CONTINUATION, b"\x80a", fin=False),
        1007,
    ),
    "too big by its header": (b"\x82\xff" + (1 << 40).to_bytes(8, "big") + bytes(4), 1009),
    "too big in fragments": (
        frame(BINARY, bytes(1 << 19), fin=False, mask=bytes(4))
        + frame(CONTINUATION, bytes((1 << 19) + 1), fin=False, mask=bytes(4)),
        1009,
    ),
    "too many fragments": (
        frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 1024,
        1008,
    ),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_fails_the_connection_and_what_came_before_it_in_the_same_read_is_answered(
    world: World, name: str
) -> None:
    """RFC 6455 §7.1.7; then Close and half-close, and what still arrives is thrown away without a reset."""
    sent, code = FAULTS[name]
    async with world.opened(echo) as peer, world.at_once():
        await peer.send(say("good") + sent + say("never seen"))
        await peer.expect(said("good"), closing(code))
        await peer.send(say("thrown away") * 1000)
        await peer.expect_end()
        info = await world.end()
        assert info.messages_received == 1
        assert tell(info) == f"{code} by local, sent {code}, received nothing, unclean, RemoteProtocolError"


async def test_the_close_frame_of_a_failure_waits_until_what_came_before_is_released(world: World) -> None:
    """Its consumer has come back for the next one."""

    async def answer_late(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await world.held(f"got {message!r}")
            await ws.send(message)

    async with world.opened(answer_late) as peer, world.at_once():
        await peer.send(say("one", "two") + server_frame(TEXT, b"bad"))
        await world.noted("got 'one'")
        world.let_go()
        await peer.expect(said("one"))
        await world.noted("got 'two'")
        world.let_go()
        await peer.expect_end(said("two"), closing(1002))


async def test_a_failure_waits_at_most_the_close_timeout_for_a_consumer_that_does_not_come_back(
    world: World,
) -> None:
    async def never_come_back(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        await ws.closed

    async with world.opened(never_come_back, timeouts=Timeouts(close_timeout=0.04)) as peer:
        begun = world.now()
        await peer.send(say("one") + server_frame(TEXT, b"bad"))
        await peer.expect(closing(1002))
        assert world.now() - begun >= 0.04 - 0.002


async def test_keepalive_does_not_wait_for_a_consumer(world: World) -> None:
    """A dead peer is nobody's to answer: the Close frame goes at once, also with messages that are not taken."""

    async def never_come_back(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        await ws.closed

    times = Timeouts(ping_interval=0.02, ping_timeout=0.02, close_timeout=3600.0)
    async with world.opened(never_come_back, timeouts=times) as peer:
        await peer.send(say("one", "two"))
        *pings, last = read_frames(await peer.receive_all())
        peer.close()
        # More than one where time is real and the machine so busy that the messages came behind the first.
        assert {each.opcode for each in pings} == {PING}
        assert (last.opcode, last.payload) == (CLOSE_FRAME, close_payload(1011, "keepalive timeout"))
        assert 0.04 - 0.002 <= (await world.end()).duration <= 0.04 + world.precision


async def test_a_failure_waits_for_nobody_if_nobody_consumes(world: World) -> None:
    async def give_up(ws: WebSocket, request: Request) -> None:
        pass

    async with world.opened(give_up) as peer, world.at_once():
        await peer.send(say("one") + server_frame(TEXT, b"bad"))
        await peer.expect_end(closing(1002))


async def test_a_peer_that_goes_on_after_a_failure_is_cut_at_the_deadline(world: World) -> None:
    """It never ends its direction."""
    async with world.opened(stay, timeouts=Timeouts(close_timeout=0.04)) as peer:
        await peer.send(server_frame(TEXT, b"bad"))
        assert await peer.receive_all() == closing(1002)
        begun = world.now()
        assert tell(await world.end()) == FAILED
        assert world.now() - begun <= 0.04 + world.precision


# -------------------------------------------------------------------------------------------------- abort, async with


async def test_abort_cuts_tcp_without_a_close_frame(world: World) -> None:
    """1006; what is unsent is dropped, the handler's next operation raises."""

    async def receive(ws: WebSocket, request: Request) -> None:
        try:
            await ws.receive()
        except ConnectionClosed as error:
            world.note(f"{type(error).__name__} {error.close_code}")

    async with world.opened(receive) as peer, world.at_once():
        world.ws.abort()
        await peer.expect_reset()
        await world.noted("ConnectionClosed 1006")
        assert tell(await world.end()) == "1006 by local, sent nothing, received nothing, unclean"


@pytest.mark.parametrize("error", [None, KeyError("why")])
async def test_async_with_closes_1000_on_normal_exit_and_1011_on_an_exception(
    world: World, error: Exception | None
) -> None:
    async def block(ws: WebSocket, request: Request) -> None:
        try:
            async with ws:
                await ws.send("inside")
                if error is not None:
                    raise error
            world.note(f"left {ws.close_info is not None}")
        except KeyError:
            world.note("raised")

    code = 1000 if error is None else 1011
    async with world.opened(block) as peer, world.at_once():
        await peer.expect(said("inside"), closing(code))
        await leave(peer, code)
        assert tell(await world.end()) == f"{code} by local, sent {code}, received {code}, clean"
    assert world.notes == (["left True"] if error is None else ["raised"])


async def test_cancelling_the_handler_inside_the_block_closes_too(world: World) -> None:
    async def block(ws: WebSocket, request: Request) -> None:
        async with ws:
            world.note("inside")
            await sleep(3600)

    async with world.opened(block) as peer:
        await world.noted("inside")
        peer.server.shutdown(4000, "away", grace=0.02)
        await peer.expect(closing(4000, "away"))
        await leave(peer, 4000)
        await peer.server.closed()
