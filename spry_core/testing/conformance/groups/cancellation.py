"""A peer that leaves, and a handler that is cancelled or told."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.closing import ConnectionClosed
from spry_core.tasks import sleep, timeout
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    SWITCHED,
    close,
    closing,
    given,
    post,
    request,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.scripts import BYE, ENDED, LOST, OPEN, answer_late, read_content
from spry_core.testing.conformance.steps import (
    Close,
    Connect,
    Expect,
    ExpectEnd,
    HalfClose,
    Noted,
    Quiet,
    Reset,
    Send,
    Wait,
)
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_cancellation = partial(Scenario, "cancellation")


LARGE: Final = bytes(8_000_000)
HUNDRED: Final = 100
"""Messages, of which every 32nd lets other tasks run."""


async def push(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Only ever send, now and then, and clean up with waits when it is over."""
    try:
        while True:
            await ws.send("tick")
            await sleep(3600)
    finally:
        note("cancelled")


async def wait_for_ever(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Wait for something that has nothing to do with the connection."""
    note("begun")
    try:
        await sleep(3600)
    finally:
        note("cancelled")


async def clean_up(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Be told of the end, and take some time afterwards."""
    try:
        while True:
            await ws.receive()
    except ConnectionClosed as error:
        await sleep(0.1)
        note(f"cleaned up {error.close_code}")


async def send_to_nobody(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send until it fails."""
    try:
        while True:
            await ws.send(bytes(100_000))
    except ConnectionClosed as error:
        note(f"{type(error).__name__} {error.close_code}")


async def send_large_in_time(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send what no buffer holds, give up waiting for it, and send more."""
    try:
        with timeout(0.1):
            await ws.send(LARGE)
    except TimeoutError:
        note("timed out")
    await ws.receive()
    await ws.send("after")
    await ws.closed


async def send_from_scope(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send something large from a task, cancel the task, and send more."""
    async with ws.scope() as tasks:
        tasks.start_soon(ws.send, LARGE)
        await sleep(0.1)
        tasks.cancel()
    note("cancelled")
    await ws.receive()
    await ws.send("after")
    await ws.closed


async def cancel_receiver(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Receive what has come in a task, cancel that as soon as it lets others run, and receive the rest."""
    received = list[str | bytes]()

    async def cancel() -> None:
        tasks.cancel()

    async def receive() -> None:
        tasks.start_soon(cancel)
        while True:
            received.append(await ws.receive())

    await sleep(0.1)
    async with ws.scope() as tasks:
        tasks.start_soon(receive)
    note("cancelled early" if len(received) < HUNDRED else "cancelled late")
    while len(received) < HUNDRED:
        received.append(await ws.receive())
    await ws.send(" ".join(map(str, received)))
    await ws.closed


async def use_scope(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Have a task for as long as the connection lives."""

    async def work() -> None:
        try:
            await sleep(3600)
        finally:
            note("task cancelled")

    async with ws.scope() as tasks:
        tasks.start_soon(work)
        async for message in ws:
            await ws.send(message)
        note("no more messages")


async def swallow(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Catch whatever cancels it, and return."""
    try:
        await sleep(3600)
    except BaseException:
        note("swallowed")


CANCELLATION: Final = (
    _cancellation(
        "a handler is cancelled when the peer closes, if its route says so",
        (ws(push, on_disconnect="cancel"),),
        (Send(shake()), Expect(SWITCHED + said("tick")), *BYE),
        ("cancelled", ENDED),
        catches="does not cancel tasks",
    ),
    _cancellation(
        "a handler is cancelled when the peer resets the stream",
        (ws(wait_for_ever, on_disconnect="cancel"),),
        (*OPEN, Noted("begun"), Reset(), Noted("cancelled")),
        ("begun", "cancelled", LOST),
        catches="does not cancel tasks, or does not say that a stream is lost",
    ),
    _cancellation(
        "a handler is cancelled when the peer's bytes end",
        (ws(wait_for_ever, on_disconnect="cancel"),),
        (*OPEN, Noted("begun"), HalfClose(), ExpectEnd(), Noted("cancelled")),
        ("begun", "cancelled", LOST),
        catches="does not cancel tasks, or does not pass the end of the peer's bytes on",
    ),
    _cancellation(
        "a handler goes on after the end, and may take its time",
        (ws(clean_up),),
        (*OPEN, Send(close()), Expect(closing()), ExpectEnd(), Close(), Noted("cleaned up 1000", within=0.1)),
        ("cleaned up 1000", ENDED),
        catches="cancels a handler by itself at the end of the stream",
    ),
    _cancellation(
        "a handler that waits for time alone is told nothing",
        (ws(wait_for_ever),),
        (*OPEN, Noted("begun"), Send(close()), Expect(closing()), ExpectEnd(), Close(), Wait(0.05)),
        ("begun",),
        ("cancelled",),
        catches="cancels a handler by itself at the end of the stream, or leaves it behind when the server stops",
    ),
    _cancellation(
        "who sends to a peer that is gone is told",
        (ws(send_to_nobody),),
        (Connect(slow=True), *OPEN, Wait(0.05), Reset()),
        ("ConnectionLost 1006", LOST),
        catches="does not wake those who wait for room when the stream is lost",
    ),
    _cancellation(
        "a send that is cancelled leaves no frame torn",
        (ws(send_large_in_time),),
        (
            Connect(slow=True),
            *OPEN,
            Noted("timed out", after=0.1),
            Send(say("go")),
            Expect(given(LARGE)),
            Expect(said("after")),
            *BYE,
        ),
        ("timed out", ENDED),
        catches="lets a cancellation tear a frame",
    ),
    _cancellation(
        "a task that is cancelled in a send leaves no frame torn",
        (ws(send_from_scope),),
        (
            Connect(slow=True),
            *OPEN,
            Noted("cancelled", after=0.1),
            Send(say("go")),
            Expect(given(LARGE)),
            Expect(said("after")),
            *BYE,
        ),
        ("cancelled", ENDED),
        catches="lets a cancellation tear a frame",
    ),
    _cancellation(
        "a receive that is cancelled while others have their turn loses no message",
        (ws(cancel_receiver, max_queue=HUNDRED),),
        (
            *OPEN,
            Send(say(*map(str, range(HUNDRED)))),
            Expect(said(" ".join(map(str, range(HUNDRED)))), within=0.1),
            *BYE,
        ),
        ("cancelled early", ENDED),
        catches="does not let others run at a checkpoint with switch, or raises no cancellation there",
    ),
    _cancellation(
        "tasks of a connection end with it",
        (ws(use_scope),),
        (*OPEN, Send(say("a")), Expect(said("a")), *BYE),
        ("no more messages", "task cancelled", ENDED),
        any_order=True,
        catches="does not cancel tasks",
    ),
    _cancellation(
        "tasks of a connection end when it is lost",
        (ws(use_scope),),
        (*OPEN, Send(say("a")), Expect(said("a")), Reset(), Noted("task cancelled")),
        ("task cancelled", LOST),
        catches="does not cancel tasks",
    ),
    _cancellation(
        "a handler that swallows its cancellation ends all the same",
        (ws(swallow, on_disconnect="cancel"),),
        (*OPEN, *BYE, Close(), Noted("swallowed")),
        ("swallowed", ENDED),
    ),
    _cancellation(
        "a handler of HTTP goes on when its peer is gone",
        (http(answer_late),),
        (Send(request()), Noted("begun"), Reset(), Noted("done", within=0.15)),
        ("begun", "done"),
        catches="cancels a handler by itself at the end of the stream",
    ),
    _cancellation(
        "who waits for content of a peer that is gone is told",
        (http(read_content, method="POST"),),
        (Send(post(b"abc")[:-1]), Quiet(0.02), Reset(), Noted("lost")),
        ("lost",),
        catches="does not say that a stream is lost",
    ),
    _cancellation(
        "a server that stops ends what still runs",
        (ws(wait_for_ever),),
        (*OPEN, Noted("begun")),
        ("begun",),
        ("cancelled",),
        catches="leaves handlers behind when it stops",
    ),
)
"""Handlers whose peer leaves."""
