"""Messages of a WebSocket, the frames that carry them, and the control frames between these (RFC 6455 §5)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

from hypothesis import strategies as st

from spry_core.protocol.engines import Role
from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    LONGEST_CONTROL,
    PING,
    PONG,
    TEXT,
    Frame,
    close_payload,
)
from spry_core.testing.strategies.closing import closes

LENGTHS: Final = (125, 126, 127, 65535, 65536)
"""Lengths at which a header has another form, and their neighbours (RFC 6455 §5.2)."""


def messages(*, max_size: int = 200) -> st.SearchStrategy[str | bytes]:
    """Give messages, `str` for text and `bytes` for binary; the simplest is ``""``.

    Args:
        max_size: Characters, or bytes, at most. With 65536 or more, payloads come up whose header has its longest form.
    """
    odd = [length for length in LENGTHS if length <= max_size]
    long = [st.sampled_from(odd).map(lambda length: b"x" * length)] if odd else []
    return st.one_of(st.text(max_size=max_size), st.binary(max_size=max_size), *long)


def control_payloads() -> st.SearchStrategy[bytes]:
    """Give payloads of Ping and Pong; the simplest is empty (RFC 6455 §5.5)."""
    longest = st.sampled_from((LONGEST_CONTROL - 1, LONGEST_CONTROL)).map(bytes)
    return st.binary(max_size=8) | st.binary(max_size=LONGEST_CONTROL) | longest


def masks(role: Role) -> st.SearchStrategy[bytes | None]:
    """Give masking keys for a client, and None for a server, which masks nothing (RFC 6455 §5.1)."""
    if role == "server":
        return st.none()
    return st.binary(min_size=4, max_size=4)


_MESSAGES: Final = messages()
_CONTROL_PAYLOADS: Final = control_payloads()
_CLOSES: Final = closes()
_PLACES: Final = st.lists(st.integers(0, 200), max_size=3) | st.lists(st.integers(0, 8), max_size=12)
_MASKS: Final[Mapping[Role, st.SearchStrategy[bytes | None]]] = {
    "client": masks("client"),
    "server": masks("server"),
}


def pings_and_pongs(*, role: Role = "client") -> st.SearchStrategy[Frame]:
    """Give Ping and Pong frames; the simplest is an empty Ping (RFC 6455 §5.5.2, §5.5.3)."""
    opcodes = st.sampled_from((PING, PONG))
    return st.builds(Frame, opcodes, _CONTROL_PAYLOADS, st.just(True), _MASKS[role], st.just(0))


_BETWEEN: Final[Mapping[Role, st.SearchStrategy[list[Frame]]]] = {
    "client": st.lists(pings_and_pongs(role="client"), max_size=2),
    "server": st.lists(pings_and_pongs(role="server"), max_size=2),
}


@st.composite
def fragments(
    draw: st.DrawFn,
    message: str | bytes,
    *,
    role: Role = "client",
    max_fragments: int = 4,
    between: bool = True,
) -> list[Frame]:
    """Give the ways to send one message: in one frame or in several, cut anywhere, also inside a character.

    Args:
        message: The message.
        role: Who sends it; the frames of a client are masked.
        max_fragments: Frames of the message at most; empty ones come up as well.
        between: Whether Pings and Pongs may stand between its frames.

    RFC 6455 §5.4.
    """
    payload = message.encode() if isinstance(message, str) else message
    opcode = TEXT if isinstance(message, str) else BINARY
    # Two equal places make an empty frame.
    places = sorted(min(place, len(payload)) for place in draw(_PLACES)[: max_fragments - 1])
    pieces = [payload[start:end] for start, end in pairwise([0, *places, len(payload)])]
    made = list[Frame]()
    for i, piece in enumerate(pieces):
        if i and between:
            made += draw(_BETWEEN[role])
        is_last = i == len(pieces) - 1
        made.append(Frame(CONTINUATION if i else opcode, piece, is_last, draw(_MASKS[role])))
    return made


@st.composite
def close_frames(draw: st.DrawFn, *, role: Role = "client") -> Frame:
    """Give Close frames with and without a code; the simplest is empty (RFC 6455 §5.5.1)."""
    close = draw(_CLOSES)
    payload = b"" if close.code is None else close_payload(close.code, close.reason)
    return Frame(CLOSE_FRAME, payload, True, draw(_MASKS[role]))


@st.composite
def frames(draw: st.DrawFn, *, role: Role = "client") -> Frame:
    """Give any frame that is right by itself, of every opcode; whether it fits behind another one is not asked.

    `data` of each is its bytes. For frames that fit together there is `websocket_conversations`.
    """
    opcode = draw(st.sampled_from((TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE_FRAME)))
    if opcode == CLOSE_FRAME:
        return draw(close_frames(role=role))
    if opcode in (PING, PONG):
        return Frame(opcode, draw(_CONTROL_PAYLOADS), True, draw(_MASKS[role]))
    payload = draw(_MESSAGES)
    data = payload.encode() if isinstance(payload, str) else payload
    return Frame(opcode, data, draw(st.booleans()) or opcode == TEXT, draw(_MASKS[role]))
