"""What `logging` gets on every backend: the core's records, each with its line and its fields, and no other."""

from __future__ import annotations

import logging
import re

import pytest

from adapters.peer import Peer
from adapters.serving import App, connected, serving, upgraded
from frames import CLOSE_FRAME, TEXT, close_payload, frame
from spry_core import Timeouts

pytestmark = pytest.mark.anyio

PEER = re.compile(r"127\.0\.0\.1:\d+")
TIME = re.compile(r"\d+\.\d ms$")


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    """Have everything of ours captured, and nothing of others."""
    caplog.set_level(logging.DEBUG, "spry")


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Return logger, level and line of each record, without what is another at every run."""
    return [
        (record.name, record.levelname, TIME.sub("TIME", PEER.sub("PEER", record.getMessage())))
        for record in caplog.records
        if record.name.startswith("spry")
    ]


def told_of_peers(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """Return the same without the shutdown: the end of a peer's stream may be noticed before it or after it."""
    return [each for each in told(caplog) if each[0] != "spry.server"]


def fields_of(caplog: pytest.LogCaptureFixture, logger: str) -> dict[str, object]:
    """Return the fields of the only record of a logger, as an application's own formatter finds them."""
    [record] = [record for record in caplog.records if record.name == logger]
    return dict(record.__dict__["spry"])


def own_address(peer: Peer) -> str:
    return "{}:{}".format(*peer.socket.getsockname())


async def close(peer: Peer, code: int = 1000, reason: str = "") -> None:
    """Close a WebSocket, and wait for the end of the stream (RFC 6455 §7.1.1)."""
    await peer.send(frame(CLOSE_FRAME, close_payload(code, reason)))
    await peer.receive_all()


SHUTDOWN = ("spry.server", "INFO", "shutting down, 0 connections, 10 s of grace")


async def test_a_request_is_one_line_with_fields(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(App()) as server:
        async with await connected(server) as peer:
            own = own_address(peer)
            await peer.send(
                b"POST /echo?token=secret HTTP/1.1\r\nHost: test\r\nContent-Length: 4\r\n"
                b"Connection: close\r\n\r\nfour"
            )
            assert (await peer.receive_all()).endswith(b"\r\n\r\nfour")
    assert told_of_peers(caplog)[0] == ("spry.access", "INFO", 'PEER "POST /echo?..." 200 4 B TIME')
    fields = fields_of(caplog, "spry.access")
    assert isinstance(fields.pop("duration"), float)
    assert fields == {
        "kind": "http",
        "peer": own,
        "method": "POST",
        "target": "/echo",
        "status_code": 200,
        "complete": True,
        "bytes_received": 4,
        "bytes_sent": 4,
    }


async def test_a_websocket_is_one_line_with_fields_at_its_end(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(App()) as server:
        async with await upgraded(server, "/echo") as peer:
            own = own_address(peer)
            await peer.send(frame(TEXT, b"hello"))
            await peer.receive(7)
            assert told(caplog) == []
            await close(peer, 4001, "bye")
    line = 'PEER "GET /echo" websocket 4001 "bye" by remote, 1 in (5 B), 1 out (5 B), TIME'
    assert told_of_peers(caplog) == [("spry.access", "INFO", line)]
    fields = fields_of(caplog, "spry.access")
    assert isinstance(fields.pop("duration"), float)
    assert fields == {
        "kind": "websocket",
        "peer": own,
        "method": "GET",
        "target": "/echo",
        "status_code": 101,
        "subprotocol": None,
        "extensions": None,
        "close_code": 4001,
        "close_reason": "bye",
        "initiator": "remote",
        "clean": True,
        "cause": None,
        "messages_received": 1,
        "bytes_received": 5,
        "messages_sent": 1,
        "bytes_sent": 5,
    }


async def test_what_a_peer_does_wrong_is_one_short_line_without_a_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RFC 9112 §3: this is no request line."""
    async with serving(App(), timeouts=Timeouts(linger=0.05)) as server:
        async with await connected(server) as peer:
            await peer.send(b"\x1b[2J\r\n" + b"x" * 5000 + b"\r\n\r\n")
            assert (await peer.receive_all()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    [record] = [record for record in caplog.records if record.name == "spry.error"]
    assert (record.levelname, record.exc_info) == ("WARNING", None)
    assert record.getMessage().isprintable()
    assert len(record.getMessage().encode()) <= 200
    assert fields_of(caplog, "spry.error")["status_code"] == 400
    assert [logger for logger, _, _ in told(caplog)] == ["spry.error", "spry.server"]


async def test_what_a_peer_does_wrong_in_a_websocket_is_such_a_line_beside_that_of_the_websocket(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """RFC 6455 §5.1: a client's frames are masked."""
    async with serving(App()) as server:
        async with await upgraded(server, "/echo") as peer:
            await peer.send(frame(TEXT, b"hello", mask=None))
            await peer.receive_all()
    fault, access = told_of_peers(caplog)
    assert fault[:2] == ("spry.error", "WARNING")
    assert fault[2].startswith('PEER "GET /echo": ')
    assert access[2] == 'PEER "GET /echo" websocket 1002 by local, 0 in (0 B), 0 out (0 B), TIME'
    assert fields_of(caplog, "spry.error")["close_code"] == 1002


async def test_only_what_the_application_does_wrong_has_a_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(App()) as server:
        async with await upgraded(server, "/raise") as peer:
            await peer.send(frame(TEXT, b"go"))
            await peer.receive(4)
            await close(peer, 1011)
    fault, access = told_of_peers(caplog)
    assert fault == ("spry.error", "ERROR", 'PEER "GET /raise": ZeroDivisionError in the application')
    assert access[2] == 'PEER "GET /raise" websocket 1011 by local, 1 in (2 B), 0 out (0 B), TIME'
    assert fields_of(caplog, "spry.access")["cause"] == "ZeroDivisionError"
    [error] = [record.exc_info for record in caplog.records if record.exc_info]
    assert repr(error[1]) == "ZeroDivisionError('in a handler')"


async def test_a_denied_opening_handshake_is_a_request(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 6455 §10.2: the Origin is another site's."""
    async with serving(App()) as server:
        async with await connected(server) as peer:
            await peer.send(
                b"GET /echo HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade, close\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                b"Origin: https://elsewhere.example\r\n\r\n"
            )
            assert (await peer.receive_all()).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    fields = fields_of(caplog, "spry.access")
    assert (fields["kind"], fields["status_code"], fields["complete"]) == ("http", 403, True)


async def test_a_request_that_nobody_waits_for_is_told_when_its_handler_is_done(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = App()
    async with serving(app) as server:
        async with await connected(server) as peer:
            await peer.send(b"GET /slow HTTP/1.1\r\nHost: test\r\n\r\n")
            await app.notes.until("slow begun")
            peer.reset()
        await app.notes.until("slow ended")
    assert ("spry.access", "INFO", 'PEER "GET /slow" no answer TIME') in told(caplog)


async def test_a_shutdown_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    app = App()
    async with serving(app) as server:
        async with await upgraded(server, "/echo") as peer:
            await app.notes.until("open")
            server.shut_down(grace=2.5)
            assert await peer.receive(4) == frame(CLOSE_FRAME, close_payload(1001), mask=None)
            await close(peer, 1001)
    shutdown, access = told(caplog)  # it ends by the shutdown, so after it
    assert shutdown == ("spry.server", "INFO", "shutting down, 1 connection, 2.5 s of grace")
    assert access[2] == 'PEER "GET /echo" websocket 1001 by shutdown, 0 in (0 B), 0 out (0 B), TIME'
    assert fields_of(caplog, "spry.server") == {"kind": "shutdown", "connections": 1, "grace": 2.5}


async def test_an_idle_server_says_only_that_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    async with serving(App()):
        pass
    assert told(caplog) == [SHUTDOWN]
