"""The three worlds with sockets: the adapters, on whatever loop is running."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeVar, TypeVarTuple

import anyio
import trio
from anyio.abc import TaskGroup

from adapters import peer as plain
from adapters.leaks import nothing_left
from adapters.peer import PATIENCE
from adapters.serving import Running as RunningServer
from adapters.serving import serving
from adapters.world import Logged, Peer, Running, Served, World
from spry_core import Application, Limits, Timeouts

T = TypeVar("T")
Args = TypeVarTuple("Args")

_ROUNDS = 30
"""Turns of an asyncio loop after which everybody waits, who was not asked to do more than a test asks for."""


class SocketWorld(World):
    """A world of sockets."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = anyio.Event()

    def changed(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def until(self, is_over: Callable[[], bool], what: str) -> None:
        with anyio.move_on_after(PATIENCE):
            while not is_over():
                await self._changed.wait()
        assert is_over(), f"{what} did not come; noted: {self.notes}"

    @asynccontextmanager
    async def serving(
        self, app: Application, *, limits: Limits | None = None, timeouts: Timeouts | None = None
    ) -> AsyncGenerator[Served]:
        error: Exception | None = None
        log = _Log(self.changed)
        async with nothing_left():
            async with anyio.create_task_group() as tasks:
                try:
                    with _logging_to(log):
                        async with serving(app, limits=limits, timeouts=timeouts) as running:
                            server = SocketServer(self, running, tasks, log)
                            try:
                                yield server
                            finally:
                                server.close_peers()
                                running.abort()
                except Exception as raised:  # raised again outside of the group, so that it is not in one
                    error = raised
                tasks.cancel_scope.cancel()
            if error is not None:
                raise error
        assert log.errors == []

    def now(self) -> float:
        return anyio.current_time()

    async def rest(self) -> None:
        if trio.lowlevel.in_trio_run():
            await anyio.wait_all_tasks_blocked()
        else:
            for _ in range(_ROUNDS):
                await anyio.lowlevel.checkpoint()

    @property
    def precision(self) -> float:
        return 4.0  # still less than the default of `Timeouts.close_timeout`; in memory it is nothing


class SocketServer(Served):
    """A server that listens on a socket."""

    def __init__(self, world: World, running: RunningServer, tasks: TaskGroup, log: _Log) -> None:
        super().__init__(world, log.errors)
        self._log = log
        self._running = running
        self._tasks = tasks

    def warnings(self) -> list[str]:
        return self._log.warnings

    async def connect(self, is_reading: bool) -> Peer:
        size = None if is_reading else 4096
        return SocketPeer(self, await plain.connect(self._running.addresses[0], receive_buffer=size))

    def start(self, function: Callable[[*Args], Awaitable[T]], *args: *Args) -> Running[T]:
        return SocketTask(self._tasks, lambda: function(*args))

    def shutdown(
        self,
        code: int = 1001,
        reason: str = "",
        *,
        grace: float | None = None,
        batch: int | None = None,
        interval: float = 0.0,
    ) -> None:
        self._running.shut_down(code, reason, grace=grace, batch=batch, interval=interval)

    async def closed(self) -> None:
        with anyio.fail_after(PATIENCE):
            await self._running.close()

    def abort(self) -> None:
        self._running.abort()


class _Log(logging.Handler):
    """Keeps what is logged as wrong."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__()
        self.errors: list[Logged] = []
        self.warnings: list[str] = []
        self._has_changed = changed

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1] is not None:
            self.errors.append(Logged(record.getMessage(), record.exc_info[1]))
        elif record.levelno == logging.WARNING:
            self.warnings.append(record.getMessage())
        self._has_changed()


@contextmanager
def _logging_to(log: _Log) -> Generator[None]:
    logger = logging.getLogger("spry.error")
    logger.addHandler(log)
    try:
        yield
    finally:
        logger.removeHandler(log)


class SocketTask(Running[T]):
    """A task of the running loop."""

    def __init__(self, tasks: TaskGroup, call: Callable[[], Awaitable[T]]) -> None:
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self._results: list[T] = []
        self._error: Exception | None = None
        tasks.start_soon(self._run, call)

    async def _run(self, call: Callable[[], Awaitable[T]]) -> None:
        try:
            with self._scope:
                self._results.append(await call())
        except Exception as error:
            self._error = error
        finally:
            self._ended.set()

    @property
    def is_done(self) -> bool:
        return self._ended.is_set()

    async def result(self) -> T:
        with anyio.fail_after(PATIENCE):
            await self._ended.wait()
        if self._error is not None:
            raise self._error
        (result,) = self._results
        return result

    async def cancel(self) -> None:
        self._scope.cancel()
        with anyio.fail_after(PATIENCE):
            await self._ended.wait()


class SocketPeer(Peer):
    """The client's socket."""

    def __init__(self, server: Served, peer: plain.Peer) -> None:
        super().__init__(server)
        self._peer = peer

    async def send(self, data: bytes) -> None:
        await self._peer.send(data)

    def flood(self, data: bytes) -> None:
        self.server.start(self._send_while_open, data)

    async def _send_while_open(self, data: bytes) -> None:
        with suppress(ConnectionError):
            await self.send(data)

    async def receive_some(self) -> bytes:
        return await self._peer.receive_some()

    def end(self) -> None:
        self._peer.end()

    def reset(self) -> None:
        self._peer.reset()

    def close(self) -> None:
        self._peer.socket.close()
