"""A WebSocket of an application in memory: its handler's side and its peer's, both in the test's hands."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Generic, TypeVar, TypeVarTuple, Unpack

import pytest

from frames import BINARY, CLOSE_FRAME, MASK, TEXT, Frame, close_payload, frame, read_frames
from spry_core import Application, CloseInfo, Limits, Request, Timeouts, WebSocket
from spry_core.errors import HandshakeRejected
from spry_core.testing import ClientResponse, MemoryDriver, MemoryPeer, TestClient
from spry_core.web.options import WebSocketSettings
from spry_core.web.upgrade import WebSocketHandler

T = TypeVar("T")
Args = TypeVarTuple("Args")

UPGRADE: Final = (
    b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
# The key is sixteen zero bytes in base64; the value is what RFC 6455 §4.2.2 makes of it.
SWITCH: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
)


SAID: Final[list[tuple[str | bytes | bytearray | memoryview, bytes]]] = [
    ("hé", b"\x81\x03h\xc3\xa9"),
    (b"\x00\xff", b"\x82\x02\x00\xff"),
    (bytearray(b"ab"), b"\x82\x02ab"),
    (memoryview(b"abcd")[::2], b"\x82\x02ac"),
    ("", b"\x81\x00"),
    (b"", b"\x82\x00"),
]
"""Messages of every kind, and the frames of a server that says them (RFC 6455 §5.2, §5.6)."""

SMALL: Final = Limits(high_water=10, max_unsent=100)
"""Eight bytes of payload make a frame of ten."""


def client_of(
    handler: WebSocketHandler,
    *,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    **options: Unpack[WebSocketSettings],
) -> TestClient:
    """Return a client of an application that is one WebSocket route at ``/``."""
    app = Application()
    app.ws("/", handler, **options)
    return TestClient(app, limits=limits, timeouts=timeouts)


def messages(*data: str | bytes) -> bytes:
    """Return the masked frames of these messages."""
    return b"".join(
        frame(TEXT, each.encode()) if isinstance(each, str) else frame(BINARY, each) for each in data
    )


def close_frame(code: int, reason: str = "", mask: bytes | None = MASK) -> bytes:
    """Return a Close frame; a client's unless `mask` is None."""
    return frame(CLOSE_FRAME, close_payload(code, reason), mask=mask)


class Peer:
    """A client's end of a WebSocket, by hand."""

    def __init__(self, client: TestClient) -> None:
        self.stream: MemoryPeer = client.connect()
        self.stream.send(UPGRADE)
        answer = self.stream.take()
        assert answer[: len(SWITCH)] == SWITCH
        self.first = answer[len(SWITCH) :]
        """What came in one piece with the 101."""

    def send(self, *data: str | bytes) -> None:
        """Send these messages, all in one piece."""
        self.stream.send(messages(*data))

    def frames(self) -> list[Frame]:
        """Return the frames that have come."""
        return read_frames(self.stream.take())

    def texts(self) -> list[str]:
        """Return the text messages that have come, and see that there was nothing else."""
        frames = self.frames()
        assert all(each.opcode == TEXT and each.fin for each in frames)
        return [each.payload.decode() for each in frames]


class Opened:
    """One WebSocket that is open, of a handler that waits for its end."""

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        **options: Unpack[WebSocketSettings],
    ) -> None:
        self._sockets: list[WebSocket] = []
        self.ends: list[CloseInfo] = []
        """What the handler saw of the end of the connection."""
        self.client = client_of(self._handle, limits=limits, timeouts=timeouts, **options)
        self.peer = Peer(self.client)
        self.stream = self.peer.stream
        self.driver = self.client.driver
        (self.ws,) = self._sockets

    async def _handle(self, ws: WebSocket, request: Request) -> None:
        self._sockets.append(ws)
        self.ends.append(await ws.closed)

    def start(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> Running[T]:
        """Run this in a task of its own, as far as it comes."""
        return Running(self.driver, function, *args)

    def start_later(self, function: Callable[[], Awaitable[object]]) -> None:
        """Put this on the ready list; what it raises is dropped."""

        async def run() -> None:
            with suppress(Exception):
                await function()

        self.driver.start(run)

    @property
    def errors(self) -> list[BaseException | None]:
        """What was logged with a traceback, or as a warning."""
        return [each.exception for each in self.client.reports if each.logger == "spry.error"]


def stalled() -> Opened:
    """Return one whose peer does not read and whose pipe is full to the last byte."""
    opened = Opened(limits=SMALL)
    opened.stream.is_reading = False
    opened.ws.add(bytes(65_532))  # and four bytes of frame header: what a pump lets stand in the pipe
    opened.driver.settle()
    assert opened.ws.buffered_amount == 0
    return opened


async def receive_all(ws: WebSocket) -> list[str | bytes]:
    """Return the messages up to the end."""
    return [message async for message in ws]


def refused(call: Callable[[], object]) -> ClientResponse:
    """Return the response with which an opening handshake was refused."""
    with pytest.raises(HandshakeRejected) as caught:
        call()
    assert isinstance(caught.value.response, ClientResponse)
    return caught.value.response


def errors(client: TestClient) -> list[str]:
    """Return what was logged as an error or a warning."""
    return [
        f"{each.level} {each.text} {each.exception!r}"
        for each in client.reports
        if each.logger == "spry.error"
    ]


class Running(Generic[T]):
    """A function that runs in a task of its own, and what has become of it."""

    def __init__(self, driver: MemoryDriver, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> None:
        self._driver = driver
        self.results: list[T] = []
        self.errors: list[Exception] = []
        self.task = driver.start(self._run, lambda: function(*args))
        driver.settle()

    async def _run(self, call: Callable[[], Awaitable[T]]) -> None:
        try:
            self.results.append(await call())
        except Exception as error:
            self.errors.append(error)

    @property
    def is_waiting(self) -> bool:
        """True while it has neither returned nor raised."""
        return not self.task.is_done

    @property
    def result(self) -> T:
        """What it returned."""
        (result,) = self.results
        return result

    @property
    def error(self) -> Exception:
        """What it raised."""
        (error,) = self.errors
        return error

    def cancel(self) -> None:
        """Cancel it, and let it end."""
        self.task.cancel()
        self._driver.settle()
        assert self.task.is_done
