"""The law of whole frames: what counts as torn, and who finds it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

import lawless
from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, frame
from hostile import application
from spry_core import Application, Request, WebSocket, sleep
from spry_core.testing.laws import AppSubject, LawBroken, whole_frames
from spry_core.testing.laws.framing import LEFT, is_unfinished, torn

SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"


def test_whole_frames_are_whole() -> None:
    """RFC 6455 §5.2."""
    frames = [
        frame(TEXT, b"a", mask=None, fin=False),
        frame(PING, mask=None),
        frame(CONTINUATION, mask=None),
        frame(BINARY, bytes(200), mask=None),
        frame(PONG, mask=None),
        frame(CLOSE_FRAME, mask=None),
    ]
    assert torn(SWITCHED + b"".join(frames)) is None
    assert torn(SWITCHED) is None
    assert torn(b"HTTP/1.1 200 OK\r\n\r\nanything") is None
    assert torn(b"") is None


def test_everything_else_is_told() -> None:
    """RFC 6455 §5.1, §5.2, §5.5."""
    for data, fault in (
        (frame(TEXT, b"abc", mask=None)[:-1], "half a frame, b'\\x81\\x03ab',"),
        (frame(TEXT, b"abc"), "frame 0: a mask"),
        (frame(PING, mask=None) + frame(0x3, mask=None), "frame 1: opcode 0x3"),
        (frame(PING, mask=None, fin=False), "frame 0: a control frame in fragments, or too long"),
        (frame(PONG, bytes(126), mask=None), "frame 0: a control frame in fragments, or too long"),
        (frame(CLOSE_FRAME, mask=None) + frame(PONG, mask=None), "a frame behind a Close frame"),
        (frame(TEXT, mask=None, fin=False) + frame(TEXT, mask=None), "frame 1: a message within another"),
        (frame(PING, mask=None) + frame(CONTINUATION, mask=None), "frame 1: a rest of no message"),
    ):
        assert torn(SWITCHED + data) == fault


def test_a_torn_frame_is_found_and_found_again() -> None:
    """What is raised has all that is needed to see the same again."""
    subject = lawless.Tearing(AppSubject(application()))
    with pytest.raises(LawBroken) as first:
        whole_frames(subject, "/echo")
    assert isinstance(first.value.case, int)
    with pytest.raises(LawBroken) as again:
        whole_frames(subject, "/echo", data=first.value.data, cases=[first.value.case], seed=first.value.seed)
    assert str(again.value) == str(first.value)


def reporting() -> Application:
    """Something that answers in two fragments, with time between them."""
    app = Application()

    @app.ws("/report")
    async def report(ws: WebSocket, request: Request) -> None:
        async def pieces() -> AsyncIterator[str]:
            yield "first "
            await sleep(0.1)
            yield "second"

        async for _ in ws:
            await ws.send_fragments(pieces(), "text")

    return app


def test_a_message_is_unfinished_without_its_end_and_without_a_close_frame() -> None:
    """RFC 6455 §5.4."""
    begun = SWITCHED + frame(TEXT, b"a", mask=None, fin=False) + frame(PING, mask=None)
    assert is_unfinished(begun)
    assert not is_unfinished(begun + frame(CONTINUATION, mask=None))
    assert not is_unfinished(begun + frame(CLOSE_FRAME, mask=None))
    assert not is_unfinished(SWITCHED)


def test_a_message_that_breaks_off_is_closed_over() -> None:
    """RFC 6455 §5.4: the rest of a message cannot be left out, so there must be an end of all."""
    whole_frames(reporting, "/report")


def test_a_message_that_is_left_without_its_end_is_found() -> None:
    subject = AppSubject(reporting, make_connection=lawless.LeavesMessages)
    with pytest.raises(LawBroken) as found:
        whole_frames(subject, "/report")
    assert LEFT in str(found.value)


def test_http_has_no_frames_to_tear() -> None:
    whole_frames(application(), "/", samples=3)
