"""A session that does what a test says and remembers what a pump did; and a pump of the running backend to drive it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias, cast

import anyio
import trio

import spry_asyncio
import spry_trio
from adapters.peer import PATIENCE, Peer, pair
from spry_core.driver import Driver
from spry_core.protocol import ABORT, StreamEnd
from spry_core.serving import LogRecord, Session
from spry_trio.driver import open_workers

Heard: TypeAlias = tuple[str, object]
"""What the pump said: the call's name and its argument."""


class ScriptedSession:
    """The pump's half of a session's face."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.heard: list[Heard] = []
        self.outbox: list[bytes | StreamEnd] = []
        self.looks = 0
        """How often the pump has asked for bytes."""
        self.unsent = 0
        self.wants_reading = True
        self.read_size = 64 * 1024
        self.deadline: float | None = None
        self.is_lost = False
        self.is_kept = False
        """True while something keeps it from being over when the stream is gone, as a running handler would."""
        self.faulty: tuple[str, ...] = ()
        """The names of the calls that raise."""
        self.on_data: Callable[[bytes], None] = lambda data: None
        self.on_credit: Callable[[], None] = lambda: None
        self.on_shutdown: Callable[[], None] = lambda: None
        self._changed = anyio.Event()

    # What tests do with it

    def say(self, *items: bytes | StreamEnd, soon: bool | None = False) -> None:
        """Queue this and notify the pump; with `soon` None the caller does that itself."""
        self.outbox += items
        self.unsent += sum(len(item) for item in items if isinstance(item, bytes))
        if soon is not None:
            self.driver.notify(soon)

    async def until(self, *heard: Heard) -> None:
        """Wait until the pump has said all of these."""
        with anyio.fail_after(PATIENCE):
            while not all(each in self.heard for each in heard):
                await self._changed.wait()

    async def until_called(self, name: str) -> None:
        """Wait until the pump has made a call of that name."""
        with anyio.fail_after(PATIENCE):
            while not self.all(name):
                await self._changed.wait()

    async def until_unsent(self, size: int) -> None:
        """Wait until no more than so many bytes are unsent."""
        with anyio.fail_after(PATIENCE):
            while self.unsent > size:
                await self._changed.wait()

    def all(self, name: str) -> list[object]:
        """Return the arguments of every call of that name."""
        return [argument for heard, argument in self.heard if heard == name]

    # What the pump calls

    def receive_data(self, data: bytes, now: float) -> None:
        self._hear("data", data)
        self.on_data(data)

    def receive_eof(self, now: float) -> None:
        self._hear("eof", None)

    def connection_lost(self, error: Exception | None, now: float) -> None:
        self.is_lost = True
        self._hear("lost", None if error is None else type(error))

    def bytes_written(self, n: int, now: float) -> None:
        assert 0 < n <= self.unsent
        self.unsent -= n
        self._hear("written", n)
        self.on_credit()

    def data_to_send(self) -> list[bytes | StreamEnd]:
        self.looks += 1
        self._break("data_to_send")
        batch, self.outbox = self.outbox, []
        return batch

    def next_deadline(self) -> float | None:
        self._break("next_deadline")
        return self.deadline

    def handle_deadline(self, now: float) -> None:
        """Being called early does no harm: nothing is due then."""
        if self.deadline is not None and self.deadline <= now:
            self.deadline = None
            self._hear("deadline", self.unsent)

    def shutdown(self, now: float, code: int = 1001, reason: str = "", *, grace: float | None = None) -> None:
        self._hear("shutdown", (code, reason, grace))
        self.on_shutdown()

    def abort(self, now: float) -> None:
        self._hear("abort", None)

    @property
    def wants_read(self) -> bool:
        self._break("wants_read")
        return self.wants_reading

    @property
    def closed(self) -> bool:
        return self.is_lost and not self.is_kept

    def _hear(self, name: str, argument: object) -> None:
        self.heard.append((name, argument))
        self._changed.set()
        self._changed = anyio.Event()
        self._break(name)

    def _break(self, name: str) -> None:
        if name in self.faulty:
            raise ZeroDivisionError(name)


@dataclass
class Pumped:
    """A scripted session, the pump that drives it, and the peer at the other end."""

    session: ScriptedSession
    peer: Peer
    reports: list[LogRecord] = field(default_factory=list[LogRecord])
    ended: anyio.Event = field(default_factory=anyio.Event)

    async def until_ended(self) -> None:
        """Wait until the pump is through."""
        with anyio.fail_after(PATIENCE):
            await self.ended.wait()


@asynccontextmanager
async def pumped(
    *, receive_buffer: int | None = None, send_buffer: int | None = None, deadline: float | None = None
) -> AsyncGenerator[Pumped]:
    """Run a pump of the running backend; what a test leaves open is aborted at the end."""
    sock, peer = pair(receive_buffer=receive_buffer, send_buffer=send_buffer)
    sessions: list[ScriptedSession] = []
    reports: list[LogRecord] = []
    ended = anyio.Event()

    def open_session(driver: Driver) -> Session:
        session = ScriptedSession(driver)
        session.deadline = deadline
        sessions.append(session)
        return cast(Session, session)

    async def run_on_asyncio() -> None:
        pump = spry_asyncio.Pump(sock, open_session, reports.append, lambda pump: ended.set())
        pump.open()
        await ended.wait()

    async def run_on_trio() -> None:
        async with open_workers() as workers:
            await spry_trio.Pump(sock, workers, open_session, reports.append, lambda pump: ended.set()).run()

    is_trio = trio.lowlevel.in_trio_run()
    async with anyio.create_task_group() as tasks, peer:
        tasks.start_soon(run_on_trio if is_trio else run_on_asyncio)
        await anyio.wait_all_tasks_blocked()
        this = Pumped(sessions[0], peer, reports, ended)
        try:
            yield this
        finally:
            this.session.is_kept = False
            if not ended.is_set():
                this.session.say(ABORT)
            await this.until_ended()
