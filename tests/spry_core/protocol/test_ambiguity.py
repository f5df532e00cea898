"""HTTP/1.1 without an ambiguity: over a corpus of messages that somebody has read in two ways, each has one reading or is
refused, with the connection (RFC 9112 §11.2).

The rows are in `ambiguous`; which servers had such a fault stands in `docs/explanation/known-faults.md`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ambiguous.case import GET, NEXT, Case, Read, Refused
from ambiguous.corpus import REQUESTS
from ambiguous.responses import RESPONSES
from spry_core.protocol import (
    CLOSE,
    HALF_CLOSE,
    BodyData,
    BodyEnd,
    Connection,
    RequestHead,
    ResponseHead,
)
from spry_core.testing.strategies.cuts import cut_at
from traces import Trace, connection, said, trace

PHRASES = {400: b"Bad Request", 501: b"Not Implemented", 505: b"HTTP Version Not Supported"}


def answers(case: Case) -> bytes:
    """Return what is sent for a row: the content of each request back, and the refusal."""
    sent = b""
    for i, request in enumerate(case.requests):
        is_last = case.is_last and i == len(case.requests) - 1
        close = b"Connection: close\r\n" if is_last else b""
        sent += b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n" % (len(request.content), close)
        sent += request.content
    return sent + (b"" if case.refused is None else refusal(case.refused))


def refusal(refused: Refused) -> bytes:
    phrase = PHRASES[refused.status_code]
    return (
        b"HTTP/1.1 %d %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s\n"
        % (refused.status_code, phrase, len(phrase) + 1, phrase)
    )


def requests(seen: Trace) -> list[Read]:
    """Return the requests that were read to their end."""
    complete: list[Read] = []
    method = target = content = b""
    for event in seen.events:
        match event:
            case RequestHead():
                method, target, content = event.method, event.target, b""
            case BodyData():
                content += event.data
            case BodyEnd():
                complete.append(Read(method, target, content, event.trailers))
            case _:
                pass
    return complete


def refusals(seen: Trace) -> list[object]:
    """Return the faults, and whatever is no event of a request."""
    return [event for event in seen.events if not isinstance(event, (RequestHead, BodyData, BodyEnd))]


def check(case: Case, pieces: Iterable[bytes]) -> None:
    """Let a server read the pieces; compare what it read and said with what the row asks for."""
    seen = trace(connection(), pieces, eof=False)
    *faults, _ = refusals(seen)  # behind them is the end of the connection
    expected = [("Failure", case.refused[1], case.refused[0], None, case.refused[2])] if case.refused else []
    assert requests(seen) == list(case.requests)
    assert faults == expected
    assert seen.sent == answers(case)
    assert seen.end is (HALF_CLOSE if case.refused or case.is_last else None)


def followed(case: Case) -> Case:
    """Put a request behind the bytes of a row. It is read behind those that are right, and else never."""
    is_served = case.refused is None and not case.is_last
    return case._replace(data=case.data + GET, requests=case.requests + (NEXT,) * is_served)


def places_of(data: bytes) -> Iterator[int]:
    """Yield every place to cut in two; of a long message those inside a run of one byte are alike, but for its ends."""
    for place in range(1, len(data)):
        if len(data) < 600 or len(set(data[max(place - 3, 0) : place + 3])) > 1:
            yield place


@pytest.mark.parametrize("name", REQUESTS)
def test_each_message_has_one_reading_or_is_refused(name: str) -> None:
    """RFC 9112 §11.2: the request behind it is answered if its place is certain, and never if it is not."""
    case = followed(REQUESTS[name])
    check(case, [case.data])


@pytest.mark.parametrize("name", REQUESTS)
def test_each_message_is_read_alike_byte_by_byte(name: str) -> None:
    """RFC 9112 §2.2."""
    case = followed(REQUESTS[name])
    check(case, [case.data[i : i + 1] for i in range(len(case.data))])


@pytest.mark.parametrize("name", REQUESTS)
def test_each_message_is_read_alike_in_any_two_pieces(name: str) -> None:
    """RFC 9112 §2.2."""
    case = followed(REQUESTS[name])
    for place in places_of(case.data):
        check(case, [case.data[:place], case.data[place:]])


@given(st.sampled_from(list(REQUESTS)), st.lists(st.integers(0, 9000), max_size=6))
def test_each_message_is_read_alike_in_any_pieces(name: str, places: list[int]) -> None:
    """RFC 9112 §2.2."""
    case = followed(REQUESTS[name])
    check(case, cut_at(case.data, places))


@pytest.mark.parametrize("name", REQUESTS)
def test_each_message_is_read_alike_behind_another(name: str) -> None:
    """RFC 9112 §9.3: nothing is left of the exchange before."""
    case = followed(REQUESTS[name])
    check(case._replace(requests=(NEXT, *case.requests)), [GET + case.data])


@given(st.sampled_from([name for name, case in REQUESTS.items() if case.refused]), st.binary(max_size=60))
def test_nothing_behind_a_fault_is_read(name: str, rest: bytes) -> None:
    """RFC 9112 §9.6, §11.2: whatever it looks like, and however it comes."""
    case = REQUESTS[name]
    data = case.data + GET
    check(case, [data, rest, GET] if rest else [data, GET])


# ------------------------------------------------------------------------------------------------------------- responses


def client(method: bytes) -> Connection:
    """Make a client that has asked and waits."""
    conn = connection("client")
    conn.send(RequestHead(method=method, target=b"/", headers=((b"Host", b"a"),)), 0.0)
    conn.send(BodyEnd(), 0.0)
    said(conn)
    return conn


def check_response(name: str, pieces: Iterable[bytes]) -> None:
    """Let a client read the pieces up to the end of the stream, and compare."""
    answer = RESPONSES[name]
    seen = trace(client(answer.method), pieces)
    expected = answer.refused and ("Failure", answer.refused[1], answer.refused[0], None, answer.refused[2])
    heads = tuple(event.status_code for event in seen.events if isinstance(event, ResponseHead))
    content = b"".join(event.data for event in seen.events if isinstance(event, BodyData))
    ends = [event.trailers for event in seen.events if isinstance(event, BodyEnd)]
    events = (RequestHead, ResponseHead, BodyData, BodyEnd)
    *faults, end = [event for event in seen.events if not isinstance(event, events)]
    assert (heads, content) == (answer.status_codes, answer.content)
    assert ends == [answer.trailers] * answer.is_whole
    assert faults == ([expected] if expected else [])
    assert end is seen.events[-1]
    assert (seen.sent, seen.end) == (b"", CLOSE)


@pytest.mark.parametrize("name", RESPONSES)
def test_each_response_has_one_reading_or_is_refused(name: str) -> None:
    """RFC 9112 §6.3: what is not whole never looks whole."""
    check_response(name, [RESPONSES[name].data] if RESPONSES[name].data else [])


@pytest.mark.parametrize("name", RESPONSES)
def test_each_response_is_read_alike_byte_by_byte(name: str) -> None:
    """RFC 9112 §2.2."""
    data = RESPONSES[name].data
    check_response(name, [data[i : i + 1] for i in range(len(data))])


@pytest.mark.parametrize("name", RESPONSES)
def test_each_response_is_read_alike_in_any_two_pieces(name: str) -> None:
    """RFC 9112 §2.2."""
    data = RESPONSES[name].data
    for place in places_of(data):
        check_response(name, [data[:place], data[place:]])


# ----------------------------------------------------------------------------------------------- nothing is tidied up


def test_fields_come_as_they_were_sent() -> None:
    """RFC 9110 §5.3, §5.5: names are in lower case, values are as on the wire; no engine puts another in their place."""
    fields = b"TRANSFER-encoding: Chunked\r\nX:\t a  b \t\r\nx: c\r\n"
    headers = ((b"transfer-encoding", b"Chunked"), (b"x", b"a  b"), (b"x", b"c"))
    seen = trace(connection(), [b"POST / HTTP/1.1\r\nHost: A\r\n" + fields + b"\r\n"], eof=False)
    assert seen.events[0] == RequestHead(method=b"POST", target=b"/", headers=((b"host", b"A"), *headers))
    seen = trace(client(b"GET"), [b"HTTP/1.1 200 Fine, thanks\r\n" + fields + b"\r\n"], eof=False)
    assert seen.events[0] == ResponseHead(status_code=200, headers=headers, reason_phrase=b"Fine, thanks")
