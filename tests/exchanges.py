"""What the tests of HTTP/1.1 say and ask for, in both roles."""

from __future__ import annotations

from spry_core.protocol import (
    BodyData,
    BodyEnd,
    Connection,
    Limits,
    Offer,
    RequestHead,
    ResponseHead,
    Timeouts,
)
from spry_core.protocol.handshake import accept_key, request
from traces import (
    comparable,
    connection,
    counted,
    said,
)

T0 = 100.0
HOST = (b"host", b"a")


def server(
    *,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    can_half_close: bool = True,
    has_clock: bool = False,
) -> Connection:
    return connection(
        now=T0,
        limits=limits,
        timeouts=timeouts,
        can_half_close=can_half_close,
        wall_clock=(lambda: 0.0) if has_clock else None,
    )


def events(conn: Connection) -> list[object]:
    return comparable(conn)


def failure(status_code: int, message: str, section: str) -> tuple[object, ...]:
    """The failure as `comparable` gives it."""
    return ("Failure", message, status_code, None, section)


def get(*fields: tuple[bytes, bytes], method: bytes = b"GET", version: bytes = b"1.1") -> bytes:
    """Make the head of a request to `a`."""
    lines = b"".join(name + b": " + value + b"\r\n" for name, value in (HOST, *fields))
    return method + b" / HTTP/" + version + b"\r\n" + lines + b"\r\n"


def post(content: bytes, *fields: tuple[bytes, bytes]) -> bytes:
    return get((b"content-length", b"%d" % len(content)), *fields, method=b"POST") + content


def answer(
    conn: Connection,
    content: bytes = b"",
    *fields: tuple[bytes, bytes],
    status_code: int = 200,
    now: float = T0,
) -> None:
    """Give a whole answer with a length."""
    length = (b"Content-Length", b"%d" % len(content))
    conn.send(ResponseHead(status_code=status_code, headers=(*fields, length)), now)
    if content:
        conn.send(BodyData(data=content), now)
    conn.send(BodyEnd(), now)


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
OK_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
GET_HEAD = RequestHead(method=b"GET", target=b"/", headers=(HOST,))


def error_answer(status_line: bytes, *, with_content: bool = True, date: bytes | None = None) -> bytes:
    """The answer that a broken request gets."""
    content = status_line.split(b" ", 1)[1] + b"\n"
    lines = [
        b"HTTP/1.1 " + status_line,
        b"Content-Type: text/plain; charset=utf-8",
        b"Content-Length: %d" % len(content),
        b"Connection: close",
        *([] if date is None else [b"Date: " + date]),
    ]
    return b"\r\n".join(lines) + b"\r\n\r\n" + (content if with_content else b"")


def client(*fields: tuple[bytes, bytes], method: bytes = b"GET", content: bytes | None = b"") -> Connection:
    """Make a client that has sent a request, whole unless `content` is None."""
    conn = connection("client", now=T0)
    lengths = ((b"Content-Length", b"%d" % len(content)),) if content else ()
    conn.send(RequestHead(method=method, target=b"/", headers=(HOST, *lengths, *fields)), T0)
    if content is not None:
        if content:
            conn.send(BodyData(data=content), T0)
        conn.send(BodyEnd(), T0)
    said(conn, T0)
    return conn


def heard(conn: Connection, data: bytes) -> list[object]:
    conn.receive_data(data, T0)
    return events(conn)


def final(*fields: tuple[bytes, bytes], status_code: int = 200, phrase: bytes = b"OK") -> ResponseHead:
    return ResponseHead(status_code=status_code, headers=fields, reason_phrase=phrase)


LENGTH_2 = (b"content-length", b"2")


def asking(timeouts: Timeouts | None = None) -> tuple[Connection, bytes]:
    """Make a client that wants a WebSocket, and the accept key that it hopes for."""
    conn = connection("client", now=T0, timeouts=timeouts)
    head = request(host="a", target="/", random=counted)
    assert isinstance(head.websocket, Offer)
    conn.send(head, T0)
    conn.send(BodyEnd(), T0)
    said(conn, T0)
    return conn, accept_key(head.websocket.key)
