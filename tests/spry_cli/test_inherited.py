from __future__ import annotations

import os
import socket

import pytest

from spry_cli.errors import CommandError
from spry_cli.inherited import inherited


def test_a_listening_socket_is_taken_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as own:
        address = own.getsockname()
        number = own.detach()
    with inherited(number) as taken:
        assert (taken.fileno(), taken.getsockname(), taken.family) == (number, address, socket.AF_INET)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(number)


def refusal(number: int) -> str:
    with pytest.raises(CommandError) as caught:
        inherited(number)
    return str(caught.value)


def test_what_is_no_socket_is_refused_and_left_open() -> None:
    reader, writer = os.pipe()
    try:
        assert refusal(reader) == f"descriptor {reader} is no socket of this process"
        assert os.fstat(reader).st_ino == os.fstat(writer).st_ino
    finally:
        os.close(reader)
        os.close(writer)
    assert refusal(reader) == f"descriptor {reader} is no socket of this process"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_that_does_not_listen_is_refused_and_left_open(kind: socket.SocketKind) -> None:
    with socket.socket(type=kind) as own:
        assert refusal(own.fileno()) == f"descriptor {own.fileno()} is a socket that does not listen"
        assert own.type == kind
        assert os.fstat(own.fileno())
