"""The pump of the memory driver, driving a face that notes what is called."""

from __future__ import annotations

from collections.abc import Sequence

from spry_core.protocol import ABORT, CLOSE, HALF_CLOSE, StreamEnd
from spry_core.tasks import Timers
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.pipe import End, stream
from spry_core.testing.pump import READ_SIZE, Alarm, MemoryPump, Watch, handle_due


class Face:
    """Notes the calls of a pump; the test says what there is to send."""

    def __init__(self, driver: MemoryDriver) -> None:
        self.driver = driver
        self.timers = Timers()
        self.calls = list[tuple[object, ...]]()
        self.to_send: Sequence[bytes | StreamEnd] = ()
        self.deadline: float | None = None
        self.wants_read = True
        self.closed = False
        self.closes_when_lost = True

    def receive_data(self, data: bytes, now: float) -> None:
        self.calls.append(("data", data, now))

    def receive_eof(self, now: float) -> None:
        self.calls.append(("eof", now))

    def connection_lost(self, error: Exception | None, now: float) -> None:
        self.calls.append(("lost", repr(error), now))
        self.closed = self.closes_when_lost

    def bytes_written(self, n: int, now: float) -> None:
        self.calls.append(("written", n, now))

    def data_to_send(self) -> list[bytes | StreamEnd]:
        data, self.to_send = list(self.to_send), ()
        return data

    def next_deadline(self) -> float | None:
        return self.deadline

    def handle_deadline(self, now: float) -> None:
        self.calls.append(("deadline", now))
        self.deadline = None


def pumped(*, window: int = 100) -> tuple[MemoryDriver, Face, MemoryPump, End]:
    """Return a driver, a face, its pump, and the other end of its stream."""
    driver = MemoryDriver()
    ours, theirs = stream()
    face = Face(driver)
    pump = MemoryPump(driver, theirs, "connection", window=window)
    pump.start(face, face)
    driver.settle()
    return driver, face, pump, ours


def test_what_the_peer_writes_is_received() -> None:
    driver, face, _, peer = pumped()
    peer.outgoing.write(b"abc")
    driver.settle()
    assert face.calls == [("data", b"abc", 0.0)]


def test_much_is_received_in_several_reads() -> None:
    driver, face, _, peer = pumped()
    peer.outgoing.write(bytes(READ_SIZE + 1))
    driver.settle()
    assert face.calls == [("data", bytes(READ_SIZE), 0.0), ("data", b"\0", 0.0)]


def test_nothing_is_read_while_the_face_does_not_want_it() -> None:
    driver, face, pump, peer = pumped()
    face.wants_read = False
    peer.outgoing.write(b"abc")
    peer.outgoing.finish()
    driver.settle()
    assert face.calls == []
    face.wants_read = True
    pump.look()
    driver.settle()
    assert face.calls == [("data", b"abc", 0.0), ("eof", 0.0)]


def test_the_end_of_the_peers_direction_is_told_once() -> None:
    driver, face, pump, peer = pumped()
    peer.outgoing.finish()
    driver.settle()
    pump.look()
    driver.settle()
    assert face.calls == [("eof", 0.0)]


def test_what_there_is_to_send_is_written_in_order_and_credited() -> None:
    driver, face, pump, peer = pumped()
    face.to_send = [b"abc", b"de"]
    pump.look()
    driver.settle()
    assert (face.calls, peer.incoming.read(9)) == ([("written", 5, 0.0)], b"abcde")


def test_a_full_pipe_takes_no_more_until_the_peer_reads() -> None:
    driver, face, pump, peer = pumped(window=4)
    face.to_send = [b"abcdef", b"gh", HALF_CLOSE]
    pump.look()
    driver.settle()
    assert (face.calls, peer.incoming.is_finished) == ([("written", 4, 0.0)], False)
    assert peer.incoming.read(3) == b"abc"
    driver.settle()
    assert face.calls[1:] == [("written", 3, 0.0)]
    assert peer.incoming.read(9) == b"defg"
    driver.settle()
    assert face.calls[2:] == [("written", 1, 0.0)]
    assert (peer.incoming.read(9), peer.incoming.is_finished) == (b"h", True)


def test_two_pumps_with_full_pipes_come_to_rest() -> None:
    """Neither reads, so neither has room: a look of one gives the other nothing to look at."""
    driver = MemoryDriver()
    faces = [Face(driver), Face(driver)]
    for face, end in zip(faces, stream(), strict=True):
        face.wants_read = False
        face.to_send = [b"abcd"]
        MemoryPump(driver, end, "connection", window=3).start(face)
    driver.settle()
    assert [face.calls for face in faces] == [[("written", 3, 0.0)], [("written", 3, 0.0)]]


def test_after_a_half_close_reading_goes_on() -> None:
    driver, face, pump, peer = pumped()
    face.to_send = [b"last", HALF_CLOSE]
    pump.look()
    driver.settle()
    peer.outgoing.write(b"abc")
    driver.settle()
    assert (peer.incoming.read(9), peer.incoming.is_finished) == (b"last", True)
    assert face.calls == [("written", 4, 0.0), ("data", b"abc", 0.0)]


def test_a_close_comes_after_the_bytes_and_the_stream_is_reported_gone() -> None:
    driver, face, pump, peer = pumped()
    face.to_send = [b"last", CLOSE]
    pump.look()
    driver.settle()
    assert (peer.incoming.read(9), peer.incoming.is_finished, peer.incoming.is_reset) == (
        b"last",
        True,
        False,
    )
    assert face.calls == [("written", 4, 0.0), ("lost", "None", 0.0)]


def test_an_abort_drops_what_is_unsent() -> None:
    driver, face, pump, peer = pumped(window=2)
    face.to_send = [b"abcdef"]
    pump.look()
    driver.settle()
    face.to_send = [ABORT]
    pump.look()
    driver.settle()
    assert (peer.incoming.is_reset, peer.incoming.read(9)) == (True, b"")
    assert face.calls == [("written", 2, 0.0), ("lost", "None", 0.0)]


def test_a_reset_of_the_peer_is_an_error_told_once() -> None:
    driver, face, pump, peer = pumped(window=2)
    face.closes_when_lost = False
    face.to_send = [b"abcdef"]
    pump.look()
    driver.settle()
    peer.reset()
    driver.settle()
    face.to_send = [b"dropped"]
    pump.look()
    driver.settle()
    assert face.calls == [
        ("written", 2, 0.0),
        ("lost", "ConnectionResetError('the peer has reset the stream')", 0.0),
    ]


def test_a_deadline_is_handled_at_its_moment() -> None:
    driver, face, pump, _ = pumped()
    face.deadline = 3.0
    pump.look()
    driver.advance(10.0)
    assert face.calls == [("deadline", 3.0)]


def test_a_deadline_that_is_due_already_is_handled_without_any_time_passing() -> None:
    driver, face, pump, _ = pumped()
    face.deadline = 0.0
    pump.look()
    driver.settle()
    assert (face.calls, driver.now()) == ([("deadline", 0.0)], 0.0)


def test_a_deadline_that_moved_rings_at_its_new_moment_alone() -> None:
    driver, face, pump, _ = pumped()
    face.deadline = 3.0
    pump.look()
    driver.settle()
    face.deadline = 5.0
    pump.look()
    driver.settle()
    assert driver.next_deadline() == 5.0
    driver.advance(10.0)
    assert face.calls == [("deadline", 5.0)]


def test_notify_makes_the_pump_look() -> None:
    driver, face, pump, peer = pumped()
    face.to_send = [b"abc"]
    pump.driver.notify()
    driver.settle()
    assert peer.incoming.read(9) == b"abc"


def test_nothing_happens_before_there_is_a_face() -> None:
    driver = MemoryDriver()
    ours, theirs = stream()
    MemoryPump(driver, theirs, "connection")
    ours.outgoing.write(b"abc")
    driver.settle()
    assert len(ours.outgoing) == 3


def test_a_pump_without_a_host_needs_none() -> None:
    driver = MemoryDriver()
    ours, theirs = stream()
    face = Face(driver)
    MemoryPump(driver, theirs, "connection").start(face)
    ours.reset()
    driver.settle()
    assert [call[0] for call in face.calls] == ["lost"]


def test_a_face_that_is_closed_is_left_alone_and_its_host_forgotten() -> None:
    driver, face, pump, peer = pumped()
    face.timers.add(1.0, lambda: None)
    face.deadline = 3.0
    pump.look()
    driver.settle()
    face.closed = True
    pump.look()
    peer.outgoing.write(b"abc")
    driver.settle()
    assert (face.calls, driver.next_deadline()) == ([], None)


def test_an_alarm_rings_for_its_last_setting_only() -> None:
    driver, rung = MemoryDriver(), list[float]()

    class Job:
        def step(self) -> None:
            rung.append(driver.now())

    alarm = Alarm(driver, Job())
    alarm.arm(1.0)
    alarm.arm(None)
    alarm.arm(2.0)
    driver.advance(5.0)
    assert rung == [2.0]


def test_a_watch_handles_the_deadlines_of_what_has_no_stream() -> None:
    driver = MemoryDriver()
    face = Face(driver)
    face.deadline = 3.0
    watch = Watch(driver, face)
    watch.look()
    driver.advance(5.0)
    assert face.calls == [("deadline", 3.0)]


def test_only_what_is_due_is_handled() -> None:
    face = Face(MemoryDriver())
    face.deadline = 3.0
    handle_due(face, 2.9)
    assert face.calls == []
    handle_due(face, 3.0)
    handle_due(face, 3.1)
    assert face.calls == [("deadline", 3.0)]


def test_a_window_of_nothing_stops_the_writing_until_it_opens() -> None:
    driver, face, pump, peer = pumped()
    assert pump.window == 100
    pump.window = 0
    face.to_send = [b"abc"]
    pump.look()
    driver.settle()
    assert (peer.incoming.read(10), face.calls) == (b"", [])
    pump.window = 2
    driver.settle()
    assert (peer.incoming.read(10), face.calls) == (b"ab", [("written", 2, 0.0)])


def test_a_stream_that_is_cut_is_lost_on_both_sides() -> None:
    driver, face, pump, peer = pumped()
    pump.cut()
    driver.settle()
    assert face.calls == [("lost", "ConnectionResetError('the peer has reset the stream')", 0.0)]
    assert peer.incoming.is_reset
