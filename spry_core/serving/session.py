"""One connection meets one application.

A session has the pump's half of a `Connection`'s face and is itself the owner of the other half: it takes the
events, starts a task for each request, feeds contents and inboxes, and ends what must end. So the pump that
drives a bare `Connection` drives a session too. When its tasks begin and what comes out of them is in `tasks.py`, what becomes
of a request in `outcome.py`.

What is to be begun inside a call of the pump is begun at the end of that call, when all that came is taken: the driver may
take the first step of a task at once. `notify` is always the last thing that a session does, since the driver may write at
once and so come back in.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeAlias, assert_never

from spry_core.closing import Close
from spry_core.driver import Driver
from spry_core.errors import forget_frames
from spry_core.protocol.connection import Connection
from spry_core.protocol.events import (
    Accept,
    BodyData,
    BodyEnd,
    ConnectionEnded,
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
from spry_core.protocol.facts import Flow
from spry_core.protocol.http1 import END
from spry_core.protocol.stream import StreamEnd
from spry_core.serving.exchange import HttpExchange
from spry_core.serving.journal import (
    record_application_fault,
    record_held,
    record_peer_fault,
    record_request,
    record_want_of_memory,
    record_warning,
    record_websocket,
)
from spry_core.serving.outcome import serve
from spry_core.serving.record import LogRecord
from spry_core.serving.tasks import Tasks
from spry_core.tasks import Timers
from spry_core.web.dispatch import Dispatcher
from spry_core.web.exchange import StreamInfo
from spry_core.web.link import Link
from spry_core.web.request import Request


class Owner(Protocol):
    """What a session needs of its server."""

    @property
    def dispatcher(self) -> Dispatcher:
        """The compiled application."""
        ...

    @property
    def logs_access(self) -> bool:
        """Whether each request and each WebSocket is recorded."""
        ...

    def report(self, record: LogRecord) -> None:
        """Take a record for the log."""
        ...

    def forget(self, session: Session) -> None:
        """The session is over."""
        ...


_Further: TypeAlias = (
    BodyEnd
    | Message
    | MessageStart
    | MessageData
    | MessageEnd
    | Ping
    | Pong
    | Close
    | Writable
    | Failure
    | ConnectionEnded
    | ResponseHead
    | Accept
)
"""Every event that is no head of a request and no content of one."""


def _nothing() -> None:
    """Be what is done where only what follows from it matters."""


class Session:
    """Serves one connection."""

    __slots__ = (
        "_exchange",
        "_has_complained",
        "_is_forgotten",
        "_owner",
        "_request",
        "connection",
        "driver",
        "flow",
        "is_draining",
        "is_inside",
        "link",
        "stream",
        "tasks",
        "timers",
    )

    def __init__(self, owner: Owner, connection: Connection, driver: Driver, stream: StreamInfo) -> None:
        self.connection: Connection = connection
        self.flow: Flow = connection.flow
        """What is on its way through that connection."""
        self.driver: Driver = driver
        self.stream: StreamInfo = stream
        self.timers: Timers = Timers()
        """What handlers wait for (`spry_core.tasks`), and the stages of a shutdown."""
        self.is_draining: bool = False
        """True when the server shuts down."""
        self.tasks: Tasks = Tasks(self)
        """Those of its requests, and what they start."""
        self.link: Link | None = None
        """The WebSocket that it has become."""
        self.is_inside: bool = False
        """True in a call of the pump, and while events are taken: the pump looks afterwards by itself."""
        self._owner = owner
        self._exchange: HttpExchange | None = None
        self._request: Request | None = None
        self._is_forgotten = False
        self._has_complained = False

    # The pump's half: as of `Connection`

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer (see `Connection.receive_data`)."""
        was_inside, self.is_inside = self.is_inside, True  # `_inside`, for the call that comes most often
        try:
            self.connection.receive_data(data, now)
            if not was_inside:
                self._take_events(now)
        except MemoryError as error:
            self._run_out(error)
        finally:
            self.is_inside = was_inside

    def receive_eof(self, now: float) -> None:
        """Take note that the peer will send no more."""
        self._inside(lambda: self.connection.receive_eof(now), now)

    def connection_lost(self, error: BaseException | None, now: float) -> None:
        """Take note that the stream is gone. Handlers may still run a while; `closed` says when everything is
        over.
        """
        self._inside(lambda: self.connection.connection_lost(error, now), now)

    def bytes_written(self, n: int, now: float) -> None:
        """Take note that the transport took `n` bytes."""
        was_inside, self.is_inside = self.is_inside, True
        try:
            self.connection.bytes_written(n, now)
            if self.flow.events and not was_inside:
                self._take_events(now)
        except MemoryError as error:
            self._run_out(error)
        finally:
            self.is_inside = was_inside

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """Hand over what to write now (see `Connection.data_to_send`)."""
        return self.connection.data_to_send()

    @property
    def wants_read(self) -> bool:
        """False: do not read the stream now."""
        return self.connection.wants_read

    @property
    def read_size(self) -> int:
        """How many bytes to ask the stream for in one read, at most (see `Connection.read_size`)."""
        return self.connection.read_size

    def next_deadline(self) -> float | None:
        """Return the next moment at which time alone changes something, or None."""
        moment = self.connection.next_deadline()
        if self.timers.heap is None:
            return moment
        other = self.timers.next_deadline()
        return other if moment is None or (other is not None and other < moment) else moment

    def handle_deadline(self, now: float) -> None:
        """Do everything that has fallen due at `now`."""
        self._inside(lambda: self._handle_deadline(now), now)

    def _handle_deadline(self, now: float) -> None:
        self.connection.handle_deadline(now)
        self.timers.handle_deadline(now)

    @property
    def closed(self) -> bool:
        """True when the stream is gone and every task has ended."""
        return self.connection.closed and self.tasks.are_over

    @property
    def is_websocket(self) -> bool:
        """True since the stream switched to WebSocket."""
        return self.connection.is_websocket

    def _inside(self, call: Callable[[], None], now: float) -> None:
        """Do something and take all that follows from it; the pump looks at everything afterwards by itself.

        Want of memory costs this connection alone, and frees what it holds: who sends too much runs into it first.
        """
        was_inside, self.is_inside = self.is_inside, True
        try:
            call()
            if not was_inside:
                self._take_events(now)
        except MemoryError as error:
            self._run_out(error)
        finally:
            self.is_inside = was_inside

    def _run_out(self, error: MemoryError) -> None:
        self._owner.report(record_want_of_memory(self.stream.peer, self._head))
        forget_frames(error)
        self.connection.abort(self.driver.now(), error)

    # Ending from outside

    def shutdown(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        """End politely: a WebSocket with this Close, HTTP after the present answer.

        Handlers that still run `grace` seconds later (`Timeouts.grace` for None) are cancelled, and
        `Timeouts.close_timeout` after that the stream is cut. A second call may shorten the grace and changes nothing else.
        """
        self.drain(now, code, reason, grace=grace)
        self._notify()

    def drain(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        """Do the same, for who looks at the session afterwards anyway."""
        if self.closed:
            return
        self.is_draining = True
        timeouts = self.connection.timeouts
        grace = timeouts.grace if grace is None else grace
        if grace is not None:
            self.timers.add(now + grace, self.tasks.cancel)
            self.timers.add(now + grace + (timeouts.close_timeout or 0.0), self._cut_late)
        self._inside(lambda: self.connection.shutdown(now, code, reason), now)

    def abort(self, now: float) -> None:
        """End at once: the stream is reset and the tasks are cancelled."""
        # First the tasks: where the end of the connection has woken one, it depends on the backend whether a cancellation
        # still finds it waiting.
        self.tasks.cancel()
        self._inside(lambda: self.connection.abort(now), now)
        self._end_exchange()
        self._notify()

    def _cut_late(self) -> None:
        """Whoever waits for the end of the process learns what keeps it, if its cancellation was swallowed."""
        seconds = self.connection.timeouts.close_timeout
        if seconds and not self.tasks.are_over and not self._has_complained:
            self._has_complained = True
            self._owner.report(record_held(self.stream.peer, self._head, seconds))
        self.cut()

    def cut(self) -> None:
        """End at once, but leave the tasks alone: they see the end."""
        now = self.driver.now()
        self._inside(lambda: self.connection.abort(now), now)
        self._notify()

    # What its exchange and its link ask

    def touch(self, soon: bool = False) -> None:
        """A task has changed something: take what follows, and let the pump look at everything."""
        if self.is_inside:
            return
        if self.flow.events or self.flow.is_settled:  # nearly always there are bytes alone
            self._inside(_nothing, self.driver.now())
        self.driver.notify(soon)

    @property
    def is_cancelling(self) -> bool:
        """True since the tasks were cancelled."""
        return self.tasks.is_cancelling

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run this as a task of the connection (see `Tasks.start`)."""
        self.tasks.start(function)

    def connect(self, link: Link) -> None:
        """The request has become this WebSocket."""
        self.link = link
        del self.tasks.context  # no request begins any more

    def answered(self, exchange: HttpExchange) -> None:
        """The whole answer of `exchange` is said: take what follows, and let the pump look at everything.

        When the next request has been waiting behind it, its answer may come along: before the loop sleeps is early enough.
        """
        if not self.is_inside:
            if (
                self.flow.events or self.tasks.waiting is not None
            ):  # no WebSocket is here yet to be looked after
                self._inside(_nothing, self.driver.now())
            self.driver.notify(self._exchange is not exchange)

    def report_error(self, text: str, error: BaseException | None) -> None:
        """Log what an application did: with `error` a fault, without it something strange."""
        if error is None:
            record = record_warning(self.stream.peer, self._head, text)
        else:
            record = record_application_fault(self.stream.peer, self._head, error, text)
        self._owner.report(record)

    def report_handler_error(self, error: BaseException) -> None:
        """Log an error of a WebSocket's handler once, with its traceback."""
        assert self._exchange is not None
        self.report_error_of(self._exchange, error)

    def report_error_of(self, exchange: HttpExchange, error: BaseException) -> None:
        """Log an error of the application in this request, with its traceback."""
        what = f"{type(error).__name__} in the application"
        self._owner.report(record_application_fault(self.stream.peer, exchange.head, error, what))

    def note(self, exchange: HttpExchange) -> None:
        """A request is over: log it."""
        if self._owner.logs_access and exchange.status_code != 101:
            seconds = self.driver.now() - exchange.started
            self._owner.report(record_request(self.stream.peer, exchange, seconds))
        # An idle connection need not hold what its last request sent.
        if exchange.is_complete and self._exchange is exchange:
            self._exchange = self._request = None

    def _notify(self, soon: bool = False) -> None:
        if not self.is_inside:
            self.driver.notify(soon)

    @property
    def _head(self) -> RequestHead | None:
        return None if self._exchange is None else self._exchange.head

    # Events

    def _take_events(self, now: float) -> None:
        flow, take_event = self.flow, self.connection.take_event
        unfetched = flow.events
        while True:
            while unfetched and (event := take_event()) is not None:
                if isinstance(event, list):
                    assert self.link is not None
                    self.link.inbox.deliver(event)
                elif isinstance(event, RequestHead):
                    self._begin(event, now)
                elif event is END and self._request is not None:  # of nearly every request: as `_take` does
                    self._request.finish_body()
                elif isinstance(event, BodyData):
                    self._take_content(event.data)
                else:
                    self._take(event, now)
            # What that begins and wakes, callbacks of `listen` too, may lead to more events.
            if self.tasks.waiting is not None:
                self.tasks.begin_waiting()
            elif not flow.is_settled or self.link is None or not self.link.notice_settling():
                return

    def _take(self, event: _Further, now: float) -> None:
        match event:
            case BodyEnd():
                assert self._request is not None
                self._request.finish_body(event.trailers)
            case Message():
                assert self.link is not None
                self.link.inbox.deliver([event.data])
            case MessageStart() | MessageData() | MessageEnd():
                assert self.link is not None
                self.link.inbox.deliver_piece(event)
            case Writable():
                self._wake_senders()
            case Failure():
                self._take_failure(event)
            case ConnectionEnded():
                self._end()
            case Pong():
                assert self.link is not None
                self.link.take_pong(event.payload, now)
            case Ping() | Close():
                pass  # answered already; what a Close has settled is noticed when all events are taken
            case ResponseHead() | Accept():  # pragma: no cover - a server's connection never gives these
                raise AssertionError(event)
            case _:
                assert_never(event)

    def _begin(self, head: RequestHead, now: float) -> None:
        exchange = HttpExchange(self, head, now)
        request, chain = self._owner.dispatcher.resolve(head, exchange)
        self._exchange, self._request = exchange, request
        if head.websocket is not None and not request.is_upgrade:
            self.connection.ignore_offer()
        # Its handler may run at once, and finds what has come with the head. A pipelined request begins in the task of the one
        # before it, whose context variables are none of its business.
        tasks = self.tasks
        tasks.begin_later(tasks.context, exchange, partial(serve, self, exchange, request, chain))

    def _take_content(self, data: bytes) -> None:
        assert self._exchange is not None
        assert self._request is not None
        self._exchange.content_received += len(data)
        self._request.deliver_body(data)

    def _wake_senders(self) -> None:
        if self.link is not None:
            self.link.look()
        elif self._exchange is not None:
            self._exchange.wake()

    def _take_failure(self, event: Failure) -> None:
        exchange = self._exchange
        # Behind a complete answer the fault is not of that request.
        head = None if exchange is None or exchange.is_complete else exchange.head
        self._owner.report(record_peer_fault(self.stream.peer, head, event.error))
        if self.link is not None:
            return
        # While an opening handshake waits for its answer nothing can fail but its time: whoever is to give it comes too late.
        is_too_late = head is not None and self._request is not None and self._request.is_upgrade
        self._end_exchange(event.error.status_code)
        if is_too_late:
            self.tasks.cancel()

    def _end_exchange(self, status_code: int | None = None) -> None:
        if self._exchange is not None and self._request is not None:
            self._request.fail_body(self._exchange.end(status_code))

    def _end(self) -> None:
        if self.link is None:
            self._end_exchange()
        else:
            assert self._exchange is not None
            self.link.end()
            info = self.link.info
            assert info is not None
            if self._owner.logs_access:
                seconds = self.driver.now() - self._exchange.started
                self._owner.report(record_websocket(self.stream.peer, self._exchange, info, seconds))
        self.finish_if_over()

    def finish_if_over(self) -> None:
        """When the stream is gone and the last task has ended, tell the server and the pump."""
        if not self.closed or self._is_forgotten:
            return
        self._is_forgotten = True
        self._owner.forget(self)
        self._notify()
