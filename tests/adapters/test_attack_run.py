"""An attack run against a live server: every hostile row that there is, on every backend with sockets, and every third over TLS.

What a peer does wrong makes at most one line of 200 bytes and no traceback, the server answers a healthy client all the time,
and when all have gone it holds no descriptor more than before.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Final

import anyio
import pytest

from abuses import LIMITS as BROKEN_LIMITS
from abuses import ROWS
from adapters.leaks import DESCRIPTORS, nothing_left
from adapters.peer import PATIENCE, Peer
from adapters.secure_peer import SecurePeer, secured
from adapters.serving import Running, connected, dateless, serving
from ambiguous.corpus import REQUESTS
from frames import CLOSE_FRAME, close_payload, frame
from handshakes import EXTENSIONS, NOISE, ODD, PROTOCOL, filled, shake
from secure import client_context, server_context
from spry_core import Application, Limits, Request, Timeouts, WebSocket

pytestmark = pytest.mark.anyio

CROWD: Final = 25
"""Attackers at a time."""
SILENT: Final = 8
"""One of so many does it again, and then is silent until the server has had enough."""
SECURE: Final = 3
"""One of so many is tried over TLS too, whose handshakes cost more than all the rest."""
LONGEST: Final = 200
"""Bytes of a line in the log."""
LIMITS: Final = Limits(
    max_message_size=BROKEN_LIMITS.max_message_size, max_fragments=BROKEN_LIMITS.max_fragments
)
SHORT: Final = Timeouts(
    head=1.0,
    body=1.0,
    keep_alive=1.0,
    linger=0.2,
    opening=1.0,
    write=1.0,
    ping_interval=0.5,
    ping_timeout=0.5,
    close_timeout=0.2,
)
HEALTHY: Final = b"GET /healthy HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
WELL: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 4\r\nConnection: close\r\n\r\nwell"


@dataclass(frozen=True)
class Attack:
    """What one peer sends, and what must be in the answer, if anything must."""

    name: str
    data: bytes
    answer: bytes = b""
    opening: bytes = b""
    """An opening handshake before it, to which it gets a 101."""
    below_tls: bool = False
    """True if it is sent in place of a TLS handshake."""


def websocket_attacks() -> Iterator[Attack]:
    for name, row in ROWS.items():
        opening = shake(*([(EXTENSIONS, b"permessage-deflate")] if row.deflates else []), target=b"/ws")
        closing = frame(CLOSE_FRAME, close_payload(row.code), mask=None)
        yield Attack(name, row.frames, closing, opening)


def http_attacks() -> Iterator[Attack]:
    for name, case in REQUESTS.items():
        status = b"" if case.refused is None else b"HTTP/1.1 %d " % case.refused.status_code
        yield Attack(name, case.data, status)


def handshake_attacks() -> Iterator[Attack]:
    for name, unit in NOISE.items():
        for field in (EXTENSIONS, PROTOCOL):
            status = b"HTTP/1.1 431 " if 3 * filled(unit).count(b",") >= 100 else b"HTTP/1.1 101 "
            yield Attack(name, shake(*[(field, filled(unit))] * 3, target=b"/ws"), status)
        yield Attack(name, shake(*[(b"Cookie", filled(unit))] * 5, target=b"/ws"), b"HTTP/1.1 431 ")
    for name, odd in ODD.items():
        yield Attack(name, shake(target=b"/ws", upgrade=odd), b"HTTP/1.1 200 ")  # by the GET route
        yield Attack(name, shake(target=b"/ws", sec_websocket_key=odd), b"HTTP/1.1 400 ")
        yield Attack(name, shake((b"Origin", odd), target=b"/ws"), b"HTTP/1.1 403 ")
        yield Attack(name, shake((PROTOCOL, odd), target=b"/ws"), b"HTTP/1.1 101 ")
        yield Attack(name, shake(target=b"/" + odd), b"HTTP/1.1 400 ")


def nonsense() -> Iterator[Attack]:
    """Bytes of other protocols, floods, and what looks like a terminal's commands."""
    for name, data in {
        "a ClientHello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
        "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9),
        "SSH": b"SSH-2.0-OpenSSH_9.6\r\n",
        "SMTP": b"EHLO example.org\r\nMAIL FROM:<a@example.org>\r\n",
        "a terminal's commands": b"\x1b[2J\x1b]0;owned\x07 / HTTP/1.1\r\n\r\n",
        "lines for the log": b"GET /\r\n2026-01-01 INFO all is well\r\n\r\n",
        "every byte": bytes(range(256)) * 4,
        "64 KiB without a line": b"a" * 65536,
        "64 KiB of empty lines": b"\r\n" * 32768,
        "a shell": b"GET /%24%28reboot%29 HTTP/1.1\r\nHost: $(reboot)\r\n\r\n",
        "a query for a log": b"GET /?%s HTTP/1.1\r\nHost: t\r\nHost: u\r\n\r\n" % (b"${jndi:ldap://x}" * 100),
    }.items():
        yield Attack(name, data)
    yield Attack("frames without a handshake", frame(0x1, b"hello") * 10, b"HTTP/1.1 400 ")
    yield Attack("a handshake and nonsense", shake(target=b"/ws") + b"\xff" * 1000, b"HTTP/1.1 101 ")


ATTACKS: Final = [*websocket_attacks(), *http_attacks(), *handshake_attacks(), *nonsense()]


def application() -> Application:
    """Answer everything that can be answered, and echo what can be heard."""
    app = Application()

    @app.get("/healthy")
    async def well(request: Request) -> str:
        return "well"

    async def content(request: Request) -> bytes:
        return await request.read()

    async def nothing(request: Request) -> str:
        return ""

    async def echo(ws: WebSocket, request: Request) -> None:
        async for message in ws:
            await ws.send(message)

    for path in ("/", "/next", "/**"):
        app.get(path, nothing)
        app.post(path, content)
    app.ws("/ws", echo, compression=True)
    return app


class Run:
    """One run of attacks: who they were, and what went wrong."""

    def __init__(self, server: Running, attacks: Sequence[Attack], context: ssl.SSLContext | None) -> None:
        """Attack over TLS if there is a `context`."""
        self.server = server
        self.attacks = attacks
        self.context = context
        self.attackers: dict[str, list[str]] = {}
        """What each address has sent; the kernel gives one again when it is free."""
        self.wrong: list[str] = []

    async def attack(self, attack: Attack, ending: str) -> None:
        """Connect, send it, and leave: by the end of the stream, by a reset, or not at all."""
        async with self.connection(is_bare=attack.below_tls) as peer:
            address = "{}:{}".format(*peer.socket.getsockname())
            self.attackers.setdefault(address, []).append(attack.name)
            if attack.opening:
                await peer.send(attack.opening)
                head = await peer.receive_until(b"\r\n\r\n")
                assert head.startswith(b"HTTP/1.1 101 "), head
            with suppress(ConnectionError):
                await peer.send(attack.data)
            if ending == "reset":
                peer.reset()
                return
            if ending == "end":
                with suppress(OSError):
                    await end(peer)
            await self.hear(peer, attack, ending)

    @asynccontextmanager
    async def connection(self, *, is_bare: bool = False) -> AsyncGenerator[Peer]:
        """Connect, and go through a TLS handshake if the server wants one, unless `is_bare`."""
        if self.context is None or is_bare:
            async with await connected(self.server) as peer:
                yield peer
        else:
            async with secured(self.server, self.context) as peer:
                yield peer

    async def hear(self, peer: Peer, attack: Attack, ending: str) -> None:
        """Take the answer; where one is due, it has come in full before the end of the stream. Who stays too long is sent
        away in whatever way.
        """
        answer = bytearray()
        try:
            while some := await peer.receive_some():
                answer += some
        except ConnectionError:
            if ending == "end":
                self.wrong.append(f"{attack.name}: reset")
        if ending == "end" and attack.answer not in answer:
            self.wrong.append(f"{attack.name}: {bytes(answer[-100:])!r}")

    async def look(self) -> None:
        """See that a healthy client is answered."""
        async with self.connection() as peer:
            await peer.send(HEALTHY)
            assert dateless(await peer.receive_all()) == WELL

    async def all(self) -> None:
        for start in range(0, len(self.attacks), CROWD):
            endings = [("end", "end", "reset")[i % 3] for i in range(start, start + CROWD)]
            await self.crowd(list(zip(self.attacks[start : start + CROWD], endings, strict=False)))

    async def silence(self) -> None:
        """Attack, and then neither end nor say anything more."""
        await self.crowd([(attack, "silence") for attack in self.attacks[::SILENT]])

    async def crowd(self, attacks: list[tuple[Attack, str]]) -> None:
        """Let them attack at once, and a healthy client ask among them."""
        async with anyio.create_task_group() as group:
            for attack, ending in attacks:
                group.start_soon(self.attack, attack, ending)
            group.start_soon(self.look)

    async def gone(self, descriptors: int) -> None:
        """Wait until the server has let go of all of them; each look gives it a turn."""
        with anyio.fail_after(PATIENCE):
            while len(os.listdir(DESCRIPTORS)) > descriptors:
                await self.look()


async def end(peer: Peer) -> None:
    """End our direction, in good order also over TLS, where the end of TCP alone would be a loss."""
    if isinstance(peer, SecurePeer):
        await peer.end_politely()
    else:
        peer.end()


def test_there_are_enough_attacks() -> None:
    assert len(ATTACKS) >= 500


async def test_an_attack_run_leaves_a_line_for_each_and_nothing_else(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Lines are counted for each connection, whoever wrote them; those about requests are not of an attack."""
    await run_attacks(ATTACKS, None, caplog)
    assert capfd.readouterr() == ("", "")


async def test_so_does_one_over_tls_and_below_it(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who never comes to the end of a TLS handshake makes one line too (RFC 8446 §6.2)."""
    below = [replace(attack, answer=b"", below_tls=True) for attack in nonsense()]
    await run_attacks([*ATTACKS[::SECURE], *below], server_context(), caplog)
    assert capfd.readouterr() == ("", "")


async def run_attacks(
    attacks: Sequence[Attack], context: ssl.SSLContext | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Let all of them attack and go, then some again and stay; see that it leaves a line for each and nothing else."""
    caplog.set_level(logging.DEBUG, "spry")
    caplog.set_level(logging.INFO)
    of_client = None if context is None else client_context()
    async with nothing_left():
        # Who ends is given time: a busy machine is slow, and the peers here run on the server's own loop.
        async with serving(application(), ssl_context=context, limits=LIMITS) as server:
            run = Run(server, attacks, of_client)
            await watched(run, run.all)
        async with serving(application(), ssl_context=context, limits=LIMITS, timeouts=SHORT) as server:
            silent = Run(server, attacks, of_client)
            await watched(silent, silent.silence)
    assert run.wrong + silent.wrong == []
    for address, names in silent.attackers.items():
        run.attackers.setdefault(address, []).extend(names)
    check_log(caplog.records, run.attackers, len(attacks))


async def watched(run: Run, attack: Callable[[], Awaitable[None]]) -> None:
    """Attack, and see that a healthy client is answered before and that no descriptor is left behind."""
    await run.look()
    descriptors = len(os.listdir(DESCRIPTORS))
    await attack()
    await run.gone(descriptors)


def check_log(records: list[logging.LogRecord], attackers: dict[str, list[str]], number: int) -> None:
    """See that each attacker has made at most one line about a fault, short and printable, and nobody a traceback."""
    told = Counter[str]()
    for record in records:
        line = record.getMessage()
        assert (record.exc_info, record.exc_text, record.stack_info) == (None, None, None), line
        assert record.name in ("spry.access", "spry.error", "spry.server"), record.name
        assert line.replace("§", "").isprintable()
        assert line.replace("§", "").isascii()
        if record.name == "spry.error":
            assert record.levelno == logging.WARNING
            assert len(line.encode()) <= LONGEST
            who = str(record.__dict__["spry"]["peer"])
            assert who in attackers, f"{line}: a line about nobody"
            told[who] += 1
            assert told[who] <= len(attackers[who]), f"{attackers[who]}: one line too many, {line}"
    assert told.total() > number // 2
