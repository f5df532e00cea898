"""The states of one HTTP exchange: a request and its answer on one connection (RFC 9112 §9.3).

A state says how far the request has come and how far its final answer has. What is not a state: interim
answers (1xx) change nothing; how many bytes of a content are left is known to `incoming` and `outgoing`; a
connection that failed or is over is a fact about the stream. The table is the same for both roles: a server
receives the request side, a client sends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from spry_core.errors import LocalProtocolError
from spry_core.protocol.events import Accept, BodyData, BodyEnd, RequestHead, ResponseHead, SentEvent


class State(Enum):
    """Where one exchange is."""

    IDLE = auto()  # no request yet
    REQUEST = auto()  # the request's head is through, its content is not
    WAITING = auto()  # the request is complete, the final answer has not begun
    EARLY = auto()  # the final answer has begun before the request was complete
    ANSWER = auto()  # the request is complete, the final answer is under way
    LATE = auto()  # the answer is complete, the request is not
    DONE = auto()  # both are complete
    SWITCHED = auto()  # the stream belongs to WebSocket (RFC 9110 §7.8)


class Step(Enum):
    """What can happen in an exchange."""

    REQUEST_HEAD = "the head of a request"
    REQUEST_DATA = "content of a request"
    REQUEST_END = "the end of a request"
    INTERIM = "an interim response"
    RESPONSE_HEAD = "the head of a response"
    RESPONSE_DATA = "content of a response"
    RESPONSE_END = "the end of a response"
    SWITCH = "a 101"
    NEXT = "the next exchange"


# That of Enum is a call into Python for each look into a dict; set like this, no checker takes it for another type.
type.__setattr__(State, "__hash__", object.__hash__)
type.__setattr__(Step, "__hash__", object.__hash__)

TRANSITIONS: Final[Mapping[tuple[State, Step], State]] = {
    (State.IDLE, Step.REQUEST_HEAD): State.REQUEST,
    (State.REQUEST, Step.REQUEST_DATA): State.REQUEST,
    (State.REQUEST, Step.REQUEST_END): State.WAITING,
    (State.REQUEST, Step.INTERIM): State.REQUEST,
    (State.REQUEST, Step.RESPONSE_HEAD): State.EARLY,
    (State.WAITING, Step.INTERIM): State.WAITING,
    (State.WAITING, Step.SWITCH): State.SWITCHED,
    (State.WAITING, Step.RESPONSE_HEAD): State.ANSWER,
    (State.EARLY, Step.REQUEST_DATA): State.EARLY,
    (State.EARLY, Step.REQUEST_END): State.ANSWER,
    (State.EARLY, Step.RESPONSE_DATA): State.EARLY,
    (State.EARLY, Step.RESPONSE_END): State.LATE,
    (State.ANSWER, Step.RESPONSE_DATA): State.ANSWER,
    (State.ANSWER, Step.RESPONSE_END): State.DONE,
    (State.LATE, Step.REQUEST_DATA): State.LATE,
    (State.LATE, Step.REQUEST_END): State.DONE,
    (State.DONE, Step.NEXT): State.IDLE,
}

_REQUEST_SIDE: Final[Mapping[type[SentEvent], Step]] = {
    RequestHead: Step.REQUEST_HEAD,
    BodyData: Step.REQUEST_DATA,
    BodyEnd: Step.REQUEST_END,
}
_RESPONSE_SIDE: Final[Mapping[type[SentEvent], Step]] = {
    ResponseHead: Step.RESPONSE_HEAD,
    BodyData: Step.RESPONSE_DATA,
    BodyEnd: Step.RESPONSE_END,
    Accept: Step.SWITCH,
}


def step_of(event: SentEvent, *, is_request_side: bool) -> Step:
    """Return the step that `event` is, coming from the client or from the server; raise `LocalProtocolError`
    if it is none.
    """
    if isinstance(event, ResponseHead) and event.status_code < 200 and not is_request_side:
        return Step.INTERIM
    try:
        return (_REQUEST_SIDE if is_request_side else _RESPONSE_SIDE)[type(event)]
    except KeyError:
        side = "client" if is_request_side else "server"
        raise LocalProtocolError(f"a {side} cannot send {type(event).__name__} over HTTP/1.1") from None


def advance(state: State, step: Step) -> State:
    """Return the state that follows, or raise `LocalProtocolError` if no row allows it."""
    try:
        return TRANSITIONS[state, step]
    except KeyError:
        raise LocalProtocolError(f"{step.value} cannot come in state {state.name}") from None
