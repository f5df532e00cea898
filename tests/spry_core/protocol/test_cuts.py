"""Where bytes are cut changes neither the events nor the answer: over a corpus of good and broken messages, every cut in
two and every byte alone; any cut of any change of them by Hypothesis (RFC 9112 §2.2, RFC 6455 §5).

The limits are small, so that what breaks them is short enough to be cut everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from spry_core.protocol import (
    Agreement,
    BodyData,
    BodyEnd,
    Connection,
    Deflate,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    RequestHead,
)
from spry_core.protocol.compression import Compressor
from spry_core.testing.strategies.cuts import cut_at, cuts
from traces import GET, HANDSHAKE, Trace, connection, join, open_websocket, trace, two_way_cuts

LIMITS = Limits(
    max_request_line=60,
    max_field_line=50,
    max_header_section=180,
    max_fields=6,
    max_trailer_section=40,
    max_trailer_fields=2,
    max_chunk_line=20,
    max_chunk_extensions=24,
    max_empty_lines=2,
    max_requests=4,
    max_message_size=40,
    max_fragments=3,
)


def check_every_cut(make: Callable[[], Connection], data: bytes) -> Trace:
    """Compare all two-way cuts, and single bytes, with the whole; return what the whole gave."""
    expected = trace(make(), [data])
    for pieces in two_way_cuts(data):
        assert trace(make(), pieces) == expected, pieces
    return expected


# ------------------------------------------------------------------------------------------------------------ requests


def get(fields: bytes = b"", start: bytes = b"GET / HTTP/1.1") -> bytes:
    return start + b"\r\nHost: a\r\n" + fields + b"\r\n"


CHUNKED = get(b"Transfer-Encoding: chunked\r\n", b"POST / HTTP/1.1")
POST = get(b"Content-Length: 3\r\n", b"POST / HTTP/1.1") + b"abc"

GOOD = {
    "get": GET,
    "get and a byte of the next": GET + b"G",
    "empty lines first": b"\r\n\r\n" + GET,
    "pipelined": GET + POST + CHUNKED + b"1\r\na\r\n0\r\n\r\n",
    "pipelined up to the last that is allowed": GET * 5,
    "head": get(start=b"HEAD / HTTP/1.1") + GET,
    "http 1.0": b"GET / HTTP/1.0\r\n\r\n" + GET,
    "connection close": get(b"Connection: close\r\n") + GET,
    "content": POST + POST,
    "no content": get(b"Content-Length: 0\r\n") + GET,
    "chunks": CHUNKED + b"3\r\nabc\r\na;x=y\r\n0123456789\r\n0\r\n\r\n" + GET,
    "trailers": CHUNKED + b"1\r\na\r\n0\r\nA: b\r\nC:d\r\n\r\n" + GET,
    "values": get(b"A:\r\nB: \t x \ty \t\r\nC: \x80\xff\r\n"),
    "upgrade": HANDSHAKE,
    "upgrade and a frame": HANDSHAKE + frame(TEXT, b"hi") + frame(PING, b"p"),
    "upgrade and a broken frame": HANDSHAKE + frame(3, b"hi"),
    "upgrade and a close": HANDSHAKE + frame(CLOSE_FRAME, close_payload(1000)),
    "upgrade of another protocol": get(b"Upgrade: h2c\r\nConnection: upgrade\r\n") + GET,
    "bad upgrade": HANDSHAKE.replace(b"Version: 13", b"Version: 12"),
}
BROKEN = {
    "bare LF in the start line": get().replace(b"1.1\r\n", b"1.1\n"),
    "bare LF in a field": get(b"A: b\n"),
    "bare LF at the end": get()[:-2] + b"\n",
    "obs-fold": get(b"A: b\r\n c\r\n"),
    "fold in the first field": b"GET / HTTP/1.1\r\n Host: a\r\n\r\n",
    "length and chunks": get(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n",
    "two lengths in one": get(b"Content-Length: 3, 3\r\n") + b"abc",
    "two equal lengths": get(b"Content-Length: 3\r\nContent-Length: 3\r\n") + b"abc",
    "signed length": get(b"Content-Length: +3\r\n") + b"abc",
    "length with an underscore": get(b"Content-Length: 1_0\r\n") + b"0123456789",
    "other coding": get(b"Transfer-Encoding: gzip, chunked\r\n"),
    "coding in http 1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "NUL": get(b"A: \x00\r\n"),
    "CR in a value": get(b"A: b\rc\r\n"),
    "space before the colon": get(b"A : b\r\n"),
    "no colon": get(b"A\r\n"),
    "no host": b"GET / HTTP/1.1\r\n\r\n" + GET,
    "no host, HEAD": b"HEAD / HTTP/1.1\r\n\r\n" + GET,
    "two hosts": get(b"Host: b\r\n"),
    "bad host": GET.replace(b"Host: a", b"Host: a/b"),
    "target of no form": get(start=b"GET http://u@a/ HTTP/1.1"),
    "http 2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "tls": b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n",
    "too many empty lines": b"\r\n" * 3 + GET,
    "start line too long": get(start=b"GET /" + b"a" * 60 + b" HTTP/1.1"),
    "endless start line": b"a" * 80,
    "field too long": get(b"A: " + b"b" * 50 + b"\r\n"),
    "section too long": get(b"".join(b"A%d: " % i + b"b" * 40 + b"\r\n" for i in range(4))),
    "too many fields": get(b"A:\r\n" * 6),
    "good, then broken": GET + POST + get(b"A : b\r\n") + GET,
    "not a chunk size": CHUNKED + b"x\r\n",
    "not a chunk size behind chunks": CHUNKED + b"3\r\nabc\r\n-1\r\n",
    "nothing behind chunk data": CHUNKED + b"3\r\nabcd\r\n0\r\n\r\n",
    "LF behind chunk data": CHUNKED + b"3\r\nabc\n0\r\n\r\n",
    "LF behind a chunk size": CHUNKED + b"3\nabc\r\n0\r\n\r\n",
    "chunk line too long": CHUNKED + b"3;" + b"x" * 20 + b"\r\nabc\r\n0\r\n\r\n",
    "chunk extensions too long": CHUNKED + (b"1;" + b"x" * 10 + b"\r\na\r\n") * 3 + b"0\r\n\r\n",
    "space behind a chunk size": CHUNKED + b"3 \r\nabc\r\n0\r\n\r\n",
    "17 digits": CHUNKED + b"0" * 16 + b"3\r\nabc\r\n0\r\n\r\n",
    "trailers too long": CHUNKED + b"0\r\nA: " + b"b" * 40 + b"\r\n\r\n",
    "too many trailers": CHUNKED + b"0\r\n" + b"A:\r\n" * 3 + b"\r\n",
    "broken trailer": CHUNKED + b"0\r\nA : b\r\n\r\n",
    "framing in the trailer section": CHUNKED + b"0\r\nTransfer-Encoding: gzip\r\n\r\n",
    "half a head": GET[:-1],
    "half a content": POST[:-1],
    "half a chunk": CHUNKED + b"3\r\nab",
}
REQUESTS = GOOD | BROKEN


def server() -> Connection:
    return connection(limits=LIMITS)


@pytest.mark.parametrize("name", REQUESTS)
def test_every_cut_of_requests_gives_the_same(name: str) -> None:
    result = check_every_cut(server, REQUESTS[name])
    is_refused = b"Content-Type: text/plain" in result.sent
    assert is_refused is (name in BROKEN or name == "get and a byte of the next"), result.sent


PLAIN = [data for data in REQUESTS.values() if b"websocket" not in data]
"""Without opening handshakes: a denial depends on whether bytes have come behind it."""

changes = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 3), st.binary(max_size=3)), max_size=3)


def changed(data: bytes, places: Iterable[tuple[int, int, bytes]]) -> bytes:
    """Put other bytes in place of some."""
    for place, n, other in places:
        data = data[:place] + other + data[place + n :]
    return data


@settings(max_examples=500)
@given(st.sampled_from(PLAIN), st.sampled_from(PLAIN), changes, st.lists(st.integers(0, 400), max_size=10))
def test_any_cut_of_any_change_of_requests_gives_the_same(
    first: bytes, second: bytes, places: list[tuple[int, int, bytes]], edges: list[int]
) -> None:
    data = changed(first + second, places)
    assert trace(server(), cut_at(data, edges)) == trace(server(), [data])


@settings(max_examples=500)
@given(st.binary(max_size=100).flatmap(lambda data: st.tuples(st.just(data), cuts(data))))
def test_any_cut_of_any_bytes_gives_the_same(given_bytes: tuple[bytes, list[bytes]]) -> None:
    data, pieces = given_bytes
    assert trace(server(), pieces) == trace(server(), [data] if data else [])


# ----------------------------------------------------------------------------------------------------------- responses


def client(method: bytes = b"GET") -> Connection:
    conn = connection("client", limits=LIMITS)
    conn.send(
        RequestHead(method=method, target=b"/", headers=((b"Host", b"a"), (b"Content-Length", b"1"))), 0.0
    )
    conn.send(BodyData(data=b"x"), 0.0)
    conn.send(BodyEnd(), 0.0)
    return conn


RESPONSES = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nA: b\r\n\r\n",
    "to the end": b"HTTP/1.1 200 OK\r\n\r\nabc",
    "http 1.0": b"HTTP/1.0 200\r\n\r\nabc",
    "interim first": b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "two": b"HTTP/1.1 204 No Content\r\n\r\n" * 2,
    "an empty line first": b"\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3, 3\r\n\r\nabc",
    "length and chunks": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "not a chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\nx\r\n",
    "half a content": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
    "a switch that nobody wants": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n",
    "too long": b"HTTP/1.1 200 " + b"x" * 60 + b"\r\n\r\n",
}


@pytest.mark.parametrize("name", RESPONSES)
def test_every_cut_of_responses_gives_the_same(name: str) -> None:
    assert len(check_every_cut(client, RESPONSES[name]).events) >= 2


@settings(max_examples=500)
@given(st.sampled_from(list(RESPONSES.values())), changes, st.lists(st.integers(0, 200), max_size=10))
def test_any_cut_of_any_change_of_responses_gives_the_same(
    data: bytes, places: list[tuple[int, int, bytes]], edges: list[int]
) -> None:
    data = changed(data, places) or b"x"
    for method in (b"GET", b"HEAD"):
        assert trace(client(method), cut_at(data, edges)) == trace(client(method), [data])


# ----------------------------------------------------------------------------------------------------------- WebSocket

STREAMS = {
    "messages": frame(TEXT, "é€😀".encode()) + frame(BINARY, b"\xff") + frame(TEXT) + frame(BINARY),
    "fragments with a ping inside": frame(TEXT, b"\xe2", fin=False)
    + frame(PING, b"p")
    + frame(CONTINUATION, b"\x82", fin=False)
    + frame(PONG, b"q")
    + frame(CONTINUATION, b"\xac"),
    "empty fragments": frame(BINARY, fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION),
    "pings": frame(PING) + frame(PING, b"x" * 125) + frame(PONG, b"y"),
    "as many bytes as allowed": frame(TEXT, b"a" * 40),
    "one byte too many": frame(TEXT, b"a" * 41),
    "too many bytes in fragments": frame(TEXT, b"a" * 30, fin=False) + frame(CONTINUATION, b"a" * 11),
    "a header alone": b"\x82\xff" + (1 << 62).to_bytes(8, "big"),
    "too many fragments": frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 2 + frame(CONTINUATION),
    "message, then fault": frame(TEXT, b"a") + frame(TEXT, b"\xff") + frame(TEXT, b"never"),
    "unmasked": frame(TEXT, b"a", mask=None),
    "reserved bit": frame(TEXT, b"a", rsv=4),
    "reserved opcode": frame(3, b"a"),
    "reserved control opcode": frame(11, b"a"),
    "fragmented ping": frame(PING, fin=False),
    "long ping": frame(PING, b"a" * 126),
    "length in too many bits": frame(TEXT, b"a", length_form=64),
    "negative length": b"\x82\xff" + (1 << 63).to_bytes(8, "big"),
    "continuation of nothing": frame(CONTINUATION, b"a"),
    "message inside another": frame(TEXT, b"a", fin=False) + frame(BINARY, b"b"),
    "surrogate": frame(TEXT, b"ab\xed\xa0\x80cd"),
    "overlong form": frame(TEXT, b"ab\xc0\xafcd"),
    "cut inside a character": frame(TEXT, b"ab\xe2\x82"),
    "bad text in a fragment": frame(TEXT, b"ab", fin=False) + frame(CONTINUATION, b"\xff"),
    "close": frame(CLOSE_FRAME, close_payload(1000, "bye")) + frame(TEXT, b"never"),
    "empty close": frame(CLOSE_FRAME),
    "message, then close": frame(TEXT, b"a") + frame(CLOSE_FRAME, close_payload(4000)),
    "close inside a message": frame(TEXT, b"a", fin=False) + frame(CLOSE_FRAME, close_payload(1001)),
    "close with half a code": frame(CLOSE_FRAME, b"\x03"),
    "close with a reserved code": frame(CLOSE_FRAME, close_payload(1005)),
    "close with a bad reason": frame(CLOSE_FRAME, close_payload(1000) + b"\xff"),
    "half a frame": frame(TEXT, b"abc")[:-1],
}


def compressed(*fragments: bytes) -> bytes:
    """Make one text of these fragments, compressed as a client would (RFC 7692 §7.2.1)."""
    compressor = Compressor(Agreement(), "client", Deflate(client_max_window_bits=15, level=9))
    frames = b""
    for i, each in enumerate(fragments):
        is_last = i == len(fragments) - 1
        payload = compressor.compress(each, ends_message=is_last)
        frames += frame(CONTINUATION if i else TEXT, payload, fin=is_last, rsv=0 if i else 4)
    return frames


NOT_DEFLATE = bytes.fromhex("f248cdc9c90700")[:4] + b"\xff" * 9
COMPRESSED = {
    "compressed": compressed("é€😀".encode()) + compressed(b"") + frame(BINARY, b"plain"),
    "compressed fragments": compressed(b"a\xe2", b"\x82\xac", b"b") + frame(PING, b"p"),
    "ping inside compressed fragments": compressed(b"a" * 20, b"a" * 20)[:-11] + frame(PING, b"p"),
    "as many bytes as allowed, compressed": compressed(b"a" * 40) + frame(TEXT, b"b"),
    "a byte too many, compressed": compressed(b"a" * 41) + frame(TEXT, b"b"),
    "a bomb": compressed(b"a" * 100_000),
    "too many bytes in compressed fragments": compressed(b"a" * 30, b"b" * 11),
    "bad text, compressed": compressed(b"ab\xed\xa0\x80cd"),
    "half a character, compressed": compressed(b"ab\xe2\x82"),
    "no deflate": frame(TEXT, b"ok") + frame(TEXT, NOT_DEFLATE, rsv=4) + frame(TEXT, b"never"),
    "no deflate, later": frame(TEXT, compressed(b"abcdefgh")[6:] + b"\xff" * 3, rsv=4),
    "half a deflate": frame(TEXT, bytes.fromhex("f248cdc9"), rsv=4) + frame(TEXT, b"never"),
    "a deflate that ends in the middle of a byte": frame(TEXT, bytes.fromhex("f348cdc9c907"), rsv=4),
    "a last block": frame(TEXT, bytes.fromhex("f348cdc9c9070000"), rsv=4) + compressed(b"again"),
    "reserved bit in a continuation": frame(TEXT, b"", fin=False, rsv=4) + frame(CONTINUATION, rsv=4),
    "reserved bit in a ping": frame(PING, rsv=4),
    "two reserved bits": frame(TEXT, b"", rsv=6),
    "compressed, then close": compressed(b"a" * 30) + frame(CLOSE_FRAME, close_payload(1000)),
}
NARROW = Limits(max_message_size=40, max_fragments=3, max_queue_size=7)


def websocket() -> Connection:
    return open_websocket(limits=LIMITS)


def in_pieces() -> Connection:
    """Make one that gets messages in pieces, and has room for little."""
    conn = open_websocket(limits=NARROW)
    conn.receive_in_pieces(True, 0.0)
    return conn


def deflating() -> Connection:
    limits = Limits(max_message_size=40, max_fragments=3)
    return open_websocket(limits=limits, agreement=Agreement())


def deflating_in_pieces() -> Connection:
    conn = open_websocket(limits=NARROW, agreement=Agreement())
    conn.receive_in_pieces(True, 0.0)
    return conn


def boundless() -> Connection:
    """Make one for messages of any size."""
    limits = replace(NARROW, max_message_size=None, max_fragments=None)
    return open_websocket(limits=limits, agreement=Agreement())


KINDS = [websocket, in_pieces, deflating, deflating_in_pieces, boundless]


@pytest.mark.parametrize("make", KINDS)
@pytest.mark.parametrize("name", STREAMS | COMPRESSED)
def test_every_cut_of_frames_gives_the_same(make: Callable[[], Connection], name: str) -> None:
    assert check_every_cut(make, (STREAMS | COMPRESSED)[name]).events


@pytest.mark.parametrize(("whole", "pieces"), [(websocket, in_pieces), (deflating, deflating_in_pieces)])
@pytest.mark.parametrize("name", STREAMS | COMPRESSED)
def test_pieces_are_the_messages(
    whole: Callable[[], Connection], pieces: Callable[[], Connection], name: str
) -> None:
    """Each message, put together, and everything else is the same; so is the answer."""
    data = (STREAMS | COMPRESSED)[name]
    expected, found = trace(whole(), [data]), trace(pieces(), [data])
    events = put_together(found.events)
    assert events[:-1] == expected.events[:-1]
    assert (found.sent, found.end) == (expected.sent, expected.end)


def put_together(events: list[object]) -> list[object]:
    """Make messages of pieces; those of which the end never came are left out."""
    joined: list[object] = []
    message: str | bytes | None = None
    for event in events:
        match event:
            case MessageStart():
                message = "" if event.kind == "text" else b""
            case MessageData():
                assert message is not None
                message = join(message, event.data)
            case MessageEnd():
                assert message is not None
                joined.append(Message(data=message))
            case _:
                joined.append(event)
    return joined


@settings(max_examples=500)
@given(
    st.sampled_from(KINDS),
    st.lists(st.sampled_from(list((STREAMS | COMPRESSED).values())), min_size=1, max_size=3).map(b"".join),
    changes,
    st.lists(st.integers(0, 200), max_size=10),
)
def test_any_cut_of_any_change_of_frames_gives_the_same(
    make: Callable[[], Connection], data: bytes, places: list[tuple[int, int, bytes]], edges: list[int]
) -> None:
    data = changed(data, places) or b"x"
    assert trace(make(), cut_at(data, edges)) == trace(make(), [data])
