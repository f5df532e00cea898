"""One run of a subject in memory."""

from __future__ import annotations

from hostile import application
from spry_core.driver import Driver
from spry_core.protocol import ABORT, CLOSE, HALF_CLOSE, StreamEnd
from spry_core.serving.face import Pumped
from spry_core.testing.laws.trial import Outcome, Trial, Watched, cut
from spry_core.testing.memory import HasTimers, MemoryDriver

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


def test_bytes_are_cut_at_their_places() -> None:
    assert cut(b"abcdef", []) == [b"abcdef"]
    assert cut(b"abcdef", [0, 2, 2, 6]) == [b"", b"ab", b"", b"cdef", b""]


def test_a_run_tells_what_came_and_how_it_ended() -> None:
    trial = Trial(application())
    trial.send(cut(GET, [0, 5]))
    outcome = trial.finish("ends")
    assert (outcome.output[-9:], outcome.ending) == (b"\r\n\r\nhello", "end")
    assert trial.tasks() == []
    assert str(Outcome(b"a", "end")) == "b'a', then end"


def test_a_peer_may_reset() -> None:
    trial = Trial(application())
    trial.send([GET[:5]])
    assert trial.finish("resets") == Outcome(b"", "reset")


def test_the_pump_may_be_late_or_look_too_often() -> None:
    calls: list[float] = []
    trial = Trial(application(), late=0.5, on_call=lambda: calls.append(trial.driver.now()))
    assert trial.face.next_deadline() == 10.5
    assert trial.finish().ending == "end"
    assert calls[0] == 10.5
    early = Trial(application(), is_early=True)
    early.send([GET])
    assert early.finish("ends").output == trial_output(GET)


def trial_output(data: bytes) -> bytes:
    trial = Trial(application())
    trial.send([data])
    return trial.finish("ends").output


class Scripted:
    """A face that hands out what it is told to."""

    def __init__(self, *items: list[bytes | StreamEnd]) -> None:
        self._items = list(items)
        self.wants_read = True
        self.closed = False

    def mount(self, driver: MemoryDriver, lent: Driver, seed: int) -> tuple[Pumped, HasTimers | None]:
        return self, None

    def data_to_send(self) -> list[bytes | StreamEnd]:
        return self._items.pop(0) if self._items else []

    def receive_data(self, data: bytes, now: float) -> None: ...

    def receive_eof(self, now: float) -> None: ...

    def connection_lost(self, error: Exception | None, now: float) -> None: ...

    def bytes_written(self, n: int, now: float) -> None: ...

    def handle_deadline(self, now: float) -> None: ...

    def next_deadline(self) -> float | None:
        return None


def test_a_harder_end_may_follow_and_nothing_else() -> None:
    scripts: list[tuple[list[list[bytes | StreamEnd]], list[str]]] = [
        ([[b"a", HALF_CLOSE], [CLOSE]], []),
        ([[HALF_CLOSE], [ABORT]], []),
        ([[HALF_CLOSE], [HALF_CLOSE]], ["HALF_CLOSE behind HALF_CLOSE"]),
        ([[HALF_CLOSE, b"b"]], ["b'b' behind HALF_CLOSE"]),
    ]
    for items, faults in scripts:
        trial = Trial(Scripted(*items))
        assert trial.face.faults == faults, items
    direct = Trial(Scripted())
    direct.face.ends.append(CLOSE)
    assert direct.face.data_to_send() == []
    assert direct.face.faults == []


def test_nothing_may_follow_a_hard_end() -> None:
    watched = Watched(Scripted([CLOSE], [ABORT]), late=0.0, is_early=False, on_call=lambda: None)
    watched.data_to_send()
    watched.data_to_send()
    assert (watched.faults, watched.ends) == (["ABORT behind CLOSE"], [CLOSE, ABORT])


def test_what_does_not_end_is_endless() -> None:
    trial = Trial(Scripted())
    assert trial.finish() == Outcome(b"", "endless")
