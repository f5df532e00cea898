"""The law of limits: what is too much is refused before it is held."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from typing import Final

from spry_core.testing.frames import BINARY, CONTINUATION, TEXT, deflated_zeros, frame
from spry_core.testing.laws.broken import LawBroken
from spry_core.testing.laws.inputs import is_websocket
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.laws.trial import Trial
from spry_core.testing.requests import HOST, handshake, unfinished

BOUND: Final = 10 << 20
"""Bytes by which memory may grow: twice the default limit of a message, and 8 MiB."""

TOO_MUCH: Final = 64 << 20
"""Bytes that a peer promises or sends, or that what it sends inflates to."""

_PIECE: Final = 32 * 1024


def _head(target: str) -> Iterator[bytes]:
    yield unfinished("GET", target)
    yield from _over_and_over(b"X-Bomb: tick\r\n")


def _line(target: str) -> Iterator[bytes]:
    yield f"GET {target}?".encode()
    yield from _over_and_over(b"a" * 64)


def _promise(target: str) -> Iterator[bytes]:
    yield handshake(target)
    yield bytes((0x80 | BINARY, 0x80 | 127)) + TOO_MUCH.to_bytes(8, "big") + bytes(4)


def _fragments(target: str) -> Iterator[bytes]:
    yield handshake(target)
    yield frame(TEXT, fin=False)
    yield from _over_and_over(frame(CONTINUATION, fin=False))


def _inflating(target: str) -> Iterator[bytes]:
    yield handshake(target, HOST, "Sec-WebSocket-Extensions: permessage-deflate")
    yield frame(BINARY, deflated_zeros(TOO_MUCH), rsv=4)


def _over_and_over(one: bytes) -> Iterator[bytes]:
    return repeat(one * (_PIECE // len(one)), TOO_MUCH // _PIECE)


BOMBS: Final[Mapping[str, Callable[[str], Iterator[bytes]]]] = {
    "head": _head,
    "line": _line,
    "promise": _promise,
    "fragments": _fragments,
    "inflating": _inflating,
}
"""What a peer sends, by name: fields without end, a request line without end; and where a WebSocket is, the header of a huge
frame, empty fragments without end, and a small message that inflates to a huge one.
"""


def limits_before_allocation(
    subject: AnySubject,
    target: str = "/",
    *,
    data: bytes | None = None,
    cases: Iterable[str] | None = None,
    seed: int = 0,
    bound: int = BOUND,
) -> None:
    """See that memory grows by at most `bound` whatever a peer sends, promises or compresses (RFC 6455 §10.4).

    Measured with `tracemalloc`, which slows everything down tenfold meanwhile.

    Args:
        subject: Who is to keep the law.
        target: Path and query.
        data: What the peer sends; None for the bombs.
        cases: Names in `BOMBS`; None for all that suit the target. They do not matter if there is `data`.
        seed: Decides the order of tasks and all randomness.
        bound: Bytes.

    Raises:
        LawBroken: With the name of the bomb.
    """
    if data is not None:
        cases = ["data"]
    elif cases is None:
        cases = BOMBS if is_websocket(subject, target) else ["head", "line"]
    for case in cases:
        pieces = iter([data]) if data is not None else BOMBS[case](target)
        grown = _growth(subject, list(pieces) if case == "inflating" else pieces, seed, bound)
        if grown > bound:
            raise LawBroken(
                "limits_before_allocation",
                target,
                data=data,
                case=case,
                seed=seed,
                expected=f"at most {bound} bytes more in memory",
                got=f"{grown} bytes",
            )


def _growth(subject: AnySubject, pieces: Iterable[bytes], seed: int, bound: int) -> int:
    """Return by how many bytes memory has grown at most as long as it is in bound and these are read."""
    trial = Trial(subject, seed=seed)
    is_mine = not tracemalloc.is_tracing()
    if is_mine:
        tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    tracemalloc.reset_peak()
    grown = 0
    try:
        for piece in pieces:
            if trial.peer.unread or trial.peer.is_ended or trial.peer.is_reset:
                break
            trial.peer.send(piece)
            trial.peer.take()
            grown = tracemalloc.get_traced_memory()[1] - before
            if grown > bound:
                break
        return grown
    finally:
        if is_mine:
            tracemalloc.stop()
        trial.peer.reset()
