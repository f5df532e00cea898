"""The innermost step of a WebSocket route: the opening handshake, the handler, and waiting for the end of the
connection.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import TypeAlias

from spry_core.closing import CloseInfo
from spry_core.protocol.events import Accept, Offer
from spry_core.web.exceptions import Abort
from spry_core.web.failure import fail_handler, part
from spry_core.web.link import Link
from spry_core.web.options import WebSocketOptions
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

WebSocketHandler: TypeAlias = Callable[[WebSocket, Request], object]
"""A handler of a WebSocket route, sync or async."""


def websocket_endpoint(
    handler: WebSocketHandler, options: WebSocketOptions
) -> Callable[[Request], Awaitable[CloseInfo]]:
    """Make the endpoint of one route; it returns when the connection has ended, and the handler too if that
    runs longer.
    """
    warn = _WarnOnce(handler)

    async def endpoint(request: Request) -> CloseInfo:
        protocol = await _select_protocol(request, options)
        accept = Accept(subprotocol=protocol, headers=request.upgrade_headers.raw())
        exchange = request.exchange
        link = exchange.accept(accept, options.limits(exchange.limits), options.timeouts(exchange.timeouts))
        request.seal()
        await _run(handler, WebSocket(link, request, protocol), link, options, warn)
        return await _end(link)

    return endpoint


async def _run(
    handler: WebSocketHandler, ws: WebSocket, link: Link, options: WebSocketOptions, warn: _WarnOnce
) -> None:
    link.cancels_on_end = options.on_disconnect == "cancel"
    try:
        with link.interrupted_by_end():
            result = handler(ws, ws.request)
            if isawaitable(result):
                result = await result
            if result is not None:
                warn(ws.request, result)
    except BaseException as raised:
        await _fail(link, raised)
    link.handler_has_returned(closes=options.close_on_return)


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


async def _select_protocol(request: Request, options: WebSocketOptions) -> str | None:
    """Choose one of the subprotocols offered (RFC 6455 §4.2.2): by the route's function, else the first of
    the route's own.
    """
    offer = request.head.websocket
    offered = offer.subprotocols if isinstance(offer, Offer) else ()
    selected = await _ask(request, options, offered)
    if selected is None and options.require_protocol:
        raise Abort(400, "no common subprotocol")
    if selected is not None and selected not in offered:
        raise ValueError(f"select_protocol chose {selected!r}, which the client did not offer")
    return selected


async def _ask(request: Request, options: WebSocketOptions, offered: tuple[str, ...]) -> str | None:
    if not offered:
        return None
    if options.select_protocol is not None:
        selected = options.select_protocol(list(offered))
        return selected if selected is None or isinstance(selected, str) else await selected
    return next((each for each in options.protocols if each in offered), None)
