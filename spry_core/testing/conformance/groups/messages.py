"""Messages, whole and in pieces, and how a handler takes and gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from spry_core.closing import ConnectionClosed
from spry_core.errors import WebSocketBusyError
from spry_core.tasks import sleep, timeout
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    SWITCHED,
    close,
    closing,
    given,
    ping,
    ponged,
    said,
    say,
    server_frame,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, ws
from spry_core.testing.conformance.scripts import BYE, ENDED, OPEN, echo, hear
from spry_core.testing.conformance.steps import Expect, ExpectEnd, Noted, Quiet, Send
from spry_core.testing.frames import BINARY, CONTINUATION, TEXT, frame
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "messages")
_fragments = partial(Scenario, "fragments")

BIG: Final = bytes(range(251)) * 4000  # its length has nothing in common with any buffer's
MANY: Final = tuple(str(number) for number in range(500))


async def take_pieces(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send every piece of a message back as it comes."""
    async for message in ws.incoming():
        async for piece in message:
            await ws.send(piece)
        await ws.send(f"end of {message.kind}")


async def listen_async(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Echo from a callback that waits, and say when the next begins too early."""
    busy: list[object] = []

    async def call_back(message: str | bytes) -> None:
        busy.append(message)
        await sleep(0.02)
        await ws.send(message if len(busy) == 1 else "two at a time")
        busy.clear()

    ws.listen(call_back)


def listen_sync(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Echo from a callback that acts at once."""
    ws.listen(ws.send_nowait, on_done=lambda info: note(f"done {info.close_code}"))


async def patient(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Give up receiving again and again, and lose nothing by it."""
    got: list[str | bytes] = []
    while len(got) < 2:
        try:
            with timeout(0.05):
                got.append(await ws.receive())
        except TimeoutError:
            if not note.counts["timed out"]:  # pragma: no branch - how often is a matter of chance
                note("timed out")
            note.count("timed out")
    await ws.send(f"{got}")
    await ws.closed


async def read_late(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Wait for the end of the connection, and then read what came before it."""
    await sleep(0.1)
    try:
        while True:
            note(str(await ws.receive()))
    except ConnectionClosed as error:
        note(f"closed {error.close_code}")


async def be_busy(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Receive twice at a time."""
    async with ws.scope() as tasks:

        async def first() -> None:
            note(str(await ws.receive()))

        tasks.start_soon(first)
        await sleep(0.02)
        try:
            await ws.receive()
        except WebSocketBusyError:
            await ws.send("busy")
    await ws.closed


async def burst(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send many messages without waiting for anything between them."""
    for each in MANY:
        await ws.send(each)
    await ws.closed


async def send_of_all_kinds(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send text and bytes, empty ones and a big one."""
    for data in ("grüße", b"\x00", bytearray(b"\x01"), memoryview(b"\x02\x03"), "", b"", BIG):
        await ws.send(data)
    await ws.closed


async def add_stream(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send what a source gives, with time between."""

    async def source() -> AsyncIterator[str]:
        for number in range(3):
            await sleep(0.05)
            yield str(number)

    note(f"sent {await ws.add_stream(source())}")
    await ws.closed


async def send_pieces(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send one message piece by piece, with time between."""

    async def pieces() -> AsyncIterator[str]:
        for piece in ("one ", "two ", "three"):
            yield piece
            await sleep(0.05)

    await ws.send_fragments(pieces(), "text")
    await ws.send("next")
    await ws.closed


MESSAGES: Final = (
    _of("a message is echoed", (ws(echo),), (*OPEN, Send(say("a")), Expect(said("a")), *BYE), (ENDED,)),
    _of(
        "messages in one read are echoed in order",
        (ws(echo),),
        (*OPEN, Send(say(*MANY)), Expect(said(*MANY)), *BYE),
        (ENDED,),
        catches="reorders writes, or forgets to write the last of them",
    ),
    _of(
        "a message that comes byte by byte is echoed",
        (ws(echo),),
        (*OPEN, *[Send(bytes([each])) for each in say("abc")], Expect(said("abc")), *BYE),
        (ENDED,),
    ),
    _of(
        "text and bytes keep their kind, and empty messages are messages",
        (ws(echo),),
        (
            *OPEN,
            Send(say("", "ü") + frame(BINARY) + frame(BINARY, b"\x00\xff")),
            Expect(said("", "ü") + given(b"") + given(b"\x00\xff")),
            *BYE,
        ),
        (ENDED,),
    ),
    _of(
        "a big message is echoed to the last byte",
        (ws(echo),),
        (*OPEN, Send(frame(BINARY, BIG)), Expect(given(BIG)), *BYE),
        (ENDED,),
        catches="drops or reorders what does not go in one piece",
    ),
    _of(
        "messages sent without a wait between come in order",
        (ws(burst),),
        (Send(shake()), Expect(SWITCHED + said(*MANY)), *BYE),
        (ENDED,),
        catches="reorders writes, or forgets those that were to be written soon",
    ),
    _of(
        "messages of all kinds go out as they are",
        (ws(send_of_all_kinds),),
        (
            Send(shake()),
            Expect(SWITCHED + said("grüße") + given(b"\x00") + given(b"\x01") + given(b"\x02\x03")),
            Expect(said("") + given(b"") + given(BIG)),
            *BYE,
        ),
        (ENDED,),
    ),
    _of(
        "messages before the peer's Close stay readable behind it",
        (ws(read_late),),
        (*OPEN, Send(say("a", "b") + close()), Expect(closing()), ExpectEnd()),
        ("a", "b", "closed 1000", ENDED),
        catches="cancels the handler at the end of the connection",
    ),
    _of(
        "giving up to receive loses no message",
        (ws(patient),),
        (
            *OPEN,
            Noted("timed out", after=0.05),
            Send(say("a")),
            Quiet(0.01),
            Send(say("b")),
            Expect(said("['a', 'b']")),
            *BYE,
        ),
        ("timed out", ENDED),
        catches="loses what was to wake a task that is cancelled",
    ),
    _of(
        "one consumer at a time",
        (ws(be_busy),),
        (*OPEN, Expect(said("busy"), after=0.02), Send(say("a")), Noted("a"), *BYE),
        ("a", ENDED),
    ),
    _of(
        "a callback that waits gets one message at a time",
        (ws(listen_async),),
        (
            *OPEN,
            Send(say("a", "b", "c")),
            Expect(said("a"), after=0.02),
            Expect(said("b"), after=0.04),
            Expect(said("c"), after=0.06),
            *BYE,
        ),
        (ENDED,),
        catches="lets tasks run into each other",
    ),
    _of(
        "a callback that acts at once echoes",
        (ws(listen_sync),),
        (*OPEN, Send(say(*MANY)), Expect(said(*MANY)), *BYE),
        ("done 1000", ENDED),
        catches="does not write what was sent while it delivered bytes",
    ),
    _of(
        "a source is sent item by item",
        (ws(add_stream),),
        (
            Send(shake()),
            Expect(SWITCHED),
            Expect(said("0"), after=0.05),
            Expect(said("1"), after=0.1),
            Expect(said("2"), after=0.15),
            Noted("sent 3"),
            *BYE,
        ),
        ("sent 3", ENDED),
        catches="does not write when a handler has sent and waits for something else",
    ),
    _of(
        "received messages are noted in order",
        (ws(hear),),
        (*OPEN, Send(say("a", "b")), Noted("got 'b'"), Send(say("c")), Noted("got 'c'"), *BYE),
        ("got 'a'", "got 'b'", "got 'c'", ENDED),
    ),
)
"""Whole messages, and how handlers take and give them."""

FRAGMENTS: Final = (
    _fragments(
        "fragments are one message",
        (ws(echo),),
        (
            *OPEN,
            Send(frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", fin=False)),
            Quiet(0.03),
            Send(frame(CONTINUATION, b"c")),
            Expect(said("abc")),
            *BYE,
        ),
        (ENDED,),
    ),
    _fragments(
        "a thousand empty fragments and a last one are one message",
        (ws(echo),),
        (
            *OPEN,
            Send(frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 1000 + frame(CONTINUATION, b"x")),
            Expect(said("x")),
            *BYE,
        ),
        (ENDED,),
    ),
    _fragments(
        "a ping between fragments is answered at once",
        (ws(echo),),
        (
            *OPEN,
            Send(frame(TEXT, b"a", fin=False) + ping(b"p")),
            Expect(ponged(b"p")),
            Send(frame(CONTINUATION, b"b")),
            Expect(said("ab")),
            *BYE,
        ),
        (ENDED,),
    ),
    _fragments(
        "a character may be cut by a fragment",
        (ws(echo),),
        (
            *OPEN,
            Send(frame(TEXT, b"\xc3", fin=False) + frame(CONTINUATION, b"\xbc")),
            Expect(said("ü")),
            *BYE,
        ),
        (ENDED,),
    ),
    _fragments(
        "pieces are delivered as they come",
        (ws(take_pieces),),
        (
            *OPEN,
            Send(frame(TEXT, b"a", fin=False)),
            Expect(said("a")),
            Send(frame(CONTINUATION, b"b", fin=False)),
            Expect(said("b")),
            Send(frame(CONTINUATION)),
            Expect(said("end of text")),
            *BYE,
        ),
        (ENDED,),
        catches="does not wake the handler before a message is complete",
    ),
    _fragments(
        "a message goes out in pieces",
        (ws(send_pieces),),
        (
            Send(shake()),
            Expect(SWITCHED + server_frame(TEXT, b"one ", fin=False)),
            Expect(server_frame(CONTINUATION, b"two ", fin=False), after=0.05),
            Expect(server_frame(CONTINUATION, b"three", fin=False), after=0.1),
            Expect(server_frame(CONTINUATION) + said("next"), after=0.15),
            *BYE,
        ),
        (ENDED,),
    ),
    _fragments(
        "a ping is answered between the pieces of a message",
        (ws(send_pieces),),
        (
            Send(shake()),
            Expect(SWITCHED + server_frame(TEXT, b"one ", fin=False)),
            Send(ping(b"p")),
            Expect(ponged(b"p")),
            Expect(server_frame(CONTINUATION, b"two ", fin=False), within=0.05),
            Expect(server_frame(CONTINUATION, b"three", fin=False), within=0.1),
            Expect(server_frame(CONTINUATION) + said("next"), within=0.15),
            *BYE,
        ),
        (ENDED,),
    ),
    _fragments(
        "a message that begins within another fails the connection",
        (ws(hear),),
        (*OPEN, Send(frame(TEXT, b"a", fin=False) + say("b")), Expect(closing(1002)), ExpectEnd()),
        ("end 1002 by local, not clean",),
    ),
    _fragments(
        "too many fragments fail the connection",
        (ws(hear, max_fragments=3),),
        (
            *OPEN,
            Send(say("a") + frame(TEXT, b"b", fin=False) + frame(CONTINUATION, fin=False) * 3),
            Expect(closing(1008)),
            ExpectEnd(),
        ),
        ("got 'a'", "end 1008 by local, not clean"),
    ),
)
"""Messages in pieces."""
