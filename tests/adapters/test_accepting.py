"""Listening and accepting, on every backend: where, how many, and what if there is no room."""

from __future__ import annotations

import errno
import resource
import socket
from collections.abc import Callable
from contextvars import ContextVar

import anyio
import httpx
import pytest

from adapters.leaks import nothing_left
from adapters.peer import TICK, Peer, connect
from adapters.serving import App, Running, connected, serving
from spry_core import Limits, Request, Timeouts

pytestmark = pytest.mark.anyio

REQUEST = b"GET /hello/you HTTP/1.1\r\nHost: test\r\n\r\n"


async def ask(peer: Peer) -> None:
    """Have one request answered."""
    await peer.send(REQUEST)
    assert (await peer.receive_until(b"!")).endswith(b"\r\n\r\nHello, you!")


def is_silent(peer: Peer) -> bool:
    """Tell whether nothing has come, not even the end."""
    try:
        peer.socket.recv(1)
    except BlockingIOError:
        return True
    return False


async def fail_to_serve(port: int, host: str = "127.0.0.1") -> None:
    async with serving(App(), host, port):
        raise AssertionError("it serves")  # pragma: no cover - it must not


async def test_a_port_that_is_taken_is_an_error_of_the_block_and_leaves_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with nothing_left():
            with pytest.raises(OSError, match="Address already in use") as caught:
                await fail_to_serve(taken.getsockname()[1])
    assert caught.value.errno == errno.EADDRINUSE


@pytest.mark.parametrize("port", [-1, 65536, 65536 + 8000])
async def test_a_number_that_is_no_port_is_refused(port: int) -> None:
    """Resolvers take what is left of it in 16 bits."""
    with pytest.raises(ValueError, match="a port is a number from 0 to 65535, not"):
        await fail_to_serve(port)


async def test_a_port_can_be_taken_again_at_once() -> None:
    """The connections of the first server are still in TIME_WAIT (RFC 9293 §3.6.1)."""
    async with serving(App(), timeouts=Timeouts(linger=0.05)) as server:
        port = server.addresses[0][1]
        peer = await connected(server)
        await ask(peer)
    peer.socket.close()
    async with serving(App(), port=port) as server, await connected(server) as peer:
        assert server.addresses == [("127.0.0.1", port)]
        await ask(peer)


async def test_every_address_of_a_name_is_listened_on() -> None:
    async with serving(App(), "localhost") as server:
        assert {host for host, _ in server.addresses} <= {"127.0.0.1", "::1"}
        for host, port in server.addresses:
            where = f"[{host}]" if ":" in host else host
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"http://{where}:{port}/hello/you")).text == "Hello, you!"


async def test_no_name_stands_for_all_interfaces() -> None:
    async with serving(App(), "") as server:
        assert "0.0.0.0" in {host for host, _ in server.addresses}
        port = dict(server.addresses)["0.0.0.0"]
        async with await connect(("127.0.0.1", port)) as peer:
            await ask(peer)


def resolving_to(*hosts: str) -> Callable[..., list[tuple[int, int, int, str, tuple[str, int]]]]:
    """Make a resolver that gives these addresses for every name."""

    def getaddrinfo(
        host: str, port: int, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in hosts]

    return getaddrinfo


async def test_an_address_that_comes_twice_is_listened_on_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolving_to("127.0.0.1", "127.0.0.2", "127.0.0.1"))
        async with serving(App(), "twice.test") as server:
            assert [host for host, _ in server.addresses] == ["127.0.0.1", "127.0.0.2"]


async def test_an_address_that_this_machine_has_not_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 5737: 203.0.113.0/24 is nobody's."""
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolving_to("203.0.113.1", "127.0.0.1"))
        async with serving(App(), "half.test") as server:
            assert [host for host, _ in server.addresses] == ["127.0.0.1"]


async def test_a_name_of_which_this_machine_has_no_address_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolving_to("203.0.113.1", "203.0.113.2"))
        async with nothing_left():
            with pytest.raises(OSError, match="Cannot assign requested address"):
                await fail_to_serve(0, "elsewhere.test")


async def test_when_one_address_is_taken_none_stays_open(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken, monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolving_to("127.0.0.1", "127.0.0.2"))
        async with nothing_left():
            with pytest.raises(OSError, match="Address already in use"):
                await fail_to_serve(taken.getsockname()[1], "half.test")


async def test_connections_beyond_the_limit_wait_until_others_have_gone() -> None:
    async with serving(App(), limits=Limits(max_connections=2)) as server:
        first, second, third, fourth = [await connected(server) for _ in range(4)]
        async with first, second, third, fourth:
            await ask(first)
            await ask(second)
            for waiting in (third, fourth):
                await waiting.send(REQUEST)
            await ask(first)
            await ask(second)
            assert is_silent(third)
            assert is_silent(fourth)
            first.socket.close()
            assert (await third.receive_until(b"!")).endswith(b"Hello, you!")
            assert is_silent(fourth)
            second.socket.close()
            assert (await fourth.receive_until(b"!")).endswith(b"Hello, you!")


async def test_a_connection_that_makes_room_leaves_its_context_to_nobody() -> None:
    """Its timer was set by its handler, and the next connection is accepted because that timer has closed it."""
    user: ContextVar[str] = ContextVar("user", default="nobody")
    app = App()

    @app.get("/user/:name")
    def remember(request: Request) -> str:
        before = user.get()
        user.set(request.params["name"])
        return f"{before}!"

    limits, timeouts = Limits(max_connections=1), Timeouts(keep_alive=0.02, linger=0.02)
    async with serving(app, limits=limits, timeouts=timeouts) as server:
        async with await connected(server) as first, await connected(server) as second:
            for peer in (first, second):
                await peer.send(b"GET /user/somebody HTTP/1.1\r\nHost: test\r\n\r\n")
            for peer in (first, second):
                assert (await peer.receive_until(b"!")).endswith(b"\r\n\r\nnobody!")


async def test_a_server_that_is_full_can_be_closed() -> None:
    async with nothing_left():
        async with serving(App(), limits=Limits(max_connections=1), timeouts=Timeouts(linger=0.05)) as server:
            served = await connected(server)
            await ask(served)
            waiting = await connected(server)
        assert await served.receive_all() == b""
        with pytest.raises(ConnectionResetError):
            await waiting.receive_some()
        served.socket.close()
        waiting.socket.close()


def limit_descriptors(patch: pytest.MonkeyPatch, number: int) -> None:
    """Let the process seem to have this limit."""

    def getrlimit(which: int) -> tuple[int, int]:
        assert which == resource.RLIMIT_NOFILE
        return number, number

    patch.setattr(resource, "getrlimit", getrlimit)


async def test_a_fifth_of_the_descriptors_is_left_to_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        limit_descriptors(patch, 3)
        async with serving(App()) as server:
            first, second, third = [await connected(server) for _ in range(3)]
            async with first, second, third:
                await ask(first)
                await ask(second)
                await third.send(REQUEST)
                await ask(first)
                assert is_silent(third)


async def test_an_unlimited_number_of_descriptors_leaves_the_limit_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        limit_descriptors(patch, resource.RLIM_INFINITY)
        async with serving(App()) as server, await connected(server) as peer:
            await ask(peer)


class Failing:
    """An `accept` that fails as often as it is told."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.failures: list[int] = []
        self.accept = socket.socket.accept
        patch.setattr(socket.socket, "accept", self)

    def __get__(self, listener: socket.socket, owner: type[socket.socket]) -> Callable[[], object]:
        def accept() -> object:
            if self.failures:
                number = self.failures.pop(0)
                raise OSError(number, errno.errorcode[number])
            return self.accept(listener)

        return accept


async def count_refusals(server: Running, failing: Failing, failures: list[int]) -> None:
    """Be accepted in spite of these failures."""
    failing.failures = failures
    async with await connected(server) as peer:
        await ask(peer)
    assert failures == []


async def test_without_descriptors_accepting_pauses_and_says_so_once_in_a_bout(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        failing = Failing(patch)
        async with serving(App(), timeouts=Timeouts(accept_pause=0.02)) as server:
            begun = anyio.current_time()
            await count_refusals(server, failing, [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
            assert anyio.current_time() - begun >= 0.08 - TICK
            await count_refusals(server, failing, [errno.EMFILE, errno.EMFILE])
    lines = [record.getMessage() for record in caplog.records]
    assert lines == ["cannot accept connections, trying again every 0.02 s: [Errno 24] EMFILE"] * 2


async def test_a_server_that_pauses_can_be_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        failing = Failing(patch)
        async with nothing_left():
            async with serving(App(), timeouts=Timeouts(accept_pause=3600.0)) as server:
                failing.failures = [errno.EMFILE]
                peer = await connected(server)
                with anyio.fail_after(10):
                    while failing.failures:
                        await anyio.wait_all_tasks_blocked()
            peer.socket.close()


async def test_a_connection_that_was_aborted_before_it_was_accepted_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        failing = Failing(patch)
        async with serving(App(), timeouts=Timeouts(accept_pause=3600.0)) as server:
            await count_refusals(server, failing, [errno.ECONNABORTED, errno.EAGAIN, errno.EINTR])
    assert caplog.records == []


async def test_a_peer_that_is_gone_at_once_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with nothing_left():
        async with serving(App()) as server:
            for _ in range(20):
                (await connected(server)).reset()
            async with await connected(server) as peer:
                await ask(peer)
    assert caplog.records == []


async def test_a_socket_that_cannot_be_set_up_is_closed_and_the_server_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As some systems answer when the peer has reset the stream already."""
    with monkeypatch.context() as patch:
        setsockopt, faults = (
            socket.socket.setsockopt,
            [OSError(errno.EINVAL, "gone"), ZeroDivisionError("ours")],
        )

        def fail(sock: socket.socket, level: int, option: int, value: int | bytes) -> None:
            if option == socket.TCP_NODELAY and level == socket.IPPROTO_TCP and faults:
                raise faults.pop(0)
            setsockopt(sock, level, option, value)

        patch.setattr(socket.socket, "setsockopt", fail)
        async with nothing_left():
            async with serving(App()) as server:
                for _ in range(2):
                    async with await connected(server) as peer:
                        assert await peer.receive_all() == b""
                async with await connected(server) as peer:
                    await ask(peer)
    [record] = caplog.records
    assert record.getMessage() == "internal error: connection dropped"
    assert record.exc_info is not None
    assert repr(record.exc_info[1]) == "ZeroDivisionError('ours')"


async def test_a_session_that_cannot_be_reset_is_cut_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some systems do not let options be set on a stream that the peer has reset."""
    with monkeypatch.context() as patch:
        setsockopt = socket.socket.setsockopt

        def fail(sock: socket.socket, level: int, option: int, value: int | bytes) -> None:
            if option == socket.SO_LINGER:
                raise OSError(errno.EINVAL, "gone")
            setsockopt(sock, level, option, value)

        async with nothing_left():
            async with serving(App()) as server:
                peer = await connected(server)
                await ask(peer)
                patch.setattr(socket.socket, "setsockopt", fail)
                server.abort()
                assert await peer.receive_all() == b""
                peer.socket.close()


async def test_small_writes_are_not_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9293 §3.7.4: with Nagle's algorithm the second of two small writes would wait for an acknowledgement."""
    with monkeypatch.context() as patch:
        setsockopt, seen = socket.socket.setsockopt, list[tuple[int, int, object]]()

        def note(sock: socket.socket, level: int, option: int, value: int | bytes) -> None:
            seen.append((level, option, value))
            setsockopt(sock, level, option, value)

        async with serving(App()) as server, await connected(server) as peer:
            patch.setattr(socket.socket, "setsockopt", note)
            await ask(peer)
    assert (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1) in seen
