"""Tests of `spry_core.protocol.closing_handshake`: the table of the WebSocket life, and Close frames (RFC 6455 §7)."""

from __future__ import annotations

from itertools import product

import pytest

from frames import close_payload
from spry_core.closing import Close, CloseInfo
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol.closing_handshake import (
    TRANSITIONS,
    Direction,
    State,
    advance,
    encode_close,
    fail,
    parse_close,
    reported,
)
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
from traces import error_values

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


# ----------------------------------------------------------------------------------------------------------- Close frames


def test_an_error_that_fails_a_connection_has_a_close_code() -> None:
    """RFC 6455 §7.1.7."""
    assert error_values(fail(1002, "x", "y")) == ("x", None, 1002, "y")


@pytest.mark.parametrize(
    ("close", "payload"),
    [
        (Close(), b""),
        (Close(code=1000), close_payload(1000)),
        (Close(code=4999, reason="tschüß"), close_payload(4999, "tschüß")),
    ],
)
def test_what_a_close_frame_says_is_read_as_it_was_written(close: Close, payload: bytes) -> None:
    """RFC 6455 §5.5.1."""
    assert encode_close(close) == payload
    assert parse_close(payload) == close


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        (b"\x03", ("a Close frame with half a code", None, 1002, "RFC 6455 §5.5.1")),
        (close_payload(1005), ("a close code that no Close frame may carry", None, 1002, "RFC 6455 §7.4")),
        (close_payload(1000) + b"\xff", ("the close reason is not UTF-8", None, 1007, "RFC 6455 §5.5.1")),
    ],
)
def test_a_close_frame_that_may_not_be_fails_the_connection(
    payload: bytes, error: tuple[str, int | None, int, str]
) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        parse_close(payload)
    assert error_values(caught.value) == error


OURS, THEIRS, EMPTY = Close(code=1000, reason="a"), Close(code=4000, reason="b"), Close()


@pytest.mark.parametrize(
    ("sent", "received", "is_ended_by_us", "expected"),
    [
        (None, None, False, (1006, "")),
        (None, None, True, (1006, "")),
        (OURS, None, False, (1006, "")),
        (OURS, None, True, (1000, "a")),
        (OURS, THEIRS, True, (4000, "b")),
        (OURS, EMPTY, False, (1005, "")),
    ],
)
def test_reported_is_what_the_peer_said_or_what_we_said_if_we_ended_it(
    sent: Close | None, received: Close | None, is_ended_by_us: bool, expected: tuple[int, str]
) -> None:
    """RFC 6455 §7.1.5, §7.1.6."""
    assert reported(sent, received, is_ended_by_us=is_ended_by_us) == expected
