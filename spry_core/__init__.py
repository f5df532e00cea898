"""Spry: a web toolkit for HTTP/1.1 and WebSocket whose whole behaviour is a pure core.

Here is what applications are made of. The wire is in `spry_core.protocol`, the look-up in
`spry_core.routing`, what a backend drives in `spry_core.serving`, what handlers do with time in
`spry_core.tasks`, what tests need in `spry_core.testing`.
"""

from __future__ import annotations

from spry_core.closing import (
    Close,
    CloseInfo,
    ConnectionClosed,
    ConnectionLost,
    KeepaliveTimeout,
    ProtocolFailure,
)
from spry_core.errors import (
    BufferFull,
    HandshakeRejected,
    LocalProtocolError,
    RemoteProtocolError,
    ResponseSealedError,
    SpryError,
    WebSocketBusyError,
    WebSocketStateError,
)
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.tasks import TaskScope, scope, sleep, timeout
from spry_core.version import VERSION
from spry_core.web.application import Application, RouteGroup
from spry_core.web.broadcast import broadcast
from spry_core.web.exceptions import Abort, Rethrow, WebSocketClose
from spry_core.web.incoming import Incoming, IncomingBinary, IncomingMessage, IncomingText
from spry_core.web.link import ReadyState, SendResult
from spry_core.web.middleware import Middleware, Next, Outcome
from spry_core.web.request import Request
from spry_core.web.response import Response
from spry_core.web.subscription import Subscription
from spry_core.web.websocket import WebSocket

__version__ = VERSION

__all__ = [
    "VERSION",
    "Abort",
    "Application",
    "BufferFull",
    "Close",
    "CloseInfo",
    "ConnectionClosed",
    "ConnectionLost",
    "Deflate",
    "HandshakeRejected",
    "Incoming",
    "IncomingBinary",
    "IncomingMessage",
    "IncomingText",
    "KeepaliveTimeout",
    "Limits",
    "LocalProtocolError",
    "Middleware",
    "Next",
    "Outcome",
    "ProtocolFailure",
    "ReadyState",
    "RemoteProtocolError",
    "Request",
    "Response",
    "ResponseSealedError",
    "Rethrow",
    "RouteGroup",
    "SendResult",
    "SpryError",
    "Subscription",
    "TaskScope",
    "Timeouts",
    "WebSocket",
    "WebSocketBusyError",
    "WebSocketClose",
    "WebSocketStateError",
    "broadcast",
    "scope",
    "sleep",
    "timeout",
]
