"""Tests of `spry_core.protocol.data_frames`: our messages, whole or in pieces, compressed or not (RFC 6455 §5.4, RFC 7692)."""

from __future__ import annotations

from typing import cast

import pytest

from spry_core.errors import LocalProtocolError
from spry_core.protocol.compression import Compressor, Decompressor
from spry_core.protocol.data_frames import DataFrameWriter, encode
from spry_core.protocol.deflate import Agreement, Deflate
from spry_core.protocol.engines import FrameEngine, Opcode
from spry_core.protocol.events import Kind, Message, MessageData, MessageEnd, MessageStart
from spry_core.protocol.stream import Stream

TEXT, BINARY, CONTINUATION = Opcode.TEXT, Opcode.BINARY, Opcode.CONTINUATION
AGREEMENT = Agreement(server_max_window_bits=12)
NOW = 7.0


class Writing:
    """A writer, and the frames that it has written: opcode, payload, FIN, RSV1."""

    def __init__(self, agreement: Agreement | None = None, deflate: Deflate | None = None) -> None:
        compressor = None if agreement is None else Compressor(agreement, "server", deflate or Deflate())
        self.frames: list[tuple[Opcode, bytes, bool, bool]] = []
        self.begin(compressor)

    def begin(self, compressor: Compressor | None) -> None:
        """Begin with another compressor. This is the engine and the stream of the writer."""
        self.writer = DataFrameWriter(cast("FrameEngine", self), cast("Stream", self), compressor)

    def frame(self, first: int, payload: bytes) -> bytes:
        assert first & 0x30 == 0
        self.frames.append((Opcode(first & 0x0F), payload, bool(first & 0x80), bool(first & 0x40)))
        return b"frame %d" % len(self.frames)

    def frame_apart(self, first: int, payload: bytes) -> tuple[bytes, ...]:
        return (self.frame(first, payload),)

    def write(self, data: bytes, now: float) -> None:
        assert (data, now) == (b"frame %d" % len(self.frames), NOW)

    def send(
        self, *events: Message | MessageStart | MessageData | MessageEnd
    ) -> list[tuple[Opcode, bytes, bool, bool]]:
        """Say these; return the frames that they made."""
        for event in events:
            self.writer.send(event, NOW)
        frames, self.frames = self.frames, []
        return frames

    @property
    def traffic(self) -> tuple[int, int]:
        return self.writer.messages, self.writer.size


def inflated(payloads: list[bytes]) -> bytes:
    """Read what the server compressed, as one message."""
    decompressor = Decompressor(AGREEMENT, "client")
    data = b"".join(payloads)
    return decompressor.decompress(data, 1 << 20, ends_message=True)


# ------------------------------------------------------------------------------------------------------------------ plain


@pytest.mark.parametrize("compress", [None, True, False])
def test_a_message_is_one_frame(compress: bool | None) -> None:
    """RFC 6455 §5.6; without an agreement nothing is compressed, whatever is asked."""
    made = Writing()
    assert made.send(Message(data="é" * 100, compress=compress)) == [(TEXT, "é".encode() * 100, True, False)]
    assert made.send(Message(data=b"\xff", compress=compress)) == [(BINARY, b"\xff", True, False)]
    assert made.traffic == (2, 201)


@pytest.mark.parametrize("compress", [None, True, False])
def test_each_piece_is_a_frame_and_the_end_an_empty_one(compress: bool | None) -> None:
    """RFC 6455 §5.4."""
    made = Writing()
    assert made.send(MessageStart(kind="text", compress=compress)) == []
    assert made.send(MessageData(data="é" * 100)) == [(TEXT, "é".encode() * 100, False, False)]
    assert made.traffic == (0, 200)
    assert made.send(MessageData(data="")) == [(CONTINUATION, b"", False, False)]
    assert made.send(MessageEnd()) == [(CONTINUATION, b"", True, False)]
    assert made.traffic == (1, 200)
    assert made.send(MessageStart(kind="binary"), MessageEnd()) == [(BINARY, b"", True, False)]
    assert made.send(Message(data="a")) == [(TEXT, b"a", True, False)]


@pytest.mark.parametrize("event", [MessageData(data="a"), MessageEnd()])
def test_a_piece_needs_a_beginning(event: MessageData | MessageEnd) -> None:
    made = Writing()
    with pytest.raises(
        LocalProtocolError, match=r"^a message in pieces is not under way \(RFC 6455 §5\.4\)$"
    ):
        made.send(event)


@pytest.mark.parametrize("event", [Message(data="a"), MessageStart(kind="binary")])
def test_two_messages_do_not_mix(event: Message | MessageStart) -> None:
    """RFC 6455 §5.4; the one under way goes on as if nothing had been said."""
    made = Writing()
    made.send(MessageStart(kind="text"))
    with pytest.raises(LocalProtocolError, match=r"^a message in pieces is under way \(RFC 6455 §5\.4\)$"):
        made.send(event)
    assert made.send(MessageData(data="b")) == [(TEXT, b"b", False, False)]


@pytest.mark.parametrize("data", [b"ab", bytearray(b"ab"), memoryview(b"ab")])
def test_bytes_of_every_kind_are_binary(data: bytes) -> None:
    assert type(encode(data, "binary")) is bytes
    assert Writing().send(Message(data=data)) == [(BINARY, b"ab", True, False)]


@pytest.mark.parametrize(
    ("kind", "data", "wanted", "given"),
    [("text", b"a", "str", "bytes"), ("binary", "a", "bytes", "str"), ("binary", [], "bytes", "list")],
)
def test_a_piece_is_of_its_messages_kind(kind: Kind, data: object, wanted: str, given: str) -> None:
    made = Writing(AGREEMENT)
    made.send(MessageStart(kind=kind))
    with pytest.raises(TypeError, match=rf"^a {kind} message is made of {wanted}, not {given}$"):
        made.send(MessageData(data=cast("bytes", data)))
    assert (made.frames, made.traffic) == ([], (0, 0))
    ((opcode, _, _, rsv1),) = made.send(MessageEnd())
    assert (opcode, rsv1) == (TEXT if kind == "text" else BINARY, True)


def test_what_is_no_message_is_not_counted() -> None:
    made = Writing()
    with pytest.raises(TypeError, match=r"^a binary message is made of bytes, not int$"):
        made.send(Message(data=cast("bytes", 1)))
    with pytest.raises(UnicodeEncodeError):
        made.send(Message(data="\ud800"))
    assert (made.frames, made.traffic) == ([], (0, 0))


# ------------------------------------------------------------------------------------------------------------- compressed


@pytest.mark.parametrize(
    ("size", "compress", "is_compressed"),
    [
        (64, None, True),
        (63, None, False),
        (63, True, True),
        (0, True, True),
        (64, False, False),
        (1000, False, False),
    ],
)
def test_a_message_is_compressed_from_the_threshold_on_or_as_it_says(
    size: int, compress: bool | None, is_compressed: bool
) -> None:
    """RFC 7692 §6.1; what is counted is what was given."""
    made = Writing(AGREEMENT)
    ((opcode, payload, fin, rsv1),) = made.send(Message(data=b"a" * size, compress=compress))
    assert (opcode, fin, rsv1) == (BINARY, True, is_compressed)
    assert (inflated([payload]) if is_compressed else payload) == b"a" * size
    assert made.traffic == (1, size)


def test_the_threshold_is_in_bytes_and_a_setting() -> None:
    made = Writing(AGREEMENT, Deflate(threshold=4))
    assert [frame[3] for frame in made.send(Message(data="éa"), Message(data="éé"))] == [False, True]


@pytest.mark.parametrize(("compress", "is_compressed"), [(None, True), (True, True), (False, False)])
def test_the_fragments_of_a_message_are_one_deflate_stream(
    compress: bool | None, is_compressed: bool
) -> None:
    """RFC 7692 §7.2.1; RSV1 is in the first frame alone (§6.1), and every piece can be read as soon as it comes."""
    made = Writing(AGREEMENT)
    frames = made.send(
        MessageStart(kind="text", compress=compress),
        MessageData(data="é" * 50),
        MessageData(data=""),
        MessageData(data="é" * 50),
        MessageEnd(),
    )
    assert [(opcode, fin, rsv1) for opcode, _, fin, rsv1 in frames] == [
        (TEXT, False, is_compressed),
        *[(CONTINUATION, False, False)] * 2,
        (CONTINUATION, True, False),
    ]
    assert made.traffic == (1, 200)
    payloads = [payload for _, payload, _, _ in frames]
    if not is_compressed:
        assert payloads == ["é".encode() * 50, b"", "é".encode() * 50, b""]
        return
    decompressor = Decompressor(AGREEMENT, "client")
    assert decompressor.decompress(payloads[0], 1000) == "é".encode() * 50
    assert inflated(payloads) == "é".encode() * 100
    assert len(payloads[2]) < 12, "the window of the first fragment is used"


def test_messages_share_the_window_and_plain_ones_do_not_touch_it() -> None:
    """RFC 7692 §7.1.1: context takeover."""
    made = Writing(AGREEMENT)
    data = bytes(range(200))
    frames = made.send(Message(data=data), Message(data=data, compress=False), Message(data=data))
    assert [frame[3] for frame in frames] == [True, False, True]
    first, _, second = (frame[1] for frame in frames)
    assert len(second) < 12 < len(first)
    decompressor = Decompressor(AGREEMENT, "client")
    assert [decompressor.decompress(each, 1000, ends_message=True) for each in (first, second)] == [data] * 2


@pytest.mark.parametrize("compress", [None, True])
def test_a_window_that_zlib_cannot_make_means_no_compression(compress: bool | None) -> None:
    """RFC 7692 §7.1.2: a client may be allowed 8 bits only."""
    made = Writing()
    compressor = Compressor(Agreement(client_max_window_bits=8), "client", Deflate())
    made.begin(compressor)
    assert made.send(Message(data=b"a" * 99, compress=compress)) == [(BINARY, b"a" * 99, True, False)]
    made.send(MessageStart(kind="binary", compress=compress))
    assert made.send(MessageData(data=b"a" * 99)) == [(BINARY, b"a" * 99, False, False)]
