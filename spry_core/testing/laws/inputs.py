"""What a law sends if it is given nothing else: well-formed conversations with something of everything."""

from __future__ import annotations

from random import Random
from typing import Final

from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    PING,
    TEXT,
    close_payload,
    frame,
)
from spry_core.testing.laws.heard import is_switched
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.laws.trial import Trial
from spry_core.testing.requests import HOST, handshake, head

MESSAGES: Final[tuple[str | bytes, ...]] = ("hello", "grüße, 世界 😀", b"\x00\xff", "", b"", "x" * 200)
"""Messages of either kind, empty ones and one whose length takes two bytes more."""


def frames_of(message: str | bytes) -> bytes:
    """Make one masked frame of a message."""
    return frame(TEXT, message.encode()) if isinstance(message, str) else frame(BINARY, message)


def websocket_frames() -> bytes:
    """Make messages, whole and in fragments, and Pings between them (RFC 6455 §5)."""
    text = "in frägments".encode()
    return b"".join(
        (
            *(frames_of(each) for each in MESSAGES),
            frame(PING, b"one"),
            frame(TEXT, text[:6], fin=False),  # in the midst of a character
            frame(PING, b"two"),
            frame(CONTINUATION, text[6:], fin=False),
            frame(CONTINUATION),
        )
    )


def requests(target: str) -> bytes:
    """Make requests in a row, with a content of either framing, the last of its connection (RFC 9112 §6, §9.3.2)."""
    return b"".join(
        (
            head("GET", target),
            head("POST", target, HOST, "Content-Length: 5") + b"hello",
            head("POST", target, HOST, "Transfer-Encoding: chunked"),
            b"3\r\nfoo\r\n4;x=y\r\nbars\r\n0\r\nA: b\r\n\r\n",
            head("HEAD", target),
            head("GET", target, HOST, "Connection: close"),
        )
    )


def is_websocket(subject: AnySubject, target: str) -> bool:
    """Tell whether an opening handshake on `target` gets a 101."""
    trial = Trial(subject)
    trial.send([handshake(target)])
    return is_switched(trial.peer.received)


def default(subject: AnySubject, target: str, *, closes: bool = True) -> bytes:
    """Return what suits `target`; of a WebSocket with a Close frame at the end, if it `closes`."""
    if is_websocket(subject, target):
        end = frame(CLOSE_FRAME, close_payload(1000, "done")) if closes else b""
        return handshake(target) + websocket_frames() + end
    return requests(target)


def places(size: int, samples: int, seed: int) -> list[int]:
    """Draw places of a string of `size` bytes, all of them if they are no more than `samples`; always the same for a seed."""
    if size <= samples:
        return list(range(size))
    draw = Random(f"places {seed}")
    return sorted({int(draw.random() * size) for _ in range(samples)})
