"""Tests of `spry_core.testing.strategies.broken_requests`: each is refused with what it deserves, and not by us alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from differential.request_readers import PROBE, by_httptools
from drawn import examples, few, seen, simplest
from spry_core.protocol import BodyEnd, Connection, Failure, Limits, RequestHead
from spry_core.testing.strategies import BrokenRequests, broken_requests, requests
from spry_core.testing.strategies.broken_requests import BROKEN
from traces import connection, trace

SMALL = Limits(max_request_line=60, max_field_line=50, max_fields=20, max_chunk_line=40, max_empty_lines=4)


def refused(conn: Connection, broken: BrokenRequests) -> tuple[int, list[object]]:
    """Return how many requests were read to their end, and the faults."""
    events = trace(conn, [broken.data + PROBE]).events
    faults: list[object] = [
        event[2:] for event in events if isinstance(event, tuple) and event[0] == "Failure"
    ]
    heads = [event for event in events if isinstance(event, RequestHead)]
    ends = [event for event in events if isinstance(event, BodyEnd)]
    assert not any(head.target == b"/probe" for head in heads)
    assert not [event for event in events if isinstance(event, Failure)]
    return len(ends), faults


@few
@given(broken_requests())
def test_spry_gives_the_verdict(broken: BrokenRequests) -> None:
    """RFC 9112 §11.2: and never reads what stands behind it."""
    verdict = broken.verdict
    assert refused(connection(), broken) == (
        len(broken.before),
        [(verdict.status_code, None, verdict.section)],
    )


LIMITS = {
    "the start line is too long",
    "a field line is too long",
    "too many fields",
    "a chunk-size line is too long",
    "too many trailer fields",
    "too many empty lines before a start line",
}
TAKEN = {
    *("no Host field", "more than one Host field", "malformed Host field"),
    *("fragment in the request target", "malformed request target"),
    *("a framing field in the trailer section", "bare LF", "obsolete line folding", "malformed request line"),
    *("control character in a field value", "a transfer coding other than chunked", "malformed field line"),
    *("neither HTTP/1.1 nor HTTP/1.0", "Transfer-Encoding in HTTP/1.0", "malformed trailer"),
    *("bare LF in the framing of chunks", "malformed chunk-size line", "malformed Content-Length"),
}
"""Faults of which llhttp takes some: it leaves them to whoever uses it (`docs/explanation/http-differences.md`)."""


@few
@given(broken_requests(max_before=0))
def test_httptools_refuses_it_too_unless_it_leaves_that_to_its_user(broken: BrokenRequests) -> None:
    if broken.verdict.fault not in LIMITS | TAKEN:
        assert by_httptools(broken.data + PROBE).fault != ""


def test_every_fault_comes_up() -> None:
    faults = {kind.fault for kind in BROKEN}
    assert len(faults) == len(BROKEN)
    assert seen(broken_requests(limits=SMALL, max_before=0), fault_of, faults) == faults
    assert faults >= LIMITS | TAKEN


def fault_of(broken: BrokenRequests) -> list[str]:
    return [broken.verdict.fault]


@pytest.mark.parametrize("fault", sorted(LIMITS))
def test_the_limits_are_those_of_the_receiver(fault: str) -> None:
    broken = simplest(broken_requests(limits=SMALL, max_before=0), lambda each: each.verdict.fault == fault)
    assert len(broken.data) < 500
    verdict = broken.verdict
    assert refused(connection(limits=SMALL), broken) == (0, [(verdict.status_code, None, verdict.section)])


def test_the_simplest_has_no_host() -> None:
    assert simplest(broken_requests()).data == b"POST / HTTP/1.1\r\n\r\n"
    behind = simplest(broken_requests(), lambda each: bool(each.before))
    assert behind.data == b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPOST / HTTP/1.1\r\n\r\n"


def test_what_comes_before_can_be_given() -> None:
    given_before = broken_requests(before=requests(targets=st.just(b"/x")), max_before=1)
    drawn = examples(given_before, 50)
    assert {each.target for broken in drawn for each in broken.before} == {b"/x"}
    assert {len(broken.before) for broken in drawn} == {0, 1}
