"""The law of cuts: where bytes are cut on their way changes nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spry_core.testing.laws.broken import LawBroken
from spry_core.testing.laws.heard import difference, heard
from spry_core.testing.laws.inputs import default, places
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.laws.trial import Trial, cut


def split_invariance(
    subject: AnySubject,
    target: str = "/",
    *,
    data: bytes | None = None,
    cases: Iterable[Sequence[int]] | None = None,
    seed: int = 0,
    samples: int = 50,
) -> None:
    """See that the same bytes get the same answer, whole, cut in two anywhere, and byte by byte (RFC 9112 §2.2).

    Of a WebSocket each kind is compared by itself (messages, Pings, Pongs, the Close frame), since a Pong may overtake an echo.
    `data` should not end with a Close frame: what a handler can send still depends on whether that has come. A handler whose
    answer depends on how soon it is woken breaks this law too: what it sends is then a matter of luck.

    Args:
        subject: Who is to keep the law.
        target: Path and query.
        data: What the peer sends; None for a conversation with something of everything.
        cases: Where to cut, in order, once for each run; None for two pieces at `samples` places, and byte by byte.
        seed: Decides the places, the order of tasks, and all randomness.
        samples: How many places are tried at most.

    Raises:
        LawBroken: With the cuts.
    """
    sent = default(subject, target, closes=False) if data is None else data
    if cases is None:
        cases = [*((place,) for place in places(len(sent), samples, seed)), range(len(sent))]
    whole = _run(subject, [sent], seed)
    for case in cases:
        got = _run(subject, cut(sent, case), seed)
        if (differs := difference(whole, got)) is not None:
            raise LawBroken(
                "split_invariance",
                target,
                data=sent,
                case=tuple(case),
                seed=seed,
                expected=differs[0],
                got=differs[1],
            )


def _run(subject: AnySubject, pieces: list[bytes], seed: int) -> dict[str, object]:
    trial = Trial(subject, seed=seed)
    trial.send(pieces)
    outcome = trial.finish()
    return heard(outcome.output, outcome.ending)
