"""Our control frames: Pings, Pongs and the Close frame (RFC 6455 §5.5).

A Pong that answers waits while too much is unsent, or a peer that pings and does not read could make us hold as many as it
likes; only the latest does, since a peer may be answered that alone (RFC 6455 §5.5.3).
"""

from __future__ import annotations

from typing import Final, Protocol

from spry_core.closing import Close
from spry_core.protocol.closing_handshake import encode_close
from spry_core.protocol.engines import Opcode
from spry_core.protocol.events import Ping, Pong
from spry_core.protocol.keepalive import Keepalive
from spry_core.protocol.stream import Stream

_FIN: Final = 0x80
"""The first bit: no control frame has another behind it (RFC 6455 §5.5)."""


class FrameWriter(Protocol):
    """What writes the frames of a WebSocket."""

    def write(self, first: int, payload: bytes, now: float) -> None:
        """Write one frame; `first` is its first byte."""
        ...


class ControlFrameWriter:
    """Writes the control frames of one WebSocket, and knows the Pong that waits for room."""

    __slots__ = ("_keepalive", "_stream", "_writer", "late_pong")

    def __init__(self, writer: FrameWriter, stream: Stream, keepalive: Keepalive) -> None:
        """Write through `writer`; `keepalive` is told of each Ping."""
        self._writer = writer
        self._stream = stream
        self._keepalive = keepalive
        self.late_pong: bytes | None = None
        """The payload of the Pong that waits for room, if one does."""

    def send(self, event: Ping | Pong, now: float) -> None:
        """Say this. Raises `ValueError` and changes nothing if its payload is too long."""
        if len(event.payload) > 125:
            raise ValueError("a control frame carries at most 125 bytes (RFC 6455 §5.5)")
        if isinstance(event, Ping):
            self._ping(event.payload, now)
        else:
            self._pong(event.payload, now)

    def answer(self, payload: bytes, now: float) -> None:
        """Answer a Ping, as soon as there is room."""
        if self._has_room:
            self._pong(payload, now)
        else:
            self.late_pong = payload

    def go_on(self, now: float) -> None:
        """Some of what was unsent is gone: a Pong that had no room may have it now."""
        if self.late_pong is not None and self._has_room:
            payload, self.late_pong = self.late_pong, None
            self._pong(payload, now)

    def drop(self) -> None:
        """Nothing is answered any more."""
        self.late_pong = None

    def close(self, close: Close, now: float) -> None:
        """Say Close; it is the last frame."""
        self.late_pong = None
        self._writer.write(_FIN | Opcode.CLOSE, encode_close(close), now)

    def keep_alive(self, now: float) -> None:
        """Ping the peer because an interval is over; while a Ping is on its way, only write something."""
        if self._keepalive.is_waiting:
            self._beat(now)
        else:
            self._ping(self._stream.random(4), now)
            self._keepalive.begin_waiting(now)

    def _beat(self, now: float) -> None:
        """Write something, so that TCP finds out if the peer is gone (RFC 6455 §5.5.3); what is unsent does that too.

        Its payload is that of no Ping, since those of the peer that we have not read may be empty.
        """
        if not self._stream.unsent:
            self._pong(self._stream.random(4), now)
        self._keepalive.beat(now)

    @property
    def _has_room(self) -> bool:
        """True below the mark, and always where nothing is unsent: the mark may be 0."""
        return not self._stream.unsent or self._stream.unsent < self._stream.limits.high_water

    def _ping(self, payload: bytes, now: float) -> None:
        self._keepalive.take_ping_sent(payload, now)
        self._writer.write(_FIN | Opcode.PING, payload, now)

    def _pong(self, payload: bytes, now: float) -> None:
        self._writer.write(_FIN | Opcode.PONG, payload, now)
