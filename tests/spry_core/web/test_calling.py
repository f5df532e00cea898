from __future__ import annotations

from collections.abc import Generator

import pytest

from fakes import run
from spry_core import Response
from spry_core.web.calling import can_be_awaited, name_of, resolve


async def answer() -> str:
    return "a"


class Callable:
    def __call__(self) -> None:
        raise AssertionError("only its name is asked for")


def test_what_can_be_awaited_is() -> None:
    assert run(resolve(answer())) == "a"
    assert run(resolve("a")) == "a"


class Text(str):
    """A text that can be awaited, which nobody forbids."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, str]:
        yield from ()
        return "b"


@pytest.mark.parametrize("value", [None, b"a", {}, [], "a", 1, Response("a")])
def test_what_is_plain_is_not_awaited(value: object) -> None:
    assert not can_be_awaited(value)
    assert run(resolve(value)) is value


def test_what_derives_from_something_plain_may_be_awaited() -> None:
    assert can_be_awaited(Text("a"))
    assert run(resolve(Text("a"))) == "b"


def test_everything_that_can_be_called_has_a_name() -> None:
    assert name_of(answer) == "answer"
    assert name_of(Callable.__call__) == "Callable.__call__"
    assert name_of(Callable()) == "Callable"
