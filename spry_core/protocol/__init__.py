"""The wire: bytes to events and back, limits and deadlines, HTTP/1.1 that may become a WebSocket. Usable
alone.
"""

from __future__ import annotations

from spry_core.closing import Close, CloseInfo
from spry_core.protocol.connection import Connection
from spry_core.protocol.deflate import Agreement, Deflate
from spry_core.protocol.engines import DEFAULT_ENGINE, HAS_SPEEDUPS, EngineName, Role
from spry_core.protocol.events import (
    Accept,
    BodyData,
    BodyEnd,
    ConnectionEnded,
    Event,
    Failure,
    Kind,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Offer,
    Ping,
    Pong,
    RawFields,
    Refusal,
    RequestHead,
    ResponseHead,
    SentEvent,
    Writable,
)
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.prepared import PreparedMessage
from spry_core.protocol.stream import ABORT, CLOSE, HALF_CLOSE, StreamEnd

__all__ = [
    "ABORT",
    "CLOSE",
    "DEFAULT_ENGINE",
    "HALF_CLOSE",
    "HAS_SPEEDUPS",
    "Accept",
    "Agreement",
    "BodyData",
    "BodyEnd",
    "Close",
    "CloseInfo",
    "Connection",
    "ConnectionEnded",
    "Deflate",
    "EngineName",
    "Event",
    "Failure",
    "Kind",
    "Limits",
    "Message",
    "MessageData",
    "MessageEnd",
    "MessageStart",
    "Offer",
    "Ping",
    "Pong",
    "PreparedMessage",
    "RawFields",
    "Refusal",
    "RequestHead",
    "ResponseHead",
    "Role",
    "SentEvent",
    "StreamEnd",
    "Timeouts",
    "Writable",
]
