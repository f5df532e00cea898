"""Pump, owner, peer and time in any order: nothing raises but a caller's mistake, and there is exactly one end, the last
event of all.
"""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from spry_core.closing import CloseInfo
from spry_core.errors import LocalProtocolError
from spry_core.protocol import (
    ABORT,
    CLOSE,
    Accept,
    Agreement,
    BodyData,
    BodyEnd,
    Close,
    Connection,
    ConnectionEnded,
    Deflate,
    Event,
    Failure,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ping,
    Pong,
    RequestHead,
    ResponseHead,
    Role,
    SentEvent,
    StreamEnd,
    Timeouts,
)
from spry_core.protocol.compression import Compressor
from spry_core.protocol.handshake import request
from traces import GET, HANDSHAKE, SWITCH, connection, counted, open_websocket

LIMITS = Limits(
    max_read_ahead=20,
    max_linger=30,
    max_requests=5,
    max_message_size=20,
    max_fragments=3,
    max_queue=2,
    max_queue_size=15,
    high_water=30,
)
TIMEOUTS = Timeouts(
    head=3.0,
    body=2.0,
    keep_alive=4.0,
    write=5.0,
    linger=1.0,
    opening=3.0,
    ping_interval=4.0,
    ping_timeout=2.0,
    close_timeout=2.0,
)
AGREEMENT = Agreement(client_no_context_takeover=True)
POST = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 40\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"

REQUESTS = [
    *(GET, POST, CHUNKED, HANDSHAKE, HANDSHAKE + frame(TEXT, b"a"), GET + GET + POST, b"\r\n", b"?\n"),
    *(b"5\r\nhello\r\n", b"0\r\n\r\n", b"x" * 25, b"GET / HTTP/1.0\r\n\r\n", GET[:7], GET[7:]),
    POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"),
    HANDSHAKE.replace(b"13", b"12"),
]
RESPONSES = [
    *(
        OK,
        OK + b"abc",
        b"abc",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 103 Hints\r\n\r\n",
        b"?\n",
        SWITCH,
    ),
    *(b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"),
]


def compressed(data: bytes) -> bytes:
    """Make a text that a client has compressed, with no window before it (RFC 7692 §7.2.1)."""
    compressor = Compressor(AGREEMENT, "client", Deflate(client_max_window_bits=15))
    return frame(TEXT, compressor.compress(data, ends_message=True), rsv=4)


FRAMES = [
    *(frame(TEXT, b"abc"), frame(BINARY, b"x" * 12), frame(TEXT), frame(TEXT, b"a", fin=False)),
    *(
        frame(CONTINUATION, b"b", fin=False),
        frame(CONTINUATION, b"c"),
        frame(PING, b"p"),
        frame(PONG, counted(4)),
    ),
    *(
        frame(CLOSE_FRAME, close_payload(1000)),
        frame(CLOSE_FRAME),
        frame(TEXT, b"\xff"),
        frame(BINARY, b"x" * 21),
    ),
    *(frame(3), frame(TEXT, b"abc")[:3], frame(PING, b"p") * 5),
    *(compressed(b"abc"), compressed(b"x" * 20), compressed(b"x" * 1000), compressed(b"\xff")),
    *(frame(TEXT, b"\xff", rsv=4), compressed(b"x" * 18)[:-2] + frame(PING, b"p")),
]
SAID: list[SentEvent] = [
    RequestHead(method=b"GET", target=b"/", headers=((b"Host", b"a"),)),
    RequestHead(method=b"POST", target=b"/", headers=((b"Host", b"a"), (b"Content-Length", b"3"))),
    request(host="a", target="/", random=counted),
    ResponseHead(status_code=100),
    ResponseHead(status_code=200),
    ResponseHead(status_code=200, headers=((b"Content-Length", b"3"),)),
    ResponseHead(status_code=204, headers=((b"Connection", b"close"),)),
    ResponseHead(status_code=600),
    BodyData(data=b"abc"),
    BodyData(data=b"x" * 40),
    BodyEnd(),
    BodyEnd(trailers=((b"a", b"b"),)),
    Accept(),
    Accept(subprotocol="x"),
    Message(data="abc"),
    Message(data=b"x" * 40),
    Message(data="\ud800"),
    Message(data="abc", compress=True),
    MessageStart(kind="text"),
    MessageStart(kind="binary", compress=False),
    MessageData(data="a"),
    MessageData(data=b"a"),
    MessageEnd(),
    Ping(payload=b"p"),
    Ping(payload=b"p" * 126),
    Pong(),
    Close(),
    Close(code=1000, reason="bye"),
    Close(code=1005),
]


class Interleaving(RuleBasedStateMachine):
    """One connection, and everybody who may call it."""

    conn: Connection

    @initialize(
        start=st.sampled_from(
            [
                *("server", "client", "websocket", "websocket of a client"),
                *("websocket that deflates", "websocket of a client that deflates"),
            ]
        ),
        can_half_close=st.booleans(),
        size=st.sampled_from([20, None]),
    )
    def begin(self, start: str, can_half_close: bool, size: int | None) -> None:
        role: Role = "client" if "client" in start else "server"
        limits = replace(LIMITS, max_message_size=size)
        if "websocket" in start:
            self.conn = open_websocket(
                role,
                limits=limits,
                timeouts=TIMEOUTS,
                can_half_close=can_half_close,
                agreement=AGREEMENT if "deflates" in start else None,
            )
        else:
            self.conn = connection(role, limits=limits, timeouts=TIMEOUTS, can_half_close=can_half_close)
        self.now = 0.0
        self.is_masked = role == "server"
        self.heard: list[Event] = []
        self.is_in_pieces = False
        """True while a message in pieces is being heard."""
        self.unwritten = 0
        """Bytes that were handed over and not yet taken."""
        self.end: StreamEnd | None = None
        self.has_received_end = False
        self.info: CloseInfo | None = None

    # The peer

    @rule(data=st.sampled_from(REQUESTS + RESPONSES), start=st.integers(0, 5))
    def receive_http(self, data: bytes, start: int) -> None:
        self.receive(data[start:] if start > 3 else data)

    @rule(data=st.sampled_from(FRAMES), n=st.integers(1, 60))
    def receive_frame(self, data: bytes, n: int) -> None:
        if not self.is_masked:
            data = bytes((data[0], data[1] & 0x7F)) + data[6:]
        self.receive(data[:n])

    @rule(data=st.binary(min_size=1, max_size=30))
    def receive_noise(self, data: bytes) -> None:
        self.receive(data)

    def receive(self, data: bytes) -> None:
        if not data:
            return
        if self.conn.closed or self.has_received_end:
            try:
                self.conn.receive_data(data, self.now)
            except LocalProtocolError:
                return
            raise AssertionError("bytes after the end")
        self.conn.receive_data(data, self.now)

    @rule()
    def receive_eof(self) -> None:
        self.conn.receive_eof(self.now)
        self.has_received_end = True

    @rule(error=st.sampled_from([None, ConnectionResetError()]))
    @precondition(lambda self: len(self.heard) > 3)
    def lose(self, error: BaseException | None) -> None:
        self.conn.connection_lost(error, self.now)

    # The pump

    @rule()
    def fetch(self) -> None:
        before = self.conn.buffered_amount
        *items, last = [None, *self.conn.data_to_send()]
        data = [item for item in (*items, last) if isinstance(item, bytes)]
        assert all(data)
        assert not any(isinstance(item, StreamEnd) for item in items)
        if data:
            assert self.end is None, "bytes after the end"
        self.unwritten += sum(map(len, data))
        if isinstance(last, StreamEnd):
            ranks = list(StreamEnd)
            assert self.end is None or ranks.index(last) > ranks.index(self.end)
            self.end = last
        assert self.conn.buffered_amount == before
        if self.end is not ABORT and not self.conn.closed:
            assert self.unwritten == before
        assert self.conn.data_to_send() == []

    @rule(share=st.floats(0, 1))
    def write(self, share: float) -> None:
        n = int(self.unwritten * share)
        self.conn.bytes_written(n, self.now)
        self.unwritten -= n

    @rule()
    @precondition(lambda self: self.end in (CLOSE, ABORT))
    def do_as_told(self) -> None:
        self.conn.connection_lost(None, self.now)

    @rule(seconds=st.sampled_from([0.0, 0.5, 1.0, 2.0, 10.0]))
    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.conn.handle_deadline(self.now)
        self.check_deadline()

    @rule()
    def wait_for_the_deadline(self) -> None:
        moment = self.conn.next_deadline()
        if moment is not None:
            self.now = max(self.now, moment)
            self.conn.handle_deadline(self.now)
            self.check_deadline()

    def check_deadline(self) -> None:
        """Whatever fell due is done, or a pump would look at the clock for ever."""
        moment = self.conn.next_deadline()
        assert moment is None or moment > self.now

    # The owner

    @rule(event=st.sampled_from(SAID))
    def send(self, event: SentEvent) -> None:
        before = self.conn.buffered_amount
        try:
            self.conn.send(event, self.now)
        except (LocalProtocolError, ValueError, TypeError):
            assert self.conn.buffered_amount == before

    @rule(status_code=st.sampled_from([200, 403]))
    def answer(self, status_code: int) -> None:
        """Say all of an answer, as far as that is allowed."""
        length = ((b"Content-Length", b"3"),)
        for event in (
            ResponseHead(status_code=status_code, headers=length),
            BodyData(data=b"abc"),
            BodyEnd(),
        ):
            self.send(event)

    @rule(n=st.sampled_from([0, 1, 3, 25, 100]))
    def release(self, n: int) -> None:
        self.conn.release(n, self.now)

    @rule(n=st.integers(1, 3))
    def listen(self, n: int) -> None:
        for _ in range(n):
            if (event := self.conn.next_event()) is not None:
                self.hear(event)

    def hear(self, event: Event) -> None:
        """A message in pieces begins, goes on and ends, and no other message comes between."""
        self.heard.append(event)
        match event:
            case MessageStart() | Message():
                assert not self.is_in_pieces
                self.is_in_pieces = isinstance(event, MessageStart)
            case MessageData() | MessageEnd():
                assert self.is_in_pieces
                self.is_in_pieces = isinstance(event, MessageData)
            case _:
                pass

    @rule(wanted=st.booleans())
    def receive_in_pieces(self, wanted: bool) -> None:
        try:
            self.conn.receive_in_pieces(wanted, self.now)
        except LocalProtocolError:
            assert not self.conn.is_websocket or self.conn.limits.max_message_size is None

    @rule(seconds=st.sampled_from([None, 0.5, 3.0]))
    @precondition(lambda self: self.conn.is_websocket)
    def set_ping_interval(self, seconds: float | None) -> None:
        self.conn.set_ping_interval(seconds, self.now)

    @rule()
    def ignore_offer(self) -> None:
        self.conn.ignore_offer()

    @rule()
    @precondition(lambda self: len(self.heard) > 5)
    def shutdown(self) -> None:
        self.conn.shutdown(self.now)

    @rule()
    @precondition(lambda self: len(self.heard) > 5)
    def abort(self) -> None:
        self.conn.abort(self.now)

    # What is always true

    @invariant()
    def check(self) -> None:
        info = self.conn.close_info
        if self.info is not None:
            assert info == self.info, "how it ended was settled"
        self.info = info
        assert not (self.conn.is_open and info is not None)
        if self.conn.closed:
            assert self.conn.next_deadline() is None
            assert not self.conn.wants_read
            assert not self.conn.is_open
        if self.heard and any(isinstance(event, ConnectionEnded) for event in self.heard):
            assert self.conn.closed
            assert isinstance(self.heard[-1], ConnectionEnded)
        if self.end is ABORT:
            assert self.conn.next_deadline() is None

    def teardown(self) -> None:
        """However it went: once the stream is gone there is one end, and it is the last."""
        if not hasattr(self, "conn"):
            return
        self.conn.connection_lost(None, self.now)
        self.heard += self.conn
        self.conn.handle_deadline(self.now + 1000)
        self.conn.abort(self.now + 1000)
        assert list(self.conn) == []
        kinds = [type(event) for event in self.heard]
        assert kinds.count(ConnectionEnded) == 1
        assert kinds[-1] is ConnectionEnded
        assert kinds.count(Failure) <= 1
        last = self.heard[-1]
        assert isinstance(last, ConnectionEnded)
        if self.conn.is_websocket:
            assert last.info is self.conn.close_info
            assert last.info.clean is (last.info.sent is not None and last.info.received is not None)


Interleaving.TestCase.settings = settings(max_examples=200, stateful_step_count=60)
TestInterleaving = Interleaving.TestCase
