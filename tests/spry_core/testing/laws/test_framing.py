"""The law of whole frames: what counts as torn, and who finds it."""

from __future__ import annotations

import pytest

import lawless
from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, frame
from hostile import application
from spry_core.testing.laws import AppSubject, LawBroken, whole_frames
from spry_core.testing.laws.framing import torn

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


def test_http_has_no_frames_to_tear() -> None:
    whole_frames(application(), "/", samples=3)
