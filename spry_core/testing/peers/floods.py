"""Peers that send too much: of fields, lines, chunks, requests, frames, or of what becomes much when it is inflated.

Each is to meet the limit that is meant for it, before what it sends is held in memory.
"""

from __future__ import annotations

from spry_core.testing.frames import BINARY, CONTINUATION, PING, TEXT, deflated_zeros, frame
from spry_core.testing.peers.report import Report
from spry_core.testing.peers.talk import PATIENCE, Talk
from spry_core.testing.requests import HOST, head, unfinished
from spry_core.testing.wire import Wire


def header_bomb(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, count: int = 20_000
) -> Report:
    """Send a head with `count` fields.

    Expected: 431 (RFC 6585 §5) and the end, long before all have come (`Limits.max_fields`, `Limits.max_header_section`).
    """
    talk = Talk("header_bomb", wire, patience)
    talk.say(unfinished("GET", target, host))
    talk.pour(b"X-Bomb: tick\r\n", count)
    talk.say(b"\r\n")
    return talk.finish()


def endless_line(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, size: int = 1 << 20
) -> Report:
    """Send a request line of `size` bytes that does not end.

    Expected: 414 (RFC 9110 §15.5.15) and the end (`Limits.max_request_line`).
    """
    talk = Talk("endless_line", wire, patience)
    talk.say(f"GET {target}?".encode())
    talk.pour(b"a" * 64, size // 64)
    return talk.finish()


def chunk_extension_flood(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, count: int = 20_000
) -> Report:
    """Send content in `count` chunks of one byte, each with an extension that is longer than the chunk.

    Expected: 400 and the end: extensions have a limit of their own (RFC 9112 §7.1.1; `Limits.max_chunk_extensions`).
    """
    talk = Talk("chunk_extension_flood", wire, patience)
    talk.say(head("POST", target, host, "Transfer-Encoding: chunked"))
    talk.pour(b"1;" + b"e" * 100 + b"\r\nx\r\n", count)
    talk.say(b"0\r\n\r\n")
    return talk.finish()


def trailer_flood(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, count: int = 20_000
) -> Report:
    """Send an empty chunked content with `count` trailer fields.

    Expected: 400 and the end (RFC 9112 §7.1.2; `Limits.max_trailer_fields`, `Limits.max_trailer_section`).
    """
    talk = Talk("trailer_flood", wire, patience)
    talk.say(head("POST", target, host, "Transfer-Encoding: chunked") + b"0\r\n")
    talk.pour(b"X-Trailer: t\r\n", count)
    talk.say(b"\r\n")
    return talk.finish()


def body_flood(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, size: int = 8 << 20
) -> Report:
    """Send `size` bytes of chunked content, so that nothing says before how much it will be.

    Expected: 413 (RFC 9110 §15.5.14) and the end, where the application collects the content (`Limits.max_body`).
    """
    talk = Talk("body_flood", wire, patience)
    talk.say(head("POST", target, host, "Transfer-Encoding: chunked", "Connection: close"))
    talk.pour(b"1000\r\n" + bytes(4096) + b"\r\n", size // 4096)
    talk.say(b"0\r\n\r\n")
    return talk.finish()


def pipelined_flood(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, count: int = 1000
) -> Report:
    """Send `count` requests without waiting for answers; the last says ``Connection: close``.

    Expected: that many answers, in order, and the end (RFC 9112 §9.3.2); the server reads on as it answers
    (`Limits.max_read_ahead`).
    """
    talk = Talk("pipelined_flood", wire, patience)
    talk.pour(head("GET", target, host), count - 1)
    talk.say(head("GET", target, host, "Connection: close"))
    return talk.finish()


def fragment_flood(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, count: int = 200_000
) -> Report:
    """Send one message in `count` fragments of one byte.

    Expected: Close 1008 or 1009 long before (RFC 6455 §7.4.1; `Limits.max_fragments`).
    """
    return _fragments(
        "fragment_flood", wire, target, host, patience, frame(CONTINUATION, b"x", fin=False), count
    )


def empty_fragment_flood(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, count: int = 200_000
) -> Report:
    """Send one message in `count` empty fragments, which no limit of bytes ever sees.

    Expected: Close 1008 or 1009 long before (RFC 6455 §7.4.1; `Limits.max_fragments`).
    """
    return _fragments(
        "empty_fragment_flood", wire, target, host, patience, frame(CONTINUATION, fin=False), count
    )


def ping_flood(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, count: int = 20_000
) -> Report:
    """Send `count` Pings of 125 bytes, then read, and close.

    Expected: no more Pongs are held than the water mark allows, the latest Ping is answered (RFC 6455 §5.5.3), and the Close
    frame too (`Limits.high_water`).
    """
    talk = Talk("ping_flood", wire, patience)
    if talk.open(target, host):
        talk.pour(frame(PING, b"p" * 125), count)
        talk.leave_politely()
    return talk.finish()


def message_bomb(wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE) -> Report:
    """Send the header of a frame that promises 2**62 bytes, and nothing of them.

    Expected: Close 1009 by the header alone (RFC 6455 §10.4; `Limits.max_message_size`).
    """
    talk = Talk("message_bomb", wire, patience)
    if talk.open(target, host):
        talk.say(bytes((0x80 | BINARY, 0x80 | 127)) + (1 << 62).to_bytes(8, "big") + bytes(4))
    return talk.finish()


def compression_bomb(
    wire: Wire, target: str = "/", *, host: str = HOST, patience: float = PATIENCE, size: int = 64 << 20
) -> Report:
    """Agree on permessage-deflate and send one message that is a thousandth of the `size` bytes that it inflates to.

    Expected: Close 1009 when the limit is reached, not when all is inflated (RFC 7692 §8; `Limits.max_message_size`); 1002
    from a server that did not agree (RFC 6455 §5.2: RSV1).
    """
    talk = Talk("compression_bomb", wire, patience)
    if talk.open(target, host, "Sec-WebSocket-Extensions: permessage-deflate"):
        talk.say(frame(BINARY, deflated_zeros(size), rsv=4))
    return talk.finish()


def _fragments(
    name: str, wire: Wire, target: str, host: str, patience: float, one: bytes, count: int
) -> Report:
    talk = Talk(name, wire, patience)
    if talk.open(target, host):
        talk.say(frame(TEXT, fin=False))
        talk.pour(one, count)
        if not talk.is_refused:
            talk.say(frame(CONTINUATION))
            talk.leave_politely()
    return talk.finish()
