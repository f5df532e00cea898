"""Content that is coming in: how much is left, how much waits to be consumed, and whether it comes fast
enough.
"""

from __future__ import annotations

from spry_core.protocol.chunked import ChunkScanner
from spry_core.protocol.deadlines import Deadline
from spry_core.protocol.events import RawFields
from spry_core.protocol.head import Chunked, Framing, Length, UntilClose
from spry_core.protocol.stream import Stream


class IncomingContent:
    """The content of one message from the peer."""

    __slots__ = (
        "_chunks",
        "_is_judged",
        "_left",
        "_paused_at",
        "_received",
        "_start",
        "_stream",
        "ends_with_stream",
        "is_done",
        "unreleased",
    )

    def __init__(
        self,
        framing: Framing,
        stream: Stream,
        now: float,
        *,
        is_judged: bool = True,
        is_invited: bool = True,
        decodes: bool = False,
    ) -> None:
        """Begin with the end of the head at `now`.

        With `decodes` chunks are decoded here, and else left to the engine.
        Without `is_judged` the peer may be as slow as it likes; without `is_invited` its time begins with `invite`,
        or with the first content that comes all the same.
        """
        self._left = framing.size if isinstance(framing, Length) else None
        self._chunks = ChunkScanner(stream.limits, decodes=decodes) if isinstance(framing, Chunked) else None
        self._stream = stream
        self._is_judged = is_judged and stream.timeouts.body is not None
        self._start = now
        self._received = 0
        self._paused_at: float | None = None
        self.ends_with_stream: bool = isinstance(framing, UntilClose)
        """True if only the end of the stream ends it."""
        self.is_done: bool = self._left == 0
        """True when it is complete."""
        self.unreleased: int = 0
        """Bytes delivered and not yet consumed."""
        if not self.is_done:
            self._set_deadline(now)
        if not is_invited:
            self._pause(now)

    @property
    def trailers(self) -> RawFields:
        """The trailer section, as far as it has come."""
        return () if self._chunks is None else self._chunks.trailers

    def take_whole(self, n: int) -> bool:
        """Take the `n` bytes that come next if all of them are content as it is, with no frame around it."""
        if self._chunks is not None:
            return False
        if self._left is not None:
            if n > self._left:
                return False
            self._left -= n
            self.is_done = not self._left
        return True

    def take(self, held: bytearray) -> bytes:
        """Take out of `held` what belongs to this content, in the form that the engine wants."""
        if self._chunks is not None:
            data = self._chunks.take(held, self._stream.turn)
            self.is_done = self._chunks.is_done
            return data
        n = len(held) if self._left is None else min(self._left, len(held))
        self.take_whole(n)
        with memoryview(held) as view, view[:n] as part:  # a slice of a bytearray would be one copy more
            data = bytes(part)
        del held[:n]
        return data

    def finish(self) -> None:
        """Take note that the stream has ended, and this content with it."""
        self.is_done = True

    def invite(self, now: float) -> None:
        """Let the peer's time begin: the 100 that it waited for is on its way (RFC 9110 §10.1.1)."""
        self._look(now)

    def is_longer_than(self, n: int) -> bool:
        """Tell whether more than `n` bytes are known to be still coming."""
        return self._left is not None and self._left > n

    def count(self, n: int, now: float) -> None:
        """Take note of `n` bytes delivered."""
        self.unreleased += n
        self._received += n
        self._leave_out_pause(now)
        self._set_deadline(now)
        self._look(now)

    def release(self, n: int, now: float) -> None:
        """Take note of `n` bytes consumed."""
        self.unreleased -= min(n, self.unreleased)
        self._look(now)

    def _set_deadline(self, now: float) -> None:
        """Judge the peer by its silence and, after a while, by its rate, whichever comes first."""
        timeouts, limits = self._stream.timeouts, self._stream.limits
        if not self._is_judged or timeouts.body is None or self.is_done:
            return
        seconds = timeouts.body
        if limits.min_body_rate:
            at_rate = max(timeouts.body, self._received / limits.min_body_rate)
            seconds = min(seconds, self._start + at_rate - now)
        self._stream.deadlines.set(Deadline.BODY, now, seconds)

    def _leave_out_pause(self, now: float) -> None:
        if self._paused_at is not None:
            self._start += now - self._paused_at
            self._paused_at = now

    def _look(self, now: float) -> None:
        """Stop the clock while it is we who do not read."""
        if self.unreleased >= self._stream.limits.max_read_ahead:
            self._pause(now)
        elif self._paused_at is not None:
            self._leave_out_pause(now)
            self._paused_at = None
            self._stream.deadlines.resume(Deadline.BODY, now)

    def _pause(self, now: float) -> None:
        if self._paused_at is None:
            self._paused_at = now
        self._stream.deadlines.hold(Deadline.BODY, now)
