"""WebSockets that end without `close`: an abort, the end of a handler, an error in it, bytes that break off."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.tasks import sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    SWITCHED,
    close,
    closing,
    ping,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, ws
from spry_core.testing.conformance.scripts import ENDED, LOST, OPEN, hear
from spry_core.testing.conformance.steps import (
    RST,
    Close,
    Connect,
    Expect,
    ExpectEnd,
    HalfClose,
    Quiet,
    Send,
    Wait,
)
from spry_core.testing.frames import CLOSE_FRAME, frame
from spry_core.web.exceptions import Abort, WebSocketClose
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "closing")

LARGE: Final = bytes(8_000_000)


async def abort(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Cut the stream at the first message."""
    note(f"got {await ws.receive()!r}")
    ws.abort()


async def abort_with_unsent(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Cut the stream, and what is unsent with it."""
    ws.send_nowait(LARGE)
    await sleep(0.05)
    ws.abort()


async def return_at_once(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Return, which ends nothing unless the route says so."""


async def fail(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Fail at the first message."""
    await ws.receive()
    raise RuntimeError("on purpose")


async def raise_close(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Raise a close code."""
    raise WebSocketClose(4000, "raised")


async def raise_abort(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Raise an answer, for which it is too late."""
    raise Abort(403)


async def close_as_block(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Use it as a block."""
    async with ws:
        await ws.send(await ws.receive())


LEAVING: Final = (
    _of(
        "an abort is a reset",
        (ws(abort),),
        (*OPEN, Send(say("a")), ExpectEnd(RST)),
        ("got 'a'", "end 1006 by local, not clean"),
        catches="ends in order what was to be aborted",
    ),
    _of(
        "an abort drops what is unsent",
        (ws(abort_with_unsent),),
        (Connect(slow=True), *OPEN, Wait(0.2), Close()),
        ("end 1006 by local, not clean",),
    ),
    _of(
        "an error in a handler closes with 1011",
        (ws(fail),),
        (*OPEN, Send(say("a")), Expect(closing(1011)), Send(close(1011)), ExpectEnd()),
        ("end 1011 by local",),
        catches="lets the error of a handler end more than its connection",
    ),
    _of(
        "a close code may be raised",
        (ws(raise_close),),
        (Send(shake()), Expect(SWITCHED + closing(4000, "raised")), Send(close(4000)), ExpectEnd()),
        ("end 4000 by local",),
    ),
    _of(
        "an answer that is raised too late is a policy violation",
        (ws(raise_abort),),
        (Send(shake()), Expect(SWITCHED + closing(1008)), Send(close(1008)), ExpectEnd()),
        ("end 1008 by local",),
    ),
    _of(
        "a connection stays open when its handler returns",
        (ws(return_at_once),),
        (
            *OPEN,
            Send(say("unread") + ping(b"p")),
            Expect(frame(0xA, b"p", mask=None)),
            Quiet(0.05),
            Send(close()),
            Expect(closing()),
            ExpectEnd(),
        ),
        (ENDED,),
        catches="takes the end of a handler for the end of its connection",
    ),
    _of(
        "a route may close when its handler returns",
        (ws(return_at_once, close_on_return=True),),
        (Send(shake()), Expect(SWITCHED + closing()), Send(close()), ExpectEnd()),
        ("end 1000 by local",),
    ),
    _of(
        "a block closes at its end",
        (ws(close_as_block),),
        (*OPEN, Send(say("a")), Expect(said("a") + closing()), Send(close()), ExpectEnd()),
        ("end 1000 by local",),
    ),
    _of(
        "a stream that ends without a Close is a loss",
        (ws(hear),),
        (*OPEN, Send(say("a")), HalfClose(), ExpectEnd()),
        ("got 'a'", LOST),
        catches="does not pass the end of the peer's bytes on",
    ),
    _of(
        "half a Close frame is none",
        (ws(hear),),
        (*OPEN, Send(close()[:-1]), HalfClose(), ExpectEnd()),
        (LOST,),
    ),
    _of(
        "a Close with a code that nobody may send fails the connection",
        (ws(hear),),
        (*OPEN, Send(close(1005)), Expect(closing(1002)), ExpectEnd()),
        ("end 1002 by local, not clean",),
    ),
    _of(
        "a Close with half a code fails the connection",
        (ws(hear),),
        (*OPEN, Send(frame(CLOSE_FRAME, b"\x03")), Expect(closing(1002)), ExpectEnd()),
        ("end 1002 by local, not clean",),
    ),
)
"""Ends that nobody has asked `close` for."""
