"""What comes out of a connection: ways to open one, to fetch what it says, to cut what it hears, and to compare.

Time is 0.0 wherever a test does not choose it, and randomness counts upwards, so every byte on the wire is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final, NamedTuple

from handshakes import KEY, SWITCHED
from spry_core.errors import RemoteProtocolError
from spry_core.protocol import (
    Accept,
    Agreement,
    BodyData,
    BodyEnd,
    Connection,
    ConnectionEnded,
    Event,
    Failure,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    Offer,
    Refusal,
    RequestHead,
    ResponseHead,
    Role,
    StreamEnd,
    Timeouts,
)
from spry_core.protocol.handshake import accept_key, request

HANDSHAKE: Final = (
    b"GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: " + KEY + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
SWITCH: Final = SWITCHED
DEFLATE_OFFER: Final = "permessage-deflate; client_max_window_bits"
"""An offer that asks for nothing and allows everything (RFC 7692 §7.1.2.2)."""
GET: Final = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
DATE: Final = b"Thu, 01 Jan 1970 00:00:00 GMT"


def counted(n: int) -> bytes:
    """Stand in for a source of randomness."""
    return bytes(range(1, n + 1))


COUNTED_MASK: Final = counted(4)


def connection(
    role: Role = "server",
    *,
    now: float = 0.0,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    can_half_close: bool = True,
    wall_clock: Callable[[], float] | None = None,
) -> Connection:
    """Make a connection whose randomness counts."""
    return Connection(
        role,
        now=now,
        random=counted,
        limits=limits,
        timeouts=timeouts,
        can_half_close=can_half_close,
        wall_clock=wall_clock,
    )


def open_websocket(
    role: Role = "server",
    *,
    now: float = 0.0,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    can_half_close: bool = True,
    agreement: Agreement | None = None,
) -> Connection:
    """Make a connection that has become a WebSocket, with nothing left to fetch; `agreement` is about compression."""
    conn = connection(role, now=now, limits=limits, timeouts=timeouts, can_half_close=can_half_close)
    offers = () if agreement is None else (DEFLATE_OFFER,)
    extensions = () if agreement is None else (str(agreement),)
    if role == "server":
        field = b"".join(b"Sec-WebSocket-Extensions: %s\r\n" % each.encode() for each in offers)
        conn.receive_data(HANDSHAKE.removesuffix(b"\r\n") + field + b"\r\n", now)
        conn.send(Accept(extensions=extensions), now)
    else:
        head = request(host="a", target="/", random=counted, extensions=offers)
        conn.send(head, now)
        conn.send(BodyEnd(), now)
        assert isinstance(head.websocket, Offer)
        field = b"".join(b"\r\nSec-WebSocket-Extensions: %s" % each.encode() for each in extensions)
        fields = b"Upgrade: websocket\r\nConnection: Upgrade" + field + b"\r\nSec-WebSocket-Accept: "
        key = accept_key(head.websocket.key)
        conn.receive_data(b"HTTP/1.1 101 Switching Protocols\r\n" + fields + key + b"\r\n\r\n", now)
    assert conn.is_open
    said(conn, now)
    list(conn)
    return conn


def said(conn: Connection, now: float = 0.0) -> bytes:
    """Fetch what is to be written, which must be bytes alone, and count it as written."""
    data, end = fetched(conn, now)
    assert end is None, end
    return data


def fetched(conn: Connection, now: float = 0.0) -> tuple[bytes, StreamEnd | None]:
    """Fetch bytes and end; the bytes count as written."""
    items = conn.data_to_send()
    data = b"".join(item for item in items if isinstance(item, bytes))
    ends = [item for item in items if isinstance(item, StreamEnd)]
    assert ends == [item for item in items[-1:] if isinstance(item, StreamEnd)], (
        "an end that is not at the end"
    )
    conn.bytes_written(len(data), now)
    return data, ends[0] if ends else None


def ended(conn: Connection) -> ConnectionEnded:
    """Fetch the events left; the last one must be the end."""
    last = list(conn)[-1]
    assert isinstance(last, ConnectionEnded)
    return last


def two_way_cuts(data: bytes) -> Iterator[list[bytes]]:
    """Yield every way to cut in two, and into single bytes."""
    for i in range(1, len(data)):
        yield [data[:i], data[i:]]
    yield [data[i : i + 1] for i in range(len(data))]


class Owner:
    """Answers what a connection says, in the same way however the bytes came.

    A request is answered with its own content once it is complete, an opening handshake accepted; messages are released,
    and sent back if `echoes`. Time stands still.
    """

    def __init__(self, conn: Connection, *, echoes: bool = False) -> None:
        self.conn = conn
        self.echoes = echoes
        self.heard: list[Event] = []
        self._head: RequestHead | None = None
        self._content = b""

    def look(self, now: float = 0.0) -> None:
        """Take every event there is."""
        for event in self.conn:
            self.heard.append(event)
            self._take(event, now)

    def _take(self, event: Event, now: float) -> None:
        match event:
            case RequestHead():
                self._head, self._content = event, b""
            case BodyData():
                self._content += event.data
                self.conn.release(len(event.data), now)
            case BodyEnd() if self._head is not None:
                self._answer(self._head, now)
            case Message():
                self._take_message(event, now)
            case MessageData():
                self.conn.release(size_of(event.data), now)
            case MessageEnd():
                self.conn.release(0, now)
            case _:
                pass

    def _take_message(self, event: Message, now: float) -> None:
        if self.echoes and self.conn.is_open:
            self.conn.send(event, now)
        self.conn.release(size_of(event.data), now)

    def _answer(self, head: RequestHead, now: float) -> None:
        match head.websocket:
            case Offer(subprotocols=subprotocols):
                self.conn.send(Accept(subprotocol=subprotocols[0] if subprotocols else None), now)
            case Refusal(status_code=status_code):
                self._respond(status_code, b"", now)
            case None:
                status_code = 501 if head.method == b"CONNECT" else 200  # nobody here makes tunnels
                self._respond(status_code, b"" if head.method == b"HEAD" else self._content, now)

    def _respond(self, status_code: int, content: bytes, now: float) -> None:
        fields = ((b"Content-Length", b"%d" % len(content)),)
        self.conn.send(ResponseHead(status_code=status_code, headers=fields), now)
        if content:
            self.conn.send(BodyData(data=content), now)
        self.conn.send(BodyEnd(), now)


def size_of(data: str | bytes) -> int:
    """Return the bytes of a payload."""
    return len(data.encode() if isinstance(data, str) else data)


class Trace(NamedTuple):
    """All that came out of a connection."""

    events: list[object]
    sent: bytes
    end: StreamEnd | None


def trace(conn: Connection, pieces: Iterable[bytes], *, eof: bool = True) -> Trace:
    """Feed the pieces, then the peer's end of the stream, and lose it; return what came out."""
    owner, sent, end = Owner(conn), b"", None
    for piece in pieces:
        conn.receive_data(piece, 0.0)
        owner.look()
        data, now_ended = fetched(conn)
        sent, end = sent + data, now_ended or end
    if eof:
        conn.receive_eof(0.0)
        owner.look()
        data, now_ended = fetched(conn)
        sent, end = sent + data, now_ended or end
    conn.connection_lost(None, 0.0)
    owner.look()
    return Trace(comparable(owner.heard), sent, end)


def comparable(events: Iterable[Event]) -> list[object]:
    """Join neighbouring content and pieces, and make values of the errors, which are equal only to themselves."""
    joined: list[object] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, BodyData) and isinstance(last, BodyData):
            joined[-1] = BodyData(data=last.data + event.data)
        elif isinstance(event, MessageData) and isinstance(last, MessageData):
            joined[-1] = MessageData(data=join(last.data, event.data))
        elif isinstance(event, Failure):
            joined.append(("Failure", *error_values(event.error)))
        elif isinstance(event, ConnectionEnded):
            joined.append((replace(event.info, cause=None), repr(event.info.cause)))
        else:
            joined.append(event)
    return joined


def join(first: str | bytes, second: str | bytes) -> str | bytes:
    """Put two pieces of one message together."""
    if isinstance(first, str):
        assert isinstance(second, str)
        return first + second
    assert isinstance(second, bytes)
    return first + second


def error_values(error: RemoteProtocolError) -> tuple[str, int | None, int | None, str]:
    """Return everything that two equal errors share."""
    return str(error), error.status_code, error.close_code, error.section


class Look(NamedTuple):
    """What can be seen of a connection without changing it."""

    wants_read: bool
    is_open: bool
    is_closed: bool
    buffered_amount: int
    next_deadline: float | None
    close_info: object


def look(conn: Connection) -> Look:
    """Look without touching."""
    info = conn.close_info and replace(conn.close_info, cause=None)
    return Look(conn.wants_read, conn.is_open, conn.closed, conn.buffered_amount, conn.next_deadline(), info)


def aftermath(conn: Connection) -> list[object]:
    """Let time alone go on until nothing more happens, then lose the stream; return all that came out."""
    out: list[object] = [look(conn), fetched(conn), *comparable(conn)]
    for _ in range(20):
        moment = conn.next_deadline()
        if moment is None:
            break
        conn.handle_deadline(moment)
        out += [moment, look(conn), conn.data_to_send(), *comparable(conn)]
    conn.connection_lost(None, 1e6)
    return [*out, look(conn), conn.data_to_send(), *comparable(conn)]
