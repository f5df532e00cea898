"""The rows of the table: what clients do, with how many connections, and what one unit of it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from benchmarks import exchanges
from benchmarks.exchanges import Exchange


class Kind(StrEnum):
    """What a server is asked to do."""

    ECHO = "echo"  # send each message back
    FAN = "fan"  # send each message to every connection
    DEFLATE = "deflate"  # send each message back, both compressed
    GET = "get"  # answer 13 octets
    POST = "post"  # answer the content of the request
    OPEN = "open"  # accept an opening handshake
    IDLE = "idle"  # keep a WebSocket that says nothing


@dataclass(frozen=True, slots=True)
class Work:
    """One row."""

    name: str
    title: str
    kind: Kind
    connections: int
    in_flight: int
    """Requests that may be under way on each connection; of `OPEN` and `IDLE`, how many connections there are at last."""
    size: int = 0

    @property
    def unit(self) -> str:
        """What the figures of this row count."""
        return {Kind.OPEN: "CPU ms", Kind.IDLE: "KiB"}.get(self.kind, "CPU µs")

    @property
    def scale(self) -> float:
        """How many of its units are a second, or a byte."""
        return {Kind.OPEN: 1e3, Kind.IDLE: 1 / 1024}.get(self.kind, 1e6)

    def exchanges(self) -> tuple[Exchange, ...]:
        """Return what each connection sends over and over, and what has to come back."""
        if self.kind is Kind.DEFLATE:
            return exchanges.deflated(self.size)
        if self.kind is Kind.GET:
            return exchanges.gets()
        if self.kind is Kind.POST:
            return exchanges.posts(self.size)
        return exchanges.echoes(self.size) if self.size else ()


WORKS: Final = (
    Work("echo-16", "WebSocket echo, ping-pong, 64 connections, 16 B", Kind.ECHO, 64, 1, 16),
    Work("pipelined-16", "pipelined echo of 16 B, 8 connections, 64 in flight on each", Kind.ECHO, 8, 64, 16),
    Work(
        "pipelined-256", "pipelined echo of 256 B, 8 connections, 64 in flight on each", Kind.ECHO, 8, 64, 256
    ),
    Work("echo-4k", "echo of 4 KiB, 8 connections, 16 in flight on each", Kind.ECHO, 8, 16, 4096),
    Work("echo-64k", "echo of 64 KiB, 8 connections, 2 in flight on each", Kind.ECHO, 8, 2, 65_536),
    Work("echo-1m", "echo of 1 MiB, 4 connections", Kind.ECHO, 4, 1, 1 << 20),
    Work("fan-64", "fan-out of 64 B to 64 connections, each delivery", Kind.FAN, 64, 1, 64),
    Work("fan-64-pipelined", "the same, 16 messages in flight", Kind.FAN, 64, 16, 64),
    Work(
        "deflate-256",
        "permessage-deflate, text of 256 B, 8 connections, 16 in flight on each",
        Kind.DEFLATE,
        8,
        16,
        256,
    ),
    Work(
        "deflate-4k",
        "permessage-deflate, text of 4 KiB, 8 connections, 16 in flight on each",
        Kind.DEFLATE,
        8,
        16,
        4096,
    ),
    Work("get", "HTTP GET of 13 B, keep-alive, 64 connections", Kind.GET, 64, 1),
    Work("get-pipelined", "the same, 16 requests pipelined", Kind.GET, 64, 16),
    Work("post-1k", "HTTP POST echo of 1 KiB of JSON, 64 connections", Kind.POST, 64, 1, 1024),
    Work("open", "opening a WebSocket", Kind.OPEN, 8, 10_000),
    Work("idle", "idle WebSocket connection, resident memory", Kind.IDLE, 1, 2000),
)
"""Every row, in the order of the table."""
