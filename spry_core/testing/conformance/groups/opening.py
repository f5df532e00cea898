"""The opening handshake of a WebSocket, and its denials."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.closing import ConnectionClosed
from spry_core.protocol.limits import Timeouts
from spry_core.tasks import sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    SWITCHED,
    answer,
    close,
    closing,
    last_word,
    request,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.scripts import BYE, ENDED, LOST, OPEN, echo, hello
from spry_core.testing.conformance.steps import (
    Connect,
    Expect,
    ExpectEnd,
    HalfClose,
    Noted,
    Quiet,
    Reset,
    Send,
)
from spry_core.web.exceptions import Abort
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "opening")

WITH_CHAT: Final = SWITCHED[:-2] + b"Sec-WebSocket-Protocol: chat\r\n\r\n"
UPGRADE: Final = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")


async def greet(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Speak first."""
    await ws.send(f"hello {request.path}")
    await ws.closed


async def accept_later(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Accept after a tenth of a second, then echo."""
    await sleep(0.1)
    await ws.accept()
    async for message in ws:
        await ws.send(message)


async def deny(ws: WebSocket, request: Request, note: Notebook) -> str:
    """Answer like a handler of HTTP, a little later."""
    await sleep(0.05)
    return "no"


async def refuse(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Raise the denial."""
    raise Abort(403, "no")


async def fail(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Fail before accepting."""
    raise RuntimeError("on purpose")


async def hesitate(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Never accept."""
    try:
        await sleep(3600)
    finally:
        note("cancelled")


async def accept_too_late(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Accept when the peer is gone."""
    await sleep(0.1)
    try:
        await ws.accept()
    except ConnectionClosed:
        note("too late")
        raise


async def tell_protocol(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Send the subprotocol."""
    await ws.send(str(ws.protocol))
    await ws.closed


async def choose_later(offers: list[str]) -> str:
    """Choose the last offer, after some time."""
    await sleep(0.05)
    return offers[-1]


OPENING: Final = (
    _of("a handshake is answered with 101", (ws(echo),), (*OPEN, Quiet(0.03), *BYE), (ENDED,)),
    _of(
        "a handshake may come byte by byte",
        (ws(echo),),
        (*[Send(bytes([each])) for each in shake()], Expect(SWITCHED), *BYE),
        (ENDED,),
    ),
    _of(
        "frames right behind the handshake are not lost",
        (ws(echo),),
        (Send(shake() + say("a", "b")), Expect(SWITCHED + said("a", "b")), *BYE),
        (ENDED,),
        catches="drops what was read together with the head",
    ),
    _of(
        "frames that come before the handler accepts wait for it",
        (ws(accept_later, accept="manual"),),
        (Send(shake() + say("a")), Expect(SWITCHED + said("a"), after=0.1), *BYE),
        (ENDED,),
        catches="does not deliver what was held when reading goes on",
    ),
    _of(
        "a handler may speak first",
        (ws(greet, "/:name"),),
        (Send(shake("/you")), Expect(SWITCHED + said("hello /you")), *BYE),
        (ENDED,),
    ),
    _of(
        "a denial by hand is an answer, and the connection goes on",
        (ws(deny, accept="manual"), http(hello, "/next")),
        (Send(shake()), Expect(answer(b"no"), after=0.05), Send(request("/next")), Expect(answer(b"hello"))),
    ),
    _of(
        "a denial that is raised is an answer",
        (ws(refuse, accept="manual"),),
        (Send(shake()), Expect(answer(b"no", status="403 Forbidden"))),
    ),
    _of(
        "an error before the 101 is a 500",
        (ws(fail, accept="manual"),),
        (Send(shake()), Expect(answer(b"Internal Server Error", status="500 Internal Server Error"))),
    ),
    _of(
        "a handler that does not accept in time is cancelled, and the peer told 503",
        (ws(hesitate, accept="manual"),),
        (
            Send(shake()),
            Expect(last_word("503 Service Unavailable"), after=0.2),
            ExpectEnd(),
        ),
        ("cancelled",),
        timeouts=Timeouts(opening=0.2),
        catches="ignores the deadline of the handshake, or does not cancel",
    ),
    _of(
        "a peer that leaves before the 101 is gone when the handler accepts",
        (ws(accept_too_late, accept="manual"),),
        (Send(shake()), Quiet(0.03), Reset(), Noted("too late", within=0.1)),
        ("too late",),
        catches="does not say that a stream is lost while it is not read",
    ),
    _of(
        "another version is refused",
        (ws(echo), http(hello, "/next")),
        (
            Send(shake("/", "Sec-WebSocket-Version: 12", without="Sec-WebSocket-Version")),
            Expect(answer(b"Sec-WebSocket-Version is not 13", status="426 Upgrade Required", before=UPGRADE)),
            Send(request("/next")),
            Expect(answer(b"hello")),
        ),
    ),
    _of(
        "an unknown path is a 404",
        (ws(echo),),
        (Send(shake("/nowhere")), Expect(answer(b"Not Found", status="404 Not Found"))),
    ),
    _of(
        "a foreign origin is refused",
        (ws(echo),),
        (
            Send(shake("/", "Origin: http://evil.example")),
            Expect(answer(b"this origin may not connect", status="403 Forbidden")),
        ),
    ),
    _of(
        "a subprotocol is chosen",
        (ws(tell_protocol, protocols=("chat", "news")),),
        (
            Send(shake("/", "Sec-WebSocket-Protocol: other, chat")),
            Expect(WITH_CHAT + said("chat")),
            *BYE,
        ),
        (ENDED,),
    ),
    _of(
        "a subprotocol may be chosen with time",
        (ws(tell_protocol, select_protocol=choose_later),),
        (
            Send(shake("/", "Sec-WebSocket-Protocol: other, chat")),
            Expect(WITH_CHAT + said("chat"), after=0.05),
            *BYE,
        ),
        (ENDED,),
    ),
    _of(
        "a handshake may follow requests on the same connection",
        (ws(echo), http(hello, "/first")),
        (Send(request("/first") + shake()), Expect(answer(b"hello") + SWITCHED), *BYE),
        (ENDED,),
    ),
    _of(
        "a peer that is gone after the 101 is an end without a Close frame",
        (ws(echo),),
        (*OPEN, HalfClose(), ExpectEnd()),
        (LOST,),
        catches="does not pass the end of the peer's bytes on",
    ),
    _of(
        "two WebSockets on one route are two",
        (ws(greet, "/:name"),),
        (
            Connect("a"),
            Connect("b"),
            Send(shake("/a"), "a"),
            Send(shake("/b"), "b"),
            Expect(SWITCHED + said("hello /b"), "b"),
            Expect(SWITCHED + said("hello /a"), "a"),
            Send(close(), "a"),
            Expect(closing(), "a"),
            ExpectEnd(peer="a"),
            Send(close(3000), "b"),
            Expect(closing(3000), "b"),
            ExpectEnd(peer="b"),
        ),
        (ENDED, "end 3000 by remote"),
        any_order=True,
    ),
)
"""Opening handshakes and denials."""
