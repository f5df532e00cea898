"""The innermost step of a WebSocket route: the opening handshake, the handler, and waiting for the end of the
connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeAlias

from spry_core.closing import CloseInfo
from spry_core.errors import WebSocketStateError
from spry_core.tasks import part
from spry_core.web.failure import fail_handler
from spry_core.web.link import Link
from spry_core.web.opening import Opening
from spry_core.web.options import WebSocketOptions
from spry_core.web.request import Request
from spry_core.web.response import Response, to_response
from spry_core.web.websocket import WebSocket

WebSocketHandler: TypeAlias = Callable[[WebSocket, Request], object]
"""A handler of a WebSocket route, sync or async."""


def websocket_endpoint(
    handler: WebSocketHandler, options: WebSocketOptions, name: str
) -> Callable[[Request], Awaitable[CloseInfo | Response]]:
    """Make the endpoint of one route; it returns when the connection has ended, and the handler too if that
    runs longer, or with the answer of a handler that has not accepted.

    `name` says in an error which route it was.
    """
    warn = _WarnOnce(handler)

    async def endpoint(request: Request) -> CloseInfo | Response:
        opening = Opening(request, options)
        ws = WebSocket(opening)
        if options.accept == "auto":
            await ws.accept()
        result: object = None  # also if the end of the stream ends the handler
        try:
            with opening.interrupted_by_end():
                given = handler(ws, request)
                result = await given if isawaitable(given) else given
        except BaseException as raised:
            if (opened := opening.end()) is None:
                raise
            await _fail(opened.link, raised)
        else:
            if (opened := opening.end()) is None:
                return _deny(result, request, name)
            if result is not None:
                warn(request, result)
        opened.link.handler_has_returned(closes=options.close_on_return)
        return await _end(opened.link)

    return endpoint


def _deny(result: object, request: Request, name: str) -> Response:
    """Make the answer of a handler that has not accepted of what it returned."""
    if result is None:
        raise WebSocketStateError(f"{name} has returned without `await ws.accept()` and without an answer")
    return to_response(result, request, returned_by=name)


async def _fail(link: Link, raised: BaseException) -> None:
    """Close for what the handler raised; raise again what is not an error of it.

    Of a cancellation that is not ours, only a checkpoint can tell whether a middleware's scope has been
    cancelled, to which it must get through, or whether the handler has awaited something cancelled.
    """
    error, rest = part(raised, is_cancelling=link.is_cancelling)
    if error is not None and not isinstance(error, Exception):
        await link.driver.checkpoint(False)
    if error is not None:
        fail_handler(link, error)
    if rest is not None:
        raise rest from None


async def _end(link: Link) -> CloseInfo:
    while not link.is_over:
        await link.ending.wait()
    info = link.info
    assert info is not None
    return info


class _WarnOnce:
    """Says once per route that what its handler returned is ignored."""

    def __init__(self, handler: WebSocketHandler) -> None:
        self._name = getattr(handler, "__qualname__", type(handler).__name__)
        self._has_warned = False

    def __call__(self, request: Request, result: object) -> None:
        if not self._has_warned:
            self._has_warned = True
            kind = type(result).__name__
            text = f"what the WebSocket handler {self._name} returned ({kind}) is ignored: the 101 was the answer"
            request.exchange.report_error(text, None)
