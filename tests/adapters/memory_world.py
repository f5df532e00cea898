"""The fourth world: no loop, no socket, virtual time. Nothing in here ever suspends."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeVar, TypeVarTuple

from adapters.world import Logged, Peer, Running, Served, World
from spry_core import Application, Limits, Timeouts
from spry_core.serving.record import WARNING, LogRecord
from spry_core.tasks import enter
from spry_core.testing import MemoryDriver, MemoryPeer, TestClient

T = TypeVar("T")
Args = TypeVarTuple("Args")

_PATIENCE: Final = 300.0
"""Virtual seconds after which something that was waited for counts as missing."""


class MemoryWorld(World):
    """The world of the memory driver."""

    def __init__(self) -> None:
        super().__init__()
        self._driver: MemoryDriver | None = None

    @property
    def driver(self) -> MemoryDriver:
        """The driver of what is served."""
        assert self._driver is not None
        return self._driver

    async def until(self, is_over: Callable[[], bool], what: str) -> None:
        self.driver.wait_until(is_over, what, timeout=_PATIENCE)

    @asynccontextmanager
    async def serving(
        self, app: Application, *, limits: Limits | None = None, timeouts: Timeouts | None = None
    ) -> AsyncGenerator[Served]:
        with TestClient(app, limits=limits, timeouts=timeouts) as client:
            self._driver = client.driver
            server = MemoryServer(self, client)
            yield server
        server.look_at_log()
        assert server.errors == []

    def now(self) -> float:
        return self.driver.now()

    async def rest(self) -> None:
        self.driver.settle()

    @property
    def precision(self) -> float:
        return 0.0


class MemoryServer(Served):
    """A server in memory."""

    def __init__(self, world: MemoryWorld, client: TestClient) -> None:
        super().__init__(world, [])
        self._client = client
        self._looked_at = 0

    @property
    def reports(self) -> list[LogRecord]:
        """What was logged."""
        return self._client.reports

    def look_at_log(self) -> None:
        for record in self._client.reports[self._looked_at :]:
            if record.exception is not None:
                self.errors.append(Logged(record.text, record.exception))
        self._looked_at = len(self._client.reports)

    def warnings(self) -> list[str]:
        return [record.text for record in self._client.reports if record.level == WARNING]

    async def connect(self, is_reading: bool) -> Peer:
        return WirePeer(self, self._client.driver, self._client.connect(), is_reading)

    def start(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> Running[T]:
        return MemoryJob(self._client.driver, lambda: function(*args))

    def shutdown(
        self,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None:
        self._client.shutdown(code, reason, grace=grace, batch=batch, interval=interval)

    async def closed(self) -> None:
        await self.world.until(lambda: self._client.server.closed, "the end of the server")

    def abort(self) -> None:
        self._client.server.abort(self._client.now)
        self._client.driver.settle()


class MemoryJob(Running[T]):
    """A task of the memory driver."""

    def __init__(self, driver: MemoryDriver, call: Callable[[], Awaitable[T]]) -> None:
        self._driver = driver
        self._results: list[T] = []
        self._error: Exception | None = None
        self._task = driver.start(enter, driver, self._run, call)
        driver.settle()

    async def _run(self, call: Callable[[], Awaitable[T]]) -> None:
        try:
            self._results.append(await call())
        except Exception as error:
            self._error = error

    @property
    def is_done(self) -> bool:
        return self._task.is_done

    async def result(self) -> T:
        self._driver.wait_until(lambda: self.is_done, "the end of a task of the test", timeout=_PATIENCE)
        if self._error is not None:
            raise self._error
        (result,) = self._results
        return result

    async def cancel(self) -> None:
        self._task.cancel()
        self._driver.settle()
        assert self.is_done


class WirePeer(Peer):
    """The client's end of a stream in memory."""

    def __init__(self, server: Served, driver: MemoryDriver, stream: MemoryPeer, is_reading: bool) -> None:
        super().__init__(server)
        self._driver = driver
        self._stream = stream
        self._is_reading = stream.is_reading = is_reading

    async def send(self, data: bytes) -> None:
        self._stream.send(data)

    def flood(self, data: bytes) -> None:
        self._stream.send(data)

    async def receive_some(self) -> bytes:
        stream = self._stream
        stream.is_reading = True
        self._driver.wait_until(
            lambda: bool(stream.received) or stream.is_ended or stream.is_reset,
            "something from the server",
            timeout=_PATIENCE,
        )
        stream.is_reading = self._is_reading
        data = stream.take()
        if not data and stream.is_reset:
            raise ConnectionResetError("the server has reset the stream")
        return data

    def end(self) -> None:
        self._stream.half_close()

    def reset(self) -> None:
        self._stream.reset()

    def close(self) -> None:
        self._stream.close()
