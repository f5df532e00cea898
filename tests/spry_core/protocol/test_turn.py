"""Tests of `spry_core.protocol.turn`: how much is done for one peer before others have their turn."""

from __future__ import annotations

import pytest

from spry_core.protocol.turn import STEPS, Turn


@pytest.mark.parametrize(("n", "is_over"), [(STEPS - 1, False), (STEPS, True), (STEPS + 1, True)])
def test_a_turn_is_over_after_so_many_steps(n: int, is_over: bool) -> None:
    turn = Turn()
    for _ in range(n):
        turn.spend()
    assert (turn.left <= 0) is is_over


@pytest.mark.parametrize(("size", "steps"), [(0, 1), (4095, 1), (4096, 2), (1 << 19, 129)])
def test_four_kib_count_as_one_more_step(size: int, steps: int) -> None:
    turn = Turn()
    turn.spend(size=size)
    turn.spend(STEPS - steps - 1)
    assert turn.left > 0
    turn.spend()
    assert turn.left <= 0


def test_nothing_waits_for_the_first_turn() -> None:
    assert not Turn().is_awaited


def test_another_turn_is_as_long() -> None:
    turn = Turn()
    turn.spend(10 * STEPS)
    turn.begin()
    turn.spend(STEPS - 1)
    assert turn.left > 0
