"""Tests of `spry_core.testing.strategies.broken_responses`: each is refused by a client, and not by ours alone."""

from __future__ import annotations

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drawn import few, seen, simplest
from spry_core.protocol import CLOSE, BodyData, BodyEnd, Limits, RequestHead, ResponseHead
from spry_core.testing.strategies import BrokenResponse, broken_responses
from spry_core.testing.strategies.broken_responses import BROKEN
from traces import connection, said, trace

SMALL = Limits(max_request_line=60, max_field_line=50, max_fields=20, max_chunk_line=40)
LIMITS = {
    "the start line is too long",
    "a field line is too long",
    "too many fields",
    "a chunk-size line is too long",
    "too many trailer fields",
}
ANY = st.sampled_from((b"GET", b"HEAD")).flatmap(
    lambda method: st.tuples(st.just(method), broken_responses(method=method))
)


def check(broken: BrokenResponse, method: bytes = b"GET", limits: Limits | None = None) -> None:
    """Let a client read it up to the end of the stream, and compare."""
    conn = connection("client", limits=limits)
    conn.send(RequestHead(method=method, target=b"/", headers=((b"Host", b"a"),)), 0.0)
    conn.send(BodyEnd(), 0.0)
    said(conn)
    events, sent, end = trace(conn, [broken.data] if broken.data else [])
    faults: list[object] = [
        event[-1] for event in events if isinstance(event, tuple) and event[0] == "Failure"
    ]
    assert faults == [broken.verdict.section]
    assert tuple(each.status_code for each in events if isinstance(each, ResponseHead)) == broken.status_codes
    assert b"".join(each.data for each in events if isinstance(each, BodyData)) == broken.content
    assert any(isinstance(each, BodyEnd) for each in events) == broken.is_whole
    assert (sent, end) == (b"", CLOSE)


@few
@given(ANY)
def test_spry_gives_the_verdict(drawn: tuple[bytes, BrokenResponse]) -> None:
    """RFC 9112 §8, §11.2: what is not whole never looks whole, and nobody is answered."""
    method, broken = drawn
    check(broken, method)
    assert (broken.verdict.status_code, broken.verdict.close_code) == (None, None)


TAKEN = {
    *("malformed status line", "neither HTTP/1.1 nor HTTP/1.0", "a 101 that nobody asked for"),
    *("control character in a field value", "obsolete line folding", "bare LF", "malformed Content-Length"),
    *("both Content-Length and Transfer-Encoding", "Transfer-Encoding in HTTP/1.0"),
    *("malformed chunk-size line", "bare LF in the framing of chunks"),
    *("a framing field in the trailer section",),
}
"""Faults of which h11 takes some."""


@few
@given(broken_responses())
def test_h11_refuses_it_too_unless_it_is_more_lenient(broken: BrokenResponse) -> None:
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    reader.send(h11.EndOfMessage())
    fault = broken.verdict.fault
    if fault in LIMITS | TAKEN or broken.is_whole:
        return
    with pytest.raises(h11.RemoteProtocolError):
        read_all(reader, broken.data)


def read_all(reader: h11.Connection, data: bytes) -> None:
    """Read a response to its end."""
    reader.receive_data(data)
    reader.receive_data(b"")
    while not isinstance(reader.next_event(), (h11.EndOfMessage, h11.ConnectionClosed)):
        pass


def test_every_fault_comes_up() -> None:
    faults = {kind.fault for kind in BROKEN}
    assert len(faults) == len(BROKEN)
    assert seen(broken_responses(limits=SMALL), fault_of, faults) == faults
    assert faults >= LIMITS | TAKEN


def fault_of(broken: BrokenResponse) -> list[str]:
    return [broken.verdict.fault]


def test_to_head_nothing_is_wrong_with_the_content() -> None:
    """RFC 9112 §6.3, first rule."""
    faults = {kind.fault for kind in BROKEN if kind.place != "content"}
    assert seen(broken_responses(method=b"HEAD", limits=SMALL), fault_of, faults) == faults


@pytest.mark.parametrize("fault", sorted(LIMITS))
def test_the_limits_are_those_of_the_client(fault: str) -> None:
    broken = simplest(broken_responses(limits=SMALL), lambda each: each.verdict.fault == fault)
    assert len(broken.data) < 250
    check(broken, limits=SMALL)


def test_a_fault_shrinks_to_itself() -> None:
    assert simplest(broken_responses()).data == b"HTTP/1.1\r\nContent-Length: 0\r\n\r\n"
    behind = simplest(broken_responses(), lambda each: each.is_whole)
    assert behind.data == b"HTTP/1.1 204 \r\n\r\na"
    assert behind.status_codes == (204,)
    interim = simplest(broken_responses(), lambda each: each.status_codes == (100,))
    assert interim.data == b"HTTP/1.1 100 \r\n\r\n" + simplest(broken_responses()).data
