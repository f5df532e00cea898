"""The command: a line for each peer, and 1 as its exit status where a server hangs on."""

from __future__ import annotations

import runpy
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hostile import naive_server
from spry_core.testing.peers.command import main

ROOT = Path(__file__).resolve().parents[4]


@contextmanager
def served(*more: str) -> Generator[str]:
    """Serve Spry in a process of its own, with short timeouts; yield its address."""
    code = (
        "import spry_asyncio, asyncio, sys\n"
        "from hostile import application\n"
        "from spry_core import Timeouts\n"
        "async def main():\n"
        "    times = Timeouts(head=.2, body=.2, keep_alive=.2, write=.2, linger=.2, ping_interval=.1, ping_timeout=.1,"
        " close_timeout=.2)\n"
        "    async with spry_asyncio.serve(application(), '127.0.0.1', 0, timeouts=times) as server:\n"
        "        print(server.addresses[0][1], flush=True)\n"
        "        await asyncio.to_thread(sys.stdin.read)\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.path += {[str(ROOT), str(ROOT / 'tests')]!r}\n{code}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdin is not None
    assert process.stdout is not None
    with process:
        yield f"127.0.0.1:{int(process.stdout.readline())}"
        process.stdin.close()
        assert process.wait(30) == 0


def test_the_list_says_what_each_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list", "--name", "sil", "--name", "mute"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "silent                               get        Connect and say nothing.",
        "mute                                 websocket  Open a WebSocket, say nothing, and answer no Ping.",
    ]


def test_a_good_server_ends_them_all(capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"--name={each}" for each in ("silent", "zero", "bad_t", "unmasked", "reset", "stalled")]
    with served() as address:
        assert (
            main([address, *names, "--get=/big", "--upload=/upload", "--websocket=/echo", "--patience=20"])
            == 0
        )
        head, *lines, summary = capsys.readouterr().out.splitlines()
        assert head.split() == ["peer", "met", "ended", "by", "seconds", "verdict"]
        assert [line.split()[0] for line in lines] == [
            *("silent", "stalled_body", "zero_window"),
            *("reset_mid_head", "reset_mid_body", "reset_mid_frame", "unmasked", "bad_text"),
        ]
        assert all(line.endswith("  as expected") for line in lines), lines
        assert summary == "8 peers, 0 failed"
        assert main([address, "--name=bad_text", "--name=half_open"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1] == "1 peers, 0 failed; 2 left out for want of --upload or --websocket"
        assert main([address, "--name=bad_text", "--websocket=/"]) == 0
        assert "no WebSocket there" in capsys.readouterr().out
        assert main([address, "--name=stalled_body", "--upload=/"]) == 0
        assert "ended otherwise" in capsys.readouterr().out


def test_a_naive_server_is_outlived(capsys: pytest.CaptureFixture[str]) -> None:
    """It answers nobody either: an echo is no answer."""
    with naive_server() as (host, port):
        assert main([f"{host}:{port}", "--name=silent", "--name=slow_head", "--patience=0.2"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["peer", "silent", "slow_head", "2"]
    met, ending, seconds = lines[1].split()[1:4]
    assert (met, ending) == ("nothing", "outlived")
    assert 0.2 <= float(seconds) < 5.0  # it is real time, on a machine that may be busy
    assert lines[1].endswith("  AND NOBODY IS ANSWERED ANY MORE")
    assert lines[-1] == "2 peers, 2 failed"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["127.0.0.1:1", "--name=nobody"], "no peer has a name that begins so; --list names them"),
        (["--list", "--name=nobody"], "no peer has a name that begins so; --list names them"),
        (["elsewhere"], "an address is HOST:PORT, or a path with a slash in it, and not 'elsewhere'"),
        (
            ["./not-there", "--name=silent"],
            "nobody accepts: No such file or directory; is the server running?",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_in_a_line(
    arguments: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err == f"python -m spry_core.testing.peers: {why}\n"


def test_without_any_target_nobody_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["127.0.0.1:1", "--name=unmasked"]) == 2
    assert capsys.readouterr().out.endswith(
        "\n0 peers, 0 failed; 1 left out for want of --upload or --websocket\n"
    )


def test_a_server_that_is_gone_answers_nobody(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = str(tmp_path / "s")

    def serve(listener: socket.socket) -> None:
        sock, _ = listener.accept()
        listener.close()
        sock.close()

    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    thread = threading.Thread(target=serve, args=(listener,))
    thread.start()
    assert main([path, "--name=silent", "--name=slow_head"]) == 1
    thread.join(10)
    said = capsys.readouterr()
    assert said.out.splitlines()[1].endswith("  AND NOBODY IS ANSWERED ANY MORE")
    assert said.err.endswith(": nobody accepts: Connection refused; is the server running?\n")


def test_a_server_that_answers_and_keeps_the_silent_is_named(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Over a unix socket: whoever asks is answered, whoever does not is kept."""
    path = str(tmp_path / "s")
    answer = b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

    def serve(listener: socket.socket) -> None:
        kept: list[socket.socket] = []
        for _ in range(2):
            sock, _ = listener.accept()
            sock.settimeout(0.4)
            try:
                if sock.recv(1000):
                    sock.sendall(answer)
                sock.close()
            except TimeoutError:
                kept.append(sock)
        for each in kept:
            each.close()

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        assert main([path, "--name=silent", "--patience=0.2"]) == 1
        thread.join(10)
    assert capsys.readouterr().out.splitlines()[1].endswith("  OUTLIVED ITS PATIENCE")


def test_it_is_a_program(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["peers", "--list", "--name=silent"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("spry_core.testing.peers", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out.endswith("Connect and say nothing.\n")
