"""Byte streams in memory: two pipes, one for each direction.

A pipe holds what was written and not yet read, and how it ends. It behaves as TCP does where that can be seen: what is written
is taken at once, by a writer that keeps to a window of unread bytes; an end of stream comes after the bytes; a reset overtakes
them, and it is what a writer gets whose reader has gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final


def _nobody() -> None:
    """Wake nobody."""


class Pipe:
    """One direction of a stream."""

    def __init__(self) -> None:
        self._unread = bytearray()
        self._has_reader = True
        self._back: Pipe | None = None
        self.is_finished: bool = False
        """True when the writer has ended it; what is unread is still there."""
        self.is_reset: bool = False
        """True when the stream was cut: nothing is left to read."""
        self.wake_reader: Callable[[], None] = _nobody
        """Called when there is something new to see for the reader."""
        self.wake_writer: Callable[[], None] = _nobody
        """Called when the reader has made room."""

    def join(self, back: Pipe) -> None:
        """Say which pipe leads the other way: a writer learns there that its reader has gone."""
        self._back = back

    def __len__(self) -> int:
        """Count the bytes written and not yet read."""
        return len(self._unread)

    def write(self, data: bytes) -> None:
        """Append `data`; if nobody reads any more, the writer is reset."""
        if not self._has_reader:
            self._reset_writer()
        elif not self.is_reset:
            self._unread += data
            self.wake_reader()

    def read(self, size: int) -> bytes:
        """Take at most `size` bytes; none if there are none."""
        data = bytes(self._unread[:size])
        del self._unread[:size]
        if data:
            self.wake_writer()
        return data

    def finish(self) -> None:
        """End it behind what is unread, for the writer."""
        self.is_finished = True
        self.wake_reader()

    def abandon(self) -> None:
        """Read no more, for the reader. What is unread then is lost, and the writer reset (RFC 9112 §9.6 warns of it)."""
        self._has_reader = False
        if self._unread:
            self._unread.clear()
            self._reset_writer()

    def reset(self) -> None:
        """Cut it: what is unread is lost."""
        self.is_reset = True
        self._unread.clear()
        self.wake_reader()

    def _reset_writer(self) -> None:
        if self._back is not None:
            self._back.reset()


class End:
    """One end of a stream: the pipe to read from and the pipe to write to."""

    def __init__(self, incoming: Pipe, outgoing: Pipe) -> None:
        self.incoming: Final = incoming
        """What the other end has written."""
        self.outgoing: Final = outgoing
        """What the other end will read."""

    def close(self) -> None:
        """End both directions: the other end reads what is on its way, then the end."""
        self.outgoing.finish()
        self.incoming.abandon()

    def reset(self) -> None:
        """Cut both directions at once."""
        self.outgoing.reset()
        self.incoming.abandon()


def stream() -> tuple[End, End]:
    """Make a stream and return its two ends."""
    there, back = Pipe(), Pipe()
    there.join(back)
    back.join(there)
    return End(back, there), End(there, back)
