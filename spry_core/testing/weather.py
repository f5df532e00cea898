"""The weather of a stream in memory: how long bytes travel, how they are cut, and what happens to them on the way.

A pipe without weather hands over what is written at once. One with weather keeps it until its moment on the virtual clock has
come: first the line has to be free (bandwidth), then it takes its time (latency, and jitter drawn by a seed). Nothing overtakes
anything, and each piece is read by itself. So weather changes when bytes come and how they are cut, never the bytes; what
may change them is an accident, and it is planned like the rest.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from spry_core.tasks import Timer
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.pipe import End, Pipe

SEGMENT: Final = 1_460
"""Bytes that travel together where the line has a bandwidth: what one Ethernet frame carries of a TCP stream."""


@dataclass(frozen=True, slots=True)
class Accident(ABC):
    """What befalls one direction of a stream, at one point of it: behind so many bytes, or at a time."""

    after: int | None = None
    """Bytes of this direction that still arrive."""

    at: float | None = None
    """Virtual seconds since the stream was made."""

    def __post_init__(self) -> None:
        if (self.after is None) == (self.at is None):
            raise ValueError("say when: `after` so many bytes, or `at` a time")
        if (self.after or 0) < 0 or not 0 <= (self.at or 0.0) < math.inf:
            raise ValueError("`after` and `at` must be finite and not negative")

    @abstractmethod
    def befall(self, direction: WeatherPipe) -> None:
        """Happen."""


@dataclass(frozen=True, slots=True)
class Loss(Accident):
    """From here on nothing of this direction arrives, neither bytes nor an end; the other direction goes on.

    The writer is not told. Its bytes count as unread, so its window fills up.
    """

    def befall(self, direction: WeatherPipe) -> None:
        """Lose this direction."""
        direction.lose()


@dataclass(frozen=True, slots=True)
class Reset(Accident):
    """Here the stream is cut: the reader sees a reset at once, the writer when the other direction has brought it there."""

    def befall(self, direction: WeatherPipe) -> None:
        """Cut the stream."""
        direction.cut()


@dataclass(frozen=True, slots=True)
class HalfClose(Accident):
    """Here this direction ends in good order, whatever the writer still has to say; the other goes on."""

    def befall(self, direction: WeatherPipe) -> None:
        """End this direction."""
        direction.end()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """The weather of one direction."""

    latency: float = 0.0
    """Seconds from the moment when bytes leave until they arrive."""

    jitter: float = 0.0
    """At most so many seconds more, drawn by the seed for each piece."""

    bandwidth: float | None = None
    """Bytes a second; None for a line that is never full."""

    piece: int | None = None
    """At most so many bytes arrive together; 1 brings them one by one."""

    cuts: tuple[int, ...] = ()
    """Further places where the stream is cut into pieces: bytes from its beginning, ascending."""

    accident: Accident | None = None
    """What happens on the way."""

    def __post_init__(self) -> None:
        if not (0 <= self.latency < math.inf and 0 <= self.jitter < math.inf):
            raise ValueError("latency and jitter must be finite and not negative")
        if self.bandwidth is not None and not self.bandwidth > 0:
            raise ValueError("a bandwidth must be more than 0 bytes a second")
        if self.piece is not None and self.piece < 1:
            raise ValueError("a piece must have a byte at least")
        if any(cut < 1 for cut in self.cuts) or list(self.cuts) != sorted(set(self.cuts)):
            raise ValueError("cuts must be positive and ascending")


class Weather:
    """The conditions of a stream, by plan and by seed.

    Args:
        latency: Seconds that bytes take, in each direction.
        jitter: At most so many seconds more, drawn by the seed for each piece.
        bandwidth: Bytes a second in each direction; None for a line that is never full.
        piece: At most so many bytes arrive together; None for as many as were written.
        cuts: Further places where both directions are cut into pieces, in bytes from their beginning.
        to_server: The weather from the client to the server, instead of all of these.
        to_client: The weather from the server to the client, instead of all of these.

    Raises:
        ValueError: A number is out of range.
    """

    def __init__(
        self,
        *,
        latency: float = 0.0,
        jitter: float = 0.0,
        bandwidth: float | None = None,
        piece: int | None = None,
        cuts: Iterable[int] = (),
        to_server: Lane | None = None,
        to_client: Lane | None = None,
    ) -> None:
        both = Lane(latency=latency, jitter=jitter, bandwidth=bandwidth, piece=piece, cuts=tuple(cuts))
        self.to_server: Final = to_server or both
        """The weather from the client to the server."""
        self.to_client: Final = to_client or both
        """The weather from the server to the client."""

    def stream(self, driver: MemoryDriver, *, seed: int | str = 0) -> tuple[End, End]:
        """Make a stream in this weather and return the client's end and the server's; the seed decides the jitter."""
        there = WeatherPipe(driver, self.to_server, Random(f"to server {seed}"))
        back = WeatherPipe(driver, self.to_client, Random(f"to client {seed}"))
        there.join(back)
        back.join(there)
        return End(back, there), End(there, back)

    def __repr__(self) -> str:
        return f"Weather(to_server={self.to_server}, to_client={self.to_client})"


class WeatherPipe(Pipe):
    """One direction of a stream that has weather."""

    def __init__(self, driver: MemoryDriver, lane: Lane, random: Random) -> None:
        super().__init__()
        self._driver = driver
        self._lane = lane
        self._random = random
        self._pieces: deque[int] = deque()  # the sizes of what is unread
        self._travelling: deque[tuple[float, bytes | Callable[[], None]]] = deque()
        self._timer: Timer | None = None
        self._is_lost = False
        self._free_at = 0.0  # when the line can take the next piece
        self._last = 0.0  # when the last of what travels will arrive
        self._sent = 0
        self._lost = 0  # bytes that count as unread for ever
        self._arrived = 0
        self._accident = lane.accident
        if lane.accident is not None and lane.accident.at is not None:
            driver.add_arrival(driver.now() + lane.accident.at, self._befall)

    def __len__(self) -> int:
        """Count the bytes written and not yet read: on the way, arrived, or lost."""
        return self._sent - self._arrived + self._lost + super().__len__()

    # --------------------------------------------------------------------------------------------------- the writer

    def write(self, data: bytes) -> None:
        """Send `data` on its way, in pieces."""
        for piece in self._cut(data):
            self._sent += len(piece)
            self._send(piece, self._time_of(len(piece)))

    def finish(self) -> None:
        """Send the end of the stream on its way, behind the bytes."""
        self._send(super().finish, self._time_of(0))

    def reset(self) -> None:
        """Send a reset on its way: it overtakes what would arrive later than itself."""
        when = self._driver.now() + self._latency()
        while self._travelling and self._travelling[-1][0] > when:
            self._travelling.pop()
        self._last = 0.0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._send(super().reset, when)

    # --------------------------------------------------------------------------------------------------- the reader

    def read(self, size: int) -> bytes:
        """Take at most `size` bytes, of one piece at most; none if there are none."""
        first = self._pieces[0] if self._pieces else 0
        if first > size:
            self._pieces[0] = first - size
        elif first:
            self._pieces.popleft()
        return super().read(min(size, first))

    # ------------------------------------------------------------------------------------------------- the accidents

    def lose(self) -> None:
        """Let nothing arrive any more."""
        self._is_lost = True

    def _drop(self) -> None:
        """Let nothing arrive any more, and count nothing of it as unread."""
        self._travelling.clear()
        self._arrived = self._sent
        self._is_lost = True

    def cut(self) -> None:
        """Reset the reader here and now, and the writer as soon as the other direction brings it there."""
        self._drop()
        super().reset()
        self._reset_writer()

    def end(self) -> None:
        """End this direction, here and now."""
        self._drop()
        super().finish()

    def _befall(self) -> None:
        accident, self._accident = self._accident, None
        assert accident is not None  # it has one moment only
        accident.befall(self)

    # ---------------------------------------------------------------------------------------------------- on the way

    def _cut(self, data: bytes) -> Iterator[bytes]:
        """Cut what is written now into the pieces in which it arrives."""
        if not data:
            return
        at, end = self._sent, self._sent + len(data)
        accident = self._lane.accident
        planned = {*self._lane.cuts, accident.after if accident is not None else None}
        cuts = {cut - at for cut in planned if cut is not None and at < cut < end}
        size = self._lane.piece or (len(data) if self._lane.bandwidth is None else SEGMENT)
        begin = 0
        for cut in [*sorted(cuts), len(data)]:
            for start in range(begin, cut, size):
                yield data[start : min(start + size, cut)]
            begin = cut

    def _latency(self) -> float:
        # Without jitter nothing is drawn, so that the seed says the same with and without the other conditions.
        return self._lane.latency + (self._random.random() * self._lane.jitter if self._lane.jitter else 0.0)

    def _time_of(self, size: int) -> float:
        """Return when a piece of this size arrives that is written now."""
        leaves = max(self._free_at, self._driver.now())
        if self._lane.bandwidth is not None:
            leaves += size / self._lane.bandwidth
        self._free_at = leaves
        return leaves + self._latency()

    def _send(self, what: bytes | Callable[[], None], when: float) -> None:
        """Let it arrive at `when`, and not before what was sent before it."""
        self._last = max(self._last, when)
        if self._last <= self._driver.now() and not self._travelling:
            self._arrive(what)
            return
        self._travelling.append((self._last, what))
        self._arm()

    def _arm(self) -> None:
        if self._travelling and self._timer is None:
            self._timer = self._driver.add_arrival(self._travelling[0][0], self._arrive_due)

    def _arrive_due(self) -> None:
        self._timer = None
        while self._travelling and self._travelling[0][0] <= self._driver.now():
            self._arrive(self._travelling.popleft()[1])
        self._arm()

    def _arrive(self, what: bytes | Callable[[], None]) -> None:
        self._have_accident()
        if isinstance(what, bytes):
            self._arrived += len(what)
        if self._is_lost:
            if isinstance(what, bytes) and not self.is_finished:
                self._lost += len(what)
        elif isinstance(what, bytes):
            self._pieces.append(len(what))
            super().write(what)
            self._have_accident()
        else:
            what()

    def _have_accident(self) -> None:
        """Let the accident happen whose bytes have arrived."""
        if (
            self._accident is not None
            and self._accident.after is not None
            and self._arrived >= self._accident.after
        ):
            self._befall()
