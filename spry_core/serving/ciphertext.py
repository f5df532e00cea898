"""Ciphertext on its way out, and what of it is the session's: the accounts behind TLS's backpressure and write deadline."""

from __future__ import annotations

from collections import deque


class Ciphertext:
    """What TLS has made: first until the pump fetches it, then until the transport has taken it."""

    def __init__(self, timeout: float | None) -> None:
        """Begin empty; `timeout` is `Timeouts.write`, in seconds."""
        self.deadline: float | None = None
        """When the transport must have taken something; None while nothing is unsent."""
        self.own: int = 0
        """Unsent bytes that carry nothing of the session's: handshake, tickets, key updates, alerts."""
        self._timeout = timeout
        self._ready: list[bytes] = []
        self._unsent: deque[_Part] = deque()

    def add(self, data: bytes, plaintext: int, now: float) -> None:
        """Take what was made in one go, and how many bytes of the session's it carries."""
        if not data:
            return
        if not self._unsent:
            self._set_deadline(now)
        self._ready.append(data)
        self._unsent.append(_Part(len(data), plaintext))
        if not plaintext:
            self.own += len(data)

    def fetch(self) -> list[bytes]:
        """Hand over what is ready, each byte once."""
        ready, self._ready = self._ready, []
        return ready

    def give_up(self) -> None:
        """Drop what was not fetched: nothing more will be written, and time changes nothing more."""
        self._ready.clear()
        self.deadline = None

    def take(self, n: int, now: float) -> int:
        """Take note that the transport took `n` bytes; return how much of the session's has surely gone with them."""
        gone = 0
        while n:
            part = self._unsent[0]
            taken = min(n, part.size)
            n -= taken
            gone += part.take(taken)
            if part.is_own:
                self.own -= taken
            if not part.size:
                self._unsent.popleft()
        if self._unsent:
            self._set_deadline(now)
        else:
            self.deadline = None
        return gone

    def _set_deadline(self, now: float) -> None:
        self.deadline = None if self._timeout is None else now + self._timeout


class _Part:
    """Ciphertext that was made in one go, and what it carries."""

    __slots__ = ("_plaintext", "is_own", "size")

    def __init__(self, size: int, plaintext: int) -> None:
        self.size = size
        self.is_own = not plaintext
        self._plaintext = plaintext

    def take(self, n: int) -> int:
        """Take away `n` bytes that have gone; return how much plaintext has surely gone with them.

        What TLS has added counts as standing in front, so this is never too much, and every byte counts as progress.
        """
        self.size -= n
        left = min(self._plaintext, self.size)
        gone, self._plaintext = self._plaintext - left, left
        return gone
