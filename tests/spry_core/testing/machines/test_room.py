"""Tests of `spry_core.testing.machines.room`: what is right passes, and every bug is found in few steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from broken_apps import steps_to_failure
from spry_core import Application, Request, WebSocket
from spry_core.testing.machines import Heard, Room


class Hall:
    """A room that tells everybody else, with a bug if `whom` says so."""

    def __init__(
        self, whom: Callable[[list[WebSocket], WebSocket], list[WebSocket]], *, forgets: bool = True
    ) -> None:
        self.members: list[WebSocket] = []
        self.whom = whom
        self.forgets = forgets

    async def __call__(self, ws: WebSocket, request: Request) -> None:
        self.members.append(ws)
        try:
            async for message in ws:
                for each in self.whom(self.members, ws):
                    each.add(message)
        finally:
            if self.forgets:
                self.members.remove(ws)


def others(members: list[WebSocket], ws: WebSocket) -> list[WebSocket]:
    return [each for each in members if each is not ws]


def everybody(members: list[WebSocket], ws: WebSocket) -> list[WebSocket]:
    return list(members)


def the_newest(members: list[WebSocket], ws: WebSocket) -> list[WebSocket]:
    return others(members, ws)[-1:]


class TestHall(Room):
    step_count = 8
    max_examples = 25
    recordings = None
    hall: Callable[[], Hall] = staticmethod(lambda: Hall(others))

    def make_app(self) -> Application:
        app = Application()
        app.ws("/", self.hall())
        return app

    def on_message(self, who: int, text: str, others: Sequence[int]) -> Heard:
        return {each: [text] for each in others}


class TestHeardByNobody(TestHall):
    """What is said to somebody who is not there is heard by nobody."""

    def on_leave(self, who: int, others: Sequence[int]) -> Heard:
        return {who: ["left"]}


class Wrong(TestHall):
    __test__ = False


@pytest.mark.parametrize(
    ("hall", "words", "most"),
    [
        (lambda: Hall(everybody), "peer ", 6),
        (lambda: Hall(the_newest), "peer ", 6),
        (lambda: Hall(others, forgets=False), "the server closes the WebSocket of peer", 5),
    ],
)
def test_a_bug_is_found_in_few_steps(hall: Callable[[], Hall], words: str, most: int) -> None:
    machine = Wrong()
    machine.hall = hall
    said, steps = steps_to_failure(machine)
    assert said.startswith(words)
    assert 1 <= len(steps) <= most


def test_a_room_is_silent_unless_it_is_said_what_is_heard() -> None:
    assert Room().on_join(0, [1]) == Room().on_leave(0, [1]) == {}
    with pytest.raises(NotImplementedError) as caught:
        Room().on_message(0, "a", [1])
    assert str(caught.value) == "Room.on_message says who hears a message"
