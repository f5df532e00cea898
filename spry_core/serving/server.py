"""All connections of one application: makes and counts sessions, and knows how to end them. As pure as the
rest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from spry_core.closing import check_close
from spry_core.driver import Driver
from spry_core.errors import LocalProtocolError
from spry_core.protocol.connection import Connection
from spry_core.protocol.engines import DEFAULT_ENGINE, EngineName, check_engine
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.serving.face import MakeConnection, Served
from spry_core.serving.journal import record_shutdown
from spry_core.serving.lifespan import Lifespan
from spry_core.serving.record import LogRecord
from spry_core.serving.session import Session
from spry_core.serving.tls import Tls, TlsStage
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
        access_log: False makes no records of requests and WebSockets.
        make_connection: Makes the connection of each stream.
    """

    def __init__(
        self,
        app: Application,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        engine: EngineName = DEFAULT_ENGINE,
        random: Callable[[int], bytes],
        wall_clock: Callable[[], float],
        report: Callable[[LogRecord], None],
        access_log: bool = True,
        make_connection: MakeConnection = Connection,
    ) -> None:
        check_engine(engine)
        _check_application(app)
        self.dispatcher: Final[Dispatcher] = app.compile()
        self.limits: Final = limits or Limits()
        self.timeouts: Final = timeouts or Timeouts()
        self._engine: EngineName = engine
        self._random = random
        self._wall_clock = wall_clock
        self._report = report
        self._make_connection = make_connection
        self.logs_access: Final = access_log
        self._timers = Timers()
        self.lifespan: Final = Lifespan(app, self)
        """The host of what the application does around all connections."""
        self._sessions: dict[Served, None] = {}  # and TLS stages that have none yet, or have one no more
        self._now = 0.0  # of the deadline that is being handled
        self._is_closing = False
        self._code, self._reason = 1001, ""
        self._until: float | None = None  # what still runs is cancelled then

    def start(self, driver: Driver) -> None:
        """Begin the lifespan of the application in a task of `driver`; `has_started` says when sessions may be made.

        Until the lifespan has ended the driver's `notify` is called whenever something has changed here. Without a lifespan this
        does nothing, and need not be called.

        Raises:
            LocalProtocolError: It was started before, or is closing.
        """
        if self._is_closing:
            raise LocalProtocolError("the server is closing: it cannot be started any more")
        self.lifespan.begin(driver)

    @property
    def has_started(self) -> bool:
        """True since the lifespan has come to its `yield`; without one from the first."""
        return self.lifespan.has_started

    @property
    def failure(self) -> BaseException | None:
        """The first error that startup or teardown of the lifespan raised. After one in startup nothing is ever served."""
        return self.lifespan.failure

    def session(self, driver: Driver, stream: StreamInfo | None = None) -> Session:
        """Begin to serve one accepted stream, with the driver that its pump lends.

        Raises:
            LocalProtocolError: The lifespan has not started.
        """
        self._check_started()
        stream = stream or StreamInfo()
        connection = self._make_connection(
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

    def tls_session(self, driver: Driver, stream: StreamInfo, tls: Tls) -> TlsStage:
        """Begin to serve one accepted stream over TLS: its session begins when the handshake is complete.

        Raises:
            LocalProtocolError: As for `session`.
        """
        self._check_started()
        stage = TlsStage(
            self,
            tls,
            driver,
            peer=stream.peer,
            timeouts=self.timeouts,
            open_session=lambda: self.session(driver, stream),
        )
        self._sessions[stage] = None
        if self._is_closing:
            stage.drain(driver.now())
        return stage

    def _check_started(self) -> None:
        if not self.has_started:
            raise LocalProtocolError("no connection can be served before the lifespan has started")

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
        """True when it is closing, every connection is over, and so is the lifespan."""
        return self._is_closing and not self._sessions and self.lifespan.is_over

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

        When the last connection is over the lifespan goes on behind its `yield`. It has what is left of the grace and
        `Timeouts.close_timeout` for that, then it is cancelled. If it has not started yet, it may do so until the grace is over.

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
        self.lifespan.notify()  # first of all the listeners: who is told to go would knock there again
        grace = self.timeouts.grace if grace is None else grace
        if self.has_started:  # else nobody was told that it serves
            self.report(record_shutdown(len(self._sessions), grace))
        self._limit(None if grace is None else now + grace)
        sessions = tuple(self._sessions)
        for session in sessions:
            if not session.is_websocket:
                self._end(session, now)
        waiting = deque(session for session in sessions if session.is_websocket)
        self._end_some(waiting, len(waiting) if batch is None else batch, interval, now)
        self._end_lifespan_if_last()

    def _limit(self, until: float | None) -> None:
        self._until = until
        if until is not None and not self.lifespan.has_started:
            self._timers.add(until, self.lifespan.give_up_starting)
        self._limit_teardown()

    def _end_lifespan_if_last(self) -> None:
        if self._is_closing and not self._sessions and not self.lifespan.is_over:
            self.lifespan.end()
            self._limit_teardown()

    def _limit_teardown(self) -> None:
        """What has begun when the grace was used up already has the closing time all the same."""
        if self._until is not None and self.lifespan.is_ending:
            begin = max(self._until, self.lifespan.driver.now())
            self._timers.add(begin + (self.timeouts.close_timeout or 0.0), self.lifespan.give_up_ending)

    def _end_some(self, waiting: deque[Served], batch: int, interval: float, now: float) -> None:
        """End the next batch, and see to the one after it."""
        is_late = self._until is not None and now >= self._until
        for _ in range(len(waiting) if is_late else min(batch, len(waiting))):
            self._end(waiting.popleft(), now)
        if waiting:
            following = now + interval if self._until is None else min(now + interval, self._until)
            self._timers.add(following, lambda: self._end_some(waiting, batch, interval, self._now))

    def _end(self, session: Served, now: float) -> None:
        session.shutdown(now, self._code, self._reason, grace=self._left(now))

    def _left(self, now: float) -> float | None:
        return None if self._until is None else max(0.0, self._until - now)

    def _shorten(self, now: float, grace: float | None) -> None:
        """Take away from the grace; whoever waits for a batch has waited long enough."""
        if grace is None:
            return
        self._limit(now + grace if self._until is None else min(self._until, now + grace))
        for session in tuple(self._sessions):
            self._end(session, now)

    def abort(self, now: float) -> None:
        """End every connection at once: streams are reset, tasks cancelled, the lifespan too (`Application.lifespan`)."""
        self._is_closing = True
        self.lifespan.notify()
        self._until = now
        for session in tuple(self._sessions):
            session.abort(now)
        self.lifespan.cancel()
        self._end_lifespan_if_last()

    def next_deadline(self) -> float | None:
        """Return the next moment at which the server itself has something to do, or None."""
        moments = (self._timers.next_deadline(), self.lifespan.timers.next_deadline())
        return min((moment for moment in moments if moment is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Do everything that has fallen due at `now`."""
        self._now = now
        self._timers.handle_deadline(now)
        self.lifespan.timers.handle_deadline(now)

    # What sessions and the lifespan ask

    def report(self, record: LogRecord) -> None:
        """Hand a record to the log."""
        self._report(record)

    def hold(self, served: Served) -> None:
        """This is a connection."""
        self._sessions[served] = None

    def forget(self, session: Served) -> None:
        """The session is over, or another stands for it."""
        self._sessions.pop(session, None)
        self._end_lifespan_if_last()

    def lifespan_ended(self) -> None:
        """Nothing of the lifespan runs any more: whatever is still served has lost its ground."""
        if not self._is_closing:
            self.shutdown(self.lifespan.driver.now())


def _check(grace: float | None, batch: int | None, interval: float) -> None:
    if batch is not None and batch < 1:
        raise ValueError(f"a batch has at least one connection, not {batch}")
    for name, seconds in (("grace", grace), ("interval", interval)):
        if seconds is not None and not seconds >= 0:  # false for NaN as well
            raise ValueError(f"{name} is not negative, but {seconds}")


def _check_application(app: object) -> None:
    if not isinstance(app, Application):
        hint = ": call it, if it makes one" if callable(app) else ""
        raise TypeError(f"app is an Application, not of type {type(app).__name__}{hint}")
