from __future__ import annotations

from pathlib import Path

import pytest

from recordings import GET, recorded
from spry_core.testing.transcript import TranscriptError, parse, read
from spry_core.testing.transcript import reader as module

HEAD = b'{"transcript":1}\n'


def test_a_recording_is_its_lines(tmp_path: Path) -> None:
    text = recorded(GET)
    file = tmp_path / "a.jsonl"
    file.write_text(text)
    transcript = read(file)
    assert [line.number for line in transcript.lines] == list(range(1, len(text.splitlines()) + 1))
    assert [line.kind for line in transcript.lines][:3] == ["transcript", "state", "call"]
    assert transcript.head["role"] == "server"
    assert (transcript.path, transcript.is_complete, transcript.is_cut) == (str(file), True, False)
    assert transcript.fault is None
    assert parse(text.encode(), str(file)) == read(str(file)) == transcript


def test_one_that_goes_not_to_the_end_says_so() -> None:
    cut = parse(HEAD + b'{"cut":"x"}\n')
    assert (cut.is_complete, cut.is_cut) == (False, True)
    assert parse(HEAD + b'{"event":{"is":"Pong"}}\n').is_complete is False


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "-:1: the file is empty"),
        (b"\n", "-:1: this is no JSON"),
        (b"{}\n", "-:1: this is no line of a recording"),
        (b'{"transcript":2}\n', "-:1: a format that is not known: 2"),
        (b'{"call":"x"}\n', "-:1: a recording begins with its head"),
        (HEAD + HEAD, "-:2: a second head"),
        (HEAD + b"[]\n", "-:2: an object is needed"),
        (HEAD + b"[" * 100_000 + b"\n", "-:2: this is no JSON"),
        (HEAD + b"\xff\n", "-:2: this is no JSON"),
        (HEAD + b'{"call":"receive', "-:2: the file ends in the midst of this line"),
    ],
)
def test_what_is_no_recording_is_told_with_its_line(data: bytes, message: str) -> None:
    with pytest.raises(TranscriptError) as caught:
        parse(data)
    assert str(caught.value) == message
    assert (caught.value.path, f"-:{caught.value.number}") == ("-", message.rpartition(": ")[0][:3])


def test_a_line_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 20)
    with pytest.raises(TranscriptError, match=r"^-:2: the line has more than 20 bytes$"):
        parse(HEAD + b" " * 21 + b"\n")


def test_what_stands_before_a_fault_can_be_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_bytes(HEAD + b'{"cut":"x"}\n{"call')
    with pytest.raises(TranscriptError):
        read(file)
    transcript = read(file, is_strict=False)
    assert [line.kind for line in transcript.lines] == ["transcript", "cut"]
    assert str(transcript.fault) == f"{file}:3: the file ends in the midst of this line"
    file.write_bytes(b"{")
    with pytest.raises(TranscriptError):
        read(file, is_strict=False)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "b")
