"""Makes recorded connections, one recording for each; what a server is given in place of `Connection`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, Protocol

from spry_core.protocol.connection import Connection
from spry_core.protocol.engines import DEFAULT_ENGINE, EngineName, Role
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.recording.connection import RecordedConnection
from spry_core.recording.redaction import Redaction

MAX_SIZE: Final = 8 * 1024 * 1024
"""Bytes of one recording, unless another limit is given."""


class Sink(Protocol):
    """Where the lines of one recording go."""

    def write(self, line: str) -> None:
        """Take one line, ASCII, without its end; may raise `OSError`."""
        ...

    def close(self) -> None:
        """Nothing more comes; may raise `OSError`."""
        ...


def say_nothing(text: str) -> None:
    """Tell nobody."""


class Recorder:
    """Makes connections as `Connection` does (same arguments), and records each of them in a sink of its own.

    Serving comes first: where a sink cannot be opened or written, the connection goes on without a recording.

    Args:
        open_sink: Makes the sink of the next connection; may raise `OSError`.
        redact: Names of fields whose values are not told, besides `SECRET_FIELDS`.
        max_size: Bytes of one recording; beyond it the recording ends, and says so.
        report: Told in one line when a recording fails or is cut.

    Raises:
        ValueError: A name cannot be redacted, or `max_size` is not positive.
    """

    def __init__(
        self,
        open_sink: Callable[[], Sink],
        *,
        redact: Iterable[str] = (),
        max_size: int = MAX_SIZE,
        report: Callable[[str], None] = say_nothing,
    ) -> None:
        if max_size < 1:
            raise ValueError(f"a recording has at least one byte, not {max_size}")
        self.redaction: Final = Redaction(redact)
        """What the recordings do not tell."""
        self._open_sink = open_sink
        self._max_size = max_size
        self._report = report

    def __call__(
        self,
        role: Role,
        *,
        now: float,
        random: Callable[[int], bytes],
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        engine: EngineName = DEFAULT_ENGINE,
        can_half_close: bool = True,
        wall_clock: Callable[[], float] | None = None,
    ) -> Connection:
        """Make one connection."""
        tape = Tape(self._open_sink, self._max_size, self._report)
        return RecordedConnection(
            role,
            now=now,
            random=random,
            limits=limits,
            timeouts=timeouts,
            engine=engine,
            can_half_close=can_half_close,
            wall_clock=wall_clock,
            write=tape.write,
            finish=tape.finish,
            redaction=self.redaction,
        )


class Tape:
    """One recording on its way to its sink: keeps the limit, and bears the sink's errors."""

    def __init__(self, open_sink: Callable[[], Sink], max_size: int, report: Callable[[str], None]) -> None:
        self._left = max_size
        self._report = report
        self._sink: Sink | None = None
        self._try(lambda: self._begin(open_sink))

    def _begin(self, open_sink: Callable[[], Sink]) -> None:
        self._sink = open_sink()

    def write(self, line: str) -> None:
        """Pass one line on, as long as there is room."""
        if self._sink is None:
            return
        self._left -= len(line) + 1
        if self._left < 0:
            self._report("a recording has reached its limit of size and ends there")
            line = '{"cut":"the limit of size"}'
        self._put(line)
        if self._left < 0:
            self.finish()

    def finish(self) -> None:
        """Close the sink; what comes later is dropped."""
        sink, self._sink = self._sink, None
        if sink is not None:
            self._try(sink.close)

    def _put(self, line: str) -> None:
        sink = self._sink
        if sink is not None and not self._try(lambda: sink.write(line)):
            self.finish()

    def _try(self, act: Callable[[], None]) -> bool:
        try:
            act()
        except OSError as error:
            self._report(f"a recording cannot be written: {error.strerror or type(error).__name__}")
            return False
        return True
