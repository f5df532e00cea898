"""What is asyncio's own about virtual time; `tests/adapters/test_virtual_time.py` has what is the same on trio."""

from __future__ import annotations

import asyncio
import math
import threading
import time

import pytest

from spry_asyncio.testing import (
    VirtualLoop,
    VirtualTime,
    virtual_time,  # noqa: F401  # pyright: ignore[reportUnusedImport]  # pytest finds it here
)
from spry_core.testing import Deadlock


def test_a_timer_that_was_cancelled_is_passed_over() -> None:
    async def test() -> list[float]:
        loop = asyncio.get_running_loop()
        for seconds in (1.0, 2.0, 3.0):
            loop.call_later(seconds, print).cancel()
        loop.call_later(2.5, seen.append, 2.5)
        await asyncio.sleep(4.0)
        return [*seen, loop.time()]

    seen = list[float]()
    assert VirtualTime().run(test) == [2.5, 4.0]


def test_a_timer_that_never_comes_lets_no_time_pass() -> None:
    async def test() -> None:
        await asyncio.sleep(math.inf)

    with pytest.raises(Deadlock, match=r"^nothing can ever happen any more \(time 0\.0\)"):
        VirtualTime().run(test)


def test_time_stands_still_while_a_thread_works() -> None:
    async def test() -> tuple[str, float]:
        loop = asyncio.get_running_loop()
        begun = threading.Event()

        def work() -> str:
            begun.set()
            time.sleep(0.02)  # the time of the thread is real
            return "done"

        async with asyncio.timeout(3600):
            return await loop.run_in_executor(None, work), loop.time()

    assert VirtualTime().run(test) == ("done", 0.0)


def test_no_time_passes_while_threads_end() -> None:
    async def test() -> float:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        assert await loop.run_in_executor(None, int) == 0
        await loop.shutdown_default_executor(300.0)
        return loop.time()

    assert VirtualTime().run(test) == 0.0


def test_a_thread_that_the_loop_does_not_know_may_wake_it() -> None:
    async def test() -> float:
        loop = asyncio.get_running_loop()
        woken = asyncio.Event()
        threading.Timer(0.02, loop.call_soon_threadsafe, (woken.set,)).start()
        await woken.wait()
        return loop.time()

    assert VirtualTime().run(test) == 0.0


def test_sockets_are_looked_at_before_time_jumps() -> None:
    async def test() -> tuple[bytes, float]:
        loop = asyncio.get_running_loop()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(2))
            writer.close()
            await writer.wait_closed()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            async with asyncio.timeout(60):
                writer.write(b"hi")
                received = await reader.read()
            writer.close()
            await writer.wait_closed()
        return received, loop.time()

    assert VirtualTime(grace=0.1).run(test) == (b"hi", 0.0)


def test_a_test_that_does_not_want_to_end_ends_with_the_loop() -> None:
    """It was cancelled, and waits again for what never comes."""

    async def test() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()

    with pytest.raises(Deadlock, match="nothing can ever happen any more"):
        VirtualTime().run(test)


def test_the_error_comes_out_of_a_loop_that_somebody_else_runs() -> None:
    async def test() -> None:
        await asyncio.Event().wait()

    with (
        pytest.raises(Deadlock, match=r" in test_the_error_comes_out_of_a_loop"),
        asyncio.Runner(loop_factory=VirtualLoop) as runner,
    ):
        runner.run(test())


def test_the_fixture_gives_what_runs_a_test(request: pytest.FixtureRequest) -> None:
    async def test() -> str:
        return "ran"

    fixture = request.getfixturevalue("virtual_time")
    assert isinstance(fixture, VirtualTime)
    assert fixture.run(test) == "ran"
