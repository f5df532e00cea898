"""What one side of a WebSocket may send from its opening handshake to its Close frame (RFC 6455 §4.1, §5)."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, field
from typing import Final

from hypothesis import strategies as st

from spry_core.closing import Close
from spry_core.protocol.deflate import Agreement
from spry_core.protocol.engines import Role
from spry_core.protocol.events import RawFields
from spry_core.testing.frames import BINARY, CLOSE_FRAME, PING, PONG, TEXT, Frame
from spry_core.testing.strategies.compressed import Deflater
from spry_core.testing.strategies.deflate import deflate_offers
from spry_core.testing.strategies.fields import PADDINGS, field_lines, header_sections, tokens
from spry_core.testing.strategies.frames import close_frames, fragments, pings_and_pongs
from spry_core.testing.strategies.frames import messages as any_messages
from spry_core.testing.strategies.shown import Shown
from spry_core.testing.strategies.targets import hosts
from spry_core.testing.strategies.targets import targets as any_targets


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningHandshake(Shown):
    """A client's opening handshake: what it says, and its bytes, which it shows."""

    target: bytes = field(repr=False)
    """The target, of the origin form."""
    key: bytes = field(repr=False)
    """Sec-WebSocket-Key (RFC 6455 §4.1)."""
    subprotocols: tuple[str, ...] = field(default=(), repr=False)
    """What is offered, the preferred one first."""
    extensions: tuple[str, ...] = field(default=(), repr=False)
    """Offers of permessage-deflate, the preferred one first."""
    headers: RawFields = field(default=(), repr=False)
    """The header section."""
    data: bytes
    """All of it, as it goes over the wire."""


def keys() -> st.SearchStrategy[bytes]:
    """Give values of Sec-WebSocket-Key: 16 bytes in base64 (RFC 6455 §4.1)."""
    return st.binary(min_size=16, max_size=16).map(b64encode)


_TARGETS: Final = any_targets(absolute=False)
_SUBPROTOCOLS: Final = st.lists(tokens().map(bytes.decode), max_size=3, unique=True)
_OFFERS: Final = st.lists(deflate_offers(), max_size=2)
_KEYS: Final = keys()
_HOSTS: Final = hosts()
_HEADERS: Final = header_sections(max_size=2)
_MESSAGES: Final = any_messages()


@st.composite
def opening_handshakes(
    draw: st.DrawFn,
    *,
    targets: st.SearchStrategy[bytes] | None = None,
    subprotocols: st.SearchStrategy[list[str]] | None = None,
) -> OpeningHandshake:
    """Give valid opening handshakes; the simplest offers nothing, at ``/``.

    Fields in any order and in any case, lists in one line or in several, other options and protocols beside the ones that
    count.

    Args:
        targets: Instead of any target of the origin form.
        subprotocols: Instead of any tokens, all different.

    RFC 6455 §4.1.
    """
    target = draw(_TARGETS if targets is None else targets)
    names = draw(_SUBPROTOCOLS if subprotocols is None else subprotocols)
    offers = [offer.text for offer in draw(_OFFERS)]
    key = draw(_KEYS)
    own = [
        (b"Host", draw(_HOSTS)),
        (b"Upgrade", draw(st.sampled_from((b"websocket", b"WebSocket", b"h2c, websocket")))),
        (b"Connection", draw(st.sampled_from((b"Upgrade", b"upgrade", b"keep-alive, Upgrade")))),
        (b"Sec-WebSocket-Key", key),
        (b"Sec-WebSocket-Version", b"13"),
        *draw(_list_lines(b"Sec-WebSocket-Protocol", names)),
        *draw(_list_lines(b"Sec-WebSocket-Extensions", offers)),
    ]
    section = (*own, *draw(_HEADERS))
    head = b"GET %s HTTP/1.1\r\n%s\r\n" % (target, field_lines(section, draw(PADDINGS)))
    return OpeningHandshake(
        target=target,
        key=key,
        subprotocols=tuple(names),
        extensions=tuple(offers),
        headers=section,
        data=head,
    )


@st.composite
def _list_lines(draw: st.DrawFn, name: bytes, members: list[str]) -> list[tuple[bytes, bytes]]:
    """Give the lines of a list field: one for all members, or one for each (RFC 9110 §5.3)."""
    if not members:
        return []
    if draw(st.booleans()):
        return [(name, each.encode()) for each in members]
    return [(name, draw(st.sampled_from((", ", ",", " , ,"))).join(members).encode())]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketConversation(Shown):
    """What one side sends on an open WebSocket: the frames and what they say. It shows itself as its frames."""

    frames: tuple[Frame, ...]
    """In order."""
    messages: tuple[str | bytes, ...] = field(default=(), repr=False)
    """The messages that are complete, in order."""
    pings: tuple[bytes, ...] = field(default=(), repr=False)
    """Payloads of the Pings, each of which wants its Pong (RFC 6455 §5.5.2)."""
    pongs: tuple[bytes, ...] = field(default=(), repr=False)
    """Payloads of the Pongs, which answer nothing (RFC 6455 §5.5.3)."""
    close: Close | None = field(default=None, repr=False)
    """What the Close frame says; None if there is none. Nothing stands behind it."""

    @property
    def data(self) -> bytes:
        """The bytes of all frames."""
        return b"".join(each.data for each in self.frames)


@st.composite
def websocket_conversations(
    draw: st.DrawFn,
    *,
    role: Role = "client",
    messages: st.SearchStrategy[str | bytes] | None = None,
    max_size: int = 4,
    agreement: Agreement | None = None,
    closes: bool | None = None,
) -> WebSocketConversation:
    """Give what one side may send on an open WebSocket; the simplest is nothing.

    Messages whole and in fragments with control frames between them, Pings, unasked Pongs, and at the end a Close frame.

    Args:
        role: Who sends; the frames of a client are masked.
        messages: Instead of any messages.
        max_size: Messages, Pings and Pongs at most, those between fragments not counted.
        agreement: What was agreed about compression: some of the messages are compressed then (RFC 7692 §6.1).
        closes: Whether there is a Close frame at the end; None for both.

    RFC 6455 §5.4, §5.5.
    """
    of_messages = _MESSAGES if messages is None else messages
    deflater = None if agreement is None else Deflater(agreement, role)
    sent, said = list[Frame](), list[str | bytes]()
    for _ in range(draw(st.integers(0, max_size))):
        if draw(st.booleans()):
            sent.append(draw(pings_and_pongs(role=role)))
            continue
        said.append(draw(of_messages))
        if deflater is not None and draw(st.booleans()):
            sent += draw(_compressed(said[-1], deflater, role))
        else:
            sent += draw(fragments(said[-1], role=role))
    if draw(st.booleans()) if closes is None else closes:
        sent.append(draw(close_frames(role=role)))
    return WebSocketConversation(
        frames=tuple(sent),
        messages=tuple(said),
        pings=tuple(each.payload for each in sent if each.opcode == PING),
        pongs=tuple(each.payload for each in sent if each.opcode == PONG),
        close=_close_of(sent),
    )


@st.composite
def _compressed(draw: st.DrawFn, message: str | bytes, deflater: Deflater, role: Role) -> list[Frame]:
    """Give the ways to send one compressed message: RSV1 is set on the first of its frames alone (RFC 7692 §6.1)."""
    payload = message.encode() if isinstance(message, str) else message
    opcode = TEXT if isinstance(message, str) else BINARY
    first, *rest = draw(fragments(deflater.compress(payload), role=role))
    return [first._replace(opcode=opcode, rsv=4), *rest]


def _close_of(sent: list[Frame]) -> Close | None:
    if not sent or sent[-1].opcode != CLOSE_FRAME:
        return None
    payload = sent[-1].payload
    if not payload:
        return Close()
    return Close(code=int.from_bytes(payload[:2], "big"), reason=payload[2:].decode())
