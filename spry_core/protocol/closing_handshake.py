"""The states of a WebSocket connection: messages, then the closing handshake (RFC 6455 §7); what a Close frame carries, and
what is reported of two.

A state says which Close frames have passed. What is not a state: a message in pieces is held by who
makes it, `data_frames` or `assembly`; a connection that we failed parses nothing more, whatever its state; whether
the stream is open is a fact about the stream.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final

from spry_core.closing import ABNORMAL_CLOSURE, NO_STATUS_RECEIVED, Close, is_wire_close_code
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol.events import Event, Message, MessageData, MessageEnd, MessageStart, Ping, Pong


class State(Enum):
    """Where one WebSocket connection is."""

    OPEN = auto()  # messages flow both ways (RFC 6455 §4.1)
    CLOSE_SENT = auto()  # we began the closing handshake (RFC 6455 §7.1.3)
    CLOSE_RECEIVED = auto()  # the peer began it; our Close follows at once
    CLOSED = auto()  # a Close frame has passed both ways (RFC 6455 §7.1.4)


class Direction(Enum):
    """Which way an event went."""

    SENT = "sent"
    RECEIVED = "received"


# That of Enum is a call into Python for each look into a dict; set like this, no checker takes it for another type.
type.__setattr__(State, "__hash__", object.__hash__)
type.__setattr__(Direction, "__hash__", object.__hash__)

TRANSITIONS: Final[Mapping[tuple[State, Direction, type[Event]], State]] = {
    (State.OPEN, Direction.RECEIVED, Message): State.OPEN,
    (State.OPEN, Direction.RECEIVED, MessageStart): State.OPEN,
    (State.OPEN, Direction.RECEIVED, MessageData): State.OPEN,
    (State.OPEN, Direction.RECEIVED, MessageEnd): State.OPEN,
    (State.OPEN, Direction.RECEIVED, Ping): State.OPEN,
    (State.OPEN, Direction.RECEIVED, Pong): State.OPEN,
    (State.OPEN, Direction.RECEIVED, Close): State.CLOSE_RECEIVED,
    (State.OPEN, Direction.SENT, Message): State.OPEN,
    (State.OPEN, Direction.SENT, MessageStart): State.OPEN,
    (State.OPEN, Direction.SENT, MessageData): State.OPEN,
    (State.OPEN, Direction.SENT, MessageEnd): State.OPEN,
    (State.OPEN, Direction.SENT, Ping): State.OPEN,
    (State.OPEN, Direction.SENT, Pong): State.OPEN,
    (State.OPEN, Direction.SENT, Close): State.CLOSE_SENT,
    # What the peer sent before it saw our Close may still arrive; it is dropped, and never in pieces (RFC 6455 §1.4).
    (State.CLOSE_SENT, Direction.RECEIVED, Message): State.CLOSE_SENT,
    (State.CLOSE_SENT, Direction.RECEIVED, Ping): State.CLOSE_SENT,
    (State.CLOSE_SENT, Direction.RECEIVED, Pong): State.CLOSE_SENT,
    (State.CLOSE_SENT, Direction.RECEIVED, Close): State.CLOSED,
    # The answer may wait for an unfinished message (RFC 6455 §5.5.1); ours does not.
    (State.CLOSE_RECEIVED, Direction.SENT, Close): State.CLOSED,
}


def advance(state: State, direction: Direction, event: Event) -> State:
    """Return the state that follows, or raise `LocalProtocolError` if no row allows it."""
    try:
        return TRANSITIONS[state, direction, type(event)]
    except KeyError:
        message = f"{type(event).__name__} cannot be {direction.value} in state {state.name}"
        raise LocalProtocolError(message) from None


def fail(close_code: int, message: str, section: str) -> RemoteProtocolError:
    """Make the error that fails a WebSocket connection with `close_code` (RFC 6455 §7.1.7)."""
    return RemoteProtocolError(message, close_code=close_code, section=section)


def encode_close(close: Close) -> bytes:
    """Return the payload of a Close frame (RFC 6455 §5.5.1)."""
    return b"" if close.code is None else close.code.to_bytes(2, "big") + close.reason.encode()


def parse_close(payload: bytes) -> Close:
    """Read the payload of a Close frame, or raise `RemoteProtocolError` (RFC 6455 §5.5.1, §7.4)."""
    if not payload:
        return Close()
    if len(payload) == 1:
        raise fail(1002, "a Close frame with half a code", "RFC 6455 §5.5.1")
    code = int.from_bytes(payload[:2], "big")
    if not is_wire_close_code(code):
        raise fail(1002, "a close code that no Close frame may carry", "RFC 6455 §7.4")
    try:
        return Close(code=code, reason=payload[2:].decode())
    except UnicodeDecodeError as error:
        raise fail(1007, "the close reason is not UTF-8", "RFC 6455 §5.5.1") from error


def reported(sent: Close | None, received: Close | None, *, is_ended_by_us: bool) -> tuple[int, str]:
    """Return code and reason to report: the peer's, or ours if we failed or timed out (RFC 6455 §7.1.5, §7.1.6)."""
    close = received or (sent if is_ended_by_us else None)
    if close is None:
        return ABNORMAL_CLOSURE, ""
    return (NO_STATUS_RECEIVED if close.code is None else close.code), close.reason
