"""Time: what a handler waits for, and the deadlines of the server, moved earlier and later."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.protocol.limits import Timeouts
from spry_core.tasks import now, scope, sleep, timeout
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    CHUNKED,
    SWITCHED,
    answer,
    chunk,
    last_word,
    post,
    request,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.scripts import BYE, ENDED, OPEN, hello, read_it
from spry_core.testing.conformance.steps import (
    Connect,
    Expect,
    ExpectEnd,
    Noted,
    Quiet,
    Send,
    Wait,
)
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "timers")


async def sleep_well(request: Request, note: Notebook) -> str:
    """Sleep, and note for how long."""
    begun = now()
    await sleep(0.1)
    note.lasted("sleep", begun, 0.1)
    return "awake"


async def sleep_in_turns(request: Request, note: Notebook) -> str:
    """Sleep often and shortly."""
    begun = now()
    for _ in range(10):
        await sleep(0.01)
    note.lasted("ten sleeps", begun, 0.1)
    return "awake"


async def sleep_not_at_all(request: Request, note: Notebook) -> str:
    """Let others run, and go on."""
    begun = now()
    for _ in range(100):
        await sleep(0)
    note.lasted("a hundred sleeps of no time", begun, 0.0)
    return "awake"


async def sleep_together(request: Request, note: Notebook) -> str:
    """Sleep in three tasks; on a machine that was busy two may wake together, in any order."""
    begun = now()

    async def sleep_and_tell(seconds: float) -> None:
        await sleep(seconds)
        note(f"{seconds}")

    async with scope() as tasks:
        for seconds in (0.15, 0.05, 0.1):
            tasks.start_soon(sleep_and_tell, seconds)
    note.lasted("all", begun, 0.15)
    return "awake"


async def run_out_of_time(request: Request, note: Notebook) -> str:
    """Wait for longer than is allowed."""
    begun = now()
    try:
        with timeout(0.1):
            await sleep(3600)
    except TimeoutError:
        note.lasted("limit", begun, 0.1)
    return "in time"


async def nest_limits(request: Request, note: Notebook) -> str:
    """Set a limit within a limit; the outer one is shorter."""
    begun = now()
    try:
        with timeout(0.05):
            try:
                with timeout(3600):
                    await sleep(3600)
            except TimeoutError:
                note("wrong limit")  # pragma: no cover - only a wrong backend comes here
    except TimeoutError:
        note.lasted("outer limit", begun, 0.05)
    try:
        with timeout(3600):
            with timeout(0.05):
                await sleep(3600)
    except TimeoutError:
        note.lasted("inner limit", begun, 0.1)
    return "in time"


async def keep_limit(request: Request, note: Notebook) -> str:
    """Finish in time, and outlive the limit afterwards."""
    with timeout(0.1):
        await sleep(0.02)
    await sleep(0.15)
    return "not cancelled"


async def catch_and_wait(request: Request, note: Notebook) -> str:
    """Clean up with a wait when the limit ends the block."""
    try:
        with timeout(0.05):
            try:
                await sleep(3600)
            finally:
                note("cleaning")
    except TimeoutError:
        await sleep(0.05)
    return "clean"


async def limit_content(request: Request, note: Notebook) -> str:
    """Give up waiting for content, and go on waiting."""
    try:
        with timeout(0.05):
            await request.read()
    except TimeoutError:
        note("timed out")
    return (await request.read()).decode()


async def sleep_on_demand(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Sleep as long as each message says, in a task of its own, and send what it was."""

    async def sleep_and_send(seconds: str) -> None:
        await sleep(float(seconds))
        await ws.send(seconds)

    async with ws.scope() as tasks:
        async for message in ws:
            tasks.start_soon(sleep_and_send, str(message))


async def tick(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send something every twentieth of a second."""
    for number in range(3):
        await sleep(0.05)
        ws.send_nowait(str(number))
    await ws.closed


TIMERS: Final = (
    _of(
        "a handler sleeps as long as it says",
        (http(sleep_well),),
        (Send(request()), Expect(answer(b"awake"), after=0.1)),
        ("sleep on time",),
        catches="ignores a deadline",
    ),
    _of(
        "a handler that sleeps often wakes each time",
        (http(sleep_in_turns),),
        (Send(request()), Expect(answer(b"awake"), after=0.1)),
        ("ten sleeps on time",),
        catches="does not look at the next deadline when one has come",
    ),
    _of(
        "a sleep of no time only lets others run",
        (http(sleep_not_at_all),),
        (Send(request()), Expect(answer(b"awake"))),
        ("a hundred sleeps of no time on time",),
    ),
    _of(
        "tasks sleep at the same time",
        (http(sleep_together),),
        (Send(request()), Expect(answer(b"awake"), after=0.15)),
        ("0.05", "0.1", "0.15", "all on time"),
        any_order=True,
        catches="does not look at a deadline that has become earlier",
    ),
    _of(
        "a limit ends what waits",
        (http(run_out_of_time),),
        (Send(request() * 2), Expect(answer(b"in time"), after=0.1), Expect(answer(b"in time"), after=0.2)),
        ("limit on time",) * 2,
        catches="ignores a deadline, or does not cancel",
    ),
    _of(
        "limits may be nested",
        (http(nest_limits),),
        (Send(request()), Expect(answer(b"in time"), after=0.1)),
        ("outer limit on time", "inner limit on time"),
        catches="ends more than the block that was cancelled",
    ),
    _of(
        "a limit that was kept is forgotten",
        (http(keep_limit),),
        (Send(request()), Expect(answer(b"not cancelled"), after=0.17)),
        catches="cancels a block that has ended",
    ),
    _of(
        "a handler may wait after its limit",
        (http(catch_and_wait),),
        (Send(request()), Expect(answer(b"clean"), after=0.1)),
        ("cleaning",),
        catches="leaves a task cancelled whose block was",
    ),
    _of(
        "giving up waiting for content loses none",
        (http(limit_content, method="POST"),),
        (
            Send(post(b"abc")[:-3]),
            Noted("timed out", after=0.05),
            Send(b"a"),
            Wait(0.02),
            Send(b"bc"),
            Expect(answer(b"abc")),
        ),
        ("timed out",),
        catches="loses what was to wake a task that is cancelled",
    ),
    _of(
        "a deadline may become earlier while the connection waits",
        (ws(sleep_on_demand),),
        (
            *OPEN,
            Send(say("0.5")),
            Quiet(0.05),
            Send(say("0.1")),
            Expect(said("0.1"), after=0.1),
            Expect(said("0.5"), within=0.45),
            *BYE,
        ),
        (ENDED,),
        catches="does not look at a deadline that has become earlier",
    ),
    _of(
        "what is sent at a deadline is written then",
        (ws(tick),),
        (
            Send(shake()),
            Expect(SWITCHED),
            Expect(said("0"), after=0.05),
            Expect(said("1"), after=0.1),
            Expect(said("2"), after=0.15),
            *BYE,
        ),
        (ENDED,),
        catches="ignores notify",
    ),
    _of(
        "two connections keep their own time",
        (http(sleep_well), http(run_out_of_time, "/other")),
        (
            Connect("a"),
            Connect("b"),
            Send(request("/other"), "b"),
            Send(request(), "a"),
            Expect(answer(b"awake"), "a", within=0.1),
            Expect(answer(b"in time"), "b", within=0.1),
        ),
        ("limit on time", "sleep on time"),
        any_order=True,
    ),
    _of(
        "a head that does not come is the end",
        (http(hello),),
        (Connect(), ExpectEnd(after=0.2)),
        timeouts=Timeouts(head=0.2),
        catches="has no look at the deadline before the first bytes",
    ),
    _of(
        "a head that does not come whole is a 408",
        (http(hello),),
        (Send(request()[:9]), Expect(last_word("408 Request Timeout"), within=0.2), ExpectEnd()),
        timeouts=Timeouts(head=0.2),
        catches="ignores a deadline",
    ),
    _of(
        "bytes do not put off the deadline of a head",
        (http(hello),),
        (
            Connect(),
            *[
                Send(request()[each : each + 1]) if odd else Wait(0.05)
                for each in range(3)
                for odd in (True, False)
            ],
            Expect(last_word("408 Request Timeout"), within=0.1),
            ExpectEnd(),
        ),
        timeouts=Timeouts(head=0.2),
        catches="lets traffic put off a deadline",
    ),
    _of(
        "the second head on a connection has its own time",
        (http(hello),),
        (
            Send(request()),
            Expect(answer(b"hello")),
            Wait(0.15),
            Send(request()[:9]),
            Wait(0.1),
            Send(request()[9:]),
            Expect(answer(b"hello")),
            Send(request()[:9]),
            Expect(last_word("408 Request Timeout"), after=0.2),
            ExpectEnd(),
        ),
        timeouts=Timeouts(head=0.2, keep_alive=5),
        catches="keeps a deadline that was over",
    ),
    _of(
        "a content that stops is a 408",
        (http(read_it, method="POST"),),
        (Send(post(b"abc")[:-1]), Expect(last_word("408 Request Timeout"), after=0.2), ExpectEnd()),
        timeouts=Timeouts(body=0.2),
        catches="ignores a deadline",
    ),
    _of(
        "bytes put off the deadline of a content",
        (http(read_it, method="POST"),),
        (
            Send(request("/", CHUNKED, method="POST")),
            *[Send(chunk(b"x" * 500)) if odd else Wait(0.3) for _ in range(4) for odd in (False, True)],
            Send(b"0\r\n\r\n"),
            Expect(answer(b"x" * 2000, kind="application/octet-stream")),
        ),
        timeouts=Timeouts(body=1.0),
        catches="does not move a deadline that has become later",
    ),
    _of(
        "a handler of HTTP has all the time it wants",
        (http(sleep_well),),
        (Send(request()), Expect(answer(b"awake"), after=0.1)),
        ("sleep on time",),
        timeouts=Timeouts(head=0.05, keep_alive=0.05, body=0.05, write=0.05, linger=0.05),
        catches="keeps a deadline that was over",
    ),
)
"""Deadlines of handlers and of the server."""
