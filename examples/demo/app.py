"""An echo and a chat room for the browser, with the page that talks to them: `spry run --app-dir examples/demo app:app`.

Nothing here knows asyncio or trio: the same file runs on both, and the page says which one it got.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final

from spry_core import (
    Application,
    Next,
    Outcome,
    Request,
    Response,
    WebSocket,
    WebSocketClose,
    broadcast,
)
from spry_core.version import VERSION

MAX_MEMBERS: Final = 100
MAX_NAME: Final = 24
MAX_CHAT_MESSAGE: Final = 4096

PAGE: Final = Path(__file__).with_name("index.html").read_text(encoding="utf-8")

app = Application()


# ------------------------------------------------------------------------------------------------------------ the page


@app.get("/")
def page(request: Request) -> Response:
    """Give the page."""
    return Response(PAGE, headers={"content-type": "text/html; charset=utf-8", "cache-control": "no-cache"})


@app.get("/about")
def about(request: Request) -> dict[str, object]:
    """Say what the page runs on; the server put the backend's name there before it started."""
    return {"backend": app.locals.get("backend", "unknown"), "version": VERSION}


def hashes(tag: str) -> str:
    """List the page's own `<script>` or `<style>` elements in the form a Content-Security-Policy wants."""
    contents = re.findall(f"<{tag}>(.*?)</{tag}>", PAGE, re.DOTALL)
    return " ".join(
        f"'sha256-{b64encode(sha256(content.encode()).digest()).decode()}'" for content in contents
    )


SECURITY_FIELDS: Final = {
    # Whatever finds its way into the page, a browser runs and applies only what stood in it when we read the file.
    "content-security-policy": "; ".join(
        (
            "default-src 'none'",
            "base-uri 'none'",
            "connect-src 'self'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "img-src data:",
            f"script-src {hashes('script')}",
            f"style-src {hashes('style')}",
        )
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}


async def add_security_fields(request: Request, next: Next) -> Outcome:
    """Middleware: every response carries the fields above, errors too. A WebSocket's outcome has no fields to set."""
    outcome = await next()
    if isinstance(outcome, Response):
        for name, value in SECURITY_FIELDS.items():
            outcome.headers.setdefault(name, value)
    return outcome


app.middleware.use(add_security_fields)


# ------------------------------------------------------------------------------------------------------------ the echo


@app.ws("/echo")
async def echo(ws: WebSocket, request: Request) -> None:
    """Send every message back as it came, text as text and binary as binary."""
    async for message in ws:
        await ws.send(message)


# ------------------------------------------------------------------------------------------------------------ the chat


class Room:
    """Who is in one chat room, and how they are told what happens there."""

    def __init__(self) -> None:
        self.members: dict[WebSocket, str] = {}

    def enter(self, ws: WebSocket, wanted: str) -> str:
        """Let a member in under the name it wants, or the next free one, and return that name."""
        name = self.free_name(" ".join(wanted.split())[:MAX_NAME] or "guest")
        self.members[ws] = name
        self.tell([ws], {"event": "welcome", "name": name, "members": list(self.members.values())})
        self.tell_others(ws, {"event": "joined", "name": name, "members": list(self.members.values())})
        return name

    def leave(self, ws: WebSocket) -> None:
        """Take a member off the list, and tell those who stay."""
        name = self.members.pop(ws)
        self.tell_others(ws, {"event": "left", "name": name, "members": list(self.members.values())})

    def free_name(self, wanted: str) -> str:
        """Return `wanted`, or "`wanted` 2", "`wanted` 3", whichever nobody has yet."""
        taken = set(self.members.values())
        if wanted not in taken:
            return wanted
        return next(name for n in count(2) if (name := f"{wanted} {n}") not in taken)

    def tell_others(self, ws: WebSocket, news: Mapping[str, object]) -> None:
        """Tell everybody but `ws`."""
        self.tell([member for member in self.members if member is not ws], news)

    def tell(self, members: Iterable[WebSocket], news: Mapping[str, object]) -> None:
        """Send without waiting, so that one slow member keeps nobody else from hearing the news."""
        for slow in broadcast(members, json.dumps(news)):
            # A mebibyte is waiting for this member already. Memory is ours to keep bounded, so it has to go.
            slow.close(1013, "too slow for this room")


rooms: dict[str, Room] = {}


@app.ws("/rooms/:room", max_message_size=MAX_CHAT_MESSAGE)
async def chat(ws: WebSocket, request: Request) -> None:
    """Pass what a member says on to the others in the room. A room exists as long as somebody is in it."""
    key = request.params["room"]
    room = rooms.setdefault(key, Room())
    if len(room.members) >= MAX_MEMBERS:
        raise WebSocketClose(1013, "this room is full")
    name = room.enter(ws, request.query.get("name", ""))
    try:
        async for message in ws:
            if isinstance(message, bytes):
                raise WebSocketClose(1003, "this room speaks text")
            room.tell_others(ws, {"event": "said", "name": name, "text": message})
    finally:
        # However it ended: closed by either side, lost, or the server is shutting down.
        room.leave(ws)
        if not room.members:
            del rooms[key]
