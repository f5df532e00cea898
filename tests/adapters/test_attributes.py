"""What a WebSocket tells about itself (semantics, section 7), in every world."""

from __future__ import annotations

from typing import Final

import pytest

from adapters.world import World, close, closing, ping, said, say, server_frame, shake, tell
from frames import PING, PONG, TEXT, frame
from spry_core import CloseInfo, ConnectionClosed, Limits, ReadyState, Request, Timeouts, WebSocket, sleep
from spry_core.web.options import WebSocketSettings

pytestmark = pytest.mark.anyio


async def stay(ws: WebSocket, request: Request) -> None:
    """Do nothing until the end; the test does it."""
    await ws.closed


def state(ws: WebSocket) -> ReadyState:
    """Return the state as it is now, whatever it was a line before."""
    return ws.ready_state


async def give_up(ws: WebSocket, request: Request) -> None:
    pass


# --------------------------------------------------------------------------------------------------- ready_state


async def test_ready_state_is_an_int_enum_with_the_numbers_of_the_browsers(world: World) -> None:
    assert [(each.name, int(each)) for each in ReadyState] == [
        ("CONNECTING", 0),
        ("OPEN", 1),
        ("CLOSING", 2),
        ("CLOSED", 3),
    ]
    async with world.opened(stay) as peer, world.at_once():
        assert world.ws.ready_state == 1
        await peer.fence()


@pytest.mark.parametrize("is_local", [True, False])
async def test_closing_with_the_first_close_sent_or_received_and_closed_when_tcp_is_gone(
    world: World, is_local: bool
) -> None:
    async with world.opened(stay) as peer, world.at_once():
        ws = world.ws
        if is_local:
            ws.close()
            assert state(ws) is ReadyState.CLOSING
            await peer.expect(closing(1000))
            await peer.send(close(1000))
            assert await peer.receive_all() == b""
        else:
            await peer.send(close(1000))
            assert await peer.receive_all() == closing(1000)
        assert state(ws) is ReadyState.CLOSING
        peer.close()
        await world.end()
        assert state(ws) is ReadyState.CLOSED


async def test_a_protocol_error_and_a_ping_timeout_move_the_state_too(world: World) -> None:
    """In the original neither does."""
    async with world.opened(stay) as peer, world.at_once():
        await peer.send(server_frame(TEXT, b"bad"))
        assert await peer.receive_all() == closing(1002)
        assert state(world.ws) is ReadyState.CLOSING
        peer.close()
        await world.end()
        assert state(world.ws) is ReadyState.CLOSED
    world.sockets.clear()
    async with world.opened(stay, timeouts=Timeouts(ping_interval=0.01, ping_timeout=0.01)) as peer:
        assert (await peer.receive_all()).endswith(closing(1011, "keepalive timeout"))
        assert state(world.ws) is ReadyState.CLOSING


# ------------------------------------------------------------------------------------ close_code, close_reason, info

LOST: Final = "1006 by transport, sent nothing, received nothing, unclean, ConnectionLost"
ENDS: Final[dict[str, tuple[bytes, str]]] = {
    "the peer's code": (
        close(4001, "enough"),
        "4001 enough by remote, sent 4001, received 4001 enough, clean",
    ),
    "1005 if its Close was empty": (close(), "1005 by remote, sent empty, received empty, clean"),
    "1006 if there was none": (b"", LOST),
    "our own code if we failed": (
        frame(TEXT, b"\xff"),
        "1007 by local, sent 1007, received nothing, unclean, RemoteProtocolError",
    ),
}


@pytest.mark.parametrize("name", ENDS)
async def test_close_code_reason_and_info_are_none_until_the_end_is_settled(world: World, name: str) -> None:
    sent, told = ENDS[name]
    async with world.opened(give_up) as peer, world.at_once():
        ws = world.ws
        await peer.fence()
        assert (ws.close_code, ws.close_reason, ws.close_info) == (None, None, None)
        if sent:
            await peer.send(sent)
        else:
            peer.end()
        await peer.receive_all()
        peer.close()
        info = await world.end()
        assert tell(info) == told
        assert ws.close_info == info
        assert (ws.close_code, ws.close_reason) == (info.close_code, info.close_reason)


async def test_while_the_closing_handshake_runs_there_is_no_code_yet(world: World) -> None:
    async with world.opened(stay) as peer, world.at_once():
        world.ws.close(4000)
        await peer.expect(closing(4000))
        assert (world.ws.close_code, world.ws.close_reason, world.ws.close_info) == (None, None, None)
        with pytest.raises(ConnectionClosed) as caught:
            world.ws.add("late")
        assert caught.value.info is None
        await peer.send(close(4001, "no, this"))
        await peer.expect_end()
        assert (await world.end()).close_code == 4001


async def test_the_close_info_counts_duration_bytes_and_messages_both_ways(world: World) -> None:
    async def talk(ws: WebSocket, request: Request) -> None:
        await ws.send(await ws.receive())
        await ws.send(b"12")
        await sleep(0.05)
        await ws.close()

    async with world.opened(talk) as peer:
        await peer.send(say("grüße") + ping(b"uncounted"))
        await peer.receive_until(closing(1000))
        await peer.send(close(1000))
        await peer.expect_end()
        info = await world.end()
    assert 0.05 - 0.002 <= info.duration <= 0.05 + world.precision
    assert info == CloseInfo(
        initiator="local",
        sent=info.sent,
        received=info.received,
        close_code=1000,
        duration=info.duration,
        bytes_received=7,
        bytes_sent=9,
        messages_received=1,
        messages_sent=2,
    )
    assert info.clean


# ------------------------------------------------------------------------------------------------------- keepalive


async def test_any_byte_since_the_ping_counts_as_life(world: World) -> None:
    """The first byte of a frame that never ends is enough."""
    options = WebSocketSettings(ping_interval=0.03, ping_timeout=0.06)
    async with world.opened(stay, **options) as peer:
        endless = frame(TEXT, bytes(100))
        for number in range(3):
            assert (await peer.receive(6))[0] == 0x80 | PING
            await peer.send(endless[number : number + 1])
        assert state(world.ws) is ReadyState.OPEN


async def test_at_most_one_keepalive_ping_is_in_flight(world: World) -> None:
    """However long the interval has been over."""
    async with world.opened(stay, ping_interval=0.01, ping_timeout=0.08) as peer:
        frames = await peer.receive_all()
    assert frames[:2] == bytes((0x80 | PING, 4))
    assert frames[6:] == closing(1011, "keepalive timeout")


async def test_the_next_interval_counts_from_the_answer(world: World) -> None:
    """Each Ping has a payload of its own."""
    payloads: list[bytes] = []
    async with world.opened(stay, ping_interval=0.02, ping_timeout=10.0) as peer:
        answered = world.now() - 0.02  # the first interval has begun a little before
        for _ in range(4):
            head = await peer.receive(6)
            assert head[:2] == bytes((0x80 | PING, 4))
            assert world.now() - answered >= 0.02 - 0.002
            payloads.append(head[2:])
            answered = world.now()
            await peer.send(frame(PONG, head[2:]))
    assert len(set(payloads)) == 4


# --------------------------------------------------------------------------------------------------- what else there is


async def test_protocol_request_locals_and_peer_are_those_of_the_opening_handshake(world: World) -> None:
    async def look(ws: WebSocket, request: Request) -> None:
        assert ws.request is request
        assert ws.locals is request.locals
        assert ws.peer == request.peer
        host, _, port = ws.peer.rpartition(":")
        assert (host, port.isdecimal()) == ("127.0.0.1", True)
        await ws.send(f"{ws.protocol} {request.query['a']} {request.headers['x-b']} {ws.locals}")

    app = world.app()
    app.ws("/", look, protocols=("chat",))
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(shake("Sec-WebSocket-Protocol: chat", "X-B: 2", path="/?a=1"))
        await peer.receive_until(b"\r\n\r\n")
        await peer.expect(said("chat 1 2 {}"))


# --------------------------------------------------------------------------------------------------- on_disconnect


async def test_on_disconnect_raise_lets_the_handler_go_on_and_its_next_operation_raises(world: World) -> None:
    async def busy(ws: WebSocket, request: Request) -> None:
        await world.held()
        world.note("went on")
        try:
            await ws.send("late")
        except ConnectionClosed as error:
            world.note(f"raised {error.close_code}")

    async with world.opened(busy) as peer, world.at_once():
        await world.noted("held")
        await peer.send(close(4000))
        await peer.expect_end(closing(4000))
        await world.rest()
        assert world.notes == ["held"]
        world.let_go()
        await world.end()
    assert world.notes == ["held", "went on", "raised 4000"]


@pytest.mark.parametrize("how", ["close", "FIN", "RST", "abort"])
async def test_on_disconnect_cancel_cancels_the_handler_and_middleware_sees_the_close_info(
    world: World, how: str
) -> None:
    """Its cleanup code runs; nothing is logged."""

    async def push(ws: WebSocket, request: Request) -> None:
        try:
            await world.held()
        finally:
            world.note("cleaned up")

    async with world.opened(push, on_disconnect="cancel") as peer, world.at_once():
        await world.noted("held")
        match how:
            case "close":
                await peer.send(close(4000))
                await peer.expect_end(closing(4000))
            case "FIN":
                peer.end()
                await peer.expect_end()
            case "RST":
                peer.reset()
            case _:
                world.ws.abort()
        info = await world.end()
        assert info.close_code == (4000 if how == "close" else 1006)
    assert world.notes == ["held", "cleaned up"]


async def test_on_disconnect_cancel_lets_a_handler_that_is_done_with_it_return(world: World) -> None:
    async def push(ws: WebSocket, request: Request) -> None:
        await ws.send("all")
        await ws.close()
        world.note("returned")

    async with world.opened(push, on_disconnect="cancel") as peer, world.at_once():
        await peer.expect(said("all"), closing(1000))
        await peer.send(close(1000))
        await peer.expect_end()
        assert tell(await world.end()) == "1000 by local, sent 1000, received 1000, clean"
    assert world.notes == ["returned"]


# ---------------------------------------------------------------------------------------- ping_interval, pausing


async def test_ping_interval_is_settable_none_turns_it_off_and_it_takes_effect_from_now(world: World) -> None:
    async with world.opened(stay, ping_interval=0.02, ping_timeout=5.0) as peer:
        ws = world.ws
        head = await peer.receive(6)
        assert head[:2] == bytes((0x80 | PING, 4))
        ws.ping_interval = None
        assert ws.ping_interval is None
        await peer.send(frame(PONG, head[2:]))
        await peer.fence()
        begun = world.now()
        ws.ping_interval = 0.03
        assert ws.ping_interval == 0.03
        assert (await peer.receive(6))[:2] == bytes((0x80 | PING, 4))
        assert world.now() - begun >= 0.03 - 0.002
        with pytest.raises(ValueError):
            ws.ping_interval = -1.0
        assert ws.ping_interval == 0.03


async def test_the_ping_timeout_stands_still_while_we_paused_reading(world: World) -> None:
    """A peer whose Pong stands behind messages that our handler does not take is not dead."""

    async def be_slow(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        await sleep(0.15)
        async for message in ws:
            if message == "last":
                await ws.send("all taken")

    times = Timeouts(ping_interval=0.03, ping_timeout=0.04)
    limits = Limits(max_queue=1)
    async with world.opened(be_slow, timeouts=times, limits=limits) as peer:
        peer.flood(frame(TEXT, bytes(1 << 16), mask=bytes(4)) * 100 + say("last"))
        answer = await peer.receive_until(said("all taken"))
    assert answer.endswith(said("all taken"))
    assert answer[:2] == bytes((0x80 | PING, 4))
    assert closing(1011, "keepalive timeout") not in answer


# ------------------------------------------------------------------------------------------------------------ scope


async def test_tasks_of_a_scope_are_cancelled_when_the_connection_ends_and_leaving_the_block_waits_for_them(
    world: World,
) -> None:
    async def tick(name: str) -> None:
        try:
            world.note(f"{name} begun")
            await sleep(3600)
        finally:
            world.note(f"{name} cancelled")

    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as scope:
            scope.start_soon(tick, "a")
            scope.start_soon(tick, "b")
            async for _ in ws:
                pass
            world.note("body done")
        world.note("left")

    async with world.opened(handler) as peer, world.at_once():
        await world.noted("a begun", "b begun")
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.noted("left")
        assert tell(await world.end()) == "1000 by remote, sent 1000, received 1000, clean"
    assert world.notes[-1] == "left"
    assert sorted(world.notes[2:5]) == ["a cancelled", "b cancelled", "body done"]


async def test_leaving_the_block_waits_for_tasks_that_end_by_themselves(world: World) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        async def work() -> None:
            await world.held()
            await ws.send("worked")

        async with ws.scope() as scope:
            scope.start_soon(work)
        await ws.send("left")

    async with world.opened(handler) as peer, world.at_once():
        await world.noted("held")
        await peer.fence()
        world.let_go()
        await peer.expect(said("worked"), said("left"))


async def test_a_task_that_raises_cancels_the_rest_of_the_block_and_its_exception_comes_out_as_itself(
    world: World,
) -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        async def stay_on() -> None:
            try:
                await sleep(3600)
            finally:
                world.note("sibling cancelled")

        async def fail() -> None:
            raise KeyError("in a task")

        try:
            async with ws.scope() as scope:
                scope.start_soon(stay_on)
                scope.start_soon(fail)
                try:
                    await sleep(3600)
                finally:
                    world.note("body cancelled")
        except KeyError as error:
            world.note(repr(error))
            raise

    async with world.opened(handler) as peer, world.at_once():
        await peer.expect(closing(1011))
        await peer.send(close(1011))
        await peer.expect_end()
        assert tell(await world.end()) == "1011 by local, sent 1011, received 1011, clean, KeyError"
        assert [repr(error) for error in peer.server.take_errors()] == ["KeyError('in a task')"]
    # A task that had not begun when the other failed has nothing to cancel.
    assert world.notes[-1] == "KeyError('in a task')"
    assert set(world.notes[:-1]) <= {"sibling cancelled", "body cancelled"}
    assert "body cancelled" in world.notes


async def test_a_receive_that_is_left_behind_in_a_scope_is_cancelled_with_it_and_loses_nothing(
    world: World,
) -> None:
    """What two tasks of one handler wish for: one receives, the other sends."""

    async def handler(ws: WebSocket, request: Request) -> None:
        async def receive() -> None:
            async for message in ws:
                world.note(f"got {message!r}")

        async def push() -> None:
            while True:
                await ws.send("tick")
                await world.held("pushed")

        async with ws.scope() as scope:
            scope.start_soon(receive)
            scope.start_soon(push)
        world.note("left")

    async with world.opened(handler) as peer, world.at_once():
        await peer.expect(said("tick"))
        await peer.send(say("hello"))
        await world.noted("got 'hello'")
        world.let_go()
        await peer.expect(said("tick"))
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        await world.noted("left")
        assert tell(await world.end()) == "1000 by remote, sent 1000, received 1000, clean"
