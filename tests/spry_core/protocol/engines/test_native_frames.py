"""Tests of `spry_core.protocol.engines.native_frames`: our own frame codec, in parts and in runs of messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    Frame,
    frame,
    read_frames,
)
from spry_core.errors import RemoteProtocolError
from spry_core.protocol.engines import pure
from spry_core.protocol.engines.interface import AT_ONCE, Admit, FramePart, Opcode, Role
from spry_core.protocol.engines.native_frames import NativeFrameEngine
from spry_core.testing.strategies import cuts
from traces import COUNTED_MASK, counted, error_values, two_way_cuts

MOST = 1 << 30
"""No bound at all."""
ROLES = pytest.mark.parametrize("role", ["server", "client"])


def admit(opcode: Opcode, length: int, rsv1: bool) -> None:
    """Let every frame pass."""


def codec(role: Role = "server", asked: Admit = admit) -> NativeFrameEngine:
    return NativeFrameEngine(role, asked, counted, pure)


def mask_of(role: Role) -> bytes | None:
    """Return the key of who sends to this role."""
    return MASK if role == "server" else None


def take(
    engine: NativeFrameEngine, most: int = MOST, room: int = MOST, longest: int = MOST, data: bytes = b""
) -> tuple[list[str | bytes], list[int]]:
    """Take messages; what is said to be left is."""
    messages, sizes, has_data = engine.take_messages(data, most, room, longest)
    assert has_data is engine.has_data
    return messages, sizes


def parts(engine: NativeFrameEngine) -> list[FramePart]:
    found: list[FramePart] = []
    while (part := engine.next_part()) is not None:
        found.append(part)
    return found


def decode(pieces: list[bytes], role: Role = "server") -> list[FramePart]:
    """Decode all pieces; the parts of one frame are joined."""
    engine = codec(role)
    joined: list[FramePart] = []
    for piece in pieces:
        engine.receive_data(piece)
        for part in parts(engine):
            if joined and not joined[-1].ends_frame:
                last = joined.pop()
                assert (part.opcode, part.rsv1) == (last.opcode, last.rsv1)
                part = FramePart(
                    part.opcode, last.data + part.data, part.ends_frame, part.ends_message, part.rsv1
                )
            joined.append(part)
    return joined


# ---------------------------------------------------------------------------------------------------------------- parts


def test_the_frames_of_the_standard_are_read() -> None:
    """RFC 6455 §5.7."""
    hello = FramePart(Opcode.TEXT, b"Hello", True, True)
    assert decode([bytes.fromhex("818537fa213d7f9f4d5158")]) == [hello]
    assert decode([bytes.fromhex("810548656c6c6f")], "client") == [hello]
    assert decode([bytes.fromhex("010348656c80026c6f")], "client") == [
        FramePart(Opcode.TEXT, b"Hel", True, False),
        FramePart(Opcode.CONTINUATION, b"lo", True, True),
    ]
    assert decode([bytes.fromhex("8a8537fa213d7f9f4d5158")]) == [FramePart(Opcode.PONG, b"Hello", True, True)]


@ROLES
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, CONTINUATION])
@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("rsv1", [True, False])
def test_every_form_of_length_is_read(size: int, opcode: int, fin: bool, rsv1: bool, role: Role) -> None:
    """RFC 6455 §5.2: 7, 16 and 64 bits; RSV1 is nothing to the engine."""
    data = frame(opcode, b"x" * size, fin=fin, rsv=4 * rsv1, mask=mask_of(role))
    whole = FramePart(Opcode(opcode), b"x" * size, True, fin, rsv1)
    engine = codec(role)
    engine.receive_data(data)
    assert parts(engine) == [whole]
    for end in range(1, 15):
        assert decode([data[:end], data[end:]] if data[end:] else [data], role) == [whole]


@pytest.mark.parametrize("opcode", [TEXT, BINARY, CONTINUATION])
@pytest.mark.parametrize("first", range(9))
@pytest.mark.parametrize("second", range(9))
def test_the_key_goes_on_where_the_part_before_has_ended(opcode: int, first: int, second: int) -> None:
    """RFC 6455 §5.3: byte i of the payload has byte i modulo 4 of the key, however it comes."""
    payload = bytes(range(200, 220))
    data = frame(opcode, payload, fin=False)
    engine, found = codec(), list[FramePart]()
    ends = (6 + first, 6 + first + second, len(data))
    for start, end in zip((0, *ends), ends, strict=False):
        if data[start:end]:
            engine.receive_data(data[start:end])
        found += parts(engine)
    sizes = [size for size in (first, second, 20 - first - second) if size]
    assert [len(part.data) for part in found] == sizes
    assert b"".join(part.data for part in found) == payload
    assert [part.ends_frame for part in found] == [False] * (len(sizes) - 1) + [True]
    assert {(part.opcode, part.ends_message, part.rsv1) for part in found} == {(Opcode(opcode), False, False)}


@pytest.mark.parametrize("opcode", [TEXT, CONTINUATION])
def test_every_part_of_a_frame_has_its_rsv1(opcode: int) -> None:
    """RFC 7692 §6."""
    engine, data = codec(), frame(opcode, b"abc", rsv=4, fin=False)
    engine.receive_data(data[:-1])
    assert parts(engine) == [FramePart(Opcode(opcode), b"ab", False, False, True)]
    engine.receive_data(data[-1:] + frame(PING) + frame(CONTINUATION, b"d"))
    assert parts(engine) == [
        FramePart(Opcode(opcode), b"c", True, False, True),
        FramePart(Opcode.PING, b"", True, True),
        FramePart(Opcode.CONTINUATION, b"d", True, True),
    ]


@ROLES
@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE_FRAME])
@pytest.mark.parametrize("size", [0, 1, 2, 125])
def test_a_control_frame_comes_whole(opcode: int, size: int, role: Role) -> None:
    """RFC 6455 §5.5."""
    data = frame(opcode, b"c" * size, mask=mask_of(role))
    engine = codec(role)
    for i in range(len(data)):
        assert parts(engine) == []
        engine.receive_data(data[i : i + 1])
    assert parts(engine) == [FramePart(Opcode(opcode), b"c" * size, True, True)]


@ROLES
def test_an_empty_data_frame_is_one_part_as_soon_as_its_header_is_here(role: Role) -> None:
    for opcode in (TEXT, BINARY, CONTINUATION):
        data = frame(opcode, fin=False, mask=mask_of(role))
        engine = codec(role)
        engine.receive_data(data[:-1])
        assert parts(engine) == []
        engine.receive_data(data[-1:])
        assert parts(engine) == [FramePart(Opcode(opcode), b"", True, False)]


@ROLES
def test_an_engine_has_data_until_all_of_it_is_in_parts(role: Role) -> None:
    ping, mask = frame(PING, b"pq", mask=mask_of(role)), mask_of(role)
    engine = codec(role)
    assert not engine.has_data
    engine.receive_data(frame(TEXT, b"ab", mask=mask) + ping[:1])
    assert engine.has_data
    assert engine.next_part() == FramePart(Opcode.TEXT, b"ab", True, True)
    assert engine.has_data
    assert engine.next_part() is None
    engine.receive_data(ping[1:-1])
    assert engine.next_part() is None
    assert engine.has_data
    engine.receive_data(ping[-1:])
    assert engine.next_part() == FramePart(Opcode.PING, b"pq", True, True)
    assert not engine.has_data


@ROLES
def test_a_header_alone_is_no_data_any_more(role: Role) -> None:
    """What is known of a frame whose payload has not begun is not kept as bytes; the reference says the same."""
    data = frame(TEXT, b"ab", mask=mask_of(role))
    engine = codec(role)
    engine.receive_data(data[:-2])
    assert engine.has_data
    assert engine.next_part() is None
    assert not engine.has_data
    engine.receive_data(data[-2:])
    assert engine.next_part() == FramePart(Opcode.TEXT, b"ab", True, True)
    assert not engine.has_data


# --------------------------------------------------------------------------------------------------------------- faults


def fault(data: bytes, role: Role = "server") -> tuple[object, ...]:
    with pytest.raises(RemoteProtocolError) as caught:
        decode([data], role)
    return error_values(caught.value)


FRAMING, CONTROL = "RFC 6455 §5.2", "RFC 6455 §5.5"
OPCODE = "an opcode that has no meaning", FRAMING
FRAGMENT = "a control frame in fragments", CONTROL
LONG = "a control frame of more than 125 bytes", CONTROL
SHORTEST = "a length that is not in its shortest form", FRAMING
SIGN = "a length with its first bit set", FRAMING
RESERVED = "a reserved bit without its extension", FRAMING
BARE = "a frame that is not masked", FRAMING
HIDDEN = "a frame that is masked", FRAMING

SERVER_FAULTS: list[tuple[bytes, tuple[str, str]]] = [
    *((frame(opcode, b"a"), OPCODE) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    *((frame(opcode, b"a", fin=False), FRAGMENT) for opcode in (CLOSE_FRAME, PING, PONG)),
    *((frame(opcode, b"a" * 126), LONG) for opcode in (CLOSE_FRAME, PING, PONG)),
    (frame(PING, b"a", length_form=16), LONG),
    (frame(PING, b"a", length_form=64), LONG),
    *((frame(BINARY, b"a" * size, length_form=16), SHORTEST) for size in (0, 1, 125)),
    *((frame(CONTINUATION, b"a" * size, length_form=64), SHORTEST) for size in (0, 125, 126, 65535)),
    (b"\x82\xff" + (1 << 63).to_bytes(8, "big") + MASK, SIGN),
    (b"\x82\xff" + b"\xff" * 8 + MASK, SIGN),
    *((frame(TEXT, b"a", rsv=rsv), RESERVED) for rsv in (1, 2, 3, 5, 6, 7)),
    *((frame(opcode, b"", rsv=1), RESERVED) for opcode in (CLOSE_FRAME, PING, PONG, CONTINUATION)),
    *((frame(opcode, b"a", mask=None), BARE) for opcode in (TEXT, BINARY, CONTINUATION, PING, CLOSE_FRAME)),
    (frame(BINARY, b"a" * 126, mask=None), BARE),
    (frame(BINARY, b"a" * 65536, mask=None), BARE),
    # Several at once: the first in this order is told.
    (frame(3, b"a" * 126, fin=False, rsv=7, mask=None, length_form=64), OPCODE),
    (frame(PING, b"a" * 126, fin=False, rsv=7, mask=None), FRAGMENT),
    (frame(PING, b"a" * 126, rsv=7, mask=None, length_form=64), LONG),
    (frame(TEXT, b"a", rsv=7, mask=None, length_form=64), SHORTEST),
    (frame(TEXT, b"a", rsv=7, mask=None), RESERVED),
]
CLIENT_FAULTS: list[tuple[bytes, tuple[str, str]]] = [
    (frame(TEXT, b"a"), HIDDEN),
    (frame(PING, b""), HIDDEN),
    (frame(BINARY, b"a" * 65536), HIDDEN),
    (frame(TEXT, b"a", rsv=1), RESERVED),
    (frame(TEXT, b"a", length_form=16), SHORTEST),
    (frame(PING, b"a", fin=False), FRAGMENT),
    (frame(4, b"a"), OPCODE),
]
FAULTS = [
    *(("server", data, told) for data, told in SERVER_FAULTS),
    *(("client", data, told) for data, told in CLIENT_FAULTS),
]


@pytest.mark.parametrize(("role", "data", "told"), FAULTS, ids=lambda value: repr(value)[:40])
def test_what_breaks_the_framing_fails_with_1002(role: Role, data: bytes, told: tuple[str, str]) -> None:
    """RFC 6455 §5.1, §5.2, §5.5, wherever it was cut, and behind a message."""
    text, section = told
    expected = (text, None, 1002, section)
    assert fault(data, role) == expected
    for pieces in two_way_cuts(data[:40]):
        with pytest.raises(RemoteProtocolError) as caught:
            decode(pieces, role)
        assert error_values(caught.value) == expected
    engine = codec(role)
    engine.receive_data(frame(TEXT, b"a", mask=mask_of(role)) + data)
    assert take(engine) == (["a"], [1])
    with pytest.raises(RemoteProtocolError, match=f"^{text}$"):
        engine.next_part()


@pytest.mark.parametrize(
    ("end", "data"),
    [
        (2, frame(3, b"a")),
        (2, frame(PING, b"a", fin=False)),
        (2, frame(PING, b"a" * 126)),
        (4, frame(TEXT, b"a", length_form=16)),
        (10, frame(TEXT, b"a", length_form=64)),
        (2, frame(TEXT, b"a", rsv=2)),
        (4, frame(TEXT, b"a" * 126, rsv=2)),
        (2, frame(TEXT, b"a", mask=None)),
        (4, frame(TEXT, b"a" * 126, mask=None)),
        (10, frame(TEXT, b"a" * 65536, mask=None)),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_a_fault_is_found_with_the_byte_that_shows_it(end: int, data: bytes) -> None:
    engine = codec()
    engine.receive_data(data[: end - 1])
    assert engine.next_part() is None
    engine.receive_data(data[end - 1 : end])
    with pytest.raises(RemoteProtocolError):
        engine.next_part()


class Asked(list[tuple[Opcode, int, bool]]):
    """Remembers what it was asked, and refuses from a length on."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def __call__(self, opcode: Opcode, length: int, rsv1: bool) -> None:
        self.append((opcode, length, rsv1))
        if length > self.limit:
            raise RemoteProtocolError("too long", close_code=1009, section="x")


def test_a_frame_is_judged_by_its_length_before_its_key_and_any_payload() -> None:
    """And before its reserved bits and the mask that it should have."""
    asked = Asked(limit=1000)
    engine = codec(asked=asked)
    engine.receive_data(frame(TEXT, b"a") + b"\xb2\x7e\x10\x00")
    assert engine.next_part() == FramePart(Opcode.TEXT, b"a", True, True)
    with pytest.raises(RemoteProtocolError, match=r"^too long$"):
        engine.next_part()
    assert asked == [(Opcode.TEXT, 1, False), (Opcode.BINARY, 4096, False)]


def test_every_opcode_is_asked_about() -> None:
    asked = Asked(limit=1000)
    engine = codec(asked=asked)
    opcodes = [TEXT, BINARY, CONTINUATION, CLOSE_FRAME, PING, PONG]
    for rsv in (0, 4):
        engine.receive_data(b"".join(frame(opcode, b"", rsv=rsv) for opcode in opcodes))
        assert len(parts(engine)) == len(opcodes)
    assert asked == [(Opcode(opcode), 0, rsv1) for rsv1 in (False, True) for opcode in opcodes]


# ------------------------------------------------------------------------------------------------------------- messages


@ROLES
def test_a_run_of_messages_is_taken_at_once(role: Role) -> None:
    """RFC 6455 §5.6; what is anything else ends the run."""
    mask = mask_of(role)
    engine = codec(role)
    engine.receive_data(
        frame(TEXT, "aé".encode(), mask=mask)
        + frame(BINARY, b"\xff", mask=mask)
        + frame(TEXT, mask=mask)
        + frame(PING, b"p", mask=mask)
        + frame(BINARY, b"behind", mask=mask)
    )
    assert take(engine) == (["aé", b"\xff", ""], [3, 1, 0])
    assert take(engine) == ([], [])
    assert engine.next_part() == FramePart(Opcode.PING, b"p", True, True)
    assert take(engine) == ([b"behind"], [6])
    assert not engine.has_data


@ROLES
@pytest.mark.parametrize(
    ("bounds", "taken"),
    [
        *(((most, MOST, MOST), min(most, 4)) for most in (0, 1, 3, 4, 5)),
        *(((MOST, room, MOST), taken) for room, taken in [(0, 0), (1, 1), (3, 1), (4, 2), (9, 3), (10, 4)]),
        *(((MOST, MOST, longest), taken) for longest, taken in [(2, 0), (3, 3), (4, 4), (5, 4)]),
    ],
)
def test_what_is_beyond_a_bound_is_left(role: Role, bounds: tuple[int, int, int], taken: int) -> None:
    payloads, mask = [b"abc", b"def", b"ghi", b"jklm"], mask_of(role)
    engine = codec(role)
    engine.receive_data(b"".join(frame(BINARY, each, mask=mask) for each in payloads))
    messages, sizes = take(engine, *bounds)
    assert messages == payloads[:taken]
    assert sizes == [3, 3, 3, 4][:taken]
    assert engine.has_data is (taken < 4)
    rest = [FramePart(Opcode.BINARY, each, True, True) for each in payloads[taken:]]
    assert parts(engine) == rest


@ROLES
def test_none_is_taken_from_the_middle_of_a_frame(role: Role) -> None:
    """Its payload may look like a frame."""
    trap = frame(TEXT, b"trap", mask=mask_of(role))
    data = frame(BINARY, b"a" + trap, mask=mask_of(role))
    begins = len(data) - len(trap)
    engine = codec(role)
    engine.receive_data(data[:begins])
    assert engine.next_part() == FramePart(Opcode.BINARY, b"a", False, True)
    engine.receive_data(data[begins:])
    assert take(engine) == ([], [])
    assert engine.next_part() == FramePart(Opcode.BINARY, trap, True, True)


@ROLES
def test_none_is_taken_where_only_a_header_was_read(role: Role) -> None:
    engine, data = codec(role), frame(CONTINUATION, b"ab", mask=mask_of(role))
    engine.receive_data(data[:-2])
    assert engine.next_part() is None
    engine.receive_data(data[-2:] + frame(TEXT, b"c", mask=mask_of(role)))
    assert take(engine) == ([], [])
    assert engine.next_part() == FramePart(Opcode.CONTINUATION, b"ab", True, True)
    assert take(engine) == (["c"], [1])


def bytes_of(found: object) -> bytes:
    match found:
        case FramePart():
            return found.data
        case str():
            return found.encode()
        case bytes():
            return found
        case _:
            return b""


@ROLES
@pytest.mark.parametrize("end", range(1, 30))
def test_bytes_may_come_with_the_question(role: Role, end: int) -> None:
    """Wherever they are cut, and whatever of them was looked at before: as if they had come by themselves."""
    mask = mask_of(role)
    data = (
        frame(TEXT, b"a", mask=mask)
        + frame(CONTINUATION, b"bc", mask=mask)
        + frame(BINARY, b"d", mask=mask)
        + frame(PING, mask=mask)
    )
    told, asked = codec(role), codec(role)
    found, expected = list[object](), list[object]()
    for piece in (data[:end], data[end:]):
        if piece:
            told.receive_data(piece)
            for _ in range(4):
                expected += [*take(told)[0], told.next_part()]
            found += [*take(asked, data=piece)[0], asked.next_part()]
            for _ in range(3):
                found += [*take(asked)[0], asked.next_part()]
            assert asked.has_data is told.has_data
    assert found == expected
    assert b"".join(map(bytes_of, found)) == b"abcd"


@ROLES
@pytest.mark.parametrize("size", [0, 1, 126, 65536])
def test_a_message_is_taken_when_its_last_byte_has_come(role: Role, size: int) -> None:
    one, mask = frame(BINARY, b"x" * size, mask=mask_of(role)), mask_of(role)
    engine = codec(role)
    engine.receive_data(frame(TEXT, b"a", mask=mask) + one[:-1])
    assert take(engine) == (["a"], [1])
    assert engine.has_data is (size < 126)  # what is longer is gathered
    engine.receive_data(one[-1:])
    assert take(engine) == ([b"x" * size], [size])
    assert not engine.has_data


def test_text_that_is_none_is_left_to_the_rules_about_messages() -> None:
    """RFC 6455 §8.1: it is no fault of the framing."""
    engine = codec()
    engine.receive_data(frame(TEXT, b"\xff"))
    assert take(engine) == ([], [])
    assert engine.next_part() == FramePart(Opcode.TEXT, b"\xff", True, True)


# -------------------------------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("opcode", list(Opcode))
@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("rsv1", [True, False])
def test_every_frame_is_written_as_the_standard_has_it(
    size: int, opcode: Opcode, fin: bool, rsv1: bool
) -> None:
    """RFC 6455 §5.1, §5.2: a client masks and a server does not; the shortest form of the length."""
    payload = b"x" * size
    assert codec("client").frame(fin << 7 | rsv1 << 6 | opcode, payload) == (
        frame(opcode, payload, fin=fin, rsv=4 * rsv1, mask=COUNTED_MASK)
    )
    assert codec("server").frame(fin << 7 | rsv1 << 6 | opcode, payload) == (
        frame(opcode, payload, fin=fin, rsv=4 * rsv1, mask=None)
    )


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 125])
def test_each_frame_of_a_client_has_a_fresh_key(size: int) -> None:
    """RFC 6455 §5.3: drawn from the source that was passed in, four bytes and no more."""
    keys, drawn = iter([b"\x01\x02\x03\x04", b"\xff\x00\xff\x00"]), list[int]()

    def draw(n: int) -> bytes:
        drawn.append(n)
        return next(keys)

    engine = NativeFrameEngine("client", admit, draw, pure)
    payload = bytes(range(size))
    written = engine.frame(0x82, payload) + engine.frame(0x89, payload)
    assert read_frames(written) == [
        Frame(BINARY, payload, True, b"\x01\x02\x03\x04"),
        Frame(PING, payload, True, b"\xff\x00\xff\x00"),
    ]
    assert drawn == [4, 4]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_a_long_payload_of_a_server_is_not_copied(size: int) -> None:
    payload = b"x" * size
    pieces = codec("server").frame_apart(0x41, payload)
    assert b"".join(pieces) == frame(TEXT, payload, fin=False, rsv=4, mask=None)
    assert pieces[1] is payload


def test_a_client_masks_all_of_it() -> None:
    engine = NativeFrameEngine("client", admit, lambda n: MASK[:n], pure)
    assert engine.frame_apart(0x82, b"x" * 300) == (frame(BINARY, b"x" * 300, mask=MASK),)


def test_a_server_draws_nothing() -> None:
    def draw(n: int) -> bytes:
        raise AssertionError(n)

    assert NativeFrameEngine("server", admit, draw, pure).frame(0x81, b"a") == b"\x81\x01a"


# -------------------------------------------------------------------------------------------------- compressed messages

RSV1 = 4


def compressed(
    payload: bytes, opcode: int = BINARY, role: Role = "server", *, fin: bool = True, rsv: int = RSV1
) -> bytes:
    return frame(opcode, payload, fin=fin, rsv=rsv, mask=mask_of(role))


def doubled(payload: bytes, is_text: bool, longest: int) -> tuple[str | bytes, int] | None:
    """Stand in for zlib: what it is given comes out twice, unless that is too long."""
    size = 2 * len(payload)
    if size > longest:
        return None
    return (payload * 2).decode() if is_text else payload * 2, size


def inflated(
    engine: NativeFrameEngine, most: int = MOST, room: int = MOST, longest: int = MOST
) -> tuple[list[str | bytes], list[int]]:
    """Take compressed messages; what is said to be left is."""
    messages, sizes, has_data = engine.take_compressed(doubled, most, room, longest)
    assert has_data is engine.has_data
    return messages, sizes


@ROLES
def test_a_run_of_compressed_messages_is_taken_at_once(role: Role) -> None:
    """RFC 7692 §6; a plain one ends the run, as a compressed one ends that of plain ones."""
    engine = codec(role)
    engine.receive_data(
        compressed("é".encode(), TEXT, role)
        + compressed(b"", role=role)
        + compressed(b"\xff" * 126, role=role)
        + compressed(b"a", role=role, rsv=0)
        + compressed(b"b", TEXT, role)
    )
    assert take(engine) == ([], [])
    assert inflated(engine) == (["éé", b"", b"\xff" * 252], [4, 0, 252])
    assert inflated(engine) == ([], [])
    assert take(engine) == ([b"a"], [1])
    assert inflated(engine) == (["bb"], [2])
    assert not engine.has_data
    assert inflated(engine) == ([], [])


@ROLES
@pytest.mark.parametrize(
    ("bounds", "taken"),
    [
        *(((most, MOST, MOST), min(most, 3)) for most in (0, 1, 3, 4)),
        *(((MOST, room, MOST), taken) for room, taken in [(0, 0), (1, 1), (6, 1), (7, 2), (12, 2), (13, 3)]),
        *(((MOST, MOST, longest), taken) for longest, taken in [(5, 0), (6, 2), (7, 2), (8, 3)]),
    ],
)
def test_what_is_beyond_a_bound_is_left_compressed(
    role: Role, bounds: tuple[int, int, int], taken: int
) -> None:
    """They are about what comes out; and what `inflate` does not take is left as well."""
    payloads = [b"abc", b"def", b"ghij"]
    engine = codec(role)
    engine.receive_data(b"".join(compressed(each, role=role) for each in payloads))
    assert inflated(engine, *bounds) == ([each * 2 for each in payloads[:taken]], [6, 6, 8][:taken])
    assert engine.has_data is (taken < 3)
    rest = [FramePart(Opcode.BINARY, each, True, True, True) for each in payloads[taken:]]
    assert parts(engine) == rest


@ROLES
@pytest.mark.parametrize("size", [0, 1, 125, 126, AT_ONCE])
def test_a_compressed_message_is_taken_when_its_last_byte_has_come(role: Role, size: int) -> None:
    data = compressed(bytes(size), role=role)
    for end in {*range(min(len(data), 12)), len(data) - 1}:
        engine = codec(role)
        engine.receive_data(data[:end])
        assert inflated(engine) == ([], [])
        engine.receive_data(data[end:])
        assert inflated(engine) == ([bytes(2 * size)], [2 * size])
        assert not engine.has_data


@pytest.mark.parametrize(
    "data",
    [
        compressed(b"a", fin=False),
        compressed(b"a", CONTINUATION),
        compressed(b"a", rsv=RSV1 | 1),
        compressed(b"a", rsv=RSV1 | 2),
        compressed(b"a", PING),
        compressed(bytes(AT_ONCE + 1)),
        compressed(bytes(65536)),
        compressed(b"a", role="client"),
        b"\xc2\xfe\x00\x7d" + bytes(4 + 125),
    ],
)
def test_what_is_no_whole_compressed_message_is_left(data: bytes) -> None:
    """A fragment, other bits, other opcodes, one that is too long for one go, no mask, a length that is not in its shortest
    form.
    """
    engine = codec()
    engine.receive_data(compressed(b"b") + data)
    assert inflated(engine) == ([b"bb"], [2])
    assert inflated(engine) == ([], [])
    assert engine.has_data


def test_a_client_takes_no_compressed_message_with_a_mask() -> None:
    """RFC 6455 §5.1."""
    engine = codec("client")
    engine.receive_data(compressed(b"a"))
    assert inflated(engine) == ([], [])
    assert engine.has_data


@ROLES
def test_no_compressed_message_is_taken_from_the_middle_of_a_frame(role: Role) -> None:
    """Its payload may look like a frame."""
    trap = compressed(b"trap", role=role)
    data = compressed(b"a" + trap, role=role, rsv=0)
    begins = len(data) - len(trap)
    engine = codec(role)
    engine.receive_data(data[:begins])
    assert engine.next_part() == FramePart(Opcode.BINARY, b"a", False, True)
    assert inflated(engine) == ([], [])
    engine.receive_data(data[begins:])
    assert inflated(engine) == ([], [])
    assert engine.next_part() == FramePart(Opcode.BINARY, trap, True, True)


# ---------------------------------------------------------------------------------------------- messages of several reads


GATHERED = ("grüße " * 40).encode()


def one_after_the_other(engine: NativeFrameEngine, data: bytes, step: int) -> list[str | bytes]:
    """Give it so many bytes at a time, with the question; return the messages."""
    found = list[str | bytes]()
    for start in range(0, len(data), step):
        messages, sizes = take(engine, data=data[start : start + step])
        assert sizes == [len(each.encode() if isinstance(each, str) else each) for each in messages]
        found += messages
    return found


@ROLES
@pytest.mark.parametrize("step", [1, 2, 3, 7, 100, 400, 5000])
def test_a_long_message_is_taken_in_whatever_pieces_it_comes(role: Role, step: int) -> None:
    mask = mask_of(role)
    sent: list[str | bytes] = [
        "a",
        GATHERED.decode(),
        b"",
        GATHERED,
        b"\xff" * 125,
        b"\xff" * 126,
        b"x" * 70000,
        "z",
    ]
    opcodes = [TEXT if isinstance(each, str) else BINARY for each in sent]
    payloads = [each.encode() if isinstance(each, str) else each for each in sent]
    data = b"".join(frame(*each, mask=mask) for each in zip(opcodes, payloads, strict=True))
    engine = codec(role)
    assert one_after_the_other(engine, data, step) == sent
    assert not engine.has_data
    assert engine.next_part() is None


@ROLES
@pytest.mark.parametrize("came", [0, 1, 2, 3, 4, len(GATHERED) - 1])
def test_what_is_gathered_is_not_copied_to_be_dropped(
    role: Role, came: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be dropped because there is no memory; its rest is to be found all the same."""
    data = frame(BINARY, GATHERED, mask=mask_of(role)) + frame(TEXT, b"a", mask=mask_of(role))
    end = data.index(frame(BINARY, GATHERED, mask=mask_of(role))[-len(GATHERED) :]) + came
    engine = codec(role)
    monkeypatch.setattr(pure.Arrival, "so_far", _no_memory)
    assert take(engine, data=data[:end]) == ([], [])
    part = FramePart(Opcode.BINARY, b"", False, True)
    assert engine.take_begun(is_wanted=False) == (part if came else None)
    assert engine.take_begun(is_wanted=False) is None
    assert take(engine, data=data[end:]) == ([], [])
    assert parts(engine) == [
        FramePart(Opcode.BINARY, GATHERED[came:], True, True),
        FramePart(Opcode.TEXT, b"a", True, True),
    ]


def _no_memory(self: object) -> bytes:
    raise MemoryError


@ROLES
def test_what_is_gathered_can_be_given_up_at_any_byte(role: Role) -> None:
    """Then it comes in parts, of which the first is all that was there."""
    data = frame(BINARY, GATHERED, mask=mask_of(role)) + frame(TEXT, b"a", mask=mask_of(role))
    header = data.index(frame(BINARY, GATHERED, mask=mask_of(role))[-len(GATHERED) :])
    for end in range(header, header + len(GATHERED)):
        for ask in (NativeFrameEngine.take_begun, NativeFrameEngine.next_part):
            engine, came = codec(role), end - header
            assert take(engine, data=data[:end]) == ([], [])
            part = FramePart(Opcode.BINARY, GATHERED[:came], False, True)
            assert ask(engine) == (part if came else None)
            assert engine.take_begun() is None
            assert take(engine, data=data[end:]) == ([], [])
            assert parts(engine) == [
                FramePart(Opcode.BINARY, GATHERED[came:], True, True),
                FramePart(Opcode.TEXT, b"a", True, True),
            ]


@ROLES
@pytest.mark.parametrize("size", [130, 200, 300])
@pytest.mark.parametrize("step", [1, 50, 120, 129])
def test_text_that_cannot_go_on_is_given_up_with_all_that_follows(role: Role, size: int, step: int) -> None:
    """The rules find at the same byte what they always found there."""
    payload = (b"a" * 129 + b"\xff").ljust(size, b"b")
    whole, behind = frame(TEXT, payload, mask=mask_of(role)), frame(TEXT, b"c", mask=mask_of(role))
    header = len(whole) - size
    engine, end = codec(role), 0
    while end < header + 130:
        assert not engine.has_data or end < header
        assert take(engine, data=whole[end : end + step]) == ([], [])
        end = min(end + step, len(whole))
    assert engine.has_data
    assert take(engine, data=whole[end:] + behind) == ([], [])
    came = end - header
    found = parts(engine)
    assert found[0] == FramePart(Opcode.TEXT, payload[:came], came == size, True)
    assert b"".join(part.data for part in found) == payload + b"c"
    assert [part.ends_frame for part in found[-2:]] == [True, True]
    assert not engine.has_data


@ROLES
@pytest.mark.parametrize(("most", "room"), [(0, MOST), (MOST, 0)])
def test_no_more_is_gathered_where_there_is_no_room_for_the_message(role: Role, most: int, room: int) -> None:
    data = frame(BINARY, GATHERED, mask=mask_of(role))
    engine = codec(role)
    assert take(engine, most, room, data=data[:-1]) == ([], [])
    assert engine.has_data
    assert take(engine) == ([], [])
    assert not engine.has_data
    assert take(engine, most, room, data=data[-1:]) == ([], [])
    assert engine.has_data
    assert take(engine) == ([GATHERED], [len(GATHERED)])


@ROLES
def test_the_message_that_was_gathered_counts(role: Role) -> None:
    small = frame(BINARY, b"b", mask=mask_of(role))
    data = frame(BINARY, GATHERED, mask=mask_of(role))
    for most, room, behind in [
        (1, MOST, []),
        (2, MOST, [b"b"]),
        (9, len(GATHERED), []),
        (9, len(GATHERED) + 1, [b"b"]),
    ]:
        engine = codec(role)
        assert take(engine, data=data[:-1]) == ([], [])
        assert take(engine, most, room, data=data[-1:] + small * 2)[0] == [GATHERED, *behind]
        assert engine.has_data
        assert take(engine)[0] == [b"b"] * (2 - len(behind))


@ROLES
def test_nothing_is_gathered_behind_the_last_message_that_there_is_room_for(role: Role) -> None:
    data = frame(BINARY, b"ab", mask=mask_of(role)) + frame(BINARY, GATHERED, mask=mask_of(role))[:-1]
    for most, room in ((1, MOST), (MOST, 2)):
        engine = codec(role)
        assert take(engine, most, room, data=data) == ([b"ab"], [2])
        assert engine.has_data
        assert take(engine) == ([], [])
        assert not engine.has_data


def not_gathered(role: Role) -> list[bytes]:
    mask, other = mask_of(role), None if role == "server" else MASK
    long = b"x" * 300
    return [
        frame(TEXT, long, mask=other),
        frame(TEXT, long, fin=False, mask=mask),
        frame(CONTINUATION, long, mask=mask),
        frame(BINARY, long, rsv=4, mask=mask),
        frame(BINARY, b"x" * 125, mask=mask),
        frame(BINARY, b"x" * 65536, mask=mask),
        bytes((0x82, 126 | (mask is not None) << 7)) + b"\x00\x7d" + (mask or b"") + long,
        bytes((0x82, 127 | (mask is not None) << 7)) + b"\0" * 6 + b"\xff\xff" + (mask or b"") + long,
    ]


@ROLES
@pytest.mark.parametrize("place", range(8))
def test_anything_else_is_left_to_the_rules(role: Role, place: int) -> None:
    data = not_gathered(role)[place][:-1][:200]
    engine = codec(role)
    assert take(engine, longest=65535, data=data) == ([], [])
    assert engine.has_data
    assert engine.take_begun() is None


# ----------------------------------------------------------------------------------------------------------------- cuts

keys = st.binary(min_size=4, max_size=4)
data_frames = st.builds(
    frame,
    st.sampled_from([TEXT, BINARY, CONTINUATION]),
    st.binary(max_size=300),
    fin=st.booleans(),
    mask=keys,
)
controls = st.builds(frame, st.sampled_from([PING, PONG, CLOSE_FRAME]), st.binary(max_size=125), mask=keys)
streams = st.lists(data_frames | controls, min_size=1, max_size=6).map(b"".join)


@given(streams.flatmap(lambda data: st.tuples(st.just(data), cuts(data))))
def test_cuts_do_not_matter(given_stream: tuple[bytes, list[bytes]]) -> None:
    """And a reader made by hand reads the same."""
    data, pieces = given_stream
    expected = [FramePart(Opcode(each.opcode), each.payload, True, each.fin) for each in read_frames(data)]
    assert decode(pieces) == decode([data]) == expected


@given(
    st.lists(st.text(max_size=20) | st.binary(max_size=150), min_size=1, max_size=8),
    st.data(),
    st.integers(1, 4),
)
def test_messages_and_parts_may_be_taken_in_turn(
    sent: list[str | bytes], chosen: st.DataObject, most: int
) -> None:
    """Whatever is taken as a message, and whatever in parts, nothing is lost and nothing comes twice."""
    payloads = [each.encode() if isinstance(each, str) else each for each in sent]
    opcodes = [TEXT if isinstance(each, str) else BINARY for each in sent]
    data = b"".join(frame(*each) for each in zip(opcodes, payloads, strict=True))
    engine, found, begun = codec(), list[bytes](), b""
    for piece in chosen.draw(cuts(data)):
        engine.receive_data(piece)
        while True:
            messages, sizes = take(engine, most, MOST, 40)
            assert not (begun and messages)
            found += [each.encode() if isinstance(each, str) else each for each in messages]
            assert sizes == [len(each) for each in found[len(found) - len(messages) :]]
            part = engine.next_part()
            if part is None:
                break
            begun += part.data
            if part.ends_frame:
                found.append(begun)
                begun = b""
    assert found == payloads
