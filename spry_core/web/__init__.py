"""What applications are made of: application, request, response, WebSocket, middleware, exception filters."""

from __future__ import annotations

from spry_core.web.application import Application, RouteGroup, RouteRegistry
from spry_core.web.body import RequestBody
from spry_core.web.cookies import SameSite
from spry_core.web.dispatch import Dispatcher
from spry_core.web.exceptions import Abort, Rethrow, WebSocketClose
from spry_core.web.exchange import Exchange, StreamInfo
from spry_core.web.filters import ExceptionFilters, Filter
from spry_core.web.incoming import Incoming, IncomingBinary, IncomingMessage, IncomingText
from spry_core.web.link import Link, ReadyState, SendResult
from spry_core.web.middleware import Chain, Middleware, MiddlewareStack, Next, Outcome
from spry_core.web.options import AcceptMode, Compression, WebSocketOptions, WebSocketSettings
from spry_core.web.origin import Origins
from spry_core.web.request import HttpHandler, Params, Request
from spry_core.web.response import Content, Response
from spry_core.web.sending import Sendable
from spry_core.web.subscription import Subscription
from spry_core.web.upgrade import WebSocketHandler
from spry_core.web.websocket import WebSocket

__all__ = [
    "Abort",
    "AcceptMode",
    "Application",
    "Chain",
    "Compression",
    "Content",
    "Dispatcher",
    "ExceptionFilters",
    "Exchange",
    "Filter",
    "HttpHandler",
    "Incoming",
    "IncomingBinary",
    "IncomingMessage",
    "IncomingText",
    "Link",
    "Middleware",
    "MiddlewareStack",
    "Next",
    "Origins",
    "Outcome",
    "Params",
    "ReadyState",
    "Request",
    "RequestBody",
    "Response",
    "Rethrow",
    "RouteGroup",
    "RouteRegistry",
    "SameSite",
    "SendResult",
    "Sendable",
    "StreamInfo",
    "Subscription",
    "WebSocket",
    "WebSocketClose",
    "WebSocketHandler",
    "WebSocketOptions",
    "WebSocketSettings",
]
