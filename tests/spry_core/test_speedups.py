"""Tests of `spry_core.speedups`: whatever it is asked, it answers as `spry_core.protocol.engines.pure` does.

What the answers have to be stands in the tests of `pure`, which ask both.
"""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from frames import BINARY, MASK, PING, TEXT, frame
from spry_core.protocol.engines import pure

if TYPE_CHECKING:
    from spry_core import speedups
else:
    speedups = pytest.importorskip("spry_core.speedups", reason="the module in C is not built")

ROOT: Final = Path(__file__).parents[2]
HUGE: Final = 1 << 70
MANY: Final = settings(max_examples=1000)
SOME: Final = bytes(range(256)) * 2

# ------------------------------------------------------------------------------------------------- masking and frames


@pytest.mark.parametrize("start", range(17))
def test_every_length_at_every_alignment_is_unmasked_alike(start: int) -> None:
    for length in range(140):
        arguments = SOME, start, start + length, MASK
        assert speedups.unmask(*arguments) == pure.unmask(*arguments)


@MANY
@given(st.binary(max_size=300), st.data(), st.binary(min_size=4, max_size=4))
def test_any_part_is_unmasked_alike(data: bytes, chosen: st.DataObject, key: bytes) -> None:
    start = chosen.draw(st.integers(0, len(data)))
    end = chosen.draw(st.integers(start, len(data)))
    assert speedups.unmask(data, start, end, key) == pure.unmask(data, start, end, key)


@pytest.mark.parametrize("size", [*range(133), 65534, 65535, 65536, 65537, 1 << 20])
def test_frames_are_alike(size: int) -> None:
    payload = (SOME * (size // len(SOME) + 1))[:size]
    for key in (None, MASK):
        assert speedups.frame(0x82, payload, key) == pure.frame(0x82, payload, key)


# ----------------------------------------------------------------------------------------------------------- messages


def same_scan(
    data: bytes, start: int, masked: bool, most: int = HUGE, room: int = HUGE, longest: int = HUGE
) -> None:
    """Fail unless both find the same, in values and in types."""
    arguments = data, start, masked, most, room, longest
    found, expected = speedups.scan(*arguments), pure.scan(*arguments)
    assert found == expected, arguments
    assert list(map(type, found[0])) == list(map(type, expected[0]))


TAILS: Final = (
    *(b"", b"a", MASK, b"\0" * 7 + b"\x01a", bytes(7) + b"\x80" + MASK, SOME),
    *(b"\0\x7e" + b"x" * 140, b"\0\x7d" + b"x" * 140, b"\0\0\0\0\0\0\xff\xff" + b"x" * 20, b"\xff" * 300),
)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("tail", TAILS)
def test_every_two_first_bytes_are_read_alike(tail: bytes, masked: bool) -> None:
    for first in range(256):
        for second in range(256):
            same_scan(bytes((first, second)) + tail, 0, masked)


RUN: Final = {
    masked: b"".join(
        (
            frame(TEXT, "grüße".encode(), mask=mask),
            frame(BINARY, b"", mask=mask),
            frame(BINARY, b"\xff" * 126, mask=mask),
            frame(TEXT, b"x" * 600, mask=mask),
            frame(BINARY, b"y" * 65536, mask=mask),
            frame(TEXT, b"\xe2\x82", mask=mask),
            frame(PING, b"p", mask=mask),
        )
    )
    for masked, mask in ((True, MASK), (False, None))
}


@pytest.mark.parametrize("masked", [True, False])
def test_a_run_is_read_alike_wherever_it_begins_and_ends(masked: bool) -> None:
    run = RUN[masked]
    places = [*range(810), *range(len(run) - 40, len(run) + 3)]
    for place in places:
        same_scan(run[:place], 0, masked)
        same_scan(run, place, masked)


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("limit", ["most", "room", "longest"])
def test_every_limit_is_kept_alike(masked: bool, limit: str) -> None:
    edges = (*range(-2, 12), *range(120, 140), 600, 601, 65535, 65536, sys.maxsize, sys.maxsize + 1, -HUGE)
    for edge in edges:
        same_scan(RUN[masked], 0, masked, **{limit: edge})


@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize(
    "length", [125, 126, 127, 65535, 65536, (1 << 63) - 14, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]
)
def test_a_length_that_nothing_has_is_left_alike(masked: bool, length: int) -> None:
    """RFC 6455 §5.2: 64 bits, of which no more than the data are believed."""
    header = bytes((0x82, 0x7F | masked << 7)) + length.to_bytes(8, "big")
    for size in (0, 3, 4, 5, 20, 65540):
        same_scan(header + bytes(size), 0, masked)


def maybe_cut(first: int, payload: bytes, key: bytes | None, lost: int) -> bytes:
    return pure.frame(first, payload, key)[: -lost or None]


frames = st.builds(
    maybe_cut,
    st.sampled_from([0x81, 0x81, 0x82, 0x82, 0x89, 0x01, 0xC1]),
    st.one_of(st.text(max_size=50).map(str.encode), st.binary(max_size=150)),
    st.one_of(st.binary(min_size=4, max_size=4), st.none()),
    st.sampled_from([0, 0, 0, 1]),
)


@MANY
@given(st.lists(frames, max_size=6).map(b"".join), st.booleans(), *[st.integers(-1, 300)] * 4)
def test_any_frames_are_read_alike(
    data: bytes, masked: bool, start: int, most: int, room: int, longest: int
) -> None:
    same_scan(data, max(start, 0) % (len(data) + 1), masked, most, room, longest)


@MANY
@given(
    st.binary(max_size=40),
    st.sampled_from([b"", b"\x81", b"\x82", b"\x81\xfe\0", b"\x82\x7f\0"]),
    st.booleans(),
)
def test_any_bytes_are_read_alike(data: bytes, before: bytes, masked: bool) -> None:
    same_scan(before + data, 0, masked)


# ----------------------------------------------------------------------------------------------- messages of several reads


@MANY
@given(
    st.lists(st.one_of(st.binary(max_size=20), st.text(max_size=9).map(str.encode)), max_size=8),
    st.booleans(),
    st.one_of(st.binary(min_size=4, max_size=4), st.none()),
    st.integers(0, 1),
)
def test_any_message_is_gathered_alike(
    pieces: list[bytes], is_text: bool, key: bytes | None, missing: int
) -> None:
    """Up to where one of them says that it cannot go on; both say that together."""
    length = sum(map(len, pieces)) + missing
    ours, theirs = pure.arrival(is_text, length, key), speedups.arrival(is_text, length, key)
    for piece in pieces:
        is_sound = ours.add(piece, 0, len(piece))
        if sum(map(len, pieces)) == length and len(ours.so_far()) == length:
            theirs.add(piece, 0, len(piece))  # of the whole `take` tells
            break
        assert theirs.add(piece, 0, len(piece)) is is_sound
        assert theirs.so_far() == ours.so_far()
        if not is_sound:
            return
    assert theirs.so_far() == ours.so_far()
    if len(ours.so_far()) == length:
        found = theirs.take()
        payload = ours.so_far() if found is None else found
        try:
            expected = payload.decode() if isinstance(payload, bytes) and is_text else payload
        except UnicodeDecodeError:
            expected = None
        assert found == expected


@pytest.mark.parametrize("length", [10, 1 << 18, 1 << 20, 5_000_000])
def test_an_arrival_holds_its_message_and_an_eighth_at_most(length: int) -> None:
    """Also while it makes room, and little before much has come."""
    step = bytes(65536)
    tracemalloc.start()
    try:
        arrival = speedups.arrival(False, length, MASK)
        for start in range(0, length, len(step)):
            tracemalloc.reset_peak()
            arrival.add(step, 0, min(len(step), length - start))
            held, peak = tracemalloc.get_traced_memory()
            assert peak < length + length // 8 + 2000
            assert held < max(1 << 18, 8 * (start + len(step))) + 2000
        message = arrival.take()
        del arrival
        assert tracemalloc.get_traced_memory()[0] < length + 2000  # the message, which was not copied
        assert message == pure.unmask(bytes(length), 0, length, MASK)
    finally:
        tracemalloc.stop()


def test_a_message_is_taken_once_and_whole() -> None:
    arrival = speedups.arrival(False, 3, None)
    arrival.add(b"ab", 0, 2)
    with pytest.raises(ValueError, match=r"^some of the message is missing$"):
        arrival.take()
    with pytest.raises(ValueError, match=r"^not a part of the data, or more than is missing$"):
        arrival.add(b"cd", 0, 2)
    arrival.add(b"cd", 0, 1)
    assert arrival.take() == b"abc"
    with pytest.raises(ValueError, match=r"^some of the message is missing$"):
        arrival.take()
    assert arrival.so_far() == b""


@pytest.mark.parametrize(("start", "end"), [(1, 0), (0, 4), (-1, 2), (0, -1), (HUGE, HUGE)])
def test_an_arrival_takes_only_what_is_there(start: int, end: int) -> None:
    arrival = speedups.arrival(False, 9, None)
    with pytest.raises((ValueError, OverflowError, IndexError)):
        arrival.add(b"abc", start, end)
    assert arrival.so_far() == b""


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        ((False, 1), TypeError),
        ((False, 1, None, None), TypeError),
        ((False, -1, None), ValueError),
        ((False, "1", None), TypeError),
        ((False, 1, "abcd"), TypeError),
        ((False, 1, b"abc"), ValueError),
    ],
)
def test_an_arrival_needs_a_length_and_a_key(arguments: tuple[object, ...], kind: type[Exception]) -> None:
    make: Callable[..., object] = getattr(speedups, "arrival")  # noqa: B009 - the checkers are not to look
    with pytest.raises(kind):
        make(*arguments)


def test_a_length_for_which_there_is_no_memory_is_an_error_when_it_is_needed() -> None:
    arrival = speedups.arrival(False, sys.maxsize, None)
    assert arrival.add(b"a", 0, 1)  # not all at once
    assert arrival.so_far() == b"a"


def test_an_empty_message_arrives_with_nothing() -> None:
    assert speedups.arrival(True, 0, MASK).take() == ""
    assert speedups.arrival(False, 0, None).take() == b""


# -------------------------------------------------------------------------------------------------------------- heads

HEAD: Final = b"POST /a?b HTTP/1.1\r\nHost: a\r\nX-Y:\t b c\t \r\nContent-Length: 0\r\nVia:\r\n\r\n"
KNOWN: Final = {name: name for name in (b"host", b"content-length", b"connection")}
NOTABLE: Final = frozenset((b"content-length", b"host", b"x-y"))
NO_LIMITS: Final = (HUGE, HUGE, HUGE, HUGE)


def same_head(data: bytes, start: int = 0, limits: tuple[int, int, int, int] = NO_LIMITS) -> bool:
    """Fail unless both find the same; tell whether that is a head."""
    expected = pure.parse_head(data, start, *limits, KNOWN, NOTABLE)
    assert speedups.parse_head(data, start, *limits, KNOWN, NOTABLE) == expected, (data, start, limits)
    assert speedups.parse_head(bytearray(data), start, *limits, KNOWN, NOTABLE) == expected
    return expected is not None


def test_any_byte_at_any_place_is_judged_alike() -> None:
    heads = 0
    for place in range(len(HEAD)):
        for byte in range(256):
            heads += same_head(HEAD[:place] + bytes((byte,)) + HEAD[place + 1 :])
            heads += same_head(HEAD[:place] + bytes((byte,)) + HEAD[place:])
    assert 10_000 < heads < 30_000


def test_a_head_is_read_alike_wherever_it_begins_and_ends() -> None:
    data = HEAD + HEAD
    for place in range(len(data) + 3):
        same_head(data, place)
        same_head(data[:place], 0)
        same_head(HEAD[:place] + HEAD[place + 1 :])
        same_head(HEAD[:place] + HEAD[place + 2 :])


@pytest.mark.parametrize("place", range(4))
def test_every_limit_of_a_head_is_kept_alike(place: int) -> None:
    kept = 0
    for edge in (*range(-2, len(HEAD) + 2), sys.maxsize, sys.maxsize + 1, -HUGE):
        limits = [HUGE] * 4
        limits[place] = edge
        kept += same_head(HEAD, 0, (limits[0], limits[1], limits[2], limits[3]))
        same_head(b"GET / HTTP/1.1\r\n\r\n", 0, (limits[0], limits[1], limits[2], limits[3]))
    line, *fields = HEAD.split(b"\r\n")[:-2]
    least = (len(line), max(map(len, fields)), sum(len(field) + 2 for field in fields), len(fields))[place]
    assert kept == len(HEAD) + 4 - least


lines = st.one_of(
    st.sampled_from(
        [b"Host: a", b"Connection:close", b"X-Y: \xff", b"A:", b": a", b" a: b", b"a : b", b"a\t:b"]
    ),
    st.sampled_from(
        [b"a: b\rc", b"a: \0", b"GET / HTTP/1.1", b"\r", b"", b"\x80: a", b"a: \x7f", b"HOST:\t\ta "]
    ),
    st.binary(max_size=12),
)


@MANY
@example([], b"\r\n", [])
@given(
    st.lists(lines, max_size=6),
    st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r\r\n"]),
    st.lists(st.integers(0, 60), max_size=4),
)
def test_any_lines_are_read_alike(fields: list[bytes], end: bytes, limits: list[int]) -> None:
    first, second, third, fourth = (*limits, *NO_LIMITS)[:4]
    data = end.join((b"GET / HTTP/1.1", *fields, b"", b"rest"))
    same_head(data, 0, (first, second, third, fourth))


# ---------------------------------------------------------------------------------------------------------- arguments

LIMITS: Final = (100, 100, 100, 100)

WRONG: Final[list[tuple[str, tuple[object, ...], type[Exception], str]]] = [
    ("unmask", (), TypeError, r"^unmask\(\) takes 4 positional arguments, not 0$"),
    ("unmask", (b"a", 0, 1, MASK, None), TypeError, r"^unmask\(\) takes 4 positional arguments, not 5$"),
    ("unmask", (bytearray(b"a"), 0, 1, MASK), TypeError, "bytearray"),
    ("unmask", (b"a", "0", 1, MASK), TypeError, "str"),
    ("unmask", (b"a", 0, 1.0, MASK), TypeError, "float"),
    ("unmask", (b"a", 0, 1, "1234"), TypeError, "str"),
    ("unmask", (b"a", 0, 1, None), TypeError, "NoneType"),
    ("unmask", (b"a", 0, 1, b"123"), ValueError, r"^a masking key has four bytes$"),
    ("unmask", (b"a", 0, 1, b"12345"), ValueError, r"^a masking key has four bytes$"),
    ("unmask", (b"a", -1, 1, MASK), ValueError, r"^a position before the first byte$"),
    ("unmask", (b"a", 0, -1, MASK), ValueError, r"^a position before the first byte$"),
    ("unmask", (b"a", 0, 2, MASK), ValueError, r"^not a part of the data$"),
    ("unmask", (b"a", 1, 0, MASK), ValueError, r"^not a part of the data$"),
    ("unmask", (b"a", HUGE, HUGE, MASK), OverflowError, "cannot fit"),
    ("unmask", (b"a", sys.maxsize, sys.maxsize, MASK), ValueError, r"^not a part of the data$"),
    ("frame", (1,), TypeError, r"^frame\(\) takes 3 positional arguments, not 1$"),
    ("frame", (1, b"a", None, None), TypeError, r"^frame\(\) takes 3 positional arguments, not 4$"),
    ("frame", ("1", b"a", None), TypeError, "str"),
    ("frame", (1, "a", None), TypeError, "str"),
    ("frame", (1, b"a", 0), TypeError, "int"),
    ("frame", (1, b"a", b""), ValueError, r"^a masking key has four bytes$"),
    ("frame", (-1, b"a", None), ValueError, r"^the first byte of a frame is one byte$"),
    ("frame", (256, b"a", None), ValueError, r"^the first byte of a frame is one byte$"),
    ("frame", (HUGE, b"a", None), ValueError, r"^the first byte of a frame is one byte$"),
    ("scan", (b"a", 0, True, 1, 1), TypeError, r"^scan\(\) takes 6 positional arguments, not 5$"),
    ("scan", ("a", 0, True, 1, 1, 1), TypeError, "str"),
    ("scan", (b"a", None, True, 1, 1, 1), TypeError, "NoneType"),
    ("scan", (b"a", 0, True, None, 1, 1), TypeError, "NoneType"),
    ("scan", (b"a", 0, True, 1, 1.0, 1), TypeError, "float"),
    ("scan", (b"a", 0, True, 1, 1, "1"), TypeError, "str"),
    ("scan", (b"a", -1, True, 1, 1, 1), ValueError, r"^a position before the first byte$"),
    ("scan", (b"a", -HUGE, True, 1, 1, 1), OverflowError, "cannot fit"),
    ("parse_head", (), TypeError, r"^parse_head\(\) takes 8 positional arguments, not 0$"),
    ("parse_head", ("a", 0, *LIMITS, {}, frozenset()), TypeError, "str"),
    ("parse_head", (None, 0, *LIMITS, {}, frozenset()), TypeError, "NoneType"),
    ("parse_head", (b"a", -1, *LIMITS, {}, frozenset()), ValueError, r"^a position before the first byte$"),
    *(
        ("parse_head", (b"a", 0, *LIMITS[:i], "1", *LIMITS[i + 1 :], {}, frozenset()), TypeError, "str")
        for i in range(4)
    ),
    ("parse_head", (b"a", 0, *LIMITS, [], frozenset()), TypeError, "^known names are a dict, "),
    (
        "parse_head",
        (b"a", 0, *LIMITS, {}, []),
        TypeError,
        "^known names are a dict, notable ones a frozenset$",
    ),
]


@pytest.mark.parametrize(("name", "arguments", "kind", "message"), WRONG)
def test_a_wrong_argument_is_named(
    name: str, arguments: tuple[object, ...], kind: type[Exception], message: str
) -> None:
    function: Callable[..., object] = getattr(speedups, name)
    with pytest.raises(kind, match=message):
        function(*arguments)


def test_a_subclass_is_as_good() -> None:
    class Octets(bytes):
        __slots__ = ()

    class Names(dict[bytes, bytes]):
        pass

    assert speedups.scan(Octets(b"\x82\x01a"), 0, False, 1, 1, 1) == ([b"a"], [1], 3)
    assert speedups.parse_head(Octets(HEAD), 0, *LIMITS, Names(), NOTABLE) == pure.parse_head(
        HEAD, 0, *LIMITS, Names(), NOTABLE
    )


def test_a_name_that_cannot_be_looked_up_is_an_error_of_the_caller() -> None:
    class Awkward(bytes):
        def __eq__(self, other: object) -> bool:
            raise RuntimeError("not today")

        __hash__ = bytes.__hash__

    found: dict[bytes, bytes] = {Awkward(b"host"): b"host"}
    for known, notable in ((found, NOTABLE), ({}, frozenset(found))):
        with pytest.raises(RuntimeError, match=r"^not today$"):
            speedups.parse_head(HEAD, 0, *LIMITS, known, notable)


def test_what_it_reads_can_be_changed_behind_it() -> None:
    """A `bytearray` that is looked at cannot be resized, and is free again, also when it held no head."""
    data = bytearray(HEAD)
    assert speedups.parse_head(data, 0, *LIMITS, KNOWN, NOTABLE) is not None
    data.clear()
    assert speedups.parse_head(data, 0, *LIMITS, KNOWN, NOTABLE) is None
    data += b"GET"
    assert speedups.parse_head(data, 0, *LIMITS, KNOWN, NOTABLE) is None
    data += b" / HTTP/1.1\r\n\r\n"
    assert speedups.parse_head(data, 0, *LIMITS, KNOWN, NOTABLE) == (b"GET", b"/", b"1.1", (), (), 18)


def test_its_functions_are_described() -> None:
    for name in ("unmask", "frame", "scan", "parse_head"):
        described: str = getattr(speedups, name).__doc__
        assert "RFC" in described
        assert getattr(speedups, name).__text_signature__.endswith(", /)")


# ------------------------------------------------------------------------------------------------------------- memory


def gathered(is_text: bool, data: bytes) -> speedups.Arrival:
    """Let it arrive in two pieces."""
    arrival = speedups.arrival(is_text, len(data), None)
    arrival.add(data, 0, 1)
    arrival.add(data, 1, len(data))
    return arrival


CALLS: Final[dict[str, Callable[[], object]]] = {
    "unmask": lambda: speedups.unmask(SOME, 3, 500, MASK),
    "frame": lambda: speedups.frame(0x82, SOME, MASK),
    "scan": lambda: speedups.scan(RUN[True], 0, True, HUGE, HUGE, HUGE),
    "scan, not masked": lambda: speedups.scan(RUN[False], 0, False, HUGE, HUGE, HUGE),
    "scan, text that is none": lambda: speedups.scan(
        frame(TEXT, b"\xff" * 2000, mask=MASK), 0, True, 9, 9, 9999
    ),
    "arrival": lambda: gathered(False, SOME).take(),
    "arrival of text": lambda: gathered(True, b"gr\xc3\xbc\xc3\x9fe").take(),
    "arrival of no text": lambda: (gathered(True, b"a\xff").take(), gathered(True, b"\xffa").so_far()),
    "arrival, not complete": lambda: speedups.arrival(False, 1 << 20, None).add(SOME, 0, 300),
    "parse_head": lambda: speedups.parse_head(HEAD, 0, *LIMITS, KNOWN, NOTABLE),
    "parse_head, too long": lambda: speedups.parse_head(HEAD, 0, 100, 100, 50, 100, KNOWN, NOTABLE),
    "parse_head, not complete": lambda: speedups.parse_head(bytearray(HEAD[:-1]), 0, *LIMITS, KNOWN, NOTABLE),
}


def memory_taken(call: Callable[[], object]) -> int:
    """Call 1,000 times; return how many bytes more there are for it. What the first calls leave in caches is not meant."""
    for _ in range(100):
        call()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            call()
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", CALLS)
def test_nothing_is_left_behind(name: str) -> None:
    """One lost object of the smallest kind at each call would be 30 KB."""
    assert memory_taken(CALLS[name]) < 10_000


@pytest.mark.parametrize(("name", "arguments", "kind"), [row[:3] for row in WRONG])
def test_nothing_is_left_behind_by_an_error(
    name: str, arguments: tuple[object, ...], kind: type[Exception]
) -> None:
    function: Callable[..., object] = getattr(speedups, name)

    def call() -> None:
        try:
            function(*arguments)
        except kind:
            return
        raise AssertionError("it was an error before")

    assert memory_taken(call) < 10_000


def test_a_lost_object_would_be_seen() -> None:
    lost: list[bytes] = []
    assert memory_taken(lambda: lost.append(bytes(2))) > 30_000


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="names may be immortal, and are not counted")
def test_what_it_was_given_is_referred_to_as_often_as_before() -> None:
    given = (HEAD, KNOWN, NOTABLE, RUN[True], MASK, SOME, *KNOWN)
    before = [sys.getrefcount(each) for each in given]
    for call in CALLS.values():
        call()
    assert [sys.getrefcount(each) for each in given] == before


WITHOUT_MEMORY: Final = """
import sys
sys.path[:0] = PATHS
from _testcapi import remove_mem_hooks, set_nomemory
from spry_core import speedups

MASK, LIMITS = b"abcd", (1000, 1000, 1000, 1000)
HEAD = b"GET /abc HTTP/1.1" + b"".join(b"\\r\\nField-%d: value" % i for i in range(20)) + b"\\r\\n\\r\\n"
DATA = b"".join(speedups.frame(0x81 + (i & 1), b"x" * 50 * i, MASK) for i in range(20))
CALLS = {
    "unmask": lambda: speedups.unmask(DATA, 0, 900, MASK),
    "frame": lambda: speedups.frame(0x82, DATA, MASK),
    "scan": lambda: speedups.scan(DATA, 0, True, 99, 99999, 99999),
    "parse_head": lambda: speedups.parse_head(bytearray(HEAD), 0, *LIMITS, {}, frozenset((b"field-3",))),
}
for name, call in CALLS.items():
    expected, failures = call(), 0
    while True:
        found = None
        set_nomemory(failures, failures + 1)
        try:
            found = call()
        except MemoryError:
            pass
        finally:
            remove_mem_hooks()
        if found is not None:
            break
        failures += 1
    print(name, failures > 0, found == expected)
"""


@pytest.mark.skipif(find_spec("_testcapi") is None, reason="this Python has no allocator that fails")
def test_every_allocation_may_fail() -> None:
    """One after the other, until none does; what was made before is released, or the sanitizers would tell."""
    paths = repr([str(ROOT), *filter(None, sys.path)])
    result = subprocess.run(
        [sys.executable, "-I", "-B", "-c", WITHOUT_MEMORY.replace("PATHS", paths)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"{name} True True" for name in ("unmask", "frame", "scan", "parse_head")
    ]
