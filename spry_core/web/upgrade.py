"""The innermost part of a WebSocket route: the opening handshake, the handler, and waiting for the end of the
connection.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import TypeAlias

from spry_core.errors import WebSocketStateError
from spry_core.tasks import part
from spry_core.web.calling import resolve
from spry_core.web.failure import fail_handler
from spry_core.web.filters import ExceptionFilters
from spry_core.web.link import Link
from spry_core.web.middleware import Outcome, Part, Walk, answer
from spry_core.web.opening import Opening
from spry_core.web.options import WebSocketOptions
from spry_core.web.request import Request
from spry_core.web.response import Response, to_response
from spry_core.web.websocket import WebSocket

WebSocketHandler: TypeAlias = Callable[[WebSocket, Request], object]
"""A handler of a WebSocket route, sync or async."""


def websocket_part(
    handler: WebSocketHandler, options: WebSocketOptions, filters: ExceptionFilters, name: str
) -> Part:
    """Make the innermost part of one route's chain; it is left when the connection has ended, and the handler too if that
    runs longer, or with the answer of a handler that has not accepted.

    `name` says in an error which route it was.
    """
    leave = _Leaving(handler, name)
    cancels = options.on_disconnect == "cancel"

    # One coroutine for the handshake, the handler and the end: each costs memory as long as a WebSocket lives.
    async def innermost(request: Request, walk: Walk | None = None) -> Outcome:
        try:
            opening = Opening(request, options)
            ws = WebSocket(opening)
            if options.accept == "auto":
                await ws.accept()
            try:
                given = _interrupted(handler, opening, ws) if cancels else handler(ws, request)
                outcome: Outcome | None = leave(opening, await given if isawaitable(given) else given)
            except BaseException as raised:
                outcome = None
                await _fail(opening.end(), raised)
            if (link := opening.link) is not None:
                link.handler_has_returned(closes=options.close_on_return)
                while not link.is_over:
                    await link.ending.wait()
                outcome = link.info
            assert outcome is not None
        except BaseException as raised:
            error = raised
        else:
            if walk is not None:
                walk.outcome = outcome
            return outcome
        return await answer(error, request, filters, walk)

    return innermost


async def _interrupted(handler: WebSocketHandler, opening: Opening, ws: WebSocket) -> object:
    """Call the handler of a route on which the end of the stream ends it; it then returns nothing."""
    with opening.interrupted_by_end():
        return await resolve(handler(ws, opening.request))
    return None


async def _fail(link: Link | None, raised: BaseException) -> None:
    """Close for what the handler raised; raise again what is not an error of it, and anything before the 101.

    Of a cancellation that is not ours, only a checkpoint can tell whether a middleware's scope has been
    cancelled, to which it must get through, or whether the handler has awaited something cancelled.
    """
    if link is None:
        raise raised
    error, rest = part(raised, is_cancelling=link.is_cancelling)
    if error is not None and not isinstance(error, Exception):
        await link.driver.checkpoint(False)
    if error is not None:
        fail_handler(link, error)
    if rest is not None:
        raise rest from None


class _Leaving:
    """Looks at what the handler of one route has returned."""

    def __init__(self, handler: WebSocketHandler, route: str) -> None:
        self._handler = getattr(handler, "__qualname__", type(handler).__name__)
        self._route = route
        self._has_warned = False

    def __call__(self, opening: Opening, result: object) -> Response | None:
        """Make the answer of a handler that has not accepted; behind a 101 say once that there is none any more."""
        if opening.end() is None:
            if result is None:
                raise WebSocketStateError(
                    f"{self._route} has returned without `await ws.accept()` and without an answer"
                )
            return to_response(result, opening.request, returned_by=self._route)
        if result is not None and not self._has_warned:
            self._has_warned = True
            kind = type(result).__name__
            text = f"what the WebSocket handler {self._handler} returned ({kind}) is ignored: the 101 was the answer"
            opening.request.exchange.report_error(text, None)
        return None
