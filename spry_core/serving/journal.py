"""What is written into the log of each thing that happens to a connection: the line for people, the fields for programs.

One line for each request and each WebSocket, when it is over; one line for what a peer did wrong, never with a traceback;
a traceback for what an application did wrong, and one line without for what it did that is only strange. Bytes of a peer are
escaped and cut wherever they appear, and no query appears at all.
"""

from __future__ import annotations

from typing import Final

from spry_core.closing import CloseInfo
from spry_core.errors import RemoteProtocolError
from spry_core.protocol.events import RequestHead
from spry_core.serving.exchange import HttpExchange
from spry_core.serving.record import (
    ACCESS,
    ERROR,
    FAULT,
    INFO,
    LONGEST_TARGET,
    SERVER,
    WARNING,
    Fields,
    LogRecord,
    cut,
    method_of,
    printable_text,
    target_of,
)

LONGEST_FAULT: Final = 200
"""Bytes of a line that a peer's fault makes: who sends nonsense must not fill the log."""

_LONGEST_TARGET_OF_FAULT: Final = 60  # so that peer, target, fault and section fit into such a line
_LONGEST_ERROR: Final = 100
_OURS: Final = __name__.partition(".")[0]
_PARSERS: Final = {"json", "json.decoder", "json.scanner", "urllib.parse"}
"""Modules of the standard library that read what a peer has sent; whoever calls them is short of memory."""
_LONGEST_REASON: Final = 60


def record_request(peer: str, exchange: HttpExchange, seconds: float) -> LogRecord:
    """Record one request that is over, `seconds` after its head had come.

    An answer that was cut is told as incomplete, and a request whose peer left before any answer as such.
    """
    parts = [
        "no answer" if exchange.status_code is None else str(exchange.status_code),
        "" if exchange.is_complete or exchange.status_code is None else " incomplete",
        f" {exchange.content_sent} B" if exchange.content_sent else "",
        f" {_milliseconds(seconds)}",
    ]
    where, fields = _begin("http", peer, exchange.head)
    fields |= {
        "status_code": exchange.status_code,
        "complete": exchange.is_complete,
        "duration": round(seconds, 6),
        "bytes_received": exchange.content_received,
        "bytes_sent": exchange.content_sent,
    }
    return LogRecord(logger=ACCESS, level=INFO, text=f"{where} {''.join(parts)}", fields=fields)


def record_websocket(peer: str, exchange: HttpExchange, info: CloseInfo, seconds: float) -> LogRecord:
    """Record one WebSocket whose stream is gone, `seconds` after the head of its opening handshake had come."""
    reason = printable_text(info.close_reason, _LONGEST_REASON)
    parts = [
        f'websocket {info.close_code} "{reason}"' if reason else f"websocket {info.close_code}",
        f" by {info.initiator}",
        f", {info.messages_received} in ({info.bytes_received} B)",
        f", {info.messages_sent} out ({info.bytes_sent} B)",
        "" if exchange.subprotocol is None else f", {printable_text(exchange.subprotocol, _LONGEST_REASON)}",
        f", {_milliseconds(seconds)}",
    ]
    where, fields = _begin("websocket", peer, exchange.head)
    fields |= {
        "status_code": exchange.status_code,
        "subprotocol": exchange.subprotocol,
        "extensions": ", ".join(exchange.extensions) or None,
        "close_code": info.close_code,
        "close_reason": printable_text(info.close_reason, LONGEST_FAULT),
        "initiator": info.initiator,
        "clean": info.clean,
        "cause": None if info.cause is None else type(info.cause).__name__,
        "duration": round(seconds, 6),
        "messages_received": info.messages_received,
        "bytes_received": info.bytes_received,
        "messages_sent": info.messages_sent,
        "bytes_sent": info.bytes_sent,
    }
    return LogRecord(logger=ACCESS, level=INFO, text=f"{where} {''.join(parts)}", fields=fields)


def record_peer_fault(peer: str, head: RequestHead | None, error: RemoteProtocolError) -> LogRecord:
    """Record what a peer did wrong, in one line of at most `LONGEST_FAULT` bytes; `head` says in which request, if in any."""
    where, fields = _begin("peer fault", peer, head, _LONGEST_TARGET_OF_FAULT)
    fault = printable_text(str(error), _LONGEST_ERROR)
    text = f"{where}: {fault} ({error.section})"
    longest = LONGEST_FAULT - text.count("§")  # the one sign in it that takes two bytes
    fields |= {
        "fault": fault,
        "section": error.section,
        "status_code": error.status_code,
        "close_code": error.close_code,
    }
    return LogRecord(logger=ERROR, level=WARNING, text=cut(text, longest), fields=fields)


def record_application_fault(
    peer: str, head: RequestHead | None, error: BaseException, what: str
) -> LogRecord:
    """Record an exception that an application raised, or that is our own fault, with its traceback.

    A `MemoryError` of our own code has none: it is collecting, or parsing, what a peer has sent.
    """
    where, fields = _begin("application fault", peer, head)
    fields["fault"] = type(error).__name__
    exception = None if isinstance(error, MemoryError) and _is_raised_by_us(error) else error
    return LogRecord(logger=ERROR, level=FAULT, text=f"{where}: {what}", fields=fields, exception=exception)


def record_want_of_memory(peer: str, head: RequestHead | None) -> LogRecord:
    """Record that there was no memory for what a peer has sent, which it may do again and again: in one line."""
    where, fields = _begin("out of memory", peer, head, _LONGEST_TARGET_OF_FAULT)
    text = f"{where}: out of memory, connection aborted"
    return LogRecord(logger=ERROR, level=FAULT, text=text, fields=fields)


def record_warning(peer: str, head: RequestHead | None, text: str) -> LogRecord:
    """Record what an application did that is no error, and not what it meant either."""
    _, fields = _begin("application warning", peer, head)
    return LogRecord(logger=ERROR, level=WARNING, text=printable_text(text, LONGEST_FAULT), fields=fields)


def record_held(peer: str, head: RequestHead | None, seconds: float) -> LogRecord:
    """Record that a task of an application, cancelled `seconds` ago, does not end, and that a shutdown cannot either."""
    where, fields = _begin("application warning", peer, head)
    text = f"{where}: still running {seconds:g} s after it was cancelled; the shutdown waits for it"
    return LogRecord(logger=ERROR, level=WARNING, text=text, fields=fields)


def record_shutdown(connections: int, grace: float | None) -> LogRecord:
    """Record that a server begins to end, with so many connections and so many seconds of grace."""
    fields: Fields = {"kind": "shutdown", "connections": connections, "grace": grace}
    some = "1 connection" if connections == 1 else f"{connections} connections"
    text = f"shutting down, {some}, " + ("any time" if grace is None else f"{grace:g} s of grace")
    return LogRecord(logger=SERVER, level=INFO, text=text, fields=fields)


def _is_raised_by_us(error: BaseException) -> bool:
    """Tell whether the line that raised it is one of the core, or of a parser that the core has called."""
    traceback, module = error.__traceback__, ""
    while traceback is not None:
        called = str(traceback.tb_frame.f_globals.get("__name__"))
        module, traceback = module if called in _PARSERS else called, traceback.tb_next
    return module.partition(".")[0] == _OURS


def _begin(
    kind: str, peer: str, head: RequestHead | None, longest: int = LONGEST_TARGET
) -> tuple[str, dict[str, str | int | float | bool | None]]:
    """Return the beginning of a line, and that of the fields: who asked for what, with the target within bounds."""
    who = peer or "peer"
    if head is None:
        return who, {"kind": kind, "peer": peer or None, "method": None, "target": None}
    method, target = method_of(head), target_of(head, longest)
    query = "?..." if b"?" in head.target else ""
    fields: dict[str, str | int | float | bool | None] = {
        "kind": kind,
        "peer": peer or None,
        "method": method,
        "target": target,
    }
    return f'{who} "{method} {target}{query}"', fields


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
