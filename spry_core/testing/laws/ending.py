"""The laws of the end: there is one, whatever the peer does, and nothing comes behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from spry_core.testing.laws.broken import LawBroken
from spry_core.testing.laws.inputs import default, places
from spry_core.testing.laws.subject import AnySubject, Owned
from spry_core.testing.laws.trial import Leaving, Outcome, Trial, cut

LAST: Final = 12
"""Bytes that come by themselves, when handlers have dealt with those before: the Close frame, if it is the last."""

Case: TypeAlias = tuple[Leaving, int]
"""What the peer does after so many bytes."""

LEAVINGS: Final[tuple[Leaving, ...]] = ("stays", "ends", "resets")
"""All that a peer can do then: nothing more, end its direction, cut the stream."""


def one_end(
    subject: AnySubject,
    target: str = "/",
    *,
    data: bytes | None = None,
    cases: Iterable[Case] | None = None,
    seed: int = 0,
    samples: int = 25,
) -> None:
    """See that the connection ends, once, and every task with it, wherever the peer stops and whatever it does then.

    Of a bare connection: exactly one `ConnectionEnded`, and no event behind it.

    Args:
        subject: Who is to keep the law.
        target: Path and query.
        data: What the peer sends, up to some place; None for a conversation with something of everything.
        cases: What the peer does, and after how many bytes; None for each of `LEAVINGS` at `samples` places.
        seed: Decides the places, the order of tasks, and all randomness.
        samples: How many places are tried at most.

    Raises:
        LawBroken: With what the peer did; and where the tasks stand that have not ended.
    """
    sent = default(subject, target) if data is None else data
    for case, trial, outcome in _runs(subject, sent, cases, seed, samples):
        got = _fault(trial, outcome)
        if got is not None:
            raise LawBroken(
                "one_end",
                target,
                data=sent,
                case=case,
                seed=seed,
                expected="one end, of the stream and of every task",
                got=got,
            )


def nothing_after_half_close(
    subject: AnySubject,
    target: str = "/",
    *,
    data: bytes | None = None,
    cases: Iterable[Case] | None = None,
    seed: int = 0,
    samples: int = 25,
) -> None:
    """See that no byte is handed to the pump behind `HALF_CLOSE`, `CLOSE` or `ABORT`, and no second end but a harder one.

    The arguments are those of `one_end`.

    Raises:
        LawBroken: With what the peer did, and what came behind the end.
    """
    sent = default(subject, target) if data is None else data
    for case, trial, _ in _runs(subject, sent, cases, seed, samples):
        if trial.face.faults:
            raise LawBroken(
                "nothing_after_half_close",
                target,
                data=sent,
                case=case,
                seed=seed,
                expected="nothing behind the end of the stream",
                got=trial.face.faults[0],
            )


def _runs(
    subject: AnySubject, sent: bytes, cases: Iterable[Case] | None, seed: int, samples: int
) -> Iterator[tuple[Case, Trial, Outcome]]:
    if cases is None:
        where = [*places(len(sent), samples, seed), len(sent)]
        cases = [(leaving, place) for leaving in LEAVINGS for place in where]
    for case in cases:
        leaving, place = case
        trial = Trial(subject, seed=seed)
        trial.send(cut(sent[:place], [max(0, place - LAST)]))
        yield case, trial, trial.finish(leaving)


def _fault(trial: Trial, outcome: Outcome) -> str | None:
    """Return what is wrong with an end, or None."""
    if outcome.ending == "endless":
        return "; ".join(("no end within an hour", *(f"{task} has not ended" for task in trial.tasks())))
    if items := trial.face.data_to_send():
        return f"{items!r} when it was closed already"
    face = trial.face.face
    if isinstance(face, Owned) and (face.ends != 1 or face.after_end):
        return f"ConnectionEnded {face.ends} times, and behind the first {face.after_end!r}"
    return None
