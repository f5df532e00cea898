"""What one role sends the other reads back, however the wire cuts it: our client and our server, and each of them with a
peer made of h11 and wsproto.
"""

from __future__ import annotations

from typing import TypeAlias

import h11
import wsproto.events as wsproto_events
from hypothesis import given
from hypothesis import strategies as st

from spry_core.closing import Close
from spry_core.protocol import (
    Accept,
    Agreement,
    BodyData,
    BodyEnd,
    ConnectionEnded,
    Event,
    Failure,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Offer,
    Ping,
    Pong,
    RawFields,
    RequestHead,
    ResponseHead,
    SentEvent,
)
from spry_core.protocol.handshake import request
from traces import comparable, connection, counted, join, open_websocket
from wire import CoreEnd, Cut, HttpPeer, WebSocketPeer, carry, cutters

HOST = (b"Host", b"a")
CHUNKED = (b"Transfer-Encoding", b"chunked")

# ----------------------------------------------------------------------------------------------------------- WebSocket

Piece: TypeAlias = str | bytes
messages = st.text(max_size=200) | st.binary(max_size=300)
payloads = st.binary(max_size=125)
closes = st.just(Close()) | st.builds(
    Close,
    code=st.sampled_from([1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999]),
    reason=st.text(max_size=123).filter(lambda text: len(text.encode()) <= 123),
)


def text_in_pieces(pieces: list[str]) -> tuple[list[SentEvent], Message]:
    """Return what sends a message in these pieces, and the message."""
    middle = [MessageData(data=piece) for piece in pieces]
    return [MessageStart(kind="text"), *middle, MessageEnd()], Message(data="".join(pieces))


def bytes_in_pieces(pieces: list[bytes]) -> tuple[list[SentEvent], Message]:
    middle = [MessageData(data=piece) for piece in pieces]
    return [MessageStart(kind="binary"), *middle, MessageEnd()], Message(data=b"".join(pieces))


fragmented = st.builds(text_in_pieces, st.lists(st.text(max_size=20), max_size=5)) | st.builds(
    bytes_in_pieces, st.lists(st.binary(max_size=20), max_size=5)
)


known_to_wsproto = closes.filter(lambda close: close.code != 1014)
"""wsproto takes 1014, a registered code since 2013, for none."""


def one(event: Message | Ping | Pong) -> tuple[list[SentEvent], Message | Ping | Pong]:
    return [event], event


said_and_heard = st.one_of(
    st.builds(Message, data=messages).map(one),
    st.builds(Ping, payload=payloads).map(one),
    st.builds(Pong, payload=payloads).map(one),
    fragmented,
)


agreements = st.none() | st.builds(
    Agreement, server_no_context_takeover=st.booleans(), client_no_context_takeover=st.booleans()
)


def put_together(heard: list[Event]) -> list[Event]:
    """Make messages of pieces."""
    whole: list[Event] = []
    data: str | bytes = ""
    for event in heard:
        match event:
            case MessageStart():
                data = "" if event.kind == "text" else b""
            case MessageData():
                data = join(data, event.data)
            case MessageEnd():
                whole.append(Message(data=data))
            case _:
                whole.append(event)
    return whole


@given(
    st.booleans(),
    st.lists(said_and_heard, max_size=8),
    closes,
    cutters,
    agreements,
    st.none() | st.integers(1, 50),
)
def test_what_is_said_over_a_websocket_is_heard(
    from_client: bool,
    said: list[tuple[list[SentEvent], Message | Ping | Pong]],
    close: Close,
    cut: Cut,
    agreement: Agreement | None,
    room: int | None,
) -> None:
    """RFC 6455 §5, §7, RFC 7692: messages, fragments, control frames between them, the Close and its answer; plain or
    compressed, heard whole or in pieces.
    """
    limits = Limits(max_queue_size=room or 1 << 16)
    client = CoreEnd(open_websocket("client", agreement=agreement, limits=limits))
    server = CoreEnd(open_websocket(agreement=agreement, limits=limits))
    sender, receiver = (client, server) if from_client else (server, client)
    if room is not None:
        receiver.conn.receive_in_pieces(True, 0.0)
    for events, _ in said:
        sender.send(*events)
    sender.send(close)
    carry(client, server, cut)
    *heard, ended = put_together(receiver.heard)
    assert heard == [*(event for _, event in said), close]
    answers = [Pong(payload=event.payload) for _, event in said if isinstance(event, Ping)]
    assert sender.heard[:-1] == [*answers, Close(code=close.code)]
    assert isinstance(ended, ConnectionEnded)
    theirs, ours = ended.info, sender.conn.close_info
    assert ours is not None
    assert (ours.initiator, ours.sent, ours.received) == ("local", close, Close(code=close.code))
    assert (theirs.initiator, theirs.sent, theirs.received) == ("remote", Close(code=close.code), close)
    assert theirs.close_code == ours.close_code == (close.code or 1005)
    assert (theirs.messages_received, theirs.bytes_received) == (ours.messages_sent, ours.bytes_sent)
    assert client.conn.closed
    assert server.conn.closed


@given(st.lists(messages, min_size=1, max_size=8), cutters)
def test_both_may_speak_at_once(data: list[Piece], cut: Cut) -> None:
    client, server = CoreEnd(open_websocket("client")), CoreEnd(open_websocket(), echoes=True)
    client.send(*(Message(data=each) for each in data))
    carry(client, server, cut)
    assert client.heard == server.heard == [Message(data=each) for each in data]


@given(st.lists(messages, max_size=5), st.lists(st.sampled_from(["a", "b", "c"]), unique=True), cutters)
def test_our_client_opens_a_websocket_to_our_server(
    data: list[Piece], subprotocols: list[str], cut: Cut
) -> None:
    """RFC 6455 §4; the owner of the tests takes the first subprotocol."""
    client, server = CoreEnd(connection("client")), CoreEnd(connection(), echoes=True)
    client.send(request(host="a", target="/x", random=counted, subprotocols=subprotocols), BodyEnd())
    carry(client, server, cut)
    (accept,) = client.heard
    assert isinstance(accept, Accept)
    assert accept.subprotocol == (subprotocols[0] if subprotocols else None)
    head = server.heard[0]
    assert isinstance(head, RequestHead)
    assert isinstance(head.websocket, Offer)
    assert head.websocket.subprotocols == tuple(subprotocols)
    client.send(*(Message(data=each) for each in data), Close(code=1000))
    carry(client, server, cut)
    assert server.heard[2:-1] == [*(Message(data=each) for each in data), Close(code=1000)]


@given(st.lists(messages, max_size=6), payloads, known_to_wsproto, cutters)
def test_wsprotos_client_speaks_with_our_server(
    data: list[Piece], payload: bytes, close: Close, cut: Cut
) -> None:
    peer, server = WebSocketPeer("client", ["x", "y"]), CoreEnd(connection(), echoes=True)
    carry(peer, server, cut)
    assert isinstance(peer.heard[0], wsproto_events.AcceptConnection)
    assert peer.heard[0].subprotocol == "x"
    for each in data:
        if isinstance(each, str):
            peer.send(wsproto_events.TextMessage(data=each))
        else:
            peer.send(wsproto_events.BytesMessage(data=bytearray(each)))
    peer.send(wsproto_events.Ping(payload=payload))
    carry(peer, server, cut)
    assert peer.messages() == data
    assert server.heard[2:] == [*(Message(data=each) for each in data), Ping(payload=payload)]
    assert [event.payload for event in peer.heard if isinstance(event, wsproto_events.Pong)] == [payload]
    server.send(close)
    carry(peer, server, cut)
    last = peer.heard[-1]
    assert isinstance(last, wsproto_events.CloseConnection)
    assert (last.code, last.reason or "") == (close.code or 1005, close.reason)
    assert peer.is_over
    assert server.conn.closed
    assert isinstance(server.heard[-1], ConnectionEnded)
    assert server.heard[-1].info.clean


@given(st.lists(messages, max_size=6), payloads, known_to_wsproto, cutters)
def test_our_client_speaks_with_wsprotos_server(
    data: list[Piece], payload: bytes, close: Close, cut: Cut
) -> None:
    client, peer = CoreEnd(connection("client")), WebSocketPeer("server")
    client.send(request(host="a", target="/", random=counted), BodyEnd())
    carry(client, peer, cut)
    client.send(*(Message(data=each) for each in data), Ping(payload=payload), close)
    carry(client, peer, cut)
    assert peer.messages() == data
    assert isinstance(client.heard[0], Accept)
    assert isinstance(client.heard[-1], ConnectionEnded)
    assert client.heard[-1].info.clean
    assert client.heard[-1].info.close_code == (close.code or 1005)
    assert peer.is_over


# ---------------------------------------------------------------------------------------------------------------- HTTP

token = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=10).map(str.encode)
value = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=20).map(
    lambda text: (
        "".join(each for each in text if each.isprintable()).strip(" \t").encode("latin-1").strip(b" \t")
    )
)
KNOWN = {
    b"host",
    b"content-length",
    b"transfer-encoding",
    b"connection",
    b"expect",
    b"upgrade",
    b"date",
    b"trailer",
}
fields = st.lists(st.tuples(token, value).filter(lambda pair: pair[0].lower() not in KNOWN), max_size=4).map(
    tuple
)
contents = st.lists(st.binary(max_size=200), max_size=4)
targets = st.text("/abc?=&%20.~", min_size=0, max_size=12).map(lambda text: b"/" + text.encode())


def lowered(headers: RawFields) -> RawFields:
    return tuple((name.lower(), each) for name, each in headers)


@st.composite
def requests(draw: st.DrawFn) -> list[RequestHead | BodyData | BodyEnd]:
    """One whole request with a content of either framing."""
    content = draw(contents)
    method = draw(st.sampled_from([b"GET", b"POST", b"PATCH", b"X-OWN"]))
    is_chunked = draw(st.booleans())
    framing = CHUNKED if is_chunked else (b"Content-Length", b"%d" % sum(map(len, content)))
    head = RequestHead(method=method, target=draw(targets), headers=(HOST, *draw(fields), framing))
    end = BodyEnd(trailers=draw(fields) if is_chunked else ())
    return [head, *(BodyData(data=each) for each in content), end]


def as_heard(said: list[RequestHead | BodyData | BodyEnd]) -> list[object]:
    """Return what the other side hears of it."""
    heard: list[RequestHead | BodyData | BodyEnd] = []
    for event in said:
        match event:
            case RequestHead():
                heard.append(
                    RequestHead(method=event.method, target=event.target, headers=lowered(event.headers))
                )
            case BodyEnd():
                heard.append(BodyEnd(trailers=lowered(event.trailers)))
            case BodyData() if event.data:
                heard.append(event)
            case _:
                pass
    return comparable(heard)


def content_of(said: list[RequestHead | BodyData | BodyEnd]) -> bytes:
    return b"".join(event.data for event in said if isinstance(event, BodyData))


@given(st.lists(requests(), min_size=1, max_size=4), cutters)
def test_what_our_client_asks_our_server_hears_and_answers(
    asked: list[list[RequestHead | BodyData | BodyEnd]], cut: Cut
) -> None:
    """RFC 9112: request after request on one connection; the answer is the content."""
    client, server = CoreEnd(connection("client")), CoreEnd(connection())
    expected: list[object] = []
    for said in asked:
        client.send(*said)
        carry(client, server, cut)
        content = content_of(said)
        length = (b"content-length", b"%d" % len(content))
        expected += [
            ResponseHead(status_code=200, headers=(length,), reason_phrase=b"OK"),
            *([BodyData(data=content)] if content else []),
            BodyEnd(),
        ]
    assert comparable(server.heard) == [event for said in asked for event in as_heard(said)]
    assert comparable(client.heard) == expected
    client.conn.shutdown(0.0)
    carry(client, server, cut)
    assert client.conn.closed
    assert server.conn.closed


@given(st.lists(requests(), min_size=1, max_size=4), cutters)
def test_what_h11_asks_our_server_hears_and_answers(
    asked: list[list[RequestHead | BodyData | BodyEnd]], cut: Cut
) -> None:
    peer, server = HttpPeer("client"), CoreEnd(connection())
    answers: list[bytes] = []
    for said in asked:
        for event in said:
            match event:
                case RequestHead():
                    peer.send(
                        h11.Request(method=event.method, target=event.target, headers=list(event.headers))
                    )
                case BodyData():
                    peer.send(h11.Data(data=event.data))
                case BodyEnd():
                    peer.send(h11.EndOfMessage(headers=list(event.trailers)))
        peer.heard.clear()
        carry(peer, server, cut)
        head, *content, end = peer.heard
        assert isinstance(head, h11.Response)
        assert isinstance(end, h11.EndOfMessage)
        answers.append(b"".join(bytes(event.data) for event in content if isinstance(event, h11.Data)))
    assert comparable(server.heard) == [event for said in asked for event in as_heard(said)]
    assert answers == [content_of(said) for said in asked]


@given(st.lists(requests(), min_size=1, max_size=4), cutters)
def test_what_our_client_asks_h11_hears_and_answers(
    asked: list[list[RequestHead | BodyData | BodyEnd]], cut: Cut
) -> None:
    client, peer = CoreEnd(connection("client")), HttpPeer("server")
    for said in asked:
        client.send(*said)
        carry(client, peer, cut)
    heard = [event for event in peer.heard if isinstance(event, h11.Request)]
    assert [(event.method, event.target) for event in heard] == [
        (head.method, head.target) for head, *_ in asked if isinstance(head, RequestHead)
    ]
    assert not any(isinstance(event, Failure) for event in client.heard)
    answers = comparable(client.heard)
    assert [event.status_code for event in answers if isinstance(event, ResponseHead)] == [200] * len(asked)
    contents = [content_of(said) for said in asked]
    assert [event.data for event in answers if isinstance(event, BodyData)] == [
        each for each in contents if each
    ]


chunks = st.lists(st.binary(max_size=100), max_size=5)


@given(st.sampled_from([b"1.0", b"1.1"]), chunks, st.booleans(), cutters)
def test_our_server_answers_h11_in_every_framing(
    version: bytes, content: list[bytes], has_length: bool, cut: Cut
) -> None:
    """RFC 9112 §6.3: with a length, in chunks, or to the end of the stream for HTTP/1.0."""
    server, peer = connection(), HttpPeer("client")
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]), h11.EndOfMessage())
    (data,) = peer.say()
    assert isinstance(data, bytes)
    server.receive_data(data.replace(b"HTTP/1.1", b"HTTP/" + version), 0.0)
    list(server)
    length = ((b"Content-Length", b"%d" % sum(map(len, content))),) if has_length else ()
    server.send(ResponseHead(status_code=200, headers=length), 0.0)
    for each in content:
        server.send(BodyData(data=each), 0.0)
    server.send(BodyEnd(), 0.0)
    carry(CoreEnd(server), peer, cut)
    heard = [event for event in peer.heard if isinstance(event, (h11.Data, h11.EndOfMessage))]
    assert b"".join(bytes(event.data) for event in heard if isinstance(event, h11.Data)) == b"".join(content)
    assert isinstance(heard[-1], h11.EndOfMessage)
