"""`run`: serving until a signal, on every backend, in this process and in one of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio
import pytest
from anyio import CancelScope
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import spry_asyncio
import spry_trio
from adapters.peer import PATIENCE
from adapters.serving import App, Running, handshake
from frames import CLOSE_FRAME, close_payload, frame
from handshakes import SWITCHED
from spry_asyncio.runner import LoopName
from spry_core import Application, Request, Timeouts
from spry_core.tasks import event

ROOT: Final = Path(__file__).resolve().parent.parent.parent
PROGRAM: Final = Path(__file__).resolve().parent / "program.py"
BACKENDS: Final = {"asyncio": "asyncio", "uvloop": "asyncio (uvloop)", "trio": "trio"}
GOING_AWAY: Final = frame(CLOSE_FRAME, close_payload(1001), mask=None)

run_on_backends = pytest.mark.parametrize("backend", BACKENDS)


class Program:
    """`program.py` in a process of its own."""

    def __init__(self, backend: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(PROGRAM), backend],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline() or 0)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end and return what it left: exit code, output, errors."""
        output, errors = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, output, errors


@contextmanager
def program(backend: str) -> Generator[Program]:
    """Run it; it has ended when the block has, whatever happens in there."""
    this = Program(backend)
    try:
        yield this
    finally:
        this.process.kill()
        this.process.communicate()


def upgraded(port: int, path: str) -> socket.socket:
    """Connect and go through the opening handshake."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    sock.sendall(handshake(path))
    assert sock.recv(len(SWITCHED), socket.MSG_WAITALL) == SWITCHED
    return sock


@run_on_backends
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_closes_with_1001_and_the_program_goes_on_to_its_end(
    backend: str, number: signal.Signals
) -> None:
    with program(backend) as this:
        with connect(f"ws://127.0.0.1:{this.port}/echo", proxy=None) as ws:
            ws.send("hello")
            assert ws.recv(timeout=PATIENCE) == "hello"
            this.process.send_signal(number)
            with pytest.raises(ConnectionClosed) as caught:
                ws.recv(timeout=PATIENCE)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == 1001
        assert this.end() == (0, f"{BACKENDS[backend]}: open; 1001 by shutdown; 1 thread\n", "")


@run_on_backends
def test_a_second_signal_aborts_what_the_first_one_waits_for(backend: str) -> None:
    """The handler would sleep for an hour, and the client answers nothing."""
    with program(backend) as this, upgraded(this.port, "/sleep") as peer:
        this.process.send_signal(signal.SIGTERM)
        assert peer.recv(4, socket.MSG_WAITALL) == GOING_AWAY
        this.process.send_signal(signal.SIGINT)
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
        assert this.end() == (0, f"{BACKENDS[backend]}: open, cancelled; ; 1 thread\n", "")


@run_on_backends
def test_a_third_signal_ends_what_no_cancellation_can_end(backend: str) -> None:
    """It does again what it did before: SIGTERM ends the process."""
    with program(backend) as this, upgraded(this.port, "/swallow") as peer:
        this.process.send_signal(signal.SIGTERM)
        assert peer.recv(4, socket.MSG_WAITALL) == GOING_AWAY
        this.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
        this.process.send_signal(signal.SIGTERM)
        assert this.end() == (-signal.SIGTERM, "", "")


def run(backend: str, app: App, port: int = 0, started: Callable[[Running], None] | None = None) -> None:
    """Run in this process and thread."""
    timeouts = Timeouts(close_timeout=0.1)
    if backend == "trio":
        spry_trio.run(app, port=port, timeouts=timeouts, started=started)
    else:
        loop: LoopName = "uvloop" if backend == "uvloop" else "asyncio"
        spry_asyncio.run(app, port=port, timeouts=timeouts, loop=loop, started=started)


@run_on_backends
def test_it_returns_after_a_signal_and_puts_the_handlers_back(backend: str) -> None:
    def handler(number: int, frame: object) -> None:
        raise AssertionError("it belongs to whoever runs")  # pragma: no cover - it must not

    before = signal.signal(signal.SIGTERM, handler)
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        run(backend, App(), started=lambda server: signal.raise_signal(signal.SIGTERM))
        assert signal.getsignal(signal.SIGTERM) is handler
        assert signal.getsignal(signal.SIGINT) is interrupt
    finally:
        signal.signal(signal.SIGTERM, before)


@run_on_backends
def test_a_third_signal_does_what_it_did_before_also_while_something_blocks_the_loop(backend: str) -> None:
    heard: list[str] = []

    def handler(number: int, frame: object) -> None:
        heard.append("handled")

    def block(server: Running) -> None:
        for n in range(3):
            heard.append(f"signal {n}")
            signal.raise_signal(signal.SIGTERM)
        heard.append("blocked")

    before = signal.signal(signal.SIGTERM, handler)
    try:
        run(backend, App(), started=block)
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["signal 0", "signal 1", "signal 2", "handled", "blocked"]


@run_on_backends
def test_a_signal_that_comes_before_it_listens_is_not_lost(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_server = socket.create_server

    def signalled(address: tuple[str, int], *, family: int, backlog: int) -> socket.socket:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGTERM)
        return create_server(address, family=family, backlog=backlog)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "create_server", signalled)
        run(backend, App())


@run_on_backends
def test_a_signal_ends_a_startup_that_would_never_end(backend: str) -> None:
    app, heard = App(), list[str]()

    @app.lifespan
    async def hang(app: Application) -> AsyncGenerator[None]:
        signal.raise_signal(signal.SIGTERM)
        try:
            await event().wait()
        finally:
            heard.append("cancelled")
        yield  # pragma: no cover - it never gets there

    run(backend, app, started=lambda server: heard.append("started"))
    assert heard == ["cancelled"]


@pytest.mark.parametrize("backend", ["asyncio", "uvloop"])
def test_a_cancellation_by_somebody_else_is_let_out(backend: str) -> None:
    def cancel(server: Running) -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()

    with pytest.raises(asyncio.CancelledError):
        run(backend, App(), started=cancel)


@run_on_backends
def test_a_third_signal_does_what_it_did_before_also_in_a_startup_that_swallows_its_cancellation(
    backend: str,
) -> None:
    app, heard = App(), list[str]()

    def handler(number: int, frame: object) -> None:
        heard.append("handled")

    @app.lifespan
    async def hang(app: Application) -> AsyncGenerator[None]:
        signal.raise_signal(signal.SIGTERM)
        try:
            await event().wait()
        except BaseException:
            signal.raise_signal(signal.SIGTERM)
            while signal.getsignal(signal.SIGTERM) is not handler:
                with CancelScope(shield=True):
                    await anyio.sleep(0)
            signal.raise_signal(signal.SIGTERM)
            raise
        yield  # pragma: no cover - it never gets there

    before = signal.signal(signal.SIGTERM, handler)
    try:
        run(backend, app, started=lambda server: heard.append("started"))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert heard == ["handled"]


@run_on_backends
def test_a_port_that_is_taken_is_a_plain_error(backend: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        with pytest.raises(OSError, match="Address already in use"):
            run(backend, App(), taken.getsockname()[1])


class Enough(Exception):  # noqa: N818 - no error, but the way out
    """What ends a server that no signal can reach."""


def enough(server: Running) -> None:
    raise Enough


@run_on_backends
def test_what_is_raised_when_it_has_started_ends_it(backend: str) -> None:
    with pytest.raises(Enough):
        run(backend, App(), started=enough)


@run_on_backends
def test_it_runs_in_a_thread_too_where_no_signal_comes(backend: str) -> None:
    caught: list[BaseException] = []

    def work() -> None:
        try:
            run(backend, App(), started=enough)
        except Enough as error:
            caught.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(PATIENCE)
    assert [type(error) for error in caught] == [Enough]


@run_on_backends
@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_process_is_let_out_of_a_handler(backend: str, error: type[BaseException]) -> None:
    app, ends = App(), list[bytes]()

    @app.get("/exit")
    async def leave(request: Request) -> None:
        raise error

    def ask(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as sock:
            sock.sendall(b"GET /exit HTTP/1.1\r\nHost: test\r\n\r\n")
            try:
                ends.append(sock.recv(1))
            except ConnectionResetError:
                ends.append(b"")

    clients: list[threading.Thread] = []

    def started(server: Running) -> None:
        clients.append(threading.Thread(target=ask, args=(server.addresses[0][1],)))
        clients[0].start()

    with pytest.raises(error):
        run(backend, app, started=started)
    clients[0].join(PATIENCE)
    assert ends == [b""]


def test_the_loop_of_asyncio_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    def backend_of(loop: LoopName) -> str:
        app = App()
        with pytest.raises(Enough):
            spry_asyncio.run(app, port=0, loop=loop, started=enough)
        return str(app.locals["backend"])

    assert backend_of("auto") == "asyncio (uvloop)"
    assert backend_of("uvloop") == "asyncio (uvloop)"
    assert backend_of("asyncio") == "asyncio"
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "uvloop", None)
        assert backend_of("auto") == "asyncio"
        with pytest.raises(ModuleNotFoundError, match="uvloop"):
            backend_of("uvloop")
