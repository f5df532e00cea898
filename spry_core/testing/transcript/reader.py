"""Recordings as they stand in files: lines of JSON, each with its number, or the line that is none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from spry_core.errors import SpryError
from spry_core.recording import FORMAT
from spry_core.recording.values import Entry, Json

KINDS: Final = ("transcript", "call", "random", "clock", "raised", "state", "bytes", "event", "cut")
"""What a line may be; the key of that name says which one it is."""

LONGEST_LINE: Final = 64 * 1024 * 1024
"""Bytes of a line that is read at all."""


class TranscriptError(SpryError):
    """A file is no recording from some line on."""

    def __init__(self, path: str, number: int, text: str) -> None:
        super().__init__(f"{path}:{number}: {text}")
        self.path = path
        """The file."""
        self.number = number
        """The line, from 1 on."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a recording."""

    number: int
    """From 1 on."""

    kind: str
    """One of `KINDS`."""

    entry: Entry
    """What stands there."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """A recording that was read."""

    path: str
    """The file, as it was named."""

    lines: tuple[Line, ...]
    """As far as they are sound; the first of them is the head."""

    fault: TranscriptError | None = None
    """What is wrong behind them."""

    @property
    def head(self) -> Entry:
        """What stands in the first line."""
        return self.lines[0].entry

    @property
    def is_complete(self) -> bool:
        """True if the end of the connection is in it."""
        last = self.lines[-1].entry.get("event")
        return isinstance(last, dict) and last.get("is") == "ConnectionEnded"

    @property
    def is_cut(self) -> bool:
        """True if the recording has ended before the connection, at its limit of size."""
        return self.lines[-1].kind == "cut"


def read(path: str | Path, *, is_strict: bool = True) -> Transcript:
    """Read a recording.

    Args:
        path: The file.
        is_strict: False keeps what stands before a fault, and the fault in `Transcript.fault`, if there is a head at all.

    Raises:
        TranscriptError: Some line is not one of a recording, or is not complete.
        OSError: The file cannot be read.
    """
    name = str(path)
    lines: list[Line] = []
    try:
        for line in _lines(name, Path(path).read_bytes()):
            lines.append(line)  # noqa: PERF402 - what stands before a fault is kept
    except TranscriptError as fault:
        if is_strict or not lines:
            raise
        return Transcript(name, tuple(lines), fault)
    return Transcript(name, tuple(lines))


def parse(text: bytes, path: str = "-") -> Transcript:
    """Do the same, strictly, with bytes that were read already."""
    return Transcript(path, tuple(_lines(path, text)))


def _lines(path: str, data: bytes) -> Iterator[Line]:
    if not data:
        raise TranscriptError(path, 1, "the file is empty")
    *complete, rest = data.split(b"\n")
    for number, text in enumerate(complete, 1):
        yield _line(path, number, text)
    if rest:
        raise TranscriptError(path, len(complete) + 1, "the file ends in the midst of this line")


def _line(path: str, number: int, text: bytes) -> Line:
    if len(text) > LONGEST_LINE:
        raise TranscriptError(path, number, f"the line has more than {LONGEST_LINE} bytes")
    try:
        entry: Json = json.loads(text)
    except (ValueError, RecursionError):
        raise TranscriptError(path, number, "this is no JSON") from None
    if not isinstance(entry, dict):
        raise TranscriptError(path, number, "an object is needed")
    kinds = [kind for kind in KINDS if kind in entry]
    if not kinds:
        raise TranscriptError(path, number, "this is no line of a recording")
    if (kinds[0] == "transcript") is not (number == 1):
        text_of = "a recording begins with its head" if number == 1 else "a second head"
        raise TranscriptError(path, number, text_of)
    if number == 1 and entry["transcript"] != FORMAT:
        raise TranscriptError(path, number, f"a format that is not known: {entry['transcript']!r:.40}")
    return Line(number, kinds[0], entry)
