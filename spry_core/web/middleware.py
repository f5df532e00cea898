"""Middleware: one chain of functions around a handler, for HTTP and WebSocket alike.

A chain is composed once, before serving starts. Each link of it calls the next at most once, and what leaves a link is always an
`Outcome`: a value that was returned has become a `Response`, and so has an exception that a filter answers, right where it
leaves the handler or the middleware that raised it. So what stands further out sees one or the other and can add its fields. Any
other exception goes outwards as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from inspect import CORO_CLOSED, CORO_CREATED, getcoroutinestate, iscoroutinefunction
from typing import Final, Literal, Protocol, TypeAlias, TypeVar, cast

from spry_core.closing import CloseInfo
from spry_core.errors import LocalProtocolError
from spry_core.tasks import unwrap
from spry_core.web.calling import can_be_awaited, name_of, resolve
from spry_core.web.filters import ExceptionFilters
from spry_core.web.request import Request
from spry_core.web.response import Response, to_response

Outcome: TypeAlias = Response | CloseInfo
"""What ``next()`` gives: the response, or for a WebSocket, when its connection has ended, how that was."""

Next: TypeAlias = Callable[[], Awaitable[Outcome]]
"""The rest of the chain, to be called at most once."""

Middleware: TypeAlias = Callable[[Request, Next], object]
"""A link of the chain, ``async def middleware(request, next)``; it returns what ``next()`` gave or
what a handler may return; None stands for what ``next()`` gave, if it was called.

A class attribute ``handles = {"http"}`` (or ``{"ws"}``) of a callable object lets it be left out for the other kind. Middleware
that guards something must not have one.
"""

Chain: TypeAlias = Callable[[Request], Awaitable[Outcome]]
"""A handler with everything around it."""

ChainKind: TypeAlias = Literal["http", "ws"]
"""Whether a chain ends in a response or in a WebSocket."""

M = TypeVar("M", bound=Middleware)

_KINDS: Final = frozenset(("http", "ws"))


class MiddlewareStack:
    """The middleware that is around every route of an application, from the outside inwards."""

    def __init__(self) -> None:
        self._stack: list[Middleware] = []
        self._is_frozen = False

    def use(self, middleware: M, *, prepend: bool = False) -> M:
        """Put `middleware` inside of what is there already, or with `prepend` around it; returns it, so it can be a decorator.

        It applies to all routes, also to those registered before, and to requests that no route answers.

        Raises:
            TypeError: It cannot be called.
            ValueError: Its attribute `handles` is no set of ``"http"`` and ``"ws"``.
            LocalProtocolError: Serving has started.
        """
        if self._is_frozen:
            raise LocalProtocolError(f"{name_of(middleware)} cannot be used any more: serving has started")
        handled_kinds(middleware)
        self._stack.insert(0 if prepend else len(self._stack), middleware)
        return middleware

    def freeze(self) -> None:
        """Refuse every change from now on; a second call changes nothing."""
        self._is_frozen = True

    def __iter__(self) -> Iterator[Middleware]:
        return iter(self._stack)

    def __len__(self) -> int:
        return len(self._stack)


def compose(
    middleware: Sequence[Middleware],
    endpoint: Callable[[Request], object],
    filters: ExceptionFilters,
    kind: ChainKind,
    name: str = "the handler",
) -> Chain:
    """Make the chain of an endpoint with `middleware` around it, outermost first.

    An endpoint of HTTP, sync or async, returns what a handler may; `name` says in an error whose return value is none. That of a
    WebSocket is a coroutine function that returns an `Outcome`.
    """
    return surround(
        _innermost(endpoint, filters, name if kind == "http" else None), middleware, filters, kind
    )


def surround(
    part: Part, middleware: Sequence[Middleware], filters: ExceptionFilters, kind: ChainKind
) -> Chain:
    """Make the chain of an innermost part with `middleware` around it, outermost first."""
    chain = part
    for each in reversed(middleware):
        if kind in handled_kinds(each):
            chain = _around(each, chain, filters)
    return chain


def handled_kinds(middleware: Middleware) -> frozenset[str]:
    """Return the kinds of chain that `middleware` wants to be in; `ValueError` if it names another, `TypeError`
    if it is no function.
    """
    if not callable(middleware):
        raise TypeError(f"a middleware is a function, which {middleware!r:.100} is not")
    handles: object = getattr(middleware, "handles", _KINDS)
    kinds = (
        frozenset(cast("set[str]", handles)) if isinstance(handles, (set, frozenset)) else frozenset[str]()
    )
    if not kinds or not kinds <= _KINDS:
        raise ValueError(f"`handles` of {name_of(middleware)} is a set of 'http' and 'ws', not {handles!r}")
    return kinds


class Walk:
    """What the links of a chain say to each other in one request: how that which was left last was left."""

    __slots__ = ("error", "outcome")

    def __init__(self) -> None:
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None

    def leave(self, outcome: Outcome) -> None:
        """Take note that a link was left with an outcome that the one inside of it did not have."""
        self.outcome, self.error = outcome, None

    def fail(self, error: BaseException) -> None:
        """Take note that a link was left by an exception."""
        self.outcome, self.error = None, error


class Part(Protocol):
    """A part of a chain: a middleware with all that is inside of it, or the endpoint."""

    def __call__(self, request: Request, walk: Walk | None = None) -> Coroutine[object, object, Outcome]:
        """Run it; only the outermost part is not told of a walk."""
        ...


# A part is one coroutine around the function of the application and nothing more, since each costs time in every request and
# memory as long as a WebSocket lives.


def _innermost(endpoint: Callable[[Request], object], filters: ExceptionFilters, name: str | None) -> Part:
    """Make the innermost part. Without a `name` the endpoint returns outcomes."""
    is_async = iscoroutinefunction(endpoint)
    call = cast("Callable[[Request], Awaitable[Outcome]]", endpoint)

    async def innermost(request: Request, walk: Walk | None = None) -> Outcome:
        try:
            value = await call(request) if is_async else endpoint(request)
            if not is_async and can_be_awaited(value):
                value = await value
            outcome = cast("Outcome", value) if name is None else to_response(value, request, name)
        except BaseException as raised:
            error = raised
        else:
            if walk is not None:
                walk.outcome = outcome
            return outcome
        return await answer(error, request, filters, walk)

    return innermost


def _around(middleware: Middleware, inner: Part, filters: ExceptionFilters) -> Part:
    """Make the part of one middleware and all that is inside of it."""
    is_async = iscoroutinefunction(middleware)
    call = cast("Callable[[Request, Next], Awaitable[Outcome]]", middleware)

    async def around(request: Request, walk: Walk | None = None) -> Outcome:
        told = walk or Walk()
        inside: Coroutine[object, object, Outcome] | None = None

        def go_on() -> Awaitable[Outcome]:
            nonlocal inside
            if inside is not None:
                raise LocalProtocolError("next() was called already; a middleware may call it once")
            inside = inner(request, told)
            return inside

        try:
            value = await call(request, go_on) if is_async else await resolve(middleware(request, go_on))
            outcome = told.outcome
            if value is outcome and outcome is not None:  # nearly always: it returned what `next()` gave
                return outcome
            outcome = _judge(value, middleware, request, told, inside)
        except BaseException as raised:
            error = raised
        else:
            told.leave(outcome)
            return outcome
        # Further in, where it was raised, nobody answered it, and asking again would change nothing.
        if isinstance(error, Exception) and unwrap(error) is told.error:
            raise error
        return await answer(error, request, filters, told)

    return around


def _judge(
    value: object,
    middleware: Middleware,
    request: Request,
    walk: Walk,
    inside: Coroutine[object, object, Outcome] | None,
) -> Outcome:
    """Return the outcome of a middleware that returned `value`, which is not what `next()` gave."""
    state = None if inside is None else getcoroutinestate(inside)
    outcome = walk.outcome if state == CORO_CLOSED else None
    # The connection has ended: whatever is returned, there is nobody to send it to.
    if isinstance(outcome, CloseInfo):
        return outcome
    # A `return` that was forgotten after `await next()` means no empty answer.
    if value is None and outcome is not None:
        return outcome
    name = f"the middleware {name_of(middleware)}"
    # Nor does an `await` that was forgotten: a 204 would be taken for the answer of the handler, which has not run.
    has_ended = state == CORO_CLOSED and walk.error is not None
    if value is None and state in (CORO_CREATED, CORO_CLOSED) and not has_ended:
        raise LocalProtocolError(f"{name} called next() and did not await it")
    return to_response(value, request, name)


async def answer(
    error: BaseException, request: Request, filters: ExceptionFilters, walk: Walk | None
) -> Response:
    """Let the filters answer what has left a part, unless it is no error or there is no response left to write."""
    walk = walk or Walk()
    try:
        if request.is_upgraded or not isinstance(error, Exception):
            raise error
        response = await filters.answer(error, request)
    except Exception as raised:
        walk.fail(unwrap(raised))
        raise
    except BaseException as raised:
        walk.fail(raised)
        raise
    walk.leave(response)
    return response
