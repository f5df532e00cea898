"""What only trio's server has to show; the rest is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import socket
import threading

import pytest
import trio

from adapters.leaks import DESCRIPTORS
from spry_core import Application
from spry_trio import RunningServer, serve


def test_a_server_starts_no_thread_and_leaves_no_descriptor() -> None:
    """Outside of anyio's plugin, which runs trio as the guest of another loop with threads of its own."""

    async def main() -> None:
        threads, descriptors = threading.enumerate(), len(list(DESCRIPTORS.iterdir()))
        async with serve(Application(), port=0):
            assert threading.enumerate() == threads
        assert threading.enumerate() == threads
        assert len(list(DESCRIPTORS.iterdir())) == descriptors

    trio.run(main)


def test_a_server_that_closes_while_accepting_is_being_woken_accepts_no_more(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The listening socket is closed by then, and its number may be another's."""
    wait_readable, servers = trio.lowlevel.wait_readable, list[RunningServer]()

    async def closed_meanwhile(sock: socket.socket) -> None:
        await wait_readable(sock)
        servers[0].shut_down()

    async def main() -> None:
        async with serve(Application(), port=0) as server:
            servers.append(server)
            with socket.create_connection(server.addresses[0]):
                await trio.testing.wait_all_tasks_blocked()

    with monkeypatch.context() as patch:
        patch.setattr(trio.lowlevel, "wait_readable", closed_meanwhile)
        trio.run(main)
    assert caplog.records == []
