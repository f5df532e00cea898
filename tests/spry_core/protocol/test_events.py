"""Tests of `spry_core.protocol.events`: facts that never change, equal by value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass
from typing import get_args

import pytest

from spry_core.closing import Close, CloseInfo
from spry_core.errors import RemoteProtocolError
from spry_core.protocol.events import (
    Accept,
    BodyData,
    BodyEnd,
    ConnectionEnded,
    Event,
    Failure,
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
    Writable,
    body_data,
    request_head,
)

EVENTS = [
    RequestHead(method=b"GET", target=b"/"),
    ResponseHead(status_code=200),
    BodyData(data=b"x"),
    BodyEnd(),
    Accept(),
    Message(data="x"),
    MessageStart(kind="text"),
    MessageData(data="x"),
    MessageEnd(),
    Ping(),
    Pong(),
    Close(),
    Failure(error=RemoteProtocolError("x", section="y")),
    Writable(),
    ConnectionEnded(info=CloseInfo(initiator="local")),
]
VALUES = [*EVENTS, Offer(key=b"x"), Refusal(status_code=400, reason="x")]


def test_the_union_is_closed_and_only_what_a_caller_may_say_can_be_sent() -> None:
    assert get_args(Event) == tuple(type(event) for event in EVENTS)
    assert set(get_args(Event)) - set(get_args(SentEvent)) == {Failure, Writable, ConnectionEnded}
    assert set(get_args(SentEvent)) < set(get_args(Event))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_fact_is_frozen_slotted_and_takes_its_parts_by_name(value: object) -> None:
    assert is_dataclass(value)
    assert not hasattr(value, "__dict__")
    for field in fields(value):
        with pytest.raises(FrozenInstanceError):
            setattr(value, field.name, None)
    make: Callable[..., object] = type(value)
    if fields(value):
        with pytest.raises(TypeError):
            make(*(getattr(value, field.name) for field in fields(value)))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_equal_parts_make_equal_facts(value: object) -> None:
    assert is_dataclass(value)
    parts = {field.name: getattr(value, field.name) for field in fields(value)}
    make: Callable[..., object] = type(value)
    assert make(**parts) == value
    assert hash(make(**parts)) == hash(value)
    assert [other for other in VALUES if other == value] == [value]


def test_what_is_left_out_is_the_plain_case() -> None:
    assert RequestHead(method=b"GET", target=b"/") == RequestHead(
        method=b"GET", target=b"/", headers=(), http_version=b"1.1", websocket=None
    )
    assert ResponseHead(status_code=200) == ResponseHead(
        status_code=200, headers=(), reason_phrase=b"", http_version=b"1.1"
    )
    assert Accept() == Accept(subprotocol=None, extensions=(), headers=())
    assert Offer(key=b"x") == Offer(key=b"x", subprotocols=(), extensions=())
    assert (BodyEnd().trailers, Ping().payload, Pong().payload) == ((), b"", b"")


def test_a_head_that_is_made_in_a_hurry_is_like_any_other() -> None:
    head = request_head(b"GET", b"/", ((b"host", b"a"),), b"1.0")
    made = RequestHead(method=b"GET", target=b"/", headers=((b"host", b"a"),), http_version=b"1.0")
    assert (type(head), head, hash(head), repr(head)) == (RequestHead, made, hash(made), repr(made))
    with pytest.raises(FrozenInstanceError):
        setattr(head, "method", None)  # noqa: B010 - a checker knows that it cannot be set


def test_content_that_is_made_in_a_hurry_is_like_any_other() -> None:
    content, made = body_data(b"a"), BodyData(data=b"a")
    assert (type(content), content, hash(content), repr(content)) == (BodyData, made, hash(made), repr(made))
    with pytest.raises(FrozenInstanceError):
        setattr(content, "data", None)  # noqa: B010 - a checker knows that it cannot be set
