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
from spry_core.protocol.assembly import Assembled, Assembly
from spry_core.protocol.compression import Compressor, Decompressor
from spry_core.protocol.deflate import Agreement, Deflate
from spry_core.protocol.engines import FramePart, Opcode
from spry_core.protocol.events import Kind, Message, MessageData, MessageEnd, MessageStart
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


def error_of(made: Taking, opcode: Opcode, length: int, *, rsv1: bool = False) -> tuple[object, ...]:
    with pytest.raises(RemoteProtocolError) as caught:
        made.assembly.admit(opcode, length, rsv1)
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


# -------------------------------------------------------------------------------------------------------------- in pieces


def in_pieces(limits: Limits | None = None, *, agreement: Agreement | None = None) -> Taking:
    return Taking(limits or Limits(max_message_size=100), agreement=agreement, in_pieces=True)


def test_pieces_come_as_their_bytes_come() -> None:
    """RFC 6455 §5.4: where frames end says nothing."""
    made = in_pieces()
    assert made.part(BINARY, b"ab", ends_frame=False) == [
        MessageStart(kind="binary"),
        MessageData(data=b"ab"),
    ]
    assert made.part(BINARY, b"c", fin=False) == [MessageData(data=b"c")]
    assert (made.account.messages, made.account.size) == (0, 3)
    assert made.frame(CONTINUATION, b"", fin=False) == []
    assert made.frame(CONTINUATION, b"d") == [MessageData(data=b"d"), MessageEnd()]
    assert (made.account.messages, made.account.size) == (1, 4)
    made.account.release(4)
    assert not made.account.is_empty
    made.account.release(0)
    assert made.account.is_empty


@pytest.mark.parametrize(("opcode", "kind"), [(TEXT, "text"), (BINARY, "binary")])
def test_an_empty_message_in_pieces_has_a_beginning_and_an_end(opcode: Opcode, kind: Kind) -> None:
    made = in_pieces()
    assert made.frame(opcode, b"", fin=False) == [MessageStart(kind=kind)]
    assert made.frame(CONTINUATION, b"") == [MessageEnd()]
    assert (made.account.messages, made.account.size) == (1, 0)


def test_text_is_cut_between_code_points() -> None:
    """A piece counts the bytes of what it gives; those of half a character wait for the rest."""
    made = in_pieces()
    assert made.part(TEXT, b"a\xe2", ends_frame=False) == [MessageStart(kind="text"), MessageData(data="a")]
    assert made.account.size == 1
    assert made.part(TEXT, b"\x82", fin=False) == []
    assert made.frame(CONTINUATION, b"\xac\xf0\x9f", fin=False) == [MessageData(data="€")]
    assert made.account.size == 4
    assert made.frame(CONTINUATION, b"\x98\x80b") == [MessageData(data="😀b"), MessageEnd()]
    assert made.account.size == 9


def fault_of(made: Taking, assembled: Iterator[Assembled]) -> tuple[list[Assembled], tuple[object, ...]]:
    """Take until it fails; return what came out before, and the error."""
    with pytest.raises(RemoteProtocolError) as caught:
        made.take(assembled)
    return made.out, error_values(caught.value)


@pytest.mark.parametrize(
    ("data", "before"),
    [
        (b"ab\xff", ["ab"]),
        (b"\xff", []),
        (b"\xe2\x82\xac\xe2\xffcd", ["€"]),
        (b"ab\xed\xa0", ["ab"]),
        (b"ab\xed\xa0\x80", ["ab"]),
        (b"\xed\xa0", []),
    ],
)
def test_what_stands_before_bad_text_is_given_out(data: bytes, before: list[str]) -> None:
    """RFC 6455 §8.1; the same wherever the bytes were cut."""
    out, error = fault_of(
        made := in_pieces(), made.assembly.add(FramePart(TEXT, data, ends_frame=True, ends_message=False))
    )
    assert (out, error) == (
        [MessageStart(kind="text"), *(MessageData(data=each) for each in before)],
        NOT_TEXT,
    )
    assert made.account.size == len("".join(before).encode())


def test_text_in_pieces_may_not_end_inside_a_character() -> None:
    made = in_pieces()
    assert made.frame(TEXT, b"a\xe2\x82", fin=False) == [MessageStart(kind="text"), MessageData(data="a")]
    assert fault_of(made, made.assembly.add(FramePart(CONTINUATION, b"", True, True))) == ([], NOT_TEXT)


def test_limits_hold_in_pieces_as_for_whole_messages() -> None:
    made = in_pieces(Limits(max_message_size=3, max_fragments=2))
    assert error_of(made, BINARY, 4) == TOO_BIG
    made.frame(BINARY, b"ab", fin=False)
    assert error_of(made, CONTINUATION, 2) == TOO_BIG
    made.frame(CONTINUATION, b"", fin=False)
    assert error_of(made, CONTINUATION, 0) == TOO_MANY


def test_a_message_may_have_any_number_of_frames_if_there_is_no_limit() -> None:
    made = assembly(max_fragments=None)
    made.frame(BINARY, b"a", fin=False)
    for _ in range(2000):
        assert made.frame(CONTINUATION, b"", fin=False) == []
    assert made.frame(CONTINUATION, b"b") == [Message(data=b"ab")]


def test_messages_of_any_size_come_in_pieces() -> None:
    made = Taking(Limits(max_message_size=None))
    assert made.frame(TEXT, b"a") == [MessageStart(kind="text"), MessageData(data="a"), MessageEnd()]
    assert made.take(made.assembly.receive_in_pieces(True)) == []


@pytest.mark.parametrize(
    ("opcode", "data", "rest", "events"),
    [
        (TEXT, b"ab\xe2\x82", b"\xac", [MessageData(data="ab"), MessageData(data="€")]),
        (TEXT, b"\xe2\x82", b"\xac", [MessageData(data="€")]),
        (TEXT, b"", b"a", [MessageData(data="a")]),
        (BINARY, b"a\xe2", b"\x82", [MessageData(data=b"a\xe2"), MessageData(data=b"\x82")]),
    ],
)
def test_what_has_come_of_a_message_is_given_out_when_pieces_are_wanted(
    opcode: Opcode, data: bytes, rest: bytes, events: list[Assembled]
) -> None:
    """And the account then has what was given out."""
    made = assembly()
    assert made.frame(opcode, data, fin=False) == []
    assert made.account.is_empty
    first = made.take(made.assembly.receive_in_pieces(True))
    assert first[0] == MessageStart(kind="text" if opcode is TEXT else "binary")
    assert made.account.size == sum(
        len(event.data.encode() if isinstance(event.data, str) else event.data)
        for event in first
        if isinstance(event, MessageData)
    )
    assert made.take(made.assembly.receive_in_pieces(True)) == []
    assert [*first[1:], *made.frame(CONTINUATION, rest)] == [*events, MessageEnd()]
    assert made.account.size == len(data + rest)


def test_messages_are_whole_again_from_the_next_one_on() -> None:
    made = in_pieces()
    made.frame(BINARY, b"a", fin=False)
    assert made.take(made.assembly.receive_in_pieces(False)) == []
    assert made.frame(CONTINUATION, b"b") == [MessageData(data=b"b"), MessageEnd()]
    assert made.frame(BINARY, b"c") == [Message(data=b"c")]
    assert made.take(made.assembly.receive_in_pieces(True)) == []
    assert made.frame(BINARY, b"d") == [
        MessageStart(kind="binary"),
        MessageData(data=b"d"),
        MessageEnd(),
    ]


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_nothing_comes_in_pieces_that_nobody_will_read(opcode: Opcode) -> None:
    """Nor is what has come given out when pieces are wanted too late."""
    made = assembly()
    made.frame(opcode, b"a", fin=False)
    made.assembly.drop()
    assert made.take(made.assembly.receive_in_pieces(True)) == []
    nothing = Message(data="" if opcode is TEXT else b"")
    assert made.frame(CONTINUATION, b"\xff") == [nothing]
    assert made.frame(opcode, b"\xff") == [nothing]
    assert made.account.is_empty


# ------------------------------------------------------------------------------------------------------------- compressed

AGREED = Agreement()


def deflated(*fragments: bytes) -> list[bytes]:
    """Compress one message as a client does."""
    compressor = Compressor(AGREED, "client", Deflate(client_max_window_bits=15, level=9))
    return [compressor.compress(each, ends_message=each is fragments[-1]) for each in fragments]


def test_a_compressed_message_is_inflated() -> None:
    """RFC 7692 §6.2; text and binary, whole, with what it inflates to in the account."""
    made = Taking(Limits(), agreement=AGREED)
    (data,) = deflated("é".encode() * 100)
    assert made.frame(TEXT, data, rsv1=True) == [Message(data="é" * 100)]
    assert made.frame(BINARY, b"plain") == [Message(data=b"plain")]
    assert made.frame(BINARY, data, rsv1=True) == [Message(data="é".encode() * 100)]
    assert (made.account.messages, made.account.size) == (3, 405)


def test_its_frames_are_one_deflate_stream() -> None:
    """RFC 7692 §6.1, §6.2: RSV1 in the first one speaks for all."""
    made = Taking(Limits(), agreement=AGREED)
    first, second = deflated(b"hello ", b"hello")
    assert made.frame(TEXT, first, rsv1=True, fin=False) == []
    assert made.frame(CONTINUATION, b"", fin=False) == []
    assert made.frame(CONTINUATION, second) == [Message(data="hello hello")]


BEHIND = ("RSV1 behind the first frame of a message", None, 1002, "RFC 7692 §6.1")


def test_rsv1_stands_in_the_first_frame_of_a_message_alone() -> None:
    """RFC 7692 §6.1: not in a continuation, not in a control frame."""
    made = Taking(Limits(), agreement=AGREED)
    for opcode in (Opcode.PING, Opcode.PONG, Opcode.CLOSE, CONTINUATION):
        assert error_of(made, opcode, 0, rsv1=True) == BEHIND
        if opcode.is_control:
            made.assembly.admit(opcode, 0, False)
    made.frame(BINARY, deflated(b"a")[0], rsv1=True, fin=False)
    assert error_of(made, CONTINUATION, 0, rsv1=True) == BEHIND
    made.assembly.drop()
    assert error_of(made, CONTINUATION, 0, rsv1=True) == BEHIND


@pytest.mark.parametrize("opcode", list(Opcode))
def test_without_an_agreement_rsv1_is_reserved(opcode: Opcode) -> None:
    """RFC 6455 §5.2."""
    assert error_of(assembly(), opcode, 0, rsv1=True) == (
        "a reserved bit without its extension",
        None,
        1002,
        "RFC 6455 §5.2",
    )


@pytest.mark.parametrize(("size", "is_too_big"), [(99, False), (100, False), (101, True), (1 << 20, True)])
@pytest.mark.parametrize("has_pieces", [False, True])
def test_a_message_may_inflate_to_its_limit_and_no_further(
    size: int, is_too_big: bool, has_pieces: bool
) -> None:
    """Its header says nothing about that, also if it is longer than the limit."""
    made = Taking(Limits(max_message_size=100), agreement=AGREED, in_pieces=has_pieces)
    (data,) = deflated(b"a" * size)
    made.assembly.admit(BINARY, 1 << 30, True)
    assembled = made.assembly.add(FramePart(BINARY, data, True, True, True))
    whole: list[Assembled] = [Message(data=b"a" * size)]
    pieces = [MessageStart(kind="binary"), MessageData(data=b"a" * min(size, 100)), MessageEnd()]
    if is_too_big:
        assert fault_of(made, assembled) == (pieces[:2] if has_pieces else [], TOO_BIG)
    else:
        assert made.take(assembled) == (pieces if has_pieces else whole)


def test_the_limit_counts_over_all_frames() -> None:
    made = Taking(Limits(max_message_size=100), agreement=AGREED)
    first, second = deflated(b"a" * 60, b"b" * 41)
    made.frame(BINARY, first, rsv1=True, fin=False)
    made.assembly.admit(CONTINUATION, 1 << 30, False)
    assert fault_of(made, made.assembly.add(FramePart(CONTINUATION, second, True, True))) == ([], TOO_BIG)


def test_no_frame_inflates_further_than_what_the_frames_before_have_left() -> None:
    """A byte beyond the limit is found out, and neither it nor what comes behind it is kept or delivered."""
    made = Taking(Limits(max_message_size=100), agreement=AGREED, in_pieces=True)
    first, second = deflated(b"a" * 60, b"b" * 10_000)
    assert made.frame(BINARY, first, rsv1=True, fin=False)[1:] == [MessageData(data=b"a" * 60)]
    made.assembly.admit(CONTINUATION, 1 << 30, False)
    out, error = fault_of(made, made.assembly.add(FramePart(CONTINUATION, second, True, True)))
    assert (out, error) == ([MessageData(data=b"b" * 40)], TOO_BIG)
    assert made.assembly.received == 100


def test_bytes_that_inflate_to_nothing_have_no_limit_but_that_of_frames() -> None:
    """A message is measured by what it inflates to (RFC 7692 §7.2.2)."""
    made = Taking(Limits(max_message_size=2, max_fragments=4), agreement=AGREED)
    first, *_ = deflated(b"ab", b"")
    made.frame(BINARY, first, rsv1=True, fin=False)
    empty = b"\x00\x00\x00\xff\xff"
    made.frame(CONTINUATION, empty * 100, fin=False)
    made.frame(CONTINUATION, empty, fin=False)
    assert made.frame(CONTINUATION, b"\x00") == [Message(data=b"ab")]


def test_a_fault_in_compressed_data_fails_it() -> None:
    """RFC 7692 §6.2."""
    made = Taking(Limits(), agreement=AGREED)
    out, error = fault_of(made, made.assembly.add(FramePart(BINARY, b"\xff\xff", True, True, True)))
    assert (out, error[2]) == ([], 1007)


def test_in_pieces_it_is_inflated_as_far_as_there_is_room() -> None:
    """The rest waits compressed, and goes on when there is room."""
    made = in_pieces(Limits(max_queue_size=40), agreement=AGREED)
    (data,) = deflated(b"a" * 100)
    assert made.frame(BINARY, data, rsv1=True) == [
        MessageStart(kind="binary"),
        MessageData(data=b"a" * 40),
    ]
    assert (made.assembly.is_waiting, made.account.room) == (True, 0)
    made.account.release(15)
    assert made.take(made.assembly.go_on()) == [MessageData(data=b"a" * 15)]
    assert made.take(made.assembly.go_on()) == []
    made.account.release(40)
    assert made.take(made.assembly.go_on()) == [MessageData(data=b"a" * 40)]
    assert made.assembly.is_waiting
    made.account.release(40)
    assert made.take(made.assembly.go_on()) == [MessageData(data=b"a" * 5), MessageEnd()]
    assert not made.assembly.is_waiting
    assert (made.account.messages, made.account.size) == (1, 100)


def test_without_any_room_all_of_it_waits() -> None:
    """What there is of a character in the room that is left may be completed beyond it."""
    made = in_pieces(Limits(max_queue_size=4), agreement=AGREED)
    made.frame(BINARY, b"abcd")
    first, second = deflated("é€".encode(), "é".encode())
    assert made.frame(TEXT, first, rsv1=True, fin=False) == [MessageStart(kind="text")]
    assert made.assembly.is_waiting
    made.account.release(3)
    assert made.take(made.assembly.go_on()) == [MessageData(data="é"), MessageData(data="€")]
    assert (made.assembly.is_waiting, made.account.room) == (True, 0)
    made.account.release(6)
    assert made.take(made.assembly.go_on()) == []
    assert not made.assembly.is_waiting
    assert made.frame(CONTINUATION, second) == [MessageData(data="é"), MessageEnd()]


def test_what_waits_is_dropped_with_everything_else() -> None:
    """And so is the end of a message that has come whole."""
    for fin in (True, False):
        made = in_pieces(Limits(max_queue_size=10), agreement=AGREED)
        (data,) = deflated(b"a" * 100)
        made.frame(BINARY, data, rsv1=True, fin=fin)
        made.assembly.drop()
        assert not made.assembly.is_waiting
        if not fin:
            assert made.frame(CONTINUATION, b"\xff") == [Message(data=b"")]
        assert made.frame(TEXT, b"\xff", rsv1=True) == [Message(data="")]


def test_what_has_been_inflated_is_given_out_when_pieces_are_wanted() -> None:
    made = Taking(Limits(max_queue_size=10), agreement=AGREED)
    first, second = deflated(b"a" * 50, b"b" * 50)
    assert made.frame(TEXT, first, rsv1=True, fin=False) == []
    assert made.take(made.assembly.receive_in_pieces(True)) == [
        MessageStart(kind="text"),
        MessageData(data="a" * 50),
    ]
    assert made.frame(CONTINUATION, second) == []
    assert made.assembly.is_waiting
    made.account.release(45)
    assert made.take(made.assembly.go_on()) == [MessageData(data="b" * 5)]
