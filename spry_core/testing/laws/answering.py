"""The laws of answers: a Pong for each Ping, in order; and of an echo, every message."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from spry_core.testing.frames import CLOSE_FRAME, PING, PONG, close_payload, frame
from spry_core.testing.laws.broken import LawBroken
from spry_core.testing.laws.heard import messages, payloads
from spry_core.testing.laws.inputs import MESSAGES, frames_of, places
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.laws.trial import Trial, cut
from spry_core.testing.requests import HOST, handshake

PINGS: Final = 40
"""Pings that the law of Pongs sends."""

EVERY_MESSAGE: Final = (MESSAGES, *((each,) for each in MESSAGES))
"""All of them together, and each alone."""

OFFERS: Final = ("permessage-deflate", "permessage-deflate; server_no_context_takeover")
"""Compression with a window that goes on from message to message, and with one that does not (RFC 7692 §7.1.1.1)."""

COMPRESSIBLE: Final[tuple[str | bytes, ...]] = ("grüße, " * 500, "grüße, ".encode() * 500)
"""Messages of which the second can be told in terms of the first. They are sent plain, and may come back compressed."""


def pongs_in_order(
    subject: AnySubject,
    target: str = "/",
    *,
    data: bytes | None = None,
    cases: Iterable[Sequence[int]] | None = None,
    seed: int = 0,
    samples: int = 10,
) -> None:
    """See that a peer that reads gets a Pong for each of its Pings, with the same payload, in order (RFC 6455 §5.5.3).

    Args:
        subject: Who is to keep the law; its `target` is a WebSocket.
        target: Path and query.
        data: What the peer sends, the opening handshake first; None for Pings with messages between them.
        cases: Where to cut, in order, once for each run; None for no cuts, and `samples` places.
        seed: Decides the places, the order of tasks, and all randomness.
        samples: How many places are tried at most.

    Raises:
        LawBroken: With the cuts.
    """
    sent = data if data is not None else handshake(target) + _pings()
    due = payloads(sent, PING)
    if cases is None:
        cases = [(), *((place,) for place in places(len(sent), samples, seed))]
    for case in cases:
        trial = Trial(subject, seed=seed)
        trial.send(cut(sent, case))
        got = payloads(trial.peer.received, PONG)
        if got != due:
            raise LawBroken(
                "pongs_in_order",
                target,
                data=sent,
                case=tuple(case),
                seed=seed,
                expected=f"Pongs {due!r}",
                got=f"{got!r}",
            )


def echo(
    subject: AnySubject,
    target: str = "/",
    *,
    data: bytes | None = None,
    cases: Iterable[Sequence[str | bytes]] | None = None,
    seed: int = 0,
) -> None:
    """See that messages come back as they were sent: all of them, once, in order, of their kind (RFC 6455 §5.6).

    Args:
        subject: Who is to keep the law; its `target` is a WebSocket that echoes.
        target: Path and query.
        data: The opening handshake, if it is to be another; the messages are the `cases`.
        cases: Messages to send in one piece, once for each run; None for `MESSAGES`, together and one by one, and for
            `COMPRESSIBLE` with each of `OFFERS`, if `data` is None too.
        seed: Decides the order of tasks and all randomness.

    Raises:
        LawBroken: With the messages.
    """
    opening = handshake(target) if data is None else data
    runs = [(opening, case) for case in (EVERY_MESSAGE if cases is None else cases)]
    if data is None and cases is None:
        runs += [
            (handshake(target, HOST, f"Sec-WebSocket-Extensions: {offer}"), COMPRESSIBLE) for offer in OFFERS
        ]
    for opening, case in runs:
        trial = Trial(subject, seed=seed)
        trial.send([opening, b"".join(frames_of(each) for each in case)])
        trial.driver.advance(1.0)
        trial.send([frame(CLOSE_FRAME, close_payload(1000))])
        trial.finish("ends")
        got = messages(trial.peer.received)
        if got != list(case):
            raise LawBroken(
                "echo",
                target,
                data=opening,
                case=tuple(case),
                seed=seed,
                expected=f"{list(case)!r}",
                got=f"{got!r}",
            )


def echoes(subject: AnySubject, target: str) -> bool:
    """Tell whether a first message comes back."""
    trial = Trial(subject)
    trial.send([handshake(target), frames_of("spry")])
    return messages(trial.peer.received) == ["spry"]


def _pings() -> bytes:
    return b"".join(
        frame(PING, str(number).encode()) + (frames_of("between") if number % 8 == 0 else b"")
        for number in range(PINGS)
    )
