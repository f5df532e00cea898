"""Random programs of blocks in blocks, whose tasks sleep, fail, fail while they clean up, and cancel; and what holds for each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal, cast

from hypothesis import strategies as st

from spry_core.tasks import TaskScope, scope, timeout


@dataclass(frozen=True)
class Wait:
    """A task, or a step of a body, that waits and then does something."""

    moments: int
    then: Literal["go on", "fail", "cancel"]
    tidies_badly: bool
    """Whether it fails however its wait ends."""


@dataclass(frozen=True)
class Block:
    """A scope with a time limit around it."""

    limit: int | None
    tasks: list[Wait | Block]
    body: list[Wait | Block]


def blocks() -> st.SearchStrategy[Block]:
    """Draw a program."""
    moments = st.integers(0, 4)
    waits = st.builds(Wait, moments, st.sampled_from(["go on", "go on", "fail", "cancel"]), st.booleans())
    steps: st.SearchStrategy[Wait | Block] = st.recursive(waits, _block, max_leaves=8)
    return _block(steps)


def _block(steps: st.SearchStrategy[Wait | Block]) -> st.SearchStrategy[Block]:
    limits = st.none() | st.integers(0, 4)
    return st.builds(Block, limits, st.lists(steps, max_size=3), st.lists(steps, max_size=2))


class ProgramError(Exception):
    """What goes wrong in a program."""


class Program:
    """Runs one, and watches it.

    Args:
        sleep: How its tasks wait.
        moment: What they call a moment, in seconds.
    """

    def __init__(self, sleep: Callable[[float], Awaitable[None]], moment: float = 1.0) -> None:
        self._sleep = sleep
        self._moment = moment
        self._errors = list[ProgramError]()

    async def verdict(self, block: Block) -> str:
        """Run it; tell whether each task ended with its block, and each error came out once."""
        told = list[BaseException]()
        try:
            await self._block(block)
        except Exception as error:
            told = [leaf for leaf in leaves(error) if type(leaf) is not TimeoutError]
        lost = [error for error in self._errors if told.count(error) != 1]
        return "kept" if not lost and len(told) == len(self._errors) else f"{told} of {self._errors}"

    async def _block(self, block: Block) -> None:
        running = list[Wait | Block]()

        async def task(step: Wait | Block, s: TaskScope) -> None:
            running.append(step)
            try:
                await self._run(step, s)
            finally:
                running.remove(step)

        try:
            with timeout(None if block.limit is None else block.limit * self._moment):
                async with scope() as s:
                    for step in block.tasks:
                        s.start_soon(task, step, s)
                    for step in block.body:
                        await self._run(step, s)
        finally:
            assert running == []

    async def _run(self, step: Wait | Block, s: TaskScope) -> None:
        if isinstance(step, Block):
            await self._block(step)
        else:
            await self._wait(step, s)

    async def _wait(self, step: Wait, s: TaskScope) -> None:
        try:
            await self._sleep(step.moments * self._moment)
        finally:
            if step.tidies_badly:
                self._fail()
        if step.then == "fail":
            self._fail()
        elif step.then == "cancel":
            s.cancel()

    def _fail(self) -> None:
        self._errors.append(ProgramError(len(self._errors)))
        raise self._errors[-1]


def leaves(error: BaseException) -> list[BaseException]:
    """List what is in a group, however deep; a single exception is a group of its own."""
    if isinstance(error, BaseExceptionGroup):
        inner = cast("BaseExceptionGroup[BaseException]", error).exceptions
        return [leaf for member in inner for leaf in leaves(member)]
    return [error]
