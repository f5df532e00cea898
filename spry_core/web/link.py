"""What stands between one WebSocket of an application and the session that serves it.

The session tells what has changed (`look`, `notice_settling`, `end`) and puts messages into the `inbox`; `WebSocket` and
`Subscription` take out and wait. Nothing in here does any protocol: states, limits and codes are the connection's.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum, IntEnum, auto
from typing import NoReturn, Protocol

from spry_core.closing import (
    Close,
    CloseInfo,
    ConnectionClosed,
    ConnectionLost,
    KeepaliveTimeout,
    ProtocolFailure,
)
from spry_core.driver import Driver, Scope
from spry_core.errors import LocalProtocolError, RemoteProtocolError
from spry_core.protocol.connection import Connection
from spry_core.protocol.events import SentEvent
from spry_core.protocol.facts import Flow
from spry_core.protocol.prepared import PreparedMessage
from spry_core.wakeup import Checkpoints, WakeUp
from spry_core.web.inbox import Inbox
from spry_core.web.pinging import Pings


class ReadyState(IntEnum):
    """Where a WebSocket is, with the numbers of the browsers' API."""

    CONNECTING = 0
    OPEN = 1
    CLOSING = 2
    CLOSED = 3


class SendResult(Enum):
    """What `send_nowait` found when it had queued a message."""

    OK = auto()
    """There is room for more."""

    BACKPRESSURE = auto()
    """More than `Limits.high_water` bytes are unsent: better wait (`drained`) before sending more."""


class Host(Protocol):
    """What a link needs of the session."""

    @property
    def driver(self) -> Driver:
        """The driver of the connection."""
        ...

    @property
    def closed(self) -> bool:
        """True when the stream is gone and every task has ended."""
        ...

    @property
    def is_cancelling(self) -> bool:
        """True when the tasks of the connection are being cancelled."""
        ...

    def touch(self, soon: bool = False) -> None:
        """Something has changed: look at the connection's events, then let the pump look at everything."""
        ...

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run this as a task of the connection."""
        ...

    def report_handler_error(self, error: BaseException) -> None:
        """Log an error of the application once, with its traceback."""
        ...


class Link:
    """The state of one accepted WebSocket, as far as it is not the connection's."""

    __slots__ = (
        "_closes_on_return",
        "_ending",
        "_error",
        "_has_noticed_settling",
        "_host",
        "_interrupted_by_end",
        "_interrupted_by_settling",
        "_pings",
        "_room",
        "_settling",
        "_tasks",
        "background",
        "cancels_on_end",
        "checkpoints",
        "connection",
        "driver",
        "flow",
        "has_exclusive_sender",
        "inbox",
        "streams",
    )

    def __init__(self, connection: Connection, host: Host) -> None:
        self.connection: Connection = connection
        self.flow: Flow = connection.flow
        """What is on its way through that connection."""
        self.driver: Driver = host.driver
        self.checkpoints: Checkpoints = Checkpoints(host.driver)
        """Passed by everybody who waits for something of this WebSocket."""
        self.inbox: Inbox = Inbox(connection, host.driver, host)
        """What has come and is not yet consumed."""
        self.streams: int = 0
        """Streams of messages that are being sent."""
        self.has_exclusive_sender: bool = False
        """True while one of them allows no other message in between."""
        self.background: int = 0
        """Subscriptions and streams that keep the connection busy when the handler has returned."""
        self.cancels_on_end: bool = False
        """True if the end of the stream is to cancel the handler, or a callback in progress."""
        self._host = host
        self._room: WakeUp | None = None
        self._settling: WakeUp | None = None
        self._ending: WakeUp | None = None
        self._pings: Pings | None = None
        self._closes_on_return = False
        self._has_noticed_settling = False
        self._tasks = 0
        self._error: BaseException | None = None
        # Tuples: most connections never have any, and the empty one is there already.
        self._interrupted_by_settling: tuple[Scope, ...] = ()
        self._interrupted_by_end: tuple[Scope, ...] = ()

    # What a WebSocket asks. Each of the next four is made when somebody waits: most connections need one of them.

    @property
    def room(self) -> WakeUp:
        """Awaited by senders: there is room again, or the end has come."""
        if self._room is None:
            self._room = WakeUp(self.driver)
        return self._room

    @property
    def settling(self) -> WakeUp:
        """Awaited by those who close: the end is settled."""
        if self._settling is None:
            self._settling = WakeUp(self.driver)
        return self._settling

    @property
    def ending(self) -> WakeUp:
        """Awaited by those who want the end of the stream, and of the tasks."""
        if self._ending is None:
            self._ending = WakeUp(self.driver)
        return self._ending

    @property
    def pings(self) -> Pings:
        """The Pings of the application that wait for their Pongs."""
        if self._pings is None:
            self._pings = Pings(self.driver)
        return self._pings

    @property
    def info(self) -> CloseInfo | None:
        """How the connection ended, with the handler's error as its cause; None until that is settled, and
        everything that came before has been delivered.
        """
        if not self._has_noticed_settling:
            return None
        ended = self._ended
        return None if ended is None else self._with_error(ended)

    @property
    def _ended(self) -> CloseInfo | None:
        return self.connection.close_info if self._has_noticed_settling else None

    def _with_error(self, info: CloseInfo) -> CloseInfo:
        return info if self._error is None else replace(info, cause=self._error)

    @property
    def is_over(self) -> bool:
        """True when the stream is gone and nothing that was started with `start` runs any more."""
        return self.connection.closed and not self._tasks

    @property
    def is_dead(self) -> bool:
        """True when the session is over as well: no task can be started any more."""
        return self._host.closed

    @property
    def is_cancelling(self) -> bool:
        """True when the tasks of the connection are being cancelled."""
        return self._host.is_cancelling

    @property
    def ready_state(self) -> ReadyState:
        """OPEN until the first Close frame went either way, CLOSED when the stream is gone."""
        if self.connection.closed:
            return ReadyState.CLOSED
        return ReadyState.OPEN if self.connection.is_open else ReadyState.CLOSING

    def closed_error(self) -> ConnectionClosed:
        """Make the exception that tells how the connection ended (`spry_core.errors`)."""
        ended = self._ended
        if ended is None:
            return ConnectionClosed(None)
        error = _kind_of(ended)(self._with_error(ended))
        error.__cause__ = ended.cause
        return error

    @property
    def is_full(self) -> bool:
        """True while more than the high-water mark is unsent and the connection still takes more."""
        return self.connection.is_full

    def send_message(self, data: str | bytes, compress: bool | None) -> None:
        """Do as `send` does, with a message."""
        inbox = self.inbox
        try:
            self.connection.send_message(data, compress, self.driver.now())
        except LocalProtocolError:
            if self.connection.is_open:
                raise
        else:
            if not inbox.is_delivering:
                self._host.touch(bool(inbox.items))
            return
        raise self.closed_error()

    def offer(self, message: PreparedMessage, compress: bool | None) -> bool:
        """Send a message that others get too, while messages may be sent. Tell whether it was: not if too much is unsent, or
        a stream lets nothing in between.
        """
        if self.has_exclusive_sender or (self.flow.is_pressed and self.connection.is_stuffed):
            return False
        self.connection.send_prepared(message, compress, self.driver.now())
        if not self.inbox.is_delivering:
            self._host.touch(True)  # another may follow
        return True

    def send(self, event: SentEvent) -> None:
        """Hand one event to the connection, whole, and let the pump look; raises `ConnectionClosed` unless
        OPEN.
        """
        if not self.connection.is_open:
            raise self.closed_error()
        self.connection.send(event, self.driver.now())
        self._host.touch(soon=self.inbox.has_mail)

    def close(self, close: Close) -> None:
        """Begin the closing handshake; what is not yet read is dropped. A second time changes nothing."""
        if self.connection.is_open:
            self.connection.send(close, self.driver.now())
        self.inbox.close()
        self._host.touch()

    async def refuse(self, error: RemoteProtocolError) -> NoReturn:
        """Fail the connection for what its peer has sent (RFC 6455 §7.1.7); what is not yet read is dropped.

        Raises the `ProtocolFailure` of that when the end is settled, or what the end is if it was near already.
        """
        self.connection.fail(error, self.driver.now())
        self.inbox.close()  # so nothing that is still to be answered holds back the Close frame
        self._host.touch()
        await self.wait_until_settled()
        raise self.closed_error()

    async def wait_until_settled(self) -> CloseInfo:
        """Wait until the end is settled, whatever it is."""
        while (info := self.info) is None:
            await self.settling.wait()
        return info

    def abort(self) -> None:
        """Cut the stream."""
        self.connection.abort(self.driver.now())
        self.inbox.close()
        self._host.touch()

    def set_ping_interval(self, seconds: float | None) -> None:
        """Send keepalive Pings at this interval from now on; the pump learns of the new deadline."""
        self.connection.set_ping_interval(seconds, self.driver.now())
        self._host.touch()

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run this as a task of the connection, whose end for the middleware waits for it."""

        async def counted() -> None:
            try:
                await function()
            finally:
                self._tasks -= 1
                _wake(self._ending)

        self._tasks += 1
        self._host.start(counted)

    # What a session tells

    def take_pong(self, payload: bytes, now: float) -> None:
        """A Pong has come."""
        if self._pings is not None:
            self._pings.take_pong(payload, now, self.connection.answered_until)

    def look(self) -> None:
        """Something else has changed: room to write, or the end."""
        if not self.is_full:
            _wake(self._room)
        self.inbox.look()

    def notice_settling(self) -> bool:
        """Wake everybody if the end has come to be settled; tell whether that is new.

        There is no event for it: the stream may take long to end after its peer has gone, and we may have
        ended it ourselves.
        """
        if self._has_noticed_settling or self.connection.close_info is None:
            return False
        self._has_noticed_settling = True
        self.inbox.mail.wake()
        if self._pings is not None:
            self._pings.answers.wake()
        _wake(self._settling)
        _cancel_all(self._interrupted_by_settling)
        self.look()
        return True

    def end(self) -> None:
        """The stream is gone."""
        if not self.notice_settling():
            self.look()
        _wake(self._ending)
        _cancel_all(self._interrupted_by_end)

    # The handler's end

    @contextmanager
    def interrupted_by_settling(self) -> Generator[Scope]:
        """Give a block that ends early when the end of the connection comes to be settled."""
        with self.driver.scope() as scope:
            self._interrupted_by_settling += (scope,)
            try:
                yield scope
            finally:
                self._interrupted_by_settling = _without(self._interrupted_by_settling, scope)

    @contextmanager
    def interrupted_by_end(self) -> Generator[None]:
        """Give a block that ends early when the stream is gone, if that is how the route wants it."""
        if not self.cancels_on_end:
            yield
            return
        with self.driver.scope() as scope:
            self.interrupt_at_end(scope)
            try:
                yield
            finally:
                self.spare(scope)

    def interrupt_at_end(self, scope: Scope) -> None:
        """End the block of `scope` early when the stream is gone."""
        self._interrupted_by_end += (scope,)
        if self.connection.closed:
            scope.cancel()

    def spare(self, scope: Scope) -> None:
        """The block of `scope` is over: the end of the stream is none of its business any more."""
        self._interrupted_by_end = _without(self._interrupted_by_end, scope)

    def fail_handler(self, error: BaseException, close: Close, *, is_logged: bool) -> None:
        """The handler, or a callback of it, raised: close with this, and remember why."""
        if self.connection.is_open:  # else something else was the cause of the end
            self._error = error
        if is_logged:
            self._host.report_handler_error(error)
        self.close(close)

    def handler_has_returned(self, *, closes: bool) -> None:
        """The handler is done; the connection stays open unless it `closes` with that."""
        self.inbox.is_orphaned = True
        self._closes_on_return = closes
        self.leave_alone()

    def leave_alone(self) -> None:
        """If nobody has anything to do with this connection any more, close or discard what comes (semantics
        of a handler's return).
        """
        if not self.inbox.is_orphaned or self.background:
            return
        if self._closes_on_return:
            self.close(Close(code=1000))
        elif self.inbox.is_left:
            self.inbox.drop()


def _kind_of(ended: CloseInfo) -> type[ConnectionClosed]:
    """Choose the class that says how it ended: well, or at least because the application closed; or what went wrong."""
    if isinstance(ended.cause, KeepaliveTimeout):
        return KeepaliveTimeout
    if isinstance(ended.cause, RemoteProtocolError):
        return ProtocolFailure
    if ended.sent is not None or (ended.initiator == "local" and ended.cause is None):
        return ConnectionClosed
    return ConnectionLost


def _wake(wake_up: WakeUp | None) -> None:
    if wake_up is not None:
        wake_up.wake()


def _without(scopes: tuple[Scope, ...], scope: Scope) -> tuple[Scope, ...]:
    return tuple([each for each in scopes if each is not scope])


def _cancel_all(scopes: tuple[Scope, ...]) -> None:
    for scope in scopes:
        scope.cancel()
