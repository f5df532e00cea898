"""Streams in memory: bytes in order, the end behind them, a reset that overtakes them."""

from __future__ import annotations

from spry_core.testing.pipe import End, Pipe, stream


def test_a_pipe_gives_what_was_written_in_pieces_of_any_size() -> None:
    pipe = Pipe()
    pipe.write(b"abc")
    pipe.write(b"de")
    assert (len(pipe), pipe.read(2), pipe.read(9), pipe.read(9)) == (5, b"ab", b"cde", b"")


def test_the_reader_is_woken_by_bytes_and_ends_the_writer_by_room() -> None:
    pipe, woken = Pipe(), list[str]()
    pipe.wake_reader = lambda: woken.append("reader")
    pipe.wake_writer = lambda: woken.append("writer")
    pipe.write(b"a")
    pipe.read(1)
    pipe.read(1)
    pipe.finish()
    pipe.reset()
    assert woken == ["reader", "writer", "reader", "reader"]


def test_the_end_comes_behind_the_bytes() -> None:
    pipe = Pipe()
    pipe.write(b"abc")
    pipe.finish()
    assert (pipe.is_finished, pipe.read(9), pipe.is_reset) == (True, b"abc", False)


def test_a_reset_overtakes_the_bytes() -> None:
    pipe = Pipe()
    pipe.write(b"abc")
    pipe.reset()
    pipe.write(b"def")
    assert (pipe.is_reset, len(pipe), pipe.read(9)) == (True, 0, b"")


def test_without_a_way_back_a_writer_learns_nothing_of_its_reader() -> None:
    pipe = Pipe()
    pipe.abandon()
    pipe.write(b"abc")
    assert (len(pipe), pipe.is_reset) == (0, False)


def ends() -> tuple[End, End]:
    return stream()


def test_both_directions_of_a_stream_are_apart() -> None:
    one, other = ends()
    one.outgoing.write(b"there")
    other.outgoing.write(b"back")
    assert (other.incoming.read(9), one.incoming.read(9)) == (b"there", b"back")


def test_closing_lets_what_is_on_its_way_arrive() -> None:
    one, other = ends()
    one.outgoing.write(b"last")
    one.close()
    assert (other.incoming.is_finished, other.incoming.is_reset, other.incoming.read(9)) == (
        True,
        False,
        b"last",
    )


def test_closing_with_unread_bytes_resets_the_other_end() -> None:
    """The reset destroys also what was on its way: this is what lingering closes are for (RFC 9112 §9.6)."""
    one, other = ends()
    other.outgoing.write(b"unread")
    one.outgoing.write(b"last")
    one.close()
    assert (other.incoming.is_reset, other.incoming.read(9)) == (True, b"")


def test_writing_to_a_closed_end_is_answered_with_a_reset() -> None:
    one, other = ends()
    one.close()
    assert other.incoming.is_reset is False
    other.outgoing.write(b"too late")
    assert (other.incoming.is_reset, len(other.outgoing)) == (True, 0)


def test_a_reset_cuts_both_directions() -> None:
    one, other = ends()
    one.outgoing.write(b"lost")
    other.outgoing.write(b"lost too")
    one.reset()
    assert (other.incoming.is_reset, other.incoming.read(9), one.incoming.read(9)) == (True, b"", b"")
