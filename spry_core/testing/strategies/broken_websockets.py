"""What fails a WebSocket connection: faulty frames and opening handshakes, each with what it deserves (RFC 6455 §4.2, §5, §7)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from hypothesis import strategies as st

from spry_core.protocol.engines import Role
from spry_core.protocol.limits import Limits
from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    MASK,
    PING,
    PONG,
    TEXT,
    close_payload,
    frame,
)
from spry_core.testing.strategies.closing import forbidden_close_codes
from spry_core.testing.strategies.shown import Shown
from spry_core.testing.strategies.verdict import Verdict
from spry_core.testing.strategies.websockets import WebSocketConversation, keys, websocket_conversations

NOT_UTF8: Final = (
    b"\xff",
    b"\x80",
    b"\xc0\xaf",
    b"\xed\xa0\x80",
    b"\xe2\x82",
    b"\xf4\x90\x80\x80",
    b"\xf0\x9f\x98",
)
"""No character: a lone byte, overlong, a surrogate, cut off, beyond U+10FFFF (RFC 3629 §3)."""


class Peer(NamedTuple):
    """Who sends the fault, and to whom."""

    mask: bytes | None
    """The key of its frames; None for a server."""
    limits: Limits
    """Those of the receiver."""

    def frame(
        self,
        opcode: int,
        payload: bytes = b"",
        *,
        fin: bool = True,
        rsv: int = 0,
        length_form: int | None = None,
    ) -> bytes:
        """Make one frame of it."""
        return frame(opcode, payload, fin=fin, rsv=rsv, mask=self.mask, length_form=length_form)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenWebSocket(Shown):
    """Bytes on an open WebSocket that end in a fault."""

    data: bytes
    """What goes over the wire."""
    before: WebSocketConversation = field(repr=False)
    """What comes before the fault, is right, and is delivered."""
    verdict: Verdict
    """What the fault deserves. Nothing behind it is read."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One kind of fault."""

    fault: str
    close_code: int
    section: str
    make: Callable[[st.DrawFn, Peer], bytes]


def _text(draw: st.DrawFn, peer: Peer) -> bytes:
    """Make a text that is none, in one frame or cut inside of what is wrong."""
    data = draw(st.text(max_size=5)).encode() + draw(st.sampled_from(NOT_UTF8))
    place = draw(st.integers(0, len(data)))
    if not place:
        return peer.frame(TEXT, data)
    return peer.frame(TEXT, data[:place], fin=False) + peer.frame(CONTINUATION, data[place:])


def _too_big(draw: st.DrawFn, peer: Peer) -> bytes:
    """Make a message that is one byte too big, in one frame or in two; the length alone gives it away."""
    limit = peer.limits.max_message_size
    assert limit is not None
    opcode, first = draw(st.sampled_from((BINARY, TEXT))), draw(st.integers(0, min(limit, 10)))
    form = 64 if limit + 1 - first > 65535 else 16 if limit + 1 - first > 125 else 7
    size = (limit + 1 - first).to_bytes(8, "big")
    head = peer.frame(CONTINUATION if first else opcode, b"", length_form=form)
    lengths = {7: bytes((head[1] & 0x80 | size[-1],)), 16: head[1:2] + size[-2:], 64: head[1:2] + size}
    alone = head[:1] + lengths[form]
    return (peer.frame(opcode, b"a" * first, fin=False) if first else b"") + alone


def _too_many(draw: st.DrawFn, peer: Peer) -> bytes:
    limit = peer.limits.max_fragments
    assert limit is not None
    first = peer.frame(draw(st.sampled_from((BINARY, TEXT))), fin=False)
    return first + peer.frame(CONTINUATION, fin=False) * limit


def _control(draw: st.DrawFn) -> int:
    return draw(st.sampled_from((PING, PONG, CLOSE_FRAME)))


def _wrongly_masked(draw: st.DrawFn, peer: Peer) -> bytes:
    opcode = draw(st.sampled_from((TEXT, PING)))
    return frame(opcode, b"a", mask=MASK if peer.mask is None else None)


BROKEN: Final[tuple[Broken, ...]] = (
    Broken("the text is not UTF-8", 1007, "RFC 6455 §8.1", _text),
    Broken("masked, or not, as the other side is", 1002, "RFC 6455 §5.1", _wrongly_masked),
    Broken(
        "a reserved opcode",
        1002,
        "RFC 6455 §5.2",
        lambda draw, peer: peer.frame(
            draw(st.integers(3, 7) | st.integers(11, 15)), draw(st.binary(max_size=3))
        ),
    ),
    Broken(
        "a reserved bit without its extension",
        1002,
        "RFC 6455 §5.2",
        lambda draw, peer: peer.frame(
            draw(st.sampled_from((TEXT, BINARY))), b"a", rsv=draw(st.integers(1, 7))
        ),
    ),
    Broken(
        "a length that is not in its shortest form",
        1002,
        "RFC 6455 §5.2",
        lambda draw, peer: peer.frame(BINARY, b"a", length_form=draw(st.sampled_from((16, 64)))),
    ),
    Broken(
        "a length with its first bit set",
        1002,
        "RFC 6455 §5.2",
        lambda draw, peer: (
            bytes((0x82, 0x7F if peer.mask is None else 0xFF, 0x80, *bytes(7))) + (peer.mask or b"")
        ),
    ),
    Broken(
        "a continuation of nothing",
        1002,
        "RFC 6455 §5.4",
        lambda draw, peer: peer.frame(CONTINUATION, draw(st.binary(max_size=3)), fin=draw(st.booleans())),
    ),
    Broken(
        "a message inside another",
        1002,
        "RFC 6455 §5.4",
        lambda draw, peer: (
            peer.frame(TEXT, b"a", fin=False) + peer.frame(draw(st.sampled_from((TEXT, BINARY))), b"b")
        ),
    ),
    Broken(
        "a fragmented control frame",
        1002,
        "RFC 6455 §5.5",
        lambda draw, peer: peer.frame(_control(draw), fin=False),
    ),
    Broken(
        "a control frame that is too long",
        1002,
        "RFC 6455 §5.5",
        lambda draw, peer: peer.frame(_control(draw), close_payload(1000, "a" * 124)),
    ),
    Broken(
        "a Close frame with half a code",
        1002,
        "RFC 6455 §5.5.1",
        lambda draw, peer: peer.frame(CLOSE_FRAME, draw(st.binary(min_size=1, max_size=1))),
    ),
    Broken(
        "a close code that no Close frame may carry",
        1002,
        "RFC 6455 §7.4",
        lambda draw, peer: peer.frame(CLOSE_FRAME, close_payload(draw(forbidden_close_codes()))),
    ),
    Broken(
        "the close reason is not UTF-8",
        1007,
        "RFC 6455 §5.5.1",
        lambda draw, peer: peer.frame(CLOSE_FRAME, close_payload(1000) + draw(st.sampled_from(NOT_UTF8))),
    ),
    Broken("the message is too big", 1009, "RFC 6455 §7.4.1", _too_big),
    Broken("the message has too many frames", 1008, "RFC 6455 §10.4", _too_many),
)
"""Every kind of fault."""


@st.composite
def broken_websockets(
    draw: st.DrawFn,
    *,
    role: Role = "client",
    messages: st.SearchStrategy[str | bytes] | None = None,
    limits: Limits | None = None,
) -> BrokenWebSocket:
    """Give bytes of an open WebSocket that end in a fault, of one of fifteen kinds.

    Without permessage-deflate: that a reserved bit is set is a fault.

    Args:
        role: Who sends them.
        messages: Instead of any messages before the fault.
        limits: The limits of the receiver, which the faults of size go beyond; those without a limit do not come up.

    RFC 6455 §5, §7.4, §8.1, §10.4.
    """
    peer = Peer(MASK if role == "client" else None, limits or Limits())
    kinds = [kind for kind in BROKEN if _has_limit(kind, peer.limits)]
    before = draw(websocket_conversations(role=role, messages=messages, max_size=2, closes=False))
    kind = draw(st.sampled_from(kinds))
    return BrokenWebSocket(
        data=before.data + kind.make(draw, peer),
        before=before,
        verdict=Verdict(fault=kind.fault, section=kind.section, close_code=kind.close_code),
    )


def _has_limit(kind: Broken, limits: Limits) -> bool:
    if kind.make is _too_big:
        return limits.max_message_size is not None
    return kind.make is not _too_many or limits.max_fragments is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenHandshake(Shown):
    """An opening handshake that is answered with a status code other than 101."""

    data: bytes
    """What goes over the wire."""
    verdict: Verdict
    """What it deserves."""


HANDSHAKES: Final = (
    ("Sec-WebSocket-Version is missing", 426, b""),
    ("Sec-WebSocket-Version is there twice", 426, b"V: 13\r\nV: 13\r\nK: @\r\n"),
    ("Sec-WebSocket-Version is not 13", 426, b"V: 8\r\nK: @\r\n"),
    ("Sec-WebSocket-Key is missing", 400, b"V: 13\r\n"),
    ("Sec-WebSocket-Key is there twice", 400, b"V: 13\r\nK: @\r\nK: @\r\n"),
    ("Sec-WebSocket-Key is not 16 bytes", 400, b"V: 13\r\nK: @@\r\n"),
    ("Sec-WebSocket-Key is no base64", 400, b"V: 13\r\nK: ?@\r\n"),
    ("an opening handshake has no content", 400, b"V: 13\r\nK: @\r\nContent-Length: 1\r\n"),
)
"""Every kind of fault, its status code, and the lines that make it: names in one letter, ``@`` a key."""


@st.composite
def broken_handshakes(draw: st.DrawFn, *, target: bytes = b"/") -> BrokenHandshake:
    """Give opening handshakes with a fault, for a route of WebSockets at `target`; the simplest names no version.

    RFC 6455 §4.2.1, §4.2.2.
    """
    fault, status_code, lines = draw(st.sampled_from(HANDSHAKES))
    own = lines.replace(b"V:", b"Sec-WebSocket-Version:").replace(b"K:", b"Sec-WebSocket-Key:")
    own = own.replace(b"@", draw(keys()))
    head = b"GET %s HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" % target
    content = b"a" if b"Content-Length" in lines else b""
    return BrokenHandshake(
        data=head + own + b"\r\n" + content,
        verdict=Verdict(fault=fault, section="RFC 6455 §4.2.1", status_code=status_code),
    )
