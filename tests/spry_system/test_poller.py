"""Tests of `spry_system.poller`: one descriptor that says which sockets have something to receive."""

from __future__ import annotations

import select
import socket
from collections.abc import Generator

import pytest

from spry_system import HAS_EPOLL, Poller

pytestmark = pytest.mark.skipif(not HAS_EPOLL, reason="this system has no epoll")


class Receiver:
    """Is named, and no more."""

    def receive(self) -> None:
        raise AssertionError("the poller calls nobody")


@pytest.fixture
def poller() -> Generator[Poller[Receiver]]:
    poller = Poller[Receiver]()
    yield poller
    poller.close()


def is_readable(poller: Poller[Receiver]) -> bool:
    """Tell whether who waits for the descriptor would be woken."""
    return bool(select.select([poller], [], [], 0)[0])


def test_it_names_those_whose_sockets_have_bytes_as_long_as_they_have_them(poller: Poller[Receiver]) -> None:
    pairs = [socket.socketpair() for _ in range(3)]
    receivers = [Receiver() for _ in pairs]
    for (sock, _), receiver in zip(pairs, receivers, strict=True):
        poller.watch(sock, receiver)
    assert (poller.ready(), is_readable(poller)) == ([], False)
    pairs[2][1].send(b"one")
    pairs[0][1].send(b"two")
    for _ in range(2):
        assert is_readable(poller)
        assert sorted(map(id, poller.ready())) == sorted(map(id, [receivers[0], receivers[2]]))
    assert pairs[2][0].recv(100) == b"one"
    assert poller.ready() == [receivers[0]]
    assert pairs[0][0].recv(100) == b"two"
    assert (poller.ready(), is_readable(poller)) == ([], False)
    for sock, peer in pairs:
        sock.close()
        peer.close()


def test_those_who_are_too_many_are_first_the_next_time(poller: Poller[Receiver]) -> None:
    pairs = [socket.socketpair() for _ in range(5)]
    receivers = [Receiver() for _ in pairs]
    for (sock, peer), receiver in zip(pairs, receivers, strict=True):
        poller.watch(sock, receiver)
        peer.send(b"bytes")
    named = [poller.ready(2) for _ in range(3)]
    assert [len(each) for each in named] == [2, 2, 2]
    assert {receiver for each in named for receiver in each} == set(receivers)
    assert set(poller.ready(9)) == set(receivers)
    for sock, peer in pairs:
        sock.close()
        peer.close()


def test_the_end_of_a_stream_is_something_to_receive(poller: Poller[Receiver]) -> None:
    sock, peer = socket.socketpair()
    receiver = Receiver()
    poller.watch(sock, receiver)
    peer.close()
    assert poller.ready() == [receiver]
    sock.close()


def test_a_socket_that_is_forgotten_can_be_watched_again(poller: Poller[Receiver]) -> None:
    sock, peer = socket.socketpair()
    first, second = Receiver(), Receiver()
    poller.watch(sock, first)
    peer.send(b"bytes")
    poller.forget(sock)
    assert (poller.ready(), is_readable(poller)) == ([], False)
    poller.watch(sock, second)
    assert poller.ready() == [second]
    sock.close()
    peer.close()


def test_what_the_kernel_cannot_watch_is_an_error(poller: Poller[Receiver]) -> None:
    sock, peer = socket.socketpair()
    poller.watch(sock, Receiver())
    with pytest.raises(FileExistsError):
        poller.watch(sock, Receiver())
    sock.close()
    peer.close()
