"""What the log says of each request, each WebSocket and each fault, to people and to programs."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from operator import methodcaller
from typing import cast

import pytest

from spry_core import Application, Deflate, Request, Timeouts, WebSocket, sleep
from spry_core.errors import RemoteProtocolError
from spry_core.protocol import Limits
from spry_core.protocol.date import DateCache
from spry_core.protocol.events import RequestHead
from spry_core.serving.journal import (
    LONGEST_FAULT,
    record_application_fault,
    record_held,
    record_peer_fault,
    record_shutdown,
    record_want_of_memory,
    record_warning,
)
from spry_core.serving.record import LogRecord
from spry_core.testing import MemoryPeer, MemoryPump, TestClient, stream
from spry_core.web.json_text import from_json

app = Application()


@app.post("/echo")
async def echo(request: Request) -> bytes:
    await sleep(0.25)
    return await request.read()


@app.get("/nothing")
async def nothing(request: Request) -> None:
    """Answer 204."""


@app.get("/endless")
async def endless(request: Request) -> Iterator[bytes]:
    return iter([bytes(60_000)] * 10)


@app.get("/slow")
async def slow(request: Request) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        await sleep(1.0)
        yield b"for nobody"

    return pieces()


@app.get("/broken")
async def broken(request: Request) -> None:
    raise LookupError("the password is 1234")


@app.ws("/chat", protocols=("chat.v1",))
async def chat(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)
        await ws.send("again")


@app.ws("/compressed", compression=Deflate())
async def compressed(ws: WebSocket, request: Request) -> None:
    await ws.closed


@app.ws("/failing")
async def failing(ws: WebSocket, request: Request) -> None:
    raise LookupError


def the_record(client: TestClient, logger: str = "spry.access") -> LogRecord:
    """Return the only record of a logger; whatever is recorded can be written as JSON."""
    [record] = [each for each in client.reports if each.logger == logger]
    assert json.loads(json.dumps(record.fields, allow_nan=False)) == record.fields
    return record


def test_a_request_is_told_with_its_content_and_its_time() -> None:
    client = TestClient(app)
    client.post("/echo", content=b"four")
    record = the_record(client)
    assert (record.level, record.text) == (20, '127.0.0.1:50000 "POST /echo" 200 4 B 250.0 ms')
    assert record.fields == {
        "kind": "http",
        "peer": "127.0.0.1:50000",
        "method": "POST",
        "target": "/echo",
        "status_code": 200,
        "complete": True,
        "duration": 0.25,
        "bytes_received": 4,
        "bytes_sent": 4,
    }


def test_an_answer_without_content_is_told_without_bytes() -> None:
    client = TestClient(app)
    client.get("/nothing")
    assert the_record(client).text == '127.0.0.1:50000 "GET /nothing" 204 0.0 ms'


def test_a_query_stays_out_of_the_log() -> None:
    """A browser can put a token nowhere else when it opens a WebSocket."""
    client = TestClient(app)
    client.get("/nothing?token=secret")
    record = the_record(client)
    assert record.text == '127.0.0.1:50000 "GET /nothing?..." 204 0.0 ms'
    assert record.fields["target"] == "/nothing"
    assert "secret" not in repr(record)


def test_what_was_asked_for_is_quoted_and_bounded() -> None:
    head = RequestHead(method=b"PROPPATCHES", target=b'/"' + b"x" * 200 + b"?")
    record = record_application_fault("10.0.0.1:1", head, KeyError(), "what")
    assert record.text == '10.0.0.1:1 "PROPPAT... /\\x22' + "x" * 92 + '...?...": what'


def test_an_answer_that_was_cut_is_told_as_incomplete() -> None:
    client = TestClient(app)
    peer = client.connect()
    peer.is_reading = False
    peer.send(b"GET /endless HTTP/1.1\r\nHost: t\r\n\r\n")
    peer.reset()
    record = the_record(client)
    assert record.text == '127.0.0.1:50000 "GET /endless" 200 incomplete 180000 B 0.0 ms'
    assert (record.fields["complete"], record.fields["bytes_sent"]) == (False, 180_000)


def test_a_request_that_nobody_waits_for_is_told_as_not_answered() -> None:
    client = TestClient(app)
    peer = client.connect()
    peer.send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab")
    peer.reset()
    client.advance(0.25)
    record = the_record(client)
    assert record.text == '127.0.0.1:50000 "POST /echo" no answer 250.0 ms'
    assert (record.fields["status_code"], record.fields["complete"]) == (None, False)
    assert (record.fields["bytes_received"], record.fields["bytes_sent"]) == (2, 0)


def test_a_peer_without_an_address_is_told_as_such() -> None:
    client = TestClient(app)
    ours, theirs = stream()
    pump = MemoryPump(client.driver, theirs, "connection")
    session = client.server.session(pump.driver)
    pump.start(session, session)
    MemoryPeer(client.driver, ours).send(b"GET /nothing HTTP/1.1\r\nHost: t\r\n\r\n")
    record = the_record(client)
    assert record.text == 'peer "GET /nothing" 204 0.0 ms'
    assert record.fields["peer"] is None


def test_a_websocket_is_told_at_its_end_with_all_that_went_through_it() -> None:
    client = TestClient(app)
    ws = client.ws("/chat?token=secret", subprotocols=["chat.v1"])
    ws.send("hello")
    client.advance(1.5)
    assert client.reports == []
    ws.close(1000, "bye")
    record = the_record(client)
    assert record.text == (
        '127.0.0.1:50000 "GET /chat?..." websocket 1000 "bye" by remote, 1 in (5 B), 2 out (10 B), chat.v1, 1500.0 ms'
    )
    assert record.fields == {
        "kind": "websocket",
        "peer": "127.0.0.1:50000",
        "method": "GET",
        "target": "/chat",
        "status_code": 101,
        "subprotocol": "chat.v1",
        "extensions": None,
        "close_code": 1000,
        "close_reason": "bye",
        "initiator": "remote",
        "clean": True,
        "cause": None,
        "duration": 1.5,
        "messages_received": 1,
        "bytes_received": 5,
        "messages_sent": 2,
        "bytes_sent": 10,
    }


def test_a_websocket_says_what_compresses_it() -> None:
    """RFC 7692 §7."""
    client = TestClient(app)
    client.ws("/compressed", extensions=["permessage-deflate"]).close()
    assert the_record(client).fields["extensions"] == "permessage-deflate; server_max_window_bits=12"


def test_a_close_reason_cannot_break_the_line() -> None:
    client = TestClient(app)
    client.ws("/chat").close(4000, "café\r\n closed")
    record = the_record(client)
    assert record.text == (
        '127.0.0.1:50000 "GET /chat" websocket 4000 "caf\\xe9\\r\\n closed" by remote, 0 in (0 B), 0 out (0 B), 0.0 ms'
    )
    assert record.fields["close_reason"] == "caf\\xe9\\r\\n closed"


def test_a_websocket_says_what_broke_it() -> None:
    client = TestClient(app)
    client.ws("/failing").close()
    fields = the_record(client).fields
    assert (fields["close_code"], fields["initiator"], fields["cause"]) == (1011, "local", "LookupError")


def test_a_denied_opening_handshake_is_a_request() -> None:
    """RFC 6455 §4.2.2: the server may answer with another status; §10.2: it does so to a page of another site."""
    client = TestClient(app)
    peer = client.connect()
    peer.send(
        b"GET /chat HTTP/1.1\r\nHost: t\r\nOrigin: https://elsewhere.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    record = the_record(client)
    assert (record.fields["kind"], record.fields["status_code"]) == ("http", 403)
    assert record.text.startswith('127.0.0.1:50000 "GET /chat" 403 ')


def test_an_exception_of_a_handler_is_told_once_with_its_traceback() -> None:
    client = TestClient(app)
    client.get("/broken?token=secret")
    record = the_record(client, "spry.error")
    assert (record.level, record.text) == (
        40,
        '127.0.0.1:50000 "GET /broken?...": LookupError in the application',
    )
    assert record.fields == {
        "kind": "application fault",
        "peer": "127.0.0.1:50000",
        "method": "GET",
        "target": "/broken",
        "fault": "LookupError",
    }
    assert repr(record.exception) == "LookupError('the password is 1234')"
    assert the_record(client).fields["status_code"] == 500


def test_a_fault_outside_of_any_request_has_no_target() -> None:
    error = KeyError()
    record = record_application_fault("", None, error, "internal error")
    assert (record.text, record.exception) == ("peer: internal error", error)
    assert record.fields == {
        "kind": "application fault",
        "peer": None,
        "method": None,
        "target": None,
        "fault": "KeyError",
    }


def test_want_of_memory_is_told_in_one_line_of_bounded_length() -> None:
    head = RequestHead(method=b"G" * 100, target=b"/\xff" * 1000)
    record = record_want_of_memory("[2001:db8::1234:5678:9abc:def0]:65535", head)
    assert record.text.endswith('": out of memory, connection aborted')
    assert len(record.text) <= LONGEST_FAULT
    assert (record.logger, record.level, record.exception) == ("spry.error", 40, None)
    assert list(record.fields) == ["kind", "peer", "method", "target"]
    assert record_want_of_memory("", None).text == "peer: out of memory, connection aborted"


def test_a_memory_error_has_a_traceback_only_where_the_application_wanted_the_memory() -> None:
    """What the core collects has been sent by a peer, and so has what it calls a parser for."""

    def want(*value: object) -> object:
        raise MemoryError

    def told_of(call: Callable[[], object]) -> bool:
        with pytest.raises(MemoryError) as caught:
            call()
        record = record_application_fault("", None, caught.value, "MemoryError in the application")
        assert record.text == "peer: MemoryError in the application"
        assert record.fields["fault"] == "MemoryError"
        assert record.exception in (None, caught.value)
        return record.exception is not None

    assert told_of(want)
    assert told_of(lambda: json.loads("{}", object_hook=want))
    assert not told_of(DateCache(cast("Callable[[], float]", partial(bytearray, sys.maxsize))).value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json.JSONDecoder, "decode", methodcaller("__mul__", sys.maxsize))
        assert told_of(lambda: json.loads("1"))
        assert not told_of(lambda: from_json("1"))


def test_any_other_error_of_the_core_has_a_traceback() -> None:
    with pytest.raises(ValueError, match="negative") as caught:
        Limits(max_body=-1)
    assert record_application_fault("", None, caught.value, "what").exception is caught.value


def test_what_a_peer_did_wrong_is_one_line_without_a_traceback() -> None:
    client = TestClient(app)
    client.connect().send(b"NOT HTTP\r\n\r\n")
    record = the_record(client, "spry.error")
    assert (record.level, record.exception) == (30, None)
    assert record.text == "127.0.0.1:50000: {fault} ({section})".format(**record.fields)
    assert (record.fields["kind"], record.fields["status_code"], record.fields["close_code"]) == (
        "peer fault",
        400,
        None,
    )
    assert (record.fields["method"], record.fields["target"]) == (None, None)
    assert [each.logger for each in client.reports] == ["spry.error"]


def test_a_fault_in_a_websocket_names_its_close_code() -> None:
    """RFC 6455 §5.1: a client's frame is masked."""
    client = TestClient(app)
    peer = client.connect()
    peer.send(
        b"GET /chat HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    peer.send(b"\x81\x01a")
    peer.close()
    record = the_record(client, "spry.error")
    assert (record.fields["target"], record.fields["close_code"]) == ("/chat", 1002)
    assert the_record(client).fields["cause"] == "RemoteProtocolError"


def test_content_that_comes_too_slowly_is_a_fault_and_a_request() -> None:
    """RFC 9110 §15.5.9."""
    client = TestClient(app, timeouts=Timeouts(body=5.0))
    client.connect().send(b"POST /echo HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nab")
    client.advance(5.0)
    assert [each.text for each in client.reports] == [
        '127.0.0.1:50000 "POST /echo": the content came too slowly (RFC 9110 §15.5.9)',
        '127.0.0.1:50000 "POST /echo" 408 5000.0 ms',
    ]


@pytest.mark.parametrize("message", ["m" * 1000, "\r\n\x1b[2J" * 100, "\u2028" * 100])
@pytest.mark.parametrize("target", [b"/", b"/" + b"\xff" * 8000, b"/" + b"x" * 8000 + b"?" + b"y" * 100])
def test_a_fault_never_fills_the_log(message: str, target: bytes) -> None:
    """At most one line of 200 bytes for each hostile connection."""
    error = RemoteProtocolError(message, section="RFC 9112 §3", status_code=400)
    head = RequestHead(method=b"G" * 100, target=target)
    record = record_peer_fault("[2001:db8:1234:5678:9abc:def0:1234:5678]:65535", head, error)
    assert 100 < len(record.text.encode()) <= 200
    assert record.text.isprintable()
    assert len(json.dumps(record.fields)) < 600


def test_a_fault_of_common_size_keeps_its_section() -> None:
    error = RemoteProtocolError("the target is no URI", section="RFC 9112 §3.2", status_code=400)
    head = RequestHead(method=b"PROPPATCH", target=b"/" + b"x" * 8000)
    record = record_peer_fault("[2001:db8:1234:5678:9abc:def0:1234:5678]:65535", head, error)
    assert record.text.endswith(": the target is no URI (RFC 9112 §3.2)")


def test_what_is_no_error_is_a_warning_without_a_traceback() -> None:
    record = record_warning("10.0.0.1:1", RequestHead(method=b"GET", target=b"/a?b"), "strange\nthings")
    assert (record.logger, record.level, record.text) == ("spry.error", 30, "strange\\nthings")
    assert record.exception is None
    assert record.fields == {
        "kind": "application warning",
        "peer": "10.0.0.1:1",
        "method": "GET",
        "target": "/a",
    }


def test_a_task_that_does_not_end_is_a_warning_that_names_the_request() -> None:
    record = record_held("10.0.0.1:1", RequestHead(method=b"GET", target=b"/a?b"), 2.5)
    said = '10.0.0.1:1 "GET /a?...": still running 2.5 s after it was cancelled; the shutdown waits for it'
    assert (record.logger, record.level, record.text) == ("spry.error", 30, said)
    assert record.fields == {
        "kind": "application warning",
        "peer": "10.0.0.1:1",
        "method": "GET",
        "target": "/a",
    }


@pytest.mark.parametrize(
    ("connections", "grace", "text"),
    [
        (0, 10.0, "shutting down, 0 connections, 10 s of grace"),
        (1, 2.5, "shutting down, 1 connection, 2.5 s of grace"),
        (12, None, "shutting down, 12 connections, any time"),
    ],
)
def test_a_shutdown_says_how_many_connections_are_left(
    connections: int, grace: float | None, text: str
) -> None:
    record = record_shutdown(connections, grace)
    assert (record.logger, record.level, record.text) == ("spry.server", 20, text)
    assert record.fields == {"kind": "shutdown", "connections": connections, "grace": grace}
