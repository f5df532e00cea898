"""What was delivered of messages and is not yet consumed: the credit of receiving.

Reading pauses while so many complete messages, or so many bytes, wait to be released. A piece of a message counts
as soon as it is delivered, a whole message when it is complete: while it is coming in it does not stop itself.
"""

from __future__ import annotations

from spry_core.protocol.limits import Limits


class Account:
    """Messages and pieces delivered, oldest first, and how much of them is released."""

    __slots__ = ("_entries", "left", "messages", "places", "size")

    def __init__(self, limits: Limits) -> None:
        self.messages: int = 0
        """Complete messages delivered, ever."""
        self.size: int = 0
        """Bytes of messages and of pieces delivered, ever."""
        self.places: int = limits.max_queue
        """Complete messages that may still be delivered before it is full; none at 0 and below."""
        self.left: int = limits.max_queue_size
        """Likewise bytes."""
        # The bytes of each, with which a message is complete; of a piece with which none is, their complement (-1 for 0).
        self._entries: list[int] = []

    @property
    def is_empty(self) -> bool:
        """True when everything is released."""
        return not self._entries

    @property
    def is_full(self) -> bool:
        """True while enough is unreleased."""
        return self.places <= 0 or self.left <= 0

    @property
    def room(self) -> int:
        """Bytes that may still be delivered before it is full."""
        return max(self.left, 0)

    def add(self, size: int, *, completes: bool) -> None:
        """Take note that `size` bytes were delivered, with which a message is complete or not."""
        self.messages += completes
        self.size += size
        self.left -= size
        self.places -= completes
        if completes:
            self._entries.append(size)
            return
        if self._entries and self._entries[-1] < 0:
            # Of a message that drips in it would hold an entry for every few bytes.
            size += ~self._entries.pop()
        self._entries.append(~size)

    def add_messages(self, sizes: list[int], total: int) -> None:
        """Take note that whole messages of these sizes were delivered, of `total` bytes together."""
        n = len(sizes)
        self.messages += n
        self.size += total
        self.left -= total
        self.places -= n
        self._entries += sizes

    def release(self, n: int) -> None:
        """Take note that `n` bytes were consumed, oldest first; 0 stands for an entry that has none."""
        entries = self._entries
        while entries and n >= (size := _size(entries[0])):
            self.left += size
            self.places += entries.pop(0) >= 0
            n -= size
            if not n:
                return
        if n and entries:
            first = entries[0]
            entries[0] = first - n if first >= 0 else first + n
            self.left += n

    def sizes(self, n: int) -> list[int]:
        """Return the bytes of the `n` oldest messages, which must have come whole."""
        return self._entries[:n]

    def release_messages(self, n: int) -> None:
        """Take note that the `n` oldest messages, which must have come whole, were consumed."""
        released = self._entries[:n]
        self.left += sum(released)
        self.places += len(released)
        del self._entries[:n]


def _size(entry: int) -> int:
    return entry if entry >= 0 else ~entry
