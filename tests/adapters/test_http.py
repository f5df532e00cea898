"""HTTP on every backend: httpx as a client that nobody here wrote, and bare bytes where it would hide something."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextvars import ContextVar

import anyio
import httpx
import pytest

from adapters.serving import App, connected, dateless, serving, url
from spry_core import Application, Request

pytestmark = pytest.mark.anyio

TEXT = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n\r\n%s"


def text(content: bytes) -> bytes:
    """Make the answer with this text, less its Date."""
    return TEXT % (len(content), content)


def get(target: bytes, *fields: bytes) -> bytes:
    """Make a GET request."""
    lines = (b"GET %s HTTP/1.1" % target, b"Host: test", *fields)
    return b"".join(line + b"\r\n" for line in lines) + b"\r\n"


async def test_a_client_gets_an_answer() -> None:
    async with serving(App()) as server, httpx.AsyncClient() as client:
        response = await client.get(url(server, "/hello/World"))
        assert (response.status_code, response.text) == (200, "Hello, World!")
        assert response.headers["content-type"] == "text/plain; charset=utf-8"
        assert (await client.get(url(server, "/nowhere"))).status_code == 404
        assert (await client.post(url(server, "/hello/World"))).status_code == 405


async def test_content_with_a_length_and_content_in_chunks_arrive_whole() -> None:
    content = bytes(range(256)) * 2000

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(content), 10_000):
            yield content[start : start + 10_000]

    async with serving(App()) as server, httpx.AsyncClient() as client:
        assert (await client.post(url(server, "/echo"), content=content)).content == content
        assert (await client.post(url(server, "/echo"), content=chunks())).content == content


async def test_many_clients_at_once_get_their_own_answers() -> None:
    answers: dict[str, str] = {}

    async with serving(App()) as server, httpx.AsyncClient() as client:

        async def ask(name: str) -> None:
            answers[name] = (await client.get(url(server, f"/hello/{name}"))).text

        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(ask, f"n{number}")
    assert answers == {f"n{number}": f"Hello, n{number}!" for number in range(50)}


async def test_a_connection_is_kept_for_the_next_request() -> None:
    """RFC 9112 §9.3."""
    async with serving(App()) as server, await connected(server) as peer:
        for name in (b"a", b"b", b"c"):
            await peer.send(get(b"/hello/" + name))
            assert dateless(await peer.receive_until(b"!")) == text(b"Hello, %s!" % name)


async def test_pipelined_requests_are_answered_in_order() -> None:
    """RFC 9112 §9.3.2."""
    names = [b"%03d" % number for number in range(100)]
    async with serving(App()) as server, await connected(server) as peer:
        await peer.send(b"".join(get(b"/hello/" + name) for name in names))
        peer.end()
        answers = dateless(await peer.receive_all())
    assert answers == b"".join(text(b"Hello, %s!" % name) for name in names)


async def test_a_request_that_comes_byte_by_byte_is_answered() -> None:
    async with serving(App()) as server, await connected(server) as peer:
        for byte in get(b"/hello/slow"):
            await peer.send(bytes((byte,)))
        assert dateless(await peer.receive_until(b"!")) == text(b"Hello, slow!")


async def test_the_connection_ends_after_the_answer_when_the_client_says_so() -> None:
    """RFC 9112 §9.6: we end our direction first, and the client ends its own."""
    async with serving(App()) as server, await connected(server) as peer:
        await peer.send(get(b"/hello/you", b"Connection: close"))
        answer = dateless(await peer.receive_all())
    assert answer == text(b"Hello, you!").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1)


async def test_a_stream_is_sent_in_chunks() -> None:
    """RFC 9112 §7.1."""
    async with serving(App()) as server, await connected(server) as peer:
        await peer.send(get(b"/stream"))
        answer = await peer.receive_until(b"\r\n0\r\n\r\n")
    head, _, content = answer.partition(b"\r\n\r\n")
    assert b"\r\nTransfer-Encoding: chunked" in head
    assert content == b"4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"


async def test_an_answer_to_head_has_no_content() -> None:
    """RFC 9110 §9.3.2."""
    async with serving(App()) as server, await connected(server) as peer:
        await peer.send(get(b"/hello/you").replace(b"GET", b"HEAD") + get(b"/hello/you"))
        peer.end()
        answers = dateless(await peer.receive_all())
    assert answers == text(b"Hello, you!").removesuffix(b"Hello, you!") + text(b"Hello, you!")


async def test_a_client_that_ends_its_direction_still_gets_its_answer() -> None:
    """RFC 9293 §3.6: a half-close ends one direction."""
    async with serving(App()) as server, await connected(server) as peer:
        await peer.send(get(b"/slow"))
        peer.end()
        assert dateless(await peer.receive_all()) == text(b"slow")


async def test_a_handler_that_raises_ends_nothing_but_its_request(caplog: pytest.LogCaptureFixture) -> None:
    """RFC 9110 §15.6.1."""
    async with serving(App()) as server, httpx.AsyncClient() as client:
        response = await client.get(url(server, "/raise"))
        assert (response.status_code, response.text) == (500, "Internal Server Error")
        assert (await client.get(url(server, "/hello/again"))).text == "Hello, again!"
    [record] = [record for record in caplog.records if record.name == "spry.error"]
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "ZeroDivisionError('in a handler')"


async def test_each_request_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "spry.access")
    async with serving(App()) as server, await connected(server) as peer:
        own = "{}:{}".format(*peer.socket.getsockname())
        await peer.send(get(b"/hello/you"))
        await peer.receive_until(b"!")
    [line] = [record.getMessage() for record in caplog.records if record.name == "spry.access"]
    assert line.startswith(f'{own} "GET /hello/you" 200 ')


async def test_without_the_access_log_only_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with serving(App(), access_log=False) as server, await connected(server) as peer:
        await peer.send(get(b"/raise") + get(b"/hello/you"))
        await peer.receive_until(b"you!")
    assert [
        (record.name, record.levelname) for record in caplog.records if record.name.startswith("spry")
    ] == [("spry.error", "ERROR"), ("spry.server", "INFO")]


async def test_what_one_request_puts_into_its_context_stays_there() -> None:
    """Also when the next request was there already, and is begun where the first one ended."""
    user: ContextVar[str] = ContextVar("user", default="nobody")
    app = Application()

    @app.get("/:name")
    async def remember(request: Request) -> str:
        before = user.get()
        user.set(request.params["name"])
        return f"{before};"

    async with serving(app) as server, await connected(server) as peer:
        await peer.send(get(b"/a") + get(b"/b") + get(b"/c"))
        peer.end()
        answers = dateless(await peer.receive_all())
    assert answers == text(b"nobody;") * 3


async def test_an_application_knows_what_it_runs_on(anyio_backend: tuple[str, dict[str, bool]]) -> None:
    app = App()
    async with serving(app):
        pass
    name, options = anyio_backend
    assert app.locals["backend"] == (f"{name} (uvloop)" if options.get("use_uvloop") else name)
