"""Receiving, as its users see it (semantics, section 4), in every world."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Final

import pytest

from adapters.world import World, close, closing, ping, said, say, server_frame, tell
from frames import BINARY, CONTINUATION, PONG, TEXT, frame
from spry_core import (
    ConnectionClosed,
    ProtocolFailure,
    Request,
    Timeouts,
    WebSocket,
    WebSocketBusyError,
    sleep,
    timeout,
)

pytestmark = pytest.mark.anyio

CLEAN: Final = "1000 by remote, sent 1000, received 1000, clean"
LOST: Final = "1006 by transport, sent nothing, received nothing, unclean, ConnectionLost"


async def wait(ws: WebSocket, request: Request) -> None:
    """Do nothing, until the end; the test does it."""
    await ws.closed


# --------------------------------------------------------------------------------------------------------- receive


async def test_text_is_str_and_binary_is_bytes_and_empty_messages_are_messages(world: World) -> None:
    """RFC 6455 §5.6; never bytearray or memoryview."""
    received: list[str | bytes] = []

    async def keep(ws: WebSocket, request: Request) -> None:
        while len(received) < 6:
            received.append(await ws.receive())
        await ws.close()

    sent = (
        (TEXT, "grüße 😀".encode()),
        (BINARY, b"\x00\xff"),
        (TEXT, b""),
        (BINARY, b""),
        (BINARY, bytes(70_000)),
        (TEXT, b"\xf4\x8f\xbf\xbf"),
    )
    async with world.opened(keep) as peer, world.at_once():
        await peer.send(b"".join(frame(opcode, payload) for opcode, payload in sent))
        await peer.expect(closing(1000))
    assert received == ["grüße 😀", b"\x00\xff", "", b"", bytes(70_000), "\U0010ffff"]
    assert [type(each) for each in received] == [str, bytes, str, bytes, bytes, str]


@pytest.mark.parametrize(
    "payload",
    [b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\x80", b"caf\xc3", b"\xf0\x9f\x98"],
    ids=["overlong", "surrogate", "beyond U+10FFFF", "lone continuation", "cut off", "cut off, 4 bytes"],
)
async def test_text_is_decoded_strictly(world: World, payload: bytes) -> None:
    """RFC 6455 §8.1."""
    async with world.opened(wait) as peer, world.at_once():
        receiving = peer.server.start(world.ws.receive)
        await peer.send(frame(TEXT, payload))
        await peer.expect_end(closing(1007))
        with pytest.raises(ProtocolFailure) as caught:
            await receiving.result()
    assert caught.value.close_code == 1007


async def test_a_code_point_may_be_cut_by_fragments_and_control_frames_may_come_between(world: World) -> None:
    """RFC 6455 §5.4."""

    async def echo(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await ws.send(message)

    text = "ß€😀".encode()
    async with world.opened(echo) as peer, world.at_once():
        await peer.send(frame(TEXT, b"", fin=False))
        for byte in text:
            await peer.send(frame(CONTINUATION, bytes((byte,)), fin=False) + ping(b"x"))
        await peer.send(frame(CONTINUATION))
        await peer.expect(*[server_frame(PONG, b"x")] * len(text), said("ß€😀"))


async def test_receive_raises_when_no_message_is_left_and_none_can_come(world: World) -> None:
    """With the info; messages that arrived before the peer's Close stay readable after it."""

    async def stay(ws: WebSocket, request: Request) -> None:
        await world.held()

    async with world.opened(stay) as peer, world.at_once():
        await peer.send(say("one", "two") + close(4000, "bye"))
        await peer.expect_end(closing(4000))
        start = peer.server.start
        assert await start(world.ws.receive).result() == "one"
        assert await start(world.ws.receive).result() == "two"
        for _ in range(2):
            with pytest.raises(ConnectionClosed) as caught:
                await start(world.ws.receive).result()
            assert type(caught.value) is ConnectionClosed
            assert caught.value.info is not None
            assert tell(caught.value.info) == "4000 bye by remote, sent 4000, received 4000 bye, clean"


async def test_after_a_local_close_what_remains_is_dropped(world: World) -> None:
    async with world.opened(wait) as peer, world.at_once():
        await peer.send(say("one", "two"))
        await peer.fence()
        receiving = peer.server.start(world.ws.receive)
        assert await receiving.result() == "one"
        world.ws.close()
        await peer.expect(closing(1000))
        receiving = peer.server.start(world.ws.receive)
        await peer.send(say("three"))
        await world.rest()
        assert not receiving.is_done  # the end is not settled yet
        await peer.send(close(1000))
        with pytest.raises(ConnectionClosed):
            await receiving.result()
        await peer.expect_end()


async def test_the_end_is_settled_by_both_close_frames_and_does_not_wait_for_the_end_of_tcp(
    world: World,
) -> None:
    """A room sees at once who has left."""
    async with world.opened(wait, timeouts=Timeouts(close_timeout=3600.0)) as peer, world.at_once():
        receiving = peer.server.start(world.ws.receive)
        await peer.send(close(1000))
        with pytest.raises(ConnectionClosed) as caught:
            await receiving.result()
        assert caught.value.info is not None
        assert tell(caught.value.info) == CLEAN
        assert not world.ws.closed
        await peer.expect_end(closing(1000))


async def test_the_end_is_settled_when_the_close_timeout_has_passed(world: World) -> None:
    async with world.opened(wait, timeouts=Timeouts(close_timeout=0.04)) as peer:
        begun = world.now()
        world.ws.close()
        with pytest.raises(ConnectionClosed) as caught:
            await peer.server.start(world.ws.receive).result()
        assert world.now() - begun >= 0.04 - 0.002
        assert caught.value.info is not None
        expected = "1000 by timeout, sent 1000, received nothing, unclean, ConnectionLost"
        assert tell(caught.value.info) == expected


# ------------------------------------------------------------------------------------------------------ iteration


async def iterate(ws: WebSocket, request: Request, world: World) -> None:
    try:
        async for message in ws:
            world.note(f"got {message!r}")
        world.note("ended")
    except ConnectionClosed as error:
        world.note(f"{type(error).__name__} {error.close_code}")
    assert ws.close_info is not None


ITERATIONS: Final[dict[str, tuple[bytes, list[str]]]] = {
    "Close 1000": (say("a") + close(1000), ["got 'a'", "ended"]),
    "Close 4001": (say("a") + close(4001, "go away"), ["got 'a'", "ended"]),
    "Close 1011": (close(1011), ["ended"]),
    "empty Close": (close(), ["ended"]),
    "bad UTF-8": (say("a") + frame(TEXT, b"\xff"), ["got 'a'", "ProtocolFailure 1007"]),
    "unmasked": (say("a") + server_frame(TEXT, b"b"), ["got 'a'", "ProtocolFailure 1002"]),
    "bad Close": (close(1004), ["ProtocolFailure 1002"]),
    "too big": (frame(BINARY, bytes((1 << 20) + 1), mask=bytes(4)), ["ProtocolFailure 1009"]),
}


@pytest.mark.parametrize("name", ITERATIONS)
async def test_iteration_ends_if_the_close_was_clean_and_raises_otherwise(world: World, name: str) -> None:
    """Whatever the code; after it, `close_info` is set."""
    sent, notes = ITERATIONS[name]
    async with world.opened(lambda ws, request: iterate(ws, request, world)) as peer, world.at_once():
        await peer.send(sent)
        await world.noted(notes[-1])
    assert world.notes == notes


@pytest.mark.parametrize("is_reset", [False, True], ids=["FIN", "RST"])
async def test_iteration_raises_connection_lost_when_the_stream_is_gone(world: World, is_reset: bool) -> None:
    """1006; what came before it is delivered."""
    async with world.opened(lambda ws, request: iterate(ws, request, world)) as peer, world.at_once():
        await peer.send(say("a"))
        await world.noted("got 'a'")
        peer.reset() if is_reset else peer.end()
        await world.noted("ConnectionLost 1006")
        info = await world.end()
        assert (info.close_code, info.initiator, info.sent, info.received) == (1006, "transport", None, None)


async def test_iteration_raises_keepalive_timeout_when_the_peer_is_dead(world: World) -> None:
    times = Timeouts(ping_interval=0.02, ping_timeout=0.02)
    async with world.opened(lambda ws, request: iterate(ws, request, world), timeouts=times) as peer:
        await world.noted("KeepaliveTimeout 1011")
        assert (await peer.receive_all()).endswith(closing(1011, "keepalive timeout"))


async def test_iteration_ends_if_we_closed(world: World) -> None:
    """Also when the peer never answers."""

    async def leave(ws: WebSocket, request: Request) -> None:
        ws.close(4000)
        await iterate(ws, request, world)

    async with world.opened(leave, timeouts=Timeouts(close_timeout=0.03)) as peer:
        await peer.expect_reset(closing(4000))
        await world.noted("ended")


# ----------------------------------------------------------------------------------------------- cancelling a receive


async def test_cancelling_a_receive_loses_nothing(world: World) -> None:
    """Before, while and after a message comes."""

    async def hurry(ws: WebSocket, request: Request) -> None:
        try:
            with timeout(0.01):
                await ws.receive()
        except TimeoutError:
            world.note("timed out")
        async for message in ws:
            world.note(f"got {message!r}")

    async with world.opened(hurry) as peer:
        await world.noted("timed out")
        await peer.send(say("one", "two"))
        await world.noted("got 'one'", "got 'two'")
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
    assert world.notes == ["timed out", "got 'one'", "got 'two'"]


async def test_a_receive_that_is_cancelled_when_its_message_is_there_leaves_it(world: World) -> None:
    async with world.opened(wait) as peer, world.at_once():
        receiving = peer.server.start(world.ws.receive)
        await world.rest()
        await receiving.cancel()
        await peer.send(say("kept"))
        await peer.fence()
        assert await peer.server.start(world.ws.receive).result() == "kept"


# ------------------------------------------------------------------------------------------------ one consumer at a time


async def test_one_consumer_at_a_time(world: World) -> None:
    """`receive`, iteration and `listen` exclude each other; a second raises at once, the first goes on."""
    async with world.opened(wait) as peer, world.at_once():
        ws, start = world.ws, peer.server.start
        receiving = start(ws.receive)
        await world.rest()
        for second in (ws.receive, ws.__anext__):
            with pytest.raises(WebSocketBusyError):
                await start(second).result()
        with pytest.raises(WebSocketBusyError):
            ws.listen(world.note_message)
        await peer.send(say("to the first"))
        assert await receiving.result() == "to the first"
        subscription = ws.listen(world.note_message)
        for second in (ws.receive, ws.__anext__):
            with pytest.raises(WebSocketBusyError):
                await start(second).result()
        with pytest.raises(WebSocketBusyError):
            ws.listen(print)
        await peer.send(say("to the second"))
        await world.noted("to the second")
        subscription.cancel()
        receiving = start(ws.receive)
        await peer.send(say("to the third"))
        assert await receiving.result() == "to the third"


# --------------------------------------------------------------------------------------------------------- listen


async def test_listen_returns_at_once_and_never_calls_back_before_it_has(world: World) -> None:
    """Messages that wait already come afterwards."""

    async def handler(ws: WebSocket, request: Request) -> None:
        await world.held()
        ws.listen(world.note_message)
        world.note("listen has returned")

    async with world.opened(handler) as peer, world.at_once():
        await peer.send(say("one", "two"))
        await peer.fence()
        await world.noted("held")
        world.let_go()
        await world.noted("two")
    assert world.notes == ["held", "listen has returned", "one", "two"]


async def test_callbacks_come_one_at_a_time_and_in_order_and_an_async_one_is_waited_for(world: World) -> None:
    """The next message waits until it has finished: that is the backpressure."""

    async def slow(message: str | bytes) -> None:
        world.note(f"begin {message!r}")
        await sleep(0.001)
        world.note(f"end {message!r}")

    def handler(ws: WebSocket, request: Request) -> None:
        ws.listen(slow)

    async with world.opened(handler) as peer:
        await peer.send(say(*"abc"))
        await world.noted("end 'c'")
    assert world.notes == [f"{what} {each!r}" for each in "abc" for what in ("begin", "end")]


async def test_callbacks_run_in_the_context_of_the_listen_call(world: World) -> None:
    user: ContextVar[str] = ContextVar("user", default="nobody")

    async def note_user(message: str | bytes) -> None:
        world.note(f"async {user.get()}")

    def handler(ws: WebSocket, request: Request) -> None:
        user.set(request.query["user"])

        def call_back(message: str | bytes) -> object:
            world.note(f"sync {user.get()}")
            return note_user(message)

        ws.listen(call_back)
        user.set("somebody else")

    app = world.app()
    app.ws("/", handler)
    async with world.serving(app) as server, world.at_once():
        peers = [await server.upgraded(f"/?user={name}") for name in ("ann", "bob")]
        for number, peer in enumerate(peers):
            await peer.send(say("who?"))
            await world.noted(f"async {('ann', 'bob')[number]}")
    # The context is the one of the call: what is set in it later, in the same context, is not seen.
    assert world.notes == ["sync ann", "async ann", "sync bob", "async bob"]


async def test_listen_with_add_is_an_echo_with_backpressure(world: World) -> None:
    """A peer that sends and does not read stops being read; nothing is lost."""

    def handler(ws: WebSocket, request: Request) -> None:
        ws.listen(ws.add)

    payload = bytes(range(256)) * 64
    count = 600
    async with world.opened(handler, is_reading=False) as peer:
        peer.flood(frame(BINARY, payload, mask=bytes(4)) * count)
        await world.rest()
        assert world.ws.buffered_amount <= 65536 + len(payload) + 4
        expected = server_frame(BINARY, payload)
        for _ in range(count):
            await peer.expect(expected)


async def test_a_paused_subscription_calls_nothing_back_until_it_is_resumed(world: World) -> None:
    async with world.opened(wait) as peer, world.at_once():
        subscription = world.ws.listen(world.note_message)
        await peer.send(say("one"))
        await world.noted("one")
        subscription.pause()
        await peer.send(say("two"))
        await peer.fence()
        assert world.notes == ["one"]
        subscription.resume()
        assert world.notes == ["one"]
        await world.noted("two")


async def test_a_cancelled_subscription_calls_back_no_more_and_done_tells(world: World) -> None:
    """None: the connection has not ended."""
    async with world.opened(wait) as peer, world.at_once():
        subscription = world.ws.listen(world.note_message, on_done=lambda info: world.note("done"))
        done = peer.server.start(subscription.done)
        await peer.send(say("one"))
        await world.noted("one")
        assert not done.is_done
        subscription.cancel()
        assert await done.result() is None
        await peer.send(say("two"))
        await peer.fence()
        assert await peer.server.start(world.ws.receive).result() == "two"
    assert world.notes == ["one"]


ENDS: Final[dict[str, tuple[bytes, str | None, str]]] = {
    "clean": (close(1000), None, CLEAN),
    "clean with another code": (
        close(4001, "enough"),
        None,
        "4001 enough by remote, sent 4001, received 4001 enough, clean",
    ),
    "failed": (
        frame(TEXT, b"\xff"),
        "ProtocolFailure 1007",
        "1007 by local, sent 1007, received nothing, unclean, RemoteProtocolError",
    ),
    "lost": (b"", "ConnectionLost 1006", LOST),
}


@pytest.mark.parametrize("has_on_error", [True, False])
@pytest.mark.parametrize("name", ENDS)
async def test_on_done_comes_on_any_end_and_on_error_before_it_for_connection_errors(
    world: World, name: str, has_on_error: bool
) -> None:
    """Without `on_error` they end the subscription; nothing is logged."""
    sent, error, told = ENDS[name]

    def note_error(error: ConnectionClosed) -> None:
        world.note(f"{type(error).__name__} {error.close_code}")

    async with world.opened(wait) as peer, world.at_once():
        subscription = world.ws.listen(
            world.note_message, note_error if has_on_error else None, lambda info: world.note(tell(info))
        )
        done = peer.server.start(subscription.done)
        await peer.send(say("one") + sent)
        if not sent:
            peer.end()
        info = await done.result()
        assert info is not None
        assert tell(info) == told
    assert world.notes == ["one", *([error] if error and has_on_error else []), told]


def raise_sync(message: object) -> None:
    raise KeyError("in a callback")


async def raise_async(message: object) -> None:
    raise KeyError("in a callback")


@pytest.mark.parametrize("callback", [raise_sync, raise_async])
@pytest.mark.parametrize("which", ["on_message", "on_done"])
async def test_an_exception_in_a_callback_is_a_handler_exception(
    world: World, callback: Callable[[object], object], which: str
) -> None:
    """Closed with 1011 if there is a connection left, logged once, never swallowed."""
    async with world.opened(wait) as peer, world.at_once():
        if which == "on_message":
            world.ws.listen(callback, on_error=lambda error: world.note("on_error"))
            await peer.send(say("go"))
            await peer.expect(closing(1011))
            await peer.send(close(1011))
            told = "1011 by local, sent 1011, received 1011, clean, KeyError"
        else:
            world.ws.listen(world.note_message, on_done=callback)
            await peer.send(close(1000))
            await peer.expect(closing(1000))
            told = CLEAN
        await peer.expect_end()
        assert tell(await world.end()) == told
        assert [repr(each) for each in peer.server.take_errors()] == ["KeyError('in a callback')"]
    assert world.notes == []


async def test_send_add_and_close_may_be_called_inside_a_callback(world: World) -> None:
    def handler(ws: WebSocket, request: Request) -> None:
        async def answer(message: str | bytes) -> None:
            await ws.send(message)
            ws.add("added")
            await ws.close(4000, "that was all")
            world.note("closed")

        ws.listen(answer)

    async with world.opened(handler) as peer, world.at_once():
        await peer.send(say("one", "two"))
        await peer.expect(said("one"), said("added"), closing(4000, "that was all"))
        await peer.send(close(4000))
        await world.noted("closed")
        await peer.expect_end()


@pytest.mark.parametrize("on_disconnect", ["raise", "cancel"])
async def test_when_the_connection_ends_a_callback_in_progress_is_treated_as_the_handler_is(
    world: World, on_disconnect: str
) -> None:
    def handler(ws: WebSocket, request: Request) -> None:
        async def stay(message: str | bytes) -> None:
            try:
                await world.held()
                world.note("went on")
            finally:
                world.note("left")

        ws.listen(stay, on_done=lambda info: world.note("done"))

    app = world.app()
    app.ws("/", handler, on_disconnect="cancel" if on_disconnect == "cancel" else "raise")
    async with world.serving(app) as server, world.at_once():
        peer = await server.upgraded("/")
        await peer.send(say("go"))
        await world.noted("held")
        await peer.send(close(1000))
        await peer.expect_end(closing(1000))
        if on_disconnect == "raise":
            await world.rest()
            assert world.notes == ["held"]
            world.let_go()
        assert tell(await world.end()) == CLEAN
    went_on = ["went on"] if on_disconnect == "raise" else []
    assert world.notes == ["held", *went_on, "left", "done"]
