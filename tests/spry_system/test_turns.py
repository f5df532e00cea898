"""Tests of `spry_system.turns`: looks behind the call that leads to them, behind handlers' steps, never inside of a look."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import Context, ContextVar
from functools import partial

import pytest

from spry_system import Turns


class Connection:
    """Writes down that it is looked at, and does then what it was told to."""

    def __init__(self, name: str, log: list[str], then: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.log = log
        self.then = then
        self.patience = 0
        """How many times a look waits."""

    def waits(self) -> bool:
        self.patience -= 1
        return self.patience >= 0

    def look(self) -> None:
        self.log.append(f"{self.name} begins")
        self.then()
        self.log.append(f"{self.name} ends")


class Loop:
    """Calls back when the test says so."""

    def __init__(self) -> None:
        self.calls: list[Callable[[], None]] = []

    def schedule(self, call: Callable[[], None], context: Context) -> None:
        self.calls.append(partial(context.run, call))

    def turn(self) -> int:
        """Call back what was scheduled; return how much that was."""
        calls, self.calls = self.calls, []
        for call in calls:
            call()
        return len(calls)


def whole(*names: str) -> list[str]:
    return [line for name in names for line in (f"{name} begins", f"{name} ends")]


def test_outside_of_a_call_a_look_comes_at_once() -> None:
    loop, log = Loop(), list[str]()
    turns = Turns(loop.schedule)
    turns.note(Connection("first", log))
    turns.note(Connection("second", log))
    assert log == whole("first", "second")
    assert (turns.is_on, loop.calls) == (False, [])


def test_what_is_noted_in_a_call_is_looked_at_in_order_behind_who_has_made_it() -> None:
    log = list[str]()
    turns = Turns(Loop().schedule)
    turns.is_on = True
    turns.note(Connection("second", log))
    turns.note(Connection("third", log))
    assert log == []
    turns.finish(Connection("first", log))
    assert log == whole("first", "second", "third")
    assert not turns.is_on


def test_nobody_looks_inside_of_a_look_however_long_the_chain_is() -> None:
    log = list[str]()
    turns = Turns(Loop().schedule)
    last = Connection("0", log)
    for number in range(1, 5000):
        last = Connection(str(number), log, partial(turns.note, last))
    turns.note(last)
    assert log == whole(*(str(number) for number in reversed(range(5000))))


def test_a_look_that_waits_comes_when_the_loop_has_had_its_turn() -> None:
    loop, log = Loop(), list[str]()
    turns = Turns(loop.schedule)
    patient = Connection("patient", log)
    patient.patience = 2
    turns.is_on = True
    turns.note(Connection("other", log))
    turns.finish(patient)
    assert log == whole("other")
    assert turns.is_on
    assert loop.turn() == 1
    assert log == whole("other")
    assert turns.is_on
    assert loop.turn() == 1
    assert log == whole("other", "patient")
    assert (turns.is_on, loop.calls) == (False, [])


def test_what_is_noted_while_looks_wait_comes_with_them() -> None:
    loop, log = Loop(), list[str]()
    turns = Turns(loop.schedule)
    first, second = Connection("first", log), Connection("second", log)
    first.patience = second.patience = 1
    turns.note(first)
    turns.note(second)
    turns.note(Connection("third", log))
    assert log == []
    assert loop.turn() == 1
    assert log == whole("third", "first")
    assert loop.turn() == 1
    assert log == whole("third", "first", "second")
    assert not turns.is_on


def test_what_is_put_off_is_looked_at_when_the_loop_comes_to_it() -> None:
    loop, log = Loop(), list[str]()
    turns = Turns(loop.schedule)
    turns.put_off(Connection("first", log))
    turns.note(Connection("second", log))
    assert (log, turns.is_on) == ([], True)
    assert loop.turn() == 1
    assert log == whole("second", "first")
    assert not turns.is_on


def test_what_is_put_off_in_a_call_waits_for_the_loop() -> None:
    loop, log = Loop(), list[str]()
    turns = Turns(loop.schedule)
    turns.is_on = True
    turns.put_off(Connection("other", log))
    turns.finish(Connection("caller", log))
    assert (log, turns.is_on) == (whole("caller"), True)
    assert loop.turn() == 1
    assert (log, turns.is_on) == (whole("caller", "other"), False)


def test_a_call_made_while_looks_wait_leaves_them_waiting() -> None:
    loop, log = Loop(), list[str]()
    turns = Turns(loop.schedule)
    patient = Connection("patient", log)
    patient.patience = 1
    turns.note(patient)
    turns.finish(Connection("caller", log))
    assert log == whole("caller")
    assert turns.is_on
    assert loop.turn() == 1
    assert log == whole("caller", "patient")


@pytest.mark.parametrize("position", [0, 1, 2])
def test_what_ends_the_process_leaves_the_others_to_the_loop(position: int) -> None:
    loop, log = Loop(), list[str]()
    turns = Turns(loop.schedule)

    def leave() -> None:
        raise KeyboardInterrupt

    connections = [Connection(name, log) for name in "abc"]
    connections[position].then = leave
    first, *others = connections
    turns.is_on = True
    for other in others:
        turns.note(other)
    with pytest.raises(KeyboardInterrupt):
        turns.finish(first)
    loop.turn()
    assert log == [line for line in whole("a", "b", "c") if line != f"{connections[position].name} ends"]
    assert (turns.is_on, loop.calls) == (False, [])


NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


def test_a_look_that_was_put_off_comes_in_the_context_of_the_server() -> None:
    """And not in that of the handler which had it put off."""
    loop, names = Loop(), list[str]()
    turns = Turns(loop.schedule)
    waiting = Connection("waiting", [])
    waiting.then = lambda: names.append(NAME.get())
    token = NAME.set("handler")
    turns.put_off(waiting)
    NAME.reset(token)
    assert (loop.turn(), names) == (1, ["nobody"])
