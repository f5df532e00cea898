"""Tests of `spry_core.protocol.engines.pure`: the primitives in Python. What they have to do, C has to do too, so each test is
given those in C as well where they are built.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Final, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import BINARY, CLOSE_FRAME, CONTINUATION, MASK, PING, PONG, TEXT, frame, masked
from spry_core.errors import RemoteProtocolError
from spry_core.protocol import Limits, RawFields
from spry_core.protocol.engines import pure
from spry_core.protocol.engines.interface import Primitives
from spry_core.protocol.head import HeadScanner

SPEEDUPS: Final = "spry_core.speedups"
EACH: Final[list[Primitives]] = [pure]
if find_spec(SPEEDUPS) is not None:
    EACH.append(cast("Primitives", import_module(SPEEDUPS)))

each = pytest.mark.parametrize("primitives", EACH, ids=lambda module: module.__name__.rpartition(".")[2])
keys = st.binary(min_size=4, max_size=4)
MOST: Final = 1 << 30
"""No bound at all."""

# -------------------------------------------------------------------------------------------------------------- masking


@each
@pytest.mark.parametrize("size", [*range(70), 1000, 65536, 65539])
def test_each_byte_is_unmasked_with_its_own_of_the_key(primitives: Primitives, size: int) -> None:
    """RFC 6455 §5.3."""
    payload = bytes(i * 7 & 0xFF for i in range(size))
    expected = bytes(byte ^ MASK[i & 3] for i, byte in enumerate(payload))
    assert primitives.unmask(payload, 0, size, MASK) == expected


@each
@given(st.binary(max_size=40), st.data(), keys)
def test_a_part_of_the_data_is_unmasked(
    primitives: Primitives, data: bytes, chosen: st.DataObject, key: bytes
) -> None:
    start = chosen.draw(st.integers(0, len(data)))
    end = chosen.draw(st.integers(start, len(data)))
    assert primitives.unmask(data, start, end, key) == masked(data[start:end], key)


# --------------------------------------------------------------------------------------------------------------- frames


@each
@pytest.mark.parametrize("size", [0, 1, 124, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("key", [None, MASK, b"\x00\x00\x00\x00"])
def test_a_frame_has_the_shortest_form_of_its_length(
    primitives: Primitives, size: int, key: bytes | None
) -> None:
    """RFC 6455 §5.2: 7, 16 and 64 bits."""
    payload = bytes(i & 0xFF for i in range(size))
    assert primitives.frame(0x80 | BINARY, payload, key) == frame(BINARY, payload, mask=key)


@each
@pytest.mark.parametrize("first", range(256))
def test_the_first_byte_is_as_it_was_given(primitives: Primitives, first: int) -> None:
    assert primitives.frame(first, b"a", None) == bytes((first, 1)) + b"a"
    assert primitives.frame(first, b"a", b"\x01\x02\x03\x04") == bytes((first, 0x81)) + b"\x01\x02\x03\x04`"


# ------------------------------------------------------------------------------------------------------------- messages

ROLES: Final = pytest.mark.parametrize("mask", [MASK, None], ids=["masked", "bare"])


def scan(
    primitives: Primitives,
    data: bytes,
    mask: bytes | None,
    most: int = MOST,
    room: int = MOST,
    longest: int = MOST,
) -> tuple[list[str | bytes], list[int], int]:
    return primitives.scan(data, 0, mask is not None, most, room, longest)


@each
@ROLES
def test_messages_of_one_frame_are_taken(primitives: Primitives, mask: bytes | None) -> None:
    """RFC 6455 §5.6; the size of a text is that of its bytes."""
    data = (
        frame(TEXT, "aé€😀".encode(), mask=mask)
        + frame(BINARY, b"\xff\x00", mask=mask)
        + frame(TEXT, mask=mask)
        + frame(BINARY, mask=mask)
    )
    assert scan(primitives, data, mask) == (["aé€😀", b"\xff\x00", "", b""], [10, 2, 0, 0], len(data))


@each
@ROLES
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
def test_every_length_is_read_and_every_cut_leaves_the_frame(
    primitives: Primitives, mask: bytes | None, size: int
) -> None:
    first, last = frame(BINARY, b"first", mask=mask), frame(BINARY, b"x" * size, mask=mask)
    whole = first + last
    assert scan(primitives, whole, mask) == ([b"first", b"x" * size], [5, size], len(whole))
    ends = {*range(len(first), min(len(whole), len(first) + 20)), len(whole) - 1}
    for end in ends:
        assert scan(primitives, whole[:end], mask) == ([b"first"], [5], len(first)), end


@each
@ROLES
def test_what_stands_before_the_start_is_done_with(primitives: Primitives, mask: bytes | None) -> None:
    data = b"\xff\xff\xff" + frame(TEXT, b"a", mask=mask)
    assert primitives.scan(data, 3, mask is not None, MOST, MOST, MOST) == (["a"], [1], len(data))
    for start in (len(data) - 1, len(data)):
        assert primitives.scan(data, start, mask is not None, MOST, MOST, MOST) == ([], [], start)


@each
@ROLES
@pytest.mark.parametrize("n", range(5))
def test_at_most_so_many_are_taken(primitives: Primitives, mask: bytes | None, n: int) -> None:
    one = frame(TEXT, b"a", mask=mask)
    taken = min(n, 3)
    assert scan(primitives, one * 3, mask, most=n) == (["a"] * taken, [1] * taken, taken * len(one))


@each
@ROLES
@pytest.mark.parametrize(
    ("room", "taken"), [(-1, 0), (0, 0), (1, 1), (9, 1), (10, 1), (11, 2), (20, 2), (21, 3)]
)
def test_the_last_is_the_one_with_which_there_is_no_more_room(
    primitives: Primitives, mask: bytes | None, room: int, taken: int
) -> None:
    one = frame(BINARY, b"x" * 10, mask=mask)
    expected = [b"x" * 10] * taken, [10] * taken, taken * len(one)
    assert scan(primitives, one * 4, mask, room=room) == expected


@each
@ROLES
def test_an_empty_one_takes_no_room(primitives: Primitives, mask: bytes | None) -> None:
    data = frame(TEXT, mask=mask) * 3 + frame(TEXT, b"a", mask=mask) * 2
    assert scan(primitives, data, mask, room=1)[0] == ["", "", "", "a"]


@each
@ROLES
@pytest.mark.parametrize("size", [3, 125, 126, 65535, 65536])
def test_none_that_is_longer_is_taken(primitives: Primitives, mask: bytes | None, size: int) -> None:
    short, long = frame(BINARY, mask=mask), frame(BINARY, b"x" * size, mask=mask)
    for longest in (size, size + 1):
        whole = scan(primitives, short + long, mask, longest=longest)
        assert whole == ([b"", b"x" * size], [0, size], len(short + long))
    assert scan(primitives, short + long, mask, longest=size - 1) == ([b""], [0], len(short))


def left(mask: bytes | None) -> list[bytes]:
    """Return frames that are not plainly messages."""
    bits = 0 if mask is None else 0x80
    key = mask or b""
    return [
        *(frame(opcode, b"a", mask=mask) for opcode in (CONTINUATION, 3, 7, CLOSE_FRAME, PING, PONG, 11, 15)),
        *(frame(TEXT, b"a", rsv=rsv, mask=mask) for rsv in range(1, 8)),
        *(frame(opcode, b"a", fin=False, mask=mask) for opcode in (TEXT, BINARY)),
        frame(TEXT, b"a", mask=MASK if mask is None else None),  # RFC 6455 §5.1
        frame(BINARY, b"x" * 126, mask=MASK if mask is None else None),
        frame(BINARY, b"x" * 65536, mask=MASK if mask is None else None),
        *(frame(BINARY, b"x" * size, mask=mask, length_form=16) for size in (0, 125)),
        *(frame(BINARY, b"x" * size, mask=mask, length_form=64) for size in (0, 125, 126, 65535)),
        b"\x82" + bytes((bits | 127,)) + b"\xff" * 8 + key + b"x" * 20,
        b"\x82" + bytes((bits | 127,)) + b"\x80" + bytes(7) + key + b"x" * 20,
        *(
            frame(TEXT, text, mask=mask)
            for text in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xe2\x82")
        ),
    ]


@each
@ROLES
@pytest.mark.parametrize("number", range(len(left(None))))
def test_what_is_anything_else_is_left_with_all_that_follows(
    primitives: Primitives, mask: bytes | None, number: int
) -> None:
    one, other = frame(TEXT, b"one", mask=mask), left(mask)[number]
    for before in (0, 1, 2):
        found = scan(primitives, one * before + other + one, mask)
        assert found == (["one"] * before, [3] * before, before * len(one))


# ---------------------------------------------------------------------------------------------------------------- heads

KNOWN: Final = {b"host": b"host"}
NOTABLE: Final = frozenset((b"host", b"content-length"))
NO_LIMITS: Final = (MOST, MOST, MOST, MOST)
Head = tuple[bytes, bytes, bytes, RawFields, RawFields, int]


# ------------------------------------------------------------------------------------------- messages of several reads


KEYS: Final = pytest.mark.parametrize("key", [MASK, None], ids=["masked", "plain"])


def on_the_wire(payload: bytes, key: bytes | None) -> bytes:
    return payload if key is None else masked(payload, key)


@each
@KEYS
@pytest.mark.parametrize("step", [1, 2, 3, 5, 7, 64, 1000])
def test_a_message_is_gathered_in_pieces_of_any_size(
    primitives: Primitives, key: bytes | None, step: int
) -> None:
    """RFC 6455 §5.3: the key goes on where the piece before has ended."""
    payload = bytes(i * 7 & 0xFF for i in range(1000))
    data = b"behind " + on_the_wire(payload, key) + b" before"
    arrival = primitives.arrival(False, 1000, key)
    assert arrival.so_far() == b""
    for start in range(0, 1000, step):
        end = min(start + step, 1000)
        assert arrival.add(data, 7 + start, 7 + end)
        assert arrival.so_far() == payload[:end]
    assert arrival.take() == payload


@each
@KEYS
@pytest.mark.parametrize("size", [1 << 18, (1 << 18) + 1, 1 << 20, (1 << 23) + 5])
def test_a_message_of_any_length_is_gathered(primitives: Primitives, key: bytes | None, size: int) -> None:
    payload = (bytes(range(251)) * (size // 251 + 1))[:size]
    data = on_the_wire(payload, key)
    arrival = primitives.arrival(False, size, key)
    for start in range(0, size, 65537):
        assert arrival.add(data, start, min(start + 65537, size))
    assert arrival.take() == payload


@each
@KEYS
def test_text_is_gathered_wherever_it_was_cut(primitives: Primitives, key: bytes | None) -> None:
    text = "grüße, € and \N{GRINNING FACE}, \ud7ff\ue000 and so on"
    payload = text.encode()
    data = on_the_wire(payload, key)
    for first in range(len(data) + 1):
        for second in range(first, len(data) + 1):
            arrival = primitives.arrival(True, len(data), key)
            assert all((arrival.add(data, 0, first), arrival.add(data, first, second)))
            assert arrival.so_far() == payload[:second]
            assert arrival.add(data, second, len(data))
            assert arrival.take() == text


NO_TEXT: Final = (
    *(b"\xff", b"\x80", b"\xc0", b"\xc3\xc3", b"\xe2\x82\x28", b"\xe0\x80", b"\xed\xa0", b"\xed\xbf"),
    *(b"\xf0\x80", b"\xf4\x90", b"\xf5", b"\xf0\x9f\x98a", b"a" * 20 + b"\xff", "é".encode() * 9 + b"\xff"),
)


@each
@KEYS
@pytest.mark.parametrize("wrong", NO_TEXT, ids=bytes.hex)
def test_that_text_cannot_go_on_is_said_with_the_byte_that_shows_it(
    primitives: Primitives, key: bytes | None, wrong: bytes
) -> None:
    """RFC 6455 §8.1, RFC 3629 §3; and all that has come is still there."""
    data = on_the_wire(b"ab" + wrong, key)
    for step in (1, 2, 3, len(data)):
        arrival = primitives.arrival(True, len(data) + 1, key)
        said = [arrival.add(data, at, min(at + step, len(data))) for at in range(0, len(data), step)]
        assert said == [True] * (len(said) - 1) + [False]
        assert arrival.so_far() == b"ab" + wrong


@each
@KEYS
@pytest.mark.parametrize("wrong", [*NO_TEXT, b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98"], ids=bytes.hex)
def test_a_whole_message_that_is_no_text_is_left(
    primitives: Primitives, key: bytes | None, wrong: bytes
) -> None:
    data = on_the_wire(wrong, key)
    arrival = primitives.arrival(True, len(data), key)
    arrival.add(data, 0, len(data) - 1)
    is_sound = arrival.add(data, len(data) - 1, len(data))
    assert not is_sound or arrival.take() is None
    assert arrival.so_far() == wrong


def parse(
    primitives: Primitives,
    data: bytes | bytearray,
    start: int = 0,
    limits: tuple[int, int, int, int] = NO_LIMITS,
) -> Head | None:
    return primitives.parse_head(data, start, *limits, KNOWN, NOTABLE)


HEAD: Final = b'POST /a?b="c" HTTP/1.1\r\nHOST:a\r\nX-A: \t b\t\xe9c \r\nContent-Length:0\r\nX-a:\r\n\r\n'
FIELDS: Final = ((b"host", b"a"), (b"x-a", b"b\t\xe9c"), (b"content-length", b"0"), (b"x-a", b""))


@each
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_head_is_taken_apart(primitives: Primitives, kind: type[bytes | bytearray]) -> None:
    """RFC 9112 §3, §5: names in lower case, values without the whitespace around them."""
    data = kind(b"\r\n" + HEAD + b"GET")
    expected = (b"POST", b'/a?b="c"', b"1.1", FIELDS, (FIELDS[0], FIELDS[2]), 2 + len(HEAD))
    found = parse(primitives, data, 2)
    assert found == expected
    assert found is not None
    assert [type(each) for each in (*found[:3], *found[3][1])] == [bytes] * 5


@each
def test_a_head_may_have_no_fields(primitives: Primitives) -> None:
    data = b"GET * HTTP/1.0\r\n\r\nrest"
    assert parse(primitives, data) == (b"GET", b"*", b"1.0", (), (), 18)


@each
def test_names_that_are_known_are_the_same_object(primitives: Primitives) -> None:
    found = parse(primitives, b"GET / HTTP/1.1\r\nhOst: never seen before\r\n\r\n")
    assert found is not None
    assert found[3][0][0] is KNOWN[b"host"]


@each
@pytest.mark.parametrize("end", range(len(HEAD)))
def test_a_head_that_is_not_complete_is_left(primitives: Primitives, end: int) -> None:
    assert parse(primitives, HEAD[:end]) is None


LEFT: Final = (
    *(b"", b"\r\n", b"\n", b" GET / HTTP/1.1", b"GET  / HTTP/1.1", b"GET /  HTTP/1.1", b"GET / HTTP/1.1 "),
    *(
        b"GET / HTTP/1.2",
        b"GET / HTTP/2.0",
        b"GET / http/1.1",
        b"GET / HTTP/1.10",
        b"GET /",
        b"G\xc9T / HTTP/1.1",
    ),
    *(
        b"GET /#a HTTP/1.1",
        b"GET /\x7f HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"GET / HTTP/1.1\rX",
        b"G(T / HTTP/1.1",
    ),
)
LEFT_FIELDS: Final = (
    *(
        b"a",
        b": b",
        b"a : b",
        b" a: b",
        b"\ta: b",
        b"a: b\x00",
        b"a: b\x7f",
        b"a: b\rc",
        b"\xe9: b",
        b"a(: b",
        b"a b: c",
    ),
    *(b"a: b\nc: d", b"a: b\n", b"\r", b"a: b\r"),
)


@each
@pytest.mark.parametrize("line", LEFT)
def test_a_request_line_that_is_not_plainly_in_order_is_left(primitives: Primitives, line: bytes) -> None:
    assert parse(primitives, line + b"\r\nHost: a\r\n\r\n") is None


@each
@pytest.mark.parametrize("line", LEFT_FIELDS)
def test_a_field_line_that_is_not_plainly_in_order_is_left(primitives: Primitives, line: bytes) -> None:
    """RFC 9112 §5, §5.2."""
    for before, after in ((b"", b""), (b"Host: a\r\n", b""), (b"", b"Host: a\r\n")):
        assert parse(primitives, b"GET / HTTP/1.1\r\n" + before + line + b"\r\n" + after + b"\r\n") is None


@each
@pytest.mark.parametrize("separator", [b"\n", b"\r", b"\n\r", b"\r\r\n"])
def test_every_line_ends_with_crlf(primitives: Primitives, separator: bytes) -> None:
    """RFC 9112 §2.2."""
    lines = [b"GET / HTTP/1.1", b"A: b", b"C: d", b"", b""]
    for i in range(len(lines) - 1):
        ends = [b"\r\n"] * len(lines)
        ends[i] = separator
        data = b"".join(line + end for line, end in zip(lines[:-1], ends, strict=False))
        found = parse(primitives, data + b"\r\n")
        # The empty line's end may be the beginning of what follows: then the head is not complete.
        assert found is None, (i, found)


@each
def test_the_limits_are_exact(primitives: Primitives) -> None:
    """As `HeadScanner` counts: lines without their ends, the section with them and without the empty line."""
    line, first, second = b"GET / HTTP/1.1", b"Host: a", b"A: long one"
    data = b"\r\n".join((line, first, second, b"", b""))
    exact = (len(line), len(second), len(first) + len(second) + 4, 2)
    whole = parse(primitives, data)
    assert whole is not None
    assert parse(primitives, data, 0, exact) == whole
    for i in range(4):
        less = tuple(limit - (i == place) for place, limit in enumerate(exact))
        assert len(less) == 4
        assert parse(primitives, data, 0, less) is None, i


pieces = st.sampled_from(
    [
        b"GET",
        b" ",
        b"/",
        b"HTTP/1.1",
        b"HTTP/1.0",
        b"\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"Host",
        b": ",
        b":",
        b"a",
        b"\t",
    ]
)
nearly = st.lists(pieces, max_size=12).map(b"".join)
rows = st.sampled_from(
    [b"Host: a", b"A:b ", b"A: \xff", b"X" * 20 + b": y", b"A\x00:", b" a", b"A: b\r", b"#:#"]
)
lines = st.sampled_from(
    [b"GET / HTTP/1.1", b"GET /# HTTP/1.1", b"GET /a HTTP/1.0", b"GET / HTTP/1.2", b"A B C"]
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Make a head with something behind it, or what is none."""
    whole = [draw(lines), *draw(st.lists(rows, max_size=4)), b"", b""]
    return b"\r\n".join(whole) + draw(nearly)


BOUNDS: Final = Limits(max_request_line=15, max_field_line=18, max_header_section=40, max_fields=3)


@each
@given(heads() | nearly | st.binary(max_size=40))
def test_what_is_taken_is_what_the_scanner_lets_through(primitives: Primitives, data: bytes) -> None:
    """And no more of it is left than has an empty line in front, or is not complete, or is refused."""
    limits = (BOUNDS.max_request_line, BOUNDS.max_field_line, BOUNDS.max_header_section, BOUNDS.max_fields)
    held = bytearray(data)
    try:
        head = HeadScanner("request", BOUNDS).feed(held)
    except RemoteProtocolError:
        head = None
    found = parse(primitives, data, 0, limits)
    if head is None or data.startswith(b"\r\n"):
        assert found is None
    else:
        line, *lines = head.split(b"\r\n")[:-2]
        method, target, version = line.split(b" ")
        split = [each.partition(b":") for each in lines]
        fields = tuple((name.lower(), value.strip(b" \t")) for name, _, value in split)
        noted = tuple(pair for pair in fields if pair[0] in NOTABLE)
        assert found == (method, target, version[5:], fields, noted, len(head))


@each
def test_a_line_is_taken_apart_in_the_same_way_when_it_comes_again(primitives: Primitives) -> None:
    data = b"GET / HTTP/1.1\r\nX-Again: a\r\nCookie: b\r\n\r\n"
    expected = (b"GET", b"/", b"1.1", ((b"x-again", b"a"), (b"cookie", b"b")), (), len(data))
    assert [parse(primitives, data) for _ in range(3)] == [expected] * 3


def test_no_more_lines_are_remembered_than_there_is_room_for() -> None:
    """Whatever clients send: each head is right, before and behind the place where all is forgotten."""
    for i in range(3000):
        found = parse(pure, b"GET / HTTP/1.1\r\nAccept: %d\r\n\r\n" % i)
        assert found is not None
        assert found[3] == ((b"accept", b"%d" % i),)
