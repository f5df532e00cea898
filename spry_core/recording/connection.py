"""A connection that writes down what is done with it and what comes of it.

It is a `Connection` in every respect. Each line is one value of JSON (`docs/reference/testing-transcript.md` has the format):

    {"transcript": …}      the first line: version, role, engine, limits, timeouts
    {"call": …}            one of the pump or of the owner, with its arguments
    {"random": …}          bytes that the core drew in that call
    {"clock": …}           the wall clock, as the core read it in that call
    {"raised": …}          the call was a mistake of its caller
    {"state": …}           what `wants_read`, `next_deadline` and the like say from now on
    {"bytes": […]}         the pump took these to write
    {"event": …}           the owner took this
    {"cut": …}             nothing further was recorded

What a call does to the connection is thus complete: the same calls give the same lines, without the application and the peer.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.connection import Connection
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.engines import DEFAULT_ENGINE, EngineName, Role
from spry_core.protocol.events import ConnectionEnded, Event, Message, ResponseHead, SentEvent
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.prepared import PreparedMessage
from spry_core.protocol.stream import StreamEnd
from spry_core.recording.parts import Redactor
from spry_core.recording.redaction import Redaction
from spry_core.recording.values import (
    Entry,
    Json,
    encode,
    encode_all,
    encode_bytes,
    encode_changes,
    encode_error,
)
from spry_core.version import VERSION

FORMAT: Final = 1
"""The version of the format. What a reader does not know, it refuses."""

WriteLine = Callable[[str], None]
"""Takes one line, without its end."""


class RecordedConnection(Connection):
    """A `Connection` that tells `write` each line of its recording; `finish` is called behind the last one.

    Args:
        role, now, random, limits, timeouts, engine, can_half_close, wall_clock: As of `Connection`.
        write: Takes the lines.
        finish: Called once, when the connection has ended and its owner knows.
        redaction: What the recording does not tell.
    """

    def __init__(
        self,
        role: Role,
        *,
        now: float,
        random: Callable[[int], bytes],
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        engine: EngineName = DEFAULT_ENGINE,
        can_half_close: bool = True,
        wall_clock: Callable[[], float] | None = None,
        write: WriteLine,
        finish: Callable[[], None],
        redaction: Redaction,
    ) -> None:
        self._write = write
        self._finish = finish
        self._redaction = redaction
        self._given_random = random
        self._given_clock = wall_clock
        self._told: Json = None
        methods: deque[bytes] = deque()
        requests = Redactor("request", redaction, methods)
        responses = Redactor("response", redaction, methods)
        self._requests = requests
        self._is_server = role == "server"
        self._incoming, self._outgoing = (requests, responses) if self._is_server else (responses, requests)
        limits, timeouts = limits or Limits(), timeouts or Timeouts()
        self._tell(
            {
                "transcript": FORMAT,
                "spry": VERSION,
                "role": role,
                "engine": engine,
                "now": now,
                "can_half_close": can_half_close,
                "dated": wall_clock is not None,
                "redacted": list(redaction.names),
                "limits": encode_all(limits),
                "timeouts": encode_all(timeouts),
            }
        )
        super().__init__(
            role,
            now=now,
            random=self._draw,
            limits=limits,
            timeouts=timeouts,
            engine=engine,
            can_half_close=can_half_close,
            wall_clock=None if wall_clock is None else self._read_clock,
        )
        self._tell_state()

    # The pump's half

    def receive_data(self, data: bytes, now: float) -> None:
        """See `Connection.receive_data`."""
        with self._call("receive_data", now=now, data=encode_bytes(self._incoming.feed(data))):
            super().receive_data(data, now)

    def receive_eof(self, now: float) -> None:
        """See `Connection.receive_eof`."""
        with self._call("receive_eof", now=now):
            super().receive_eof(now)

    def connection_lost(self, error: BaseException | None, now: float) -> None:
        """See `Connection.connection_lost`."""
        with self._call("connection_lost", now=now, error=encode(error)):
            super().connection_lost(error, now)

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """See `Connection.data_to_send`."""
        items = super().data_to_send()
        if items:
            self._tell({"bytes": [self._shown(each) for each in items]})
        return items

    def bytes_written(self, n: int, now: float) -> None:
        """See `Connection.bytes_written`."""
        with self._call("bytes_written", now=now, n=n):
            super().bytes_written(n, now)

    def handle_deadline(self, now: float) -> None:
        """See `Connection.handle_deadline`."""
        with self._call("handle_deadline", now=now):
            super().handle_deadline(now)

    # The owner's half

    def next_event(self) -> Event | None:
        """See `Connection.next_event`."""
        event = super().next_event()
        if event is not None:
            self._tell({"event": encode(self._redaction.event(event))})
            if isinstance(event, ConnectionEnded):
                self._finish()
        return event

    def take_event(self) -> Event | None:
        """Give messages one by one, as `next_event` does."""
        return self.next_event()

    def send_response(self, head: ResponseHead, content: bytes, now: float) -> None:
        """Record it as the `send` of each of its events."""
        for event in self._response_events(head, content):
            self.send(event, now)

    def send_message(self, data: str | bytes, compress: bool | None, now: float) -> None:
        """Record it as a `send`."""
        self.send(Message(data=data, compress=compress), now)

    def send_prepared(self, message: PreparedMessage, compress: bool | None, now: float) -> None:
        """Record it as a `send`."""
        self.send_message(message.data, compress, now)

    def send(self, event: SentEvent, now: float) -> None:
        """See `Connection.send`."""
        with self._call("send", now=now, event=encode(self._redaction.event(event))):
            super().send(event, now)

    def release(self, n: int, now: float) -> None:
        """See `Connection.release`."""
        with self._call("release", now=now, n=n):
            super().release(n, now)

    def release_messages(self, n: int, now: float) -> None:
        """Record it as one `release` for each."""
        for size in self._sizes(n):
            self.release(size, now)

    def receive_in_pieces(self, wanted: bool, now: float) -> None:
        """See `Connection.receive_in_pieces`."""
        with self._call("receive_in_pieces", now=now, wanted=wanted):
            super().receive_in_pieces(wanted, now)

    def set_ping_interval(self, seconds: float | None, now: float) -> None:
        """See `Connection.set_ping_interval`."""
        with self._call("set_ping_interval", now=now, seconds=seconds):
            super().set_ping_interval(seconds, now)

    def ignore_offer(self) -> None:
        """See `Connection.ignore_offer`."""
        with self._call("ignore_offer"):
            super().ignore_offer()

    def shutdown(self, now: float, code: int = 1001, reason: str = "") -> None:
        """See `Connection.shutdown`."""
        with self._call("shutdown", now=now, code=code, reason=reason):
            super().shutdown(now, code, reason)

    def fail(self, error: RemoteProtocolError, now: float) -> None:
        """See `Connection.fail`."""
        with self._call("fail", now=now, error=encode_error(error)):
            super().fail(error, now)

    def abort(self, now: float, cause: BaseException | None = None) -> None:
        """See `Connection.abort`."""
        with self._call("abort", now=now, cause=encode(cause)):
            super().abort(now, cause)

    def configure(self, *, limits: Limits, timeouts: Timeouts, deflate: Deflate | None = None) -> None:
        """See `Connection.configure`."""
        with self._call(
            "configure",
            limits=encode_changes(self.limits, limits),
            timeouts=encode_changes(self.timeouts, timeouts),
            deflate=encode(deflate),
        ):
            super().configure(limits=limits, timeouts=timeouts, deflate=deflate)

    @property
    def random(self) -> Callable[[int], bytes]:
        """The source as it was given: what the owner draws for itself is no part of the recording."""
        return self._given_random

    # The recording

    @contextmanager
    def _call(self, name: str, **arguments: Json) -> Generator[None]:
        """Tell of a call before it is done, so that one that never comes back is there too, and of what came of it."""
        self._tell({"call": name, **arguments})
        try:
            yield
        except Exception as error:
            self._tell({"raised": encode_error(error)})
            raise
        if self.is_websocket:
            self._requests.switch()
        elif self.is_ending and self._is_server:  # a client may have asked its last and still be answered
            self._requests.break_off()
        self._tell_state()

    def _tell(self, entry: Entry) -> None:
        self._write(json.dumps(entry, separators=(",", ":")))

    def _tell_state(self) -> None:
        state: Entry = {
            "phase": self._phase(),
            "buffered": self.buffered_amount,
            "wants_read": self.wants_read,
            "deadline": self.next_deadline(),
        }
        if state != self._told:
            self._told = state
            self._tell({"state": state})

    def _phase(self) -> str:
        if self.closed:
            return "closed"
        if self.is_websocket:
            return "open" if self.is_open else "closing"
        return "ending" if self.is_ending else "http"

    def _shown(self, item: bytes | StreamEnd) -> Json:
        return encode_bytes(self._outgoing.feed(item)) if isinstance(item, bytes) else encode(item)

    def _draw(self, n: int) -> bytes:
        drawn = self._given_random(n)
        self._tell({"random": encode_bytes(drawn), "n": n})
        return drawn

    def _read_clock(self) -> float:
        assert self._given_clock is not None
        seconds = self._given_clock()
        self._tell({"clock": seconds})
        return seconds
