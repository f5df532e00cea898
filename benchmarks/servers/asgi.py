"""The application for uvicorn, hypercorn and granian: ASGI, with no framework above it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final, TypeAlias, cast

from benchmarks.exchanges import CONTENT

Event: TypeAlias = Mapping[str, object]
Receive: TypeAlias = Callable[[], Awaitable[Event]]
Send: TypeAlias = Callable[[dict[str, object]], Awaitable[None]]

everybody: Final[set[Send]] = set()


async def app(scope: Event, receive: Receive, send: Send) -> None:
    """Answer one request, or serve one WebSocket."""
    if scope["type"] == "lifespan":
        await lifespan(receive, send)
    elif scope["type"] == "http":
        await answer(scope, receive, send)
    elif scope["path"] == "/fan":
        await fan(receive, send)
    else:
        await echo(receive, send)


async def lifespan(receive: Receive, send: Send) -> None:
    """Say that nothing has to be started or stopped."""
    while True:
        event = await receive()
        await send({"type": f"{event['type']}.complete"})
        if event["type"] == "lifespan.shutdown":
            return


async def answer(scope: Event, receive: Receive, send: Send) -> None:
    """Answer a constant, or the content of a POST."""
    content, kind = CONTENT, b"text/plain; charset=utf-8"
    if scope["method"] == "POST":
        content, kind = await collected(receive), b"application/json"
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(content))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def collected(receive: Receive) -> bytes:
    """Collect the content of a request."""
    content = b""
    while True:
        event = await receive()
        content += cast("bytes", event.get("body", b""))
        if not event.get("more_body"):
            return content


async def echo(receive: Receive, send: Send) -> None:
    """Send every message back."""
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({"type": "websocket.send", "text": event.get("text"), "bytes": event.get("bytes")})


async def fan(receive: Receive, send: Send) -> None:
    """Send every message to everybody."""
    await receive()
    await send({"type": "websocket.accept"})
    everybody.add(send)
    try:
        while (event := await receive())["type"] == "websocket.receive":
            message: dict[str, object] = {
                "type": "websocket.send",
                "text": event.get("text"),
                "bytes": event.get("bytes"),
            }
            for each in tuple(everybody):
                with suppress(Exception):  # one that is about to go: each server raises another
                    await each(message.copy())
    finally:
        everybody.discard(send)
