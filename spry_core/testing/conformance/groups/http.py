"""HTTP: requests one after the other and on top of each other, contents, errors, the end of a connection."""

from __future__ import annotations

from functools import partial
from typing import Final

from spry_core.protocol.limits import Limits, Timeouts
from spry_core.tasks import sleep
from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.octets import (
    CHUNKED,
    CONTINUE,
    OCTETS,
    answer,
    head,
    last_word,
    post,
    request,
)
from spry_core.testing.conformance.scenario import Scenario, http, ws
from spry_core.testing.conformance.scripts import echo, hello, read_it
from spry_core.testing.conformance.steps import RST, Connect, Expect, ExpectEnd, HalfClose, Quiet, Send, Wait
from spry_core.web.exceptions import Abort
from spry_core.web.request import Request
from spry_core.web.response import Response

_of = partial(Scenario, "http")

HELLO: Final = answer(b"hello")
LAST_HELLO: Final = answer(b"hello", last=True)
CHUNKED_ABC: Final = request(
    "/", CHUNKED, method="POST", content=b"1\r\na\r\n2;x=y\r\nbc\r\n0\r\nT: v\r\n\r\n"
)


async def answer_later(request: Request, note: Notebook) -> str:
    """Answer with the query, after as many hundredths of a second as it says."""
    await sleep(int(request.query["wait"]) / 100)
    note(request.query["wait"])
    return request.query["wait"]


async def ignore_content(request: Request, note: Notebook) -> str:
    """Answer without having asked for the content."""
    return "never mind"


async def count_pieces(request: Request, note: Notebook) -> str:
    """Read the content piece by piece, and tell how much it was."""
    size = 0
    async for piece in request.body:
        size += len(piece)
    return str(size)


async def give_much(request: Request, note: Notebook) -> bytes:
    """Answer with more than any buffer holds."""
    return b"0123456789abcdef" * 131_072


async def fail(request: Request, note: Notebook) -> str:
    """Raise what nobody has expected."""
    await sleep(0)
    raise RuntimeError("on purpose")


async def refuse(request: Request, note: Notebook) -> str:
    """Raise an answer."""
    raise Abort(403, "not you")


async def give_json(request: Request, note: Notebook) -> dict[str, object]:
    """Answer with what came, as JSON."""
    return {"got": await request.json()}


async def give_nothing(request: Request, note: Notebook) -> None:
    """Answer without content."""


async def promise_too_much(request: Request, note: Notebook) -> Response:
    """Give less than the Content-Length says."""
    return Response(b"ab", headers={"Content-Length": "5"})


async def read_little(request: Request, note: Notebook) -> bytes:
    """Collect no more than four bytes."""
    return await request.read(4)


HTTP: Final = (
    _of("a request is answered", (http(hello),), (Send(request()), Expect(HELLO), Quiet(0.05))),
    _of(
        "a connection serves one request after the other",
        (http(hello),),
        (Send(request()), Expect(HELLO), Send(request()), Expect(HELLO), Send(request()), Expect(HELLO)),
    ),
    _of(
        "a head may come byte by byte",
        (http(hello),),
        (*[Send(bytes([each])) for each in request()], Expect(HELLO)),
    ),
    _of(
        "a head may come in two parts with time between them",
        (http(hello),),
        (Send(request()[:9]), Quiet(0.05), Send(request()[9:]), Expect(HELLO)),
    ),
    _of(
        "pipelined requests are answered in order, whatever time each takes",
        (http(answer_later),),
        (
            Send(b"".join(request(f"/?wait={each}") for each in (10, 2, 5))),
            Expect(answer(b"10"), after=0.10),
            Expect(answer(b"2"), after=0.12),
            Expect(answer(b"5"), after=0.17),
        ),
        ("10", "2", "5"),
        catches="starts the next request too early, or writes answers in another order",
    ),
    _of(
        "fifty pipelined requests get fifty answers",
        (http(hello),),
        (Send(request() * 50), Expect(HELLO * 50), Quiet(0.02)),
        catches="forgets to look again when an answer has made room for the next request",
    ),
    _of(
        "what is pipelined behind the last request is not answered",
        (http(hello),),
        (Send(request("/", "Connection: close") + request()), Expect(LAST_HELLO), ExpectEnd()),
        catches="writes after the end",
    ),
    _of(
        "a content of known length is read",
        (http(read_it, method="POST"),),
        (Send(post(b"abc")), Expect(answer(b"abc", kind=OCTETS))),
    ),
    _of(
        "a content that comes byte by byte is read",
        (http(read_it, method="POST"),),
        (*[Send(bytes([each])) for each in post(b"abc")], Expect(answer(b"abc", kind=OCTETS))),
        catches="does not wake the handler that waits for content",
    ),
    _of(
        "a content that comes slowly is read",
        (http(read_it, method="POST"),),
        (
            Send(post(b"abc")[:-2]),
            Quiet(0.05),
            Send(b"b"),
            Quiet(0.05),
            Send(b"c"),
            Expect(answer(b"abc", kind=OCTETS)),
        ),
    ),
    _of(
        "a chunked content is read",
        (http(read_it, method="POST"),),
        (Send(CHUNKED_ABC * 2), Expect(answer(b"abc", kind=OCTETS) * 2)),
    ),
    _of(
        "a chunked content that comes byte by byte is read",
        (http(read_it, method="POST"),),
        (*[Send(bytes([each])) for each in CHUNKED_ABC], Expect(answer(b"abc", kind=OCTETS))),
    ),
    _of(
        "a big content is read to the last byte",
        (http(count_pieces, method="POST"),),
        (Send(post(b"x" * 3_000_000)), Expect(answer(b"3000000"))),
        catches="does not go on reading when there is room again",
    ),
    _of(
        "a content beyond the limit is refused before it comes",
        (http(read_little, method="POST"),),
        (
            Send(post(b"12345")[:-5]),
            Expect(last_word("413 Content Too Large", b"Content Too Large")),
            ExpectEnd(),
        ),
    ),
    _of(
        "a content that nobody asks for does not disturb the next request",
        (http(ignore_content, method="POST"), http(hello)),
        (Send(post(b"x" * 1000) + request()), Expect(answer(b"never mind") + HELLO)),
        catches="stops reading for ever",
    ),
    _of(
        "a content is asked for with 100 when the handler wants it",
        (http(read_it, method="POST"),),
        (
            Send(post(b"abc", "Expect: 100-continue")[:-3]),
            Expect(CONTINUE),
            Quiet(0.02),
            Send(b"abc"),
            Expect(answer(b"abc", kind=OCTETS)),
        ),
        catches="does not look at the session when a handler begins to wait for content",
    ),
    _of(
        "a content is not asked for when the handler does not want it",
        (http(ignore_content, method="POST"),),
        (
            Send(post(b"abc", "Expect: 100-continue")[:-3]),
            Expect(last_word("200 OK", b"never mind")),
            ExpectEnd(),
        ),
    ),
    _of(
        "HEAD gets the head alone",
        (http(hello),),
        (Send(request(method="HEAD") + request()), Expect(HELLO[:-5] + HELLO)),
    ),
    _of(
        "JSON goes in and comes out",
        (http(give_json, method="POST"),),
        (Send(post(b'["a"]')), Expect(answer(b'{"got":["a"]}', kind="application/json"))),
    ),
    _of(
        "an answer without content is a 204",
        (http(give_nothing),),
        (Send(request() * 2), Expect(head("204 No Content", "Date") * 2)),
    ),
    _of(
        "a big answer comes whole and in order",
        (http(give_much), http(hello, "/small")),
        (
            Send(request() + request("/small")),
            Expect(answer(b"0123456789abcdef" * 131_072, kind=OCTETS) + HELLO),
        ),
        catches="reorders or drops what the kernel does not take at once",
    ),
    _of(
        "a big answer comes whole to a peer that reads late",
        (http(give_much),),
        (
            Connect(slow=True),
            Send(request()),
            Wait(0.1),
            Expect(answer(b"0123456789abcdef" * 131_072, kind=OCTETS)),
        ),
        catches="forgets the rest of a write that was cut short",
    ),
    _of(
        "the last answer is followed by the end, when it has gone",
        (http(give_much),),
        (
            Connect(slow=True),
            Send(request("/", "Connection: close")),
            Wait(0.1),
            Expect(answer(b"0123456789abcdef" * 131_072, kind=OCTETS, last=True)),
            ExpectEnd(),
        ),
        catches="closes before all bytes have gone",
    ),
    _of(
        "a connection ends with the answer when the peer says so",
        (http(hello),),
        (Send(request("/", "Connection: close")), Expect(LAST_HELLO), ExpectEnd()),
    ),
    _of(
        "a connection of HTTP/1.0 ends with its answer",
        (http(hello),),
        (Send(b"GET / HTTP/1.0\r\n\r\n"), Expect(LAST_HELLO), ExpectEnd()),
    ),
    _of(
        "a connection ends with its last permitted request",
        (http(hello),),
        (Send(request() * 3), Expect(HELLO + last_word("200 OK", b"hello")), ExpectEnd()),
        limits=Limits(max_requests=2),
    ),
    _of(
        "an unknown path is a 404, and the connection goes on",
        (http(hello),),
        (Send(request("/nowhere") + request()), Expect(answer(b"Not Found", status="404 Not Found") + HELLO)),
    ),
    _of(
        "a method that the path does not know is a 405",
        (http(hello),),
        (
            Send(request(method="DELETE")),
            Expect(
                answer(
                    b"Method Not Allowed",
                    status="405 Method Not Allowed",
                    before=("Allow: GET, HEAD, OPTIONS",),
                )
            ),
        ),
    ),
    _of(
        "an answer that is raised is an answer",
        (http(refuse),),
        (Send(request() * 2), Expect(answer(b"not you", status="403 Forbidden") * 2)),
    ),
    _of(
        "an error in a handler is a 500, and the server goes on",
        (http(fail), http(hello, "/healthy")),
        (
            Send(request() + request("/healthy")),
            Expect(answer(b"Internal Server Error", status="500 Internal Server Error") + HELLO),
        ),
        catches="lets the error of a handler end more than its request",
    ),
    _of(
        "an answer shorter than it says is cut off",
        (http(promise_too_much),),
        (Send(request()), ExpectEnd(RST)),
        catches="ends in order what was to be aborted",
    ),
    _of(
        "what is no HTTP is a 400 and the end",
        (http(hello),),
        (Send(b"hello?\r\n\r\n"), Expect(last_word("400 Bad Request")), ExpectEnd()),
    ),
    _of(
        "what stands before a mistake is answered first",
        (http(hello),),
        (Send(request() + b"hello?\r\n\r\n"), Expect(HELLO + last_word("400 Bad Request")), ExpectEnd()),
    ),
    _of(
        "what comes behind a mistake is read and not answered",
        (http(hello),),
        (
            Send(b"hello?\r\n\r\n"),
            Expect(last_word("400 Bad Request")),
            ExpectEnd(),
            Send(b"x" * 1000),
            Wait(0.05),
            Send(request()),
            Wait(0.05),
            ExpectEnd(),
            HalfClose(),
        ),
        catches="closes both directions where one is to be ended, so that a reset overtakes the answer",
    ),
    _of(
        "a head that is too long is a 431",
        (http(hello),),
        (
            Send(request("/", "X: " + "y" * 200)),
            Expect(last_word("431 Request Header Fields Too Large")),
            ExpectEnd(),
        ),
        limits=Limits(max_field_line=100),
    ),
    _of(
        "a WebSocket's route answers a plain request with 426",
        (ws(echo), http(hello, "/healthy")),
        (
            Send(request() + request("/healthy")),
            Expect(
                answer(
                    b"Upgrade Required",
                    status="426 Upgrade Required",
                    before=("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"),
                )
                + HELLO
            ),
        ),
    ),
    _of(
        "two connections do not disturb each other",
        (http(answer_later),),
        (
            Connect("a"),
            Connect("b"),
            Send(request("/?wait=20"), "a"),
            Send(request("/?wait=5"), "b"),
            Expect(answer(b"5"), "b", after=0.05),
            Expect(answer(b"20"), "a", after=0.20),
        ),
        ("5", "20"),
        timeouts=Timeouts(),
        catches="serves one connection at a time",
    ),
)
"""Requests and answers."""
