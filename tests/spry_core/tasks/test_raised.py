"""What a task has raised."""

from __future__ import annotations

import pytest

from spry_core.tasks import part, unwrap
from spry_core.testing import Cancelled

ERROR = LookupError("an error")
OTHER = KeyError("another")
CANCELLED = Cancelled()


@pytest.mark.parametrize("is_cancelling", [False, True])
def test_an_exception_is_an_error_and_a_group_of_one_is_that_one(is_cancelling: bool) -> None:
    assert part(ERROR, is_cancelling=is_cancelling) == (ERROR, None)
    nested = ExceptionGroup("outer", [ExceptionGroup("inner", [ERROR])])
    assert part(nested, is_cancelling=is_cancelling) == (ERROR, None)
    several = ExceptionGroup("several", [ERROR, OTHER])
    assert part(several, is_cancelling=is_cancelling) == (several, None)


@pytest.mark.parametrize("is_cancelling", [False, True])
@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_ends_the_process_is_never_ours(kind: type[BaseException], is_cancelling: bool) -> None:
    end = kind()
    assert part(end, is_cancelling=is_cancelling) == (None, end)


@pytest.mark.parametrize("is_cancelling", [False, True])
def test_errors_beside_what_ends_the_process_are_handled_and_the_end_goes_on(is_cancelling: bool) -> None:
    end = KeyboardInterrupt()
    group = BaseExceptionGroup("all", [CANCELLED, ERROR, BaseExceptionGroup("inner", [end])])
    assert part(group, is_cancelling=is_cancelling) == (ERROR, end)


def test_a_cancellation_goes_on_when_we_are_cancelling_and_is_an_error_else() -> None:
    assert part(CANCELLED, is_cancelling=True) == (None, CANCELLED)
    assert part(CANCELLED, is_cancelling=False) == (CANCELLED, None)


def test_of_a_group_the_errors_are_handled_and_our_cancellation_goes_on() -> None:
    group = BaseExceptionGroup("both", [ERROR, BaseExceptionGroup("inner", [CANCELLED])])
    assert part(group, is_cancelling=True) == (ERROR, CANCELLED)


def test_a_group_of_nothing_but_our_cancellation_has_no_error() -> None:
    group = BaseExceptionGroup("cancelled", [CANCELLED, Cancelled()])
    assert part(group, is_cancelling=True) == (None, CANCELLED)


def test_a_group_with_a_cancellation_that_nobody_asked_for_is_one_error() -> None:
    group = BaseExceptionGroup("both", [ERROR, CANCELLED])
    assert part(group, is_cancelling=False) == (group, None)


def test_a_group_of_one_is_what_is_in_it() -> None:
    error = KeyError("a")
    assert unwrap(error) is error
    assert unwrap(ExceptionGroup("", [error])) is error
    assert unwrap(ExceptionGroup("", [ExceptionGroup("", [error])])) is error


def test_a_group_of_more_stays_one() -> None:
    group = ExceptionGroup("", [KeyError("a"), ValueError("b")])
    assert unwrap(group) is group
    assert unwrap(ExceptionGroup("", [group])) is group
