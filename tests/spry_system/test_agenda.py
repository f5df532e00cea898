"""Tests of `spry_system.agenda`: everything comes to its turn, and what ends the process does not keep it from that."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spry_system import Agenda


class Part:
    """Writes down what it is told, and does then what a test wants."""

    def __init__(self, name: str, log: list[str], then: Callable[[], None] = lambda: None) -> None:
        self.name = name
        self.log = log
        self.then = then

    def receive(self) -> None:
        self._note("receives")

    def look(self) -> None:
        self._note("looks")

    def look_soon(self) -> None:
        self._note("looks soon")

    def time_has_come(self) -> None:
        self._note("is due")

    def _note(self, what: str) -> None:
        self.log.append(f"{self.name} {what}")
        self.then()


def fail() -> None:
    raise SystemExit


def fail_with(error: BaseException) -> None:
    """Take what ends the process where nothing does."""
    raise error


def test_moments_come_in_order_and_each_once() -> None:
    agenda, log = Agenda(fail_with), list[str]()
    for when, name in ((3.0, "third"), (1.0, "first"), (2.0, "second"), (9.0, "last")):
        agenda.add(when, Part(name, log))
    agenda.add(2.5, Part("cancelled", log)).cancel()
    assert agenda.next_deadline() == 1.0
    agenda.handle_deadline(0.9)
    assert log == []
    agenda.handle_deadline(3.0)
    assert log == ["first is due", "second is due", "third is due"]
    agenda.handle_deadline(8.0)
    assert len(log) == 3
    assert agenda.next_deadline() == 9.0


def test_a_moment_that_is_past_comes_the_next_time() -> None:
    """A session that parses in turns asks for one after the other: the loop has to go on between them."""
    agenda, log = Agenda(fail_with), list[str]()
    part = Part("it", log)
    part.then = lambda: none(agenda.add(1.0, part))
    agenda.add(1.0, part)
    agenda.handle_deadline(2.0)
    assert log == ["it is due"]
    agenda.handle_deadline(2.0)
    assert log == ["it is due"] * 2


def none(value: object) -> None:
    """Take no interest in a value."""


def test_who_is_to_look_soon_does_so_once_and_the_next_time_if_it_asks_meanwhile() -> None:
    agenda, log = Agenda(fail_with), list[str]()
    first, second = Part("first", log), Part("second", log)
    first.then = lambda: agenda.look_soon(first)
    assert not agenda.has_soon
    for part in (first, second, first):
        agenda.look_soon(part)
    agenda.handle_soon()
    assert log == ["first looks soon", "second looks soon"]
    assert agenda.has_soon
    first.then = lambda: None
    agenda.handle_soon()
    assert log[2:] == ["first looks soon"]
    assert not agenda.has_soon


def test_what_a_call_touches_is_looked_at_behind_it() -> None:
    agenda, log = Agenda(fail_with), list[str]()
    other = Part("other", log)
    calling = Part("it", log, lambda: agenda.looks.look(other))
    agenda.receive([calling, Part("next", log)])
    agenda.look_soon(calling)
    agenda.handle_soon()
    agenda.add(1.0, calling)
    agenda.handle_deadline(1.0)
    assert log == [
        "it receives",
        "other looks",
        "next receives",
        "it looks soon",
        "other looks",
        "it is due",
        "other looks",
    ]


def test_what_ends_the_process_is_handed_on_and_the_others_have_their_turn() -> None:
    errors, log = list[BaseException](), list[str]()
    agenda = Agenda(errors.append)
    failing, other = Part("failing", log, fail), Part("other", log)
    agenda.receive([failing, other])
    assert log == ["failing receives"]
    for part in (failing, other):
        agenda.look_soon(part)
        agenda.add(1.0, part)
    agenda.handle_soon()
    agenda.handle_deadline(1.0)
    assert log[1:] == ["failing looks soon", "other looks soon", "failing is due", "other is due"]
    assert [type(error) for error in errors] == [SystemExit] * 3


def test_several_receive_before_anybody_looks_but_who_was_told_something_looks_first() -> None:
    agenda, log = Agenda(fail_with), list[str]()
    third, other = Part("third", log), Part("other", log)

    def touch(*parts: Part) -> None:
        for part in parts:
            agenda.looks.look(part)

    second = Part("second", log, lambda: agenda.looks.look(second) if log[-1] == "second receives" else None)
    first = Part("first", log, lambda: touch(third, other))
    agenda.expect([first, second, third])
    assert agenda.is_patient
    agenda.go_on([])
    assert log == [
        "first receives",
        "second receives",
        "third looks",
        "third receives",
        "other looks",
        "second looks",
    ]
    assert not agenda.is_patient
    assert not agenda.looks.is_on


@pytest.mark.parametrize("is_alone", [False, True])
def test_one_alone_and_who_is_in_a_hurry_are_looked_at_as_soon_as_they_have_received(is_alone: bool) -> None:
    agenda, log = Agenda(fail_with), list[str]()

    def hurry() -> None:
        agenda.is_patient = False
        if log[-1].endswith("receives"):
            agenda.looks.look(first)

    first = Part("first", log, hurry)
    agenda.expect([first] if is_alone else [first, Part("second", log)])
    assert agenda.is_patient is not is_alone
    agenda.go_on([])
    assert log == ["first receives", "first looks"] + ([] if is_alone else ["second receives"])


def test_looks_wait_until_no_steps_are_due() -> None:
    agenda, log = Agenda(fail_with), list[str]()

    def wake() -> None:
        agenda.steps_due += 1
        agenda.looks.look(other)

    other = Part("other", log)
    agenda.expect([Part("first", log, wake), Part("second", log, wake)])
    agenda.go_on([])
    assert log == ["first receives", "second receives"]
    assert (agenda.steps_due, agenda.is_patient, agenda.looks.is_on) == (2, False, True)
    agenda.looks.look(Part("third", log))
    agenda.steps_due = 0
    agenda.go_on([])
    assert log[2:] == ["other looks", "third looks"]
    assert not agenda.looks.is_on


def test_who_receives_in_between_does_so_behind_the_looks_that_wait() -> None:
    agenda, log = Agenda(fail_with), list[str]()

    def wake() -> None:
        agenda.steps_due += 1
        agenda.looks.look(other)

    other = Part("other", log)
    agenda.expect([Part("first", log, wake), Part("second", log)])
    agenda.go_on([])
    agenda.receive([other])
    assert log == ["first receives", "second receives", "other looks", "other receives"]
