"""Handlers that many scenarios share, and what every WebSocket's peer begins and ends with."""

from __future__ import annotations

from typing import Final

from spry_core.closing import ConnectionLost
from spry_core.tasks import sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import SWITCHED, close, closing, shake
from spry_core.testing.conformance.steps import Expect, ExpectEnd, Send, Step
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

OPEN: Final[tuple[Step, ...]] = (Send(shake()), Expect(SWITCHED))
"""The opening handshake of the nameless peer."""

BYE: Final[tuple[Step, ...]] = (Send(close()), Expect(closing()), ExpectEnd())
"""Its closing handshake."""

ENDED: Final = "end 1000 by remote"
"""The note of it."""

LOST: Final = "end 1006 by transport, not clean"
"""The note of a connection that went without a Close frame."""


def hello(request: Request, note: Notebook) -> str:
    """Answer at once, without a task switch."""
    return "hello"


async def read_it(request: Request, note: Notebook) -> bytes:
    """Answer with the content of the request."""
    return await request.read()


async def read_content(request: Request, note: Notebook) -> str:
    """Answer with the length of the content, unless it never comes whole."""
    try:
        return f"{len(await request.read())}"
    except ConnectionLost:
        note("lost")
        raise


async def answer_late(request: Request, note: Notebook) -> str:
    """Take some time to answer."""
    note("begun")
    await sleep(0.15)
    note("done")
    return "late"


async def echo(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send every message back."""
    async for message in ws:
        await ws.send(message)


async def stay(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Receive nothing, and stay until the end."""
    await ws.closed


async def hear(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Note every message."""
    async for message in ws:
        note(f"got {message!r}")
