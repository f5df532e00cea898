"""What a hostile peer can do with permessage-deflate, through a whole connection in both roles: corrupt data, windows that
were not agreed, bombs (RFC 7692 §7, RFC 6455 §10.4).

What corrupt data must come to is asked of zlib, with the largest window and nothing of ours around it.
"""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

import pytest

from frames import BINARY, CLOSE_FRAME, CONTINUATION, MASK, PING, PONG, TEXT, close_payload, frame
from spry_core.protocol import (
    HALF_CLOSE,
    Agreement,
    Close,
    Deflate,
    Failure,
    Limits,
    Message,
    MessageData,
    MessageStart,
    Ping,
    Role,
)
from spry_core.protocol.deflate import negotiate
from traces import COUNTED_MASK, Owner, fetched, open_websocket, two_way_cuts

ROLES: Final[tuple[Role, ...]] = ("server", "client")
TAIL: Final = b"\x00\x00\xff\xff"
RSV1: Final = 4


def from_peer(role: Role, opcode: int, payload: bytes, *, fin: bool = True, rsv: int = 0) -> bytes:
    """Write a frame of the peer of `role`."""
    return frame(opcode, payload, fin=fin, rsv=rsv, mask=MASK if role == "server" else None)


def closing(role: Role, code: int) -> bytes:
    return frame(CLOSE_FRAME, close_payload(code), mask=None if role == "server" else COUNTED_MASK)


def deflated(data: bytes, *, bits: int = 15, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    """Compress one message, as nothing of ours does (RFC 7692 §7.2.1)."""
    context = zlib.compressobj(9, zlib.DEFLATED, -bits, 9, strategy)
    return (context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def spread(frames: Callable[[bytes, int, bool], bytes], payload: bytes, n: int) -> bytes:
    """Cut a payload into `n` frames."""
    size = -(-len(payload) // n)
    parts = [payload[i * size : (i + 1) * size] for i in range(n)]
    return b"".join(frames(each, i, i == n - 1) for i, each in enumerate(parts))


# ------------------------------------------------------------------------------------------------------ corrupt at every bit


def inflated(payload: bytes) -> bytes | None:
    """Return what a compressed message says, None if it is none (RFC 7692 §7.2.2)."""
    out, before, context = b"", b"", zlib.decompressobj(-15)
    try:
        for data in (payload, TAIL):
            before = out
            while data:
                out += context.decompress(data)
                data = context.unused_data
                if context.eof:
                    context = zlib.decompressobj(-15)
        # The four bytes are of an empty block, and only where a block may begin can the message have ended.
        more = context.decompress(b"\x01" + TAIL)
    except zlib.error:
        return None
    is_complete = (out, more, context.eof, context.unused_data) == (before, b"", True, b"")
    return out if is_complete else None


WORDS: Final = b"".join(b"%s %d; " % (Random(7).randbytes(3).hex().encode(), i % 7) for i in range(40))
VICTIMS: Final = {
    "fixed codes": deflated(b"Hello, hello, hello!", strategy=zlib.Z_FIXED),
    "codes of its own": deflated(WORDS),
    "stored": b"\x00\x05\x00\xfa\xffHello\x00",
    "last blocks": (b"\xf3\x48\xcd\xc9\xc9\x07\x00" * 2) + b"\x00",
}


def changes_of(payload: bytes) -> Iterator[bytes]:
    """Yield it with each bit turned, with each byte left out or doubled, and broken off everywhere."""
    for i in range(len(payload)):
        for bit in range(8):
            yield payload[:i] + bytes((payload[i] ^ 1 << bit,)) + payload[i + 1 :]
        yield payload[:i] + payload[i + 1 :]
        yield payload[: i + 1] + payload[i:]
        yield payload[:i]


def outcome(role: Role, pieces: list[bytes]) -> tuple[list[object], bytes, object]:
    """Return what was heard and what was said."""
    conn = open_websocket(role, agreement=Agreement())
    owner = Owner(conn)
    for piece in pieces:
        conn.receive_data(piece, 0.0)
        owner.look()
    heard = [each.error.close_code if isinstance(each, Failure) else each for each in owner.heard]
    return list[object](heard), *fetched(conn)


@pytest.mark.parametrize("name", VICTIMS)
def test_corrupt_data_are_1007_or_what_zlib_makes_of_them(name: str) -> None:
    """RFC 7692 §7.2.2: never anything else, whole or byte by byte, and the message before is delivered all the same."""
    outcomes = set[bool]()
    for i, payload in enumerate(changes_of(VICTIMS[name])):
        role = ROLES[i % 2]
        expected = inflated(payload)
        outcomes.add(expected is None)
        data = from_peer(role, TEXT, b"before") + from_peer(role, BINARY, payload, rsv=RSV1)
        before = Message(data="before")
        told: tuple[list[object], bytes, object] = ([before, Message(data=expected or b"")], b"", None)
        if expected is None:
            told = ([before, 1007], closing(role, 1007), HALF_CLOSE)
        for pieces in ([data], [data[:1], data[1:-1], data[-1:]], [bytes((byte,)) for byte in data]):
            assert outcome(role, pieces) == told, payload.hex()
    assert outcomes == {True, False}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_control_frames_between_the_frames_of_a_corrupt_message_are_answered_before_it_fails(
    role: Role, n: int
) -> None:
    """RFC 6455 §5.4: they stand between the frames, uncompressed, and disturb no window."""
    payload = VICTIMS["codes of its own"] + b"\xff"

    def frames(data: bytes, i: int, fin: bool) -> bytes:
        opcode, rsv = (CONTINUATION, 0) if i else (TEXT, RSV1)
        return from_peer(role, opcode, data, fin=fin, rsv=rsv) + from_peer(role, PING, b"%d" % i) * (not fin)

    data = spread(frames, payload, n)
    for pieces in two_way_cuts(data):
        heard, said, end = outcome(role, pieces)
        mask = None if role == "server" else COUNTED_MASK
        pongs = b"".join(frame(PONG, b"%d" % i, mask=mask) for i in range(n - 1))
        assert heard == [*(Ping(payload=b"%d" % i) for i in range(n - 1)), 1007]
        assert (said, end) == (pongs + closing(role, 1007), HALF_CLOSE)


# ------------------------------------------------------------------------------------------------------------------- windows


def far(distance: int) -> tuple[bytes, bytes]:
    """Return a message, and another one of which the end says "as `distance` bytes before"."""
    source = Random(distance)
    word = source.randbytes(64)
    return word + source.randbytes(distance - 64), word


def two_messages(first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """Compress two messages with one window of 15 bits; the second one looks back into the first."""
    context = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    payloads = [context.compress(each) + context.flush(zlib.Z_SYNC_FLUSH) for each in (first, second)]
    assert len(payloads[1]) < len(second) / 2, "it does not look back"
    return payloads[0].removesuffix(TAIL), payloads[1].removesuffix(TAIL)


def agreement_of(role: Role, bits: int, *, forgets: bool = False) -> Agreement:
    """Make one about the direction of the peer of `role`."""
    if role == "server":
        return Agreement(client_max_window_bits=bits, client_no_context_takeover=forgets)
    return Agreement(server_max_window_bits=bits, server_no_context_takeover=forgets)


def read_two(role: Role, agreement: Agreement, payloads: tuple[bytes, bytes]) -> list[object]:
    conn = open_websocket(role, agreement=agreement)
    owner = Owner(conn)
    for payload in payloads:
        conn.receive_data(from_peer(role, BINARY, payload, rsv=RSV1), 0.0)
        owner.look()
    return [each.error.close_code if isinstance(each, Failure) else each for each in owner.heard]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("bits", range(8, 16))
def test_a_peer_may_look_back_as_far_as_was_agreed(bits: int, role: Role) -> None:
    """RFC 7692 §7.1.2, both directions; zlib itself stops 262 bytes before the end of its largest window."""
    first, second = far(min(1 << bits, (1 << 15) - 262))
    heard = read_two(role, agreement_of(role, bits), two_messages(first, second))
    assert heard == [Message(data=first), Message(data=second)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("bits", range(8, 15))
def test_a_peer_that_looks_back_further_is_never_misread(bits: int, role: Role) -> None:
    """RFC 7692 §7.1.2: it is found out, or understood."""
    heard = list[object]()
    for distance in ((1 << bits) + 1, (1 << bits) + 300, min(1 << bits + 1, 32_000) + 64):
        first, second = far(distance)
        heard = read_two(role, agreement_of(role, bits), two_messages(first, second))
        assert heard in (
            [Message(data=first), 1007],
            [Message(data=first), Message(data=second)],
        )
    assert bits == 8 or heard[1] == 1007


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("bits", [8, 9, 12, 15])
def test_a_window_that_was_to_be_forgotten_is_not_there(bits: int, role: Role) -> None:
    """RFC 7692 §7.1.1: a peer that agreed to forget it and does not is found out."""
    first, second = far(200)
    payloads = two_messages(first, second)
    assert read_two(role, agreement_of(role, bits, forgets=True), payloads) == [Message(data=first), 1007]
    other: Role = "client" if role == "server" else "server"
    about_us = agreement_of(other, bits, forgets=True)
    assert read_two(role, about_us, payloads) == [Message(data=first), Message(data=second)]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("bits", range(8, 16))
def test_what_we_send_can_be_read_with_the_window_that_was_agreed_and_no_larger_one(
    bits: int, role: Role
) -> None:
    """RFC 7692 §7.1.2: by zlib with exactly that window; where zlib cannot compress with it, we do not compress."""
    other: Role = "client" if role == "server" else "server"
    conn = open_websocket(role, agreement=agreement_of(other, bits))
    first, second = far((1 << bits) - 100)
    reader = zlib.decompressobj(-bits)
    for data in (first, second, first):
        conn.send(Message(data=data, compress=True), 0.0)
        written, _ = fetched(conn)
        compressed, payload = payload_of(written)
        assert compressed == (bits > 8)
        assert (reader.decompress(payload + TAIL) if compressed else payload) == data


def payload_of(written: bytes) -> tuple[bool, bytes]:
    """Take one frame apart: RSV1, and the payload without its mask."""
    short = written[1] & 0x7F
    start = {126: 4, 127: 10}.get(short, 2)
    payload = written[start:]
    if written[1] & 0x80:
        key, masked = written[start : start + 4], written[start + 4 :]
        pattern = (key * (len(masked) // 4 + 1))[: len(masked)]
        payload = (int.from_bytes(masked, "big") ^ int.from_bytes(pattern, "big")).to_bytes(
            len(masked), "big"
        )
    return bool(written[0] & 0x40), payload


def test_a_server_is_never_talked_into_a_window_of_8_bits() -> None:
    """RFC 7692 §7.1.2.1: such an offer is declined, and the next one taken."""
    offers = ["permessage-deflate; server_max_window_bits=8", "permessage-deflate"]
    assert negotiate(offers[:1], Deflate()) is None
    assert str(negotiate(offers, Deflate())) == "permessage-deflate; server_max_window_bits=12"


# --------------------------------------------------------------------------------------------------------------------- bombs

LIMIT: Final = 64 * 1024
HUGE: Final = 64 * 1024 * 1024
CONTEXT: Final = 128 * 1024
"""Room for a context of zlib with 32 KiB of window, and for a copy of it."""


def bomb(unit: bytes) -> bytes:
    return deflated(unit * (HUGE // len(unit)))


BOMBS: Final = {
    "zeros": bomb(bytes(4096)),
    "text": bomb("€".encode() * 1000),
    "behind last blocks": b"\x03\x00" * 200 + bomb(bytes(4096)),
    # Short enough to be inflated in one go.
    "short": deflated(bytes(2 * 1024 * 1024)),
    "short text": deflated("€".encode() * 700_000),
}


def peak(act: Callable[[], object]) -> int:
    """Return how many bytes more than before were allocated at one time in `act`."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        act()
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_stopped_before_it_is_allocated(name: str, fragments: int, role: Role) -> None:
    """RFC 6455 §10.4: 64 MiB in 64 KiB; no more than twice the limit and what zlib needs, then 1009. A text is decoded as
    well, to at most four bytes for each of its own.
    """
    conn = open_websocket(role, agreement=Agreement(), limits=Limits(max_message_size=LIMIT))
    opcode = TEXT if "text" in name else BINARY

    def frames(data: bytes, i: int, fin: bool) -> bytes:
        return from_peer(role, CONTINUATION if i else opcode, data, fin=fin, rsv=0 if i else RSV1)

    data = spread(frames, BOMBS[name], fragments)
    times = 6 if opcode == TEXT else 2
    assert ("short" in name) is (len(data) < 4096)
    assert peak(lambda: conn.receive_data(data, 0.0)) < times * LIMIT + CONTEXT + 4 * len(data)
    (failure,) = conn
    assert isinstance(failure, Failure)
    assert fetched(conn) == (closing(role, 1009), HALF_CLOSE)
    assert peak(lambda: conn.receive_data(data, 0.0)) < 4096


@pytest.mark.parametrize("role", ROLES)
def test_in_pieces_a_bomb_comes_out_no_faster_than_it_is_consumed(role: Role) -> None:
    """RFC 6455 §10.4: a message of any size, and a reader who does not come back."""
    limits = Limits(max_message_size=None, max_queue_size=10_000)
    conn = open_websocket(role, agreement=Agreement(), limits=limits)
    data = from_peer(role, BINARY, BOMBS["zeros"], rsv=RSV1)
    assert peak(lambda: conn.receive_data(data, 0.0)) < CONTEXT + 4 * len(data)
    start, piece = conn
    assert (start, piece) == (MessageStart(kind="binary"), MessageData(data=bytes(10_000)))
    assert not conn.wants_read
    assert peak(lambda: conn.release(10_000, 0.0)) < CONTEXT + len(data)
    assert list(conn) == [MessageData(data=bytes(10_000))]


@pytest.mark.parametrize("role", ROLES)
def test_behind_our_close_a_bomb_is_not_inflated_at_all(role: Role) -> None:
    """RFC 6455 §1.4: what comes is thrown away as it comes, and the peer's Close behind it is found."""
    conn = open_websocket(role, agreement=Agreement())
    conn.send(Close(code=1000), 0.0)
    fetched(conn)
    data = from_peer(role, BINARY, BOMBS["zeros"], rsv=RSV1)
    assert peak(lambda: conn.receive_data(data, 0.0)) < 4 * len(data)
    conn.receive_data(from_peer(role, CLOSE_FRAME, close_payload(1000)), 0.0)
    assert list(conn) == [Close(code=1000)]
    assert conn.close_info is not None
    assert conn.close_info.clean
