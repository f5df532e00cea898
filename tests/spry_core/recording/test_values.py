from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.closing import Close, CloseInfo, ConnectionLost
from spry_core.errors import RemoteProtocolError
from spry_core.protocol import (
    CLOSE,
    Accept,
    BodyData,
    BodyEnd,
    Deflate,
    Limits,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Offer,
    Ping,
    Pong,
    Refusal,
    RequestHead,
    ResponseHead,
    SentEvent,
    Timeouts,
    Writable,
)
from spry_core.recording.values import (
    Json,
    RecordedError,
    as_bytes,
    as_list,
    as_number,
    as_object,
    as_text,
    as_truth,
    as_whole,
    decode_deflate,
    decode_error,
    decode_event,
    decode_settings,
    encode,
    encode_all,
    encode_bytes,
    encode_changes,
)

EVENTS: list[tuple[SentEvent, Json]] = [
    (RequestHead(method=b"GET", target=b"/"), {"is": "RequestHead", "method": "GET", "target": "/"}),
    (
        RequestHead(method=b"GET", target=b"/", headers=((b"a", b"\xff"),), websocket=Offer(key=b"k", subprotocols=("x",))),
        {
            "is": "RequestHead",
            "method": "GET",
            "target": "/",
            "headers": [["a", {"base64": "/w=="}]],
            "websocket": {"is": "Offer", "key": "k", "subprotocols": ["x"]},
        },
    ),
    (
        RequestHead(method=b"GET", target=b"/", http_version=b"1.0", websocket=Refusal(status_code=400, reason="no")),
        {
            "is": "RequestHead",
            "method": "GET",
            "target": "/",
            "http_version": "1.0",
            "websocket": {"is": "Refusal", "status_code": 400, "reason": "no"},
        },
    ),
    (
        ResponseHead(status_code=200, headers=((b"A", b"b"),), reason_phrase=b"Yes"),
        {"is": "ResponseHead", "status_code": 200, "headers": [["A", "b"]], "reason_phrase": "Yes"},
    ),
    (BodyData(data=b"a\r\n\tb"), {"is": "BodyData", "data": "a\r\n\tb"}),
    (BodyEnd(trailers=((b"a", b"b"),)), {"is": "BodyEnd", "trailers": [["a", "b"]]}),
    (
        Accept(subprotocol="chat", extensions=("x; y",), headers=((b"a", b"b"),)),
        {"is": "Accept", "subprotocol": "chat", "extensions": ["x; y"], "headers": [["a", "b"]]},
    ),
    (Message(data="grüße\ud800", compress=True), {"is": "Message", "text": "grüße\ud800", "compress": True}),
    (Message(data=b"\x1b["), {"is": "Message", "data": {"base64": "G1s="}}),
    (MessageStart(kind="text"), {"is": "MessageStart", "kind": "text"}),
    (MessageData(data="a"), {"is": "MessageData", "text": "a"}),
    (MessageData(data=b"a"), {"is": "MessageData", "data": "a"}),
    (MessageEnd(), {"is": "MessageEnd"}),
    (Ping(payload=b"p"), {"is": "Ping", "payload": "p"}),
    (Pong(), {"is": "Pong"}),
    (Close(code=1000, reason="bye"), {"is": "Close", "code": 1000, "reason": "bye"}),
]  # fmt: skip


@pytest.mark.parametrize(("event", "value"), EVENTS)
def test_an_event_is_an_object_and_comes_back(event: SentEvent, value: Json) -> None:
    assert encode(event) == value
    assert decode_event(json.loads(json.dumps(value))) == event


@given(data=st.binary(max_size=40))
def test_bytes_come_back_and_a_line_has_no_control_character(data: bytes) -> None:
    """A recording may be looked at in a terminal."""
    line = json.dumps(encode_bytes(data))
    assert as_bytes(json.loads(line)) == data
    assert line.isascii()
    assert line.isprintable()


def test_views_of_bytes_are_bytes() -> None:
    assert encode(bytearray(b"a")) == encode(memoryview(b"a")) == "a"


def test_what_is_only_received_is_written_too() -> None:
    """The reading of these is a comparison, so they need not come back."""
    info = CloseInfo(initiator="remote", cause=ConnectionLost(None, "gone"), received=Close(code=1001))
    assert encode(info) == {
        "is": "CloseInfo",
        "initiator": "remote",
        "cause": {"error": "ConnectionLost", "text": "gone"},
        "received": {"is": "Close", "code": 1001},
    }
    assert encode(Writable()) == {"is": "Writable"}
    assert encode(CLOSE) == {"end": "CLOSE"}
    assert encode(None) is None


def test_what_no_connection_takes_is_named_by_its_class() -> None:
    assert encode([object(), Writable]) == [{"unknown": "object"}, {"unknown": "type"}]


def test_an_error_of_the_peer_comes_back_and_of_others_only_the_name() -> None:
    """What others say may be a secret."""
    error = RemoteProtocolError("too big", section="RFC 6455 §7.4", close_code=1009, status_code=413)
    value = encode(error)
    assert value == {
        "error": "RemoteProtocolError",
        "text": "too big",
        "section": "RFC 6455 §7.4",
        "status_code": 413,
        "close_code": 1009,
    }
    again = decode_error(value)
    assert isinstance(again, RemoteProtocolError)
    assert (str(again), again.section, again.status_code, again.close_code) == (
        "too big",
        "RFC 6455 §7.4",
        413,
        1009,
    )
    bare = encode(RemoteProtocolError("x", section="y"))
    assert bare == {"error": "RemoteProtocolError", "text": "x", "section": "y"}
    other = encode(KeyError("password"))
    assert other == {"error": "KeyError"}
    stand_in = decode_error(other)
    assert isinstance(stand_in, RecordedError)
    assert encode(stand_in) == other


def test_settings_come_back_whole_and_as_changes() -> None:
    limits, timeouts = Limits(max_body=1, max_message_size=None), Timeouts(head=1.5, body=None)
    assert decode_settings(Limits(), encode_all(limits)) == limits
    assert encode_changes(Limits(), limits) == {"max_body": 1, "max_message_size": None}
    assert decode_settings(Limits(), {"max_body": 1, "max_message_size": None}) == limits
    assert encode_changes(Timeouts(), timeouts) == {"head": 1.5, "body": None}
    assert decode_settings(Timeouts(), {"head": 1.5, "body": None}) == timeouts


def test_compression_comes_back() -> None:
    deflate = Deflate(level=3, client_no_context_takeover=True)
    value = encode(deflate)
    assert value == {"is": "Deflate", "client_no_context_takeover": True, "level": 3}
    assert decode_deflate(value) == deflate


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"is": "Writable"}, "'Writable' is nothing that can be sent"),
        ({}, "None is nothing that can be sent"),
        ({"is": "x" * 100}, f"'{'x' * 59} is nothing that can be sent"),
        ([], "an object is needed"),
        ({"is": "Ping", "x": 1}, "Ping has no 'x'"),
        ({"is": "BodyData"}, "BodyData is not complete"),
        ({"is": "BodyData", "data": 1}, "data of BodyData: bytes are needed"),
        ({"is": "BodyData", "data": {"base64": "?"}}, "data of BodyData: no base64: .*"),
        ({"is": "BodyData", "data": "ä"}, "data of BodyData: .*"),
        ({"is": "BodyEnd", "trailers": [["a"]]}, "trailers of BodyEnd: a field has a name and a value"),
        ({"is": "Close", "code": "a"}, "code of Close: a whole number is needed"),
        (
            {"is": "RequestHead", "websocket": {"is": "Ping"}},
            "websocket of RequestHead: 'Ping' is nothing that can be sent",
        ),
    ],
)
def test_what_is_no_event_is_told(value: Json, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        decode_event(value)


def test_what_is_of_another_kind_is_told() -> None:
    readers: list[tuple[Callable[[Json], object], Json, str]] = [
        (as_object, 1, "an object"),
        (as_list, {}, "a list"),
        (as_text, 1, "a text"),
        (as_number, True, "a number"),
        (as_whole, 1.5, "a whole number"),
        (as_truth, 1, "true or false"),
    ]
    for read, value, kind in readers:
        with pytest.raises(ValueError, match=f"^{kind} is needed$"):
            read(value)
    assert (as_whole(3), as_number(3), as_truth(False)) == (3, 3, False)


def test_a_setting_of_another_version_is_told() -> None:
    with pytest.raises(ValueError, match=r"^Limits has no 'max_x'$"):
        decode_settings(Limits(), {"max_x": 1})
