"""Tests of `spry_core.protocol.account`: what was delivered, and how much of it is released."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.protocol.account import Account
from spry_core.protocol.limits import Limits


def account(max_queue: int = 3, max_queue_size: int = 10) -> Account:
    return Account(Limits(max_queue=max_queue, max_queue_size=max_queue_size))


def test_nothing_was_delivered_at_first() -> None:
    made = account()
    assert (made.is_empty, made.is_full, made.room, made.messages, made.size) == (True, False, 10, 0, 0)


@pytest.mark.parametrize(("n", "is_full"), [(2, False), (3, True), (4, True)])
def test_it_is_full_with_so_many_complete_messages(n: int, is_full: bool) -> None:
    made = account()
    for _ in range(n):
        made.add(0, completes=True)
    assert made.is_full is is_full
    assert made.room == 10
    assert made.messages == n


@pytest.mark.parametrize(("size", "room"), [(9, 1), (10, 0), (11, 0)])
@pytest.mark.parametrize("completes", [False, True])
def test_it_is_full_with_so_many_bytes(size: int, room: int, completes: bool) -> None:
    """Of messages and of pieces."""
    made = account()
    made.add(4, completes=completes)
    made.add(size - 4, completes=completes)
    assert (made.room, made.is_full) == (room, room == 0)
    made.release(4)
    assert made.room == 14 - size


def test_pieces_are_no_complete_messages() -> None:
    made = account(max_queue=1)
    made.add(3, completes=False)
    made.add(3, completes=False)
    assert (made.is_full, made.messages, made.size) == (False, 0, 6)
    made.add(0, completes=True)
    assert (made.is_full, made.messages, made.size) == (True, 1, 6)


def test_pieces_are_joined_with_the_piece_before_and_with_no_end_of_a_message() -> None:
    made = account(max_queue=1)
    made.add(3, completes=False)
    made.add(0, completes=True)
    made.add(2, completes=False)
    made.release(3)
    assert (made.is_full, made.room) == (True, 8)
    made.release(0)
    assert (made.is_full, made.room, made.is_empty) == (False, 8, False)
    made.release(2)
    assert (made.is_full, made.room, made.is_empty) == (False, 10, True)


def test_the_end_of_a_message_in_pieces_is_released_by_nothing() -> None:
    """And not with the last of its bytes."""
    made = account(max_queue=1)
    made.add(3, completes=False)
    made.add(0, completes=True)
    made.release(3)
    assert (made.is_full, made.is_empty, made.room) == (True, False, 10)
    made.release(0)
    assert (made.is_full, made.is_empty) == (False, True)


def test_bytes_are_released_across_messages_and_pieces() -> None:
    made = account()
    made.add(2, completes=False)
    made.add(2, completes=False)
    made.add(0, completes=True)
    made.add(3, completes=True)
    made.release(1)
    assert made.room == 4
    made.release(5)
    assert (made.room, made.is_empty) == (9, False)
    made.release(0)
    assert (made.room, made.is_empty) == (9, False)
    made.release(1)
    assert (made.room, made.is_empty) == (10, True)
    assert (made.messages, made.size) == (2, 7)


@pytest.mark.parametrize("n", [0, 1, 100])
def test_more_than_there_is_releases_all_there_is(n: int) -> None:
    made = account()
    made.release(n)
    made.add(1, completes=True)
    made.release(1 + n)
    assert (made.is_empty, made.room) == (True, 10)


def test_pieces_that_nobody_takes_cost_no_entry_each() -> None:
    """A peer that sends a few bytes at a time must not make us hold an object for each time."""
    made = account(max_queue_size=1 << 20)
    before = sys.getallocatedblocks()
    for _ in range(1 << 16):
        made.add(3, completes=False)
    assert sys.getallocatedblocks() - before < 100
    made.release(3 << 16)
    assert made.is_empty


def test_whole_messages_are_counted_at_once_and_released_by_their_number() -> None:
    made = account(max_queue=4, max_queue_size=20)
    made.add(5, completes=True)
    made.add_messages([3, 0, 7], 10)
    assert (made.messages, made.size, made.room, made.is_full) == (4, 15, 5, True)
    assert (made.sizes(1), made.sizes(3), made.sizes(9)) == ([5], [5, 3, 0], [5, 3, 0, 7])
    made.release_messages(3)
    assert (made.room, made.is_full, made.sizes(9)) == (13, False, [7])
    made.release_messages(1)
    assert (made.room, made.is_empty, made.messages, made.size) == (20, True, 4, 15)


@given(st.lists(st.integers(0, 5), max_size=20), st.data())
def test_what_is_counted_at_once_is_what_is_counted_one_by_one(sizes: list[int], data: st.DataObject) -> None:
    made, twin = account(), account()
    made.add_messages(sizes, sum(sizes))
    for size in sizes:
        twin.add(size, completes=True)
    n = data.draw(st.integers(0, len(sizes)))
    made.release_messages(n)
    for size in sizes[:n]:
        twin.release(size)
    assert made.sizes(len(sizes)) == twin.sizes(len(sizes)) == sizes[n:]
    assert (made.room, made.is_full, made.is_empty) == (twin.room, twin.is_full, twin.is_empty)
    assert (made.messages, made.size) == (twin.messages, twin.size) == (len(sizes), sum(sizes))


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()) | st.integers(0, 12), max_size=30))
def test_the_sums_are_those_of_a_list(steps: list[tuple[int, bool] | int]) -> None:
    """What is unreleased is what a plain list of bytes and ends would hold."""
    made = account()
    held: list[str] = []
    for step in steps:
        if isinstance(step, int):
            made.release(step)
            release(held, step)
            continue
        size, completes = step
        if not size and not completes:
            continue  # no piece is empty
        made.add(size, completes=completes)
        held += ["byte"] * size
        if completes:
            held.append("end of bytes" if size else "end")
    ends = sum(each.startswith("end") for each in held)
    size = held.count("byte")
    assert made.room == max(10 - size, 0)
    assert made.is_full == (ends >= 3 or size >= 10)
    assert made.is_empty == (not held)


def release(held: list[str], n: int) -> None:
    """Take `n` bytes out; the end of a message with bytes of its own goes with the last of them."""
    if n == 0:
        if held[:1] == ["end"]:
            del held[0]
        return
    while n and held:
        n -= held[0] == "byte"
        del held[0]
    if held[:1] == ["end of bytes"]:
        del held[0]
