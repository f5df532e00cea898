"""Tests of `spry_core.protocol.engines.reference`: h11 and wsproto behind our interfaces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    Frame,
    frame,
    masked,
    read_frames,
)
from spry_core.errors import RemoteProtocolError
from spry_core.protocol.engines.interface import FramePart, Opcode, Role
from spry_core.protocol.engines.reference import H11Engine, WsprotoEngine
from spry_core.protocol.events import BodyData, BodyEnd, RequestHead, ResponseHead
from spry_core.protocol.head import KNOWN, NOTABLE
from spry_core.protocol.limits import Limits
from spry_core.testing.strategies import cuts
from traces import COUNTED_MASK, counted, error_values, two_way_cuts

# ----------------------------------------------------------------------------------------------------------------- HTTP

POST = b"POST /a HTTP/1.1\r\nHost: a\r\nX-A:  b\tc \r\nTransfer-Encoding: chunked\r\n\r\n"
POST_HEAD = RequestHead(
    method=b"POST",
    target=b"/a",
    headers=((b"host", b"a"), (b"x-a", b"b\tc"), (b"transfer-encoding", b"chunked")),
)


def server() -> H11Engine:
    return H11Engine("server", 1000)


def client() -> H11Engine:
    return H11Engine("client", 1000)


def test_a_request_becomes_events() -> None:
    """Names in lower case, values without the whitespace around them (RFC 9112 §5.1)."""
    engine = server()
    assert engine.receive_data(POST) == [POST_HEAD]
    assert engine.receive_data(b"3\r\nab") == [BodyData(data=b"ab")]
    assert engine.receive_data(b"c\r\n0\r\nX-Sum: 7\r\n\r\n") == [
        BodyData(data=b"c"),
        BodyEnd(trailers=((b"x-sum", b"7"),)),
    ]


def test_the_content_of_tiny_chunks_comes_in_one_piece() -> None:
    """Of its frame nothing is left; a read without data is none."""
    engine = server()
    assert engine.decodes_chunks
    engine.receive_head(POST)
    assert engine.receive_content(b"1\r\na\r\n2\r\nbc\r\n") == b"abc"
    assert engine.receive_content(b"0\r\n\r\n") == b""


def test_no_head_is_taken_at_once() -> None:
    """h11 reads every one of them, when it has been scanned."""
    assert server().take_request(POST, Limits(), KNOWN, NOTABLE) is None


def test_what_is_written_piece_by_piece_is_what_the_events_say() -> None:
    engine = server()
    engine.receive_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    fields = [(b"Transfer-Encoding", b"chunked")]
    assert engine.write_response(200, b"OK", fields) == (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert engine.write_data(b"ab", True) == b"2\r\nab\r\n"
    assert engine.write_end(((b"A", b"b"),), True) == b"0\r\nA: b\r\n\r\n"


def test_a_whole_response_is_written_and_the_next_exchange_begins() -> None:
    engine = server()
    for _ in range(2):
        engine.receive_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert engine.write_whole_response(200, b"OK", [(b"Content-Length", b"2")], b"hi") == (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        )
        engine.next_cycle()


def test_a_content_ends_with_the_stream() -> None:
    engine = client()
    head = RequestHead(method=b"GET", target=b"/", headers=((b"Host", b"a"),))
    assert engine.write_request(head) == b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    engine.write_end((), False)
    engine.receive_head(b"HTTP/1.0 200 OK\r\n\r\n")
    assert engine.receive_content(b"ab") == b"ab"
    engine.end_content()
    assert engine.receive_eof() == []  # the content has ended already


def test_a_request_without_content_ends_with_its_head() -> None:
    head = RequestHead(method=b"GET", target=b"/", http_version=b"1.0")
    assert server().receive_data(b"GET / HTTP/1.0\r\n\r\n") == [head, BodyEnd()]


def test_a_response_is_written() -> None:
    engine = server()
    engine.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert engine.send(ResponseHead(status_code=103, headers=((b"A", b"b"),), reason_phrase=b"Hints")) == (
        b"HTTP/1.1 103 Hints\r\nA: b\r\n\r\n"
    )
    fields = ((b"X-Case", b"Kept"), (b"Transfer-Encoding", b"chunked"))
    assert engine.send(ResponseHead(status_code=200, headers=fields)) == (
        b"HTTP/1.1 200 \r\nX-Case: Kept\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert engine.send(BodyData(data=b"abc")) == b"3\r\nabc\r\n"
    assert engine.send(BodyData(data=b"")) == b""
    assert engine.send(BodyEnd(trailers=((b"A", b"b"),))) == b"0\r\nA: b\r\n\r\n"


def test_one_exchange_follows_the_other() -> None:
    engine = server()
    for _ in range(3):
        assert len(engine.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")) == 2
        engine.send(ResponseHead(status_code=204))
        engine.send(BodyEnd())
        engine.next_cycle()


def test_a_request_is_written_and_its_response_read() -> None:
    engine = client()
    head = RequestHead(method=b"PUT", target=b"/x", headers=((b"Host", b"a"), (b"Content-Length", b"2")))
    assert engine.send(head) == b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n"
    assert engine.send(BodyData(data=b"hi")) == b"hi"
    assert engine.send(BodyEnd()) == b""
    assert engine.receive_data(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 2\r\n\r\nok"
    ) == [
        ResponseHead(status_code=100, reason_phrase=b"Continue"),
        ResponseHead(status_code=201, headers=((b"content-length", b"2"),), reason_phrase=b"Made"),
        BodyData(data=b"ok"),
        BodyEnd(),
    ]


def test_a_content_without_a_length_ends_with_the_stream() -> None:
    """RFC 9112 §6.3."""
    engine = client()
    engine.send(RequestHead(method=b"GET", target=b"/", headers=((b"Host", b"a"),)))
    engine.send(BodyEnd())
    head = ResponseHead(status_code=200, reason_phrase=b"OK", http_version=b"1.0")
    assert engine.receive_data(b"HTTP/1.0 200 OK\r\n\r\nab") == [head, BodyData(data=b"ab")]
    assert engine.receive_eof() == [BodyEnd()]


def test_the_end_of_an_idle_stream_is_no_event() -> None:
    assert server().receive_eof() == []


def test_what_h11_refuses_is_an_error_of_the_peer() -> None:
    """What the checks above the engines let through and h11 does not, as this trailer."""
    engine = server()
    engine.receive_data(POST)
    with pytest.raises(RemoteProtocolError) as caught:
        engine.receive_data(b"0\r\nTransfer-Encoding: gzip\r\n\r\n")
    assert error_values(caught.value) == (
        "Only Transfer-Encoding: chunked is supported",
        501,
        None,
        "RFC 9112",
    )
    assert caught.value.__cause__ is not None


def test_an_error_echoes_at_most_100_characters() -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        server().receive_data(b"X" * 1001)
    assert caught.value.status_code == 431
    with pytest.raises(RemoteProtocolError) as caught:
        server().receive_data(b"GET / HTTP/1.1\r\n\xff" + b"X" * 500 + b"\r\n\r\n")
    assert len(str(caught.value)) <= 100


# --------------------------------------------------------------------------------------------------------------- frames


def admit(opcode: Opcode, length: int, rsv1: bool) -> None:
    """Let every frame pass."""


def parts(engine: WsprotoEngine) -> list[FramePart]:
    found: list[FramePart] = []
    while (part := engine.next_part()) is not None:
        found.append(part)
    return found


def decode(pieces: list[bytes], role: Role = "server") -> list[FramePart]:
    """Decode all pieces; the parts of one frame are joined."""
    engine = WsprotoEngine(role, admit, counted)
    joined: list[FramePart] = []
    for piece in pieces:
        engine.receive_data(piece)
        for part in parts(engine):
            if joined and not joined[-1].ends_frame:
                last = joined.pop()
                assert part.opcode is last.opcode
                part = FramePart(part.opcode, last.data + part.data, part.ends_frame, part.ends_message)
            joined.append(part)
    return joined


def test_the_frames_of_the_standard_are_read() -> None:
    """RFC 6455 §5.7."""
    hello = bytes.fromhex("818537fa213d7f9f4d5158")
    assert decode([hello]) == [FramePart(Opcode.TEXT, b"Hello", True, True)]
    assert decode([bytes.fromhex("810548656c6c6f")], "client") == [
        FramePart(Opcode.TEXT, b"Hello", True, True)
    ]
    assert decode([bytes.fromhex("010348656c80026c6f")], "client") == [
        FramePart(Opcode.TEXT, b"Hel", True, False),
        FramePart(Opcode.CONTINUATION, b"lo", True, True),
    ]
    assert decode([bytes.fromhex("890548656c6c6f")], "client") == [
        FramePart(Opcode.PING, b"Hello", True, True)
    ]
    assert decode([bytes.fromhex("8a8537fa213d7f9f4d5158")]) == [FramePart(Opcode.PONG, b"Hello", True, True)]
    assert decode([b"\x82\x7e\x01\x00" + bytes(256)], "client") == [
        FramePart(Opcode.BINARY, bytes(256), True, True)
    ]
    big = decode([b"\x82\x7f" + (65536).to_bytes(8, "big") + bytes(65536)], "client")
    assert big == [FramePart(Opcode.BINARY, bytes(65536), True, True)]


def test_an_engine_has_data_until_all_of_it_is_in_parts() -> None:
    engine = WsprotoEngine("server", admit, counted)
    assert not engine.has_data
    engine.receive_data(frame(TEXT, b"ab") + frame(PING)[:1])
    assert engine.has_data
    assert engine.next_part() == FramePart(Opcode.TEXT, b"ab", True, True)
    assert engine.has_data
    assert engine.next_part() is None
    engine.receive_data(frame(PING)[1:])
    assert engine.next_part() == FramePart(Opcode.PING, b"", True, True)
    assert not engine.has_data


def test_no_message_is_taken_at_once() -> None:
    """wsproto reads every frame of it."""

    def inflate(payload: bytes, is_text: bool, longest: int) -> None:
        raise AssertionError(payload)

    engine = WsprotoEngine("server", admit, counted)
    assert engine.take_compressed(inflate, 1, 1, 1) == ([], [], False)
    assert engine.take_messages(frame(TEXT, b"a", mask=MASK), 1, 1, 1) == ([], [], True)
    assert engine.take_compressed(inflate, 1, 1, 1) == ([], [], True)
    assert parts(engine) == [FramePart(Opcode.TEXT, b"a", True, True)]


def test_data_comes_in_parts_and_control_frames_come_whole() -> None:
    engine = WsprotoEngine("server", admit, counted)
    engine.receive_data(frame(TEXT, b"abcdef", fin=False)[:8])
    assert parts(engine) == [FramePart(Opcode.TEXT, b"ab", False, False)]
    engine.receive_data(masked(b"abcdef", MASK)[2:5])
    assert parts(engine) == [FramePart(Opcode.TEXT, b"cde", False, False)]
    engine.receive_data(masked(b"abcdef", MASK)[5:])
    assert parts(engine) == [FramePart(Opcode.TEXT, b"f", True, False)]
    ping = frame(PING, b"abc")
    engine.receive_data(ping[:-1])
    assert parts(engine) == []
    engine.receive_data(ping[-1:])
    assert parts(engine) == [FramePart(Opcode.PING, b"abc", True, True)]


def test_the_parts_of_a_continuation_stay_continuations() -> None:
    engine = WsprotoEngine("server", admit, counted)
    whole = frame(CONTINUATION, b"abcd")
    found: list[FramePart] = []
    for i in range(len(whole)):
        engine.receive_data(whole[i : i + 1])
        found += parts(engine)
    assert [part.opcode for part in found] == [Opcode.CONTINUATION] * 4


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536])
@pytest.mark.parametrize("opcode", [TEXT, BINARY, CONTINUATION])
@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("rsv1", [True, False])
def test_every_form_of_length_is_read_and_written(size: int, opcode: int, fin: bool, rsv1: bool) -> None:
    """RFC 6455 §5.2: 7, 16 and 64 bits, the shortest that fits; RSV1 is nothing to the engine."""
    payload = b"x" * size
    part = FramePart(Opcode(opcode), payload, True, fin, rsv1)
    by_client = WsprotoEngine("client", admit, counted).frame(fin << 7 | rsv1 << 6 | opcode, payload)
    by_server = WsprotoEngine("server", admit, counted).frame(fin << 7 | rsv1 << 6 | opcode, payload)
    assert by_client == frame(opcode, payload, fin=fin, rsv=4 * rsv1, mask=COUNTED_MASK)
    assert by_server == frame(opcode, payload, fin=fin, rsv=4 * rsv1, mask=None)
    assert decode([by_client], "server") == [part]
    assert decode([by_server], "client") == [part]


@pytest.mark.parametrize("size", [0, 1, 3, 4, 5, 125])
def test_each_frame_of_a_client_has_a_fresh_key(size: int) -> None:
    """RFC 6455 §5.3: drawn from the source that was passed in."""
    keys = iter([b"\x01\x02\x03\x04", b"\xff\x00\xff\x00"])
    engine = WsprotoEngine("client", admit, lambda n: next(keys))
    payload = bytes(range(size))
    written = engine.frame(0x82, payload) + engine.frame(0x89, payload)
    assert read_frames(written) == [
        Frame(BINARY, payload, True, b"\x01\x02\x03\x04"),
        Frame(PING, payload, True, b"\xff\x00\xff\x00"),
    ]


def test_nothing_is_gathered_and_every_frame_is_one_piece() -> None:
    engine = WsprotoEngine("server", admit, bytes)
    engine.receive_data(frame(BINARY, bytes(300))[:-1])
    assert engine.take_begun() is None
    assert engine.frame_apart(0x41, b"a") == (frame(TEXT, b"a", fin=False, rsv=4, mask=None),)


def fault(data: bytes, role: Role = "server") -> tuple[object, ...]:
    with pytest.raises(RemoteProtocolError) as caught:
        decode([data], role)
    return error_values(caught.value)


BAD: list[tuple[bytes, Role]] = [
    *((frame(TEXT, b"a", rsv=rsv), "server") for rsv in (1, 2, 3, 5, 6, 7)),
    *((frame(opcode, b""), "server") for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
    *((frame(opcode, b"", fin=False), "server") for opcode in (CLOSE_FRAME, PING, PONG)),
    *((frame(opcode, b"a" * 126), "server") for opcode in (CLOSE_FRAME, PING, PONG)),
    (frame(PING, b"a", length_form=16), "server"),
    (frame(BINARY, b"a" * 125, length_form=16), "server"),
    (frame(BINARY, b"a" * 125, length_form=64), "server"),
    (frame(BINARY, b"a" * 65535, length_form=64), "server"),
    (b"\x82\xff" + (1 << 63).to_bytes(8, "big") + MASK, "server"),
    (frame(TEXT, b"a", mask=None), "server"),
    (frame(PING, b"", mask=None), "server"),
    (frame(TEXT, b"a"), "client"),
]


@pytest.mark.parametrize(("data", "role"), BAD, ids=lambda value: repr(value)[:40])
def test_what_breaks_the_framing_fails_with_1002(data: bytes, role: Role) -> None:
    """RFC 6455 §5.1, §5.2, §5.5."""
    assert fault(data, role)[1:] == (None, 1002, "RFC 6455 §5.2")


@pytest.mark.parametrize(("data", "role"), [entry for entry in BAD if len(entry[0]) < 200])
def test_a_fault_is_found_wherever_the_bytes_were_cut(data: bytes, role: Role) -> None:
    expected = fault(data, role)
    for pieces in two_way_cuts(data):
        with pytest.raises(RemoteProtocolError) as caught:
            decode(pieces, role)
        assert error_values(caught.value) == expected


class Asked(list[tuple[Opcode, int, bool]]):
    """Remembers what it was asked, and refuses from a length on."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def __call__(self, opcode: Opcode, length: int, rsv1: bool) -> None:
        self.append((opcode, length, rsv1))
        if length > self.limit:
            raise RemoteProtocolError("too long", close_code=1009, section="x")


def test_a_frame_is_judged_by_its_header_before_any_payload() -> None:
    asked = Asked(limit=1000)
    engine = WsprotoEngine("server", asked, counted)
    engine.receive_data(frame(TEXT, b"a") + b"\x82\xfe\x10\x00")
    assert engine.next_part() == FramePart(Opcode.TEXT, b"a", True, True)
    with pytest.raises(RemoteProtocolError, match=r"^too long$"):
        engine.next_part()
    assert asked == [(Opcode.TEXT, 1, False), (Opcode.BINARY, 4096, False)]


def test_every_opcode_is_asked_about() -> None:
    asked = Asked(limit=1000)
    engine = WsprotoEngine("server", asked, counted)
    opcodes = [TEXT, BINARY, CONTINUATION, CLOSE_FRAME, PING, PONG]
    for rsv in (0, 4):
        engine.receive_data(b"".join(frame(opcode, b"", rsv=rsv) for opcode in opcodes))
        assert len(parts(engine)) == len(opcodes)
    assert asked == [(Opcode(opcode), 0, rsv1) for rsv1 in (False, True) for opcode in opcodes]


@pytest.mark.parametrize("opcode", [TEXT, CONTINUATION])
def test_every_part_of_a_frame_has_its_rsv1(opcode: int) -> None:
    """RFC 7692 §6; a control frame between them has its own."""
    engine = WsprotoEngine("server", admit, counted)
    compressed = frame(opcode, b"abc", rsv=4, fin=False)
    for piece, whole in ((compressed[:-1], b"ab"), (compressed[-1:], b"c")):
        engine.receive_data(piece)
        assert parts(engine) == [FramePart(Opcode(opcode), whole, whole == b"c", False, True)]
    engine.receive_data(frame(PING) + frame(CONTINUATION, b"d"))
    assert [part.rsv1 for part in parts(engine)] == [False, False]


frames = st.builds(
    frame,
    st.sampled_from([TEXT, BINARY, CONTINUATION]),
    st.binary(max_size=300),
    fin=st.booleans(),
    mask=st.binary(min_size=4, max_size=4),
)
controls = st.builds(
    frame,
    st.sampled_from([PING, PONG, CLOSE_FRAME]),
    st.binary(max_size=125),
    mask=st.binary(min_size=4, max_size=4),
)
streams = st.lists(frames | controls, min_size=1, max_size=6).map(b"".join)


@given(streams.flatmap(lambda data: st.tuples(st.just(data), cuts(data))))
def test_cuts_do_not_matter(given_stream: tuple[bytes, list[bytes]]) -> None:
    """And a reader made by hand reads the same."""
    data, pieces = given_stream
    expected = [FramePart(Opcode(each.opcode), each.payload, True, each.fin) for each in read_frames(data)]
    assert decode(pieces) == decode([data]) == expected
