"""Closing under every order of events: whatever ends a WebSocket, followed by whatever else would, three at a time, in both
roles: idle, with a message that is not consumed, with one of which the rest waits compressed for room, and with a peer that
does not read (RFC 6455 §7).

What must come out is worked out by `Expected`, which knows the rules of closing and nothing of bytes or of the code: the
first that ends it decides, our Close frame is sent once, the peer's counts if it came before the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from typing import Final, NamedTuple

import pytest

from frames import BINARY, CLOSE_FRAME, MASK, PING, TEXT, close_payload, frame, read_frames
from spry_core.closing import Close, CloseInfo, ConnectionLost, Initiator, KeepaliveTimeout
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol import (
    ABORT,
    CLOSE,
    HALF_CLOSE,
    Agreement,
    Connection,
    ConnectionEnded,
    Deflate,
    Event,
    Failure,
    Limits,
    Message,
    MessageData,
    MessageStart,
    Role,
    StreamEnd,
    Timeouts,
)
from spry_core.protocol.compression import Compressor
from traces import fetched, open_websocket

REFUSAL: Final = RemoteProtocolError("not text", close_code=1003, section="RFC 6455 §7.4.1")
RESET: Final = ConnectionResetError("by peer")
OURS: Final = Close(code=4000, reason="ours")
THEIRS: Final = Close(code=4001, reason="theirs")
CLOSE_TIMEOUT: Final = 5.0
WRITE: Final = 30.0


class Outcome(NamedTuple):
    """What `CloseInfo` must say."""

    initiator: Initiator
    sent: Close | None
    received: Close | None
    close_code: int
    cause: type[BaseException] | None


@dataclass
class Expected:
    """The rules of closing, applied to one event after the other."""

    start: str
    """How it stands at the beginning, see `STARTS`."""
    behind: list[str] = field(default_factory=list[str])
    """What has come behind data that wait for room, and is not seen before there is some."""
    sent: Close | None = None
    received: Close | None = None
    initiator: Initiator | None = None
    failing: int | None = None
    """The code of a Close frame that waits until the message is consumed."""
    has_pinged: bool = False
    has_ended: bool = False
    tells_failure: bool = False
    """True if the owner is told of a failure though something else has ended the connection."""
    outcome: Outcome | None = None

    @property
    def has_message(self) -> bool:
        """True if something is delivered and not consumed, so that it may still be answered."""
        return self.start in ("message", "waiting")

    @property
    def is_waiting(self) -> bool:
        """True until somebody closes or refuses: then nobody wants what waits."""
        return self.start == "waiting" and self.sent is None and self.failing is None

    def take(self, event: str) -> None:
        """Let this happen; what comes after the end changes nothing."""
        if self.outcome is None:
            getattr(self, f"take_{event}")()

    def settle(
        self, initiator: Initiator, code: int | None = None, cause: type[BaseException] | None = None
    ) -> None:
        first = initiator if initiator == "timeout" else self.initiator or initiator
        self.outcome = Outcome(first, self.sent, self.received, code or 1006, cause)

    def close(self, close: Close, initiator: Initiator) -> None:
        if self.sent is not None:
            return
        self.sent, self.initiator = close, initiator
        if self.failing is not None:  # nobody wants to answer any more
            self.settle("local", close.code, RemoteProtocolError)
        for event in self.behind:
            self.see(event)

    def fail(self, code: int) -> None:
        if self.failing is not None:
            return
        if self.has_message and self.sent is None:
            self.failing = code
            return
        self.sent = self.sent or Close(code=code)
        self.settle("local", self.sent.code, RemoteProtocolError)

    def take_ours(self) -> None:
        self.close(OURS, "local")

    def take_shutdown(self) -> None:
        self.close(Close(code=1001), "shutdown")

    def take_theirs(self) -> None:
        self.arrive("theirs")

    def take_fault(self) -> None:
        self.arrive("fault")

    def take_eof(self) -> None:
        self.arrive("eof")
        self.has_ended = True

    def arrive(self, event: str) -> None:
        """Something has come from the peer, unless its stream has ended."""
        if self.has_ended:
            return
        if self.is_waiting:
            self.behind.append(event)
        else:
            self.see(event)

    def see(self, event: str) -> None:
        if self.outcome is not None or self.failing is not None:
            return
        if event == "fault":
            self.fail(1002)
        elif event == "eof":
            self.settle("transport", cause=ConnectionLost)
        else:
            self.received = THEIRS
            if self.sent is None:
                self.sent, self.initiator = Close(code=4001), "remote"
            self.settle("remote", 4001)

    def take_refusal(self) -> None:
        if self.sent is None:
            self.fail(1003)

    def take_reset(self) -> None:
        self.tells_failure = self.failing is not None  # why nothing that came behind was heard
        self.settle("transport", cause=ConnectionResetError)

    def take_abort(self) -> None:
        self.settle("local")

    def take_deadline(self) -> None:
        if self.failing is not None:
            self.sent = Close(code=self.failing)
            self.settle("local", self.failing, RemoteProtocolError)
        elif self.sent is not None:
            self.settle("timeout", self.sent.code, ConnectionLost)
        elif self.has_pinged and self.start == "stuck":
            self.settle("timeout", cause=ConnectionLost)
        elif self.has_pinged and not self.is_waiting:
            self.sent = Close(code=1011, reason="keepalive timeout")
            self.settle("timeout", 1011, KeepaliveTimeout)
        else:  # of a peer that we do not read, the silence is not judged
            self.has_pinged = True


def taken(conn: Connection) -> tuple[bytes, StreamEnd | None]:
    """Take what is to be written, and write nothing of it."""
    items = conn.data_to_send()
    data = b"".join(item for item in items if isinstance(item, bytes))
    return data, next((item for item in items if isinstance(item, StreamEnd)), None)


@dataclass
class Life:
    """One connection to which things happen, and all that came out of it."""

    role: Role
    conn: Connection
    is_stuck: bool = False
    """True if the peer takes nothing of what we write."""
    now: float = 0.0
    sent: bytes = b""
    end: StreamEnd | None = None
    events: list[Event] = field(default_factory=list[Event])
    settled: list[CloseInfo] = field(default_factory=list[CloseInfo])
    """The `close_info` after each event, as soon as there is one."""

    def take(self, event: str) -> None:
        """Let this happen, and look."""
        EVENTS[event](self)
        self.look()

    def look(self) -> None:
        if self.is_stuck:
            data, end = taken(self.conn)
        else:
            data, end = fetched(self.conn, self.now)
        assert not (data and self.end is not None), "bytes behind the end of our side"
        self.sent, self.end = self.sent + data, end or self.end
        self.events += self.conn
        if self.conn.close_info is not None:
            self.settled.append(self.conn.close_info)

    def receive(self, opcode: int, payload: bytes, rsv: int = 0) -> None:
        if self.conn.closed or self.has_ended:
            return
        mask = MASK if self.role == "server" else None
        self.conn.receive_data(frame(opcode, payload, rsv=rsv, mask=mask), self.now)

    has_ended: bool = False

    def close(self) -> None:
        is_open = self.conn.is_open
        try:
            self.conn.send(OURS, self.now)
        except LocalProtocolError:
            assert not is_open
        else:
            assert is_open

    def receive_eof(self) -> None:
        self.has_ended = True
        self.conn.receive_eof(self.now)

    def wait(self) -> None:
        """Let time pass until the next deadline."""
        moment = self.conn.next_deadline()
        if moment is not None:
            self.now = moment
            self.conn.handle_deadline(self.now)


EVENTS: Final[dict[str, Callable[[Life], None]]] = {
    "ours": Life.close,
    "theirs": lambda life: life.receive(CLOSE_FRAME, close_payload(4001, "theirs")),
    "fault": lambda life: life.receive(3, b""),
    "refusal": lambda life: life.conn.fail(REFUSAL, life.now),
    "eof": Life.receive_eof,
    "reset": lambda life: life.conn.connection_lost(RESET, life.now),
    "deadline": Life.wait,
    "abort": lambda life: life.conn.abort(life.now),
    "shutdown": lambda life: life.conn.shutdown(life.now),
}
ORDERS: Final = [order for n in (1, 2, 3) for order in product(EVENTS, repeat=n)]
"""Also the same one again: calling twice, a Close behind a Close, one deadline after the other."""


STARTS: Final = ("idle", "message", "waiting", "stuck")
"""Nothing has happened; a message is not consumed; one has begun and the rest waits for room; we have sent a message, and the
peer takes nothing.
"""


def begun(role: Role, start: str) -> Life:
    conn = open_websocket(
        role,
        limits=Limits(max_queue_size=5 if start == "waiting" else 100),
        timeouts=Timeouts(close_timeout=CLOSE_TIMEOUT, write=WRITE),
        agreement=Agreement(),
    )
    life = Life(role, conn, is_stuck=start == "stuck")
    if start == "message":
        life.receive(TEXT, b"not consumed")
        life.look()
        assert life.events == [Message(data="not consumed")]
    if start == "waiting":
        conn.receive_in_pieces(True, 0.0)
        payload = Compressor(Agreement(), "client", Deflate()).compress(bytes(20), ends_message=True)
        life.receive(BINARY, payload, rsv=4)
        life.look()
        assert life.events == [MessageStart(kind="binary"), MessageData(data=bytes(5))]
    if start == "stuck":
        conn.send(Message(data="not read"), 0.0)
        life.look()
        assert conn.buffered_amount == len(life.sent)
        life.sent = b""
    return life


def told(info: CloseInfo) -> Outcome:
    cause = None if info.cause is None else type(info.cause)
    return Outcome(info.initiator, info.sent, info.received, info.close_code, cause)


def check(life: Life, expected: Expected) -> None:
    """Compare what has come out with what must, and let time show that it comes to an end."""
    if expected.outcome is None:
        assert life.settled == []
        assert life.end is None
        return
    info = life.settled[-1]
    assert told(info) == expected.outcome
    assert all(each == info for each in life.settled), "it was settled, and then changed"
    assert info.clean == (expected.sent is not None and expected.received is not None)
    frames = read_frames(life.sent)
    assert [each.payload for each in frames if each.opcode == CLOSE_FRAME] == (
        [] if info.sent is None else [close_payload(info.sent.code or 0, info.sent.reason)]
    )
    assert [each.opcode for each in frames[:-1]] == [PING] * len(frames[:-1]), "something behind the Close"
    assert [each for each in life.events if isinstance(each, Close)] == (
        [] if info.received is None else [info.received]
    )
    failures = [each for each in life.events if isinstance(each, Failure)]
    is_failed = expected.outcome.cause in (RemoteProtocolError, KeepaliveTimeout)
    assert len(failures) == (is_failed or expected.tells_failure)


def check_end(life: Life) -> None:
    """The stream ends in time, whatever the peer does not do, and `ConnectionEnded` is one and the last."""
    settled, since = list(life.settled), life.now
    for _ in range(4):
        if life.end not in (CLOSE, ABORT) and not life.conn.closed:
            life.take("deadline")
    if settled:
        assert life.conn.closed or life.end in (CLOSE, ABORT)
        assert life.now - since <= CLOSE_TIMEOUT
    life.conn.connection_lost(None, life.now)
    life.look()
    ends = [each for each in life.events if isinstance(each, ConnectionEnded)]
    assert ends == [life.events[-1]]
    assert life.conn.next_deadline() is None
    assert life.settled[-1] == ends[0].info
    assert not settled or settled[-1] == ends[0].info


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("role", ["server", "client"])
@pytest.mark.parametrize("first", EVENTS)
def test_whatever_ends_it_and_whatever_follows_the_end_is_the_one_that_the_rules_say(
    first: str, role: Role, start: str
) -> None:
    """RFC 6455 §7.1: one Close frame of ours at most and nothing behind it, one end, which never changes."""
    for order in ORDERS:
        if order[0] != first:
            continue
        life, expected = begun(role, start), Expected(start)
        try:
            for event in order:
                life.take(event)
                expected.take(event)
            check(life, expected)
            check_end(life)
        except AssertionError as error:
            error.add_note(f"in the order {' '.join(order)}")
            raise


@pytest.mark.parametrize("role", ["server", "client"])
def test_a_failure_ends_our_side_and_only_a_server_does_so_after_a_handshake(role: Role) -> None:
    """RFC 6455 §7.1.1, §7.1.7."""
    life = begun(role, "idle")
    life.take("fault")
    assert life.end is HALF_CLOSE
    life = begun(role, "idle")
    life.take("theirs")
    assert life.end is (HALF_CLOSE if role == "server" else None)
