"""Tests of `spry_core.web.arrival`: one message, as far as it has come."""

from __future__ import annotations

import pytest

from spry_core.web.arrival import Arrival, drop, size_of


@pytest.mark.parametrize(
    ("message", "kind", "pieces"),
    [("one", "text", ["one"]), (b"one", "binary", [b"one"]), ("", "text", []), (b"", "binary", [])],
)
def test_a_message_that_came_whole_is_one_piece(
    message: str | bytes, kind: str, pieces: list[str | bytes]
) -> None:
    """None if it is empty; the end is no entry of its own then but for that one."""
    arrival = Arrival.of(message)
    assert (arrival.kind, arrival.pieces, arrival.is_complete) == (kind, pieces, True)
    assert arrival.has_end is (not pieces)


def test_short_pieces_are_put_together_and_long_ones_are_not() -> None:
    """Of a message that drips in each byte would else be an object."""
    arrival = Arrival("text")
    for piece in ("a", "b", "c" * 1022, "d", "e"):
        arrival.add(piece)
    assert arrival.pieces == ["ab" + "c" * 1022, "de"]


def test_what_has_come_is_joined_and_taken() -> None:
    arrival = Arrival("text")
    for piece in ("é" * 600, "ü"):
        arrival.add(piece)
    assert (arrival.join(), arrival.pieces, arrival.joined_size) == ([1202], [], 1202)
    arrival.add("x")
    assert (arrival.join(), arrival.take_joined(), arrival.joined_size) == ([1], "é" * 600 + "üx", 0)
    binary = Arrival("binary")
    binary.add(b"\xff")
    assert (binary.join(), binary.take_joined()) == ([1], b"\xff")


def test_what_is_dropped_is_paid_for() -> None:
    """Its end too, if that has come and is an entry of its own."""
    assert drop(None) == []
    arrival = Arrival("text")
    arrival.add("é")
    assert (drop(arrival), arrival.is_dropped, arrival.pieces) == ([2], True, [])
    arrival.is_complete = True
    assert drop(arrival) == [0]
    assert drop(Arrival.of("whole")) == [5]


@pytest.mark.parametrize(("data", "size"), [("", 0), ("abc", 3), ("é€", 5), (b"\x00\xff", 2)])
def test_a_text_counts_the_bytes_that_came(data: str | bytes, size: int) -> None:
    assert size_of(data) == size
