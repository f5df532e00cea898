"""What was delivered of messages and is not yet consumed: the credit of receiving.

Reading pauses while so many complete messages, or so many bytes, wait to be released. A piece of a message counts
as soon as it is delivered, a whole message when it is complete: while it is coming in it does not stop itself.
"""

from __future__ import annotations

from spry_core.protocol.limits import Limits


class Account:
    """Messages and pieces delivered, oldest first, and how much of them is released."""

    __slots__ = ("_complete", "_entries", "_limits", "_unreleased", "messages", "size")

    def __init__(self, limits: Limits) -> None:
        self.messages: int = 0
        """Complete messages delivered, ever."""
        self.size: int = 0
        """Bytes of messages and of pieces delivered, ever."""
        self._limits = limits
        self._entries: list[tuple[int, bool]] = []  # bytes, and whether a message is complete with them
        self._unreleased = 0
        self._complete = 0

    @property
    def is_empty(self) -> bool:
        """True when everything is released."""
        return not self._entries

    @property
    def is_full(self) -> bool:
        """True while enough is unreleased."""
        limits = self._limits
        return self._complete >= limits.max_queue or self._unreleased >= limits.max_queue_size

    @property
    def room(self) -> int:
        """Bytes that may still be delivered before it is full."""
        return max(self._limits.max_queue_size - self._unreleased, 0)

    def add(self, size: int, *, completes: bool) -> None:
        """Take note that `size` bytes were delivered, with which a message is complete or not."""
        self.messages += completes
        self.size += size
        self._unreleased += size
        self._complete += completes
        if self._entries and not completes and not self._entries[-1][1]:
            # Of a message that drips in it would hold an entry for every few bytes.
            size += self._entries.pop()[0]
        self._entries.append((size, completes))

    def release(self, n: int) -> None:
        """Take note that `n` bytes were consumed, oldest first; 0 stands for an entry that has none."""
        entries = self._entries
        while entries and n >= entries[0][0]:
            size, completes = entries.pop(0)
            self._unreleased -= size
            self._complete -= completes
            n -= size
            if not n:
                return
        if n and entries:
            size, completes = entries[0]
            entries[0] = size - n, completes
            self._unreleased -= n
