from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict

import pytest

from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import (
    ABORT,
    DEFAULT_ENGINE,
    Accept,
    BodyEnd,
    Close,
    Connection,
    ConnectionEnded,
    Deflate,
    Limits,
    Message,
    PreparedMessage,
    ResponseHead,
    Role,
    Timeouts,
)
from spry_core.recording import FORMAT, RecordedConnection, Redaction
from spry_core.recording.values import Entry, Json, as_bytes
from spry_core.version import VERSION

REQUEST = b"GET / HTTP/1.1\r\nHost: a\r\nCookie: sid\r\n\r\n"
HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


class Recorded:
    """A connection with the lines that it has told since they were last asked for."""

    def __init__(self, role: Role = "server", *, random: Callable[[int], bytes] = bytes) -> None:
        self.entries: list[Entry] = []
        self.finished = 0
        self.connection = RecordedConnection(
            role,
            now=1.0,
            random=random,
            timeouts=Timeouts(ping_interval=20.0),
            wall_clock=lambda: 0.0,
            write=self.write,
            finish=self.finish,
            redaction=Redaction(),
        )

    def write(self, line: str) -> None:
        self.entries.append(json.loads(line))

    def finish(self) -> None:
        self.finished += 1

    def take(self) -> list[Entry]:
        entries, self.entries = self.entries, []
        return entries


def state(phase: str, deadline: float | None, buffered: int = 0, *, wants_read: bool = True) -> Entry:
    return {"state": {"phase": phase, "buffered": buffered, "wants_read": wants_read, "deadline": deadline}}


def opened() -> Recorded:
    """Return the recording of a connection that has just become a WebSocket at 2 s."""
    recorded = Recorded()
    connection = recorded.connection
    connection.receive_data(HANDSHAKE, 2.0)
    assert len(list(connection)) == 2
    connection.send(Accept(), 2.0)
    sent = connection.data_to_send()
    connection.bytes_written(sum(len(each) for each in sent if isinstance(each, bytes)), 2.0)
    recorded.take()
    return recorded


def test_it_begins_with_everything_that_a_replay_needs() -> None:
    recorded = Recorded()
    assert recorded.take() == [
        {
            "transcript": FORMAT,
            "spry": VERSION,
            "role": "server",
            "engine": DEFAULT_ENGINE,
            "now": 1.0,
            "can_half_close": True,
            "dated": True,
            "redacted": ["authorization", "cookie", "proxy-authorization", "set-cookie"],
            "limits": asdict(Limits()),
            "timeouts": asdict(Timeouts(ping_interval=20.0)),
        },
        state("http", 11.0),
    ]


def test_a_request_and_its_answer_are_told_with_what_came_of_each_call() -> None:
    """Nothing that an idle fetch gives is told, so that a pump may ask as often as it likes."""
    recorded = Recorded()
    recorded.take()
    connection = recorded.connection
    connection.receive_data(REQUEST, 2.0)
    assert len(list(connection)) == 2
    connection.send(ResponseHead(status_code=204, headers=((b"Set-Cookie", b"a=b"),)), 2.5)
    connection.send(BodyEnd(), 2.5)
    (data,) = connection.data_to_send()
    assert isinstance(data, bytes)
    assert (connection.data_to_send(), connection.next_event()) == ([], None)
    assert recorded.take() == [
        {
            "call": "receive_data",
            "now": 2.0,
            "data": "GET / HTTP/1.1\r\nHost: a\r\nCookie: ***\r\n\r\n",
        },
        state("http", None),
        {
            "event": {
                "is": "RequestHead",
                "method": "GET",
                "target": "/",
                "headers": [["host", "a"], ["cookie", "***"]],
            }
        },
        {"event": {"is": "BodyEnd"}},
        {
            "call": "send",
            "now": 2.5,
            "event": {"is": "ResponseHead", "status_code": 204, "headers": [["Set-Cookie", "***"]]},
        },
        {"clock": 0.0},
        state("http", 32.5, len(data)),
        {"call": "send", "now": 2.5, "event": {"is": "BodyEnd"}},
        state("http", 17.5, len(data)),
        {
            "bytes": [
                "HTTP/1.1 204 No Content\r\nSet-Cookie: ***\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n\r\n"
            ]
        },
    ]
    assert b"Set-Cookie: a=b\r\n" in data  # on the wire it is as it was said


def test_a_whole_response_is_told_as_its_parts() -> None:
    recorded = Recorded()
    recorded.connection.receive_data(REQUEST, 2.0)
    recorded.take()
    recorded.connection.send_response(
        ResponseHead(status_code=200, headers=((b"Content-Length", b"2"),)), b"hi", 3.0
    )
    calls = [entry for entry in recorded.take() if "call" in entry]
    assert [(call["call"], call["now"]) for call in calls] == [("send", 3.0)] * 3


def test_a_whole_response_that_cannot_be_said_is_no_call() -> None:
    """Nothing was said: not even the head, with which nothing is wrong."""
    recorded = Recorded()
    recorded.connection.receive_data(REQUEST, 2.0)
    recorded.take()
    with pytest.raises(LocalProtocolError, match=r"^3 bytes of content where 2 are left"):
        recorded.connection.send_response(
            ResponseHead(status_code=200, headers=((b"Content-Length", b"2"),)), b"abc", 3.0
        )
    assert recorded.take() == []


def test_a_websocket_is_told_as_it_is_on_the_wire() -> None:
    """Behind the 101 nothing looks like a field any more (RFC 6455 §4.2.2)."""
    recorded = opened()
    connection = recorded.connection
    connection.receive_data(b"\x81\x8b\0\0\0\0Cookie: a\r\n", 3.0)
    assert list(connection) == [Message(data="Cookie: a\r\n")]
    connection.release(11, 3.0)
    connection.send(Message(data="b"), 3.0)
    connection.data_to_send()
    assert recorded.take() == [
        {"call": "receive_data", "now": 3.0, "data": {"base64": "gYsAAAAAQ29va2llOiBhDQo="}},
        {"event": {"is": "Message", "text": "Cookie: a\r\n"}},
        {"call": "release", "now": 3.0, "n": 11},
        {"call": "send", "now": 3.0, "event": {"is": "Message", "text": "b"}},
        state("open", 22.0, 3),
        {"bytes": [{"base64": "gQFi"}]},
    ]


def test_a_message_for_many_is_told_as_one_that_is_said_here() -> None:
    recorded, alone = opened(), opened()
    recorded.connection.send_prepared(PreparedMessage("b"), False, 3.0)
    alone.connection.send(Message(data="b", compress=False), 3.0)
    assert recorded.take() == alone.take()
    assert recorded.connection.data_to_send() == alone.connection.data_to_send() == [b"\x81\x01b"]


def test_a_frame_that_came_with_the_opening_handshake_is_told_as_the_message_that_it_becomes() -> None:
    """Its payload data look like a query; hidden, it would be another message in a replay."""
    recorded = Recorded()
    connection = recorded.connection
    connection.receive_data(HANDSHAKE + b"\x81\x85\0\0\0\0a?bcd", 2.0)
    assert len(list(connection)) == 2
    connection.send(Accept(), 2.0)
    assert list(connection) == [Message(data="a?bcd")]
    (received,) = [entry["data"] for entry in recorded.entries if entry.get("call") == "receive_data"]
    assert as_bytes(received).endswith(b"\r\n\r\n\x81\x85\0\0\0\0a?bcd")


def test_random_bytes_that_the_core_draws_are_told_and_those_of_its_owner_are_not() -> None:
    """The payload of a keepalive Ping (RFC 6455 §5.5.2)."""
    recorded = opened()
    recorded.connection.handle_deadline(22.0)
    assert recorded.connection.random is bytes
    assert recorded.take() == [
        {"call": "handle_deadline", "now": 22.0},
        {"random": {"base64": "AAAAAA=="}, "n": 4},
        state("open", 42.0, 6),
    ]


def test_a_mistake_of_the_caller_is_told_and_raised() -> None:
    recorded = Recorded()
    recorded.take()
    with pytest.raises(LocalProtocolError):
        recorded.connection.receive_in_pieces(True, 2.0)
    with pytest.raises(ValueError, match="code 5"):
        recorded.connection.shutdown(2.0, 5, "x")
    assert recorded.take() == [
        {"call": "receive_in_pieces", "now": 2.0, "wanted": True},
        {"raised": {"error": "LocalProtocolError", "text": "the stream is no WebSocket"}},
        {"call": "shutdown", "now": 2.0, "code": 5, "reason": "x"},
        {"raised": {"error": "ValueError"}},
    ]


def test_every_other_call_is_told_with_its_arguments() -> None:
    recorded = opened()
    connection = recorded.connection
    connection.receive_in_pieces(False, 3.0)
    connection.set_ping_interval(None, 3.0)
    connection.fail(RemoteProtocolError("no", section="s", close_code=1008), 4.0)
    connection.receive_eof(5.0)
    connection.connection_lost(OSError("secret"), 6.0)
    assert [entry for entry in recorded.take() if "call" in entry] == [
        {"call": "receive_in_pieces", "now": 3.0, "wanted": False},
        {"call": "set_ping_interval", "now": 3.0, "seconds": None},
        {
            "call": "fail",
            "now": 4.0,
            "error": {"error": "RemoteProtocolError", "text": "no", "section": "s", "close_code": 1008},
        },
        {"call": "receive_eof", "now": 5.0},
        {"call": "connection_lost", "now": 6.0, "error": {"error": "OSError"}},
    ]


def test_settings_are_told_as_far_as_they_change() -> None:
    recorded = Recorded()
    recorded.take()
    connection = recorded.connection
    connection.configure(
        limits=Limits(max_body=1), timeouts=Timeouts(ping_interval=20.0), deflate=Deflate(level=1)
    )
    connection.ignore_offer()
    connection.abort(2.0, KeyError())
    assert connection.data_to_send() == [ABORT]
    assert recorded.take() == [
        {
            "call": "configure",
            "limits": {"max_body": 1},
            "timeouts": {},
            "deflate": {"is": "Deflate", "level": 1},
        },
        {"call": "ignore_offer"},
        {"call": "abort", "now": 2.0, "cause": {"error": "KeyError"}},
        state("ending", None, wants_read=False),
        {"bytes": [{"end": "ABORT"}]},
    ]


def test_it_is_finished_when_its_owner_knows_the_end() -> None:
    recorded = Recorded()
    recorded.connection.connection_lost(None, 2.0)
    assert recorded.finished == 0
    (event,) = recorded.connection
    assert isinstance(event, ConnectionEnded)
    assert recorded.finished == 1
    assert phases(recorded) == ["http", "closed"]


def phases(recorded: Recorded) -> list[Json]:
    found = [entry["state"] for entry in recorded.entries if "state" in entry]
    return [each["phase"] for each in found if isinstance(each, dict)]


def test_the_phases_are_those_of_a_connection() -> None:
    recorded = opened()
    recorded.connection.send(Close(code=1000), 3.0)
    recorded.connection.connection_lost(None, 4.0)
    assert phases(recorded) == ["closing", "closed"]


def test_behind_the_last_answer_content_is_looked_at_too() -> None:
    """It is thrown away, so that nobody knows what it was (RFC 9112 §9.6)."""
    recorded = Recorded()
    connection = recorded.connection
    connection.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nCookie: a\r\n", 2.0)
    connection.send(ResponseHead(status_code=403, headers=((b"Connection", b"close"),)), 2.0)
    connection.send(BodyEnd(), 2.0)
    assert connection.is_ending
    connection.receive_data(b"Cookie: b\r\n", 2.0)
    received = [entry["data"] for entry in recorded.entries if entry.get("call") == "receive_data"]
    assert received == [
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nCookie: a\r\n",
        "Cookie: *\r\n",
    ]


def test_a_client_is_told_as_well() -> None:
    """There the requests go out, and a stream without a clock has no Date."""
    entries: list[Entry] = []
    connection: Connection = RecordedConnection(
        "client",
        now=0.0,
        random=bytes,
        write=lambda line: entries.append(json.loads(line)),
        finish=entries.clear,
        redaction=Redaction(),
    )
    connection.receive_data(b"HTTP/1.1 200 OK\r\nSet-Cookie: a\r\n\r\n", 0.0)
    assert entries[0]["dated"] is False
    (received,) = [entry["data"] for entry in entries if "data" in entry]
    assert received == "HTTP/1.1 200 OK\r\nSet-Cookie: *\r\n\r\n"
