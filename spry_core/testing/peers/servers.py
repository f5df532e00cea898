"""Servers that a client should not trust: each answers one opening handshake on a wire that a client has connected.

Their `wire` is the server's end: `AddressWire` takes what `accept` gives, and in memory a `MemoryWire` whose other end is a
client. What the report calls the server is here the client under test.
"""

from __future__ import annotations

import re
from typing import Final

from spry_core.testing.frames import TEXT, frame
from spry_core.testing.peers.report import Report
from spry_core.testing.peers.talk import PATIENCE, Talk
from spry_core.testing.requests import accept_of
from spry_core.testing.wire import Wire

_KEY: Final = re.compile(rb"(?i)\r\nsec-websocket-key:[ \t]*([^\r]*?)[ \t]*\r\n")


def silent_server(wire: Wire, *, patience: float = PATIENCE) -> Report:
    """Take the opening handshake and answer nothing.

    Expected: the client gives up (`Timeouts.opening`).
    """
    talk = _begin("silent_server", wire, patience)
    return talk.finish()


def slow_server(wire: Wire, *, patience: float = PATIENCE, pause: float = 1.0) -> Report:
    """Answer the opening handshake byte by byte, one every `pause` seconds.

    Expected: the client gives up, however steadily the bytes come (`Timeouts.opening`).
    """
    talk = _begin("slow_server", wire, patience)
    talk.drip(b"HTTP/1.1 101 Switching Protocols\r\nX: " + b"x" * 4096, pause)
    return talk.finish()


def endless_head_server(wire: Wire, *, patience: float = PATIENCE, count: int = 20_000) -> Report:
    """Answer with a head of `count` fields.

    Expected: the client ends the connection long before (`Limits.max_fields`, `Limits.max_header_section`).
    """
    talk = _begin("endless_head_server", wire, patience)
    talk.say(b"HTTP/1.1 101 Switching Protocols\r\n")
    talk.pour(b"X-Bomb: tick\r\n", count)
    return talk.finish()


def wrong_accept(wire: Wire, *, patience: float = PATIENCE) -> Report:
    """Accept with the answer to another key.

    Expected: the client fails the connection (RFC 6455 §4.1, item 4).
    """
    talk = _begin("wrong_accept", wire, patience)
    talk.say(_switching(accept_of(b"another key entirely====")))
    return talk.finish()


def no_accept(wire: Wire, *, patience: float = PATIENCE) -> Report:
    """Switch protocols without any Sec-WebSocket-Accept.

    Expected: the client fails the connection (RFC 6455 §4.1, item 4).
    """
    talk = _begin("no_accept", wire, patience)
    talk.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    return talk.finish()


def surprise_extension(wire: Wire, *, patience: float = PATIENCE) -> Report:
    """Accept with an extension that nobody has offered.

    Expected: the client fails the connection (RFC 6455 §4.1, item 5).
    """
    return _accepting("surprise_extension", wire, patience, b"Sec-WebSocket-Extensions: x-surprise\r\n")


def surprise_subprotocol(wire: Wire, *, patience: float = PATIENCE) -> Report:
    """Accept with a subprotocol that nobody has offered.

    Expected: the client fails the connection (RFC 6455 §4.1, item 6).
    """
    return _accepting("surprise_subprotocol", wire, patience, b"Sec-WebSocket-Protocol: surprise\r\n")


def masking_server(wire: Wire, *, patience: float = PATIENCE) -> Report:
    """Accept properly, and send a frame with a mask.

    Expected: the client closes with 1002 (RFC 6455 §5.1).
    """
    return _accepting("masking_server", wire, patience, b"", frame(TEXT, b"hello"))


def _begin(name: str, wire: Wire, patience: float) -> Talk:
    """Wait for the head of the request."""
    talk = Talk(name, wire, patience)
    talk.request(b"")
    return talk


def _accepting(name: str, wire: Wire, patience: float, lines: bytes, behind: bytes = b"") -> Report:
    talk = _begin(name, wire, patience)
    if found := _KEY.search(talk.beginning):
        talk.switch()
        talk.say(_switching(accept_of(found[1]), lines) + behind)
    return talk.finish()


def _switching(accept: bytes, lines: bytes = b"") -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n" + lines + b"\r\n"
    )
