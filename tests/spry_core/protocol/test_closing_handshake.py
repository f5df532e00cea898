"""Tests of `spry_core.protocol.closing_handshake`: the table of the WebSocket life (RFC 6455 §7)."""

from __future__ import annotations

from itertools import product

import pytest

from spry_core.closing import Close, CloseInfo
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol.closing_handshake import TRANSITIONS, Direction, State, advance
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
    Ping,
    Pong,
    RequestHead,
    ResponseHead,
    Writable,
)

EVENTS: list[Event] = [
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
SENT, RECEIVED = Direction.SENT, Direction.RECEIVED

ROWS: dict[tuple[State, Direction, str], State] = {
    **{
        (State.OPEN, direction, name): State.OPEN
        for direction in (SENT, RECEIVED)
        for name in ("Message", "MessageStart", "MessageData", "MessageEnd", "Ping", "Pong")
    },
    (State.OPEN, SENT, "Close"): State.CLOSE_SENT,
    (State.OPEN, RECEIVED, "Close"): State.CLOSE_RECEIVED,
    **{(State.CLOSE_SENT, RECEIVED, name): State.CLOSE_SENT for name in ("Message", "Ping", "Pong")},
    (State.CLOSE_SENT, RECEIVED, "Close"): State.CLOSED,
    (State.CLOSE_RECEIVED, SENT, "Close"): State.CLOSED,
}
"""Written down once more, by hand: what RFC 6455 §5.5.1 and §7.1 allow."""


@pytest.mark.parametrize(
    ("state", "direction", "event"),
    list(product(State, Direction, EVENTS)),
    ids=lambda value: value.name if isinstance(value, (State, Direction)) else type(value).__name__,
)
def test_every_combination_is_a_row_or_an_error(state: State, direction: Direction, event: Event) -> None:
    name = type(event).__name__
    following = ROWS.get((state, direction, name))
    if following is not None:
        assert advance(state, direction, event) is following
        return
    with pytest.raises(LocalProtocolError) as caught:
        advance(state, direction, event)
    assert str(caught.value) == f"{name} cannot be {direction.value} in state {state.name}"
    assert caught.value.__suppress_context__


def test_the_table_has_no_other_row() -> None:
    assert {
        (state, direction, kind.__name__): to for (state, direction, kind), to in TRANSITIONS.items()
    } == ROWS


def test_nothing_leads_out_of_the_end() -> None:
    assert not [row for row in TRANSITIONS if row[0] is State.CLOSED]


def test_every_state_is_reached_from_the_start() -> None:
    reached = {State.OPEN}
    for _ in State:
        reached |= {to for (state, _, _), to in TRANSITIONS.items() if state in reached}
    assert reached == set(State)
