"""A client for tests: synchronous, no socket, no event loop, and real bytes through the real core on both ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import cycle
from pathlib import Path
from random import Random
from types import TracebackType
from typing import ClassVar, Final, Self, Unpack

from spry_core.headers import MutableHeaders, Pairs
from spry_core.protocol import (
    DEFAULT_ENGINE,
    BodyEnd,
    Connection,
    EngineName,
    Limits,
    RequestHead,
    ResponseHead,
    Timeouts,
)
from spry_core.protocol.handshake import request as opening_handshake
from spry_core.serving import LogRecord, MakeConnection, Server
from spry_core.testing.client_methods import ClientMethods
from spry_core.testing.client_stream import ClientStream
from spry_core.testing.client_websocket import ClientWebSocket
from spry_core.testing.content import ContentSettings, content_of, on_wire
from spry_core.testing.conversation import Conversation
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.parked import Deadlock
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.pipe import End, stream
from spry_core.testing.pump import MemoryPump, Watch
from spry_core.testing.response import ClientRejected, ClientResponse, receive_head
from spry_core.testing.transcript.keeping import recorder_of
from spry_core.testing.weather import Weather
from spry_core.web.application import Application
from spry_core.web.exchange import StreamInfo

EPOCH: Final = 946_684_800.0
"""What the server's wall clock shows when the virtual time is 0: the beginning of the year 2000, UTC."""

_PATIENT: Final = Timeouts(
    head=None,
    body=None,
    keep_alive=None,
    write=None,
    linger=None,
    opening=None,
    ping_interval=None,
    close_timeout=None,
)
"""The client has no deadlines of its own, so whatever time brings is the server's doing."""

_BOUNDLESS: Final = Limits(max_message_size=1 << 40)
"""Nor does it judge the size of what it is sent; with no limit at all messages would not come whole."""


class TestClient(ClientMethods):
    """An application, a server for it in memory, and a client of that server.

    Requests go over one connection as long as that stays open; each WebSocket has its own. Nothing here ever hangs: a wait
    that nothing can end raises `Deadlock` at once and says who waits for what. As a context manager it starts the lifespan and
    calls `close` at the end; otherwise the lifespan starts at the first use.

    Args:
        app: The application. It is compiled, so nothing can be registered afterwards.
        seed: Decides the order of ready tasks and all randomness; the same seed gives the same run, to the byte.
        limits: The server's limits, in bytes.
        timeouts: The server's timeouts, in virtual seconds.
        engine: The engine on both ends.
        host: What the Host field of requests says.
        secure: True if the server is to think that TLS ends in it.
        weather: The conditions of every connection that is made; None for bytes that arrive at once.
        record: A folder for recordings of the server's connections, or what makes them: a recorder of
            `spry_core.testing.transcript`.
        raise_errors: True if what becomes a 500 or a 1011 shall come out of the call in which the application raises it.
    """

    __test__: ClassVar[bool] = False  # for pytest: this is not a test

    def __init__(
        self,
        app: Application,
        *,
        seed: int = 0,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        engine: EngineName = DEFAULT_ENGINE,
        host: str = "testserver",
        secure: bool = False,
        weather: Weather | None = None,
        record: str | Path | MakeConnection | None = None,
        raise_errors: bool = False,
    ) -> None:
        self.driver: Final = MemoryDriver(seed=seed)
        """The driver of the server and of this client."""
        self.reports: Final[list[LogRecord]] = []
        """What the server had to log, in order."""
        self.weather: Weather | None = weather
        """The conditions of connections that are made from now on."""
        self.pumps: Final[dict[str, MemoryPump]] = {}
        """The server's end of each connection, by the name that stands in the names of its tasks."""
        self._seed = seed
        self._host = host
        self._secure = secure
        self._engine: EngineName = engine
        self._raises_errors = raise_errors
        # Sources of their own: what one side draws does not change what the other gets.
        self._random = Random(f"client {seed}")
        self.server: Final = Server(
            app,
            limits=limits or Limits(),
            timeouts=timeouts or Timeouts(),
            engine=engine,
            random=Random(f"server {seed}").randbytes,
            wall_clock=lambda: EPOCH + self.driver.now(),
            report=self._report,
            make_connection=Connection if record is None else recorder_of(record),
        )
        """The server, for what a test wants to ask of it."""
        self._watch = Watch(self.driver, self.server)
        self._ports = cycle(range(50_000, 65_536))
        self._kept: Conversation | None = None
        self._cuts: list[Callable[[], None]] = []  # one for each connection ever made
        self._has_begun = False
        self._raised: BaseException | None = None  # the failure of the lifespan that has come out already

    # ------------------------------------------------------------------------------------------------------- HTTP

    def request(
        self, method: str, target: str, *, headers: Pairs = (), **content: Unpack[ContentSettings]
    ) -> ClientResponse:
        """Send one request and return its answer, whatever it is; redirects are not followed.

        Args:
            method: The method, such as ``"GET"``.
            target: Path and query as on the wire, percent-encoded, such as ``"/search?q=caf%C3%A9"``.
            headers: Further fields; they win over those that are set here (Host, Content-Type, Content-Length).
            content: Nothing, or one of `content` (`str`, `bytes` or an iterable of `bytes`, which is sent chunked), `json` (any
                value) and `data` (a mapping, sent as a form), as `ContentSettings` describes them.

        Raises:
            ConnectionClosed: The connection has ended without an answer, or in the midst of it.
            ConnectionRefusedError: The server shuts down, or has `Limits.max_connections`.
            Deadlock: Nothing can bring the answer; or it, or what is sent, goes on and on: see `ClientStream.read` and
                `Conversation.send_content`.
            ForeignAwaitable: A handler awaited something that belongs to an event loop.
            TypeError: There are two contents, or one of a type that cannot be sent.
            ValueError: The method, the target or a field cannot stand on the wire.
        """
        with self.stream(method, target, headers=headers, **content) as response:
            return response.read()

    def stream(
        self, method: str, target: str, *, headers: Pairs = (), **content: Unpack[ContentSettings]
    ) -> ClientStream:
        """Send one request and return its answer as soon as its head has come; its content is read piece by piece.

        What goes in and what it raises is as in `request`. Use it in a `with` block: the connection is cut when that ends before
        the answer does.
        """
        fields = MutableHeaders(headers)
        pieces = content_of(fields, content)
        fields.setdefault("host", self._host)
        expects_continue = "expect" in fields
        token = method.encode(
            "ascii", "replace"
        )  # what is no ASCII becomes what no token has, and is refused as that
        head = RequestHead(method=token, target=on_wire(target), headers=fields.raw())
        conversation = self._take_kept()
        conversation.send(head)
        if expects_continue:  # the content goes out when the server has had its say about the head
            self.driver.settle()
        conversation.send_content(pieces, f"{method} {target}")
        what = f"the answer to {method} {target}"
        answer, interim = receive_head(conversation, what)
        assert isinstance(answer, ResponseHead)  # a 101 that was not asked for fails the connection
        return ClientStream(conversation, what, answer, interim, self._keep)

    # -------------------------------------------------------------------------------------------------- WebSocket

    def ws(
        self,
        target: str,
        *,
        subprotocols: Iterable[str] = (),
        extensions: Iterable[str] = (),
        headers: Pairs = (),
        weather: Weather | None = None,
    ) -> ClientWebSocket:
        """Open a WebSocket and return it, open.

        Args:
            target: Path and query, as in `request`.
            subprotocols: What to offer, the preferred one first (RFC 6455 §1.9).
            extensions: What to offer, the preferred one first: ``"permessage-deflate"``, perhaps with parameters, and
                messages are compressed if the route agrees (RFC 7692 §7).
            headers: Further fields of the opening handshake, such as Origin.
            weather: The conditions of its connection, instead of the client's.

        Raises:
            ClientRejected: The server answered otherwise: a `HandshakeRejected` whose `response` is a `ClientResponse`.
            ConnectionClosed: The connection has ended without an answer.
            ConnectionRefusedError: The server shuts down, or has `Limits.max_connections`.
            Deadlock: Nothing can bring an answer.
            ForeignAwaitable: A middleware or a handler awaited something that belongs to an event loop.
            ValueError: The target, a subprotocol or a field cannot stand on the wire.
        """
        on_wire(target)  # before there is a connection
        conversation = self._connect(weather)
        head = opening_handshake(
            host=self._host,
            target=target,
            random=self._random.randbytes,
            subprotocols=tuple(subprotocols),
            extensions=tuple(extensions),
            headers=MutableHeaders(headers).raw(),
        )
        conversation.send(head)
        conversation.send(BodyEnd())
        what = f"the answer to the opening handshake on {target}"
        answer, interim = receive_head(conversation, what)
        if isinstance(answer, ResponseHead):
            with ClientStream(conversation, what, answer, interim, self._keep) as response:
                raise ClientRejected(response.read())
        return ClientWebSocket(conversation, answer, target)

    # ------------------------------------------------------------------------------------- bytes, time and the end

    def connect(self, *, weather: Weather | None = None) -> MemoryPeer:
        """Open one more connection and return the client's end of it, for bytes by hand.

        Args:
            weather: Its conditions, instead of the client's.

        Raises:
            ConnectionRefusedError: The server shuts down, or has `Limits.max_connections`.
        """
        end = self._accept(weather)
        self._cuts.append(end.reset)
        return MemoryPeer(self.driver, end)

    @property
    def now(self) -> float:
        """The virtual time, in seconds; it begins at 0."""
        return self.driver.now()

    def advance(self, seconds: float) -> None:
        """Let so many virtual seconds pass; everything that falls due happens at its own moment."""
        self.driver.advance(seconds)

    def shutdown(
        self,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None:
        """Let the server begin to shut down: WebSockets get this Close, requests under way may finish, no more are served.

        Args:
            code: The close code (RFC 6455 §7.4).
            reason: The close reason.
            grace: Virtual seconds until handlers that still run are cancelled; None for `Timeouts.grace`.
            batch: Only so many WebSockets at once, the next after `interval`; None for all.
            interval: Virtual seconds between batches.

        Raises:
            ValueError: No Close frame may say this, or a number is out of range.
        """
        self.server.shutdown(self.now, code, reason, grace=grace, batch=batch, interval=interval)
        self._watch.look()
        self.driver.settle()

    def close(self) -> None:
        """Cut every connection, end the server, and wait until the last handler and the lifespan have ended.

        Handlers that still run are cancelled; the teardown of the lifespan takes as long as it takes.

        Raises:
            Deadlock: A handler does not end, although it was cancelled; or the teardown does not.
        """
        for cut in self._cuts:
            cut()
        self._cuts.clear()
        self.shutdown(grace=0.0)
        self.driver.wait_until(lambda: self.server.closed, "the end of every handler", is_hasty=lambda: True)
        self._raise_failure()

    def __enter__(self) -> Self:
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self.close()
        except Deadlock:
            if error is None:  # else what went wrong in the block says more
                raise

    # ------------------------------------------------------------------------------------------------------------

    def _report(self, record: LogRecord) -> None:
        self.reports.append(record)
        self.driver.inspect(record.exception)
        # The failure of the lifespan comes out of the call that waits for it anyway.
        if (
            self._raises_errors
            and record.exception is not None
            and record.exception is not self.server.failure
        ):
            self.driver.fail(record.exception)

    def _begin(self) -> None:
        """Run the startup of the lifespan, once."""
        if self._has_begun or self.server.is_closing:
            return
        self._has_begun = True
        self.driver.add_host(self.server.lifespan)
        self.server.start(self.driver.lend("the lifespan", self._watch.look))
        self.driver.wait_until(lambda: self.server.has_started or self.server.closed, "the startup")
        self._raise_failure()

    def _raise_failure(self) -> None:
        """Raise what the lifespan has failed with, unless that was done before."""
        failure = self.server.failure
        if failure is not None and failure is not self._raised:
            self._raised = failure
            self.driver.inspect(failure, "the lifespan")
            self.driver.settle()
            raise failure

    def _accept(self, weather: Weather | None) -> End:
        """Do what a listener does with a new connection; return the client's end."""
        self._begin()
        if self.server.is_closing or self.server.is_full:
            raise ConnectionRefusedError("the server accepts no further connection")
        port = next(self._ports)
        ours, theirs = self._stream(weather or self.weather, port)
        name = f"connection {port}"
        pump = self.pumps[name] = MemoryPump(self.driver, theirs, name)
        info = StreamInfo(peer=f"127.0.0.1:{port}", local="127.0.0.1:80", secure=self._secure)
        session = self.server.session(pump.driver, info)
        pump.start(session, session)
        return ours

    def _stream(self, weather: Weather | None, port: int) -> tuple[End, End]:
        return stream() if weather is None else weather.stream(self.driver, seed=f"{self._seed} {port}")

    def _connect(self, weather: Weather | None = None) -> Conversation:
        connection = Connection(
            "client",
            now=self.now,
            random=self._random.randbytes,
            limits=_BOUNDLESS,
            timeouts=_PATIENT,
            engine=self._engine,
        )
        conversation = Conversation(self.driver, self._accept(weather), connection)
        self._cuts.append(conversation.abort)
        return conversation

    def _take_kept(self) -> Conversation:
        """Return the connection for the next request: that of the last, if it has come to its end and the stream has not."""
        self.driver.settle()
        kept, self._kept = self._kept, None
        return self._connect() if kept is None or kept.is_ended else kept

    def _keep(self, conversation: Conversation) -> None:
        """Keep a connection for the next request; if there is one already, end it."""
        if self._kept is None:
            self._kept = conversation
        else:
            conversation.end()
