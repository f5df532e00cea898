"""Tasks: whose context variables a handler, a middleware, a task and a callback see."""

from __future__ import annotations

from contextvars import ContextVar
from functools import partial
from typing import Final

from spry_core.tasks import scope, sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import answer, request, said, say
from spry_core.testing.conformance.scenario import Route, Scenario, http, ws
from spry_core.testing.conformance.scripts import BYE, ENDED, OPEN
from spry_core.testing.conformance.steps import Connect, Expect, Send
from spry_core.web.application import Application
from spry_core.web.middleware import Next, Outcome
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

_of = partial(Scenario, "tasks")


WHO: Final[ContextVar[str]] = ContextVar("who", default="nobody")


def naming() -> Route:
    """Make a middleware that sets the context variable to the path."""

    def register(app: Application, note: Notebook) -> None:
        async def name(request: Request, next: Next) -> Outcome:
            WHO.set(request.path)
            return await next()

        app.middleware.use(name)

    return register


async def swap(request: Request, note: Notebook) -> str:
    """Tell the value of the context variable, and set another."""
    before = WHO.get()
    WHO.set("a handler")
    await sleep(0)
    return f"{before}, {WHO.get()}"


async def tell(request: Request, note: Notebook) -> str:
    """Tell the value of the context variable after some time."""
    await sleep(int(request.query["wait"]) / 100)
    return WHO.get()


async def inherit(request: Request, note: Notebook) -> str:
    """Start tasks that inherit the context variable, and set their own."""
    WHO.set("parent")

    async def child(name: str) -> None:
        note(f"{name} sees {WHO.get()}")
        WHO.set(name)
        await sleep(0.02)
        note(f"{name} is {WHO.get()}")

    async with scope() as tasks:
        tasks.start_soon(child, "first")
        await sleep(0.01)
        tasks.start_soon(child, "second")
    return WHO.get()


async def listen_in_context(ws: WebSocket, request: Request, note: Notebook) -> None:
    """Listen in a context of its own."""
    WHO.set("listener")
    ws.listen(lambda message: ws.send_nowait(WHO.get()))
    WHO.set("somebody else")


CONTEXTS: Final = (
    _of(
        "each request has a context of its own",
        (http(swap),),
        (Send(request() * 3), Expect(answer(b"nobody, a handler") * 3)),
        catches="does not copy the context for each task",
    ),
    _of(
        "requests one after the other have a context of their own",
        (http(swap),),
        (
            Send(request()),
            Expect(answer(b"nobody, a handler")),
            Send(request()),
            Expect(answer(b"nobody, a handler")),
        ),
        catches="does not copy the context for each task",
    ),
    _of(
        "connections do not share a context",
        (naming(), http(tell, "/a"), http(tell, "/b")),
        (
            Connect("a"),
            Connect("b"),
            Send(request("/a?wait=10"), "a"),
            Send(request("/b?wait=5"), "b"),
            Expect(answer(b"/b"), "b", after=0.05),
            Expect(answer(b"/a"), "a", within=0.1),
        ),
        catches="does not copy the context for each task",
    ),
    _of(
        "a middleware's context is its handler's",
        (naming(), http(tell, "/a")),
        (Send(request("/a?wait=1")), Expect(answer(b"/a"), after=0.01)),
    ),
    _of(
        "tasks inherit the context of their start, and change only their own",
        (http(inherit),),
        (Send(request()), Expect(answer(b"parent"), after=0.03)),
        ("first sees parent", "second sees parent", "first is first", "second is second"),
        any_order=True,
        catches="does not copy the context for each task",
    ),
    _of(
        "a callback runs in the context of its listening",
        (ws(listen_in_context),),
        (*OPEN, Send(say("?")), Expect(said("listener")), *BYE),
        (ENDED,),
    ),
)
"""What tasks inherit."""
