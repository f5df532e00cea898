"""The bytes of the scenarios, against those that are written out."""

from __future__ import annotations

from spry_core.testing.conformance import octets
from spry_core.testing.conformance.steps import WILD


def test_requests() -> None:
    assert octets.request("/x", "A: b") == b"GET /x HTTP/1.1\r\nHost: test\r\nA: b\r\n\r\n"
    assert octets.post(b"abc") == b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"


def test_answers() -> None:
    date = b"Date: " + WILD * 29 + b"\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 2\r\n"
    assert octets.answer(b"hi") == head + date + b"\r\nhi"
    assert octets.answer(b"hi", last=True) == head + date + b"Connection: close\r\n\r\nhi"
    assert (
        octets.last_word("200 OK")
        == head.replace(b"2\r", b"3\r") + b"Connection: close\r\n" + date + b"\r\nOK\n"
    )
    assert octets.last_word("200 OK", b"hi") == head + b"Connection: close\r\n" + date + b"\r\nhi"
    assert octets.streamed().endswith(date + b"Transfer-Encoding: chunked\r\n\r\n")
    assert octets.chunk(b"x" * 17) + octets.LAST_CHUNK == b"11\r\n" + b"x" * 17 + b"\r\n0\r\n\r\n"


def test_handshakes() -> None:
    assert b"Sec-WebSocket-Key" not in octets.shake(without="Sec-WebSocket-Key")
    assert octets.shake("/x", "Origin: a").startswith(
        b"GET /x HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\n"
    )
    assert octets.shake("/x", "Origin: a").endswith(b"Sec-WebSocket-Version: 13\r\nOrigin: a\r\n\r\n")


def test_frames() -> None:
    """RFC 6455 §5.7."""
    assert octets.say("Hello") == b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    assert octets.said("Hello", "") == b"\x81\x05Hello\x81\x00"
    assert octets.given(b"\x00") == b"\x82\x01\x00"
    assert octets.ping(b"Hello") == b"\x89\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"
    assert octets.pong()[:2] == b"\x8a\x80"
    assert octets.pinged(b"Hello") + octets.ponged(b"Hello") == b"\x89\x05Hello\x8a\x05Hello"
    assert octets.closing(1000, "x") + octets.closing(None) == b"\x88\x03\x03\xe8x\x88\x00"
    assert octets.close(None)[:2] + octets.close()[:2] == b"\x88\x80\x88\x82"
