"""Tests of `spry_core.testing.strategies.content` (RFC 9112 §6, §7)."""

from __future__ import annotations

import h11
from hypothesis import given
from hypothesis import strategies as st

from drawn import Productions, few, missing, seen, simplest
from spry_core.testing.strategies import contents
from spry_core.testing.strategies.content import Framed, chunked, with_length

FRAMED = contents(max_size=40).flatmap(
    lambda content: st.tuples(st.just(content), with_length(content) | chunked(content))
)


@few
@given(FRAMED)
def test_h11_reads_the_content_and_the_trailers(drawn: tuple[bytes, Framed]) -> None:
    content, framed = drawn
    reader = h11.Connection(h11.SERVER)
    field = b"".join(b"%s: %s\r\n" % each for each in framed.fields)
    reader.receive_data(b"POST / HTTP/1.1\r\nHost: a\r\n" + field + b"\r\n" + framed.data)
    read = b""
    reader.next_event()
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        assert isinstance(event, h11.Data)
        read += bytes(event.data)
    assert read == content
    assert list(event.headers) == [(name.lower(), value) for name, value in framed.trailers]
    assert reader.trailing_data == (b"", False)


def test_the_simplest_are_short() -> None:
    assert simplest(contents()) == b""
    assert simplest(contents(), bool) == b"\0"
    assert simplest(with_length(b"abc")).fields == ((b"Content-Length", b"3"),)
    assert simplest(chunked(b"abc")).data == b"3\r\nabc\r\n0\r\n\r\n"
    assert simplest(chunked(b"")).data == b"0\r\n\r\n"


def test_contents_are_of_every_size() -> None:
    sizes = set(range(41))
    assert seen(contents(max_size=40), lambda content: [len(content)], sizes) == sizes


def test_every_way_to_write_chunks_comes_up() -> None:
    """RFC 9112 §7.1, §7.1.1, §7.1.2."""
    shows: Productions[Framed] = {
        "one chunk": lambda framed: framed.data.count(b"x") == 30 and b"x" * 30 in framed.data,
        "several chunks": lambda framed: b"x" * 30 not in framed.data,
        "digits in upper case": lambda framed: framed.data.startswith(b"1E"),
        "digits in lower case": lambda framed: framed.data.startswith(b"1e"),
        "leading zeros": lambda framed: framed.data.startswith(b"00"),
        "an extension": lambda framed: b";" in framed.data.partition(b"\r\n")[0],
        "a quoted string": lambda framed: b'="' in framed.data,
        "an escape in it": lambda framed: b'\\"' in framed.data,
        "an extension of the last chunk": lambda framed: b"\r\n0;" in framed.data,
        "a trailer": lambda framed: bool(framed.trailers),
        "the coding in another case": lambda framed: framed.fields[0][1] == b"CHUNKED",
    }
    assert missing(chunked(b"x" * 30), shows) == set()
