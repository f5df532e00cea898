"""The pump of the memory driver: moves bytes between a stream in memory and a `Connection` or `Session`.

It is what sockets and an adapter's pump are elsewhere, and it stands in the ready list like a task. One step handles the
deadlines that have come, reads once, and writes all there is; so tasks can be drawn between two reads.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from spry_core.driver import Driver
from spry_core.protocol import ABORT, CLOSE, HALF_CLOSE, StreamEnd
from spry_core.serving.face import Clocked, Pumped
from spry_core.tasks import Timer
from spry_core.testing.memory import HasTimers, MemoryDriver
from spry_core.testing.pipe import End
from spry_core.testing.task import Job

WINDOW: Final = 64 * 1024
"""Bytes that a pump lets stand unread in the pipe before it writes no more: what the kernel's buffers are to a socket."""

READ_SIZE: Final = 64 * 1024
"""Bytes that a pump reads at once."""


class Alarm:
    """Keeps the deadline of something: arms itself for it, and puts the job on the ready list when it has come."""

    def __init__(self, driver: MemoryDriver, job: Job) -> None:
        self._driver = driver
        self._job = job
        self._timer: Timer | None = None

    def arm(self, when: float | None) -> None:
        """Ring at `when` and at no other time; never for None."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if when is None else self._driver.add_alarm(when, self._ring)

    def _ring(self) -> None:
        self._driver.schedule(self._job)


class Watch:
    """Handles the deadlines of what has no stream: a server."""

    def __init__(self, driver: MemoryDriver, clocked: Clocked) -> None:
        self._driver = driver
        self._clocked = clocked
        self._alarm = Alarm(driver, self)

    def look(self) -> None:
        """Look at it soon: call this when its deadline may have changed."""
        self._driver.schedule(self)

    def step(self) -> None:
        """Handle what is due and arm for what comes next."""
        handle_due(self._clocked, self._driver.now())
        self._alarm.arm(self._clocked.next_deadline())


def handle_due(clocked: Clocked, now: float) -> None:
    """Call `handle_deadline` if one has come."""
    when = clocked.next_deadline()
    if when is not None and when <= now:
        clocked.handle_deadline(now)


class MemoryPump:
    """Moves bytes between one end of a stream and a `Connection` or `Session`: what sockets and an adapter's pump are elsewhere.

    It stands in the ready list like a task. One step handles the deadlines that have come, reads once, and writes all there is;
    so tasks can be drawn between two reads.
    """

    def __init__(self, driver: MemoryDriver, end: End, owner: str, *, window: int = WINDOW) -> None:
        self._driver = driver
        self._end = end
        self._window = window
        self._alarm = Alarm(driver, self)
        self._face: Pumped | None = None
        self._host: HasTimers | None = None
        self._unsent: deque[bytes | StreamEnd] = deque()
        self._has_stream = True
        self._got_end = False
        self._is_lost = False
        self.driver: Driver = driver.lend(owner, self.look)
        """The driver to lend to the session."""
        end.incoming.wake_reader = self.look
        end.outgoing.wake_writer = self.look

    def start(self, face: Pumped, host: HasTimers | None = None) -> None:
        """Drive `face` from now on; `host` runs its tasks, if it has any."""
        self._face, self._host = face, host
        if host is not None:
            self._driver.add_host(host)
        self.look()

    @property
    def window(self) -> int:
        """Bytes that may stand unread in the pipe; with 0 it writes nothing, as to a peer that does not read."""
        return self._window

    @window.setter
    def window(self, value: int) -> None:
        self._window = value
        self.look()

    def cut(self) -> None:
        """Cut the stream here and now, as a broken network does: both ends see a reset."""
        self._end.outgoing.reset()
        self._end.incoming.reset()

    def look(self) -> None:
        """Look at it soon: bytes, deadline, reading, end."""
        self._driver.schedule(self)

    def step(self) -> None:
        """Do once what there is to do."""
        face, now = self._face, self._driver.now()
        if face is None:
            return
        if not face.closed:
            handle_due(face, now)
            self._read(face, now)
            self._write(face, now)
            self._wait(face, now)
        if face.closed:
            self._finish()

    def _wait(self, face: Pumped, now: float) -> None:
        """Come back at the next deadline; for one that is due already behind what else is ready."""
        when = face.next_deadline()
        if when is not None and when <= now:
            self.look()
        else:
            self._alarm.arm(when)

    def _read(self, face: Pumped, now: float) -> None:
        incoming = self._end.incoming
        if not self._has_stream:
            self._lose(face, None, now)
        elif incoming.is_reset:
            self._has_stream = False
            self._unsent.clear()
            self._lose(face, ConnectionResetError("the peer has reset the stream"), now)
        elif face.wants_read:
            if data := incoming.read(READ_SIZE):
                face.receive_data(data, now)
                self.look()  # there may be more
            elif incoming.is_finished and not self._got_end:
                self._got_end = True
                face.receive_eof(now)

    def _lose(self, face: Pumped, error: Exception | None, now: float) -> None:
        if not self._is_lost:
            self._is_lost = True
            face.connection_lost(error, now)

    def _write(self, face: Pumped, now: float) -> None:
        while self._has_stream:
            items = face.data_to_send()
            if ABORT in items:
                self._unsent.clear()
            self._unsent.extend(items)
            taken = self._flush()
            if taken:
                face.bytes_written(taken, now)
            elif not items:
                return

    def _flush(self) -> int:
        """Put as much into the pipe as it takes, and count the bytes."""
        taken = 0
        while self._unsent and self._has_stream:
            item = self._unsent[0]
            if isinstance(item, StreamEnd):
                self._unsent.popleft()
                self._end_with(item)
                continue
            room = self._window - len(self._end.outgoing)
            # An empty write would wake the reader, which could wake us for nothing in turn, for ever.
            if room <= 0:
                return taken
            self._end.outgoing.write(item[:room])
            taken += len(item[:room])
            if room < len(item):
                self._unsent[0] = item[room:]
                return taken
            self._unsent.popleft()
        return taken

    def _end_with(self, how: StreamEnd) -> None:
        if how is HALF_CLOSE:
            self._end.outgoing.finish()
            return
        if how is CLOSE:
            self._end.close()
        else:
            self._end.reset()
        self._has_stream = False
        self.look()  # to say that the stream is gone

    def _finish(self) -> None:
        self._alarm.arm(None)
        if self._host is not None:
            self._driver.remove_host(self._host)
