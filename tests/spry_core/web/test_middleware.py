from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from typing import ClassVar, cast

import pytest

from fakes import Cancelled, FakeExchange, Stepped, head, pause, run
from spry_core.closing import CloseInfo
from spry_core.errors import LocalProtocolError
from spry_core.web.exceptions import Abort
from spry_core.web.filters import ExceptionFilters
from spry_core.web.middleware import (
    Chain,
    ChainKind,
    Middleware,
    MiddlewareStack,
    Next,
    Outcome,
    compose,
    handled_kinds,
)
from spry_core.web.request import Request
from spry_core.web.response import Response

END = CloseInfo(initiator="remote", close_code=1000)


class Recorder:
    """A middleware that writes down what it sees."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name = name
        self.seen = seen

    async def __call__(self, request: Request, next: Next) -> Outcome:
        self.seen.append(f"{self.name} in")
        try:
            outcome = await next()
        except Exception as error:
            self.seen.append(f"{self.name} out: {error!r}")
            raise
        self.seen.append(f"{self.name} out: {outcome}")
        return outcome


class OnlyHttp(Recorder):
    handles: ClassVar = {"http"}


class OnlyWebSocket(Recorder):
    handles: ClassVar = frozenset(("ws",))


class Handling(Recorder):
    def __init__(self, handles: object) -> None:
        super().__init__("a", [])
        self.handles = handles


def chain_of(
    endpoint: Callable[[Request], object],
    middleware: Sequence[Middleware] = (),
    filters: ExceptionFilters | None = None,
    kind: ChainKind = "http",
    name: str = "the handler",
) -> Chain:
    return compose(middleware, endpoint, filters or ExceptionFilters(), kind, name)


def outcome_of(chain: Chain) -> Outcome:
    async def call() -> Outcome:
        return await chain(Request(head(), FakeExchange()))

    return run(call())


def response_of(chain: Chain) -> tuple[int, object]:
    outcome = outcome_of(chain)
    assert isinstance(outcome, Response)
    return outcome.status_code, outcome.content


async def hello(request: Request) -> Response:
    return Response("hello")


async def connected(request: Request) -> CloseInfo:
    request.seal()
    return END


async def broken(request: Request) -> Response:
    raise KeyError("a")


def test_without_middleware_the_handler_answers() -> None:
    assert response_of(chain_of(hello)) == (200, b"hello")


def test_middleware_is_entered_from_the_outside_and_left_in_reverse() -> None:
    seen = list[str]()
    chain = chain_of(hello, [Recorder("a", seen), Recorder("b", seen)])
    assert response_of(chain) == (200, b"hello")
    out = "out: <Response 200, 5 bytes>"
    assert seen == ["a in", "b in", f"b {out}", f"a {out}"]


def test_middleware_may_answer_without_calling_the_next() -> None:
    seen = list[str]()

    async def deny(request: Request, next: Next) -> Response:
        return Response("no", 403)

    chain = chain_of(hello, [Recorder("a", seen), deny, Recorder("b", seen)])
    assert response_of(chain) == (403, b"no")
    assert seen == ["a in", "a out: <Response 403, 2 bytes>"]


def test_middleware_may_return_what_a_handler_may() -> None:
    seen = list[str]()

    async def replace(request: Request, next: Next) -> dict[str, int]:
        await next()
        return {"a": 1}

    assert response_of(chain_of(hello, [Recorder("a", seen), replace])) == (200, b'{"a":1}')
    assert seen[-1] == "a out: <Response 200, 7 bytes>"


def test_middleware_may_be_sync() -> None:
    def passing(request: Request, next: Next) -> Awaitable[Outcome]:
        return next()

    def denying(request: Request, next: Next) -> str:
        return "no"

    assert response_of(chain_of(hello, [passing])) == (200, b"hello")
    assert response_of(chain_of(hello, [denying])) == (200, b"no")


def test_next_can_be_called_once() -> None:
    async def twice(request: Request, next: Next) -> Outcome:
        await next()
        return await next()

    with pytest.raises(LocalProtocolError, match=r"next\(\) was called already"):
        outcome_of(chain_of(hello, [twice]))


def test_a_request_served_twice_has_a_next_of_its_own_each_time() -> None:
    chain = chain_of(hello, [Recorder("a", [])])
    assert response_of(chain) == (200, b"hello")
    assert response_of(chain) == (200, b"hello")


def test_what_middleware_returns_must_be_an_answer() -> None:
    async def forgetful(request: Request, next: Next) -> int:
        await next()
        return 1

    with pytest.raises(
        TypeError, match=r"^the middleware .*forgetful returned int, of which no response can be"
    ):
        outcome_of(chain_of(hello, [forgetful]))


def test_the_end_of_a_websocket_goes_outwards_whatever_middleware_returns() -> None:
    seen = list[str]()

    async def replace(request: Request, next: Next) -> str:
        assert await next() is END
        return "too late"

    async def forget(request: Request, next: Next) -> None:
        await next()

    chain = chain_of(connected, [Recorder("a", seen), replace, forget], kind="ws")
    assert outcome_of(chain) is END
    assert seen == ["a in", f"a out: {END}"]


def test_a_denial_of_a_websocket_is_a_response() -> None:
    async def deny(request: Request, next: Next) -> Outcome:
        raise Abort(401)

    assert response_of(chain_of(connected, [deny], kind="ws")) == (401, b"Unauthorized")


def test_an_abort_becomes_a_response_where_it_leaves_the_handler() -> None:
    """CORS fields reach the error too."""
    seen = list[str]()

    async def absent(request: Request) -> Response:
        raise Abort(404)

    async def add_field(request: Request, next: Next) -> Outcome:
        outcome = await next()
        assert isinstance(outcome, Response)
        outcome.headers["access-control-allow-origin"] = "*"
        return outcome

    outcome = outcome_of(chain_of(absent, [add_field, Recorder("a", seen)]))
    assert isinstance(outcome, Response)
    assert outcome.status_code == 404
    assert outcome.headers["access-control-allow-origin"] == "*"
    assert seen == ["a in", "a out: <Response 404, 9 bytes>"]


def test_an_abort_becomes_a_response_where_it_leaves_the_middleware() -> None:
    seen = list[str]()

    async def deny(request: Request, next: Next) -> Outcome:
        raise Abort(401)

    assert response_of(chain_of(hello, [Recorder("a", seen), deny])) == (401, b"Unauthorized")
    assert seen == ["a in", "a out: <Response 401, 12 bytes>"]


def test_a_filter_answers_where_the_exception_leaves_the_handler() -> None:
    seen = list[str]()
    filters = ExceptionFilters()
    filters.filter(KeyError, lambda error, request: Response("filtered", 404))
    assert response_of(chain_of(broken, [Recorder("a", seen)], filters)) == (404, b"filtered")
    assert seen == ["a in", "a out: <Response 404, 8 bytes>"]


def test_an_exception_that_nobody_answers_goes_outwards() -> None:
    seen = list[str]()
    with pytest.raises(KeyError, match="a"):
        outcome_of(chain_of(broken, [Recorder("a", seen), Recorder("b", seen)]))
    assert seen == ["a in", "b in", "b out: KeyError('a')", "a out: KeyError('a')"]


def test_middleware_may_answer_an_exception_itself() -> None:
    async def rescue(request: Request, next: Next) -> Outcome | str:
        try:
            return await next()
        except KeyError:
            return "rescued"

    assert response_of(chain_of(broken, [rescue])) == (200, b"rescued")


def test_filters_are_asked_once_about_what_they_do_not_answer() -> None:
    asked = list[str]()
    filters = ExceptionFilters()

    @filters.filter(KeyError)
    def rethrow(error: KeyError, request: Request) -> None:
        asked.append(repr(error))
        raise IndexError("b")

    with pytest.raises(IndexError, match="b"):
        outcome_of(chain_of(broken, [Recorder("a", []), Recorder("b", [])], filters))
    assert asked == ["KeyError('a')"]


def test_an_exception_raised_in_place_of_another_is_answered() -> None:
    async def translate(request: Request, next: Next) -> Outcome:
        try:
            return await next()
        except KeyError:
            raise Abort(404, "translated") from None

    assert response_of(chain_of(broken, [translate])) == (404, b"translated")


def test_a_group_around_what_came_from_inside_changes_nothing() -> None:
    """A task group in a middleware wraps whatever passes through it."""
    asked = list[str]()
    filters = ExceptionFilters()

    async def grouping(request: Request, next: Next) -> Outcome:
        try:
            return await next()
        except Exception as error:
            raise ExceptionGroup("", [error]) from None

    @filters.filter(Exception)
    def rethrow(error: Exception, request: Request) -> None:
        asked.append(repr(error))
        raise error

    with pytest.raises(ExceptionGroup) as raised:
        outcome_of(chain_of(broken, [grouping, grouping], filters))
    assert raised.group_contains(KeyError, depth=2)
    assert asked == ["KeyError('a')"]


def test_after_the_101_filters_do_not_run() -> None:
    """There is no response left to write."""
    filters = ExceptionFilters()
    filters.filter(Exception, lambda error, request: "too late")

    async def fails(request: Request, next: Next) -> Outcome:
        await next()
        raise KeyError("a")

    async def breaks(request: Request) -> CloseInfo:
        request.seal()
        raise KeyError("b")

    with pytest.raises(KeyError, match="a"):
        outcome_of(chain_of(connected, [fails], filters, "ws"))
    with pytest.raises(KeyError, match="b"):
        outcome_of(chain_of(breaks, [], filters, "ws"))


def test_an_exception_that_is_none_of_the_application_passes_everything() -> None:
    filters = ExceptionFilters()
    filters.filter(Exception, lambda error, request: "swallowed")

    async def interrupted(request: Request) -> Response:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        outcome_of(chain_of(interrupted, [Recorder("a", [])], filters))
    with pytest.raises(KeyboardInterrupt):
        outcome_of(chain_of(interrupted, [], filters))


def test_middleware_for_one_kind_is_left_out_of_the_other() -> None:
    seen = list[str]()
    middleware = [OnlyHttp("http", seen), OnlyWebSocket("ws", seen)]
    outcome_of(chain_of(hello, middleware))
    assert seen == ["http in", "http out: <Response 200, 5 bytes>"]
    seen.clear()
    outcome_of(chain_of(connected, middleware, kind="ws"))
    assert seen == ["ws in", f"ws out: {END}"]


@pytest.mark.parametrize("handles", [{"https"}, {"http", "websocket"}, set[str](), "http", ["http"], None])
def test_middleware_handles_nothing_but_the_two_kinds(handles: object) -> None:
    middleware = Handling(handles)
    with pytest.raises(ValueError, match=r"^`handles` of Handling is a set of 'http' and 'ws', not"):
        handled_kinds(middleware)
    with pytest.raises(ValueError):
        MiddlewareStack().use(middleware)


def test_middleware_handles_both_kinds_unless_it_says_otherwise() -> None:
    assert handled_kinds(Recorder("a", [])) == {"http", "ws"}
    assert handled_kinds(OnlyHttp("a", [])) == {"http"}


def test_a_stack_grows_inwards_and_with_prepend_outwards() -> None:
    stack = MiddlewareStack()
    a, b, c = (Recorder(name, []) for name in "abc")
    assert stack.use(a) is a
    stack.use(b)
    stack.use(c, prepend=True)
    assert list(stack) == [c, a, b]
    assert len(stack) == 3


def test_a_stack_is_a_decorator() -> None:
    stack = MiddlewareStack()

    @stack.use
    async def passing(request: Request, next: Next) -> Outcome:
        return await next()

    assert list(stack) == [passing]
    assert response_of(chain_of(hello, list(stack))) == (200, b"hello")


def test_a_stack_is_fixed_when_serving_has_started() -> None:
    stack = MiddlewareStack()
    stack.freeze()
    stack.freeze()
    with pytest.raises(LocalProtocolError, match=r"^Recorder cannot be used any more: serving has started$"):
        stack.use(Recorder("a", []))
    assert len(stack) == 0


def test_a_handler_may_be_sync_or_async_and_return_any_answer() -> None:
    async def later(request: Request) -> str:
        return request.path

    def now(request: Request) -> dict[str, str]:
        return {"path": request.path}

    assert response_of(chain_of(later)) == (200, b"/")
    assert response_of(chain_of(now)) == (200, b'{"path":"/"}')


def test_a_handler_that_returns_no_answer_is_named() -> None:
    chain = chain_of(lambda request: cast("object", 1), name="GET /rooms/:room")
    with pytest.raises(TypeError, match=r"^GET /rooms/:room returned int, of which no response can be made$"):
        outcome_of(chain)


def test_a_return_that_was_forgotten_after_next_changes_nothing() -> None:
    async def forgetful(request: Request, next: Next) -> None:
        await next()

    assert response_of(chain_of(hello, [forgetful])) == (200, b"hello")


def test_an_await_that_was_forgotten_before_next_is_an_error_and_no_empty_answer() -> None:
    forgotten: list[Awaitable[Outcome]] = []

    async def forgetful(request: Request, next: Next) -> None:
        forgotten.append(next())

    for kind in ("http", "ws"):
        with pytest.raises(
            LocalProtocolError, match=r"^the middleware .*\.forgetful called next\(\) and did not await it$"
        ):
            outcome_of(chain_of(hello, [forgetful], kind=kind))
        cast("Coroutine[object, None, Outcome]", forgotten.pop()).close()  # Python would warn


def test_who_answers_itself_need_not_await_what_next_gave() -> None:
    forgotten: list[Awaitable[Outcome]] = []

    async def undecided(request: Request, next: Next) -> str:
        forgotten.append(next())
        return "no"

    assert response_of(chain_of(hello, [undecided])) == (200, b"no")
    cast("Coroutine[object, None, Outcome]", forgotten.pop()).close()


def test_a_middleware_that_answers_nothing_itself_answers_204() -> None:
    async def silent(request: Request, next: Next) -> None:
        return None

    assert response_of(chain_of(hello, [silent])) == (204, b"")


def test_what_cannot_be_called_is_no_middleware() -> None:
    with pytest.raises(TypeError, match=r"^a middleware is a function, which 'log' is not$"):
        MiddlewareStack().use(cast("Middleware", "log"))


def test_a_middleware_that_swallows_the_end_of_the_handler_answers_204() -> None:
    """The handler has run, so nothing was forgotten; a time limit ends it in this way."""

    async def cancelled(request: Request) -> Response:
        raise Cancelled

    async def swallowing(request: Request, next: Next) -> None:
        with suppress(Cancelled):
            await next()

    assert response_of(chain_of(cancelled, [swallowing])) == (204, b"")
    assert response_of(chain_of(cancelled, [swallowing, Recorder("a", [])])) == (204, b"")


def test_what_ends_a_filter_ends_the_handler() -> None:
    filters = ExceptionFilters()

    @filters.filter(KeyError)
    async def cancelled(error: KeyError, request: Request) -> None:
        raise Cancelled

    async def swallowing(request: Request, next: Next) -> None:
        with suppress(Cancelled):
            await next()

    assert response_of(chain_of(broken, [swallowing], filters)) == (204, b"")


def test_an_error_that_a_middleware_keeps_for_later_is_asked_about_anew() -> None:
    """Nobody answered it where it was raised, and what answered there answered something else."""
    kept = list[KeyError]()

    async def keeping(request: Request, next: Next) -> str:
        try:
            await next()
        except KeyError as error:
            kept.append(error)
        return "fine"

    async def raising(request: Request, next: Next) -> Outcome:
        await next()
        raise kept[0]

    asked = list[str]()
    filters = ExceptionFilters()

    @filters.filter(KeyError)
    def answer(error: KeyError, request: Request) -> str:
        asked.append(repr(error))
        if len(asked) == 1:
            raise error
        return "answered"

    assert response_of(chain_of(broken, [raising, keeping], filters)) == (200, b"answered")
    assert asked == ["KeyError('a')", "KeyError('a')"]


def test_what_next_gave_and_was_closed_unawaited_counts_as_forgotten() -> None:
    """So it is with a time limit of no time: the handler has not run."""

    async def closing(request: Request, next: Next) -> None:
        cast("Coroutine[object, None, Outcome]", next()).close()

    with pytest.raises(LocalProtocolError, match=r"called next\(\) and did not await it$"):
        outcome_of(chain_of(hello, [closing]))


def test_a_middleware_that_leaves_the_handler_at_its_wait_answers_for_itself() -> None:
    left: list[Stepped[Outcome]] = []

    async def waiting(request: Request) -> Response:
        await pause()
        return Response("late")

    async def leaving(request: Request, next: Next) -> None:
        left.append(Stepped(cast("Coroutine[object, None, Outcome]", next())))
        assert left[0].step() is False

    assert response_of(chain_of(waiting, [leaving])) == (204, b"")
    assert left[0].step() is True
