"""How a `Response` goes out: head, content, end, with backpressure; what a stream of content may do wrong."""

from __future__ import annotations

from spry_core.errors import ConnectionClosed, LocalProtocolError
from spry_core.protocol.events import BodyData, BodyEnd, ResponseHead
from spry_core.serving.exchange import HttpExchange
from spry_core.wakeup import Checkpoints
from spry_core.web.iteration import aclose, iterate
from spry_core.web.response import Response, encode_piece


async def answer(exchange: HttpExchange, response: Response) -> None:
    """Send `response` as the answer of this exchange.

    If the peer has left, the rest is dropped; a stream is closed in any case. A stream that fails, or that
    gives more or less than its Content-Length, aborts the connection: a truncated content never looks
    complete.

    Raises whatever the stream raised.
    """
    head = ResponseHead(
        status_code=response.status_code,
        headers=response.headers.raw(),
        reason_phrase=response.reason_phrase.encode("latin-1"),
    )
    content = response.content
    if isinstance(content, bytes):
        _send_whole(exchange, head, content)
        return
    try:
        with exchange.interrupted_by_end():
            await _send_stream(exchange, head, response)
    except ConnectionClosed:
        if not exchange.is_over:
            exchange.abort()
            raise
    except BaseException:
        exchange.abort()
        raise
    finally:
        await aclose(content)


def _send_whole(exchange: HttpExchange, head: ResponseHead, content: bytes) -> None:
    if exchange.is_over:
        return
    events: list[ResponseHead | BodyData | BodyEnd] = [head]
    if content and not exchange.is_head:
        events.append(BodyData(data=content))
    try:
        exchange.send(*events, BodyEnd())
    except LocalProtocolError:  # a Content-Length of the application's own that does not fit
        exchange.abort()
        raise


async def _send_stream(exchange: HttpExchange, head: ResponseHead, response: Response) -> None:
    assert not isinstance(response.content, bytes)
    checkpoints = Checkpoints(exchange.driver)
    exchange.send(head)
    if not exchange.is_head:
        async for piece in iterate(response.content):
            await checkpoints.pass_one()
            if data := encode_piece(piece):
                exchange.send(BodyData(data=data))
                await exchange.wait_for_room()
    exchange.send(BodyEnd())
