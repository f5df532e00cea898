"""What a task has raised: errors to handle, and what has to be raised again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, cast

END_THE_PROCESS: Final = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""What is never an error of an application, and passes through everything."""


def part(raised: BaseException, *, is_cancelling: bool) -> tuple[BaseException | None, BaseException | None]:
    """Part what a task raised into the error to handle and the rest to raise again; either may be None.

    `Exception` is an error. `KeyboardInterrupt` and its kind are never ours. Anything else is the backend's
    cancellation: to be raised again if we are cancelling (`is_cancelling`), and else an error of the
    application, which for example has awaited a task that somebody cancelled. Of a group each part goes its
    own way; what is raised again is one of its exceptions, which says as much as all of them.
    """
    if isinstance(raised, Exception):
        return unwrap(raised), None
    if not isinstance(raised, BaseExceptionGroup):
        is_ours = not is_cancelling and not isinstance(raised, END_THE_PROCESS)
        return (raised, None) if is_ours else (None, raised)
    group = cast("BaseExceptionGroup[BaseException]", raised)
    errors, rest = group.split(Exception)
    ends = group.subgroup(END_THE_PROCESS)
    if not is_cancelling and ends is None:
        return group, None
    return (None if errors is None else unwrap(errors)), _first(ends or rest)


def _first(error: BaseException | None) -> BaseException | None:
    while isinstance(error, BaseExceptionGroup):
        error = cast("BaseExceptionGroup[BaseException]", error).exceptions[0]
    return error


def unwrap(error: Exception) -> Exception:
    """Return the only exception in a group of one, however deep, and anything else as it is.

    Task groups raise groups; with one exception in it a group says no more than that exception.
    """
    while len(members := _members(error)) == 1:
        error = members[0]
    return error


def _members(error: Exception) -> Sequence[Exception]:
    return cast("ExceptionGroup[Exception]", error).exceptions if isinstance(error, ExceptionGroup) else ()
