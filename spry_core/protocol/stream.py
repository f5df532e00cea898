"""The byte stream below a connection, as far as the protocol sees it: what to write, what was taken, how it
ends.

Both halves of a connection, HTTP and WebSocket, write here. The order "the bytes first, then the end" is kept
in this file, so no pump needs to know it. Bytes are counted from the moment they are queued until the
transport has taken them; that number is the send water mark, and its standing still is the write deadline. So is its
falling too slowly: a peer that reads a byte now and then would else hold its connection for as long as it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final, Literal

from spry_core.protocol.deadlines import Deadline, Deadlines
from spry_core.protocol.events import Event, Writable
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.turn import Turn


class StreamEnd(Enum):
    """What a pump does to the stream, after the bytes that stand before it."""

    HALF_CLOSE = auto()
    """End our direction; the peer may still send."""

    CLOSE = auto()
    """Close the stream."""

    ABORT = auto()
    """Drop what is unsent and reset the stream."""


HALF_CLOSE: Final = StreamEnd.HALF_CLOSE
"""End our direction; the peer may still send."""

CLOSE: Final = StreamEnd.CLOSE
"""Close the stream."""

ABORT: Final = StreamEnd.ABORT
"""Drop what is unsent and reset the stream."""

_RANK: Final = {None: 0, HALF_CLOSE: 1, CLOSE: 2, ABORT: 3}


class Stream:
    """Queue of bytes and events between the two halves of a connection and its pump."""

    __slots__ = (
        "_can_half_close",
        "_due",
        "_fetched_end",
        "_is_timed",
        "_judged_from",
        "_mark",
        "_queue",
        "_taken",
        "_was_full",
        "deadlines",
        "end",
        "events",
        "is_lost",
        "is_pressed",
        "is_settled",
        "limits",
        "random",
        "received_end",
        "timeouts",
        "turn",
        "unsent",
    )

    def __init__(
        self, *, limits: Limits, timeouts: Timeouts, random: Callable[[int], bytes], can_half_close: bool
    ) -> None:
        self.random: Callable[[int], bytes] = random
        self.deadlines: Deadlines = Deadlines()
        self.turn: Turn = Turn()
        """How much more is parsed before others have their turn."""
        # Lists, here and where messages wait: they are short, and an empty deque is ten times as big.
        self.events: list[Event | list[str | bytes]] = []
        """What happened and was not fetched yet, in order; a list is a run of messages that came whole."""
        self.unsent: int = 0
        """Bytes queued and not yet taken by the transport."""
        self.configure(limits, timeouts)
        self.is_settled: bool = False
        """True since it is settled how the WebSocket ended."""
        self.received_end: bool = False
        """True when the peer will send no more."""
        self.is_lost: bool = False
        """True when the stream is gone."""
        self.end: Literal[StreamEnd.HALF_CLOSE, StreamEnd.CLOSE, StreamEnd.ABORT] | None = None
        """How far we have ended the stream, fetched by the pump or not."""
        self._can_half_close = can_half_close
        self._queue: list[bytes | StreamEnd] = []
        self._fetched_end: StreamEnd | None = None
        self._was_full = False
        self._is_timed = False  # WRITE is set, or never will be again
        self._due: float | None = None  # then it is
        self._judged_from = 0.0  # when the present time to write began,
        self._taken = 0  # and what has gone since then

    def configure(self, limits: Limits, timeouts: Timeouts) -> None:
        """Obey these from now on."""
        self.limits: Limits = limits
        self.timeouts: Timeouts = timeouts
        self._mark = min(limits.high_water, limits.max_unsent - 1)
        self.is_pressed: bool = self.unsent > self._mark
        """True while so much is unsent that `Limits.high_water` is passed, or `Limits.max_unsent` reached."""

    def write(self, data: bytes, now: float) -> None:
        """Queue `data`. Nothing may follow our half-close; what comes too late for a lost stream is dropped."""
        assert self.end is None
        if not data or self.is_lost:
            return
        if not self.unsent:
            self._judged_from, self._taken = now, 0
            seconds = self.timeouts.write
            self._due = None if seconds is None else now + seconds
        self._queue.append(data)
        self.unsent += len(data)
        if self.unsent > self._mark:
            self.is_pressed = True
            self._was_full = self._was_full or self.unsent > self.limits.high_water

    def wait_for_turn(self, now: float) -> None:
        """Let the pump come back at once, but behind what else is ready, to parse the rest of what came."""
        self.turn.is_awaited = True
        self.deadlines.set(Deadline.TURN, now, 0.0)

    def take_no_turn(self) -> None:
        """Take back that something waits for its turn."""
        self.turn.is_awaited = False
        self.deadlines.clear(Deadline.TURN)

    def half_close(self) -> None:
        """End our direction after what is queued; close instead where the stream cannot half-close or the
        peer has ended too.
        """
        self._advance(HALF_CLOSE if self._can_half_close and not self.received_end else CLOSE)

    def close(self) -> None:
        """Close the stream after what is queued."""
        self._advance(CLOSE)

    def abort(self) -> None:
        """Drop what is queued and reset the stream; time changes nothing more."""
        self._queue.clear()
        self.deadlines.clear_all()
        self._is_timed = True
        self._advance(ABORT)

    def _advance(self, end: Literal[StreamEnd.HALF_CLOSE, StreamEnd.CLOSE, StreamEnd.ABORT]) -> None:
        if not self.is_lost and _RANK[end] > _RANK[self.end]:
            self.end = end

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """Hand over what is queued, in order, with at most one `StreamEnd` at its end."""
        data = self._queue
        if data:
            self._queue = []
        elif self.end is self._fetched_end:
            return []  # nearly always, and not the queue: that is filled again
        if self.end is not self._fetched_end:
            assert self.end is not None
            self._fetched_end = self.end
            data = [*data, self.end]
        return data

    def bytes_written(self, n: int, now: float) -> None:
        """Take note that the transport took `n` bytes: moves the water mark and the write deadline."""
        assert 0 <= n <= self.unsent
        self.unsent -= n
        if self.end is ABORT:
            return
        if self.unsent:
            if n:
                self._judge(n, now)
        elif self._is_timed:
            self._is_timed = False
            self.deadlines.clear(Deadline.WRITE)
        if self.is_pressed:
            self._relieve()

    def _relieve(self) -> None:
        self.is_pressed = self.unsent > self._mark
        if self._was_full and self.unsent <= self.limits.high_water:
            self._was_full = False
            self.events.append(Writable())

    def time_writing(self) -> None:
        """Set the deadline of what is unsent, if it is not. Asked before anybody looks at deadlines: most has gone by then."""
        if self.unsent and not self._is_timed:
            self._is_timed = True
            if self._due is not None:
                self.deadlines.set(Deadline.WRITE, self._due, 0.0)

    def _begin_to_judge(self, now: float) -> None:
        self._judged_from, self._taken, self._is_timed = now, 0, True
        self.deadlines.set(Deadline.WRITE, now, self.timeouts.write)

    def _judge(self, n: int, now: float) -> None:
        """Give the peer more time for the `n` bytes that it took, but no more than they may take."""
        seconds, rate = self.timeouts.write, self.limits.min_write_rate
        if seconds is None or not rate:
            self._begin_to_judge(now)
            return
        self._taken += n
        allowed = max(seconds, self._taken / rate)
        passed = now - self._judged_from
        if seconds <= passed < allowed:
            self._begin_to_judge(now)  # what it took early buys no time later
        else:
            self._is_timed = True
            self.deadlines.set(Deadline.WRITE, now, min(seconds, allowed - passed))

    def lose(self) -> None:
        """Take note that the stream is gone."""
        self.is_lost = self._is_timed = True
        self._queue.clear()
        self._fetched_end = self.end
        self.deadlines.clear_all()
