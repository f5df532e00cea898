"""Sockets to listen on, without an event loop; `tests/adapters/test_listening.py` serves on them."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from spry_system import (
    Found,
    Listener,
    address_text,
    internet_addresses,
    listeners,
    local_text,
    open_listeners,
    unix_paths,
)


async def unasked(host: str, port: int) -> Found:
    raise AssertionError((host, port))


def opened(
    host: str = "127.0.0.1",
    port: int = 0,
    uds: str | None = None,
    sockets: Sequence[socket.socket] = (),
    *,
    names: dict[str, list[str]] | None = None,
) -> list[Listener]:
    """Open them, with a resolver that knows these names."""

    async def ask(host: str, port: int) -> Found:
        assert names is not None
        return [(family_of(each), socket.SOCK_STREAM, 6, "", (each, port)) for each in names[host]]

    return asyncio.run(open_listeners(host, port, uds, sockets, 5, unasked if names is None else ask))


def family_of(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def close(found: list[Listener]) -> None:
    for each in found:
        each.close()


def test_an_address_needs_no_resolver() -> None:
    found = opened()
    ((host, port),) = internet_addresses(found)
    assert (host, port > 0, unix_paths(found)) == ("127.0.0.1", True, [])
    assert found[0].socket.getblocking() is False
    with socket.create_connection((host, port)):
        pass
    close(found)


def test_a_name_is_listened_on_at_each_address_once_with_one_port_for_all() -> None:
    found = opened("name.test", names={"name.test": ["127.0.0.1", "127.0.0.2", "127.0.0.1"]})
    addresses = internet_addresses(found)
    assert [host for host, _ in addresses] == ["127.0.0.1", "127.0.0.2"]
    assert len({port for _, port in addresses}) == 1
    close(found)


def test_addresses_that_the_machine_does_not_have_are_passed_over() -> None:
    found = opened(
        "name.test", names={"name.test": ["192.0.2.1", "127.0.0.1"]}
    )  # RFC 5737: nobody has the first
    assert [host for host, _ in internet_addresses(found)] == ["127.0.0.1"]
    close(found)


def test_none_of_them_is_an_error() -> None:
    with pytest.raises(OSError, match=r"assign") as caught:
        opened("name.test", names={"name.test": ["192.0.2.1"]})
    assert caught.value.errno == errno.EADDRNOTAVAIL


def test_a_port_that_is_taken_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=r"in use"):
            opened("name.test", port, names={"name.test": ["127.0.0.1", "127.0.0.2"]})
        close(opened("127.0.0.1", port))  # the first of the two was closed again


def test_a_free_port_is_looked_for_until_it_is_free_in_every_family(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []
    real = listeners.listen_on

    def listen_on(
        addresses: Sequence[tuple[int, listeners.Address]], port: int, backlog: int
    ) -> list[Listener]:
        tries.append(port)
        if len(tries) < 3:
            raise OSError(errno.EADDRINUSE, "taken in the second family")
        return real(addresses, port, backlog)

    monkeypatch.setattr(listeners, "listen_on", listen_on)
    close(opened())
    assert tries == [0, 0, 0]


def test_at_last_the_search_for_a_free_port_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def listen_on(
        addresses: Sequence[tuple[int, listeners.Address]], port: int, backlog: int
    ) -> list[Listener]:
        tries.append(port)
        raise OSError(errno.EADDRINUSE, "in use")

    monkeypatch.setattr(listeners, "listen_on", listen_on)
    with pytest.raises(OSError, match="in use"):
        opened()
    assert len(tries) == listeners.ATTEMPTS


@pytest.mark.parametrize("port", [-1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ValueError, match=rf"^a port is a number from 0 to 65535, not {port}$"):
        opened(port=port)


def test_a_unix_socket_is_made_for_everybody_and_its_file_goes_with_it(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    found = opened(uds=path)
    assert (unix_paths(found), internet_addresses(found)) == ([path], [])
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o666
    close(found)
    assert not os.path.exists(path)


def test_the_file_of_another_server_stays(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    found = opened(uds=path)
    os.unlink(path)
    successor = opened(uds=path)
    close(found)
    assert os.path.exists(path)
    close(successor)


def test_a_file_that_somebody_has_removed_is_missed_by_nobody(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    found = opened(uds=path)
    os.unlink(path)
    close(found)
    assert found[0].socket.fileno() == -1


def test_a_dead_servers_file_is_replaced_and_a_living_ones_is_not(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    found = opened(uds=path)
    with pytest.raises(OSError, match=r"in use"):
        opened(uds=path)
    close(found)


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    path.write_text("mine")
    with pytest.raises(OSError, match=r"in use"):
        opened(uds=str(path))
    assert path.read_text() == "mine"


def test_a_name_without_a_file_has_none_to_remove() -> None:
    name = f"\0spry-test-{os.getpid()}"
    found = opened(uds=name)
    assert (unix_paths(found), found[0].file) == ([name], None)
    with pytest.raises(OSError, match=r"in use"):
        opened(uds=name)
    close(found)


def test_a_socket_that_is_given_is_listened_on() -> None:
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    found = opened(sockets=[bound])
    assert found[0].socket is bound
    assert bound.getblocking() is False
    close(found)
    assert bound.fileno() == -1


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [(socket.SOCK_STREAM, "the socket is not bound to a port"), (socket.SOCK_DGRAM, "not from SOCK_DGRAM")],
)
def test_a_socket_that_will_not_do_is_refused_and_closed(kind: socket.SocketKind, complaint: str) -> None:
    given = socket.socket(socket.AF_INET, kind)
    with pytest.raises(ValueError, match=complaint):
        opened(sockets=[given])
    assert given.fileno() == -1


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("127.0.0.1", 80), "127.0.0.1:80"),
        (("::1", 80, 0, 0), "[::1]:80"),
        ("/run/app.sock", "unix:/run/app.sock"),
        (b"\0name", "unix:?name"),
        ("", "unix"),
    ],
)
def test_an_address_is_written_for_a_log(address: listeners.Address | str | bytes, text: str) -> None:
    assert address_text(address) == text
    assert local_text(address) == text
    assert local_text(address) is local_text(address)
