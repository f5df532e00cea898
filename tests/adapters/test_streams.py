"""Time, pressure and loss on real streams, on every backend."""

from __future__ import annotations

import anyio
import pytest

from adapters.leaks import nothing_left
from adapters.peer import PATIENCE, TICK, Peer
from adapters.serving import App, connected, dateless, serving, upgraded
from frames import BINARY, CLOSE_FRAME, PING, PONG, TEXT, close_payload, frame
from spry_core import BufferFull, Limits, Request, Timeouts, WebSocket, sleep

pytestmark = pytest.mark.anyio


def big_frame(number: int, *, mask: bytes = b"") -> bytes:
    """Make a binary frame of 16 KiB; a key of zeros masks without changing anything (RFC 6455 §5.3)."""
    length = 0x80 | 126 if mask else 126
    return bytes((0x80 | BINARY, length, 0x40, 0x00)) + mask + number.to_bytes(4, "big") * 4096


REQUEST = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"


async def test_a_peer_that_says_nothing_is_closed_after_the_head_timeout() -> None:
    begun = anyio.current_time()
    async with serving(App(), timeouts=Timeouts(head=0.05)) as server, await connected(server) as peer:
        assert await peer.receive_all() == b""
        assert anyio.current_time() - begun >= 0.05 - TICK


async def test_half_a_head_is_answered_with_408_after_the_head_timeout() -> None:
    """RFC 9110 §15.5.9; bytes do not buy more time."""
    async with serving(App(), timeouts=Timeouts(head=0.3)) as server, await connected(server) as peer:
        await peer.send(b"GET / HTTP/1.1\r\n")
        answer = await peer.receive_all()
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nConnection: close\r\n" in answer


async def test_an_idle_connection_is_closed_after_the_keep_alive_timeout() -> None:
    """RFC 9112 §9.5."""
    async with serving(App(), timeouts=Timeouts(keep_alive=0.05)) as server, await connected(server) as peer:
        begun = anyio.current_time()
        await peer.send(REQUEST % b"/hello/you")
        assert dateless(await peer.receive_all()).endswith(b"\r\n\r\nHello, you!")
        assert anyio.current_time() - begun >= 0.05 - TICK


async def test_a_websocket_peer_that_is_dead_is_found_by_keepalive() -> None:
    """A Ping (RFC 6455 §5.5.2), then Close 1011."""
    timeouts = Timeouts(ping_interval=0.03, ping_timeout=0.03, close_timeout=0.1)
    async with serving(App(), timeouts=timeouts) as server, await upgraded(server, "/echo") as peer:
        ping = await peer.receive(6)
        assert ping[:2] == bytes((0x80 | PING, 4))
        expected = frame(CLOSE_FRAME, close_payload(1011, "keepalive timeout"), mask=None)
        assert await peer.receive_all() == expected


async def until_frame(peer: Peer, opcode: int, size: int) -> None:
    """Wait for such a frame, whatever Pings come before it."""
    head = b""
    while head != bytes((0x80 | opcode, size)):
        head = await peer.receive(2)
        await peer.receive(head[1])


@pytest.mark.parametrize("resets", [True, False])
@pytest.mark.parametrize("receives_once", [True, False])
async def test_a_peer_that_has_gone_is_found_though_nobody_reads(resets: bool, receives_once: bool) -> None:
    """The queue is full, so the stream is not read, and shows its end only to who writes (RFC 6455 §5.5.3).

    Nobody reads because the handler does not, or because it has returned and who received behind it does not come back.
    """
    app = App()

    async def forget(ws: WebSocket, request: Request) -> None:
        app.pushing.append(ws)
        if not receives_once:
            await ws.closed

    app.ws("/forget", forget)
    limits, timeouts = Limits(max_queue=1), Timeouts(ping_interval=0.02, ping_timeout=60.0)
    async with nothing_left(), serving(app, limits=limits, timeouts=timeouts) as server:
        async with await upgraded(server, "/forget") as peer:
            if receives_once:
                await peer.send(frame(TEXT, b"dropped") + frame(PING))
                await until_frame(peer, PONG, 0)  # so all of that was parsed behind the return
                async with anyio.create_task_group() as group:
                    group.start_soon(app.pushing[0].receive)
                    await anyio.wait_all_tasks_blocked()
                    await peer.send(frame(TEXT, b"taken"))
            await peer.send(frame(TEXT, b"unread") * 3)
            await until_frame(peer, PONG, 4)  # nobody has asked for it
            if resets:
                peer.reset()
        await app.ends.until("1006 by transport")


async def test_a_websocket_peer_that_answers_pings_stays() -> None:
    timeouts = Timeouts(ping_interval=0.02, ping_timeout=PATIENCE, grace=0.0)
    app = App()
    async with serving(app, timeouts=timeouts) as server, await upgraded(server, "/sleep") as peer:
        for _ in range(5):
            ping = await peer.receive(6)
            assert ping[:2] == bytes((0x80 | PING, 4))
            await peer.send(frame(PONG, ping[2:]))
        assert app.notes == ["open"]


async def test_a_peer_that_does_not_read_is_reset_after_the_write_timeout() -> None:
    app = App()
    timeouts = Timeouts(write=0.1)
    async with serving(app, timeouts=timeouts) as server:
        async with await upgraded(server, "/push", receive_buffer=4096) as peer:
            await app.ends.until("1006 by timeout")
            with pytest.raises(ConnectionResetError):
                await peer.receive_all()
            async with await connected(server) as healthy:
                await healthy.send(REQUEST % b"/hello/you")
                assert (await healthy.receive_until(b"!")).endswith(b"Hello, you!")


async def test_a_peer_that_reads_slowly_makes_the_sender_wait_and_loses_nothing() -> None:
    """What is unsent never goes far beyond the high-water mark: the mark and one message."""
    app = App()
    expected = b"".join(big_frame(number) for number in range(400))
    async with serving(app, limits=Limits(high_water=65536)) as server:
        async with await upgraded(server, "/push", receive_buffer=4096) as peer:
            await anyio.wait_all_tasks_blocked()
            assert 65536 < app.pushing[0].buffered_amount <= 65536 + 16384 + 4
            assert await peer.receive(len(expected)) == expected


async def test_a_burst_that_nobody_consumes_stops_the_reading_and_is_delivered_later() -> None:
    """Sixteen messages wait; the rest stays with the kernel and the peer, not with us."""
    app, arrived, go_on = App(), list[str | bytes](), anyio.Event()

    @app.ws("/later")
    async def later(ws: WebSocket, request: Request) -> None:
        app.notes.note("open")
        await go_on.wait()
        async for message in ws:
            arrived.append(message)
            if len(arrived) == 2000:
                await ws.send("done")

    timeouts = Timeouts(ping_interval=None)  # a busy machine may need longer than until the first
    async with serving(app, timeouts=timeouts) as server, await upgraded(server, "/later") as peer:
        sent = 0

        async def flood() -> None:
            nonlocal sent
            for number in range(2000):
                await peer.send(big_frame(number, mask=bytes(4)))
                sent += 1

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(flood)
            await app.notes.until("open")
            await anyio.wait_all_tasks_blocked()
            assert sent < 2000
            go_on.set()
        expected = frame(TEXT, b"done", mask=None)
        assert await peer.receive(len(expected)) == expected
    assert arrived == [number.to_bytes(4, "big") * 4096 for number in range(2000)]


async def test_a_sender_that_does_not_wait_is_stopped_by_the_hard_limit() -> None:
    app = App()

    @app.ws("/rush")
    async def rush(ws: WebSocket, request: Request) -> None:
        await sleep(0)  # an abort in the first step of a task may drop the 101 as well
        count = 0
        try:
            while True:
                ws.send_nowait(bytes(65536))
                count += 1
        except BufferFull:
            app.notes.note(
                f"stopped {ws.buffered_amount >= 1 << 20} {ws.buffered_amount < (1 << 20) + 65546}"
            )
            ws.abort()

    async with serving(app) as server, await upgraded(server, "/rush", receive_buffer=4096) as peer:
        await app.notes.until("stopped True True")
        with pytest.raises(ConnectionResetError):
            await peer.receive_all()


async def test_a_peer_that_resets_is_lost_to_its_handler_and_to_nobody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RFC 6455 §7.1.5: no Close frame has come, so 1006."""
    app = App()
    async with serving(app) as server:
        (await upgraded(server, "/echo")).reset()
        await app.ends.until("1006 by transport")
        async with await connected(server) as healthy:
            await healthy.send(REQUEST % b"/hello/you")
            assert (await healthy.receive_until(b"!")).endswith(b"Hello, you!")
    assert caplog.records == []


async def test_nothing_is_left_of_connections_of_every_kind() -> None:
    app = App()
    async with nothing_left():
        async with serving(app, timeouts=Timeouts(linger=0.05, head=2.0, grace=0.0)) as server:
            for _ in range(10):
                async with await connected(server) as answered:
                    await answered.send(REQUEST % b"/hello/you")
                    await answered.receive_until(b"!")
                async with await connected(server) as refused:
                    await refused.send(b"nonsense\r\n\r\n")
                    assert (await refused.receive_all()).startswith(b"HTTP/1.1 400 ")
                async with await upgraded(server, "/echo") as closed:
                    await closed.send(frame(CLOSE_FRAME, close_payload(1000)))
                    await closed.receive_all()
                (await upgraded(server, "/echo")).reset()
                (await upgraded(server, "/sleep")).socket.close()
            async with await connected(server) as silent:
                assert await silent.receive_all() == b""
