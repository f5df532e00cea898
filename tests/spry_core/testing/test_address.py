"""A wire over a socket: the same calls, the kernel's streams, and real seconds."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from spry_core.testing.address import AddressWire

PATIENCE: Final = 10.0
"""Seconds until what a test waits for counts as missing; a busy machine is slow."""


def listener() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def pair(
    *, patience: float = PATIENCE, receive_buffer: int | None = None
) -> tuple[AddressWire, socket.socket]:
    with listener() as server:
        wire = AddressWire(server.getsockname(), patience=patience, receive_buffer=receive_buffer)
        sock, _ = server.accept()
    sock.settimeout(PATIENCE)
    return wire, sock


def test_bytes_go_both_ways() -> None:
    wire, sock = pair()
    with wire, sock:
        wire.send(b"ping")
        assert sock.recv(100) == b"ping"
        sock.sendall(b"pong")
        assert (wire.receive(PATIENCE, size=3), wire.receive(PATIENCE)) == (b"pon", b"g")
        sock.shutdown(socket.SHUT_WR)
        assert (wire.receive(PATIENCE), wire.receive(PATIENCE)) == (b"", b"")
    assert wire.receive(PATIENCE) == b""


def test_a_name_may_stand_for_several_places() -> None:
    with listener() as server, AddressWire(("localhost", server.getsockname()[1])) as wire:
        sock, _ = server.accept()
        with sock:
            wire.send(b"a")
            assert sock.recv(1) == b"a"


def test_nobody_there_is_an_error() -> None:
    with listener() as server:
        address = server.getsockname()
    with pytest.raises(ConnectionRefusedError):
        AddressWire(address)


@pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="there are no unix sockets here")
def test_an_address_may_be_a_path(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        with AddressWire(path) as wire:
            sock, _ = server.accept()
            with sock:
                wire.send(b"a")
                assert sock.recv(1) == b"a"


def test_a_connected_socket_may_be_taken() -> None:
    left, right = socket.socketpair()
    with AddressWire(left) as wire, right:
        right.sendall(b"a")
        assert wire.receive(PATIENCE) == b"a"
    assert left.fileno() == -1


def test_nothing_within_the_time_is_none() -> None:
    wire, sock = pair()
    with wire, sock:
        began = wire.now()
        assert (wire.receive(0), wire.receive(0.02)) == (None, None)
        wire.sleep(0.01)
        assert 0.03 <= wire.now() - began < PATIENCE


def test_a_reset_is_raised_again_and_again() -> None:
    wire, sock = pair()
    AddressWire(sock).reset()
    with wire:
        for _ in range(2):
            with pytest.raises(ConnectionResetError):
                wire.receive(PATIENCE)


def test_who_does_not_read_is_waited_for_so_long() -> None:
    wire, sock = pair(patience=0.05, receive_buffer=4096)
    with wire, sock, pytest.raises(TimeoutError):
        wire.send(bytes(64 << 20))


def test_some_of_it_is_what_the_kernel_takes() -> None:
    wire, sock = pair(receive_buffer=4096)
    with wire, sock:
        taken = 0
        while some := wire.send_some(bytes(1 << 20), 0):
            taken += some
        assert wire.send_some(b"a", 0.02) == 0
        wire.half_close()
        got = 0
        while some_bytes := sock.recv(1 << 20):
            got += len(some_bytes)
        assert got == taken
        with pytest.raises(BrokenPipeError):
            wire.send_some(b"a", 0)


def test_a_small_receive_buffer_is_soon_full() -> None:
    wire, sock = pair(receive_buffer=4096)
    with wire, sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        sock.settimeout(0.05)
        with pytest.raises(TimeoutError):
            sock.sendall(bytes(1 << 20))


def test_half_close_ends_one_direction() -> None:
    wire, sock = pair()
    with wire, sock:
        wire.half_close()
        wire.half_close()
        assert sock.recv(1) == b""
        sock.sendall(b"still")
        assert wire.receive(PATIENCE) == b"still"
        with pytest.raises(BrokenPipeError, match="this end has ended its direction"):
            wire.send(b"a")


def test_half_close_of_a_stream_that_is_gone_does_nothing() -> None:
    wire, sock = pair()
    AddressWire(sock).reset()
    with wire:
        with pytest.raises(ConnectionResetError):
            wire.receive(PATIENCE)
        wire.half_close()


@pytest.mark.parametrize("end", [AddressWire.close, AddressWire.reset])
def test_an_ended_wire_may_be_ended_again_and_sends_nothing(end: Callable[[AddressWire], None]) -> None:
    wire, sock = pair()
    with sock:
        end(wire)
        wire.close()
        wire.reset()
        wire.half_close()
        with pytest.raises(BrokenPipeError):
            wire.send(b"a")
        if end is AddressWire.close:
            assert sock.recv(1) == b""
        else:
            with pytest.raises(ConnectionResetError):
                sock.recv(1)
