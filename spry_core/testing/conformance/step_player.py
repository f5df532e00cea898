"""Plays the steps of a scenario on a stage, and says where it went another way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, assert_never

from spry_core.testing.conformance.notebook import Notebook
from spry_core.testing.conformance.stage import Stage
from spry_core.testing.conformance.steps import (
    WILD,
    Before,
    Close,
    Connect,
    Ending,
    Expect,
    ExpectEnd,
    HalfClose,
    Noted,
    Overfill,
    Quiet,
    Refused,
    Reset,
    Send,
    Shutdown,
    Step,
    Stuck,
    Wait,
)
from spry_core.testing.conformance.tolerance import VIRTUAL
from spry_core.testing.pump import READ_SIZE
from spry_core.testing.wire import Wire

PATIENCE: Final = 5.0
"""Seconds for which the last notes are waited for when all peers have gone."""


@dataclass(frozen=True, slots=True)
class Mismatch(Exception):  # noqa: N818 - not an error of ours, but what was found
    """Something else has happened than a step expects."""

    what: str
    """In words."""

    expected: bytes | None = None
    """The bytes expected, if it is about bytes."""

    actual: bytes | None = None
    """Those that came instead."""

    def __str__(self) -> str:
        return self.what


class StepPlayer:
    """All peers of one scenario.

    Args:
        stage: The server.
        note: Where its handlers write.
    """

    def __init__(self, stage: Stage, note: Notebook) -> None:
        self._stage = stage
        self._note = note
        self._time = stage.tolerance
        self._wires: dict[str, Wire] = {}
        self._cut: set[str] = set()  # whose stream a `Send` has found cut: some kernels say so once
        self._mark = 0.0  # when the last step began that did something

    def play(self, step: Step) -> None:
        """Play one step.

        Raises:
            Mismatch: It went another way.
            OSError: The server accepts nobody, or reads nothing; a stream is gone.
            SpryError: In memory: what the server's side raised.
        """
        match step:
            case Connect():
                self._connect(step)
            case Send() | Overfill() | HalfClose() | Close() | Reset() | Shutdown():
                self._act(step)
            case Refused():
                self._be_refused()
            case Expect():
                self._expect(step)
            case ExpectEnd():
                self._expect_end(step)
            case Quiet():
                self._be_quiet(step)
            case Wait():
                self._wire("").sleep(step.seconds)
            case Noted():
                self._expect_note(step)
            case Stuck():
                self._be_stuck(step)
            case Before():
                self._be_before(step)
            case _:
                assert_never(step)

    def leave(self) -> None:
        """Close every connection."""
        for wire in self._wires.values():
            wire.close()

    def wait_for_notes(self, count: int) -> None:
        """Wait until there are so many notes, but not for ever."""
        self._stage.wait_until(lambda: len(self._note.notes) >= count, PATIENCE)

    # What a peer does

    def _connect(self, step: Connect) -> None:
        wire = self._stage.connect(slow=step.slow, patience=step.patience)
        self._wires[step.peer] = wire
        self._mark = wire.now()

    def _wire(self, peer: str) -> Wire:
        """Return the connection of this peer; the nameless one connects by itself."""
        if peer not in self._wires and not peer:
            self._connect(Connect())
        return self._wires[peer]

    def _any_wire(self) -> Wire:
        """Return the first connection, for its clock: what a step without a peer happens by."""
        return self._wire(next(iter(self._wires), ""))

    def _act(self, step: Send | Overfill | HalfClose | Close | Reset | Shutdown) -> None:
        wire = self._any_wire() if isinstance(step, Shutdown) else self._wire(step.peer)
        self._mark = wire.now()
        match step:
            case Send():
                self._send(wire, step)
            case Overfill():
                _overfill(wire, step)
            case HalfClose():
                wire.half_close()
            case Close():
                wire.close()
            case Reset():
                wire.reset()
            case Shutdown():  # pragma: no branch - there are no other steps of this kind
                self._stage.shutdown(step.code, step.reason, step.grace)

    def _send(self, wire: Wire, step: Send) -> None:
        try:
            wire.send(step.data)
        except ConnectionError:  # what the peer expects next says whether that is right
            self._cut.add(step.peer)

    def _be_refused(self) -> None:
        try:
            wire = self._stage.connect(slow=False, patience=None)
        except ConnectionRefusedError:
            return
        wire.reset()
        raise Mismatch("a connection was accepted")

    # What a peer expects

    def _receive(self, peer: str, seconds: float, size: int = READ_SIZE) -> bytes | None:
        data = self._wire(peer).receive(seconds, size)
        if data == b"" and peer in self._cut:
            raise ConnectionResetError("the other side has cut the stream")
        return data

    def _expect(self, step: Expect) -> None:
        wire, size = self._wire(step.peer), len(step.data)
        received = bytearray()
        until = self._until(wire, step)
        while len(received) < size:
            rest = size - len(received)
            try:
                data = self._receive(step.peer, max(0.0, until - wire.now()), min(rest, READ_SIZE))
            except ConnectionResetError:
                raise Mismatch("the stream was cut", step.data, bytes(received)) from None
            if not data:
                what = "nothing more has come" if data is None else "the stream has ended"
                raise Mismatch(what, step.data, bytes(received))
            if not received:
                self._refuse_early(wire, step.after, step.data, data)
            if not _fits(step.data[len(received) : len(received) + len(data)], data):
                raise Mismatch("other bytes have come", step.data, bytes(received) + data)
            received += data
            until = max(until, wire.now() + self._time.at_once)  # as long as something comes

    def _expect_end(self, step: ExpectEnd) -> None:
        wire = self._wire(step.peer)
        until = self._until(wire, step)
        try:
            data = self._receive(step.peer, max(0.0, until - wire.now()))
            while data and step.whatever:
                data = self._receive(step.peer, max(0.0, until - wire.now()))
        except ConnectionResetError:
            data, how = b"", Ending.RST
        else:
            how = Ending.FIN
        if data is None:
            raise Mismatch(f"the stream has not ended (expected {step.how.value})")
        if data:
            raise Mismatch(f"bytes instead of the end (expected {step.how.value})", b"", data)
        self._refuse_early(wire, step.after)
        if how is not step.how:
            raise Mismatch(f"the stream has ended by {how.value} instead of {step.how.value}")

    def _be_quiet(self, step: Quiet) -> None:
        try:
            data = self._receive(step.peer, step.seconds)
        except ConnectionResetError:
            raise Mismatch("the stream was cut, and nothing should have happened") from None
        if data is not None:
            what = "bytes have come" if data else "the stream has ended"
            raise Mismatch(f"{what}, and nothing should have happened", b"", data)

    def _expect_note(self, step: Noted) -> None:
        wire = self._any_wire()
        notes = self._note.notes
        if step.what in notes:
            return
        seconds = max(0.0, self._until(wire, step) - wire.now())
        if not self._stage.wait_until(lambda: step.what in notes, seconds):
            raise Mismatch(f"{step.what!r} was not noted, only {notes}")
        self._refuse_early(wire, step.after)

    def _be_stuck(self, step: Stuck) -> None:
        wire, counts = self._any_wire(), self._note.counts
        until = wire.now() + self._time.at_once + step.seconds
        before = -1
        while before != counts[step.what]:
            before = counts[step.what]
            if before >= step.below or wire.now() > until:
                raise Mismatch(f"{step.what!r} has come to {before}, and should have stopped before")
            wire.sleep(step.seconds)

    def _be_before(self, step: Before) -> None:
        count = self._note.counts[step.what]
        if count >= step.count and self._time is not VIRTUAL:  # pragma: no cover - wrong, on sockets
            raise Mismatch(f"{step.what!r} has come to {count}, and should not have been so far yet")

    def _until(self, wire: Wire, step: Expect | ExpectEnd | Noted) -> float:
        """Return by when it must have come."""
        seconds = step.within if step.after is None else step.after
        return wire.now() + self._time.at_once if seconds is None else self._mark + seconds + self._time.late

    def _refuse_early(
        self, wire: Wire, after: float | None, expected: bytes | None = None, actual: bytes | None = None
    ) -> None:
        if after is None:
            return
        early = self._mark + after - self._time.early - wire.now()
        if early > 0:
            raise Mismatch(
                f"it has come {early:.3f} s too early (expected after {after} s)", expected, actual
            )


def _overfill(wire: Wire, step: Overfill) -> None:
    try:
        for _ in range(step.times):
            wire.send(step.data)
    except TimeoutError:
        return
    size = step.times * len(step.data)
    raise Mismatch(f"all of {size} bytes were taken, and reading should have stopped before")


def _fits(expected: bytes, data: bytes) -> bool:
    """Tell whether `data` is what is expected; both are of one length."""
    if WILD not in expected:
        return data == expected
    return all(wanted in (each, WILD[0]) for wanted, each in zip(expected, data, strict=True))
