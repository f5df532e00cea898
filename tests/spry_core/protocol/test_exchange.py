"""Tests of `spry_core.protocol.exchange`: the table of one request and its answer (RFC 9112 §9.3)."""

from __future__ import annotations

from itertools import product

import pytest

from spry_core.closing import Close
from spry_core.errors import LocalProtocolError
from spry_core.protocol.events import (
    Accept,
    BodyData,
    BodyEnd,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ping,
    Pong,
    RequestHead,
    ResponseHead,
    SentEvent,
)
from spry_core.protocol.exchange import TRANSITIONS, State, Step, advance, step_of

ROWS = """
IDLE     REQUEST_HEAD   REQUEST
REQUEST  REQUEST_DATA   REQUEST
REQUEST  REQUEST_END    WAITING
REQUEST  INTERIM        REQUEST
REQUEST  RESPONSE_HEAD  EARLY
WAITING  INTERIM        WAITING
WAITING  SWITCH         SWITCHED
WAITING  RESPONSE_HEAD  ANSWER
EARLY    REQUEST_DATA   EARLY
EARLY    REQUEST_END    ANSWER
EARLY    RESPONSE_DATA  EARLY
EARLY    RESPONSE_END   LATE
ANSWER   RESPONSE_DATA  ANSWER
ANSWER   RESPONSE_END   DONE
LATE     REQUEST_DATA   LATE
LATE     REQUEST_END    DONE
DONE     NEXT           IDLE
"""
TABLE = {
    (State[row[0]], Step[row[1]]): State[row[2]]
    for row in (line.split() for line in ROWS.strip().splitlines())
}


@pytest.mark.parametrize(("state", "step"), list(product(State, Step)), ids=lambda value: value.name)
def test_every_combination_is_a_row_or_an_error(state: State, step: Step) -> None:
    following = TABLE.get((state, step))
    if following is not None:
        assert advance(state, step) is following
        return
    with pytest.raises(LocalProtocolError) as caught:
        advance(state, step)
    assert str(caught.value) == f"{step.value} cannot come in state {state.name}"
    assert caught.value.__suppress_context__


def test_the_table_has_no_other_row() -> None:
    assert TABLE == TRANSITIONS


def test_nothing_leads_back_from_websocket() -> None:
    """After the 101 the stream is never HTTP again (RFC 9110 §7.8)."""
    assert not [row for row in TRANSITIONS if row[0] is State.SWITCHED]


REQUEST = RequestHead(method=b"GET", target=b"/")
CLIENT: dict[SentEvent, Step] = {
    REQUEST: Step.REQUEST_HEAD,
    BodyData(data=b"x"): Step.REQUEST_DATA,
    BodyEnd(): Step.REQUEST_END,
}
SERVER: dict[SentEvent, Step] = {
    ResponseHead(status_code=100): Step.INTERIM,
    ResponseHead(status_code=199): Step.INTERIM,
    ResponseHead(status_code=200): Step.RESPONSE_HEAD,
    BodyData(data=b"x"): Step.RESPONSE_DATA,
    BodyEnd(): Step.RESPONSE_END,
    Accept(): Step.SWITCH,
}
NEITHER: list[SentEvent] = [
    Message(data="x"),
    MessageStart(kind="text"),
    MessageData(data="x"),
    MessageEnd(),
    Ping(),
    Pong(),
    Close(),
]
ALL: list[SentEvent] = [*dict.fromkeys([*CLIENT, *SERVER]), *NEITHER]


@pytest.mark.parametrize("event", ALL, ids=repr)
@pytest.mark.parametrize(("side", "steps"), [("client", CLIENT), ("server", SERVER)])
def test_each_side_has_its_steps_and_no_others(
    side: str, steps: dict[SentEvent, Step], event: SentEvent
) -> None:
    if event in steps:
        assert step_of(event, is_request_side=side == "client") is steps[event]
        return
    with pytest.raises(LocalProtocolError) as caught:
        step_of(event, is_request_side=side == "client")
    assert str(caught.value) == f"a {side} cannot send {type(event).__name__} over HTTP/1.1"
