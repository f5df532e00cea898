"""The routing table: path patterns, the look-up, and the methods that register routes. It never calls a handler."""

from __future__ import annotations

from spry_core.routing.builder import BaseRouteBuilder, Controller, Entry, RouteBuilder, RouteTable
from spry_core.routing.pattern import Constant, Parameter, Pattern, Rest, Segment, Wildcard, split_path
from spry_core.routing.tree import (
    WEBSOCKET,
    Answer,
    BadPath,
    Match,
    MethodNotAllowed,
    NotFound,
    Route,
    Router,
)

__all__ = [
    "WEBSOCKET",
    "Answer",
    "BadPath",
    "BaseRouteBuilder",
    "Constant",
    "Controller",
    "Entry",
    "Match",
    "MethodNotAllowed",
    "NotFound",
    "Parameter",
    "Pattern",
    "Rest",
    "Route",
    "RouteBuilder",
    "RouteTable",
    "Router",
    "Segment",
    "Wildcard",
    "split_path",
]
