"""Tasks that end with the connection."""

from __future__ import annotations

import pytest

from frames import CLOSE_FRAME, TEXT, Frame, close_payload
from sockets import Peer, client_of, close_frame
from spry_core import (
    Application,
    ConnectionClosed,
    ConnectionLost,
    Next,
    Outcome,
    Request,
    WebSocket,
    WebSocketStateError,
    sleep,
)
from spry_core.tasks import TaskScope, event
from spry_core.testing import Cancelled, TestClient
from spry_core.web.upgrade import WebSocketHandler


def opened(handler: WebSocketHandler) -> tuple[TestClient, Peer]:
    client = client_of(handler)
    return client, Peer(client)


async def tick(ws: WebSocket, name: str, seconds: float) -> None:
    """Send a text again and again."""
    while True:
        await sleep(seconds)
        await ws.send(name)


def errors(client: TestClient) -> list[BaseException | None]:
    return [each.exception for each in client.reports if each.logger == "spry.error"]


def test_tasks_run_beside_the_body() -> None:
    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(tick, ws, "tick", 1.0)
            async for message in ws:
                await ws.send(message)

    client, peer = opened(handler)
    peer.send("hello")
    assert peer.texts() == ["hello"]
    client.advance(2.0)
    assert peer.texts() == ["tick", "tick"]
    peer.stream.send(close_frame(1000))
    assert peer.frames() == [Frame(CLOSE_FRAME, close_payload(1000))]
    assert (peer.stream.is_ended, errors(client)) == (True, [])
    peer.stream.close()
    assert client.driver.tasks() == []


def test_tasks_are_cancelled_when_the_connection_ends_and_the_body_is_not() -> None:
    notes = list[str]()

    async def wait() -> None:
        try:
            await event().wait()
        except Cancelled:
            notes.append("the task is cancelled")
            raise

    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(wait)
            with pytest.raises(ConnectionLost):
                await ws.receive()
            await sleep(1.0)
            notes.append("the body goes on")

    client, peer = opened(handler)
    peer.stream.reset()
    assert notes == ["the task is cancelled"]
    client.advance(1.0)
    assert (notes, client.driver.tasks()) == (["the task is cancelled", "the body goes on"], [])
    assert errors(client) == []


def test_a_task_that_is_started_when_the_connection_has_ended_is_cancelled() -> None:
    notes = list[str]()

    async def late() -> None:
        notes.append("begins")
        await sleep(1.0)
        notes.append("goes on")

    async def handler(ws: WebSocket, request: Request) -> None:
        await ws.close()
        async with ws.scope() as s:
            s.start_soon(late)
        notes.append("over")

    client, peer = opened(handler)
    peer.stream.send(close_frame(1000))
    client.advance(5.0)
    assert notes == ["begins", "over"]


@pytest.mark.parametrize("seed", range(5))
def test_connection_closed_of_a_task_is_no_error_when_the_connection_has_ended(seed: int) -> None:
    """Whether it is cancelled or woken by the end first depends on the order in which tasks run."""
    notes = list[str]()

    async def receive(ws: WebSocket) -> None:
        try:
            await ws.receive()
        except BaseException as error:
            notes.append(type(error).__name__)
            raise ConnectionClosed(None) from error

    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(receive, ws)
        notes.append("over")

    app = Application()
    app.ws("/", handler)
    client = TestClient(app, seed=seed)
    Peer(client).stream.send(close_frame(1000))
    assert notes[1:] == ["over"]
    assert errors(client) == []


def test_connection_closed_while_the_connection_is_open_is_an_error() -> None:
    async def fail() -> None:
        await sleep(1.0)
        raise ConnectionClosed(None)

    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(fail)

    client, peer = opened(handler)
    client.advance(1.0)
    assert peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011))]
    assert [type(error) for error in errors(client)] == [ConnectionClosed]


def test_an_error_of_a_task_is_one_of_the_handler() -> None:
    """RFC 6455 §7.4.1: 1011, and the text stays here."""
    failure = KeyError("a task")

    async def fail() -> None:
        await sleep(1.0)
        raise failure

    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(fail)
            await ws.receive()

    client, peer = opened(handler)
    client.advance(1.0)
    assert peer.frames() == [Frame(CLOSE_FRAME, close_payload(1011))]
    assert errors(client) == [failure]


def test_cancelling_the_scope_leaves_the_connection_open() -> None:
    async def stop(ws: WebSocket, s: TaskScope) -> None:
        await sleep(1.0)
        await ws.send("enough")
        s.cancel()

    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(stop, ws, s)
            await ws.receive()
        await ws.send(await ws.receive())

    client, peer = opened(handler)
    client.advance(1.0)
    assert peer.texts() == ["enough"]
    peer.send("still here")
    assert peer.frames() == [Frame(TEXT, b"still here")]
    assert errors(client) == []


def test_the_end_for_middleware_waits_for_the_tasks() -> None:
    app, notes = Application(), list[str]()

    async def task() -> None:
        try:
            await event().wait()
        finally:
            notes.append("tidied up")

    @app.middleware.use
    async def watch(request: Request, next: Next) -> Outcome:
        outcome = await next()
        notes.append(type(outcome).__name__)
        return outcome

    @app.ws("/")
    async def handler(ws: WebSocket, request: Request) -> None:
        async with ws.scope() as s:
            s.start_soon(task)

    client = TestClient(app)
    Peer(client).stream.reset()
    assert (notes, client.driver.tasks()) == (["tidied up", "CloseInfo"], [])


def test_before_accept_there_is_no_connection_to_belong_to() -> None:
    async def handler(ws: WebSocket, request: Request) -> str:
        with pytest.raises(WebSocketStateError, match="accept"):
            ws.scope()
        return "not today"

    client = client_of(handler, accept="manual")
    stream = client.connect()
    stream.send(
        b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert stream.take().endswith(b"\r\n\r\nnot today")
