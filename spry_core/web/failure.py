"""What an exception of a WebSocket handler means: which Close frame the peer gets, and whether it is logged."""

from __future__ import annotations

from spry_core.closing import Close
from spry_core.errors import ConnectionClosed
from spry_core.web.exceptions import Abort, WebSocketClose
from spry_core.web.link import Link

_POLICY_VIOLATION = 1008
_INTERNAL_ERROR = 1011


def fail_handler(link: Link, error: Exception) -> None:
    """Close the connection because its handler, or a callback of it, raised `error`.

    `WebSocketClose` says its own code, `Abort` of 4xx is 1008, everything else 1011 with an empty reason: the
    text of an exception never goes to the wire. `ConnectionClosed` of a connection that has closed is no
    error: the handler only noticed the end (RFC 6455 §7.4.1)."""
    match error:
        case ConnectionClosed() if not link.connection.is_open:
            return
        case WebSocketClose():
            link.fail_handler(error, Close(code=error.code, reason=error.reason), is_logged=False)
        case Abort() if error.status_code < 500:
            link.fail_handler(error, Close(code=_POLICY_VIOLATION), is_logged=False)
        case _:
            link.fail_handler(error, Close(code=_INTERNAL_ERROR), is_logged=True)
