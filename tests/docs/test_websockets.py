"""The examples of docs/websockets.md, served for real on every backend and talked to by a client that nobody here wrote."""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, fields
from typing import Final

import anyio
import anyio.to_thread
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

import spry_asyncio
import spry_trio
from frames import BINARY, CLOSE_FRAME, TEXT, close_payload, frame
from pages import Block, blocks_of, section_of, tables_in
from spry_core import Application, CloseInfo
from spry_core.web.options import WebSocketSettings

PAGE: Final = "docs/websockets.md"
PATIENCE: Final = 30.0
"""Seconds until a side that says nothing counts as stuck; a busy machine is slow."""


class Peer:
    """A client of a served example."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address

    def open(self, path: str, **fields: str) -> ClientConnection:
        """Open a WebSocket, with further fields in the opening handshake."""
        return connect(
            "ws://{}:{}{}".format(*self._address, path),
            additional_headers=fields,
            open_timeout=PATIENCE,
            close_timeout=PATIENCE,
            proxy=None,
        )

    def exchange(self, *pieces: bytes) -> bytes:
        """Send the pieces, each but the first when something has come back; return all that comes until the end."""
        with socket.create_connection(self._address, PATIENCE) as stream:
            data = b""
            for piece in pieces:
                stream.sendall(piece)
                data += stream.recv(4096)
            return data + b"".join(iter(lambda: stream.recv(4096), b""))


def received(ws: ClientConnection) -> str | bytes:
    """Return the next message."""
    return ws.recv(timeout=PATIENCE)


def close_of(ws: ClientConnection) -> tuple[int, str]:
    """Wait for the server's Close frame, with no message before it; return what is in it."""
    with pytest.raises(ConnectionClosed) as caught:
        pytest.fail(f"the server sent {ws.recv(timeout=PATIENCE)!r}")
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def answer_to_close(ws: ClientConnection) -> tuple[int, str]:
    """Close with 4321; return what the server's Close frame says."""
    ws.close(4321, "enough")
    return close_of(ws)


# ------------------------------------------------------------------------------------------------ the conversations


def talk_to_connected(peer: Peer) -> None:
    with peer.open("/echo") as ws:
        ws.send("nobody reads this")
        assert ws.ping().wait(PATIENCE)  # the handler has returned, and the connection lives
        assert answer_to_close(ws) == (4321, "")


def talk_to_group(peer: Peer) -> None:
    with pytest.raises(InvalidStatus) as denied, peer.open("/rooms/hall"):
        pass
    assert (denied.value.response.status_code, denied.value.response.body) == (401, b"Unauthorized")
    with peer.open("/rooms/hall", authorization="Bearer of good news") as ws:
        assert received(ws) == "welcome to hall"
        assert answer_to_close(ws) == (4321, "")


def talk_to_messages(peer: Peer) -> None:
    with peer.open("/kind") as ws:
        answers: dict[str | bytes, str] = {"grüß": "str of 4", b"\x00\xff": "bytes of 2", "": "str of 0"}
        for message, answer in answers.items():
            ws.send(message)
            assert received(ws) == answer
        assert answer_to_close(ws) == (4321, "")


def talk_without_an_answer(peer: Peer) -> None:
    with peer.open("/echo") as ws:
        ws.send("one")
        ws.send(b"two")
        assert answer_to_close(ws) == (4321, "")


def talk_to_add(peer: Peer) -> None:
    with peer.open("/echo") as ws:
        for message in ("one", b"two"):
            ws.send(message)
            assert received(ws) == message
        assert answer_to_close(ws) == (4321, "")


def talk_to_stream(peer: Peer) -> None:
    with peer.open("/launch") as ws:
        assert [received(ws) for _ in range(3)] == ["3", "2", "1"]
        assert close_of(ws) == (1000, "")


def talk_to_broadcast(peer: Peer) -> None:
    with peer.open("/room") as one, peer.open("/room") as other:
        for ws, message in ((one, "from one"), (other, b"from the other")):
            ws.send(message)
            assert [received(one), received(other)] == [message] * 2
        assert answer_to_close(other) == (4321, "")
        one.send("alone")
        assert received(one) == "alone"
        assert answer_to_close(one) == (4321, "")


def talk_to_close(peer: Peer) -> None:
    with peer.open("/echo") as ws:
        ws.send("one")
        assert received(ws) == "one"
        assert close_of(ws) == (1000, "")


def talk_to_awaited(peer: Peer) -> None:
    with peer.open("/report") as ws:
        assert received(ws) == "all is well"
        assert close_of(ws) == (4000, "that was all")


def talk_to_returned(peer: Peer) -> None:
    with peer.open("/greet") as ws:
        assert received(ws) == "hello and goodbye"
        assert close_of(ws) == (1000, "")


def talk_to_raising(peer: Peer) -> None:
    with peer.open("/things") as ws:
        ws.send("door")
        assert received(ws) == "open"
        ws.send("enough")
        assert close_of(ws) == (4001, "as you like")
    with peer.open("/things") as ws:
        ws.send("window")
        assert close_of(ws) == (1011, "")


def talk_to_sealed(peer: Peer) -> None:
    with peer.open("/echo") as ws:
        assert ws.response is not None
        assert ws.response.headers.get_all("x-served-by") == ["the left one"]
        ws.send("one")
        assert received(ws) == "one"
        assert answer_to_close(ws) == (4321, "")


def talk_to_context(peer: Peer) -> None:
    with peer.open("/rooms/hall?name=Ada") as ws:
        assert received(ws) == "Ada is in hall"
        assert answer_to_close(ws) == (4321, "")


@dataclass(frozen=True, slots=True)
class Example:
    """What has to happen when somebody talks to a served block."""

    talk: Callable[[Peer], None]
    printed: str = ""
    logged: tuple[str, ...] = ()


EXAMPLES: Final = {
    "connected": Example(talk_to_connected, "connected\n"),
    "group": Example(talk_to_group, "/rooms/hall ended with 4321\n"),
    "messages": Example(talk_to_messages),
    "loop": Example(talk_without_an_answer, "connected\nreceived one\nreceived b'two'\n"),
    "listen": Example(talk_without_an_answer, "connected\nreceived one\nreceived b'two'\n"),
    "add": Example(talk_to_add, "connected\nreceived one\nreceived b'two'\n"),
    "stream": Example(talk_to_stream, "3 sent\n"),
    "broadcast": Example(talk_to_broadcast),
    "close": Example(talk_to_close, "connected\nreceived one\n"),
    "awaited": Example(talk_to_awaited, "4000 that was all local True\n"),
    "returned": Example(talk_to_returned),
    "raising": Example(talk_to_raising, logged=('"GET /things": KeyError in the application',)),
    "sealed": Example(talk_to_sealed, "too late\n"),
    "context": Example(talk_to_context, "b''\n"),
}


# ----------------------------------------------------------------------------------------------------- the backends


BACKENDS: Final[dict[str, tuple[str, dict[str, bool]]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


@pytest.fixture(params=BACKENDS)
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """The backend that anyio's plugin runs a test on, with its options."""
    return BACKENDS[request.param]


async def serve(app: Application, backend: str, talk: Callable[[Peer], None]) -> None:
    """Serve `app` while `talk`, in a thread, talks to it."""
    serving = spry_trio.serve(app, port=0) if backend == "trio" else spry_asyncio.serve(app, port=0)
    with anyio.fail_after(4 * PATIENCE):
        async with serving as server:
            await anyio.to_thread.run_sync(talk, Peer(server.addresses[0]))


# -------------------------------------------------------------------------------------------------------- the tests


BLOCKS: Final = {
    block.marker[1]: block
    for block in blocks_of(PAGE)
    if block.marker is not None and block.language == "python"
}


def application_of(block: Block) -> Application:
    """Run a block and return the application that it makes."""
    namespace: dict[str, object] = {"__name__": "example"}
    # Empty lines in front: a traceback then names the line of the page.
    exec(compile("\n" * (block.line - 1) + block.code, block.page, "exec", dont_inherit=True), namespace)
    app = namespace["app"]
    assert isinstance(app, Application)
    return app


def test_every_block_of_the_page_is_served() -> None:
    assert all(block.marker is not None for block in blocks_of(PAGE))
    assert list(BLOCKS) == [block.marker[1] for block in blocks_of(PAGE) if block.marker is not None]
    assert BLOCKS.keys() == EXAMPLES.keys()


def named_in(heading: str) -> set[str]:
    """Return what the first cells of the table below a heading name."""
    *_, rows = tables_in(section_of(PAGE, heading))
    return {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}


def test_the_options_are_those_that_there_are() -> None:
    assert named_in("### Options") == WebSocketSettings.__optional_keys__


def test_the_fields_of_an_end_are_those_that_there_are() -> None:
    assert named_in("## Closing") == {field.name for field in fields(CloseInfo)} | {"clean"}


@pytest.mark.anyio
@pytest.mark.parametrize("name", EXAMPLES)
async def test_an_example_does_what_the_page_says(
    name: str,
    anyio_backend_name: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "spry")
    await serve(application_of(BLOCKS[name]), anyio_backend_name, EXAMPLES[name].talk)
    assert capsys.readouterr().out == EXAMPLES[name].printed
    # In front of the request stands the client's address.
    records = [record for record in caplog.records if record.name.startswith("spry")]
    assert tuple(record.getMessage().split(" ", 1)[1] for record in records) == EXAMPLES[name].logged


OPENING: Final = (
    b"GET /echo HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
"""The opening handshake of RFC 6455 §1.3."""

SWITCHING: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)

MESSAGES_AND_CLOSE: Final = (
    frame(TEXT, b"one") + frame(BINARY, b"two") + frame(CLOSE_FRAME, close_payload(4321))
)


@pytest.mark.anyio
@pytest.mark.parametrize("name", ["loop", "listen"])
@pytest.mark.parametrize("pieces", [[OPENING + MESSAGES_AND_CLOSE], [OPENING, MESSAGES_AND_CLOSE]], ids=len)
async def test_what_comes_in_one_piece_with_the_close_is_read_first(
    name: str, pieces: list[bytes], anyio_backend_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Messages and a Close frame may be in one read, behind the opening handshake too (RFC 6455 §5.5.1)."""
    answers: list[bytes] = []
    await serve(
        application_of(BLOCKS[name]),
        anyio_backend_name,
        lambda peer: answers.append(peer.exchange(*pieces)),
    )
    assert answers == [SWITCHING + frame(CLOSE_FRAME, close_payload(4321), mask=None)]
    assert capsys.readouterr().out == EXAMPLES[name].printed


@pytest.mark.anyio
async def test_who_is_still_there_at_the_shutdown_gets_1001(
    anyio_backend_name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with ExitStack() as stack:
        left: list[ClientConnection] = []

        def talk(peer: Peer) -> None:
            left.append(stack.enter_context(peer.open("/echo")))
            assert left[0].ping().wait(PATIENCE)

        await serve(application_of(BLOCKS["connected"]), anyio_backend_name, talk)
        assert close_of(left[0]) == (1001, "")
    assert capsys.readouterr().out == "connected\n"
