"""One request and its answer, as a session serves them: `spry_core.web.exchange.Exchange` over a connection."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Protocol, assert_never

from spry_core.closing import ConnectionClosed, ConnectionLost
from spry_core.driver import Driver, Scope
from spry_core.errors import LocalProtocolError
from spry_core.protocol.connection import Connection
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.events import Accept, BodyData, BodyEnd, RequestHead, ResponseHead
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.wakeup import WakeUp
from spry_core.web.exceptions import Abort
from spry_core.web.exchange import StreamInfo
from spry_core.web.link import Host, Link


class Owner(Host, Protocol):
    """What an exchange needs of its session."""

    @property
    def connection(self) -> Connection:
        """The connection that the session owns."""
        ...

    @property
    def stream(self) -> StreamInfo:
        """What is known of the stream."""
        ...

    @property
    def is_draining(self) -> bool:
        """True when the server shuts down."""
        ...

    def connect(self, link: Link) -> None:
        """The request has become this WebSocket."""
        ...

    def answered(self, exchange: HttpExchange) -> None:
        """The whole answer of `exchange` is said: take what follows, and let the pump look at everything."""
        ...

    def report_error(self, text: str, error: BaseException | None) -> None:
        """Hand one record of an application's fault to the log."""
        ...


class HttpExchange:
    """One request and its answer."""

    __slots__ = (
        "_connection",
        "_given",
        "_is_over",
        "_owner",
        "_room",
        "_scopes",
        "content_received",
        "content_sent",
        "extensions",
        "head",
        "is_complete",
        "started",
        "status_code",
        "subprotocol",
    )

    def __init__(self, owner: Owner, head: RequestHead, now: float) -> None:
        self.head: RequestHead = head
        """The head of the request; of one that became a WebSocket only what the log tells of it."""
        self.started: float = now
        self.status_code: int | None = None
        """The status of the final answer, once it is on its way."""
        self.subprotocol: str | None = None
        """The subprotocol, if it became a WebSocket that has one."""
        self.extensions: tuple[str, ...] = ()
        """The extensions of the WebSocket, with their parameters."""
        self.content_received: int = 0
        """Bytes of the request's content that have come."""
        self.content_sent: int = 0
        """Bytes of the answer's content that are on their way."""
        self.is_complete: bool = False
        """True when the whole answer is on its way."""
        self._owner = owner
        self._connection = owner.connection
        # The server's limits and timeouts, from when the connection obeys others.
        self._given: tuple[Limits, Timeouts] | None = None
        self._is_over = False
        # Few need these two: who streams waits for room, and ends early with the connection.
        self._room: WakeUp | None = None
        self._scopes: list[Scope] | None = None

    # What `spry_core.web` asks

    @property
    def driver(self) -> Driver:
        """The driver of the connection."""
        return self._owner.driver

    @property
    def stream(self) -> StreamInfo:
        """What is known of the stream."""
        return self._owner.stream

    @property
    def limits(self) -> Limits:
        """The limits given to the server."""
        return self._connection.limits if self._given is None else self._given[0]

    @property
    def timeouts(self) -> Timeouts:
        """The timeouts given to the server."""
        return self._connection.timeouts if self._given is None else self._given[1]

    def invite_content(self) -> None:
        """Send 100 Continue if the client waits for it (RFC 9110 §10.1.1)."""
        if not self.is_over and self._connection.awaits_continue and self.status_code is None:
            self._connection.send(ResponseHead(status_code=100), self.driver.now())
            self._owner.touch()

    def release(self, n: int) -> None:
        """`n` bytes of the content were consumed."""
        if self.is_over:
            return
        wanted_read = self._connection.wants_read
        self._connection.release(n, self.driver.now())
        if not wanted_read:
            self._owner.touch(soon=True)

    def accept(self, accept: Accept, limits: Limits, timeouts: Timeouts, deflate: Deflate | None) -> Link:
        """Send the 101 and give the WebSocket's link."""
        if self.is_over:
            raise ConnectionLost(None, "the peer has left during the opening handshake")
        if self._owner.is_draining:
            raise Abort(503, headers={"connection": "close"})
        before = self.limits, self.timeouts
        if limits is not before[0] or timeouts is not before[1]:
            self._given = before
        self._connection.configure(limits=limits, timeouts=timeouts, deflate=deflate)
        try:
            self._connection.send(accept, self.driver.now())
        except Exception:  # a field that the 101 cannot have: this stays HTTP
            self._connection.configure(limits=before[0], timeouts=before[1])
            raise
        self.status_code = 101
        self.subprotocol, self.extensions = accept.subprotocol, accept.extensions
        self._is_over = True
        link = Link(self._connection, self._owner)
        self._owner.connect(link)
        self._owner.touch()
        return link

    def report_error(self, text: str, error: BaseException | None) -> None:
        """Hand one record of an application's fault to the log."""
        self._owner.report_error(text, error)

    # What the session's own files ask

    @property
    def is_over(self) -> bool:
        """True when no answer can be sent any more: it is complete, or became a WebSocket, or the connection
        is gone.
        """
        return self._is_over or self._connection.is_ending

    @property
    def is_upgraded(self) -> bool:
        """True if it became a WebSocket."""
        return self.status_code == 101

    @property
    def is_head(self) -> bool:
        """True if the answer has no content whatever it says (RFC 9110 §9.3.2)."""
        return self.head.method == b"HEAD"

    def send(self, *events: ResponseHead | BodyData | BodyEnd) -> None:
        """Say these, with one look of the pump for all; raises `ConnectionLost` if the peer has left."""
        if self.is_over:
            raise ConnectionLost(None, "the peer has left")
        now = self.driver.now()
        for event in events:
            self._connection.send(event, now)
            match event:
                case ResponseHead():
                    self.status_code = event.status_code
                case BodyData():
                    self.content_sent += len(event.data)
                case BodyEnd():
                    self._is_over = self.is_complete = True
                case _:
                    assert_never(event)
        self._owner.touch()

    def answer(self, head: ResponseHead, content: bytes) -> None:
        """Say a whole answer, unless `is_over`; it goes out without its content if the request is HEAD. Raises what
        `Connection.send_response` raises.

        A length that `head` announces and `content` has not ends the connection, so that the answer never looks complete.
        """
        connection, owner = self._connection, self._owner
        if self._is_over or connection.is_ending:
            return
        try:
            connection.send_response(head, content, owner.driver.now())
        except LocalProtocolError:
            self.status_code = head.status_code
            self.abort()
            raise
        self.status_code = head.status_code
        if self.head.method != b"HEAD":
            self.content_sent = len(content)
        self._is_over = self.is_complete = True
        owner.answered(self)

    async def wait_for_room(self) -> None:
        """Wait until the unsent bytes are under the high-water mark; raises `ConnectionLost` if the peer
        leaves meanwhile.
        """
        while not self.is_over and self._connection.buffered_amount > self.limits.high_water:
            if self._room is None:
                self._room = WakeUp(self.driver)
            await self._room.wait()
        if self.is_over:
            raise ConnectionLost(None, "the peer has left")

    def wake(self) -> None:
        """Let a stream of content look again: there is room, or the end has come."""
        if self._room is not None:
            self._room.wake()

    def abort(self) -> None:
        """Cut the connection, unless the answer is complete."""
        if not self.is_over:
            self._is_over = True
            self._connection.abort(self.driver.now())
            self._owner.touch()

    @contextmanager
    def interrupted_by_end(self) -> Generator[None]:
        """Give a block that ends early when the connection does."""
        scopes = self._scopes = self._scopes or []
        with self.driver.scope() as scope:
            scopes.append(scope)
            try:
                yield
            finally:
                scopes.remove(scope)

    def end(self, status_code: int | None = None) -> ConnectionClosed:
        """The answer cannot be completed any more, or the connection has given one itself, with `status_code`.

        Returns what whoever asks for more content gets.
        """
        if status_code is not None and self.status_code is None:
            self.status_code, self.is_complete = status_code, True
        self._is_over = True
        self.wake()
        for scope in tuple(self._scopes or ()):
            scope.cancel()
        return ConnectionLost(None, "the peer has left")
