"""Recordings of connections: read, run again, kept when something fails, and shown to people."""

from __future__ import annotations

from spry_core.testing.transcript.keeping import FOLDER, FolderRecorder, MemoryRecorder, kept_on_failure
from spry_core.testing.transcript.reader import Line, Transcript, TranscriptError, parse, read
from spry_core.testing.transcript.replay import Difference, Replayed, replay

__all__ = [
    "FOLDER",
    "Difference",
    "FolderRecorder",
    "Line",
    "MemoryRecorder",
    "Replayed",
    "Transcript",
    "TranscriptError",
    "kept_on_failure",
    "parse",
    "read",
    "replay",
]
