"""What only trio's server has to show; the rest is tested with every backend in `tests/adapters`."""

from __future__ import annotations

import socket
import threading

import pytest
import trio

from adapters.leaks import DESCRIPTORS
from adapters.peer import PATIENCE, Peer
from adapters.serving import upgraded
from frames import CLOSE_FRAME, TEXT, close_payload, frame
from spry_core import Application, Request, Timeouts, WebSocket
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


async def wait(ws: WebSocket, request: Request) -> None:
    """Be a handler that does nothing until the end."""
    await ws.closed


def test_everything_is_closed_when_it_is_cancelled_also_while_the_block_does_not_see_that() -> None:
    async def main() -> None:
        app = Application()
        app.ws("/", wait)
        with trio.CancelScope() as scope:
            async with serve(app, port=0) as server:
                peer = await upgraded(server, "/")
                scope.cancel()
                with trio.CancelScope(shield=True):
                    await peer.send(frame(CLOSE_FRAME, close_payload(1001)))
                    assert await peer.receive_all() == frame(CLOSE_FRAME, close_payload(1001), mask=None)
                    peer.socket.close()
        assert scope.cancelled_caught

    trio.run(main)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_process_is_let_out_of_a_callback_and_the_others_are_closed(
    error: type[BaseException],
) -> None:
    async def main() -> None:
        app = Application()
        app.ws("/wait", wait)

        @app.ws("/leave")
        def leave(ws: WebSocket, request: Request) -> None:
            def leave_now(message: str | bytes) -> None:
                raise error

            ws.listen(leave_now)

        async with serve(app, port=0, timeouts=Timeouts(close_timeout=0.1)) as server:
            peers.extend([await upgraded(server, "/wait"), await upgraded(server, "/leave")])
            await peers[1].send(frame(TEXT, b"now"))
            await trio.sleep(PATIENCE)

    async def see() -> None:
        assert await peers[0].receive(4) == frame(CLOSE_FRAME, close_payload(1001), mask=None)
        for peer in peers:
            peer.socket.close()

    peers: list[Peer] = []
    with pytest.raises(error):
        trio.run(main)
    trio.run(see)


def test_servers_in_two_threads_do_not_know_of_each_other() -> None:
    """What a leader works in is its own: a context can be entered by one thread at a time."""
    inside = threading.Barrier(2, timeout=PATIENCE)
    errors = list[BaseException]()

    def serve_in_a_thread() -> None:
        app = Application()

        @app.get("/")
        def meet(request: Request) -> str:
            inside.wait()  # both are in the middle of a request
            return "met"

        async def main() -> None:
            async with serve(app, port=0, access_log=False) as server:
                host, port = server.addresses[0]
                async with await trio.open_tcp_stream(host, port) as stream:
                    await stream.send_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                    with trio.fail_after(PATIENCE):
                        assert (await stream.receive_some()).endswith(b"\r\n\r\nmet")

        try:
            trio.run(main)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=serve_in_a_thread) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
