"""What is trio's own about virtual time; `tests/adapters/test_virtual_time.py` has what is the same on asyncio."""

from __future__ import annotations

import socket
import threading

import pytest
import trio

from spry_core.testing import Deadlock
from spry_trio.testing import (
    VirtualTime,
    virtual_time,  # noqa: F401  # pyright: ignore[reportUnusedImport]  # pytest finds it here
)


def test_a_socket_may_be_written_to_by_somebody_else() -> None:
    """Nobody knows how long that takes; patience does."""
    ours, theirs = socket.socketpair()

    async def test() -> tuple[bytes, float]:
        with trio.socket.from_stdlib_socket(ours) as sock:
            return await sock.recv(2), trio.current_time()

    with theirs:
        sender = threading.Timer(0.02, theirs.send, (b"hi",))
        sender.start()
        assert VirtualTime().run(test) == (b"hi", 0.0)
        sender.join()


def test_a_socket_that_takes_no_more_may_take_more() -> None:
    ours, theirs = socket.socketpair()

    async def test() -> None:
        with trio.socket.from_stdlib_socket(ours) as sock:
            while True:
                await sock.send(bytes(65_536))

    with (
        theirs,
        pytest.raises(
            Deadlock, match=r"^nothing can ever happen any more \(time 0\.0\)\n  .* in test_a_socket"
        ),
    ):
        VirtualTime(patience=0.02).run(test)


def test_a_thread_may_let_a_task_go_on() -> None:
    async def test() -> float:
        done = threading.Event()
        threading.Timer(0.02, done.set).start()
        await trio.to_thread.run_sync(done.wait)
        return trio.current_time()

    assert VirtualTime().run(test) == 0.0


def test_a_wait_that_is_over_in_time_takes_no_patience_from_the_next() -> None:
    ours, theirs = socket.socketpair()

    async def test() -> list[bytes]:
        with trio.socket.from_stdlib_socket(ours) as sock:
            got = list[bytes]()
            for _ in range(3):
                threading.Timer(0.03, theirs.send, (b"a",)).start()
                got.append(await sock.recv(1))
            return got

    with theirs:
        assert VirtualTime(patience=5.0).run(test) == [b"a"] * 3


def test_the_fixture_gives_what_runs_a_test(request: pytest.FixtureRequest) -> None:
    async def test() -> str:
        return "ran"

    fixture = request.getfixturevalue("virtual_time")
    assert isinstance(fixture, VirtualTime)
    assert fixture.run(test) == "ran"
