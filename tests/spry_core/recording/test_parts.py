from __future__ import annotations

from collections import deque
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.recording import Redaction
from spry_core.recording.parts import Part, PartReader, Redactor
from wire import Cut, cutters

REQUESTS = (
    b"\r\nPOST /a?token=x HTTP/1.1\r\nHost: a\r\nCookie: sid=1\r\nContent-Length: 11\r\n\r\n"
    b"Cookie: a\r\n"
    b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"b;ext=1\r\nCookie: a\r\n\r\n0\r\nCookie: t\r\nA: b\r\n\r\n"
    b"GET /c HTTP/1.1\r\nHost: a\r\nAuthorization: Basic abc\r\n\r\n"
)
SHOWN = (
    b"\r\nPOST /a?*****=* HTTP/1.1\r\nHost: a\r\nCookie: *****\r\nContent-Length: 11\r\n\r\n"
    b"Cookie: a\r\n"
    b"POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"b;ext=1\r\nCookie: a\r\n\r\n0\r\nCookie: *\r\nA: b\r\n\r\n"
    b"GET /c HTTP/1.1\r\nHost: a\r\nAuthorization: ***** ***\r\n\r\n"
)


def shown(
    data: bytes, kind: Literal["request", "response"] = "request", methods: tuple[bytes, ...] = ()
) -> bytes:
    """Return what is shown of these bytes."""
    return Redactor(kind, Redaction(), deque(methods)).feed(data)


def test_secrets_are_hidden_in_heads_and_trailers_and_content_is_not_touched() -> None:
    """RFC 9112 §6: only who follows the framing knows what is a head."""
    assert shown(REQUESTS) == SHOWN


@given(cut=cutters)
def test_cuts_do_not_matter(cut: Cut) -> None:
    """A recipient parses a stream of octets, not packets (RFC 9112 §2.2)."""
    redactor = Redactor("request", Redaction(), deque())
    assert b"".join(redactor.feed(piece) for piece in cut(REQUESTS)) == SHOWN


@given(data=st.binary(max_size=200) | st.text("\r\n :abCokie?=/", max_size=200).map(str.encode))
def test_nothing_is_held_back_and_what_is_shown_is_shown_again(data: bytes) -> None:
    """So that the redaction of a replay, which gets what was shown, changes nothing."""
    once = shown(data)
    assert len(once) == len(data)
    assert shown(once) == once


def test_each_piece_says_what_it_belongs_to() -> None:
    reader = PartReader("request", deque())
    data = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab"
    first, second = list(reader.feed(data[:5])), list(reader.feed(data[5:]))
    assert [(each.part, each.data, each.before) for each in (*first, *second)] == [
        (Part.START, b"POST ", b""),
        (Part.START, b"/ HTTP/1.1\r\n", b"POST "),
        (Part.FIELDS, b"Host: a\r\n", b""),
        (Part.FIELDS, b"Content-Length: 2\r\n", b""),
        (Part.FIELDS, b"\r\n", b""),
        (Part.CONTENT, b"ab", b""),
    ]


@pytest.mark.parametrize(
    ("head", "methods"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", (b"HEAD",)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", (b"GET",)),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", (b"GET",)),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", (b"GET",)),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nCookie: a\n", ()),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", (b"POST",)),
    ],
)
def test_the_next_response_is_found(head: bytes, methods: tuple[bytes, ...]) -> None:
    """RFC 9112 §6.3: how long a response is depends on its status code and on the method of its request."""
    following = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"
    assert shown(head + following, "response", methods) == head + following.replace(b"a=b", b"***")


def test_content_up_to_the_end_of_the_stream_is_not_touched() -> None:
    """RFC 9112 §6.3, last rule."""
    data = b"HTTP/1.1 200 OK\r\n\r\nSet-Cookie: a=b\r\n"
    assert shown(data, "response", (b"GET",)) == data


def test_behind_the_101_nothing_is_looked_at() -> None:
    data = b"HTTP/1.1 101 Switching Protocols\r\nSet-Cookie: a\r\n\r\n\x82\x0bCookie: b\r\n"
    assert shown(data, "response") == data.replace(b"Set-Cookie: a", b"Set-Cookie: *")
    redactor = Redactor("request", Redaction(), deque())
    assert redactor.feed(b"Cookie: a\r\n") == b"Cookie: *\r\n"
    redactor.switch()
    assert redactor.feed(b"Cookie: a\r\n") == b"Cookie: a\r\n"


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
EARLY = (b"\x81\x85\0\0\0\0a?bcd", b"\x41\x8b\0\0\0\n?\nCookie: bc")
"""A frame, and the first one of a compressed message, whose payload data look like secrets."""


@given(cut=cutters)
@pytest.mark.parametrize("frame", EARLY)
def test_a_frame_that_did_not_wait_for_the_101_is_not_looked_at(frame: bytes, cut: Cut) -> None:
    """It belongs to the WebSocket, if there will be one; a replay needs it as it was."""
    redactor = Redactor("request", Redaction(), deque())
    assert b"".join(redactor.feed(piece) for piece in cut(HANDSHAKE + frame)) == HANDSHAKE + frame


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", HANDSHAKE.replace(b"GET", b"PUT")])
@pytest.mark.parametrize("frame", EARLY)
def test_behind_a_request_that_offers_nothing_there_are_no_frames(head: bytes, frame: bytes) -> None:
    assert shown(head + frame) != head + frame


def test_behind_an_opening_handshake_a_request_may_come_all_the_same() -> None:
    """A server may ignore the offer (RFC 9110 §7.8)."""
    assert shown(HANDSHAKE + REQUESTS) == HANDSHAKE + SHOWN


def test_lines_begin_anew_where_nothing_is_parsed_behind_frames() -> None:
    redactor = Redactor("request", Redaction(), deque())
    assert redactor.feed(HANDSHAKE + b"\x81") == HANDSHAKE + b"\x81"
    assert redactor.feed(b"\x80") == b"\x80"
    redactor.break_off()
    assert redactor.feed(b"Cookie: a\r\n") == b"Cookie: *\r\n"


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /\r\nContent-Length: 99\r\n\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n",
    ],
)
def test_behind_a_fault_every_line_is_taken_for_a_field(head: bytes) -> None:
    """The connection fails there, so nothing that follows is parsed; but a secret may be in it."""
    assert shown(head + b"abc\r\nCookie: a\r\n") == head + b"abc\r\nCookie: *\r\n"


def test_a_request_line_in_the_place_of_a_field_line_is_one_all_the_same() -> None:
    """Behind a fault nobody knows any more what is what."""
    assert shown(b"\x00\nGET /?a=b HTTP/1.1\r\nA: b?c\r\n") == b"\x00\nGET /?*=* HTTP/1.1\r\nA: b?c\r\n"


@pytest.mark.parametrize(
    ("line", "hidden"),
    [
        (b"\x00GET /?a=b HTTP/1.1\r\n", b"\x00GET /?*=* HTTP/1.1\r\n"),
        (b"\x00 GET /?a=b HTTP/1.1\r\n", b"\x00 GET /?*=* ********\r\n"),
        (b"GET?a=b\r\n", b"GET?*=*\r\n"),
    ],
)
def test_in_a_faulty_request_line_everything_is_hidden_that_may_be_a_query(
    line: bytes, hidden: bytes
) -> None:
    assert shown(line) == hidden


def test_where_nothing_is_parsed_any_more_content_is_looked_at_too() -> None:
    redactor = Redactor("request", Redaction(), deque())
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n"
    assert redactor.feed(head + b"Cookie: a\r\n") == head + b"Cookie: a\r\n"
    redactor.break_off()
    assert redactor.feed(b"Cookie: a\r\n") == b"Cookie: *\r\n"


def test_a_field_line_in_the_place_of_a_start_line_is_one_all_the_same() -> None:
    assert shown(b"Cookie: a?b\r\n") == b"Cookie: ***\r\n"
