"""`spry_system.ending`: one direction, both, and a reset; on a stream that is gone nothing is raised."""

from __future__ import annotations

import socket

import pytest

from spry_system import end_sending, end_stream, reset_on_close


@pytest.fixture
def pair() -> tuple[socket.socket, socket.socket]:
    """Connect two TCP sockets, ours first."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        return ours, listener.accept()[0]


def test_our_direction_ends_alone(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    with ours, peer:
        assert end_sending(ours) is None
        assert peer.recv(1) == b""
        peer.sendall(b"still")
        assert ours.recv(5) == b"still"


def test_both_directions_end_though_another_holds_the_socket(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, peer = pair
    with ours, peer, ours.dup():
        end_stream(ours)
        assert peer.recv(1) == b""
        assert ours.recv(1) == b""


def test_a_reset_is_what_the_peer_finds(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    with peer:
        reset_on_close(ours)
        ours.close()
        with pytest.raises(ConnectionResetError):
            peer.recv(1)


def test_on_a_socket_that_is_gone_nothing_is_raised(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, peer = pair
    peer.close()
    ours.close()
    assert isinstance(end_sending(ours), OSError)
    end_stream(ours)
    reset_on_close(ours)
