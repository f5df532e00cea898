"""Unix sockets, sockets that are given, one port for several addresses: where a server listens, on every backend."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from adapters.leaks import nothing_left
from adapters.peer import Peer, connect
from adapters.serving import App, Running, dateless, handshake, serving
from frames import TEXT, frame
from spry_core import Limits, Request, Timeouts

pytestmark = pytest.mark.anyio

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 11\r\n\r\nHello, you!"
)


def connect_to(path: str) -> Peer:
    """Connect to a unix socket."""
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.connect(path)
    except OSError:
        sock.close()
        raise
    return Peer(sock)


async def ask(peer: Peer) -> None:
    """Have one request answered."""
    await peer.send(b"GET /hello/you HTTP/1.1\r\nHost: test\r\n\r\n")
    assert dateless(await peer.receive_until(b"!")) == ANSWER


async def fail_to_serve(uds: str | None = None, *sockets: socket.socket, port: int = 0) -> None:
    async with serving(App(), port=port, uds=uds, sockets=sockets):
        raise AssertionError("it serves")  # pragma: no cover - it must not


# Unix sockets


async def test_a_unix_socket_is_made_served_and_removed(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    app = App()

    @app.get("/who")
    async def who(request: Request) -> str:
        return f"{request.scheme} {request.peer}"

    async with nothing_left():
        async with serving(app, uds=path, timeouts=Timeouts(linger=0.05)) as server:
            assert (server.addresses, server.paths) == ([], [path])
            status = os.stat(path)
            assert stat.S_ISSOCK(status.st_mode)
            assert stat.S_IMODE(status.st_mode) == 0o666
            async with connect_to(path) as peer:
                await ask(peer)
                await peer.send(b"GET /who HTTP/1.1\r\nHost: test\r\n\r\n")
                assert (await peer.receive_until(b"unix")).endswith(b"\r\n\r\nhttp unix")
                await peer.send(handshake("/echo"))
                await peer.receive_until(b"\r\n\r\n")
                await peer.send(frame(TEXT, b"hello"))
                assert await peer.receive(7) == frame(TEXT, b"hello", mask=None)
                peer.reset()
        assert os.listdir(tmp_path) == []


async def test_the_path_of_a_peer_stands_in_the_log_on_one_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, theirs = str(tmp_path / "app.sock"), str(tmp_path / "a\nb")
    async with serving(App(), uds=path, timeouts=Timeouts(linger=0.05)):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(theirs)
        sock.connect(path)
        async with Peer(sock) as peer:
            await peer.send(b"nonsense\r\n\r\n")
            assert (await peer.receive_all()).startswith(b"HTTP/1.1 400 ")
    [line] = [record.getMessage() for record in caplog.records if record.name == "spry.error"]
    assert line.startswith(f"unix:{tmp_path}/a?b: ")


async def test_the_file_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
        dead.listen()
    async with serving(App(), uds=path):
        async with connect_to(path) as peer:
            await ask(peer)
    assert os.listdir(tmp_path) == []


async def test_the_file_of_a_living_server_is_left_alone(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    async with serving(App(), uds=path):
        with pytest.raises(OSError, match="Address already in use") as caught:
            await fail_to_serve(path)
        assert caught.value.errno == errno.EADDRINUSE
        async with connect_to(path) as peer:
            await ask(peer)


async def test_a_server_whose_backlog_is_full_is_alive(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as full, socket.socket(socket.AF_UNIX) as first:
        full.bind(path)
        full.listen(0)
        first.connect(path)
        with pytest.raises(OSError, match="Address already in use"):
            await fail_to_serve(path)


async def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("precious")
    async with nothing_left():
        with pytest.raises(OSError, match="Address already in use"):
            await fail_to_serve(str(path))
    assert path.read_text() == "precious"


async def test_a_directory_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    async with nothing_left():
        with pytest.raises(FileNotFoundError):
            await fail_to_serve(str(tmp_path / "nowhere" / "app.sock"))


async def test_the_file_of_another_server_is_not_removed(tmp_path: Path) -> None:
    """Somebody moved ours away, and another server has put its own there."""
    path = tmp_path / "app.sock"
    async with serving(App(), uds=str(path)):
        path.rename(tmp_path / "old.sock")
        path.write_text("another's")
    assert path.read_text() == "another's"


async def test_a_file_that_is_gone_already_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "app.sock"
    async with serving(App(), uds=str(path)):
        path.unlink()
    assert os.listdir(tmp_path) == []


async def test_the_file_is_removed_also_when_the_process_has_gone_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with serving(App(), uds="app.sock") as server:
        assert server.paths == ["app.sock"]
        monkeypatch.chdir("/")
    assert os.listdir(tmp_path) == []


async def test_a_socket_that_cannot_be_finished_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: str, mode: int) -> None:
        raise PermissionError(errno.EPERM, "not permitted", path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "chmod", refuse)
        async with nothing_left():
            with pytest.raises(PermissionError):
                await fail_to_serve(str(tmp_path / "app.sock"))
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "abort") or os.uname().sysname != "Linux", reason="Linux alone has them")
async def test_a_name_in_the_kernels_table_has_no_file() -> None:
    name = f"\0spry {os.getpid()}"
    async with serving(App(), uds=name) as server:
        assert server.paths == [name]
        async with connect_to(name) as peer:
            await ask(peer)
        with pytest.raises(OSError, match="Address already in use"):
            await fail_to_serve(name)


# Sockets that are given


async def test_given_sockets_are_served_together_and_closed_at_the_end(tmp_path: Path) -> None:
    """One is only bound, one listens already, as systemd's do."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    listening = socket.create_server(("127.0.0.1", 0))
    path = str(tmp_path / "given.sock")
    unix = socket.socket(socket.AF_UNIX)
    unix.bind(path)
    addresses = [bound.getsockname(), listening.getsockname()]
    async with serving(App(), sockets=[bound, unix, listening], timeouts=Timeouts(linger=0.05)) as server:
        assert (server.addresses, server.paths) == (addresses, [path])
        for address in addresses:
            async with await connect(address) as peer:
                await ask(peer)
        async with connect_to(path) as peer:
            await ask(peer)
    assert [each.fileno() for each in (bound, listening, unix)] == [-1, -1, -1]
    assert os.path.exists(path)  # whoever made it removes it


async def test_a_unix_socket_may_stand_beside_those_that_are_given(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")
    given = socket.create_server(("127.0.0.1", 0))
    async with serving(App(), uds=path, sockets=[given]) as server:
        assert (server.addresses, server.paths) == ([given.getsockname()], [path])
        async with connect_to(path) as peer:
            await ask(peer)


def unbound() -> socket.socket:
    return socket.socket()


def datagrams() -> socket.socket:
    return socket.socket(type=socket.SOCK_DGRAM)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (unbound, "the socket is not bound to a port"),
        (datagrams, "a stream socket, not from SOCK_DGRAM"),
    ],
)
async def test_a_socket_of_the_wrong_kind_is_refused_and_all_are_closed(
    make: Callable[[], socket.socket], why: str
) -> None:
    async with nothing_left():
        right, wrong = socket.create_server(("127.0.0.1", 0)), make()
        with pytest.raises(ValueError, match=why):
            await fail_to_serve(None, right, wrong)
        assert (right.fileno(), wrong.fileno()) == (-1, -1)


# Several addresses


def resolving_to(*families: socket.AddressFamily) -> Callable[..., list[tuple[int, int, int, str, object]]]:
    """Make a resolver that gives the loopback addresses of these families for every name."""

    def getaddrinfo(
        host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[int, int, int, str, object]]:
        where = {socket.AF_INET: ("127.0.0.1", port), socket.AF_INET6: ("::1", port, 0, 0)}
        return [(each, socket.SOCK_STREAM, 6, "", where[each]) for each in families]

    return getaddrinfo


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@needs_ipv6
async def test_a_literal_of_ipv6_is_an_address() -> None:
    async with serving(App(), "::1") as server:
        [(host, port)] = server.addresses
        assert host == "::1"
        sock = socket.socket(socket.AF_INET6)
        sock.connect((host, port))
        async with Peer(sock) as peer:
            await ask(peer)


@needs_ipv6
async def test_a_free_port_is_the_same_for_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolving_to(socket.AF_INET6, socket.AF_INET))
        async with serving(App(), "both.test") as server:
            [(first, port), (second, same)] = server.addresses
            assert (first, second) == ("::1", "127.0.0.1")
            assert port == same


class Taken:
    """`socket.create_server` that finds ports taken, so many times, where one is asked for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self._create, self._left = socket.create_server, times
        monkeypatch.setattr(socket, "create_server", self)

    def __call__(self, address: tuple[str, int], *, family: int, backlog: int) -> socket.socket:
        if address[1] and self._left:
            self._left -= 1
            raise OSError(errno.EADDRINUSE, "Address already in use")
        return self._create(address, family=family, backlog=backlog)


def two_addresses(host: str, port: int, *_: object, **__: object) -> list[tuple[int, int, int, str, object]]:
    return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in ("127.0.0.1", "127.0.0.2")]


async def test_a_free_port_that_is_taken_at_another_address_is_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", two_addresses)
        Taken(patch, 15)
        async with serving(App(), "two.test") as server:
            [(_, port), (_, same)] = server.addresses
            assert port == same


async def test_it_is_not_tried_for_ever_nor_for_a_port_that_was_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other, monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", two_addresses)
        async with nothing_left():
            Taken(patch, 16)
            with pytest.raises(OSError, match="Address already in use"):
                await fail_to_serve()
            Taken(patch, 1)
            with pytest.raises(OSError, match="Address already in use"):
                await fail_to_serve(port=other.getsockname()[1])


async def test_the_kernel_keeps_as_many_clients_waiting_as_the_backlog_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[int] = []

    class Listening(socket.socket):
        def listen(self, backlog: int = 0, /) -> None:
            seen.append(backlog)
            super().listen(backlog)

    given = Listening()
    given.bind(("127.0.0.1", 0))
    async with serving(App(), sockets=[given]):
        assert seen == [2048]


async def test_the_backlog_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    create_server = socket.create_server

    def note(address: tuple[str, int], *, family: int, backlog: int) -> socket.socket:
        seen.append(backlog)
        return create_server(address, family=family, backlog=backlog)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "create_server", note)
        async with serving(App(), limits=Limits(backlog=7)):
            assert seen == [7]


async def test_closing_in_the_block_removes_the_file_at_once(tmp_path: Path) -> None:
    path = str(tmp_path / "app.sock")

    async def gone(server: Running) -> bool:
        await server.close()
        return not os.path.exists(path)

    async with serving(App(), uds=path) as server:
        with anyio.fail_after(10):
            assert await gone(server)
