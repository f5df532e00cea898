"""Ping and Pong, keepalive, and the peer's violations of the protocol."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.closing import KeepaliveTimeout, ProtocolFailure
from spry_core.protocol.limits import Timeouts
from spry_core.tasks import now, sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    SWITCHED,
    answer,
    close,
    closing,
    given,
    ping,
    pinged,
    pong,
    ponged,
    request,
    said,
    say,
    server_frame,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.scripts import BYE, ENDED, LOST, OPEN, echo, hello, stay
from spry_core.testing.conformance.steps import (
    WILD,
    Connect,
    Expect,
    ExpectEnd,
    Noted,
    Quiet,
    Send,
    Wait,
)
from spry_core.testing.frames import CLOSE_FRAME, PING, TEXT, frame
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "control frames")
_keepalive = partial(Scenario, "keepalive")

KEEPALIVE: Final = "end 1011 by timeout, not clean"
"""The note of a peer that was found dead."""

PINGED: Final = pinged(WILD * 4)
"""A keepalive Ping; its payload is random."""


LARGE: Final = bytes(8_000_000)


async def ping_it(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send a Ping and measure the way there and back."""
    begun = now()
    await ws.ping(b"p")
    note.lasted("pong", begun, 0.1)
    await ws.closed


async def ping_twice(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send two Pings from two tasks."""
    async with ws.scope() as tasks:
        tasks.start_soon(ws.ping, b"1")
        await sleep(0.02)
        tasks.start_soon(ws.ping, b"2")
    await ws.send("both answered")
    await ws.closed


async def pong_it(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send a Pong that nobody has asked for, and wait."""
    ws.pong(b"unasked")
    await ws.closed


async def tell_failure(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Note why receiving has ended."""
    try:
        async for message in ws:  # pragma: no branch - an end is a failure here
            note(f"got {message!r}")
    except ProtocolFailure as error:
        note(f"failed {error.close_code}")
    except KeepaliveTimeout:
        note("dead")


async def hold_and_echo(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Receive nothing for a while, then echo."""
    await sleep(0.2)
    async for message in ws:
        await ws.send(message)


async def close_behind_ping(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Queue something large, and close when the peer has pinged and says so, before it has read anything."""
    ws.send_nowait(LARGE)
    note("queued")
    await ws.receive()
    async with ws.scope() as tasks:
        tasks.start_soon(ws.close)
        note("closing")


async def turn_off(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Turn keepalive on when the peer asks for it."""
    await ws.receive()
    ws.ping_interval = 0.2
    await ws.closed


CONTROL: Final = (
    _of(
        "a ping is answered with its payload",
        (ws(stay),),
        (*OPEN, Send(ping(b"hello")), Expect(ponged(b"hello")), Send(ping()), Expect(ponged()), *BYE),
        (ENDED,),
    ),
    _of(
        "every ping of one read is answered, in order",
        (ws(stay),),
        (
            *OPEN,
            Send(b"".join(ping(b"%d" % each) for each in range(100))),
            Expect(b"".join(ponged(b"%d" % each) for each in range(100))),
            *BYE,
        ),
        (ENDED,),
        catches="reorders writes",
    ),
    _of(
        "a ping is answered while the handler does something else",
        (ws(hold_and_echo),),
        (
            *OPEN,
            Send(say("a") + ping(b"p")),
            Expect(ponged(b"p")),
            Expect(said("a"), within=0.2),
            *BYE,
        ),
        (ENDED,),
        catches="lets a handler hold up the connection",
    ),
    _of(
        "messages and pings in one read are answered in order",
        (ws(echo),),
        (*OPEN, Send(ping(b"1") + ping(b"2")), Expect(ponged(b"1") + ponged(b"2")), *BYE),
        (ENDED,),
    ),
    _of(
        "a pong that was not asked for changes nothing",
        (ws(echo),),
        (*OPEN, Send(pong(b"unasked") + say("a")), Expect(said("a")), *BYE),
        (ENDED,),
    ),
    _of(
        "a handler's pong goes out at once",
        (ws(pong_it),),
        (Send(shake()), Expect(SWITCHED + ponged(b"unasked")), *BYE),
        (ENDED,),
        catches="writes nothing before the handler waits for the wire",
    ),
    _of(
        "a handler's ping waits for its pong",
        (ws(ping_it),),
        (
            Send(shake()),
            Expect(SWITCHED + pinged(b"p")),
            Wait(0.1),
            Send(pong(b"p")),
            Noted("pong on time"),
            *BYE,
        ),
        ("pong on time", ENDED),
        catches="does not wake the task that waits for a pong",
    ),
    _of(
        "a pong that had no room is not sent behind our own Close",
        (ws(close_behind_ping),),
        (
            Connect(slow=True),
            *OPEN,
            Noted("queued"),
            Send(ping(b"late") + say("close")),
            Noted("closing"),
            Expect(given(LARGE) + closing()),
            Quiet(0.05),
            Send(close()),
            ExpectEnd(),
        ),
        ("queued", "closing", "end 1000 by local"),
    ),
    _of(
        "one pong answers all pings before it",
        (ws(ping_twice),),
        (
            Send(shake()),
            Expect(SWITCHED),
            Expect(pinged(b"1")),
            Expect(pinged(b"2"), after=0.02),
            Send(pong(b"2")),
            Expect(said("both answered")),
            *BYE,
        ),
        (ENDED,),
        catches="wakes one waiter of two",
    ),
    _of(
        "a frame without a mask fails the connection",
        (ws(tell_failure),),
        (*OPEN, Send(say("a") + server_frame(TEXT, b"b")), Expect(closing(1002)), ExpectEnd()),
        ("got 'a'", "failed 1002", "end 1002 by local, not clean"),
    ),
    _of(
        "invalid text fails the connection",
        (ws(tell_failure),),
        (*OPEN, Send(frame(TEXT, b"\xff")), Expect(closing(1007)), ExpectEnd()),
        ("failed 1007", "end 1007 by local, not clean"),
    ),
    _of(
        "a message that is too big fails the connection before it comes",
        (ws(tell_failure, max_message_size=10),),
        (*OPEN, Send(frame(TEXT, b"x" * 11)[:4]), Expect(closing(1009)), ExpectEnd()),
        ("failed 1009", "end 1009 by local, not clean"),
    ),
    _of(
        "a control frame that is too big fails the connection",
        (ws(tell_failure),),
        (*OPEN, Send(frame(PING, b"x" * 126)), Expect(closing(1002)), ExpectEnd()),
        ("failed 1002", "end 1002 by local, not clean"),
    ),
    _of(
        "an unknown opcode fails the connection",
        (ws(tell_failure),),
        (*OPEN, Send(frame(3)), Expect(closing(1002)), ExpectEnd()),
        ("failed 1002", "end 1002 by local, not clean"),
    ),
    _of(
        "what comes before a violation in the same read is answered",
        (ws(echo),),
        (*OPEN, Send(say("a", "b") + frame(3)), Expect(said("a", "b") + closing(1002)), ExpectEnd()),
        ("end 1002 by local, not clean",),
        catches="writes after the Close frame, or drops what stands before it",
    ),
    _of(
        "what comes behind a violation is thrown away",
        (ws(tell_failure),),
        (
            *OPEN,
            Send(frame(3)),
            Expect(closing(1002)),
            ExpectEnd(),
            Send(say("late") + ping(b"late")),
            Wait(0.05),
            Send(frame(CLOSE_FRAME)),
            ExpectEnd(),
        ),
        ("failed 1002", "end 1002 by local, not clean"),
        catches="cuts the stream where it was to be half-closed, so that a reset overtakes the Close frame",
    ),
)
"""Ping, Pong and violations of the protocol."""

LIFE: Final = Timeouts(ping_interval=0.2, ping_timeout=0.3, close_timeout=0.3)

KEEPALIVES: Final = (
    _keepalive(
        "a silent peer is pinged after the interval",
        (ws(stay),),
        (*OPEN, Expect(PINGED, after=0.2)),
        (LOST,),
        timeouts=Timeouts(ping_interval=0.2),
        catches="does not look at the deadline when the handshake is over",
    ),
    _keepalive(
        "a peer that answers no ping is given up",
        (ws(tell_failure),),
        (
            *OPEN,
            Expect(PINGED, after=0.2),
            Noted("dead", after=0.5),
            Expect(closing(1011, "keepalive timeout")),
            ExpectEnd(),
        ),
        ("dead", KEEPALIVE),
        timeouts=LIFE,
        catches="ignores a deadline",
    ),
    _keepalive(
        "any byte counts as life",
        (ws(stay),),
        (
            *OPEN,
            Wait(0.15),
            Send(pong(b"alive")),
            Wait(0.7),
            Send(pong(b"alive")),
            Wait(0.7),
            Send(pong(b"alive")),
        ),
        (LOST,),
        timeouts=Timeouts(ping_interval=0.2, ping_timeout=1.2),
        catches="does not move a deadline that has become later",
    ),
    _keepalive(
        "the interval may be set while the connection waits",
        (ws(turn_off, ping_interval=None),),
        (*OPEN, Quiet(0.3), Send(say("on")), Expect(PINGED, after=0.2)),
        (LOST,),
        catches="does not look at a deadline that has become earlier",
    ),
    _keepalive(
        "an HTTP connection without a request is closed",
        (ws(stay),),
        (Connect(), ExpectEnd(after=0.2)),
        timeouts=Timeouts(head=0.2),
        catches="has no look at the deadline before the first bytes",
    ),
    _keepalive(
        "a peer that answers every ping is kept, and the interval begins again with its answer",
        (ws(stay),),
        (
            *OPEN,
            Expect(PINGED, after=0.2),
            Wait(0.1),
            Send(pong(b"alive")),
            Expect(PINGED, after=0.2),
            Send(pong(b"alive")),
            Expect(PINGED, after=0.2),
            Send(pong(b"alive")),
            *BYE,
        ),
        (ENDED,),
        timeouts=Timeouts(ping_interval=0.2, ping_timeout=3),
        catches="does not set the next deadline when one has come",
    ),
    _keepalive(
        "an HTTP connection is closed some time after its last answer",
        (ws(stay), http(hello, "/hello")),
        (Send(request("/hello")), Expect(answer(b"hello")), ExpectEnd(after=0.2)),
        timeouts=Timeouts(keep_alive=0.2),
        catches="ignores the deadline of an idle connection",
    ),
    _keepalive(
        "an HTTP connection in use is not closed",
        (ws(stay), http(hello, "/hello")),
        (Send(request("/hello")), Expect(answer(b"hello")), Wait(0.7)) * 3,
        timeouts=Timeouts(keep_alive=1.2),
        catches="does not move a deadline that has become later",
    ),
)
"""Who is alive, and what becomes of who is not."""
