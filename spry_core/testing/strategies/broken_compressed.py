"""What fails a WebSocket connection with permessage-deflate: compressed data and the bit that marks them (RFC 7692 §6, §7.2)."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final, NamedTuple

from hypothesis import strategies as st

from spry_core.protocol.deflate import Agreement
from spry_core.protocol.engines import Role
from spry_core.protocol.limits import Limits
from spry_core.testing.frames import BINARY, CLOSE_FRAME, CONTINUATION, MASK, PING, PONG, TEXT, Frame
from spry_core.testing.strategies.broken_websockets import NOT_UTF8, BrokenWebSocket, Peer
from spry_core.testing.strategies.verdict import Verdict
from spry_core.testing.strategies.websockets import WebSocketConversation, websocket_conversations

RSV1: Final = 4
"""The bit that says "compressed" (RFC 7692 §6)."""

TAIL: Final = b"\x00\x00\xff\xff"
"""What every compressed message ends with and none carries (RFC 7692 §7.2.1)."""

SMALLEST: Final = 9
"""Bits of a window that every receiver has; zlib uses less than 256 bytes of it."""

WORD: Final = bytes(range(64, 128))
"""What is looked back for."""

FURTHEST: Final = 32_000
"""How far zlib can be made to look back."""

NOT_DEFLATE: Final = (
    b"\x06",
    b"\xff\xff",
    b"\x00\x05\x00\xfa\xfeHello\x00",
    zlib.compress(b"Hello"),
    b"Hello",
)
"""A type of block that is reserved, bits alone, a stored block whose two lengths disagree, zlib's own header, plain text
(RFC 1951 §3.2).
"""

INCOMPLETE: Final = (
    b"\x00\x05\x00\xfa\xff",
    b"\x00\x05\x00\xfa\xffHell",
    b"\x00\x05\x00\xfa\xffHello",
    b"\xf2\x48\xcd\xc9\xc9\x07\x00" + TAIL,
)
"""A stored block broken off, at its end as well, behind which the byte for the next one is wanting; a message that carries
the four bytes that it must not.
"""


class Made(NamedTuple):
    """A fault."""

    data: bytes
    right: tuple[tuple[Frame, bytes], ...] = ()
    """Messages before it that it needs, which are right, each in one frame."""


class Sender(NamedTuple):
    """Who sends the fault, behind what."""

    peer: Peer
    forgets: bool
    """Whether it agreed to forget its window after each message."""
    behind: int
    """Bytes that may be in its window."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One kind of fault."""

    fault: str
    close_code: int
    section: str
    make: Callable[[st.DrawFn, Sender], Made]
    is_possible: Callable[[Sender], bool] = lambda sender: True


def deflated(data: bytes, known: bytes = b"", *, bits: int = SMALLEST) -> bytes:
    """Compress one message, with `known` before it in the window."""
    context = zlib.compressobj(wbits=-bits, zdict=known)
    return (context.compress(data) + context.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


@lru_cache(maxsize=4)
def _bomb(size: int) -> bytes:
    return deflated(bytes(size))


def _sent(draw: st.DrawFn, sender: Sender, payload: bytes, opcode: int = BINARY) -> Made:
    """Send payload data in one frame or in two."""
    place = draw(st.integers(0, len(payload)))
    if not place:
        return Made(sender.peer.frame(opcode, payload, rsv=RSV1))
    first = sender.peer.frame(opcode, payload[:place], fin=False, rsv=RSV1)
    return Made(first + sender.peer.frame(CONTINUATION, payload[place:]))


def _one_of(*payloads: bytes) -> Callable[[st.DrawFn, Sender], Made]:
    """Make a message of one of these, behind some blocks that are right or none."""

    def make(draw: st.DrawFn, sender: Sender) -> Made:
        wrong = draw(st.sampled_from(payloads))
        right = draw(st.text("abc", max_size=20)).encode()
        opcode = draw(st.sampled_from((BINARY, TEXT)))
        return _sent(draw, sender, (deflated(right) + TAIL if right else b"") + wrong, opcode)

    return make


def _text(draw: st.DrawFn, sender: Sender) -> Made:
    data = draw(st.text(max_size=5)).encode() + draw(st.sampled_from(NOT_UTF8))
    return _sent(draw, sender, deflated(data), TEXT)


def _too_far(draw: st.DrawFn, sender: Sender) -> Made:
    """Look back to where nothing has ever been."""
    return _sent(draw, sender, deflated(WORD, WORD + bytes(sender.behind), bits=15))


def _forgotten(draw: st.DrawFn, sender: Sender) -> Made:
    """Send a message, then say the same again as "the same again"."""
    made = _sent(draw, sender, deflated(WORD, WORD))
    first = Frame(BINARY, deflated(WORD), mask=sender.peer.mask, rsv=RSV1)
    return made._replace(right=((first, WORD),))


def _too_big(draw: st.DrawFn, sender: Sender) -> Made:
    """Make a few bytes that inflate to one more than a message may have."""
    limit = sender.peer.limits.max_message_size
    assert limit is not None
    return _sent(draw, sender, _bomb(limit + 1))


def _continued(draw: st.DrawFn, sender: Sender) -> Made:
    first = sender.peer.frame(draw(st.sampled_from((TEXT, BINARY))), b"", fin=False, rsv=draw(_BITS))
    return Made(first + sender.peer.frame(CONTINUATION, deflated(b"a"), rsv=RSV1))


def _control(draw: st.DrawFn, sender: Sender) -> Made:
    return Made(sender.peer.frame(draw(st.sampled_from((PING, PONG, CLOSE_FRAME))), rsv=RSV1))


def _reserved(draw: st.DrawFn, sender: Sender) -> Made:
    rsv = draw(st.sampled_from((5, 6, 7, 1, 2, 3)))
    return Made(sender.peer.frame(draw(st.sampled_from((TEXT, BINARY))), deflated(b"a"), rsv=rsv))


_BITS: Final = st.sampled_from((0, RSV1))

BROKEN: Final[tuple[Broken, ...]] = (
    Broken("the compressed message is not DEFLATE", 1007, "RFC 6455 §7.4.1", _one_of(*NOT_DEFLATE)),
    Broken("the compressed message is incomplete", 1007, "RFC 6455 §7.4.1", _one_of(*INCOMPLETE)),
    Broken(
        "the compressed message looks back too far",
        1007,
        "RFC 6455 §7.4.1",
        _too_far,
        lambda sender: sender.behind <= FURTHEST,
    ),
    Broken(
        "the compressed message looks back into a window that was to be forgotten",
        1007,
        "RFC 6455 §7.4.1",
        _forgotten,
        lambda sender: sender.forgets,
    ),
    Broken("the text is not UTF-8", 1007, "RFC 6455 §8.1", _text),
    Broken(
        "the message is too big",
        1009,
        "RFC 6455 §7.4.1",
        _too_big,
        lambda sender: sender.peer.limits.max_message_size is not None,
    ),
    Broken("RSV1 behind the first frame of a message", 1002, "RFC 7692 §6.1", _continued),
    Broken("RSV1 in a control frame", 1002, "RFC 7692 §6.1", _control),
    Broken("a reserved bit that is of no extension", 1002, "RFC 6455 §5.2", _reserved),
)
"""Every kind of fault."""


@st.composite
def broken_compressed(
    draw: st.DrawFn,
    *,
    role: Role = "client",
    agreement: Agreement | None = None,
    messages: st.SearchStrategy[str | bytes] | None = None,
    limits: Limits | None = None,
) -> BrokenWebSocket:
    """Give bytes of an open WebSocket with permessage-deflate that end in a fault of compression, of one of nine kinds.

    The faults that have nothing to do with it are those of `broken_websockets`.

    Args:
        role: Who sends them.
        agreement: What was agreed; None for permessage-deflate without a parameter. That a forgotten window is used comes up
            where the sender agreed to forget it.
        messages: Instead of any messages before the fault.
        limits: The limits of the receiver; without `max_message_size` no message is too big.

    RFC 7692 §6.1, §7.2, RFC 6455 §7.4.1.
    """
    agreed = agreement or Agreement()
    peer = Peer(MASK if role == "client" else None, limits or Limits())
    forgets = agreed.client_no_context_takeover if role == "client" else agreed.server_no_context_takeover
    before = draw(
        websocket_conversations(role=role, messages=messages, max_size=2, closes=False, agreement=agreed)
    )
    sender = Sender(peer, forgets, sum(len(_bytes(each)) for each in before.messages))
    kind = draw(st.sampled_from([each for each in BROKEN if each.is_possible(sender)]))
    made = kind.make(draw, sender)
    before = _followed(before, made.right)
    return BrokenWebSocket(
        data=before.data + made.data,
        before=before,
        verdict=Verdict(fault=kind.fault, section=kind.section, close_code=kind.close_code),
    )


def _bytes(message: str | bytes) -> bytes:
    return message.encode() if isinstance(message, str) else message


def _followed(before: WebSocketConversation, right: tuple[tuple[Frame, bytes], ...]) -> WebSocketConversation:
    frames, messages = tuple(each for each, _ in right), tuple(each for _, each in right)
    return replace(before, frames=before.frames + frames, messages=before.messages + messages)
