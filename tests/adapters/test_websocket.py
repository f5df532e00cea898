"""WebSocket on every backend: the `websockets` package as a client that nobody here wrote, and bare frames."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest
from anyio.to_thread import run_sync
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from adapters.serving import App, connected, handshake, serving, upgraded, url
from frames import BINARY, CLOSE_FRAME, PING, PONG, TEXT, close_payload, frame
from handshakes import SWITCHED
from spry_core import Next, Outcome, Request, Timeouts, timeout

pytestmark = pytest.mark.anyio


def client(address: str) -> AbstractContextManager[ClientConnection]:
    """Connect in the calling thread."""
    return connect(address, proxy=None, compression=None)


async def talk(address: str, talk: Callable[[ClientConnection], None]) -> None:
    """Run a client in a thread of its own, so that it shares nothing with the server."""

    def run() -> None:
        with client(address) as ws:
            talk(ws)

    await run_sync(run)


def server_frame(opcode: int, payload: bytes) -> bytes:
    """Make a frame as a server sends it, unmasked (RFC 6455 §5.1)."""
    return frame(opcode, payload, mask=None)


MESSAGES: list[str | bytes] = [
    "text",
    "",
    "ÿ€😀",
    b"",
    b"\x00\xff",
    "x" * 125,
    b"y" * 126,
    b"z" * 65536,
    "w" * (1 << 20),
]


@pytest.mark.parametrize("path", ["/echo", "/listen"])
async def test_messages_come_back_as_they_went(path: str) -> None:
    """RFC 6455 §5.6: text stays text and binary stays binary, at every form of the length."""

    def exchange(ws: ClientConnection) -> None:
        for message in MESSAGES:
            ws.send(message)
            assert ws.recv(timeout=10) == message

    async with serving(App()) as server:
        await talk(url(server, path, "ws"), exchange)


@pytest.mark.parametrize("path", ["/echo", "/listen"])
async def test_a_burst_comes_back_whole_and_in_order(path: str) -> None:
    def exchange(ws: ClientConnection) -> None:
        for number in range(1000):
            ws.send(f"message {number}")
        assert [ws.recv(timeout=10) for _ in range(1000)] == [f"message {number}" for number in range(1000)]

    async with serving(App()) as server:
        await talk(url(server, path, "ws"), exchange)


@pytest.mark.parametrize("path", ["/echo", "/listen"])
async def test_a_burst_in_one_write_is_answered_in_order(path: str) -> None:
    payloads = [b"%04d" % number for number in range(500)]
    async with serving(App()) as server, await upgraded(server, path) as peer:
        await peer.send(b"".join(frame(BINARY, payload) for payload in payloads))
        expected = b"".join(server_frame(BINARY, payload) for payload in payloads)
        assert await peer.receive(len(expected)) == expected


async def test_a_message_behind_the_opening_handshake_is_not_lost() -> None:
    """It may not be sent there (RFC 6455 §4.1), but it is kept until the 101 has gone."""
    async with serving(App()) as server, await connected(server) as peer:
        await peer.send(handshake("/echo") + frame(TEXT, b"early"))
        expected = SWITCHED + server_frame(TEXT, b"early")
        assert await peer.receive(len(expected)) == expected


async def test_a_close_of_the_client_is_answered_and_the_server_ends_tcp_first() -> None:
    """RFC 6455 §5.5.1 and §7.1.1."""
    app = App()
    async with serving(app) as server, await upgraded(server, "/echo") as peer:
        await peer.send(frame(CLOSE_FRAME, close_payload(1000, "done")))
        assert await peer.receive_all() == server_frame(CLOSE_FRAME, close_payload(1000))
        peer.socket.close()
        await app.ends.until("1000 by remote")


async def test_a_close_of_the_handler_reaches_the_client() -> None:
    def exchange(ws: ClientConnection) -> None:
        assert ws.recv(timeout=10) == "so long"
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv(timeout=10)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4000, "bye")

    async with serving(App()) as server:
        await talk(url(server, "/bye", "ws"), exchange)


async def test_a_handler_that_raises_closes_with_1011_and_the_server_lives(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RFC 6455 §7.4.1, without a word of the exception on the wire."""

    def fail(ws: ClientConnection) -> None:
        ws.send("go")
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv(timeout=10)
        assert caught.value.rcvd is not None
        assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (1011, "")

    def echo(ws: ClientConnection) -> None:
        ws.send("still there?")
        assert ws.recv(timeout=10) == "still there?"

    async with serving(App()) as server:
        await talk(url(server, "/raise", "ws"), fail)
        await talk(url(server, "/echo", "ws"), echo)
    errors = [record.exc_info for record in caplog.records if record.name == "spry.error"]
    assert [repr(info[1]) for info in errors if info] == ["ZeroDivisionError('in a handler')"]


async def test_a_middleware_may_give_a_websocket_only_so_much_time(caplog: pytest.LogCaptureFixture) -> None:
    """Its scope is cancelled around the handler, which gets 1011, and hears of it itself."""
    app = App()

    async def hurry(request: Request, next: Next) -> Outcome:
        try:
            with timeout(0.05):
                return await next()
        except TimeoutError:
            app.notes.note("too late")
            raise

    app.middleware.use(hurry)
    async with serving(app) as server, await upgraded(server, "/sleep") as peer:
        await app.notes.until("too late")
        assert await peer.receive(4) == frame(CLOSE_FRAME, close_payload(1011), mask=None)
    assert app.notes == ["open", "cancelled", "too late"]
    errors = [record.exc_info for record in caplog.records if record.name == "spry.error"]
    assert [type(info[1]) for info in errors if info] == [TimeoutError]


async def test_a_ping_is_answered_while_the_handler_is_busy() -> None:
    """RFC 6455 §5.5.2."""
    app = App()
    no_grace = Timeouts(grace=0.0)
    async with serving(app, timeouts=no_grace) as server, await upgraded(server, "/sleep") as peer:
        await app.notes.until("open")
        await peer.send(frame(PING, b"1") + frame(PING, b"2"))
        expected = server_frame(PONG, b"1") + server_frame(PONG, b"2")
        assert await peer.receive(len(expected)) == expected


async def test_a_frame_without_a_mask_fails_the_connection() -> None:
    """RFC 6455 §5.1; what came before it in the same read is still answered."""
    async with serving(App()) as server, await upgraded(server, "/echo") as peer:
        await peer.send(frame(TEXT, b"good") + server_frame(TEXT, b"bad"))
        answer = await peer.receive_all()
    assert answer[:6] == server_frame(TEXT, b"good")
    assert answer[6] == 0x80 | CLOSE_FRAME
    assert answer[8:10] == close_payload(1002)
