"""Tests of `spry_core.protocol.prepared`: a message that is encoded once, for many connections."""

from __future__ import annotations

import pytest

from frames import BINARY, TEXT, frame
from spry_core.errors import LocalProtocolError
from spry_core.protocol import Agreement, Close, Message, MessageStart, PreparedMessage
from traces import connection, open_websocket, said


@pytest.mark.parametrize("data", ["é", b"\x00\xff", "", b"", "x" * 126, b"y" * 65_536])
def test_it_says_the_same_as_a_message(data: str | bytes) -> None:
    message = PreparedMessage(data)
    conns = [open_websocket(), open_websocket()]
    for conn in conns:
        conn.send_prepared(message, None, 0.0)
    alone = open_websocket()
    alone.send(Message(data=data), 0.0)
    assert [said(conn) for conn in conns] == [said(alone)] * 2


def test_its_frame_is_made_once() -> None:
    """Also one so long that its payload is not copied."""
    for size in (5, 100_000):
        message = PreparedMessage(b"x" * size)
        assert message.pieces is None
        first, second = open_websocket(), open_websocket()
        first.send_prepared(message, None, 0.0)
        pieces = message.pieces
        second.send_prepared(message, None, 0.0)
        assert message.pieces is pieces
        assert all(
            ours is theirs for ours, theirs in zip(first.data_to_send(), second.data_to_send(), strict=True)
        )


def test_what_it_counts_is_what_a_message_counts() -> None:
    conn = open_websocket()
    conn.send_prepared(PreparedMessage("é"), None, 0.0)
    conn.connection_lost(None, 0.0)
    info = conn.close_info
    assert info is not None
    assert (info.messages_sent, info.bytes_sent) == (1, 2)


def test_a_client_masks_it_with_keys_of_its_own() -> None:
    """RFC 6455 §5.3: no two frames have one key."""
    message, conn = PreparedMessage("a"), open_websocket("client")
    conn.send_prepared(message, None, 0.0)
    alone = open_websocket("client")
    alone.send(Message(data="a"), 0.0)
    assert said(conn) == said(alone)
    assert message.pieces is None


def test_each_connection_compresses_it_for_itself() -> None:
    """RFC 7692 §7.1.1: what is compressed depends on what was said before, on that connection."""
    message = PreparedMessage("Hello" * 20)
    plain, fresh = open_websocket(), open_websocket(agreement=Agreement())
    used, asked_not_to = open_websocket(agreement=Agreement()), open_websocket(agreement=Agreement())
    used.send(Message(data=message.data, compress=True), 0.0)
    said(used)
    for conn in (plain, fresh, used):
        conn.send_prepared(message, True, 0.0)
    asked_not_to.send_prepared(message, False, 0.0)
    unmasked = frame(TEXT, message.payload, mask=None)
    assert (said(plain), said(asked_not_to)) == (unmasked, unmasked)
    first, again = said(fresh), said(used)
    assert first[0] == again[0] == 0xC1
    assert len(again) < len(first) < len(unmasked)


def test_a_text_that_is_none_cannot_be_prepared() -> None:
    with pytest.raises(UnicodeEncodeError):
        PreparedMessage("\ud800")


def test_it_is_refused_where_a_message_is() -> None:
    message = PreparedMessage(b"a")
    with pytest.raises(LocalProtocolError, match=r"^a Message .* HTTP|HTTP"):
        connection().send_prepared(message, None, 0.0)
    conn = open_websocket()
    conn.send(MessageStart(kind="text"), 0.0)
    with pytest.raises(LocalProtocolError, match=r"^a message in pieces is under way"):
        conn.send_prepared(message, None, 0.0)
    closing = open_websocket()
    closing.send(Close(), 0.0)
    said(closing)
    with pytest.raises(LocalProtocolError):
        closing.send_prepared(message, None, 0.0)
    assert (said(closing), message.pieces) == (b"", None)


def test_a_binary_one_has_its_own_opcode() -> None:
    conn = open_websocket()
    conn.send_prepared(PreparedMessage(b"a"), None, 0.0)
    assert said(conn) == frame(BINARY, b"a", mask=None)
