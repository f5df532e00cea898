"""TLS over real sockets, on every backend, with Python's own client."""

from __future__ import annotations

import ssl
import subprocess
from contextlib import suppress
from shutil import which

import anyio
import pytest
from anyio.abc import Process

from adapters.leaks import nothing_left
from adapters.peer import PATIENCE, TICK, Peer, connect
from adapters.secure_peer import SecurePeer, secured, upgrade
from adapters.serving import App, connected, dateless, serving
from frames import BINARY, CLOSE_FRAME, TEXT, close_payload, frame
from secure import TLS12, TLS13, VERSIONS, client_context, server_context
from spry_core import CloseInfo, Limits, Request, Timeouts, WebSocket

pytestmark = pytest.mark.anyio

REQUEST = b"GET %s HTTP/1.1\r\nHost: test\r\n\r\n"
by_version = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])


async def ask(peer: Peer) -> None:
    """Have one request answered."""
    await peer.send(REQUEST % b"/hello/you")
    assert dateless(await peer.receive_until(b"!")) == (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\n\r\nHello, you!"
    )


async def ended(peer: Peer) -> bytes:
    """Return what still comes on the socket, which the server ends or resets."""
    try:
        return await peer.receive_all()
    except ConnectionResetError:
        return b"reset"


@by_version
async def test_requests_are_answered_over_one_connection(version: ssl.TLSVersion) -> None:
    async with nothing_left():
        async with (
            serving(App(), ssl_context=server_context(version), timeouts=Timeouts(linger=0.05)) as server,
            secured(server) as peer,
        ):
            for _ in range(3):
                await ask(peer)


async def test_the_scheme_is_https() -> None:
    app = App()

    @app.get("/scheme")
    async def scheme(request: Request) -> str:
        return request.scheme

    async with serving(app, ssl_context=server_context()) as server, secured(server) as peer:
        await peer.send(REQUEST % b"/scheme")
        assert (await peer.receive_until(b"https")).endswith(b"\r\n\r\nhttps")


@by_version
async def test_a_websocket_echoes_and_closes_with_both_close_frames(version: ssl.TLSVersion) -> None:
    """RFC 6455 §7.1.1: the server ends first; over TLS that is a close_notify."""
    app = App()
    async with serving(app, ssl_context=server_context(version)) as server, secured(server) as peer:
        await upgrade(peer, "/echo")
        await peer.send(frame(TEXT, b"hello"))
        assert await peer.receive(7) == frame(TEXT, b"hello", mask=None)
        await peer.send(frame(CLOSE_FRAME, close_payload(4001, "bye")))
        assert await peer.receive_all() == frame(CLOSE_FRAME, close_payload(4001), mask=None)
        assert peer.client.has_end
        await peer.end_politely()
        assert await peer.raw.receive_all() == b""
        await app.ends.until("4001 by remote")


async def test_a_close_of_the_server_is_read_and_answered() -> None:
    app = App()
    async with serving(app, ssl_context=server_context()) as server, secured(server) as peer:
        await upgrade(peer, "/bye")
        expected = frame(TEXT, b"so long", mask=None) + frame(
            CLOSE_FRAME, close_payload(4000, "bye"), mask=None
        )
        assert await peer.receive(len(expected)) == expected
        await peer.send(frame(CLOSE_FRAME, close_payload(4000, "bye")))
        assert await peer.receive_all() == b""
        assert peer.client.has_end
        await peer.end_politely()
        await app.ends.until("4000 by local")


@by_version
async def test_a_closing_handshake_is_clean_also_without_the_clients_close_notify(
    version: ssl.TLSVersion,
) -> None:
    """RFC 9112 §9.8: who expects nothing more may leave at once, and browsers do."""
    app, infos = App(), list[CloseInfo]()

    @app.ws("/note")
    async def note(ws: WebSocket, request: Request) -> None:
        infos.append(await ws.closed)
        app.notes.note("closed")

    async with serving(app, ssl_context=server_context(version)) as server, secured(server) as peer:
        await upgrade(peer, "/note")
        await peer.send(frame(CLOSE_FRAME, close_payload(1000)))
        assert await peer.receive_all() == frame(CLOSE_FRAME, close_payload(1000), mask=None)
        assert peer.client.has_end
        peer.end()
        await app.notes.until("closed")
    [info] = infos
    assert (info.close_code, info.initiator, info.clean, info.cause) == (1000, "remote", True, None)


@by_version
async def test_byte_by_byte_gives_the_same(version: ssl.TLSVersion) -> None:
    async with serving(App(), ssl_context=server_context(version)) as server:
        async with secured(server, step=1) as peer:
            await ask(peer)
            await upgrade(peer, "/echo")
            await peer.send(frame(TEXT, b"hello"))
            assert await peer.receive(7) == frame(TEXT, b"hello", mask=None)


@by_version
async def test_a_client_that_has_ended_its_direction_still_gets_its_answer(version: ssl.TLSVersion) -> None:
    """RFC 8446 §6.1: a close_notify ends one direction."""
    app = App()
    async with serving(app, ssl_context=server_context(version)) as server, secured(server) as peer:
        await peer.send(REQUEST % b"/slow")
        await peer.end_politely()
        assert (await peer.receive_all()).endswith(b"\r\n\r\nslow")
        assert peer.client.has_end
        assert await peer.raw.receive_all() == b""


async def test_a_websocket_whose_peer_leaves_without_close_notify_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RFC 8446 §6.1: truncation; RFC 6455 §7.1.5: 1006."""
    app = App()
    async with serving(app, ssl_context=server_context(), access_log=False) as server:
        async with secured(server) as peer:
            await upgrade(peer, "/echo")
            peer.end()
            await app.ends.until("1006 by transport")
            await ended(peer.raw)
        assert [record for record in caplog.records if record.name == "spry.error"] == []


async def test_a_request_cut_by_an_end_without_close_notify_is_not_answered() -> None:
    async with serving(App(), ssl_context=server_context()) as server, secured(server) as peer:
        await peer.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhalf")
        peer.end()
        assert await peer.receive_all() == b""


async def test_plain_http_is_closed_and_costs_one_line(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(App(), ssl_context=server_context()) as server:
        async with await connected(server) as peer:
            await peer.send(REQUEST % b"/hello/you")
            assert await ended(peer) in {b"", b"reset"}
        [line] = [record.getMessage() for record in caplog.records if record.name == "spry.error"]
        assert ": TLS handshake failed: [SSL: HTTP_REQUEST] http request" in line
        async with secured(server) as healthy:
            await ask(healthy)


async def test_garbage_is_answered_with_an_alert() -> None:
    """RFC 8446 §6.2."""
    async with serving(App(), ssl_context=server_context()) as server:
        async with await connected(server) as peer:
            await peer.send(bytes.fromhex("16 0301 0005 01 000001 00"))
            assert (await peer.receive(7))[0] == 0x15


@pytest.mark.parametrize("size", [0, 100])
async def test_a_handshake_that_does_not_go_on_is_closed(size: int, caplog: pytest.LogCaptureFixture) -> None:
    timeouts = Timeouts(tls_handshake=0.3)
    async with serving(App(), ssl_context=server_context(), timeouts=timeouts) as server:
        begun = anyio.current_time()
        plain = await connect(server.addresses[0])
        async with SecurePeer(plain.socket) as peer:
            if size:
                await peer.say(peer.client.say()[:size])
            assert await peer.raw.receive_all() == b""
            assert anyio.current_time() - begun >= 0.3 - TICK
    lines = [record.getMessage() for record in caplog.records if record.name == "spry.error"]
    assert [line.partition(": ")[2] for line in lines] == (
        ["TLS handshake failed: it took too long (RFC 8446 §6.2)"] if size else []
    )


async def test_a_client_without_the_certificate_that_is_asked_for_is_refused() -> None:
    """RFC 8446 §4.4.2.4."""
    context = server_context(asks_for_certificate=True)
    async with serving(App(), ssl_context=context) as server:
        async with secured(server) as peer:
            await peer.receive_some()
            assert peer.client.error is not None
            assert peer.client.error.reason == "TLSV13_ALERT_CERTIFICATE_REQUIRED"
        async with secured(server, client_context(has_certificate=True)) as peer:
            await ask(peer)


async def test_a_client_that_does_not_trust_us_costs_one_line_and_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serving(App(), ssl_context=server_context()) as server:
        with pytest.raises(AssertionError):  # the client's half has failed, and says so to the server
            async with secured(server, client_context(trusts=False)) as peer:
                assert peer.client.error is None
    [record] = [record for record in caplog.records if record.name == "spry.error"]
    assert "alert unknown ca" in record.getMessage()
    assert record.exc_info is None


@by_version
async def test_big_messages_go_both_ways_through_a_slow_reader(version: ssl.TLSVersion) -> None:
    """Backpressure on both sides of TLS, and every byte in order."""
    payload = bytes(range(256)) * 3000
    expected = frame(BINARY, payload, mask=None)
    async with serving(App(), ssl_context=server_context(version)) as server:
        async with secured(server, receive_buffer=4096) as peer:
            await upgrade(peer, "/echo")
            received = b""
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(peer.send, frame(BINARY, payload, mask=bytes(4)) * 3)
                while len(received) < 3 * len(expected):
                    received += await peer.receive(min(50_000, 3 * len(expected) - len(received)))
                    await anyio.lowlevel.checkpoint()
            assert received == expected * 3


async def test_a_sender_waits_for_a_peer_that_does_not_read() -> None:
    """What is unsent never goes far beyond the high-water mark, counted in plaintext."""
    app = App()
    async with serving(app, ssl_context=server_context(), limits=Limits(high_water=65536)) as server:
        async with secured(server, receive_buffer=4096) as peer:
            await upgrade(peer, "/push")
            await anyio.wait_all_tasks_blocked()
            assert 65536 < app.pushing[0].buffered_amount <= 65536 + 16384 + 4
            expected = b"".join(
                frame(BINARY, number.to_bytes(4, "big") * 4096, mask=None) for number in range(400)
            )
            assert await peer.receive(len(expected)) == expected


async def test_a_peer_that_does_not_read_is_reset_after_the_write_timeout() -> None:
    app = App()
    async with serving(app, ssl_context=server_context(), timeouts=Timeouts(write=0.1)) as server:
        async with secured(server, receive_buffer=4096) as peer:
            await upgrade(peer, "/push")
            await app.ends.until("1006 by timeout")
            assert await ended(peer.raw) == b"reset"


async def test_a_shutdown_says_1001_over_tls_and_ends_handshakes() -> None:
    app = App()
    async with nothing_left():
        async with serving(app, ssl_context=server_context()) as server:
            silent = await connected(server)
            begun = SecurePeer((await connected(server)).socket)
            await begun.say(begun.client.say())
            await begun.raw.receive_some()
            async with secured(server) as peer:
                await upgrade(peer, "/echo")
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(server.close)
                    assert await peer.receive(4) == frame(CLOSE_FRAME, close_payload(1001), mask=None)
                    assert await silent.receive_all() == b""
                    await ended(begun.raw)
                    await peer.send(frame(CLOSE_FRAME, close_payload(1001)))
                    assert await peer.receive_all() == b""
                    assert peer.client.has_end
                    await peer.end_politely()
            silent.socket.close()
            begun.socket.close()
    assert app.ends == ["1001 by shutdown"]


async def test_an_abort_resets_whatever_the_handshake_has_come_to() -> None:
    async with nothing_left():
        async with serving(App(), ssl_context=server_context()) as server:
            async with await connected(server) as silent, secured(server) as peer:
                await ask(peer)
                server.abort()
                assert await ended(silent) == b"reset"
                assert await ended(peer.raw) == b"reset"


async def test_handshakes_count_for_the_number_of_connections() -> None:
    """A third client waits until one of the two is gone."""
    limits, timeouts = Limits(max_connections=2), Timeouts(tls_handshake=3600.0)
    async with serving(App(), ssl_context=server_context(), limits=limits, timeouts=timeouts) as server:
        async with await connected(server) as silent, secured(server) as peer:
            await ask(peer)
            waiting = SecurePeer((await connected(server)).socket)
            await waiting.say(waiting.client.say())
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(BlockingIOError):
                waiting.socket.recv(1)
            silent.socket.close()
            await waiting.shake_hands()
            await ask(waiting)
            waiting.socket.close()


async def fail_to_serve(context: ssl.SSLContext) -> None:
    async with serving(App(), ssl_context=context):
        raise AssertionError("it serves")  # pragma: no cover - it must not


async def test_a_context_of_a_client_is_refused_before_anything_listens() -> None:
    async with nothing_left():
        with pytest.raises(ssl.SSLError, match="server socket"):
            await fail_to_serve(client_context())


@pytest.mark.parametrize(
    ("version", "command", "answer"),
    [(TLS12, b"R\n", b"no renegotiation"), (TLS13, b"K\n", b"Hello, you!")],
    ids=["renegotiation", "key-update"],
)
@pytest.mark.skipif(which("openssl") is None, reason="the command openssl is not installed")
async def test_a_renegotiation_is_refused_and_a_key_update_answered(
    version: ssl.TLSVersion, command: bytes, answer: bytes
) -> None:
    """RFC 5746 §4.5 allows the one, RFC 8446 §4.6.3 asks for the other. Python's client can do neither, OpenSSL's can."""
    async with serving(App(), ssl_context=server_context(version)) as server:
        client = ["openssl", "s_client", "-crlf", "-connect", f"127.0.0.1:{server.addresses[0][1]}"]
        async with await anyio.open_process(client, stderr=subprocess.STDOUT) as process:
            terminal = Terminal(process)
            await terminal.until(b"Verify return code")
            await terminal.type(command)
            if version == TLS13:
                await terminal.until(b"KEYUPDATE\n")
                await terminal.type(b"GET /hello/you HTTP/1.1\nHost: test\n\n")
            await terminal.until(answer)
            with suppress(ProcessLookupError):  # it ends by itself when it is refused
                process.kill()
        async with secured(server) as healthy:
            await ask(healthy)


class Terminal:
    """What a process reads and writes."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._output = b""

    async def type(self, text: bytes) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send(text)

    async def until(self, answer: bytes) -> None:
        """Read until that has come."""
        assert self._process.stdout is not None
        with anyio.fail_after(PATIENCE):
            while answer not in self._output:
                self._output += await self._process.stdout.receive()
