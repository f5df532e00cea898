"""Tests of `spry_core.protocol.compression`: messages through DEFLATE and back (RFC 7692 §6, §7.2)."""

from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Final

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode as TheirOpcode

from spry_core.errors import RemoteProtocolError
from spry_core.protocol import Role
from spry_core.protocol.compression import LEVEL, Compressor, Decompressor
from spry_core.protocol.deflate import Agreement, Deflate
from spry_core.protocol.turn import STEPS, Turn
from spry_core.testing.strategies.cuts import cut_at
from traces import error_values, two_way_cuts

PLAIN: Final = Agreement()
FORGETFUL: Final = Agreement(server_no_context_takeover=True, client_no_context_takeover=True)
HELLO: Final = bytes.fromhex("f248cdc9c90700")
"""The message "Hello" (RFC 7692 §7.2.3.1)."""
HELLO_AGAIN: Final = bytes.fromhex("f200110000")
"""The same once more, said as a distance into the window (RFC 7692 §7.2.3.2)."""
HELLO_FINAL: Final = bytes.fromhex("f348cdc9c9070000")
"""The same in a block that is the last of its kind, and a byte that ends the message (RFC 7692 §7.2.3.4)."""
PLENTY: Final = 1 << 20

NOT_DEFLATE: Final = ("the compressed message is not DEFLATE", None, 1007, "RFC 6455 §7.4.1")
INCOMPLETE: Final = ("the compressed message is incomplete", None, 1007, "RFC 6455 §7.4.1")


def reader(agreement: Agreement = PLAIN, role: Role = "server") -> Decompressor:
    """Make one that reads what the other role compressed."""
    return Decompressor(agreement, role)


def writer(agreement: Agreement = PLAIN, role: Role = "server", deflate: Deflate | None = None) -> Compressor:
    """Make one with settings that ask for nothing on their own."""
    return Compressor(
        agreement, role, deflate or Deflate(server_max_window_bits=15, client_max_window_bits=15)
    )


def read(decompressor: Decompressor, fragments: Sequence[bytes], room: int = PLENTY) -> bytes:
    """Read one message, `room` bytes at a time."""
    message = b""
    for i, fragment in enumerate(fragments):
        piece = decompressor.decompress(fragment, room, ends_message=i == len(fragments) - 1)
        message += piece
        while decompressor.has_more:
            was_full = len(piece) == room
            piece = decompressor.decompress(b"", room)
            assert was_full, "more to come, though there was room"
            message += piece
        assert len(piece) <= room
    return message


def failure(decompressor: Decompressor, *fragments: bytes) -> tuple[object, ...]:
    """Return the error that reading this message gives."""
    with pytest.raises(RemoteProtocolError) as caught:
        read(decompressor, fragments)
    return error_values(caught.value)


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


def growth(act: Callable[[], object]) -> int:
    """Return how many bytes more than before are allocated after `act`, whose result is kept until then."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        kept = act()
        after = tracemalloc.get_traced_memory()[0]
        del kept
        return after - before
    finally:
        tracemalloc.stop()


# Reading


EXAMPLES: Final = {
    "a block with fixed codes, §7.2.3.1": ([HELLO], b"Hello"),
    "two frames, §7.2.3.1": ([HELLO[:3], HELLO[3:]], b"Hello"),
    "a block without compression, §7.2.3.3": ([bytes.fromhex("000500faff48656c6c6f00")], b"Hello"),
    "a last block, §7.2.3.4": ([HELLO_FINAL], b"Hello"),
    "two blocks, §7.2.3.5": ([bytes.fromhex("f248050000 00ffffcac9c90700")], b"Hello"),
    "an empty message, §7.2.3.6": ([b"\x00"], b""),
}


@pytest.mark.parametrize(("fragments", "message"), EXAMPLES.values(), ids=EXAMPLES)
def test_the_examples_of_the_standard_are_read(fragments: list[bytes], message: bytes) -> None:
    """RFC 7692 §7.2.3."""
    assert read(reader(), fragments) == message


@pytest.mark.parametrize("payload", [b"".join(fragments) for fragments, _ in EXAMPLES.values()], ids=EXAMPLES)
def test_frames_may_cut_a_message_anywhere(payload: bytes) -> None:
    """The payload data of all frames together are one message (RFC 7692 §6.2)."""
    message = read(reader(), [payload])
    for fragments in two_way_cuts(payload):
        assert read(reader(), fragments) == message
        assert read(reader(), [b"", *fragments, b""], room=1) == message


@pytest.mark.parametrize("role", ["server", "client"])
def test_the_window_lives_on(role: Role) -> None:
    """RFC 7692 §7.2.3.2."""
    decompressor = reader(role=role)
    assert [read(decompressor, [each]) for each in (HELLO, HELLO_AGAIN, b"\x00", HELLO_AGAIN)] == [
        b"Hello",
        b"Hello",
        b"",
        b"Hello",
    ]


@pytest.mark.parametrize(
    ("role", "agreement"),
    [
        ("server", Agreement(client_no_context_takeover=True)),
        ("client", Agreement(server_no_context_takeover=True)),
    ],
)
def test_the_window_is_forgotten_where_that_is_agreed(role: Role, agreement: Agreement) -> None:
    """RFC 7692 §7.1.1: each direction has its own."""
    decompressor = reader(agreement, role)
    assert [read(decompressor, [HELLO]), read(decompressor, [HELLO])] == [b"Hello", b"Hello"]
    assert failure(decompressor, HELLO_AGAIN) == NOT_DEFLATE
    other = reader(agreement, "client" if role == "server" else "server")
    assert [read(other, [HELLO]), read(other, [HELLO_AGAIN])] == [b"Hello", b"Hello"]


def test_a_message_may_have_many_last_blocks() -> None:
    """Any number of blocks may say that they are the last; each is followed by a new beginning (RFC 7692 §7.2.1)."""
    message = HELLO_FINAL[:-1] * 1000 + HELLO
    assert read(reader(), [message]) == b"Hello" * 1001
    assert read(reader(), [message], room=7) == b"Hello" * 1001
    assert read(reader(), [message[i : i + 1] for i in range(len(message))]) == b"Hello" * 1001


def test_after_a_last_block_the_window_is_empty() -> None:
    """What is the last block ends one DEFLATE stream, so the next one cannot look back (RFC 1951 §3.2.3)."""
    decompressor = reader()
    assert [
        read(decompressor, [HELLO_FINAL]),
        read(decompressor, [HELLO]),
        read(decompressor, [HELLO_AGAIN]),
    ] == [
        b"Hello",
        b"Hello",
        b"Hello",
    ]
    decompressor = reader()
    assert read(decompressor, [HELLO_FINAL]) == b"Hello"
    assert failure(decompressor, HELLO_AGAIN) == NOT_DEFLATE


def test_the_empty_block_at_the_end_may_be_a_last_one() -> None:
    """Its last four bytes are left out all the same (RFC 7692 §7.2.1)."""
    decompressor = reader()
    assert read(decompressor, [b"\x01"]) == b""
    assert read(decompressor, [b"\x00\x05\x00\xfa\xffHello\x01"]) == b"Hello"
    assert read(decompressor, [HELLO]) == b"Hello"


@pytest.mark.parametrize(
    ("payload", "error"),
    [
        # A block of a kind that does not exist (RFC 1951 §3.2.3).
        (b"\x06", NOT_DEFLATE),
        (b"\xff" * 10, NOT_DEFLATE),
        # A length and its complement that do not fit (RFC 1951 §3.2.4).
        (b"\x00\x05\x00\x00\x00", NOT_DEFLATE),
        # The bytes of a text that was not compressed.
        (b"Hello", NOT_DEFLATE),
        # Nothing at all is not even an empty message (RFC 7692 §7.2.3.6).
        (b"", INCOMPLETE),
        # The empty block at the end is missing, also where the block before it is the last one (RFC 7692 §7.2.1).
        (HELLO[:-1], INCOMPLETE),
        (HELLO_FINAL[:-1], INCOMPLETE),
        # A message that breaks off: in a block without compression, in one with codes.
        (b"\x00\x14\x00\xeb\xffHello", INCOMPLETE),
        (HELLO[:2], INCOMPLETE),
        # One that breaks off among the codes themselves, which take the four bytes that were left out for more of them.
        (b"\xdd\x28", INCOMPLETE),
        # The empty block at the end is there in full.
        (HELLO + b"\x00\x00\xff\xff", INCOMPLETE),
    ],
)
def test_what_is_no_compressed_message_fails_the_connection(
    payload: bytes, error: tuple[object, ...]
) -> None:
    """RFC 7692 §7.2.2; close code 1007, RFC 6455 §7.4.1."""
    for agreement in (PLAIN, FORGETFUL):
        assert failure(reader(agreement), payload) == error
        for fragments in two_way_cuts(payload):
            assert failure(reader(agreement), b"", *fragments) == error


def test_a_message_that_ends_wrongly_is_found_out_when_it_has_room_to_end() -> None:
    """The fault comes after all that the message says (RFC 7692 §7.2.2)."""
    decompressor = reader()
    assert decompressor.decompress(HELLO[:-1], 5, ends_message=True) == b"Hello"
    assert decompressor.has_more
    with pytest.raises(RemoteProtocolError) as caught:
        decompressor.decompress(b"", 1)
    assert error_values(caught.value) == INCOMPLETE


def test_what_has_no_room_waits() -> None:
    decompressor = reader()
    assert not decompressor.has_more
    steps = [
        (decompressor.decompress(HELLO[:4], 0), decompressor.has_more),
        (decompressor.decompress(HELLO[4:], 2, ends_message=True), decompressor.has_more),
        (decompressor.decompress(b"", 0), decompressor.has_more),
        (decompressor.decompress(b"", -1), decompressor.has_more),
        (decompressor.decompress(b"", 2), decompressor.has_more),
        (decompressor.decompress(b"", 2), decompressor.has_more),
    ]
    assert steps == [(b"", True), (b"He", True), (b"", True), (b"", True), (b"ll", True), (b"o", False)]


def test_the_end_of_a_message_may_be_said_again_while_it_waits() -> None:
    decompressor = reader()
    pieces = [decompressor.decompress(HELLO, 2, ends_message=True)]
    while decompressor.has_more:
        pieces.append(decompressor.decompress(b"", 2, ends_message=True))
    assert pieces == [b"He", b"ll", b"o"]
    assert read(decompressor, [HELLO_AGAIN]) == b"Hello"


def test_room_that_is_exactly_enough_leaves_a_question() -> None:
    """zlib may hold back what has no room, and says so by nothing."""
    decompressor = reader()
    assert decompressor.decompress(HELLO, 5, ends_message=True) == b"Hello"
    assert decompressor.has_more
    assert decompressor.decompress(b"", 1) == b""
    assert not decompressor.has_more
    assert decompressor.decompress(HELLO_AGAIN, 6, ends_message=True) == b"Hello"
    assert not decompressor.has_more


def test_output_that_zlib_holds_back_is_asked_for() -> None:
    """A distance with a length of 258 comes out over several calls, with nothing left to put in."""
    compressor, decompressor = writer(), reader(role="client")
    payload = compressor.compress(bytes(1000), ends_message=True)
    pieces = [decompressor.decompress(payload, 300, ends_message=True)]
    while decompressor.has_more:
        pieces.append(decompressor.decompress(b"", 300))
    assert pieces == [bytes(300), bytes(300), bytes(300), bytes(100)]


@pytest.mark.parametrize("bits", range(8, 16))
def test_a_window_reads_all_that_was_made_for_it(bits: int) -> None:
    """RFC 7692 §7.1.2; for 8 also what zlib before 1.2.9 made of it, which was 9."""
    agreement = Agreement(client_max_window_bits=bits)
    context = zlib.compressobj(9, zlib.DEFLATED, -max(bits, 9), 9)
    # Most of the distances reach as far back as the window allows.
    half = bytes((i * i) >> 3 & 0xFF for i in range((1 << max(bits, 9)) - 262))
    decompressor = reader(agreement)
    for message in (half, half, half):
        payload = context.compress(message) + context.flush(zlib.Z_SYNC_FLUSH)
        assert read(decompressor, [payload[:-4]], room=100) == message


BOMB_SIZE: Final = 64 * 1024 * 1024


def bomb() -> bytes:
    """Return a message of 64 KiB that says 64 MiB of zeros."""
    context = zlib.compressobj(9, zlib.DEFLATED, -15, 9)
    return (context.compress(bytes(BOMB_SIZE)) + context.flush(zlib.Z_SYNC_FLUSH))[:-4]


def test_a_bomb_inflates_no_further_than_there_is_room() -> None:
    """At most what is returned, zlib's copy of it, and a context are ever allocated (limits of the house)."""
    payload, room = bomb(), 1024 * 1024
    decompressor = reader()
    assert peak(lambda: decompressor.decompress(payload, room, ends_message=True)) < 2 * room + 256 * 1024
    assert decompressor.has_more
    assert peak(lambda: decompressor.decompress(b"", 1000)) < 64 * 1024
    assert decompressor.has_more


def test_a_bomb_that_is_wanted_comes_out_whole() -> None:
    decompressor, size = reader(), 0
    piece = decompressor.decompress(bomb(), PLENTY, ends_message=True)
    while True:
        assert piece.count(0) == len(piece)
        size += len(piece)
        if not decompressor.has_more:
            break
        piece = decompressor.decompress(b"", PLENTY)
    assert size == BOMB_SIZE


# ------------------------------------------------------------------------------------------------------------------- turns


def in_turns(payload: bytes, room: int = PLENTY) -> tuple[int, bytes]:
    """Read one message; return how many turns that took, and the message."""
    turn, turns, message = Turn(), 1, b""
    decompressor = Decompressor(PLAIN, "server", turn)
    decompressor.decompress(payload, 0, ends_message=True)
    while True:
        message += decompressor.decompress(b"", room)
        if not decompressor.has_more:
            return turns, message
        if not decompressor.has_time:
            assert decompressor.decompress(b"", room) == b""
            turn.begin()
            turns += 1


LAST_BLOCK = b"\x03\x00"
"""A block of no bytes that says it is the last: what follows costs another context."""


@pytest.mark.parametrize(("n", "turns"), [(STEPS - 1, 1), (STEPS, 2), (STEPS + 1, 2), (3 * STEPS, 4)])
def test_a_turn_is_over_after_so_many_last_blocks(n: int, turns: int) -> None:
    """Nothing comes out of them, so no limit of a message ends them."""
    assert in_turns(LAST_BLOCK * n + b"\x00") == (turns, b"")


@pytest.mark.parametrize(("blocks", "turns"), [(3276, 1), (3277, 2), (13_107, 4), (13_108, 5)])
def test_a_turn_is_over_after_16_kib_of_blocks_without_content(blocks: int, turns: int) -> None:
    """64 compressed bytes are a step. Blocks that are nothing but tables cost the most, and nothing comes out of them."""
    assert in_turns(b"\x00\x00\x00\xff\xff" * blocks + b"\x00") == (turns, b"")


def test_turns_change_nothing_of_what_comes_out() -> None:
    text = Random(1).randbytes(60_000) + bytes(60_000)
    payload = writer().compress(text, ends_message=True)
    assert in_turns(payload, room=10_000) == (4, text)


def test_a_fault_behind_the_end_of_a_turn_is_found_in_the_next() -> None:
    turn = Turn()
    decompressor = Decompressor(PLAIN, "server", turn)
    assert decompressor.decompress(LAST_BLOCK * STEPS + b"\x07", PLENTY, ends_message=True) == b""
    assert decompressor.has_more
    turn.begin()
    with pytest.raises(RemoteProtocolError) as caught:
        decompressor.decompress(b"", PLENTY)
    assert error_values(caught.value) == NOT_DEFLATE


def test_waiting_costs_what_came() -> None:
    """A message that waits is held as it came, compressed."""
    payload, decompressor = bomb(), reader()
    assert growth(lambda: decompressor.decompress(payload, 0)) < 2 * len(payload)


# Writing


@pytest.mark.parametrize("role", ["server", "client"])
def test_the_example_of_the_standard_is_written(role: Role) -> None:
    """RFC 7692 §7.2.3.1, §7.2.3.2."""
    compressor = writer(role=role)
    assert compressor.compress(b"Hello", ends_message=True) == HELLO
    assert compressor.compress(b"Hello", ends_message=True) == HELLO_AGAIN


@pytest.mark.parametrize(
    ("role", "agreement", "deflate"),
    [
        ("server", Agreement(server_no_context_takeover=True), Deflate()),
        ("client", Agreement(client_no_context_takeover=True), Deflate()),
        # Nobody has to know that a window is forgotten.
        ("server", PLAIN, Deflate(server_no_context_takeover=True)),
        ("client", PLAIN, Deflate(client_no_context_takeover=True)),
    ],
)
def test_a_window_that_is_forgotten_begins_anew(role: Role, agreement: Agreement, deflate: Deflate) -> None:
    """RFC 7692 §7.1.1."""
    compressor = writer(agreement, role, deflate)
    assert [compressor.compress(b"Hello", ends_message=True) for _ in range(2)] == [HELLO, HELLO]
    # Not before the message ends: its fragments share the window.
    assert compressor.compress(b"Hello", ends_message=False) == HELLO + b"\x00\x00\xff\xff"
    assert compressor.compress(b"Hello", ends_message=True) == HELLO_AGAIN


@pytest.mark.parametrize("role", ["server", "client"])
def test_the_other_direction_is_no_concern_of_ours(role: Role) -> None:
    """RFC 7692 §7.1.1."""
    other = Agreement(
        server_no_context_takeover=role == "client", client_no_context_takeover=role == "server"
    )
    compressor = writer(other, role)
    assert [compressor.compress(b"Hello", ends_message=True) for _ in range(2)] == [HELLO, HELLO_AGAIN]


def test_an_empty_message_is_one_byte() -> None:
    """RFC 7692 §7.2.3.6."""
    compressor = writer()
    assert [compressor.compress(b"", ends_message=True) for _ in range(2)] == [b"\x00", b"\x00"]
    assert compressor.compress(b"Hello", ends_message=True) == HELLO
    assert compressor.compress(b"", ends_message=True) == b"\x00"
    assert compressor.compress(b"Hello", ends_message=True) == HELLO_AGAIN


def test_a_fragment_can_be_read_when_it_arrives() -> None:
    """Nothing of it waits in the compressor for the end of the message (RFC 7692 §7.2.1)."""
    compressor, decompressor = writer(), reader(role="client")
    for fragment in (b"one", b"two", b"three" * 100):
        assert decompressor.decompress(compressor.compress(fragment, ends_message=False), PLENTY) == fragment
    assert compressor.compress(b"", ends_message=False) == b""
    assert compressor.compress(b"", ends_message=True) == b"\x00"
    assert decompressor.decompress(b"\x00", PLENTY, ends_message=True) == b""
    assert not decompressor.has_more


@pytest.mark.parametrize(
    ("size", "compress", "wanted"),
    [
        (63, None, False),
        (64, None, True),
        (65, None, True),
        (0, True, True),
        (10**6, False, False),
    ],
)
def test_the_threshold_decides_where_nobody_else_does(size: int, compress: bool | None, wanted: bool) -> None:
    assert writer(deflate=Deflate(threshold=64)).wants(size, compress) is wanted
    assert writer(deflate=Deflate(threshold=0)).wants(0)


@pytest.mark.parametrize(
    ("role", "agreement", "able"),
    [
        ("server", Agreement(server_max_window_bits=8), False),
        ("server", Agreement(client_max_window_bits=8), True),
        ("server", Agreement(server_max_window_bits=9), True),
        ("client", Agreement(client_max_window_bits=8), False),
        ("client", Agreement(server_max_window_bits=8), True),
    ],
)
def test_with_a_window_of_8_bits_nothing_is_compressed(role: Role, agreement: Agreement, able: bool) -> None:
    """zlib has no raw DEFLATE with it; the peer reads uncompressed messages as well (RFC 7692 §6)."""
    compressor = writer(agreement, role)
    assert (compressor.wants(1000), compressor.wants(1000, compress=True)) == (able, able)


def has_room(bits: int, payload: bytes) -> bool:
    """Tell whether `payload` can be read with a window of so many bits. zlib must not see much at a time: what it
    returns in one call it may look back at whatever the window.
    """
    context = zlib.decompressobj(-bits)
    try:
        for i in range(len(payload)):
            context.decompress(payload[i : i + 1])
    except zlib.error:
        return False
    return True


@pytest.mark.parametrize("bits", range(10, 16))
@pytest.mark.parametrize("role", ["server", "client"])
def test_our_window_is_the_agreed_one_or_smaller(role: Role, bits: int) -> None:
    """RFC 7692 §7.1.2."""
    agreement = Agreement(server_max_window_bits=bits, client_max_window_bits=bits)
    # The second half is a distance that has room in a window of so many bits, less what zlib keeps for itself.
    half = Random(1).randbytes(400) + bytes((1 << bits) - 300 - 400)
    payload = writer(agreement, role).compress(half * 2, ends_message=True)
    assert (has_room(bits, payload), has_room(bits - 1, payload)) == (True, False)
    smaller = Deflate(server_max_window_bits=bits - 1, client_max_window_bits=bits - 1)
    assert has_room(bits - 1, writer(agreement, role, smaller).compress(half * 2, ends_message=True))


def test_level_and_memory_level_are_those_of_the_settings() -> None:
    text = b"".join(b"%d, " % (i * i) for i in range(2000))
    expected: dict[tuple[int | None, int], bytes] = {}
    for level, mem_level in ((None, 5), (0, 5), (1, 5), (9, 5), (9, 1), (9, 9)):
        context = zlib.compressobj(LEVEL if level is None else level, zlib.DEFLATED, -12, mem_level)
        expected[level, mem_level] = (context.compress(text) + context.flush(zlib.Z_SYNC_FLUSH))[:-4]
        compressor = writer(deflate=Deflate(level=level, mem_level=mem_level))
        assert compressor.compress(text, ends_message=True) == expected[level, mem_level]
    assert expected[None, 5] == expected[1, 5]
    assert len(set(expected.values())) == 5


def test_contexts_are_made_by_the_first_message_and_dropped_where_they_are_forgotten() -> None:
    """A connection that compresses nothing pays nothing."""

    def made(agreement: Agreement, *, used: bool) -> tuple[Compressor, Decompressor]:
        compressor, decompressor = writer(agreement, deflate=Deflate()), reader(agreement, role="client")
        if used:
            assert read(decompressor, [compressor.compress(b"Hello", ends_message=True)]) == b"Hello"
        return compressor, decompressor

    agreement = Agreement(server_max_window_bits=12)
    assert growth(lambda: made(agreement, used=False)) < 2 * 1024
    assert 32 * 1024 < growth(lambda: made(agreement, used=True)) < 64 * 1024
    assert growth(lambda: made(FORGETFUL, used=True)) < 2 * 1024


# ----------------------------------------------------------------------------------------------------- whole messages at once


def test_a_whole_message_is_taken_at_once() -> None:
    """RFC 7692 §7.2.3: the examples of the standard, text or not, and how many bytes each is; the window lives on."""
    decompressor = reader()
    assert decompressor.take_message(HELLO, True, PLENTY) == ("Hello", 5)
    assert decompressor.take_message(HELLO_AGAIN, False, PLENTY) == (b"Hello", 5)
    assert read(decompressor, [HELLO_AGAIN]) == b"Hello"
    assert decompressor.take_message(HELLO_AGAIN, True, 5) == ("Hello", 5)
    assert decompressor.take_message(b"\x00", True, 0) == ("", 0)
    # An empty block at the end that says it is the last: there is no window behind it.
    assert decompressor.take_message(HELLO[:-1] + b"\x04", True, PLENTY) == ("Hello", 5)
    assert decompressor.take_message(HELLO_AGAIN, True, PLENTY) is None
    assert failure(decompressor, HELLO_AGAIN) == NOT_DEFLATE


def test_the_size_of_a_text_is_that_of_its_bytes() -> None:
    payload = writer().compress("Hé€😀".encode(), ends_message=True)
    assert reader().take_message(payload, True, 10) == ("Hé€😀", 10)
    assert reader().take_message(payload, True, 9) is None


def test_a_message_taken_whole_is_inflated_no_further_than_it_may_be() -> None:
    """RFC 6455 §10.4."""
    bomb = writer(deflate=Deflate(level=9)).compress(bytes(3_500_000), ends_message=True)
    assert len(bomb) < 4096  # as much as may come at once
    decompressor = reader()
    assert peak(lambda: decompressor.take_message(bomb, False, 1000)) < 100_000
    assert decompressor.take_message(HELLO, False, PLENTY) is None  # it waits for `decompress`


def test_a_whole_message_is_forgotten_where_that_is_agreed() -> None:
    """RFC 7692 §7.1.1."""
    decompressor = reader(FORGETFUL)
    for _ in range(2):
        assert decompressor.take_message(HELLO, True, PLENTY) == ("Hello", 5)
    assert decompressor.take_message(HELLO_AGAIN, True, PLENTY) is None
    assert failure(decompressor, HELLO_AGAIN) == NOT_DEFLATE


@pytest.mark.parametrize(
    ("payload", "is_text", "longest", "message"),
    [
        (HELLO, True, 4, b"Hello"),
        (HELLO_FINAL, True, 5, b"Hello"),
        (HELLO[:-1] + b"\x18", True, 5, None),
        (b"\x00\x01\x00\xfe\xff\xff\x00", True, 5, b"\xff"),
        (HELLO_FINAL[:-1] + HELLO, False, 10, b"HelloHello"),
    ],
)
@pytest.mark.parametrize("agreement", [PLAIN, FORGETFUL])
def test_a_message_that_is_not_plainly_in_order_is_as_good_as_not_taken(
    payload: bytes, is_text: bool, longest: int, message: bytes | None, agreement: Agreement
) -> None:
    """It is left to who knows what is wrong with it, however often it is offered; the next one is taken again."""
    decompressor = reader(agreement)
    assert decompressor.take_message(HELLO, True, PLENTY) == ("Hello", 5)
    for _ in range(3):
        assert decompressor.take_message(payload, is_text, longest) is None
    if message is None:
        assert failure(decompressor, payload) == NOT_DEFLATE
        return
    assert read(decompressor, [payload], room=2) == message
    assert decompressor.take_message(HELLO, True, PLENTY) == ("Hello", 5)


@pytest.mark.parametrize("agreement", [PLAIN, FORGETFUL])
@pytest.mark.parametrize("payload", [b"", HELLO[:-1], HELLO[:2], HELLO + b"\x00\x00\xff\xff", b"\xdd\x28"])
def test_a_message_that_is_incomplete_is_never_taken(payload: bytes, agreement: Agreement) -> None:
    """RFC 7692 §7.2.1, however often it is offered: not as the continuation of itself either."""
    decompressor = reader(agreement)
    assert decompressor.take_message(HELLO, True, PLENTY) == ("Hello", 5)
    for _ in range(3):
        assert decompressor.take_message(payload, False, PLENTY) is None
    assert failure(decompressor, payload) == INCOMPLETE


def test_taking_messages_counts_as_steps() -> None:
    """One for each, one for 64 compressed bytes, one for 4 KiB that they say."""
    turn = Turn()
    decompressor = Decompressor(PLAIN, "server", turn)
    assert decompressor.take_message(HELLO, True, PLENTY) == ("Hello", 5)
    assert turn.left == STEPS - 1
    noise = Random(1).randbytes(60)
    stored = b"\x00\x3c\x00\xc3\xff" + noise + b"\x00"
    assert decompressor.take_message(stored, False, PLENTY) == (noise, 60)
    assert turn.left == STEPS - 3
    payload = writer().compress(bytes(9000), ends_message=True)
    assert len(payload) < 64
    assert decompressor.take_message(payload, False, PLENTY) == (bytes(9000), 9000)
    assert turn.left == STEPS - 6
    # Time was spent on it, though it is not taken.
    assert decompressor.take_message(HELLO_FINAL, False, PLENTY) is None
    assert turn.left == STEPS - 7
    assert decompressor.take_message(HELLO_FINAL, False, PLENTY) is None
    assert turn.left == STEPS - 7


@pytest.mark.parametrize("payload", [HELLO[:-1], b"\xff", HELLO * 200])
def test_a_message_that_fails_takes_no_steps(payload: bytes) -> None:
    """The failure comes in this turn, before anything else can happen."""
    turn = Turn()
    decompressor = Decompressor(PLAIN, "server", turn)
    assert decompressor.take_message(payload, False, 500) is None
    assert turn.left == STEPS


def test_no_message_is_taken_when_the_turn_is_over() -> None:
    turn = Turn()
    decompressor = Decompressor(PLAIN, "server", turn)
    turn.left = 0
    assert decompressor.take_message(HELLO, True, PLENTY) is None
    turn.begin()
    assert decompressor.take_message(HELLO, True, PLENTY) == ("Hello", 5)


def test_taking_a_message_makes_no_third_context() -> None:
    """One context is some 40 KiB with the widest window, and what zlib returns is at first as large as a half."""
    decompressor = reader()

    def take(n: int) -> None:
        for _ in range(n):
            assert decompressor.take_message(HELLO, False, PLENTY) == (b"Hello", 5)

    size = growth(lambda: take(1))
    assert 32 * 1024 < size < 48 * 1024
    decompressor = reader()
    assert 2 * size < peak(lambda: take(3)) < 3 * size


@given(
    payloads=st.lists(
        st.binary(max_size=40)
        | st.binary(max_size=10).map(lambda noise: HELLO_FINAL + noise)
        | st.sampled_from([HELLO, HELLO_AGAIN, HELLO_FINAL, HELLO[:-1], b"\x00"])
        | st.binary(max_size=100).map(lambda data: writer().compress(data, ends_message=True)),
        max_size=5,
    ),
    agreement=st.sampled_from([PLAIN, FORGETFUL]),
    longest=st.integers(0, 60),
    is_text=st.booleans(),
)
def test_what_is_taken_is_what_would_be_read(
    payloads: list[bytes], agreement: Agreement, longest: int, is_text: bool
) -> None:
    """And what is not taken is read afterwards as if nobody had tried."""
    taking, reading = reader(agreement), reader(agreement)
    for payload in payloads:
        expected, error = read_to_the_fault(reading, [payload], PLENTY)
        taken = taking.take_message(payload, is_text, longest)
        if taken is not None:
            assert error is None
            assert taken == (expected.decode() if is_text else expected, len(expected))
            assert len(expected) <= longest
            continue
        found = read_to_the_fault(taking, [payload], PLENTY)
        if error == INCOMPLETE:
            # That fault may be told without what stands before it, of which nothing is wrong.
            assert found in ((expected, error), (b"", error))
        else:
            assert found == (expected, error)
        if error is not None:
            break


# Both together, and with others


def agreements(least: int = 8) -> st.SearchStrategy[Agreement]:
    """Whatever two peers can agree on."""
    bits = st.none() | st.integers(least, 15)
    return st.builds(
        Agreement,
        server_no_context_takeover=st.booleans(),
        client_no_context_takeover=st.booleans(),
        server_max_window_bits=bits,
        client_max_window_bits=bits,
    )


def messages() -> st.SearchStrategy[list[list[bytes]]]:
    """Messages in fragments, that often repeat themselves and each other."""
    words = st.sampled_from([b"", b"Hello", b"spry" * 100, bytes(3000), bytes(range(256)) * 20]) | st.binary()
    return st.lists(st.lists(words, min_size=1, max_size=4), max_size=4)


ROLES: Final = st.sampled_from(["server", "client"])


@given(
    agreement=agreements(least=9),
    role=ROLES,
    sent=messages(),
    level=st.none() | st.integers(0, 9),
    mem_level=st.integers(1, 9),
    cuts=st.lists(st.integers(0, 10_000), max_size=5),
    room=st.integers(1, 5000),
)
@example(PLAIN, "server", [[b"Hello"], [b""], [b"Hello"]], None, 5, [1], 1)
def test_what_is_compressed_is_read_back(
    agreement: Agreement,
    role: Role,
    sent: list[list[bytes]],
    level: int | None,
    mem_level: int,
    cuts: list[int],
    room: int,
) -> None:
    """Under every agreement, in any fragments and with any room (RFC 7692 §7.2)."""
    compressor = writer(agreement, role, Deflate(level=level, mem_level=mem_level))
    decompressor = reader(agreement, "client" if role == "server" else "server")
    for message in sent:
        *first, last = message
        payload = b"".join(compressor.compress(each, ends_message=False) for each in first)
        payload += compressor.compress(last, ends_message=True)
        assert read(decompressor, cut_at(payload, cuts) or [payload], room) == b"".join(message)


def theirs(agreement: Agreement, role: Role) -> PerMessageDeflate:
    """Make the peer of `role` as websockets has it."""
    server = (agreement.server_no_context_takeover, agreement.server_max_window_bits or 15)
    client = (agreement.client_no_context_takeover, agreement.client_max_window_bits or 15)
    ours, their = (server, client) if role == "server" else (client, server)
    return PerMessageDeflate(
        remote_no_context_takeover=ours[0],
        local_no_context_takeover=their[0],
        remote_max_window_bits=ours[1],
        local_max_window_bits=their[1],
    )


def their_frames(fragments: Iterable[bytes], *, rsv1: bool) -> list[TheirFrame]:
    """Make the frames of one binary message."""
    parts = list(fragments)
    return [
        TheirFrame(
            TheirOpcode.CONT if i else TheirOpcode.BINARY,
            each,
            fin=i == len(parts) - 1,
            rsv1=rsv1 and not i,
        )
        for i, each in enumerate(parts)
    ]


@given(agreement=agreements(least=9), role=ROLES, sent=messages())
def test_websockets_reads_what_we_compress(agreement: Agreement, role: Role, sent: list[list[bytes]]) -> None:
    """RFC 7692 §7.2.1, with another implementation of §7.2.2."""
    compressor, peer = writer(agreement, role), theirs(agreement, role)
    for message in sent:
        last = len(message) - 1
        payloads = [compressor.compress(each, ends_message=i == last) for i, each in enumerate(message)]
        frames = [peer.decode(each) for each in their_frames(payloads, rsv1=True)]
        assert b"".join(each.data for each in frames) == b"".join(message)


@given(agreement=agreements(least=9), role=ROLES, sent=messages(), room=st.integers(1, 5000))
def test_we_read_what_websockets_compresses(
    agreement: Agreement, role: Role, sent: list[list[bytes]], room: int
) -> None:
    """RFC 7692 §7.2.2, with another implementation of §7.2.1."""
    decompressor, peer = reader(agreement, role), theirs(agreement, role)
    for message in sent:
        payloads = [bytes(peer.encode(each).data) for each in their_frames(message, rsv1=False)]
        assert read(decompressor, payloads, room) == b"".join(message)


@given(
    payload=st.binary(max_size=60) | st.binary(max_size=20).map(lambda noise: HELLO_FINAL + noise),
    forgets=st.booleans(),
    cuts=st.lists(st.integers(0, 60), max_size=5),
    room=st.integers(1, 40),
)
def test_noise_ends_in_the_same_way_however_it_is_cut(
    payload: bytes, forgets: bool, cuts: list[int], room: int
) -> None:
    """What a peer sends is a message or the one error, wherever its frames end (RFC 7692 §6.2)."""

    agreement = FORGETFUL if forgets else PLAIN
    out, end = read_to_the_fault(reader(agreement), [payload], PLENTY)
    assert end in (None, NOT_DEFLATE, INCOMPLETE)
    for fragments in (cut_at(payload, cuts) or [payload], cut_at(payload, range(len(payload))) or [payload]):
        assert read_to_the_fault(reader(agreement), fragments, room) == (out, end)


def read_to_the_fault(
    decompressor: Decompressor, fragments: Sequence[bytes], room: int
) -> tuple[bytes, tuple[object, ...] | None]:
    """Return what comes out of a message, and the error that ends it, if one does."""
    out = b""
    try:
        for i, fragment in enumerate(fragments):
            out += decompressor.decompress(fragment, room, ends_message=i == len(fragments) - 1)
            while decompressor.has_more:
                out += decompressor.decompress(b"", room)
    except RemoteProtocolError as error:
        return out, error_values(error)
    return out, None


MORE: Final = HELLO + bytes.fromhex("0000ffff")
"""The message "Hello", behind which more of it is to come."""


@pytest.mark.parametrize("room", [1, 2, 5, 7, PLENTY])
@pytest.mark.parametrize(
    ("payload", "out", "error"),
    [
        (MORE + b"\xff", b"Hello", NOT_DEFLATE),
        (MORE + MORE + b"\x07" + b"never" * 9, b"HelloHello", NOT_DEFLATE),
        # A literal and a distance that is too far, of which the last bits stand in one byte.
        (b"\x12\x00\x05" + bytes(4), b"\x10", NOT_DEFLATE),
        # A block of 20 bytes that has 5.
        (b"\x00\x14\x00\xeb\xffHello", b"Hello", INCOMPLETE),
        (b"\xff", b"", NOT_DEFLATE),
    ],
)
def test_what_comes_out_before_a_fault_is_returned_first(
    payload: bytes, out: bytes, error: tuple[object, ...], room: int
) -> None:
    """However much is asked for, and wherever the bytes are cut: who reads in pieces gets the same ones."""
    for fragments in ([payload], *two_way_cuts(payload)):
        assert read_to_the_fault(reader(), fragments, room) == (out, error)


def number(value: int, n: int) -> str:
    """Write a number of a block's header: its bits, the least significant one first (RFC 1951 §3.1.1)."""
    return f"{value:0{n}b}"[::-1]


def packed(bits: str) -> bytes:
    """Put bits into bytes, from the least significant one on (RFC 1951 §3.1.1)."""
    return bytes(int(bits[i : i + 8].ljust(8, "0")[::-1], 2) for i in range(0, len(bits), 8))


A_BIT_EACH: Final = "".join(
    [
        *("0", number(2, 2), number(1, 5), number(0, 5), number(14, 4)),
        # How long the codes of code lengths are: one bit for 18, two for 2 and 1.
        *(number({18: 1, 2: 2, 1: 2}.get(each, 0), 3) for each in [16, 17, 18, 0, 8, 7, 9, 6, 10]),
        *(number({2: 2, 1: 2}.get(each, 0), 3) for each in [5, 11, 4, 12, 3, 13, 2, 14, 1]),
        # 97 times no code, one bit for "a", 158 times no code, two bits for the end and for a length of 3.
        *("0", number(97 - 11, 7), "10", "0", number(127, 7), "0", number(20 - 11, 7), "11", "11"),
        # One distance code, of one bit.
        "10",
    ]
)
"""The header of a block of dynamic codes in which 0 is "a", and 111 a length without a distance (RFC 1951 §3.2.7)."""


@pytest.mark.parametrize("room", [1, 2, 3, 4, 7, PLENTY])
@pytest.mark.parametrize("n", range(12))
def test_what_comes_out_before_a_fault_in_the_same_byte_is_returned_too(n: int, room: int) -> None:
    """A byte may hold eight symbols. Only what zlib never gives is lost, the last symbol if all of the fault is in one
    byte with it, and that too wherever the bytes are cut.
    """
    payload = packed(A_BIT_EACH + "0" * n + "111" + "0" * 20)
    last, fault = len(A_BIT_EACH) + n - 1, len(A_BIT_EACH) + n + 2
    n -= n > 0 and last // 8 == fault // 8
    for fragments in ([payload], *two_way_cuts(payload)):
        assert read_to_the_fault(reader(), fragments, room) == (b"a" * n, NOT_DEFLATE)


def test_a_fault_is_told_again_and_again() -> None:
    """The reader is of no further use."""
    decompressor = reader()
    assert decompressor.decompress(MORE + b"\xff", 9) == b"Hello"
    for _ in range(2):
        assert decompressor.has_more
        with pytest.raises(RemoteProtocolError) as caught:
            decompressor.decompress(b"", 9)
        assert error_values(caught.value) == NOT_DEFLATE
