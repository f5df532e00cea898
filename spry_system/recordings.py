"""Files for recordings of connections: one for each, in one folder, of which only so many are kept."""

from __future__ import annotations

import errno
import logging
import os
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from spry_core.recording import MAX_SIZE, Recorder
from spry_core.serving import SERVER, LogRecord
from spry_system.server import log

MAX_FILES: Final = 256
"""Recordings that are kept of one run, unless another number is given."""

# A recording holds what people said to each other: it is for who serves alone, and never goes through a link that somebody else
# has put there.
_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
_FILE_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


def record_in(
    folder: str | os.PathLike[str],
    *,
    redact: Iterable[str] = (),
    max_size: int = MAX_SIZE,
    max_files: int = MAX_FILES,
    report: Callable[[LogRecord], None] = log,
) -> Recorder:
    """Return what makes recorded connections, for the `make_connection` of `serve` and `run`: one file for each in `folder`.

    The folder is made if it is not there, for the user alone (mode 0700). Files are the user's alone too (0600); they are named
    by the time, the process and a number, so nothing that a peer chose is in a name. Of those that this run has completed the
    oldest are deleted, so that there are never more than `max_files`; if so many are still being written, further connections
    are not recorded.

    Args:
        folder: Where the files go.
        redact: Names of fields whose values are not told, besides `spry_core.recording.SECRET_FIELDS`.
        max_size: Bytes of one recording; beyond it that recording ends, and says so.
        max_files: Recordings that are kept of this run.
        report: Takes a record for the log when something of this fails, each text once.

    Raises:
        OSError: The folder cannot be made, or nothing can be written there.
        ValueError: A name cannot be redacted, or a number is not positive.
    """
    if max_files < 1:
        raise ValueError(f"at least one recording is kept, not {max_files}")
    path = Path(folder)
    path.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    said: set[str] = set()

    def say(text: str) -> None:
        if text not in said:  # one reason may hold for every connection
            said.add(text)
            report(LogRecord(logger=SERVER, level=logging.WARNING, text=text))

    return Recorder(Folder(path, max_files).open, redact=redact, max_size=max_size, report=say)


class Folder:
    """Where the recordings of one run are."""

    def __init__(self, path: Path, max_files: int) -> None:
        self._path = path
        self._max_files = max_files
        self._run = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}"
        self._made = 0
        self._open = 0
        self._complete: deque[Path] = deque()

    def open(self) -> RecordingFile:
        """Make the file of the next recording.

        Raises:
            OSError: It cannot be made, or `max_files` are being written.
        """
        if self._open >= self._max_files:
            raise OSError(0, f"{self._max_files} connections are being recorded already")
        while self._open + len(self._complete) >= self._max_files:
            self._complete.popleft().unlink(missing_ok=True)
        self._made += 1
        path = self._path / f"{self._run}-{self._made:06d}.jsonl"
        file = RecordingFile(os.open(path, _FLAGS, _FILE_MODE), lambda: self._completed(path))
        self._open += 1
        return file

    def _completed(self, path: Path) -> None:
        self._open -= 1
        self._complete.append(path)


class RecordingFile:
    """One recording. Each line is written when it comes, so that the file is complete however the process ends."""

    def __init__(self, descriptor: int, completed: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._completed = completed

    def write(self, line: str) -> None:
        """Append one line."""
        rest = memoryview(f"{line}\n".encode("ascii"))
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def close(self) -> None:
        """Nothing more comes."""
        self._completed()
        os.close(self._descriptor)
