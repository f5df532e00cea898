"""What a server has said, by kind."""

from __future__ import annotations

import zlib

import pytest

from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame
from spry_core.testing.laws.heard import difference, heard, messages, payloads

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def bare(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    return frame(opcode, payload, fin=fin, mask=None)


def test_messages_are_joined_and_told_apart_by_their_kind() -> None:
    """RFC 6455 §5.4, §5.6."""
    said = (
        SWITCHED
        + bare(TEXT, "grü".encode()[:3], fin=False)
        + bare(PING, b"p")
        + bare(CONTINUATION, "grü".encode()[3:])
        + bare(BINARY, b"b")
        + bare(PONG, b"q")
        + bare(TEXT, b"half", fin=False)
    )
    assert messages(said) == ["grü", b"b"]
    assert (payloads(said, PING), payloads(said, PONG)) == ([b"p"], [b"q"])


@pytest.mark.parametrize("takeover", ["", "; server_no_context_takeover"])
def test_compressed_messages_are_read_with_the_window_that_was_agreed(takeover: str) -> None:
    """RFC 7692 §7.2.2: of a window that is to be forgotten nothing is left for the second message."""
    head = (
        f"HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate{takeover}\r\n\r\n"
    )
    deflate = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    first, second = (
        (deflate.compress(b"spry " * 9) + deflate.flush(zlib.Z_SYNC_FLUSH)).removesuffix(b"\x00\x00\xff\xff")
        for _ in range(2)
    )
    said = head.encode() + b"".join(
        (
            frame(TEXT, first[:3], fin=False, rsv=4, mask=None),
            bare(CONTINUATION, first[3:]),
            bare(TEXT, b"plain"),
            frame(BINARY, second, rsv=4, mask=None),
        )
    )
    assert messages(said) == ["spry " * 9, "plain", second if takeover else b"spry " * 9]


def test_of_a_websocket_each_kind_is_by_itself() -> None:
    one = SWITCHED + bare(TEXT, b"a") + bare(PONG) + bare(CLOSE_FRAME, close_payload(1000))
    other = SWITCHED + bare(PONG) + bare(TEXT, b"a") + bare(CLOSE_FRAME, close_payload(1000))
    assert difference(heard(one, "end"), heard(other, "end")) is None
    assert difference(heard(one, "end"), heard(one, "reset")) == ("ending: 'end'", "ending: 'reset'")
    lost = heard(SWITCHED + bare(TEXT, b"a") + bare(CLOSE_FRAME, close_payload(1000)), "end")
    assert difference(heard(one, "end"), lost) == ("Pongs: [b'']", "Pongs: []")


def test_of_http_every_byte_counts() -> None:
    one, other = heard(b"x" * 50 + b"abc", "end"), heard(b"x" * 50 + b"ab", "end")
    assert difference(one, other) == (
        f"53 bytes, from 32: {b'x' * 18 + b'abc'!r}",
        f"52 bytes, from 32: {b'x' * 18 + b'ab'!r}",
    )
    assert difference(heard(b"abc", "end"), heard(b"axc", "end")) == (
        "3 bytes, from 0: b'abc'",
        "3 bytes, from 0: b'axc'",
    )


def test_an_answer_and_a_switch_differ() -> None:
    differs = difference(heard(b"HTTP/1.1 200 OK\r\n\r\n", "end"), heard(SWITCHED, "end"))
    assert differs == ("bytes: b'HTTP/1.1 200 OK\\r\\n\\r\\n'", "bytes: None")
