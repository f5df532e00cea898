"""The law of whole frames: no cancellation tears one, nor leaves a message in fragments without its end."""

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
from spry_core.testing.laws.heard import frames, is_switched
from spry_core.testing.laws.inputs import default, places
from spry_core.testing.laws.subject import AnySubject
from spry_core.testing.laws.trial import Trial, cut

PIECES: Final = 16
"""In how many pieces the input comes, so that there is something to cancel while answers are on their way."""

LEFT: Final = "a message in fragments that nobody ends, and no Close frame,"
"""What is wrong when nobody is left who could go on."""

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

    A message in fragments has its end, or a Close frame instead, when nobody is left to send the rest (RFC 6455 §5.4). That is
    looked at while the peer still sends: behind its own Close frame no message needs an end.

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
        trial, is_left = _run(subject, sent, seed, _Calls(case))
        written = bytes(trial.face.written)
        if (fault := torn(written) or (LEFT if is_left else None)) is not None:
            raise LawBroken(
                "whole_frames",
                target,
                data=sent,
                case=case,
                seed=seed,
                expected="whole frames and messages, and nothing behind a Close frame",
                got=f"{fault} in {clipped(written)}",
            )


def torn(written: bytes) -> str | None:
    """Return what is wrong with the frames that a server has written behind its 101; None if nothing is, or it was no 101."""
    if not is_switched(written):
        return None
    held = bytearray(written.partition(b"\r\n\r\n")[2])
    whole = take_frames(held)
    faults = [f"frame {number}: {fault}" for number, each in enumerate(whole) if (fault := _fault(each))]
    if faults:
        return faults[0]
    if any(each.opcode == CLOSE_FRAME for each in whole[:-1]):
        return "a frame behind a Close frame"
    return f"half a frame, {bytes(held[:40])!r}," if held else _out_of_order(whole)


def is_unfinished(written: bytes) -> bool:
    """Tell whether a server has begun a message in fragments behind its 101, and neither ended it nor said Close."""
    whole = frames(written)
    data = [each for each in whole if each.opcode < CLOSE_FRAME]
    return bool(data) and not data[-1].fin and all(each.opcode != CLOSE_FRAME for each in whole)


def _out_of_order(whole: list[Frame]) -> str | None:
    """Return where a message begins within another, or goes on without having begun (RFC 6455 §5.4)."""
    is_within = False
    for number, each in enumerate(whole):
        if each.opcode >= CLOSE_FRAME:
            continue
        if (each.opcode == CONTINUATION) is not is_within:
            return f"frame {number}: " + ("a message within another" if is_within else "a rest of no message")
        is_within = not each.fin
    return None


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
        self.has_cancelled = False
        """True if there was a task to cancel."""
        self._case = case

    def __call__(self) -> None:
        if self.count == self._case and self.trial is not None:
            for task in self.trial.tasks():
                task.cancel()
                self.has_cancelled = True
        self.count += 1


def _run(subject: AnySubject, sent: bytes, seed: int, calls: _Calls) -> tuple[Trial, bool]:
    """Run it; tell besides whether a message was left when nobody was there to end it."""
    trial = Trial(subject, seed=seed, on_call=calls)
    calls.trial = trial
    is_left = False
    for piece in cut(sent, places(len(sent), PIECES, seed)):
        trial.send([piece])
        is_left |= calls.has_cancelled and not trial.tasks() and is_unfinished(bytes(trial.face.written))
    trial.finish()
    return trial, is_left
