"""The closing handshake in every order, and the end of the stream behind it."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.closing import ConnectionClosed
from spry_core.protocol.limits import Timeouts
from spry_core.tasks import scope, sleep, timeout
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    SWITCHED,
    close,
    closing,
    given,
    ping,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, ws
from spry_core.testing.conformance.scripts import ENDED, OPEN, echo, hear, stay
from spry_core.testing.conformance.steps import (
    RST,
    Close,
    Connect,
    Expect,
    ExpectEnd,
    HalfClose,
    Noted,
    Quiet,
    Send,
    Step,
    Wait,
)
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "closing")


LARGE: Final = bytes(8_000_000)


TALK: Final[tuple[Step, ...]] = (Send(say("talk")), Wait(0.05)) * 3


LATE: Final = "end 4000 by timeout, not clean"


async def close_it(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Close, and note when the closing handshake and when the stream is over."""
    info = await ws.close(4000, "bye")
    note(f"settled {info.close_code}")
    await ws.closed
    note("closed")


def close_at_once(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Close from a handler that cannot wait."""
    ws.close(4000)


async def close_later(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Close after some time, in which nothing else happens."""
    await sleep(0.1)
    ws.close(4000)


async def say_and_close(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Queue messages, and close behind them."""
    for number in range(20):
        ws.send_nowait(str(number))
    ws.close(4000)


async def say_much_and_close(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Queue more than any buffer holds, and close behind it."""
    ws.send_nowait(LARGE)
    ws.close(4000)


async def close_twice(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Close in two tasks, with two codes."""
    async with scope() as tasks:

        async def close(code: int) -> None:
            info = await ws.close(code)
            note(f"{code}: {info.close_code}")

        tasks.start_soon(close, 4000)
        await close(4001)


async def give_up_closing(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Close, and give up the wait for it."""
    try:
        with timeout(0.05):
            await ws.close(4000)
    except TimeoutError:
        note("timed out")


async def close_in_callback(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Close from a callback, at the first message."""

    def take(message: str | bytes) -> None:
        note(f"got {message!r}")
        ws.close(4000)

    ws.listen(take)


async def send_after_close(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send when it is closing."""
    ws.close(4000)
    try:
        await ws.send("late")
    except ConnectionClosed:
        note("refused")


async def wait_in_crowd(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Wait for the end in three tasks."""

    async def wait() -> None:
        await ws.closed
        note("told")

    async with scope() as tasks:
        for _ in range(3):
            tasks.start_soon(wait)


CLOSING: Final = (
    _of(
        "the peer's Close is answered with its code",
        (ws(echo),),
        (*OPEN, Send(close(3000)), Expect(closing(3000)), ExpectEnd()),
        ("end 3000 by remote",),
        catches="loses a Close frame",
    ),
    _of(
        "an empty Close is answered with an empty one",
        (ws(echo),),
        (*OPEN, Send(close(None)), Expect(closing(None)), ExpectEnd()),
        ("end 1005 by remote",),
    ),
    _of(
        "a Close that comes byte by byte is answered",
        (ws(echo),),
        (*OPEN, *[Send(bytes([each])) for each in close(1000, "bye")], Expect(closing()), ExpectEnd()),
        (ENDED,),
    ),
    _of(
        "the peer's Close is answered while no handler receives",
        (ws(stay),),
        (*OPEN, Send(say("unread") + close()), Expect(closing()), ExpectEnd()),
        (ENDED,),
        catches="reads only when a handler wants to",
    ),
    _of(
        "the peer may end its direction together with its Close",
        (ws(echo),),
        (*OPEN, Send(close()), HalfClose(), Expect(closing()), ExpectEnd()),
        (ENDED,),
        catches="drops what is to be written when the peer's bytes end",
    ),
    _of(
        "a Close is answered behind what was queued",
        (ws(say_and_close),),
        (
            Send(shake()),
            Expect(SWITCHED + said(*map(str, range(20))) + closing(4000)),
            Send(close(4000)),
            ExpectEnd(),
        ),
        ("end 4000 by local",),
        catches="reorders writes",
    ),
    _of(
        "a server's Close goes out at once, and is over with the peer's",
        (ws(close_it),),
        (
            Send(shake()),
            Expect(SWITCHED + closing(4000, "bye")),
            Quiet(0.03),
            Send(close(4000)),
            ExpectEnd(),
            Noted("settled 4000"),
            HalfClose(),
            Noted("closed"),
        ),
        ("settled 4000", "closed", "end 4000 by local"),
        catches="loses a Close frame, or does not tell of the end of the stream",
    ),
    _of(
        "a handler that cannot wait can close",
        (ws(close_at_once),),
        (Send(shake()), Expect(SWITCHED + closing(4000)), Send(close(4000)), ExpectEnd()),
        ("end 4000 by local",),
        catches="does not write what a handler leaves behind",
    ),
    _of(
        "a Close that nothing else comes with is written",
        (ws(close_later),),
        (Send(shake()), Expect(SWITCHED), Expect(closing(4000), after=0.1), Send(close(4000)), ExpectEnd()),
        ("end 4000 by local",),
        catches="ignores notify",
    ),
    _of(
        "both may close at the same time",
        (ws(close_it),),
        (Send(shake() + close(3000)), Expect(SWITCHED), Expect(closing(3000)), ExpectEnd()),
        ("settled 3000", "closed", "end 3000 by remote"),
    ),
    _of(
        "a Close goes behind all that was queued, however much",
        (ws(say_much_and_close),),
        (
            Connect(slow=True),
            Send(shake()),
            Expect(SWITCHED),
            Wait(0.05),
            Expect(given(LARGE)),
            Expect(closing(4000)),
            Send(close(4000)),
            ExpectEnd(),
        ),
        ("end 4000 by local",),
        timeouts=Timeouts(close_timeout=30),
        catches="closes before all bytes have gone, or drops the rest of a write",
    ),
    _of(
        "the first code counts",
        (ws(close_twice),),
        (Send(shake()), Expect(SWITCHED + closing(4001)), Send(close(4001)), ExpectEnd()),
        ("4001: 4001", "4000: 4001", "end 4001 by local"),
        any_order=True,
        catches="wakes one waiter of two",
    ),
    _of(
        "giving up the wait for a close changes nothing",
        (ws(give_up_closing),),
        (
            Send(shake()),
            Expect(SWITCHED + closing(4000)),
            Noted("timed out", after=0.05),
            Send(close(4000)),
            ExpectEnd(),
        ),
        ("timed out", "end 4000 by local"),
    ),
    _of(
        "a callback may close",
        (ws(close_in_callback),),
        (*OPEN, Send(say("a", "b")), Expect(closing(4000)), Send(close(4000)), ExpectEnd()),
        ("got 'a'", "end 4000 by local"),
    ),
    _of(
        "nothing is sent behind the Close",
        (ws(send_after_close),),
        (
            Send(shake()),
            Expect(SWITCHED + closing(4000)),
            Send(ping(b"late") + say("late")),
            Quiet(0.03),
            Send(close(4000)),
            ExpectEnd(),
        ),
        ("refused", "end 4000 by local"),
        catches="writes after a Close frame",
    ),
    _of(
        "a peer that never answers a Close is cut",
        (ws(close_later),),
        (*OPEN, Expect(closing(4000), after=0.1), ExpectEnd(RST, after=0.3)),
        (LATE,),
        timeouts=Timeouts(close_timeout=0.2),
        catches="ignores a deadline, or ends in order what was to be aborted",
    ),
    _of(
        "traffic does not put off the cut",
        (ws(close_later),),
        (
            *OPEN,
            Expect(closing(4000), after=0.1),
            *TALK,
            ExpectEnd(RST, within=0.1),
        ),
        (LATE,),
        timeouts=Timeouts(close_timeout=0.2),
        catches="lets traffic put off a deadline",
    ),
    _of(
        "a peer that answers a Close and leaves the stream open is cut",
        (ws(close_at_once),),
        (
            Send(shake()),
            Expect(SWITCHED + closing(4000)),
            Send(close(4000)),
            ExpectEnd(),
            Wait(0.5),
            Send(say("late")),
            Wait(0.05),
            Send(say("late")),
            ExpectEnd(RST),
        ),
        ("end 4000 by local",),
        timeouts=Timeouts(close_timeout=0.2),
        catches="forgets a stream that it has half-closed",
    ),
    _of(
        "the stream is half-closed, and what comes then is read",
        (ws(hear),),
        (
            *OPEN,
            Send(close()),
            Expect(closing()),
            ExpectEnd(),
            Send(say("late") * 100),
            Wait(0.05),
            Send(say("late")),
            Wait(0.05),
            ExpectEnd(),
            HalfClose(),
        ),
        (ENDED,),
        catches="closes both directions where one is to be ended",
    ),
    _of(
        "everybody who waits for the end is told",
        (ws(wait_in_crowd),),
        (*OPEN, Send(close()), Expect(closing()), ExpectEnd(), Close()),
        ("told", "told", "told", ENDED),
        catches="wakes one waiter of many",
    ),
)
"""The closing handshake in every order."""
