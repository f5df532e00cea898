"""The look-up of a route among few and many: one of constants, one with a parameter, and none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Final, Protocol, cast

from benchmarks.inside import aiohttp
from benchmarks.inside.timing import Case
from spry_core.routing import Match, Pattern, Route, Router

SIZES: Final = (10, 1_000, 10_000)

Find = Callable[[str], bool]
"""Tells whether a path has a route."""


def paths(size: int) -> list[str]:
    """Return the patterns: every other one has a parameter, written as here."""
    half = size // 2
    return [f"/things/kind{n}/list" for n in range(half)] + [f"/users/group{n}/:name" for n in range(half)]


def cases() -> Iterator[Case]:
    """Give every router at every size."""
    for size in SIZES:
        last = size // 2 - 1
        asked = {
            "constant": (f"/things/kind{last}/list", True),
            "one parameter": (f"/users/group{last}/somebody", True),
            "miss": ("/users/nobody/somebody", False),
        }
        for name, make in ROUTERS.items():
            if name == "spry" or find_spec(name) is not None:
                find = make(paths(size))
                for title, (path, is_there) in asked.items():
                    if find(path) is not is_there:
                        raise RuntimeError(f"{name} finds something else at {path}")
                    yield Case(f"router, {size:,} routes", title, name, partial(find, path))


def spry(patterns: list[str]) -> Find:
    """Return ours."""
    router = Router[str]()
    router.add(*(Route("GET", Pattern.parse(each), each, "here") for each in patterns))
    return lambda path: isinstance(router.match("GET", path), Match)


class MapAdapter(Protocol):
    """What finds in werkzeug."""

    def match(self, path: str, method: str) -> object:
        """Find, or raise."""
        ...


class Map(Protocol):
    """A map of werkzeug."""

    def bind(self, server_name: str) -> MapAdapter:
        """Return what finds."""
        ...


class Werkzeug(Protocol):
    """As much of `werkzeug.routing` as is used here; it need not be installed where this is checked."""

    def Rule(self, string: str, *, endpoint: str) -> object:  # noqa: N802 - its name
        """Make a rule."""
        ...

    def Map(self, rules: list[object]) -> Map:  # noqa: N802 - its name
        """Make a map."""
        ...


def werkzeug(patterns: list[str]) -> Find:
    """Return that of werkzeug."""
    routing = cast("Werkzeug", import_module("werkzeug.routing"))
    rules = [routing.Rule(each.replace(":name", "<name>"), endpoint=each) for each in patterns]
    adapter = routing.Map(rules).bind("localhost")
    not_found = cast("type[Exception]", import_module("werkzeug.exceptions").NotFound)

    def find(path: str) -> bool:
        try:
            adapter.match(path, "GET")
        except not_found:
            return False
        return True

    return find


class StarletteRoute(Protocol):
    """A route of starlette."""

    def matches(self, scope: MutableMapping[str, object]) -> tuple[object, Mapping[str, object]]:
        """Tell whether it is this one."""
        ...


class Starlette(Protocol):
    """As much of `starlette.routing` as is used here; it need not be installed where this is checked."""

    def Route(self, path: str, endpoint: Callable[[object], object]) -> StarletteRoute:  # noqa: N802 - its name
        """Make a route."""
        ...


def starlette(patterns: list[str]) -> Find:
    """Return that of starlette, which asks one route after the other."""
    module = import_module("starlette.routing")
    routing = cast("Starlette", module)
    none = cast("object", module.Match.NONE)
    routes = [routing.Route(each.replace(":name", "{name}"), lambda request: None) for each in patterns]

    def find(path: str) -> bool:
        scope: dict[str, object] = {"type": "http", "method": "GET", "path": path, "root_path": ""}
        return any(route.matches(scope)[0] is not none for route in routes)

    return find


ROUTERS: Final[dict[str, Callable[[list[str]], Find]]] = {
    "spry": spry,
    "aiohttp": aiohttp.router,
    "werkzeug": werkzeug,
    "starlette": starlette,
}
"""What makes each of them out of patterns."""
