"""How a `Response` goes out: head, content, end, with backpressure; what a stream of content may do wrong."""

from __future__ import annotations

from spry_core.closing import ConnectionClosed
from spry_core.protocol.events import BodyData, BodyEnd, ResponseHead
from spry_core.serving.exchange import HttpExchange
from spry_core.wakeup import Checkpoints
from spry_core.web.iteration import Items
from spry_core.web.response import Response, encode_piece


async def answer_stream(exchange: HttpExchange, response: Response) -> None:
    """Send `response`, whose content comes in pieces, as the answer of this exchange.

    If the peer has left, the rest is dropped; a stream is closed in any case. A stream that fails, or that
    gives more or less than its Content-Length, aborts the connection: a truncated content never looks
    complete. The head waits for the first piece, and goes out alone if that is empty.

    Raises whatever the stream raised, and what `Connection.send` raises for a head that cannot be sent. If it
    was the head or the first piece that failed, nothing was sent, and another answer may be.
    """
    assert not isinstance(response.content, bytes)
    items = Items(response.content)
    try:
        with exchange.interrupted_by_end():
            await _send_stream(exchange, response, items)
    except BaseException as error:
        if exchange.is_over and isinstance(error, ConnectionClosed):
            return
        _give_up(exchange)
        raise
    finally:
        await items.aclose()


def answer_whole(exchange: HttpExchange, response: Response) -> None:
    """Send a response whose content is bytes, at once."""
    content = response.content
    assert isinstance(content, bytes)
    exchange.answer(response.as_head(), content)


async def _send_stream(exchange: HttpExchange, response: Response, items: Items[str | bytes]) -> None:
    checkpoints = Checkpoints(exchange.driver)
    await checkpoints.pass_one()
    unsent: list[ResponseHead | BodyData | BodyEnd] = [response.as_head()]
    if not exchange.is_head:
        await exchange.wait_for_room()  # nothing is asked for that could not be sent
        async for piece in items:
            data = encode_piece(piece)
            if data:
                unsent.append(BodyData(data=data))
            if unsent:
                exchange.send(*unsent)
                unsent.clear()
                await exchange.wait_for_room()
            await checkpoints.pass_one(len(data))
    exchange.send(*unsent, BodyEnd())


def _give_up(exchange: HttpExchange) -> None:
    """Cut what was begun, so that it never looks complete."""
    if exchange.status_code is not None:
        exchange.abort()
