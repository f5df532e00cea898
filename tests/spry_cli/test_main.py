from __future__ import annotations

import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection
from pathlib import Path

import pytest

from served import PATIENCE, ROOT, served
from spry_cli.main import main
from spry_cli.run import RunSettings
from spry_core import Application
from spry_core.version import VERSION

SHOP = """\
from spry_core import Application

app = Application()


@app.get("/hello/:name")
async def hello(request):
    return f"Hello, {request.params['name']}!"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a folder with an application, `shop:app`; the import path is put back when the test is over."""
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.delitem(sys.modules, "shop", raising=False)
    return tmp_path


def command(*arguments: str) -> tuple[int, str, str]:
    """Run the command as a process; return its exit status, standard output and standard error."""
    process = subprocess.run(
        [sys.executable, "-W", "error", "-m", "spry_cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


def test_version_goes_to_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr() == (f"spry {VERSION}\n", "")


def test_routes_go_to_standard_output(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "shop:app", "--app-dir", str(shop)]) == 0
    out, err = capsys.readouterr()
    assert out.split() == ["GET", "/hello/:name", "hello", f"{shop / 'shop.py'}:6"]
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "the following arguments are required: {run,routes} (see spry --help)"),
        (["run"], "the following arguments are required: module:app (see spry run --help)"),
        (
            ["run", "a:b", "--port", "65536"],
            "argument --port: a port is a number from 0 to 65535 (see spry run --help)",
        ),
        (
            ["run", "a:b", "--port", "-1"],
            "argument --port: a port is a number from 0 to 65535 (see spry run --help)",
        ),
        (["run", "a:b", "--host", ""], "argument --host: a host cannot be empty (see spry run --help)"),
        (["routes", "shop"], "'shop' is not of the form module:attribute, such as 'app:app'"),
        (["run", "a:b", "--app-dir", "no/such"], "there is no folder 'no/such'"),
        (["run", "shop:app", "--backend", "trio", "--loop", "uvloop"], "--loop chooses a loop of asyncio; trio has its own"),
    ],
)  # fmt: skip
def test_what_cannot_be_done_is_one_line_and_exit_status_2(
    arguments: list[str],
    line: str,
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(shop)
    assert main(arguments) == 2
    assert capsys.readouterr() == ("", f"spry: {line}\n")


@pytest.mark.parametrize(
    ("arguments", "settings"),
    [
        ([], RunSettings()),
        (["--backend", "trio", "--port", "65535"], RunSettings(backend="trio", port=65535)),
        (["--loop", "uvloop", "--host", "::1"], RunSettings(loop="uvloop", host="::1")),
        (["--no-access-log"], RunSettings(access_log=False)),
    ],
)
def test_the_arguments_of_run_become_settings(
    arguments: list[str], settings: RunSettings, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[Application, RunSettings]] = []

    def run(app: Application, settings: RunSettings) -> None:
        calls.append((app, settings))

    monkeypatch.setattr("spry_cli.main.run", run)  # where `main` has imported it
    assert main(["run", "shop:app", "--app-dir", str(shop), *arguments]) == 0
    assert calls == [(sys.modules["shop"].app, settings)]


def test_an_interrupt_before_serving_is_status_130_and_no_traceback(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(app: Application, settings: RunSettings) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("spry_cli.main.run", run)
    assert main(["run", "shop:app", "--app-dir", str(shop)]) == 130
    assert capsys.readouterr() == ("", "")


def test_a_fault_in_the_module_shows_its_traceback_and_that_line(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "shop.py").write_text("app = 1 / 0\n")
    assert main(["run", "shop:app", "--app-dir", str(shop)]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[:2] == [
        "Traceback (most recent call last):",
        f'  File "{shop / "shop.py"}", line 1, in <module>',
    ]
    assert lines[-1] == "spry: module 'shop' failed at its import: ZeroDivisionError"


def test_the_module_runs_as_a_command() -> None:
    assert command("--version") == (0, f"spry {VERSION}\n", "")
    assert command("routes", "nowhere_at_all:app") == (
        2,
        "",
        "spry: there is no module 'nowhere_at_all' in '.' or on the import path\n",
    )


BACKENDS = [
    pytest.param(("--backend", "asyncio", "--loop", "asyncio"), "asyncio", id="asyncio"),
    pytest.param(("--backend", "asyncio", "--loop", "uvloop"), "asyncio, uvloop", id="uvloop"),
    pytest.param(("--backend", "trio"), "trio", id="trio"),
]


@pytest.mark.parametrize(("options", "words"), BACKENDS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_serves_until_a_signal_and_ends_with_status_0(
    number: signal.Signals, options: tuple[str, ...], words: str, shop: Path
) -> None:
    with served("shop:app", "--app-dir", str(shop), "--no-access-log", *options) as server:
        assert server.first_line == f"spry {VERSION} on {server.address} ({words})\n"
        client = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        client.request("GET", "/hello/world")
        response = client.getresponse()
        assert (response.status, response.read()) == (200, b"Hello, world!")
        client.close()
        assert server.stop(number) == 0
        assert server.rest() == ("", [])


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_each_request_is_logged_to_standard_error(options: tuple[str, ...], words: str, shop: Path) -> None:
    with served("shop:app", "--app-dir", str(shop), *options) as server:
        client = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        client.request("GET", "/hello/world")
        client.getresponse().read()
        client.close()
        assert server.stop() == 0
        out, lines = server.rest()
        assert out == ""
        assert len(lines) == 1
        assert " INFO " in lines[0]
        assert "GET /hello/world" in lines[0]


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_a_taken_port_is_one_line_and_exit_status_2(options: tuple[str, ...], words: str, shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert command("run", "shop:app", "--app-dir", str(shop), "--port", port, *options) == (
            2,
            "",
            f"spry: cannot listen on 127.0.0.1:{port}: address already in use\n",
        )


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_a_host_that_is_none_is_one_line_and_exit_status_2(
    options: tuple[str, ...], words: str, shop: Path
) -> None:
    """A label of a host name has at most 63 octets (RFC 1035 §2.3.4), so that no resolver need be asked."""
    host = f"{'a' * 64}.example"
    assert command("run", "shop:app", "--app-dir", str(shop), "--host", host, *options) == (
        2,
        "",
        f"spry: cannot listen on {host}:8000: not the name of a host\n",
    )
