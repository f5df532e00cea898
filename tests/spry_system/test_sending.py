"""Tests of `spry_system.sending`: what has piled up leaves in order, whatever the kernel takes of it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

import pytest

from spry_system import send_some, sending

BIG: Final = bytes(range(256)) * 64
Piece = bytes | memoryview


class Kernel:
    """Takes so many bytes at each call; None stands for none now."""

    def __init__(self, *takes: int | None) -> None:
        self.takes = list(takes)
        self.calls: list[list[bytes]] = []

    def _take(self, pieces: list[Piece]) -> int:
        self.calls.append([bytes(piece) for piece in pieces])
        taken = self.takes.pop(0)
        if taken is None:
            raise BlockingIOError
        return taken

    @contextmanager
    def patched(self) -> Generator[socket.socket]:
        def send(_: socket.socket, data: Piece) -> int:
            return self._take([data])

        def sendmsg(_: socket.socket, pieces: list[Piece]) -> int:
            return self._take(pieces)

        with pytest.MonkeyPatch.context() as patch, socket.socket() as sock:
            patch.setattr(socket.socket, "send", send)
            patch.setattr(socket.socket, "sendmsg", sendmsg)
            yield sock


def rest(unsent: list[Piece]) -> list[bytes]:
    return [bytes(piece) for piece in unsent]


def test_one_piece_is_sent_as_it_is() -> None:
    kernel, unsent = Kernel(3), list[Piece]([b"abc"])
    with kernel.patched() as sock:
        assert send_some(sock, unsent) == (3, False)
    assert (kernel.calls, unsent) == ([[b"abc"]], [])


def test_small_pieces_are_one() -> None:
    kernel, unsent = Kernel(4), list[Piece]([b"abc", memoryview(b"de"), b"f"])
    with kernel.patched() as sock:
        assert send_some(sock, unsent) == (4, True)
    assert (kernel.calls, rest(unsent)) == ([[b"abcdef"]], [b"ef"])


@pytest.mark.parametrize(
    ("taken", "left"),
    [
        (1, [b"b", BIG, b"c"]),
        (2, [BIG, b"c"]),
        (3, [BIG[1:], b"c"]),
        (2 + len(BIG), [b"c"]),
    ],
)
def test_a_big_piece_is_not_copied_and_what_is_left_is_kept(taken: int, left: list[bytes]) -> None:
    kernel, unsent = Kernel(taken), list[Piece]([b"ab", BIG, b"c"])
    with kernel.patched() as sock:
        assert send_some(sock, unsent) == (taken, True)
    assert (kernel.calls, rest(unsent)) == ([[b"ab", BIG, b"c"]], left)


def test_all_of_them_may_be_taken() -> None:
    kernel, unsent = Kernel(len(BIG) + 1), list[Piece]([b"a", BIG])
    with kernel.patched() as sock:
        assert send_some(sock, unsent) == (len(BIG) + 1, False)
    assert unsent == []


def test_one_call_gets_64_pieces_and_the_rest_is_for_the_next() -> None:
    kernel, unsent = Kernel(len(BIG) + 63), list[Piece]([BIG, *[b"a"] * 64])
    with kernel.patched() as sock:
        assert send_some(sock, unsent) == (len(BIG) + 63, False)
    assert (kernel.calls, unsent) == ([[BIG, *[b"a"] * 63]], [b"a"])


@pytest.mark.parametrize("pieces", [[b"a"], [b"a", b"b"], [b"a", BIG]])
def test_nothing_is_lost_where_the_kernel_takes_nothing_now(pieces: list[bytes]) -> None:
    kernel, unsent = Kernel(None), list[Piece](pieces)
    with kernel.patched() as sock:
        assert send_some(sock, unsent) == (0, True)
    assert b"".join(unsent) == b"".join(pieces)


def test_where_the_system_takes_no_pieces_they_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no `sendmsg`."""
    monkeypatch.setattr(sending, "HAS_SENDMSG", False)
    kernel, unsent = Kernel(len(BIG)), list[Piece]([b"a", BIG])
    with kernel.patched() as sock:
        assert send_some(sock, unsent) == (len(BIG), True)
    assert (kernel.calls, rest(unsent)) == ([[b"a" + BIG]], [BIG[-1:]])


@pytest.mark.parametrize("pieces", [[BIG], [b"a", BIG]])
def test_a_broken_stream_is_an_error(pieces: list[bytes]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.close()
        with pytest.raises(BrokenPipeError):
            send_some(ours, list[Piece](pieces))


def fill(pieces: Callable[[], list[Piece]]) -> tuple[bytes, bytes]:
    """Send pieces through a pair of sockets, reading whenever the kernel is full; return what was to be sent, and what came."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        unsent = pieces()
        expected, found = b"".join(unsent), b""
        while unsent:
            _, is_blocked = send_some(ours, unsent)
            if is_blocked:
                found += theirs.recv(1 << 16)
        ours.shutdown(socket.SHUT_WR)
        while data := theirs.recv(1 << 16):
            found += data
    return expected, found


def test_a_real_kernel_gets_all_of_it_in_order() -> None:
    expected, found = fill(lambda: [each for n in range(100) for each in (b"%03d" % n, BIG)])
    assert found == expected
