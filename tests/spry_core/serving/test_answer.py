"""How answers go out: whole or streamed, with backpressure, and never truncated without being cut."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import cast

import pytest

from spry_core import Application, ConnectionClosed, Request, Response, Timeouts, sleep
from spry_core.closing import ConnectionLost
from spry_core.tasks import event
from spry_core.testing import Cancelled, MemoryPeer, TestClient

DATE = b"Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
    + DATE
    + b"Transfer-Encoding: chunked\r\n\r\n"
)


def answering(response: object) -> TestClient:
    """Return a client of an application that answers with this."""
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> object:
        return response

    return TestClient(app)


def asked(client: TestClient, request: bytes = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n") -> MemoryPeer:
    """Return a peer that has sent this request."""
    peer = client.connect()
    peer.send(request)
    return peer


def errors(client: TestClient) -> list[str]:
    return [repr(record.exception) for record in client.reports if record.logger == "spry.error"]


def accesses(client: TestClient) -> list[str]:
    return [record.text for record in client.reports if record.logger == "spry.access"]


def test_whole_content_goes_out_with_its_length() -> None:
    peer = asked(answering(b"abc"))
    assert peer.received == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3\r\n"
        + DATE
        + b"\r\nabc"
    )


def test_no_content_is_no_body() -> None:
    assert asked(answering(None)).received == b"HTTP/1.1 204 No Content\r\n" + DATE + b"\r\n"


def test_an_answer_to_head_has_no_content_whatever_it_says() -> None:
    """RFC 9110 §9.3.2."""
    head = b"HEAD / HTTP/1.1\r\nHost: t\r\n\r\n"
    assert asked(answering(b"abc"), head).received == (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 3\r\n" + DATE + b"\r\n"
    )


def test_a_streamed_answer_to_head_is_not_asked_for_its_content() -> None:
    asked_for = list[str]()

    class Pieces:
        def __iter__(self) -> Iterator[bytes]:
            asked_for.append("content")
            return iter([b"abc"])

    peer = asked(answering(Pieces()), b"HEAD / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert (peer.received.partition(b"\r\n\r\n")[2], asked_for) == (b"", [])


def test_a_stream_goes_out_in_chunks_and_empty_pieces_are_left_out() -> None:
    """RFC 9112 §7.1: an empty chunk would be the end."""
    assert asked(answering(iter([b"abc", b"", b"de"]))).received == (
        CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    )


def test_pieces_of_text_are_encoded() -> None:
    assert asked(answering(iter(["caf", "é"]))).received.endswith(b"3\r\ncaf\r\n2\r\n\xc3\xa9\r\n0\r\n\r\n")


def test_an_async_stream_may_take_its_time() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        await sleep(1.0)
        yield b"b"

    client = answering(pieces())
    peer = asked(client)
    assert peer.take() == CHUNKED + b"1\r\na\r\n"
    client.advance(1.0)
    assert peer.take() == b"1\r\nb\r\n0\r\n\r\n"


def test_a_stream_with_a_length_is_not_chunked() -> None:
    peer = asked(answering(Response(iter([b"ab", b"c"]), headers={"content-length": "3"})))
    assert peer.received == (
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Type: application/octet-stream\r\n"
        + DATE
        + b"\r\nabc"
    )


def test_for_http_1_0_a_stream_ends_with_the_connection() -> None:
    """RFC 9112 §6.3."""
    peer = asked(answering(iter([b"ab", b"c"])), b"GET / HTTP/1.0\r\n\r\n")
    head, _, content = peer.received.partition(b"\r\n\r\n")
    assert (content, b"Connection: close" in head, b"Transfer-Encoding" in head) == (b"abc", True, False)
    assert peer.is_ended is True


@pytest.mark.parametrize("length", ["2", "4"])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_length_that_does_not_fit_cuts_the_connection(length: str, is_streamed: bool) -> None:
    """A truncated content never looks complete, and none is padded."""
    client = answering(
        Response(iter([b"a", b"bc"]) if is_streamed else b"abc", headers={"content-length": length})
    )
    peer = asked(client)
    assert (peer.is_reset, len(errors(client)), len(accesses(client))) == (True, 1, 1)


def test_a_stream_that_fails_cuts_the_connection_and_is_logged() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("of the stream")

    client = answering(pieces())
    assert asked(client).is_reset is True
    assert errors(client) == ["LookupError('of the stream')"]


def test_a_piece_that_is_neither_text_nor_bytes_cuts_the_connection() -> None:
    client = answering(Response(cast("Iterator[str]", iter(["a", 1]))))
    assert asked(client).is_reset is True
    assert len(errors(client)) == 1


def test_a_stream_that_fails_as_a_closed_connection_does_is_an_error_too() -> None:
    """It is another connection that the stream has lost, not the one it answers on."""

    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise ConnectionLost(None, "of somebody else")

    client = answering(pieces())
    assert asked(client).is_reset is True
    assert errors(client) == ["ConnectionLost('of somebody else')"]


def test_when_the_peer_leaves_the_stream_is_closed_at_its_yield() -> None:
    seen = list[str]()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield bytes(40_000)
        except GeneratorExit:
            seen.append("closed")
            raise
        finally:
            await sleep(1.0)
            seen.append("cleaned up")

    client = answering(pieces())
    peer = client.connect()
    peer.is_reading = False
    peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    peer.reset()
    assert seen == ["closed"]
    client.advance(1.0)
    assert (seen, errors(client), client.server.session_count) == (["closed", "cleaned up"], [], 0)


def test_when_the_peer_leaves_a_stream_that_waits_is_interrupted() -> None:
    seen = list[str]()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await event().wait()
        finally:
            seen.append("cleaned up")

    client = answering(pieces())
    asked(client).reset()
    assert (seen, errors(client), client.server.session_count) == (["cleaned up"], [], 0)


def test_a_peer_that_does_not_read_is_sent_no_more_than_fits() -> None:
    made = list[int]()

    def pieces() -> Iterator[bytes]:
        for number in range(100):
            made.append(number)
            yield bytes(20_000)

    client = answering(pieces())
    peer = client.connect()
    peer.is_reading = False
    peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    assert len(made) < 10
    peer.is_reading = True
    assert len(made) == 100
    assert peer.received.endswith(b"\r\n0\r\n\r\n")


def test_a_stream_is_closed_when_nobody_is_left_to_read_it() -> None:
    closed = list[str]()

    class Pieces:
        def __aiter__(self) -> AsyncIterator[bytes]:
            raise AssertionError("not asked for")

        async def aclose(self) -> None:
            closed.append("closed")

    app = Application()

    @app.get("/")
    async def handler(request: Request) -> object:
        await sleep(1.0)
        return Pieces()

    client = TestClient(app)
    asked(client).reset()
    client.advance(1.0)
    assert (closed, errors(client)) == (["closed"], [])


def test_whole_content_for_nobody_is_dropped() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        await sleep(1.0)
        return "for nobody"

    client = TestClient(app)
    asked(client).reset()
    client.advance(1.0)
    assert (errors(client), accesses(client)) == ([], ['127.0.0.1:50000 "GET /" no answer 1000.0 ms'])


def test_a_stream_that_is_cancelled_at_the_end_of_the_grace_cuts_the_connection() -> None:
    seen = list[str]()

    async def pieces() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            await event().wait()
        finally:
            seen.append("cleaned up")

    client = answering(pieces())
    peer = asked(client)
    client.shutdown(grace=2.0)
    client.advance(2.0)
    assert (seen, peer.is_reset, errors(client), client.server.closed) == (["cleaned up"], True, [], True)


def test_a_peer_that_never_reads_is_cut_at_the_write_deadline() -> None:
    def pieces() -> Iterator[bytes]:
        while True:
            yield bytes(50_000)

    app = Application()

    @app.get("/")
    async def handler(request: Request) -> object:
        return pieces()

    client = TestClient(app, timeouts=Timeouts(write=30.0))
    peer = client.connect()
    peer.is_reading = False
    peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    client.advance(29.9)
    assert peer.is_reset is False
    client.advance(0.1)
    assert (peer.is_reset, client.server.session_count) == (True, 0)


def test_a_client_that_is_cut_sees_a_lost_connection() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"a"
        raise LookupError("of the stream")

    with pytest.raises(ConnectionClosed):
        answering(pieces()).get("/")


def test_a_stream_that_is_not_begun_when_the_handler_is_cancelled_is_a_503() -> None:
    closed = list[str]()

    class Pieces:
        def __aiter__(self) -> AsyncIterator[bytes]:
            raise AssertionError("not asked for")

        async def aclose(self) -> None:
            closed.append("closed")

    app = Application()

    @app.get("/")
    async def handler(request: Request) -> object:
        try:
            await event().wait()
        except Cancelled:
            pass
        return Pieces()

    client = TestClient(app, timeouts=Timeouts(close_timeout=5.0))
    peer = asked(client)
    client.shutdown(grace=2.0)
    client.advance(2.0)
    assert peer.take().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert (closed, errors(client), peer.is_ended, peer.is_reset) == (["closed"], [], True, False)
    peer.close()
    assert client.server.closed is True


def test_the_head_of_a_stream_waits_for_its_first_piece() -> None:
    async def pieces() -> AsyncIterator[str]:
        await sleep(2.0)
        yield "a"
        await sleep(1.0)
        yield "b"

    client = answering(Response(pieces(), headers={"content-length": "2"}))
    peer = asked(client)
    client.advance(1.9)
    assert peer.received == b""
    client.advance(0.1)
    assert peer.take().endswith(b"\r\nDate: Sat, 01 Jan 2000 00:00:02 GMT\r\n\r\na")
    client.advance(1.0)
    assert peer.take() == b"b"


def test_an_empty_first_piece_sends_the_head_alone() -> None:
    async def pieces() -> AsyncIterator[str]:
        yield ""
        await sleep(2.0)
        yield "a"

    client = answering(pieces())
    peer = asked(client)
    assert peer.take() == CHUNKED
    client.advance(2.0)
    assert peer.take() == b"1\r\na\r\n0\r\n\r\n"


def test_a_stream_of_no_pieces_is_an_empty_answer() -> None:
    assert asked(answering(iter(()))).received == CHUNKED + b"0\r\n\r\n"


@pytest.mark.parametrize("error", [LookupError("of the stream"), TypeError("a stream of content gave int")])
def test_a_stream_that_fails_before_its_first_piece_is_a_500(error: Exception) -> None:
    closed = list[str]()

    def pieces() -> Iterator[object]:
        try:
            if isinstance(error, LookupError):
                raise error
            yield 1
        finally:
            closed.append("closed")

    client = answering(pieces())
    peer = asked(client)
    assert peer.take().startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert str(error) in errors(client)[0]
    assert (closed, peer.is_ended) == (["closed"], False)


def test_a_stream_that_is_cancelled_before_its_first_piece_is_a_503() -> None:
    async def pieces() -> AsyncIterator[str]:
        await event().wait()
        yield "never"

    client = answering(pieces())
    peer = asked(client)
    client.shutdown(grace=2.0)
    client.advance(2.0)
    assert peer.take().startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert (errors(client), peer.is_reset) == ([], False)


def test_a_peer_that_leaves_before_the_first_piece_interrupts_the_stream() -> None:
    seen = list[str]()

    async def pieces() -> AsyncIterator[str]:
        try:
            await event().wait()
            yield "never"
        finally:
            seen.append("closed")

    client = answering(pieces())
    asked(client).reset()
    assert (seen, errors(client), client.driver.tasks()) == (["closed"], [], [])
