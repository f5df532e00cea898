"""What a server that knows no protocol answers: the limit of what any server on its loop can reach."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from benchmarks.exchanges import CONTENT
from benchmarks.work import Kind

_DATE: Final = b"Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"

HELLO: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n%b\r\n%b"
) % (len(CONTENT), _DATE, CONTENT)

SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n\r\n"
)
"""The answer to the one key that the load generator uses."""


def answer(kind: Kind) -> Callable[[bytes], bytes]:
    """Return what makes the answer out of the bytes of one read."""
    if kind is Kind.GET:
        return lambda data: HELLO * data.count(b"\r\n\r\n")
    if kind is Kind.POST:
        return _content
    if kind in (Kind.OPEN, Kind.IDLE):
        return lambda data: SWITCHING
    if kind is Kind.FAN:  # everybody has to be there before the first message
        return lambda data: SWITCHING if data.startswith(b"GET ") else data
    return lambda data: data


def _content(data: bytes) -> bytes:
    _, _, content = data.partition(b"\r\n\r\n")
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%b\r\n%b" % (
        len(content),
        _DATE,
        content,
    )
