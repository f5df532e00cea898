"""One connection and an application, with nothing below: request to response, message to echo."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.exchanges import CONTENT, frame, opening, texts
from benchmarks.inside.bare import Bare
from benchmarks.inside.codec import TEXT
from benchmarks.inside.parser import REQUEST
from benchmarks.inside.timing import Case
from spry_core import Application, Middleware, Next, Outcome, Request, WebSocket
from spry_core.protocol.engines.choice import ENGINES
from spry_core.protocol.engines.interface import EngineName


async def hello(request: Request) -> bytes:
    """Answer a constant."""
    return CONTENT


def listen(ws: WebSocket, request: Request) -> None:
    """Send every message back, without a task."""
    ws.listen(ws.add)


async def echo(ws: WebSocket, request: Request) -> None:
    """Send every message back, in a task."""
    async for message in ws:
        await ws.send(message)


def level() -> Middleware:
    """Return one more middleware that does nothing: the same one twice is an error."""

    async def pass_on(request: Request, next: Next) -> Outcome:
        return await next()

    return pass_on


def application(levels: int = 0) -> Application:
    """Make the application with so many middleware around everything."""
    app = Application()
    for _ in range(levels):
        app.middleware.use(level())
    app.get("/hello", hello)
    app.ws("/listen", listen)
    app.ws("/echo", echo)
    return app


def cases() -> Iterator[Case]:
    """Give every engine, with requests and with messages."""
    group = "session: one connection and an application, without a loop"
    for engine in ENGINES:
        yield request_case(group, "GET", f"spry {engine}", engine)
        for path, title in (("/listen", "message, callback"), ("/echo", "message, in a task")):
            for count, ending in ((1, ""), (64, ", 64 in a read")):
                yield message_case(group, title + ending, engine, path, count)


def request_case(group: str, title: str, subject: str, engine: EngineName, levels: int = 0) -> Case:
    """Return a request and its response."""
    bare = Bare(application(levels), engine)
    if not (answer := bare.say(REQUEST)).endswith(CONTENT):
        raise RuntimeError(f"the answer is {answer!r}")
    return Case(group, title, subject, lambda: bare.say(REQUEST))


def message_case(group: str, title: str, engine: EngineName, path: str, count: int) -> Case:
    """Return messages and their echoes."""
    bare = Bare(application(), engine)
    if not bare.say(opening(path)).startswith(b"HTTP/1.1 101 "):
        raise RuntimeError(f"{path} does not open")
    found = [text.encode() for text in texts(16)][:count]
    data = b"".join(frame(TEXT, each, b"\x12\x34\x56\x78") for each in found)
    if bare.say(data) != b"".join(frame(TEXT, each) for each in found):
        raise RuntimeError(f"{path} echoes something else")
    return Case(group, title, f"spry {engine}", lambda: bare.say(data), count)
