"""A peer in the test's hands: what it sends arrives before the call returns, what comes it has read."""

from __future__ import annotations

from spry_core.testing.memory import MemoryDriver
from spry_core.testing.peer import MemoryPeer
from spry_core.testing.pipe import End, stream


def peer() -> tuple[MemoryPeer, End]:
    ours, theirs = stream()
    return MemoryPeer(MemoryDriver(), ours), theirs


def test_what_comes_is_kept_until_it_is_taken() -> None:
    peer_end, other = peer()
    other.outgoing.write(b"abc")
    other.outgoing.write(b"de")
    assert (peer_end.received, peer_end.take(), peer_end.received) == (b"abcde", b"abcde", b"")


def test_a_peer_that_does_not_read_leaves_the_bytes_in_the_pipe() -> None:
    peer_end, other = peer()
    assert peer_end.is_reading is True
    peer_end.is_reading = False
    other.outgoing.write(b"abc")
    other.outgoing.finish()
    assert (peer_end.received, peer_end.is_ended, len(other.outgoing)) == (b"", False, 3)
    peer_end.is_reading = True
    assert (peer_end.received, peer_end.is_ended, len(other.outgoing)) == (b"abc", True, 0)


def test_what_it_sends_may_stay_unread() -> None:
    peer_end, other = peer()
    peer_end.send(b"abc")
    assert peer_end.unread == 3
    assert other.incoming.read(2) == b"ab"
    assert peer_end.unread == 1


def test_a_half_close_leaves_the_other_direction_open() -> None:
    peer_end, other = peer()
    peer_end.half_close()
    other.outgoing.write(b"abc")
    assert (other.incoming.is_finished, peer_end.received, peer_end.is_reset) == (True, b"abc", False)


def test_a_close_ends_both_directions() -> None:
    peer_end, other = peer()
    peer_end.close()
    other.outgoing.write(b"too late")
    assert (other.incoming.is_finished, other.incoming.is_reset, peer_end.received) == (True, True, b"")


def test_a_reset_is_seen_on_both_sides() -> None:
    peer_end, other = peer()
    peer_end.reset()
    assert other.incoming.is_reset is True
    other.reset()
    assert peer_end.is_reset is True


def test_sending_lets_the_other_side_answer_first() -> None:
    driver = MemoryDriver()
    ours, theirs = stream()

    class Echo:
        def step(self) -> None:
            theirs.outgoing.write(theirs.incoming.read(99))

    echo = Echo()
    theirs.incoming.wake_reader = lambda: driver.schedule(echo)
    peer_end = MemoryPeer(driver, ours)
    peer_end.send(b"abc")
    assert peer_end.received == b"abc"


def test_a_peer_may_read_as_slowly_as_it_likes() -> None:
    peer_end, other = peer()
    peer_end.is_reading = False
    other.outgoing.write(b"abcde")
    assert (peer_end.waiting, peer_end.read(3), peer_end.waiting) == (5, b"abc", 2)
    assert (peer_end.read(3), peer_end.read(3)) == (b"de", b"")
