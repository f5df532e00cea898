"""One run of a subject in memory: what a peer sends, in which pieces, how it leaves, and all that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from spry_core.protocol import CLOSE, HALF_CLOSE, StreamEnd
from spry_core.serving.face import Pumped
from spry_core.testing.laws.subject import AnySubject, subject_of
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.pipe import stream
from spry_core.testing.pump import MemoryPump
from spry_core.testing.task import MemoryTask

HORIZON: Final = 3600.0
"""Virtual seconds after which what has not ended counts as endless; the sum of all timeouts that follow each other is less."""

Leaving: TypeAlias = Literal["stays", "ends", "resets"]
"""What a peer does when it has sent all: nothing, end its direction, or cut the stream."""

Ending: TypeAlias = Literal["end", "reset", "endless"]
"""How a stream ended for the peer: in order, cut, or not within `HORIZON`."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a run."""

    output: bytes
    """All bytes that were written to the peer."""

    ending: Ending
    """How the stream ended."""

    def __str__(self) -> str:
        return f"{self.output!r}, then {self.ending}"


class Watched:
    """The face of something, watched and disturbed."""

    def __init__(self, face: Pumped, *, late: float, is_early: bool, on_call: Callable[[], None]) -> None:
        self.face: Final = face
        """What is watched."""
        self.faults: Final[list[str]] = []
        """What was done behind an end."""
        self.written: Final = bytearray()
        """All bytes that were handed out."""
        self.ends: Final[list[StreamEnd]] = []
        """What ends of the stream were handed out."""
        self._late = late
        self._is_early = is_early
        self._on_call = on_call

    def receive_data(self, data: bytes, now: float) -> None:
        """Hand it on."""
        self._call(now)
        self.face.receive_data(data, now)

    def receive_eof(self, now: float) -> None:
        """Hand it on."""
        self._call(now)
        self.face.receive_eof(now)

    def connection_lost(self, error: Exception | None, now: float) -> None:
        """Hand it on."""
        self._call(now)
        self.face.connection_lost(error, now)

    def bytes_written(self, n: int, now: float) -> None:
        """Hand it on."""
        self._call(now)
        self.face.bytes_written(n, now)

    def handle_deadline(self, now: float) -> None:
        """Hand it on."""
        self._call(now)
        self.face.handle_deadline(now)

    def next_deadline(self) -> float | None:
        """Return it, later than it is."""
        when = self.face.next_deadline()
        return None if when is None else when + self._late

    def data_to_send(self) -> list[bytes | StreamEnd]:
        """Note what is handed out."""
        items = self.face.data_to_send()
        for item in items:
            if isinstance(item, StreamEnd):
                if self.ends and (item is HALF_CLOSE or self.ends[-1] is not HALF_CLOSE):
                    self.faults.append(f"{item.name} behind {self.ends[-1].name}")
                self.ends.append(item)
            else:
                if self.ends:
                    self.faults.append(f"{item!r} behind {self.ends[-1].name}")
                self.written.extend(item)
        return items

    @property
    def wants_read(self) -> bool:
        """The face's."""
        return self.face.wants_read

    @property
    def closed(self) -> bool:
        """The face's."""
        return self.face.closed

    def _call(self, now: float) -> None:
        self._on_call()
        if self._is_early:  # nothing is due, or it would have been handled before
            self.face.handle_deadline(now)


def _nothing() -> None:
    """Do nothing."""


class Trial:
    """A subject on one end of a stream, a peer on the other, and a driver.

    Args:
        subject: Who is tried.
        seed: Decides the order of tasks and all randomness.
        late: Seconds by which the pump handles every deadline too late.
        is_early: True if the pump calls `handle_deadline` before every other call, though nothing is due.
        on_call: Called before every call of the pump.
    """

    def __init__(
        self,
        subject: AnySubject,
        *,
        seed: int = 0,
        late: float = 0.0,
        is_early: bool = False,
        on_call: Callable[[], None] = _nothing,
    ) -> None:
        self.driver: Final = MemoryDriver(seed=seed)
        """What runs it."""
        ours, theirs = stream()
        pump = MemoryPump(self.driver, theirs, "the connection")
        face, host = subject_of(subject).mount(self.driver, pump.driver, seed)
        self.face: Final = Watched(face, late=late, is_early=is_early, on_call=on_call)
        """What the pump drives."""
        self._others = set(self.driver.tasks())
        pump.start(self.face, host)
        self.peer: Final = MemoryPeer(self.driver, ours)
        """The other end, which reads at once."""
        self.driver.settle()

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send these one after the other; all that they cause happens before the next."""
        for piece in pieces:
            if piece:
                self.peer.send(piece)

    def finish(self, leaving: Leaving = "stays") -> Outcome:
        """Let the peer leave, and wait for the end of the connection."""
        if leaving == "ends":
            self.peer.half_close()
        elif leaving == "resets":
            self.peer.reset()
        try:
            self.driver.wait_until(lambda: self.face.closed, "the end of the connection", timeout=HORIZON)
        except TimeoutError:
            return Outcome(self.peer.received, "endless")
        return Outcome(self.peer.received, "end" if self._is_polite() else "reset")

    def tasks(self) -> list[MemoryTask]:
        """List the tasks of the connection that have not ended; a lifespan is none of them."""
        return [task for task in self.driver.tasks() if task not in self._others]

    def _is_polite(self) -> bool:
        return bool(self.face.ends) and self.face.ends[-1] in (HALF_CLOSE, CLOSE)


def cut(data: bytes, places: Iterable[int]) -> list[bytes]:
    """Cut `data` at these places, which are in order."""
    pieces: list[bytes] = []
    start = 0
    for place in places:
        pieces.append(data[start:place])
        start = place
    pieces.append(data[start:])
    return pieces
