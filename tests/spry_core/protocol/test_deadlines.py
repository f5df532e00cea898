"""Tests of `spry_core.protocol.deadlines`: named moments that fall due in order and may stand still."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spry_core.protocol.deadlines import Deadline, Deadlines

H, B, W = Deadline.HEAD, Deadline.BODY, Deadline.WRITE


def test_nothing_is_due_where_nothing_is_set() -> None:
    deadlines = Deadlines()
    assert deadlines.next() is None
    assert deadlines.pop_due(1e9) is None


def test_a_deadline_falls_due_at_its_tick_and_not_before() -> None:
    deadlines = Deadlines()
    deadlines.set(H, 100.0, 10.0)
    assert deadlines.next() == 110.0
    assert deadlines.pop_due(109.999) is None
    assert deadlines.pop_due(110.0) is H
    assert deadlines.next() is None
    assert deadlines.pop_due(1e9) is None


def test_no_seconds_mean_never_and_forget_what_was_set() -> None:
    deadlines = Deadlines()
    deadlines.set(H, 0.0, 1.0)
    deadlines.set(H, 0.0, None)
    assert deadlines.next() is None
    assert not deadlines.is_set(H)


def test_setting_again_forgets_the_first_moment() -> None:
    deadlines = Deadlines()
    deadlines.set(H, 0.0, 1.0)
    deadlines.set(H, 5.0, 1.0)
    assert deadlines.next() == 6.0
    deadlines.hold(H, 5.5)
    deadlines.set(H, 10.0, 1.0)
    deadlines.resume(H, 20.0)
    assert deadlines.next() == 11.0


def test_several_fall_due_in_their_order_however_late() -> None:
    deadlines = Deadlines()
    deadlines.set(W, 0.0, 3.0)
    deadlines.set(H, 0.0, 2.0)
    deadlines.set(B, 0.0, 1.0)
    assert deadlines.next() == 1.0
    assert [deadlines.pop_due(100.0) for _ in range(4)] == [B, H, W, None]


def test_of_two_at_one_moment_the_first_named_comes_first() -> None:
    deadlines = Deadlines()
    deadlines.set(W, 0.0, 1.0)
    deadlines.set(H, 0.0, 1.0)
    assert [deadlines.pop_due(1.0), deadlines.pop_due(1.0)] == [H, W]


def test_a_held_deadline_stands_still_and_keeps_what_is_left() -> None:
    deadlines = Deadlines()
    deadlines.set(B, 0.0, 20.0)
    deadlines.hold(B, 15.0)
    assert deadlines.next() is None
    assert deadlines.is_set(B)
    assert deadlines.pop_due(1000.0) is None
    deadlines.resume(B, 1000.0)
    assert deadlines.next() == 1005.0


def test_holding_twice_and_resuming_twice_change_nothing_more() -> None:
    deadlines = Deadlines()
    deadlines.set(B, 0.0, 20.0)
    assert [deadlines.hold(B, 15.0), deadlines.hold(B, 18.0)] == [True, False]
    assert [deadlines.resume(B, 100.0), deadlines.resume(B, 103.0)] == [True, False]
    assert deadlines.next() == 105.0


def test_one_that_is_not_set_can_be_held_and_resumed_without_effect() -> None:
    deadlines = Deadlines()
    assert not deadlines.hold(B, 0.0)
    assert not deadlines.resume(B, 1.0)
    assert not deadlines.is_set(B)
    assert deadlines.next() is None


def test_clearing_forgets_running_and_held_ones() -> None:
    deadlines = Deadlines()
    for name in (H, B, W):
        deadlines.set(name, 0.0, 1.0)
    deadlines.hold(B, 0.5)
    deadlines.clear(H, B, Deadline.CLOSE)
    deadlines.resume(B, 1.0)
    assert [deadlines.is_set(name) for name in (H, B, W)] == [False, False, True]


def test_clearing_all_leaves_nothing() -> None:
    deadlines = Deadlines()
    deadlines.set(H, 0.0, 1.0)
    deadlines.set(B, 0.0, 1.0)
    deadlines.hold(B, 0.0)
    deadlines.clear_all()
    deadlines.resume(B, 1.0)
    assert not any(deadlines.is_set(name) for name in Deadline)
    assert deadlines.next() is None


@given(st.lists(st.tuples(st.sampled_from(Deadline), st.integers(0, 5)), unique_by=lambda pair: pair[0]))
def test_everything_due_comes_in_the_order_of_moments(moments: list[tuple[Deadline, int]]) -> None:
    deadlines = Deadlines()
    for name, moment in moments:
        deadlines.set(name, 0.0, float(moment))
    due: list[Deadline] = []
    while (popped := deadlines.pop_due(5.0)) is not None:
        due.append(popped)
    assert due == [name for name, _ in sorted(moments, key=lambda pair: (pair[1], pair[0].value))]
