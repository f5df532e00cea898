"""What must hold for any bytes from a peer. Each check is a function of bytes: it returns, or raises `AssertionError`.

How the bytes are cut, when they come and what else happens is drawn from the bytes themselves, so the same input always
means the same run.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from random import Random
from typing import Final
from unittest import mock
from zlib import crc32

from fuzz import subjects
from fuzz.drive import Make, Outcome, flood, steadily, storm
from fuzz.peer import check_answers, check_frames
from fuzz.size import held_bytes
from spry_core.protocol import Limits, RequestHead
from spry_core.testing.strategies.cuts import cut_at

LONGEST: Final = 8 * 1024
"""Bytes of one input: enough to break every small limit, and to be quick."""

FLOOD: Final = 64 * 1024
"""Bytes with which a peer floods: many times what `allowance` allows."""


def random_of(data: bytes) -> Random:
    """Make the source of everything that is chosen for an input."""
    return Random(crc32(data))


def cut(data: bytes, random: Random) -> list[bytes]:
    """Cut anywhere: into single bytes now and then, into a few pieces mostly."""
    if random.random() < 0.1:
        return [data[i : i + 1] for i in range(len(data))]
    return cut_at(data, [random.randrange(len(data)) for _ in range(random.randrange(1, 12))])


def check_bytes(make: Make, data: bytes, odd: Callable[[Random], Make] | None = None) -> Outcome | None:
    """Hold a connection to everything that is true of any bytes; return what came out of them in one piece.

    With `odd` any settings are tried too, where they make no difference to what is true.
    """
    data = data[:LONGEST]
    if not data:
        return None
    random = random_of(data)
    outcome = steadily(make(), [data])
    pieces = cut(data, random)
    if steadily(make(), pieces) != outcome:
        # A peer that compresses with a larger window than it agreed to is refused or read as the cuts have it: the one
        # exception, which the threat model names. With the largest windows nobody can use a larger one.
        with full_windows():
            whole, other = steadily(make(), [data]), steadily(make(), pieces)
        assert other == whole, f"cut into {[len(piece) for piece in pieces]}: {other} instead of {whole}"
    if odd is not None and random.random() < 0.5:
        make = odd(random)
    storm(make(), cut(data, random), random)
    if random.random() < 1 / 32:
        check_memory(make, data)
    return outcome


@contextmanager
def full_windows() -> Generator[None]:
    """Let whatever begins to inflate here have the largest window there is, whatever was agreed."""
    begin = zlib.decompressobj

    def largest(wbits: int) -> object:
        return begin(-zlib.MAX_WBITS)

    with mock.patch.object(zlib, "decompressobj", largest):
        yield


def check_memory(make: Make, data: bytes) -> None:
    """However much comes, what is held of it stays within the settings, and within `Connection.memory_bound`."""
    conn = make()
    before = held_bytes(conn)
    taken = flood(conn, data, FLOOD)
    held = held_bytes(conn) - before
    # The bound that is documented counts reads of 64 KiB; for these small ones less will do.
    allowed = min(allowance(conn.limits, len(data) + 1024), conn.memory_bound())
    assert held <= allowed, f"{held} bytes are held of {taken}, and {allowed} are allowed"


def allowance(limits: Limits, piece: int) -> int:
    """Return how many bytes the settings allow to be held when bytes come in pieces of this size.

    A head is here as it came and as fields; of a message there are the payload and the frames before it is put together.
    One more read is taken when reading has paused already.
    """
    head = limits.max_request_line + limits.max_header_section + limits.max_trailer_section
    message = limits.max_queue_size if limits.max_message_size is None else limits.max_message_size
    return (
        3 * head
        + limits.max_read_ahead
        + 2 * message
        + limits.max_queue_size
        + limits.high_water
        + 2 * piece
        + 2048
    )


def check_requests(data: bytes) -> None:
    """A server hears a client: requests, handshakes, and frames behind them."""
    outcome = check_bytes(subjects.server, data, subjects.odd_server)
    if outcome is not None:
        heads = [event for event in outcome.events if isinstance(event, RequestHead)]
        check_answers(heads, None in outcome.close_codes, outcome.sent)


def check_chunks(data: bytes) -> None:
    """A server hears a chunked content, and what is behind it."""
    check_requests(subjects.CHUNKED + data[:LONGEST])


def check_responses(data: bytes) -> None:
    """A client hears the response to one of several requests."""
    method = random_of(data).choice((b"GET", b"GET", b"HEAD", b"POST"))
    check_bytes(lambda: subjects.client(method), data)


def check_handshakes(data: bytes) -> None:
    """A server hears an opening handshake with these field lines, and the client whom it answers takes that."""
    check_requests(subjects.HANDSHAKE + data[:LONGEST])


def check_switches(data: bytes) -> None:
    """A client that offers subprotocols and compression hears the answer, and frames behind it."""
    check_bytes(subjects.offering, data)


def check_frames_of_clients(data: bytes) -> None:
    """A server hears frames: whole messages or pieces, compressed or not, of bounded size or of any."""
    make = random_of(data).choice(subjects.SERVERS)
    if (outcome := check_bytes(make, data, subjects.odd_websocket)) is not None:
        check_frames("client", outcome.sent)


def check_frames_of_servers(data: bytes) -> None:
    """A client hears frames."""
    make = random_of(data).choice(subjects.CLIENTS)
    if (outcome := check_bytes(make, data)) is not None:
        check_frames("server", outcome.sent)


def check_deflate(data: bytes) -> None:
    """A server hears frames that are in order, of which the payload is anything: most of it is to be inflated."""
    random = random_of(data)
    frames = subjects.frames_of(data[: LONGEST // 2], random)
    make = random.choice(subjects.INFLATING)
    if (outcome := check_bytes(make, frames, subjects.odd_websocket)) is not None:
        check_frames("client", outcome.sent)
        assert 1002 not in outcome.close_codes, "the frames of this check are in order"
