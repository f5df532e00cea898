"""A machine that is a peer which reads when it likes: backpressure, bounded memory, nothing lost (RFC 6455)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from spry_core.testing.machines.harness import Machine, Steps
from spry_core.testing.machines.line import Line, frame_of
from spry_core.testing.pump import WINDOW


class SlowReader(Machine):
    """A peer of one WebSocket that sends on, and reads only now and then.

    Say what your handler answers, and the machine finds an answer that is lost or out of order once the peer reads again, a
    server that takes and takes though nobody reads what it answers, or one that waits for such a peer for ever.
    """

    max_unread: int = 1024 * 1024
    """Bytes that the server may have taken from the peer and not answered while the peer does not read."""

    def messages(self) -> st.SearchStrategy[str | bytes]:
        """Give the messages that the peer may send: small ones, and some that fill a window."""
        sizes = st.sampled_from((0, 1, 1000, 30_000, 100_000))
        return sizes.map(lambda size: "x" * size) | sizes.map(bytes)

    def expected(self, message: str | bytes) -> Sequence[str | bytes]:
        """Return the messages with which the handler answers this one, in order."""
        raise NotImplementedError(f"{type(self).__name__}.expected says what is answered to a message")


class SlowSteps(Steps[SlowReader]):
    """The steps of that peer."""

    def __init__(self, model: SlowReader) -> None:
        super().__init__(model)
        self._open()

    def _open(self) -> None:
        self.line: Line = Line(self.client, self.model.target)
        self.expected: list[str | bytes] = []
        """All messages that the server must send, in order."""
        self.silent: float = 0.0
        """Seconds for which the peer has not read."""
        self.stuck: float = 0.0
        """Seconds for which answers have waited for it besides: only those does the server judge."""
        self.sent: int = 0
        """Bytes of payload that the peer has sent."""
        self.may_be_cut: bool = False
        """True if the peer has been silent for so long that the server may give it up."""
        self.is_cut: bool = False
        """True if the server has given up."""

    def _is_reading(self) -> bool:
        return self.line.peer.is_reading

    @precondition(lambda self: not self.is_cut)
    @rule(data=st.data())
    def send(self, data: st.DataObject) -> None:
        """Send a message, whether the answers are read or not."""
        message = data.draw(self.model.messages(), label="message")
        frame = frame_of(message)
        self.sent += len(frame.payload)
        self.line.send(frame)
        self.expected.extend(self.model.expected(message))
        self.check()

    @precondition(lambda self: not self.is_cut and self._is_reading())
    @rule()
    def stop_reading(self) -> None:
        """Read nothing from now on."""
        self.line.peer.is_reading = False

    @precondition(lambda self: not self.is_cut and not self._is_reading())
    @rule()
    def read_again(self) -> None:
        """Read all that has come, and go on reading: every answer is there, in order."""
        self.line.peer.is_reading = True
        self.silent = self.stuck = 0.0
        self.check()

    @precondition(lambda self: not self.is_cut)
    @rule(seconds=st.integers(1, 20))
    def wait(self, seconds: int) -> None:
        """Let time pass; who reads nothing for `Timeouts.write` is cut."""
        for _ in range(seconds):
            self.stuck = self.stuck + 1.0 if self._has_stopped() else 0.0
            self.client.advance(1.0)
            self.line.read()
        self.silent = 0.0 if self._is_reading() else self.silent + seconds
        self.may_be_cut = self.may_be_cut or self.silent >= self._limit()
        self.check()

    def _limit(self) -> float:
        """Return the seconds after which a peer may be cut that reads nothing, and so answers no Ping either."""
        timeouts = self.model.timeouts
        write = math.inf if timeouts.write is None else timeouts.write
        if timeouts.ping_interval is None or timeouts.ping_timeout is None:
            return write
        return min(write, timeouts.ping_timeout)  # the Ping may have come when it had just stopped

    @precondition(lambda self: self.is_cut)
    @rule()
    def open_again(self) -> None:
        """Open another WebSocket, when the server has given this one up."""
        self._open()

    def check(self) -> None:
        """See that every answer comes to a peer that reads, and that no more than the bounds is held for one that does not."""
        got, wanted = self.line.read(), self.expected
        assert got == wanted[: len(got)], "an answer is lost, or out of order"
        if self.line.is_over:
            assert self.may_be_cut, "the server has ended the stream, and should not have"
            self.is_cut = True
        elif self._is_reading():
            self.wait_for(lambda: len(self.line.read()) >= len(wanted))
            missing = len(wanted) - len(self.line.read())
            assert not missing, f"{missing} answers do not come"
        else:
            self._check_bounds()
            write = self.model.timeouts.write
            is_stuck = write is not None and self.stuck > write + 1 and self._has_stopped()
            assert not is_stuck, "a peer that does not read is not cut (`Timeouts.write`)"
        self.check_log()

    def _has_stopped(self) -> bool:
        """Tell whether the server would send more than the stream takes."""
        return _size(self.expected) - _size(self.line.messages) > 2 * WINDOW

    def _check_bounds(self) -> None:
        taken = self.sent - self.line.peer.unread - _size(self.line.messages)
        assert taken <= self.model.max_unread + WINDOW, (
            f"the server has taken {taken} bytes from a peer that reads nothing"
        )

    def finish(self) -> None:
        """Read on, and see that nothing is missing."""
        if not self.is_cut:
            self.line.peer.is_reading = True
            self.check()


def _size(messages: Sequence[str | bytes]) -> int:
    """Return how many bytes of payload they are."""
    return sum(len(each.encode() if isinstance(each, str) else each) for each in messages)


SlowReader.steps = SlowSteps
