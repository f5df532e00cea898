"""Recordings of connections, pure: every call, byte, event, deadline and random number of one, as lines of JSON."""

from __future__ import annotations

from spry_core.recording.connection import FORMAT, RecordedConnection
from spry_core.recording.recorder import MAX_SIZE, Recorder, Sink
from spry_core.recording.redaction import NEEDED_FIELDS, SECRET_FIELDS, Redaction

__all__ = [
    "FORMAT",
    "MAX_SIZE",
    "NEEDED_FIELDS",
    "SECRET_FIELDS",
    "RecordedConnection",
    "Recorder",
    "Redaction",
    "Sink",
]
