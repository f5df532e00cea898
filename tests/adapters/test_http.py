"""HTTP on every backend: httpx as a client that nobody here wrote, and bare bytes where it would hide something."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Callable
from contextvars import ContextVar
from typing import Final

import anyio
import httpx
import pytest

from adapters.serving import App, connected, dateless, serving, url
from adapters.world import World, answer, request, shake
from spry_core import Application, ConnectionLost, Request, Response

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


# --------------------------------------------------------------------------------------------------- in every world


async def served(world: World, app: Application, *requests: bytes) -> list[bytes]:
    """Return the answers to requests that come one after the other on one connection."""
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        answers: list[bytes] = []
        for each in requests:
            await peer.send(each)
            answers.append(await peer.receive_answer(has_content=not each.startswith(b"HEAD")))
    return answers


def giving(make: Callable[[], object]) -> Callable[[Request], object]:
    """Make a handler that returns this."""

    def handler(request: Request) -> object:
        return make()

    return handler


async def test_what_a_request_carries_is_str_and_every_mapping_behaves_alike(world: World) -> None:
    """`m[name]` is the first value, `get_all` a list, `items` in order with repeats."""
    app = world.app()

    @app.post("/:name/*/**")
    async def look(request: Request) -> dict[str, object]:
        headers, query, cookies = request.headers, request.query, request.cookies
        return {
            "line": [request.method, request.target, request.path, request.scheme],
            "params": [request.params["name"], list(request.params.catchall)],
            "headers": [headers["X-A"], headers.get_all("x-a"), headers.get("x-b", "none")],
            "query": [query["a"], query.get_all("a"), query.get("c", "none"), list(query.items())],
            "cookies": [cookies["a"], cookies.get("c", "none"), list(cookies.items())],
        }

    target = "/a%20b/%C3%BC/x/y%2Fz?a=1&b=%C3%BC&a=2"
    sent = request(target, "X-A: 1", "x-a: 2", "Cookie: a=1; b=2", "Content-Length: 0", method="POST")
    [seen] = await served(world, app, sent)
    assert json.loads(seen.partition(b"\r\n\r\n")[2]) == {
        "line": ["POST", target, "/a b/ü/x/y/z", "http"],
        "params": ["a b", ["ü", "x", "y/z"]],
        "headers": ["1", ["1", "2"], "none"],
        "query": ["1", ["1", "2"], "none", [["a", "1"], ["b", "ü"], ["a", "2"]]],
        "cookies": ["1", "none", [["a", "1"], ["b", "2"]]],
    }


MATCHES: Final[dict[str, str | None]] = {
    "/a": "constant",
    "/b": ":name b",
    "/a/": None,
    "/a/b": "a/:name b",
    "/x/b/c": ":name/** x ['b', 'c']",
    "/a/b/c": "a/** ['b', 'c']",
    "/a/b/end": "a/*/end ['b']",
    "/a//end": None,
    "/a/b//end": "a/** ['b', '', 'end']",
    "/./a": ":name/** . ['a']",
    "/..": ":name ..",
    "/a%2Fb": ":name a/b",
    "/%61": "constant",
    "/A": ":name A",
    "/\\": ":name \\",
}


async def test_the_path_is_matched_segment_by_segment_each_decoded_once(world: World) -> None:
    """A constant before `:name` before `*` before `**`, from the left, going back where a branch ends."""
    app = world.app()

    def route(pattern: str) -> None:
        async def handler(request: Request) -> str:
            name = [request.params["name"]] if "name" in request.params else []
            rest = [str(list(request.params.catchall))] if request.params.catchall else []
            return " ".join([pattern, *name, *rest])

        app.get(pattern, handler)

    for pattern in (":name/**", "a/**", "a/*/end", "a/:name", ":name"):
        route(pattern)
    app.get("/a", giving(lambda: "constant"))
    answers = await served(world, app, *[request(path) for path in MATCHES])
    assert dict(zip(MATCHES, answers, strict=True)) == {
        path: answer("404 Not Found", "Not Found") if content is None else answer("200 OK", content)
        for path, content in MATCHES.items()
    }


@pytest.mark.parametrize("path", ["/%", "/%4", "/%zz", "/%00", "/%ff", "/a%c0%af"])
async def test_a_broken_escape_a_nul_or_bytes_that_are_no_utf_8_are_400(world: World, path: str) -> None:
    app = world.app()
    app.get("/**", giving(lambda: "found"))
    [seen] = await served(world, app, request(path))
    assert seen.startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_head_is_answered_by_gets_handler_and_options_by_204_with_allow(world: World) -> None:
    """RFC 9110 §9.3.2 and §9.3.7; other methods by 405 with the same."""
    app = world.app()
    app.get("/", giving(lambda: "hello"))
    app.post("/", giving(lambda: "posted"))
    head, options, put, star = await served(
        world,
        app,
        *[request("/", method=method) for method in ("HEAD", "OPTIONS", "PUT")],
        request("*", method="OPTIONS"),
    )
    assert head == answer("200 OK", "hello")[: -len("hello")]
    assert options == b"HTTP/1.1 204 No Content\r\nAllow: GET, HEAD, OPTIONS, POST\r\n\r\n"
    assert put == answer("405 Method Not Allowed", "Method Not Allowed", "Allow: GET, HEAD, OPTIONS, POST")
    assert star == b"HTTP/1.1 204 No Content\r\n\r\n"


CONTENTS: Final[dict[str, tuple[str, bytes, list[str], bytes]]] = {
    "text": ("text", "grüße".encode(), [], b"'gr\xc3\xbc\xc3\x9fe' twice the same"),
    "no UTF-8": ("text", b"\xff", [], b"the content is not utf-8"),
    "json": ("json", b'{"a": [1]}', [], b"{'a': [1]} twice the same"),
    "no JSON": ("json", b"{", [], b"the content is not JSON"),
    "form": (
        "form",
        b"a=1&b=%C3%BC+x",
        ["Content-Type: application/x-www-form-urlencoded"],
        b"[('a', '1'), ('b', '\xc3\xbc x')] twice the same",
    ),
    "no form": ("form", b"a=1", [], b"the content is not application/x-www-form-urlencoded"),
}


async def collect(request: Request, how: str) -> object:
    match how:
        case "text":
            return await request.text()
        case "json":
            return await request.json()
        case _:
            return list((await request.form()).items())


@pytest.mark.parametrize("is_chunked", [False, True])
@pytest.mark.parametrize("name", CONTENTS)
async def test_read_and_its_kin_collect_and_give_the_same_when_called_again(
    world: World, name: str, is_chunked: bool
) -> None:
    """400 for what is no JSON, 415 for another media type."""
    how, content, fields, expected = CONTENTS[name]
    app = world.app()

    @app.post("/")
    async def read(request: Request) -> str:
        first, second = await collect(request, how), await collect(request, how)
        return f"{first!r} twice {'the same' if first == second else 'another'}"

    if is_chunked:
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in content) + b"0\r\n\r\n"
        sent = request("/", "Transfer-Encoding: chunked", *fields, method="POST", content=chunks)
    else:
        sent = request("/", f"Content-Length: {len(content)}", *fields, method="POST", content=content)
    [seen] = await served(world, app, sent)
    assert seen.endswith(b"\r\n\r\n" + expected)
    status = b"200" if b"twice" in expected else b"415" if name == "no form" else b"400"
    assert seen[9:12] == status


async def test_more_than_max_body_is_413_at_once_if_content_length_says_so(world: World) -> None:
    """RFC 9110 §15.5.14; else when it has come."""
    app = world.app()

    @app.post("/")
    async def read(request: Request) -> str:
        return str(len(await request.read(10)))

    too_large = answer("413 Content Too Large", "Content Too Large", ends=True)
    async with world.serving(app) as server, world.at_once():
        for sent, expected in (
            (request("/", "Content-Length: 10", method="POST", content=bytes(10)), answer("200 OK", "10")),
            (request("/", "Content-Length: 11", method="POST"), too_large),
            (
                request(
                    "/",
                    "Transfer-Encoding: chunked",
                    method="POST",
                    content=b"a\r\n" + bytes(10) + b"\r\n1\r\n",
                )
                + b"x",
                too_large,
            ),
        ):
            peer = await server.connected()
            await peer.send(sent)
            assert await peer.receive_answer() == expected


async def stream_async(*pieces: str | bytes) -> AsyncIterator[str | bytes]:
    for piece in pieces:
        yield piece


def plain(kind: str, length: int, content: bytes) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n".encode() + content


RETURNED: Final[dict[str, tuple[Callable[[], object], bytes]]] = {
    "str": (lambda: "grüße", plain("text/plain; charset=utf-8", 7, "grüße".encode())),
    "bytes": (lambda: b"\x00\xff", plain("application/octet-stream", 2, b"\x00\xff")),
    "dict": (lambda: {"a": "ü"}, plain("application/json", 10, '{"a":"ü"}'.encode())),
    "list": (lambda: [1, None], plain("application/json", 8, b"[1,null]")),
    "None": (lambda: None, b"HTTP/1.1 204 No Content\r\n\r\n"),
    "Response": (
        lambda: Response("x", 201, {"content-type": "text/html", "x-a": "1"}),
        b"HTTP/1.1 201 Created\r\nContent-Type: text/html\r\nX-A: 1\r\nContent-Length: 1\r\n\r\nx",
    ),
}


@pytest.mark.parametrize("name", RETURNED)
async def test_a_handler_may_return_this(world: World, name: str) -> None:
    make, expected = RETURNED[name]
    app = world.app()
    app.get("/", giving(make))
    assert await served(world, app, request("/")) == [expected]


async def test_any_other_type_is_a_500_and_a_log_line_that_names_the_route(world: World) -> None:
    app = world.app()
    app.get("/:odd", giving(lambda: object()))
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/one"))
        assert await peer.receive_answer() == answer("500 Internal Server Error", "Internal Server Error")
        error = await server.error()
    assert "GET /:odd" in str(error)


@pytest.mark.parametrize("is_async", [True, False])
async def test_an_iterable_is_sent_in_chunks_and_until_close_for_http_1_0(
    world: World, is_async: bool
) -> None:
    """RFC 9112 §6.3 and §7.1; an empty piece ends nothing."""
    app = world.app()
    pieces = ("one", b"two", "", "ü")
    app.get("/", giving(lambda: stream_async(*pieces) if is_async else iter(pieces)))
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/"))
        head = await peer.receive_until(b"\r\n\r\n")
        assert b"\r\nTransfer-Encoding: chunked\r\n" in head
        await peer.expect(b"3\r\none\r\n3\r\ntwo\r\n2\r\n\xc3\xbc\r\n0\r\n\r\n")
        await peer.send(request("/", version="1.0"))
        head = await peer.receive_until(b"\r\n\r\n")
        assert b"Transfer-Encoding" not in head
        assert b"\r\nConnection: close\r\n" in head
        await peer.expect_end(b"onetwo\xc3\xbc")


async def test_http_1_0_without_host_is_served_and_its_connection_ends_with_the_answer(world: World) -> None:
    """RFC 9112 §3.2; the same in HTTP/1.1 is a 400."""
    app = world.app()
    app.get("/", giving(lambda: "hello"))
    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(b"GET / HTTP/1.0\r\n\r\n")
        await peer.expect_end_of(answer("200 OK", "hello", ends=True))
        peer = await server.connected()
        await peer.send(b"GET / HTTP/1.1\r\n\r\n")
        assert (await peer.receive_all()).startswith(b"HTTP/1.1 400 Bad Request\r\n")


async def test_every_final_answer_has_a_date(world: World) -> None:
    """RFC 9110 §6.6.1; and errors are short plain text."""
    app = world.app()
    app.get("/", giving(lambda: "hello"))
    async with world.serving(app) as server, world.at_once():
        for sent in (request("/"), request("/nowhere"), b"garbage\r\n\r\n", shake()):
            peer = await server.connected()
            await peer.send(sent)
            head = await peer.receive_until(b"\r\n\r\n")
            assert len(re.findall(rb"\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n", head)) == 1
            assert b"\r\nContent-Type: text/plain; charset=utf-8\r\n" in head


async def test_when_the_peer_leaves_the_handler_goes_on_and_asking_for_more_raises_connection_lost(
    world: World,
) -> None:
    """The result is dropped, and nothing is logged."""
    app = world.app()

    @app.post("/")
    async def read(request: Request) -> str:
        await world.held()
        try:
            await request.read()
        except ConnectionLost:
            world.note("lost")
            raise
        return "never"

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/", "Content-Length: 10", method="POST", content=b"half"))
        await world.noted("held")
        peer.reset()
        await world.rest()
        assert world.notes == ["held"]
        world.let_go()
        await world.noted("lost")
        await world.rest()
        assert server.take_errors() == []


async def test_an_iterable_that_is_being_streamed_is_closed_when_the_peer_leaves(world: World) -> None:
    app = world.app()

    @app.get("/")
    async def endless(request: Request) -> AsyncIterator[bytes]:
        async def pieces() -> AsyncIterator[bytes]:
            try:
                while True:
                    yield bytes(10_000)
            finally:
                world.note("closed")

        return pieces()

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected(is_reading=False)
        await peer.send(request("/"))
        await world.rest()
        peer.reset()
        await world.noted("closed")


@pytest.mark.parametrize("how", ["raises", "too little", "too much"])
async def test_an_iterable_that_fails_or_gives_another_length_aborts_the_connection(
    world: World, how: str
) -> None:
    """Never padded, never kept alive: the peer must not take it for whole."""
    app = world.app()

    @app.get("/")
    async def fail(request: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"12345"
            if how == "raises":
                raise KeyError("in a stream")
            if how == "too much":
                yield b"678901"

        return Response(pieces(), headers={} if how == "raises" else {"content-length": "10"})

    async with world.serving(app) as server, world.at_once():
        peer = await server.connected()
        await peer.send(request("/"))
        seen = await peer.receive_until_reset()
        assert not seen.endswith(b"0\r\n\r\n")
        assert len(seen.partition(b"\r\n\r\n")[2]) < 10 + (how == "raises")
        assert len(server.take_errors()) == 1


async def test_cookies_are_set_and_deleted_by_fields_of_their_own(world: World) -> None:
    """RFC 6265 §4.1.1."""
    app = world.app()

    @app.get("/")
    async def cookies(request: Request) -> Response:
        response = Response("x")
        response.set_cookie("a", "1", path="/", httponly=True)
        response.delete_cookie("b")
        return response

    [seen] = await served(world, app, request("/"))
    lines = [line for line in seen.split(b"\r\n") if line.startswith(b"Set-Cookie: ")]
    assert lines[0].startswith(b"Set-Cookie: a=1;")
    assert b"HttpOnly" in lines[0]
    assert lines[1].startswith(b"Set-Cookie: b=;")
    assert b"Max-Age=0" in lines[1]


@pytest.mark.parametrize(
    ("name", "value"),
    [("x y", "1"), ("x", "1\r\nset-cookie: a=b"), ("x", "a\0b"), ("", "1"), ("x", "\u20ac")],
)
async def test_a_bad_field_raises_where_it_is_set(world: World, name: str, value: str) -> None:
    """Not a byte of it is written."""
    app = world.app()

    @app.get("/")
    async def set_it(request: Request) -> Response:
        response = Response("fine")
        with pytest.raises(ValueError):
            response.headers[name] = value
        return response

    assert await served(world, app, request("/")) == [answer("200 OK", "fine")]


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_the_content_is_an_async_iterator_of_bytes_with_backpressure(
    world: World, is_chunked: bool
) -> None:
    """No further is read than `max_read_ahead` while nobody takes it; it comes whole and once."""
    app = world.app()
    content = bytes(range(256)) * (1 << 14)
    taken = bytearray()

    @app.post("/")
    async def take(request: Request) -> str:
        await world.held()
        async for piece in request.body:
            assert 0 < len(piece) <= 1 << 17
            taken.extend(piece)
        return str(len(taken))

    if is_chunked:
        size = 1 << 16
        chunks = (content[start : start + size] for start in range(0, len(content), size))
        framed = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        sent = request("/", "Transfer-Encoding: chunked", method="POST", content=framed)
    else:
        sent = request("/", f"Content-Length: {len(content)}", method="POST", content=content)
    async with world.serving(app) as server:
        peer = await server.connected()
        peer.flood(sent)
        await world.noted("held")
        await world.rest()
        world.let_go()
        assert await peer.receive_answer() == answer("200 OK", str(len(content)))
    assert taken == content


async def test_a_streamed_answer_waits_for_a_peer_that_reads_slowly(world: World) -> None:
    """The next piece is asked for only when there is room."""
    app = world.app()
    asked: list[int] = []

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(500):
            asked.append(number)
            yield bytes(1 << 14)

    app.get("/", giving(lambda: Response(pieces(), headers={"content-length": str(500 << 14)})))
    async with world.serving(app) as server:
        peer = await server.connected(is_reading=False)
        await peer.send(request("/"))
        await world.rest()
        assert 0 < len(asked) < 500
        head = await peer.receive_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        for _ in range(500):
            await peer.expect(bytes(1 << 14))
    assert len(asked) == 500


async def test_anything_that_makes_a_response_of_itself_may_be_returned(world: World) -> None:
    app = world.app()

    class Page:
        def __response__(self, request: Request) -> Response:
            return Response(f"page for {request.path}", headers={"content-type": "text/html"})

    app.get("/", giving(Page))
    [seen] = await served(world, app, request("/"))
    assert seen == plain("text/html", 10, b"page for /")
