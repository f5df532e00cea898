"""Tests of `spry_core.testing.machines.line`: a WebSocket opened, written and read by hand (RFC 6455 §5)."""

from __future__ import annotations

import pytest

from spry_core import Application, Request, WebSocket
from spry_core.protocol import Close
from spry_core.testing import TestClient
from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    close_payload,
)
from spry_core.testing.machines import Line
from spry_core.testing.machines.line import frame_of


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        if message == "close":
            ws.close(4000, "so")
        await ws.send(message)


def line_of(target: str = "/") -> tuple[TestClient, Line]:
    app = Application()
    app.ws("/", echo)
    client = TestClient(app)
    return client, Line(client, target)


def test_a_message_is_one_frame_of_its_kind() -> None:
    """RFC 6455 §5.6."""
    assert frame_of("é") == Frame(TEXT, b"\xc3\xa9")
    assert frame_of(b"\xc3") == Frame(BINARY, b"\xc3")


def test_messages_and_pongs_come_in_order() -> None:
    _, line = line_of()
    line.send(Frame(TEXT, b"a"), cut=lambda data: [data[:3], data[3:]])
    line.send(Frame(PING, b"p"))
    line.send(Frame(BINARY, b"b"))
    assert line.read() == ["a", b"b"]
    assert line.pongs == [b"p"]


def test_a_keepalive_ping_is_answered() -> None:
    """RFC 6455 §5.5.2: for as long as it is read."""
    client, line = line_of()
    for _ in range(100):
        client.advance(1.0)
        line.read()
    assert not line.is_over


def test_a_close_is_answered_and_ends_the_stream() -> None:
    """RFC 6455 §7.1.1."""
    client, line = line_of()
    line.send(Frame(TEXT, b"close"))
    line.read()
    assert line.close == Close(code=4000, reason="so")
    line.answer_close()
    assert line.is_over
    line.answer_close()
    assert client.reports[-1].fields["clean"] is True


def test_a_cut_stream_is_over_for_the_server() -> None:
    client, line = line_of()
    line.reset()
    assert client.reports[-1].fields["close_code"] == 1006


def test_an_empty_close_comes_back_empty() -> None:
    """RFC 6455 §5.5.1."""
    _, line = line_of()
    line.send(Frame(CLOSE_FRAME, b""))
    line.read()
    assert line.close == Close()


def test_a_target_without_a_websocket_fails() -> None:
    with pytest.raises(AssertionError) as caught:
        line_of("/nowhere")
    assert str(caught.value).startswith("no WebSocket opens at /nowhere: b'HTTP/1.1 404")


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        (
            [Frame(CLOSE_FRAME, close_payload(1000)), Frame(TEXT, b"a")],
            "something stands behind the Close frame",
        ),
        ([Frame(TEXT, b"a", mask=b"abcd")], "a server masks"),
        ([Frame(TEXT, b"a", rsv=4)], "a reserved bit without an extension"),
        ([Frame(CONTINUATION, b"a")], "a fragment out of its place"),
        ([Frame(TEXT, b"a", fin=False), Frame(TEXT, b"a")], "a fragment out of its place"),
        ([Frame(PONG, b"", fin=False)], "a control frame in fragments"),
        ([Frame(11, b"")], "an opcode that nobody has defined"),
    ],
)
def test_a_server_that_breaks_a_rule_fails(frames: list[Frame], words: str) -> None:
    """RFC 6455 §5.1, §5.2, §5.4, §5.5."""
    _, line = line_of()
    *before, last = frames
    for frame in before:
        line.take(frame)
    with pytest.raises(AssertionError) as caught:
        line.take(last)
    assert str(caught.value).startswith(words)


def test_fragments_of_a_server_make_a_message() -> None:
    """RFC 6455 §5.4."""
    _, line = line_of()
    line.take(Frame(TEXT, b"\xe2\x82", fin=False))
    line.take(Frame(CONTINUATION, b"\xac"))
    assert line.messages == ["\N{EURO SIGN}"]
