"""Backpressure in both directions, and what one peer may cost the others."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.errors import BufferFull
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.tasks import sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    SWITCHED,
    answer,
    close,
    closing,
    given,
    ping,
    ponged,
    post,
    request,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.scripts import BYE, ENDED, LOST, OPEN, echo, hello
from spry_core.testing.conformance.steps import (
    Before,
    Close,
    Connect,
    Expect,
    ExpectEnd,
    Noted,
    Overfill,
    Quiet,
    Reset,
    Send,
    Stuck,
    Wait,
)
from spry_core.testing.frames import BINARY, TEXT, frame
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "backpressure")
_fair = partial(Scenario, "fairness")

PIECE: Final = bytes(range(256)) * 256
"""64 KiB that show where something is missing."""

LARGE: Final = bytes(8_000_000)


async def push_two_hundred(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send two hundred big messages, and count them."""
    for _ in range(200):
        await ws.send(PIECE)
        note.count("sent")
    note("all sent")
    await ws.closed


async def wait_until_drained(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Queue something large, and wait in two ways until it has gone."""
    ws.send_nowait(LARGE)
    note("queued")
    await ws.drained()
    note("drained")
    await ws.send("after")
    await ws.closed


async def drain_in_crowd(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Queue something large, and have three tasks wait until it has gone."""

    async def wait() -> None:
        await ws.drained()
        note("drained")

    ws.send_nowait(LARGE)
    async with ws.scope() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)
    await ws.closed


async def send_in_crowd(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send something large from each of three tasks."""
    async with ws.scope() as tasks:
        for _ in range(3):
            tasks.start_soon(ws.send, LARGE)
    note("all sent")
    await ws.closed


async def fill_buffer(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Queue until the buffer is full; when it is empty there is room again."""
    ws.send_nowait(LARGE)
    try:
        while True:
            ws.send_nowait("no room")
    except BufferFull:
        note("full")
    await ws.drained()
    ws.send_nowait("room")
    await ws.closed


async def hold_messages(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Receive nothing for a while, then count what comes."""
    await sleep(0.3)
    size = 0
    async for message in ws:
        if isinstance(message, str):
            await ws.send(f"{size}")
        else:
            size += len(message)


async def receive_late(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Be a consumer that does not come back for a long time."""
    await ws.receive()
    await sleep(2)
    await ws.discard_incoming()
    await ws.closed


async def never_read(request: Request, note: Notebook) -> str:
    """Ask for one piece of content, and never for another."""
    async for _ in request.body:
        await sleep(3600)
    return "never"  # pragma: no cover - only a wrong backend comes here


async def listen_slowly(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Take one message a while."""

    async def take(message: str | bytes) -> None:
        note.count("taken")
        await sleep(0.3)

    ws.listen(take)


def swallow_all(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Receive a flood as fast as it can be done."""
    ws.listen(lambda _: note.count("received"))


async def send_without_end(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send as fast as it goes, to a peer that may keep up."""
    while True:
        await ws.send(b"x")


async def answer_pings(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Do nothing: pings are answered all the same."""
    await ws.closed


BACKPRESSURE: Final = (
    _of(
        "a sender waits for a peer that does not read",
        (ws(push_two_hundred),),
        (Connect(slow=True), *OPEN, Stuck("sent", below=150), Reset()),
        (LOST,),
        catches="reports as written what nobody has taken",
    ),
    _of(
        "a sender goes on when the peer reads again, and nothing is missing",
        (ws(push_two_hundred),),
        (
            Connect(slow=True),
            *OPEN,
            Stuck("sent", below=150),
            Expect(given(PIECE) * 200),
            Noted("all sent"),
            *BYE,
        ),
        ("all sent", ENDED),
        catches="never reports bytes as written, reorders, or drops what was cut short",
    ),
    _of(
        "a sender to a peer that reads never waits for long",
        (ws(push_two_hundred),),
        (*OPEN, Expect(given(PIECE) * 200), Noted("all sent"), *BYE),
        ("all sent", ENDED),
        catches="never reports bytes as written",
    ),
    _of(
        "the end of what was queued is told",
        (ws(wait_until_drained),),
        (
            Connect(slow=True),
            *OPEN,
            Noted("queued"),
            Wait(0.1),
            Expect(given(LARGE)),
            Expect(said("after")),
            *BYE,
        ),
        ("queued", "drained", ENDED),
        catches="never reports bytes as written",
    ),
    _of(
        "the end of what was queued is told to everybody",
        (ws(drain_in_crowd),),
        (Connect(slow=True), *OPEN, Wait(0.05), Expect(given(LARGE)), Noted("drained"), *BYE),
        ("drained", "drained", "drained", ENDED),
        catches="wakes one waiter of many",
    ),
    _of(
        "senders in three tasks do not mix their frames, and all go on",
        (ws(send_in_crowd),),
        (Connect(slow=True), *OPEN, Wait(0.05), Expect(given(LARGE) * 3), Noted("all sent"), *BYE),
        ("all sent", ENDED),
        catches="wakes one waiter of many, or lets two tasks write at the same time",
    ),
    _of(
        "a full buffer is an error, and has room again when it is empty",
        (ws(fill_buffer),),
        (Connect(slow=True), *OPEN, Noted("full"), Expect(given(LARGE)), Expect(said("room")), *BYE),
        ("full", ENDED),
        catches="never reports bytes as written",
    ),
    _of(
        "reading stops while a handler does not receive",
        (ws(receive_late),),
        (Connect(patience=0.3), *OPEN, Overfill(frame(BINARY, bytes(1_000_000)), times=64), Reset()),
        (LOST,),
        catches="reads while the session does not want it",
    ),
    _of(
        "reading stops while a callback works",
        (ws(listen_slowly),),
        (Connect(patience=0.1), *OPEN, Overfill(frame(BINARY, bytes(1_000_000)), times=64), Reset()),
        (LOST,),
        catches="reads while the session does not want it",
    ),
    _of(
        "reading stops while a content is not read",
        (http(never_read, method="POST"),),
        (
            Connect(patience=0.3),
            Send(post(b"", "X: y").replace(b": 0", b": 99999999")),
            Overfill(bytes(1_000_000), times=64),
            Reset(),
        ),
        catches="reads while the session does not want it",
    ),
    _of(
        "reading stops while pipelined requests wait",
        (http(never_read, method="POST"),),
        (Connect(patience=0.3), Send(post(b"x")), Overfill(request() * 30_000, times=64), Reset()),
        catches="reads while the session does not want it",
    ),
    _of(
        "reading goes on when the handler receives, and nothing is missing",
        (ws(hold_messages),),
        (
            *OPEN,
            Send(frame(BINARY, PIECE) * 100 + say("?")),
            Expect(said(f"{len(PIECE) * 100}"), within=0.3),
            *BYE,
        ),
        (ENDED,),
        catches="does not read again when the session wants it, if nothing else happens",
    ),
    _of(
        "a Close behind unread messages is seen when they are read",
        (ws(hold_messages),),
        (*OPEN, Send(frame(BINARY, b"x") * 100 + close()), Expect(closing(), within=0.3), ExpectEnd()),
        (ENDED,),
    ),
    _of(
        "a peer that reads nothing is cut after the time for writing",
        (ws(push_two_hundred),),
        (
            Connect(slow=True),
            *OPEN,
            Wait(0.4),
            Noted(LOST_BY_TIME := "end 1006 by timeout, not clean", within=0.2),
        ),
        (LOST_BY_TIME,),
        timeouts=Timeouts(write=0.2, ping_interval=None),
        catches="ignores the deadline for writing",
    ),
    _of(
        "pings of a peer that reads late are answered",
        (ws(answer_pings),),
        (Connect(slow=True), *OPEN, Send(ping(b"p") * 1000), Wait(0.1), Expect(ponged(b"p") * 1000), *BYE),
        (ENDED,),
    ),
    _of(
        "a small window for messages still lets all of them through",
        (ws(echo, max_queue=1),),
        (*OPEN, Send(say("a", "b", "c") * 50), Expect(said("a", "b", "c") * 50), *BYE),
        (ENDED,),
        limits=Limits(max_queue_size=1),
        catches="does not read again when the session wants it, if nothing else happens",
    ),
)
"""Who waits for whom."""

FAIRNESS: Final = (
    _fair(
        "a healthy peer is answered beside one that floods",
        (ws(swallow_all, "/flood"), http(hello)),
        (
            Connect("flood"),
            Connect("healthy"),
            Send(shake("/flood"), "flood"),
            Expect(SWITCHED, "flood"),
            Send(frame(TEXT, b"x") * 100_000, "flood"),
            Send(request(), "healthy"),
            Expect(answer(b"hello"), "healthy"),
            Before("received", 100_000),
            Reset("flood"),
        ),
        (LOST,),
        catches="serves a peer as long as it has something to say",
    ),
    _fair(
        "a healthy peer is answered beside one that pings without end",
        (ws(answer_pings, "/flood"), http(hello)),
        (
            Connect("flood"),
            Connect("healthy"),
            Send(shake("/flood"), "flood"),
            Expect(SWITCHED, "flood"),
            Send(ping() * 20_000, "flood"),
            Send(request(), "healthy"),
            Expect(answer(b"hello"), "healthy", within=0.0),
            Reset("flood"),
        ),
        (LOST,),
        catches="serves a peer as long as it has something to say",
    ),
    _fair(
        "a healthy peer is answered beside one that does not read",
        (ws(push_two_hundred, "/slow"), http(hello)),
        (
            Connect("slow", slow=True),
            Send(shake("/slow"), "slow"),
            Expect(SWITCHED, "slow"),
            Stuck("sent", below=150),
            Connect("healthy"),
            Send(request(), "healthy"),
            Expect(answer(b"hello"), "healthy"),
            Reset("slow"),
        ),
        (LOST,),
        catches="waits for one peer while others wait",
    ),
    _fair(
        "a healthy peer is answered beside a handler that never stops sending",
        (ws(send_without_end, "/push"), http(hello)),
        (
            Connect("push"),
            Send(shake("/push"), "push"),
            Expect(SWITCHED + given(b"x") * 1000, "push"),
            Connect("healthy"),
            Send(request(), "healthy"),
            Expect(answer(b"hello"), "healthy", within=0.0),
            Reset("push"),
        ),
        (LOST,),
        catches="does not let others run at a checkpoint with switch",
    ),
    _fair(
        "a healthy peer is answered beside fifty that say nothing",
        (http(hello),),
        (
            *[Connect(str(each)) for each in range(50)],
            Send(request(), "49"),
            Expect(answer(b"hello"), "49"),
            *[Close(str(each)) for each in range(50)],
        ),
    ),
    _fair(
        "pipelined requests of one peer do not keep another waiting",
        (http(hello),),
        (
            Connect("flood"),
            Connect("healthy"),
            Send(request() * 1000, "flood"),
            Send(request(), "healthy"),
            Expect(answer(b"hello"), "healthy", within=0.0),
            Quiet(0.0, "healthy"),
            Reset("flood"),
        ),
    ),
)
"""What one peer may cost the others."""
