"""Peers that break a rule of the standard in what they say: with frames, or with the opening handshake."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from spry_core.testing.frames import PONG, TEXT, frame
from spry_core.testing.peers.report import Report
from spry_core.testing.peers.talk import PATIENCE, Talk
from spry_core.testing.requests import HOST, KEY, handshake_lines, head
from spry_core.testing.wire import Wire


def unmasked(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send a frame without a mask.

    Expected: Close 1002 (RFC 6455 §5.1).
    """
    return _one_frame("unmasked", wire, target, host, patience, frame(TEXT, b"hello", mask=None))


def reserved_opcode(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send a frame with an opcode that nobody has defined.

    Expected: Close 1002 (RFC 6455 §5.2).
    """
    return _one_frame("reserved_opcode", wire, target, host, patience, frame(0x3, b"hello"))


def bad_text(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send a text message that is no UTF-8.

    Expected: Close 1007 (RFC 6455 §8.1), where anybody receives it.
    """
    return _one_frame("bad_text", wire, target, host, patience, frame(TEXT, b"caf\xe9"))


def pong_forger(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, count: int = 1000
) -> Report:
    """Send `count` Pongs that answer no Ping, then close.

    Expected: they change nothing (RFC 6455 §5.5.3), and the Close frame is answered.
    """
    talk = Talk("pong_forger", wire, patience)
    if talk.open(target, host):
        talk.say(b"".join(frame(PONG, number.to_bytes(4, "big")) for number in range(count)))
        talk.leave_politely()
    return talk.finish()


def trailing_garbage(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, size: int = 1000
) -> Report:
    """Send `size` bytes 0xFF right behind the opening handshake, in the same piece.

    Expected: 101 and Close 1002: they are read as frames, and never as HTTP (RFC 6455 §4.2.2, §5.2).
    """
    talk = Talk("trailing_garbage", wire, patience)
    talk.open(target, host, behind=b"\xff" * size)
    return talk.finish()


HANDSHAKES: Final[Mapping[str, tuple[str, ...]]] = {
    "no key": handshake_lines({"Sec-WebSocket-Key": None}),
    "two keys": (*handshake_lines(), f"Sec-WebSocket-Key: {KEY}"),
    "short key": handshake_lines({"Sec-WebSocket-Key": "c2hvcnQ="}),
    "key not base64": handshake_lines({"Sec-WebSocket-Key": "*" * 24}),
    "no version": handshake_lines({"Sec-WebSocket-Version": None}),
    "version 8": handshake_lines({"Sec-WebSocket-Version": "8"}),
    "no Connection": handshake_lines({"Connection": None}),
    "Upgrade to another": handshake_lines({"Upgrade": "h2c"}),
    "with a content": (*handshake_lines(), "Content-Length: 4"),
    "two Hosts": (*handshake_lines(), "Host: elsewhere"),
}
"""Opening handshakes that nobody may accept, and the field lines of each beside Host (RFC 6455 §4.2.1)."""


def bad_handshake(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, fault: str = "no key"
) -> Report:
    """Send an opening handshake with one fault of `HANDSHAKES`, and end this direction.

    Expected: anything but a 101 (RFC 6455 §4.2.1): 400 or 426, or the answer to a plain GET of that target.
    """
    talk = Talk(f"bad_handshake[{fault}]", wire, patience)
    talk.say(head("GET", target, host, *HANDSHAKES[fault]) + (b"four" if fault == "with a content" else b""))
    wire.half_close()
    return talk.finish()


def _one_frame(name: str, wire: Wire, target: str, host: str, patience: float, data: bytes) -> Report:
    """Open a WebSocket and send this, and whatever comes of it."""
    talk = Talk(name, wire, patience)
    if talk.open(target, host):
        talk.say(data)
    return talk.finish()
