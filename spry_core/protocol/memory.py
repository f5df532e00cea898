"""How much one peer can make a connection hold, computed from its settings.

Each function is a sum, and each of its terms is kept by the file that it names. `docs/explanation/memory.md` goes through
them; tests feed the worst peers that we know and measure that no more is held.
"""

from __future__ import annotations

from typing import Final

from spry_core.protocol.deflate import MOST_BITS, Agreement, Deflate
from spry_core.protocol.engines import Role
from spry_core.protocol.limits import Limits
from spry_core.protocol.turn import STEPS

READ_SIZE: Final = 64 * 1024
"""The most that a pump gives to `receive_data` at once; one that gives more adds as much to every bound."""

LONG_READ_SIZE: Final = 256 * 1024
"""The same, of a WebSocket whose messages come whole: in one read of several, none has to be put together."""

_BASE: Final = 32 * 1024
"""The objects of a connection and of its engine, when nothing has come."""

_FIELD: Final = 256
"""The objects of one field line beside its bytes: name, value, the pair of both, and their places in lists."""

_FRAGMENT: Final = 64
"""What a fragment costs beside its length."""

_MESSAGE: Final = 256
"""The objects of one message that is delivered: the message, its event, its entry in the account."""

_STEP: Final = 512
"""A Ping of 125 bytes as an event, and the Pong that answers it, until the owner and the pump have fetched them."""

_WIDTH: Final = 4
"""Bytes of a `str` for each byte of text: one character beyond U+FFFF makes all of them as wide."""

_ZLIB: Final = 16 * 1024
"""What zlib needs beside its windows and tables, in either direction."""


def http_bound(limits: Limits) -> int:
    """Return the bytes that a peer can pin while HTTP is spoken."""
    longest_head = limits.max_request_line + limits.max_header_section
    longest_line = max(limits.max_chunk_line, limits.max_trailer_section)
    held = _slack(max(limits.max_read_ahead, longest_head, longest_line) + 2 * READ_SIZE)  # `http1`
    content = _in_pieces(limits.max_read_ahead + 2 * READ_SIZE)  # `incoming`
    trailers = limits.max_trailer_section + limits.max_trailer_fields * _FIELD  # `chunked`
    return _BASE + _head(limits) + held + content + trailers + _unsent(limits)


def websocket_bound(
    limits: Limits, role: Role, agreement: Agreement | None = None, deflate: Deflate | None = None
) -> int:
    """Return the bytes that a peer can pin once the stream is a WebSocket."""
    size = limits.max_message_size or 0
    unparsed = _slack(2 * LONG_READ_SIZE)  # the engine
    arriving = size + size // 8 + (limits.max_fragments or 0) * _FRAGMENT  # `assembly`
    # `account`: reading pauses only behind the message, or piece, that makes it full.
    queued = _WIDTH * _in_pieces(limits.max_queue_size + max(size, READ_SIZE)) + limits.max_queue * _MESSAGE
    turn = STEPS * _STEP  # `turn`
    compression = 0 if agreement is None else _compression(agreement, role, deflate or Deflate())
    return _BASE + _head(limits) + unparsed + arriving + queued + turn + compression + _unsent(limits)


def _head(limits: Limits) -> int:
    """The head of the present request, twice: as bytes, and as the text that is made of it (`head`, `handshake`)."""
    return 2 * (limits.max_request_line + limits.max_header_section) + limits.max_fields * _FIELD


def _unsent(limits: Limits) -> int:
    """What we have to say and the peer does not read: above the mark senders wait, the next request too, and of Pongs only
    the latest is kept (`stream`).
    """
    return max(limits.high_water, limits.max_unsent)


def _compression(agreement: Agreement, role: Role, deflate: Deflate) -> int:
    """Both contexts of zlib, of that which reads a copy, and what waits compressed (`compression`)."""
    ours, theirs = agreement.server_max_window_bits, agreement.client_max_window_bits
    if role == "client":
        ours, theirs = theirs, ours
    writing = (1 << (ours or MOST_BITS) + 2) + (1 << deflate.mem_level + 9) + _ZLIB
    reading = 2 * ((1 << (theirs or MOST_BITS)) + _ZLIB)
    return writing + reading + _slack(2 * LONG_READ_SIZE)


def _slack(size: int) -> int:
    """Return what a `bytearray` may take for `size` bytes: it gives memory back when half of it is not used."""
    return 2 * size


def _in_pieces(size: int) -> int:
    """Return what so many bytes cost in pieces, none but the last smaller than 1 KiB."""
    return size + (size // 1024 + 1) * _FRAGMENT
