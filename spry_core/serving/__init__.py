"""A connection meets an application: what a backend drives."""

from __future__ import annotations

from spry_core.serving.face import MakeConnection, Served
from spry_core.serving.record import ACCESS, ERROR, SERVER, LogRecord, record_internal_fault
from spry_core.serving.server import Server
from spry_core.serving.session import Session
from spry_core.serving.tls import Tls, TlsStage
from spry_core.web.exchange import StreamInfo

__all__ = [
    "ACCESS",
    "ERROR",
    "SERVER",
    "LogRecord",
    "MakeConnection",
    "Served",
    "Server",
    "Session",
    "StreamInfo",
    "Tls",
    "TlsStage",
    "record_internal_fault",
]
