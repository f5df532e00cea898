"""WebSocket frames by our own codec (RFC 6455 §5.2): messages of one frame in runs, everything else part by part.

What is complete, unfragmented and in order is taken by the primitives, a run at a time; they leave whatever is anything
else, and the rules for that stand here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, Protocol

from spry_core.errors import RemoteProtocolError
from spry_core.protocol.engines import pure
from spry_core.protocol.engines.interface import (
    AT_ONCE,
    Admit,
    Arrival,
    FramePart,
    Inflate,
    Opcode,
    Primitives,
    Role,
)

_OPCODES: Final = {int(opcode): opcode for opcode in Opcode}

_TEXT: Final = 0xC1
"""FIN, RSV1 and the opcode, as they stand in the first byte of a compressed message of one frame."""
_BINARY: Final = 0xC2

_NOWHERE: Final = (False, 0, 0)
"""There is none."""


_FIN_TEXT: Final = 0x81
_FIN_BINARY: Final = 0x82


class _Frame(Protocol):
    """What encodes a frame. Not a `Callable`: kept in an attribute, a checker would take that for a method."""

    def __call__(self, first: int, payload: bytes, /) -> bytes:
        """Return the frame with that first byte."""
        ...


class NativeFrameEngine:
    """`FrameEngine` of our own."""

    __slots__ = (
        "_admit",
        "_arrival",
        "_data",
        "_fin",
        "_is_given_up",
        "_is_server",
        "_key",
        "_left",
        "_length",
        "_opcode",
        "_position",
        "_primitives",
        "_rsv1",
        "frame",
    )

    def __init__(
        self, role: Role, admit: Admit, random: Callable[[int], bytes], primitives: Primitives
    ) -> None:
        """Make one that asks `admit` about each frame and masks with keys from `random` if we are the client."""
        self._is_server = role == "server"
        self._admit = admit
        self._primitives = primitives
        self.frame: _Frame = (
            primitives.frame if self._is_server else partial(_frame_of_client, primitives, random)
        )
        """Encodes one frame, of which the first byte is given, masked if we are the client."""
        self._data: bytes = b""
        self._position: int = 0  # what stands before it is done with
        self._opcode: Opcode | None = None  # of the frame whose payload is coming in
        self._fin: bool = False
        self._rsv1: bool = False
        self._key: bytes = b""  # for the next byte of the payload
        self._left: int = 0  # bytes of its payload
        self._length: int = 0  # of all of its payload, of an arrival
        self._arrival: Arrival | None = None  # the message that this frame is, if it is to be taken whole
        self._is_given_up = False  # it is not: it comes in parts, of which the first is here

    def receive_data(self, data: bytes) -> None:
        """Take bytes."""
        if self._position < len(self._data):
            data = self._data[self._position :] + data
        self._data, self._position = data, 0

    def take_messages(
        self, data: bytes, most: int, room: int, longest: int
    ) -> tuple[list[str | bytes], list[int], bool]:
        """Take bytes, or none; then take the messages that come next and are complete, of one frame each and not compressed."""
        start = self._position
        if start < len(self._data):
            data, start = (self._data[start:] + data, 0) if data else (self._data, start)
        else:
            start = 0  # behind the header of a frame of which nothing else was here
        if self._opcode is None:
            messages, sizes, end = self._primitives.scan(data, start, self._is_server, most, room, longest)
        else:
            self._data, self._position = data, start
            message = self._go_on() if most > 0 and room > 0 else None
            start = self._position
            if message is None or start == len(data):
                self._forget()
                return ([], [], self.has_data) if message is None else ([message], [self._length], False)
            messages, sizes, end = self._primitives.scan(
                data, start, self._is_server, most - 1, room - self._length, longest
            )
            messages.insert(0, message)
            sizes.insert(0, self._length)
        if end == len(data):
            self._data, self._position = b"", 0
            return messages, sizes, False
        self._data, self._position = data, end
        if len(messages) < most and sum(sizes) < room:
            self._begin(longest)
        return messages, sizes, self.has_data

    def _begin(self, longest: int) -> None:
        """Begin to gather the message that comes next, if it is plainly in order so far, not short, and not all here."""
        data, start, is_server = self._data, self._position, self._is_server
        if len(data) < start + 4:
            return
        first, length = data[start], data[start + 1] - (0x80 if is_server else 0)
        if (first != _FIN_TEXT and first != _FIN_BINARY) or not 126 <= length <= 127:  # noqa: PLR1714 - as in `scan`
            return
        end, least = (start + 4, 126) if length == 126 else (start + 10, 65536)
        length = int.from_bytes(data[start + 2 : end], "big")
        if is_server:
            end += 4
        # One that is all here has been left by `scan`, or will be taken by it.
        if not least <= length <= longest or not end <= len(data) < end + length:
            return
        self._key = data[end - 4 : end] if is_server else b""
        self._position, self._left, self._length = end, length, length
        self._opcode, self._fin, self._rsv1 = _OPCODES[first & 0x0F], True, False
        self._arrival = self._primitives.arrival(first == _FIN_TEXT, length, self._key or None)
        self._go_on()
        self._forget()

    def _go_on(self) -> str | bytes | None:
        """Take more of the message that is gathered, and return it if that was all. If it is not plainly in order any more, give
        it up, so that it comes in parts.
        """
        arrival, start = self._arrival, self._position
        if arrival is None or self._is_given_up:
            return None
        end = self._position = min(start + self._left, len(self._data))
        self._left -= end - start
        is_sound = arrival.add(self._data, start, end)
        if is_sound and self._left:
            return None
        message = arrival.take() if is_sound else None
        if message is None:
            self._is_given_up = True
        else:
            self._arrival = self._opcode = None
        return message

    def take_begun(self, is_wanted: bool = True) -> FramePart | None:
        """Give up the message that is gathered: return what has come of it, the rest comes in parts."""
        arrival, opcode = self._arrival, self._opcode
        if arrival is None or opcode is None:
            return None
        self._arrival, self._is_given_up = None, False
        n = self._length - self._left
        if not n:
            return None
        # Where it is dropped, that may be because there is no memory, for a copy neither.
        payload = arrival.so_far() if is_wanted else b""
        turned = n & 3
        self._key = self._key[turned:] + self._key[:turned]
        if not self._left:
            self._opcode = None
        return FramePart(opcode, payload, not self._left, self._fin, self._rsv1)

    def take_compressed(
        self, inflate: Inflate, most: int, room: int, longest: int
    ) -> tuple[list[str | bytes], list[int], bool]:
        """Take the messages that come next and are complete, of one frame each and compressed."""
        messages, sizes = list[str | bytes](), list[int]()
        if self._opcode is not None:
            return messages, sizes, self.has_data
        data, position, is_server = self._data, self._position, self._is_server
        unmask = self._primitives.unmask
        while most > 0 and room > 0:
            is_text, begin, end = _find_compressed(data, position, is_server)
            if not end:
                break
            payload = unmask(data, begin, end, data[begin - 4 : begin]) if is_server else data[begin:end]
            taken = inflate(payload, is_text, longest)
            if taken is None:
                break
            messages.append(taken[0])
            sizes.append(taken[1])
            most -= 1
            room -= taken[1]
            position = end
        self._position = position
        self._forget()
        return messages, sizes, position < len(data)

    def next_part(self) -> FramePart | None:
        """Return the next part, or None."""
        if self._arrival is not None:
            begun = self.take_begun()
            if begun is not None:
                return begun
        opcode = self._next_header() if self._opcode is None else self._opcode
        if opcode is None:
            return None
        start = self._position
        n = min(self._left, len(self._data) - start)
        if n < self._left and (opcode.is_control or not n):
            return None
        if self._is_server:
            payload = self._primitives.unmask(self._data, start, start + n, self._key)
            turned = n & 3
            self._key = self._key[turned:] + self._key[:turned]
        else:
            payload = self._data[start : start + n]
        self._position += n
        self._left -= n
        is_done = not self._left
        self._opcode = None if is_done else opcode
        self._forget()
        return FramePart(opcode, payload, is_done, self._fin, self._rsv1)

    def _forget(self) -> None:
        """Hold nothing that is done with."""
        if self._position == len(self._data):
            self._data, self._position = b"", 0

    def _next_header(self) -> Opcode | None:
        """Read the header of the next frame, as soon as all of it is here."""
        data, start = self._data, self._position
        if len(data) < start + 2:
            return None
        first, second = data[start], data[start + 1]
        opcode = _OPCODES.get(first & 0x0F)
        if opcode is None:
            raise _fail("an opcode that has no meaning")
        length, width = second & 0x7F, 0
        if opcode.is_control:
            _check_control(first, length)
        if length > 125:
            width = 2 if length == 126 else 8
            if len(data) < start + 2 + width:
                return None
            length = _read_length(data[start + 2 : start + 2 + width])
        self._admit(opcode, length, bool(first & 0x40))
        if first & 0x30:
            raise _fail("a reserved bit without its extension")
        if bool(second & 0x80) is not self._is_server:
            raise _fail("a frame that is not masked" if self._is_server else "a frame that is masked")
        end = start + 2 + width + 4 * self._is_server
        if len(data) < end:
            return None
        self._key = data[end - 4 : end] if self._is_server else b""
        self._position, self._left = end, length
        self._fin, self._rsv1 = bool(first & 0x80), bool(first & 0x40)
        self._opcode = opcode
        return opcode

    @property
    def has_data(self) -> bool:
        """True if bytes are here that no part was made of."""
        return self._position < len(self._data) or self._is_given_up

    def frame_apart(self, first: int, payload: bytes, /) -> tuple[bytes, ...]:
        """Encode one frame, the payload apart where it need not be masked."""
        if not self._is_server:
            return (self.frame(first, payload),)
        return pure.header(first, len(payload), 0), payload


def _frame_of_client(
    primitives: Primitives, random: Callable[[int], bytes], first: int, payload: bytes
) -> bytes:
    return primitives.frame(first, payload, random(4))


def _find_compressed(data: bytes, start: int, masked: bool) -> tuple[bool, int, int]:
    """Find a message that is one compressed frame: whether it is text, and where its payload begins and ends. It ends at 0 if
    anything else is at `start`, if it is not all here, or not to be inflated at once (RFC 7692 §6.1).
    """
    begin = start + 2
    if begin > len(data):
        return _NOWHERE
    first, length = data[start], data[start + 1] - (0x80 if masked else 0)
    if (first != _TEXT and first != _BINARY) or not 0 <= length < 127:  # noqa: PLR1714 - as in `scan`
        return _NOWHERE
    if length == 126:
        begin += 2
        length = int.from_bytes(data[start + 2 : begin], "big")
        if length < 126:
            return _NOWHERE  # not in its shortest form, or not all of it is here
    if masked:
        begin += 4
    end = begin + length
    return (first == _TEXT, begin, end) if length <= AT_ONCE and end <= len(data) else _NOWHERE


def _check_control(first: int, length: int) -> None:
    """Raise unless a control frame may have this first byte and this length (RFC 6455 §5.5)."""
    if not first & 0x80:
        raise _fail("a control frame in fragments", "RFC 6455 §5.5")
    if length > 125:
        raise _fail("a control frame of more than 125 bytes", "RFC 6455 §5.5")


def _read_length(data: bytes) -> int:
    """Read an extended payload length, which must be in its shortest form (RFC 6455 §5.2)."""
    length = int.from_bytes(data, "big")
    if length < (126 if len(data) == 2 else 65536):
        raise _fail("a length that is not in its shortest form")
    if length >> 63:
        raise _fail("a length with its first bit set")
    return length


def _fail(message: str, section: str = "RFC 6455 §5.2") -> RemoteProtocolError:
    return RemoteProtocolError(message, close_code=1002, section=section)
