"""Connections to be fuzzed, with limits so small that an input can break them, and what stands before an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace
from random import Random
from typing import Final

from frames import BINARY, CONTINUATION, PING, TEXT, frame
from fuzz.drive import Make
from spry_core.protocol import (
    Accept,
    Agreement,
    BodyData,
    BodyEnd,
    Connection,
    Deflate,
    Limits,
    RequestHead,
    Role,
    Timeouts,
)
from spry_core.protocol.handshake import request
from traces import DEFLATE_OFFER, connection, counted, open_websocket, said

LIMITS: Final = Limits(
    max_request_line=80,
    max_field_line=200,
    max_header_section=400,
    max_fields=12,
    max_trailer_section=60,
    max_trailer_fields=3,
    max_chunk_line=24,
    max_chunk_extensions=40,
    max_empty_lines=2,
    max_requests=6,
    max_read_ahead=512,
    max_linger=256,
    max_message_size=300,
    max_fragments=5,
    max_queue=4,
    max_queue_size=200,
)
NARROW: Final = replace(LIMITS, max_queue_size=7)
BOUNDLESS: Final = replace(LIMITS, max_queue_size=4096, max_message_size=None, max_fragments=None)
"""Not so narrow: a bomb of some bytes is inflated to the end."""

CHUNKED: Final = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
HANDSHAKE: Final = (
    b"GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
)
OFFERS: Final = ("permessage-deflate; server_max_window_bits=10; client_max_window_bits", DEFLATE_OFFER)


def server() -> Connection:
    """Make a server that has heard nothing."""
    return connection(limits=LIMITS)


def client(method: bytes) -> Connection:
    """Make a client that waits for the response to a request of this method."""
    conn = connection("client", limits=LIMITS)
    length = ((b"Content-Length", b"1"),) if method == b"POST" else ()
    conn.send(RequestHead(method=method, target=b"/", headers=((b"Host", b"a"), *length)), 0.0)
    if length:
        conn.send(BodyData(data=b"x"), 0.0)
    conn.send(BodyEnd(), 0.0)
    said(conn)
    return conn


def offering() -> Connection:
    """Make a client that waits for the answer to its opening handshake."""
    conn = connection("client", limits=LIMITS)
    head = request(host="a", target="/", random=counted, subprotocols=("chat", "x"), extensions=OFFERS)
    conn.send(head, 0.0)
    conn.send(BodyEnd(), 0.0)
    said(conn)
    return conn


def _websocket(role: Role, limits: Limits, agreement: Agreement | None, *, in_pieces: bool = False) -> Make:
    def make() -> Connection:
        conn = open_websocket(role, limits=limits, agreement=agreement)
        if in_pieces:
            conn.receive_in_pieces(True, 0.0)
        return conn

    return make


PLAIN: Final = None
TAKEN_OVER: Final = Agreement()
FORGOTTEN: Final = Agreement(
    server_no_context_takeover=True,
    client_no_context_takeover=True,
    server_max_window_bits=9,
    client_max_window_bits=9,
)


def _all_of(role: Role) -> Sequence[Make]:
    return (
        _websocket(role, LIMITS, PLAIN),
        _websocket(role, NARROW, PLAIN, in_pieces=True),
        _websocket(role, BOUNDLESS, PLAIN),
        _websocket(role, LIMITS, TAKEN_OVER),
        _websocket(role, NARROW, TAKEN_OVER, in_pieces=True),
        _websocket(role, BOUNDLESS, FORGOTTEN),
    )


SERVERS: Final = _all_of("server")
CLIENTS: Final = _all_of("client")
INFLATING: Final = (
    _websocket("server", LIMITS, TAKEN_OVER),
    _websocket("server", LIMITS, FORGOTTEN),
    _websocket("server", NARROW, TAKEN_OVER, in_pieces=True),
    _websocket("server", BOUNDLESS, TAKEN_OVER),
)


_AT_LEAST_ONE: Final[Sequence[str]] = ("max_read_ahead", "max_queue", "max_queue_size", "max_connections")


def odd_limits(random: Random) -> Limits:
    """Make limits of which any may be as small as it may be."""
    names = [field.name for field in fields(Limits) if random.random() < 0.1]
    least: dict[str, int] = dict.fromkeys(_AT_LEAST_ONE, 1)
    return replace(LIMITS, **{name: least.get(name, 0) + random.choice((0, 0, 1, 9)) for name in names})


def odd_timeouts(random: Random) -> Timeouts:
    """Make timeouts of which any may be none at all, or for ever."""
    names = [field.name for field in fields(Timeouts) if random.random() < 0.2]
    chosen = {name: random.choice((None, 0.0, 0.0, 0.25, 5.0)) for name in names}
    return Timeouts(**{**chosen, "ping_interval": chosen.get("ping_interval", 20.0) or None})


def odd_server(random: Random) -> Make:
    """Choose settings that nobody would choose, for a server that has heard nothing."""
    limits, timeouts, can_half_close = odd_limits(random), odd_timeouts(random), random.random() < 0.5
    return lambda: connection(
        limits=limits, timeouts=timeouts, can_half_close=can_half_close, wall_clock=lambda: 0.0
    )


def odd_websocket(random: Random) -> Make:
    """Choose the same for the server of a WebSocket."""
    limits, timeouts, can_half_close = odd_limits(random), odd_timeouts(random), random.random() < 0.5
    limits = replace(limits, max_message_size=random.choice((None, 0, 1, 300)))
    extensions = random.choice(((), (str(TAKEN_OVER),), (str(FORGOTTEN),)))
    offers = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"

    def make() -> Connection:
        conn = connection(can_half_close=can_half_close)
        conn.receive_data(HANDSHAKE + offers + b"\r\n", 0.0)
        conn.configure(limits=limits, timeouts=timeouts, deflate=Deflate(level=9))
        conn.send(Accept(extensions=extensions), 0.0)
        said(conn)
        list(conn)
        return conn

    return make


def frames_of(data: bytes, random: Random) -> bytes:
    """Make frames in order of any payload, most of it marked as compressed, in fragments, a Ping between some."""
    frames = b""
    while data:
        size = random.choice((1, 5, 30, 125, len(data)))
        payload, data = data[:size], data[size:]
        parts = random.choice((1, 1, 1, 2, 3))
        rsv = random.choice((4, 4, 4, 0))
        for i in range(parts):
            part = payload[len(payload) * i // parts : len(payload) * (i + 1) // parts]
            opcode = CONTINUATION if i else random.choice((TEXT, BINARY))
            frames += frame(opcode, part, fin=i == parts - 1, rsv=0 if i else rsv)
            frames += frame(PING, part[:3]) if random.random() < 0.1 else b""
    return frames
