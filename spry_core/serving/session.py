"""One connection meets one application.

A session has the pump's half of a `Connection`'s face and is itself the owner of the other half: it takes the
events, starts a task for each request, feeds contents and inboxes, and ends what must end. So the pump that
drives a bare `Connection` drives a session too.

It never runs a handler inside a call of the pump (a sync callback of `ws.listen` excepted), and `notify` is
always the last thing it does, since the driver may write at once and so come back in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol, assert_never

from spry_core.closing import Close, CloseInfo
from spry_core.driver import Driver, Task
from spry_core.errors import ConnectionClosed
from spry_core.protocol.connection import Connection
from spry_core.protocol.events import (
    Accept,
    BodyData,
    BodyEnd,
    ConnectionEnded,
    Event,
    Failure,
    Message,
    MessageData,
    MessageEnd,
    MessageStart,
    Ping,
    Pong,
    RequestHead,
    ResponseHead,
    Writable,
)
from spry_core.protocol.stream import StreamEnd
from spry_core.serving.answer import answer
from spry_core.serving.exchange import HttpExchange
from spry_core.serving.record import ACCESS, ERROR, FAULT, INFO, WARNING, LogRecord, printable
from spry_core.tasks import Timers, enter
from spry_core.web.dispatch import Dispatcher
from spry_core.web.exceptions import Abort, unwrap
from spry_core.web.exchange import StreamInfo
from spry_core.web.link import Link
from spry_core.web.middleware import Chain
from spry_core.web.request import Request

_NOT_CANCELLATIONS = (KeyboardInterrupt, SystemExit, GeneratorExit)


class Owner(Protocol):
    """What a session needs of its server."""

    @property
    def dispatcher(self) -> Dispatcher:
        """The compiled application."""
        ...

    def report(self, record: LogRecord) -> None:
        """Take a record for the log."""
        ...

    def forget(self, session: Session) -> None:
        """The session is over."""
        ...


class Session:
    """Serves one connection."""

    def __init__(self, owner: Owner, connection: Connection, driver: Driver, stream: StreamInfo) -> None:
        self.connection = connection
        self.driver = driver
        self.stream = stream
        self.timers = Timers()
        """What handlers wait for (`spry_core.tasks`), and the stages of a shutdown."""
        self.is_draining = False
        """True when the server shuts down."""
        self._owner = owner
        self._tasks: set[_Running] = set()
        self._exchange: HttpExchange | None = None
        self._request: Request | None = None
        self._link: Link | None = None
        self._is_inside = False
        self._is_cancelling = False
        self._is_forgotten = False

    # The pump's half: as of `Connection`

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer (see `Connection.receive_data`)."""
        self._inside(lambda: self.connection.receive_data(data, now))

    def receive_eof(self, now: float) -> None:
        """Take note that the peer will send no more."""
        self._inside(lambda: self.connection.receive_eof(now))

    def connection_lost(self, error: BaseException | None, now: float) -> None:
        """Take note that the stream is gone. Handlers may still run a while; `closed` says when everything is
        over.
        """
        self._inside(lambda: self.connection.connection_lost(error, now))

    def bytes_written(self, n: int, now: float) -> None:
        """Take note that the transport took `n` bytes."""
        self._inside(lambda: self.connection.bytes_written(n, now))

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """Hand over what to write now (see `Connection.data_to_send`)."""
        return self.connection.data_to_send()

    @property
    def wants_read(self) -> bool:
        """False: do not read the stream now."""
        return self.connection.wants_read

    def next_deadline(self) -> float | None:
        """Return the next moment at which time alone changes something, or None."""
        moments = (self.connection.next_deadline(), self.timers.next_deadline())
        return min((moment for moment in moments if moment is not None), default=None)

    def handle_deadline(self, now: float) -> None:
        """Do everything that has fallen due at `now`."""
        self._inside(lambda: self._handle_deadline(now))

    def _handle_deadline(self, now: float) -> None:
        self.connection.handle_deadline(now)
        self.timers.handle_deadline(now)

    @property
    def closed(self) -> bool:
        """True when the stream is gone and every task has ended."""
        return self.connection.closed and not self._tasks

    def _inside(self, call: Callable[[], None]) -> None:
        """Do something and take all that follows from it; the pump looks at everything afterwards by itself."""
        was_inside, self._is_inside = self._is_inside, True
        try:
            call()
            if not was_inside:
                self._take_events()
        finally:
            self._is_inside = was_inside

    # Ending from outside

    def shutdown(self, code: int, reason: str, now: float, grace: float | None = None) -> None:
        """End politely: a WebSocket with this Close, HTTP after the present answer.

        Handlers that still run `grace` seconds later (`Timeouts.grace` for None) are cancelled, and
        `Timeouts.close_timeout` after that the stream is cut. A second call may shorten the grace and changes nothing else.
        """
        if self.closed:
            return
        self.is_draining = True
        timeouts = self.connection.timeouts
        grace = timeouts.grace if grace is None else grace
        if grace is not None:
            self.timers.add(now + grace, self._cancel_tasks)
            self.timers.add(now + grace + (timeouts.close_timeout or 0.0), self._cut)
        self._inside(lambda: self.connection.shutdown(now, code, reason))
        self._notify()

    def abort(self, now: float) -> None:
        """End at once: the stream is reset and the tasks are cancelled."""
        self._inside(lambda: self.connection.abort(now))
        self._cancel_tasks()
        self._notify()

    def _cut(self) -> None:
        self._inside(lambda: self.connection.abort(self.driver.now()))

    def _cancel_tasks(self) -> None:
        self._is_cancelling = True
        for running in tuple(self._tasks):
            running.cancel()

    # What its exchange and its link ask

    def touch(self, soon: bool = False) -> None:
        """A task has changed something: take what follows, and let the pump look at everything."""
        if self._is_inside:
            return
        self._inside(lambda: None)
        self._notify(soon)

    def _notify(self, soon: bool = False) -> None:
        if not self._is_inside:
            self.driver.notify(soon)

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run this as a task of the connection."""
        running = _Running()
        self._tasks.add(running)
        running.task = self.driver.start(enter, self, self._run, running, function)

    def connect(self, link: Link) -> None:
        """The request has become this WebSocket."""
        self._link = link

    def report_error(self, text: str, error: BaseException | None) -> None:
        """Hand one record of an application's fault to the log."""
        level = WARNING if error is None else FAULT
        self._owner.report(LogRecord(logger=ERROR, level=level, text=text, exception=error))

    def report_handler_error(self, error: BaseException) -> None:
        """Log an error of the application once, with its traceback."""
        self.report_error(f"{self._where()}: {type(error).__name__} in the application", error)

    # Tasks

    async def _run(self, running: _Running, function: Callable[[], Awaitable[None]]) -> None:
        """Run one task behind a barrier: whatever it raises ends here, except what ends the whole process and
        our own cancellation.
        """
        try:
            await function()
        except _NOT_CANCELLATIONS:
            raise
        except BaseException as error:
            if not isinstance(error, Exception) and self._is_cancelling:
                raise
            self._fail_task(error)
        finally:
            self._tasks.discard(running)
            self._finish_if_over()

    def _fail_task(self, error: BaseException) -> None:
        """A task raised, or was cancelled by somebody else than us: an error of the application."""
        self.report_handler_error(error)
        if self._link is not None:
            self._link.fail_handler(error, Close(code=1011), is_logged=False)
        elif self._exchange is not None:
            self._exchange.abort()

    async def _serve(self, exchange: HttpExchange, request: Request, chain: Chain) -> None:
        """Run the chain of one request, and send its answer."""
        try:
            outcome = await chain(request)
        except _NOT_CANCELLATIONS:
            raise
        except BaseException as error:
            if self._link is not None or (not isinstance(error, Exception) and self._is_cancelling):
                raise
            if not (exchange.is_over and isinstance(error, ConnectionClosed)):
                self.report_handler_error(unwrap(error) if isinstance(error, Exception) else error)
            outcome = Abort(500).response()
        if isinstance(outcome, CloseInfo):
            self._log_access(f"websocket {outcome.close_code} by {outcome.initiator}", exchange)
            return
        try:
            await answer(exchange, outcome)
        finally:
            self._log_access(str(exchange.status_code or "no answer"), exchange)

    # Events

    def _take_events(self) -> None:
        while (event := self.connection.next_event()) is not None:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case Message():
                assert self._link is not None
                self._link.deliver(event.data)
            case RequestHead():
                self._begin(event)
            case BodyData():
                assert self._request is not None
                self._request.body.deliver(event.data)
            case BodyEnd():
                assert self._request is not None
                self._request.body.finish(event.trailers)
            case Writable():
                self._wake_senders()
            case Close():
                assert self._link is not None
                self._link.look()
            case Failure():
                self._take_failure(event)
            case ConnectionEnded():
                self._end()
            case Ping() | Pong():
                pass
            case ResponseHead() | Accept() | MessageStart() | MessageData() | MessageEnd():
                raise AssertionError(event)  # pragma: no cover - a server's connection never gives these
            case _:
                assert_never(event)

    def _begin(self, head: RequestHead) -> None:
        exchange = HttpExchange(self, head, self.driver.now())
        request, chain = self._owner.dispatcher.resolve(head, exchange)
        self._exchange, self._request = exchange, request
        self.start(lambda: self._serve(exchange, request, chain))

    def _wake_senders(self) -> None:
        if self._link is not None:
            self._link.look()
        elif self._exchange is not None:
            self._exchange.room.wake()

    def _take_failure(self, event: Failure) -> None:
        text = f"{self._where()}: {event.error} ({event.error.section})"
        self._owner.report(LogRecord(logger=ERROR, level=WARNING, text=text))
        if self._link is not None:
            self._link.look()
            return
        self._end_exchange()
        if event.error.status_code == 503:
            self._cancel_tasks()

    def _end_exchange(self) -> None:
        if self._exchange is not None and self._request is not None:
            self._request.body.fail(self._exchange.end())

    def _end(self) -> None:
        if self._link is not None:
            self._link.end()
        else:
            self._end_exchange()
        self._finish_if_over()

    def _finish_if_over(self) -> None:
        """When the stream is gone and the last task has ended, tell the server and the pump."""
        if not self.closed or self._is_forgotten:
            return
        self._is_forgotten = True
        self._owner.forget(self)
        self._notify()

    # Logging

    def _where(self) -> str:
        peer = self.stream.peer or "peer"
        return peer if self._exchange is None else f"{peer} {_request_line(self._exchange)}"

    def _log_access(self, outcome: str, exchange: HttpExchange) -> None:
        milliseconds = (self.driver.now() - exchange.started) * 1000
        text = f"{self.stream.peer or 'peer'} {_request_line(exchange)} {outcome} {milliseconds:.1f} ms"
        self._owner.report(LogRecord(logger=ACCESS, level=INFO, text=text))


def _request_line(exchange: HttpExchange) -> str:
    return f'"{printable(exchange.head.method)} {printable(exchange.head.target)}"'


class _Running:
    """One task, which may be cancelled before the driver has given its handle."""

    def __init__(self) -> None:
        self.task: Task | None = None

    def cancel(self) -> None:
        if self.task is not None:
            self.task.cancel()
