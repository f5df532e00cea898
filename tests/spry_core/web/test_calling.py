from __future__ import annotations

from fakes import run
from spry_core.web.calling import name_of, resolve


async def answer() -> str:
    return "a"


class Callable:
    def __call__(self) -> None:
        raise AssertionError("only its name is asked for")


def test_what_can_be_awaited_is() -> None:
    assert run(resolve(answer())) == "a"
    assert run(resolve("a")) == "a"


def test_everything_that_can_be_called_has_a_name() -> None:
    assert name_of(answer) == "answer"
    assert name_of(Callable.__call__) == "Callable.__call__"
    assert name_of(Callable()) == "Callable"
