"""Ways to cut a stream of bytes: where packets end is chance, so it must not matter (RFC 9112 §2.2, RFC 6455 §5.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle, pairwise
from typing import TypeAlias

from hypothesis import strategies as st

Cut: TypeAlias = Callable[[bytes], list[bytes]]
"""Cuts bytes into pieces, none of them empty."""


def cut_at(data: bytes, places: Sequence[int]) -> list[bytes]:
    """Cut at these places; one that is beyond the end counts from the beginning again."""
    edges = sorted({0, len(data), *(place % (len(data) or 1) for place in places)})
    return [data[start:end] for start, end in pairwise(edges)]


def cuts(data: bytes, *, max_pieces: int = 12) -> st.SearchStrategy[list[bytes]]:
    """Give every way to cut `data` into at most `max_pieces` pieces. The simplest is not to cut; no piece is empty.

    Every third example or so is cut into single bytes instead, which finds most of what any cut finds.
    """
    places = st.lists(st.integers(0, max(len(data) - 1, 0)), max_size=max_pieces - 1)
    is_fine = st.integers(0, 2).map(lambda number: number == 2)
    every = range(len(data))
    return st.tuples(places, is_fine).map(lambda drawn: cut_at(data, every if drawn[1] else drawn[0]))


class Cutter:
    """Cuts any bytes into pieces of the same sizes, over and over again."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes: tuple[int, ...] = tuple(sizes)
        self._turn = cycle(self.sizes)

    def __call__(self, data: bytes) -> list[bytes]:
        """Cut `data`; the sizes go on where the last call has stopped. No sizes cut nothing."""
        pieces = list[bytes]()
        while data:
            size = next(self._turn, len(data))
            pieces.append(data[:size])
            data = data[size:]
        return pieces

    def __repr__(self) -> str:
        return f"Cutter({list(self.sizes)})"


def cutters(*, max_size: int = 40) -> st.SearchStrategy[Cut]:
    """Give functions that cut bytes which are not known yet, such as answers. The simplest cuts nothing.

    Args:
        max_size: Bytes of the longest piece, of those that cut at all.
    """
    return st.lists(st.integers(1, max_size), max_size=6).map(Cutter)
