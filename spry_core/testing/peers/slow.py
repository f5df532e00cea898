"""Peers that take their time: with the head, the content, the next request, with reading, with answering Pings.

Each is to be ended by the timeout that is meant for it, and to cost no more than a bounded buffer until then.
"""

from __future__ import annotations

from spry_core.testing.frames import BINARY, TEXT, frame
from spry_core.testing.peers.report import Report
from spry_core.testing.peers.talk import PATIENCE, Talk
from spry_core.testing.requests import HOST, head, unfinished
from spry_core.testing.wire import Wire


def silent(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Connect and say nothing.

    Expected: the end of the stream, without an answer, when the time for a head is over (`Timeouts.head`).
    """
    return Talk("silent", wire, patience).finish()


def slow_head(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, pause: float = 1.0
) -> Report:
    """Send the head of a request byte by byte, one every `pause` seconds, and never its end.

    Expected: 408 (RFC 9110 §15.5.9) when the time for a head is over, however steadily the bytes come (`Timeouts.head`).
    """
    talk = Talk("slow_head", wire, patience)
    talk.drip(unfinished("GET", target, host) + b"X: " + b"x" * 4096, pause)
    return talk.finish()


def header_drip(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, pause: float = 1.0
) -> Report:
    """Send half a head at once, and then one field value that never ends, a byte every `pause` seconds.

    Expected: 408 (RFC 9110 §15.5.9) when the time for a head is over (`Timeouts.head`).
    """
    talk = Talk("header_drip", wire, patience)
    talk.say(unfinished("GET", target, host) + b"X-Drip: ")
    talk.drip(b"x", pause)
    return talk.finish()


def slowloris(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, pause: float = 1.0
) -> Report:
    """Send one complete field line after the other, every `pause` seconds, and never the empty line.

    Expected: 408 (RFC 9110 §15.5.9) when the time for a head is over: a line is no reason to wait on (`Timeouts.head`).
    """
    talk = Talk("slowloris", wire, patience)
    talk.say(unfinished("GET", target, host))
    while not talk.is_over:
        talk.say(b"X-A: b\r\n")
        talk.hear(pause)
    return talk.finish()


def slow_body(
    wire: Wire,
    target: str = "/",
    *,
    host: str = HOST,
    patience: float = PATIENCE,
    pause: float = 1.0,
    size: int = 1_000_000,
) -> Report:
    """Promise `size` bytes of content and send one every `pause` seconds.

    Expected: 408 (RFC 9110 §15.5.9) when that is slower than a content may be (`Timeouts.body`, `Limits.min_body_rate`).
    """
    talk = Talk("slow_body", wire, patience)
    talk.say(head("POST", target, host, f"Content-Length: {size}"))
    talk.drip(b"x", pause)
    return talk.finish()


def stalled_body(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, size: int = 1000
) -> Report:
    """Promise `size` bytes of content, send four, and no more.

    Expected: 408 (RFC 9110 §15.5.9) when no byte has come for too long (`Timeouts.body`).
    """
    talk = Talk("stalled_body", wire, patience)
    talk.say(head("POST", target, host, f"Content-Length: {size}") + b"some")
    return talk.finish()


def idle(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send one request, take the answer, and ask nothing more on a connection that stays open.

    Expected: the answer, then the end of the stream (RFC 9112 §9.5; `Timeouts.keep_alive`).
    """
    talk = Talk("idle", wire, patience)
    talk.say(head("GET", target, host))
    return talk.finish()


def zero_window(
    wire: Wire,
    target: str = "/",
    *,
    host: str = HOST,
    patience: float = PATIENCE,
    size: int = 16 << 20,
) -> Report:
    """Send `size` bytes of requests, one behind the other, and never read: the receive window closes, and stays closed.

    A target with a big content fills the buffers between the two soonest.

    Expected: the server stops reading, holds a bounded part of its answers, and cuts the stream when nothing is taken for too
    long (`Limits.high_water`, `Timeouts.write`).
    """
    talk = Talk("zero_window", wire, patience)
    one = head("GET", target, host)
    talk.say(one * (size // len(one)), deaf=True)
    return talk.finish()


def sipper(
    wire: Wire,
    target: str = "/",
    *,
    host: str = HOST,
    patience: float = PATIENCE,
    pause: float = 1.0,
    sip: int = 64,
    size: int = 16 << 20,
) -> Report:
    """Send up to `size` bytes of requests, one behind the other, and read `sip` bytes every `pause` seconds.

    As with `zero_window`, a target with a big content fills the buffers between the two soonest.

    Expected: the server stops reading, holds a bounded part of its answers, and cuts the stream though some of them is taken
    again and again: that is too slow (`Timeouts.write`, `Limits.min_write_rate`).
    """
    talk = Talk("sipper", wire, patience)
    one = head("GET", target, host)
    talk.sip(one * (size // len(one)), sip, pause)
    return talk.finish()


def never_reads(
    wire: Wire,
    target: str = "/",
    *,
    host: str = HOST,
    patience: float = PATIENCE,
    size: int = 16 << 20,
    message: int = 4096,
) -> Report:
    """Open a WebSocket, send `size` bytes in messages of `message` bytes, and read nothing of what comes back.

    Expected: the server stops reading, holds a bounded part, and cuts the stream when nothing is taken for too long
    (`Limits.high_water`, `Timeouts.write`). A server that never sends does not mind: it takes them all.
    """
    talk = Talk("never_reads", wire, patience)
    if talk.open(target, host):
        one = frame(BINARY, bytes(message))
        talk.say(one * (size // len(one)), deaf=True)
        talk.leave_politely()
    return talk.finish()


def slow_reader(
    wire: Wire,
    target: str = "/",
    *,
    host: str = HOST,
    patience: float = PATIENCE,
    pause: float = 0.125,
    size: int = 512,
    count: int = 64,
) -> Report:
    """Open a WebSocket, send `count` messages, read 64 bytes every `pause` seconds for a while, then the rest, and close.

    Expected: nothing is lost for it, and nobody ends a reader that does read: all messages that an echo owes, then the Close
    frame that answers (RFC 6455 §5.5.1).
    """
    talk = Talk("slow_reader", wire, patience)
    if talk.open(target, host):
        talk.say(frame(TEXT, b"x" * size) * count, deaf=True)
        for _ in range(32):
            talk.hear(0, size=64)
            talk.wire.sleep(pause)
        talk.leave_politely()
    return talk.finish()


def mute(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Open a WebSocket, say nothing, and answer no Ping.

    Expected: Close 1011 when a Ping was not answered in time (RFC 6455 §5.5.2; `Timeouts.ping_interval`, `ping_timeout`).
    """
    talk = Talk("mute", wire, patience)
    talk.open(target, host)
    return talk.finish()


def half_frame(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Open a WebSocket, send half a frame, and then be mute.

    Expected: what a mute peer gets; the half frame is no reason to wait (`Timeouts.ping_timeout`).
    """
    talk = Talk("half_frame", wire, patience)
    if talk.open(target, host):
        talk.say(frame(TEXT, b"half of this")[:10])
    return talk.finish()
