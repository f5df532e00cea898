"""The lifespan of an application around its server, on every backend."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final

import anyio
import pytest

import spry_asyncio
import spry_trio
from adapters.leaks import nothing_left
from adapters.peer import Peer, connect
from adapters.serving import App, connected, serving, upgraded
from frames import CLOSE_FRAME, close_payload, frame
from spry_core import Application, Request, Timeouts, sleep
from spry_core.serving.lifespan import Lifespan
from spry_core.tasks import event

pytestmark = pytest.mark.anyio


class Living(App):
    """An application that does something before it serves and something after."""

    def __init__(self, *, startup: Exception | None = None, teardown: Exception | None = None) -> None:
        super().__init__()
        self.startup, self.teardown = startup, teardown
        self.lifespan(self.live)
        self.get("/state", self.state)

    async def live(self, app: Application) -> AsyncGenerator[None, None]:
        self.notes.note("starting")
        await sleep(0.01)
        if self.startup is not None:
            raise self.startup
        app.locals["state"] = "open"
        self.notes.note("started")
        yield
        self.notes.note("stopping")
        await sleep(0.01)
        if self.teardown is not None:
            raise self.teardown
        self.notes.note("stopped")

    async def state(self, request: Request) -> str:
        return f"{self.locals['state']}!"


async def ask_for_state(peer: Peer) -> None:
    await peer.send(b"GET /state HTTP/1.1\r\nHost: test\r\n\r\n")
    assert (await peer.receive_until(b"!")).endswith(b"\r\n\r\nopen!")


async def test_it_starts_before_the_block_and_ends_with_it() -> None:
    app = Living()
    async with nothing_left():
        async with serving(app, timeouts=Timeouts(linger=0.05)) as server:
            assert app.notes == ["starting", "started"]
            async with await connected(server) as peer:
                await ask_for_state(peer)
        assert app.notes == ["starting", "started", "stopping", "stopped"]


async def test_its_teardown_comes_after_the_last_connection() -> None:
    app = Living()
    async with anyio.create_task_group() as tasks:
        async with serving(app) as server:
            peer = await upgraded(server, "/echo")
            tasks.start_soon(server.close)
            assert await peer.receive(4) == frame(CLOSE_FRAME, close_payload(1001), mask=None)
            await anyio.wait_all_tasks_blocked()
            assert app.notes == ["starting", "started", "open"]
            await peer.send(frame(CLOSE_FRAME, close_payload(1001)))
            assert await peer.receive_all() == b""
            peer.socket.close()
            await app.notes.until("stopped")


async def fail(app: Application) -> None:
    async with serving(app):
        raise AssertionError("it serves")  # pragma: no cover - it must not


async def serve_shortly(app: Application) -> None:
    async with serving(app):
        pass


@pytest.mark.parametrize(
    "error", [KeyError("mine"), ExceptionGroup("mine", [KeyError("a"), KeyError("b")])], ids=["bare", "group"]
)
async def test_what_its_startup_raises_comes_out_as_itself(error: Exception) -> None:
    app = Living(startup=error)
    async with nothing_left():
        with pytest.raises(type(error)) as caught:
            await fail(app)
        assert caught.value is error
    assert app.notes == ["starting"]


async def test_what_its_teardown_raises_comes_out_as_itself() -> None:
    error = KeyError("mine")
    app = Living(teardown=error)
    async with nothing_left():
        with pytest.raises(KeyError) as caught:
            await serve_shortly(app)
        assert caught.value is error
    assert app.notes == ["starting", "started", "stopping"]


async def test_an_error_of_the_block_comes_before_that_of_the_teardown() -> None:
    app = Living(teardown=KeyError("teardown"))
    with pytest.raises(ZeroDivisionError):
        await divide(app)
    assert app.notes == ["starting", "started", "stopping"]


async def divide(app: Application) -> None:
    async with serving(app):
        raise ZeroDivisionError


async def test_a_port_that_is_taken_fails_before_it_starts() -> None:
    app = Living()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match="Address already in use"):
            async with serving(app, port=taken.getsockname()[1]):
                raise AssertionError("it serves")  # pragma: no cover - it must not
    assert app.notes == []


async def test_nobody_is_served_before_it_has_started() -> None:
    """The socket listens already, so who connects waits and is not refused."""
    app, go_on = App(), anyio.Event()
    given = socket.create_server(("127.0.0.1", 0))

    @app.lifespan
    async def live(app_: Application) -> AsyncGenerator[None, None]:
        app.notes.note("starting")
        await go_on.wait()
        yield

    async def serve() -> None:
        async with serving(app, sockets=[given]):
            await app.notes.until("answered")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        await app.notes.until("starting")
        async with await connect(given.getsockname()) as peer:
            await peer.send(b"GET /hello/you HTTP/1.1\r\nHost: test\r\n\r\n")
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(BlockingIOError):
                peer.socket.recv(1)
            go_on.set()
            assert (await peer.receive_until(b"!")).endswith(b"Hello, you!")
            app.notes.note("answered")


async def test_a_server_that_is_cancelled_in_its_startup_leaves_nothing() -> None:
    app, scope = App(), anyio.CancelScope()

    @app.lifespan
    async def live(app_: Application) -> AsyncGenerator[None, None]:
        app.notes.note("starting")
        try:
            await event().wait()
        finally:
            app.notes.note("given up")
        yield  # pragma: no cover - it never gets so far

    async with nothing_left():
        async with anyio.create_task_group() as tasks:

            async def serve() -> None:
                with scope:
                    await fail(app)

            tasks.start_soon(serve)
            await app.notes.until("starting")
            scope.cancel()
    assert scope.cancelled_caught
    assert app.notes == ["starting", "given up"]


async def test_an_abort_cancels_its_teardown() -> None:
    app = App()

    @app.lifespan
    async def live(app_: Application) -> AsyncGenerator[None, None]:
        yield
        app.notes.note("stopping")
        try:
            await event().wait()
        finally:
            app.notes.note("cancelled")

    async with nothing_left():
        async with anyio.create_task_group() as tasks, serving(app) as server:
            tasks.start_soon(server.close)
            await app.notes.until("stopping")
            server.abort()
    assert app.notes == ["stopping", "cancelled"]


RUNS: Final[Mapping[str, Callable[[Application], None]]] = {
    "asyncio": lambda app: spry_asyncio.run(app, port=0, loop="asyncio"),
    "uvloop": lambda app: spry_asyncio.run(app, port=0, loop="uvloop"),
    "trio": lambda app: spry_trio.run(app, port=0),
}
run_on_backends = pytest.mark.parametrize("backend", RUNS)


@run_on_backends
def test_a_program_ends_with_what_its_startup_raises(backend: str) -> None:
    error = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        RUNS[backend](Living(startup=error))
    assert caught.value is error


@run_on_backends
def test_a_program_ends_when_its_lifespan_does_of_itself(
    backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A task of the lifespan has failed, so what was served has lost its ground."""
    app, error = App(), KeyError("in the background")

    @app.lifespan
    async def live(app_: Application) -> AsyncGenerator[None, None]:
        async def fail_soon() -> None:
            await anyio.lowlevel.checkpoint()
            raise error

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fail_soon)
            yield

    with pytest.raises(KeyError) as caught:
        RUNS[backend](app)
    assert caught.value is error
    [record] = [record for record in caplog.records if record.name == "spry.error"]
    assert record.getMessage() == "lifespan: KeyError in the application"


async def test_an_error_of_the_core_in_it_is_reported_and_ends_the_server(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The last resort: the adapter does not lose an error that the core should have handled."""

    def fail(self: Lifespan) -> None:
        raise ZeroDivisionError("ours")

    with monkeypatch.context() as patch:
        patch.setattr(Lifespan, "_finish", fail)
        async with nothing_left():
            await serve_shortly(Living())
    [record] = [record for record in caplog.records if record.name == "spry.error"]
    assert record.getMessage() == "internal error: lifespan ended"
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "ZeroDivisionError('ours')"
