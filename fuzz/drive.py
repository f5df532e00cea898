"""Driving one connection: as a pump that is always quick, as one for which anything may happen, as a flood.

Each way ends with the stream lost, and returns all that came out of it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from random import Random
from typing import Final, NamedTuple, TypeAlias

from fuzz.misuse import try_anything
from fuzz.owner import Owner, consumed
from spry_core.protocol import Connection, ConnectionEnded, Event, Failure, Message, StreamEnd, Writable
from traces import comparable, fetched, look

Make: TypeAlias = Callable[[], Connection]
"""Makes a connection with nothing left to fetch; its clock stands at 0.0."""

Note: TypeAlias = Callable[[object], None]
"""Takes down what can be seen of a connection at some moment: a `Look`, events, bytes."""


def forget(seen: object) -> None:
    """Take down nothing."""


TURNS: Final = 20_000
"""More turns than any input is worth: a deadline that comes back for ever is a bug."""


class Outcome(NamedTuple):
    """What came out of a connection."""

    events: list[object]
    sent: bytes
    end: StreamEnd | None
    close_codes: list[int | None]
    """Of each failure; None for one of HTTP."""


def steadily(
    conn: Connection, pieces: Iterable[bytes], note: Note = forget, *, takes_runs: bool = False
) -> Outcome:
    """Give it the pieces and the end of the stream, while time stands still, everything is consumed and written at
    once, and others never need a turn.
    """
    owner, sent, end = Owner(conn, takes_runs=takes_runs), b"", None

    def settle() -> None:
        nonlocal sent, end
        for _ in range(TURNS):
            taken = owner.take(0.0)
            note(look(conn))
            note(taken)
            for event in taken:
                if (size := consumed(event)) is not None:
                    conn.release(size, 0.0)
            data, ended = fetched(conn)
            note(data)
            sent, end = sent + data, ended or end
            moment = conn.next_deadline()
            is_due = moment is not None and moment <= 0.0
            if is_due:
                conn.handle_deadline(0.0)
            elif not (data or taken):
                return
        raise AssertionError("it does not come to rest")

    for piece in pieces:
        conn.receive_data(piece, 0.0)
        settle()
    conn.receive_eof(0.0)
    settle()
    conn.connection_lost(None, 0.0)
    owner.take(0.0)
    check_end(conn, owner.heard)
    # How much was unsent at a time depends on the pieces, so `Writable` may.
    events = [event for event in comparable(owner.heard) if not isinstance(event, Writable)]
    return Outcome(
        events, sent, end, [event.error.close_code for event in owner.heard if isinstance(event, Failure)]
    )


def check_end(conn: Connection, heard: list[Event]) -> None:
    """Hold a connection whose stream is lost to its contract."""
    ends = [i for i, event in enumerate(heard) if isinstance(event, ConnectionEnded)]
    assert ends == [len(heard) - 1], f"ConnectionEnded stands at {ends} of {len(heard)} events"
    assert conn.closed
    assert not conn.wants_read
    assert conn.next_deadline() is None
    assert conn.next_event() is None
    assert conn.data_to_send() == []


class Storm:
    """A pump, an owner and a clock of which each does something now and then, in any order."""

    def __init__(self, conn: Connection, random: Random, note: Note = forget) -> None:
        self.conn = conn
        self.now = 0.0
        self._takes_runs = random.random() < 0.5
        self.owner = Owner(conn, may_be_late=True, takes_runs=self._takes_runs)
        self._random = random
        self._note = note
        self._pending = 0  # bytes fetched and not yet written
        self._unreleased: deque[tuple[int, bool]] = deque()  # bytes, and whether that is a whole message
        self._is_ended = False
        self._is_in_order = True  # the owner has released what it was given, and nothing else
        self._haste = random.choice(
            (0.0, 0.05, 0.5)
        )  # or most connections would be too slow for their timeouts

    def run(self, pieces: Iterable[bytes]) -> None:
        """Let it rage until the bytes are used up, then let time alone go on, then lose the stream."""
        waiting = deque(pieces)
        steps = 8 + 6 * len(waiting)
        while steps and not self.conn.closed:
            steps -= 1
            self._step(waiting)
        self._let_time_pass()
        self._fetch()
        self.conn.connection_lost(OSError("reset") if self._random.random() < 0.5 else None, self.now)
        self._take()
        check_end(self.conn, self.owner.heard)
        self._touch_the_dead()

    def _step(self, waiting: deque[bytes]) -> None:
        choice = self._random.randrange(16)
        if choice < 6:
            self._hear(waiting)
        elif choice < 8:
            self._pass_time()
        elif choice < 10:
            self._fetch()
        elif choice < 12:
            self._write()
        elif choice < 14:
            self._own()
        elif choice < 15:
            self._is_in_order = False
            try_anything(self.conn, self._random, self.now)
        elif self._random.random() < 0.2:
            self._end()
        self._note(look(self.conn))

    def _hear(self, waiting: deque[bytes]) -> None:
        if waiting and not self._is_ended and (self.conn.wants_read or self._random.random() < 0.1):
            self.conn.receive_data(waiting.popleft(), self.now)

    def _pass_time(self) -> None:
        """Go to the next deadline, just before it, or anywhere; a call that is early or late does no harm."""
        moment = self.conn.next_deadline()
        if moment is None:
            moment = self.now + self._random.choice((0.0, 1.0))
        near = (self.now, self.now + 0.001, self.now + 0.1)
        far = (moment, math.nextafter(moment, -math.inf), self.now + self._random.expovariate(0.3))
        target = self._random.choice(far if self._random.random() < self._haste else near)
        self.now = max(self.now, target)
        self.conn.handle_deadline(self.now)
        after = self.conn.next_deadline()
        is_another_turn = after == self.now  # what is to be parsed next, behind what else is ready
        assert after is None or after > self.now or is_another_turn, "what was due is still to be done"

    def _fetch(self) -> None:
        items = self.conn.data_to_send()
        self._note(items)
        assert all(isinstance(item, bytes) and item for item in items[:-1])
        self._pending += sum(len(item) for item in items if isinstance(item, bytes))
        assert self._pending <= self.conn.buffered_amount or self.conn.closed or self.conn.is_ending

    def _write(self) -> None:
        n = self._random.randint(0, min(self._pending, self.conn.buffered_amount))
        self.conn.bytes_written(n, self.now)
        self._pending -= n

    def _own(self) -> None:
        for event in self._take():
            if (size := consumed(event)) is not None:
                self._unreleased.append((size, isinstance(event, Message)))
        for _ in range(self._random.randint(0, len(self._unreleased))):
            self._release()

    def _release(self) -> None:
        size, is_whole = self._unreleased.popleft()
        if self._takes_runs and is_whole and self._is_in_order:
            self.conn.release_messages(1, self.now)
        else:
            self.conn.release(size, self.now)

    def _take(self) -> list[Event]:
        taken = self.owner.take(self.now)
        self._note(taken)
        return taken

    def _end(self) -> None:
        self._is_ended = True
        if self._random.random() < 0.5:
            self.conn.receive_eof(self.now)
        else:
            self.conn.connection_lost(None, self.now)

    def _let_time_pass(self) -> None:
        """Every deadline is dealt with when it falls due, and in the end there is none, or Pings that are answered."""
        for _ in range(40):
            moment = self.conn.next_deadline()
            if moment is None:
                return
            self.now = max(self.now, moment)
            self.conn.handle_deadline(self.now)
            self._note(look(self.conn))
            self._take()

    def _touch_the_dead(self) -> None:
        """What a pump or an owner still does, not knowing yet, changes nothing."""
        conn, now = self.conn, self.now
        conn.connection_lost(None, now)
        conn.receive_eof(now)
        conn.bytes_written(0, now)
        conn.release(1, now)
        conn.handle_deadline(now + 1e9)
        conn.shutdown(now)
        conn.abort(now)
        try_anything(conn, self._random, now)
        assert conn.next_event() is None
        assert conn.data_to_send() == []
        assert conn.next_deadline() is None


def storm(conn: Connection, pieces: Iterable[bytes], random: Random, note: Note = forget) -> None:
    """Drive it as `Storm` says."""
    Storm(conn, random, note).run(pieces)


def flood(conn: Connection, data: bytes, size: int) -> int:
    """Send `data` over and over, `size` bytes in all, to an owner who takes events and consumes nothing, behind a
    transport that writes nothing; return how many were taken.
    """
    taken = 0
    data *= 1024 // len(data) + 1  # or a byte alone would come a hundred thousand times
    while taken < size and conn.wants_read:
        conn.receive_data(data[:1] + data[1:], 0.0)  # a copy, so that one which is kept counts each time
        taken += len(data)
        for _ in range(TURNS):
            while conn.next_event() is not None:
                pass
            conn.data_to_send()
            moment = conn.next_deadline()
            if moment is None or moment > 0.0:
                break
            conn.handle_deadline(0.0)
    return taken
