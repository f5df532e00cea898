"""Tests of `spry_core.testing.requests`: requests by hand, against the examples of the standard."""

from __future__ import annotations

from spry_core.testing import requests


def test_a_head_ends_with_an_empty_line() -> None:
    """RFC 9112 §2.1."""
    assert requests.head("GET", "/x", "h", "A: b") == b"GET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"
    assert requests.unfinished("GET", "/x", "h") == b"GET /x HTTP/1.1\r\nHost: h\r\n"
    assert requests.head("PUT", "*", version="1.0") == b"PUT * HTTP/1.0\r\nHost: localhost\r\n\r\n"


def test_an_opening_handshake_has_its_four_fields() -> None:
    """RFC 6455 §4.1."""
    assert requests.handshake("/x", "h", "A: b") == (
        b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nA: b\r\n\r\n"
    )


def test_a_field_of_it_may_be_wrong_or_missing() -> None:
    """RFC 6455 §4.2.1."""
    assert requests.handshake_lines({"Upgrade": "h2c", "Sec-WebSocket-Key": None}) == (
        "Upgrade: h2c",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
    )


def test_a_key_has_one_answer() -> None:
    """RFC 6455 §1.3 has this example."""
    assert requests.accept_of(requests.KEY.encode()) == requests.ACCEPT.encode()
