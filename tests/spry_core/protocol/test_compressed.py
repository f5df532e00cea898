"""Compressed messages through a whole connection: both roles, on the wire, and with peers that nobody here wrote
(RFC 7692 §6).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, TypeAlias

import pytest
import wsproto.events as wsproto_events
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode as TheirOpcode
from websockets.http11 import Request as TheirRequest
from websockets.http11 import Response as TheirResponse
from websockets.server import ServerProtocol
from websockets.uri import parse_uri
from wsproto.extensions import PerMessageDeflate

from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from spry_core.closing import Close
from spry_core.protocol import (
    CLOSE,
    HALF_CLOSE,
    Accept,
    Agreement,
    BodyEnd,
    Connection,
    Deflate,
    Event,
    Failure,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Offer,
    Ping,
    Pong,
    RequestHead,
    Role,
    SentEvent,
    StreamEnd,
    Timeouts,
)
from spry_core.protocol.compression import Compressor
from spry_core.protocol.deflate import negotiate, offer
from spry_core.protocol.engines import EngineName
from spry_core.protocol.handshake import accept_key, request
from spry_core.testing.strategies import cuts
from traces import HANDSHAKE, comparable, connection, counted, error_values, fetched, said, two_way_cuts
from wire import CoreEnd, Cut, WebSocketPeer, carry, cutters

HELLO: Final = bytes.fromhex("f248cdc9c90700")
"""The message "Hello" (RFC 7692 §7.2.3.1)."""
HELLO_AGAIN: Final = bytes.fromhex("f200110000")
"""The same once more, said as a distance into the window (RFC 7692 §7.2.3.2)."""
RSV1, RSV2, RSV3 = 4, 2, 1
ANY_OFFER: Final = "permessage-deflate; client_max_window_bits"
FORGETFUL: Final = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
WIDE: Final = Deflate(server_max_window_bits=15, client_max_window_bits=15)


def opened(
    role: Role = "server",
    agreement: str | None = "permessage-deflate",
    *,
    deflate: Deflate | None = WIDE,
    limits: Limits | None = None,
) -> Connection:
    """Make a connection that has become a WebSocket with this agreement, with nothing left to fetch."""
    conn = connection(role)
    conn.configure(limits=limits or Limits(), timeouts=Timeouts(), deflate=deflate)
    extensions = () if agreement is None else (agreement,)
    if role == "server":
        field = b"Sec-WebSocket-Extensions: " + ANY_OFFER.encode() + b"\r\n\r\n"
        conn.receive_data(HANDSHAKE.removesuffix(b"\r\n") + field, 0.0)
        conn.send(Accept(extensions=extensions), 0.0)
    else:
        head = request(host="a", target="/", random=counted, extensions=(ANY_OFFER,))
        conn.send(head, 0.0)
        conn.send(BodyEnd(), 0.0)
        assert isinstance(head.websocket, Offer)
        field = b"".join(b"Sec-WebSocket-Extensions: %s\r\n" % each.encode() for each in extensions)
        switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + field
        key = accept_key(head.websocket.key)
        conn.receive_data(switch + b"Sec-WebSocket-Accept: " + key + b"\r\n\r\n", 0.0)
    assert conn.is_open
    said(conn)
    list(conn)
    return conn


def pair(deflate: Deflate = WIDE, limits: Limits | None = None) -> tuple[CoreEnd, CoreEnd]:
    """Make our client and our server, who agree on what `deflate` says."""
    agreement = str(negotiate([offer(deflate)], deflate))
    forgets = replace(deflate, server_no_context_takeover=False)  # what opened() offers asks for nothing
    client = opened("client", agreement, deflate=forgets, limits=limits)
    return CoreEnd(client), CoreEnd(opened("server", agreement, deflate=forgets, limits=limits))


def wire(conn: Connection, *events: SentEvent) -> bytes:
    """Return what the connection writes to say this."""
    for event in events:
        conn.send(event, 0.0)
    return said(conn)


def from_server(opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    """Make a frame as a server does, without a mask."""
    return frame(opcode, payload, fin=fin, rsv=rsv, mask=None)


def heard(conn: Connection, *frames: bytes) -> list[object]:
    """Return what the connection makes of these frames."""
    conn.receive_data(b"".join(frames), 0.0)
    return comparable(conn)


# Sending


def test_a_compressed_message_has_rsv1() -> None:
    """RFC 7692 §6.1, with the examples of §7.2.3."""
    conn = opened()
    hello = Message(data="Hello", compress=True)
    assert wire(conn, hello) == from_server(TEXT, HELLO, rsv=RSV1)
    assert wire(conn, hello) == from_server(TEXT, HELLO_AGAIN, rsv=RSV1)
    binary = Message(data=b"Hello", compress=True)
    assert wire(opened(), binary) == from_server(BINARY, HELLO, rsv=RSV1)


def test_a_client_masks_what_it_has_compressed() -> None:
    """RFC 7692 §6.1: the frame is made of the compressed payload data."""
    assert wire(opened("client"), Message(data="Hello", compress=True)) == frame(
        TEXT, HELLO, rsv=RSV1, mask=counted(4)
    )


@pytest.mark.parametrize("compress", [True, False, None])
def test_without_an_agreement_nothing_is_compressed(compress: bool | None) -> None:
    """RFC 7692 §5: the compressed bit means nothing then."""
    conn = opened(agreement=None)
    assert wire(conn, Message(data="Hello" * 20, compress=compress)) == from_server(TEXT, b"Hello" * 20)
    pieces = (MessageStart(kind="text", compress=compress), MessageData(data="Hello"), MessageEnd())
    assert wire(conn, *pieces) == from_server(TEXT, b"Hello", fin=False) + from_server(CONTINUATION, b"")


def test_the_threshold_decides_about_messages_of_unknown_wish() -> None:
    """At the threshold a message is compressed, one byte below it is not."""
    conn = opened(deflate=replace(WIDE, threshold=5))
    assert wire(conn, Message(data="Hell")) == from_server(TEXT, b"Hell")
    assert wire(conn, Message(data="Hello")) == from_server(TEXT, HELLO, rsv=RSV1)
    # Its bytes count, not its characters.
    assert wire(conn, Message(data="é" * 2)) == from_server(TEXT, "éé".encode())
    assert wire(conn, Message(data="é" * 3))[0] == 0xC1


def test_a_message_sent_uncompressed_is_not_in_the_window() -> None:
    """The peer has not put it into its own (RFC 7692 §6.1)."""
    conn = opened()
    hello = Message(data="Hello", compress=True)
    other = Message(data="World" * 100, compress=False)
    assert wire(conn, hello, other, hello) == (
        from_server(TEXT, HELLO, rsv=RSV1)
        + from_server(TEXT, b"World" * 100)
        + from_server(TEXT, HELLO_AGAIN, rsv=RSV1)
    )


def test_a_message_in_pieces_is_compressed_fragment_by_fragment() -> None:
    """The compressed bit stands in the first frame alone, and each fragment can be read when it comes (RFC 7692 §6.1)."""
    conn = opened()
    start, piece = MessageStart(kind="text"), MessageData(data="Hello")
    assert wire(conn, start, piece) == from_server(TEXT, HELLO + b"\x00\x00\xff\xff", fin=False, rsv=RSV1)
    assert wire(conn, piece) == from_server(CONTINUATION, HELLO_AGAIN + b"\x00\x00\xff\xff", fin=False)
    assert wire(conn, MessageEnd()) == from_server(CONTINUATION, b"\x00")


def test_a_message_in_pieces_may_be_sent_uncompressed() -> None:
    """RFC 7692 §6.1."""
    conn = opened()
    pieces = (MessageStart(kind="binary", compress=False), MessageData(data=b"Hello"), MessageEnd())
    assert wire(conn, *pieces) == from_server(BINARY, b"Hello", fin=False) + from_server(CONTINUATION, b"")


def test_control_frames_are_never_compressed_and_disturb_nothing() -> None:
    """RFC 7692 §6.1."""
    conn = opened()
    conn.send(MessageStart(kind="text"), 0.0)
    ping, pong = Ping(payload=b"p" * 125), Pong(payload=b"p" * 125)
    piece = MessageData(data="Hello")
    assert wire(
        conn, ping, piece, pong, piece, ping, MessageEnd(), pong, Close(code=1000, reason="r" * 100)
    ) == (
        from_server(PING, b"p" * 125)
        + from_server(TEXT, HELLO + b"\x00\x00\xff\xff", fin=False, rsv=RSV1)
        + from_server(PONG, b"p" * 125)
        + from_server(CONTINUATION, HELLO_AGAIN + b"\x00\x00\xff\xff", fin=False)
        + from_server(PING, b"p" * 125)
        + from_server(CONTINUATION, b"\x00")
        + from_server(PONG, b"p" * 125)
        + from_server(CLOSE_FRAME, close_payload(1000, "r" * 100))
    )


def test_without_takeover_each_message_stands_alone() -> None:
    """RFC 7692 §7.1.1."""
    hello = Message(data="Hello", compress=True)
    assert wire(opened(agreement=FORGETFUL), hello, hello) == from_server(TEXT, HELLO, rsv=RSV1) * 2


def test_a_client_with_8_window_bits_sends_uncompressed_and_reads_compressed() -> None:
    """RFC 7692 §7.1.2.2."""
    conn = opened("client", "permessage-deflate; client_max_window_bits=8")
    assert wire(conn, Message(data="Hello", compress=True)) == frame(TEXT, b"Hello", mask=counted(4))
    assert heard(conn, from_server(TEXT, HELLO, rsv=RSV1)) == [Message(data="Hello")]


def test_what_is_counted_is_what_was_said() -> None:
    """Bytes of messages are those of the application, not those on the wire."""
    client, server = pair()
    client.send(Message(data="Hello" * 100), Close(code=1000))
    carry(client, server)
    ours, theirs = client.conn.close_info, server.conn.close_info
    assert ours is not None
    assert theirs is not None
    assert (ours.messages_sent, ours.bytes_sent) == (1, 500)
    assert (theirs.messages_received, theirs.bytes_received) == (1, 500)


# Receiving


def test_a_compressed_message_is_inflated() -> None:
    """RFC 7692 §6.2; between compressed messages there may be others, which the window knows nothing of."""
    conn = opened()
    assert heard(
        conn,
        frame(TEXT, HELLO, rsv=RSV1),
        frame(TEXT, b"World"),
        frame(BINARY, HELLO_AGAIN, rsv=RSV1),
        frame(TEXT, b"\x00", rsv=RSV1),
    ) == [Message(data="Hello"), Message(data="World"), Message(data=b"Hello"), Message(data="")]


ENGINES: Final[tuple[EngineName, ...]] = ("native", "pure", "reference")


def speaking(engine: EngineName, limits: Limits | None = None) -> Connection:
    """Make a server's connection on that engine which has become a WebSocket that compresses."""
    conn = Connection("server", now=0.0, random=counted, engine=engine)
    conn.configure(limits=limits or Limits(), timeouts=Timeouts(), deflate=WIDE)
    field = b"Sec-WebSocket-Extensions: " + ANY_OFFER.encode() + b"\r\n\r\n"
    conn.receive_data(HANDSHAKE.removesuffix(b"\r\n") + field, 0.0)
    conn.send(Accept(extensions=("permessage-deflate",)), 0.0)
    said(conn)
    list(conn)
    return conn


def taken(conn: Connection) -> list[object]:
    """Fetch what happened, runs of messages as they come."""
    found: list[object] = []
    while (event := conn.take_event()) is not None:
        found.append(event)
    return found


FINAL: Final = bytes.fromhex("f348cdc9c9070000")
"""The message "Hello" in a block that says it is the last (RFC 7692 §7.2.3.4), so without what was before it."""


@pytest.mark.engines_by_name  # of the reference, messages never come in runs, nor payloads as they are
@pytest.mark.parametrize("engine", ["native", "pure"])
def test_compressed_messages_come_in_runs_as_plain_ones_do(engine: EngineName) -> None:
    """RFC 7692 §6: in any order with others."""
    conn = speaking(engine)
    again, world = frame(TEXT, HELLO_AGAIN, rsv=RSV1), frame(BINARY, b"World")
    conn.receive_data(frame(TEXT, HELLO, rsv=RSV1) + again + world + world + again + world + again, 0.0)
    assert taken(conn) == [["Hello", "Hello"], [b"World"] * 2, ["Hello"], [b"World"], ["Hello"]]
    conn.receive_data(again + frame(PING, b"?") + again + frame(TEXT, FINAL, rsv=RSV1) + again[:-1], 0.0)
    assert taken(conn) == [["Hello"], Ping(payload=b"?"), ["Hello"], Message(data="Hello")]
    # That one forgot the window.
    conn.receive_data(again[-1:], 0.0)
    conn.release(50, 0.0)
    fault = ("Failure", "the compressed message is not DEFLATE", None, 1007, "RFC 6455 §7.4.1")
    assert comparable(conn) == [fault]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("limits", "n"),
    [
        (Limits(max_queue=1), 1),
        (Limits(max_queue=3), 3),
        (Limits(max_queue_size=1), 1),
        (Limits(max_queue_size=10), 2),
        (Limits(max_queue_size=11), 3),
    ],
)
def test_compressed_messages_wait_while_enough_of_them_are_not_consumed(
    engine: EngineName, limits: Limits, n: int
) -> None:
    """They wait compressed, and what they come to is counted."""
    conn = speaking(engine, limits)
    again = frame(TEXT, HELLO_AGAIN, rsv=RSV1)
    conn.receive_data(frame(TEXT, HELLO, rsv=RSV1) + 4 * again, 0.0)
    counts = list[int]()
    while (count := len(list(conn))) > 0:
        assert conn.wants_read is (sum(counts) + count == 5 and count < n)
        counts.append(count)
        for _ in range(count):
            conn.release(5, 0.0)
    assert counts == [n] * (5 // n) + [5 % n] * (5 % n > 0)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("payload", "message", "n"),
    [
        # A step each,
        (HELLO, b"Hello", 256),
        # two more for 128 bytes and more of them, compressed,
        (b"\x00\x80\x00\x7f\xff" + bytes(128) + b"\x00", bytes(128), 86),
        # one more for each 4 KiB of what comes out,
        (Compressor(Agreement(), "client", WIDE).compress(bytes(9000), ends_message=True), bytes(9000), 86),
    ],
)
def test_compressed_messages_are_taken_in_turns(
    engine: EngineName, payload: bytes, message: bytes, n: int
) -> None:
    """However they are taken, it is as long until others have their turn."""
    conn = speaking(engine, Limits(max_queue=1000, max_queue_size=1 << 24))
    conn.receive_data(300 * frame(BINARY, payload, rsv=RSV1), 0.0)
    assert list(conn) == [Message(data=message)] * n
    assert conn.next_deadline() == 0.0
    assert not conn.wants_read
    rest = 300 - n
    while rest:
        conn.handle_deadline(0.0)
        assert list(conn) == [Message(data=message)] * min(n, rest)
        rest -= min(n, rest)
    assert conn.wants_read


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    ("opcode", "payload", "told"),
    [
        (TEXT, HELLO[:-1], "the compressed message is incomplete"),
        (TEXT, b"", "the compressed message is incomplete"),
        (TEXT, HELLO[:-1] + b"\x18", "the compressed message is not DEFLATE"),
        (TEXT, b"\x00\x01\x00\xfe\xff\xff\x00", "the text is not UTF-8"),
        # The fault that stands before the other is the one that is told.
        (TEXT, b"\x00\x01\x00\xfe\xff\xff\xff", "the text is not UTF-8"),
        (TEXT, b"\x00\x01\x00\xfe\xff\xff", "the text is not UTF-8"),
        (BINARY, b"\x00\x01\x00\xfe\xff\xff\xff", "the compressed message is not DEFLATE"),
        (BINARY, Compressor(Agreement(), "client", WIDE).compress(bytes(201), ends_message=True), "too big"),
        (TEXT, b"\x00\xc9\x00\x36\xff" + b"\xff" + bytes(200) + b"\x00", "the text is not UTF-8"),
        (TEXT, b"\x00\xc9\x00\x36\xff" + bytes(200) + b"\xff\xff", "too big"),
        (TEXT, b"\x00\xc8\x00\x37\xff" + bytes(200) + b"\xff", "the compressed message is not DEFLATE"),
        # A character that is cut off is no text, unless the message has not ended.
        (TEXT, b"\x00\x01\x00\xfe\xff\xe2\x00", "the text is not UTF-8"),
        (TEXT, b"\x00\x01\x00\xfe\xff\xe2", "the compressed message is incomplete"),
    ],
)
def test_of_two_faults_the_first_is_told_however_a_message_comes(
    engine: EngineName, opcode: int, payload: bytes, told: str
) -> None:
    """In one go or cut anywhere, and behind what came before it (RFC 7692 §7.2.2, RFC 6455 §8.1)."""
    data = frame(TEXT, b"\x00", rsv=RSV1) + frame(opcode, payload, rsv=RSV1)
    for pieces in ([data], *two_way_cuts(data)):
        conn = speaking(engine, Limits(max_message_size=200))
        for piece in pieces:
            conn.receive_data(piece, 0.0)
        conn.release(0, 0.0)
        first, failure = conn
        assert first == Message(data="")
        assert isinstance(failure, Failure)
        assert told in str(failure.error)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_message_that_was_left_may_come_in_pieces(engine: EngineName) -> None:
    """One with a last block is looked at, which takes the rest of the turn, and comes in the next, as it is wanted then."""
    conn = speaking(engine, Limits(max_queue=1000))
    first = 255 * frame(TEXT, HELLO, rsv=RSV1)
    conn.receive_data(first + frame(TEXT, FINAL, rsv=RSV1) + frame(TEXT, HELLO, rsv=RSV1), 0.0)
    found = list(conn)
    assert set(found) == {Message(data="Hello")}
    conn.receive_in_pieces(True, 0.0)
    for _ in range(2):
        conn.handle_deadline(0.0)
        found += list(conn)
    hello = [MessageStart(kind="text"), MessageData(data="Hello"), MessageEnd()]
    assert found[255:] in ([*hello, *hello], [Message(data="Hello"), *hello])


def test_a_compressed_message_may_be_cut_into_frames_anywhere() -> None:
    """With a control frame between its frames, and the bytes cut anywhere as well (RFC 7692 §6.2)."""
    for first, *rest in two_way_cuts(HELLO):
        *middle, last = rest
        data = b"".join(
            (
                frame(TEXT, first, fin=False, rsv=RSV1),
                *(frame(CONTINUATION, each, fin=False) for each in middle),
                frame(PING, b"?"),
                frame(CONTINUATION, last),
            )
        )
        for pieces in two_way_cuts(data):
            conn = opened()
            for piece in pieces:
                conn.receive_data(piece, 0.0)
            assert list(conn) == [Ping(payload=b"?"), Message(data="Hello")]


def failed(conn: Connection, close_code: int, *frames: bytes) -> tuple[list[Event], tuple[object, ...]]:
    """Return what was heard before the fault and the fault, for which the connection must have been failed."""
    conn.receive_data(b"".join(frames), 0.0)
    *before, last = list(conn)
    if not isinstance(last, Failure):
        # The Close frame waits for those who may still answer (RFC 6455 §7.1.7).
        before.append(last)
        assert fetched(conn) == (b"", None)
        for event in before:
            assert isinstance(event, Message)
            conn.release(len(event.data), 0.0)
        (last,) = list(conn)
        assert isinstance(last, Failure)
    assert fetched(conn) == (from_server(CLOSE_FRAME, close_payload(close_code)), HALF_CLOSE)
    return before, error_values(last.error)


RESERVED: Final = ("a reserved bit without its extension", None, 1002, "RFC 6455 §5.2")
MISPLACED: Final = ("RSV1 behind the first frame of a message", None, 1002, "RFC 7692 §6.1")


@pytest.mark.parametrize(
    ("frames", "fault"),
    [
        ([frame(TEXT, HELLO[:3], fin=False, rsv=RSV1), frame(CONTINUATION, HELLO[3:], rsv=RSV1)], MISPLACED),
        ([frame(TEXT, b"Hel", fin=False), frame(CONTINUATION, HELLO, rsv=RSV1)], MISPLACED),
        ([frame(PING, b"?", rsv=RSV1)], MISPLACED),
        ([frame(PONG, b"?", rsv=RSV1)], MISPLACED),
        ([frame(CLOSE_FRAME, close_payload(1000), rsv=RSV1)], MISPLACED),
    ],
)
def test_rsv1_belongs_to_the_first_frame_of_a_message(frames: list[bytes], fault: tuple[object, ...]) -> None:
    """RFC 7692 §6.1, §6.2: the connection is failed."""
    before = [frame(TEXT, HELLO, rsv=RSV1)]
    assert failed(opened(), 1002, *before, *frames) == ([Message(data="Hello")], fault)


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE_FRAME])
def test_rsv1_means_nothing_without_an_agreement(opcode: int) -> None:
    """RFC 6455 §5.2."""
    assert failed(opened(agreement=None), 1002, frame(opcode, HELLO, rsv=RSV1)) == ([], RESERVED)


@pytest.mark.parametrize("rsv", [RSV2, RSV3, RSV1 | RSV2, RSV1 | RSV3, RSV2 | RSV3, 7])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE_FRAME])
@pytest.mark.parametrize("agreement", [None, "permessage-deflate"])
def test_rsv2_and_rsv3_never_mean_anything(rsv: int, opcode: int, agreement: str | None) -> None:
    """RFC 6455 §5.2."""
    before, (_, _, close_code, _) = failed(opened(agreement=agreement), 1002, frame(opcode, HELLO, rsv=rsv))
    assert (before, close_code) == ([], 1002)


@pytest.mark.parametrize(
    ("payload", "message"),
    [
        (b"Hello", "the compressed message is not DEFLATE"),
        (HELLO_AGAIN, "the compressed message is not DEFLATE"),
        (HELLO[:-1], "the compressed message is incomplete"),
        (b"", "the compressed message is incomplete"),
    ],
)
def test_what_is_not_compressed_fails_the_connection(payload: bytes, message: str) -> None:
    """RFC 7692 §7.2.2; what came before is still delivered, and answered."""
    fault = (message, None, 1007, "RFC 6455 §7.4.1")
    frames = (frame(TEXT, b"before"), frame(TEXT, payload, rsv=RSV1), frame(TEXT, b"behind"))
    assert failed(opened(), 1007, *frames) == ([Message(data="before")], fault)


def test_a_text_must_be_utf_8_when_it_is_inflated() -> None:
    """RFC 6455 §8.1, at the first bad byte: the frame does not end here."""
    payload = Compressor(Agreement(), "client", WIDE).compress(b"good\xff", ends_message=False)
    fault = ("the text is not UTF-8", None, 1007, "RFC 6455 §8.1")
    assert failed(opened(), 1007, frame(TEXT, payload, fin=False, rsv=RSV1)) == ([], fault)
    # The compressed bytes themselves need not be.
    assert heard(opened(), frame(TEXT, HELLO, rsv=RSV1)) == [Message(data="Hello")]


LIMITS: Final = Limits(max_message_size=1000)
TOO_BIG: Final = ("the message is too big", None, 1009, "RFC 6455 §7.4.1")


def deflated(data: bytes) -> bytes:
    """Compress one message as a client does."""
    return Compressor(Agreement(), "client", WIDE).compress(data, ends_message=True)


@pytest.mark.parametrize("fragments", [1, 2, 5])
@pytest.mark.parametrize("size", [999, 1000, 1001, 1_000_000])
def test_the_limit_of_a_message_is_judged_after_inflation(size: int, fragments: int) -> None:
    """A byte more than the limit is Close 1009 (RFC 6455 §7.4.1)."""
    payload = deflated(bytes(size))
    step = -(-len(payload) // fragments)
    parts = [payload[i : i + step] for i in range(0, len(payload), step)]
    frames = [
        frame(CONTINUATION if i else BINARY, each, fin=i == len(parts) - 1, rsv=0 if i else RSV1)
        for i, each in enumerate(parts)
    ]
    conn = opened(limits=LIMITS)
    if size <= 1000:
        assert heard(conn, *frames) == [Message(data=bytes(size))]
    else:
        assert failed(conn, 1009, *frames) == ([], TOO_BIG)


def test_a_compressed_frame_may_be_larger_than_the_message() -> None:
    """A block without compression has a header of its own (RFC 7692 §7.2.3.3)."""
    payload = bytes.fromhex("000500faff48656c6c6f00")
    conn = opened(limits=Limits(max_message_size=5))
    assert heard(conn, frame(TEXT, payload, rsv=RSV1)) == [Message(data="Hello")]
    conn = opened(limits=Limits(max_message_size=4))
    assert failed(conn, 1009, frame(TEXT, payload, rsv=RSV1)) == ([], TOO_BIG)


@given(cut=cuts(frame(BINARY, deflated(bytes(1001)), rsv=RSV1)), size=st.sampled_from([1000, 1001]))
def test_cuts_do_not_change_what_is_too_big(cut: list[bytes], size: int) -> None:
    """RFC 6455 §7.4.1."""
    conn = opened(limits=Limits(max_message_size=size))
    for piece in cut:
        conn.receive_data(piece, 0.0)
    expected = [Message(data=bytes(1001))] if size == 1001 else [("Failure", *TOO_BIG)]
    assert comparable(conn) == expected


@pytest.mark.parametrize("queue_size", [999, 1000, 1001])
def test_in_pieces_a_message_inflates_no_further_than_there_is_credit(queue_size: int) -> None:
    """What has no room waits compressed, and comes when what was delivered is released."""
    conn = opened(limits=Limits(max_message_size=None, max_queue_size=queue_size))
    conn.receive_data(frame(BINARY, deflated(bytes(100_000)), rsv=RSV1) + frame(TEXT, b"next"), 0.0)
    everything: list[Event] = []
    while batch := list(conn):
        everything += batch
        inflated = sum(len(event.data) for event in batch if isinstance(event, MessageData))
        assert inflated <= queue_size
        assert conn.wants_read is (inflated < queue_size)
        for event in batch:
            if not isinstance(event, MessageStart):
                conn.release(len(event.data) if isinstance(event, MessageData) else 0, 0.0)
    data = [event.data for event in everything if isinstance(event, MessageData)]
    assert b"".join(each for each in data if isinstance(each, bytes)) == bytes(100_000)
    assert [event for event in everything if not isinstance(event, MessageData)] == [
        MessageStart(kind="binary"),
        MessageEnd(),
        MessageStart(kind="text"),
        MessageEnd(),
    ]
    assert data[-1] == "next"


# Both roles


Said: TypeAlias = tuple[list[SentEvent], Message | Ping | Pong]
"""What is sent, and what is heard of it."""

flags: Final = st.sampled_from([None, True, False])
texts: Final = st.text(max_size=100) | st.sampled_from(["Hello", "Hello" * 50, ""])
binaries: Final = st.binary(max_size=100) | st.sampled_from([b"Hello" * 50, bytes(5000)])


def whole(data: str | bytes, compress: bool | None) -> Said:
    return [Message(data=data, compress=compress)], Message(data=data)


def in_pieces(pieces: Sequence[str], between: Sequence[Ping], compress: bool | None) -> list[Said]:
    """Say a text in pieces with control frames between them."""
    steps: list[Said] = [([Ping(payload=b"first")], Ping(payload=b"first"))]
    events: list[SentEvent] = [MessageStart(kind="text", compress=compress)]
    for i, piece in enumerate(pieces):
        events.append(MessageData(data=piece))
        if i < len(between):
            events.append(between[i])
    heard_between = [(list[SentEvent](), ping) for ping in between[: len(pieces)]]
    return [*steps, *heard_between, ([*events, MessageEnd()], Message(data="".join(pieces)))]


conversations: Final = st.lists(
    st.builds(whole, texts | binaries, flags).map(lambda one: [one])
    | st.builds(
        in_pieces,
        st.lists(texts, max_size=4),
        st.lists(st.builds(Ping, payload=st.binary(max_size=125)), max_size=3),
        flags,
    ),
    max_size=6,
)
settings: Final = st.builds(
    Deflate,
    server_max_window_bits=st.integers(9, 15),
    client_max_window_bits=st.integers(8, 15),
    client_no_context_takeover=st.booleans(),
    level=st.none() | st.integers(0, 9),
    threshold=st.integers(0, 200),
)


@given(settings, st.booleans(), conversations, cutters)
def test_what_one_role_says_the_other_hears(
    deflate: Deflate, from_client: bool, steps: list[list[Said]], cut: Cut
) -> None:
    """Compressed or not, whole or in pieces, with Pings between, cut anywhere (RFC 7692 §6)."""
    client, server = pair(deflate)
    sender, receiver = (client, server) if from_client else (server, client)
    expected: list[Event] = []
    for step in steps:
        for events, event in step:
            sender.send(*events)
            expected.append(event)
    carry(client, server, cut)
    assert receiver.heard == expected


# Peers that nobody here wrote


class TheirEnd:
    """websockets' own protocol at one end of a wire; as a server it sends each message back."""

    def __init__(self, protocol: ClientProtocol | ServerProtocol) -> None:
        self.protocol = protocol
        self.heard: list[str | bytes] = []
        self.controls: list[bytes] = []
        self.answer: TheirResponse | None = None
        self._payload = b""
        self._is_text = False
        if isinstance(protocol, ClientProtocol):
            protocol.send_request(protocol.connect())

    def hear(self, data: bytes) -> None:
        """Take bytes."""
        self.protocol.receive_data(data)
        self._look()

    def hear_end(self) -> None:
        """The other end will send no more."""
        self.protocol.receive_eof()
        self._look()

    def lose(self) -> None:
        """The stream is gone."""

    def say(self) -> list[bytes | StreamEnd]:
        """Return what is to be written now."""
        return [each or CLOSE for each in self.protocol.data_to_send()]

    def send(self, data: str | bytes) -> None:
        """Say one message, in two fragments."""
        raw = data.encode() if isinstance(data, str) else data
        half = len(raw) // 2
        begin = self.protocol.send_text if isinstance(data, str) else self.protocol.send_binary
        begin(raw[:half], fin=False)
        self.protocol.send_ping(b"between")
        self.protocol.send_continuation(raw[half:], fin=True)

    def _look(self) -> None:
        for event in self.protocol.events_received():
            match event:
                case TheirRequest():
                    assert isinstance(self.protocol, ServerProtocol)
                    self.protocol.send_response(self.protocol.accept(event))
                case TheirResponse():
                    self.answer = event
                case TheirFrame():
                    self._take(event)
                case _:
                    raise AssertionError(event)

    def _take(self, theirs: TheirFrame) -> None:
        if theirs.opcode in (TheirOpcode.PING, TheirOpcode.PONG, TheirOpcode.CLOSE):
            self.controls.append(bytes(theirs.data))
            return
        self._payload += bytes(theirs.data)
        self._is_text = (
            self._is_text if theirs.opcode is TheirOpcode.CONT else theirs.opcode is TheirOpcode.TEXT
        )
        if theirs.fin:
            message = self._payload.decode() if self._is_text else self._payload
            self._payload = b""
            self.heard.append(message)
            if isinstance(self.protocol, ServerProtocol):
                self.send(message)


def accepted(peer: TheirEnd | WebSocketPeer, deflate: Deflate) -> CoreEnd:
    """Make our server, which accepts the offer of `peer` as `deflate` wants and sends each message back."""
    conn = connection()
    for item in peer.say():
        assert isinstance(item, bytes)
        conn.receive_data(item, 0.0)
    head = conn.next_event()
    assert isinstance(head, RequestHead)
    assert isinstance(head.websocket, Offer)
    conn.configure(limits=Limits(), timeouts=Timeouts(), deflate=deflate)
    agreement = negotiate(head.websocket.extensions, deflate)
    assert agreement is not None
    conn.send(Accept(extensions=(str(agreement),)), 0.0)
    list(conn)
    return CoreEnd(conn, echoes=True)


NO_8_BITS: Final = settings.filter(lambda deflate: deflate.client_max_window_bits > 8)
"""These peers make a context for 8 bits, and fail."""

sent_data: Final = st.lists(texts | binaries, max_size=6)


@given(NO_8_BITS, sent_data, st.booleans(), st.booleans(), cutters)
def test_the_client_of_websockets_speaks_with_our_server(
    deflate: Deflate, data: list[str | bytes], server_forgets: bool, client_forgets: bool, cut: Cut
) -> None:
    """RFC 7692 §5 to §7."""
    factory = ClientPerMessageDeflateFactory(
        server_no_context_takeover=server_forgets,
        client_no_context_takeover=client_forgets,
        client_max_window_bits=True,
    )
    peer = TheirEnd(ClientProtocol(parse_uri("ws://a/"), extensions=[factory]))
    server = accepted(peer, deflate)
    carry(peer, server, cut)
    assert peer.answer is not None
    for each in data:
        peer.send(each)
    carry(peer, server, cut)
    assert [event.data for event in server.heard if isinstance(event, Message)] == data
    assert (peer.heard, peer.controls) == (data, [b"between"] * len(data))


@given(sent_data, cutters, st.booleans())
def test_the_client_of_wsproto_speaks_with_our_server(
    data: list[str | bytes], cut: Cut, forgets: bool
) -> None:
    """RFC 7692 §5 to §7."""
    extension = PerMessageDeflate(
        server_no_context_takeover=forgets, client_no_context_takeover=forgets, client_max_window_bits=15
    )
    peer = WebSocketPeer("client", extensions=[extension])
    server = accepted(peer, Deflate())
    carry(peer, server, cut)
    assert extension.enabled()
    for each in data:
        peer.send(
            wsproto_events.TextMessage(data=each)
            if isinstance(each, str)
            else wsproto_events.BytesMessage(data=bytearray(each))
        )
    carry(peer, server, cut)
    assert [event.data for event in server.heard if isinstance(event, Message)] == data
    assert peer.messages() == data


def asking(deflate: Deflate) -> CoreEnd:
    """Make our client, which offers what `deflate` wants."""
    conn = connection("client")
    conn.configure(limits=Limits(), timeouts=Timeouts(), deflate=deflate)
    conn.send(request(host="a", target="/", random=counted, extensions=(offer(deflate),)), 0.0)
    conn.send(BodyEnd(), 0.0)
    return CoreEnd(conn)


@given(NO_8_BITS, sent_data, st.booleans(), cutters)
def test_our_client_speaks_with_the_server_of_websockets(
    deflate: Deflate, data: list[str | bytes], server_forgets: bool, cut: Cut
) -> None:
    """RFC 7692 §5 to §7."""
    client = asking(replace(deflate, server_no_context_takeover=server_forgets))
    peer = TheirEnd(ServerProtocol(extensions=[ServerPerMessageDeflateFactory()]))
    carry(client, peer, cut)
    accept = client.heard[0]
    assert isinstance(accept, Accept)
    assert accept.extensions != ()
    client.send(*(Message(data=each, compress=True) for each in data))
    carry(client, peer, cut)
    assert peer.heard == data
    assert [event.data for event in client.heard if isinstance(event, Message)] == data


@given(sent_data, cutters)
def test_our_client_speaks_with_the_server_of_wsproto(data: list[str | bytes], cut: Cut) -> None:
    """RFC 7692 §5 to §7."""
    client, peer = asking(Deflate()), WebSocketPeer("server", extensions=[PerMessageDeflate()])
    carry(client, peer, cut)
    accept = client.heard[0]
    assert isinstance(accept, Accept)
    assert accept.extensions != ()
    client.send(*(Message(data=each, compress=True) for each in data))
    carry(client, peer, cut)
    assert peer.messages() == data
    assert [event.data for event in client.heard if isinstance(event, Message)] == data
