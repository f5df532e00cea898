"""Content that nobody reads never becomes a request, whatever answers it and however it comes (RFC 9112 §9.3, §11.2).

The content of each request here is a request itself. Those who take its bytes for one serve a client what another has written.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from spry_core import Abort, Application, Request, Response, WebSocket, sleep
from spry_core.testing import MemoryPeer, TestClient

SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"
NEXT = b"GET /next HTTP/1.1\r\nHost: t\r\n\r\n"

PATHS = {
    "/ignores": 200,
    "/reads": 200,
    "/reads-some": 200,
    "/aborts": 418,
    "/fails": 500,
    "/streams": 200,
    "/redirects": 302,
    "/nothing": 404,
    "/next": 405,
    "/%zz": 400,
    "/small": 413,
}
"""What may answer a request with content, and its status."""

Arrival = Callable[[MemoryPeer, bytes, bytes], None]


def application(served: list[str]) -> Application:
    """Make one that notes which of its handlers ran."""
    app = Application()

    @app.get("/smuggled")
    async def smuggled(request: Request) -> str:
        served.append("smuggled")
        return "smuggled"

    @app.get("/next")
    async def following(request: Request) -> str:
        served.append("next")
        return "next"

    @app.on(("POST", "PUT", "DELETE", "OPTIONS", "X"), "/ignores")
    async def ignores(request: Request) -> str:
        return "answer"

    @app.on(("POST", "PUT", "DELETE", "OPTIONS", "X"), "/reads")
    async def reads(request: Request) -> str:
        assert await request.read() == SMUGGLED
        return "answer"

    @app.post("/reads-some")
    async def reads_some(request: Request) -> str:
        async for _ in request.body:
            break
        return "answer"

    @app.post("/aborts")
    async def aborts(request: Request) -> None:
        raise Abort(418, "answer")

    @app.post("/fails")
    async def fails(request: Request) -> None:
        raise KeyError("an error of the application")

    @app.post("/redirects")
    async def redirects(request: Request) -> None:
        raise Abort.redirect("/elsewhere")

    @app.post("/small")
    async def small(request: Request) -> bytes:
        return await request.read(max_size=10)

    @app.post("/streams")
    async def streams(request: Request) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"ans"
            await sleep(0.0)
            yield b"wer"

        return pieces()

    return app


def with_length(path: str, *fields: bytes, method: str = "POST") -> tuple[bytes, bytes]:
    """Return head and content of a request whose content has a length."""
    return head(path, b"Content-Length: %d" % len(SMUGGLED), *fields, method=method), SMUGGLED


def in_chunks(path: str, *fields: bytes, method: str = "POST") -> tuple[bytes, bytes]:
    """Return head and content of a request whose content comes in chunks, one of which is a request."""
    content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(SMUGGLED), SMUGGLED)
    return head(path, b"Transfer-Encoding: chunked", *fields, method=method), content


def head(path: str, *fields: bytes, method: str) -> bytes:
    line = f"{method} {path} HTTP/1.1".encode()
    return b"\r\n".join((line, b"Host: t", *fields)) + b"\r\n\r\n"


def at_once(peer: MemoryPeer, head: bytes, content: bytes) -> None:
    peer.send(head + content + NEXT)


def in_pieces(peer: MemoryPeer, head: bytes, content: bytes) -> None:
    for byte in head + content + NEXT:
        peer.send(bytes((byte,)))


def behind_the_answer(peer: MemoryPeer, head: bytes, content: bytes) -> None:
    peer.send(head)
    peer.send(content[:20])
    peer.send(content[20:] + NEXT)


def statuses(received: bytes) -> list[int]:
    """Return the status of each answer; no content here looks like one."""
    return [int(part[:3]) for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("arrive", [at_once, in_pieces, behind_the_answer])
@pytest.mark.parametrize("framed", [with_length, in_chunks])
@pytest.mark.parametrize("path", PATHS)
def test_content_is_never_a_request(
    path: str, framed: Callable[[str], tuple[bytes, bytes]], arrive: Arrival
) -> None:
    """The request behind it is served, in its turn, unless the answer has said that the connection ends."""
    served = list[str]()
    peer = TestClient(application(served)).connect()
    arrive(peer, *framed(path))
    says_close = b"\r\nConnection: close\r\n" in peer.received
    assert statuses(peer.received) == [PATHS[path], *([] if says_close else [200])]
    assert served == ([] if says_close else ["next"])


@pytest.mark.parametrize("arrive", [at_once, in_pieces, behind_the_answer])
@pytest.mark.parametrize("framed", [with_length, in_chunks])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "X"])
@pytest.mark.parametrize("path", ["/ignores", "/reads"])
def test_content_belongs_to_a_request_of_any_method(
    path: str, method: str, framed: Callable[..., tuple[bytes, bytes]], arrive: Arrival
) -> None:
    """RFC 9110 §9.3: that a method has no use for content does not make it another request."""
    served = list[str]()
    peer = TestClient(application(served)).connect()
    arrive(peer, *framed(path, method=method))
    assert statuses(peer.received) == [200, 200]
    assert served == ["next"]


@pytest.mark.parametrize("framed", [with_length, in_chunks])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("arrive", [at_once, in_pieces, behind_the_answer])
def test_get_and_head_have_content_if_they_say_so(
    method: str, framed: Callable[..., tuple[bytes, bytes]], arrive: Arrival
) -> None:
    """RFC 9110 §9.3.1, §9.3.2."""
    served = list[str]()
    peer = TestClient(application(served)).connect()
    arrive(peer, *framed("/next", method=method))
    assert statuses(peer.received) == [200, 200]
    assert served == ["next", "next"]


@pytest.mark.parametrize("framed", [with_length, in_chunks])
@pytest.mark.parametrize("path", ["/ignores", "/aborts", "/fails", "/nothing", "/small"])
def test_who_was_refused_before_a_100_sends_nothing_that_counts(
    path: str, framed: Callable[..., tuple[bytes, bytes]]
) -> None:
    """RFC 9110 §10.1.1: whether the content comes all the same cannot be known, so the connection ends."""
    served = list[str]()
    peer = TestClient(application(served)).connect()
    request, content = framed(path, b"Expect: 100-continue")
    peer.send(request)
    if path == "/small" and framed is in_chunks:  # of chunks nobody knows the length: it asks for them
        assert peer.received == b"HTTP/1.1 100 Continue\r\n\r\n"
        peer.send(content)
        assert statuses(peer.received) == [100, 413]
    else:
        assert statuses(peer.received) == [PATHS[path]]
        assert b"\r\nConnection: close\r\n" in peer.received
    sent = peer.received
    peer.send(content + NEXT)
    assert peer.received == sent
    assert served == []


def test_what_comes_behind_an_upgrade_that_is_refused_is_no_request() -> None:
    """RFC 9110 §7.8: it would have been frames."""
    served = list[str]()
    app = application(served)

    @app.ws("/ws", origins=["https://example.org"])
    async def never(ws: WebSocket, request: Request) -> None:
        served.append("never")

    peer = TestClient(app).connect()
    fields = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b"Origin: null")
    peer.send(head("/ws", *fields, b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", method="GET") + SMUGGLED)
    assert statuses(peer.received) == [403]
    assert b"\r\nConnection: close\r\n" in peer.received
    assert served == []


@pytest.mark.parametrize(("length", "content"), [("3", b"abcd"), ("5", b"abcd"), ("0", b"abcd"), ("4", b"")])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_another_length_than_was_said_never_keeps_the_connection(
    length: str, content: bytes, is_streamed: bool
) -> None:
    """RFC 9112 §6.2, §8: what the client takes for the next answer would be the rest of this one, or the other way round."""
    served = list[str]()
    app = application(served)

    @app.get("/wrong")
    async def wrong(request: Request) -> Response:
        return Response([content] if is_streamed else content, headers={"content-length": length})

    peer = TestClient(app).connect()
    peer.send(head("/wrong", method="GET") + NEXT)
    assert (peer.received, peer.is_reset, served) == (b"", True, [])
