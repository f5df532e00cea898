"""docs/reference/outcomes.md says what happens: each of its rows is done in memory, and written down anew."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Final, TypeAlias, TypeVar

import pytest

from adapters.memory_world import MemoryServer, MemoryWorld
from adapters.outcomes import (
    ACTED,
    ANSWERED,
    ENDED,
    REFUSED,
    Acted,
    Answered,
    Ended,
    Refused,
    application,
    converse,
    end,
    send_early,
)
from adapters.serving import handshake
from adapters.world import Peer, tell
from frames import CLOSE_FRAME, PING, PONG, TEXT, Frame, read_frames
from handshakes import SWITCHED
from pages import section_of, tables_in
from spry_core.serving.record import ACCESS, FAULT, WARNING, LogRecord

T = TypeVar("T")
Row: TypeAlias = Refused | Ended | Acted | Answered | None
Cells: TypeAlias = tuple[str, ...]

PAGE: Final = "docs/reference/outcomes.md"
EARLY: Final = "a message in the packet of the opening handshake"
ROWS: Final[Mapping[str, Mapping[str, Row]]] = {
    "## Instead of the 101": REFUSED,
    "## The end": {**ENDED, **ACTED},
    "## What ends nothing": {**ANSWERED, EARLY: None},
}
"""What stands under each heading of the page, by its first cell."""


class Overheard(Peer):
    """A peer whose stream is written down."""

    def __init__(self, peer: Peer) -> None:
        super().__init__(peer.server)
        self._peer = peer
        self.heard = bytearray()
        """What has come."""
        self.end_of_it = ""
        """How that ended, as far as anybody has looked."""

    async def send(self, data: bytes) -> None:
        await self._peer.send(data)

    def flood(self, data: bytes) -> None:
        self._peer.flood(data)

    async def receive_some(self) -> bytes:
        try:
            data = await self._peer.receive_some()
        except ConnectionResetError:
            self.end_of_it = "a reset"
            raise
        self.heard += data
        self.end_of_it = "" if data else "the end of the stream"
        return data

    def end(self) -> None:
        self._peer.end()

    def reset(self) -> None:
        self._peer.reset()

    def close(self) -> None:
        self._peer.close()


def finished(coroutine: Coroutine[object, None, T]) -> T:
    """Run what never suspends, as nothing does in memory."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("something has suspended")


async def cells_of(row: Row) -> Cells:
    """Do what a row says, and return what the page has to say about it behind its first cell."""
    world = MemoryWorld()
    async with world.serving(application(world)) as server:
        assert isinstance(server, MemoryServer)
        peer = Overheard(await server.connected())
        if isinstance(row, Refused):
            cells = await refused(row, peer, world, server)
        elif isinstance(row, Ended | Acted):
            cells = await ended(row, peer, world, server)
        else:
            cells = await answered(row, peer, world, server)
        server.take_errors()
    return cells


async def refused(row: Refused, peer: Peer, world: MemoryWorld, server: MemoryServer) -> Cells:
    await peer.send(row.request)
    head, _, content = (await peer.receive_answer()).decode().partition("\r\n\r\n")
    status, *lines = head.removeprefix("HTTP/1.1 ").split("\r\n")
    fields = [f"`{line}`" for line in lines if not line.startswith("Content-")]
    (access,) = accesses(server)
    assert access.fields["status_code"] == int(status[:3])
    return (
        ", ".join([f"{status}, “{content}”", *fields]),
        noted(world, "handler") or "is not called",
        noted(world, "middleware"),
        logged(server),
    )


async def ended(row: Ended | Acted, peer: Overheard, world: MemoryWorld, server: MemoryServer) -> Cells:
    await peer.send(handshake(row.path))
    await peer.expect(SWITCHED)
    if isinstance(row, Ended):
        await end(row, peer)
    else:
        await row.act(world, server, peer)
    info = await world.end()
    (access,) = accesses(server)
    assert (access.fields["close_code"], access.fields["clean"]) == (info.close_code, info.clean)
    return (received(peer), noted(world, "handler"), tell(info), logged(server))


async def answered(row: Answered | None, peer: Overheard, world: MemoryWorld, server: MemoryServer) -> Cells:
    if row is None:
        await send_early(peer)
        await peer.fence()
    else:
        await peer.send(handshake(row.path))
        await peer.expect(SWITCHED)
        await converse(row, peer)
    assert (server.reports, world.ends) == ([], [])
    return (received(peer), noted(world, "handler"))


def noted(world: MemoryWorld, who: str) -> str:
    """Return the last thing that the handler, or the middleware, has noted."""
    notes = [each.removeprefix(f"{who}: ") for each in world.notes if each.startswith(f"{who}: ")]
    return notes[-1] if notes else ""


def received(peer: Overheard) -> str:
    """Write down what has come behind the 101; the fence of the tests is left out."""
    frames = [each for each in read_frames(bytes(peer.heard[len(SWITCHED) :])) if each.payload != b"fence"]
    return ", ".join(filter(None, [*map(described, frames), peer.end_of_it])) or "nothing"


def described(frame: Frame) -> str:
    """Write down one frame."""
    match frame.opcode:
        case _ if frame.opcode == CLOSE_FRAME:
            code = str(int.from_bytes(frame.payload[:2], "big")) if frame.payload else "without a code"
            reason = frame.payload[2:].decode()
            return f"Close {code} “{reason}”" if reason else f"Close {code}"
        case _ if frame.opcode == PING:
            return "Ping"
        case _ if frame.opcode == PONG:
            return f"Pong “{frame.payload.decode()}”"
        case _:
            kind = "text" if frame.opcode == TEXT else "binary"
            return f"{kind} “{frame.payload.decode()}”"


def accesses(server: MemoryServer) -> list[LogRecord]:
    """Return the records of requests and WebSockets."""
    return [each for each in server.reports if each.logger == ACCESS]


def logged(server: MemoryServer) -> str:
    """Write down what else was logged: a warning by its section of the standard, an error by its type."""
    lines: list[str] = []
    for each in server.reports:
        assert (each.exception is not None) == (each.level == FAULT)
        if each.level == WARNING:
            lines.append(f"a warning ({each.fields['section']})")
        elif each.level == FAULT:
            lines.append(f"`{each.fields['fault']}` with its traceback")
    return ", ".join(lines) or "–"


@pytest.mark.parametrize("heading", ROWS)
def test_the_page_has_every_row_in_order(heading: str) -> None:
    (rows,) = tables_in(section_of(PAGE, heading))
    assert [row[0] for row in rows] == list(ROWS[heading])


@pytest.mark.parametrize(("heading", "name"), [(each, name) for each, rows in ROWS.items() for name in rows])
def test_what_the_page_says_is_what_happens(heading: str, name: str) -> None:
    (rows,) = tables_in(section_of(PAGE, heading))
    (cells,) = [rest for first, *rest in rows if first == name]
    assert tuple(cells) == finished(cells_of(ROWS[heading][name]))
