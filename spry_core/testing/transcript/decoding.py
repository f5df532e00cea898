"""The bytes of one direction made into what people call them: heads, contents, frames.

Nothing is judged here: what is faulty is shown as far as it can be read. The core's own codec has no part in it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from spry_core.recording.parts import SWITCHED, Part, PartReader
from spry_core.testing.frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, Frame, take_frames

Details: TypeAlias = tuple[tuple[str, str], ...]
"""Names and values, for people: printable characters only."""

LONGEST: Final = 120
"""Characters of a value in a title."""

LONGEST_DETAIL: Final = 2000
"""Characters of a value among the details."""

_OPCODES: Final = {
    CONTINUATION: "continuation",
    TEXT: "text",
    BINARY: "binary",
    CLOSE_FRAME: "close",
    PING: "ping",
    PONG: "pong",
}
_HEXADECIMAL: Final = 64  # bytes that are shown so


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that went over the wire, complete."""

    kind: Literal["head", "content", "frame", "bytes"]
    """What it is."""

    title: str
    """One line."""

    details: Details
    """All there is to say."""


def readable(data: bytes, longest: int = LONGEST) -> str:
    """Write bytes for people: as text where they are UTF-8, everything that cannot be printed escaped."""
    try:
        return escaped(data[: 4 * longest].decode("utf-8"), longest)
    except UnicodeDecodeError:
        return escaped(data[:longest].decode("latin-1"), longest, "\x7e")


def escaped(text: str, longest: int = LONGEST, last: str = "\U0010ffff") -> str:
    """Write text in one line: what cannot be printed, or lies behind `last`, escaped, and three dots where it is too long."""
    shown = "".join(
        each if each.isprintable() and each <= last and each != "\\" else _escape(each)
        for each in text[: longest + 1]
    )
    return shown if len(shown) <= longest else f"{shown[: longest - 3]}..."


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def sized(n: int, what: str = "byte") -> str:
    """Write a number of things."""
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


class Decoder:
    """Reads one direction.

    Args:
        kind: What heads it has.
        methods: As of `PartReader`: shared with the other direction.
    """

    def __init__(self, kind: Literal["request", "response"], methods: deque[bytes]) -> None:
        self._parts = PartReader(kind, methods)
        self._head = bytearray()  # lines of the present head, or what may turn out to be frames
        self._content = 0
        self._frames: bytearray | None = None

    def switch(self) -> None:
        """The stream is a WebSocket from here on; what came early belongs to it."""
        if self._frames is None:
            self._parts.switch()
            self._frames, self._head = self._head, bytearray()

    def feed(self, data: bytes) -> list[Item]:
        """Return what is complete with these bytes."""
        items: list[Item] = []
        for piece in self._parts.feed(data):
            match piece.part:
                case Part.START | Part.FIELDS | Part.BROKEN:
                    items += self._end_content()
                    items += self._feed_head(piece.part, piece.data)
                case Part.RAW if self._frames is not None:
                    self._frames += piece.data
                case _:
                    self._content += len(piece.data)
        items += self._end_content()
        if self._frames is not None:
            items += [frame_item(frame) for frame in take_frames(self._frames)]
        if not items:
            items.append(
                Item("bytes", f"{sized(len(data))}, not yet complete", (("bytes", hexadecimal(data)),))
            )
        return items

    def _feed_head(self, part: Part, data: bytes) -> list[Item]:
        self._head += data
        if part is not Part.FIELDS or not self._head.endswith((b"\r\n\r\n", b"\n\n")):
            return []
        head = bytes(self._head).lstrip(b"\r\n")
        self._head.clear()
        if head.split(b" ")[1:2] == [b"%d" % SWITCHED]:
            self._frames = bytearray()
        return [head_item(head)]

    def _end_content(self) -> list[Item]:
        n, self._content = self._content, 0
        return [Item("content", f"{sized(n)} of content", (("length", str(n)),))] if n else []


def head_item(head: bytes) -> Item:
    """Describe a head."""
    start, *lines = head.splitlines()
    fields = [line.partition(b":") for line in lines if line]
    details = [
        (escaped(readable(name)), readable(value.strip(), LONGEST_DETAIL)) for name, _, value in fields
    ]
    return Item("head", readable(start), (("start line", readable(start, LONGEST_DETAIL)), *details))


def frame_item(frame: Frame) -> Item:
    """Describe a frame (RFC 6455 §5.2)."""
    opcode = _OPCODES.get(frame.opcode, f"opcode {frame.opcode:#x}")
    payload = frame.payload
    flags = "".join(
        (
            "" if frame.fin else ", more follow",
            ", compressed" if frame.rsv & 4 else "",
            f", rsv {frame.rsv:03b}" if frame.rsv & 3 else "",
        )
    )
    said = _said(frame)
    details = (
        ("opcode", f"{frame.opcode:#x} ({opcode})"),
        ("fin", str(int(frame.fin))),
        ("rsv", f"{frame.rsv:03b}"),
        ("masked", "no" if frame.mask is None else f"yes, with {frame.mask.hex(' ')}"),
        ("length", str(len(payload))),
        *_close_details(frame),
        ("payload", readable(payload, LONGEST_DETAIL)),
        ("payload, hexadecimal", hexadecimal(payload)),
    )
    return Item("frame", f"{opcode} frame, {sized(len(payload))}{flags}{said}", details)


def _said(frame: Frame) -> str:
    """Write what a frame says, at the end of its title."""
    if frame.opcode == CLOSE_FRAME and len(frame.payload) >= 2:
        reason = readable(frame.payload[2:], 60)
        return f": {int.from_bytes(frame.payload[:2], 'big')}" + (f" {reason}" if reason else "")
    if frame.rsv & 4 or not frame.payload:
        return ""
    return f": {readable(frame.payload, 60)}"


def _close_details(frame: Frame) -> Details:
    if frame.opcode != CLOSE_FRAME or len(frame.payload) < 2:
        return ()
    code = int.from_bytes(frame.payload[:2], "big")
    return ("close code", str(code)), ("close reason", readable(frame.payload[2:], LONGEST_DETAIL))


def hexadecimal(data: bytes) -> str:
    """Write the beginning of some bytes."""
    return data[:_HEXADECIMAL].hex(" ") + (" ..." if len(data) > _HEXADECIMAL else "")
