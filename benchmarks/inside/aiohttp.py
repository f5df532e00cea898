"""aiohttp's frame codec and router, driven without its loop; it need not be installed where this is checked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast

Value = TypeVar("Value")


class Message(Protocol):
    """What its reader gives."""

    data: str


class Queue(Protocol):
    """Where its reader puts them."""

    async def read(self) -> Message:
        """Return the next."""
        ...


class Reader(Protocol):
    """What takes octets."""

    def feed_data(self, data: bytes) -> object:
        """Take some."""
        ...


class Writer(Protocol):
    """What makes frames."""

    async def send_frame(self, message: bytes, opcode: int) -> None:
        """Write one."""
        ...


class Sink:
    """Its transport: a list."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.write = self.written.append

    def is_closing(self) -> bool:
        """Return False."""
        return False


def finished(coroutine: Coroutine[Any, Any, Value]) -> Value:  # Any: what it would yield, were it to wait
    """Run a coroutine that never waits, and return what it returns."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return cast("Value", end.value)
    raise RuntimeError("it waits for something")


def codec(largest: int) -> Callable[[bytes], bytes]:
    """Return an echo of texts."""
    reading = import_module("aiohttp._websocket.reader")
    sink = Sink()
    loop = asyncio.new_event_loop()
    try:
        protocol = cast("object", import_module("aiohttp.base_protocol").BaseProtocol(loop))
        queue = cast("Queue", reading.WebSocketDataQueue(protocol, 1 << 26, loop=loop))
        reader = cast("Reader", reading.WebSocketReader(queue, largest, False, True))
        writer = cast("Writer", import_module("aiohttp.http_websocket").WebSocketWriter(protocol, sink))
    finally:
        loop.close()

    def echo(data: bytes) -> bytes:
        reader.feed_data(data)
        for _ in range(count_frames(data)):
            finished(writer.send_frame(finished(queue.read()).data.encode(), 1))
        out = b"".join(sink.written)
        sink.written.clear()
        return out

    return echo


def count_frames(data: bytes) -> int:
    """Tell how many of the frames of these benchmarks there are: one, or many that are alike and short."""
    size = data[1] & 0x7F
    return len(data) // (size + 6) if size < 126 else 1


class Request(Protocol):
    """A request, as its router sees it."""


class MatchInfo(Protocol):
    """What it finds."""

    http_exception: object


class Router(Protocol):
    """Its router."""

    def add_get(self, path: str, handler: Callable[[Request], object]) -> object:
        """Add a route."""
        ...

    async def resolve(self, request: Request) -> MatchInfo:
        """Find one."""
        ...


def router(patterns: list[str]) -> Callable[[str], bool]:
    """Return what finds a path; making the request that it wants is not counted."""
    found = cast("Router", import_module("aiohttp.web_urldispatcher").UrlDispatcher())
    make = cast("Callable[[str, str], Request]", import_module("aiohttp.test_utils").make_mocked_request)

    async def handle(request: Request) -> None: ...

    for each in patterns:
        found.add_get(each.replace(":name", "{name}"), handle)
    requests: dict[str, Request] = {}

    def find(path: str) -> bool:
        request = requests.get(path)
        if request is None:
            request = requests[path] = make("GET", path)
        return finished(found.resolve(request)).http_exception is None

    return find
