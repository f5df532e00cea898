"""Spry and others read the same bytes as requests: wherever they disagree, a reviewed row says why (RFC 9112 §11.2)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from ambiguous.corpus import REQUESTS as CORPUS
from differential.changes import ASKED, changed
from differential.page import PAGE, page
from differential.reading import Request, named
from differential.request_readers import PROBE, REQUESTS, by_aiohttp, by_httptools, by_spry

SHORT = [case.data for case in CORPUS.values() if len(case.data) < 400]


@pytest.mark.parametrize("name", CORPUS)
def test_every_disagreement_about_the_corpus_has_been_reviewed(name: str) -> None:
    assert REQUESTS.unexplained(CORPUS[name].data + PROBE) == []


def test_every_row_is_needed() -> None:
    """Each explains something in the corpus, to each of the readers that it names."""
    used = set[tuple[str, str]]().union(*(REQUESTS.used(case.data + PROBE) for case in CORPUS.values()))
    assert named(REQUESTS.rows) - used == set()


@given(changed(SHORT, ASKED))
@settings(max_examples=400)
def test_every_disagreement_about_changed_messages_has_been_reviewed(data: bytes) -> None:
    assert REQUESTS.unexplained(data + PROBE) == []


@given(changed(SHORT, ASKED))
@settings(max_examples=400)
def test_nothing_is_left_for_the_engine_to_refuse(data: bytes) -> None:
    """What Spry refuses, its own rules refuse, with their own words; an engine that refused more would be another server."""
    refusals = {case.refused.message for case in CORPUS.values() if case.refused}
    assert by_spry(data + PROBE).fault in refusals | {""}


def test_the_readers_read() -> None:
    """All three give the same of what is beyond doubt, or nothing of this would prove anything."""
    data = b"PUT /a?b HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nX-A: \tb\r\n\r\nabc"
    chunks = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x\r\nf\r\n0\r\nT: u\r\n\r\n"
    length = (b"host", b"x"), (b"content-length", b"3"), (b"x-a", b"b")
    coding = (b"host", b"x"), (b"transfer-encoding", b"chunked")
    for read in (by_spry, by_httptools, by_aiohttp):
        hides = read is by_aiohttp
        expected = (
            Request(b"PUT", b"/a?b", b"1.1", length, b"abc", None if hides else ()),
            Request(b"POST", b"/", b"1.1", coding, b"def", None if hides else ((b"t", b"u"),)),
            Request(b"GET", b"/probe", b"1.1", ((b"host", b"probe"),), b"", None if hides else ()),
        )
        assert read(data + chunks + PROBE) == (expected, "")
        assert read(data + chunks + b"\0" + PROBE).messages == expected[:2]
        assert read(data + chunks + b"\0" + PROBE).fault != ""


def test_the_readers_read_to_the_end() -> None:
    """However many requests there are."""
    for read in (by_spry, by_httptools, by_aiohttp):
        assert len(read(PROBE * 100).messages) == 100


@pytest.mark.parametrize("fields", [b"Connection: close", b"Connection: Upgrade\r\nUpgrade: websocket"])
def test_what_is_behind_a_last_request_is_not_compared(fields: bytes) -> None:
    data = b"GET / HTTP/1.1\r\nHost: x\r\n" + fields + b"\r\n\r\n"
    for read in (by_spry, by_httptools, by_aiohttp):
        assert [seen.target for seen in read(data + PROBE).messages if isinstance(seen, Request)] == [b"/"]


def test_the_page_says_what_the_lists_say() -> None:
    """Write it anew with ``python -m differential.page``."""
    assert PAGE.read_text(encoding="utf-8") == page()
