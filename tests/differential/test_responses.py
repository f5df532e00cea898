"""Spry and others read the same bytes as responses: wherever they disagree, a reviewed row says why (RFC 9112 §11.1)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ambiguous.answer import Answer
from ambiguous.responses import RESPONSES as CORPUS
from differential.changes import ANSWERED, changed
from differential.reading import Comparison, Reading, Response, named
from differential.response_readers import PROBE, TO_GET, TO_HEAD, by_aiohttp, by_httptools, by_spry

SHORT = [answer.data for answer in CORPUS.values() if len(answer.data) < 400]


def comparison(answer: Answer) -> Comparison:
    return TO_HEAD if answer.method == b"HEAD" else TO_GET


@pytest.mark.parametrize("name", CORPUS)
def test_every_disagreement_about_the_corpus_has_been_reviewed(name: str) -> None:
    assert comparison(CORPUS[name]).unexplained(CORPUS[name].data) == []


@pytest.mark.parametrize("name", CORPUS)
def test_the_corpus_to_head_has_been_reviewed_too(name: str) -> None:
    """RFC 9112 §6.3: no response to HEAD has content, whatever it says."""
    assert TO_HEAD.unexplained(CORPUS[name].data) == []


def test_every_row_is_needed() -> None:
    """Each explains something in the corpus, to each of the readers that it names."""
    used = set[tuple[str, str]]().union(*(comparison(each).used(each.data) for each in CORPUS.values()))
    assert named(TO_GET.rows) - used == set()


@given(changed(SHORT, ANSWERED), st.sampled_from([TO_GET, TO_GET, TO_HEAD]))
@settings(max_examples=400)
def test_every_disagreement_about_changed_messages_has_been_reviewed(data: bytes, among: Comparison) -> None:
    assert among.unexplained(data) == []


@given(changed(SHORT, ANSWERED), st.sampled_from([b"GET", b"HEAD"]))
@settings(max_examples=400)
def test_nothing_is_left_for_the_engine_to_refuse(data: bytes, method: bytes) -> None:
    """What Spry refuses, its own rules refuse, with their own words; an engine that refused more would be another client."""
    refusals = {answer.refused.message for answer in CORPUS.values() if answer.refused}
    assert by_spry(data, method).fault in refusals | {""}


def readings(data: bytes) -> list[Reading]:
    """Return what each of the three makes of the response to a GET."""
    return [by_spry(data, b"GET"), by_httptools(data), by_aiohttp(data, b"GET")]


LENGTH = b"HTTP/1.1 200 All right\r\nContent-Length: 3\r\nX-A: \tb\r\n\r\nabc"
CHUNKS = b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x\r\nf\r\n0\r\nT: u\r\n\r\n"
HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n"


def test_the_readers_read() -> None:
    """All three give the same of what is beyond doubt, or nothing of this would prove anything."""
    probe = Response(299, b"1.1", b"Probe", ((b"content-length", b"0"),))
    hints = Response(103, b"1.1", b"Early Hints", ((b"link", b"a"),))
    length = Response(200, b"1.1", b"All right", ((b"content-length", b"3"), (b"x-a", b"b")), b"abc")
    chunks = Response(404, b"1.1", b"No", ((b"transfer-encoding", b"chunked"),), b"def", ((b"t", b"u"),))
    for i, readers in enumerate(zip(readings(HINTS + LENGTH), readings(CHUNKS), strict=True)):
        hides = i == 2
        for reading, expected in zip(readers, [(hints, length, probe), (chunks, probe)], strict=True):
            kept = tuple(each._replace(trailers=None) for each in expected) if hides else expected
            assert reading == (kept, "")


def test_the_readers_refuse() -> None:
    for reading in readings(LENGTH + b"\0" + LENGTH):
        assert len(reading.messages) == 1
        assert reading.fault != ""


def test_the_end_of_the_stream_ends_what_nothing_else_ends() -> None:
    """RFC 9112 §6.3, last rule; what is short is no response (§8)."""
    for reading in readings(b"HTTP/1.1 200 OK\r\n\r\nabc"):
        (only,) = reading.messages
        assert (only.content, reading.fault) == (b"abc" + PROBE, "")
    for data in (LENGTH.replace(b": 3", b": 99"), CHUNKS.removesuffix(b"0\r\nT: u\r\n\r\n") + b"fff\r\n"):
        assert [reading.messages for reading in readings(data)] == [(), (), ()]


@pytest.mark.parametrize("fields", [b"Connection: close", b"Connection: Upgrade\r\nUpgrade: websocket"])
def test_what_is_behind_a_last_response_is_not_compared(fields: bytes) -> None:
    data = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields + b"\r\n\r\n"
    assert [len(reading.messages) for reading in readings(data)] == [1, 1, 1]


def test_a_response_to_head_has_no_content() -> None:
    for reading in (by_spry(LENGTH[:-3], b"HEAD"), by_aiohttp(LENGTH[:-3], b"HEAD")):
        assert [each.content for each in reading.messages] == [b"", b""]
        assert [each.fields for each in reading.messages][1] == ((b"content-length", b"0"),)
