"""Who is to keep the laws: an application behind Spry's own server, or somebody's own connection."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Protocol, TypeAlias, runtime_checkable

from spry_core.driver import Driver
from spry_core.protocol import (
    Accept,
    BodyData,
    BodyEnd,
    Connection,
    ConnectionEnded,
    Event,
    Limits,
    Message,
    Offer,
    RequestHead,
    ResponseHead,
    StreamEnd,
    Timeouts,
)
from spry_core.serving import LogRecord, MakeConnection, Server
from spry_core.serving.face import Pumped
from spry_core.testing.client import EPOCH
from spry_core.testing.memory import HasTimers, MemoryDriver
from spry_core.testing.pump import Watch
from spry_core.web.application import Application
from spry_core.web.exchange import StreamInfo


@runtime_checkable
class Subject(Protocol):
    """What can be put on one end of a stream in memory."""

    def mount(self, driver: MemoryDriver, lent: Driver, seed: int) -> tuple[Pumped, HasTimers | None]:
        """Return something fresh for one stream: what a pump drives, and who runs its tasks, if it has any.

        Args:
            driver: What runs everything.
            lent: The six verbs for this stream.
            seed: Decides all randomness.
        """
        ...


class AppSubject:
    """An application behind `Server`.

    Args:
        app: The application, or a function that makes a fresh one; do that if it keeps anything between connections.
        limits: The server's limits.
        timeouts: The server's timeouts.
        make_connection: Makes the connection of each stream.
    """

    def __init__(
        self,
        app: Application | Callable[[], Application],
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        make_connection: MakeConnection = Connection,
    ) -> None:
        self._app = app
        self._limits = limits
        self._timeouts = timeouts
        self._make_connection = make_connection

    def mount(self, driver: MemoryDriver, lent: Driver, seed: int) -> tuple[Pumped, HasTimers | None]:
        """Start a server for it, and its lifespan; return a session."""

        def report(record: LogRecord) -> None:
            driver.inspect(record.exception)

        app = self._app
        server = Server(
            app if isinstance(app, Application) else app(),
            limits=self._limits,
            timeouts=self._timeouts,
            random=Random(f"server {seed}").randbytes,
            wall_clock=lambda: EPOCH,  # a Date that stands still: the laws are about everything else
            report=report,
            make_connection=self._make_connection,
        )
        watch = Watch(driver, server)
        driver.add_host(server.lifespan)
        server.start(driver.lend("the lifespan", watch.look))
        driver.wait_until(lambda: server.has_started or server.closed, "the startup")
        if server.failure is not None:
            raise server.failure
        session = server.session(lent, StreamInfo(peer="127.0.0.1:50000", local="127.0.0.1:80"))
        return session, session


class ConnectionSubject:
    """A bare connection with the face of `Connection`, and an owner that accepts every WebSocket, echoes, and answers 200.

    Args:
        make: Makes one; called with `now` and `random`.
    """

    def __init__(self, make: Callable[[float, Callable[[int], bytes]], Connection]) -> None:
        self._make = make

    def mount(self, driver: MemoryDriver, lent: Driver, seed: int) -> tuple[Pumped, HasTimers | None]:
        """Make one and own it."""
        return Owned(self._make(driver.now(), Random(f"server {seed}").randbytes)), None


class Owned:
    """A connection and its owner in one, with the face that a pump drives."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._is_switching = False
        self._is_answered = False
        self.ends: int = 0
        """How many `ConnectionEnded` there were."""
        self.after_end: list[Event] = []
        """Events behind the first of them."""

    def receive_data(self, data: bytes, now: float) -> None:
        """Hand it on, and own what comes of it."""
        self._connection.receive_data(data, now)
        self._own(now)

    def receive_eof(self, now: float) -> None:
        """Hand it on, and own what comes of it."""
        self._connection.receive_eof(now)
        self._own(now)

    def connection_lost(self, error: Exception | None, now: float) -> None:
        """Hand it on, and own what comes of it."""
        self._connection.connection_lost(error, now)
        self._own(now)

    def bytes_written(self, n: int, now: float) -> None:
        """Hand it on, and own what comes of it."""
        self._connection.bytes_written(n, now)
        self._own(now)

    def handle_deadline(self, now: float) -> None:
        """Hand it on, and own what comes of it."""
        self._connection.handle_deadline(now)
        self._own(now)

    def next_deadline(self) -> float | None:
        """Return the connection's."""
        return self._connection.next_deadline()

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """Return the connection's."""
        return self._connection.data_to_send()

    @property
    def wants_read(self) -> bool:
        """The connection's."""
        return self._connection.wants_read

    @property
    def closed(self) -> bool:
        """The connection's."""
        return self._connection.closed

    def _own(self, now: float) -> None:
        for event in self._connection:
            if self.ends:
                self.after_end.append(event)
            match event:
                case RequestHead():
                    self._is_switching = isinstance(event.websocket, Offer)
                case BodyData():
                    self._connection.release(len(event.data), now)
                case BodyEnd():
                    self._answer(now)
                case Message() if self._connection.is_open:
                    self._connection.send(Message(data=event.data), now)
                    self._release(event, now)
                case Message():
                    self._release(event, now)
                case ConnectionEnded():
                    self.ends += 1
                case _:
                    pass

    def _answer(self, now: float) -> None:
        if self._is_switching:
            self._connection.send(Accept(), now)
            return
        self._connection.send(ResponseHead(status_code=200, headers=((b"Content-Length", b"0"),)), now)
        self._connection.send(BodyEnd(), now)

    def _release(self, event: Message, now: float) -> None:
        data = event.data
        self._connection.release(len(data.encode() if isinstance(data, str) else data), now)


AnySubject: TypeAlias = Application | Callable[[], Application] | Subject
"""Who is to keep a law, as the functions take it."""


def subject_of(subject: AnySubject) -> Subject:
    """Return it as a `Subject`."""
    return subject if isinstance(subject, Subject) else AppSubject(subject)
