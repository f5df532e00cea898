"""Recordings of a test: in files, or in memory, of which files are made when something fails."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Final

from spry_core.recording import MAX_SIZE, Recorder
from spry_core.serving import MakeConnection

FOLDER: Final = "recordings"
"""Where recordings are kept if nobody says where."""

MOST_KEPT: Final = 20
"""Recordings that are kept of one failure: the last ones."""


class MemorySink:
    """The lines of one recording."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: str) -> None:
        """Append one line."""
        self.lines.append(line)

    def close(self) -> None:
        """Nothing more comes."""

    @property
    def text(self) -> str:
        """All lines, as they stand in a file."""
        return "".join(f"{line}\n" for line in self.lines)


class MemoryRecorder(Recorder):
    """Records in memory: give it to ``TestClient(app, record=…)``, or to a server as its `make_connection`.

    Args:
        redact: Names of fields whose values are not told, besides `spry_core.recording.SECRET_FIELDS`.
        max_size: Bytes of one recording.
    """

    def __init__(self, *, redact: Iterable[str] = (), max_size: int = MAX_SIZE) -> None:
        super().__init__(self._open, redact=redact, max_size=max_size)
        self.recordings: Final[list[MemorySink]] = []
        """One for each connection, in the order in which they were made."""

    def _open(self) -> MemorySink:
        sink = MemorySink()
        self.recordings.append(sink)
        return sink

    def keep(self, name: str = "failure", folder: str | Path = FOLDER) -> list[Path]:
        """Write the last `MOST_KEPT` recordings to files ``NAME-1.jsonl``, … and return their paths.

        Files of an earlier failure of that name are replaced, so that of all that Hypothesis tries the last one is left, its
        smallest. They are the user's alone (mode 0600), as is the folder if it has to be made.

        Raises:
            OSError: They cannot be written.
        """
        place = Path(folder)
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).strip("-.") or "failure"
        for old in place.glob(f"{stem}-*.jsonl"):
            old.unlink(missing_ok=True)
        return [
            _written(place / f"{stem}-{number}.jsonl", sink.text)
            for number, sink in enumerate(self.recordings[-MOST_KEPT:], 1)
        ]

    def keep_for(self, error: BaseException, name: str = "failure", folder: str | Path = FOLDER) -> None:
        """Keep the recordings, if there are any, of what failed with `error`, and say in a note of it where they are.

        That they cannot be kept is not to hide what has failed: then the note says so.
        """
        if not self.recordings:
            return
        try:
            error.add_note(_note(self.keep(name, folder)))
        except OSError as failure:
            error.add_note(f"the recordings could not be kept in {folder}: {failure.strerror}")


class FolderRecorder(Recorder):
    """Records each connection in a file of its own, ``connection-1.jsonl`` and so on; what is there already stays.

    Args:
        folder: Where they go; it is made if it is not there.
        redact: Names of fields whose values are not told, besides `spry_core.recording.SECRET_FIELDS`.
        max_size: Bytes of one recording.

    Raises:
        OSError: The folder cannot be made.
    """

    def __init__(self, folder: str | Path, *, redact: Iterable[str] = (), max_size: int = MAX_SIZE) -> None:
        super().__init__(self._open, redact=redact, max_size=max_size)
        self._folder = Path(folder)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def _open(self) -> FileSink:
        paths = (self._folder / f"connection-{number}.jsonl" for number in count(1))
        path = next(path for path in paths if not path.exists())
        path.touch(mode=0o600, exist_ok=False)
        return FileSink(path)


class FileSink:
    """One file. Nothing is open between two lines, so nothing has to be closed by a test that fails."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, line: str) -> None:
        """Append one line."""
        with self._path.open("a", encoding="ascii", newline="\n") as file:
            file.write(f"{line}\n")

    def close(self) -> None:
        """Nothing more comes."""


def recorder_of(record: str | Path | MakeConnection) -> MakeConnection:
    """Return what records: itself, or into the folder that was named."""
    return FolderRecorder(record) if isinstance(record, str | Path) else record


def _written(path: Path, text: str) -> Path:
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="ascii", newline="\n")
    return path


@contextmanager
def kept_on_failure(
    name: str = "failure",
    folder: str | Path = FOLDER,
    *,
    redact: Iterable[str] = (),
) -> Generator[MemoryRecorder]:
    """Give a recorder for the block; what raises in it keeps its recordings, and says in a note where they are.

    Args:
        name: What failed, for the names of the files, such as the name of a law or a test.
        folder: Where they go.
        redact: Further names of fields whose values are not told.
    """
    recorder = MemoryRecorder(redact=redact)
    try:
        yield recorder
    except Exception as error:
        recorder.keep_for(error, name, folder)
        raise


def _note(paths: list[Path]) -> str:
    return (
        f"recordings kept: {' '.join(map(str, paths))}\n"
        f"look at one with: python -m spry_core.testing.transcript {paths[-1]}\n"
        f"run it again with: spry_core.testing.transcript.replay({str(paths[-1])!r})"
    )
