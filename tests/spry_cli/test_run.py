from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import ssl
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvloop

import spry_asyncio
import spry_trio
from spry_cli.errors import CommandError
from spry_cli.options import Loop
from spry_cli.run import run
from spry_cli.settings import RunSettings
from spry_core import Application, Limits, Timeouts
from spry_core.protocol import DEFAULT_ENGINE, EngineName
from spry_core.recording import Recorder
from spry_core.version import VERSION


@dataclass
class FakeServer:
    """What the command reads of a server."""

    addresses: list[tuple[str, int]]
    paths: list[str] = field(default_factory=list[str])


@dataclass(kw_only=True)
class Call:
    """One call of an adapter's `run`."""

    app: Application
    host: str = "127.0.0.1"
    port: int = 8000
    uds: str | None = None
    sockets: list[int] = field(default_factory=list[int])
    ssl_context: ssl.SSLContext | None = None
    limits: Limits = Limits()
    timeouts: Timeouts = Timeouts()
    engine: EngineName = DEFAULT_ENGINE
    access_log: bool = True
    make_connection: Recorder | None = None
    loop: Loop | None = None


class FakeAdapter:
    """Stands in for `spry_asyncio.run` and `spry_trio.run`; the real ones serve in tests/spry_cli/test_main.py."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.server = FakeServer([("127.0.0.1", 8000)])
        self.error: Exception | None = None
        self.listens = True

    def run(
        self,
        app: Application,
        host: str,
        port: int,
        *,
        uds: str | None,
        sockets: Sequence[socket.socket],
        ssl_context: ssl.SSLContext | None,
        limits: Limits,
        timeouts: Timeouts,
        engine: EngineName,
        access_log: bool,
        make_connection: Recorder | None,
        started: Callable[[FakeServer], None],
        loop: Loop | None = None,
    ) -> None:
        self.calls.append(
            Call(
                app=app,
                host=host,
                port=port,
                uds=uds,
                sockets=[each.fileno() for each in sockets],
                ssl_context=ssl_context,
                limits=limits,
                timeouts=timeouts,
                engine=engine,
                access_log=access_log,
                make_connection=make_connection,
                loop=loop,
            )
        )

        async def listen() -> None:
            started(self.server)

        if self.listens:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop if loop == "uvloop" else None) as runner:
                runner.run(listen())
        if self.error is not None:
            raise self.error


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> FakeAdapter:
    fake = FakeAdapter()
    monkeypatch.setattr(spry_asyncio, "run", fake.run)
    monkeypatch.setattr(spry_trio, "run", fake.run)
    return fake


def first_line(capsys: pytest.CaptureFixture[str]) -> str:
    """Return the first of the two lines of a run; the other one says that it has stopped."""
    out, err = capsys.readouterr()
    first, last = err.splitlines()
    assert (out, last.split(maxsplit=2)[2]) == ("", "INFO stopped")
    return first


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (RunSettings(loop="asyncio"), "asyncio"),
        (RunSettings(loop="uvloop"), "asyncio, uvloop"),
        (RunSettings(backend="trio"), "trio"),
    ],
)
def test_the_first_line_says_version_address_and_backend(
    settings: RunSettings, words: str, adapter: FakeAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    run(Application(), settings)
    assert first_line(capsys) == f"spry {VERSION} on http://127.0.0.1:8000 ({words})"


def test_the_first_line_names_every_address_as_a_uri(
    adapter: FakeAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    """An IPv6 address in a URI stands in brackets (RFC 3986 §3.2.2)."""
    adapter.server = FakeServer([("127.0.0.1", 80), ("::1", 80)], ["spry.sock"])
    run(Application(), RunSettings(loop="asyncio"))
    where = "http://127.0.0.1:80 and http://[::1]:80 and unix:spry.sock"
    assert first_line(capsys) == f"spry {VERSION} on {where} (asyncio)"


def test_the_first_line_says_https_where_tls_is_spoken(
    adapter: FakeAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    """RFC 9110 §4.2.2."""
    run(Application(), RunSettings(loop="asyncio", ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)))
    assert first_line(capsys) == f"spry {VERSION} on https://127.0.0.1:8000 (asyncio)"


def settings_of(backend: str) -> RunSettings:
    """Return settings of which each differs from its default."""
    return RunSettings(
        backend="trio" if backend == "trio" else "asyncio",
        loop="auto" if backend == "trio" else "uvloop",
        host="::1",
        port=81,
        uds="spry.sock",
        ssl_context=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER),
        limits=Limits(backlog=1),
        timeouts=Timeouts(head=1.0),
        engine="pure",
        access_log=False,
    )


@pytest.mark.parametrize(("backend", "loop"), [("asyncio", "uvloop"), ("trio", None)])
def test_the_adapter_gets_every_setting(backend: str, loop: Loop | None, adapter: FakeAdapter) -> None:
    app, settings = Application(), settings_of(backend)
    run(app, settings)
    expected = Call(
        app=app,
        host="::1",
        port=81,
        uds="spry.sock",
        ssl_context=settings.ssl_context,
        limits=Limits(backlog=1),
        timeouts=Timeouts(head=1.0),
        engine="pure",
        access_log=False,
        loop=loop,
    )
    assert adapter.calls == [expected]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_connections_are_recorded_where_that_was_asked_for(
    backend: str, adapter: FakeAdapter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And whoever serves is told so, since it keeps what others have said."""
    folder = tmp_path / "records"
    settings = RunSettings(
        backend="trio" if backend == "trio" else "asyncio",
        record=str(folder),
        redact=("x-key",),
        record_size=4000,
        record_files=3,
    )
    run(Application(), settings)
    recorder = adapter.calls[0].make_connection
    assert recorder is not None
    connection = recorder("server", now=0.0, random=bytes)
    connection.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\nX-Key: a\r\n\r\n", 0.0)
    (file,) = folder.iterdir()
    assert r"\r\nX-Key: *\r\n" in file.read_text("ascii")
    connection.connection_lost(None, 0.0)
    list(connection)
    assert capsys.readouterr().err.splitlines()[1] == (
        f"recording each connection in {folder}: at most 3 files of 4000 bytes, "
        "without authorization, cookie, proxy-authorization, set-cookie, x-key"
    )


def test_a_folder_that_cannot_be_recorded_in_is_named(adapter: FakeAdapter, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(CommandError) as caught:
        run(Application(), RunSettings(record=str(file)))
    assert str(caught.value) == f"cannot record in {file}: file exists"
    assert adapter.calls == []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_adapter_gets_the_socket_that_was_inherited(backend: str, adapter: FakeAdapter) -> None:
    own = socket.create_server(("127.0.0.1", 0))
    number = own.detach()
    run(Application(), RunSettings(backend="trio" if backend == "trio" else "asyncio", fd=number))
    assert adapter.calls[0].sockets == [number]
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


@pytest.mark.parametrize(
    ("missing", "settings", "message"),
    [
        ("trio", RunSettings(backend="trio"), "trio is not installed: pip install 'spry[trio]'"),
        ("uvloop", RunSettings(loop="uvloop"), "uvloop is not installed: pip install 'spry[fast]'"),
    ],
)
def test_what_is_not_installed_is_named_with_the_extra_that_brings_it(
    missing: str, settings: RunSettings, message: str, adapter: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(CommandError) as caught:
        run(Application(), settings)
    assert str(caught.value) == message
    assert adapter.calls == []


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            OSError(errno.EADDRINUSE, "error while attempting to bind on address (…)"),
            "address already in use",
        ),
        (OSError(errno.EACCES, ""), "permission denied"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "name or service not known"),
        (OSError("could not bind on any address"), "could not bind on any address"),
        (UnicodeError("label too long"), "not the name of a host"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_named_with_the_reason(
    error: Exception, words: str, adapter: FakeAdapter
) -> None:
    adapter.listens, adapter.error = False, error
    with pytest.raises(CommandError) as caught:
        run(Application(), RunSettings())
    assert str(caught.value) == f"cannot listen on 127.0.0.1:8000: {words}"


def test_a_place_that_is_no_address_is_named_as_what_it_is(adapter: FakeAdapter) -> None:
    adapter.listens, adapter.error = False, OSError(errno.EACCES, "")
    with pytest.raises(CommandError, match=r"^cannot listen on unix:spry\.sock: permission denied$"):
        run(Application(), RunSettings(uds="spry.sock"))
    number = socket.create_server(("127.0.0.1", 0)).detach()
    with pytest.raises(CommandError, match=rf"^cannot listen on descriptor {number}: permission denied$"):
        run(Application(), RunSettings(fd=number))


@pytest.mark.parametrize("listens", [True, False])
def test_an_error_that_is_none_of_listening_is_not_taken_for_one(
    listens: bool, adapter: FakeAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    adapter.listens = listens
    adapter.error = OSError(errno.EIO, "disk") if listens else ArithmeticError("disk")
    with pytest.raises(type(adapter.error), match="disk"):
        run(Application(), RunSettings())
    assert "stopped" not in capsys.readouterr().err


def failing(at: str) -> Application:
    """Return an application that fails as if it could not listen, before or behind its yield."""
    app = Application()

    @app.lifespan
    async def database(app: Application) -> AsyncGenerator[None]:
        if at == "start":
            raise ConnectionRefusedError("no database")
        yield
        raise ConnectionRefusedError("no database")

    return app


@pytest.mark.parametrize(
    "backend", [RunSettings(port=0, loop="asyncio"), RunSettings(port=0, backend="trio")]
)
def test_an_application_that_cannot_start_is_told_with_its_traceback(backend: RunSettings) -> None:
    """Although its error is of the kind that listening has."""
    with pytest.raises(CommandError) as caught:
        run(failing("start"), backend)
    assert str(caught.value) == "the application failed at its start: ConnectionRefusedError"
    assert repr(caught.value.__cause__) == "ConnectionRefusedError('no database')"


def test_an_application_that_fails_at_its_end_is_told_once_with_its_traceback(
    adapter: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        run_lifespan(failing("end"))
    except ConnectionRefusedError as error:
        adapter.error = error
    with pytest.raises(CommandError) as caught:
        run(Application(), RunSettings())
    assert str(caught.value) == "the application failed at its end: ConnectionRefusedError"
    assert caught.value.__cause__ is None


def run_lifespan(app: Application) -> None:
    """Serve an application for a moment, and raise what its teardown raises."""

    async def main() -> None:
        async with spry_asyncio.serve(app, port=0):
            pass

    asyncio.run(main())


def test_the_log_is_as_the_settings_say(
    adapter: FakeAdapter, own_logging: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    run(Application(), RunSettings(log_level="warning", log_format="json"))
    assert own_logging.level == logging.WARNING
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith('{"time": "')
