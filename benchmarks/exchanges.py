"""What clients say in the benchmarks, and what has to come back: octets, made once, before any clock runs."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

CONTENT: Final = b"Hello, world!"
"""What every server answers to a GET."""

WINDOW_BITS: Final = 12
"""The window of both directions of permessage-deflate, the same for every server."""

LEVEL: Final = 1
"""How hard every server has to compress; aiohttp lets nobody choose."""

GET: Final = b"GET /hello HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n\r\n"

BINARY: Final = 0x82
COMPRESSED_TEXT: Final = 0xC1
"""First octets of a frame that is a whole message (RFC 6455 §5.2, RFC 7692 §6)."""

_MANY: Final = 64
"""Exchanges after which a connection begins anew: as many as ever are in flight on one, so that one call can send them."""

_LARGEST: Final = 1 << 21
"""Octets that the exchanges of one connection should not exceed by much."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its reply, as the load generator sends and judges them."""

    request: bytes
    reply: bytes


def opening(path: str, extension: bytes = b"") -> bytes:
    """Return a client's opening handshake (RFC 6455 §4.1), offering `extension` if there is one."""
    offer = b"Sec-WebSocket-Extensions: %b\r\n" % extension if extension else b""
    return (
        b"GET %b HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n%b\r\n"
    ) % (path.encode("ascii"), offer)


DEFLATE_OFFER: Final = b"permessage-deflate; server_max_window_bits=%d; client_max_window_bits=%d" % (
    WINDOW_BITS,
    WINDOW_BITS,
)


def frame(first: int, payload: bytes, key: bytes = b"") -> bytes:
    """Return one frame, masked if there is a key (RFC 6455 §5.2 and §5.3)."""
    size, bit = len(payload), 0x80 if key else 0
    if size < 126:
        head = bytes((first, bit | size))
    elif size < 1 << 16:
        head = struct.pack("!BBH", first, bit | 126, size)
    else:
        head = struct.pack("!BBQ", first, bit | 127, size)
    return head + key + (masked(payload, key) if key else payload)


def masked(payload: bytes, key: bytes) -> bytes:
    """Return the octets combined with the key over and over (RFC 6455 §5.3)."""
    size = len(payload)
    stretched = (key * (size // 4 + 1))[:size]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(stretched, "big")).to_bytes(size, "big")


def echoes(size: int, seed: int = 1) -> tuple[Exchange, ...]:
    """Return binary messages of `size` octets, each with a key of its own, and the frames that echo them."""
    random = Random(seed)
    payloads = [random.randbytes(size) for _ in range(max(2, min(_MANY, _LARGEST // size)))]
    return tuple(
        Exchange(frame(BINARY, payload, random.randbytes(4)), frame(BINARY, payload)) for payload in payloads
    )


def texts(size: int, seed: int = 1) -> list[str]:
    """Return JSON texts of exactly `size` characters, alike and never the same, as an application's messages are."""
    random = Random(seed)

    def record(number: int) -> dict[str, object]:
        name = random.choice(("temperature", "pressure", "humidity"))
        return {"sensor": name, "id": number, "value": round(random.random() * 100, 3), "unit": "SI"}

    found: list[str] = []
    for number in range(_MANY):
        text = json.dumps([record(number * 100 + each) for each in range(size // 50 + 1)])
        found.append(text[:size].ljust(size))
    return found


def deflated(size: int) -> tuple[Exchange, ...]:
    """Return the texts as compressed messages that share one context (RFC 7692 §7.2.1); a server may compress its echoes as it
    likes, so there are no replies.

    They may be sent over and over: nothing in them refers to anything before the first of them.
    """
    random = Random(1)
    context = zlib.compressobj(LEVEL, zlib.DEFLATED, -WINDOW_BITS)
    made: list[Exchange] = []
    for text in texts(size):
        payload = context.compress(text.encode()) + context.flush(zlib.Z_SYNC_FLUSH)
        made.append(Exchange(frame(COMPRESSED_TEXT, payload[:-4], random.randbytes(4)), b""))
    return tuple(made)


def inflated(payload: bytes) -> str:
    """Return the text of the first compressed message of a connection (RFC 7692 §7.2.2)."""
    return zlib.decompressobj(-WINDOW_BITS).decompress(payload + b"\x00\x00\xff\xff").decode()


def gets() -> tuple[Exchange, ...]:
    """Return requests for `CONTENT`."""
    return (Exchange(GET, CONTENT),) * _MANY


def posts(size: int) -> tuple[Exchange, ...]:
    """Return requests with so many octets of JSON, to be echoed."""
    head = (
        b"POST /content HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: load\r\nAccept: */*\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    ) % size
    return tuple(Exchange(head + text.encode(), text.encode()) for text in texts(size))


def to_file(exchanges: Sequence[Exchange]) -> bytes:
    """Return the file that `load.c` reads."""
    lengths = (length for each in exchanges for length in (len(each.request), len(each.reply)))
    return b"".join(
        (
            struct.pack(f"<{1 + 2 * len(exchanges)}I", len(exchanges), *lengths),
            *(each.request for each in exchanges),
            *(each.reply for each in exchanges),
        )
    )
