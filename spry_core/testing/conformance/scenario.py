"""A scenario: routes with their handlers, steps of peers, and what is to come of it. All of it is data."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias, Unpack

from spry_core.closing import CloseInfo
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.steps import Shutdown, Step
from spry_core.web.application import Application
from spry_core.web.middleware import Next, Outcome
from spry_core.web.options import WebSocketSettings
from spry_core.web.request import Request
from spry_core.web.websocket import WebSocket

HttpScript: TypeAlias = Callable[[Request, Notebook], object]
"""A handler of a scenario, sync or async; it uses nothing but what Spry lends."""

WebSocketScript: TypeAlias = Callable[[WebSocket, Request, Notebook], object]
"""The same for a WebSocket."""

Route: TypeAlias = Callable[[Application, Notebook], None]
"""Registers one thing with the application of a scenario: a route, a middleware, a lifespan."""


def http(script: HttpScript, path: str = "/", method: str = "GET") -> Route:
    """Make a route of HTTP."""

    def register(app: Application, note: Notebook) -> None:
        def handle(request: Request) -> object:
            return script(request, note)

        app.on(method, path, handle)

    return register


def ws(script: WebSocketScript, path: str = "/", **options: Unpack[WebSocketSettings]) -> Route:
    """Make a route of a WebSocket."""

    def register(app: Application, note: Notebook) -> None:
        def handle(ws: WebSocket, request: Request) -> object:
            return script(ws, request, note)

        app.ws(path, handle, **options)

    return register


@dataclass(frozen=True, slots=True)
class Scenario:
    """One conversation with a server, and its outcome."""

    group: str
    """What it is about."""

    name: str
    """What is right, as a sentence."""

    routes: tuple[Route, ...]
    """What is served."""

    steps: tuple[Step, ...]
    """What the peers do and expect."""

    notes: tuple[str, ...] = ()
    """All that the handlers have to tell, in order. How each WebSocket ended stands here too: ``end 1000 by remote``."""

    farewell: tuple[str, ...] = ()
    """What they tell when the server is stopped after the last step."""

    catches: str = ""
    """What a backend does that fails here."""

    limits: Limits = field(default_factory=Limits)
    """The server's."""

    timeouts: Timeouts = field(default_factory=Timeouts)
    """The server's; short, so that the scenario is soon over where seconds are real."""

    any_order: bool = False
    """True if it is open in which order the notes are made."""

    @property
    def title(self) -> str:
        """The group and the name."""
        return f"{self.group}: {self.name}"

    @property
    def needs_shutdown(self) -> bool:
        """True if one of its steps is a `Shutdown`."""
        return any(isinstance(step, Shutdown) for step in self.steps)

    def application(self, note: Notebook) -> Application:
        """Make the application, whose handlers write in `note`."""
        app = Application()
        app.middleware.use(_noting_ends(note))
        for register in self.routes:
            register(app, note)
        return app


def _noting_ends(note: Notebook) -> Callable[[Request, Next], object]:
    async def note_end(request: Request, next: Next) -> Outcome:
        outcome = await next()
        if isinstance(outcome, CloseInfo):
            suffix = "" if outcome.clean else ", not clean"
            note(f"end {outcome.close_code} by {outcome.initiator}{suffix}")
        return outcome

    return note_end
