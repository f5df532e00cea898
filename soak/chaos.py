"""Many clients through a bad network: nothing may be lost without a word, doubled, reordered, or come to somebody else."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Final

from soak.clients import GIVE_UP, TALKS, Cut, Wrong
from soak.proxy import TOXICS, Proxy
from soak.server import Server, served

TIMEOUTS: Final = ("head=4", "body=4", "keep_alive=4", "write=4", "opening=4", "close_timeout=4")
PINGS: Final = ("--ws-ping-interval", "3", "--ws-ping-timeout", "8")
"""The server finds out soon enough who is gone."""

IMPATIENCE: Final = 5.0
"""Seconds until a client leaves whose connection may be cut: nobody tells it of a silence."""

WARM: Final = 0.25
"""The share of a run that does not count for the growth of memory."""


@dataclass
class Report:
    """What has come of a run."""

    outcomes: Counter[tuple[str, str, str]] = field(default_factory=Counter[tuple[str, str, str]])
    """How many connections, by talk, toxic and ``whole`` or ``cut``."""
    messages: int = 0
    """How many messages and answers came back and were right."""
    wrong: list[str] = field(default_factory=list[str])
    """What must never happen."""
    memory: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    """The server's memory in bytes, at seconds since the beginning."""

    @property
    def connections(self) -> int:
        """How many there were."""
        return self.outcomes.total()

    def growth(self) -> float:
        """Return by how many bytes an hour the server's memory grew: the slope of the line that fits best."""
        last = self.memory[-1][0] if self.memory else 0.0
        points = [(at, size) for at, size in self.memory if at >= WARM * last]
        middle = sum(at for at, _ in points) / max(1, len(points))
        weight = sum((at - middle) ** 2 for at, _ in points)
        return 3600 * sum((at - middle) * size for at, size in points) / weight if weight else 0.0

    def text(self) -> str:
        """Sum it up for people."""
        ends = Counter[str]()
        for (_, _, outcome), number in self.outcomes.items():
            ends[outcome] += number
        quarters = (
            [self.memory[number * (len(self.memory) - 1) // 4][1] for number in range(5)]
            if self.memory
            else []
        )
        memory = ", ".join(f"{size / 2**20:.1f}" for size in quarters)
        return (
            f"{self.connections} connections ({ends['whole']} whole, {ends['cut']} cut), {self.messages} messages, "
            f"{len(self.wrong)} wrong; memory {memory} MiB at each quarter "
            f"({self.growth() / 2**20:+.2f} MiB/h)"
        )


def run(backend: str, seconds: float, clients: int, seed: int) -> Report:
    """Run it against a server of its own."""
    arguments = [part for each in TIMEOUTS for part in ("--timeout", each)]
    with served(backend, *arguments, *PINGS) as server:
        report = asyncio.run(Chaos(server, Random(seed)).run(seconds, clients))
        if (code := server.stop()) != 0:
            report.wrong.append(f"the server ended with {code}")
        report.wrong += server.faults()
    return report


class Chaos:
    """One run."""

    def __init__(self, server: Server, random: Random) -> None:
        self._server = server
        self._random = random
        self._numbers = count()
        self._report = Report()
        self._begun = time.monotonic()

    async def run(self, seconds: float, clients: int) -> Report:
        """Let the clients talk for so long, then see that the server is as it was."""
        before = self._server.sockets()
        proxy = Proxy(self._server.port, Random(self._random.random()))
        await proxy.open()
        watching = asyncio.create_task(self._watch())
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(clients):
                    group.create_task(
                        self._talk_on(proxy, self._begun + seconds, Random(self._random.random()))
                    )
        finally:
            watching.cancel()
            await proxy.close()
        await self._see_it_rest(before)
        return self._report

    async def _talk_on(self, proxy: Proxy, until: float, random: Random) -> None:
        while time.monotonic() < until:
            kind, toxic = random.choice(tuple(TALKS)), random.choice(tuple(TOXICS))
            patience = min(IMPATIENCE, until + 1 - time.monotonic())
            await self._talk(kind, toxic, proxy.ports[toxic], random, patience)

    async def _talk(self, kind: str, toxic: str, port: int, random: Random, patience: float) -> None:
        """Use one connection, and judge how it has ended."""
        name = f"{kind}-{next(self._numbers)}"
        try:
            async with asyncio.timeout(GIVE_UP if TOXICS[toxic].is_harmless else patience):
                count = await TALKS[kind](port, name, random)
            self._report.messages += count
        except* Wrong as group:
            self._wrong(name, toxic, group.exceptions[0])
        except* (Cut, TimeoutError) as group:
            if TOXICS[toxic].is_harmless:
                self._wrong(name, toxic, group.exceptions[0])
            else:
                self._report.outcomes[kind, toxic, "cut"] += 1
        except* Exception as group:
            self._wrong(name, toxic, group.exceptions[0])
        else:
            self._report.outcomes[kind, toxic, "whole"] += 1

    def _wrong(self, name: str, toxic: str, error: BaseException) -> None:
        self._report.wrong.append(f"{name} through {toxic}: {error!r}")

    async def _watch(self) -> None:
        while True:
            self._report.memory.append((time.monotonic() - self._begun, self._server.memory()))
            await asyncio.sleep(0.25)

    async def _see_it_rest(self, before: list[str]) -> None:
        """See that a healthy client is served, and no connection left."""
        await self._talk("echo", "none", self._server.port, self._random, GIVE_UP)
        until = time.monotonic() + GIVE_UP
        # Nothing tells when another process closes a socket.
        while (after := self._server.sockets()) != before and time.monotonic() < until:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
        if after != before:
            self._report.wrong.append(f"the sockets {before} became {after}")
