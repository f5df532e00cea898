"""From the head of a request to the chain that answers it: the application, compiled.

Made once, when serving starts: one composed chain for each route, and one for what no route answers. A request that no handler
can answer gets its verdict here (404, 405, 426 and their like), which is raised inside the application's own middleware and
before any of a group, so that logs and CORS see it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never, cast

from spry_core.protocol.events import Refusal, RequestHead
from spry_core.routing import (
    WEBSOCKET,
    BadPath,
    Entry,
    Match,
    MethodNotAllowed,
    NotFound,
    Route,
    Router,
    RouteTable,
)
from spry_core.web.exceptions import Abort
from spry_core.web.exchange import Exchange
from spry_core.web.filters import ExceptionFilters
from spry_core.web.middleware import Chain, Middleware, compose, surround
from spry_core.web.options import WebSocketOptions, WebSocketSettings, resolve
from spry_core.web.origin import SAME, Origins, is_allowed
from spry_core.web.request import HttpHandler, Request
from spry_core.web.response import Response
from spry_core.web.target import Target, parse_target
from spry_core.web.upgrade import WebSocketHandler, WebSocketPart

Handler: TypeAlias = HttpHandler | WebSocketHandler
"""What can be registered."""

_WEBSOCKET: Final = WEBSOCKET.encode()

Routes: TypeAlias = RouteTable[Handler, Middleware]
"""What an application has registered."""


@dataclass(frozen=True, slots=True)
class _Served:
    """What the compiled table holds for one route."""

    chain: Chain
    origins: Origins = SAME


class Dispatcher:
    """Finds the chain for each request.

    Args:
        routes: What is registered.
        middleware: The application's own, outermost first; what groups add is in their entries.
        filters: The exception filters.
        ws_defaults: What holds for WebSocket routes that do not say otherwise.

    Raises:
        TypeError: `ws_defaults` has a mistake, as for `options.resolve`.
        ValueError: Likewise.
    """

    def __init__(
        self,
        routes: Routes,
        middleware: Iterable[Middleware],
        filters: ExceptionFilters,
        ws_defaults: WebSocketSettings,
    ) -> None:
        self._middleware = tuple(middleware)
        self._filters = filters
        self._http_verdict = compose(self._middleware, _give_verdict, filters, "http")
        self._ws_verdict = compose(self._middleware, _give_verdict, filters, "ws")
        self._router: Router[_Served] = Router(case_sensitive=routes.case_sensitive)
        for entry in routes.entries:
            if entry.method == WEBSOCKET:
                settings = cast("WebSocketSettings", entry.options)
                self._add_websocket(entry, resolve(ws_defaults, settings))
        for entry in routes.entries:
            if entry.method != WEBSOCKET:
                self._add_http(entry)
        self._plain = dict(self._plain_targets())

    def resolve(self, head: RequestHead, exchange: Exchange) -> tuple[Request, Chain]:
        """Return a request and the chain that answers it. It never fails: what is wrong is said by the chain."""
        # An offer counts on a path that has a WebSocket; anywhere else it is ignored (RFC 9110 §7.8).
        is_offer = head.websocket is not None and head.method == b"GET"
        plain = self._plain.get((_WEBSOCKET if is_offer else head.method, head.target))
        if plain is not None:
            return (
                self._open(head, exchange, None, plain[0])
                if is_offer
                else (Request(head, exchange, plain[0]), plain[1])
            )
        method, target = head.method.decode("latin-1"), head.target
        if target.startswith(b"/"):  # the only form that is taken apart by whoever asks for its parts
            parts, path = None, target.partition(b"?")[0].decode("latin-1")
        else:
            parts = parse_target(target.decode("latin-1"), method)
            path = parts.raw_path
        if is_offer:
            found = self._router.match(WEBSOCKET, path)
            if isinstance(found, Match):
                return self._open(head, exchange, parts, found)
        found = self._router.match(method, path)
        if isinstance(found, Match):
            return Request(head, exchange, found, parts), found.route.handler.chain
        return Request(head, exchange, None, parts, False, _verdict(found, method, path)), self._http_verdict

    def _plain_targets(self) -> Iterator[tuple[tuple[bytes, bytes], tuple[Match[_Served], Chain]]]:
        """Give the targets that routes of constants have as they are written, and what `resolve` finds for them."""
        for route in self._router:
            path = str(route.pattern)
            found = self._router.match(route.method, path)
            if isinstance(found, Match) and path.isascii() and "?" not in path:
                yield (route.method.encode(), path.encode()), (found, route.handler.chain)

    def _open(
        self, head: RequestHead, exchange: Exchange, target: Target | None, found: Match[_Served]
    ) -> tuple[Request, Chain]:
        """Take an opening handshake to its route, or refuse it before any middleware of a group sees it."""
        served, verdict = found.route.handler, None
        if isinstance(head.websocket, Refusal):
            verdict = Abort(head.websocket.status_code, head.websocket.reason)
        elif not is_allowed(served.origins, head, None if target is None else target.authority):
            verdict = Abort(403, "this origin may not connect")
        request = Request(head, exchange, found, target, is_upgrade=True, verdict=verdict)
        return request, served.chain if verdict is None else self._ws_verdict

    def _add_websocket(self, entry: Entry[Handler, Middleware], options: WebSocketOptions) -> None:
        name = f"WS {entry.pattern}"
        part = WebSocketPart(cast("WebSocketHandler", entry.handler), options, self._filters, name)
        chain = surround(part, (*self._middleware, *entry.middleware), self._filters, "ws")
        self._router.add(Route(WEBSOCKET, entry.pattern, _Served(chain, options.origins), entry.place))
        if options.fallback is not None:
            name = f"the fallback of {entry.pattern}"
            self._router.add(self._route(entry, "GET", options.fallback, name))

    def _add_http(self, entry: Entry[Handler, Middleware]) -> None:
        # Entries do not conflict with each other: it is a fallback that answers in the place of a GET route.
        if self._router.registered(entry.method, entry.pattern) is None:
            handler, name = cast("HttpHandler", entry.handler), f"{entry.method} {entry.pattern}"
            self._router.add(self._route(entry, entry.method, handler, name))

    def _route(
        self,
        entry: Entry[Handler, Middleware],
        method: str,
        endpoint: Callable[[Request], object],
        name: str,
    ) -> Route[_Served]:
        chain = compose((*self._middleware, *entry.middleware), endpoint, self._filters, "http", name)
        return Route(method, entry.pattern, _Served(chain), entry.place)


async def _give_verdict(request: Request) -> Response:
    """Answer as the dispatcher decided; as an exception, so that filters may make a page of it."""
    assert request.verdict is not None
    if isinstance(request.verdict, Response):
        return request.verdict
    raise request.verdict


def _verdict(found: NotFound | MethodNotAllowed | BadPath, method: str, path: str) -> Abort | Response:
    """Say what a request deserves that no route answers."""
    match found:
        case BadPath() if method == "OPTIONS" and path == "*":
            return Response(status_code=204)  # the whole server was asked, and it is there (RFC 9110 §9.3.7)
        case BadPath():
            return Abort(400, found.reason)
        case NotFound():
            return Abort(404)
        case MethodNotAllowed() if method == "OPTIONS":
            return Response(status_code=204, headers={"allow": ", ".join(found.allow)})
        case MethodNotAllowed() if method in ("GET", "HEAD") and "GET" in found.allow:
            return Abort(
                426
            )  # only by a WebSocket can there be a GET that no GET may have (RFC 9110 §15.5.22)
        case MethodNotAllowed():
            return Abort(405, headers={"allow": ", ".join(found.allow)})
        case _:
            assert_never(found)
