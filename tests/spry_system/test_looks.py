"""Tests of `spry_system.looks`: one look at a time, and each of those that a call leads to behind it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest

from spry_system import Looks


class Looker:
    """Writes down that it looks, and does then what it was told to."""

    def __init__(self, name: str, log: list[str], then: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.log = log
        self.then = then

    def look(self) -> None:
        self.log.append(f"{self.name} looks")
        self.then()
        self.log.append(f"{self.name} is done")


def test_outside_of_a_call_who_is_to_look_does_so_at_once() -> None:
    looks, log = Looks(), list[str]()
    looks.look(Looker("first", log))
    looks.look(Looker("second", log))
    assert log == ["first looks", "first is done", "second looks", "second is done"]


def test_who_is_to_look_inside_of_a_call_does_so_once_when_it_has_ended() -> None:
    looks, log = Looks(), list[str]()
    first, second = Looker("first", log), Looker("second", log)

    def call() -> None:
        for _ in range(3):
            looks.look(second)
            looks.look(first)
        log.append("the call is done")

    looks.call(call)
    assert log == ["the call is done", "second looks", "second is done", "first looks", "first is done"]


def test_nobody_looks_inside_of_a_look_however_long_the_chain_is() -> None:
    looks, log = Looks(), list[str]()
    last = Looker("0", log)
    for number in range(1, 5000):
        last = Looker(str(number), log, partial(looks.look, last))
    looks.look(last)
    assert log == [
        line for number in reversed(range(5000)) for line in (f"{number} looks", f"{number} is done")
    ]


def test_who_is_told_while_it_looks_looks_again() -> None:
    looks, log = Looks(), list[str]()
    looker = Looker("it", log)

    def once_more() -> None:
        looker.then = lambda: None
        looks.look(looker)

    looker.then = once_more
    looks.look(looker)
    assert log == ["it looks", "it is done"] * 2


def test_a_call_that_fails_keeps_nobody_from_looking() -> None:
    looks, log = Looks(), list[str]()

    def call() -> None:
        looks.look(Looker("it", log))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        looks.call(call)
    assert log == ["it looks", "it is done"]
    looks.look(Looker("another", log))
    assert log[2:] == ["another looks", "another is done"]


def test_a_look_that_fails_leaves_the_others_to_the_next_call() -> None:
    looks, log = Looks(), list[str]()

    def fail() -> None:
        raise KeyboardInterrupt

    def call() -> None:
        looks.look(Looker("first", log, fail))
        looks.look(Looker("second", log))

    with pytest.raises(KeyboardInterrupt):
        looks.call(call)
    assert log == ["first looks"]
    looks.call(lambda: None)
    assert log == ["first looks", "second looks", "second is done"]
