"""What only trio's pump does; the rest is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import cast

import pytest
import trio

from adapters.peer import pair
from adapters.scripted import ScriptedSession
from spry_core.driver import Driver
from spry_core.protocol import CLOSE
from spry_core.serving import LogRecord, Session
from spry_system import Poller
from spry_trio import Pump, driver
from spry_trio.driver import open_workers
from spry_trio.pump import RaisingBare


def opening(sessions: list[ScriptedSession]) -> Callable[[Driver], Session]:
    """Make what opens a scripted session, which is in the list then."""

    def open_session(driver: Driver) -> Session:
        sessions.append(ScriptedSession(driver))
        return cast(Session, sessions[-1])

    return open_session


def test_a_pump_that_is_cancelled_closes_its_session_and_goes_on_until_it_is_closed() -> None:
    """The shield is as long as the session's own deadlines."""

    async def main() -> None:
        sock, peer = pair()
        sessions: list[ScriptedSession] = []

        def open_session(driver: Driver) -> Session:
            session = ScriptedSession(driver)
            session.on_shutdown = lambda: session.say(b"goodbye", CLOSE, soon=None)
            session.is_kept = True
            sessions.append(session)
            return cast(Session, session)

        reports: list[LogRecord] = []
        ended: list[bool] = []

        async def run() -> None:
            async with open_workers() as workers:
                with trio.CancelScope() as scope:
                    scopes.append(scope)
                    await Pump(sock, workers, open_session, reports.append, lambda pump: None).run()
            ended.append(scope.cancelled_caught)

        scopes: list[trio.CancelScope] = []
        async with trio.open_nursery() as nursery, peer:
            nursery.start_soon(run)
            await trio.testing.wait_all_tasks_blocked()
            [session] = sessions
            scopes[0].cancel()
            assert await peer.receive_all() == b"goodbye"
            await session.until(("lost", None))
            assert session.all("shutdown") == [(1001, "", 0.0)]
            assert ended == []
            session.is_kept = False
            session.driver.notify()
        assert ended == [True]
        assert reports == []

    trio.run(main)


def test_a_pump_that_is_cancelled_before_it_ran_closes_too() -> None:
    async def main() -> None:
        sock, peer = pair()
        sessions: list[ScriptedSession] = []

        def open_session(driver: Driver) -> Session:
            session = ScriptedSession(driver)
            session.on_shutdown = lambda: session.say(b"goodbye", CLOSE, soon=None)
            sessions.append(session)
            return cast(Session, session)

        reports: list[LogRecord] = []
        async with peer, open_workers() as workers:
            pump = Pump(sock, workers, open_session, reports.append, lambda pump: None)
            sessions[0].driver.notify()  # before there is anybody to look
            with trio.CancelScope() as scope:
                scope.cancel()
                await pump.run()
            assert scope.cancelled_caught
            assert await peer.receive_all() == b"goodbye"
        assert sessions[0].all("shutdown") == [(1001, "", 0.0)]

    trio.run(main)


def test_a_socket_that_is_readable_for_nothing_is_waited_for_again() -> None:
    """As on Linux when a checksum turns out wrong: `select` had promised too much."""

    class Reluctant(socket.socket):
        refusals = 2

        def recv(self, bufsize: int, flags: int = 0) -> bytes:
            if self.refusals:
                self.refusals -= 1
                raise BlockingIOError
            return super().recv(bufsize, flags)

    async def main() -> None:
        sock, peer = pair()
        reluctant = Reluctant(fileno=sock.detach())
        sessions: list[ScriptedSession] = []
        reports: list[LogRecord] = []
        async with trio.open_nursery() as nursery, peer, open_workers() as workers:
            nursery.start_soon(
                Pump(reluctant, workers, opening(sessions), reports.append, lambda pump: None).run
            )
            await peer.send(b"hello")
            await sessions[0].until(("data", b"hello"))
            sessions[0].say(CLOSE)
            await sessions[0].until(("lost", None))
        assert reluctant.refusals == 0

    trio.run(main)


def test_without_epoll_each_socket_is_waited_for_in_a_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on everything but Linux: bytes, a pause, more bytes, and the end."""

    async def main() -> None:
        sock, peer = pair()
        sessions: list[ScriptedSession] = []
        reports: list[LogRecord] = []
        async with trio.open_nursery() as nursery, peer, open_workers() as workers:
            nursery.start_soon(Pump(sock, workers, opening(sessions), reports.append, lambda pump: None).run)
            await peer.send(b"one")
            await sessions[0].until(("data", b"one"))
            sessions[0].wants_reading = False
            sessions[0].driver.notify()
            await peer.send(b"two")
            await trio.testing.wait_all_tasks_blocked(0.02)
            assert sessions[0].all("data") == [b"one"]
            sessions[0].wants_reading = True
            sessions[0].driver.notify()
            await sessions[0].until(("data", b"two"))
            sessions[0].deadline = trio.current_time() + 0.01
            sessions[0].say(b"answer")
            assert await peer.receive(6) == b"answer"
            await sessions[0].until_called("deadline")
            sessions[0].say(CLOSE)
            await sessions[0].until(("lost", None))
        assert reports == []

    monkeypatch.setattr(driver, "HAS_EPOLL", False)
    trio.run(main)


def test_if_the_kernel_watches_no_more_sockets_the_stream_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(poller: Poller[Pump], sock: socket.socket, pump: Pump) -> None:
        raise OSError(errno.ENOSPC, "no more")

    async def main() -> None:
        sock, peer = pair()
        sessions: list[ScriptedSession] = []
        reports: list[LogRecord] = []
        async with peer, open_workers() as workers:
            await Pump(sock, workers, opening(sessions), reports.append, lambda pump: None).run()
            assert await peer.receive_all() == b""
        assert sessions[0].all("lost") == [OSError]
        assert reports == []

    monkeypatch.setattr(Poller, "watch", refuse)
    trio.run(main)


def test_what_one_connection_says_to_others_goes_out_when_its_call_is_over_in_one_piece() -> None:
    async def main() -> None:
        pairs = [pair() for _ in range(3)]
        sessions: list[ScriptedSession] = []

        def open_session(driver: Driver) -> Session:
            sessions.append(ScriptedSession(driver))
            return cast(Session, sessions[-1])

        def tell_all(data: bytes) -> None:
            for piece in (b"a", b"b", b"c"):
                for session in sessions:
                    session.say(piece)
            counts.extend(session.looks for session in sessions)

        counts: list[int] = []
        reports: list[LogRecord] = []
        async with trio.open_nursery() as nursery, open_workers() as workers:
            for sock, _ in pairs:
                nursery.start_soon(Pump(sock, workers, open_session, reports.append, lambda pump: None).run)
            await trio.testing.wait_all_tasks_blocked()
            before = [session.looks for session in sessions]
            sessions[0].on_data = tell_all
            for _, peer in pairs:  # one of them is the first session's
                await peer.send(b"go")
            for _, peer in pairs:
                assert await peer.receive(3) == b"abc"
            assert counts == before  # nobody has looked inside of the call
            assert [session.all("written") for session in sessions] == [[3], [3], [3]]
            for session in sessions:
                session.say(CLOSE)
        for _, peer in pairs:
            peer.socket.close()
        assert reports == []

    trio.run(main)


def test_a_group_of_one_is_taken_off_and_the_error_left_as_it_was() -> None:
    error = KeyError("one")
    with pytest.raises(KeyError) as caught, RaisingBare():
        raise BaseExceptionGroup("several", [error])
    assert caught.value is error
    assert error.__context__ is None


def test_a_group_of_several_stays_one() -> None:
    group = BaseExceptionGroup("several", [KeyError("one"), KeyError("two")])
    with pytest.raises(BaseExceptionGroup) as caught, RaisingBare():
        raise group
    assert caught.value is group
