"""What checkers know of text and of binary: run as a test, and checked by mypy and pyright, which refuse what is not so."""

from __future__ import annotations

from typing import assert_type

from spry_core import (
    Application,
    CloseInfo,
    IncomingBinary,
    IncomingText,
    Request,
    SendResult,
    Subscription,
    WebSocket,
)
from spry_core.testing import TestClient


async def receive_in_every_way(ws: WebSocket, request: Request) -> None:
    assert_type(await ws.receive(), str | bytes)
    assert_type(await ws.receive_text(), str)
    assert_type(await ws.receive_bytes(), bytes)
    async for message in ws:
        assert_type(message, str | bytes)
        break
    async for incoming in ws.incoming():
        if incoming.kind == "text":
            assert_type(incoming, IncomingText)
            assert_type(await incoming.read(), str)
        else:
            assert_type(incoming, IncomingBinary)
            async for piece in incoming:
                assert_type(piece, bytes)
            break
    assert_type(ws.listen(print), Subscription)
    assert_type(ws.close_info, CloseInfo | None)
    ws.add("received")


async def send_in_every_way(ws: WebSocket, request: Request) -> None:
    assert_type(ws.add("a"), SendResult)
    assert_type(await ws.add_stream(["b", b"c"]), int)
    await ws.send_fragments(["d"], "text")
    await ws.send_fragments([b"e"], "binary")
    try:
        # Both checkers say so, and would say if they did not: chunks of one kind, a message of the other.
        await ws.send_fragments([b"f"], "text")  # type: ignore[call-overload]  # pyright: ignore[reportCallIssue, reportArgumentType]
    except TypeError:
        await ws.send_text("refused")
    assert_type(await ws.close(), CloseInfo)


def test_receiving_gives_text_as_str_and_binary_as_bytes() -> None:
    app = Application()
    app.ws("/", receive_in_every_way)
    with TestClient(app).ws("/") as ws:
        for message in ("1", "2", b"3", "4", "5", b"6"):
            ws.send(message)
        assert ws.receive() == "received"


def test_sending_takes_both_and_never_mixes_them() -> None:
    app = Application()
    app.ws("/", send_in_every_way)
    with TestClient(app).ws("/") as ws:
        assert [ws.receive() for _ in range(6)] == ["a", "b", b"c", "d", b"e", "refused"]
