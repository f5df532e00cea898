"""A wire in memory: raw bytes, and virtual time that passes only where something is waited for."""

from __future__ import annotations

import pytest

from spry_core import Application, Request, WebSocket, sleep
from spry_core.testing import TestClient
from spry_core.testing.address import AddressWire
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.pipe import End, stream
from spry_core.testing.pump import WINDOW
from spry_core.testing.wire import MemoryWire, Wire

GET = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n"


class Raw:
    """A server of nothing: the other end of each stream is in the test's hands."""

    def __init__(self) -> None:
        self.driver = TestClient(Application()).driver
        self.ends: list[End] = []

    def connect(self) -> MemoryPeer:
        ours, theirs = stream()
        self.ends.append(theirs)
        return MemoryPeer(self.driver, ours)


def raw(*, patience: float = 60.0) -> tuple[MemoryWire, End]:
    server = Raw()
    return MemoryWire(server, patience=patience), server.ends[0]


def test_both_wires_are_wires() -> None:
    """Read by the type checkers: both have the methods."""
    kinds: tuple[type[Wire], type[Wire]] = (MemoryWire, AddressWire)
    assert len(kinds) == 2


def test_an_application_answers() -> None:
    app = Application()

    @app.get("/")
    def hello(request: Request) -> str:
        return "hello"

    wire = MemoryWire(TestClient(app))
    wire.send(GET)
    answer = wire.receive(1.0)
    assert answer is not None
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nhello")
    assert wire.now() == 0.0


def test_time_passes_until_something_comes() -> None:
    app = Application()

    @app.get("/")
    async def late(request: Request) -> None:
        await sleep(30)

    wire = MemoryWire(TestClient(app))
    wire.send(GET)
    assert (wire.receive(29.5), wire.now()) == (None, 29.5)
    assert (wire.receive(29.5) or b"")[:12] == b"HTTP/1.1 204"
    assert wire.now() == 30.0
    assert (wire.receive(0), wire.now()) == (None, 30.0)


def test_what_is_not_received_stays_in_the_pipe() -> None:
    wire, other = raw()
    other.outgoing.write(b"abcdef")
    assert (wire.receive(1.0, size=4), len(other.outgoing)) == (b"abcd", 2)
    assert wire.receive(1.0) == b"ef"


def test_the_end_comes_behind_the_bytes_and_again() -> None:
    wire, other = raw()
    other.outgoing.write(b"abc")
    other.outgoing.finish()
    assert [wire.receive(1.0), wire.receive(1.0), wire.receive(1.0)] == [b"abc", b"", b""]


def test_a_reset_is_raised_wherever_it_is_met() -> None:
    wire, other = raw()
    other.reset()
    for _ in range(2):
        with pytest.raises(ConnectionResetError, match="the other side has cut the stream"):
            wire.receive(1.0)
        with pytest.raises(ConnectionResetError, match="the other side has cut the stream"):
            wire.send(b"a")


def test_sending_to_an_end_that_was_closed_meets_a_reset() -> None:
    """As TCP does it: what comes for a closed socket is answered with RST (RFC 9293 §3.10.7.1)."""
    wire, other = raw()
    other.close()
    with pytest.raises(ConnectionResetError):
        wire.send(b"a")


def test_a_reader_that_does_not_read_is_waited_for_so_long() -> None:
    wire, other = raw(patience=5.0)
    wire.send(bytes(WINDOW))
    with pytest.raises(TimeoutError, match=r"the other side has read nothing for 5\.0 s"):
        wire.send(b"more")
    assert (wire.now(), len(other.incoming)) == (5.0, WINDOW)


def test_some_of_it_is_what_there_is_room_for() -> None:
    wire, other = raw()
    assert (wire.send_some(bytes(WINDOW + 7), 1.0), wire.now()) == (WINDOW, 0.0)
    assert (wire.send_some(b"more", 1.5), wire.now(), len(other.incoming)) == (0, 1.5, WINDOW)
    other.incoming.read(2)
    assert wire.send_some(b"more", 1.5) == 2


def test_what_does_not_fit_goes_when_there_is_room() -> None:
    server = Raw()
    wire = MemoryWire(server)
    (other,) = server.ends
    got: list[int] = []
    for moment in (1.0, 2.0):
        server.driver.add_alarm(moment, lambda: got.append(len(other.incoming.read(WINDOW))))
    wire.send(bytes(2 * WINDOW + 5))
    assert (got, len(other.incoming), wire.now()) == ([WINDOW, WINDOW], 5, 2.0)


def test_a_reset_ends_the_waiting_for_room() -> None:
    server = Raw()
    wire = MemoryWire(server)
    server.driver.add_alarm(3.0, server.ends[0].reset)
    with pytest.raises(ConnectionResetError):
        wire.send(bytes(WINDOW + 1))
    assert wire.now() == 3.0


def test_half_close_ends_one_direction() -> None:
    wire, other = raw()
    wire.half_close()
    wire.half_close()
    assert other.incoming.is_finished
    with pytest.raises(BrokenPipeError, match="this end has ended its direction"):
        wire.send(b"a")
    other.outgoing.write(b"still")
    assert wire.receive(1.0) == b"still"


def test_close_ends_both_and_reset_cuts_both() -> None:
    wire, other = raw()
    wire.close()
    wire.close()
    wire.reset()
    wire.half_close()
    assert (other.incoming.is_finished, other.incoming.is_reset) == (True, False)
    assert wire.receive(1.0) == b""
    with pytest.raises(BrokenPipeError):
        wire.send(b"a")
    wire, other = raw()
    wire.reset()
    wire.reset()
    wire.close()
    assert other.incoming.is_reset
    assert wire.receive(1.0) == b""


def test_to_sleep_is_to_advance() -> None:
    app = Application()

    @app.ws("/")
    async def push(ws: WebSocket, request: Request) -> None:
        await ws.closed

    client = TestClient(app)
    wire = MemoryWire(client)
    wire.sleep(10.0)  # `Timeouts.head`
    assert (wire.receive(0), client.now) == (b"", 10.0)


def test_a_time_that_is_none_is_refused() -> None:
    wire, _ = raw()
    for timeout in (-1.0, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="timeout must be a finite number and not negative"):
            wire.receive(timeout)
