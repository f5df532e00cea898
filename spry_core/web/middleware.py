"""Middleware: one chain of functions around a handler, for HTTP and WebSocket alike.

A chain is composed once, before serving starts. Each link of it calls the next at most once, and what leaves a link is always an
`Outcome`: a value that was returned has become a `Response`, and so has an exception that a filter answers, right where it
leaves the handler or the middleware that raised it. So what stands further out sees one or the other and can add its fields. Any
other exception goes outwards as it is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Final, Literal, TypeAlias, TypeVar, cast

from spry_core.closing import CloseInfo
from spry_core.errors import LocalProtocolError
from spry_core.tasks import unwrap
from spry_core.web.calling import name_of, resolve
from spry_core.web.filters import ExceptionFilters
from spry_core.web.request import HttpHandler, Request
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
    middleware: Sequence[Middleware], endpoint: Chain, filters: ExceptionFilters, kind: ChainKind
) -> Chain:
    """Make the chain of an endpoint with `middleware` around it, outermost first."""
    chain: Chain = _Endpoint(endpoint, filters)
    for each in reversed(middleware):
        if kind in handled_kinds(each):
            chain = _Link(each, chain, filters)
    return chain


def http_endpoint(handler: HttpHandler, name: str) -> Chain:
    """Make the endpoint of a handler of requests; `name` says in an error whose return value is none."""

    async def endpoint(request: Request) -> Response:
        return to_response(await resolve(handler(request)), request, returned_by=name)

    return endpoint


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


class _Endpoint:
    """The innermost part of a chain."""

    __slots__ = ("_endpoint", "_filters")

    def __init__(self, endpoint: Chain, filters: ExceptionFilters) -> None:
        self._endpoint = endpoint
        self._filters = filters

    async def __call__(self, request: Request) -> Outcome:
        try:
            return await self._endpoint(request)
        except Exception as raised:
            error = raised
        return await _answer(error, request, self._filters)


class _Link:
    """One middleware and the chain inside of it."""

    __slots__ = ("_filters", "_inner", "_middleware")

    def __init__(self, middleware: Middleware, inner: Chain, filters: ExceptionFilters) -> None:
        self._middleware = middleware
        self._inner = inner
        self._filters = filters

    async def __call__(self, request: Request) -> Outcome:
        onward = _Onward(self._inner, request)
        try:
            value = await resolve(self._middleware(request, onward))
            # The connection has ended: whatever is returned, there is nobody to send it to.
            if isinstance(onward.outcome, CloseInfo):
                return onward.outcome
            # A `return` that was forgotten after `await next()` means no empty answer.
            if value is None and onward.outcome is not None:
                return onward.outcome
            name = f"the middleware {name_of(self._middleware)}"
            # Nor does an `await` that was forgotten: a 204 would be taken for the answer of the handler, which has not run.
            if value is None and onward.is_forgotten:
                raise LocalProtocolError(f"{name} called next() and did not await it")
            return to_response(value, request, returned_by=name)
        except Exception as raised:
            error = raised
        # Further in, where it was raised, nobody answered it, and asking again would change nothing.
        if unwrap(error) is onward.error:
            raise error
        return await _answer(error, request, self._filters)


async def _answer(error: Exception, request: Request, filters: ExceptionFilters) -> Response:
    """Let the filters answer, unless there is no response left to write."""
    if request.is_upgraded:
        raise error
    return await filters.answer(error, request)


class _Onward:
    """The `next` of one middleware in one request."""

    __slots__ = ("_has_begun", "_inner", "_is_called", "_request", "error", "outcome")

    def __init__(self, inner: Chain, request: Request) -> None:
        self._inner = inner
        self._request = request
        self._is_called = False
        self._has_begun = False
        self.outcome: Outcome | None = None
        self.error: Exception | None = None

    def __call__(self) -> Awaitable[Outcome]:
        """Run the rest of the chain; `LocalProtocolError` on the second call."""
        if self._is_called:
            raise LocalProtocolError("next() was called already; a middleware may call it once")
        self._is_called = True
        return self._run()

    @property
    def is_forgotten(self) -> bool:
        """True if it was called and what it gave is not awaited yet."""
        return self._is_called and not self._has_begun

    async def _run(self) -> Outcome:
        self._has_begun = True
        try:
            self.outcome = await self._inner(self._request)
        except Exception as error:
            self.error = unwrap(error)
            raise
        return self.outcome
