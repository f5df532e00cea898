"""What a hostile peer can do with fields and contents that an application reads: work that grows with the square of a list, and
lines in the log (RFC 9110 §17.5).

Work is counted in steps, which are lines of Python, and bounded in time for what C does behind one of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import pytest

from fakes import FakeExchange, run
from spry_core import Abort, Application, Request
from spry_core.headers import Headers
from spry_core.protocol import BodyData, BodyEnd, RequestHead
from spry_core.protocol.head import check_request, expects_continue, may_persist, tokens
from spry_core.testing import TestClient
from spry_core.web.cookies import parse_cookies
from spry_core.web.target import parse_target
from spry_core.web.urlencoded import count_pairs, parse_pairs
from steps import is_in_proportion
from traces import Owner, connection

BOMBS: Final = {
    "pairs": b"a=b;",
    "semicolons": b";",
    "equals signs": b"=",
    "names alone": b"a;",
    "one name": b"a",
    "quotes": b'"',
    "open quotes": b'a="',
    "backslashes in quotes": b'a="\\"',
    "octal escapes": b'a="\\101',
    "spaces": b" ",
    "spaces and semicolons": b" ; ",
    "commas": b",",
    "ampersands": b"&",
    "pairs of a form": b"a=b&",
    "escapes": b"%41",
    "half escapes": b"%",
    "pluses": b"+",
    "8-bit characters": b"\xff",
}
LARGE: Final = 100_000
"""Bytes for which quadratic work takes minutes, and linear work milliseconds."""


def repeated(unit: bytes, size: int) -> bytes:
    return unit * (size // len(unit))


def head_of(*fields: tuple[bytes, bytes]) -> RequestHead:
    return RequestHead(method=b"POST", target=b"/", headers=((b"host", b"a"), *fields))


def read_text(content_type: bytes) -> None:
    """Ask for the content of a request of this type as text, whether it has one that is read or not."""
    request = Request(head_of((b"content-type", content_type)), FakeExchange())
    request.body.finish()
    with suppress(Abort):
        run(request.text())


READERS: Final[dict[str, Callable[[bytes], object]]] = {
    "cookies": lambda data: parse_cookies([data.decode("latin-1")]),
    "a form": parse_pairs,
    "the fields of a form": count_pairs,
    "a query": lambda data: parse_target("/?" + data.decode("latin-1"), "GET"),
    "a path": lambda data: parse_target("/" + data.decode("latin-1"), "GET"),
    "the options of a connection": lambda data: may_persist(head_of((b"connection", data))),
    "expectations": lambda data: expects_continue(head_of((b"expect", data))),
    "the parameters of a type": read_text,
}
"""What reads a list that a peer has made."""


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("reader", READERS)
def test_twice_as_long_a_value_is_twice_the_work(reader: str, bomb: str) -> None:
    """No step is taken again for each element, as some readers of cookies, parameters and forms did."""
    assert is_in_proportion(lambda n: lambda: READERS[reader](repeated(BOMBS[bomb], n)), 2000)


@pytest.mark.parametrize("bomb", BOMBS)
@pytest.mark.parametrize("reader", READERS)
def test_a_long_value_takes_no_time(reader: str, bomb: str) -> None:
    """What C does in one step is bounded too."""
    began = time.process_time()
    READERS[reader](repeated(BOMBS[bomb], LARGE))
    assert time.process_time() - began < 2.0, "quadratic work would take minutes"


FIELDS: Final[dict[str, Callable[[RequestHead], object]]] = {
    "the headers": lambda head: Headers.from_raw(head.headers),
    "each value of a name": lambda head: Headers.from_raw(head.headers).get_all("x"),
    "the pairs": lambda head: list(Headers.from_raw(head.headers).items()),
    "a list over all lines": lambda head: tokens(head.headers, b"x"),
    "the framing": check_request,
    "the cookies": lambda head: Request(head, FakeExchange()).cookies,
}


@pytest.mark.parametrize("name", [b"x", b"cookie"])
@pytest.mark.parametrize("reader", FIELDS)
def test_twice_as_often_the_same_field_is_twice_the_work(reader: str, name: bytes) -> None:
    """RFC 9110 §5.3: values of one name are kept, not joined anew for each; `Limits.max_fields` is far below this."""

    def work(n: int) -> Callable[[], object]:
        head = head_of(*[(name, b"a=b")] * n)
        return lambda: FIELDS[reader](head)

    assert is_in_proportion(work, 1000)
    began = time.process_time()
    work(20_000)()
    assert time.process_time() - began < 2.0, "quadratic work would take minutes"


def test_twice_as_many_chunks_are_twice_the_work() -> None:
    """RFC 9112 §7.1: chunks of one byte, which come in one read, or each in its own."""

    def whole(n: int) -> Callable[[], object]:
        return lambda: received(CHUNKED + b"1\r\na\r\n" * n + b"0\r\n\r\n", n)

    def dripped(n: int) -> Callable[[], object]:
        return lambda: received(CHUNKED, n, *[b"1\r\na\r\n"] * n, b"0\r\n\r\n")

    assert is_in_proportion(whole, 1000)
    assert is_in_proportion(dripped, 500)


CHUNKED: Final = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


def received(first: bytes, size: int, *more: bytes) -> None:
    """Let a connection read a content of so many bytes."""
    conn = connection()
    owner = Owner(conn)
    for piece in (first, *more):
        conn.receive_data(piece, 0.0)
        owner.look()
        while conn.next_deadline() == 0.0:
            conn.handle_deadline(0.0)
            owner.look()
    assert sum(len(event.data) for event in owner.heard if isinstance(event, BodyData)) == size
    assert isinstance(owner.heard[-1], BodyEnd)


def test_ranges_are_no_work_at_all() -> None:
    """RFC 9110 §14.2: a server may ignore them. This one does: the answer is whole, however many are asked for."""
    app = Application()

    @app.get("/")
    def answer(_: Request) -> bytes:
        return b"whole"

    with TestClient(app) as client:
        for value in ("bytes=0-0", "bytes=" + ",".join(["0-0"] * 1500), "bytes=" + "-" * 8000):
            response = client.get("/", headers={"range": value})
            assert (response.status_code, response.content) == (200, b"whole")
            assert "content-range" not in response.headers


def test_the_steps_of_quadratic_work_are_found_out() -> None:
    def joined(n: int) -> None:
        rest = b"a;" * n
        while rest:
            for _ in rest:
                pass
            rest = rest.partition(b";")[2]

    assert not is_in_proportion(lambda n: lambda: joined(n), 50)


# ---------------------------------------------------------------------------------------------------------------------- log


async def read_everything(request: Request) -> str:
    """Ask for all that a peer may have broken."""
    form = await request.form(max_fields=100_000)
    return f"{len(request.cookies)} {len(request.query)} {len(form)} {request.media_type}"


def test_what_is_broken_in_cookies_queries_and_forms_leaves_no_line() -> None:
    """However often: a line for each would fill the disk at the peer's will."""
    app = Application()
    app.post("/", read_everything)
    with TestClient(app) as client:
        peer = client.connect()
        broken, content = b"; ;=;\xff;a b=\x80" * 100, b"%&%zz=%f&&=&\xff" * 1000
        peer.send(
            b"POST /?%%zz&%%&= HTTP/1.1\r\nHost: a\r\n"
            b"Content-Type: application/x-www-form-urlencoded;;=;charset\r\n"
            b"Cookie: %b\r\nCookie: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (broken, broken, len(content), content)
        )
        answer = peer.take()
        peer.close()
        lines = [(each.logger, each.exception) for each in client.reports]
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), answer
    assert lines == [("spry.access", None)]
