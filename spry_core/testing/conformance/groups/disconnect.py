"""A peer that leaves, and a handler that is cancelled or told; half-closes and resets at every place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from spry_core.closing import ConnectionClosed, ConnectionLost
from spry_core.protocol.limits import Timeouts
from spry_core.tasks import sleep, timeout
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    CONTINUE,
    SWITCHED,
    answer,
    close,
    closing,
    given,
    last_word,
    post,
    request,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.scripts import BYE, ENDED, LOST, OPEN, echo, hear, hello, read_it
from spry_core.testing.conformance.steps import (
    RST,
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
from spry_core.testing.frames import TEXT, frame
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_cancellation = partial(Scenario, "cancellation")
_half_close = partial(Scenario, "half-close")
_resets = partial(Scenario, "resets")

LARGE: Final = bytes(8_000_000)


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


async def read_content(request: Request, note: Notebook) -> str:
    """Read a content that never comes whole."""
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


async def pass_on(request: Request, note: Notebook) -> AsyncIterator[bytes]:
    """Give pieces for ever, now and then."""

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await sleep(0.02)
        finally:
            note("closed")

    return pieces()


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

HALF_CLOSE: Final = (
    _half_close(
        "a request before the end of the peer's bytes is answered",
        (http(hello),),
        (Send(request()), HalfClose(), Expect(answer(b"hello")), ExpectEnd()),
        catches="takes the end of the peer's bytes for the end of the stream",
    ),
    _half_close(
        "all pipelined requests are answered before the end",
        (http(answer_late),),
        (Send(request() * 2), HalfClose(), Expect(answer(b"late") * 2, within=0.3), ExpectEnd()),
        ("begun", "done") * 2,
        catches="takes the end of the peer's bytes for the end of the stream",
    ),
    _half_close(
        "the end of the peer's bytes alone ends an idle connection",
        (http(hello),),
        (Send(request()), Expect(answer(b"hello")), HalfClose(), ExpectEnd()),
        catches="does not pass the end of the peer's bytes on",
    ),
    _half_close(
        "the end of the peer's bytes before any request ends the connection",
        (http(hello),),
        (Connect(), HalfClose(), ExpectEnd()),
        catches="does not pass the end of the peer's bytes on",
    ),
    _half_close(
        "half a head and the end is a 400",
        (http(hello),),
        (Send(request()[:-2]), HalfClose(), Expect(last_word("400 Bad Request")), ExpectEnd()),
        catches="does not pass the end of the peer's bytes on",
    ),
    _half_close(
        "half a content and the end is told to the handler",
        (http(read_content, method="POST"),),
        (Send(post(b"abc")[:-1]), HalfClose(), Expect(last_word("400 Bad Request")), ExpectEnd()),
        ("lost",),
    ),
    _half_close(
        "messages before the end of the peer's bytes are echoed or dropped whole",
        (ws(hear),),
        (*OPEN, Send(say("a", "b") + frame(TEXT, b"half")[:3]), HalfClose(), ExpectEnd()),
        ("got 'a'", "got 'b'", LOST),
    ),
    _half_close(
        "the end may come right behind the handshake",
        (ws(hear),),
        (Send(shake()), HalfClose(), Expect(SWITCHED), ExpectEnd()),
        (LOST,),
    ),
    _half_close(
        "a half-closed stream is forgotten some time after the last answer",
        (http(hello),),
        (
            Send(request("/", "Connection: close")),
            Expect(answer(b"hello", last=True)),
            ExpectEnd(),
            Wait(0.4),
            Send(b"late"),
            Wait(0.05),
            Send(b"late"),
            ExpectEnd(RST),
        ),
        timeouts=Timeouts(linger=0.2),
        catches="ignores the deadline of a stream that is half-closed",
    ),
)
"""The end of the peer's bytes, at every place."""

RESETS: Final = (
    _resets(
        "a reset before any request is forgotten",
        (http(hello),),
        (Connect("a"), Reset("a"), Connect("b"), Send(request(), "b"), Expect(answer(b"hello"), "b")),
        catches="dies of a reset",
    ),
    _resets(
        "a reset in a head is forgotten",
        (http(hello),),
        (
            Connect("a"),
            Send(request()[:9], "a"),
            Wait(0.02),
            Reset("a"),
            Connect("b"),
            Send(request(), "b"),
            Expect(answer(b"hello"), "b"),
        ),
        catches="dies of a reset",
    ),
    _resets(
        "a reset while an answer is streamed closes its source",
        (http(pass_on),),
        (Send(request()), Wait(0.05), Reset(), Noted("closed", within=0.1)),
        ("closed",),
        catches="does not say that a stream is lost",
    ),
    _resets(
        "a reset of a WebSocket is a loss",
        (ws(hear),),
        (*OPEN, Send(say("a")), Noted("got 'a'"), Reset()),
        ("got 'a'", LOST),
        catches="does not say that a stream is lost",
    ),
    _resets(
        "a reset in the closing handshake ends it",
        (ws(echo),),
        (*OPEN, Send(close()), Expect(closing()), Reset()),
        (ENDED,),
    ),
    _resets(
        "a reset while 100 is awaited is told",
        (http(read_content, method="POST"),),
        (Send(post(b"abc", "Expect: 100-continue")[:-3]), Expect(CONTINUE), Reset(), Noted("lost")),
        ("lost",),
    ),
    _resets(
        "a reset of one connection leaves the others alone",
        (ws(echo),),
        (
            Connect("a"),
            Connect("b"),
            Send(shake(), "a"),
            Expect(SWITCHED, "a"),
            Send(shake(), "b"),
            Expect(SWITCHED, "b"),
            Reset("a"),
            Noted(LOST),
            Send(say("still here"), "b"),
            Expect(said("still here"), "b"),
            Send(close(), "b"),
            Expect(closing(), "b"),
            ExpectEnd(peer="b"),
        ),
        (LOST, ENDED),
        catches="lets one connection end another",
    ),
    _resets(
        "twenty resets leave the server as it was",
        (http(read_it, method="POST"),),
        (
            *[
                step
                for each in range(20)
                for step in (Connect(str(each)), Send(post(b"abc")[:-1], str(each)), Reset(str(each)))
            ],
            Connect("last"),
            Send(post(b"abc"), "last"),
            Expect(answer(b"abc", kind="application/octet-stream"), "last"),
        ),
    ),
)
"""Streams that are cut, at every place."""
