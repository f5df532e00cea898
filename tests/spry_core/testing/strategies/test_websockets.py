"""Tests of `spry_core.testing.strategies.websockets`: read by wsproto, by websockets and by Spry alike (RFC 6455)."""

from __future__ import annotations

import wsproto.events as theirs
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode
from websockets.protocol import OPEN, SERVER, Protocol
from wsproto import ConnectionType, WSConnection

from drawn import Productions, examples, few, missing, simplest
from spry_core.protocol import Agreement, Close, Failure, Message, Offer, Ping, Pong, RequestHead
from spry_core.testing.frames import PING
from spry_core.testing.strategies import (
    OpeningHandshake,
    WebSocketConversation,
    agreements,
    keys,
    opening_handshakes,
    websocket_conversations,
)
from traces import connection, open_websocket, trace

AGREED = agreements().flatmap(
    lambda agreement: st.tuples(st.just(agreement), websocket_conversations(agreement=agreement))
)


@few
@given(opening_handshakes())
def test_spry_reads_what_a_handshake_offers(handshake: OpeningHandshake) -> None:
    """RFC 6455 §4.2.1."""
    conn = connection()
    conn.receive_data(handshake.data, 0.0)
    head = conn.next_event()
    assert isinstance(head, RequestHead)
    assert head.target == handshake.target
    assert head.websocket == Offer(
        key=handshake.key, subprotocols=handshake.subprotocols, extensions=handshake.extensions
    )


@few
@given(opening_handshakes())
def test_wsproto_reads_what_a_handshake_offers(handshake: OpeningHandshake) -> None:
    reader = WSConnection(ConnectionType.SERVER)
    # It knows one protocol in Upgrade (RFC 9110 §7.8 knows a list).
    reader.receive_data(handshake.data.replace(b"h2c, websocket", b"websocket"))
    (event,) = reader.events()
    assert isinstance(event, theirs.Request)
    assert event.target.encode() == handshake.target
    assert tuple(each for each in event.subprotocols if each) == handshake.subprotocols


@few
@given(websocket_conversations())
def test_spry_reads_what_was_said(conversation: WebSocketConversation) -> None:
    events = trace(open_websocket(), [conversation.data] if conversation.data else []).events
    assert [each.data for each in events if isinstance(each, Message)] == list(conversation.messages)
    assert [each.payload for each in events if isinstance(each, Ping)] == list(conversation.pings)
    assert [each.payload for each in events if isinstance(each, Pong)] == list(conversation.pongs)
    assert [each for each in events if isinstance(each, Close)] == [conversation.close] * bool(
        conversation.close
    )
    assert not [each for each in events if isinstance(each, Failure)]


@few
@given(AGREED)
def test_websockets_reads_what_was_said(drawn: tuple[Agreement, WebSocketConversation]) -> None:
    """RFC 7692 §7.2: whatever was agreed."""
    agreement, conversation = drawn
    reader = Protocol(SERVER, state=OPEN, max_size=None)
    reader.extensions = [
        PerMessageDeflate(
            agreement.client_no_context_takeover,
            agreement.server_no_context_takeover,
            agreement.client_max_window_bits or 15,
            agreement.server_max_window_bits or 15,
        )
    ]
    reader.receive_data(conversation.data)
    assert reader.parser_exc is None
    messages, kind, payload = list[str | bytes](), Opcode.TEXT, b""
    for frame in reader.events_received():
        assert isinstance(frame, TheirFrame)
        if frame.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            kind = kind if frame.opcode is Opcode.CONT else frame.opcode
            payload += bytes(frame.data)
            if frame.fin:
                messages.append(payload.decode() if kind is Opcode.TEXT else payload)
                payload = b""
    assert messages == list(conversation.messages)
    if conversation.close is not None:
        assert reader.close_rcvd is not None
        assert reader.close_rcvd.code == (conversation.close.code or 1005)


def test_the_simplest_are_short() -> None:
    assert simplest(keys()) == b"AAAAAAAAAAAAAAAAAAAAAA=="
    assert simplest(opening_handshakes()).data == (
        b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert simplest(websocket_conversations()).frames == ()
    assert simplest(websocket_conversations(), lambda each: bool(each.messages)).messages == ("",)
    one_ping = simplest(websocket_conversations(), lambda each: bool(each.pings))
    assert [(frame.opcode, frame.payload) for frame in one_ping.frames] == [(PING, b"")]


def test_every_kind_of_handshake_comes_up() -> None:
    """RFC 6455 §4.1."""
    shows: Productions[OpeningHandshake] = {
        "subprotocols": lambda each: len(each.subprotocols) > 1,
        "subprotocols in two lines": lambda each: each.data.count(b"Sec-WebSocket-Protocol:") == 2,
        "an offer of compression": lambda each: len(each.extensions) == 1,
        "two offers": lambda each: len(each.extensions) == 2,
        "another protocol beside it": lambda each: b"h2c" in each.data,
        "another option beside it": lambda each: b"keep-alive" in each.data,
        "a query": lambda each: b"?" in each.target,
        "further fields": lambda each: len(each.headers) > 9,
    }
    assert missing(opening_handshakes(), shows) == set()


def test_every_kind_of_conversation_comes_up() -> None:
    shows: Productions[WebSocketConversation] = {
        "text and binary": lambda each: {type(message) for message in each.messages} == {str, bytes},
        "a Ping": lambda each: bool(each.pings),
        "a Pong": lambda each: bool(each.pongs),
        "a Close with a code": lambda each: each.close is not None and each.close.code is not None,
        "an empty Close": lambda each: each.close == Close(),
        "no Close": lambda each: each.close is None,
        "fragments": lambda each: any(not frame.fin for frame in each.frames),
        "compressed": lambda each: any(frame.rsv for frame in each.frames),
        "compressed and in fragments": lambda each: any(frame.rsv and not frame.fin for frame in each.frames),
        "uncompressed": lambda each: any(frame.opcode in (1, 2) and not frame.rsv for frame in each.frames),
    }
    assert missing(websocket_conversations(agreement=Agreement()), shows) == set()
    assert {each.close is None for each in examples(websocket_conversations(closes=True), 20)} == {False}


def test_parts_can_be_given() -> None:
    drawn = examples(websocket_conversations(messages=st.just("x"), max_size=2, closes=False), 30)
    assert {message for each in drawn for message in each.messages} == {"x"}
    assert {each.close for each in drawn} == {None}
    handshakes = examples(opening_handshakes(targets=st.just(b"/chat"), subprotocols=st.just(["a"])), 20)
    assert {(each.target, each.subprotocols) for each in handshakes} == {(b"/chat", ("a",))}
