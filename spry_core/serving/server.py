"""All connections of one application: makes and counts sessions, and knows how to end them. As pure as the
rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from spry_core.closing import check_close
from spry_core.driver import Driver
from spry_core.protocol.connection import Connection
from spry_core.protocol.engines import EngineName, check_engine
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.serving.record import LogRecord
from spry_core.serving.session import Session
from spry_core.tasks import Timers
from spry_core.web.application import Application
from spry_core.web.dispatch import Dispatcher
from spry_core.web.exchange import StreamInfo


class Server:
    """Serves an application on every stream that is handed to `session`.

    Args:
        app: The application; nothing can be registered with it from here on.
        limits: Sizes in bytes.
        timeouts: Durations in seconds.
        engine: Who does the grammar work.
        random: Gives so many random bytes; it must be fit for cryptography (RFC 6455 §10.3).
        wall_clock: Seconds since the epoch, for the Date field.
        report: Takes finished records for the log.
    """

    def __init__(
        self,
        app: Application,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        engine: EngineName = "reference",
        random: Callable[[int], bytes],
        wall_clock: Callable[[], float],
        report: Callable[[LogRecord], None],
    ) -> None:
        check_engine(engine)
        self.dispatcher: Final[Dispatcher] = app.compile()
        self.limits: Final = limits or Limits()
        self.timeouts: Final = timeouts or Timeouts()
        self._engine: EngineName = engine
        self._random = random
        self._wall_clock = wall_clock
        self._report = report
        self._timers = Timers()
        self._sessions: dict[Session, None] = {}
        self._now = 0.0  # of the deadline that is being handled
        self._is_closing = False
        self._code, self._reason = 1001, ""
        self._until: float | None = None  # what still runs is cancelled then

    def session(self, driver: Driver, stream: StreamInfo | None = None) -> Session:
        """Begin to serve one accepted stream, with the driver that its pump lends."""
        stream = stream or StreamInfo()
        connection = Connection(
            "server",
            now=driver.now(),
            random=self._random,
            limits=self.limits,
            timeouts=self.timeouts,
            engine=self._engine,
            can_half_close=stream.can_half_close,
            wall_clock=self._wall_clock,
        )
        session = Session(self, connection, driver, stream)
        self._sessions[session] = None
        if self._is_closing:  # it was accepted a moment before
            session.drain(driver.now(), self._code, self._reason, grace=self._left(driver.now()))
        return session

    @property
    def session_count(self) -> int:
        """Connections that are not over."""
        return len(self._sessions)

    @property
    def is_full(self) -> bool:
        """True at `Limits.max_connections`: accept no further stream now."""
        return len(self._sessions) >= self.limits.max_connections

    @property
    def is_closing(self) -> bool:
        """True since `shutdown` or `abort`: accept no further stream."""
        return self._is_closing

    @property
    def closed(self) -> bool:
        """True when it is closing and every connection is over."""
        return self._is_closing and not self._sessions

    def shutdown(
        self,
        now: float,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None:
        """End every connection politely: answers are finished, idle connections closed, WebSockets get this
        Close. A second call may shorten the grace, which also ends all batches at once, and changes nothing else.

        Args:
            now: The clock of all deadlines.
            code: The close code (RFC 6455 §7.4).
            reason: The close reason.
            grace: Seconds from now until what still runs is cancelled, and what waits for its batch is told;
                `Timeouts.grace` for None.
            batch: Only so many WebSockets at once, the next after `interval`; None for all.
            interval: Seconds between batches.

        Raises:
            ValueError: No Close frame may say this, `batch` is not positive, or a duration is negative;
                nothing was changed.
        """
        check_close(code, reason)
        _check(grace, batch, interval)
        if self._is_closing:
            self._shorten(now, grace)
            return
        self._is_closing = True
        self._code, self._reason = code, reason
        grace = self.timeouts.grace if grace is None else grace
        self._until = None if grace is None else now + grace
        sessions = tuple(self._sessions)
        for session in sessions:
            if not session.connection.is_websocket:
                self._end(session, now)
        waiting = deque(session for session in sessions if session.connection.is_websocket)
        self._end_some(waiting, len(waiting) if batch is None else batch, interval, now)

    def _end_some(self, waiting: deque[Session], batch: int, interval: float, now: float) -> None:
        """End the next batch, and see to the one after it."""
        is_late = self._until is not None and now >= self._until
        for _ in range(len(waiting) if is_late else min(batch, len(waiting))):
            self._end(waiting.popleft(), now)
        if waiting:
            following = now + interval if self._until is None else min(now + interval, self._until)
            self._timers.add(following, lambda: self._end_some(waiting, batch, interval, self._now))

    def _end(self, session: Session, now: float) -> None:
        session.shutdown(now, self._code, self._reason, grace=self._left(now))

    def _left(self, now: float) -> float | None:
        return None if self._until is None else max(0.0, self._until - now)

    def _shorten(self, now: float, grace: float | None) -> None:
        """Take away from the grace; whoever waits for a batch has waited long enough."""
        if grace is None:
            return
        self._until = now + grace if self._until is None else min(self._until, now + grace)
        for session in tuple(self._sessions):
            self._end(session, now)

    def abort(self, now: float) -> None:
        """End every connection at once: streams are reset, tasks cancelled."""
        self._is_closing = True
        self._until = now
        for session in tuple(self._sessions):
            session.abort(now)

    def next_deadline(self) -> float | None:
        """Return the next moment at which the server itself has something to do, or None."""
        return self._timers.next_deadline()

    def handle_deadline(self, now: float) -> None:
        """Do everything that has fallen due at `now`."""
        self._now = now
        self._timers.handle_deadline(now)

    # What sessions ask

    def report(self, record: LogRecord) -> None:
        """Hand a record to the log."""
        self._report(record)

    def forget(self, session: Session) -> None:
        """The session is over."""
        self._sessions.pop(session, None)


def _check(grace: float | None, batch: int | None, interval: float) -> None:
    if batch is not None and batch < 1:
        raise ValueError(f"a batch has at least one connection, not {batch}")
    for name, seconds in (("grace", grace), ("interval", interval)):
        if seconds is not None and not seconds >= 0:  # false for NaN as well
            raise ValueError(f"{name} is not negative, but {seconds}")
