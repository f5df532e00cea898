"""What the pumps of all loops do alike: follow what the session wants, and end what has failed."""

from __future__ import annotations

import math
import socket
from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from spry_core.protocol.memory import READ_SIZE
from spry_core.serving import LogRecord, record_internal_fault
from spry_system.sending import Sender


class TimerHandle(Protocol):
    """A moment at which the loop calls back."""

    def cancel(self) -> None:
        """Forget it."""
        ...


class BasePump(Sender):
    """A pump without its loop: how the socket is watched, how the timer is set, and when it is looked, is the loop's own."""

    __slots__ = (
        "_has_failed",
        "_is_at_end",
        "_is_watched",
        "_read_size",
        "_report",
        "_timer",
        "_timer_at",
        "_wants_read",
    )

    def __init__(
        self, sock: socket.socket, now: Callable[[], float], report: Callable[[LogRecord], None]
    ) -> None:
        """Pump into and out of `sock`, connected and non-blocking, by the loop's clock. The session has to be set next.

        Args:
            sock: The stream; the pump closes it.
            now: The loop's clock, in seconds.
            report: Takes the record of an internal error.
        """
        super().__init__(sock, now)
        self._report = report
        self._timer: TimerHandle | None = None
        self._timer_at = math.inf  # beside it, since a loop may round a timer's own moment
        self._read_size = READ_SIZE
        self._wants_read = True  # what the session said when it was last looked at
        self._is_watched = False  # the loop calls when there are bytes
        self._is_at_end = False  # the peer has sent its end of stream
        self._has_failed = False

    @abstractmethod
    def _watch(self) -> None:
        """Have the loop call whenever there are bytes; raises `OSError` if the system watches no more sockets."""
        ...

    @abstractmethod
    def _call_at(self, deadline: float) -> TimerHandle:
        """Have the loop call at that moment."""
        ...

    @abstractmethod
    def _cancel_tasks(self) -> None:
        """Cancel every task of the connection."""
        ...

    def _follow_session(self) -> None:
        session = self._session
        if not self._is_lost:
            self._write(session)
        self._wants_read = wanted = session.wants_read
        if wanted and not self._is_watched and not self._is_at_end and not self._is_lost:
            self._watch()
        deadline = session.next_deadline()
        if deadline is not None and deadline < self._timer_at:
            self._set_timer(deadline)

    def _choose_read_size(self, n: int) -> None:
        """Choose how much to ask for behind a read of `n` bytes.

        Short ones do not ask for more: from 128 KiB on an allocator may map pages anew for each read.
        """
        self._read_size = self._session.read_size if n >= READ_SIZE else READ_SIZE

    def _set_timer(self, deadline: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._call_at(deadline)
        self._timer_at = deadline

    def _clear_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._timer_at = math.inf

    def _fail(self, error: Exception) -> None:
        """End this connection after an error of our own, as the last resort: report it once, cut the stream, cancel the tasks."""
        if self._has_failed:
            return
        self._has_failed = True
        self._report(record_internal_fault("connection aborted", error))
        self._clear_timer()
        self._abort_session(self._now())
        try:
            self._lose(None, self._now(), reset=True)
        except Exception:
            pass  # the session is broken, which has just been reported

    def _abort_session(self, now: float) -> None:
        """Let the session cancel its tasks, so that it takes that for no error of theirs; and cancel what it has left."""
        try:
            self._session.abort(now)
        except Exception:
            pass  # it is broken, which has just been reported
        self._cancel_tasks()
