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
from spry_core.web.middleware import Outcome, Walk, answer
from spry_core.web.opening import Opening
from spry_core.web.options import WebSocketOptions
from spry_core.web.request import Request
from spry_core.web.response import Response, to_response
from spry_core.web.websocket import WebSocket

WebSocketHandler: TypeAlias = Callable[[WebSocket, Request], object]
"""A handler of a WebSocket route, sync or async."""


class WebSocketPart:
    """The innermost part of the chain of one route; `name` says in an error which route it was."""

    def __init__(
        self, handler: WebSocketHandler, options: WebSocketOptions, filters: ExceptionFilters, name: str
    ) -> None:
        self._handler = handler
        self._options = options
        self._filters = filters
        self._name = name
        self._has_warned = False

    # One coroutine for the handshake, the handler and the end, with few names: it takes memory as long as a WebSocket lives.
    async def __call__(self, request: Request, walk: Walk | None = None) -> Outcome:
        """Return when the connection has ended, and the handler too if that runs longer, or with the answer of a handler that
        has not accepted.
        """
        try:
            opening = Opening(request, self._options)
            ws = WebSocket(opening)
            if self._options.accept == "auto":
                await ws.accept()
            try:
                given = self._call(opening, ws)
                outcome: Outcome | None = self._leave(opening, await given if isawaitable(given) else given)
            except BaseException as raised:
                outcome = None
                await _fail(opening.end(), raised)
            if (link := opening.link) is not None:
                link.handler_has_returned(closes=self._options.close_on_return)
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
        return await answer(error, request, self._filters, walk)

    def _call(self, opening: Opening, ws: WebSocket) -> object:
        """Call the handler; what it gives may have to be awaited."""
        if self._options.on_disconnect == "cancel":
            return _interrupted(self._handler, opening, ws)
        return self._handler(ws, opening.request)

    def _leave(self, opening: Opening, result: object) -> Response | None:
        """Make the answer of a handler that has not accepted; behind a 101 say once that there is none any more."""
        if opening.end() is None:
            if result is None:
                raise WebSocketStateError(
                    f"{self._name} has returned without `await ws.accept()` and without an answer"
                )
            return to_response(result, opening.request, returned_by=self._name)
        if result is not None and not self._has_warned:
            self._has_warned = True
            handler = getattr(self._handler, "__qualname__", type(self._handler).__name__)
            kind = type(result).__name__
            text = (
                f"what the WebSocket handler {handler} returned ({kind}) is ignored: the 101 was the answer"
            )
            opening.request.exchange.report_error(text, None)
        return None


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
