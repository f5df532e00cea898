"""Tests of `spry_core.testing.frames`: frames by hand, against the examples of the standard and against wsproto."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol

from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    close_payload,
    deflated_zeros,
    frame,
    masked,
    read_frames,
    take_frames,
)


@pytest.mark.parametrize(
    ("made", "wire"),
    [
        (frame(TEXT, b"Hello", mask=None), "810548656c6c6f"),
        (frame(TEXT, b"Hello"), "818537fa213d7f9f4d5158"),
        (frame(TEXT, b"Hel", fin=False, mask=None), "010348656c"),
        (frame(CONTINUATION, b"lo", mask=None), "80026c6f"),
        (frame(PING, b"Hello", mask=None), "890548656c6c6f"),
        (frame(PONG, b"Hello"), "8a8537fa213d7f9f4d5158"),
        (frame(BINARY, bytes(256), mask=None), "827e0100" + "00" * 256),
        (frame(BINARY, bytes(65536), mask=None), "827f0000000000010000" + "00" * 65536),
    ],
)
def test_frames_are_those_of_the_examples(made: bytes, wire: str) -> None:
    """RFC 6455 §5.7."""
    assert made == bytes.fromhex(wire)


@pytest.mark.parametrize(
    ("form", "wire"), [(7, "810161"), (16, "817e000161"), (64, "817f000000000000000161")]
)
def test_a_length_can_be_forced_into_any_form(form: int, wire: str) -> None:
    """RFC 6455 §5.2: the last two are wrong, since the shortest form must be used."""
    made = frame(TEXT, b"a", mask=None, length_form=form)
    assert made == bytes.fromhex(wire)
    assert read_frames(made) == [Frame(TEXT, b"a")]


def test_reserved_bits_and_opcodes_that_nobody_has_defined_can_be_made() -> None:
    """RFC 6455 §5.2."""
    made = frame(3, b"a", rsv=5, mask=None, fin=False)
    assert made == b"\x53\x01a"
    assert read_frames(made) == [Frame(3, b"a", False, None, 5)]


def test_what_is_masked_twice_is_as_before() -> None:
    """RFC 6455 §5.3."""
    assert masked(masked(b"abcdefg", b"\x01\x02\x03\x04"), b"\x01\x02\x03\x04") == b"abcdefg"
    assert masked(b"") == b""


def test_a_close_says_its_code_in_network_order() -> None:
    """RFC 6455 §5.5.1."""
    assert close_payload(1000, "bye") == b"\x03\xe8bye"


def test_half_a_frame_is_left_over_or_an_error() -> None:
    data = frame(TEXT, b"abc") + frame(BINARY, bytes(300), mask=None)
    for end in range(len(data)):
        held = bytearray(data[:end])
        whole = 0 if end < 9 else 1
        assert len(take_frames(held)) == whole
        assert bytes(held) == data[9 * whole : end]
    with pytest.raises(ValueError) as caught:
        read_frames(data[:-300])
    assert str(caught.value) == "half a frame behind 1 whole ones: b'\\x82~\\x01,'"
    assert read_frames(b"") == []


frames = st.lists(
    st.builds(
        Frame,
        st.sampled_from([CONTINUATION, TEXT, BINARY]),
        st.binary(max_size=300),
        st.booleans(),
        st.just(b"\x01\x02\x03\x04"),
        st.integers(0, 7),
    )
    | st.builds(
        Frame,
        st.sampled_from([CLOSE_FRAME, PING, PONG]),
        st.binary(max_size=125),
        st.just(True),
        st.none(),
        st.just(0),
    ),
    max_size=5,
)


@given(frames)
def test_what_is_written_is_read(written: list[Frame]) -> None:
    data = b"".join(each.data for each in written)
    assert read_frames(data) == written


@given(st.binary(max_size=70_000))
def test_wsproto_reads_what_is_written(payload: bytes) -> None:
    """RFC 6455 §5.2: lengths of all three forms."""
    reader = FrameProtocol(client=False, extensions=[])
    reader.receive_bytes(frame(BINARY, payload))
    parts = [part.payload for part in reader.received_frames()]
    assert b"".join(part for part in parts if isinstance(part, (bytes, bytearray))) == payload


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 20, (3 << 20) + 1])
def test_a_small_payload_inflates_to_so_many_zeros(size: int) -> None:
    """RFC 7692 §7.2.2."""
    payload = deflated_zeros(size)
    assert zlib.decompressobj(-zlib.MAX_WBITS).decompress(payload + b"\x00\x00\xff\xff") == bytes(size)
    assert len(payload) < 20 + size // 900
