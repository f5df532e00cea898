from __future__ import annotations

import os
import socket

import pytest

from spry_cli.errors import CommandError
from spry_cli.inherited import drop_unwritable, fill_standard_descriptors, inherited


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


def test_what_nobody_reads_any_more_is_dropped() -> None:
    """Else the interpreter's last flush fails, and the exit status is 120."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        os.close(reader)
        stream.write("a line\n")
        drop_unwritable(None, stream)
        assert os.fstat(stream.fileno()).st_rdev == os.stat(os.devnull).st_rdev
        stream.flush()


def test_what_can_be_written_is() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as read, os.fdopen(writer, "w", encoding="utf-8") as stream:
        stream.write("a line\n")
        drop_unwritable(stream)
        assert read.readline() == "a line\n"


def test_what_an_application_has_closed_is_left_alone() -> None:
    """Python says nothing of it at the end of the process either."""
    with open(os.devnull, "w", encoding="utf-8") as stream:
        descriptor = stream.fileno()
    drop_unwritable(stream)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_standard_descriptors_that_are_closed_become_the_null_device() -> None:
    """Else the first sockets get their numbers: libuv aborts when it closes one, and what a library prints goes to a peer."""
    kept = {number: os.dup(number) for number in (0, 2)}
    try:
        os.close(0)
        os.close(2)
        fill_standard_descriptors()
        devices = [os.fstat(number).st_rdev for number in (0, 2)]
    finally:
        for number, copy in kept.items():
            os.dup2(copy, number)
            os.close(copy)
    assert devices == [os.stat(os.devnull).st_rdev] * 2


def test_where_all_standard_descriptors_are_open_nothing_changes() -> None:
    before = [os.fstat(number) for number in range(3)]
    free = os.dup(0)
    os.close(free)
    fill_standard_descriptors()
    again = os.dup(0)
    os.close(again)
    assert ([os.fstat(number).st_ino for number in range(3)], again) == (
        [each.st_ino for each in before],
        free,
    )
