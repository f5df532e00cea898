"""Answers that come piece by piece, and contents that are answered while they come."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Final

from spry_core.protocol.limits import Timeouts
from spry_core.tasks import sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    CHUNKED,
    LAST_CHUNK,
    OCTETS,
    answer,
    chunk,
    head,
    post,
    request,
    streamed,
)
from spry_core.testing.conformance.scenario import Scenario, http
from spry_core.testing.conformance.scripts import hello
from spry_core.testing.conformance.steps import (
    RST,
    Close,
    Connect,
    Expect,
    ExpectEnd,
    HalfClose,
    Noted,
    Quiet,
    Reset,
    Send,
    Stuck,
    Wait,
)
from spry_core.web.request import Request
from spry_core.web.response import Response

_of = partial(Scenario, "streaming")

PIECE: Final = bytes(range(256)) * 256


async def tick(request: Request, note: Notebook) -> AsyncIterator[bytes]:
    """Give three pieces, a tenth of a second before each."""

    async def pieces() -> AsyncIterator[bytes]:
        try:
            for piece in (b"a", b"bb", b"ccc"):
                await sleep(0.1)
                yield piece
        finally:
            note("source closed")

    return pieces()


async def count_up(request: Request, note: Notebook) -> Iterator[bytes]:
    """Give pieces without ever waiting."""
    return (b"%d" % number for number in range(100))


async def give_without_end(request: Request, note: Notebook) -> AsyncIterator[bytes]:
    """Give big pieces for ever, and count them."""

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                note.count("pieces")
                yield PIECE
        finally:
            note("source closed")

    return pieces()


async def give_two_hundred(request: Request, note: Notebook) -> AsyncIterator[bytes]:
    """Give two hundred big pieces, and count them."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(200):
            note.count("pieces")
            yield PIECE

    return pieces()


async def fail_halfway(request: Request, note: Notebook) -> AsyncIterator[bytes]:
    """Give a piece, and fail."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        await sleep(0.05)
        raise RuntimeError("on purpose")

    return pieces()


async def give_too_little(request: Request, note: Notebook) -> Response:
    """Give less than the Content-Length says."""
    return Response(iter([b"a", b"b"]), headers={"Content-Length": "5"})


async def give_known_length(request: Request, note: Notebook) -> Response:
    """Give as much as the Content-Length says."""
    return Response(iter([b"a", b"bc"]), headers={"Content-Length": "3"})


async def pass_on(request: Request, note: Notebook) -> AsyncIterator[bytes]:
    """Give every piece of the content as it comes."""

    async def pieces() -> AsyncIterator[bytes]:
        async for piece in request.body:
            yield piece

    return pieces()


async def take_and_forget(request: Request, note: Notebook) -> str:
    """Read the content slowly."""
    size = 0
    async for piece in request.body:
        size += len(piece)
        note.count("pieces")
        if size < 500_000:
            await sleep(0.002)
    return str(size)


async def hold(request: Request, note: Notebook) -> str:
    """Read nothing for a while, then everything."""
    await sleep(0.3)
    return str(len(await request.read()))


STREAMING: Final = (
    _of(
        "pieces go out as they are given",
        (http(tick),),
        (
            Send(request()),
            Expect(streamed() + chunk(b"a"), after=0.1),
            Expect(chunk(b"bb"), after=0.2),
            Expect(chunk(b"ccc") + LAST_CHUNK, after=0.3),
        ),
        ("source closed",),
        catches="does not write when a handler has sent and waits for something else",
    ),
    _of(
        "pieces that are given without waiting come in order",
        (http(count_up), http(hello, "/next")),
        (
            Send(request() + request("/next")),
            Expect(streamed() + b"".join(chunk(b"%d" % each) for each in range(100)) + LAST_CHUNK),
            Expect(answer(b"hello")),
        ),
        catches="reorders writes",
    ),
    _of(
        "HTTP/1.0 gets the pieces alone, and then the end",
        (http(tick),),
        (
            Send(b"GET / HTTP/1.0\r\n\r\n"),
            Expect(head("200 OK", f"Content-Type: {OCTETS}", "Date", "Connection: close") + b"a", after=0.1),
            Expect(b"bb", after=0.2),
            Expect(b"ccc", after=0.3),
            ExpectEnd(),
        ),
        ("source closed",),
    ),
    _of(
        "pieces of a known length are not chunked",
        (http(give_known_length),),
        (
            Send(request() * 2),
            Expect(head("200 OK", "Content-Length: 3", f"Content-Type: {OCTETS}", "Date") + b"abc"),
            Expect(head("200 OK", "Content-Length: 3", f"Content-Type: {OCTETS}", "Date") + b"abc"),
        ),
    ),
    _of(
        "HEAD gets no pieces",
        (http(tick), http(hello, "/next")),
        (
            Send(request(method="HEAD") + request("/next")),
            Expect(streamed() + answer(b"hello")),
        ),
    ),
    _of(
        "a source that fails cuts the stream",
        (http(fail_halfway),),
        (Send(request()), Expect(streamed() + chunk(b"a")), ExpectEnd(RST, after=0.05)),
        catches="ends in order what was to be aborted",
    ),
    _of(
        "a source that gives too little cuts the stream",
        (http(give_too_little),),
        (Send(request()), ExpectEnd(RST, whatever=True)),
    ),
    _of(
        "a source waits for a peer that does not read",
        (http(give_without_end),),
        (Connect(slow=True), Send(request()), Stuck("pieces", below=200), Reset()),
        ("source closed",),
        catches="reports as written what nobody has taken",
    ),
    _of(
        "a source goes on when the peer reads again, and nothing is missing",
        (http(give_two_hundred),),
        (
            Connect(slow=True),
            Send(request()),
            Stuck("pieces", below=150),
            Expect(streamed() + chunk(PIECE) * 200 + LAST_CHUNK),
        ),
        catches="never reports bytes as written, or drops what was cut short",
    ),
    _of(
        "a source is closed when the peer resets the stream",
        (http(give_without_end),),
        (Connect(slow=True), Send(request()), Expect(streamed()), Reset(), Noted("source closed")),
        ("source closed",),
        catches="does not say that a stream is lost",
    ),
    _of(
        "a source is closed when the peer closes the stream",
        (http(give_without_end),),
        (Connect(slow=True), Send(request()), Expect(streamed()), Close(), Noted("source closed")),
        ("source closed",),
        catches="does not say that a stream is lost",
    ),
    _of(
        "a peer that never reads is cut after the time for writing",
        (http(give_without_end),),
        (Connect(slow=True), Send(request()), Wait(0.1), Noted("source closed", after=0.2)),
        ("source closed",),
        timeouts=Timeouts(write=0.2),
        catches="ignores the deadline for writing",
    ),
    _of(
        "a peer that has ended its direction still gets its answer",
        (http(tick),),
        (
            Send(request()),
            HalfClose(),
            Expect(streamed() + chunk(b"a") + chunk(b"bb") + chunk(b"ccc") + LAST_CHUNK, within=0.3),
            ExpectEnd(),
        ),
        ("source closed",),
        catches="takes the end of the peer's bytes for the end of the stream",
    ),
    _of(
        "a content is passed on as it comes",
        (http(pass_on, method="POST"),),
        (
            Send(request("/", CHUNKED, method="POST", content=chunk(b"a"))),
            Expect(streamed() + chunk(b"a")),
            Quiet(0.03),
            Send(chunk(b"bb")),
            Expect(chunk(b"bb")),
            Send(LAST_CHUNK),
            Expect(LAST_CHUNK),
        ),
        catches="does not write while a handler waits for content",
    ),
    _of(
        "a content that is read slowly holds the sender, and comes whole",
        (http(take_and_forget, method="POST"),),
        (Send(post(b"x" * 2_000_000)), Expect(answer(b"2000000"), after=0.0)),
        timeouts=Timeouts(body=3),
    ),
    _of(
        "reading goes on when the handler begins to read",
        (http(hold, method="POST"),),
        (Send(post(b"x" * 900_000)), Expect(answer(b"900000"), after=0.3)),
        catches="does not read again when the session wants it, if nothing else happens",
    ),
)
"""Answers piece by piece."""
