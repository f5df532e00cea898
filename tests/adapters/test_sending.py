"""Sending, as its users see it (semantics, section 5), in every world."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from typing import Any, Final

import pytest

from adapters.world import World, close, closing, said, say, server_frame, tell
from adapters.world import request as get
from frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame
from spry_core import (
    BufferFull,
    ConnectionClosed,
    ConnectionLost,
    Limits,
    Request,
    SendResult,
    Timeouts,
    WebSocket,
    WebSocketBusyError,
    broadcast,
    sleep,
    timeout,
)

pytestmark = pytest.mark.anyio

LOST: Final = "1006 by transport, sent nothing, received nothing, unclean, ConnectionLost"
CHUNK: Final = bytes(range(256)) * 64
CHUNK_FRAME: Final = server_frame(BINARY, CHUNK)


async def stay(ws: WebSocket, request: Request) -> None:
    """Do nothing, until the end; the test does it."""
    await ws.closed


def fill(ws: WebSocket) -> int:
    """Send without waiting until there is backpressure; return how many chunks that took."""
    count = 1
    while ws.send_nowait(CHUNK) is SendResult.OK:
        count += 1
    return count


async def filled(world: World, ws: WebSocket) -> int:
    """Do the same until the kernel takes no more either."""
    count = 0
    for _ in range(1000):
        count += fill(ws)
        await world.rest()
        if ws.buffered_amount > 65536:
            return count
    raise AssertionError("there is always room")


# ---------------------------------------------------------------------------------------------------------- send


async def test_str_is_text_and_bytes_like_is_binary(world: World) -> None:
    """RFC 6455 §5.6."""

    async def send(ws: WebSocket, request: Request) -> None:
        for data in ("grüße", b"\x00", bytearray(b"\x01"), memoryview(b"\x02\x03"), "", b""):
            await ws.send(data)

    async with world.opened(send) as peer, world.at_once():
        await peer.expect(
            said("grüße"),
            *[server_frame(BINARY, each) for each in (b"\x00", b"\x01", b"\x02\x03")],
            said(""),
            server_frame(BINARY),
        )


@pytest.mark.parametrize("data", [None, 5, {"a": 1}, ["a"], object()])
async def test_anything_else_is_a_type_error_before_any_effect(
    world: World,
    data: Any,  # noqa: ANN401 - wrong on purpose
) -> None:
    """No implicit JSON."""
    async with world.opened(stay) as peer, world.at_once():
        with pytest.raises(TypeError, match="a message is str or bytes"):
            await peer.server.start(world.ws.send, data).result()
        with pytest.raises(TypeError, match="a message is str or bytes"):
            world.ws.send_nowait(data)
        await peer.fence()


def join(room: list[WebSocket]) -> Callable[[WebSocket, Request], Awaitable[None]]:
    """Make a handler that says each message to all who are in the room."""

    async def member(ws: WebSocket, request: Request) -> None:
        room.append(ws)
        async for message in ws:
            assert broadcast(room, message) == []

    return member


async def test_a_message_goes_to_everybody_in_one_piece_each(world: World) -> None:
    """Whoever says it, and however many are said: nobody waits for another, and nothing is lost."""
    app = world.app()
    app.ws("/", join([]))
    async with world.serving(app) as server, world.at_once():
        peers = [await server.upgraded("/") for _ in range(3)]
        await peers[1].send(say("one") + frame(BINARY, b"two"))
        for peer in peers:
            await peer.expect(said("one"), server_frame(BINARY, b"two"))
        await peers[2].send(say("three"))
        for peer in peers:
            await peer.expect(said("three"))


async def test_who_has_left_keeps_nothing_from_the_others(world: World) -> None:
    app = world.app()
    app.ws("/", join([]))
    async with world.serving(app) as server, world.at_once():
        gone, there = [await server.upgraded("/") for _ in range(2)]
        gone.reset()
        for text in ("one", "two"):
            await there.send(say(text))
            await there.expect(said(text))


async def test_send_returns_when_the_unsent_bytes_are_under_the_high_water_mark(world: World) -> None:
    """And not before: a peer that does not read makes the sender wait."""

    async def send(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        for _ in range(1000):
            await ws.send(CHUNK)
            assert ws.buffered_amount <= 65536
        world.note("all sent")

    async with world.opened(send, is_reading=False) as peer:
        await peer.send(say("go"))
        await world.rest()
        assert world.notes == []
        assert 65536 < world.ws.buffered_amount <= 65536 + len(CHUNK_FRAME)
        for _ in range(1000):
            await peer.expect(CHUNK_FRAME)
        await world.noted("all sent")


@pytest.mark.parametrize("is_closing", [True, False], ids=["CLOSING", "CLOSED"])
async def test_send_raises_connection_closed_unless_open(world: World, is_closing: bool) -> None:
    """And sends nothing."""
    async with world.opened(stay) as peer, world.at_once():
        if is_closing:
            world.ws.close(4000)
            await peer.expect(closing(4000))
        else:
            await peer.send(close(4000))
            await peer.expect_end(closing(4000))
            await world.end()
        for call in (
            lambda: peer.server.start(world.ws.send, "late").result(),
            lambda: peer.server.start(world.ws.add_stream, ["late"]).result(),
        ):
            with pytest.raises(ConnectionClosed):
                await call()
        with pytest.raises(ConnectionClosed):
            world.ws.send_nowait("late")
        if is_closing:
            await peer.send(close(4000))
            await peer.expect_end()


@pytest.mark.parametrize("how", ["reset", "close", "local close", "abort"])
async def test_send_raises_if_the_connection_ends_while_it_waits_and_never_hangs(
    world: World, how: str
) -> None:
    async with world.opened(stay, is_reading=False, timeouts=Timeouts(close_timeout=0.05)) as peer:
        await filled(world, world.ws)
        sending = peer.server.start(world.ws.send, CHUNK)
        await world.rest()
        assert not sending.is_done
        match how:
            case "reset":
                peer.reset()
            case "close":
                await peer.send(close(4000))
            case "local close":
                world.ws.close()
            case _:
                world.ws.abort()
        with pytest.raises(ConnectionClosed) as caught:
            await sending.result()
        assert caught.value.info is world.ws.close_info
        expected = {"reset": ConnectionLost, "close": ConnectionClosed}
        assert type(caught.value) is expected.get(how, ConnectionClosed)


async def test_a_send_that_is_cancelled_while_it_waits_for_the_mark_is_on_its_way_and_the_stream_is_intact(
    world: World,
) -> None:
    async with world.opened(stay, is_reading=False) as peer:
        count = await filled(world, world.ws)
        sending = peer.server.start(world.ws.send, "on its way")
        await world.rest()
        await sending.cancel()
        later = peer.server.start(world.ws.send, "behind it")
        for _ in range(count):
            await peer.expect(CHUNK_FRAME)
        await peer.expect(said("on its way"), said("behind it"))
        await later.result()


CANCELLED: Final[dict[str, Callable[[WebSocket], Awaitable[object]]]] = {
    "send": lambda ws: ws.send("never"),
    "send_text": lambda ws: ws.send_text(b"never"),
    "send_bytes": lambda ws: ws.send_bytes(b"never"),
    "send_json": lambda ws: ws.send_json("never"),
    "add_stream": lambda ws: ws.add_stream(["never"]),
    "send_fragments": lambda ws: ws.send_fragments(["never"], "text"),
    "ping": lambda ws: ws.ping(b"never"),
}


@pytest.mark.parametrize("name", CANCELLED)
async def test_what_is_cancelled_before_it_has_sent_sends_nothing(world: World, name: str) -> None:
    """The whole message or nothing; and the next one goes out as ever."""

    async def send(ws: WebSocket) -> None:
        world.note("begun")
        await CANCELLED[name](ws)
        world.note("sent")

    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.receive()
        async with ws.scope() as scope:
            scope.start_soon(send, ws)
            scope.cancel()
        await ws.send("next")

    async with world.opened(handler) as peer, world.at_once():
        await peer.send(say("go"))
        await peer.expect(said("next"))
        await peer.fence()
    assert world.notes == ["begun"]


async def test_the_order_of_many_senders_is_the_order_of_their_calls_and_messages_stay_whole(
    world: World,
) -> None:
    async def send(ws: WebSocket, request: Request) -> None:
        await world.held("ready")
        for number in range(20):
            ws.add(f"{number} " * 2000)
        world.note("added")

    async with world.opened(send) as peer, world.at_once():
        await world.noted("ready")
        tasks = [peer.server.start(world.ws.send, f"{each} " * 2000) for each in "abcdefghij"]
        await world.rest()
        world.let_go()
        received = [await peer.receive(len(said("a " * 2000))) for _ in range(10)]
        # Which of the tasks is the first to run is the backend's; what each sends is whole.
        assert sorted(received) == [said(f"{each} " * 2000) for each in "abcdefghij"]
        for number in range(20):
            await peer.expect(said(f"{number} " * 2000))
        for task in tasks:
            await task.result()


# ------------------------------------------------------------------------------------------------- send_nowait, add


async def test_send_nowait_says_when_there_is_backpressure(world: World) -> None:
    async with world.opened(stay, limits=Limits(high_water=1000)) as peer, world.at_once():
        ws = world.ws
        results: list[SendResult] = []
        # A sync callback runs within one read: nothing is written before it has returned.
        ws.listen(lambda message: results.extend(ws.add(bytes(size)) for size in (496, 496, 1)))
        await peer.send(say("go"))
        sizes = (496, 496, 1)
        await peer.expect(*[server_frame(BINARY, bytes(size)) for size in sizes])
    assert results == [SendResult.OK, SendResult.OK, SendResult.BACKPRESSURE]


async def test_add_is_its_alias(world: World) -> None:
    assert WebSocket.add is WebSocket.send_nowait
    async with world.opened(stay) as peer, world.at_once():
        world.ws.add("added")
        await peer.expect(said("added"))


async def test_buffer_full_at_the_hard_limit_and_one_message_of_any_size_goes_into_an_empty_buffer(
    world: World,
) -> None:
    """Nothing is queued by the call that raises."""
    async with world.opened(stay, is_reading=False) as peer:
        ws, count = world.ws, await filled(world, world.ws)
        ws.send_nowait(bytes(3 << 20))
        before = ws.buffered_amount
        with pytest.raises(BufferFull):
            ws.send_nowait("too much")
        assert ws.buffered_amount == before >= 1 << 20
        for _ in range(count):
            await peer.expect(CHUNK_FRAME)
        await peer.expect(server_frame(BINARY, bytes(3 << 20)))
        await peer.fence()
        ws.send_nowait(bytes(3 << 20))
        await peer.expect(server_frame(BINARY, bytes(3 << 20)))


async def test_buffered_amount_counts_what_the_transport_has_not_taken(world: World) -> None:
    """With the headers of the frames; back to nothing when all is out."""
    async with world.opened(stay, is_reading=False) as peer:
        ws, count = world.ws, await filled(world, world.ws)
        before = ws.buffered_amount
        ws.add("a" * 100)
        assert ws.buffered_amount == before + 102
        for _ in range(count):
            await peer.expect(CHUNK_FRAME)
        await peer.expect(said("a" * 100))
        await peer.fence()
        assert ws.buffered_amount == 0


# ------------------------------------------------------------------------------------------------------ add_stream


def sync_items(world: World, *items: str) -> Generator[str]:
    try:
        for item in items:
            world.note(f"asked for {item}")
            yield item
    finally:
        world.note("closed")


async def async_items(world: World, *items: str) -> AsyncGenerator[str]:
    try:
        for item in items:
            world.note(f"asked for {item}")
            yield item
    finally:
        world.note("closed")


SOURCES: Final[list[Callable[..., Any]]] = [sync_items, async_items]


@pytest.mark.parametrize("source", SOURCES)
async def test_add_stream_sends_each_item_as_one_message_and_returns_their_number(
    world: World, source: Callable[..., Iterator[str]]
) -> None:
    async with world.opened(stay) as peer, world.at_once():
        streaming = peer.server.start(world.ws.add_stream, source(world, "a", "b", "c"))
        await peer.expect(said("a"), said("b"), said("c"))
        assert await streaming.result() == 3
        await peer.fence()
    assert world.notes == ["asked for a", "asked for b", "asked for c", "closed"]


@pytest.mark.parametrize("source", SOURCES)
async def test_the_next_item_is_asked_for_only_when_there_is_room(
    world: World, source: Callable[..., Iterator[str]]
) -> None:
    async with world.opened(stay, is_reading=False) as peer:
        count = await filled(world, world.ws)
        streaming = peer.server.start(world.ws.add_stream, source(world, "a"))
        await world.rest()
        assert world.notes == []
        for _ in range(count):
            await peer.expect(CHUNK_FRAME)
        await peer.expect(said("a"))
        assert await streaming.result() == 1


async def test_while_it_runs_other_data_sends_raise_and_control_frames_pass(world: World) -> None:
    async def stream(ws: WebSocket, request: Request) -> None:
        async def items() -> AsyncGenerator[str]:
            yield "first"
            await world.held()
            yield "second"

        await ws.add_stream(items())

    async with world.opened(stream) as peer, world.at_once():
        await peer.expect(said("first"))
        await world.noted("held")
        with pytest.raises(WebSocketBusyError):
            await peer.server.start(world.ws.send, "between").result()
        with pytest.raises(WebSocketBusyError):
            world.ws.add("between")
        with pytest.raises(WebSocketBusyError):
            await peer.server.start(world.ws.add_stream, ["between"]).result()
        await peer.fence()
        world.let_go()
        await peer.expect(said("second"))


async def test_exclusive_false_lets_whole_messages_interleave(world: World) -> None:
    async def stream(ws: WebSocket, request: Request) -> None:
        async def items() -> AsyncGenerator[str]:
            yield "first"
            await world.held()
            yield "second"

        await ws.add_stream(items(), exclusive=False)

    async with world.opened(stream) as peer, world.at_once():
        await peer.expect(said("first"))
        await world.noted("held")
        world.ws.add("added")
        await peer.server.start(world.ws.send, "sent").result()
        assert (
            await peer.server.start(lambda: world.ws.add_stream(["streamed"], exclusive=False)).result() == 1
        )
        await peer.expect(said("added"), said("sent"), said("streamed"))
        world.let_go()
        await peer.expect(said("second"))


@pytest.mark.parametrize("is_async", [True, False])
async def test_the_exception_of_the_source_comes_out_and_the_connection_stays_open(
    world: World, is_async: bool
) -> None:
    async def failing_async() -> AsyncGenerator[str]:
        yield "one"
        raise KeyError("in the source")

    def failing_sync() -> Generator[str]:
        yield "one"
        raise KeyError("in the source")

    async with world.opened(stay) as peer, world.at_once():
        streaming = peer.server.start(world.ws.add_stream, failing_async() if is_async else failing_sync())
        await peer.expect(said("one"))
        with pytest.raises(KeyError, match="in the source"):
            await streaming.result()
        await peer.fence()
        world.ws.add("still open")
        await peer.expect(said("still open"))


async def test_if_the_connection_ends_first_the_source_is_closed_and_connection_closed_raised(
    world: World,
) -> None:
    """Also while the source waits for something else."""

    async def stream(ws: WebSocket, request: Request) -> None:
        async def items() -> AsyncGenerator[str]:
            try:
                yield "one"
                await sleep(3600)
                yield "never"
            finally:
                world.note("source closed")

        try:
            await ws.add_stream(items())
        except ConnectionClosed as error:
            world.note(f"{type(error).__name__} {error.close_code}")

    async with world.opened(stream) as peer, world.at_once():
        await peer.expect(said("one"))
        await peer.send(close(4000))
        await peer.expect_end(closing(4000))
        await world.noted("ConnectionClosed 4000")
    assert world.notes == ["source closed", "ConnectionClosed 4000"]


# ---------------------------------------------------------------------------------------------------- what is written


async def test_messages_of_every_length_are_framed_as_short_as_possible(world: World) -> None:
    """RFC 6455 §5.2."""

    async def send(ws: WebSocket, request: Request) -> None:
        for size in (0, 125, 126, 65535, 65536):
            await ws.send("a" * size)

    async with world.opened(send) as peer, world.at_once():
        for size, head in (
            (0, b"\x81\x00"),
            (125, b"\x81\x7d"),
            (126, b"\x81\x7e\x00\x7e"),
            (65535, b"\x81\x7e\xff\xff"),
            (65536, b"\x81\x7f\x00\x00\x00\x00\x00\x01\x00\x00"),
        ):
            await peer.expect(head, b"a" * size)


async def test_what_was_sent_is_counted_in_the_close_info(world: World) -> None:
    async def send(ws: WebSocket, request: Request) -> None:
        await ws.send("grüße")
        await ws.send(b"1234")
        await ws.receive()
        await ws.close()

    async with world.opened(send) as peer, world.at_once():
        await peer.expect(said("grüße"), server_frame(BINARY, b"1234"))
        await peer.send(say("äh") + close(1000))
        await peer.expect_end(closing(1000))
        info = await world.end()
    traffic = (info.messages_sent, info.bytes_sent, info.messages_received, info.bytes_received)
    assert traffic == (2, 11, 1, 3)
    assert tell(info) in (
        "1000 by local, sent 1000, received 1000, clean",
        "1000 by remote, sent 1000, received 1000, clean",
    )


# ----------------------------------------------------------------------------------------------------- kinds of data


async def test_send_text_takes_str_or_bytes_that_are_checked_to_be_utf_8(world: World) -> None:
    """And sends nothing that is none."""
    async with world.opened(stay) as peer, world.at_once():
        start = peer.server.start
        for data in ("grüße", "grüße".encode(), bytearray("grüße".encode())):
            await start(world.ws.send_text, data).result()
            await peer.expect(said("grüße"))
        for wrong in (b"\xff", b"\xed\xa0\x80"):
            with pytest.raises(UnicodeDecodeError):
                await start(world.ws.send_text, wrong).result()
        with pytest.raises(UnicodeEncodeError):
            await start(world.ws.send_text, "\ud800").result()
        await peer.fence()


async def test_send_bytes_takes_bytes_like_only(world: World) -> None:
    async with world.opened(stay) as peer, world.at_once():
        start = peer.server.start
        for data in (b"12", bytearray(b"12"), memoryview(b"12")):
            await start(world.ws.send_bytes, data).result()
            await peer.expect(server_frame(BINARY, b"12"))
        wrong: Any = "12"
        with pytest.raises(TypeError):
            await start(world.ws.send_bytes, wrong).result()
        await peer.fence()


async def test_send_json_and_receive_json_are_text_messages_through_json(world: World) -> None:
    """RFC 8259."""

    async def mirror(ws: WebSocket, request: Request) -> None:
        while True:
            await ws.send_json(await ws.receive_json())

    async with world.opened(mirror) as peer, world.at_once():
        await peer.send(say('{ "a": [1, 2.5, null, "\\u00fc"] }', "3"))
        await peer.expect(said('{"a":[1,2.5,null,"ü"]}'), said("3"))
        for wrong in (float("nan"), {1, 2}, object()):
            with pytest.raises((TypeError, ValueError)):
                await peer.server.start(world.ws.send_json, wrong).result()
        await peer.fence()


# ------------------------------------------------------------------------------------------------------ drained


async def test_drained_waits_until_there_is_room(world: World) -> None:
    async with world.opened(stay, is_reading=False) as peer:
        count = await filled(world, world.ws)
        waiting = peer.server.start(world.ws.drained)
        await world.rest()
        assert not waiting.is_done
        for _ in range(count):
            await peer.expect(CHUNK_FRAME)
        await waiting.result()
        assert world.ws.send_nowait("room") is SendResult.OK
        await peer.server.start(world.ws.drained).result()


async def test_drained_raises_if_the_connection_ends_while_it_waits(world: World) -> None:
    async with world.opened(stay, is_reading=False) as peer:
        await filled(world, world.ws)
        waiting = peer.server.start(world.ws.drained)
        await world.rest()
        peer.reset()
        with pytest.raises(ConnectionLost):
            await waiting.result()


# ------------------------------------------------------------------------------------------------- send_fragments


async def test_send_fragments_sends_one_frame_per_chunk_with_backpressure(world: World) -> None:
    """One message for the peer (RFC 6455 §5.4)."""
    asked: list[int] = []

    def chunks() -> Generator[bytes]:
        for number in range(400):
            asked.append(number)
            yield CHUNK

    async with world.opened(stay, is_reading=False) as peer:
        sending = peer.server.start(lambda: world.ws.send_fragments(chunks(), "binary"))
        await world.rest()
        assert len(asked) < 400
        assert world.ws.buffered_amount <= 65536 + len(CHUNK_FRAME)
        await peer.expect(server_frame(BINARY, CHUNK, fin=False))
        for _ in range(399):
            await peer.expect(server_frame(CONTINUATION, CHUNK, fin=False))
        await peer.expect(server_frame(CONTINUATION))
        await sending.result()
        await peer.fence()


async def test_while_fragments_are_sent_other_data_sends_raise_busy_and_close_still_passes(
    world: World,
) -> None:
    async def send(ws: WebSocket, request: Request) -> None:
        async def chunks() -> AsyncGenerator[str]:
            yield "one"
            await world.held()
            yield "two"

        try:
            await ws.send_fragments(chunks(), "text")
        except ConnectionClosed:
            world.note("ended")

    async with world.opened(send) as peer, world.at_once():
        await peer.expect(server_frame(TEXT, b"one", fin=False))
        await world.noted("held")
        for data in ("x", b"x"):
            with pytest.raises(WebSocketBusyError):
                world.ws.send_nowait(data)
        with pytest.raises(WebSocketBusyError):
            await peer.server.start(lambda: world.ws.send_fragments(["x"], "text")).result()
        world.ws.close(4000)
        await peer.expect(closing(4000))
        await peer.send(close(4000))
        await world.noted("ended")
        await peer.expect_end()


async def test_cancelled_halfway_the_connection_is_closed_with_1011(world: World) -> None:
    """The message cannot be finished; cancelled before its first frame, nothing has happened."""

    async def send(ws: WebSocket, request: Request) -> None:
        async def chunks() -> AsyncGenerator[str]:
            yield "one"
            await sleep(3600)
            yield "two"

        async def silence() -> AsyncGenerator[str]:
            await sleep(3600)
            yield "never"

        for source in (silence, chunks):
            try:
                with timeout(0.01):
                    await ws.send_fragments(source(), "text")
            except TimeoutError:
                world.note(f"cancelled {source.__name__} {ws.ready_state.name}")

    async with world.opened(send) as peer:
        await peer.expect(server_frame(TEXT, b"one", fin=False), closing(1011))
        await world.noted("cancelled chunks CLOSING")
    assert world.notes == ["cancelled silence OPEN", "cancelled chunks CLOSING"]


# ---------------------------------------------------------------------------------------------------- ping and pong


async def test_a_pong_answers_its_ping_and_all_earlier_ones_by_payload(world: World) -> None:
    """RFC 6455 §5.5.3; several may be in flight, an unknown Pong answers none."""
    async with world.opened(stay) as peer, world.at_once():
        pings = [peer.server.start(world.ws.ping, payload) for payload in (b"1", b"2", b"3")]
        frames = await peer.receive(9)
        # Which of the tasks is the first to run is the backend's.
        order = [frames[2:3], frames[5:6], frames[8:9]]
        assert sorted(order) == [b"1", b"2", b"3"]
        await peer.send(frame(PONG, b"4") + frame(PONG, b""))
        await peer.fence()
        assert not any(each.is_done for each in pings)
        await peer.send(frame(PONG, order[1]))
        done = [pings[int(each) - 1] for each in order]
        assert [await each.result() >= 0 for each in done[:2]] == [True, True]
        await peer.fence()
        assert not done[2].is_done
        await peer.send(frame(PONG, order[2]))
        assert await done[2].result() >= 0


async def test_the_payload_of_a_ping_is_random_when_none_is_given(world: World) -> None:
    async with world.opened(stay) as peer, world.at_once():
        payloads: list[bytes] = []
        for _ in range(3):
            pinging = peer.server.start(world.ws.ping)
            head = await peer.receive(2)
            assert head[0] == 0x80 | PING
            payloads.append(await peer.receive(head[1]))
            await peer.send(frame(PONG, payloads[-1]))
            await pinging.result()
    assert len(set(payloads)) == 3
    assert min(map(len, payloads)) >= 4


async def test_the_round_trip_time_is_that_of_the_clock_and_latency_remembers_it(world: World) -> None:
    async def measure(ws: WebSocket, request: Request) -> None:
        before = ws.latency
        rtt = await ws.ping(b"how long?")
        assert before is None
        assert ws.latency is not None
        world.note(f"{0.03 - 0.002 <= rtt <= 0.03 + world.precision}")
        world.note(f"latency {abs(rtt - ws.latency) <= world.precision}")

    app = world.app()
    app.ws("/", measure)

    @app.get("/wait")
    async def wait(request: Request) -> str:
        await sleep(0.03)
        return "waited"

    async with world.serving(app) as server:
        peer, clock = await server.upgraded("/"), await server.connected()
        await peer.expect(server_frame(PING, b"how long?"))
        await clock.send(get("/wait"))
        await clock.receive_answer()
        await peer.send(frame(PONG, b"how long?"))
        await world.noted("True", "latency True")


async def test_a_ping_raises_if_the_connection_ends_first(world: World) -> None:
    async with world.opened(stay) as peer, world.at_once():
        pinging = peer.server.start(world.ws.ping, b"?")
        await peer.expect(server_frame(PING, b"?"))
        await peer.send(close(4000))
        with pytest.raises(ConnectionClosed) as caught:
            await pinging.result()
        assert caught.value.close_code == 4000


@pytest.mark.parametrize("payload", [bytes(126), "text"])
async def test_a_control_frame_carries_at_most_125_bytes(world: World, payload: Any) -> None:  # noqa: ANN401 - wrong too
    """RFC 6455 §5.5; nothing is sent."""
    async with world.opened(stay) as peer, world.at_once():
        with pytest.raises((TypeError, ValueError)):
            await peer.server.start(world.ws.ping, payload).result()
        with pytest.raises((TypeError, ValueError)):
            world.ws.pong(payload)
        await peer.fence()


async def test_pong_sends_an_unsolicited_pong_at_once(world: World) -> None:
    """RFC 6455 §5.5.3."""
    async with world.opened(stay) as peer, world.at_once():
        world.ws.pong(b"alive")
        world.ws.pong()
        await peer.expect(server_frame(PONG, b"alive"), server_frame(PONG))
