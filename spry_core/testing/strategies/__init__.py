"""Hypothesis strategies for HTTP/1.1 and WebSocket: what a peer may send, right and wrong, and how it may be cut."""

from __future__ import annotations

from spry_core.testing.strategies.broken_compressed import broken_compressed
from spry_core.testing.strategies.broken_requests import BrokenRequests, broken_requests
from spry_core.testing.strategies.broken_responses import BrokenResponse, broken_responses
from spry_core.testing.strategies.broken_websockets import (
    BrokenHandshake,
    BrokenWebSocket,
    broken_handshakes,
    broken_websockets,
)
from spry_core.testing.strategies.closing import (
    application_close_codes,
    close_codes,
    close_reasons,
    closes,
    forbidden_close_codes,
    reserved_close_codes,
)
from spry_core.testing.strategies.content import contents
from spry_core.testing.strategies.conversations import HttpConversation, http_conversations
from spry_core.testing.strategies.cuts import Cut, cuts, cutters
from spry_core.testing.strategies.deflate import (
    DeflateOffer,
    agreements,
    broken_deflate_offers,
    deflate_offers,
)
from spry_core.testing.strategies.fields import field_names, field_values, header_sections, tokens
from spry_core.testing.strategies.frames import (
    close_frames,
    control_payloads,
    fragments,
    frames,
    masks,
    messages,
    pings_and_pongs,
)
from spry_core.testing.strategies.requests import HttpRequest, http_methods, requests
from spry_core.testing.strategies.responses import HttpResponse, reason_phrases, responses, status_codes
from spry_core.testing.strategies.routes import (
    RouteRow,
    constants,
    parameters,
    paths_of,
    patterns,
    route_tables,
)
from spry_core.testing.strategies.targets import hosts, paths, queries, segments, targets, texts
from spry_core.testing.strategies.verdict import Verdict
from spry_core.testing.strategies.websockets import (
    OpeningHandshake,
    WebSocketConversation,
    keys,
    opening_handshakes,
    websocket_conversations,
)

__all__ = [
    "BrokenHandshake",
    "BrokenRequests",
    "BrokenResponse",
    "BrokenWebSocket",
    "Cut",
    "DeflateOffer",
    "HttpConversation",
    "HttpRequest",
    "HttpResponse",
    "OpeningHandshake",
    "RouteRow",
    "Verdict",
    "WebSocketConversation",
    "agreements",
    "application_close_codes",
    "broken_compressed",
    "broken_deflate_offers",
    "broken_handshakes",
    "broken_requests",
    "broken_responses",
    "broken_websockets",
    "close_codes",
    "close_frames",
    "close_reasons",
    "closes",
    "constants",
    "contents",
    "control_payloads",
    "cuts",
    "cutters",
    "deflate_offers",
    "field_names",
    "field_values",
    "forbidden_close_codes",
    "fragments",
    "frames",
    "header_sections",
    "hosts",
    "http_conversations",
    "http_methods",
    "keys",
    "masks",
    "messages",
    "opening_handshakes",
    "parameters",
    "paths",
    "paths_of",
    "patterns",
    "pings_and_pongs",
    "queries",
    "reason_phrases",
    "requests",
    "reserved_close_codes",
    "responses",
    "route_tables",
    "segments",
    "status_codes",
    "targets",
    "texts",
    "tokens",
    "websocket_conversations",
]
