"""Tests of `spry_core.testing.strategies.routes`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drawn import Productions, few, missing, simplest
from spry_core.routing import Constant, Match, Parameter, Pattern, Rest, Route, Router, Wildcard, split_path
from spry_core.testing.strategies import RouteRow, constants, parameters, paths_of, patterns, route_tables


@few
@given(patterns())
def test_a_pattern_is_written_as_it_is_read(pattern: Pattern) -> None:
    assert Pattern.parse(str(pattern)) == pattern


@few
@given(patterns().flatmap(lambda pattern: st.tuples(st.just(pattern), paths_of(pattern))))
def test_a_pattern_takes_its_paths(drawn: tuple[Pattern, str]) -> None:
    pattern, path = drawn
    table = Router[str]()
    table.add(Route("GET", pattern, "handler", "here"))
    match = table.match("GET", path)
    assert isinstance(match, Match)
    assert (match.params, match.catchall) == pattern.capture(split_path(path))


@few
@given(route_tables(), st.booleans())
def test_no_two_rows_of_a_table_conflict(rows: list[RouteRow], case_sensitive: bool) -> None:
    table = Router[str](case_sensitive=case_sensitive)
    table.add(*(Route(method, pattern, "handler", "here") for method, pattern in rows))
    assert len(list(table)) == len(rows)


def test_the_simplest_are_short() -> None:
    assert simplest(patterns()) == Pattern.parse("/a")
    assert simplest(route_tables()) == []
    assert simplest(route_tables(), bool) == [("GET", Pattern.parse("/a"))]
    assert simplest(paths_of(Pattern.parse("/a/:x"))) == "/a/0"
    assert simplest(constants()) == Constant("")
    assert isinstance(simplest(parameters()), Parameter)


def test_every_kind_of_segment_comes_up() -> None:
    shows: Productions[Pattern] = {
        "a wildcard": lambda pattern: Wildcard() in pattern.segments,
        "the rest": lambda pattern: pattern.segments[-1] == Rest() and len(pattern.segments) > 1,
        "a parameter": lambda pattern: any(isinstance(each, Parameter) for each in pattern.segments),
        "an empty segment": lambda pattern: Constant("") in pattern.segments,
        "any text": lambda pattern: any(
            isinstance(each, Constant) and len(each.text) > 2 for each in pattern.segments
        ),
        "four segments": lambda pattern: len(pattern.segments) == 4,
    }
    assert missing(patterns(), shows) == set()


def test_tables_have_rows_that_meet() -> None:
    shows: Productions[list[RouteRow]] = {
        "two methods of one pattern": lambda rows: len({pattern for _, pattern in rows}) < len(rows),
        "a constant beside a parameter": lambda rows: {str(pattern) for _, pattern in rows} >= {"/a", "/:x"},
        "many": lambda rows: len(rows) >= 6,
    }
    assert missing(route_tables(), shows) == set()
