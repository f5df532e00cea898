"""The grammar work of HTTP/1.1 and of WebSocket frames, behind two small interfaces."""

from __future__ import annotations

from spry_core.protocol.engines.choice import (
    DEFAULT_ENGINE,
    HAS_SPEEDUPS,
    check_engine,
    frame_engine,
    http_engine,
)
from spry_core.protocol.engines.interface import (
    AT_ONCE,
    Admit,
    EngineName,
    FrameEngine,
    FramePart,
    HttpEngine,
    HttpEvent,
    Inflate,
    Opcode,
    Role,
)

__all__ = [
    "AT_ONCE",
    "DEFAULT_ENGINE",
    "HAS_SPEEDUPS",
    "Admit",
    "EngineName",
    "FrameEngine",
    "FramePart",
    "HttpEngine",
    "HttpEvent",
    "Inflate",
    "Opcode",
    "Role",
    "check_engine",
    "frame_engine",
    "http_engine",
]
