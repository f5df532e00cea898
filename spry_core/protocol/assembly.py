"""Putting the frames of one message together again, within its limits (RFC 6455 §5.4, §8.1, §10.4).

A message comes out whole, or in pieces as its bytes come in. A compressed one is inflated on the way (RFC 7692
§6.2): never further than the limit of a message, and in pieces never further than its receiver has room; what finds
none, or no time, waits compressed. What came before a fault is still given out, so where the bytes were cut changes nothing.
"""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder
from collections.abc import Iterator
from typing import TypeAlias

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.account import Account
from spry_core.protocol.closing_handshake import fail
from spry_core.protocol.compression import Decompressor
from spry_core.protocol.engines import FramePart, Inflate, Opcode
from spry_core.protocol.events import Kind, Message, MessageData, MessageEnd, MessageStart
from spry_core.protocol.limits import Limits

Assembled: TypeAlias = Message | MessageStart | MessageData | MessageEnd
"""What comes out."""


class Assembly:
    """The message that is coming in. What it gives out is in the account already."""

    __slots__ = (
        "_account",
        "_decoder",
        "_decompressor",
        "_frames",
        "_has_all",
        "_is_compressed",
        "_is_dropping",
        "_is_in_pieces",
        "_limits",
        "_may_be_compressed",
        "_opcode",
        "_payload",
        "_size",
        "_wants_pieces",
        "inflate",
        "longest",
        "received",
    )

    def __init__(self, limits: Limits, account: Account, decompressor: Decompressor | None = None) -> None:
        """Compressed messages are read with `decompressor`, and not allowed without."""
        self._limits = limits
        self._account = account
        self._decompressor = decompressor
        self._may_be_compressed = decompressor is not None
        self._wants_pieces = limits.max_message_size is None
        self._is_dropping = False
        self.inflate: Inflate | None = None if decompressor is None else decompressor.take_message
        """What makes a message of a whole compressed one that may come whole and past this; None if none may be compressed."""
        self.longest: int | None = None
        """The most bytes of a message, where messages may come whole and past this now: between two of them, as long as
        somebody wants them; else None.
        """
        self.received: int = 0
        """Bytes of messages that have come here, ever, inflated and given out or not."""
        self._begin()

    def _begin(self) -> None:
        self._opcode: Opcode | None = None
        self._decoder: IncrementalDecoder | None = None
        self._is_compressed = False
        self._is_in_pieces = False
        self._has_all = False
        # Not a list of pieces: of a message that drips in it would hold an object for every few bytes.
        self._payload: bytearray | None = None
        self._size = 0
        self._frames = 0
        self._judge_runs()

    def _judge_runs(self) -> None:
        limits = self._limits
        is_due = not (self._wants_pieces or self._is_dropping) and limits.max_fragments != 0
        self.longest = limits.max_message_size if is_due and self._opcode is None else None

    @property
    def gives_pieces(self) -> bool:
        """True if messages, or the present one, come out in pieces, each as long as what has come of it."""
        return self._wants_pieces or self._is_in_pieces

    def drop(self) -> None:
        """Only follow from now on what comes in, and keep nothing: nobody will read it any more."""
        self._is_dropping = True
        self.longest = None
        self._decompressor = self.inflate = None
        self._payload = None
        if self._has_all:
            self._begin()

    @property
    def is_waiting(self) -> bool:
        """True while a compressed message waits for room or time: `go_on` gives more of it, and no frame may be added."""
        return self._is_compressed and self._decompressor is not None and self._decompressor.has_more

    def receive_in_pieces(self, wanted: bool) -> Iterator[Assembled]:
        """Give out messages in pieces, what has come of the present one at once, or whole from the next one on."""
        self._wants_pieces = wanted
        self._judge_runs()
        if wanted and self._opcode is not None and not self._is_in_pieces and not self._is_dropping:
            self._is_in_pieces = True
            yield MessageStart(kind=self._kind)
            held = 0 if self._decoder is None else len(self._decoder.getstate()[0])
            payload, self._payload = self._payload or b"", None
            data = bytes(payload[: len(payload) - held])
            if data:
                yield self._piece(data if self._decoder is None else data.decode(), len(data))

    # Frames

    def admit(self, opcode: Opcode, length: int, rsv1: bool) -> None:
        """Refuse a frame that cannot follow, or whose length breaks a limit, before any of its payload is taken."""
        if rsv1:
            self._admit_rsv1(opcode)
        if opcode.is_control:
            return
        if (opcode is Opcode.CONTINUATION) != (self._opcode is not None):
            what = "a continuation of nothing" if self._opcode is None else "a message inside another"
            raise fail(1002, what, "RFC 6455 §5.4")
        if self._is_dropping:
            return
        # How much a compressed frame inflates to is not in its header.
        if not (rsv1 or self._is_compressed) and self._exceeds(length):
            raise _too_big()
        if self._limits.max_fragments is not None and self._frames >= self._limits.max_fragments:
            raise fail(1008, "the message has too many frames", "RFC 6455 §10.4")

    # An engine is given the assembly itself: the bound method would live as long as the connection.
    __call__ = admit

    def _admit_rsv1(self, opcode: Opcode) -> None:
        if not self._may_be_compressed:
            raise fail(1002, "a reserved bit without its extension", "RFC 6455 §5.2")
        if opcode not in (Opcode.TEXT, Opcode.BINARY):
            raise fail(1002, "RSV1 behind the first frame of a message", "RFC 7692 §6.1")

    def _exceeds(self, length: int) -> bool:
        limit = self._limits.max_message_size
        return limit is not None and self._size + length > limit

    def add(self, part: FramePart) -> Iterator[Assembled]:
        """Take a part of a data frame; yield what that gives, then raise if it broke a rule.

        While nobody will read it, only the end of a message is given, as an empty `Message`.
        """
        if self._opcode is None:
            yield from self._start(part)
        self._frames += part.ends_frame
        self._has_all = part.ends_frame and part.ends_message
        if self._is_dropping:
            if self._has_all:
                yield self._whole()
        elif self._is_compressed:
            yield from self._inflate(part.data)
        else:
            yield from self._keep(part.data)
            yield from self._finish()

    def _start(self, part: FramePart) -> Iterator[Assembled]:
        self._opcode = part.opcode
        self.longest = None
        self._decoder = getincrementaldecoder("utf-8")() if part.opcode is Opcode.TEXT else None
        self._is_compressed = part.rsv1
        self._is_in_pieces = self._wants_pieces and not self._is_dropping
        if self._is_in_pieces:
            yield MessageStart(kind=self._kind)

    @property
    def _kind(self) -> Kind:
        return "text" if self._opcode is Opcode.TEXT else "binary"

    def _inflate(self, data: bytes) -> Iterator[Assembled]:
        """Take compressed bytes, and inflate them as far as there is room and time."""
        assert self._decompressor is not None
        self._decompressor.decompress(data, 0, ends_message=self._has_all)
        yield from self.go_on()

    def go_on(self) -> Iterator[Assembled]:
        """Inflate what waits, as far as there is room now, and time."""
        decompressor = self._decompressor
        assert decompressor is not None
        while decompressor.has_more and decompressor.has_time and self._room:
            yield from self._keep_inflated(decompressor.decompress(b"", self._room))
        if not decompressor.has_more:
            yield from self._finish()

    @property
    def _room(self) -> int:
        """How far to inflate: one byte beyond the limit tells that the message is too big."""
        limit = self._limits.max_message_size
        left = None if limit is None else limit - self._size + 1
        if not self._is_in_pieces:
            assert left is not None
            return left
        return self._account.room if left is None else min(left, self._account.room)

    def _keep_inflated(self, data: bytes) -> Iterator[Assembled]:
        is_too_big = self._exceeds(len(data))
        yield from self._keep(data[:-1] if is_too_big else data)
        if is_too_big:
            raise _too_big()

    def _keep(self, data: bytes) -> Iterator[Assembled]:
        """Take bytes of the payload; yield a piece if it comes in pieces."""
        self._size += len(data)
        self.received += len(data)
        if not self._is_in_pieces:
            if self._payload is None:
                self._payload = bytearray()
            self._payload += data
        if self._decoder is not None:
            yield from self._decode(self._decoder, data)
        elif self._is_in_pieces and data:
            yield self._piece(data, len(data))

    def _decode(self, decoder: IncrementalDecoder, data: bytes) -> Iterator[Assembled]:
        """Yield the text that `data` completes, if it comes in pieces, then raise if it cannot go on."""
        held = len(decoder.getstate()[0])
        try:
            text = decoder.decode(data)
        except UnicodeDecodeError as error:
            good = error.object[: error.start]
            if good and self._is_in_pieces:
                yield self._piece(good.decode(), len(good))
            raise _not_text() from error
        rest = decoder.getstate()[0]
        if text and self._is_in_pieces:
            yield self._piece(text, held + len(data) - len(rest))
        if _cannot_become_text(rest):
            raise _not_text()

    def _piece(self, data: str | bytes, size: int) -> MessageData:
        self._account.add(size, completes=False)
        return MessageData(data=data)

    def _finish(self) -> Iterator[Assembled]:
        """Give out the end of the message, if that has come."""
        if not self._has_all:
            return
        if self._decoder is not None and self._decoder.getstate()[0]:
            raise _not_text()
        self._account.add(0 if self._is_in_pieces else self._size, completes=True)
        if self._is_in_pieces:
            self._begin()
            yield MessageEnd()
        else:
            yield self._whole()

    def _whole(self) -> Message:
        payload = self._payload or b""
        data = bytes(payload) if self._decoder is None else payload.decode()
        self._begin()
        return Message(data=data)


def _too_big() -> RemoteProtocolError:
    return fail(1009, "the message is too big", "RFC 6455 §7.4.1")


def _not_text() -> RemoteProtocolError:
    return fail(1007, "the text is not UTF-8", "RFC 6455 §8.1")


def _cannot_become_text(rest: bytes) -> bool:
    """Tell whether the bytes that the decoder holds back begin a surrogate, which it would notice one byte
    late.
    """
    return rest[:1] == b"\xed" and rest[1:2] >= b"\xa0"
