"""What only asyncio's pump meets; the rest is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Final, cast

import pytest

from adapters.peer import PATIENCE, Peer, pair
from adapters.scripted import ScriptedSession
from spry_asyncio import Pump
from spry_asyncio.pump import BIG, Together, turns_of, watch_together
from spry_core.driver import Driver
from spry_core.protocol import ABORT
from spry_core.serving import LogRecord, Session
from spry_system import HAS_EPOLL, Turns

WHOSE: Final[ContextVar[str]] = ContextVar("whose")


NAME: ContextVar[str] = ContextVar("NAME", default="nobody")

with_epoll = pytest.mark.skipif(not HAS_EPOLL, reason="this system has no epoll")


class Started:
    """A pump with a scripted session."""

    def __init__(
        self, sock: socket.socket, turns: Turns | None = None, watch: Together | None = None
    ) -> None:
        self.reports: list[LogRecord] = []
        self.ends: list[Pump] = []
        self.has_ended = asyncio.Event()
        self.pump = Pump(sock, self.open_session, self.reports.append, self.end, turns, watch)

    def open_session(self, driver: Driver) -> Session:
        self.session = ScriptedSession(driver)
        return cast(Session, self.session)

    def end(self, pump: Pump) -> None:
        self.ends.append(pump)
        self.has_ended.set()

    async def until_ended(self) -> None:
        async with asyncio.timeout(PATIENCE):
            await self.has_ended.wait()


@asynccontextmanager
async def two() -> AsyncGenerator[tuple[Started, Started, Peer, Peer]]:
    """Open two connections of one server."""
    loop = asyncio.get_running_loop()
    turns = turns_of(loop)
    watch = watch_together(loop, turns)
    (sock, peer), (other_sock, other_peer) = pair(), pair()
    async with peer, other_peer:
        first, second = Started(sock, turns, watch), Started(other_sock, turns, watch)
        first.pump.open()
        second.pump.open()
        try:
            yield first, second, peer, other_peer
        finally:
            for started in (first, second):
                started.session.say(ABORT)
                await started.until_ended()
            if watch is not None:
                watch.close()


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


def test_time_comes_in_the_context_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever handler was running when the deadline was set."""

    async def main() -> None:
        found = asyncio.get_running_loop().create_future()

        def note(now: float) -> None:
            first.session.deadline = None
            found.set_result(WHOSE.get())

        def handle() -> None:
            WHOSE.set("handler")
            first.session.deadline = asyncio.get_running_loop().time()
            first.session.driver.notify()

        WHOSE.set("server")
        async with two() as (first, _, _, _):
            monkeypatch.setattr(first.session, "handle_deadline", note)
            copy_context().run(handle)
            async with asyncio.timeout(PATIENCE):
                assert await found == "server"

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


def test_what_one_call_says_to_another_connection_goes_out_with_one_write_behind_it() -> None:
    async def main() -> None:
        async with two() as (first, second, peer, other_peer):
            looks: list[int] = []

            def tell(data: bytes) -> None:
                before = second.session.looks
                for byte in data:
                    second.session.say(bytes([byte]))
                looks.append(second.session.looks - before)

            first.session.on_data = tell
            await peer.send(b"abc")
            assert await other_peer.receive(3) == b"abc"
            assert looks == [0]
            assert second.session.all("written") == [3]

    run(main)


def test_a_handler_that_is_woken_answers_before_the_look() -> None:
    async def main() -> None:
        async with two() as (first, second, peer, other_peer):
            driver = first.session.driver
            event = driver.event()

            async def answer() -> None:
                await event.wait()
                second.session.say(b"one, ")
                first.session.say(b"an answer")
                second.session.say(b"two")

            driver.start(answer)
            await asyncio.sleep(0)
            before = first.session.looks
            first.session.on_data = lambda data: event.set()
            await peer.send(b"x")
            assert await peer.receive(9) == b"an answer"
            assert await other_peer.receive(8) == b"one, two"
            # A look asks for bytes once more when it has sent some.
            assert first.session.looks == before + 2
            assert (first.session.all("written"), second.session.all("written")) == ([9], [8])

    run(main)


def test_a_look_waits_twice_for_handlers_that_are_woken_and_longer_for_those_that_begin() -> None:
    """What a peer leads to that sends all the time is not kept back for ever; pipelined requests are answered in one piece."""

    async def main() -> None:
        async with two() as (first, second, _, _):
            driver = first.session.driver
            event = driver.event()
            driver.start(event.wait)
            await asyncio.sleep(0)
            assert not first.pump.waits()
            event.set()
            assert [first.pump.waits() for _ in range(4)] == [True, True, False, True]
            await asyncio.sleep(0)
            assert not first.pump.waits()
            last = driver.start(driver.event().wait)
            assert [first.pump.waits() for _ in range(18)] == [*[True] * 16, False, True]
            await asyncio.sleep(0)
            assert not first.pump.waits()
            assert not second.pump.waits()
            last.cancel()

    run(main)


def chain_of(driver: Driver, links: int) -> None:
    """Start a handler that starts a handler, and so on: looks wait for each of them to begin."""

    async def run() -> None:
        if links:
            chain_of(driver, links - 1)

    driver.start(run)


def test_nothing_is_read_that_is_not_wanted_while_a_look_waits() -> None:
    """A peer that sends all the time would else be read on for as long as handlers begin."""

    async def main() -> None:
        async with two() as (first, _, peer, _):
            session = first.session

            def take(data: bytes) -> None:
                session.wants_reading = data != b"a"
                if data == b"a":
                    peer.socket.send(b"b")
                    chain_of(session.driver, 8)

            session.on_data = take
            await peer.send(b"a")
            for _ in range(30):
                await asyncio.sleep(0)
            assert session.all("data") == [b"a"]
            session.wants_reading = True
            session.driver.notify()
            await session.until(("data", b"b"))

    run(main)


def test_an_error_of_the_session_while_a_look_waits_ends_its_connection_alone() -> None:
    async def main() -> None:
        async with two() as (first, second, peer, other_peer):

            def fail(data: bytes) -> None:
                first.session.faulty = ("wants_read",)
                chain_of(first.session.driver, 3)

            first.session.on_data = fail
            await peer.send(b"x")
            await first.until_ended()
            assert [repr(report.exception) for report in first.reports] == ["ZeroDivisionError('wants_read')"]
            first.session.faulty = ()
            await other_peer.send(b"y")
            await second.session.until(("data", b"y"))

    run(main)


def test_a_handler_that_is_cancelled_when_it_was_woken_keeps_no_look_waiting() -> None:
    async def main() -> None:
        async with two() as (first, _, _, _):
            driver = first.session.driver
            event = driver.event()
            task, other = driver.start(event.wait), driver.start(driver.event().wait)
            await asyncio.sleep(0)
            event.set()
            task.cancel()
            other.cancel()
            assert first.pump.waits()
            await asyncio.sleep(0)
            assert not first.pump.waits()

    run(main)


def test_an_error_in_a_look_at_one_connection_keeps_no_other_from_being_looked_at() -> None:
    async def main() -> None:
        async with two() as (first, second, peer, other_peer):

            def tell(data: bytes) -> None:
                second.session.say(b"to the other")
                first.session.faulty = ("data_to_send",)

            first.session.on_data = tell
            await peer.send(b"x")
            assert await other_peer.receive(12) == b"to the other"
            await first.until_ended()
            assert [repr(report.exception) for report in first.reports] == [
                "ZeroDivisionError('data_to_send')"
            ]
            first.session.faulty = ()

    run(main)


@with_epoll
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (BIG - 1, ["hears", "hears", "has spoken", "has spoken"]),
        (BIG, ["hears", "has spoken", "hears", "has spoken"]),
    ],
)
def test_those_that_are_ready_together_are_read_first_and_then_looked_at(
    size: int, expected: list[str]
) -> None:
    """But for a big read: what it leads to is sent before the next."""

    async def main() -> None:
        async with two() as (first, second, peer, other_peer):
            log: list[str] = []

            def answer(session: ScriptedSession, data: bytes) -> None:
                log.append("hears")
                session.say(b"y", soon=None)

            for session in (first.session, second.session):
                session.on_data = partial(answer, session)
                session.on_credit = lambda: log.append("has spoken")
            for each in (peer, other_peer):
                assert each.socket.send(bytes(size)) == size
            assert (await peer.receive(1), await other_peer.receive(1)) == (b"y", b"y")
            assert log == expected

    run(main)


@with_epoll
def test_who_is_lost_before_it_is_its_turn_is_not_read() -> None:
    """Of many that are ready some are looked at before the others are read."""

    async def main() -> None:
        async with two() as (first, _, peer, _):
            peer.socket.send(b"x")
            first.session.say(ABORT)
            assert first.session.is_lost
            first.pump.receive()
            assert first.session.all("data") == []
            assert first.reports == []

    run(main)


@with_epoll
def test_what_a_callback_of_one_connection_sets_is_there_for_none_of_another() -> None:
    async def main() -> None:
        async with two() as (first, second, peer, other_peer):
            seen: list[str] = []

            def note(data: bytes) -> None:
                seen.append(NAME.get())
                NAME.set("set by a callback")

            first.session.on_data = second.session.on_data = note
            for _ in range(2):
                await peer.send(b"x")
                await first.session.until(("data", b"x"))
                first.session.heard.clear()
            await other_peer.send(b"y")
            await second.session.until(("data", b"y"))
            assert seen == ["nobody", "set by a callback", "nobody"]

    run(main)


@with_epoll
def test_where_no_descriptor_is_left_or_none_is_wanted_the_loop_watches_each_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(self: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async def main() -> None:
        loop = asyncio.get_running_loop()
        turns = turns_of(loop)
        watch = watch_together(loop, turns)
        assert watch is not None
        watch.close()
        with monkeypatch.context() as patch:
            patch.setattr("spry_asyncio.pump.Poller.__init__", refuse)
            assert watch_together(loop, turns) is None

    async def main_of_uvloop() -> None:
        loop = asyncio.get_running_loop()
        assert watch_together(loop, turns_of(loop)) is None

    run(main)
    uvloop = pytest.importorskip("uvloop")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main_of_uvloop())
