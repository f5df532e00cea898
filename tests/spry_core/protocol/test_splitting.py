"""No byte that the owner puts into a message of ours can end its line: over all bytes and every place where one can stand,
it is written as it is, in its place, or refused before anything is (RFC 9110 §5.5, RFC 9112 §11.1).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.errors import LocalProtocolError
from spry_core.protocol import Accept, BodyEnd, Connection, RequestHead, ResponseHead, SentEvent
from traces import GET, HANDSHAKE, connection, said

HOST: Final = (b"Host", b"a")


@dataclass(frozen=True)
class Place:
    """Somewhere in a message where bytes of the owner stand."""

    prepare: Callable[[], Connection]
    say: Callable[[bytes], SentEvent]
    """What is sent with these bytes in the place."""
    line: bytes
    """The line in which they stand, with `%s` for them."""
    lines: int
    """How many lines the whole of what is written has, empty ones counted."""
    allowed: frozenset[int]
    """Which bytes may stand there, between others."""


def asked() -> Connection:
    """Make a server with a request to answer."""
    conn = connection()
    conn.receive_data(GET, 0.0)
    list(conn)
    return conn


def offered() -> Connection:
    """Make a server with an opening handshake to answer."""
    conn = connection()
    conn.receive_data(HANDSHAKE.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: a\r\n\r\n"), 0.0)
    list(conn)
    return conn


def streaming() -> Connection:
    """Make a server that has begun an answer in chunks."""
    conn = asked()
    conn.send(ResponseHead(status_code=200), 0.0)
    said(conn)
    return conn


def client() -> Connection:
    return connection("client")


TOKEN: Final = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
VISIBLE: Final = frozenset(range(0x21, 0x7F))
TEXT: Final = VISIBLE | {0x09, 0x20} | frozenset(range(0x80, 0x100))

PLACES: Final[Mapping[str, Place]] = {
    "a field's name": Place(
        asked, lambda data: ResponseHead(status_code=204, headers=((data, b"x"),)), b"%s: x", 4, TOKEN
    ),
    "a field's value": Place(
        asked, lambda data: ResponseHead(status_code=204, headers=((b"X", data),)), b"X: %s", 4, TEXT
    ),
    "a reason phrase": Place(
        asked, lambda data: ResponseHead(status_code=204, reason_phrase=data), b"HTTP/1.1 204 %s", 3, TEXT
    ),
    "a field's name in an interim response": Place(
        asked, lambda data: ResponseHead(status_code=103, headers=((data, b"x"),)), b"%s: x", 4, TOKEN
    ),
    "a field's value in an interim response": Place(
        asked, lambda data: ResponseHead(status_code=103, headers=((b"X", data),)), b"X: %s", 4, TEXT
    ),
    "a reason phrase of an interim response": Place(
        asked, lambda data: ResponseHead(status_code=103, reason_phrase=data), b"HTTP/1.1 103 %s", 3, TEXT
    ),
    "a trailer's name": Place(streaming, lambda data: BodyEnd(trailers=((data, b"x"),)), b"%s: x", 4, TOKEN),
    "a trailer's value": Place(streaming, lambda data: BodyEnd(trailers=((b"X", data),)), b"X: %s", 4, TEXT),
    "a field's name beside a 101": Place(
        offered, lambda data: Accept(headers=((data, b"x"),)), b"%s: x", 7, TOKEN
    ),
    "a field's value beside a 101": Place(
        offered, lambda data: Accept(headers=((b"X", data),)), b"X: %s", 7, TEXT
    ),
    "a method": Place(
        client,
        lambda data: RequestHead(method=data, target=b"/", headers=(HOST,)),
        b"%s / HTTP/1.1",
        4,
        TOKEN,
    ),
    "a target": Place(
        client,
        lambda data: RequestHead(method=b"GET", target=data, headers=(HOST,)),
        b"GET %s HTTP/1.1",
        4,
        VISIBLE - frozenset(b"#"),
    ),
    "a field's name in a request": Place(
        client,
        lambda data: RequestHead(method=b"GET", target=b"/", headers=(HOST, (data, b"x"))),
        b"%s: x",
        5,
        TOKEN,
    ),
    "a field's value in a request": Place(
        client,
        lambda data: RequestHead(method=b"GET", target=b"/", headers=(HOST, (b"X", data))),
        b"X: %s",
        5,
        TEXT,
    ),
}


def written(place: Place, data: bytes) -> bytes | None:
    """Return what is written with `data` in the place; None if it is refused, which changes nothing."""
    conn = place.prepare()
    try:
        conn.send(place.say(data), 0.0)
    except (ValueError, LocalProtocolError):
        assert conn.data_to_send() == []
        conn.send(place.say(b"good"), 0.0)
        assert place.line % b"good" in said(conn)
        return None
    return said(conn)


def check(place: Place, data: bytes, sent: bytes) -> None:
    """See that `data` stands in its line, and that nothing else is a line."""
    lines = sent.split(b"\r\n")
    assert place.line % data in lines
    assert len(lines) == place.lines
    assert all(each not in line for line in lines for each in (b"\r", b"\n", b"\0"))


@pytest.mark.parametrize("name", PLACES)
def test_every_byte_stands_in_its_place_or_is_refused(name: str) -> None:
    """All 256, between others."""
    place, passed = PLACES[name], set[int]()
    for byte in range(256):
        data = b"a%cb" % byte
        sent = written(place, data)
        if sent is not None:
            check(place, data, sent)
            passed.add(byte)
    assert passed == place.allowed


@given(
    st.sampled_from(list(PLACES)),
    st.lists(
        st.sampled_from(
            [b"\r\n", b"\r", b"\n", b"\0", b"X: y", b" ", b"\t", b":", b"\x85", b"\xe2\x80\xa8", b"a"]
        )
    ),
)
def test_no_bytes_together_split_a_message(name: str, parts: list[bytes]) -> None:
    place, data = PLACES[name], b"".join(parts)
    sent = written(place, data)
    if sent is not None and data:  # an empty reason phrase is the usual one
        check(place, data, sent)


FIELDS: Final = [
    *(b"Content-Length", b"Transfer-Encoding", b"Connection", b"Upgrade", b"Host", b"Date", b"Expect", b"TE"),
    *(b"Trailer", b"Set-Cookie", b"Keep-Alive", b"Sec-WebSocket-Accept", b"Sec-WebSocket-Extensions"),
]


@given(
    st.sampled_from(list(PLACES)),
    st.sampled_from(FIELDS),
    st.sampled_from(
        [b"", b"0", b"3", b"3, 3", b"x", b"-1", b"chunked", b"gzip", b"close", b"websocket", b"9" * 30]
    ),
)
def test_fields_that_mean_something_here_are_written_or_refused_as_any_other(
    name: str, field: bytes, value: bytes
) -> None:
    """What an engine would not write is refused above it, as a mistake of the caller."""
    conn = PLACES[name].prepare()
    event = PLACES[name].say(b"good")
    fields = ((field, value),)
    match event:
        case RequestHead():
            event = RequestHead(method=b"GET", target=b"/", headers=(HOST, *fields))
        case ResponseHead():
            event = ResponseHead(status_code=103 if event.status_code < 200 else 200, headers=fields)
        case Accept():
            event = Accept(headers=fields)
        case _:
            event = BodyEnd(trailers=fields)
    try:
        conn.send(event, 0.0)
    except (ValueError, LocalProtocolError):
        assert conn.data_to_send() == []
        return
    assert all(line for line in said(conn).removesuffix(b"\r\n\r\n").split(b"\r\n"))
