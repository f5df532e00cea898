"""Registration: the methods with which an application says what it serves, alone and in groups.

A builder writes into a `RouteTable`, which all groups of one application share. Of its own it has only the prefix
and the middleware that it gives to what is registered through it. So a group is a value, and to keep it, to hand it
to a callback or a controller, or to open it with `with` is all the same.

`BaseRouteBuilder` is what an application and its groups have in common. They are different classes, so what `group`
returns is a type parameter, and a subclass says in `_nested` how it is made. `RouteBuilder` is the plain form, for
those who use the routing by itself.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from inspect import currentframe
from types import FrameType, MappingProxyType, TracebackType
from typing import Final, Generic, Protocol, Self, TypeVar, overload

from spry_core.errors import LocalProtocolError
from spry_core.routing.pattern import Pattern
from spry_core.routing.tree import WEBSOCKET, Answer, Route, Router

H = TypeVar("H")
"""A handler of HTTP requests; in `Entry` and `RouteTable`, of either kind."""
W = TypeVar("W")
"""A handler of WebSockets."""
M = TypeVar("M")
"""A middleware."""
G = TypeVar("G")
"""What `group` returns."""
G_contra = TypeVar("G_contra", contravariant=True)

PACKAGE: Final = __name__.partition(".")[0]
ROOT: Final = Pattern.parse("/")
NO_OPTIONS: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Entry(Generic[H, M]):
    """One registration, complete: what `app.routes` lists and what `RouteTable.match` finds.

    Compared by identity, so that it can be a key whatever its handler and its options are.
    """

    method: str
    """A method token, or `WEBSOCKET`."""
    pattern: Pattern
    """The whole path, with the prefixes of all groups."""
    handler: H
    middleware: tuple[M, ...]
    """The middleware of its groups, outermost first."""
    options: Mapping[str, object]
    """What else was said about the route; only its owner knows the names."""
    place: str
    """Where it was registered, as `file:line`."""

    def __str__(self) -> str:
        """Give one line for people: method, path, name of the handler, place."""
        method = "WS" if self.method == WEBSOCKET else self.method
        name: object = getattr(self.handler, "__name__", type(self.handler).__name__)
        return f"{method:<7} {self.pattern!s:<24} {name}  {self.place}"


class RouteTable(Generic[H, M]):
    """Everything that one application and its groups have registered, in order, and the look-up over it."""

    def __init__(self) -> None:
        self._router: Router[Entry[H, M]] = Router()
        self._is_frozen = False

    @property
    def entries(self) -> tuple[Entry[H, M], ...]:
        """All registrations, in order."""
        return tuple(route.handler for route in self._router)

    @property
    def is_frozen(self) -> bool:
        """Whether serving has started, so that nothing can be registered any more."""
        return self._is_frozen

    @property
    def case_sensitive(self) -> bool:
        """Whether constants in patterns are compared as they are written; see `Router.case_sensitive`.

        Raises:
            ValueError: On setting: two routes would now conflict; nothing has changed.
            LocalProtocolError: On setting: serving has started.
        """
        return self._router.case_sensitive

    @case_sensitive.setter
    def case_sensitive(self, value: bool) -> None:
        self._require_open("case_sensitive cannot be set")
        self._router.case_sensitive = value

    def add(self, *entries: Entry[H, M]) -> None:
        """Take registrations in, all of them or none.

        Raises:
            ValueError: A method is no token, or an entry conflicts with an earlier one; the text names both places.
            LocalProtocolError: Serving has started.
        """
        routes = [Route(entry.method, entry.pattern, entry, entry.place) for entry in entries]
        for route in routes:
            self._require_open(f"{route} cannot be registered")
        self._router.add(*routes)

    def freeze(self) -> None:
        """Refuse every registration from now on, since serving starts with what there is; a second call changes nothing."""
        self._is_frozen = True

    def match(self, method: str, path: str) -> Answer[Entry[H, M]]:
        """Find the entry that answers a request; see `Router.match`. It is the `route.handler` of a `Match`."""
        return self._router.match(method, path)

    def allowed(self, path: str) -> tuple[str, ...]:
        """Return the methods that a path has; see `Router.allowed`."""
        return self._router.allowed(path)

    def __iter__(self) -> Iterator[Entry[H, M]]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self._router)

    def _require_open(self, refusal: str) -> None:
        if self._is_frozen:
            raise LocalProtocolError(f"{refusal}: serving has started")


class Controller(Protocol[G_contra]):
    """A class that registers routes of its own."""

    def boot(self, routes: G_contra, /) -> object:
        """Register routes on `routes`, once, now."""
        ...


class BaseRouteBuilder(ABC, Generic[H, W, M, G]):
    """The registration methods, and the prefix and the middleware that they give to each route.

    Each of them takes the handler as its last argument and returns it; without a handler it is a decorator. Paths
    are joined to the prefix as in `Pattern.join`. All of them raise `ValueError` for a bad pattern and for a conflict,
    which names both places, and `LocalProtocolError` when serving has started. Then nothing has changed.
    """

    def __init__(
        self,
        routes: RouteTable[H | W, M] | None = None,
        prefix: Pattern = ROOT,
        middleware: Iterable[M] = (),
    ) -> None:
        self._routes: RouteTable[H | W, M] = RouteTable() if routes is None else routes
        self._prefix = prefix
        self._middleware = tuple(middleware)

    @property
    def routes(self) -> RouteTable[H | W, M]:
        """What is registered, here and in every other group of the same application."""
        return self._routes

    @overload
    def get(self, path: str, handler: H) -> H: ...
    @overload
    def get(self, path: str) -> Callable[[H], H]: ...
    def get(self, path: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Answer GET, and HEAD where that has no route of its own (RFC 9110 §9.3.1, §9.3.2)."""
        return self._http(("GET",), path, handler)

    @overload
    def post(self, path: str, handler: H) -> H: ...
    @overload
    def post(self, path: str) -> Callable[[H], H]: ...
    def post(self, path: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Answer POST (RFC 9110 §9.3.3)."""
        return self._http(("POST",), path, handler)

    @overload
    def put(self, path: str, handler: H) -> H: ...
    @overload
    def put(self, path: str) -> Callable[[H], H]: ...
    def put(self, path: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Answer PUT (RFC 9110 §9.3.4)."""
        return self._http(("PUT",), path, handler)

    @overload
    def patch(self, path: str, handler: H) -> H: ...
    @overload
    def patch(self, path: str) -> Callable[[H], H]: ...
    def patch(self, path: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Answer PATCH (RFC 5789 §2)."""
        return self._http(("PATCH",), path, handler)

    @overload
    def delete(self, path: str, handler: H) -> H: ...
    @overload
    def delete(self, path: str) -> Callable[[H], H]: ...
    def delete(self, path: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Answer DELETE (RFC 9110 §9.3.5)."""
        return self._http(("DELETE",), path, handler)

    @overload
    def head(self, path: str, handler: H) -> H: ...
    @overload
    def head(self, path: str) -> Callable[[H], H]: ...
    def head(self, path: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Answer HEAD otherwise than by the route of GET (RFC 9110 §9.3.2)."""
        return self._http(("HEAD",), path, handler)

    @overload
    def options(self, path: str, handler: H) -> H: ...
    @overload
    def options(self, path: str) -> Callable[[H], H]: ...
    def options(self, path: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Answer OPTIONS otherwise than by the methods that the path has (RFC 9110 §9.3.7)."""
        return self._http(("OPTIONS",), path, handler)

    @overload
    def on(self, method: str | Iterable[str], path: str, handler: H) -> H: ...
    @overload
    def on(self, method: str | Iterable[str], path: str) -> Callable[[H], H]: ...
    def on(self, method: str | Iterable[str], path: str, handler: H | None = None) -> H | Callable[[H], H]:
        """Answer any method or several of them: all are registered, or on an error none.

        Methods are case-sensitive tokens (RFC 9110 §9.1); one that is none is a `ValueError`.
        """
        methods = (method,) if isinstance(method, str) else tuple(dict.fromkeys(method))
        if not methods or WEBSOCKET in methods:
            raise ValueError(f"on takes one or more methods of HTTP, not {method!r}")
        return self._http(methods, path, handler)

    def group(
        self, prefix: str, boot: Callable[[G], object] | None = None, *, middleware: Iterable[M] = ()
    ) -> G:
        """Return a group of routes below `prefix`, which all get `middleware` inside of what this builder gives them.

        With `boot`, that is called with the group before this returns. What comes back can be kept or opened
        with `with`, and then the block only shows which routes belong together.
        """
        group = self._nested(self._prefix.join(prefix), (*self._middleware, *middleware))
        if boot is not None:
            boot(group)
        return group

    def register(self, controller: Controller[G]) -> None:
        """Let a controller register its routes here: calls its `boot` with a group that adds nothing of its own."""
        self.group("", controller.boot)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Do nothing: a group needs no closing and may be used after its block."""

    @abstractmethod
    def _nested(self, prefix: Pattern, middleware: tuple[M, ...]) -> G:
        """Make a group in the same table; prefix and middleware are complete, with what this builder adds to them."""

    def _http(self, methods: Iterable[str], path: str, handler: H | None) -> H | Callable[[H], H]:
        pattern = self._prefix.join(path)

        def register(handler: H) -> H:
            self._add(methods, pattern, handler)
            return handler

        return register if handler is None else register(handler)

    def _websocket(self, path: str, handler: W | None, options: Mapping[str, object]) -> W | Callable[[W], W]:
        """Do what `ws` does; a subclass gives that the signature which its options need."""
        pattern = self._prefix.join(path)

        def register(handler: W) -> W:
            self._add((WEBSOCKET,), pattern, handler, options)
            return handler

        return register if handler is None else register(handler)

    def _add(
        self,
        methods: Iterable[str],
        pattern: Pattern,
        handler: H | W,
        options: Mapping[str, object] = NO_OPTIONS,
    ) -> None:
        place = place_outside(currentframe())
        frozen = MappingProxyType(dict(options))
        self._routes.add(
            *(Entry(method, pattern, handler, self._middleware, frozen, place) for method in methods)
        )


class RouteBuilder(BaseRouteBuilder[H, W, M, "RouteBuilder[H, W, M]"]):
    """The registration methods by themselves, for any kind of handler and middleware, with any options for `ws`."""

    @overload
    def ws(self, path: str, handler: W, **options: object) -> W: ...
    @overload
    def ws(self, path: str, handler: None = None, **options: object) -> Callable[[W], W]: ...
    def ws(self, path: str, handler: W | None = None, **options: object) -> W | Callable[[W], W]:
        """Answer the opening handshake of a WebSocket (RFC 6455 §4.2); a route of GET may have the same path."""
        return self._websocket(path, handler, options)

    def _nested(self, prefix: Pattern, middleware: tuple[M, ...]) -> RouteBuilder[H, W, M]:
        return RouteBuilder(self._routes, prefix, middleware)


def place_outside(frame: FrameType | None) -> str:
    """Return `file:line` of the innermost call that is not in this package, seen from `frame`."""
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "unknown"


def _is_ours(frame: FrameType) -> bool:
    module: object = frame.f_globals.get("__name__")
    return isinstance(module, str) and module.partition(".")[0] == PACKAGE
