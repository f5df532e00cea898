"""The life of a server: its lifespan, and shutdown while everything goes on."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from typing import Final

from spry_core.protocol.limits import Timeouts
from spry_core.tasks import scope, sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    LAST_CHUNK,
    OCTETS,
    SWITCHED,
    answer,
    chunk,
    close,
    closing,
    head,
    last_word,
    request,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Route, Scenario, http, ws
from spry_core.testing.conformance.scripts import OPEN, echo, hear, hello, stay
from spry_core.testing.conformance.steps import (
    RST,
    Close,
    Connect,
    Expect,
    ExpectEnd,
    HalfClose,
    Noted,
    Refused,
    Send,
    Shutdown,
    Wait,
)
from spry_core.web.application import Application
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_lifespan = partial(Scenario, "lifespan")
_shutdown = partial(Scenario, "shutdown")

GONE: Final = "end 1001 by shutdown"


def living(seconds: float = 0.0) -> Route:
    """Make a lifespan that takes some time at both ends, and has a task as long as it lives."""

    def register(app: Application, note: Notebook) -> None:
        @app.lifespan
        async def live(app: Application) -> AsyncGenerator[None]:
            note("starting")
            await sleep(seconds)
            note("started")
            async with scope() as tasks:

                async def beat() -> None:
                    while True:
                        await sleep(0.02)
                        note.count("beats")
                        app.locals["beats"] = note.counts["beats"]

                tasks.start_soon(beat)
                yield
                tasks.cancel()
            note("stopping")
            await sleep(seconds)
            note("stopped")

    return register


async def tell_beats(request: Request, note: Notebook) -> str:
    """Wait until the lifespan's task has done something."""
    while not note.counts["beats"]:
        await sleep(0.01)
    return "it beats"


async def answer_later(request: Request, note: Notebook) -> str:
    """Take some time to answer."""
    note("begun")
    try:
        await sleep(0.2)
    except BaseException:  # pragma: no cover - only a wrong backend comes here
        note("cancelled")
        raise
    return "later"


async def never_answer(request: Request, note: Notebook) -> str:
    """Wait for ever."""
    note("begun")
    try:
        await sleep(3600)
    finally:
        note("cancelled")
    return "never"  # pragma: no cover - only a wrong backend comes here


async def tick(request: Request, note: Notebook) -> AsyncIterator[bytes]:
    """Give two pieces with time between."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        await sleep(0.2)
        yield b"two"

    return pieces()


async def never_end(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Pay no heed to the end of the connection."""
    try:
        await sleep(3600)
    finally:
        note("cancelled")


async def say_goodbye(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Note every message, and that there are no more."""
    async for message in ws:
        note(f"got {message!r}")
    note(f"no more, {ws.close_code}")


LIFESPAN: Final = (
    _lifespan(
        "a lifespan starts before anything is served, and stops at the end",
        (living(), http(hello)),
        (Send(request()), Expect(answer(b"hello"))),
        ("starting", "started"),
        ("stopping", "stopped"),
        catches="does not run the lifespan",
    ),
    _lifespan(
        "a lifespan may take its time",
        (living(0.05), http(hello)),
        (Send(request()), Expect(answer(b"hello"))),
        ("starting", "started"),
        ("stopping", "stopped"),
        catches="has no timers for the lifespan",
    ),
    _lifespan(
        "a task of the lifespan runs beside the connections",
        (living(), http(tell_beats)),
        (Send(request()), Expect(answer(b"it beats"), within=0.1)),
        ("starting", "started"),
        ("stopping", "stopped"),
        catches="does not look at the lifespan's deadlines",
    ),
    _lifespan(
        "two lifespans start in order, and stop in the other",
        (living(), living(), http(hello)),
        (Send(request()), Expect(answer(b"hello"))),
        ("starting", "started") * 2,
        ("stopping", "stopped") * 2,
    ),
    _lifespan(
        "a lifespan stops when the last handler has ended",
        (living(), ws(never_end)),
        (*OPEN,),
        ("starting", "started"),
        ("cancelled", "stopping", "stopped"),
        catches="stops the lifespan before the handlers",
    ),
)
"""What the application does around all connections."""

SHUTDOWN: Final = (
    _shutdown(
        "nobody is accepted any more",
        (ws(stay),),
        (*OPEN, Shutdown(), Expect(closing(1001)), Refused(), Send(close(1001)), ExpectEnd()),
        (GONE,),
        catches="goes on listening",
    ),
    _shutdown(
        "an idle connection is closed at once",
        (http(hello),),
        (Send(request()), Expect(answer(b"hello")), Shutdown(), ExpectEnd()),
        catches="does not look at the sessions when the server shuts down",
    ),
    _shutdown(
        "a connection without a request is closed at once",
        (http(hello),),
        (
            Connect("idle"),
            Send(request()),
            Expect(answer(b"hello")),
            Shutdown(),
            ExpectEnd(peer="idle"),
            ExpectEnd(),
        ),
        catches="does not look at the sessions when the server shuts down",
    ),
    _shutdown(
        "a request in flight is answered, and told that it is the last",
        (http(answer_later),),
        (
            Send(request()),
            Noted("begun"),
            Shutdown(),
            Expect(last_word("200 OK", b"later"), within=0.2),
            ExpectEnd(),
        ),
        ("begun",),
        catches="cancels what may finish",
    ),
    _shutdown(
        "an answer that is streamed is finished",
        (http(tick),),
        (
            Send(request()),
            Expect(
                head("200 OK", f"Content-Type: {OCTETS}", "Date", "Transfer-Encoding: chunked")
                + chunk(b"one")
            ),
            Shutdown(),
            Expect(chunk(b"two") + LAST_CHUNK, within=0.2),
            ExpectEnd(),
        ),
    ),
    _shutdown(
        "a request that is still coming is answered 503",
        (http(hello),),
        (
            Connect("idle"),
            Send(request() + request()[:9]),
            Expect(answer(b"hello")),
            Shutdown(),
            ExpectEnd(peer="idle"),
            Send(request()[9:]),
            Expect(last_word("503 Service Unavailable")),
            ExpectEnd(),
        ),
    ),
    _shutdown(
        "what is pipelined behind a request in flight is not served",
        (http(answer_later),),
        (
            Send(request() * 2),
            Noted("begun"),
            Shutdown(),
            Expect(last_word("200 OK", b"later"), within=0.2),
            ExpectEnd(),
        ),
        ("begun",),
        catches="writes after the end",
    ),
    _shutdown(
        "a WebSocket gets the code and the reason",
        (ws(say_goodbye),),
        (
            *OPEN,
            Send(say("a")),
            Noted("got 'a'"),
            Shutdown(4000, "so long"),
            Expect(closing(4000, "so long")),
            Send(close(4000)),
            ExpectEnd(),
        ),
        ("got 'a'", "no more, 4000", "end 4000 by shutdown"),
        catches="does not look at the sessions when the server shuts down",
    ),
    _shutdown(
        "a handler is cancelled if its route says so",
        (ws(never_end, on_disconnect="cancel"),),
        (
            *OPEN,
            Shutdown(),
            Expect(closing(1001)),
            Send(close(1001)),
            ExpectEnd(),
            Close(),
            Noted("cancelled"),
        ),
        ("cancelled", GONE),
    ),
    _shutdown(
        "a peer that does not answer the Close is cut",
        (ws(stay),),
        (*OPEN, Shutdown(), Expect(closing(1001)), ExpectEnd(RST, after=0.2)),
        ("end 1001 by timeout, not clean",),
        timeouts=Timeouts(close_timeout=0.2),
        catches="ignores a deadline",
    ),
    _shutdown(
        "a handler of HTTP is cancelled at the end of the grace",
        (http(never_answer),),
        (
            Send(request()),
            Noted("begun"),
            Shutdown(grace=0.2),
            Expect(last_word("503 Service Unavailable", b"Service Unavailable"), after=0.2),
            ExpectEnd(),
        ),
        ("begun", "cancelled"),
        catches="ignores the deadline of the server",
    ),
    _shutdown(
        "a handler of a WebSocket is cancelled at the end of the grace",
        (ws(never_end),),
        (
            *OPEN,
            Shutdown(grace=0.2),
            Expect(closing(1001)),
            Send(close(1001)),
            ExpectEnd(),
            HalfClose(),
            Noted("cancelled", within=0.2),
        ),
        ("cancelled",),
        catches="ignores the deadline of the server",
    ),
    _shutdown(
        "a message before the Close of the server is echoed",
        (ws(echo),),
        (
            *OPEN,
            Send(say("a")),
            Expect(said("a")),
            Shutdown(),
            Expect(closing(1001)),
            Send(say("late") + close(1001)),
            ExpectEnd(),
        ),
        (GONE,),
        catches="writes after a Close frame",
    ),
    _shutdown(
        "a handshake that is still coming is answered 503",
        (ws(hear), http(hello, "/hello")),
        (
            Connect("idle"),
            Send(request("/hello") + shake()[:20]),
            Expect(answer(b"hello")),
            Shutdown(),
            ExpectEnd(peer="idle"),
            Send(shake()[20:]),
            Expect(last_word("503 Service Unavailable")),
            ExpectEnd(),
        ),
    ),
    _shutdown(
        "all connections end, of every kind",
        (ws(stay, "/ws"), http(answer_later, "/later"), http(hello)),
        (
            Connect("idle"),
            Connect("ws"),
            Connect("busy"),
            Send(shake("/ws"), "ws"),
            Expect(SWITCHED, "ws"),
            Send(request("/later"), "busy"),
            Noted("begun"),
            Shutdown(),
            ExpectEnd(peer="idle"),
            Expect(closing(1001), "ws"),
            Send(close(1001), "ws"),
            ExpectEnd(peer="ws"),
            Expect(last_word("200 OK", b"later"), "busy", within=0.2),
            ExpectEnd(peer="busy"),
        ),
        ("begun", GONE),
        catches="forgets connections when it shuts down",
    ),
    _shutdown(
        "shutting down again changes nothing",
        (ws(stay),),
        (
            *OPEN,
            Shutdown(4000),
            Expect(closing(4000)),
            Shutdown(4001),
            Wait(0.02),
            Send(close(4000)),
            ExpectEnd(),
        ),
        ("end 4000 by shutdown",),
    ),
)
"""The end of a server while everything goes on."""
