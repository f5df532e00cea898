"""WebSocket frames by hand: those of the testing kit, under a short name for the tests."""

from __future__ import annotations

from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    Frame,
    close_payload,
    frame,
    masked,
    read_frames,
)

__all__ = [
    "BINARY",
    "CLOSE_FRAME",
    "CONTINUATION",
    "MASK",
    "PING",
    "PONG",
    "TEXT",
    "Frame",
    "close_payload",
    "frame",
    "masked",
    "read_frames",
]
