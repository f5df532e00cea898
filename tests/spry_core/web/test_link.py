"""The link of a WebSocket, seen through an application in memory: who gets what when the handler has returned."""

from __future__ import annotations

from collections.abc import AsyncIterator

from spry_core import Application, Request, WebSocket, sleep
from spry_core.testing import TestClient


class Handed:
    """An application in which the handler of one WebSocket returns, and that of another goes on with it."""

    def __init__(self) -> None:
        self.app = Application()
        self.app.ws("/room", self.enter)
        self.app.ws("/keeper", self.keep)
        self.room: WebSocket | None = None
        self.heard: list[str | bytes] = []

    async def enter(self, ws: WebSocket, request: Request) -> None:
        """Leave the WebSocket to somebody else."""
        self.room = ws

    async def keep(self, ws: WebSocket, request: Request) -> None:
        """Take it over, and answer slowly."""
        assert self.room is not None
        async for message in self.room:
            self.heard.append(message)
            await self.room.add_stream(self.answers())

    async def answers(self) -> AsyncIterator[str]:
        yield "one"
        await sleep(1.0)
        yield "two"


def test_what_comes_before_somebody_takes_over_is_thrown_away() -> None:
    handed = Handed()
    client = TestClient(handed.app)
    with client.ws("/room") as room:
        room.send("too early")
        with client.ws("/keeper"):
            room.send("in time")
            assert room.receive() == "one"
    assert handed.heard == ["in time"]


def test_who_has_taken_over_loses_nothing_while_it_does_something_else() -> None:
    """The end of its stream is not the end of its interest."""
    handed = Handed()
    client = TestClient(handed.app)
    with client.ws("/room") as room, client.ws("/keeper"):
        room.send("first")
        assert room.receive() == "one"
        room.send("second")
        assert [room.receive() for _ in range(3)] == ["two", "one", "two"]
    assert handed.heard == ["first", "second"]
