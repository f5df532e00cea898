"""Going over a sync or an async iterable, and closing it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import cast

import pytest

from fakes import run
from spry_core.web.iteration import Items


async def take(items: Items[str], n: int = 100) -> list[str]:
    """Ask for up to `n` items."""
    taken = list[str]()
    async for item in items:
        taken.append(item)
        if len(taken) == n:
            break
    return taken


class Sync:
    """A source that gives a generator."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def __iter__(self) -> Iterator[str]:
        try:
            yield from ("a", "b")
        finally:
            self.notes.append("generator closed")


class Async(Sync):
    """A source that is of both kinds, and has an end of its own."""

    async def __aiter__(self) -> AsyncIterator[str]:
        try:
            yield "async a"
            yield "async b"
        finally:
            self.notes.append("async generator closed")

    async def aclose(self) -> None:
        self.notes.append("source closed")


def test_items_of_either_kind_come_in_order() -> None:
    assert run(take(Items(["a", "b"]))) == ["a", "b"]
    assert run(take(Items(Async()))) == ["async a", "async b"]


def test_after_the_last_there_are_no_more_however_often_one_asks() -> None:
    items = Items(iter(["a"]))
    assert [run(take(items)), run(take(items))] == [["a"], []]


def test_what_is_no_iterable_is_found_at_the_first_question() -> None:
    with pytest.raises(TypeError, match="'int' object is not iterable"):
        run(take(Items(cast("list[str]", 5))))


def test_an_exception_of_the_source_comes_out_as_it_is() -> None:
    async def broken() -> AsyncGenerator[str]:
        yield "a"
        raise LookupError("of the source")

    with pytest.raises(LookupError, match="of the source"):
        run(take(Items(broken())))


def test_a_source_that_was_left_early_is_closed_and_so_is_what_it_gave() -> None:
    sync, source = Sync(), Async()
    for each in (sync, source):
        items = Items(each)
        run(take(items, 1))
        assert each.notes == []
        run(items.aclose())
    assert (sync.notes, source.notes) == (["generator closed"], ["async generator closed", "source closed"])


def test_generators_are_their_own_iterators_and_are_closed_once() -> None:
    notes = list[str]()

    def sync() -> Generator[str]:
        try:
            yield "a"
        finally:
            notes.append("sync")

    async def asynchronous() -> AsyncGenerator[str]:
        try:
            yield "a"
        finally:
            notes.append("async")

    for items in (Items(sync()), Items(asynchronous())):
        assert run(take(items, 1)) == ["a"]
        run(items.aclose())
        run(items.aclose())
    assert notes == ["sync", "async"]


def test_closing_before_the_first_item_closes_the_source() -> None:
    source = Async()
    run(Items(source).aclose())
    assert source.notes == ["source closed"]


def test_what_needs_no_closing_is_left_alone() -> None:
    source = ["a", "b"]
    items = Items(source)
    assert run(take(items, 1)) == ["a"]
    run(items.aclose())
    assert run(take(items)) == ["b"]
