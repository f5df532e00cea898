"""The application: what is registered, before anybody serves it.

Routes and groups are those of `spry_core.routing`, with the kinds of handler that there are here and the options of WebSocket
routes.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from inspect import isasyncgenfunction
from typing import Any, TypeAlias, TypeVar, Unpack, cast, overload

from spry_core.errors import LocalProtocolError
from spry_core.routing import Pattern
from spry_core.web.calling import name_of
from spry_core.web.dispatch import Dispatcher, Routes
from spry_core.web.filters import ExceptionFilters
from spry_core.web.middleware import Middleware, MiddlewareStack, handled_kinds
from spry_core.web.options import WebSocketSettings, merge, resolve
from spry_core.web.registration import Registration
from spry_core.web.request import HttpHandler
from spry_core.web.upgrade import WebSocketHandler

LifespanFunction: TypeAlias = Callable[["Application"], AsyncIterator[object]]
"""An async generator function that takes the application and yields once (`Application.lifespan`)."""

L = TypeVar("L", bound=LifespanFunction)
W = TypeVar("W", bound=WebSocketHandler)


class RouteRegistry(Registration["RouteGroup"]):
    """What an application and its groups have in common: `get` and its kin, `ws`, `group` and `register`."""

    def __init__(
        self,
        routes: Routes | None = None,
        prefix: Pattern | None = None,
        middleware: Iterable[Middleware] = (),
        ws_defaults: WebSocketSettings | None = None,
    ) -> None:
        super().__init__(routes, Pattern.parse("/") if prefix is None else prefix, middleware)
        self._ws_settings = merge(ws_defaults or {})

    @overload
    def ws(self, path: str, handler: W, **options: Unpack[WebSocketSettings]) -> W: ...

    @overload
    def ws(
        self, path: str, handler: None = None, **options: Unpack[WebSocketSettings]
    ) -> Callable[[W], W]: ...

    def ws(
        self, path: str, handler: W | None = None, **options: Unpack[WebSocketSettings]
    ) -> W | Callable[[W], W]:
        """Open a WebSocket here, for `handler(ws, request)`, sync or async; a decorator without a handler (RFC 6455 §4.2).

        The handler runs when the 101 has been sent, or with ``accept="manual"`` before. A route of GET may have the same path.

        Args:
            path: A pattern, as for `get`.
            handler: Gets the `WebSocket` and the `Request` of the opening handshake.
            options: Those of `WebSocketSettings`, as `WebSocketOptions`, `Limits` and `Timeouts` describe them. What is left out
                comes from the groups, then from `Application.ws_defaults`, then from the server.

        Raises:
            TypeError: There is no such option, or it cannot have a value of this type.
            ValueError: An option, or the pattern, has a mistake, or the route conflicts with another.
            LocalProtocolError: Serving has started.
        """
        settings = merge(self._ws_settings, options)
        resolve(settings)
        return cast("W | Callable[[W], W]", self._websocket(path, handler, settings))

    def group(
        self,
        prefix: str,
        boot: Callable[[RouteGroup], object] | None = None,
        *,
        middleware: Iterable[Middleware] = (),
        ws_defaults: WebSocketSettings | None = None,
    ) -> RouteGroup:
        """Return a group of routes below `prefix`, with `middleware` around them, inside of what this adds.

        It can be kept, handed to `boot` (called before this returns), or opened by ``with``.

        Args:
            prefix: A pattern, maybe with parameters; empty for middleware alone.
            boot: Called with the group.
            middleware: Around the routes of the group, outermost first.
            ws_defaults: Options for the group's WebSocket routes.

        Raises:
            TypeError: `ws_defaults` has a mistake.
            ValueError: Likewise, or the prefix does, or `handles` of a middleware.
        """
        resolve(self._ws_settings, ws_defaults or {})
        around = (*self._middleware, *middleware)
        for each in around:
            handled_kinds(each)
        group = self._nested(self._prefix.join(prefix), around, ws_defaults)
        if boot is not None:
            boot(group)
        return group

    def _add(
        self,
        methods: Iterable[str],
        pattern: Pattern,
        handler: HttpHandler | WebSocketHandler,
        options: Mapping[str, object] | None = None,
    ) -> None:
        # Typed callers cannot get here with anything else; the others should hear of it now and not at the first request.
        if not callable(handler):
            raise TypeError(f"the handler of {pattern} cannot be called: {handler!r:.100}")
        super()._add(methods, pattern, handler, options or {})

    def _nested(
        self,
        prefix: Pattern,
        middleware: tuple[Middleware, ...],
        ws_defaults: WebSocketSettings | None = None,
    ) -> RouteGroup:
        settings = merge(self._ws_settings, ws_defaults or {})
        return RouteGroup(self._routes, prefix, middleware, settings)


class RouteGroup(RouteRegistry):
    """Routes with a prefix and middleware of their own, as `group` makes them."""


class Application(RouteRegistry):
    """An HTTP and WebSocket application, which any backend can serve.

    Everything is registered before serving starts; after that, registering raises `LocalProtocolError`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.middleware: MiddlewareStack = MiddlewareStack()
        """What is around every route and around requests that no route answers."""
        self.exceptions: ExceptionFilters = ExceptionFilters()
        """What answers exceptions."""
        # Any: what is put in here is the application's own business, as are its types.
        self.locals: dict[str, Any] = {}
        """Whatever the application wants to have at hand, above all what its lifespan opens."""
        self.ws_defaults: WebSocketSettings = {}
        """Options for all WebSocket routes that do not say otherwise, also for those registered before."""
        self._lifespans: list[LifespanFunction] = []
        self._dispatcher: Dispatcher | None = None

    def lifespan(self, function: L) -> L:
        """Run `function(app)` around everything that is served: a decorator for an async generator function that yields once.

        What stands before the `yield` runs before the first connection is served, and what stands behind it when the last
        connection is over. What it opens it puts into `locals`. `sleep`, `timeout`, `scope` and `event` work in it. Of several
        functions each begins when the one before has come to its `yield`; they are left in reverse, all in one task.

        If one fails before its `yield`, nothing is served, those before it are left, and the error comes out of whatever
        started the server. The first wait behind a `yield` is cancelled if the server was told to end at once.

        Raises:
            TypeError: It is no async generator function.
            LocalProtocolError: Serving has started.
        """
        _check_lifespan(function)
        if self._dispatcher is not None:
            raise LocalProtocolError(
                f"{name_of(function)} comes too late for a lifespan: serving has started"
            )
        self._lifespans.append(function)
        return function

    @property
    def lifespans(self) -> tuple[LifespanFunction, ...]:
        """What was registered with `lifespan`, in that order."""
        return tuple(self._lifespans)

    def compile(self) -> Dispatcher:
        """Freeze what is registered and make the dispatcher; a second call returns the same. Servers call it.

        Raises:
            TypeError: `ws_defaults` has a mistake.
            ValueError: Likewise.
        """
        if self._dispatcher is None:
            self._dispatcher = Dispatcher(self._routes, self.middleware, self.exceptions, self.ws_defaults)
            self._routes.freeze()
            self.middleware.freeze()
            self.exceptions.freeze()
        return self._dispatcher


def _check_lifespan(function: object) -> None:
    if not isasyncgenfunction(function):
        raise TypeError(f"a lifespan is an async generator function, which {function!r:.100} is not")
