"""The law of time: a pump that is late, or looks too often, changes moments and nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from spry_core.testing.laws.broken import LawBroken
from spry_core.testing.laws.heard import difference, heard
from spry_core.testing.laws.inputs import frames_of, is_websocket
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.laws.trial import Trial
from spry_core.testing.requests import handshake, head

DELAYS: Final[tuple[float | None, ...]] = (None, 0.001, 0.25, 3.0)
"""Seconds of lateness; None for a pump that is exact and asks `handle_deadline` all the time."""


def time_monotony(
    subject: AnySubject,
    target: str = "/",
    *,
    data: bytes | None = None,
    cases: Iterable[float | None] | None = None,
    seed: int = 0,
) -> None:
    """See that a silent peer gets the same bytes and the same end, however early or late `handle_deadline` is called.

    Args:
        subject: Who is to keep the law.
        target: Path and query.
        data: What the peer sends before it is silent; None for a request, or an opening handshake and a message.
        cases: Seconds of lateness; None among them for a pump that calls `handle_deadline` before every other call, though
            nothing is due. None for `DELAYS`.
        seed: Decides the order of tasks and all randomness.

    Raises:
        LawBroken: With the lateness.
    """
    if data is not None:
        sent = data
    elif is_websocket(subject, target):
        sent = handshake(target) + frames_of("hello")
    else:
        sent = head("GET", target)
    exact = _run(subject, sent, seed, 0.0)
    for case in DELAYS if cases is None else cases:
        got = _run(subject, sent, seed, case)
        if (differs := difference(exact, got)) is not None:
            raise LawBroken(
                "time_monotony",
                target,
                data=sent,
                case=case,
                seed=seed,
                expected=differs[0],
                got=differs[1],
            )


def _run(subject: AnySubject, sent: bytes, seed: int, late: float | None) -> dict[str, object]:
    trial = Trial(subject, seed=seed, late=late or 0.0, is_early=late is None)
    trial.send([sent])
    outcome = trial.finish()
    return heard(outcome.output, outcome.ending)
