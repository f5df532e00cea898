"""How a server ends, on every backend: in good order, cut short, at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest

from adapters.leaks import nothing_left
from adapters.peer import PATIENCE, TICK, Peer, connect
from adapters.serving import App, connected, dateless, serving, upgraded
from adapters.world import World, answer, request, tell
from adapters.world import close as client_close
from adapters.world import closing as server_close
from frames import CLOSE_FRAME, PING, PONG, TEXT, close_payload, frame
from spry_core import Next, Outcome, Request, Timeouts, WebSocket
from spry_core.web.options import OnDisconnect

pytestmark = pytest.mark.anyio

REQUEST = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"
GOING_AWAY = frame(CLOSE_FRAME, close_payload(1001), mask=None)


async def leave(peer: Peer, expected: bytes = GOING_AWAY) -> None:
    """Be told that the server goes, and go too (RFC 6455 §7.1.2)."""
    assert await peer.receive(len(expected)) == expected
    await peer.send(frame(CLOSE_FRAME, expected[2:]))
    assert await peer.receive_all() == b""
    peer.socket.close()


async def test_leaving_the_block_closes_with_1001() -> None:
    """RFC 6455 §7.4.1: an endpoint is going away."""
    app = App()
    async with nothing_left(), anyio.create_task_group() as tasks:
        async with serving(app) as server:
            peer = await upgraded(server, "/echo")
            tasks.start_soon(leave, peer)
    assert app.ends == ["1001 by shutdown"]


async def test_a_handler_that_reads_nothing_does_not_keep_the_peers_close_from_being_read() -> None:
    """RFC 6455 §7.1.2: its answer stands behind messages that nobody takes any more."""
    app = App()

    async def leave_and_say_so(peer: Peer) -> None:
        await leave(peer)
        app.notes.note("gone")

    async with anyio.create_task_group() as tasks:
        async with serving(app, timeouts=Timeouts(grace=0.5)) as server:
            peer = await upgraded(server, "/sleep")
            await peer.send(frame(PING) + frame(TEXT, b"unread") * 40)
            assert await peer.receive(2) == frame(PONG, mask=None)
            tasks.start_soon(leave_and_say_so, peer)
    assert app.notes == ["open", "gone", "cancelled"]


async def test_closing_says_the_code_and_the_reason_that_were_asked_for() -> None:
    async with serving(App()) as server, await upgraded(server, "/echo") as peer:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave, peer, frame(CLOSE_FRAME, close_payload(1012, "back soon"), mask=None))
            await server.close(1012, "back soon")


async def test_a_code_that_cannot_be_sent_is_refused_and_nothing_ends() -> None:
    async with serving(App()) as server:
        with pytest.raises(ValueError, match="close code 1005 may not be sent"):
            await server.close(1005)
        async with await connected(server) as peer:
            await peer.send(REQUEST % b"/hello/still")
            assert (await peer.receive_until(b"!")).endswith(b"Hello, still!")


async def test_closing_twice_waits_for_the_same_end() -> None:
    """The first code counts."""
    async with serving(App()) as server, await upgraded(server, "/echo") as peer:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.close)
            assert await peer.receive(4) == GOING_AWAY
            tasks.start_soon(server.close, 4000)
            await anyio.wait_all_tasks_blocked()
            await peer.send(frame(CLOSE_FRAME, close_payload(1001)))
            assert await peer.receive_all() == b""
            peer.socket.close()
        await server.close()


async def test_a_closed_server_listens_no_more() -> None:
    async with serving(App()) as server:
        address = server.addresses[0]
        await server.close()
        with pytest.raises(ConnectionRefusedError):
            await connect(address)


async def test_an_idle_connection_is_closed_at_once() -> None:
    async with serving(App()) as server, await connected(server) as peer:
        await peer.send(REQUEST % b"/hello/you")
        await peer.receive_until(b"!")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.close)
            assert await peer.receive_all() == b""
            peer.socket.close()


async def test_a_request_in_flight_is_answered_before_the_end() -> None:
    """RFC 9112 §9.6: the last answer says that it is the last."""
    app = App()
    async with serving(app) as server, await connected(server) as peer:
        await peer.send(REQUEST % b"/slow")
        await app.notes.until("slow begun")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.close)
            answer = dateless(await peer.receive_all())
            peer.socket.close()
            assert answer.endswith(b"Content-Length: 4\r\nConnection: close\r\n\r\nslow")


async def test_at_the_end_of_the_grace_handlers_are_cancelled() -> None:
    app = App()
    async with serving(app) as server, await upgraded(server, "/sleep") as peer:
        await app.notes.until("open")
        begun = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave, peer)
            await server.close(grace=0.1)
        assert 0.1 - TICK <= anyio.current_time() - begun < PATIENCE
    assert app.notes == ["open", "cancelled"]


async def test_a_client_that_does_not_answer_is_cut_after_the_close_timeout() -> None:
    app = App()
    timeouts = Timeouts(close_timeout=0.1, grace=0.0)
    async with serving(app, timeouts=timeouts) as server, await upgraded(server, "/echo") as peer:
        await server.close()
        with pytest.raises(ConnectionResetError):
            await peer.receive_all()


async def test_batches_are_closed_one_after_the_other() -> None:
    async with serving(App()) as server:
        peers = [await upgraded(server, "/echo") for _ in range(3)]
        told: list[float] = []
        begun = anyio.current_time()

        async def go(peer: Peer) -> None:
            await leave(peer)
            told.append(anyio.current_time() - begun)

        async with anyio.create_task_group() as tasks:
            for peer in peers:
                tasks.start_soon(go, peer)
            await server.close(batch=1, interval=0.05)
    assert [moment >= batch * 0.05 - TICK for batch, moment in enumerate(told)] == [True] * 3


async def test_an_abort_cuts_every_connection_and_cancels_every_handler() -> None:
    app = App()
    async with serving(app) as server:
        async with await upgraded(server, "/sleep") as peer, await connected(server) as idle:
            await idle.send(REQUEST % b"/hello/you")
            await idle.receive_until(b"!")
            await app.notes.until("open")
            server.abort()
            for each in (peer, idle):
                with pytest.raises(ConnectionResetError):
                    await each.receive_all()
            await server.close()
    assert app.notes == ["open", "cancelled"]


async def test_a_second_thought_aborts_a_shutdown_that_takes_too_long() -> None:
    app = App()
    async with serving(app) as server, await upgraded(server, "/sleep") as peer:
        await app.notes.until("open")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.close)
            assert await peer.receive(4) == GOING_AWAY
            server.abort()
            with pytest.raises(ConnectionResetError):
                await peer.receive_all()
    assert app.notes == ["open", "cancelled"]


async def test_a_cancelled_server_says_1001_and_leaves_nothing() -> None:
    """The cancellation goes on when the closing handshakes are through."""
    app = App()
    scope = anyio.CancelScope()

    async def serve() -> None:
        with scope:
            async with serving(app, timeouts=Timeouts(linger=0.05)) as server:
                tasks.start_soon(leave, await upgraded(server, "/echo"))
                tasks.start_soon(leave, await upgraded(server, "/sleep"))
                tasks.start_soon(be_idle, await connected(server))
                await app.notes.until("open", "idle")
                scope.cancel()
                await anyio.sleep_forever()
            app.notes.note("went on")  # pragma: no cover - it must not

    async def be_idle(peer: Peer) -> None:
        await peer.send(REQUEST % b"/hello/you")
        await peer.receive_until(b"!")
        app.notes.note("idle")
        assert await peer.receive_all() == b""
        peer.socket.close()

    async with nothing_left():
        async with anyio.create_task_group() as tasks:
            await serve()
    assert scope.cancelled_caught
    assert "cancelled" in app.notes
    assert "went on" not in app.notes


async def hold_out(app: App, timeouts: Timeouts, scope: anyio.CancelScope, peers: list[Peer]) -> None:
    """Serve a client that answers nothing and a handler that never ends, until cancelled."""
    async with serving(app, timeouts=timeouts) as server:
        peers.append(await upgraded(server, "/sleep"))
        await app.notes.until("open")
        scope.cancel()
        await anyio.sleep_forever()


async def hold_out_closing(app: App, timeouts: Timeouts, scope: anyio.CancelScope, peers: list[Peer]) -> None:
    """The same, and the cancellation comes when the shutdown has begun."""
    async with serving(app, timeouts=timeouts) as server:
        peers.append(await upgraded(server, "/sleep"))
        await app.notes.until("open")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.close)
            assert await peers[0].receive(2) == GOING_AWAY[:2]
            scope.cancel()


async def hold_out_leaving(app: App, timeouts: Timeouts, scope: anyio.CancelScope, peers: list[Peer]) -> None:
    """The same, and the cancellation comes when the block is being left."""
    async with serving(app, timeouts=timeouts) as server:
        peers.append(await upgraded(server, "/sleep"))
        await app.notes.until("open")
        scope.deadline = anyio.current_time() + 0.05


@pytest.mark.parametrize("serve", [hold_out, hold_out_closing, hold_out_leaving])
async def test_a_cancelled_server_waits_for_nobody_longer_than_the_close_timeout(
    serve: Callable[[App, Timeouts, anyio.CancelScope, list[Peer]], Awaitable[None]],
) -> None:
    """Whatever the grace would have been."""
    app, peers, scope = App(), list[Peer](), anyio.CancelScope()
    begun = anyio.current_time()
    async with nothing_left():
        with scope:
            await serve(app, Timeouts(close_timeout=0.1, grace=3600.0), scope, peers)
        assert scope.cancelled_caught
        assert 0.1 - TICK <= anyio.current_time() - begun < PATIENCE
        with pytest.raises(ConnectionResetError):
            await peers[0].receive_all()
        peers[0].socket.close()
    assert app.notes == ["open", "cancelled"]


async def fail_while_serving(error: Exception) -> None:
    """Raise this out of the block, with a connection open."""
    async with serving(App()) as server:
        peer = await upgraded(server, "/echo")
        await peer.send(frame(TEXT, b"hello"))
        await peer.receive(7)
        peer.socket.close()
        raise error


@pytest.mark.parametrize(
    "error", [KeyError("mine"), ExceptionGroup("mine", [KeyError("one")])], ids=["bare", "group"]
)
async def test_an_error_in_the_block_comes_out_as_it_is(error: Exception) -> None:
    async with nothing_left():
        with pytest.raises(type(error)) as caught:
            await fail_while_serving(error)
        assert caught.value is error
        assert error.__context__ is None


# --------------------------------------------------------------------------------------------------- in every world


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def hello(request: Request) -> str:
    return "hello"


async def test_a_shutdown_accepts_no_more_and_closes_what_is_idle_at_once(world: World) -> None:
    app = world.app()
    app.get("/", hello)
    async with world.serving(app) as server, world.at_once():
        idle, fresh = await server.connected(), await server.connected()
        await idle.send(request("/"))
        assert await idle.receive_answer() == answer("200 OK", "hello")
        await world.rest()
        server.shutdown()
        await idle.expect_end()
        await fresh.expect_end()
        with pytest.raises(ConnectionRefusedError):
            await server.connected()
        await server.closed()


async def test_http_requests_in_flight_finish_and_say_connection_close(world: World) -> None:
    """RFC 9112 §9.6; a request pipelined behind it is not served any more."""
    app = world.app()

    @app.get("/")
    async def slow(request: Request) -> str:
        await world.held()
        return "slow"

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/") + request("/"))
        await world.noted("held")
        server.shutdown()
        await world.rest()
        world.let_go()
        await peer.expect_end_of(answer("200 OK", "slow", ends=True))
        await server.closed()
    assert world.notes == ["held"]


@pytest.mark.parametrize("on_disconnect", ["raise", "cancel"])
async def test_handlers_see_a_clean_end_or_are_cancelled_as_their_route_says(
    world: World, on_disconnect: OnDisconnect
) -> None:
    """Either way middleware sees the `CloseInfo`."""

    async def receive(ws: WebSocket, request: Request) -> None:
        try:
            async for _ in ws:
                pass
            world.note("ended")
        finally:
            world.note("left")

    async with world.opened(receive, on_disconnect=on_disconnect) as peer, world.at_once():
        peer.server.shutdown(1012, "back soon")
        await peer.expect(server_close(1012, "back soon"))
        await peer.send(client_close(1012))
        await peer.expect_end()
        await peer.server.closed()
        expected = "1012 by shutdown, sent 1012 back soon, received 1012, clean"
        assert tell(await world.end()) == expected
    assert "left" in world.notes


async def test_sockets_get_their_close_in_batches_if_asked(world: World) -> None:
    """The next batch after the interval; each with a closing handshake of its own."""
    app = world.app()
    app.ws("/", echo)
    async with world.serving(app) as server:
        peers = [await server.upgraded("/") for _ in range(5)]
        begun = world.now()
        server.shutdown(batch=2, interval=0.03)
        moments: list[float] = []
        for peer in peers:
            await peer.expect(server_close(1001))
            moments.append(world.now() - begun)
            await peer.send(client_close(1001))
            await peer.expect_end()
        await server.closed()
    assert all(
        moment >= least - 0.002 for moment, least in zip(moments, (0, 0, 0.03, 0.03, 0.06), strict=True)
    )
    assert moments[1] <= world.precision
    assert 0.06 - 0.002 <= moments[4] <= 0.06 + world.precision
    assert [tell(info) for info in world.ends] == ["1001 by shutdown, sent 1001, received 1001, clean"] * 5


async def test_at_the_grace_handlers_of_http_are_cancelled_and_their_requests_answered_503(
    world: World,
) -> None:
    """And no later than the close timeout after it everything is gone."""
    app = world.app()

    @app.get("/")
    async def never(request: Request) -> str:
        try:
            await world.held()
            return "never"
        finally:
            world.note("cancelled")

    async with world.serving(app) as server:
        peer = await server.connected()
        await peer.send(request("/"))
        await world.noted("held")
        begun = world.now()
        server.shutdown(grace=0.03)
        await peer.expect_end_of(answer("503 Service Unavailable", "Service Unavailable", ends=True))
        await server.closed()
        assert 0.03 - 0.002 <= world.now() - begun <= 0.03 + world.precision
    assert world.notes == ["held", "cancelled"]


async def test_a_websocket_peer_that_is_silent_is_cut_at_the_close_timeout_whatever_the_grace(
    world: World,
) -> None:
    async with world.opened(echo, timeouts=Timeouts(close_timeout=0.04)) as peer:
        begun = world.now()
        peer.server.shutdown(grace=3600.0)
        await peer.expect_reset(server_close(1001))
        await peer.server.closed()
        assert 0.04 - 0.002 <= world.now() - begun <= 0.04 + world.precision
        expected = "1001 by timeout, sent 1001, received nothing, unclean, ConnectionLost"
        assert tell(await world.end()) == expected


async def test_an_abort_of_the_server_cuts_every_kind_of_connection(world: World) -> None:
    app = world.app()
    app.ws("/", echo)
    async with world.serving(app) as server, world.at_once():
        peer, idle = await server.upgraded("/"), await server.connected()
        await idle.send(b"GET")
        await world.rest()
        server.abort()
        await peer.expect_reset()
        await idle.expect_reset()
        await server.closed()


async def test_an_abort_cancels_handlers_and_middleware_before_they_can_see_the_end(world: World) -> None:
    """Who receives and who waits for the end alike; both clean up, and nothing of the end reaches them."""
    app = world.app()

    async def receive(ws: WebSocket, request: Request) -> None:
        try:
            async for _ in ws:
                pass
            world.note("the loop ended")
        finally:
            world.note("handler left")

    async def around(request: Request, next: Next) -> Outcome:
        try:
            outcome = await next()
            world.note("next gave the end")
            return outcome
        finally:
            world.note("middleware left")

    with app.group("/", middleware=[around]) as group:
        group.ws("/receive", receive)
        group.ws("/return", give_up)
    async with world.serving(app) as server, world.at_once():
        for path in ("/receive", "/return"):
            peer = await server.upgraded(path)
            await peer.fence()
        server.abort()
        await server.closed()
    assert sorted(world.notes) == ["handler left", "middleware left", "middleware left"]
    assert world.ends == []


async def give_up(ws: WebSocket, request: Request) -> None:
    pass
