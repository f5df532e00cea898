"""Patterns of routes, tables of them without a conflict, and paths that a pattern takes."""

from __future__ import annotations

from typing import Final, TypeAlias
from urllib.parse import quote

from hypothesis import strategies as st

from spry_core.routing.pattern import Constant, Parameter, Pattern, Rest, Segment, Wildcard
from spry_core.testing.strategies.targets import texts

ROUTE_METHODS: Final = ("GET", "POST", "PUT", "DELETE")

RouteRow: TypeAlias = tuple[str, Pattern]
"""A method and a pattern."""


COMMON: Final[tuple[Segment, ...]] = (
    *(Constant("a"), Constant("b"), Parameter("x"), Wildcard()),
    *(Constant(""), Constant("A"), Constant("é"), Parameter("y")),
)
"""Few and short, so that the routes of a table meet."""


def constants() -> st.SearchStrategy[Constant]:
    """Give constant segments of patterns, of any text that one may have."""
    return texts().filter(lambda text: not ("/" in text or "*" in text or text.startswith(":"))).map(Constant)


def parameters() -> st.SearchStrategy[Parameter]:
    """Give ``:name``."""
    return st.from_regex(r"[a-z_é][a-z0-9_-]{0,5}", fullmatch=True).map(Parameter)


def patterns(*, max_segments: int = 4) -> st.SearchStrategy[Pattern]:
    """Give patterns of every kind of segment, ``**`` only at the end; the simplest is ``/a``."""
    common: st.SearchStrategy[Segment] = st.sampled_from(COMMON)
    inner: st.SearchStrategy[Segment] = st.one_of(common, common, constants(), parameters())
    last: st.SearchStrategy[Segment] = st.one_of(common, st.sampled_from((COMMON[0], Rest())), inner)
    rows = st.tuples(st.lists(inner, max_size=max_segments - 1), last)
    return rows.map(lambda row: Pattern((*row[0], row[1])))


def route_tables(
    *, methods: tuple[str, ...] = ROUTE_METHODS, max_size: int = 8
) -> st.SearchStrategy[list[RouteRow]]:
    """Give rows of method and pattern of which no two conflict, in any order; the simplest has none.

    Two conflict if they have the same method and take the same paths: names of parameters, and letters that differ in case
    alone, do not tell them apart, so a table may be case-sensitive or not.
    """
    rows = st.tuples(st.sampled_from(methods), patterns())
    return st.lists(rows, max_size=max_size, unique_by=lambda row: (row[0], _shape(row[1])))


@st.composite
def paths_of(draw: st.DrawFn, pattern: Pattern) -> str:
    """Give paths, as they are sent, that `pattern` takes when it stands alone."""
    segments = list[str]()
    for segment in pattern.segments:
        if isinstance(segment, Constant):
            segments.append(segment.text)
        else:
            segments.append(draw(texts().filter(bool)))
            if isinstance(segment, Rest):
                segments += draw(st.lists(texts(), max_size=2))
    return "".join(f"/{quote(each, safe=draw(st.sampled_from(('', '~@:'))))}" for each in segments)


def _shape(pattern: Pattern) -> tuple[str, ...]:
    return tuple(
        ":" if isinstance(segment, Parameter) else str(segment).casefold() for segment in pattern.segments
    )
