"""Exception filters: what answers an exception of a handler or a middleware.

The most specific class wins, whatever the order of registration. `Abort` always has an answer; a filter for it, or for a class
above it, gives another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, TypeVar, cast, overload

from spry_core.errors import LocalProtocolError
from spry_core.tasks import unwrap
from spry_core.web.calling import resolve
from spry_core.web.exceptions import Abort, Rethrow
from spry_core.web.request import Request
from spry_core.web.response import Response, to_response

E = TypeVar("E", bound=Exception)

Filter: TypeAlias = Callable[[E, Request], object]
"""Takes an exception and the request; returns what a handler may return, or an awaitable of that, or raises `Rethrow`."""


class ExceptionFilters:
    """The filters of an application, by exception class."""

    def __init__(self) -> None:
        self._filters: dict[type[Exception], Filter[Exception]] = {}
        self._is_frozen = False

    @overload
    def filter(self, kind: type[E], function: Filter[E]) -> Filter[E]: ...

    @overload
    def filter(self, kind: type[E]) -> Callable[[Filter[E]], Filter[E]]: ...

    def filter(
        self, kind: type[E], function: Filter[E] | None = None
    ) -> Filter[E] | Callable[[Filter[E]], Filter[E]]:
        """Answer exceptions of class `kind`, and of those below it, by `function(error, request)`; a decorator without it.

        Raises:
            ValueError: There is a filter for this class already.
            LocalProtocolError: Serving has started.
        """

        def register(function: Filter[E]) -> Filter[E]:
            if self._is_frozen:
                raise LocalProtocolError(
                    f"a filter for {kind.__name__} cannot be registered: serving has started"
                )
            if kind in self._filters:
                raise ValueError(f"there is a filter for {kind.__name__} already")
            self._filters[kind] = cast("Filter[Exception]", function)
            return function

        return register if function is None else register(function)

    def freeze(self) -> None:
        """Refuse every registration from now on; a second call changes nothing."""
        self._is_frozen = True

    async def answer(self, error: Exception, request: Request) -> Response:
        """Return the response to an exception, or raise it again if nobody answers it.

        An exception that a filter raises instead takes its place, and is answered by the filters that have not run yet.
        """
        asked = set[type[Exception]]()
        error = unwrap(error)
        while True:
            try:
                response = await self._answer(error, request, asked)
            except Exception as raised:
                error = _replaced(error, unwrap(raised))
                continue
            if response is None:
                raise error
            return response

    async def _answer(
        self, error: Exception, request: Request, asked: set[type[Exception]]
    ) -> Response | None:
        for kind in type(error).__mro__:
            function = self._filters.get(kind)
            if function is None or kind in asked:
                continue
            asked.add(kind)
            try:
                value = await resolve(function(error, request))
            except Rethrow:
                continue
            return to_response(value, request, returned_by=f"the filter for {kind.__name__}")
        return error.response() if isinstance(error, Abort) else None


def _replaced(error: Exception, replacement: Exception) -> Exception:
    """Return what a filter raised instead of `error`, so that a traceback shows both."""
    if replacement is not error and replacement.__context__ is None:
        replacement.__context__ = error
    return replacement
