"""One message of a WebSocket that is read piece by piece: as far as it has come, and what its pieces count for."""

from __future__ import annotations

from typing import Final, cast

from spry_core.protocol.events import Kind

_SMALL: Final = 1024
"""Bytes or characters below which a waiting piece takes in the next one: of a message that drips in there would else be
an object for every few bytes."""


class Arrival:
    """One message, as far as it has come and is not taken."""

    __slots__ = ("_joined", "has_end", "is_complete", "is_dropped", "is_over", "kind", "pieces")

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self.pieces: list[str | bytes] = []
        """What has come, of at least one byte each."""
        self.is_complete: bool = False
        """True when no more pieces will come."""
        self.is_over: bool = False
        """True when its end was taken too."""
        self.is_dropped: bool = False
        """True when nobody will get the rest of it."""
        self.has_end: bool = True
        """True if its end is an entry of its own in the connection's account."""
        self._joined = bytearray()

    @classmethod
    def of(cls, message: str | bytes) -> Arrival:
        """Make one of a message that came whole: one piece, or none if it is empty."""
        arrival = cls("text" if isinstance(message, str) else "binary")
        arrival.is_complete = True
        if message:
            arrival.pieces.append(message)
            arrival.has_end = False  # the account knows only the whole
        return arrival

    @property
    def joined_size(self) -> int:
        """Bytes that `join` has put together so far."""
        return len(self._joined)

    def add(self, piece: str | bytes) -> None:
        """Take one more piece."""
        last = self.pieces[-1] if self.pieces else None
        if last is None or len(last) >= _SMALL:
            self.pieces.append(piece)
        else:  # both are of the kind of this message
            self.pieces[-1] = cast("bytes", last) + cast("bytes", piece)

    def join(self) -> list[int]:
        """Put what has come behind what was joined before; return its sizes."""
        sizes = list[int]()
        while self.pieces:
            piece = self.pieces.pop(0)
            data = piece.encode() if isinstance(piece, str) else piece
            self._joined += data
            sizes.append(len(data))
        return sizes

    def take_joined(self) -> str | bytes:
        """Return what was joined."""
        joined, self._joined = self._joined, bytearray()
        return joined.decode() if self.kind == "text" else bytes(joined)


def drop(arrival: Arrival | None) -> list[int]:
    """Give up the rest of an arrival; return what it takes to pay for it."""
    if arrival is None:
        return []
    arrival.is_dropped = True
    sizes = [size_of(piece) for piece in arrival.pieces]
    arrival.pieces.clear()
    if arrival.is_complete and arrival.has_end:
        sizes.append(0)
    return sizes


def size_of(data: str | bytes) -> int:
    """Return the payload bytes of a message, or a piece, as the connection counts them."""
    if isinstance(data, bytes) or data.isascii():
        return len(data)
    return len(data.encode())
