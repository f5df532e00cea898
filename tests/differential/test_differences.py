"""Spry and others read the same bytes: wherever they disagree, a reviewed row says why (RFC 9112 §11.2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambiguous.corpus import REQUESTS
from differential.differences import DIFFERENCES, Difference, first_difference
from differential.page import PAGE, page
from differential.readers import OTHERS, PROBE, Seen, by_aiohttp, by_httptools, by_spry

PIECES = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b";", b",", b"=", b'"', b"#", b"/", b"?", b"*"),
    *(b"0", b"3", b"f", b"+", b"-", b"_", b"\xa0", b"\x85", b"\xff", b"\x0b", b"\x7f", b"abc", b"chunked"),
    *(b"HTTP/1.1", b"HTTP/1.0", b"Host: b\r\n", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(b"Connection: close\r\n", b"0\r\n\r\n", b"CONNECT ", b"\r\n ", b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"),
]
"""What a change puts in."""

SHORT = [case.data for case in REQUESTS.values() if len(case.data) < 400]


def unexplained(data: bytes) -> list[str]:
    """Return the disagreements about `data`, with the probe behind it, that no row explains."""
    ours, found = by_spry(data + PROBE), list[str]()
    for reader, read in OTHERS.items():
        difference = first_difference(ours, read(data + PROBE))
        if difference is not None and not explaining(reader, data):
            found.append(f"{reader} {difference[0]} it otherwise than Spry ({difference[1]}): {data!r}")
    return found


def explaining(reader: str, data: bytes) -> list[Difference]:
    """Return the rows that explain how this reader parts from Spry."""
    difference = first_difference(by_spry(data + PROBE), OTHERS[reader](data + PROBE))
    if difference is None:
        return []
    return [each for each in DIFFERENCES if each.explains(reader, *difference, data + PROBE)]


@pytest.mark.parametrize("name", REQUESTS)
def test_every_disagreement_about_the_corpus_has_been_reviewed(name: str) -> None:
    assert unexplained(REQUESTS[name].data) == []


def test_every_row_is_needed() -> None:
    """Each explains something in the corpus, to each of the readers that it names."""
    used = {
        (row.what, reader)
        for case in REQUESTS.values()
        for reader in OTHERS
        for row in explaining(reader, case.data)
    }
    assert {(row.what, reader) for row in DIFFERENCES for reader in row.readers} - used == set()


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """Change a message of the corpus in up to three places."""
    data = draw(st.sampled_from(SHORT))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(data)))
        gone = draw(st.sampled_from([0, 0, 1, 1, 2, 8]))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=1) | st.sampled_from(SHORT))
        data = data[:place] + piece + data[place + gone :]
    return data


@given(changed())
@settings(max_examples=400)
def test_every_disagreement_about_changed_messages_has_been_reviewed(data: bytes) -> None:
    assert unexplained(data) == []


@given(changed())
@settings(max_examples=400)
def test_nothing_is_left_for_the_engine_to_refuse(data: bytes) -> None:
    """What Spry refuses, its own rules refuse, with their own words; an engine that refused more would be another server."""
    refusals = {case.refused.message for case in REQUESTS.values() if case.refused}
    assert by_spry(data + PROBE).fault in refusals | {""}


def test_the_readers_read() -> None:
    """All three give the same of what is beyond doubt, or nothing of this would prove anything."""
    data = b"PUT /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-A: \tb\r\n\r\nabc"
    chunks = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x\r\nf\r\n0\r\nT: u\r\n\r\n"
    length = (b"host", b"x"), (b"content-length", b"3"), (b"x-a", b"b")
    expected = (
        Seen(b"PUT", b"/a?b", b"1.1", length, b"abc"),
        Seen(b"POST", b"/", b"1.1", ((b"host", b"x"), (b"transfer-encoding", b"chunked")), b"def"),
        Seen(b"GET", b"/probe", b"1.1", ((b"host", b"probe"),)),
    )
    for read in (by_spry, by_httptools, by_aiohttp):
        assert read(data + chunks + PROBE) == (expected, "")
        assert read(data + chunks + b"\0" + PROBE).requests == expected[:2]
        assert read(data + chunks + b"\0" + PROBE).fault != ""


def test_the_readers_read_to_the_end() -> None:
    """However many requests there are."""
    for read in (by_spry, by_httptools, by_aiohttp):
        assert len(read(PROBE * 100).requests) == 100


@pytest.mark.parametrize("fields", [b"Connection: close", b"Connection: Upgrade\r\nUpgrade: websocket"])
def test_what_is_behind_a_last_request_is_not_compared(fields: bytes) -> None:
    data = b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n"
    for read in (by_spry, by_httptools, by_aiohttp):
        assert [seen.target for seen in read(data + PROBE).requests] == [b"/"]


def test_the_page_says_what_the_list_says() -> None:
    """Write it anew with ``python -m differential.page``."""
    assert PAGE.read_text(encoding="utf-8") == page()
