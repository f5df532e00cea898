"""TLS between a pump and a session, with a real client, without sockets and in a time of the test's own."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest

from fakes import FakeDriver
from frames import CLOSE_FRAME, TEXT, close_payload, frame
from secure import TLS12, VERSIONS, SecureClient, client_context, server_context
from spry_core import Application, ConnectionLost, Request, Timeouts, WebSocket
from spry_core.protocol import ABORT, CLOSE, HALF_CLOSE, StreamEnd
from spry_core.serving import LogRecord, Server, StreamInfo, Tls, TlsStage
from spry_core.serving.face import Served
from spry_core.serving.tls import MAX_OWN, PIECE
from spry_core.testing import MemoryDriver, MemoryPump, stream
from spry_system.tls import make_tls

PEER = "192.0.2.1:50312"
Heard: TypeAlias = tuple[str, object]


class Driver(FakeDriver):
    """A clock, and a pump that is told to look."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 0.0
        self.looks = 0

    def now(self) -> float:
        return self.time

    def notify(self, soon: bool = False) -> None:
        self.looks += 1


class Session:
    """What stands behind the stage: says what the test says, and remembers what it hears."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.outbox: list[bytes | StreamEnd] = []
        self.wants_read = True
        self.read_size = 256 * 1024
        self.is_websocket = False
        self.closed = False
        self.deadline: float | None = None
        self.at_deadline: list[bytes | StreamEnd] = []

    def receive_data(self, data: bytes, now: float) -> None:
        self.heard.append(("data", data))

    def receive_eof(self, now: float) -> None:
        self.heard.append(("eof", None))

    def connection_lost(self, error: Exception | None, now: float) -> None:
        self.heard.append(("lost", error))

    def bytes_written(self, n: int, now: float) -> None:
        self.heard.append(("written", n))

    def data_to_send(self) -> list[bytes | StreamEnd]:
        batch, self.outbox = self.outbox, []
        return batch

    def next_deadline(self) -> float | None:
        return self.deadline

    def handle_deadline(self, now: float) -> None:
        self.heard.append(("deadline", now))
        self.outbox += self.at_deadline

    def shutdown(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        self.heard.append(("shutdown", (now, code, reason, grace)))

    def drain(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        self.heard.append(("drain", (now, code, reason, grace)))

    def abort(self, now: float) -> None:
        self.heard.append(("abort", now))

    def all(self, name: str) -> list[object]:
        return [argument for heard, argument in self.heard if heard == name]


class World:
    """A stage between a client and a session, and a server that counts."""

    def __init__(
        self,
        context: ssl.SSLContext | None = None,
        *,
        client: ssl.SSLContext | None = None,
        timeouts: Timeouts | None = None,
        change: Callable[[Tls], Tls] = lambda tls: tls,
    ) -> None:
        self.driver = Driver()
        self.session = Session()
        self.counted: list[Served] = []
        self.reports: list[LogRecord] = []
        self.client = SecureClient(client)
        self.ends: list[StreamEnd] = []
        self.stage = TlsStage(
            self,
            change(make_tls(context or server_context())),
            self.driver,
            peer=PEER,
            timeouts=timeouts or Timeouts(),
            open_session=self.open,
        )
        self.hold(self.stage)

    def open(self) -> Served:
        self.hold(self.session)
        return self.session

    # What the stage asks of its server

    def report(self, record: LogRecord) -> None:
        self.reports.append(record)

    def hold(self, served: Served) -> None:
        self.counted.append(served)

    def forget(self, session: Served) -> None:
        if session in self.counted:
            self.counted.remove(session)

    # What tests do

    def send(self, data: bytes) -> None:
        """Let the stage receive these bytes of the network."""
        if data:
            self.stage.receive_data(data, self.driver.time)

    def fetch(self) -> bytes:
        """Take what the stage has to send, and its end, as a pump does."""
        data = b""
        while batch := self.stage.data_to_send():
            data += b"".join(each for each in batch if isinstance(each, bytes))
            self.ends += [each for each in batch if isinstance(each, StreamEnd)]
        return data

    def carry(self) -> None:
        """Carry everything in both directions, until there is no more."""
        while True:
            up = self.client.say()
            self.send(up)
            down = self.fetch()
            if down:
                self.stage.bytes_written(len(down), self.driver.time)
                self.client.hear(down)
            if not up and not down:
                return

    @property
    def lines(self) -> list[str]:
        return [record.text for record in self.reports]


def connected(
    context: ssl.SSLContext | None = None,
    *,
    timeouts: Timeouts | None = None,
    change: Callable[[Tls], Tls] = lambda tls: tls,
) -> World:
    """Return a world in which the handshake is complete."""
    world = World(context, timeouts=timeouts, change=change)
    world.carry()
    assert world.client.is_connected
    return world


by_version = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])


# The handshake


@by_version
def test_plaintext_goes_both_ways(version: ssl.TLSVersion) -> None:
    world = connected(server_context(version))
    world.send(world.client.write(b"hello"))
    world.session.outbox.append(b"world")
    world.carry()
    assert world.session.heard == [("data", b"hello"), ("written", 5)]
    assert world.client.received == b"world"


@by_version
def test_the_session_begins_when_the_handshake_is_complete_and_counts_in_its_place(
    version: ssl.TLSVersion,
) -> None:
    """The last flight and the first request may come in one piece (RFC 8446 §4.4.4)."""
    world = World(server_context(version))
    assert world.counted == [world.stage]
    first = world.client.say()
    world.send(first[:100])
    assert world.counted == [world.stage]
    assert world.stage.read_size == 64 * 1024  # whatever its session would like
    assert world.stage.wants_read
    world.send(first[100:])
    world.client.hear(world.fetch())
    if version == TLS12:
        world.send(world.client.say())
        world.client.hear(world.fetch())
        assert world.session.heard == []
    last = world.client.say() + world.client.write(b"at once")
    world.send(last)
    assert world.counted == [world.session]
    assert world.session.heard == [("data", b"at once")]


@by_version
def test_cuts_do_not_matter(version: ssl.TLSVersion) -> None:
    """A record protocol over a stream of octets (RFC 8446 §5.1)."""
    world = World(server_context(version))
    received = b""
    for _ in range(3):
        for byte in world.client.say():
            world.send(bytes((byte,)))
        for byte in world.fetch():
            world.client.hear(bytes((byte,)))
    for byte in world.client.write(b"hello") + world.client.write(b"!") + world.client.end():
        world.send(bytes((byte,)))
    received = b"".join(data for data in world.session.all("data") if isinstance(data, bytes))
    assert received == b"hello!"
    assert world.session.all("eof") == [None]


@by_version
def test_every_two_way_cut_gives_the_same(version: ssl.TLSVersion) -> None:
    """Also in the middle of a record's head, and between an end and what comes before it."""
    context = server_context(version)
    sizes: set[int] = set()
    cut = 0
    while cut < max(sizes, default=1):
        world = connected(context)
        data = world.client.write(b"hello") + world.client.write(b"!") + world.client.end()
        sizes.add(len(data))
        world.send(data[:cut])
        world.send(data[cut:])
        assert b"".join(each for each in world.session.all("data") if isinstance(each, bytes)) == b"hello!"
        assert world.session.heard[-1] == ("eof", None)
        cut += 1


@by_version
def test_every_cut_of_a_client_hello_gives_the_same(version: ssl.TLSVersion) -> None:
    """RFC 8446 §4: handshake messages may be cut anywhere."""
    context, client, cut, size = server_context(version), client_context(), 1, 2
    while cut < size:
        world = World(context, client=client)
        hello = world.client.say()
        size = len(hello)
        world.send(hello[:cut])
        assert world.fetch() == b""
        world.send(hello[cut:])
        world.client.hear(world.fetch())
        assert world.client.error is None
        assert world.client.is_connected or version == TLS12
        cut += 1


def test_what_one_read_brings_is_one_piece() -> None:
    world = connected()
    world.send(b"".join(world.client.write(bytes((number,)) * 9000) for number in range(7)))
    assert world.session.heard == [("data", b"".join(bytes((number,)) * 9000 for number in range(7)))]


def test_garbage_instead_of_a_handshake_is_answered_with_an_alert() -> None:
    """RFC 8446 §6.2: a fatal alert, then the stream is closed."""
    world = World()
    world.send(bytes.fromhex("16 0301 0005 01 000001 00"))  # a ClientHello of one byte
    alert = world.fetch()
    # The version in between means nothing and is another with each OpenSSL (RFC 8446 §5.1).
    assert (alert[:1], alert[3:]) == (b"\x15", bytes.fromhex("0002 02 32"))  # alert, fatal, decode_error
    assert world.ends == [CLOSE]
    assert len(world.lines) == 1


def test_http_where_tls_is_spoken_costs_one_line() -> None:
    world = World()
    world.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert world.fetch() == b""
    assert world.ends == [CLOSE]
    assert not world.stage.wants_read
    world.send(b"more")
    world.stage.receive_eof(0.0)
    assert world.fetch() == b""
    [line] = world.lines
    assert line == f"{PEER}: TLS handshake failed: [SSL: HTTP_REQUEST] http request (RFC 8446 §6.2)"
    world.stage.connection_lost(None, 0.0)
    assert world.stage.closed
    assert world.counted == []


def test_a_client_that_does_not_trust_the_certificate_costs_one_line() -> None:
    """RFC 8446 §6.2: unknown_ca."""
    world = World(client=client_context(trusts=False))
    world.carry()
    assert world.ends == [CLOSE]
    [line] = world.lines
    assert "alert unknown ca" in line


@by_version
def test_a_client_certificate_may_be_required(version: ssl.TLSVersion) -> None:
    """RFC 8446 §4.4.2.4: certificate_required (in TLS 1.2 handshake_failure, RFC 5246 §7.4.6)."""
    context = server_context(version, asks_for_certificate=True)
    world = World(context, client=client_context(has_certificate=True))
    world.carry()
    assert world.counted == [world.session]
    world = World(context)
    world.carry()
    assert world.client.error is not None
    assert world.client.error.reason == (
        "SSLV3_ALERT_HANDSHAKE_FAILURE" if version == TLS12 else "TLSV13_ALERT_CERTIFICATE_REQUIRED"
    )
    assert world.counted == [world.stage]
    assert world.ends == [CLOSE]


@pytest.mark.parametrize(("time", "is_over"), [(9.99, False), (10.0, True), (10.01, True)])
def test_a_handshake_has_its_deadline(time: float, is_over: bool) -> None:
    world = World()
    world.send(world.client.say()[:50])
    assert world.stage.next_deadline() == 10.0
    world.stage.handle_deadline(time)
    world.fetch()
    assert world.ends == [CLOSE] * is_over
    fault = f"{PEER}: TLS handshake failed: it took too long (RFC 8446 §6.2)"
    assert world.lines == [fault] * is_over


def test_the_deadline_of_the_handshake_is_over_with_it() -> None:
    assert connected().stage.next_deadline() is None


def test_without_that_timeout_a_handshake_may_take_any_time() -> None:
    assert World(timeouts=Timeouts(tls_handshake=None)).stage.next_deadline() is None


def test_who_says_nothing_is_closed_without_a_line() -> None:
    """Browsers open connections ahead of need."""
    world = World()
    world.stage.handle_deadline(10.0)
    world.fetch()
    assert (world.ends, world.lines) == ([CLOSE], [])


@pytest.mark.parametrize("has_begun", [True, False])
def test_who_leaves_in_the_handshake_is_closed(has_begun: bool) -> None:
    world = World()
    if has_begun:
        world.send(world.client.say())
        world.stage.bytes_written(len(world.fetch()), 0.0)
    world.stage.receive_eof(0.0)
    assert world.fetch() == b""
    assert world.ends == [CLOSE]
    fault = f"{PEER}: TLS handshake failed: the peer has left (RFC 8446 §6.2)"
    assert world.lines == [fault] * has_begun


def test_a_stream_that_is_lost_in_the_handshake_is_over() -> None:
    world = World()
    world.stage.connection_lost(ConnectionResetError(), 0.0)
    world.stage.connection_lost(None, 0.0)
    assert world.stage.closed
    assert world.counted == []
    assert world.lines == []
    assert world.stage.next_deadline() is None
    assert not world.stage.wants_read


# The end of our direction


@by_version
def test_a_half_close_is_a_close_notify_and_reading_goes_on(version: ssl.TLSVersion) -> None:
    """RFC 8446 §6.1: it has no effect on the other direction."""
    world = connected(server_context(version))
    world.session.outbox += [b"so long", HALF_CLOSE]
    world.carry()
    assert world.client.received == b"so long"
    assert world.client.has_end
    assert world.ends == []
    assert world.stage.wants_read
    world.send(world.client.write(b"and thanks"))
    assert world.session.all("data") == [b"and thanks"]
    world.send(world.client.end())
    assert world.session.all("eof") == [None]
    world.session.outbox.append(CLOSE)
    assert world.fetch() == b""  # said already
    assert world.ends == [CLOSE]


@by_version
def test_a_close_says_close_notify_first(version: ssl.TLSVersion) -> None:
    """RFC 8446 §6.1: each party must, before it closes the write side."""
    world = connected(server_context(version))
    world.session.outbox += [b"so long", CLOSE]
    world.carry()
    assert world.client.received == b"so long"
    assert world.client.has_end
    assert world.ends == [CLOSE]
    assert not world.stage.wants_read
    world.stage.connection_lost(None, 1.0)
    assert world.session.all("lost") == [None]
    assert not world.stage.closed  # a handler still runs
    world.session.closed = True
    assert world.stage.closed


def test_an_abort_drops_what_is_unsent() -> None:
    world = connected()
    world.session.outbox += [b"never", ABORT]
    assert world.stage.data_to_send() == [ABORT]
    assert world.stage.data_to_send() == []
    world.session.outbox.append(CLOSE)
    assert world.stage.data_to_send() == []


def test_an_abort_may_come_after_a_close() -> None:
    world = connected()
    world.session.outbox.append(CLOSE)
    world.fetch()
    world.session.outbox.append(ABORT)
    world.fetch()
    assert world.ends == [CLOSE, ABORT]


# The end of the peer's


@by_version
def test_a_close_notify_is_the_end_of_the_peers_data(version: ssl.TLSVersion) -> None:
    """What came before it in the same read is told before it, and our direction stays open."""
    world = connected(server_context(version))
    world.send(world.client.write(b"last") + world.client.end())
    assert world.session.heard == [("data", b"last"), ("eof", None)]
    world.stage.receive_eof(0.0)
    world.send(b"what comes behind it is nobody's")
    world.session.outbox.append(b"answer")
    world.carry()
    assert world.session.heard == [("data", b"last"), ("eof", None), ("written", 6)]


@by_version
def test_an_end_without_close_notify_is_a_loss(version: ssl.TLSVersion) -> None:
    """RFC 8446 §6.1: nobody knows whether all has come. It is nobody's fault that would be worth a line."""
    world = connected(server_context(version))
    world.send(world.client.write(b"half a mess"))
    world.stage.receive_eof(2.0)
    [data, (lost, error)] = world.session.heard
    assert data == ("data", b"half a mess")
    assert lost == "lost"
    assert (type(error), str(error)) == (ConnectionLost, "the stream ended without close_notify")
    world.fetch()
    assert world.ends == [CLOSE]
    assert world.lines == []


def test_no_context_forgives_an_end_without_close_notify() -> None:
    """Early releases of Python 3.11 set this option in every context."""
    context = server_context()
    context.options |= getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 1 << 7)
    world = connected(context)
    world.stage.receive_eof(0.0)
    [(lost, _)] = world.session.heard
    assert lost == "lost"


def test_after_our_own_close_notify_an_end_is_an_end() -> None:
    """RFC 9112 §9.8: who expects nothing more may leave without one."""
    world = connected()
    world.session.outbox.append(HALF_CLOSE)
    world.carry()
    world.stage.receive_eof(0.0)
    assert world.session.heard == [("eof", None)]
    world.stage.receive_eof(0.0)
    assert world.session.heard == [("eof", None)]


# Errors


@by_version
def test_a_broken_record_is_a_loss_and_what_came_before_it_is_not(version: ssl.TLSVersion) -> None:
    """RFC 8446 §5.2: bad_record_mac; the alert goes out before the end."""
    world = connected(server_context(version))
    broken = bytearray(world.client.write(b"broken"))
    broken[-1] ^= 1
    world.send(bytes(broken))
    [(lost, error)] = world.session.heard
    assert lost == "lost"
    assert isinstance(error, ssl.SSLError)
    assert world.counted == [world.session, world.stage]  # it counts until the stream is gone
    alert = world.fetch()
    assert world.ends == [CLOSE]
    world.client.hear(alert)
    assert world.client.error is not None
    assert world.client.error.reason in {"SSLV3_ALERT_BAD_RECORD_MAC", "TLSV1_ALERT_DECRYPT_ERROR"}
    [line] = world.lines
    assert line.startswith(f"{PEER}: TLS failed: ")
    world.stage.connection_lost(None, 0.0)
    assert world.counted == [world.session]


def test_a_broken_record_behind_the_end_of_our_side_is_not_worth_a_line() -> None:
    """Whoever sent nonsense before has had one, and one is enough."""
    world = connected()
    world.session.outbox.append(HALF_CLOSE)
    world.carry()
    broken = bytearray(world.client.write(b"broken"))
    broken[-1] ^= 1
    world.send(bytes(broken))
    assert world.session.heard[0][0] == "lost"
    assert world.lines == []


def test_what_came_before_a_broken_record_in_the_same_read_is_delivered() -> None:
    world = connected()
    whole, broken = world.client.write(b"whole"), bytearray(world.client.write(b"broken"))
    broken[-1] ^= 1
    world.send(whole + bytes(broken))
    assert world.session.heard[0] == ("data", b"whole")
    assert world.session.heard[1][0] == "lost"


class Refusing:
    """An object that encrypts no more, as OpenSSL's when a renegotiation is open."""

    def __init__(self, tls: Tls) -> None:
        self._object = tls.object
        self.do_handshake = tls.object.do_handshake
        self.read = tls.object.read
        self.unwrap = tls.object.unwrap

    def write(self, data: bytes, /) -> int:
        raise ssl.SSLWantReadError("first the other handshake")


def test_what_cannot_be_encrypted_is_a_loss() -> None:
    world = connected(change=lambda tls: replace(tls, object=Refusing(tls)))
    world.session.outbox.append(b"answer")
    world.fetch()
    assert [heard for heard, _ in world.session.heard] == ["lost"]
    assert world.ends == [CLOSE]


# Credit and backpressure


def test_plaintext_is_written_when_its_ciphertext_is() -> None:
    """Never more than has surely gone, and all of it at the end."""
    world = connected()
    world.session.outbox.append(b"x" * 100)
    size = len(world.fetch())
    gone: list[int] = []
    for _ in range(size):
        before = len(world.session.heard)
        world.stage.bytes_written(1, 0.0)
        gone.append(sum(n for _, n in world.session.heard[before:] if isinstance(n, int)))
    assert gone == [0] * (size - 100) + [1] * 100


def test_a_big_batch_is_many_records_and_is_credited_bit_by_bit() -> None:
    world = connected()
    plaintext = bytes(range(256)) * 1024
    world.session.outbox += [plaintext[:1000], plaintext[1000:]]
    ciphertext = world.fetch()
    world.client.hear(ciphertext)
    assert world.client.received == plaintext
    while ciphertext:
        world.stage.bytes_written(len(ciphertext[:50_000]), 0.0)
        ciphertext = ciphertext[50_000:]
    written = [n for n in world.session.all("written") if isinstance(n, int)]
    assert sum(written) == len(plaintext)
    assert max(written) <= 50_000


def test_what_tls_says_by_itself_is_credited_to_nobody() -> None:
    world = World()
    world.carry()
    assert world.session.heard == []


def test_the_session_says_whether_to_read() -> None:
    world = connected()
    world.session.wants_read = False
    assert not world.stage.wants_read
    world.send(world.client.write(b"one more"))  # a read that was under way
    assert world.session.heard == [("data", b"one more")]


class Talkative:
    """A buffer of outgoing bytes that grows with everything read, as it does with every key update asked for."""

    def __init__(self, tls: Tls) -> None:
        self._buffer = tls.outgoing
        self.more = b""
        self.write = tls.outgoing.write

    def read(self, size: int = -1, /) -> bytes:
        more, self.more = self.more, b""
        return self._buffer.read(size) + more


def talkative(**timeouts: float) -> tuple[World, Talkative]:
    made: list[Talkative] = []

    def change(tls: Tls) -> Tls:
        made.append(Talkative(tls))
        return replace(tls, outgoing=made[0])

    return connected(change=change, timeouts=Timeouts(**timeouts)), made[0]


def test_a_peer_that_makes_tls_talk_and_does_not_listen_is_not_read() -> None:
    """A key update asks for another (RFC 8446 §4.6.3)."""
    world, buffer = talkative()
    buffer.more = bytes(MAX_OWN)
    world.send(world.client.write(b"1"))
    assert world.stage.wants_read
    buffer.more = b"!"
    world.send(world.client.write(b"2"))
    assert not world.stage.wants_read
    world.fetch()
    world.stage.bytes_written(1, 0.0)
    assert world.stage.wants_read


@pytest.mark.parametrize(("time", "is_over"), [(34.99, False), (35.0, True), (35.01, True)])
def test_a_peer_that_does_not_take_what_tls_says_is_reset(time: float, is_over: bool) -> None:
    """The write deadline of what no session counts; progress moves it."""
    world, buffer = talkative(write=30.0)
    buffer.more = bytes(1000)
    world.driver.time = 3.0
    world.send(world.client.write(b"1"))
    assert world.stage.next_deadline() == 33.0
    world.driver.time = 4.0
    buffer.more = bytes(1000)
    world.send(world.client.write(b"2"))
    assert world.stage.next_deadline() == 33.0
    world.fetch()
    world.stage.bytes_written(1, 5.0)
    assert world.stage.next_deadline() == 35.0
    world.stage.handle_deadline(time)
    world.fetch()
    assert world.ends == [ABORT] * is_over
    lost = [str(error) for error in world.session.all("lost")]
    assert lost == ["the peer does not read"] * is_over
    assert world.lines == []


def test_all_that_is_written_ends_the_write_deadline() -> None:
    world, buffer = talkative(write=30.0)
    buffer.more = bytes(1000)
    world.send(world.client.write(b"1"))
    world.fetch()
    world.stage.bytes_written(1000, 1.0)
    assert world.stage.next_deadline() is None


def test_in_the_handshake_too_a_peer_that_does_not_read_is_reset() -> None:
    world = World(timeouts=Timeouts(write=5.0))
    world.send(world.client.say())
    world.fetch()
    world.stage.handle_deadline(5.0)
    world.fetch()
    assert world.ends == [ABORT]
    assert world.counted == [world.stage]


def test_the_write_deadline_of_the_session_comes_first() -> None:
    """It knows what to say of it."""
    world = connected(timeouts=Timeouts(write=30.0))
    world.session.outbox.append(b"unread")
    world.fetch()
    world.session.at_deadline = [ABORT]
    world.stage.handle_deadline(30.0)
    world.fetch()
    assert world.ends == [ABORT]
    assert world.session.heard == [("deadline", 30.0)]


def test_the_next_deadline_is_the_earliest() -> None:
    world = connected(timeouts=Timeouts(write=30.0))
    world.session.deadline = 15.0
    assert world.stage.next_deadline() == 15.0
    world.session.outbox.append(b"unread")
    world.fetch()
    assert world.stage.next_deadline() == 15.0
    world.session.deadline = 45.0
    assert world.stage.next_deadline() == 30.0


def test_big_plaintext_of_the_peer_goes_through_in_pieces() -> None:
    """The buffer in memory keeps its size, so it is never given much at once."""
    world = connected()
    plaintext = bytes(range(256)) * 1024
    data = world.client.write(plaintext)
    for start in range(0, len(data), 4 * PIECE):
        world.send(data[start : start + 4 * PIECE])
    assert b"".join(each for each in world.session.all("data") if isinstance(each, bytes)) == plaintext
    assert len(world.session.heard) == len(range(0, len(data), 4 * PIECE))


# What the server asks


def test_a_shutdown_ends_a_handshake_at_once() -> None:
    world = World()
    world.send(world.client.say())
    world.fetch()
    world.stage.shutdown(1.0)
    assert world.driver.looks == 1
    world.fetch()
    world.stage.handle_deadline(10.0)
    world.fetch()
    assert world.ends == [CLOSE]
    assert world.lines == []


def test_an_abort_ends_a_handshake_with_a_reset() -> None:
    world = World()
    world.send(world.client.say())
    world.stage.abort(1.0)
    assert world.driver.looks == 1
    world.stage.shutdown(2.0)
    assert world.stage.data_to_send() == [ABORT]
    assert world.stage.data_to_send() == []


def test_shutdown_and_abort_are_the_sessions_when_there_is_one() -> None:
    world = connected()
    world.stage.shutdown(1.0, 1012, "soon", grace=2.0)
    world.stage.drain(3.0, 4000, "", grace=None)
    world.stage.abort(4.0)
    assert world.session.heard == [
        ("shutdown", (1.0, 1012, "soon", 2.0)),
        ("drain", (3.0, 4000, "", None)),
        ("abort", 4.0),
    ]
    assert world.driver.looks == 0
    assert world.stage.data_to_send() == [ABORT]


def test_it_is_a_websocket_when_its_session_is() -> None:
    world = World()
    assert not world.stage.is_websocket
    world.carry()
    assert not world.stage.is_websocket
    world.session.is_websocket = True
    assert world.stage.is_websocket


# With a server, a real session, and the memory driver's pump


app = Application()


@app.get("/scheme")
async def scheme(request: Request) -> str:
    return f"{request.scheme} {request.peer}"


@app.ws("/echo")
async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


class Rig:
    """A server that serves one TLS stream in memory."""

    def __init__(self, *, delay: float = 0.0) -> None:
        self.driver = MemoryDriver()
        self.reports: list[LogRecord] = []
        self.server = Server(app, random=bytes, wall_clock=lambda: 0.0, report=self.reports.append)
        ours, self.theirs = stream()
        self.client = SecureClient()
        pump = MemoryPump(self.driver, ours, PEER)
        self.stage = self.server.tls_session(
            pump.driver, StreamInfo(peer=PEER, secure=True), make_tls(server_context())
        )
        pump.start(self.stage)
        self.driver.settle()
        self.driver.advance(delay)
        self.settle()

    def settle(self) -> None:
        """Carry everything in both directions, and let everything run, until nothing more happens."""
        while True:
            up = self.client.say()
            if up:
                self.theirs.outgoing.write(up)
            self.driver.settle()
            down = self.theirs.incoming.read(1 << 20)
            if down:
                self.client.hear(down)
            if not up and not down:
                return

    def send(self, plaintext: bytes) -> None:
        self.theirs.outgoing.write(self.client.write(plaintext))
        self.settle()


def test_a_request_over_tls_has_the_scheme_https() -> None:
    """RFC 9110 §4.2.2."""
    rig = Rig()
    rig.send(b"GET /scheme HTTP/1.1\r\nHost: t\r\n\r\n")
    assert rig.client.received.endswith(b"\r\n\r\nhttps 192.0.2.1:50312")


def test_a_websocket_over_tls_closes_with_both_close_frames_and_both_close_notifies() -> None:
    rig = Rig()
    rig.send(
        b"GET /echo HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert rig.client.received.startswith(b"HTTP/1.1 101 ")
    assert rig.stage.is_websocket
    rig.client.received = b""
    rig.send(frame(TEXT, b"hello"))
    rig.send(frame(CLOSE_FRAME, close_payload(1000)))
    assert rig.client.received == frame(TEXT, b"hello", mask=None) + frame(
        CLOSE_FRAME, close_payload(1000), mask=None
    )
    assert rig.client.has_end
    assert not rig.stage.closed
    rig.theirs.outgoing.write(rig.client.end())
    rig.settle()
    assert rig.stage.closed
    assert rig.server.session_count == 0
    [line] = [record.text for record in rig.reports]
    assert " websocket 1000 by remote, 1 in (5 B), 1 out (5 B), " in line


def test_the_time_for_a_head_begins_with_the_end_of_the_handshake() -> None:
    """The deadline of the handshake and that of the head do not run at the same time."""
    rig = Rig(delay=7.0)
    assert rig.client.is_connected
    rig.driver.advance(9.5)
    rig.send(b"GET /scheme HTTP/1.1\r\nHost: t\r\n\r\n")
    assert rig.client.received.startswith(b"HTTP/1.1 200 OK\r\n")
