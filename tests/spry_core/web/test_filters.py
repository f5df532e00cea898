from __future__ import annotations

import pytest

from fakes import FakeExchange, head, run
from spry_core.errors import LocalProtocolError
from spry_core.web.exceptions import Abort, Rethrow
from spry_core.web.filters import ExceptionFilters, Filter
from spry_core.web.request import Request
from spry_core.web.response import Response


def answer(filters: ExceptionFilters, error: Exception) -> tuple[int, object]:
    """Return status and content of the answer to `error`."""
    response = run(filters.answer(error, Request(head(), FakeExchange())))
    return response.status_code, response.content


def named(name: str) -> Filter[Exception]:
    """Make a filter that answers with `name`."""
    return lambda error, request: name


def test_a_filter_answers_its_class_and_those_below_it() -> None:
    filters = ExceptionFilters()

    @filters.filter(LookupError)
    async def on_lookup_error(error: LookupError, request: Request) -> Response:
        return Response(f"{type(error).__name__} at {request.path}", 404)

    assert answer(filters, LookupError()) == (404, b"LookupError at /")
    assert answer(filters, KeyError("a")) == (404, b"KeyError at /")


def test_a_filter_may_be_sync_and_return_what_a_handler_may() -> None:
    filters = ExceptionFilters()

    def on_value_error(error: ValueError, request: Request) -> dict[str, str]:
        return {"error": str(error)}

    assert filters.filter(ValueError, on_value_error) is on_value_error
    assert answer(filters, ValueError("a")) == (200, b'{"error":"a"}')


@pytest.mark.parametrize("kinds", [(Exception, LookupError, KeyError), (KeyError, LookupError, Exception)])
def test_the_most_specific_class_wins_whatever_the_order(kinds: tuple[type[Exception], ...]) -> None:
    filters = ExceptionFilters()
    for kind in kinds:
        filters.filter(kind, named(kind.__name__))
    assert answer(filters, KeyError()) == (200, b"KeyError")
    assert answer(filters, IndexError()) == (200, b"LookupError")
    assert answer(filters, ValueError()) == (200, b"Exception")


def test_what_nobody_answers_is_raised_again() -> None:
    filters = ExceptionFilters()
    filters.filter(KeyError, lambda error, request: "a")
    error = IndexError()
    with pytest.raises(IndexError) as raised:
        answer(filters, error)
    assert raised.value is error


def test_an_abort_has_an_answer_of_its_own() -> None:
    assert answer(ExceptionFilters(), Abort(404)) == (404, b"Not Found")


@pytest.mark.parametrize("kind", [Abort, Exception])
def test_a_filter_for_abort_wins_over_its_own_answer(kind: type[Exception]) -> None:
    filters = ExceptionFilters()
    filters.filter(kind, lambda error, request: "a page")
    assert answer(filters, Abort(404)) == (200, b"a page")


def test_rethrow_passes_to_the_next_less_specific_filter() -> None:
    filters = ExceptionFilters()
    asked = list[str]()

    def on_key_error(error: KeyError, request: Request) -> None:
        asked.append("KeyError")
        raise Rethrow

    async def on_lookup_error(error: LookupError, request: Request) -> None:
        asked.append("LookupError")
        raise Rethrow

    filters.filter(KeyError, on_key_error)
    filters.filter(LookupError, on_lookup_error)
    with pytest.raises(KeyError, match="a"):
        answer(filters, KeyError("a"))
    assert asked == ["KeyError", "LookupError"]
    filters.filter(Exception, lambda error, request: "last")
    assert answer(filters, KeyError("a")) == (200, b"last")


def test_rethrown_to_the_end_an_abort_answers_itself() -> None:
    filters = ExceptionFilters()

    @filters.filter(Abort)
    def on_abort(error: Abort, request: Request) -> None:
        raise Rethrow

    assert answer(filters, Abort(404)) == (404, b"Not Found")


def test_an_abort_raised_by_a_filter_answers() -> None:
    filters = ExceptionFilters()

    @filters.filter(KeyError)
    def on_key_error(error: KeyError, request: Request) -> None:
        raise Abort(404, "no such thing") from error

    assert answer(filters, KeyError()) == (404, b"no such thing")


def test_what_a_filter_raises_instead_is_answered_by_the_others() -> None:
    filters = ExceptionFilters()

    @filters.filter(KeyError)
    def on_key_error(error: KeyError, request: Request) -> None:
        raise ExceptionGroup("", [ValueError("b")])

    with pytest.raises(ValueError, match="b") as raised:
        answer(filters, KeyError("a"))
    assert isinstance(raised.value.__context__, KeyError)
    filters.filter(ValueError, lambda error, request: f"instead: {error}")
    assert answer(filters, KeyError("a")) == (200, b"instead: b")


def test_what_a_filter_raises_keeps_the_cause_that_it_has() -> None:
    """Only an error that tells of no other is put behind the one that was to be answered."""
    filters = ExceptionFilters()
    earlier = LookupError("earlier")

    @filters.filter(KeyError)
    def on_key_error(error: KeyError, request: Request) -> None:
        late = ValueError("b")
        late.__context__ = earlier
        raise ExceptionGroup("", [late])

    with pytest.raises(ValueError, match="b") as raised:
        answer(filters, KeyError("a"))
    assert raised.value.__context__ is earlier


def test_filters_that_raise_for_each_other_come_to_an_end() -> None:
    filters = ExceptionFilters()
    asked = list[str]()

    @filters.filter(KeyError)
    def on_key_error(error: KeyError, request: Request) -> None:
        asked.append("KeyError")
        raise ValueError

    @filters.filter(ValueError)
    def on_value_error(error: ValueError, request: Request) -> None:
        asked.append("ValueError")
        raise KeyError

    with pytest.raises(KeyError):
        answer(filters, KeyError())
    assert asked == ["KeyError", "ValueError"]


def test_raising_the_same_again_is_as_good_as_rethrow() -> None:
    filters = ExceptionFilters()

    @filters.filter(KeyError)
    def on_key_error(error: KeyError, request: Request) -> None:
        raise error

    filters.filter(LookupError, lambda error, request: "next")
    assert answer(filters, KeyError()) == (200, b"next")


def test_what_a_filter_returns_must_be_an_answer() -> None:
    filters = ExceptionFilters()
    filters.filter(KeyError, lambda error, request: 1)
    with pytest.raises(
        TypeError, match=r"^the filter for KeyError returned int, of which no response can be made"
    ):
        answer(filters, KeyError())


def test_a_group_of_one_is_answered_as_what_is_in_it() -> None:
    filters = ExceptionFilters()
    filters.filter(KeyError, lambda error, request: "alone")
    assert answer(filters, ExceptionGroup("", [KeyError()])) == (200, b"alone")


def test_a_group_of_more_is_answered_as_a_group() -> None:
    filters = ExceptionFilters()
    filters.filter(KeyError, lambda error, request: "alone")
    group = ExceptionGroup("", [KeyError(), KeyError()])
    with pytest.raises(ExceptionGroup) as raised:
        answer(filters, group)
    assert raised.value is group


def test_a_class_has_one_filter() -> None:
    filters = ExceptionFilters()
    filters.filter(KeyError, lambda error, request: "first")
    with pytest.raises(ValueError, match="there is a filter for KeyError already"):
        filters.filter(KeyError, lambda error, request: "second")
    assert answer(filters, KeyError()) == (200, b"first")


def test_nothing_can_be_registered_when_serving_has_started() -> None:
    filters = ExceptionFilters()
    filters.freeze()
    filters.freeze()
    with pytest.raises(
        LocalProtocolError, match="a filter for KeyError cannot be registered: serving has started"
    ):
        filters.filter(KeyError, lambda error, request: "late")
