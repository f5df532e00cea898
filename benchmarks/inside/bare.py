"""The least that can drive a session: a list of tasks, run when asked; no clock, no loop, no socket.

(The memory driver of the testing kit draws tasks by chance and knows who waits for what, which costs more than what is measured.)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVarTuple, cast

from spry_core import Application
from spry_core.driver import Scope
from spry_core.protocol import EngineName
from spry_core.serving import LogRecord, Server
from spry_core.serving.session import Session

Args = TypeVarTuple("Args")


class BareTask:
    """A task that nobody cancels."""

    def cancel(self) -> None:
        """Refuse."""
        raise NotImplementedError


class BareScope:
    """A scope that nobody cancels."""

    @property
    def cancelled(self) -> bool:
        """False, always."""
        return False

    def cancel(self) -> None:
        """Refuse."""
        raise NotImplementedError


class BareEvent:
    """An event whose one waiter goes on the ready list."""

    def __init__(self, driver: BareDriver) -> None:
        self._driver = driver
        self._waiter: Coroutine[object, object, None] | None = None
        self._is_set = False

    def is_set(self) -> bool:
        """Tell whether it was set."""
        return self._is_set

    def set(self) -> None:
        """Let the waiter go on."""
        self._is_set = True
        if self._waiter is not None:
            self._driver.ready.append(self._waiter)

    async def wait(self) -> None:
        """Wait."""
        if not self._is_set:
            self._waiter = self._driver.running
            await _parked()


class _Parked:
    def __await__(self) -> Generator[None]:
        yield


def _parked() -> _Parked:
    return _Parked()


class BareDriver:
    """The six verbs."""

    def __init__(self) -> None:
        self.ready: deque[Coroutine[object, object, None]] = deque()
        self.running: Coroutine[object, object, None] | None = None

    def now(self) -> float:
        """Return a time that stands still."""
        return 1.0

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> BareTask:
        """Put it on the ready list."""
        # What the core starts is a coroutine function, whatever else the interface would allow.
        self.ready.append(cast("Coroutine[object, object, None]", function(*args)))
        return BareTask()

    def scope(self) -> AbstractContextManager[Scope]:
        """Give a scope."""
        return nullcontext[Scope](BareScope())

    async def checkpoint(self, switch: bool) -> None:
        """Go on."""

    def event(self) -> BareEvent:
        """Make an event."""
        return BareEvent(self)

    def notify(self, soon: bool = False) -> None:
        """Do nothing: who drives looks by itself."""

    def run(self) -> None:
        """Run every task until it waits or ends."""
        while self.ready:
            self.running = task = self.ready.popleft()
            try:
                task.send(None)
            except StopIteration:
                pass


class Bare:
    """One connection to an application."""

    def __init__(self, app: Application, engine: EngineName) -> None:
        self._driver = BareDriver()
        server = Server(
            app, engine=engine, random=bytes, wall_clock=lambda: 0.0, report=self._report, access_log=False
        )
        self._session: Session = server.session(self._driver)

    def _report(self, record: LogRecord) -> None:
        raise RuntimeError(f"the server has reported {record.text}") from record.exception

    def say(self, data: bytes) -> bytes:
        """Receive these octets, run what is to run, and return what goes back."""
        session, driver = self._session, self._driver
        session.receive_data(data, 1.0)
        if driver.ready:
            driver.run()
        out = b"".join([each for each in session.data_to_send() if isinstance(each, bytes)])
        session.bytes_written(len(out), 1.0)
        return out
