"""Files for recordings: whose they are, how many, and how big."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

import pytest

from spry_core.protocol import Connection
from spry_core.recording import Recorder
from spry_core.serving import LogRecord
from spry_system import record_in
from spry_system.recordings import Folder


def connect(recorder: Recorder) -> Connection:
    return recorder("server", now=0.0, random=bytes)


def end(connection: Connection) -> None:
    connection.connection_lost(None, 1.0)
    assert len(list(connection)) == 1


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_connection_has_a_file_for_its_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    recorder = record_in(folder)
    before = len(os.listdir("/proc/self/fd"))
    end(connect(recorder))
    end(connect(recorder))
    assert len(os.listdir("/proc/self/fd")) == before
    first, second = sorted(folder.iterdir())
    pattern = rf"[0-9]{{8}}T[0-9]{{6}}Z-{os.getpid()}-00000[12]\.jsonl"
    assert re.fullmatch(pattern, first.name)
    assert re.fullmatch(pattern, second.name)
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    lines = first.read_text("ascii").splitlines()
    assert lines[0].startswith('{"transcript":1,')
    assert '"ConnectionEnded"' in lines[-1]


def test_lines_are_there_as_soon_as_they_are_told(tmp_path: Path) -> None:
    """However the process ends, nothing of it is missing."""
    connection = connect(record_in(tmp_path))
    connection.receive_data(b"G", 0.0)
    (file,) = tmp_path.iterdir()
    assert file.read_text("ascii").endswith('{"call":"receive_data","now":0.0,"data":"G"}\n')
    end(connection)


def test_the_oldest_that_are_complete_make_room(tmp_path: Path) -> None:
    (tmp_path / "other.jsonl").write_text("not of this run")
    recorder = record_in(tmp_path, max_files=2)
    lasting = connect(recorder)
    for _ in range(3):
        end(connect(recorder))
    assert [name[-7:] for name in names(tmp_path)] == ["1.jsonl", "4.jsonl", "r.jsonl"]
    end(lasting)


def test_a_file_that_somebody_else_has_deleted_makes_room_too(tmp_path: Path) -> None:
    recorder = record_in(tmp_path, max_files=1)
    end(connect(recorder))
    next(tmp_path.iterdir()).unlink()
    end(connect(recorder))
    assert [name[-7:] for name in names(tmp_path)] == ["2.jsonl"]


def test_beyond_that_connections_are_not_recorded_and_the_log_says_so_once(tmp_path: Path) -> None:
    records: list[LogRecord] = []
    recorder = record_in(tmp_path, max_files=1, report=records.append)
    connections = [connect(recorder) for _ in range(3)]
    text = "a recording cannot be written: 1 connections are being recorded already"
    assert records == [LogRecord(logger="spry.server", level=30, text=text)]
    assert len(names(tmp_path)) == 1
    for connection in connections:
        end(connection)


def test_the_size_of_a_file_is_limited(tmp_path: Path) -> None:
    records: list[LogRecord] = []
    connection = connect(record_in(tmp_path, max_size=3000, redact=["x-key"], report=records.append))
    for _ in range(100):
        connection.receive_data(b"G" * 50, 0.0)
    (file,) = tmp_path.iterdir()
    assert file.stat().st_size <= 3100
    assert file.read_text("ascii").splitlines()[-1] == '{"cut":"the limit of size"}'
    assert [record.text for record in records] == ["a recording has reached its limit of size and ends there"]


def test_nothing_is_written_through_what_is_there_already(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 5)
    folder.open().close()
    (file,) = tmp_path.iterdir()
    target = tmp_path / "target"
    (tmp_path / file.name.replace("1.jsonl", "2.jsonl")).symlink_to(target)
    with pytest.raises(FileExistsError):
        folder.open()
    assert not target.exists()


def test_a_folder_that_cannot_be_written_is_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        record_in(tmp_path / "file")


def test_a_folder_of_somebody_else_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def access(path: Path, mode: int) -> bool:
        return False

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(PermissionError):
        record_in(tmp_path)


def test_numbers_and_names_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^at least one recording is kept, not 0$"):
        record_in(tmp_path, max_files=0)
    with pytest.raises(ValueError, match=r"^host cannot be redacted"):
        record_in(tmp_path, redact=["Host"])
