"""Tests of `spry_core.protocol.writer`: what every response has, and the answer to a broken request."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from spry_core.protocol.engines import EngineName, http_engine
from spry_core.protocol.events import RequestHead, ResponseHead
from spry_core.protocol.head import EMPTY, Terms
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.protocol.stream import Stream
from spry_core.protocol.writer import MessageWriter

DATE = b"Date: Thu, 01 Jan 1970 00:00:07 GMT\r\n"
SHORT_TEXT = b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: 12\r\nConnection: close\r\n"


def writer(
    wall_clock: Callable[[], float] | None = None, name: EngineName = "reference"
) -> tuple[MessageWriter, Stream]:
    stream = Stream(limits=Limits(), timeouts=Timeouts(), random=bytes, can_half_close=True)
    engine = http_engine(name, "server", 1000)
    engine.receive_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    return MessageWriter(stream, engine, wall_clock), stream


def test_an_event_goes_out_as_it_is() -> None:
    messages, stream = writer()
    messages.write_response_head(200, b"Fine", [(b"Transfer-Encoding", b"chunked")], 0.0)
    messages.write(b"0\r\n\r\n", 0.0)
    assert stream.data_to_send() == [b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\n\r\n", b"0\r\n\r\n"]


@pytest.mark.parametrize(
    ("status_code", "fields", "head"),
    [
        (204, [], b"HTTP/1.1 204 No Content\r\n" + DATE),
        (204, [(b"DATE", b"mine")], b"HTTP/1.1 204 No Content\r\nDATE: mine\r\n"),
        (103, [], b"HTTP/1.1 103 Early Hints\r\n"),
    ],
)
def test_a_final_response_has_a_date_of_ours_unless_it_has_one(
    status_code: int, fields: list[tuple[bytes, bytes]], head: bytes
) -> None:
    """RFC 9110 §6.6.1."""
    messages, stream = writer(lambda: 7.9)
    messages.write_response_head(status_code, b"", fields, 0.0)
    assert stream.data_to_send() == [head + b"\r\n"]


def test_without_a_wall_clock_there_is_no_date() -> None:
    messages, stream = writer()
    messages.write_response_head(204, b"", [], 0.0)
    assert stream.data_to_send() == [b"HTTP/1.1 204 No Content\r\n\r\n"]


@pytest.mark.parametrize("engine", ["reference", "pure"])
@pytest.mark.parametrize(("size", "pieces"), [(0, 1), (16384, 1), (16385, 2)])
def test_a_plain_response_is_one_piece_unless_it_is_big(engine: EngineName, size: int, pieces: int) -> None:
    """To copy a big content costs more than a piece of its own."""
    head = ResponseHead(status_code=404, headers=((b"Content-Length", b"%d" % size),))
    messages, stream = writer(lambda: 7.9, engine)
    messages.write_plain_response(head, b"a" * size, 0.0)
    written = stream.data_to_send()
    start = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n" % size + DATE + b"\r\n"
    assert (b"".join(each for each in written if isinstance(each, bytes)), len(written)) == (
        start + b"a" * size,
        pieces,
    )


def test_a_plain_response_has_no_date_without_a_clock() -> None:
    messages, stream = writer()
    messages.write_plain_response(
        ResponseHead(status_code=200, headers=((b"Content-Length", b"1"),)), b"a", 0.0
    )
    assert stream.data_to_send() == [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na"]


def test_a_plain_head_that_was_written_before_is_known_with_its_length() -> None:
    """What comes out is what would without that."""
    fields = (b"X-Known", b"1"), (b"Content-Length", b"2")
    messages, stream = writer(lambda: 7.9, "pure")
    assert not messages.write_known_response(ResponseHead(status_code=404, headers=fields), b"ab", 0.0)
    messages.write_plain_response(ResponseHead(status_code=404, headers=fields), b"ab", 0.0)
    assert messages.write_known_response(ResponseHead(status_code=404, headers=fields), b"cd", 0.0)
    start = b"HTTP/1.1 404 Not Found\r\nX-Known: 1\r\nContent-Length: 2\r\n" + DATE + b"\r\n"
    assert stream.data_to_send() == [start + b"ab", start + b"cd"]
    for head in (
        ResponseHead(status_code=404, headers=fields, reason_phrase=b"Gone"),
        ResponseHead(status_code=404, headers=fields, http_version=b"1.0"),
        ResponseHead(status_code=200, headers=fields),
        ResponseHead(status_code=404, headers=fields[::-1]),
    ):
        assert not messages.write_known_response(head, b"ab", 0.0)
    assert not messages.write_known_response(ResponseHead(status_code=404, headers=fields), b"abc", 0.0)
    assert stream.data_to_send() == []


@pytest.mark.parametrize(
    ("engine", "fields", "size"),
    [
        ("reference", (), 2),  # h11 has to see each response
        ("pure", ((b"Set-Cookie", b"secret"),), 2),
        ("pure", ((b"X-Long", b"a" * 161),), 2),
        ("pure", tuple((b"X-%d" % i, b"a" * 140) for i in range(4)), 2),
        ("pure", (), 16385),
    ],
)
def test_no_other_head_is_known(
    engine: EngineName, fields: tuple[tuple[bytes, bytes], ...], size: int
) -> None:
    """Not with a secret in it, nor a long one, nor one whose content goes out in a piece of its own."""
    head = ResponseHead(status_code=200, headers=(*fields, (b"Content-Length", b"%d" % size)))
    messages, _ = writer(None, engine)
    messages.write_plain_response(head, b"a" * size, 0.0)
    assert not messages.write_known_response(head, b"a" * size, 0.0)


def test_only_so_many_heads_are_known() -> None:
    """Whoever asks for ever other lengths does not fill memory."""
    messages, stream = writer(None, "pure")
    heads = [
        ResponseHead(status_code=200, headers=((b"X-Many", b"%d" % i), (b"Content-Length", b"0")))
        for i in range(1025)
    ]
    for head in heads:
        messages.write_plain_response(head, b"", 0.0)
    stream.data_to_send()
    known = [i for i, head in enumerate(heads) if messages.write_known_response(head, b"", 0.0)]
    assert known == list(range(known[0], 1025))
    assert known[0] > 0


def test_a_response_to_a_last_request_says_so_at_its_end() -> None:
    """RFC 9112 §9.6."""
    terms = Terms(EMPTY, persists=False, expects_continue=False, is_old=False, upgrades=False)
    messages, stream = writer(lambda: 7.0, "pure")
    messages.write_response_head(200, b"", [(b"Connection", b"close"), (b"Content-Length", b"0")], 0.0, terms)
    assert stream.data_to_send() == [
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + DATE + b"Connection: close\r\n\r\n"
    ]


@pytest.mark.parametrize(
    ("method", "content"), [(None, [b"Bad Request\n"]), (b"GET", [b"Bad Request\n"]), (b"HEAD", [])]
)
def test_a_failure_is_a_short_text(method: bytes | None, content: list[bytes]) -> None:
    """RFC 9110 §9.3.2: an answer to HEAD has none."""
    messages, stream = writer(lambda: 7.0)
    request = None if method is None else RequestHead(method=method, target=b"/")
    messages.write_failure(400, request, 0.0)
    assert stream.data_to_send() == [b"HTTP/1.1 400 Bad Request\r\n" + SHORT_TEXT + DATE + b"\r\n", *content]
