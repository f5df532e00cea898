"""Tests of `spry_core.protocol.chunked`: the framing of a chunked content, judged strictly (RFC 9112 §7.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.chunked import ChunkScanner
from spry_core.protocol.engines.reference import H11Engine
from spry_core.protocol.events import BodyData, BodyEnd, RawFields
from spry_core.protocol.limits import Limits
from spry_core.protocol.turn import STEPS, Turn
from spry_core.testing.strategies.cuts import cut_at
from traces import error_values, two_way_cuts

LIMITS = Limits(max_chunk_line=20, max_chunk_extensions=30, max_trailer_section=40, max_trailer_fields=3)


class Scan(NamedTuple):
    """What a scanner made of some bytes."""

    taken: bytes
    error: tuple[object, ...] | None
    is_done: bool
    rest: bytes


def scan(pieces: Iterable[bytes], limits: Limits = LIMITS) -> Scan:
    """Scan as a connection does: after each piece as much as there is."""
    scanner, held, taken = ChunkScanner(limits), bytearray(), b""
    try:
        for piece in pieces:
            held += piece
            while held and not scanner.is_done and (some := scanner.take(held, Turn())):
                taken += some
    except RemoteProtocolError as error:
        return Scan(taken, error_values(error), scanner.is_done, b"")
    return Scan(taken, None, scanner.is_done, bytes(held))


def bad(message: str, section: str = "RFC 9112 §7.1") -> tuple[object, ...]:
    return (message, 400, None, section)


MALFORMED = bad("malformed chunk-size line")
LINE_TOO_LONG = bad("a chunk-size line is too long")
BARE_LF = bad("a line ends with a bare LF", "RFC 9112 §2.2")
NO_CRLF = bad("chunk data not followed by CRLF")
TOO_MANY_EXTENSIONS = bad("too many chunk extensions", "RFC 9112 §7.1.1")
TRAILERS_TOO_LONG = bad("the trailer section is too long")
TOO_MANY_TRAILERS = bad("too many trailer fields", "RFC 9112 §7.1.2")
BAD_FIELD = bad("malformed field line", "RFC 9112 §5")
FOLDED = bad("obsolete line folding", "RFC 9112 §5.2")
FRAMING = bad("a framing field in the trailer section", "RFC 9110 §6.5.1")

GOOD = {
    b"0\r\n\r\n": b"0\r\n\r\n",
    b"000\r\n\r\n": b"000\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n": b"5\r\nhello\r\n0\r\n\r\n",
    b"1\r\n\r\r\n2\r\n\r\n\r\n0\r\n\r\n": b"1\r\n\r\r\n2\r\n\r\n\r\n0\r\n\r\n",
    b"aB\r\n" + b"x" * 171 + b"\r\n0\r\n\r\n": b"aB\r\n" + b"x" * 171 + b"\r\n0\r\n\r\n",
    b'1;a;b=c;d="\\"x"\r\na\r\n0;e\r\n\r\n': b"1\r\na\r\n0\r\n\r\n",
    b'1\t; \ta =\t"; "\r\na\r\n0 ;b\r\n\r\n': b"1\r\na\r\n0\r\n\r\n",
    b"0\r\nA: b\r\nC:\r\n\r\n": b"0\r\nA: b\r\nC:\r\n\r\n",
}
"""What is allowed, and what an engine gets of it: sizes without extensions, payload, trailers."""

BAD = {
    b"\r\n": (b"", MALFORMED),
    b"g\r\n": (b"", MALFORMED),
    b"+5\r\nhello\r\n": (b"", MALFORMED),
    b"-5\r\n": (b"", MALFORMED),
    b"0x5\r\nhello\r\n": (b"", MALFORMED),
    b"5_0\r\n": (b"", MALFORMED),
    b" 5\r\nhello\r\n": (b"", MALFORMED),
    b"5 \r\nhello\r\n": (b"", MALFORMED),
    b"5\t\r\nhello\r\n": (b"", MALFORMED),
    b"\xd9\xa5\r\n": (b"", MALFORMED),
    b"5\x00\r\nhello\r\n": (b"", MALFORMED),
    b"5,5\r\nhello\r\n": (b"", MALFORMED),
    b"5;\r\nhello\r\n": (b"", MALFORMED),
    b"5;a=\r\nhello\r\n": (b"", MALFORMED),
    b'5;a="\r\nhello\r\n': (b"", MALFORMED),
    b"5;a\x00\r\nhello\r\n": (b"", MALFORMED),
    b"5;a\rb\r\nhello\r\n": (b"", MALFORMED),
    b"5\r\r\nhello\r\n": (b"", MALFORMED),
    b"5\nhello\r\n": (b"", BARE_LF),
    b"5;a\nhello\r\n": (b"", BARE_LF),
    b"5\r\nhello!!0\r\n\r\n": (b"5\r\nhello", NO_CRLF),
    b"5\r\nhello\n0\r\n\r\n": (b"5\r\nhello", NO_CRLF),
    b"5\r\nhello\rx": (b"5\r\nhello", NO_CRLF),
    b"5\r\nhello0\r\n\r\n": (b"5\r\nhello", NO_CRLF),
    b"5\r\nhello\r\nZZ\r\n": (b"5\r\nhello\r\n", MALFORMED),
    b"0\r\n\n": (b"0\r\n", BARE_LF),
    b"0\r\nA: b\n\r\n": (b"0\r\n", BARE_LF),
    b"0\r\n A: b\r\n\r\n": (b"0\r\n", FOLDED),
    b"0\r\nA: b\r\n\tc\r\n\r\n": (b"0\r\nA: b\r\n", FOLDED),
    b"0\r\nA : b\r\n\r\n": (b"0\r\n", BAD_FIELD),
    b"0\r\nA\r\n\r\n": (b"0\r\n", BAD_FIELD),
    b"0\r\n: b\r\n\r\n": (b"0\r\n", BAD_FIELD),
    b"0\r\nA: b\x00\r\n\r\n": (b"0\r\n", BAD_FIELD),
    b"0\r\nA: b\rc\r\n\r\n": (b"0\r\n", BAD_FIELD),
    b"0\r\nContent-Length: 3\r\n\r\n": (b"0\r\n", FRAMING),
    b"0\r\nA: b\r\nTRANSFER-ENCODING:\r\n\r\n": (b"0\r\nA: b\r\n", FRAMING),
}
"""What is not: what stood before the fault, and the fault."""


@pytest.mark.parametrize("data", GOOD)
def test_good_framing_passes_without_its_extensions(data: bytes) -> None:
    """RFC 9112 §7.1.1: a recipient must ignore extensions that it does not know."""
    assert scan([data]) == Scan(GOOD[data], None, True, b"")


@pytest.mark.parametrize("data", BAD)
def test_bad_framing_is_refused_where_it_breaks(data: bytes) -> None:
    """RFC 9112 §7.1, §11.2: leniency here is how requests are smuggled."""
    taken, error = BAD[data]
    assert scan([data]) == Scan(taken, error, False, b"")


@pytest.mark.parametrize("data", [*GOOD, *BAD])
def test_cuts_do_not_matter(data: bytes) -> None:
    """RFC 9112 §2.2: every cut in two, and every byte alone."""
    expected = scan([data])
    for pieces in two_way_cuts(data):
        assert scan(pieces) == expected, pieces


def test_what_follows_the_content_is_left() -> None:
    assert scan([b"1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n"]).rest == b"GET / HTTP/1.1\r\n"
    assert scan([b"0\r\n\r\n0\r\n\r\n"]).rest == b"0\r\n\r\n"


def test_an_unfinished_content_waits_for_more() -> None:
    whole = b"2;a\r\nab\r\n0\r\nA: b\r\n\r\n"
    for n in range(len(whole)):
        result = scan([whole[:n]])
        assert (result.error, result.is_done) == (None, False)


@pytest.mark.parametrize("digits", ["1", "f" * 16, "F" * 16, "0" * 15 + "1"])
def test_up_to_sixteen_digits_make_a_size(digits: str) -> None:
    assert scan([digits.encode() + b"\r\na"]).taken == digits.encode() + b"\r\na"


@pytest.mark.parametrize("digits", ["0" * 17, "f" * 17, "0" * 16 + "1"])
def test_seventeen_digits_are_too_many(digits: str) -> None:
    assert scan([digits.encode() + b"\r\na"]).error == MALFORMED


@pytest.mark.parametrize(("n", "error"), [(19, None), (20, None), (21, LINE_TOO_LONG)])
@pytest.mark.parametrize("end", [b"", b"\r", b"\r\n"])
def test_a_chunk_size_line_has_a_limit(n: int, error: object, end: bytes) -> None:
    """It is counted without its CRLF, and known to be too long before its end has come."""
    assert scan([b"1;" + b"a" * (n - 2) + end]).error == error


@pytest.mark.parametrize(("n", "error"), [(29, None), (30, None), (31, TOO_MANY_EXTENSIONS)])
def test_the_extensions_of_one_content_have_a_limit_together(n: int, error: object) -> None:
    """CVE-2023-39326: a little extension at every chunk is a lot."""
    data = b"1;" + b"a" * 14 + b"\r\nx\r\n"
    data += b"1;" + b"b" * (n - 16) + b"\r\nx\r\n"
    assert scan([data]).error == error


@pytest.mark.parametrize(("n", "error"), [(39, None), (40, None), (41, TRAILERS_TOO_LONG)])
@pytest.mark.parametrize("fields", [1, 2])
def test_a_trailer_section_has_a_limit(n: int, error: object, fields: int) -> None:
    """It is counted with all of its CRLFs but without the empty line that ends it."""
    first = b"A:" + b"a" * 10 + b"\r\n" if fields == 2 else b""
    lines = first + b"B:" + b"b" * (n - len(first) - 4) + b"\r\n"
    assert len(lines) == n
    result = scan([b"0\r\n" + lines + b"\r\n"])
    assert (result.error, result.is_done) == (error, error is None)
    assert scan([b"0\r\n" + lines[:-2]]).error == error


def test_the_end_of_a_full_trailer_section_may_still_come() -> None:
    lines = b"A:" + b"a" * 36 + b"\r\n"
    assert scan([b"0\r\n" + lines, b"\r", b"\n"]).is_done
    assert scan([b"0\r\n" + lines, b"B"]).error == TRAILERS_TOO_LONG


@pytest.mark.parametrize(("n", "error"), [(2, None), (3, None), (4, TOO_MANY_TRAILERS)])
def test_trailer_fields_have_a_limit(n: int, error: object) -> None:
    result = scan([b"0\r\n" + b"A:\r\n" * n + b"\r\n"])
    assert (result.error, result.is_done) == (error, error is None)


def test_payload_passes_as_it_comes() -> None:
    scanner, held = ChunkScanner(LIMITS), bytearray(b"5\r\nhe")
    assert scanner.take(held, Turn()) == b"5\r\nhe"
    held += b"l"
    assert scanner.take(held, Turn()) == b"l"
    held += b"lo"
    assert scanner.take(held, Turn()) == b"lo"
    held += b"\r\n"
    assert scanner.take(held, Turn()) == b"\r\n"
    assert held == b""


def test_a_fault_is_raised_again_and_again() -> None:
    scanner, held = ChunkScanner(LIMITS), bytearray(b"1\r\naXY")
    assert scanner.take(held, Turn()) == b"1\r\na"
    for _ in range(2):
        with pytest.raises(RemoteProtocolError, match=r"^chunk data not followed by CRLF$"):
            scanner.take(held, Turn())


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=5), st.lists(st.integers(0, 300), max_size=8))
def test_any_content_in_any_pieces_is_let_through(chunks: list[bytes], places: list[int]) -> None:
    data = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    assert scan(cut_at(data + b"rest", places)) == Scan(data, None, True, b"rest")


@given(
    st.sampled_from([*GOOD, *BAD]), st.integers(0, 60), st.binary(max_size=2), st.lists(st.integers(0, 300))
)
def test_any_change_of_a_byte_gives_the_same_in_any_pieces(
    data: bytes, place: int, change: bytes, places: list[int]
) -> None:
    changed = data[:place] + change + data[place + 1 :]
    assert scan(cut_at(changed, places)) == scan([changed])


@pytest.mark.parametrize("data", [*GOOD, *BAD])
def test_what_is_decoded_here_comes_without_its_frame(data: bytes) -> None:
    """The same verdicts, and of the frame nothing but the trailers is left."""

    def decode(pieces: Iterable[bytes]) -> tuple[bytes, RawFields, bool, tuple[object, ...] | None]:
        scanner, held, taken = ChunkScanner(LIMITS, decodes=True), bytearray(), b""
        try:
            for piece in pieces:
                held += piece
                before = -1
                while len(held) != before and not scanner.is_done:
                    before = len(held)
                    taken += scanner.take(held, Turn())
        except RemoteProtocolError as error:
            return taken, scanner.trailers, scanner.is_done, error_values(error)
        return taken, scanner.trailers, scanner.is_done, None

    wire = scan([data])
    engine = H11Engine("server", 1000)
    engine.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    events = engine.receive_data(wire.taken) if wire.taken else []
    content = b"".join([event.data for event in events if isinstance(event, BodyData)])
    decoded = decode([data])
    assert (decoded[0], decoded[2], decoded[3]) == (content, wire.is_done, wire.error)
    if decoded[2]:
        assert events[-1] == BodyEnd(trailers=decoded[1])
    for pieces in two_way_cuts(data):
        assert decode(pieces) == decoded, pieces


def test_a_turn_has_so_many_lines_and_pieces_of_data() -> None:
    """A chunk of one byte is three of them: its size, its data, the CRLF behind."""
    scanner, held, turn = ChunkScanner(LIMITS), bytearray(b"1\r\na\r\n" * STEPS), Turn()
    scanner.take(held, turn)
    assert turn.left <= 0
    assert len(held) == 6 * STEPS - (STEPS // 3 * 6 + 3)
    assert scanner.take(held, turn) == b""
