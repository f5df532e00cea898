"""The same scenario in four worlds: asyncio, uvloop and trio with sockets, and memory with virtual time.

A scenario is written once, as ``async def test_...(world: World)``. Its handlers use nothing but what Spry lends them
(`sleep`, `timeout`, `event`), and its peer is bytes. In the worlds with sockets a wait takes as long as it takes, up to
`PATIENCE`; in memory nothing ever suspends: a wait lets everything settle, and lets time pass from deadline to deadline only
if it must.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, TypeVarTuple, Unpack

from adapters.serving import handshake
from frames import CLOSE_FRAME, MASK, PING, PONG, TEXT, close_payload, frame
from handshakes import KEY, SWITCHED
from spry_core import Application, CloseInfo, Limits, Next, Outcome, Request, Timeouts, WebSocket
from spry_core.driver import Event
from spry_core.tasks import event
from spry_core.web.options import WebSocketSettings
from spry_core.web.upgrade import WebSocketHandler

T = TypeVar("T")
Args = TypeVarTuple("Args")

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)\r\n")
_DATE = re.compile(rb"(?i)date: [^\r]*\r\n")


class World(ABC):
    """One of the four, for one test; and what the test's handlers have told so far."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        """What the handlers have noted, in order."""
        self.ends: list[CloseInfo] = []
        """How each WebSocket ended, as the outermost middleware sees it."""
        self.sockets: list[WebSocket] = []
        """The WebSockets that the handler of `opened` was given."""
        self._gates: list[Event] = []

    @property
    def ws(self) -> WebSocket:
        """The only one of `sockets`."""
        (ws,) = self.sockets
        return ws

    def note(self, what: str) -> None:
        """Tell the test something, from a handler."""
        self.notes.append(what)
        self.changed()

    def note_message(self, message: str | bytes) -> None:
        """Note a message, as a callback of `listen`."""
        self.note(message if isinstance(message, str) else repr(message))

    def changed(self) -> None:  # noqa: B027 - not every world has to be told
        """Something has changed that a test may wait for."""

    async def held(self, what: str = "held") -> None:
        """Stop a handler, and note it; it goes on when the test says `let_go`."""
        gate = event()
        self._gates.append(gate)
        self.note(what)
        await gate.wait()

    def let_go(self) -> None:
        """Let every handler go on that is held."""
        while self._gates:
            self._gates.pop().set()

    async def noted(self, *what: str) -> None:
        """Wait until each of these has been noted."""
        await self.until(lambda: all(each in self.notes for each in what), f"the notes {what}")

    async def end(self) -> CloseInfo:
        """Wait until a WebSocket has ended for the middleware, and take that end."""
        await self.until(lambda: bool(self.ends), "the end of a WebSocket")
        return self.ends.pop(0)

    async def ended(self, count: int) -> None:
        """Wait until so many WebSockets have ended for the middleware."""
        await self.until(lambda: len(self.ends) == count, f"{count} ends")

    def app(self) -> Application:
        """Make an application whose outermost middleware watches how WebSockets end."""
        app = Application()
        app.middleware.use(self._watch)
        return app

    async def _watch(self, request: Request, next: Next) -> Outcome:
        outcome = await next()
        if isinstance(outcome, CloseInfo):
            self.ends.append(outcome)
            self.changed()
        return outcome

    @asynccontextmanager
    async def opened(
        self,
        handler: WebSocketHandler,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        is_reading: bool = True,
        **options: Unpack[WebSocketSettings],
    ) -> AsyncGenerator[Peer]:
        """Serve one WebSocket route and open one WebSocket on it."""

        def remember(ws: WebSocket, request: Request) -> object:
            self.sockets.append(ws)
            self.changed()
            return handler(ws, request)

        app = self.app()
        app.ws("/", remember, **options)
        async with self.serving(app, limits=limits, timeouts=timeouts) as server:
            yield await server.upgraded("/", is_reading=is_reading)

    # What differs

    @abstractmethod
    async def until(self, is_over: Callable[[], bool], what: str) -> None:
        """Wait until `is_over()`; it is asked at every note and at every end."""

    @abstractmethod
    def serving(
        self, app: Application, *, limits: Limits | None = None, timeouts: Timeouts | None = None
    ) -> AbstractAsyncContextManager[Served]:
        """Serve on the backend of this world. The end of the block aborts what is left.

        An error of the application that was logged and that the test has not taken fails the test.
        """

    @abstractmethod
    def now(self) -> float:
        """Return the clock of this world, in seconds."""

    @abstractmethod
    async def rest(self) -> None:
        """Wait until everybody waits: for a test that says what has *not* happened."""

    @property
    @abstractmethod
    def precision(self) -> float:
        """Seconds by which something may come late because the machine is busy."""

    @asynccontextmanager
    async def at_once(self) -> AsyncGenerator[None]:
        """See that what is done in the block waits for no deadline."""
        begun = self.now()
        yield
        assert self.now() - begun <= self.precision


@dataclass
class Logged:
    """An error of the application, as the log has it."""

    text: str
    error: BaseException


class Served(ABC):
    """A server that runs."""

    def __init__(self, world: World, errors: list[Logged]) -> None:
        self.world = world
        self.errors = errors
        """What was logged with a traceback."""
        self.peers: list[Peer] = []
        """All that have ever connected."""

    def close_peers(self) -> None:
        """Close what the test has left open."""
        for peer in self.peers:
            peer.close()

    def look_at_log(self) -> None:  # noqa: B027 - not every world has to look
        """Bring `errors` up to date."""

    @abstractmethod
    def warnings(self) -> list[str]:
        """Return the lines that were logged as warnings."""

    def take_errors(self) -> list[BaseException]:
        """Return the errors of the application in the log, and forget them."""
        self.look_at_log()
        errors = [each.error for each in self.errors]
        self.errors.clear()
        return errors

    async def error(self) -> BaseException:
        """Wait for the next error of the application in the log, and take it."""

        def is_there() -> bool:
            self.look_at_log()
            return bool(self.errors)

        await self.world.until(is_there, "an error in the log")
        return self.errors.pop(0).error

    async def upgraded(self, path: str, *, is_reading: bool = True) -> Peer:
        """Connect and go through the opening handshake (RFC 6455 §1.3)."""
        peer = await self.connected(is_reading=is_reading)
        await peer.send(handshake(path))
        await peer.expect(SWITCHED)
        return peer

    async def connected(self, *, is_reading: bool = True) -> Peer:
        """Connect; a peer that does not read has room for little until it does. The server's block closes it."""
        peer = await self.connect(is_reading)
        self.peers.append(peer)
        return peer

    @abstractmethod
    async def connect(self, is_reading: bool) -> Peer:
        """Make the peer's end of a new connection."""

    @abstractmethod
    def start(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> Running[T]:
        """Run this in a task beside the test."""

    @abstractmethod
    def shutdown(
        self,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None:
        """Begin to shut down; `closed` waits for the end."""

    @abstractmethod
    async def closed(self) -> None:
        """Wait until the server is closed."""

    @abstractmethod
    def abort(self) -> None:
        """Cut everything."""


class Running(ABC, Generic[T]):
    """A task beside the test."""

    @property
    @abstractmethod
    def is_done(self) -> bool:
        """True when it has returned or raised."""

    @abstractmethod
    async def result(self) -> T:
        """Wait for its end; return what it returned or raise what it raised."""

    @abstractmethod
    async def cancel(self) -> None:
        """Cancel it and wait until it has ended."""


class Peer(ABC):
    """The other end of a connection: bytes, and how the stream ends."""

    def __init__(self, server: Served) -> None:
        self.server = server
        self._received = bytearray()

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Send all of it."""

    @abstractmethod
    def flood(self, data: bytes) -> None:
        """Send all of it as far as there is room, and the rest later."""

    @abstractmethod
    async def receive_some(self) -> bytes:
        """Wait for some bytes; none at the end of the stream. Raises `ConnectionResetError` when it was cut."""

    @abstractmethod
    def end(self) -> None:
        """Send the end of our direction."""

    @abstractmethod
    def reset(self) -> None:
        """Cut the stream."""

    @abstractmethod
    def close(self) -> None:
        """Close the stream, however it is."""

    async def receive(self, size: int) -> bytes:
        """Wait for exactly so many bytes, or fewer if the stream ends."""
        while len(self._received) < size and (some := await self.receive_some()):
            self._received += some
        return self._take(size)

    async def receive_until(self, end: bytes) -> bytes:
        """Wait for everything as far as `end`, or as far as the end of the stream."""
        while end not in self._received and (some := await self.receive_some()):
            self._received += some
        before, found, _ = bytes(self._received).partition(end)
        return self._take(len(before) + len(found))

    async def receive_all(self) -> bytes:
        """Wait for everything until the end of the stream."""
        while some := await self.receive_some():
            self._received += some
        return self._take(len(self._received))

    async def receive_answer(self, *, has_content: bool = True) -> bytes:
        """Wait for one HTTP answer whose length is known, and return it without its Date."""
        head = await self.receive_until(b"\r\n\r\n")
        length = _LENGTH.search(head)
        content = await self.receive(int(length[1])) if length is not None and has_content else b""
        return _DATE.sub(b"", head, count=1) + content

    async def expect(self, *frames: bytes) -> None:
        """See that exactly these bytes come next."""
        expected = b"".join(frames)
        assert await self.receive(len(expected)) == expected

    async def expect_end(self, *frames: bytes) -> None:
        """See that exactly these bytes come next, then the end of the stream and no reset; and close."""
        assert await self.receive_all() == b"".join(frames)
        self.close()

    async def expect_end_of(self, expected: bytes) -> None:
        """See that exactly this answer comes next, its Date aside, then the end of the stream; and close."""
        assert await self.receive_answer() == expected
        await self.expect_end()

    async def receive_until_reset(self) -> bytes:
        """Wait for everything until the stream is cut; its end would be a fault."""
        try:
            while some := await self.receive_some():
                self._received += some
        except ConnectionResetError:
            return self._take(len(self._received))
        raise AssertionError("the stream has ended as if that were right")

    async def expect_reset(self, *frames: bytes) -> None:
        """See that exactly these bytes come next, then a reset."""
        await self.expect(*frames)
        try:
            more = await self.receive_some()
        except ConnectionResetError:
            return
        raise AssertionError(f"no reset, but {more!r}")

    async def fence(self) -> None:
        """See that nothing has come and that the connection is alive: the next thing is the Pong to a Ping."""
        await self.send(ping(b"fence"))
        await self.expect(server_frame(PONG, b"fence"))

    def _take(self, size: int) -> bytes:
        data = bytes(self._received[:size])
        del self._received[:size]
        return data


# What goes over the wire


def server_frame(opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
    """Make a frame as a server sends it, unmasked (RFC 6455 §5.1)."""
    return frame(opcode, payload, fin=fin, mask=None)


def closing(code: int | None = None, reason: str = "") -> bytes:
    """Make the server's Close frame; empty without a code."""
    return server_frame(CLOSE_FRAME, b"" if code is None else close_payload(code, reason))


def close(code: int | None = None, reason: str = "") -> bytes:
    """Make a client's Close frame; empty without a code."""
    return frame(CLOSE_FRAME, b"" if code is None else close_payload(code, reason))


def ping(payload: bytes = b"") -> bytes:
    """Make a client's Ping."""
    return frame(PING, payload)


def said(text: str) -> bytes:
    """Make a server's text message."""
    return server_frame(TEXT, text.encode())


def say(*texts: str) -> bytes:
    """Make a client's text messages."""
    return b"".join(frame(TEXT, text.encode(), mask=MASK) for text in texts)


def request(
    target: str, *fields: str, method: str = "GET", version: str = "1.1", content: bytes = b""
) -> bytes:
    """Make a request with these field lines beside Host."""
    lines = (f"{method} {target} HTTP/{version}", "Host: test", *fields)
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + content


def shake(
    *fields: str, path: str = "/", without: str = "", method: str = "GET", version: str = "1.1"
) -> bytes:
    """Make the opening handshake of RFC 6455 §1.3 with more field lines, or without one of its own."""
    own = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": KEY.decode(),
        "Sec-WebSocket-Version": "13",
    }
    own.pop(without, "")
    lines = (f"{name}: {value}" for name, value in own.items())
    return request(path, *lines, *fields, method=method, version=version)


def answer(status: str, content: str, *fields: str, ends: bool = False) -> bytes:
    """Make an answer with this text, without its Date; one that `ends` is the last of its connection."""
    lines = (
        f"HTTP/1.1 {status}",
        *fields,
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(content)}",
        *(("Connection: close",) if ends else ()),
    )
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n" + content.encode()


UPGRADE: Final = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
"""The three fields of every 426."""


def tell(info: CloseInfo) -> str:
    """Say in one line everything about an end but its duration and the traffic."""
    frames = [
        f"{which} {'nothing' if each is None else 'empty' if each.code is None else f'{each.code} {each.reason}'.strip()}"
        for which, each in (("sent", info.sent), ("received", info.received))
    ]
    code = f"{info.close_code} {info.close_reason}".strip()
    clean = "clean" if info.clean else "unclean"
    cause = "" if info.cause is None else f", {type(info.cause).__name__}"
    return f"{code} by {info.initiator}, {', '.join(frames)}, {clean}{cause}"
