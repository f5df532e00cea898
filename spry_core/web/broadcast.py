"""One message to many WebSockets, encoded once, and held up by none of them."""

from __future__ import annotations

from collections.abc import Iterable

from spry_core.protocol.prepared import PreparedMessage
from spry_core.web.linked import link_of
from spry_core.web.sending import Sendable, check_message
from spry_core.web.websocket import WebSocket


def broadcast(
    websockets: Iterable[WebSocket], data: Sendable, *, compress: bool | None = None
) -> list[WebSocket]:
    """Queue one message on each of these WebSockets that is open, as `send_nowait` does; return those that are too slow for it.

    The message is encoded once. It never waits, and nothing that befalls one of them keeps it from the others. One of them is
    passed over if it is not open, not yet or no longer. One that has `Limits.max_unsent` bytes unsent already, or is sending a
    stream that lets nothing in between, does not get the message: it is in the list, for the application to close it or to let
    it miss this.

    Args:
        websockets: Any iterable; what is added to or taken out of it meanwhile changes nothing.
        data: `str` is sent as text, bytes-like as binary.
        compress: Whether to compress it (RFC 7692 §6); None leaves it to `Deflate.threshold` of each. What is compressed is
            compressed for each of them alone, since each has a window of its own.

    Raises:
        TypeError: `data` is neither; nothing was sent.
        UnicodeEncodeError: It is text with half a surrogate pair; nothing was sent.
    """
    check_message(data)
    message = PreparedMessage(data if isinstance(data, (str, bytes)) else bytes(data))
    too_slow: list[WebSocket] = []
    for websocket in tuple(websockets):
        link = link_of(websocket)
        if link is not None and link.connection.is_open and not link.offer(message, compress):
            too_slow.append(websocket)
    return too_slow
