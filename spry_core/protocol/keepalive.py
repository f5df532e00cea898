"""Whether the peer of a WebSocket is alive, and how far away it is (RFC 6455 §5.5.2).

A Ping goes out at each interval, and any byte that comes answers it; one at a time is on its way. The time from a
Ping to its own Pong, whoever sent the Ping, is the latency.

While it is we who do not read, silence proves nothing, and the Ping on its way stays the only one. But something is
written at each interval all the same, an unsolicited Pong (§5.5.3), so that TCP finds out if the peer is gone: a stream
that is neither read nor written shows neither its end nor a reset.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.stream import Stream

_REMEMBERED: Final = 16
"""Pings on their way of which we know when they went: a peer that answers none must not fill our memory."""


class Keepalive:
    """The deadlines PING and PONG of one WebSocket, and its Pings that are not answered yet."""

    __slots__ = ("_is_over", "_sent", "_stream", "answered", "has_pinged", "latency")

    def __init__(self, stream: Stream, now: float) -> None:
        self.latency: float | None = None
        """Seconds from the last Ping that was answered to its Pong."""
        self.answered: float | None = None
        """When that Ping was sent."""
        self.has_pinged: bool = False
        """False if no keepalive Ping is on its way for sure, which costs less to ask than `is_waiting`."""
        self._stream = stream
        self._sent: tuple[tuple[bytes, float], ...] = ()  # a list takes memory where none was sent
        self._is_over = False
        stream.deadlines.set(Deadline.PING, now, stream.timeouts.ping_interval)

    def set_interval(self, seconds: float | None, now: float) -> None:
        """Obey another interval from now on; with None, nobody waits for an answer any more either."""
        stream = self._stream
        stream.timeouts = replace(stream.timeouts, ping_interval=seconds)
        if seconds is None:
            self._clear()
        elif not self._is_over and (not self.is_waiting or stream.deadlines.is_set(Deadline.PING)):
            stream.deadlines.set(Deadline.PING, now, seconds)

    def stop(self) -> None:
        """Neither ping nor judge ever again."""
        self._is_over = True
        self._clear()

    def _clear(self) -> None:
        self.has_pinged = False
        self._stream.deadlines.clear(Deadline.PING, Deadline.PONG)

    def take_ping_sent(self, payload: bytes, now: float) -> None:
        """Take note of a Ping of ours."""
        self._sent = (*self._sent, (payload, now))[-_REMEMBERED:]

    def begin_waiting(self, now: float) -> None:
        """Give the peer its time to answer a keepalive Ping, or begin the next interval where no answer is waited
        for.
        """
        deadlines, timeouts = self._stream.deadlines, self._stream.timeouts
        if timeouts.ping_timeout is None:
            deadlines.set(Deadline.PING, now, timeouts.ping_interval)
        else:
            self.has_pinged = True
            deadlines.set(Deadline.PONG, now, timeouts.ping_timeout)

    def take_sign_of_life(self, now: float) -> None:
        """Take note that bytes came: the next interval begins, if they were waited for."""
        if self.is_waiting:
            self.has_pinged = False
            self._stream.deadlines.clear(Deadline.PONG)
            self.beat(now)

    def take_pong(self, payload: bytes, now: float) -> None:
        """Measure the Ping that this answers; it answers all earlier ones too, since a peer may answer the latest
        only (RFC 6455 §5.5.3).
        """
        for i, (sent, moment) in enumerate(self._sent):
            if sent == payload:
                self.latency, self.answered = now - moment, moment
                self._sent = self._sent[i + 1 :]
                return

    def judge(self, is_reading: bool, now: float) -> None:
        """Let the time to answer stand still while it is we who do not read, and beat instead."""
        deadlines = self._stream.deadlines
        if is_reading:
            if deadlines.resume(Deadline.PONG, now):
                deadlines.clear(Deadline.PING)
        elif deadlines.hold(Deadline.PONG, now):
            self.beat(now)

    @property
    def is_waiting(self) -> bool:
        """True while a keepalive Ping is on its way: at most one is."""
        return self._stream.deadlines.is_set(Deadline.PONG)

    def beat(self, now: float) -> None:
        """Let the next interval of a pause begin."""
        self._stream.deadlines.set(Deadline.PING, now, self._stream.timeouts.ping_interval)
