"""Half-closes and resets, at every place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from spry_core.protocol.limits import Timeouts
from spry_core.tasks import sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    CONTINUE,
    SWITCHED,
    answer,
    close,
    closing,
    last_word,
    post,
    request,
    said,
    say,
    shake,
)
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.scripts import (
    ENDED,
    LOST,
    OPEN,
    answer_late,
    echo,
    hear,
    hello,
    read_content,
    read_it,
)
from spry_core.testing.conformance.steps import (
    RST,
    Connect,
    Expect,
    ExpectEnd,
    HalfClose,
    Noted,
    Reset,
    Send,
    Wait,
)
from spry_core.testing.frames import TEXT, frame
from spry_core.web.request import Request

_half_close = partial(Scenario, "half-close")


_resets = partial(Scenario, "resets")


async def pass_on(request: Request, note: Notebook) -> AsyncIterator[bytes]:
    """Give pieces for ever, now and then."""

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"tick"
                await sleep(0.02)
        finally:
            note("closed")

    return pieces()


HALF_CLOSE: Final = (
    _half_close(
        "a request before the end of the peer's bytes is answered",
        (http(hello),),
        (Send(request()), HalfClose(), Expect(answer(b"hello")), ExpectEnd()),
        catches="takes the end of the peer's bytes for the end of the stream",
    ),
    _half_close(
        "all pipelined requests are answered before the end",
        (http(answer_late),),
        (Send(request() * 2), HalfClose(), Expect(answer(b"late") * 2, within=0.3), ExpectEnd()),
        ("begun", "done") * 2,
        catches="takes the end of the peer's bytes for the end of the stream",
    ),
    _half_close(
        "the end of the peer's bytes alone ends an idle connection",
        (http(hello),),
        (Send(request()), Expect(answer(b"hello")), HalfClose(), ExpectEnd()),
        catches="does not pass the end of the peer's bytes on",
    ),
    _half_close(
        "the end of the peer's bytes before any request ends the connection",
        (http(hello),),
        (Connect(), HalfClose(), ExpectEnd()),
        catches="does not pass the end of the peer's bytes on",
    ),
    _half_close(
        "half a head and the end is a 400",
        (http(hello),),
        (Send(request()[:-2]), HalfClose(), Expect(last_word("400 Bad Request")), ExpectEnd()),
        catches="does not pass the end of the peer's bytes on",
    ),
    _half_close(
        "half a content and the end is told to the handler",
        (http(read_content, method="POST"),),
        (Send(post(b"abc")[:-1]), HalfClose(), Expect(last_word("400 Bad Request")), ExpectEnd()),
        ("lost",),
    ),
    _half_close(
        "messages before the end of the peer's bytes are echoed or dropped whole",
        (ws(hear),),
        (*OPEN, Send(say("a", "b") + frame(TEXT, b"half")[:3]), HalfClose(), ExpectEnd()),
        ("got 'a'", "got 'b'", LOST),
    ),
    _half_close(
        "the end may come right behind the handshake",
        (ws(hear),),
        (Send(shake()), HalfClose(), Expect(SWITCHED), ExpectEnd()),
        (LOST,),
    ),
    _half_close(
        "a half-closed stream is forgotten some time after the last answer",
        (http(hello),),
        (
            Send(request("/", "Connection: close")),
            Expect(answer(b"hello", last=True)),
            ExpectEnd(),
            Wait(0.4),
            Send(b"late"),
            Wait(0.05),
            Send(b"late"),
            ExpectEnd(RST),
        ),
        timeouts=Timeouts(linger=0.2),
        catches="ignores the deadline of a stream that is half-closed",
    ),
)
"""The end of the peer's bytes, at every place."""


RESETS: Final = (
    _resets(
        "a reset before any request is forgotten",
        (http(hello),),
        (Connect("a"), Reset("a"), Connect("b"), Send(request(), "b"), Expect(answer(b"hello"), "b")),
        catches="dies of a reset",
    ),
    _resets(
        "a reset in a head is forgotten",
        (http(hello),),
        (
            Connect("a"),
            Send(request()[:9], "a"),
            Wait(0.02),
            Reset("a"),
            Connect("b"),
            Send(request(), "b"),
            Expect(answer(b"hello"), "b"),
        ),
        catches="dies of a reset",
    ),
    _resets(
        "a reset while an answer is streamed closes its source",
        (http(pass_on),),
        (Send(request()), Wait(0.05), Reset(), Noted("closed", within=0.1)),
        ("closed",),
        catches="does not say that a stream is lost",
    ),
    _resets(
        "a reset of a WebSocket is a loss",
        (ws(hear),),
        (*OPEN, Send(say("a")), Noted("got 'a'"), Reset()),
        ("got 'a'", LOST),
        catches="does not say that a stream is lost",
    ),
    _resets(
        "a reset in the closing handshake ends it",
        (ws(echo),),
        (*OPEN, Send(close()), Expect(closing()), Reset()),
        (ENDED,),
    ),
    _resets(
        "a reset while 100 is awaited is told",
        (http(read_content, method="POST"),),
        (Send(post(b"abc", "Expect: 100-continue")[:-3]), Expect(CONTINUE), Reset(), Noted("lost")),
        ("lost",),
    ),
    _resets(
        "a reset of one connection leaves the others alone",
        (ws(echo),),
        (
            Connect("a"),
            Connect("b"),
            Send(shake(), "a"),
            Expect(SWITCHED, "a"),
            Send(shake(), "b"),
            Expect(SWITCHED, "b"),
            Reset("a"),
            Noted(LOST),
            Send(say("still here"), "b"),
            Expect(said("still here"), "b"),
            Send(close(), "b"),
            Expect(closing(), "b"),
            ExpectEnd(peer="b"),
        ),
        (LOST, ENDED),
        catches="lets one connection end another",
    ),
    _resets(
        "twenty resets leave the server as it was",
        (http(read_it, method="POST"),),
        (
            *[
                step
                for each in range(20)
                for step in (Connect(str(each)), Send(post(b"abc")[:-1], str(each)), Reset(str(each)))
            ],
            Connect("last"),
            Send(post(b"abc"), "last"),
            Expect(answer(b"abc", kind="application/octet-stream"), "last"),
        ),
    ),
)
"""Streams that are cut, at every place."""
