"""Faults below and inside TLS, on every backend: cut at every byte of the handshake, floods, errors of calls, cancellation."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import anyio
import pytest

from adapters.failing import ERRORS, Failures
from adapters.faults import Countdown, counting
from adapters.leaks import nothing_left
from adapters.peer import PATIENCE, Peer, connect
from adapters.secure_peer import SecurePeer, secured, upgrade
from adapters.serving import App, Running, dateless, serving
from frames import TEXT, frame
from secure import TLS12, VERSIONS, server_context
from spry_core import Timeouts

pytestmark = pytest.mark.anyio

SHORT: Final = Timeouts(tls_handshake=5.0, linger=0.02, close_timeout=0.05, write=0.2, keep_alive=0.2)
REQUEST: Final = b"GET /hello/you HTTP/1.1\r\nHost: test\r\n\r\n"
MOST_STEPS: Final = 60
"""Steps of the loop beyond which it is no conversation any more."""

FLOOD: Final = 32 * 1024 * 1024
by_version = pytest.mark.parametrize("version", VERSIONS, ids=["1.2", "1.3"])


async def see_it_serve(server: Running) -> None:
    """See that the next connection is answered."""
    async with secured(server) as peer:
        await peer.send(REQUEST)
        assert dateless(await peer.receive_until(b"!")).endswith(b"\r\n\r\nHello, you!")


class Rationed(SecurePeer):
    """A peer that breaks off when it has said so many bytes."""

    def __init__(self, peer: Peer, left: int, leave: Callable[[Peer], None]) -> None:
        super().__init__(peer.socket)
        self._left, self._leave = left, leave
        self.said = 0

    async def say(self, data: bytes) -> None:
        self.said += len(data)
        await super().say(data[: self._left])
        self._left -= len(data)
        if self._left <= 0:
            self._leave(self.raw)
            raise EOFError


@by_version
@pytest.mark.parametrize("leave", [Peer.reset, Peer.end])
async def test_a_handshake_that_breaks_off_at_any_point_costs_one_line_at_most(
    version: ssl.TLSVersion, leave: Callable[[Peer], None], caplog: pytest.LogCaptureFixture
) -> None:
    async with nothing_left():
        async with serving(App(), ssl_context=server_context(version), timeouts=SHORT) as server:
            left, tried, is_through = 1, 0, False
            while not is_through:
                async with Rationed(await connect(server.addresses[0]), left, leave) as peer:
                    with suppress(EOFError):
                        await peer.shake_hands()
                        is_through = True
                    if leave is Peer.end and not is_through:
                        with suppress(ConnectionResetError):
                            await peer.raw.receive_all()
                left, tried = left + 61, tried + 1
            assert tried > 5
            await see_it_serve(server)
    lines = [record.getMessage() for record in caplog.records if record.name == "spry.error"]
    assert len(lines) <= tried
    assert all(len(line) <= 200 for line in lines)
    assert all(record.exc_info is None for record in caplog.records)


async def flood(peer: Peer, data: bytes) -> None:
    """Say it again and again, more than anybody keeps."""
    for _ in range(FLOOD // len(data)):
        await peer.send(data)


@pytest.mark.parametrize(
    "record",
    [
        b"\x16\x03\x01\x40\x00\x01\xff\xff\xff" + b"\0" * 16380,  # a ClientHello of 16 MiB (RFC 8446 §4)
        b"\x16\x03\x01\x00\x01\x01",  # one byte of a handshake in each record (RFC 8446 §5.1)
        b"\x15\x03\x01\x00\x02\x01\x5a",  # warnings (RFC 8446 §6)
        b"\x14\x03\x01\x00\x01\x01",  # change_cipher_spec (RFC 8446 §5)
        b"\x17\x03\x03\x40\x00" + b"\0" * 16384,  # application data, before there is a key
    ],
    ids=["hello", "bytes", "warnings", "ccs", "data"],
)
async def test_a_flood_before_the_handshake_is_cut_and_never_kept(record: bytes) -> None:
    async with nothing_left():
        async with serving(App(), ssl_context=server_context(), timeouts=SHORT) as server:
            async with await connect(server.addresses[0]) as peer:
                with pytest.raises(ConnectionError):
                    await flood(peer, record * 64)
            await see_it_serve(server)


async def converse(server: Running) -> None:
    """Be a client of one WebSocket over TLS."""
    async with secured(server) as peer:
        await upgrade(peer, "/echo")
        for text in (b"one", b"two"):
            await peer.send(frame(TEXT, text))
            await peer.receive(5)
        await peer.end_politely()
        await peer.receive_all()


@pytest.mark.parametrize("call", ["recv", "recv_into", "send", "shutdown"])
async def test_an_error_of_any_call_below_tls_ends_one_connection_and_nothing_else(
    call: str, caplog: pytest.LogCaptureFixture
) -> None:
    failures = Failures()
    with failures.in_accepted_sockets():
        async with nothing_left():
            async with serving(App(), ssl_context=server_context(TLS12), timeouts=SHORT) as server:
                for number in ERRORS:
                    at, made = 1, 1
                    while at <= made:
                        failures.arm(call, at, number)
                        with suppress(ConnectionError, AssertionError, ssl.SSLError):
                            await converse(server)
                        made, at = failures.counts.get(call, 0), at + 1
                        failures.arm("", 0, 0)
                        await see_it_serve(server)
    assert [record for record in caplog.records if record.exc_info is not None] == []


async def serve_until_cancelled(steps: int) -> int:
    """Serve over TLS, cancelled from outside at that step; return how many steps were left."""
    cancelled, ended = anyio.CancelScope(), anyio.Event()
    countdown = Countdown(steps, cancelled.cancel)

    async def be_client(server: Running) -> None:
        with suppress(ConnectionError, AssertionError, ssl.SSLError):
            await converse(server)
        ended.set()

    async with nothing_left(), anyio.create_task_group() as tasks:
        with counting(countdown), cancelled:
            async with serving(
                App(), ssl_context=server_context(), timeouts=SHORT, access_log=False
            ) as server:
                tasks.start_soon(be_client, server)
                with anyio.fail_after(PATIENCE):
                    await ended.wait()
    return countdown.left


async def test_a_server_that_is_cancelled_at_any_step_of_tls_leaves_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    steps, left = 0, 0
    while left <= 0 and steps < MOST_STEPS:
        steps += 1
        left = await serve_until_cancelled(steps)
    assert steps > 5
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
