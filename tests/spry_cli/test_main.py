from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import pytest

from secure import certificate, client_context
from served import PATIENCE, ROOT, served
from spry_cli.main import main
from spry_cli.settings import RunSettings
from spry_core import Application
from spry_core.protocol import HAS_SPEEDUPS
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


def command(*arguments: str, before: tuple[str, ...] = ()) -> tuple[int, str, str]:
    """Run the command as a process, by way of `before`; return its exit status, standard output and standard error."""
    process = subprocess.run(
        [*before, sys.executable, "-W", "error", "-m", "spry_cli", *arguments],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE,
        check=False,
    )
    return process.returncode, process.stdout, process.stderr


def test_routes_go_to_standard_output(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["routes", "shop:app", "--app-dir", str(shop)]) == 0
    out, err = capsys.readouterr()
    assert out.split() == ["GET", "/hello/:name", "hello", f"{shop / 'shop.py'}:6"]
    assert err == ""


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ([], "the following arguments are required: {run,routes} (see spry --help)"),
        (["run"], 'say what to serve, such as app:app, or app = "app:app" in [tool.spry] of pyproject.toml'),
        (["run", "a:b", "--port", "65536"], "--port: a port is a number from 0 to 65535, not '65536'"),
        (["run", "a:b", "--port", "-1"], "--port: a port is a number from 0 to 65535, not '-1'"),
        (["run", "a:b", "--host", ""], "--host: cannot be empty"),
        (["run", "a:b", "--backend", "twisted"], "--backend: asyncio or trio, not 'twisted'"),
        (["run", "a:b", "--limit", "max_boddy=1"], "--limit: Limits has no 'max_boddy'"),
        (["run", "a:b", "--uds", "x", "--fd", "3"], "--fd: cannot stand beside --uds"),
        (["run", "shop:app", "--fd", "999999"], "descriptor 999999 is no socket of this process"),
        (["run", "a:b", "--ssl-certfile", "no.pem"], "--ssl-certfile: 'no.pem': no such file or directory"),
        (["routes", "shop"], "'shop' is not of the form module:attribute, such as 'app:app'"),
        (["run", "a:b", "--app-dir", "no/such"], "there is no folder 'no/such'"),
        (["run", "a:b", "--backend", "trio", "--loop", "uvloop"], "--loop: chooses a loop of asyncio; trio has its own"),
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


def test_the_environment_wins_over_the_project_file_and_the_command_line_over_both(
    shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[RunSettings] = []

    def run(app: Application, settings: RunSettings) -> None:
        calls.append(settings)

    monkeypatch.setattr("spry_cli.main.run", run)
    (shop / "pyproject.toml").write_text(
        '[tool.spry]\napp = "shop:app"\nport = 1\nbackend = "trio"\naccess-log = false\n'
    )
    monkeypatch.chdir(shop)
    monkeypatch.setenv("SPRY_PORT", "2")
    monkeypatch.setenv("SPRY_HOST", "::1")
    assert main(["run", "--host", "::2"]) == 0
    assert calls == [RunSettings(host="::2", port=2, backend="trio", access_log=False)]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("SPRY_PORT", "tcp://10.0.0.1:80", "SPRY_PORT: a port is a number from 0 to 65535, not 'tcp://10.0.0.1:80'"),
        ("SPRY_PROT", "80", "SPRY_PROT: there is no such option; did you mean SPRY_PORT?"),
        ("SPRY_APP", "shop", "'shop' is not of the form module:attribute, such as 'app:app'"),
    ],
)  # fmt: skip
def test_a_fault_in_the_environment_is_one_line_too(
    name: str, text: str, line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(name, text)
    assert main(["run"]) == 2
    assert capsys.readouterr() == ("", f"spry: {line}\n")


def test_a_fault_in_the_project_file_is_one_line_too(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (shop / "pyproject.toml").write_text("[tool.spry]\nport = 65536\n")
    monkeypatch.chdir(shop)
    assert main(["run", "shop:app"]) == 2
    words = "pyproject.toml, [tool.spry] port: a port is a number from 0 to 65535, not '65536'"
    assert capsys.readouterr() == ("", f"spry: {words}\n")


def test_routes_finds_the_application_in_the_same_way(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with (shop / "shop.py").open("a") as file:
        file.write("\n\ndef make():\n    return app\n")
    monkeypatch.setenv("SPRY_APP", "shop:make")
    monkeypatch.setenv("SPRY_APP_DIR", str(shop))
    monkeypatch.setenv("SPRY_PORT", "not looked at")
    assert main(["routes", "--factory"]) == 0
    assert capsys.readouterr().out.split()[:2] == ["GET", "/hello/:name"]


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
    built = "yes" if HAS_SPEEDUPS else "no"
    assert command("--version") == (0, f"spry {VERSION} (speedups: {built})\n", "")
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
        messages = server.messages()
        assert [level for level, _ in messages] == ["INFO", "INFO"]
        assert re.fullmatch(r"shutting down, [01] connections?, 10 s of grace", messages[0][1])
        assert messages[1][1] == "stopped"


def fetch(connection: HTTPConnection, target: str = "/hello/world") -> bytes:
    """Send one request, and return what it was answered with."""
    connection.request("GET", target)
    with connection.getresponse() as response:
        content = response.read()
    connection.close()
    return content


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_each_request_is_logged_to_standard_error(options: tuple[str, ...], words: str, shop: Path) -> None:
    with served("shop:app", "--app-dir", str(shop), *options) as server:
        fetch(HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE))
        assert server.stop() == 0
        level, message = server.messages()[0]
        assert (level, message.split()[1:6]) == ("INFO", ['"GET', '/hello/world"', "200", "13", "B"])


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_as_json_every_line_is_an_object(options: tuple[str, ...], words: str, shop: Path) -> None:
    with (shop / "shop.py").open("a") as file:
        file.write('\n\n@app.get("/raise")\nasync def fail(request):\n    raise LookupError("no shop")\n')
    with served("shop:app", "--app-dir", str(shop), "--log-format", "json", *options) as server:
        fetch(HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE), "/raise")
        assert server.stop() == 0
        out, lines = server.rest()
    first, fault, access, shutdown, stopped = (json.loads(line) for line in (server.first_line, *lines))
    assert out == ""
    assert (first["logger"], first["message"]) == ("spry", f"spry {VERSION} on {server.address} ({words})")
    assert (fault["level"], fault["fault"], fault["target"]) == ("ERROR", "LookupError", "/raise")
    assert fault["exception"].endswith("\nLookupError: no shop")
    assert (access["logger"], access["kind"], access["status_code"]) == ("spry.access", "http", 500)
    assert (shutdown["kind"], shutdown["grace"]) == ("shutdown", 10.0)
    assert (stopped["logger"], stopped["kind"]) == ("spry.server", "stopped")


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_a_certificate_and_a_key_make_it_tls(
    options: tuple[str, ...], words: str, shop: Path, tmp_path: Path
) -> None:
    (tmp_path / "chain.pem").write_bytes(certificate().cert_chain_pems[0].bytes())
    (tmp_path / "key.pem").write_bytes(certificate().private_key_pem.bytes())
    files = ("--ssl-certfile", str(tmp_path / "chain.pem"), "--ssl-keyfile", str(tmp_path / "key.pem"))
    with served("shop:app", "--app-dir", str(shop), *files, *options) as server:
        assert server.first_line == f"spry {VERSION} on https://127.0.0.1:{server.port} ({words})\n"
        connection = HTTPSConnection("localhost", server.port, timeout=PATIENCE, context=client_context())
        assert fetch(connection) == b"Hello, world!"
        assert server.stop() == 0


class UnixConnection(HTTPConnection):
    """A connection to a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_a_unix_socket_is_named_in_the_first_line_and_gone_at_the_end(
    options: tuple[str, ...], words: str, shop: Path, tmp_path: Path
) -> None:
    path = tmp_path / "spry.sock"
    with served("shop:app", "--app-dir", str(shop), "--uds", str(path), *options) as server:
        assert server.first_line == f"spry {VERSION} on unix:{path} ({words})\n"
        assert fetch(UnixConnection(path)) == b"Hello, world!"
        assert server.stop() == 0
        assert server.messages()[0][1].split()[:3] == ["unix", '"GET', '/hello/world"']
    assert not path.exists()


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_a_socket_that_is_inherited_is_served(options: tuple[str, ...], words: str, shop: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        number = listener.fileno()
        fd = ("--fd", str(number))
        with served("shop:app", "--app-dir", str(shop), *fd, *options, pass_fds=(number,)) as server:
            assert server.first_line == f"spry {VERSION} on http://127.0.0.1:{port} ({words})\n"
            assert fetch(HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) == b"Hello, world!"
            assert server.stop() == 0


@pytest.mark.parametrize(("options", "words"), BACKENDS)
def test_limits_and_timeouts_are_those_that_were_asked_for(
    options: tuple[str, ...], words: str, shop: Path
) -> None:
    """RFC 9110 §15.5.15: a target that is too long is 414."""
    settings = ("--limit", "max_request_line=40", "--timeout", "grace=3")
    with served("shop:app", "--app-dir", str(shop), *settings, *options) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        assert fetch(connection, f"/hello/{'x' * 40}") == b"URI Too Long\n"
        assert server.stop() == 0
        assert server.messages()[-2][1].endswith(", 3 s of grace")


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


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such shell")
@pytest.mark.parametrize(("options", "words"), BACKENDS)
@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&-"])
def test_a_process_without_standard_descriptors_ends_as_any_other(
    closed: str, options: tuple[str, ...], words: str, shop: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        shell = ("sh", "-c", f'exec "$0" "$@" {closed}')
        status, out, err = command(
            "run", "shop:app", "--app-dir", str(shop), "--port", port, *options, before=shell
        )
    assert (status, out, err) == (2, "", f"spry: cannot listen on 127.0.0.1:{port}: address already in use\n")
