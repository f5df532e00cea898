"""Runs a recording again: the same calls at the same times with the same random bytes, without the application and the peer.

The connection that is run is recorded too, and that recording is compared with the first one, line by line. So every byte, event,
deadline and refusal counts, and redaction, which happens again, changes nothing.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar, cast

from spry_core.protocol import EngineName, Limits, Role, Timeouts
from spry_core.protocol.engines import check_engine
from spry_core.recording import RecordedConnection, Redaction
from spry_core.recording.values import (
    Entry,
    Json,
    as_bytes,
    as_number,
    as_text,
    as_texts,
    as_truth,
    decode_settings,
)
from spry_core.testing.transcript.calls import Naming, call_of
from spry_core.testing.transcript.reader import Line, Transcript, TranscriptError, read
from spry_core.version import VERSION

T = TypeVar("T")

LONGEST: Final = 400
"""Characters of a line in the text of a difference."""


class Difference(AssertionError):  # noqa: N818 - it is what was looked for, found
    """The core does not do any more what was recorded."""

    def __init__(
        self, transcript: Transcript, number: int, expected: Entry | None, found: Entry | None
    ) -> None:
        super().__init__(_text(transcript, number, expected, found))
        self.number = number
        """The line of the recording, from 1 on; one behind the last if there is more than was recorded."""
        self.expected = expected
        """What was recorded; None: nothing."""
        self.found = found
        """What came instead; None: nothing."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """A replay in which everything went as it was recorded."""

    lines: int
    """How many were compared."""

    is_complete: bool
    """False if the recording does not go as far as the end of the connection."""


def replay(recording: str | Path | Transcript, *, engine: EngineName | None = None) -> Replayed:
    """Run the core again as it was recorded, and compare everything that comes of it.

    Args:
        recording: A file, or what `read` has made of it.
        engine: Another engine than the recorded one, which must do the same.

    Raises:
        Difference: Something else came; it says which line.
        TranscriptError: A line of the file is not one of a recording.
        OSError: The file cannot be read.
    """
    transcript = recording if isinstance(recording, Transcript) else read(recording)
    return Player(transcript, engine).play()


class Player:
    """One replay."""

    def __init__(self, transcript: Transcript, engine: EngineName | None) -> None:
        self._transcript = transcript
        self._lines = transcript.lines
        self._next = 1  # the line that is to come, counted from 0: behind the head
        self._has_begun = False
        self._difference: Difference | None = None
        self._random = deque(self._values("random", as_bytes))
        self._clock = deque(self._values("clock", as_number))
        with self._naming(self._lines[0]):
            self._connection = self._begin(transcript.head, engine)

    def _begin(self, head: Entry, engine: EngineName | None) -> RecordedConnection:
        return RecordedConnection(
            _as_role(head["role"]),
            now=as_number(head["now"]),
            random=self._draw,
            limits=decode_settings(Limits(), head["limits"]),
            timeouts=decode_settings(Timeouts(), head["timeouts"]),
            engine=engine or _as_engine(head["engine"]),
            can_half_close=as_truth(head["can_half_close"]),
            wall_clock=self._read_clock if as_truth(head["dated"]) else None,
            write=self._compare,
            finish=_do_nothing,
            redaction=Redaction(as_texts(head["redacted"])),
        )

    def play(self) -> Replayed:
        """Go through all lines."""
        self._check()
        while self._next < len(self._lines) and self._lines[self._next].kind != "cut":
            before, line = self._next, self._lines[self._next]
            self._step(line)
            self._check()
            if self._next == before:
                raise Difference(self._transcript, line.number, line.entry, None)
        if self._transcript.is_complete:
            self._connection.data_to_send()
            self._connection.next_event()
            self._check()
        return Replayed(self._next, self._transcript.is_complete)

    def _step(self, line: Line) -> None:
        """Do what stands in a line; what comes of it is compared as it comes."""
        match line.kind:
            case "call":
                self._call(line)
            case "bytes":
                self._connection.data_to_send()
            case "event":
                self._connection.next_event()
            case _:
                pass  # it should have come of the call before

    def _call(self, line: Line) -> None:
        try:
            with self._naming(line):
                call = call_of(self._connection, line.entry)
        except TranscriptError:
            following = self._lines[self._next + 1 : self._next + 2]
            if not following or following[0].kind != "raised":
                raise
            self._next += 2  # arguments of a wrong kind, which were refused: nothing was changed
            return
        with suppress(Exception):  # whatever it is, it is recorded, and thereby compared
            call()

    def _naming(self, line: Line) -> Naming:
        return Naming(self._transcript.path, line.number)

    def _compare(self, text: str) -> None:
        """Compare the next line of the new recording with that of the first."""
        if not self._has_begun:  # the head, of which at least the version may be another
            self._has_begun = True
            return
        if self._difference is not None:
            return
        found: Entry = json.loads(text)
        line = self._lines[self._next] if self._next < len(self._lines) else None
        if line is not None and line.kind == "cut":
            return
        if line is None or line.entry != found:
            number = self._lines[-1].number + 1 if line is None else line.number
            expected = None if line is None else line.entry
            self._difference = Difference(self._transcript, number, expected, found)
        self._next += 1

    def _check(self) -> None:
        if self._difference is not None:
            raise self._difference

    def _values(self, kind: str, read: Callable[[Json], T]) -> Iterator[T]:
        """Yield what the core was given, in order."""
        for line in self._lines:
            if line.kind == kind:
                with self._naming(line):
                    yield read(line.entry[kind])

    def _draw(self, n: int) -> bytes:
        """Give the bytes that were drawn; where others are asked for, the recording tells that they are others."""
        drawn = self._random.popleft() if self._random else b""
        return drawn if len(drawn) == n else bytes(n)

    def _read_clock(self) -> float:
        return self._clock.popleft() if self._clock else 0.0


def _do_nothing() -> None:
    pass


def _as_role(value: Json) -> Role:
    match value:
        case "server" | "client":
            return value
        case _:
            raise ValueError(f"there is no role {value!r:.40}")


def _as_engine(value: Json) -> EngineName:
    name = as_text(value)
    check_engine(name)
    return cast("EngineName", name)


def _text(transcript: Transcript, number: int, expected: Entry | None, found: Entry | None) -> str:
    lines = [
        f"{transcript.path}:{number}: the core does something else",
        f"  recorded: {_short(expected)}",
        f"  now:      {_short(found)}",
    ]
    recorded = transcript.head.get("spry")
    if recorded != VERSION:
        lines.append(f"  (recorded with Spry {recorded!r:.40}, this is {VERSION})")
    lines.append(f"look at it with: python -m spry_core.testing.transcript {transcript.path}")
    return "\n".join(lines)


def _short(entry: Entry | None) -> str:
    if entry is None:
        return "nothing"
    text = json.dumps(entry)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
