"""The registration methods of an application, typed by its handlers: each gives back the very function that it got.

`spry_core.routing` knows neither kind of handler, so there a handler comes back as whatever the builder is for. Here a checker
sees it as it was written, whether it is decorated or handed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, cast, overload

from spry_core.routing import BaseRouteBuilder
from spry_core.web.middleware import Middleware
from spry_core.web.request import HttpHandler
from spry_core.web.upgrade import WebSocketHandler

G = TypeVar("G")
"""What `group` returns."""
F = TypeVar("F", bound=HttpHandler)
"""One handler of requests, of the type that it has."""


class Registration(BaseRouteBuilder[HttpHandler, WebSocketHandler, Middleware, G]):
    """`get` and its kin, as decorators and as calls with the handler."""

    @overload
    def get(self, path: str, handler: F) -> F: ...
    @overload
    def get(self, path: str) -> Callable[[F], F]: ...
    def get(self, path: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Answer GET, and HEAD where that has no route of its own (RFC 9110 §9.3.1, §9.3.2)."""
        return self._typed("GET", path, handler)

    @overload
    def post(self, path: str, handler: F) -> F: ...
    @overload
    def post(self, path: str) -> Callable[[F], F]: ...
    def post(self, path: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Answer POST (RFC 9110 §9.3.3)."""
        return self._typed("POST", path, handler)

    @overload
    def put(self, path: str, handler: F) -> F: ...
    @overload
    def put(self, path: str) -> Callable[[F], F]: ...
    def put(self, path: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Answer PUT (RFC 9110 §9.3.4)."""
        return self._typed("PUT", path, handler)

    @overload
    def patch(self, path: str, handler: F) -> F: ...
    @overload
    def patch(self, path: str) -> Callable[[F], F]: ...
    def patch(self, path: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Answer PATCH (RFC 5789 §2)."""
        return self._typed("PATCH", path, handler)

    @overload
    def delete(self, path: str, handler: F) -> F: ...
    @overload
    def delete(self, path: str) -> Callable[[F], F]: ...
    def delete(self, path: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Answer DELETE (RFC 9110 §9.3.5)."""
        return self._typed("DELETE", path, handler)

    @overload
    def head(self, path: str, handler: F) -> F: ...
    @overload
    def head(self, path: str) -> Callable[[F], F]: ...
    def head(self, path: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Answer HEAD otherwise than by the route of GET (RFC 9110 §9.3.2)."""
        return self._typed("HEAD", path, handler)

    @overload
    def options(self, path: str, handler: F) -> F: ...
    @overload
    def options(self, path: str) -> Callable[[F], F]: ...
    def options(self, path: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Answer OPTIONS otherwise than by the methods that the path has (RFC 9110 §9.3.7)."""
        return self._typed("OPTIONS", path, handler)

    @overload
    def on(self, method: str | Iterable[str], path: str, handler: F) -> F: ...
    @overload
    def on(self, method: str | Iterable[str], path: str) -> Callable[[F], F]: ...
    def on(self, method: str | Iterable[str], path: str, handler: F | None = None) -> F | Callable[[F], F]:
        """Answer any method or several of them: all are registered, or on an error none.

        Methods are case-sensitive tokens (RFC 9110 §9.1); one that is none is a `ValueError`.
        """
        if handler is None:
            return cast("Callable[[F], F]", super().on(method, path))
        return cast("F", super().on(method, path, handler))

    def _typed(self, method: str, path: str, handler: F | None) -> F | Callable[[F], F]:
        return cast("F | Callable[[F], F]", self._http((method,), path, handler))
