"""Putting the frames of one message together again, within its limits (RFC 6455 §5.4, §8.1, §10.4)."""

from __future__ import annotations

from codecs import IncrementalDecoder, getincrementaldecoder

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.engines import FramePart, Opcode
from spry_core.protocol.events import Message
from spry_core.protocol.limits import Limits


def fail(close_code: int, message: str, section: str) -> RemoteProtocolError:
    """Make the error that fails a WebSocket connection with `close_code` (RFC 6455 §7.1.7)."""
    return RemoteProtocolError(message, close_code=close_code, section=section)


class Assembly:
    """The message that is coming in."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._is_dropping = False
        self._begin()

    def _begin(self) -> None:
        self._opcode: Opcode | None = None
        self._decoder: IncrementalDecoder | None = None
        # Not a list of pieces: of a message that drips in it would hold an object for every few bytes.
        self._payload = bytearray()
        self._size = 0
        self._frames = 0

    def drop(self) -> None:
        """Only follow from now on what comes in, and keep nothing: nobody will read it any more."""
        self._is_dropping = True
        self._payload.clear()
        self._size = 0

    def admit(self, opcode: Opcode, length: int) -> None:
        """Refuse a data frame that cannot follow, or whose length breaks a limit, before any of its payload
        is taken.
        """
        if (opcode is Opcode.CONTINUATION) != (self._opcode is not None):
            what = "a continuation of nothing" if self._opcode is None else "a message inside another"
            raise fail(1002, what, "RFC 6455 §5.4")
        if self._is_dropping:
            return
        limits = self._limits
        if limits.max_message_size is not None and self._size + length > limits.max_message_size:
            raise fail(1009, "the message is too big", "RFC 6455 §7.4.1")
        if limits.max_fragments is not None and self._frames >= limits.max_fragments:
            raise fail(1008, "the message has too many frames", "RFC 6455 §10.4")

    def add(self, part: FramePart) -> tuple[Message, int] | None:
        """Take a part of a data frame; return the message and its size in bytes when it is complete."""
        if self._opcode is None:
            self._opcode = part.opcode
            self._decoder = getincrementaldecoder("utf-8")() if part.opcode is Opcode.TEXT else None
        ends = part.ends_frame and part.ends_message
        if not self._is_dropping:
            self._keep(part.data, ends)
        self._frames += part.ends_frame
        if not ends:
            return None
        message = Message(data=bytes(self._payload) if self._decoder is None else self._payload.decode())
        size = self._size
        self._begin()
        return message, size

    def _keep(self, data: bytes, ends: bool) -> None:
        self._size += len(data)
        self._payload += data
        if self._decoder is None:
            return
        try:
            self._decoder.decode(data, ends)
        except UnicodeDecodeError as error:
            raise fail(1007, "the text is not UTF-8", "RFC 6455 §8.1") from error
        if _cannot_become_text(self._decoder.getstate()[0]):
            raise fail(1007, "the text is not UTF-8", "RFC 6455 §8.1")


def _cannot_become_text(rest: bytes) -> bool:
    """Tell whether the bytes that the decoder holds back begin a surrogate, which it would notice one byte
    late.
    """
    return rest[:1] == b"\xed" and rest[1:2] >= b"\xa0"
