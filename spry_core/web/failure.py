"""What an exception of an application's code means: whether it is one of ours to handle at all, whether it is an error,
and which Close frame the peer of a WebSocket gets for it.
"""

from __future__ import annotations

from typing import Final, cast

from spry_core.closing import Close, ConnectionClosed
from spry_core.web.exceptions import Abort, WebSocketClose, unwrap
from spry_core.web.link import Link

_POLICY_VIOLATION: Final = 1008
_INTERNAL_ERROR: Final = 1011
_END_THE_PROCESS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)


def part(raised: BaseException, *, is_cancelling: bool) -> tuple[BaseException | None, BaseException | None]:
    """Part what a task raised into the error to handle and the rest to raise again; either may be None.

    `Exception` is an error. `KeyboardInterrupt` and its kind are never ours. Anything else is the backend's
    cancellation: to be raised again if we are cancelling (`is_cancelling`), and else an error of the
    application, which for example has awaited a task that somebody cancelled. Of a group each part goes its
    own way; what is raised again is one of its exceptions, which says as much as all of them.
    """
    if isinstance(raised, Exception):
        return unwrap(raised), None
    if not isinstance(raised, BaseExceptionGroup):
        is_ours = not is_cancelling and not isinstance(raised, _END_THE_PROCESS)
        return (raised, None) if is_ours else (None, raised)
    group = cast("BaseExceptionGroup[BaseException]", raised)
    errors, rest = group.split(Exception)
    ends = group.subgroup(_END_THE_PROCESS)
    if not is_cancelling and ends is None:
        return group, None
    return (None if errors is None else unwrap(errors)), _first(ends or rest)


def _first(error: BaseException | None) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


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
