"""Servers that lie, against a client of our own in memory: it believes none of them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spry_core import Timeouts
from spry_core.protocol import BodyEnd, Connection, ConnectionEnded, Event
from spry_core.protocol.handshake import request
from spry_core.testing import MemoryDriver, MemoryPeer, MemoryPump, stream
from spry_core.testing.peers import Report, servers
from spry_core.testing.wire import MemoryWire, Wire


class Client:
    """A WebSocket client in memory that connects to whoever takes the other end, and asks at once."""

    def __init__(self, *, timeouts: Timeouts | None = None) -> None:
        self.driver = MemoryDriver()
        self.connection = Connection("client", now=0.0, random=bytes, timeouts=timeouts or Timeouts())

    def connect(self) -> MemoryPeer:
        ours, theirs = stream()
        pump = MemoryPump(self.driver, theirs, "client")
        self.connection.send(request(host="server", target="/", random=bytes), 0.0)
        self.connection.send(BodyEnd(), 0.0)
        pump.start(self.connection)
        self.driver.settle()
        return MemoryPeer(self.driver, ours)

    def events(self) -> list[Event]:
        return list(self.connection)


def against(server: Callable[[Wire], Report], *, timeouts: Timeouts | None = None) -> tuple[str, float, int]:
    """Return how the server's end ended, when, and what the client made of it."""
    client = Client(timeouts=timeouts)
    report = server(MemoryWire(client))
    (ended,) = [each for each in client.events() if isinstance(each, ConnectionEnded)]
    return report.ending.value, report.seconds, ended.info.close_code


def test_a_client_waits_for_the_opening_so_long() -> None:
    """RFC 6455 §4.1: however steadily the bytes come."""
    assert against(servers.silent_server) == ("end of stream", 10.0, 1006)
    assert against(servers.slow_server) == ("end of stream", 10.0, 1006)


@pytest.mark.parametrize(
    "server",
    [
        servers.endless_head_server,
        servers.wrong_accept,
        servers.no_accept,
        servers.surprise_extension,
        servers.surprise_subprotocol,
    ],
)
def test_a_client_fails_the_connection_at_once(server: Callable[[Wire], Report]) -> None:
    """RFC 6455 §4.1, items 4 to 6."""
    ending, seconds, close_code = against(server)
    assert (ending in ("end of stream", "reset"), seconds, close_code) == (True, 0.0, 1006)


def test_a_client_closes_when_it_is_sent_a_mask() -> None:
    """RFC 6455 §5.1."""
    client = Client()
    report = servers.masking_server(MemoryWire(client))
    assert (report.close_code, report.ending.value, report.seconds) == (1002, "end of stream", 0.0)


def test_a_client_without_a_timeout_is_outlived() -> None:
    client = Client(timeouts=Timeouts(opening=None, head=None))
    report = servers.silent_server(MemoryWire(client), patience=100.0)
    assert (report.outlived, report.seconds) == (True, 100.0)


def test_who_sends_no_key_is_answered_nothing() -> None:
    from hostile import raw

    wire, other, driver = raw()
    other.outgoing.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    driver.add_alarm(1.0, other.close)
    report = servers.masking_server(wire)
    assert (report.sent, report.ending.value, report.seconds) == (0, "end of stream", 1.0)
