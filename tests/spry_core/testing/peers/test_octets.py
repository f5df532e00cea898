"""The well-formed parts of what hostile peers send."""

from __future__ import annotations

from spry_core.testing.peers import octets


def test_a_head_ends_with_an_empty_line() -> None:
    """RFC 9112 §2.1."""
    assert octets.head("GET", "/x", "h", "A: b") == b"GET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n"
    assert octets.unfinished("GET", "/x", "h") == b"GET /x HTTP/1.1\r\nHost: h\r\n"


def test_an_opening_handshake_has_its_four_fields() -> None:
    """RFC 6455 §4.1."""
    assert octets.handshake("/x", "h", "A: b") == (
        b"GET /x HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\nA: b\r\n\r\n"
    )


def test_a_key_has_one_answer() -> None:
    """RFC 6455 §1.3 has this example."""
    assert octets.accept_of(b"dGhlIHNhbXBsZSBub25jZQ==") == b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
