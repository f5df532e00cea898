"""Virtual time on both loops: the same names, the same use, the same moments."""

from __future__ import annotations

import errno
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from itertools import accumulate
from pathlib import Path
from typing import Protocol, TypeVar, TypeVarTuple

import anyio
import anyio.abc
import pytest

import spry_asyncio
import spry_asyncio.testing
import spry_trio
import spry_trio.testing
from frames import PING, frame
from spry_core import Application, Request, Timeouts, WebSocket, sleep, timeout
from spry_core.tasks import event
from spry_core.testing import Deadlock

Args = TypeVarTuple("Args")
Result = TypeVar("Result")


class Running(Protocol):
    @property
    def addresses(self) -> list[tuple[str, int]]: ...


class VirtualTime(Protocol):
    def run(self, function: Callable[[*Args], Awaitable[Result]], *args: *Args) -> Result: ...

    def anyio_options(self) -> dict[str, object]: ...


class Backend:
    """One of the two adapters, as far as it matters here."""

    def __init__(
        self,
        name: str,
        module: str,
        make: Callable[[float], VirtualTime],
        serve: Callable[[Application, Timeouts], AbstractAsyncContextManager[Running]],
    ) -> None:
        self.name = name
        self.module = module
        self.make = make
        self.serve = serve
        self.time = make(5.0)


BACKENDS = [
    Backend(
        "asyncio",
        "spry_asyncio.testing",
        lambda patience: spry_asyncio.testing.VirtualTime(patience=patience),
        lambda app, timeouts: spry_asyncio.serve(app, port=0, timeouts=timeouts),
    ),
    Backend(
        "trio",
        "spry_trio.testing",
        lambda patience: spry_trio.testing.VirtualTime(patience=patience),
        lambda app, timeouts: spry_trio.serve(app, port=0, timeouts=timeouts),
    ),
]


@pytest.fixture(params=BACKENDS, ids=[backend.name for backend in BACKENDS])
def backend(request: pytest.FixtureRequest) -> Backend:
    assert isinstance(request.param, Backend)
    return request.param


def test_time_begins_at_nothing_and_jumps(backend: Backend) -> None:
    async def test(seconds: float) -> tuple[float, float]:
        before = anyio.current_time()
        await anyio.sleep(seconds)
        return before, anyio.current_time()

    assert backend.time.run(test, 60.0) == (0.0, 60.0)
    assert backend.time.run(test, 86_400.0 * 30) == (0.0, 86_400.0 * 30)
    assert backend.time.run(test, 86_400.0 * 1_000)[1] == pytest.approx(86_400.0 * 1_000, abs=1e-6)


def test_a_timer_fires_at_its_very_moment(backend: Backend) -> None:
    """No rounding on the way: what a test computes is what it sees."""

    async def test() -> list[float]:
        seen = list[float]()
        for _ in range(1_000):
            await anyio.sleep(0.1)
            seen.append(anyio.current_time())
        return seen

    assert backend.time.run(test) == list(accumulate([0.1] * 1_000))


def test_tasks_wake_in_the_order_of_their_moments(backend: Backend) -> None:
    async def test() -> list[tuple[str, float]]:
        seen = list[tuple[str, float]]()

        async def wake(name: str, seconds: float) -> None:
            await anyio.sleep(seconds)
            seen.append((name, anyio.current_time()))

        async with anyio.create_task_group() as tasks:
            for name, seconds in [("c", 30.0), ("a", 10.0), ("b", 20.0)]:
                tasks.start_soon(wake, name, seconds)
            with anyio.move_on_after(25.0):
                await anyio.sleep_forever()
            seen.append(("gone", anyio.current_time()))
        return seen

    assert backend.time.run(test) == [("a", 10.0), ("b", 20.0), ("gone", 25.0), ("c", 30.0)]


def test_what_the_test_raises_comes_out(backend: Backend) -> None:
    async def test() -> None:
        await anyio.sleep(1.0)
        raise LookupError("wrong")

    with pytest.raises(LookupError, match=r"^wrong$"):
        backend.time.run(test)


def test_a_wait_that_nothing_can_end_is_a_deadlock_at_once(backend: Backend) -> None:
    ended = list[str]()

    async def test() -> None:
        await anyio.sleep(2.0)
        try:
            await anyio.Event().wait()
        finally:
            ended.append("cleared up")

    with pytest.raises(Deadlock) as caught:
        backend.time.run(test)
    first, second = str(caught.value).splitlines()
    line = test.__code__.co_firstlineno + 3
    assert first == "nothing can ever happen any more (time 2.0)"
    assert f" at {__file__}:{line} in {test.__qualname__}, awaiting " in second
    assert ended == ["cleared up"]


def test_every_task_that_waits_is_named(backend: Backend) -> None:
    async def child() -> None:
        await anyio.sleep_forever()

    async def test() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(child)

    async def nested() -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(test)

    with pytest.raises(Deadlock) as caught:
        backend.time.run(nested)
    for function in (child, test, nested):
        assert f" in {function.__qualname__}" in str(caught.value)


# ------------------------------------------------------------------------------------------------ an application on it


def make_app(notes: list[object]) -> Application:
    app = Application()

    @app.get("/slow")
    async def slow(request: Request) -> str:
        try:
            with timeout(60):
                await sleep(3600)
        except TimeoutError:
            return f"{anyio.current_time()}"
        return "never"  # pragma: no cover - the limit is shorter

    @app.get("/forever")
    async def forever(request: Request) -> None:
        await event().wait()

    @app.ws("/silent")
    async def silent(ws: WebSocket, request: Request) -> None:
        info = await ws.closed
        notes.append((anyio.current_time(), info.sent.code if info.sent else None))

    return app


def ask(path: str, *fields: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: t", *fields, "", ""]).encode()


async def read_all(stream: anyio.abc.SocketStream) -> bytes:
    data = b""
    try:
        while True:
            data += await stream.receive()
    except anyio.EndOfStream:
        return data


def test_an_application_is_tested_on_the_loop_it_will_run_on(backend: Backend) -> None:
    async def test() -> bytes:
        async with backend.serve(make_app([]), Timeouts()) as server:
            async with await anyio.connect_tcp(*server.addresses[0]) as stream:
                await stream.send(ask("/slow", "Connection: close"))
                return await read_all(stream)

    assert backend.time.run(test).endswith(b"\r\n\r\n60.0")


def test_keepalive_of_hours_takes_no_time(backend: Backend) -> None:
    """The peer answers no Ping: the first goes out after an hour, and half an hour later it is over."""
    notes = list[object]()
    timeouts = Timeouts(ping_interval=3600.0, ping_timeout=1800.0)

    async def test() -> bytes:
        async with backend.serve(make_app(notes), timeouts) as server:
            async with await anyio.connect_tcp(*server.addresses[0]) as stream:
                key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
                upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", key)
                await stream.send(ask("/silent", *upgrade))
                return await read_all(stream)

    _, _, received = backend.time.run(test).partition(b"\r\n\r\n")
    assert received[:1] == frame(PING, b"")[:1]
    assert notes == [(5400.0, 1011)]


@pytest.mark.parametrize(("pause", "answered"), [(7.0, b"74.0"), (None, b"60.0")])
def test_a_server_without_descriptors_rests_for_its_pause_and_no_longer(
    backend: Backend, pause: float | None, answered: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two rests, then a handler of 60 seconds; None is no rest at all."""
    faults, accept = [errno.EMFILE, errno.ENFILE], socket.socket.accept

    def fail(listener: socket.socket) -> tuple[socket.socket, object]:
        if faults:
            raise OSError(faults.pop(), "it failed")
        return accept(listener)

    async def test() -> bytes:
        async with backend.serve(make_app([]), Timeouts(accept_pause=pause)) as server:
            async with await anyio.connect_tcp(*server.addresses[0]) as stream:
                await stream.send(ask("/slow", "Connection: close"))
                return await read_all(stream)

    monkeypatch.setattr(socket.socket, "accept", fail)
    _, _, received = backend.time.run(test).partition(b"\r\n\r\n")
    assert (received, faults) == (answered, [])


def test_a_server_that_waits_for_ever_is_given_up_after_real_patience(backend: Backend) -> None:
    """Its sockets might bring something, for all that anybody knows."""

    async def test() -> None:
        async with backend.serve(make_app([]), Timeouts()) as server:
            async with await anyio.connect_tcp(*server.addresses[0]) as stream:
                await stream.send(ask("/forever"))
                await stream.receive()

    with pytest.raises(Deadlock) as caught:
        backend.make(0.05).run(test)
    assert " in make_app.<locals>.forever, awaiting " in str(caught.value)


def test_a_thread_may_bring_something_too(backend: Backend) -> None:
    async def test() -> float:
        await anyio.to_thread.run_sync(lambda: None)
        return anyio.current_time()

    assert backend.time.run(test) == 0.0


def test_anyio_runs_in_virtual_time_too(backend: Backend) -> None:
    async def test() -> float:
        await anyio.sleep(3600.0)
        return anyio.current_time()

    assert anyio.run(test, backend=backend.name, backend_options=backend.time.anyio_options()) == 3600.0


# --------------------------------------------------------------------------------------------------------- the fixture

TEST = """
import anyio

def test_an_hour(virtual_time):
    async def test():
        await anyio.sleep(3600)
        return anyio.current_time()

    assert virtual_time.run(test) == 3600
"""


@pytest.mark.parametrize("way", ["pytest_plugins = ['{}']\n", "from {} import virtual_time\n"])
def test_pytest_finds_the_fixture(backend: Backend, way: str, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(way.format(backend.module), encoding="utf-8")
    (tmp_path / "test_it.py").write_text(TEST, encoding="utf-8")
    root = str(Path(spry_asyncio.__file__).parent.parent)
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": root},
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (ended.returncode, "1 passed" in ended.stdout) == (0, True), ended.stdout


def test_without_pytest_there_is_only_no_fixture(backend: Backend) -> None:
    program = f"import sys; sys.modules['pytest'] = None; import {backend.module} as m; print(hasattr(m, 'virtual_time'))"
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=Path(spry_asyncio.__file__).parent.parent,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (ended.stdout, ended.stderr) == ("False\n", "")
