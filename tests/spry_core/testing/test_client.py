"""The test client: HTTP, opening handshakes, time and the end, with real bytes on both ends."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from itertools import repeat

import pytest

from spry_core import (
    Abort,
    Application,
    Deflate,
    Limits,
    Next,
    Outcome,
    Request,
    Response,
    Timeouts,
    WebSocket,
    sleep,
)
from spry_core.closing import ConnectionClosed, ConnectionLost
from spry_core.errors import HandshakeRejected
from spry_core.tasks import event, timeout
from spry_core.testing import ClientRejected, Deadlock, ForeignAwaitable, TestClient, memory
from spry_core.testing.task import Cancelled

app = Application()


@app.get("/hello/:name")
async def hello(request: Request) -> str:
    return f"Hello, {request.params['name']}!"


@app.get("/peer")
async def peer(request: Request) -> list[str]:
    return [request.peer, request.scheme, request.headers["host"]]


@app.on(["POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "/mirror")
async def mirror(request: Request) -> dict[str, str]:
    return {
        "method": request.method,
        "type": request.headers.get("content-type", ""),
        "length": request.headers.get("content-length", ""),
        "coding": request.headers.get("transfer-encoding", ""),
        "content": await request.text(),
    }


@app.post("/unread")
async def unread(request: Request) -> Response:
    return Response("enough", headers={"connection": "close"})


@app.post("/waiting")
async def waiting(request: Request) -> None:
    await event().wait()


@app.get("/bye")
async def bye(request: Request) -> Response:
    return Response("bye", headers={"connection": "close"})


@app.get("/sleep/:seconds")
async def sleeper(request: Request) -> str:
    await sleep(float(request.params["seconds"]))
    return "woken"


@app.get("/limited")
async def limited(request: Request) -> str:
    try:
        with timeout(3.0):
            await event().wait()
    except TimeoutError:
        return "timed out"
    return "not reached"


@app.get("/forever")
async def forever(request: Request) -> None:
    await event().wait()


@app.get("/foreign")
async def foreign(request: Request) -> None:
    await asyncio.sleep(1)


@app.get("/broken")
async def broken(request: Request) -> None:
    raise LookupError("of the handler")


@app.get("/torn")
async def torn(request: Request) -> Iterator[bytes]:
    def pieces() -> Iterator[bytes]:
        yield b"begun"
        raise LookupError("of the stream")

    return pieces()


@app.get("/short")
async def short(request: Request) -> Response:
    return Response("abc", headers={"content-length": "5"})


@app.ws("/broken-ws")
async def broken_ws(ws: WebSocket, request: Request) -> None:
    await ws.receive()
    raise LookupError("of the WebSocket")


@app.ws("/echo", protocols=["chat.v2", "chat"])
async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


async def refuse(request: Request, next: Next) -> Outcome:
    raise Abort(401, "who are you?", headers={"www-authenticate": "Bearer"})


async def wait_for_ever(request: Request, next: Next) -> Outcome:
    await event().wait()
    return await next()


with app.group("/private", middleware=[refuse]) as private:
    private.ws("/echo", echo)

with app.group("/stuck", middleware=[wait_for_ever]) as stuck:
    stuck.ws("/echo", echo)


def test_pytest_does_not_take_it_for_a_test() -> None:
    assert TestClient.__test__ is False


def test_a_request_is_answered() -> None:
    response = TestClient(app).get("/hello/you")
    assert (response.status_code, response.reason_phrase, response.text) == (200, "OK", "Hello, you!")
    assert response.headers.items() == [
        ("content-type", "text/plain; charset=utf-8"),
        ("content-length", "11"),
        ("date", "Sat, 01 Jan 2000 00:00:00 GMT"),
    ]


def test_the_date_follows_the_virtual_time() -> None:
    client = TestClient(app)
    client.advance(3661.0)
    assert client.get("/hello/you").headers["date"] == "Sat, 01 Jan 2000 01:01:01 GMT"


def test_fields_given_win_over_those_that_are_set() -> None:
    client = TestClient(app)
    assert client.get("/peer", headers={"Host": "example.org"}).json() == [
        "127.0.0.1:50000",
        "http",
        "example.org",
    ]
    sent = client.post("/mirror", json=1, headers=[("Content-Type", "text/json")]).json()
    assert sent == {"method": "POST", "type": "text/json", "length": "1", "coding": "", "content": "1"}
    sent = client.post("/mirror", content=[b"ab", b"c"], headers={"content-length": "3"}).json()
    assert sent == {"method": "POST", "type": "", "length": "3", "coding": "", "content": "abc"}


def test_the_host_and_the_scheme_are_settings() -> None:
    client = TestClient(app, host="example.org:444", secure=True)
    assert client.get("/peer").json() == ["127.0.0.1:50000", "https", "example.org:444"]


def test_content_without_an_end_that_nobody_reads_is_a_deadlock_that_says_who_waits() -> None:
    client = TestClient(app)
    with pytest.raises(Deadlock) as caught:
        client.post("/waiting", content=repeat(bytes(1_000_000)))
    what, task = str(caught.value).splitlines()
    assert what == (
        "the content of POST /waiting has not ended after 68 pieces, 68000000 bytes: "
        "an iterable has to come to an end (time 0.0)"
    )
    assert task.startswith("  task 1 of connection 50000 at ")
    assert task.endswith(" in waiting, awaiting MemoryEvent.wait")
    assert client.get("/hello/you").status_code == 200


def test_a_target_that_no_request_line_can_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^the target has '\\xe9' at 7: percent-encode it"):
        TestClient(app).get("/hello/é")
    with pytest.raises(ValueError, match="the target has a byte that no target has"):
        TestClient(app).get("/hello/a b")


@pytest.mark.parametrize("method", ["GÉT", "G T", ""])
def test_a_method_that_is_no_token_is_refused(method: str) -> None:
    """RFC 9110 §9.1."""
    with pytest.raises(ValueError, match=r"^the method is not a token \(RFC 9110 §9\.1\)$"):
        TestClient(app).request(method, "/hello/you")


def test_one_connection_serves_request_after_request() -> None:
    client = TestClient(app)
    ports = [client.get("/peer").json() for _ in range(3)]
    assert ports == [["127.0.0.1:50000", "http", "testserver"]] * 3
    assert client.server.session_count == 1


def test_after_connection_close_there_is_a_new_connection() -> None:
    """RFC 9112 §9.6."""
    client = TestClient(app)
    response = client.get("/bye")
    assert (response.text, response.headers["connection"]) == ("bye", "close")
    assert client.get("/peer").json() == ["127.0.0.1:50001", "http", "testserver"]


def test_an_idle_connection_that_the_server_has_closed_is_not_used_again() -> None:
    client = TestClient(app, timeouts=Timeouts(keep_alive=15.0))
    client.get("/peer")
    client.advance(15.0)
    assert client.server.session_count == 0
    assert client.get("/peer").json() == ["127.0.0.1:50001", "http", "testserver"]


def test_an_answer_that_comes_before_all_is_sent_is_received() -> None:
    """RFC 9110 §10.1.1: a server may answer without reading the content; the rest is not sent then."""
    client = TestClient(app)
    sent = list[int]()

    def pieces() -> Iterator[bytes]:
        for number in range(100):
            sent.append(number)
            yield b"x"

    assert client.post("/unread", content=pieces()).text == "enough"
    assert len(sent) < 100


def test_a_connection_that_ends_in_the_midst_of_an_answer_is_an_error() -> None:
    client = TestClient(app)
    with pytest.raises(ConnectionLost):
        client.get("/torn")
    assert client.get("/hello/you").status_code == 200


def test_a_sleeping_handler_costs_virtual_time_only() -> None:
    client = TestClient(app)
    assert (client.get("/sleep/86400").text, client.now) == ("woken", 86400.0)


def test_a_timeout_in_a_handler_expires_while_the_client_waits() -> None:
    client = TestClient(app)
    assert (client.get("/limited").text, client.now) == ("timed out", 3.0)


def test_a_handler_that_waits_for_nothing_is_a_deadlock_that_shows_where() -> None:
    client = TestClient(app)
    with pytest.raises(Deadlock) as caught:
        client.get("/forever")
    line = forever.__code__.co_firstlineno + 2
    assert str(caught.value) == (
        "nothing can bring the answer to GET /forever (time 0.0)\n"
        f"  task 1 of connection 50000 at {__file__}:{line} in forever, awaiting MemoryEvent.wait"
    )


def test_after_a_deadlock_the_next_request_has_a_new_connection() -> None:
    client = TestClient(app)
    with pytest.raises(Deadlock):
        client.get("/forever")
    assert client.get("/peer").json() == ["127.0.0.1:50001", "http", "testserver"]


def test_a_foreign_awaitable_in_a_handler_is_named_instead_of_a_500() -> None:
    client = TestClient(app)
    with pytest.raises(ForeignAwaitable) as caught:
        client.get("/foreign")
    line = foreign.__code__.co_firstlineno + 2
    assert str(caught.value) == (
        f"task 1 of connection 50000 at {__file__}:{line} in foreign awaited asyncio.tasks.sleep, "
        "which belongs to an event loop; under the memory driver only what spry lends can be awaited"
    )


def test_what_the_server_logs_is_kept() -> None:
    client = TestClient(app)
    assert client.get("/broken").status_code == 500
    error, access = client.reports
    assert (error.logger, error.level, repr(error.exception)) == (
        "spry.error",
        40,
        "LookupError('of the handler')",
    )
    assert (access.logger, access.text) == ("spry.access", '127.0.0.1:50000 "GET /broken" 500 21 B 0.0 ms')


def test_errors_of_the_application_may_come_out_of_the_call() -> None:
    client = TestClient(app, raise_errors=True)
    with pytest.raises(LookupError, match=r"^of the handler$") as caught:
        client.get("/broken")
    assert caught.traceback[-1].name == "broken"
    assert client.get("/hello/you").text == "Hello, you!"
    assert client.get("/nowhere").status_code == 404
    with pytest.raises(LookupError, match=r"^of the stream$"):
        client.stream("GET", "/torn")
    ws = client.ws("/broken-ws")
    with pytest.raises(LookupError, match=r"^of the WebSocket$"):
        ws.send("a")
    with pytest.raises(ConnectionClosed) as closed:
        ws.receive()
    assert closed.value.close_code == 1011
    with pytest.raises(ForeignAwaitable):
        client.get("/foreign")


def test_the_limits_and_timeouts_are_the_servers() -> None:
    client = TestClient(app, limits=Limits(max_request_line=20), timeouts=Timeouts(head=2.0))
    assert client.get("/hello/somebody-with-a-long-name").status_code == 414
    raw = client.connect()
    raw.send(b"GET /")
    client.advance(1.9)
    assert raw.received == b""
    client.advance(0.1)
    assert raw.received.startswith(b"HTTP/1.1 408 Request Timeout\r\n")


def test_bytes_by_hand_meet_the_same_server() -> None:
    client = TestClient(app)
    raw = client.connect()
    raw.send(b"GET /hello/a HTTP/1.1\r\nHost: t\r\n\r\nGET /hello/b HTTP/1.1\r\nHost: t\r\n\r\n")
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 9\r\n"
        b"Date: Sat, 01 Jan 2000 00:00:00 GMT\r\n\r\n"
    )
    assert raw.take() == head + b"Hello, a!" + head + b"Hello, b!"


def test_an_opening_handshake_offers_subprotocols_and_fields() -> None:
    client = TestClient(app)
    ws = client.ws("/echo", subprotocols=["chat", "chat.v2"], headers={"Origin": "http://testserver"})
    assert (ws.protocol, ws.extensions) == ("chat.v2", ())
    assert ws.headers["sec-websocket-protocol"] == "chat.v2"
    ws.close()


def test_an_opening_handshake_offers_compression() -> None:
    """RFC 7692 §7: the messages are then compressed both ways."""
    compressing = Application()

    @compressing.ws("/echo", compression=Deflate(server_max_window_bits=10, threshold=0))
    async def echo(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await ws.send(message)

    client = TestClient(compressing)
    with client.ws("/echo", extensions=["x-unknown", "permessage-deflate; client_max_window_bits"]) as ws:
        assert ws.extensions == ("permessage-deflate; server_max_window_bits=10; client_max_window_bits=12",)
        assert ws.headers["sec-websocket-extensions"] == ws.extensions[0]
        ws.send("Hello" * 100)
        assert ws.receive() == "Hello" * 100
    with client.ws("/echo") as ws:
        assert ws.extensions == ()


@pytest.mark.parametrize(
    ("target", "headers", "status_code", "text"),
    [
        ("/private/echo", {}, 401, "who are you?"),
        ("/nowhere", {}, 404, "Not Found"),
        ("/echo", {"Origin": "http://evil.example"}, 403, "this origin may not connect"),
    ],
)
def test_a_denied_handshake_shows_the_response_as_the_wire_has_it(
    target: str, headers: dict[str, str], status_code: int, text: str
) -> None:
    """RFC 6455 §4.2.2: the server may answer with any status code."""
    with pytest.raises(ClientRejected) as caught:
        TestClient(app).ws(target, headers=headers)
    response = caught.value.response
    assert (response.status_code, response.text.strip()) == (status_code, text)


def test_a_handshake_that_is_never_answered_gets_a_503_at_its_deadline() -> None:
    client = TestClient(app, timeouts=Timeouts(opening=10.0))
    with pytest.raises(HandshakeRejected) as caught:
        client.ws("/stuck/echo")
    assert (caught.value.response.status_code, client.now) == (503, 10.0)


def test_a_connection_that_ends_during_the_handshake_is_an_error() -> None:
    """What gives less than its Content-Length aborts the connection, so no part of the answer is sent."""
    client = TestClient(app)
    with pytest.raises(ConnectionLost):
        client.ws("/short")


def test_a_server_that_shuts_down_accepts_no_connection() -> None:
    client = TestClient(app)
    client.shutdown()
    for connect in (client.connect, lambda: client.ws("/echo"), lambda: client.get("/peer")):
        with pytest.raises(ConnectionRefusedError, match=r"^the server accepts no further connection$"):
            connect()


def test_a_full_server_accepts_no_connection() -> None:
    client = TestClient(app, limits=Limits(max_connections=1))
    raw = client.connect()
    with pytest.raises(ConnectionRefusedError):
        client.connect()
    raw.close()
    client.connect()
    assert client.server.session_count == 1


def test_a_client_that_expects_a_100_gets_it_before_it_sends_the_content() -> None:
    """RFC 9110 §10.1.1."""
    client = TestClient(app)
    response = client.post("/mirror", content=b"abc", headers={"Expect": "100-continue"})
    assert isinstance(response.json(), dict)
    assert [head.status_code for head in response.interim] == [100]


def test_two_peers_share_one_server_and_one_clock() -> None:
    room = Application()
    members = list[WebSocket]()

    @room.ws("/room")
    async def chat(ws: WebSocket, request: Request) -> None:
        members.append(ws)
        async for message in ws:
            await sleep(1.0)
            for each in members:
                await each.send(message)

    client = TestClient(room)
    with client.ws("/room") as a, client.ws("/room") as b:
        a.send("to all")
        assert (b.receive(), a.receive(), client.now) == ("to all", "to all", 1.0)


def test_shutting_down_closes_websockets_with_1001() -> None:
    """RFC 6455 §7.4.1."""
    client = TestClient(app)
    ws = client.ws("/echo")
    client.shutdown()
    assert (ws.close().close_code, client.server.closed) == (1001, True)


def test_shutting_down_may_say_another_code_and_reason() -> None:
    client = TestClient(app)
    ws = client.ws("/echo")
    client.shutdown(1012, "restart")
    info = ws.close()
    assert (info.close_code, info.close_reason) == (1012, "restart")


def test_at_the_end_of_grace_handlers_are_cancelled() -> None:
    ended = list[type[BaseException]]()
    slow = Application()

    @slow.get("/")
    async def handler(request: Request) -> None:
        try:
            await event().wait()
        except BaseException as error:
            ended.append(type(error))
            raise

    client = TestClient(slow)
    raw = client.connect()
    raw.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    client.shutdown(grace=7.0)
    client.advance(6.9)
    assert ended == []
    client.advance(0.1)
    assert ended == [Cancelled]


def test_leaving_the_block_ends_every_handler() -> None:
    with TestClient(app) as client:
        client.get("/hello/you")
        client.ws("/echo")
        client.connect().send(b"GET /forever HTTP/1.1\r\nHost: t\r\n\r\n")
        assert len(client.driver.tasks()) == 2
    assert (client.driver.tasks(), client.server.session_count, client.server.closed) == ([], 0, True)


def line_of(function: Callable[..., object], code: str) -> int:
    """Return the line of this file at which `function` has `code`."""
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, line in enumerate(lines) if code in line)


def stubborn_client() -> TestClient:
    """Return a client whose server has a handler that never ends."""
    stubborn = Application()

    @stubborn.get("/")
    async def handler(request: Request) -> None:
        while True:
            try:
                await event().wait()
            except Cancelled:
                continue

    client = TestClient(stubborn)
    client.connect().send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    return client


def test_a_handler_that_does_not_end_is_told_at_the_end() -> None:
    client = stubborn_client()
    with pytest.raises(Deadlock) as caught:
        client.close()
    line = line_of(stubborn_client, "await event().wait()")
    assert str(caught.value) == (
        f"task 1 of connection 50000 at {__file__}:{line} in stubborn_client.<locals>.handler, "
        "awaiting MemoryEvent.wait, swallows its cancellation and goes on, again and again"
    )


def test_the_end_of_a_block_cancels_who_goes_round_in_circles_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MAX_STEPS", 100)
    circles = Application()

    @circles.get("/")
    async def circle(request: Request) -> None:
        while True:
            await sleep(0)

    client = TestClient(circles)
    peer = client.connect()
    with pytest.raises(Deadlock, match=r"^still busy after 100 steps"):
        peer.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n")
    client.close()
    assert (client.server.closed, client.driver.tasks()) == (True, [])


def test_of_two_connections_that_could_be_kept_one_is() -> None:
    client = TestClient(app, limits=Limits(max_connections=2))
    first, second = client.stream("GET", "/peer"), client.stream("GET", "/peer")
    assert first.read().json() == ["127.0.0.1:50000", "http", "testserver"]
    assert second.read().json() == ["127.0.0.1:50001", "http", "testserver"]
    assert client.get("/peer").json() == ["127.0.0.1:50000", "http", "testserver"]
    client.connect()
    with pytest.raises(ConnectionRefusedError):  # so of the two one is there, and the other has made room
        client.connect()


def test_an_error_of_the_block_is_not_hidden_by_its_end() -> None:
    with pytest.raises(ZeroDivisionError), stubborn_client() as client:
        client.get(f"/{1 // 0}")


def test_a_deadlock_at_the_end_of_a_block_comes_out() -> None:
    with pytest.raises(Deadlock), stubborn_client():
        pass


def order_in_room(seed: int) -> list[str]:
    """Return in which order three members of a room hear of one message."""
    room = Application()
    order = list[str]()

    @room.get("/:name")
    async def member(request: Request) -> None:
        await sleep(1.0)
        order.append(request.params["name"])

    client = TestClient(room, seed=seed)
    for name in "abc":
        client.connect().send(f"GET /{name} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
    client.advance(1.0)
    return order


def test_the_seed_decides_the_order_and_the_same_seed_decides_the_same() -> None:
    orders = [order_in_room(seed) for seed in range(20)]
    assert orders == [order_in_room(seed) for seed in range(20)]
    assert {"".join(order) for order in orders} == {"abc", "acb", "bac", "bca", "cab", "cba"}


def test_importing_spry_core_does_not_load_the_testing_kit() -> None:
    script = "import spry_core, sys; print('spry_core.testing' in sys.modules, 'random' in sys.modules)"
    output = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert output.stdout == "False False\n"


def with_lifespan(notes: list[str]) -> Application:
    app = Application()

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        await sleep(1.0)
        app.locals["name"] = "Ada"
        notes.append("started")
        yield
        await sleep(2.0)
        notes.append("ended")

    @app.get("/")
    async def page(request: Request) -> str:
        return str(app.locals["name"])

    return app


def test_a_block_runs_the_lifespan() -> None:
    notes = list[str]()
    with TestClient(with_lifespan(notes)) as client:
        assert (notes, client.now) == (["started"], 1.0)
        assert client.get("/").text == "Ada"
        assert notes == ["started"]
    assert (notes, client.now) == (["started", "ended"], 3.0)


def test_without_a_block_the_lifespan_begins_at_the_first_use() -> None:
    notes = list[str]()
    client = TestClient(with_lifespan(notes))
    assert notes == []
    assert client.get("/").text == "Ada"
    assert client.get("/").text == "Ada"
    assert notes == ["started"]
    client.close()
    assert notes == ["started", "ended"]


def test_a_client_that_was_never_used_never_begins_the_lifespan() -> None:
    notes = list[str]()
    client = TestClient(with_lifespan(notes))
    client.close()
    with pytest.raises(ConnectionRefusedError):
        client.get("/")
    assert notes == []


def test_an_error_of_startup_comes_out_of_the_first_use() -> None:
    app = Application()

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        raise KeyError("no database")
        yield

    client = TestClient(app)
    with pytest.raises(KeyError, match="no database"):
        client.get("/")
    with pytest.raises(ConnectionRefusedError):
        client.get("/")
    client.close()
    with pytest.raises(KeyError, match="no database"), TestClient(app):
        pass


@pytest.mark.parametrize("raise_errors", [False, True])
def test_an_error_of_teardown_comes_out_of_close(raise_errors: bool) -> None:
    app = Application()

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        yield
        raise KeyError("lost")

    client = TestClient(app, raise_errors=raise_errors)
    assert client.get("/").status_code == 404
    with pytest.raises(KeyError, match="lost"):
        client.close()
    client.close()


def test_a_foreign_awaitable_in_the_lifespan_is_named() -> None:
    app = Application()

    @app.lifespan
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        await asyncio.sleep(1)
        yield

    with pytest.raises(ForeignAwaitable, match=r"awaited asyncio\.tasks\.sleep"), TestClient(app):
        pass


def test_a_time_limit_that_runs_out_is_told_as_it_was_given() -> None:
    """Pings come meanwhile, and each time less of it is left."""
    client = TestClient(app)
    ws = client.ws("/echo")
    with pytest.raises(TimeoutError, match=r"^a message on /echo did not come within 100\.0 s$"):
        ws.receive(timeout=100.0)
    assert client.now == 100.0


def test_keepalive_of_others_does_not_hold_up_a_deadlock() -> None:
    client = TestClient(app)
    client.ws("/echo")
    with pytest.raises(Deadlock, match=r"^1000 deadlines have passed without the answer to GET /forever "):
        client.get("/forever")
