"""What an error of an application's code means for a WebSocket: whether it is one, and which Close frame the peer gets for it."""

from __future__ import annotations

from typing import Final, cast

from spry_core.closing import Close, ConnectionClosed
from spry_core.tasks import unwrap
from spry_core.web.exceptions import Abort, WebSocketClose
from spry_core.web.link import Link

_POLICY_VIOLATION: Final = 1008
_INTERNAL_ERROR: Final = 1011


def without_ends(error: BaseException) -> BaseException | None:
    """Leave out each `ConnectionClosed`: whose connection has ended, only notices the end when it raises that.

    Two tasks of one handler that both notice it make a group of them.
    """
    if isinstance(error, ConnectionClosed):
        return None
    if not isinstance(error, ExceptionGroup):
        return error
    rest = cast("ExceptionGroup[Exception]", error).split(ConnectionClosed)[1]
    return None if rest is None else unwrap(rest)


def close_for(error: BaseException) -> Close:
    """Return the Close frame for an exception that left a handler (RFC 6455 §7.4.1).

    `WebSocketClose` says its own code, `Abort` of 4xx is 1008, everything else 1011 with an empty reason: the
    text of an exception never goes to the wire.
    """
    match error:
        case WebSocketClose():
            return error.close
        case Abort() if 400 <= error.status_code < 500:
            return Close(code=_POLICY_VIOLATION)
        case _:
            return Close(code=_INTERNAL_ERROR)


def fail_handler(link: Link, error: BaseException) -> None:
    """Close the connection because its handler, or a callback of it, raised `error`, and log that once.

    What is an answer is not logged, and `ConnectionClosed` of a connection that has closed is no error.
    """
    remaining = error if link.connection.is_open else without_ends(error)
    if remaining is None:
        return
    close = close_for(remaining)
    is_answer = isinstance(remaining, WebSocketClose) or close.code == _POLICY_VIOLATION
    link.fail_handler(remaining, close, is_logged=not is_answer)
