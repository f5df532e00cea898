"""Tests of `spry_core.testing.strategies.frames` (RFC 6455 §5)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol

from drawn import Productions, examples, few, missing, simplest
from spry_core.protocol import Role
from spry_core.testing.frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, Frame, read_frames
from spry_core.testing.strategies import (
    close_frames,
    control_payloads,
    fragments,
    frames,
    masks,
    messages,
    pings_and_pongs,
)

ZERO = bytes(4)


@few
@given(messages().flatmap(lambda message: st.tuples(st.just(message), fragments(message))))
def test_wsproto_reads_the_message_of_the_fragments(drawn: tuple[str | bytes, list[Frame]]) -> None:
    """RFC 6455 §5.4."""
    message, sent = drawn
    reader = FrameProtocol(client=False, extensions=[])
    reader.receive_bytes(b"".join(each.data for each in sent))
    parts = [part for part in reader.received_frames() if not part.opcode.iscontrol()]
    assert parts[-1].message_finished
    if isinstance(message, str):
        assert "".join(str(part.payload) for part in parts) == message
    else:
        assert (
            b"".join(part.payload for part in parts if isinstance(part.payload, (bytes, bytearray)))
            == message
        )


@few
@given(frames())
def test_a_frame_is_read_as_it_was_drawn(frame: Frame) -> None:
    assert read_frames(frame.data) == [frame]


@pytest.mark.parametrize("role", ["client", "server"])
def test_a_client_masks_and_a_server_does_not(role: Role) -> None:
    """RFC 6455 §5.1."""
    assert {frame.mask is None for frame in examples(frames(role=role), 50)} == {role == "server"}
    assert {mask is None for mask in examples(masks(role), 10)} == {role == "server"}


def test_the_simplest_are_short() -> None:
    assert simplest(messages()) == ""
    assert simplest(messages(), lambda message: isinstance(message, bytes)) == b""
    assert simplest(control_payloads()) == b""
    assert simplest(fragments("ab")) == [Frame(TEXT, b"ab", True, ZERO)]
    assert simplest(fragments(b"ab"), lambda sent: len(sent) == 2) == [
        Frame(BINARY, b"", False, ZERO),
        Frame(CONTINUATION, b"ab", True, ZERO),
    ]
    assert simplest(pings_and_pongs()) == Frame(PING, b"", True, ZERO)
    assert simplest(close_frames()) == Frame(CLOSE_FRAME, b"", True, ZERO)


def test_every_kind_of_frame_comes_up() -> None:
    """RFC 6455 §5.2."""
    shows: Productions[Frame] = {
        **{
            f"opcode {each}": shows_opcode(each)
            for each in (TEXT, BINARY, CONTINUATION, CLOSE_FRAME, PING, PONG)
        },
        "not the last": lambda frame: not frame.fin,
        "16 bits of length": lambda frame: len(frame.payload) > 125,
        "a control frame of full length": lambda frame: frame.opcode == PING and len(frame.payload) > 100,
        "a mask of zeros": lambda frame: frame.mask == ZERO,
    }
    assert missing(frames(), shows) == set()
    long: Productions[str | bytes] = {"64 bits of length": lambda message: len(message) > 65535}
    assert missing(messages(max_size=70_000), long) == set()


def shows_opcode(opcode: int) -> Callable[[Frame], bool]:
    return lambda frame: frame.opcode == opcode


def test_every_kind_of_fragmentation_comes_up() -> None:
    """RFC 6455 §5.4."""
    shows: Productions[list[Frame]] = {
        "one frame": lambda sent: len(sent) == 1,
        "four frames": lambda sent: sum(each.opcode < 8 for each in sent) == 4,
        "a control frame between": lambda sent: any(each.opcode in (PING, PONG) for each in sent),
        "two of them": lambda sent: len({each.opcode for each in sent}) == 4,
        "an empty first": lambda sent: len(sent) > 1 and not sent[0].payload,
        "an empty last": lambda sent: len(sent) > 1 and not sent[-1].payload,
        "a cut inside a character": lambda sent: any(each.payload[-1:] == b"\xe2" for each in sent),
    }
    assert missing(fragments("ab\N{EURO SIGN}c"), shows) == set()
    alone = examples(fragments(b"abcd", between=False, max_fragments=2), 30)
    assert {len(sent) for sent in alone} == {1, 2}
