"""The face that a pump drives: bytes and time in, bytes out.

A `Connection`, a `Session` and the TLS stage above a session all have it, so one pump drives each of them and knows
nothing of what is behind.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from spry_core.protocol.connection import Connection
from spry_core.protocol.engines import DEFAULT_ENGINE, EngineName, Role
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.stream import StreamEnd


class MakeConnection(Protocol):
    """Makes the connection of one stream: `Connection` itself, or what looks on, such as `spry_core.recording.Recorder`."""

    def __call__(
        self,
        role: Role,
        /,
        *,
        now: float,
        random: Callable[[int], bytes],
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        engine: EngineName = DEFAULT_ENGINE,
        can_half_close: bool = True,
        wall_clock: Callable[[], float] | None = None,
    ) -> Connection:
        """Make one; the arguments are those of `Connection`."""
        ...


class Clocked(Protocol):
    """What has deadlines: a connection, a session, a server."""

    def next_deadline(self) -> float | None:
        """Return the next moment at which time alone changes something, or None."""
        ...

    def handle_deadline(self, now: float) -> None:
        """Do what has fallen due at `now`."""
        ...


class Pumped(Clocked, Protocol):
    """The pump's half of the face of a `Connection`, which says what each call means."""

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer: at least one, cut anywhere."""
        ...

    def receive_eof(self, now: float) -> None:
        """Take note that the peer will send no more."""
        ...

    def connection_lost(self, error: Exception | None, now: float) -> None:
        """Take note that the stream is gone; the last call that counts."""
        ...

    def bytes_written(self, n: int, now: float) -> None:
        """Take note that the transport took `n` bytes."""
        ...

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """Hand over what to write now, in order, with at most one `StreamEnd` at its end."""
        ...

    @property
    def wants_read(self) -> bool:
        """False: do not read the stream now."""
        ...

    @property
    def closed(self) -> bool:
        """True: nothing more will happen."""
        ...


class Served(Pumped, Protocol):
    """One accepted stream, as its pump and its server see it."""

    @property
    def read_size(self) -> int:
        """How many bytes to ask the stream for in one read, at most. It is enough to look at this behind a full read."""
        ...

    @property
    def is_websocket(self) -> bool:
        """True since the stream switched to WebSocket."""
        ...

    def shutdown(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        """End politely (see `Session.shutdown`), and have the pump look."""
        ...

    def drain(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        """Do the same, for who looks afterwards anyway."""
        ...

    def abort(self, now: float) -> None:
        """End at once: the stream is reset and the tasks are cancelled."""
        ...
