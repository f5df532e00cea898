"""Tests of `spry_core.protocol.assembly`: one message out of its frames (RFC 6455 §5.4, §8.1, §10.4)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.account import Account
from spry_core.protocol.assembly import Assembled, Assembly, fail
from spry_core.protocol.compression import Decompressor
from spry_core.protocol.deflate import Agreement
from spry_core.protocol.engines import FramePart, Opcode
from spry_core.protocol.events import Message
from spry_core.protocol.limits import Limits
from traces import error_values

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION

NOT_TEXT = ("the text is not UTF-8", None, 1007, "RFC 6455 §8.1")
TOO_BIG = ("the message is too big", None, 1009, "RFC 6455 §7.4.1")
TOO_MANY = ("the message has too many frames", None, 1008, "RFC 6455 §10.4")
OF_NOTHING = ("a continuation of nothing", None, 1002, "RFC 6455 §5.4")
INSIDE = ("a message inside another", None, 1002, "RFC 6455 §5.4")


class Taking:
    """An assembly, and what came out of it."""

    def __init__(
        self, limits: Limits, *, agreement: Agreement | None = None, in_pieces: bool = False
    ) -> None:
        decompressor = None if agreement is None else Decompressor(agreement, "server")
        self.account = Account(limits)
        self.assembly = Assembly(limits, self.account, decompressor)
        self.out: list[Assembled] = []
        if in_pieces:
            self.take(self.assembly.receive_in_pieces(True))

    def take(self, assembled: Iterator[Assembled]) -> list[Assembled]:
        """Take all of this; return what has come out since the last time."""
        for event in assembled:
            self.out.append(event)
        out, self.out = self.out, []
        return out

    def part(
        self, opcode: Opcode, data: bytes, *, fin: bool = True, ends_frame: bool = True, rsv1: bool = False
    ) -> list[Assembled]:
        """Take some of a frame."""
        return self.take(self.assembly.add(FramePart(opcode, data, ends_frame, fin, rsv1)))

    def frame(self, opcode: Opcode, data: bytes, *, fin: bool = True, rsv1: bool = False) -> list[Assembled]:
        """Take a whole frame."""
        self.assembly.admit(opcode, len(data), rsv1)
        return self.part(opcode, data, fin=fin, rsv1=rsv1)


def assembly(max_message_size: int | None = 100, max_fragments: int | None = 10) -> Taking:
    return Taking(Limits(max_message_size=max_message_size, max_fragments=max_fragments))


def test_the_error_of_a_failed_connection_has_a_close_code() -> None:
    assert error_values(fail(1002, "x", "y")) == ("x", None, 1002, "y")


def test_a_frame_with_fin_is_a_message() -> None:
    """RFC 6455 §5.4: an unfragmented message."""
    made = assembly()
    assert made.frame(TEXT, "é".encode()) == [Message(data="é")]
    assert made.frame(BINARY, b"\xff") == [Message(data=b"\xff")]
    assert (made.account.messages, made.account.size) == (2, 3)


@pytest.mark.parametrize(("opcode", "nothing"), [(TEXT, ""), (BINARY, b"")])
def test_an_empty_message_is_a_message(opcode: Opcode, nothing: str | bytes) -> None:
    """RFC 6455 §5.6 sets no least length."""
    made = assembly()
    assert made.frame(opcode, b"") == [Message(data=nothing)]
    assert (made.account.messages, made.account.size) == (1, 0)


def test_fragments_are_joined() -> None:
    """RFC 6455 §5.4: the payload is that of all frames in order."""
    made = assembly()
    assert made.frame(TEXT, b"\xe2", fin=False) == []
    assert made.frame(CONTINUATION, b"\x82", fin=False) == []
    assert made.frame(CONTINUATION, b"", fin=False) == []
    assert made.frame(CONTINUATION, b"\xac!") == [Message(data="€!")]
    assert made.frame(BINARY, b"a", fin=False) == []
    assert made.frame(CONTINUATION, b"b") == [Message(data=b"ab")]


def test_a_frame_in_parts_ends_with_its_last_part() -> None:
    made = assembly()
    assert made.part(BINARY, b"ab", ends_frame=False) == []
    assert made.part(BINARY, b"c", ends_frame=False) == []
    assert made.part(BINARY, b"d") == [Message(data=b"abcd")]


def test_the_next_message_begins_from_nothing() -> None:
    made = assembly(max_message_size=3, max_fragments=2)
    for _ in range(3):
        assert made.frame(TEXT, b"ab", fin=False) == []
        assert made.frame(CONTINUATION, b"c") == [Message(data="abc")]


def error_of(made: Taking, opcode: Opcode, length: int) -> tuple[object, ...]:
    with pytest.raises(RemoteProtocolError) as caught:
        made.assembly.admit(opcode, length, False)
    return error_values(caught.value)


def test_a_continuation_needs_a_message_to_continue() -> None:
    """RFC 6455 §5.4."""
    made = assembly()
    assert error_of(made, CONTINUATION, 0) == OF_NOTHING
    made.frame(BINARY, b"a")
    assert error_of(made, CONTINUATION, 0) == OF_NOTHING


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_fragments_of_two_messages_do_not_mix(opcode: Opcode) -> None:
    """RFC 6455 §5.4."""
    made = assembly()
    made.frame(TEXT, b"a", fin=False)
    assert error_of(made, opcode, 0) == INSIDE
    made.assembly.drop()
    assert error_of(made, opcode, 0) == INSIDE


@pytest.mark.parametrize("before", [0, 1, 99, 100])
def test_a_message_may_have_its_limit_of_bytes_and_no_more(before: int) -> None:
    """The frame's header is enough to know: no payload is taken."""
    made = assembly(max_message_size=100)
    first: Opcode = BINARY
    if before:
        made.frame(BINARY, b"a" * before, fin=False)
        first = CONTINUATION
    for length in (max(99 - before, 0), 100 - before):
        made.assembly.admit(first, length, False)
    assert error_of(made, first, 101 - before) == TOO_BIG
    assert error_of(made, first, 2**62) == TOO_BIG


def test_without_a_limit_a_message_may_have_any_size() -> None:
    assembly(max_message_size=None).assembly.admit(BINARY, 2**62, False)


def test_a_message_may_have_its_limit_of_frames_and_no_more() -> None:
    """RFC 6455 §10.4; a frame counts once, in however many parts it came, and asking twice counts nothing."""
    made = assembly(max_fragments=3)
    assert made.frame(BINARY, b"", fin=False) == []
    made.assembly.admit(CONTINUATION, 2, False)
    made.assembly.admit(CONTINUATION, 2, False)
    made.part(CONTINUATION, b"a", fin=False, ends_frame=False)
    made.part(CONTINUATION, b"b", fin=False)
    made.assembly.admit(CONTINUATION, 0, False)
    made.part(CONTINUATION, b"", fin=False)
    assert error_of(made, CONTINUATION, 0) == TOO_MANY


def test_the_last_frame_allowed_may_end_the_message() -> None:
    made = assembly(max_fragments=2)
    made.frame(BINARY, b"a", fin=False)
    assert made.frame(CONTINUATION, b"b") == [Message(data=b"ab")]


def earliest_fault(data: bytes) -> int | None:
    """Return after how many bytes no continuation can make `data` UTF-8 any more (RFC 3629 §4), by trying."""
    for n in range(1, len(data) + 1):
        rest = data[:n]
        try:
            rest.decode()
        except UnicodeDecodeError as error:
            tail = rest[error.start :]
            is_cut = error.reason == "unexpected end of data"
            if not is_cut or not any(can_decode(tail + more) for more in COMPLETIONS):
                return n
    return None


def can_decode(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


COMPLETIONS = [
    *(b"\x80" * n for n in (1, 2, 3)),
    *(bytes([second]) + b"\x80" * n for second in (0x90, 0xA0) for n in (0, 1, 2)),
]
"""Bytes that complete any beginning of a sequence that can be completed at all."""


def parts_until_fault(data: bytes) -> int | None:
    """Return after how many single bytes the message failed."""
    made, n = assembly(), 0
    try:
        for n in range(1, len(data) + 1):
            made.part(TEXT, data[n - 1 : n], ends_frame=False)
    except RemoteProtocolError as error:
        return n if error_values(error) == NOT_TEXT else -1
    return None


@pytest.mark.parametrize("first", [*range(0x80, 0x100), 0x41])
def test_text_fails_at_the_earliest_byte_that_no_text_can_have(first: int) -> None:
    """RFC 6455 §8.1: every lead byte with every second byte, also surrogates and what is beyond U+10FFFF."""
    for second in range(0x100):
        data = bytes([first, second])
        assert parts_until_fault(data) == earliest_fault(data), data


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"\xed\x9f\xbf", None),
        (b"\xed\xa0\x80", 2),
        (b"\xed\xbf", 2),
        (b"a\xed\xa0", 3),
        (b"\xe0\x80", 2),
        (b"\xe0\xa0\x80", None),
        (b"\xf0\x80", 2),
        (b"\xf0\x90\x80\x80", None),
        (b"\xf0\x90\x80\x41", 4),
        (b"\xf4\x8f\xbf\xbf", None),
        (b"\xf4\x90", 2),
        (b"\xc0", 1),
        (b"\xff", 1),
        (b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0", 13),
    ],
)
def test_known_faults_are_found_at_their_byte(data: bytes, fault: int | None) -> None:
    """RFC 3629 §3 and §4."""
    assert parts_until_fault(data) == fault


@pytest.mark.parametrize("data", [b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"a\xed"])
def test_text_may_not_end_inside_a_character(data: bytes) -> None:
    """RFC 6455 §8.1; between frames it may."""
    made = assembly()
    assert made.part(TEXT, data, fin=False) == []
    with pytest.raises(RemoteProtocolError) as caught:
        made.part(CONTINUATION, b"")
    assert error_values(caught.value) == NOT_TEXT


def test_binary_may_be_anything() -> None:
    """RFC 6455 §5.6: its interpretation is up to the application."""
    everything = bytes(range(256))
    assert assembly(max_message_size=256).frame(BINARY, everything) == [Message(data=everything)]


@pytest.mark.parametrize("kept", [b"ab", b"\xe2\x82"])
def test_what_nobody_will_read_is_followed_and_not_kept(kept: bytes) -> None:
    """RFC 6455 §1.4: after our Close nothing that comes is of interest, however big or broken."""
    made = assembly(max_message_size=3, max_fragments=1)
    made.frame(TEXT, kept, fin=False)
    made.assembly.drop()
    for _ in range(3):
        assert made.frame(CONTINUATION, b"\xff" * 10, fin=False) == []
    assert made.frame(CONTINUATION, b"\xff") == [Message(data="")]
    assert made.frame(BINARY, b"abcdef") == [Message(data=b"")]


@given(st.text(max_size=60), st.lists(st.integers(0, 60)), st.booleans())
def test_text_in_any_pieces_is_the_same_text(text: str, places: list[int], in_frames: bool) -> None:
    data = text.encode()
    edges = sorted({0, len(data), *(place for place in places if place < len(data))})
    pieces = [data[a:b] for a, b in pairwise(edges)] or [b""]
    made = Taking(Limits(max_fragments=100))
    done: list[Assembled] = []
    for i, piece in enumerate(pieces):
        assert done == []
        is_last = i == len(pieces) - 1
        opcode = CONTINUATION if in_frames and i else TEXT
        done = made.part(opcode, piece, fin=is_last or not in_frames, ends_frame=is_last or in_frames)
    assert done == [Message(data=text)]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_tiny_parts_cost_bytes_and_not_objects(opcode: Opcode) -> None:
    """A peer that sends a few bytes at a time must not make us hold an object for each time."""
    n = 1 << 16
    made = assembly(max_message_size=3 * n)
    before = sys.getallocatedblocks()
    for i in range(n):
        made.part(opcode, "€".encode(), ends_frame=i == n - 1, fin=False)
    assert sys.getallocatedblocks() - before < 1000
    whole = "€" * n
    data = whole if opcode is TEXT else whole.encode()
    assert made.part(CONTINUATION, b"") == [Message(data=data)]
