from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings import GET, app
from spry_core.testing import TestClient
from spry_core.testing.transcript import FolderRecorder, MemoryRecorder, kept_on_failure, read, replay
from spry_core.testing.transcript.keeping import MOST_KEPT, recorder_of


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_client_records_each_connection_in_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "records"
    for _ in range(2):
        with TestClient(app(), record=folder) as client:
            assert client.get("/").status_code == 200
            client.connect().send(GET)
    assert names(folder) == [f"connection-{n}.jsonl" for n in range(1, 5)]
    assert (mode(folder), mode(folder / "connection-1.jsonl")) == (0o700, 0o600)
    assert all(replay(path).is_complete for path in folder.iterdir())


def test_a_recorder_may_have_a_rule_of_its_own(tmp_path: Path) -> None:
    recorder = FolderRecorder(tmp_path, redact=["x-key"], max_size=10_000)
    with TestClient(app(), record=recorder) as client:
        client.connect().send(GET)
    assert "x-key" in str(read(tmp_path / "connection-1.jsonl").head["redacted"])
    assert recorder_of(recorder) is recorder


def test_a_recording_in_memory_is_kept_when_that_is_wanted(tmp_path: Path) -> None:
    recorder = MemoryRecorder()
    with TestClient(app(), record=recorder) as client:
        client.get("/")
    (path,) = recorder.keep("my law: a/b", tmp_path / "kept")
    assert path == tmp_path / "kept" / "my-law-a-b-1.jsonl"
    assert path.read_text("ascii") == recorder.recordings[0].text
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert recorder.keep("../..", tmp_path) == [tmp_path / "failure-1.jsonl"]


def test_what_fails_says_where_its_recordings_are(tmp_path: Path) -> None:
    with pytest.raises(AssertionError) as caught, kept_on_failure("echo", tmp_path, redact=["x"]) as recorder:
        with TestClient(app(), record=recorder) as client:
            assert client.get("/").status_code == 404
    path = tmp_path / "echo-1.jsonl"
    (note,) = caught.value.__notes__
    assert note.splitlines() == [
        f"recordings kept: {path}",
        f"look at one with: python -m spry_core.testing.transcript {path}",
        f"run it again with: spry_core.testing.transcript.replay({str(path)!r})",
    ]
    assert replay(path).is_complete


def test_what_does_not_fail_keeps_nothing(tmp_path: Path) -> None:
    with kept_on_failure("echo", tmp_path) as recorder, TestClient(app(), record=recorder) as client:
        client.get("/")
    assert names(tmp_path) == []


def test_a_failure_without_a_connection_has_no_note(tmp_path: Path) -> None:
    with pytest.raises(KeyError) as caught, kept_on_failure("echo", tmp_path):
        raise KeyError
    assert not hasattr(caught.value, "__notes__")


def test_that_nothing_can_be_kept_does_not_hide_what_has_failed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match="engine") as caught, kept_on_failure("echo", file) as recorder:
        recorder("server", now=0.0, random=bytes, engine="none")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the mistake
    assert caught.value.__notes__ == [f"the recordings could not be kept in {file}: File exists"]


def test_only_the_last_are_kept_and_those_of_an_earlier_failure_are_replaced(tmp_path: Path) -> None:
    recorder = MemoryRecorder()
    for _ in range(MOST_KEPT + 5):
        recorder("server", now=0.0, random=bytes)
    assert len(recorder.keep("a", tmp_path)) == len(names(tmp_path)) == MOST_KEPT
    del recorder.recordings[1:]
    recorder.keep("a", tmp_path)
    assert names(tmp_path) == ["a-1.jsonl"]


def test_of_all_that_hypothesis_tries_the_smallest_is_left(tmp_path: Path) -> None:
    @settings(database=None)
    @given(n=st.integers(0, 20))
    def no_more_than_three(n: int) -> None:
        with kept_on_failure("three", tmp_path) as recorder, TestClient(app(), record=recorder) as client:
            for _ in range(n):
                client.get("/")
            assert n <= 3

    with pytest.raises(AssertionError):
        no_more_than_three()
    heads = [line for line in read(tmp_path / "three-1.jsonl").lines if "RequestHead" in str(line.entry)]
    assert len(heads) == 4
