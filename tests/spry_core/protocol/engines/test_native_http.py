"""Tests of `spry_core.protocol.engines.native_http`: HTTP/1.1 by ourselves, and that the reference says the same bytes."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spry_core.errors import LocalProtocolError
from spry_core.protocol import (
    BodyData,
    BodyEnd,
    Connection,
    Limits,
    RawFields,
    RequestHead,
    ResponseHead,
    SentEvent,
    StreamEnd,
)
from spry_core.protocol.engines import EngineName, pure
from spry_core.protocol.engines.native_http import NativeHttpEngine
from spry_core.protocol.head import KNOWN, NOTABLE
from spry_core.testing.strategies.cuts import cut_at
from traces import comparable, counted

ENGINE: Final = NativeHttpEngine(pure)
HEAD: Final = b"GET /a HTTP/1.1\r\nHost: b\r\nX-C:  d \r\n\r\n"

# ------------------------------------------------------------------------------------------------------ what comes in


def test_a_head_in_order_is_taken() -> None:
    """RFC 9112 §3, §5: of its fields those that decide about something stand by themselves."""
    fields = ((b"host", b"b"), (b"x-c", b"d"))
    taken = ENGINE.take_request(HEAD + b"more", Limits(), KNOWN, NOTABLE)
    assert taken == (b"GET", b"/a", b"1.1", fields, fields[:1], len(HEAD))


@pytest.mark.parametrize(
    ("limits", "is_taken"),
    [
        (Limits(max_request_line=15), True),
        (Limits(max_request_line=14), False),
        (Limits(max_field_line=8), True),
        (Limits(max_field_line=7), False),
        (Limits(max_header_section=19), True),
        (Limits(max_header_section=18), False),
        (Limits(max_fields=2), True),
        (Limits(max_fields=1), False),
    ],
)
def test_a_head_beyond_a_limit_is_left(limits: Limits, is_taken: bool) -> None:
    assert (ENGINE.take_request(HEAD, limits, KNOWN, NOTABLE) is not None) is is_taken


def test_content_comes_decoded_and_is_not_copied() -> None:
    data = b"abc"
    ENGINE.receive_head(HEAD)
    assert not ENGINE.decodes_chunks
    assert ENGINE.receive_content(data) is data
    ENGINE.end_content()
    ENGINE.next_cycle()


# ------------------------------------------------------------------------------------------------------ what goes out


def test_a_request_has_its_host_first() -> None:
    """RFC 9110 §7.2."""
    fields = ((b"A", b"b"), (b"HOST", b"c"), (b"Content-Length", b"0"))
    head = RequestHead(method=b"PUT", target=b"/x", headers=fields)
    assert ENGINE.write_request(head) == b"PUT /x HTTP/1.1\r\nHOST: c\r\nA: b\r\nContent-Length: 0\r\n\r\n"


def test_several_hosts_stay_in_order() -> None:
    """A response may say what it likes."""
    fields = ((b"host", b"a"), (b"B", b""), (b"Host", b"c"))
    assert ENGINE.write_response(299, b"", fields) == b"HTTP/1.1 299 \r\nhost: a\r\nHost: c\r\nB: \r\n\r\n"


def test_a_response_and_its_content_are_one_piece() -> None:
    whole = ENGINE.write_whole_response(200, b"OK", [(b"Content-Length", b"2")], b"hi")
    assert whole == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"


@pytest.mark.parametrize(
    ("data", "is_chunked", "written"),
    [
        (b"a" * 26, True, b"1a\r\n" + b"a" * 26 + b"\r\n"),
        (b"", True, b""),
        (b"ab", False, b"ab"),
        (b"", False, b""),
    ],
)
def test_content_is_framed_if_it_is_chunked(data: bytes, is_chunked: bool, written: bytes) -> None:
    """RFC 9112 §7.1: a chunk of no bytes would be the last one."""
    assert ENGINE.write_data(data, is_chunked) == written


@pytest.mark.parametrize(
    ("trailers", "is_chunked", "written"),
    [((), True, b"0\r\n\r\n"), (((b"A", b"b"),), True, b"0\r\nA: b\r\n\r\n"), ((), False, b"")],
)
def test_the_end_of_chunks_has_trailers(trailers: RawFields, is_chunked: bool, written: bytes) -> None:
    """RFC 9112 §7.1.2."""
    assert ENGINE.write_end(trailers, is_chunked) == written


# --------------------------------------------------------------------------------------- the same from the reference

ENGINES: Final[tuple[EngineName, ...]] = ("reference", "pure", "native")

connections = st.sampled_from([b"", b"close", b"Keep-Alive, x", b"CLOSE, b, a", b"a, keep-alive"])
fields_of_answers = st.sampled_from(
    [
        (b"Content-Length", b"0"),
        (b"Content-Length", b"3"),
        (b"content-length", b"3"),
        (b"Content-Length", b"x"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Transfer-Encoding", b"gzip"),
        (b"Connection", b"close"),
        (b"connection", b"Keep-Alive, x"),
        (b"Date", b"mine"),
        (b"Host", b"h"),
        (b"X-A", b"b"),
        (b"X-A", b"b\xffc\td"),
        (b"Set-Cookie", b"a=b"),
        (b"X-Long", b"l" * 300),
        (b"bad name", b""),
        (b"X", b" space"),
        (b"X", b"\r\n"),
    ]
)
plain_answers = st.builds(
    ResponseHead,
    status_code=st.sampled_from([200, 404, 599, 299, 304]),
    headers=st.permutations([(b"Content-Length", b"3"), (b"X-A", b"b"), (b"ETag", b'"e"')]).map(tuple),
)
odd_answers = st.builds(
    ResponseHead,
    status_code=st.sampled_from([200, 200, 200, 204, 304, 404, 599, 299, 100, 103, 101, 600, 99]),
    headers=st.lists(fields_of_answers, max_size=4).map(tuple),
    reason_phrase=st.sampled_from([b"", b"", b"", b"Fine", b"\n"]),
    http_version=st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0"]),
)
answers = plain_answers | odd_answers
contents = st.sampled_from([b"abc", b"abc", b"", b"abcd"])
ends = st.sampled_from([BodyEnd(), BodyEnd(trailers=((b"A", b"b"),)), BodyEnd(trailers=((b"Host", b"b"),))])


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Make a request that is in order, most of the time."""
    if draw(st.booleans()):
        return HEAD
    method = draw(st.sampled_from([b"GET", b"GET", b"HEAD", b"POST", b"OPTIONS", b"CONNECT"]))
    target = draw(st.sampled_from([b"/", b"/", b"/a?b", b"*", b"http://a/", b"a:1", b"/#"]))
    lines = [b"%b %b HTTP/%b" % (method, target, draw(st.sampled_from([b"1.1", b"1.1", b"1.1", b"1.0"])))]
    lines.append(
        draw(st.sampled_from([b"Host: a", b"Host: a", b"Host: a", b"host:b:80", b"Host: a b", b"X:"]))
    )
    if options := draw(connections):
        lines.append(b"Connection: " + options)
    if draw(st.booleans()):
        lines.append(draw(st.sampled_from([b"Expect: 100-continue", b"Expect: x", b"Cookie: a", b"Host: a"])))
    framing, content = draw(
        st.sampled_from(
            [
                (b"", b""),
                (b"", b""),
                (b"Content-Length: 0", b""),
                (b"Content-Length: 3", b"abc"),
                (b"Content-Length: 3", b"a"),
                (b"Transfer-Encoding: chunked", b"2;x\r\nab\r\n1\r\nc\r\n0\r\nT: u\r\n\r\n"),
                (b"Transfer-Encoding: Chunked", b"1\r\na\r\n"),
                (b"Transfer-Encoding: chunked", b"x\r\n"),
            ]
        )
    )
    if framing:
        lines.append(framing)
    return b"\r\n".join(lines) + b"\r\n\r\n" + content


def written(conn: Connection) -> tuple[bytes, list[StreamEnd]]:
    items = conn.data_to_send()
    data = b"".join([item for item in items if isinstance(item, bytes)])
    conn.bytes_written(len(data), 0.0)
    return data, [item for item in items if isinstance(item, StreamEnd)]


def state(conn: Connection) -> tuple[object, ...]:
    return comparable(conn), written(conn), conn.wants_read, conn.next_deadline(), conn.is_ending


def said_by(engine: EngineName, pieces: list[bytes], answer: list[SentEvent], is_whole: bool) -> list[object]:
    """Hear the pieces and give this answer to the first request; tell everything that is seen."""
    conn = Connection("server", now=0.0, random=counted, wall_clock=lambda: 7.0, engine=engine)
    seen: list[object] = []
    for piece in pieces:
        conn.receive_data(piece, 0.0)
        seen.append(state(conn))
    try:
        if is_whole:
            head, *rest = answer
            assert isinstance(head, ResponseHead)
            content = b"".join([each.data for each in rest if isinstance(each, BodyData)])
            conn.send_response(head, content, 1.0)
        else:
            for event in answer:
                conn.send(event, 1.0)
    except (LocalProtocolError, ValueError) as error:
        seen.append((type(error), str(error)))
    seen.append(state(conn))
    return seen


@given(
    st.lists(requests(), min_size=1, max_size=3).map(b"".join),
    st.lists(st.integers(0, 400), max_size=3),
    answers,
    st.lists(contents, max_size=2),
    ends,
    st.booleans(),
)
@settings(max_examples=400)
def test_every_engine_says_the_same_bytes(
    data: bytes, places: list[int], head: ResponseHead, parts: list[bytes], end: BodyEnd, is_whole: bool
) -> None:
    """Whatever is asked, and whatever is answered, right or wrong."""
    pieces = cut_at(data, places)
    answer: list[SentEvent] = [head, *(BodyData(data=part) for part in parts), end]
    first, *others = [said_by(engine, pieces, answer, is_whole) for engine in ENGINES]
    for other in others:
        assert other == first


@given(requests(), answers, contents)
@settings(max_examples=400)
def test_a_whole_response_is_what_its_parts_say(data: bytes, head: ResponseHead, content: bytes) -> None:
    """Unless a part is refused: then nothing of it was said."""
    parts: list[SentEvent] = [head, BodyEnd()]
    if content and not data.startswith(b"HEAD"):
        parts.insert(1, BodyData(data=content))
    seen = said_by("pure", [data], parts, False)
    whole = said_by("pure", [data], [head, BodyData(data=content)], True)
    if len(whole) == 2:
        assert whole == seen
    else:
        assert whole[2] == state_after(data)
        if head.status_code >= 200:
            assert whole[1] == seen[1]


def state_after(data: bytes) -> tuple[object, ...]:
    conn = Connection("server", now=0.0, random=counted, wall_clock=lambda: 7.0, engine="pure")
    conn.receive_data(data, 0.0)
    state(conn)
    return state(conn)


fields_of_requests = st.sampled_from(
    [
        (b"Host", b"a"),
        (b"Host", b"a"),
        (b"hOST", b"a"),
        (b"A", b"b"),
        (b"Content-Length", b"3"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Connection", b"close"),
        (b"Cookie", b"a=b"),
    ]
)
responses = st.sampled_from(
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n1\r\nd\r\n0\r\nT: u\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No\r\n\r\n",
        b"HTTP/1.1 304 No\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nto the end",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n",
        b"HTTP/1.1 101 Switching\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
    ]
)


@given(
    st.sampled_from([b"GET", b"HEAD", b"PUT"]),
    st.lists(fields_of_requests, max_size=3).map(tuple),
    st.lists(contents, max_size=2),
    ends,
    responses,
    st.lists(st.integers(0, 80), max_size=3),
    st.booleans(),
)
@settings(max_examples=200)
def test_every_engine_asks_and_hears_the_same(
    method: bytes,
    fields: RawFields,
    parts: list[bytes],
    end: BodyEnd,
    response: bytes,
    places: list[int],
    ends_stream: bool,
) -> None:
    """The client's half."""

    def seen_by(engine: EngineName) -> list[object]:
        conn = Connection("client", now=0.0, random=counted, engine=engine)
        seen: list[object] = []
        head = RequestHead(method=method, target=b"/", headers=fields)
        try:
            asked: list[SentEvent] = [head, *(BodyData(data=part) for part in parts), end]
            for event in asked:
                conn.send(event, 0.0)
        except (LocalProtocolError, ValueError) as error:
            seen.append((type(error), str(error)))
        for piece in cut_at(response, places):
            conn.receive_data(piece, 0.0)
            seen.append(state(conn))
        if ends_stream:
            conn.receive_eof(1.0)
        seen.append(state(conn))
        return seen

    first, *others = [seen_by(engine) for engine in ENGINES]
    for other in others:
        assert other == first
