"""Tests of `spry_core.protocol.memory`: what the worst peers can make a connection hold, measured, is less than the sum.

Each peer sends as much as a pump lets it, in the reads that cost most. What is measured is all that Python has allocated
since before the connection was made: it, what was received and not released, and what it wants written.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, islice, repeat
from typing import Final

import pytest

from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from spry_core.protocol import (
    Accept,
    Agreement,
    BodyData,
    BodyEnd,
    Connection,
    Deflate,
    Event,
    Limits,
    Message,
    MessageData,
    RequestHead,
    ResponseHead,
    StreamEnd,
)
from spry_core.protocol.compression import Compressor
from spry_core.protocol.memory import LONG_READ_SIZE, READ_SIZE, http_bound, websocket_bound
from traces import connection, open_websocket

MIB: Final = 1024 * 1024
AGREEMENT = Agreement(server_max_window_bits=12, client_max_window_bits=12)
PUT = b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Kept:
    """An owner and a pump that do nothing but keep: what was delivered is not released, what is to be written not taken."""

    def __init__(self, make: Callable[[], Connection], *, answers: bool = False) -> None:
        self.conn = make()
        self.answers = answers
        self.events: list[Event] = []
        self.pieces = bytearray()
        self.text: list[str] = []
        self.unsent: list[bytes] = []
        self.ends: list[StreamEnd] = []

    def look(self) -> None:
        for event in self.conn:
            self.take(event)
        batch = self.conn.data_to_send()
        self.ends += [item for item in batch if isinstance(item, StreamEnd)]
        if data := b"".join([item for item in batch if isinstance(item, bytes)]):
            self.unsent.append(data)

    def take(self, event: Event) -> None:
        if isinstance(event, (BodyData, MessageData)) and isinstance(event.data, bytes):
            self.pieces += event.data
        elif isinstance(event, (Message, RequestHead)):
            self.events.append(event)
        if isinstance(event, BodyEnd) and self.answers:
            self.conn.send(ResponseHead(status_code=200), 0.0)
            self.conn.send(BodyData(data=bytes(4096)), 0.0)
            self.conn.send(BodyEnd(), 0.0)

    def feed(self, reads: Iterator[bytes]) -> int:
        """Give it reads as long as it wants them, and one more; return their bytes."""
        total, is_last = 0, False
        for data in reads:
            self.conn.receive_data(data, 0.0)
            total += len(data)
            self.look()
            while self.conn.next_deadline() == 0.0:  # turns
                self.conn.handle_deadline(0.0)
                self.look()
            if is_last or self.conn.closed:
                break
            is_last = not self.conn.wants_read
        return total


@contextmanager
def measured() -> Generator[list[int]]:
    """Give a list that holds the bytes allocated in the block and not freed, when it is over."""
    gc.collect()
    tracemalloc.start()
    found: list[int] = []
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield found
        gc.collect()
        found.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()


def reads(data: bytes, size: int = READ_SIZE) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def endless(unit: bytes, total: int = 4 * READ_SIZE, size: int = READ_SIZE) -> Iterator[bytes]:
    """Make full reads of `unit` over and over, cut anywhere, until that is `total` bytes."""
    data = unit * (size // len(unit) + 2)
    start = 0
    for _ in range(total // size):
        yield data[start : start + size]
        start = (start + size) % len(unit)


def bombs(size: int, *, ends: bool = True) -> bytes:
    """A compressed message of zeroes, or only the first frame of one."""
    payload = Compressor(AGREEMENT, "client", Deflate()).compress(bytes(size), ends_message=True)
    return frame(BINARY, payload, rsv=4, fin=ends)


def one_wide_character(size: int) -> bytes:
    return frame(TEXT, "\N{GRINNING FACE}".encode() + b"a" * (size - 4))


def full_head() -> bytes:
    line = b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\nHost: a\r\n"
    fields = b"".join(b"%02d:%s\r\n" % (i, b"x" * 320) for i in range(98))
    return line + fields


def ws(limits: Limits | None = None) -> Callable[[], Connection]:
    return lambda: open_websocket(limits=limits)


def ws_deflate() -> Connection:
    return open_websocket(agreement=AGREEMENT)


def ws_in_pieces() -> Connection:
    conn = open_websocket()
    conn.receive_in_pieces(True, 0.0)
    return conn


def reads_ahead_little() -> Connection:
    return connection(limits=Limits(max_read_ahead=2048))


def half(data: bytes) -> Iterator[bytes]:
    """Everything but the last byte."""
    return reads(data[:-1])


def drip(*units: bytes, lead: bytes = b"", total: int = 8_000) -> Iterator[bytes]:
    """Read byte by byte, behind a lead."""
    data = chain(lead, islice(chain.from_iterable(repeat(b"".join(units))), total))
    return (bytes((byte,)) for byte in data)


PEERS: dict[str, tuple[Callable[[], Connection], Callable[[], Iterator[bytes]]]] = {
    "nothing at all": (connection, lambda: iter(())),
    "a full head, byte by byte": (connection, lambda: drip(lead=full_head(), total=0)),
    "a full head in one read, and more behind it": (
        connection,
        lambda: reads((full_head() + b"\r\n").ljust(4 * READ_SIZE, b"x")),
    ),
    "pipelined requests": (connection, lambda: endless(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")),
    "content that nobody reads": (
        connection,
        lambda: chain([b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"], endless(b"x")),
    ),
    "tiny chunks that nobody reads": (reads_ahead_little, lambda: chain([PUT], endless(b"1\r\nx\r\n"))),
    "tiny chunks in tiny reads": (connection, lambda: chain([PUT], reads(b"2\r\nxx\r\n" * 1000, 7))),
    "chunk extensions, byte by byte": (
        connection,
        lambda: drip(b"1" + b";a" * 100 + b"\r\nx\r\n", lead=PUT, total=8000),
    ),
    "trailers, byte by byte": (connection, lambda: drip(b"a:b\r\n", lead=PUT + b"0\r\n", total=8000)),
    "what nobody wants behind the last answer": (connection, lambda: chain([b"GET\r\n"], endless(b"x"))),
    "half a message of the greatest size": (ws(), lambda: half(frame(BINARY, bytes(MIB)))),
    "a message of the greatest size, and more": (
        ws(),
        lambda: chain(reads(frame(BINARY, bytes(MIB))), endless(b"\x82\x80    ")),
    ),
    "a nearly full queue, and a message with one wide character": (
        ws(),
        lambda: reads(one_wide_character(65_000) + one_wide_character(MIB) * 2),
    ),
    "empty messages": (ws(), lambda: endless(frame(TEXT))),
    "empty messages, in long reads": (ws(), lambda: endless(frame(TEXT), 2 * LONG_READ_SIZE, LONG_READ_SIZE)),
    "a nearly full queue, and a message with one wide character, in long reads": (
        ws(),
        lambda: reads(one_wide_character(65_000) + one_wide_character(MIB) * 2, LONG_READ_SIZE),
    ),
    "messages of one byte": (ws(), lambda: endless(frame(BINARY, b"ab"))),
    "messages of one byte, in tiny reads": (ws(), lambda: reads(frame(TEXT, "é".encode()) * 1000, 7)),
    "empty fragments": (
        ws(),
        lambda: reads(frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 1022),
    ),
    "fragments of one byte, without a limit for them": (
        ws(Limits(max_fragments=None)),
        lambda: chain([frame(BINARY, fin=False)], endless(frame(CONTINUATION, b"ab", fin=False), READ_SIZE)),
    ),
    "pings": (ws(), lambda: endless(frame(PING), READ_SIZE)),
    "long pings": (ws(), lambda: endless(frame(PING, b"p" * 125), 3 * READ_SIZE)),
    "pongs": (ws(), lambda: endless(frame(PONG, b"p" * 125), READ_SIZE)),
    "a bomb": (ws_deflate, lambda: half(bombs(MIB - 1))),
    "bombs in one read": (ws_deflate, lambda: endless(bombs(MIB), 2 * READ_SIZE)),
    "bombs in one long read": (ws_deflate, lambda: endless(bombs(MIB), 2 * LONG_READ_SIZE, LONG_READ_SIZE)),
    "a bomb that is too big": (ws_deflate, lambda: iter([bombs(8 * MIB, ends=False)])),
    "a bomb in pieces": (
        lambda: open_websocket(agreement=AGREEMENT, limits=Limits(max_message_size=None)),
        lambda: reads(bombs(64 * MIB)),
    ),
    "pieces that nobody reads": (ws_in_pieces, lambda: half(frame(BINARY, bytes(MIB)))),
    "pieces in tiny reads": (
        ws_in_pieces,
        lambda: chain([frame(BINARY, bytes(70_000))[:14]], reads(bytes(69_990), 7)),
    ),
    "messages, and then a fault": (ws(), lambda: reads(frame(TEXT, b"a") * 10 + frame(3) + bytes(READ_SIZE))),
    "a close, and what nobody wants behind it": (
        ws(),
        lambda: chain([frame(CLOSE_FRAME, close_payload(1000))], endless(bytes(7))),
    ),
}


@pytest.mark.parametrize("name", PEERS)
def test_no_peer_pins_more_than_the_bound(name: str) -> None:
    make, attack = PEERS[name]
    with measured() as found:
        kept = Kept(make)
        kept.feed(attack())
    assert found[0] <= kept.conn.memory_bound()


def test_a_peer_that_asks_and_does_not_read_pins_what_is_unsent_and_no_more() -> None:
    with measured() as found:
        kept = Kept(connection, answers=True)
        fed = kept.feed(endless(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
    assert 64 * 1024 < kept.conn.buffered_amount < 64 * 1024 + 4096 + 200
    assert not kept.conn.wants_read
    assert fed <= 4 * READ_SIZE
    assert found[0] <= kept.conn.memory_bound()


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("a nearly full queue, and a message with one wide character", 4 * MIB),
        ("half a message of the greatest size", MIB - 1),
        ("bombs in one read", MIB),
    ],
)
def test_the_worst_peers_come_near_to_the_bound(name: str, least: int) -> None:
    """So what is measured is what is meant to be."""
    make, attack = PEERS[name]
    with measured() as found:
        kept = Kept(make)
        kept.feed(attack())
    assert least <= found[0] <= kept.conn.memory_bound()


# ----------------------------------------------------------------------------------------------------------------- the sum


def test_the_bound_of_the_defaults_is_that_of_the_figures() -> None:
    """Two messages of the greatest size and 8 MiB."""
    assert http_bound(Limits()) < 2 * MIB
    assert websocket_bound(Limits(), "server", AGREEMENT) < 2 * MIB + 8 * MIB


def test_a_connection_computes_it_for_what_it_speaks() -> None:
    conn = connection(limits=Limits(max_read_ahead=100_000))
    assert conn.memory_bound() == http_bound(Limits(max_read_ahead=100_000))
    assert open_websocket().memory_bound() == websocket_bound(Limits(), "server")
    assert ws_deflate().memory_bound() == websocket_bound(Limits(), "server", AGREEMENT)
    client = open_websocket("client", agreement=AGREEMENT)
    assert client.memory_bound() == websocket_bound(Limits(), "client", AGREEMENT)


def test_a_route_may_have_limits_of_its_own() -> None:
    conn = connection()
    conn.receive_data(
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        0.0,
    )
    limits = Limits(max_message_size=10, max_unsent=20, high_water=30)
    conn.configure(limits=limits, timeouts=conn.timeouts)
    assert conn.memory_bound() == http_bound(limits)
    conn.send(Accept(), 0.0)
    assert conn.memory_bound() == websocket_bound(limits, "server")


SMALL = Limits(max_message_size=READ_SIZE, max_fragments=0)


def more(limits: Limits) -> int:
    """Return by how much the bound of a WebSocket is greater with these limits."""
    return websocket_bound(limits, "server") - websocket_bound(SMALL, "server")


def test_a_fragment_costs_64_bytes_beside_its_length() -> None:
    assert more(replace(SMALL, max_fragments=1024)) == 1024 * 64
    assert more(replace(SMALL, max_fragments=None)) == 0


def test_a_byte_of_a_message_costs_itself_while_it_comes_and_four_when_it_is_text() -> None:
    """And the eighth by which a `bytearray` grows ahead, and the objects of pieces of 1 KiB."""
    assert more(replace(SMALL, max_message_size=READ_SIZE + MIB)) == MIB + MIB // 8 + 4 * (MIB + 1024 * 64)
    assert more(replace(SMALL, max_message_size=None)) == -(READ_SIZE + READ_SIZE // 8)


def test_what_waits_and_what_is_unsent_cost_what_they_may_be() -> None:
    assert more(replace(SMALL, max_queue_size=2 * 64 * 1024)) == 4 * (64 * 1024 + 64 * 64)
    assert more(replace(SMALL, max_queue=17)) == 256
    assert more(replace(SMALL, max_unsent=MIB + 1)) == 1
    assert more(replace(SMALL, high_water=MIB + 1)) == 1
    assert more(replace(SMALL, high_water=MIB - 1)) == 0


@pytest.mark.parametrize(
    ("role", "ours", "theirs"),
    [("server", 15, 9), ("client", 9, 15)],
)
def test_windows_cost_what_zlib_makes_of_them(role: str, ours: int, theirs: int) -> None:
    agreement = Agreement(server_max_window_bits=15, client_max_window_bits=9)
    plain = websocket_bound(Limits(), "server")
    bound = websocket_bound(
        Limits(), "server" if role == "server" else "client", agreement, Deflate(mem_level=8)
    )
    writing = (4 << ours) + (1 << 17) + 16 * 1024
    reading = 2 * ((1 << theirs) + 16 * 1024)
    assert bound - plain == writing + reading + 4 * LONG_READ_SIZE


def test_windows_that_nobody_limited_have_15_bits() -> None:
    assert websocket_bound(Limits(), "server", Agreement()) == websocket_bound(
        Limits(), "server", Agreement(server_max_window_bits=15, client_max_window_bits=15)
    )


def test_the_sum_of_http_grows_with_each_limit_of_it() -> None:
    def grown(**limits: int) -> int:
        return http_bound(replace(Limits(), **limits)) - http_bound(Limits())

    assert grown(max_request_line=8 * 1024 + 100) == 200
    assert grown(max_header_section=32 * 1024 + 100) == 200
    assert grown(max_fields=101) == 256
    assert grown(max_trailer_section=8 * 1024 + 100) == 100
    assert grown(max_trailer_fields=33) == 256
    assert grown(max_read_ahead=65 * 1024) == 2 * 1024 + 1024 + 64
    assert grown(max_unsent=MIB + 7) == 7
