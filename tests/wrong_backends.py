"""Backends that are wrong in one way each: the memory driver's, with something between its pump and the session.

Each fault is a class of session, of driver, of event or of pipe that passes everything on but for one thing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from contextvars import Context
from typing import Final, TypeVarTuple, cast

import pytest

from spry_core import Application, Limits, Timeouts
from spry_core.driver import Driver, Event, Scope, Task
from spry_core.protocol import ABORT, CLOSE, HALF_CLOSE, StreamEnd
from spry_core.serving import Session, StreamInfo
from spry_core.tasks import Timers
from spry_core.testing import End, TestClient
from spry_core.testing.conformance import Backend, Stage
from spry_core.testing.conformance.stage import MemoryStage
from spry_core.testing.pipe import Pipe

Args = TypeVarTuple("Args")

CLOSE_FRAME: Final = b"\x88"

MAX_STEPS: Final = 20_000
"""Steps after which a task that goes round in circles is given up: some faults have that effect."""


class RightSession:
    """The pump's half of a session, and its timers, passed on."""

    def __init__(self, session: Session) -> None:
        self.session = session

    @property
    def timers(self) -> Timers:
        return self.session.timers

    @property
    def closed(self) -> bool:
        return self.session.closed

    @property
    def wants_read(self) -> bool:
        return self.session.wants_read

    def receive_data(self, data: bytes, now: float) -> None:
        self.session.receive_data(data, now)

    def receive_eof(self, now: float) -> None:
        self.session.receive_eof(now)

    def connection_lost(self, error: Exception | None, now: float) -> None:
        self.session.connection_lost(error, now)

    def data_to_send(self) -> list[bytes | StreamEnd]:
        return self.session.data_to_send()

    def bytes_written(self, n: int, now: float) -> None:
        self.session.bytes_written(n, now)

    def next_deadline(self) -> float | None:
        return self.session.next_deadline()

    def handle_deadline(self, now: float) -> None:
        self.session.handle_deadline(now)


class LosesClose(RightSession):
    def data_to_send(self) -> list[bytes | StreamEnd]:
        items = super().data_to_send()
        return [item for item in items if isinstance(item, StreamEnd) or item[:1] != CLOSE_FRAME]


class WritesAfterClose(RightSession):
    def data_to_send(self) -> list[bytes | StreamEnd]:
        written: list[bytes | StreamEnd] = []
        for item in super().data_to_send():
            written.append(item)
            if isinstance(item, bytes) and item[:1] == CLOSE_FRAME:
                written.append(b"\x81\x04late")
        return written

    def bytes_written(self, n: int, now: float) -> None:
        """The session cannot be credited with what it has not written."""


class IgnoresDeadlines(RightSession):
    def next_deadline(self) -> float | None:
        return None


class IsLate(RightSession):
    def next_deadline(self) -> float | None:
        deadline = super().next_deadline()
        return None if deadline is None else deadline + 0.01


class RemembersDeadlines(RightSession):
    """Never lowers a deadline before it has come."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._deadline: float | None = None

    def next_deadline(self) -> float | None:
        if self._deadline is None:
            self._deadline = super().next_deadline()
        return self._deadline

    def handle_deadline(self, now: float) -> None:
        self._deadline = None
        super().handle_deadline(now)


class Reorders(RightSession):
    def data_to_send(self) -> list[bytes | StreamEnd]:
        items = super().data_to_send()
        data = [item for item in items if isinstance(item, bytes)]
        return [*reversed(data), *items[len(data) :]]


class ReadsAlways(RightSession):
    @property
    def wants_read(self) -> bool:
        return True


class NeverCredits(RightSession):
    def bytes_written(self, n: int, now: float) -> None:
        pass


class CreditsAtOnce(RightSession):
    def data_to_send(self) -> list[bytes | StreamEnd]:
        items = super().data_to_send()
        size = sum(len(item) for item in items if isinstance(item, bytes))
        if size:
            self.session.bytes_written(size, self.session.driver.now())
        return items

    def bytes_written(self, n: int, now: float) -> None:
        pass


class KeepsEof(RightSession):
    def receive_eof(self, now: float) -> None:
        pass


class TakesEofForLoss(RightSession):
    def receive_eof(self, now: float) -> None:
        self.session.connection_lost(None, now)


class AbortsInOrder(RightSession):
    def data_to_send(self) -> list[bytes | StreamEnd]:
        return [CLOSE if item is ABORT else item for item in super().data_to_send()]


class ClosesFully(RightSession):
    def data_to_send(self) -> list[bytes | StreamEnd]:
        return [CLOSE if item is HALF_CLOSE else item for item in super().data_to_send()]


class KeepsLoss(RightSession):
    def connection_lost(self, error: Exception | None, now: float) -> None:
        if error is None:
            super().connection_lost(error, now)


class RightDriver:
    """The six verbs, passed on."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def now(self) -> float:
        return self._driver.now()

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> Task:
        return self._driver.start(function, *args)

    def scope(self) -> AbstractContextManager[Scope]:
        return self._driver.scope()

    async def checkpoint(self, switch: bool) -> None:
        await self._driver.checkpoint(switch)

    def event(self) -> Event:
        return self._driver.event()

    def notify(self, soon: bool = False) -> None:
        self._driver.notify(soon)


class IgnoresNotify(RightDriver):
    def notify(self, soon: bool = False) -> None:
        pass


class IgnoresSoon(RightDriver):
    def notify(self, soon: bool = False) -> None:
        if not soon:
            super().notify()


class NeverCancels(RightDriver):
    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> Task:
        super().start(function, *args)
        return _Stubborn()


class _Stubborn:
    def cancel(self) -> None:
        pass


class RightEvent:
    """An event made of one of the driver's for each who waits."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._is_set = False
        self._waiters: list[Event] = []

    def set(self) -> None:
        self._is_set = True
        for each in self._waiters:
            each.set()

    def is_set(self) -> bool:
        return self._is_set

    async def wait(self) -> None:
        if not self._is_set:
            self._waiters.append(self._driver.event())
            await self._waiters[-1].wait()


class WakesOne(RightDriver):
    def event(self) -> Event:
        return _Narrow(self._driver)


class _Narrow(RightEvent):
    def set(self) -> None:
        self._is_set = True
        for each in self._waiters[:1]:
            each.set()


class LosesWakeUp(RightDriver):
    """Its events forget that they were set when nobody was waiting."""

    def event(self) -> Event:
        return _Forgetful(self._driver)


class _Forgetful(RightEvent):
    def set(self) -> None:
        super().set()
        self._is_set = bool(self._waiters)


class TearingPipe(Pipe):
    """Throws away what it is asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.dropping = 0

    def write(self, data: bytes) -> None:
        dropped = min(self.dropping, len(data))
        self.dropping -= dropped
        if dropped < len(data):
            super().write(data[dropped:])


class TearsOnCancel(RightDriver):
    """A cancelled block takes what is being written with it."""

    tear: Callable[[], None]

    def scope(self) -> AbstractContextManager[Scope]:
        return self._torn(self._driver.scope())

    @contextmanager
    def _torn(self, block: AbstractContextManager[Scope]) -> Generator[Scope]:
        with block as scope:
            yield scope
        if scope.cancelled:
            self.tear()


class CountsUnsent(RightSession):
    unsent = 0

    def data_to_send(self) -> list[bytes | StreamEnd]:
        items = super().data_to_send()
        self.unsent += sum(len(item) for item in items if isinstance(item, bytes))
        return items

    def bytes_written(self, n: int, now: float) -> None:
        self.unsent -= n
        super().bytes_written(n, now)


def wrong(
    session: type[RightSession] = RightSession,
    driver: type[RightDriver] = RightDriver,
    *,
    shares_context: bool = False,
) -> Backend:
    """Make a backend of the memory driver with this session and this driver."""

    @contextmanager
    def backend(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Stage]:
        with pytest.MonkeyPatch.context() as patch:
            pipes: list[TearingPipe] = []
            patch.setattr("spry_core.testing.memory.MAX_STEPS", MAX_STEPS)
            patch.setattr("spry_core.testing.client.stream", lambda: _tearing_stream(pipes))
            if shares_context:
                shared = Context()
                patch.setattr("spry_core.testing.task.copy_context", lambda: shared)
            client = TestClient(app, limits=limits, timeouts=timeouts)
            right = client.server.session

            def open_session(lent: Driver, info: StreamInfo | None = None) -> Session:
                wrapped = driver(lent)
                made = session(right(wrapped, info))
                pipe = pipes[-1]
                if isinstance(wrapped, TearsOnCancel) and isinstance(made, CountsUnsent):
                    wrapped.tear = lambda: _drop(pipe, made)
                return cast(Session, made)

            patch.setattr(client.server, "session", open_session)
            with client:
                yield MemoryStage(client)

    return backend


def _drop(pipe: TearingPipe, session: CountsUnsent) -> None:
    pipe.dropping += session.unsent


def _tearing_stream(pipes: list[TearingPipe]) -> tuple[End, End]:
    there, back = Pipe(), TearingPipe()
    there.join(back)
    back.join(there)
    pipes.append(back)
    return End(back, there), End(there, back)
