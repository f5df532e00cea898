"""Moments at which something is called, to the exact number."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from spry_core.tasks import Timer, Timers


def noting(fired: list[str], name: str) -> Callable[[], None]:
    return lambda: fired.append(name)


def test_no_timer_has_no_deadline() -> None:
    assert Timers().next_deadline() is None


def test_timers_fire_in_the_order_of_their_moments() -> None:
    timers, fired = Timers(), list[str]()
    timers.add(3.0, noting(fired, "third"))
    timers.add(1.0, noting(fired, "first"))
    timers.add(2.0, noting(fired, "second"))
    assert timers.next_deadline() == 1.0
    timers.handle_deadline(2.0)
    assert fired == ["first", "second"]
    assert timers.next_deadline() == 3.0


def test_of_two_timers_for_one_moment_the_older_fires_first() -> None:
    timers, fired = Timers(), list[str]()
    for name in "abc":
        timers.add(1.0, noting(fired, name))
    timers.handle_deadline(1.0)
    assert fired == ["a", "b", "c"]


def test_a_timer_does_not_fire_before_its_moment() -> None:
    timers, fired = Timers(), list[str]()
    timer = timers.add(1.0, noting(fired, "early"))
    timers.handle_deadline(math.nextafter(1.0, 0.0))
    assert (fired, timer.is_pending, timer.when) == ([], True, 1.0)


def test_a_timer_fires_once() -> None:
    timers, fired = Timers(), list[str]()
    timer = timers.add(1.0, noting(fired, "once"))
    timers.handle_deadline(1.0)
    timers.handle_deadline(1.0)
    timer.fire()
    assert (fired, timer.is_pending, timers.next_deadline()) == (["once"], False, None)


def test_a_cancelled_timer_does_not_fire_and_is_no_deadline() -> None:
    timers, fired = Timers(), list[str]()
    timer = timers.add(1.0, noting(fired, "cancelled"))
    timers.add(2.0, noting(fired, "left"))
    timer.cancel()
    timer.cancel()
    assert timers.next_deadline() == 2.0
    timers.handle_deadline(3.0)
    assert fired == ["left"]


def test_cancelling_a_timer_that_has_fired_changes_nothing() -> None:
    timers, fired = Timers(), list[str]()
    timer = timers.add(1.0, noting(fired, "fired"))
    timers.handle_deadline(1.0)
    timer.cancel()
    assert (fired, len(timers)) == (["fired"], 0)


def test_what_a_callback_adds_fires_as_well_if_it_is_due() -> None:
    timers, fired = Timers(), list[str]()

    def add_more() -> None:
        timers.add(1.5, noting(fired, "due"))
        timers.add(2.5, noting(fired, "not due"))

    timers.add(1.0, add_more)
    timers.handle_deadline(2.0)
    assert (fired, timers.next_deadline()) == (["due"], 2.5)


def test_a_callback_may_cancel_a_timer_that_is_due() -> None:
    timers, fired = Timers(), list[str]()
    later = list[Timer]()

    def cancel_later() -> None:
        later[0].cancel()

    timers.add(1.0, cancel_later)
    later.append(timers.add(1.0, noting(fired, "later")))
    timers.handle_deadline(1.0)
    assert fired == []


def test_cancelled_timers_do_not_pile_up_behind_one_that_stays() -> None:
    timers = Timers()
    timers.add(0.0, lambda: None)
    for i in range(1, 10_000):
        timers.add(float(i), lambda: None).cancel()
    assert len(timers) <= 34


def test_at_most_as_many_timers_are_cancelled_as_are_left() -> None:
    timers = Timers()
    kept = [timers.add(0.0, lambda: None) for _ in range(1000)]
    for i in range(1, 10_000):
        timers.add(float(i), lambda: None).cancel()
    assert len(timers) <= 2 * len(kept) + 1
    assert all(timer.is_pending for timer in kept)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("add"), st.integers(0, 9)),
            st.tuples(st.just("cancel"), st.integers(0, 99)),
            st.tuples(st.just("handle"), st.integers(0, 9)),
        ),
        max_size=200,
    )
)
def test_timers_do_as_a_plain_list_does(steps: list[tuple[str, int]]) -> None:
    timers, fired = Timers(), list[int]()
    handles = [timers.add(5.0, lambda: fired.append(0))]
    model, expected = [(5.0, 0)], list[int]()
    for what, number in steps:
        if what == "add":
            name = len(handles)
            model.append((float(number), name))
            handles.append(timers.add(float(number), partial(fired.append, name)))
        elif what == "cancel":
            name = number % len(handles)
            handles[name].cancel()
            model = [each for each in model if each[1] != name]
        else:
            timers.handle_deadline(float(number))
            expected += [each[1] for each in sorted(model) if each[0] <= number]
            model = [each for each in model if each[0] > number]
        assert fired == expected
        assert timers.next_deadline() == min((when for when, _ in model), default=None)
