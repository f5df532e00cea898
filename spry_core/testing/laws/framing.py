"""The law of whole frames: no cancellation tears one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from spry_core.testing.frames import (
    BINARY,
    CLOSE_FRAME,
    CONTINUATION,
    LONGEST_CONTROL,
    PING,
    PONG,
    TEXT,
    Frame,
    take_frames,
)
from spry_core.testing.laws.broken import LawBroken, clipped
from spry_core.testing.laws.inputs import default, places
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.laws.trial import Outcome, Trial, cut

PIECES: Final = 16
"""In how many pieces the input comes, so that there is something to cancel while answers are on their way."""

_OPCODES: Final = frozenset({CONTINUATION, TEXT, BINARY, CLOSE_FRAME, PING, PONG})


def whole_frames(
    subject: AnySubject,
    target: str = "/",
    *,
    data: bytes | None = None,
    cases: Iterable[int] | None = None,
    seed: int = 0,
    samples: int = 50,
) -> None:
    """See that the server's bytes are whole frames, whenever all its tasks are cancelled (RFC 6455 §5.2).

    Args:
        subject: Who is to keep the law; its `target` is a WebSocket.
        target: Path and query.
        data: What the peer sends, the opening handshake first; None for a conversation with something of everything.
        cases: At which calls of the pump every task is cancelled, one for each run; None for `samples` of them.
        seed: Decides the moments, the order of tasks, and all randomness.
        samples: How many moments are tried at most.

    Raises:
        LawBroken: With the number of the call.
    """
    sent = default(subject, target) if data is None else data
    calls = _Calls(-1)
    _run(subject, sent, seed, calls)
    for case in places(calls.count, samples, seed) if cases is None else cases:
        trial, _ = _run(subject, sent, seed, _Calls(case))
        if (fault := torn(bytes(trial.face.written))) is not None:
            raise LawBroken(
                "whole_frames",
                target,
                data=sent,
                case=case,
                seed=seed,
                expected="whole frames, and nothing behind a Close frame",
                got=f"{fault} in {clipped(bytes(trial.face.written))}",
            )


def torn(written: bytes) -> str | None:
    """Return what is wrong with the frames that a server has written behind its 101; None if nothing is, or it was no 101."""
    if not written.startswith(b"HTTP/1.1 101 "):
        return None
    held = bytearray(written.partition(b"\r\n\r\n")[2])
    frames = take_frames(held)
    faults = [f"frame {number}: {fault}" for number, each in enumerate(frames) if (fault := _fault(each))]
    if faults:
        return faults[0]
    if any(each.opcode == CLOSE_FRAME for each in frames[:-1]):
        return "a frame behind a Close frame"
    return f"half a frame, {bytes(held[:40])!r}," if held else None


def _fault(each: Frame) -> str | None:
    if each.opcode not in _OPCODES:
        return f"opcode {each.opcode:#x}"
    if each.mask is not None:
        return "a mask"
    if each.opcode >= CLOSE_FRAME and (not each.fin or len(each.payload) > LONGEST_CONTROL):
        return "a control frame in fragments, or too long"
    return None


class _Calls:
    """Counts the calls of a pump, and at one of them cancels every task."""

    def __init__(self, case: int) -> None:
        self.trial: Trial | None = None
        self.count = 0
        self._case = case

    def __call__(self) -> None:
        if self.count == self._case and self.trial is not None:
            for task in self.trial.tasks():
                task.cancel()
        self.count += 1


def _run(subject: AnySubject, sent: bytes, seed: int, calls: _Calls) -> tuple[Trial, Outcome]:
    trial = Trial(subject, seed=seed, on_call=calls)
    calls.trial = trial
    trial.send(cut(sent, places(len(sent), PIECES, seed)))
    return trial, trial.finish()
