from __future__ import annotations

import json
import runpy
import stat
import sys
from io import StringIO
from pathlib import Path

import pytest

from recordings import GET, HANDSHAKE, recorded
from spry_core.testing.transcript.command import main


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a.jsonl"
    file.write_text(recorded(GET))
    return file


def test_a_recording_is_shown_in_two_columns(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file), "--width", "100"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "               3  GET /?*****=****** HTTP/1.1             |\n" in out
    assert "read the wall clock" not in out
    assert main([str(file), "--all"]) == 0
    assert "               8  . read the wall clock\n" in capsys.readouterr().out


def test_an_offer_that_is_ignored_is_told_with_everything(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file.write_text(recorded(HANDSHAKE.replace(b"/chat", b"/")))
    assert main([str(file), "--width", "100"]) == 0
    assert "ignore_offer" not in capsys.readouterr().out
    assert main([str(file), "--width", "100", "--all"]) == 0
    assert "               5  . ignore_offer()\n" in capsys.readouterr().out


def test_a_page_stands_beside_the_file_or_where_it_is_wanted(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, other = file.with_suffix(".html"), file.with_name("b.html")
    assert main([str(file), "--html"]) == main([str(file), "--html", str(other)]) == 0
    assert capsys.readouterr().out == f"{page}\n{other}\n"
    assert page.read_text() == other.read_text()
    assert "<title>a.jsonl</title>" in page.read_text()
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


def test_a_replay_says_what_it_found(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(file), "--replay"]) == 0
    assert capsys.readouterr().out == "the core does the same: 19 lines, to the end of the connection\n"
    lines = file.read_text().splitlines()
    file.write_text("\n".join([*lines[:6], ""]))
    assert main([str(file), "--replay"]) == 0
    assert capsys.readouterr().out == "the core does the same: 6 lines, as far as it was recorded\n"
    file.write_text("\n".join([*lines[:5], json.dumps({"event": {"is": "Pong"}}), ""]))
    assert main([str(file), "--replay"]) == 1
    assert capsys.readouterr().err.startswith(f"{file}:6: the core does something else\n")


def test_what_is_sound_is_shown_and_the_rest_is_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with file.open("a") as end:
        end.write('{"call')
    fault = f"{file}:20: the file ends in the midst of this line\n"
    for arguments in ([], ["--html"]):
        assert main([str(file), *arguments]) == 1
        out, err = capsys.readouterr()
        assert err == fault
        assert out != ""
    assert main([str(file), "--replay"]) == 1
    assert capsys.readouterr() == ("", fault)


@pytest.mark.parametrize("content", [b"", b"\x00\n", b'{"transcript":9}\n'])
def test_what_is_no_recording_is_told(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a"
    file.write_bytes(content)
    assert main([str(file)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{file}:1: ")
    assert err.count("\n") == 1


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "a")]) == 2
    assert capsys.readouterr().err == f"{tmp_path / 'a'}: No such file or directory\n"


class Left(StringIO):
    """A pipe whose reader has left."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(32, "Broken pipe")


def test_a_reader_who_has_seen_enough_is_no_failure(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of `python -m spry_core.testing.transcript FILE | head`."""
    pipe = Left()
    monkeypatch.setattr(sys, "stdout", pipe)
    assert main([str(file)]) == 0
    assert pipe.closed
    assert capsys.readouterr().err == ""


def test_it_is_a_program(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["transcript", str(file), "--replay"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("spry_core.testing.transcript", run_name="__main__")
    assert caught.value.code == 0
    assert capsys.readouterr().out == "the core does the same: 19 lines, to the end of the connection\n"
