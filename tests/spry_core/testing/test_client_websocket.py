"""The client's WebSocket, against the examples of the original's page and what else a server may do."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from spry_core import Application, CloseInfo, Request, Timeouts, WebSocket, WebSocketClose, sleep
from spry_core.closing import Close, ConnectionClosed, ConnectionLost
from spry_core.tasks import event
from spry_core.testing import Deadlock, ForeignAwaitable, TestClient

app = Application()


@app.ws("/silent")
async def silent(ws: WebSocket, request: Request) -> None:
    await ws.closed


@app.ws("/echo")
async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


@app.ws("/late")
async def late(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await sleep(60.0)
        await ws.send(message)


@app.ws("/bye")
async def bye(ws: WebSocket, request: Request) -> None:
    await ws.send("one")
    await ws.send("two")
    raise WebSocketClose(4000, "enough")


@app.ws("/broken")
async def broken(ws: WebSocket, request: Request) -> None:
    raise LookupError("of the handler")


@app.ws("/gone")
async def gone(ws: WebSocket, request: Request) -> None:
    await ws.receive()
    ws.abort()


@app.ws("/many")
async def many(ws: WebSocket, request: Request) -> None:
    sent = request.locals["sent"] = list[int]()
    counts.append(sent)
    for number in range(100_000):
        await ws.send(f"{number:100}")
        sent.append(number)


@app.ws("/foreign")
async def foreign(ws: WebSocket, request: Request) -> None:
    async for _ in ws:
        await asyncio.sleep(1)


counts = list[list[int]]()


# The five examples of the original's page


def test_a_handler_that_returns_leaves_the_connection_open(capsys: pytest.CaptureFixture[str]) -> None:
    page = Application()

    @page.ws("echo")
    async def handler(ws: WebSocket, request: Request) -> None:
        print("WebSocket connected")

    client = TestClient(page)
    with client.ws("/echo") as ws:
        ws.send("discarded")
        client.advance(3600.0)
        assert ws.close_info is None
        assert capsys.readouterr().out == "WebSocket connected\n"
    assert ws.close_info is not None
    assert (ws.close_info.close_code, ws.close_info.clean) == (1000, True)


def test_a_handler_iterates_over_the_messages(capsys: pytest.CaptureFixture[str]) -> None:
    page = Application()

    @page.ws("echo")
    async def handler(ws: WebSocket, request: Request) -> None:
        print("WebSocket connected")
        async for message in ws:
            print(f"Received: {message!r}")

    with TestClient(page).ws("/echo") as ws:
        ws.send("text")
        ws.send(b"\xff")
        assert capsys.readouterr().out == "WebSocket connected\nReceived: 'text'\nReceived: b'\\xff'\n"


def test_a_handler_listens_with_a_sync_callback(capsys: pytest.CaptureFixture[str]) -> None:
    page = Application()

    @page.ws("echo")
    def handler(ws: WebSocket, request: Request) -> None:
        print("WebSocket connected")
        ws.listen(lambda message: print(f"Received: {message!r}"))

    with TestClient(page).ws("/echo") as ws:
        ws.send("a")
        ws.send("b")
        assert capsys.readouterr().out == "WebSocket connected\nReceived: 'a'\nReceived: 'b'\n"


def test_a_callback_sends_the_message_back(capsys: pytest.CaptureFixture[str]) -> None:
    page = Application()

    @page.ws("echo")
    def handler(ws: WebSocket, request: Request) -> None:
        def on_message(message: str | bytes) -> None:
            print(f"Received: {message!r}")
            ws.add(message)

        ws.listen(on_message)

    with TestClient(page).ws("/echo") as ws:
        ws.send("a")
        ws.send(b"b")
        assert (ws.receive(), ws.receive()) == ("a", b"b")
        assert capsys.readouterr().out == "Received: 'a'\nReceived: b'b'\n"


def test_a_callback_closes_the_connection_without_awaiting() -> None:
    page = Application()

    @page.ws("echo")
    def handler(ws: WebSocket, request: Request) -> None:
        def on_message(message: str | bytes) -> None:
            ws.add(message)
            ws.close()

        ws.listen(on_message)

    ws = TestClient(page).ws("/echo")
    ws.send("a")
    assert ws.receive() == "a"
    with pytest.raises(ConnectionClosed) as caught:
        ws.receive()
    assert (caught.value.close_code, caught.value.info) == (1000, ws.close_info)


# What the client's own methods do


def test_text_and_binary_come_back_as_they_were_sent() -> None:
    with TestClient(app).ws("/echo") as ws:
        for message in ("", "café", b"", b"\x00\xff", "x" * 70_000, b"y" * 70_000):
            ws.send(message)
            assert ws.receive() == message


def test_the_end_is_told_after_the_messages_before_it_and_again_and_again() -> None:
    ws = TestClient(app).ws("/bye")
    assert (ws.receive(), ws.receive()) == ("one", "two")
    for _ in range(2):
        with pytest.raises(ConnectionClosed) as caught:
            ws.receive()
        assert (type(caught.value), caught.value.close_code, caught.value.close_reason) == (
            ConnectionClosed,
            4000,
            "enough",
        )


def test_the_info_of_the_end_is_the_clients_own() -> None:
    ws = TestClient(app).ws("/bye")
    assert ws.close() == CloseInfo(
        initiator="remote",
        sent=Close(code=4000),
        received=Close(code=4000, reason="enough"),
        close_code=4000,
        close_reason="enough",
        bytes_received=6,
        messages_received=2,
    )


def test_a_handler_that_raises_is_1011_without_a_reason() -> None:
    client = TestClient(app)
    info = client.ws("/broken").close()
    assert (info.close_code, info.close_reason) == (1011, "")
    assert repr(client.reports[0].exception) == "LookupError('of the handler')"


def test_a_server_that_cuts_the_stream_is_a_loss() -> None:
    ws = TestClient(app).ws("/gone")
    ws.send("go")
    with pytest.raises(ConnectionLost) as caught:
        ws.receive()
    assert caught.value.close_code == 1006


def test_sending_after_the_end_is_an_error() -> None:
    ws = TestClient(app).ws("/gone")
    ws.send("go")
    with pytest.raises(ConnectionLost):
        ws.send("too late")
    with pytest.raises(ConnectionLost):
        ws.ping()


def test_what_is_no_message_is_refused() -> None:
    ws = TestClient(app).ws("/echo")
    with pytest.raises(TypeError):
        ws.send(cast("str", 1))


def test_waiting_for_a_silent_server_is_a_deadlock_although_keepalive_goes_on() -> None:
    client = TestClient(app, timeouts=Timeouts(ping_interval=20.0))
    ws = client.ws("/silent")
    with pytest.raises(Deadlock) as caught:
        ws.receive()
    line = silent.__code__.co_firstlineno + 2
    assert str(caught.value) == (
        "nothing can bring a message on /silent (time 0.0)\n"
        f"  task 1 of connection 50000 at {__file__}:{line} in silent, awaiting Closed._wait\n"
        "  the next deadline is at 20.0: `advance` or a timeout lets time pass"
    )


def test_waiting_with_a_timeout_lets_keepalive_run() -> None:
    """RFC 6455 §5.5.2: the client answers each Ping, so the connection lives."""
    client = TestClient(app, timeouts=Timeouts(ping_interval=20.0, ping_timeout=20.0))
    ws = client.ws("/silent")
    with pytest.raises(TimeoutError, match=r"^a message on /silent did not come within "):
        ws.receive(timeout=70.0)
    assert (client.now, len(ws.pings), ws.close_info) == (70.0, 3, None)


def test_a_handler_that_sleeps_is_waited_for_in_virtual_time() -> None:
    client = TestClient(app)
    ws = client.ws("/late")
    ws.send("a")
    with pytest.raises(TimeoutError):
        ws.receive(timeout=59.0)
    assert (ws.receive(timeout=1.0), client.now) == ("a", 60.0)
    ws.send("b")
    assert (ws.receive(), client.now) == ("b", 120.0)


def test_a_ping_is_answered_with_its_payload() -> None:
    """RFC 6455 §5.5.3."""
    with TestClient(app).ws("/echo") as ws:
        ws.ping(b"one")
        ws.ping()
        ws.send("a")
        assert (ws.receive(), ws.pongs) == ("a", [b"one", b""])


def test_a_client_that_does_not_receive_is_a_slow_reader() -> None:
    client = TestClient(app)
    ws = client.ws("/many")
    sent = counts[-1]
    held = len(sent)
    assert held < 3000
    assert [ws.receive() for _ in range(held)] == [f"{number:100}" for number in range(held)]
    assert len(sent) > held
    ws.abort()


def test_closing_drops_what_was_not_received() -> None:
    ws = TestClient(app).ws("/many")
    info = ws.close(4001, "had enough")
    assert info.sent == Close(code=4001, reason="had enough")
    assert (info.close_code, info.close_reason, info.clean) == (4001, "", True)  # as the server has answered
    assert ws.close() == info


def test_an_empty_close_is_reported_as_1005() -> None:
    """RFC 6455 §7.1.5."""
    assert TestClient(app).ws("/echo").close(None).close_code == 1005


def test_what_no_close_frame_may_say_is_refused() -> None:
    """RFC 6455 §7.4."""
    ws = TestClient(app).ws("/echo")
    with pytest.raises(ValueError, match="close code 1006 may not be sent"):
        ws.close(1006)
    assert ws.close().close_code == 1000


def test_aborting_is_a_loss_for_the_server() -> None:
    ends = list[int]()
    lost = Application()

    @lost.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        ends.append((await ws.closed).close_code)

    ws = TestClient(lost).ws("/")
    ws.abort()
    assert ends == [1006]
    with pytest.raises(ConnectionClosed):
        ws.receive()


def test_leaving_the_block_closes_and_an_error_cuts() -> None:
    ends = list[int]()
    noting = Application()

    @noting.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        ends.append((await ws.closed).close_code)

    client = TestClient(noting)
    with client.ws("/"):
        pass
    with pytest.raises(ZeroDivisionError), client.ws("/"):
        _ = 1 // 0
    assert ends == [1000, 1006]


def test_a_foreign_awaitable_is_named_instead_of_a_1011() -> None:
    ws = TestClient(app).ws("/foreign")
    with pytest.raises(ForeignAwaitable) as caught:
        ws.send("a")
    line = foreign.__code__.co_firstlineno + 3
    assert str(caught.value).startswith(
        f"task 1 of connection 50000 at {__file__}:{line} in foreign awaited asyncio.tasks.sleep, "
    )
    assert ws.close().close_code == 1011


def test_a_close_that_the_server_does_not_answer_in_time_cuts_the_stream() -> None:
    """The handler waits in vain, and the core answers all the same: nobody need be reading."""
    waiting = Application()

    @waiting.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        await event().wait()

    client = TestClient(waiting)
    info = client.ws("/").close()
    assert (info.clean, client.now) == (True, 0.0)
