"""Peers that end badly: in the midst of something, halfway, or not at all."""

from __future__ import annotations

from spry_core.testing.frames import CLOSE_FRAME, TEXT, close_payload, frame
from spry_core.testing.peers.report import Report
from spry_core.testing.peers.talk import PATIENCE, Talk
from spry_core.testing.requests import HOST, head, unfinished
from spry_core.testing.wire import Wire


def half_open(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send one request, end this direction at once, and read on.

    Expected: the whole answer, then the end: a client may half-close (RFC 9112 §9.6).
    """
    talk = Talk("half_open", wire, patience)
    talk.say(head("GET", target, host))
    wire.half_close()
    return talk.finish()


def half_open_websocket(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE
) -> Report:
    """Open a WebSocket, end this direction without a Close frame, and read on.

    Expected: the end of the stream, since nothing more can come (RFC 6455 §7.1.5: 1006 for the application).
    """
    talk = Talk("half_open_websocket", wire, patience)
    if talk.open(target, host):
        wire.half_close()
    return talk.finish()


def reset_mid_head(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send half a head and cut the stream.

    Expected: the server lives on, and keeps nothing.
    """
    talk = Talk("reset_mid_head", wire, patience)
    talk.say(unfinished("GET", target, host) + b"X-Half: of")
    talk.leave_rudely()
    return talk.finish()


def reset_mid_body(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send half of a promised content and cut the stream.

    Expected: the server lives on; the handler that reads learns of it (RFC 9112 §8).
    """
    talk = Talk("reset_mid_body", wire, patience)
    talk.say(head("POST", target, host, "Content-Length: 1000") + bytes(500))
    talk.leave_rudely()
    return talk.finish()


def reset_mid_frame(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Open a WebSocket, send half a frame, and cut the stream.

    Expected: the server lives on, half a message is none, and the application sees 1006 (RFC 6455 §7.1.5).
    """
    talk = Talk("reset_mid_frame", wire, patience)
    if talk.open(target, host):
        talk.say(frame(TEXT, b"half of this")[:10])
        talk.leave_rudely()
    return talk.finish()


def never_closing(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, pause: float = 0.25
) -> Report:
    """Break a rule, so that the server closes; neither answer its Close frame nor end the stream, and go on sending.

    Expected: Close 1002, and the stream is cut when the time for closing is over, which no traffic puts off
    (RFC 6455 §7.1.1; `Timeouts.close_timeout`).
    """
    talk = Talk("never_closing", wire, patience)
    if talk.open(target, host):
        talk.say(frame(0xB, b"reserved"))
        talk.outstay(frame(TEXT, b"and another thing"), pause)
    return talk.finish()


def chatty_closer(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, pause: float = 0.25
) -> Report:
    """Send a Close frame, and go on sending messages behind it for ever.

    Expected: the Close frame is answered, nothing behind it is heard (RFC 6455 §5.5.1), and the stream is cut when the time for
    closing is over (`Timeouts.close_timeout`).
    """
    talk = Talk("chatty_closer", wire, patience)
    if talk.open(target, host):
        talk.say(frame(CLOSE_FRAME, close_payload(1000)))
        talk.outstay(frame(TEXT, b"and another thing"), pause)
    return talk.finish()
