"""Slow peers of every kind, in real time and at once: each is cut by the timeout that is meant for it, and by no other, while a
healthy client is answered (RFC 9110 §15.5.9, RFC 6455 §7.4.1).

To be slow is what these peers do, so here, and nowhere else in this suite, tests wait by the clock: a byte every `PAUSE`. To the
tick the same timeouts are tested in `tests/spry_core`, on a clock that is a number.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final, NamedTuple

import anyio
import pytest

from adapters.leaks import nothing_left
from adapters.peer import PATIENCE, TICK, Peer
from adapters.secure_peer import SecurePeer
from adapters.serving import App, Running, connected, dateless, serving, upgraded
from frames import CLOSE_FRAME, PING, TEXT, close_payload, frame, read_frames
from secure import server_context
from spry_core import Limits, Timeouts

pytestmark = pytest.mark.anyio

PAUSE: Final = 0.02
"""Seconds between two bytes of a peer that drips."""

TIMEOUTS: Final = Timeouts(
    head=1.0,
    body=0.35,
    keep_alive=1.2,
    write=0.3,
    linger=5.0,
    ping_interval=0.7,
    ping_timeout=0.8,
    close_timeout=0.55,
    tls_handshake=0.45,
)
"""Each another, so that none is taken for another; `linger` is longer than all, and ends what has ended its side. Those that a
healthy client has to keep to are long, for a busy machine, and so are those of a keepalive that a peer which does not read
could meet first.
"""

HELLO: Final = b"GET /hello/you HTTP/1.1\r\nHost: test\r\n\r\n"
HELLO_ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\n\r\nHello, you!"
)
POST: Final = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n"
TOO_SLOW: Final = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 16\r\n"
    b"Connection: close\r\n\r\nRequest Timeout\n"
)


class End(NamedTuple):
    """What a peer got, and when that was over."""

    data: bytes
    seconds: float


Slow = Callable[[Running, App], Awaitable[End]]


@asynccontextmanager
async def dripping(peer: Peer, data: bytes) -> AsyncGenerator[None]:
    """Send a byte now and then beside the block, round and round, until the block or the stream ends."""

    async def drip() -> None:
        try:
            while True:
                for byte in data:
                    await peer.send(bytes((byte,)))
                    await anyio.sleep(PAUSE)
        except OSError:
            pass  # cut

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(drip)
        yield
        tasks.cancel_scope.cancel()


async def until_cut(peer: Peer, since: float) -> End:
    """Take what comes until the stream ends or is reset."""
    data = bytearray()
    try:
        while some := await peer.receive_some():
            data += some
    except ConnectionResetError:
        data += b"reset"
    return End(dateless(bytes(data)), anyio.current_time() - since)


async def say_nothing(server: Running, app: App) -> End:
    since = anyio.current_time()
    async with await connected(server) as peer:
        return await until_cut(peer, since)


async def drip_a_head(server: Running, app: App) -> End:
    since = anyio.current_time()
    async with await connected(server) as peer:
        await peer.send(b"GET / HTTP/1.1\r\nHost: test\r\nX: ")
        async with dripping(peer, b"x"):
            return await until_cut(peer, since)


async def stop_in_the_content(server: Running, app: App) -> End:
    since = anyio.current_time()
    async with await connected(server) as peer:
        await peer.send(POST + b"some")
        return await until_cut(peer, since)


async def drip_a_content(server: Running, app: App) -> End:
    """Below `Limits.min_body_rate`."""
    since = anyio.current_time()
    async with await connected(server) as peer:
        await peer.send(POST)
        async with dripping(peer, b"x"):
            return await until_cut(peer, since)


async def ask_no_more(server: Running, app: App) -> End:
    async with await connected(server) as peer:
        since = anyio.current_time()
        await peer.send(HELLO)
        return await until_cut(peer, since)


async def read_nothing(server: Running, app: App) -> End:
    since = anyio.current_time()
    async with await upgraded(server, "/push", receive_buffer=4096) as peer:
        await app.ends.until("1006 by timeout")
        seconds = anyio.current_time() - since
        return End((await until_cut(peer, since)).data[-5:], seconds)


async def answer_no_ping(server: Running, app: App) -> End:
    since = anyio.current_time()
    async with await upgraded(server, "/echo") as peer:
        return await until_cut(peer, since)


async def talk_on_behind_a_close(server: Running, app: App) -> End:
    since = anyio.current_time()
    async with await upgraded(server, "/bye") as peer, dripping(peer, frame(TEXT, b"and another thing")):
        data, seconds = await until_cut(peer, since)
        return End(data.removesuffix(b"reset"), seconds)  # the sender may have found that first


PEERS: dict[Slow, tuple[bytes, float]] = {
    say_nothing: (b"", 1.0),
    drip_a_head: (TOO_SLOW, 1.0),
    stop_in_the_content: (TOO_SLOW, 0.35),
    drip_a_content: (TOO_SLOW, 0.35),
    ask_no_more: (HELLO_ANSWER, 1.2),
    read_nothing: (b"reset", 0.3),
    talk_on_behind_a_close: (
        frame(TEXT, b"so long", mask=None) + frame(CLOSE_FRAME, close_payload(4000, "bye"), mask=None),
        0.55,
    ),
}
"""What each gets, and the seconds after which that is due."""


async def stay_healthy(server: Running, waits: list[float]) -> None:
    """Ask again and again, twice on each connection."""
    while True:
        async with await connected(server) as peer:
            for _ in range(2):
                since = anyio.current_time()
                await peer.send(HELLO)
                assert dateless(await peer.receive_until(b"you!")) == HELLO_ANSWER
                waits.append(anyio.current_time() - since)
        await anyio.sleep(PAUSE)


async def test_each_slow_peer_is_cut_by_its_own_timeout_while_a_healthy_client_is_answered() -> None:
    """And need not wait for any of them to be cut. How long it does wait is the machine's affair."""
    app, ends, waits = App(), dict[Slow, End](), list[float]()

    async def suffer(slow: Slow) -> None:
        ends[slow] = await slow(server, app)

    async with nothing_left(), serving(app, timeouts=TIMEOUTS) as server:
        async with anyio.create_task_group() as healthy:
            healthy.start_soon(stay_healthy, server, waits)
            async with anyio.create_task_group() as slow_ones:
                for slow in PEERS:
                    slow_ones.start_soon(suffer, slow)
            healthy.cancel_scope.cancel()
    for slow, (data, due) in PEERS.items():
        assert ends[slow].data == data, slow
        assert ends[slow].seconds >= due - TICK, slow
    assert sorted(app.ends) == ["1006 by timeout", "4000 by timeout"]
    assert min(waits) < min(due for _, due in PEERS.values())


async def test_a_peer_that_reads_too_slowly_is_cut() -> None:
    """A KiB now and then is progress, and at a tenth of the rate it is not enough."""
    app = App()
    limits = Limits(min_write_rate=500 * 1024)
    async with serving(app, limits=limits, timeouts=Timeouts(write=0.3)) as server:
        since = anyio.current_time()
        async with await upgraded(server, "/push", receive_buffer=4096) as peer:
            with anyio.fail_after(PATIENCE):
                while not app.ends:
                    await peer.receive_some(1024)
                    await anyio.sleep(PAUSE)
            seconds = anyio.current_time() - since
    assert list(app.ends) == ["1006 by timeout"]
    assert seconds >= 0.3 - TICK


async def test_a_peer_that_answers_no_ping_is_told_so_and_cut() -> None:
    """RFC 6455 §5.5.2; then as every failed connection: Close, and the end of the stream."""
    app = App()
    async with serving(app, timeouts=replace(TIMEOUTS, ping_interval=0.2, ping_timeout=0.25)) as server:
        end = await answer_no_ping(server, app)
        await app.ends.until("1011 by timeout")
    ping, close = read_frames(end.data)
    assert (ping.opcode, len(ping.payload)) == (PING, 4)
    assert (close.opcode, close.payload) == (CLOSE_FRAME, close_payload(1011, "keepalive timeout"))
    assert end.seconds >= 0.45 - TICK


async def test_a_peer_that_drips_its_tls_handshake_is_cut() -> None:
    app, waits = App(), list[float]()
    async with serving(app, ssl_context=server_context(), timeouts=TIMEOUTS) as server:
        since = anyio.current_time()
        plain = await connected(server)
        async with SecurePeer(plain.socket) as peer, dripping(plain, peer.client.say()):
            end = await until_cut(plain, since)
            waits.append(end.seconds)
    assert end.data in (b"", b"reset")
    assert end.seconds >= 0.45 - TICK
