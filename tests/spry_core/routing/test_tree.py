"""Tests of `spry_core.routing.tree`: which route a request finds, and what finding it costs."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import product
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.routing.pattern import Constant, Parameter, Pattern, Rest, Segment, Wildcard, split_path
from spry_core.routing.tree import (
    WEBSOCKET,
    Answer,
    BadPath,
    Match,
    MethodNotAllowed,
    NotFound,
    Route,
    Router,
)


def route(line: str, place: str = "app.py:1") -> Route[str]:
    """Make a route from a line such as "GET /a/:x", which is also its handler."""
    method, _, path = line.partition(" ")
    return Route(method, Pattern.parse(path), line, place)


def router(*lines: str, case_sensitive: bool = True) -> Router[str]:
    made = Router[str](case_sensitive=case_sensitive)
    made.add(*(route(line) for line in lines))
    return made


def found(answer: Answer[str]) -> str | None:
    """Return the handler of a match, or None."""
    return answer.route.handler if isinstance(answer, Match) else None


# ------------------------------------------------------------------------------------------------ one route


def test_a_match_has_the_route_and_what_it_took() -> None:
    rooms = route("GET /rooms/:room/*/:room/**")
    table = Router[str]()
    table.add(rooms)
    assert table.match("GET", "/rooms/a/b/c/d//e") == Match(
        rooms, params=(("room", "a"), ("room", "c")), catchall=("b", "d", "", "e")
    )


def test_a_path_without_a_route_is_not_found() -> None:
    assert router("GET /a").match("GET", "/b") == NotFound()
    assert router("GET /a/b").match("GET", "/a") == NotFound()
    assert router("GET /a").match("GET", "/a/b") == NotFound()
    assert Router[str]().match("GET", "/") == NotFound()


@pytest.mark.parametrize("path", ["/", ""])
def test_the_root_is_found(path: str) -> None:
    """An empty path component is the same as "/" (RFC 9110 §4.2.3)."""
    assert router("GET /").match("GET", path) == Match(route("GET /"))


def test_a_trailing_slash_makes_another_path() -> None:
    table = router("GET /a", "GET /b/")
    assert found(table.match("GET", "/a")) == "GET /a"
    assert table.match("GET", "/a/") == NotFound()
    assert table.match("GET", "/b") == NotFound()
    assert found(table.match("GET", "/b/")) == "GET /b/"


@pytest.mark.parametrize("path", ["/a/", "/a//b"])
@pytest.mark.parametrize("last", [":x", "*"])
def test_a_parameter_takes_no_empty_segment(last: str, path: str) -> None:
    assert router(f"GET /a/{last}", f"GET /a/{last}/b").match("GET", path) == NotFound()


@pytest.mark.parametrize(
    ("path", "catchall"),
    [
        ("/files/a", ("a",)),
        ("/files/a/b", ("a", "b")),
        ("/files/a/", ("a", "")),
        ("/files/a//b", ("a", "", "b")),
        ("/files/..", ("..",)),
        ("/files/%2F", ("/",)),
    ],
)
def test_the_rest_takes_one_segment_or_more(path: str, catchall: tuple[str, ...]) -> None:
    assert router("GET /files/**").match("GET", path) == Match(route("GET /files/**"), (), catchall)


@pytest.mark.parametrize("path", ["/files", "/files/", "/files//", "/files//a"])
def test_the_rest_begins_with_a_segment_that_is_not_empty(path: str) -> None:
    assert router("GET /files/**").match("GET", path) == NotFound()


def test_dots_and_backslashes_are_ordinary() -> None:
    table = router("GET /a/..", "GET /a/:x")
    assert found(table.match("GET", "/a/..")) == "GET /a/.."
    assert found(table.match("GET", "/a/%2e.")) == "GET /a/.."
    assert table.match("GET", "/a/.") == Match(route("GET /a/:x"), (("x", "."),))
    assert table.match("GET", "/a/\\b") == Match(route("GET /a/:x"), (("x", "\\b"),))
    assert table.match("GET", "/b/../a/..") == NotFound()


# ------------------------------------------------------------------------------------------------- decoding


def test_constants_are_compared_decoded() -> None:
    table = router("GET /café/a b")
    assert found(table.match("GET", "/caf%C3%A9/a%20b")) == "GET /café/a b"
    assert found(table.match("GET", "/%63af%C3%A9/a%20b")) == "GET /café/a b"


def test_values_are_decoded_once() -> None:
    assert router("GET /:x").match("GET", "/%2541%2F") == Match(route("GET /:x"), (("x", "%41/"),))


def test_a_percent_sign_in_a_pattern_is_no_escape() -> None:
    table = router("GET /a%62", "GET /100%")
    assert table.match("GET", "/a%62") == NotFound()
    assert found(table.match("GET", "/a%2562")) == "GET /a%62"
    assert table.match("GET", "/100%") == BadPath("the path has a broken percent-escape")
    assert found(table.match("GET", "/100%25")) == "GET /100%"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/café", "the path is not ASCII"),
        ("/caf%C3", "the path is not UTF-8"),
        ("/a%00", "the path holds a null character"),
        ("/nowhere/%", "the path has a broken percent-escape"),
        ("*", "the path does not begin with a slash"),
    ],
)
def test_a_path_that_cannot_be_decoded_is_bad_wherever_it_leads(path: str, reason: str) -> None:
    table = router("GET /café", "GET /:x")
    assert table.match("GET", path) == BadPath(reason)
    assert table.match(WEBSOCKET, path) == BadPath(reason)
    assert table.allowed(path) == ()


# ----------------------------------------------------------------------------------------------- precedence

LAYERS = ("GET /a/b", "GET /a/:x", "GET /a/*", "GET /a/**", "GET /:x/b", "GET /*/b", "GET /**")


def test_the_most_specific_wins_from_the_left() -> None:
    """Each layer is found once those above it are gone, in whatever order they came."""
    for above in range(len(LAYERS)):
        rest = LAYERS[above:]
        assert found(router(*rest).match("GET", "/a/b")) == LAYERS[above]
        assert found(router(*reversed(rest)).match("GET", "/a/b")) == LAYERS[above]


def test_the_search_goes_back_where_a_branch_ends() -> None:
    table = router("GET /a/:x/c", "GET /:x/b/d", "GET /*/*/e", "GET /**")
    assert found(table.match("GET", "/a/b/c")) == "GET /a/:x/c"
    assert found(table.match("GET", "/a/b/d")) == "GET /:x/b/d"
    assert found(table.match("GET", "/a/b/e")) == "GET /*/*/e"
    assert found(table.match("GET", "/a/b/f")) == "GET /**"
    assert found(table.match("GET", "/a/b/c/g")) == "GET /**"


def test_each_route_names_its_own_parameters() -> None:
    table = router("GET /:x/a", "POST /:y/a")
    assert table.match("GET", "/1/a") == Match(route("GET /:x/a"), (("x", "1"),))
    assert table.match("POST", "/1/a") == Match(route("POST /:y/a"), (("y", "1"),))


# -------------------------------------------------------------------------------------------------- methods


def test_a_wrong_method_is_told_which_are_right() -> None:
    table = router("POST /a", "DELETE /a")
    assert table.match("PUT", "/a") == MethodNotAllowed(("DELETE", "OPTIONS", "POST"))
    assert table.allowed("/a") == ("DELETE", "OPTIONS", "POST")


def test_get_brings_head_along() -> None:
    """RFC 9110 §9.3.2."""
    table = router("GET /:x")
    assert table.match("HEAD", "/1") == Match(route("GET /:x"), (("x", "1"),))
    assert table.match("POST", "/1") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))


def test_head_may_have_a_route_of_its_own() -> None:
    table = router("GET /a", "HEAD /a", "HEAD /b")
    assert found(table.match("HEAD", "/a")) == "HEAD /a"
    assert found(table.match("HEAD", "/b")) == "HEAD /b"
    assert table.match("GET", "/b") == MethodNotAllowed(("HEAD", "OPTIONS"))


def test_head_goes_where_get_goes_before_it_goes_to_a_less_specific_route() -> None:
    """The answer to HEAD describes the answer to GET (RFC 9110 §9.3.2), so both come from one place."""
    table = router("GET /a/b", "HEAD /a/:x")
    assert found(table.match("HEAD", "/a/b")) == "GET /a/b"
    assert found(table.match("HEAD", "/a/c")) == "HEAD /a/:x"


def test_options_is_a_method_of_every_path() -> None:
    table = router("GET /a", "OPTIONS /b")
    assert table.match("OPTIONS", "/a") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))
    assert found(table.match("OPTIONS", "/b")) == "OPTIONS /b"
    assert table.match("GET", "/b") == MethodNotAllowed(("OPTIONS",))


def test_a_more_specific_path_hides_no_method() -> None:
    table = router("GET /a/b", "POST /a/:x", "PUT /**")
    assert found(table.match("GET", "/a/b")) == "GET /a/b"
    assert table.match("POST", "/a/b") == Match(route("POST /a/:x"), (("x", "b"),))
    assert table.match("PUT", "/a/b") == Match(route("PUT /**"), (), ("a", "b"))
    assert table.match("DELETE", "/a/b") == MethodNotAllowed(("GET", "HEAD", "OPTIONS", "POST", "PUT"))
    assert table.allowed("/a/b") == ("GET", "HEAD", "OPTIONS", "POST", "PUT")
    assert table.allowed("/a/c") == ("OPTIONS", "POST", "PUT")


def test_methods_are_case_sensitive() -> None:
    """RFC 9110 §9.1."""
    assert router("GET /a").match("get", "/a") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))
    assert found(router("get /a").match("get", "/a")) == "get /a"
    assert router("get /a").allowed("/a") == ("OPTIONS", "get")


def test_a_path_without_routes_allows_nothing() -> None:
    assert router("GET /a").allowed("/b") == ()


@pytest.mark.parametrize("method", ["", "G T", "GET\r\n", "GÉT", "GET/", ":ws", "a,b"])
def test_a_method_is_a_token(method: str) -> None:
    """RFC 9110 §5.6.2."""
    with pytest.raises(ValueError) as caught:
        Route(method, Pattern.parse("/"), "handler", "app.py:1")
    assert str(caught.value) == f"{method!r} is no method: a method is a token (RFC 9110 §5.6.2)"


def test_a_websocket_shares_its_path_with_get() -> None:
    table = router(":websocket /a", "GET /a", ":websocket /:x")
    assert found(table.match(WEBSOCKET, "/a")) == ":websocket /a"
    assert found(table.match("GET", "/a")) == "GET /a"
    assert table.match(WEBSOCKET, "/b") == Match(route(":websocket /:x"), (("x", "b"),))


def test_a_websocket_is_found_under_its_own_name_only() -> None:
    table = router(":websocket /a", "POST /b")
    assert table.match("GET", "/a") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))
    assert table.match("HEAD", "/a") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))
    assert table.match(WEBSOCKET, "/b") == MethodNotAllowed(("OPTIONS", "POST"))
    assert table.allowed("/a") == ("GET", "HEAD", "OPTIONS")


# ------------------------------------------------------------------------------------------------ conflicts


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("GET /a", "GET /a"),
        ("GET /a/:x", "GET /a/:y"),
        ("GET /:x/b/*/**", "GET /:y/b/*/**"),
        (":websocket /", ":websocket /"),
    ],
)
def test_a_conflict_names_both_routes_and_changes_nothing(first: str, second: str) -> None:
    table = Router[str]()
    table.add(route(first, "first.py:1"))
    with pytest.raises(ValueError) as caught:
        table.add(route("GET /new"), route(second, "second.py:2"))
    words = [line.replace(":websocket", "WebSocket") for line in (second, first)]
    assert str(caught.value) == f"{words[0]} at second.py:2 conflicts with {words[1]} at first.py:1"
    assert list(table) == [route(first, "first.py:1")]
    assert table.match("GET", "/new") == router(first).match("GET", "/new")


def test_routes_added_together_conflict_too() -> None:
    table = Router[str]()
    with pytest.raises(ValueError) as caught:
        table.add(route("GET /:a", "a.py:1"), route("GET /:b", "b.py:1"))
    assert str(caught.value) == "GET /:b at b.py:1 conflicts with GET /:a at a.py:1"
    assert len(table) == 0


def test_kinds_of_segments_do_not_conflict() -> None:
    assert len(router("GET /a", "GET /A", "GET /:a", "GET /*", "GET /**", "GET /a/", "POST /a")) == 7


def test_a_router_lists_its_routes_in_order() -> None:
    lines = ["GET /b", "POST /a", "GET /a"]
    assert [entry.handler for entry in router(*lines)] == lines


# ----------------------------------------------------------------------------------------------------- case


def test_case_may_be_ignored_in_constants_only() -> None:
    table = router("GET /Rooms/:room", "GET /Café", "GET /HELP", case_sensitive=False)
    assert table.match("GET", "/rOOMS/Hall") == Match(route("GET /Rooms/:room"), (("room", "Hall"),))
    assert found(table.match("GET", "/CAF%C3%89")) == "GET /Café"
    assert found(table.match("GET", "/help")) == "GET /HELP"
    assert table.match("get", "/help") == MethodNotAllowed(("GET", "HEAD", "OPTIONS"))


def test_folding_makes_no_good_path_of_a_bad_one() -> None:
    """The Kelvin sign folds to an ASCII letter, but unescaped it is no part of a path (RFC 3986 §2)."""
    table = router("GET /k", case_sensitive=False)
    assert table.match("GET", "/\N{KELVIN SIGN}") == BadPath("the path is not ASCII")
    assert found(table.match("GET", "/%E2%84%AA")) == "GET /k"


def test_folding_may_change_the_length() -> None:
    table = router("GET /Straße", case_sensitive=False)
    assert found(table.match("GET", "/STRASSE")) == "GET /Straße"
    assert found(table.match("GET", "/stra%C3%9Fe")) == "GET /Straße"


def test_case_may_be_decided_after_the_routes() -> None:
    table = router("GET /a", "GET /:x/B")
    assert table.case_sensitive
    assert table.match("GET", "/A") == NotFound()
    table.case_sensitive = False
    assert not table.case_sensitive
    assert found(table.match("GET", "/A")) == "GET /a"
    assert found(table.match("GET", "/1/b")) == "GET /:x/B"
    table.case_sensitive = True
    assert table.match("GET", "/A") == NotFound()
    assert [entry.handler for entry in table] == ["GET /a", "GET /:x/B"]


def test_routes_that_case_told_apart_conflict_without_it() -> None:
    table = Router[str]()
    table.add(route("GET /a/:x", "first.py:1"), route("GET /A/:y", "second.py:2"))
    with pytest.raises(ValueError) as caught:
        table.case_sensitive = False
    assert str(caught.value) == "GET /A/:y at second.py:2 conflicts with GET /a/:x at first.py:1"
    assert table.case_sensitive
    assert found(table.match("GET", "/A/1")) == "GET /A/:y"


def test_without_case_a_later_route_conflicts() -> None:
    table = router("GET /a", case_sensitive=False)
    with pytest.raises(ValueError) as caught:
        table.add(route("GET /A", "second.py:2"))
    assert str(caught.value) == "GET /A at second.py:2 conflicts with GET /a at app.py:1"


# ----------------------------------------------------------------------------- against the naive way to do it

SEGMENTS: st.SearchStrategy[Segment] = st.one_of(
    st.sampled_from(["", "a", "b", "A", "é"]).map(Constant),
    st.sampled_from(["x", "y"]).map(Parameter),
    st.just(Wildcard()),
)
LAST: st.SearchStrategy[Segment] = st.one_of(SEGMENTS, st.just(Rest()))
PATTERNS = st.tuples(st.lists(SEGMENTS, max_size=3), LAST).map(lambda drawn: Pattern((*drawn[0], drawn[1])))
METHODS = ["GET", "HEAD", "POST", WEBSOCKET]
ROUTES = st.lists(st.tuples(st.sampled_from(METHODS), PATTERNS), max_size=8)
PATHS = st.lists(st.sampled_from(["", "a", "b", "A", "%61", "%C3%A9", "c"]), min_size=1, max_size=4).map(
    lambda segments: "".join(f"/{segment}" for segment in segments)
)
RANKS = {Constant: 0, Parameter: 1, Wildcard: 2, Rest: 3}


def takes(pattern: Sequence[Segment], path: Sequence[str], case_sensitive: bool) -> bool:
    """Say by the words of the specification whether a pattern takes a path."""
    if not pattern or not path:
        return not pattern and not path
    match pattern[0]:
        case Constant(text):
            if not (text == path[0] or (not case_sensitive and text.casefold() == path[0].casefold())):
                return False
        case Rest():
            return path[0] != ""
        case Parameter() | Wildcard():
            if path[0] == "":
                return False
    return takes(pattern[1:], path[1:], case_sensitive)


def best(routes: Iterable[Route[str]], method: str, path: str, case_sensitive: bool) -> Route[str] | None:
    """Look at every route, and compare the kinds of their segments from the left."""
    asked = ["HEAD", "GET"] if method == "HEAD" else [method]
    segments = split_path(path)
    candidates = [
        route
        for route in routes
        if route.method in asked and takes(route.pattern.segments, segments, case_sensitive)
    ]
    return min(
        candidates,
        key=lambda route: (
            [RANKS[type(segment)] for segment in route.pattern.segments],
            asked.index(route.method),
        ),
        default=None,
    )


def without_conflicts(routes: Iterable[tuple[str, Pattern]], table: Router[str]) -> Router[str]:
    for method, pattern in routes:
        try:
            table.add(Route(method, pattern, "handler", "app.py:1"))
        except ValueError:
            continue
    return table


@given(routes=ROUTES, method=st.sampled_from(METHODS), path=PATHS, case_sensitive=st.booleans())
def test_the_tree_finds_what_looking_at_every_route_finds(
    routes: list[tuple[str, Pattern]], method: str, path: str, case_sensitive: bool
) -> None:
    table = without_conflicts(routes, Router(case_sensitive=case_sensitive))
    answer = table.match(method, path)
    expected = best(table, method, path, case_sensitive)
    if expected is not None:
        assert answer == Match(expected, *expected.pattern.capture(split_path(path)))
        return
    methods = {
        route.method for route in table if takes(route.pattern.segments, split_path(path), case_sensitive)
    }
    assert isinstance(answer, MethodNotAllowed) == bool(methods)
    assert isinstance(answer, NotFound) == (not methods)


@given(routes=ROUTES, path=PATHS, case_sensitive=st.booleans())
def test_allow_lists_every_method_that_a_match_would_find(
    routes: list[tuple[str, Pattern]], path: str, case_sensitive: bool
) -> None:
    table = without_conflicts(routes, Router(case_sensitive=case_sensitive))
    found_by = {method for method in METHODS if isinstance(table.match(method, path), Match)}
    expected = {"GET" if method == WEBSOCKET else method for method in found_by}
    expected |= {"HEAD"} if "GET" in expected else set()
    expected |= {"OPTIONS"} if expected else set()
    assert table.allowed(path) == tuple(sorted(expected))
    answer = table.match("BREW", path)
    assert answer == (MethodNotAllowed(tuple(sorted(expected))) if expected else NotFound())


@given(routes=ROUTES, path=PATHS, data=st.data())
def test_the_order_of_registration_does_not_matter(
    routes: list[tuple[str, Pattern]], path: str, data: st.DataObject
) -> None:
    table = without_conflicts(routes, Router())
    shuffled = Router[str]()
    shuffled.add(*data.draw(st.permutations(list(table))))
    for method in METHODS:
        assert shuffled.match(method, path) == table.match(method, path)


def renamed(pattern: Pattern) -> Pattern:
    return Pattern(
        tuple(Parameter("z") if isinstance(part, Parameter) else part for part in pattern.segments)
    )


@given(routes=ROUTES.filter(bool), path=PATHS, data=st.data())
def test_a_conflict_leaves_every_answer_as_it_was(
    routes: list[tuple[str, Pattern]], path: str, data: st.DataObject
) -> None:
    table = without_conflicts(routes, Router())
    before = [table.match(method, path) for method in METHODS]
    earlier = data.draw(st.sampled_from(list(table)))
    with pytest.raises(ValueError) as caught:
        table.add(Route("BREW", renamed(earlier.pattern), "new", "app.py:2"), earlier)
    assert str(caught.value) == f"{earlier} conflicts with {earlier}"
    with pytest.raises(ValueError):
        table.add(Route(earlier.method, renamed(earlier.pattern), "new", "app.py:2"))
    assert [table.match(method, path) for method in METHODS] == before
    assert not isinstance(table.match("BREW", path), Match)


# ----------------------------------------------------------------------------------------------------- cost


def steps(work: Callable[[], object]) -> int:
    """Count the calls that some work makes, of functions and of built-in ones: a measure of it without a clock."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    earlier = sys.getprofile()
    gc.disable()  # Hypothesis listens to the collector, which may come at any time
    sys.setprofile(profile)
    try:
        work()
    finally:
        sys.setprofile(earlier)
        gc.enable()
    return count


@cache
def large(size: int) -> Router[str]:
    table = Router[str]()
    for number in range(size):
        table.add(
            *(route(f"GET {path}") for path in (f"/c/{number}", f"/r{number}/:x/a/*", f"/s/:x/{number}"))
        )
    return table


@pytest.mark.parametrize("path", ["/c/3", "/c/%33", "/r3/1/a/2", "/s/1/3", "/s/1/nowhere", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_ten_thousand_routes_cost_what_ten_cost(method: str, path: str) -> None:
    few, many = large(4), large(3334)
    assert many.match(method, path) == few.match(method, path)
    assert steps(lambda: many.match(method, path)) == steps(lambda: few.match(method, path))


def test_a_path_of_constants_costs_the_same_however_deep_it_is() -> None:
    """It is looked up whole, and not segment by segment."""
    table = router("GET /a", "GET /a/b/c/d/e/f", "GET /:x/b/c")
    assert steps(lambda: table.match("GET", "/a/b/c/d/e/f")) == steps(lambda: table.match("GET", "/a"))


@pytest.mark.parametrize("path", ["/a/a/a/a/a/a/y", "/a/a/a/a/a/a/a/a"])
def test_going_back_visits_each_node_once(path: str) -> None:
    """All 729 ways to write six segments, and a path that goes wrong at the end of each."""
    table = router(*(f"GET /{'/'.join(ways)}/x" for ways in product(["a", ":x", "*"], repeat=6)))
    nodes = sum(3**depth for depth in range(7)) + 3**6
    assert table.match("GET", path) == NotFound()
    assert steps(lambda: table.match("GET", path)) < 12 * nodes


def test_what_going_back_costs_grows_with_the_routes_and_not_with_their_combinations() -> None:
    """One way back at each of n segments: 2 to the n ways to choose, but only n branches."""

    def cost(size: int) -> int:
        table = router(
            *(f"GET {'/a' * depth}/:x{'/a' * (size - depth)}/end" for depth in range(size)),
        )
        assert table.match("GET", "/a" * (size + 1) + "/wrong") == NotFound()
        return steps(lambda: table.match("GET", "/a" * (size + 1) + "/wrong"))

    # Twice as deep is four times the nodes.
    assert cost(40) < 5 * cost(20)


def test_a_longer_path_costs_nothing_below_the_last_route() -> None:
    table = router("GET /:x/a/:y", "GET /*/*/*", "GET /a/a/a/a")
    assert steps(lambda: table.match("GET", "/a" * 10_000)) == steps(lambda: table.match("GET", "/a" * 10))


def test_escapes_cost_in_proportion() -> None:
    table = router("GET /**")
    hundred = steps(lambda: table.match("GET", "/%61" * 100))
    assert steps(lambda: table.match("GET", "/%61" * 200)) < 2 * hundred


def test_a_pattern_may_be_deeper_than_the_stack() -> None:
    path = "/:x" * 5_000
    table = router(f"GET {path}")
    answer = table.match("GET", "/a" * 5_000)
    assert isinstance(answer, Match)
    assert answer.params == (("x", "a"),) * 5_000


def test_a_router_knows_what_a_route_would_conflict_with() -> None:
    table = Router[str]()
    route = Route("GET", Pattern.parse("/a/:x"), "handler", "here")
    table.add(route)
    assert table.registered("GET", Pattern.parse("/a/:y")) is route
    assert table.registered("POST", Pattern.parse("/a/:y")) is None
    assert table.registered("GET", Pattern.parse("/a/*")) is None
