"""Tests of `spry_core.testing.strategies.cuts`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from drawn import examples, few, simplest
from spry_core.testing.strategies import Cut, cuts, cutters
from spry_core.testing.strategies.cuts import Cutter, cut_at


@few
@given(st.binary(max_size=30).flatmap(lambda data: st.tuples(st.just(data), cuts(data))))
def test_the_pieces_of_a_cut_are_the_whole_and_none_is_empty(drawn: tuple[bytes, list[bytes]]) -> None:
    data, pieces = drawn
    assert b"".join(pieces) == data
    assert all(pieces)


def test_the_simplest_cut_is_none() -> None:
    assert simplest(cuts(b"abcdef")) == [b"abcdef"]
    assert simplest(cuts(b"abcdef"), lambda pieces: len(pieces) == 2) == [b"a", b"bcdef"]
    assert simplest(cuts(b"")) == []


def test_single_bytes_and_every_place_come_up() -> None:
    drawn = examples(cuts(b"abcd"))
    assert [b"a", b"b", b"c", b"d"] in drawn
    assert {len(pieces[0]) for pieces in drawn} == {1, 2, 3, 4}
    assert max(len(pieces) for pieces in examples(cuts(bytes(100), max_pieces=3)) if len(pieces) < 100) == 3


def test_places_beyond_the_end_count_from_the_beginning() -> None:
    assert cut_at(b"abcd", [5, 2]) == [b"a", b"b", b"cd"]
    assert cut_at(b"", [5]) == []


def test_a_cutter_goes_on_where_it_stopped() -> None:
    cut = Cutter([1, 3])
    assert cut(b"abcdef") == [b"a", b"bcd", b"e", b"f"]
    assert cut(b"ghij") == [b"g", b"hij"]
    assert repr(cut) == "Cutter([1, 3])"


@few
@given(cutters(), st.binary(max_size=50))
def test_a_cutter_loses_nothing(cut: Cut, data: bytes) -> None:
    pieces = cut(data)
    assert b"".join(pieces) == data
    assert all(pieces)


def test_the_simplest_cutter_cuts_nothing() -> None:
    assert simplest(cutters())(b"abc") == [b"abc"]
    assert simplest(cutters(), lambda cut: len(cut(b"abc")) > 1)(b"abc") == [b"a", b"b", b"c"]
