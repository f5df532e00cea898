"""The look-up: from a method and the path of a request to the one route that answers it.

Routes hang in a tree with one level for each segment. From every node the search goes on by the constant that
equals the segment, then by `:name`, then by `*`, then by `**`. So the most specific route wins, compared from the
left, whatever the order of registration. Where a branch ends without a route for the method, the search goes back
and takes the next one: a more specific path that lacks the method never hides a less specific one that has it, it
only adds to what a 405 offers.

A node lies at one depth and below one parent, so a search meets it at most once. The worst path there is costs one
visit of each node, however often the search must go back: the work is bounded by what is registered, not by the
peer. (A `**` in the middle of a pattern would break this, so it stands last.) The search keeps a stack of its own,
so that a deep pattern cannot exhaust Python's.

Most paths are found before the tree is searched, in the same time whatever is registered: those of constants alone in
one dict, those of constants with a parameter behind them in another, and most of the rest on one walk down that takes the
first branch at each level. A constant goes first at every level and a parameter comes second, so what these find is what
the search would have found first; only when they find nothing does it begin.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeAlias, TypeVar

from spry_core.headers import is_token
from spry_core.routing.pattern import Constant, Parameter, Pattern, Rest, Wildcard, split_path

H = TypeVar("H")

WEBSOCKET: Final = ":websocket"
"""The pseudo-method of WebSocket routes. It is no token, so no request can ask for it by name."""


@dataclass(frozen=True, slots=True)
class Route(Generic[H]):
    """One line of the routing table.

    Raises:
        ValueError: The method is neither a token nor `WEBSOCKET`.
    """

    method: str
    """A method token, case-sensitive (RFC 9110 §9.1), or `WEBSOCKET`."""
    pattern: Pattern
    handler: H
    """Whatever the router's owner wants back from `Router.match`; it is never called here."""
    place: str
    """Where the route was registered, as `file:line`."""

    def __post_init__(self) -> None:
        if self.method != WEBSOCKET and not is_token(self.method):
            raise ValueError(f"{self.method!r} is no method: a method is a token (RFC 9110 §5.6.2)")

    def __str__(self) -> str:
        return f"{'WebSocket' if self.method == WEBSOCKET else self.method} {self.pattern} at {self.place}"


# Not frozen, as the other answers are: one is made for each request, in half the time.
@dataclass(slots=True, unsafe_hash=True)
class Match(Generic[H]):
    """A route answers, and this is what its pattern took from the path. Nobody changes it: it may be shared."""

    route: Route[H]
    """The route found; for HEAD it may be a route of GET (RFC 9110 §9.3.2)."""
    params: tuple[tuple[str, str], ...] = ()
    """What `:name` took: pairs of name and value, decoded, in order, and a name as often as the pattern has it."""
    catchall: tuple[str, ...] = ()
    """The segments that `*` and `**` took, decoded, in order."""


@dataclass(frozen=True, slots=True)
class NotFound:
    """No route of any method has this path: 404 (RFC 9110 §15.5.5)."""


@dataclass(frozen=True, slots=True)
class MethodNotAllowed:
    """The path has routes, but none for this method: 405, or 204 when the method is OPTIONS (RFC 9110 §15.5.6)."""

    allow: tuple[str, ...]
    """The methods for the Allow field, sorted: with HEAD where GET is, and always with OPTIONS (RFC 9110 §10.2.1)."""


@dataclass(frozen=True, slots=True)
class BadPath:
    """The path cannot be decoded: 400 (RFC 9110 §15.5.1)."""

    reason: str
    """What is wrong with it, without a word of the path itself."""


Answer: TypeAlias = Match[H] | NotFound | MethodNotAllowed | BadPath
"""What `Router.match` says: answers, not exceptions."""

Key: TypeAlias = str | type[Parameter] | type[Wildcard] | type[Rest]
"""What tells the branches of a node apart: the text of a constant, or the kind of any other segment."""

Shape: TypeAlias = tuple[Key, ...]
"""What tells one pattern from another: neither the names of its parameters nor, where it does not count, case."""


class Router(Generic[H]):
    """All routes of one application, and the way from a request to one of them.

    `H` is what a route holds for its owner.
    """

    def __init__(self, *, case_sensitive: bool = True) -> None:
        self._case_sensitive = case_sensitive
        self._routes: dict[tuple[str, Shape], Route[H]] = {}
        self._plain: dict[str, Leaf[H]] = {}
        self._named: dict[str, Leaf[H]] = {}
        self._root: _Node[H] = _Node()

    @property
    def case_sensitive(self) -> bool:
        """Whether constants are compared as they are written, the default, or by `str.casefold`.

        The values of parameters keep their case in both. Setting it sorts all routes anew.

        Raises:
            ValueError: On setting: two routes that were different would now conflict. Names both, changes nothing.
        """
        return self._case_sensitive

    @case_sensitive.setter
    def case_sensitive(self, value: bool) -> None:
        changed = Router[H](case_sensitive=value)
        changed.add(*self)
        self._case_sensitive = value
        self._routes, self._root = changed._routes, changed._root
        self._plain, self._named = changed._plain, changed._named

    def add(self, *routes: Route[H]) -> None:
        """Take routes in, all of them or none.

        Two routes conflict when they have the same method and their patterns take the same paths in the same
        way. What parameters are called makes no difference: `/a/:x` and `/a/:y` conflict.

        Raises:
            ValueError: There is a conflict. Names both routes and where they were registered.
        """
        added: dict[tuple[str, Shape], Route[H]] = {}
        for route in routes:
            identity = route.method, self._shape(route.pattern)
            if earlier := self._routes.get(identity) or added.get(identity):
                raise ValueError(f"{route} conflicts with {earlier}")
            added[identity] = route
        self._routes |= added
        for (method, shape), route in added.items():
            self._leaf_at(shape)[method] = _Held(route)

    def registered(self, method: str, pattern: Pattern) -> Route[H] | None:
        """Return the route that one of this method and pattern would conflict with, or None."""
        return self._routes.get((method, self._shape(pattern)))

    def match(self, method: str, path: str) -> Answer[H]:
        """Find the route that answers a request.

        The most specific path that has the method wins, and each path that has GET has HEAD too.

        Args:
            method: The method as it came, or `WEBSOCKET` to look for WebSocket routes and no others.
            path: The path part of the request target as it came: percent-encoded, without the query.
        """
        if (found := self._match_at_once(method, path)) is not None:
            return found
        try:
            segments = split_path(path)
        except ValueError as error:
            return BadPath(str(error))
        if (held := self._descend(method, segments)) is not None:
            return held.match(segments)
        reached: list[Leaf[H]] = []
        for leaf in self._leaves(segments):
            if (held := _held_for(method, leaf)) is not None:
                return held.match(segments)
            reached.append(leaf)
        return MethodNotAllowed(_allow(reached)) if reached else NotFound()

    def _match_at_once(self, method: str, path: str) -> Match[H] | None:
        """Find a route of constants, or of constants and a last parameter, for a path in which nothing is to be decoded."""
        if not path.isascii():
            return None  # it is bad, and folded it could pass for a good one (the Kelvin sign folds to "k")
        leaf = self._plain.get(path if self._case_sensitive else path.casefold())
        if leaf is not None and (held := _held_for(method, leaf)) is not None:
            return held.plain
        stem, slash, last = path.rpartition("/")
        leaf = self._named.get(stem if self._case_sensitive else stem.casefold()) if slash and last else None
        if leaf is None or "%" in last or "\0" in last:
            return None
        held = _held_for(method, leaf)
        return None if held is None else Match(held.route, ((held.last_name, last),))

    def _descend(self, method: str, segments: Sequence[str]) -> _Held[H] | None:
        """Follow the first branch at each level, a constant or else a parameter; None where that leads to no route."""
        node = self._root
        for segment in segments if self._case_sensitive else map(str.casefold, segments):
            branches = node.branches
            child = branches.get(segment) or (branches.get(Parameter) if segment else None)
            if child is None:
                return None
            node = child
        return _held_for(method, node.leaf)

    def allowed(self, path: str) -> tuple[str, ...]:
        """Return the methods of a path, as in `MethodNotAllowed.allow`; none if no route has it or it is bad."""
        try:
            return _allow(self._leaves(split_path(path)))
        except ValueError:
            return ()

    def __iter__(self) -> Iterator[Route[H]]:
        """Go through the routes in the order in which they were added."""
        return iter(self._routes.values())

    def __len__(self) -> int:
        return len(self._routes)

    def _leaves(self, segments: Sequence[str]) -> Iterator[Leaf[H]]:
        """Give what the path reaches, the most specific first; the caller stops when it has found its method."""
        end = len(segments)
        to_visit = [(self._root, 0)]
        while to_visit:
            node, depth = to_visit.pop()
            if depth == end:
                if node.leaf:
                    yield node.leaf
                continue
            segment, branches = self._folded(segments[depth]), node.branches
            # What is pushed last is visited first. Only a constant takes an empty segment.
            if segment and (rest := branches.get(Rest)):
                to_visit.append((rest, end))
            if segment and (wildcard := branches.get(Wildcard)):
                to_visit.append((wildcard, depth + 1))
            if segment and (parameter := branches.get(Parameter)):
                to_visit.append((parameter, depth + 1))
            if constant := branches.get(segment):
                to_visit.append((constant, depth + 1))

    def _leaf_at(self, shape: Shape) -> Leaf[H]:
        """Return the leaf for patterns of this shape, grown if there is none yet."""
        node = self._root
        for key in shape:
            node = node.branches.setdefault(key, _Node())
        if (plain := _plain_path(shape)) is not None:
            self._plain[plain] = node.leaf
        elif shape[-1] is Parameter and (stem := _plain_path(shape[:-1])) is not None:
            self._named[stem] = node.leaf
        return node.leaf

    def _shape(self, pattern: Pattern) -> Shape:
        return tuple(
            self._folded(segment.text) if isinstance(segment, Constant) else type(segment)
            for segment in pattern.segments
        )

    def _folded(self, text: str) -> str:
        return text if self._case_sensitive else text.casefold()


class _Held(Generic[H]):
    """A route in the tree, and what is known of each answer that it gives."""

    __slots__ = ("_names", "last_name", "plain", "route")

    def __init__(self, route: Route[H]) -> None:
        self.route: Route[H] = route
        self.plain: Match[H] = Match(route)
        """The answer if the pattern takes nothing from the path."""
        named = [
            (each.name, i) for i, each in enumerate(route.pattern.segments) if isinstance(each, Parameter)
        ]
        constants = sum(isinstance(each, Constant) for each in route.pattern.segments)
        self.last_name: str = named[-1][0] if named else ""
        """What the last of its parameters is called."""
        # None where there are segments without a name to be kept as well.
        self._names = tuple(named) if constants + len(named) == len(route.pattern.segments) else None

    def match(self, segments: Sequence[str]) -> Match[H]:
        """Return the answer for a path that the pattern takes."""
        if self._names is None:
            return Match(self.route, *self.route.pattern.capture(segments))
        return Match(self.route, tuple([(name, segments[place]) for name, place in self._names]))


Leaf: TypeAlias = dict[str, _Held[H]]
"""The routes of one path, by method."""


class _Node(Generic[H]):
    """A place in the tree: the routes that end here, and the branches that go on."""

    __slots__ = ("branches", "leaf")

    def __init__(self) -> None:
        self.branches: dict[Key, _Node[H]] = {}
        self.leaf: Leaf[H] = {}


def _plain_path(shape: Shape) -> str | None:
    """Return the one raw path that has this shape, or None if it needs escapes or there are several.

    A constant with `%` needs escapes: as part of a raw path the same text means something else. So does what is not ASCII.
    """
    constants = [key for key in shape if isinstance(key, str)]
    path = "".join(f"/{constant}" for constant in constants)
    return path if len(constants) == len(shape) and "%" not in path and path.isascii() else None


def _held_for(method: str, leaf: Leaf[H]) -> _Held[H] | None:
    """HEAD is GET without the content (RFC 9110 §9.3.2), unless it has a route of its own."""
    return leaf.get(method) or (leaf.get("GET") if method == "HEAD" else None)


def _allow(leaves: Iterable[Leaf[H]]) -> tuple[str, ...]:
    """Return what Allow says of these routes; a WebSocket is opened by GET (RFC 6455 §4.1)."""
    methods = {"GET" if method == WEBSOCKET else method for leaf in leaves for method in leaf}
    if "GET" in methods:
        methods.add("HEAD")
    return tuple(sorted({*methods, "OPTIONS"})) if methods else ()
