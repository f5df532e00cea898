"""The calls of a recording: each line made into the call that it tells of, its arguments read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from spry_core.errors import RemoteProtocolError
from spry_core.protocol import Connection
from spry_core.recording.values import (
    Entry,
    as_bytes,
    as_number,
    as_text,
    as_truth,
    as_whole,
    decode_deflate,
    decode_error,
    decode_event,
    decode_settings,
    or_none,
)
from spry_core.testing.transcript.reader import TranscriptError


class Naming:
    """A block that gives errors about values the name of the file and the number of the line."""

    def __init__(self, path: str, number: int) -> None:
        self._path = path
        self._number = number

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: object
    ) -> None:
        if isinstance(error, KeyError):
            raise TranscriptError(self._path, self._number, f"there is no {error.args[0]!r:.40}") from None
        if isinstance(error, ValueError):
            raise TranscriptError(self._path, self._number, str(error)) from None


def call_of(connection: Connection, entry: Entry) -> Callable[[], None]:
    """Return the call that stands in a line; raises `ValueError` or `KeyError` where it stands there wrongly."""
    name = as_text(entry["call"])
    if name not in _CALLS:
        raise ValueError(f"there is no call {name!r:.40}")
    return _CALLS[name](connection, entry)


def _now(entry: Entry) -> float:
    return as_number(entry["now"])


def _receive_data(connection: Connection, entry: Entry) -> Callable[[], None]:
    data, now = as_bytes(entry["data"]), _now(entry)
    return lambda: connection.receive_data(data, now)


def _receive_eof(connection: Connection, entry: Entry) -> Callable[[], None]:
    now = _now(entry)
    return lambda: connection.receive_eof(now)


def _connection_lost(connection: Connection, entry: Entry) -> Callable[[], None]:
    error, now = or_none(decode_error)(entry["error"]), _now(entry)
    return lambda: connection.connection_lost(error, now)


def _bytes_written(connection: Connection, entry: Entry) -> Callable[[], None]:
    n, now = as_whole(entry["n"]), _now(entry)
    return lambda: connection.bytes_written(n, now)


def _handle_deadline(connection: Connection, entry: Entry) -> Callable[[], None]:
    now = _now(entry)
    return lambda: connection.handle_deadline(now)


def _send(connection: Connection, entry: Entry) -> Callable[[], None]:
    event, now = decode_event(entry["event"]), _now(entry)
    return lambda: connection.send(event, now)


def _release(connection: Connection, entry: Entry) -> Callable[[], None]:
    n, now = as_whole(entry["n"]), _now(entry)
    return lambda: connection.release(n, now)


def _receive_in_pieces(connection: Connection, entry: Entry) -> Callable[[], None]:
    wanted, now = as_truth(entry["wanted"]), _now(entry)
    return lambda: connection.receive_in_pieces(wanted, now)


def _set_ping_interval(connection: Connection, entry: Entry) -> Callable[[], None]:
    seconds, now = or_none(as_number)(entry["seconds"]), _now(entry)
    return lambda: connection.set_ping_interval(seconds, now)


def _ignore_offer(connection: Connection, entry: Entry) -> Callable[[], None]:
    return connection.ignore_offer


def _shutdown(connection: Connection, entry: Entry) -> Callable[[], None]:
    now, code, reason = _now(entry), as_whole(entry["code"]), as_text(entry["reason"])
    return lambda: connection.shutdown(now, code, reason)


def _fail(connection: Connection, entry: Entry) -> Callable[[], None]:
    error, now = decode_error(entry["error"]), _now(entry)
    if not isinstance(error, RemoteProtocolError):
        raise ValueError("an error of the peer is needed")
    return lambda: connection.fail(error, now)


def _abort(connection: Connection, entry: Entry) -> Callable[[], None]:
    now, cause = _now(entry), or_none(decode_error)(entry["cause"])
    return lambda: connection.abort(now, cause)


def _configure(connection: Connection, entry: Entry) -> Callable[[], None]:
    limits = decode_settings(connection.limits, entry["limits"])
    timeouts = decode_settings(connection.timeouts, entry["timeouts"])
    deflate = or_none(decode_deflate)(entry["deflate"])
    return lambda: connection.configure(limits=limits, timeouts=timeouts, deflate=deflate)


_CALLS: Final[Mapping[str, Callable[[Connection, Entry], Callable[[], None]]]] = {
    "receive_data": _receive_data,
    "receive_eof": _receive_eof,
    "connection_lost": _connection_lost,
    "bytes_written": _bytes_written,
    "handle_deadline": _handle_deadline,
    "send": _send,
    "release": _release,
    "receive_in_pieces": _receive_in_pieces,
    "set_ping_interval": _set_ping_interval,
    "ignore_offer": _ignore_offer,
    "shutdown": _shutdown,
    "fail": _fail,
    "abort": _abort,
    "configure": _configure,
}
