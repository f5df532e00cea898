from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import uvloop

import spry_asyncio
import spry_trio
from spry_cli.errors import CommandError
from spry_cli.run import Loop, RunSettings, run
from spry_core import Application
from spry_core.version import VERSION


@dataclass
class FakeServer:
    """What the command reads of a server."""

    addresses: list[tuple[str, int]]


@dataclass
class Call:
    """One call of an adapter's `run`."""

    app: Application
    host: str
    port: int
    access_log: bool
    loop: Loop | None


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
        access_log: bool,
        started: Callable[[FakeServer], None],
        loop: Loop | None = None,
    ) -> None:
        self.calls.append(Call(app, host, port, access_log, loop))

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


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[logging.Logger]:
    """Give the logger that the command sets up, and put it back as it was."""
    logger = logging.getLogger("spry")
    handlers, level, propagate = list(logger.handlers), logger.level, logger.propagate
    yield logger
    logger.handlers, logger.level, logger.propagate = handlers, level, propagate


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
    assert capsys.readouterr() == ("", f"spry {VERSION} on http://127.0.0.1:8000 ({words})\n")


def test_the_first_line_names_every_address_as_a_uri(
    adapter: FakeAdapter, capsys: pytest.CaptureFixture[str]
) -> None:
    """An IPv6 address in a URI stands in brackets (RFC 3986 §3.2.2)."""
    adapter.server.addresses = [("127.0.0.1", 80), ("::1", 80)]
    run(Application(), RunSettings(loop="asyncio"))
    assert capsys.readouterr().err == f"spry {VERSION} on http://127.0.0.1:80 and http://[::1]:80 (asyncio)\n"


def test_where_standard_error_is_closed_standard_output_stays_empty(
    adapter: FakeAdapter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    run(Application(), RunSettings(loop="asyncio"))
    assert len(adapter.calls) == 1
    assert capsys.readouterr() == ("", "")


def test_a_first_line_that_nobody_can_read_does_not_stop_the_server(
    adapter: FakeAdapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", buffering=1) as unread:
        monkeypatch.setattr(sys, "stderr", unread)
        run(Application(), RunSettings(loop="asyncio"))
        assert len(adapter.calls) == 1
        with pytest.raises(BrokenPipeError):
            unread.close()


def test_asyncio_gets_every_setting(adapter: FakeAdapter) -> None:
    app = Application()
    run(app, RunSettings(host="::1", port=81, access_log=False, loop="uvloop"))
    assert adapter.calls == [Call(app, "::1", 81, False, "uvloop")]


def test_trio_gets_every_setting_but_the_loop(adapter: FakeAdapter) -> None:
    app = Application()
    run(app, RunSettings(backend="trio", host="::1", port=81))
    assert adapter.calls == [Call(app, "::1", 81, True, None)]


def test_a_loop_for_trio_is_refused(adapter: FakeAdapter) -> None:
    with pytest.raises(CommandError, match=r"^--loop chooses a loop of asyncio; trio has its own$"):
        run(Application(), RunSettings(backend="trio", loop="uvloop"))
    assert adapter.calls == []


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


def test_an_error_after_listening_is_not_taken_for_a_bad_address(adapter: FakeAdapter) -> None:
    adapter.error = OSError(errno.EIO, "disk")
    with pytest.raises(OSError, match="disk"):
        run(Application(), RunSettings())


def test_both_logs_go_to_standard_error(
    adapter: FakeAdapter, own_logging: logging.Logger, capsys: pytest.CaptureFixture[str]
) -> None:
    own_logging.handlers = []
    run(Application(), RunSettings(loop="asyncio"))
    logging.getLogger("spry.access").info("a request")
    logging.getLogger("spry.error").error("a fault")
    logging.getLogger("spry.error").debug("a detail")
    out, err = capsys.readouterr()
    assert [line.split(maxsplit=2)[2] for line in err.splitlines()[1:]] == ["INFO a request", "ERROR a fault"]
    assert out == ""
    assert own_logging.propagate is False


def test_a_log_that_the_application_has_set_up_is_left_alone(
    adapter: FakeAdapter, own_logging: logging.Logger
) -> None:
    own = logging.NullHandler()
    own_logging.handlers = [own]
    own_logging.propagate = True
    run(Application(), RunSettings())
    assert own_logging.handlers == [own]
    assert own_logging.propagate is True
