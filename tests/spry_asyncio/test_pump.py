"""What only asyncio's pump meets; the rest is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from adapters.peer import PATIENCE, pair
from adapters.scripted import ScriptedSession
from spry_asyncio import Pump
from spry_core.driver import Driver
from spry_core.serving import LogRecord, Session


class Started:
    """A pump with a scripted session."""

    def __init__(self, sock: socket.socket) -> None:
        self.reports: list[LogRecord] = []
        self.ends: list[Pump] = []
        self.has_ended = asyncio.Event()
        self.pump = Pump(sock, self.open_session, self.reports.append, self.end)

    def open_session(self, driver: Driver) -> Session:
        self.session = ScriptedSession(driver)
        return cast(Session, self.session)

    def end(self, pump: Pump) -> None:
        self.ends.append(pump)
        self.has_ended.set()

    async def until_ended(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.has_ended.wait()


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run on a loop of its own."""

    async def main() -> None:
        await test()

    with asyncio.Runner() as runner:
        runner.run(main())


def test_a_socket_that_the_loop_cannot_watch_is_closed_and_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system may have no more watches to give."""

    def refuse(fd: int, callback: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async def main() -> None:
        sock, peer = pair()
        async with peer:
            started = Started(sock)
            monkeypatch.setattr(asyncio.get_running_loop(), "add_reader", refuse)
            started.pump.open()
            await started.until_ended()
            assert sock.fileno() == -1
            assert started.session.heard == [("lost", OSError)]
            assert started.ends == [started.pump]
            assert started.reports == []

    run(main)


def test_an_error_before_the_pump_is_opened_resets_the_stream() -> None:
    async def main() -> None:
        sock, peer = pair()
        async with peer:
            started = Started(sock)
            started.session.faulty = ("next_deadline",)
            started.session.driver.notify()
            started.pump.open()
            assert started.ends == [started.pump]
            with pytest.raises(ConnectionResetError):
                peer.socket.recv(1)
        assert started.session.heard == [("abort", None), ("lost", None)]
        assert [repr(report.exception) for report in started.reports] == [
            "ZeroDivisionError('next_deadline')"
        ]

    run(main)


def test_a_look_that_is_due_when_everything_has_ended_is_taken_back() -> None:
    async def main() -> None:
        sock, peer = pair()
        async with peer:
            started = Started(sock)
            started.pump.open()
            await asyncio.sleep(0)
            started.session.is_kept = True
            peer.reset()
            await started.session.until(("lost", ConnectionResetError))
            started.session.is_kept = False
            looks = started.session.looks
            started.session.driver.notify(soon=True)
            started.session.driver.notify()
            await started.until_ended()
            await asyncio.sleep(0)
            assert started.session.looks == looks

    run(main)
