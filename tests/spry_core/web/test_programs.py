"""Random programs of several tasks on one WebSocket, and what holds for all of them.

A program is a list of steps: tasks send, receive, close and are cancelled; the peer sends, reads or does not, closes or resets;
time passes. Steps follow each other with or without everything having settled, so tasks meet in every order that a seed draws.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeAlias

from hypothesis import event, given, settings
from hypothesis import strategies as st

from frames import CLOSE_FRAME, PING, PONG, TEXT, Frame, frame, read_frames
from sockets import Peer, close_frame, messages
from spry_core import (
    Application,
    CloseInfo,
    ConnectionClosed,
    Limits,
    Request,
    Timeouts,
    WebSocket,
    WebSocketBusyError,
)
from spry_core.testing import TestClient
from spry_core.testing.task import MemoryTask

LIMITS = Limits(high_water=30_000, max_unsent=200_000, max_queue=3)
"""Four messages of a sender fill the stream."""


@dataclass
class Sender:
    """A task that sends numbered messages, one after the other."""

    name: str
    returned: int = 0
    """How many sends have returned."""
    began: int = 0
    has_failed: bool = False

    def text(self, number: int) -> str:
        return f"{self.name}:{number}:" + "x" * 20_000

    async def run(self, ws: WebSocket, count: int) -> None:
        try:
            for number in range(count):
                self.began += 1
                await ws.send(self.text(number))
                self.returned += 1
        except ConnectionClosed:
            self.has_failed = True


class World:
    """An open WebSocket whose handler waits for its end and that of the program, its peer, and what has become of everything."""

    def __init__(self, seed: int) -> None:
        self.sockets: list[WebSocket] = []
        self.senders: list[Sender] = []
        self.tasks: list[MemoryTask] = []
        self.received: list[str | bytes] = []
        self.sent_by_peer: list[str] = []
        self.peer_has_ended = False
        self.we_have_ended = False
        self.wire = b""
        app = Application()
        app.ws("/", self.handle)
        self.client = TestClient(app, seed=seed, limits=LIMITS, timeouts=Timeouts(ping_interval=None))
        self.over = self.client.driver.event()
        self.peer = Peer(self.client)
        (self.ws,) = self.sockets

    async def handle(self, ws: WebSocket, request: Request) -> None:
        self.sockets.append(ws)
        await ws.closed
        await self.over.wait()  # when it has returned, nobody is expected to receive what is left

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Put a task on the ready list; nothing of it has run when this returns."""
        self.tasks.append(self.client.driver.start(function))

    async def receive(self, count: int) -> None:
        try:
            for _ in range(count):
                self.received.append(await self.ws.receive())
        except (ConnectionClosed, WebSocketBusyError):
            pass

    def write(self, data: bytes) -> None:
        """Let the peer send this; everything that is ready happens at the same moment."""
        if not self.peer_has_ended:
            self.peer.stream.send(data)


@dataclass(frozen=True)
class Send:
    count: int

    def __call__(self, world: World) -> None:
        sender = Sender(str(len(world.senders)))
        world.senders.append(sender)
        world.start(lambda: sender.run(world.ws, self.count))


@dataclass(frozen=True)
class Receive:
    count: int

    def __call__(self, world: World) -> None:
        world.start(lambda: world.receive(self.count))


@dataclass(frozen=True)
class Cancel:
    which: int

    def __call__(self, world: World) -> None:
        if world.tasks:
            world.tasks[self.which % len(world.tasks)].cancel()


@dataclass(frozen=True)
class Settle:
    def __call__(self, world: World) -> None:
        world.client.driver.settle()


@dataclass(frozen=True)
class Advance:
    seconds: float

    def __call__(self, world: World) -> None:
        world.client.advance(self.seconds)


@dataclass(frozen=True)
class PeerSends:
    count: int

    def __call__(self, world: World) -> None:
        first = len(world.sent_by_peer)
        texts = [f"{number}" for number in range(first, first + self.count)]
        if not world.peer_has_ended:
            world.sent_by_peer += texts
        world.write(messages(*texts))


@dataclass(frozen=True)
class PeerPings:
    def __call__(self, world: World) -> None:
        world.write(frame(PING, b"ping"))


@dataclass(frozen=True)
class PeerReads:
    wanted: bool

    def __call__(self, world: World) -> None:
        world.peer.stream.is_reading = self.wanted


@dataclass(frozen=True)
class PeerCloses:
    code: int

    def __call__(self, world: World) -> None:
        world.write(close_frame(self.code))
        world.peer_has_ended = True


@dataclass(frozen=True)
class PeerResets:
    def __call__(self, world: World) -> None:
        world.peer_has_ended = True
        world.peer.stream.reset()


@dataclass(frozen=True)
class CloseHere:
    code: int

    def __call__(self, world: World) -> None:
        world.we_have_ended = True
        world.ws.close(self.code)


@dataclass(frozen=True)
class AbortHere:
    def __call__(self, world: World) -> None:
        world.we_have_ended = True
        world.ws.abort()


Step: TypeAlias = Callable[[World], None]

COMMON: st.SearchStrategy[Step] = st.one_of(
    st.builds(Send, st.integers(1, 4)),
    st.builds(Receive, st.integers(1, 4)),
    st.builds(Cancel, st.integers(0, 7)),
    st.just(Settle()),
    st.builds(PeerSends, st.integers(1, 4)),
    st.builds(PeerReads, st.booleans()),
    st.just(PeerPings()),
)
ENDS: st.SearchStrategy[Step] = st.one_of(
    st.builds(PeerCloses, st.sampled_from((1000, 4001))),
    st.builds(CloseHere, st.sampled_from((1000, 4002))),
    st.just(PeerResets()),
    st.just(AbortHere()),
    st.builds(Advance, st.sampled_from((0.0, 5.0, 31.0))),
)


@st.composite
def programs(draw: st.DrawFn) -> list[Step]:
    """Draw mostly work, and somewhere in it, or never, what ends it."""
    steps = draw(st.lists(COMMON, max_size=20))
    for step in draw(st.lists(ENDS, max_size=3)):
        steps.insert(draw(st.integers(0, len(steps))), step)
    return steps


def run(steps: list[Step], seed: int) -> World:
    """Run a program to its end: at last the peer reads everything and closes, if nobody has, and what is left is received."""
    world = World(seed)
    for step in steps:
        step(world)
    PeerReads(True)(world)
    PeerCloses(1000)(world)
    world.start(lambda: world.receive(1000))
    Settle()(world)
    world.start(
        lambda: world.receive(1000)
    )  # the one before it may have met a receiver that has only now finished
    world.over.set()
    Advance(60)(world)
    return world


def check_wire(world: World, frames: list[Frame], info: CloseInfo) -> None:
    """Whole messages of each sender, in its order and without a gap; at most one Close frame, behind everything."""
    assert {each.opcode for each in frames} <= {TEXT, PONG, CLOSE_FRAME}
    closes = [each for each in frames if each.opcode == CLOSE_FRAME]
    assert closes in ([], frames[-1:])
    assert [each.payload for each in closes] == [
        each.code.to_bytes(2, "big") for each in (info.sent,) if closes and each and each.code
    ]
    texts = [each.payload.decode() for each in frames if each.opcode == TEXT]
    for sender in world.senders:
        own = [each for each in texts if each.startswith(f"{sender.name}:")]
        assert own == [sender.text(number) for number in range(len(own))]
        assert len(own) <= sender.began
        if closes:  # else the stream was cut, and what was on its way is lost
            assert len(own) >= sender.returned


def check_received(world: World, info: CloseInfo) -> None:
    """What the peer sent, from its first message on; all of it if it closed, and we did not, not even after it."""
    assert world.received == world.sent_by_peer[: len(world.received)]
    if info.initiator == "remote" and not world.we_have_ended:
        assert world.received == world.sent_by_peer
    assert info.messages_received >= len(world.received)


def whole_frames(data: bytes, info: CloseInfo) -> list[Frame]:
    """Read frames; where the stream was cut, the last of them may be half."""
    return read_frames(data) if info.clean else read_frames(data[: whole_length(data)])


def whole_length(data: bytes) -> int:
    """Return how many bytes the whole frames at the beginning have."""
    end = 0
    while len(data) >= end + 2:
        short = data[end + 1] & 0x7F
        size = {126: 2, 127: 8}.get(short, 0)
        length = int.from_bytes(data[end + 2 : end + 2 + size], "big") if size else short
        if len(data) < end + 2 + size + length:
            break
        end += 2 + size + length
    return end


@settings(max_examples=300)
@given(programs(), st.integers(0, 1_000_000))
def test_no_program_breaks_a_message_or_loses_repeats_or_reorders_one(steps: list[Step], seed: int) -> None:
    """RFC 6455 §5.4 (whole messages, in order), §5.5.1 (nothing behind a Close frame), §7.1.5 (what is reported)."""
    world = run(steps, seed)
    info = world.ws.close_info
    assert info is not None
    assert world.ws.closed
    assert all(task.is_done for task in world.tasks)
    check_wire(world, whole_frames(world.peer.stream.take(), info), info)
    check_received(world, info)
    assert not [each for each in world.client.reports if each.exception is not None]
    event(f"{info.close_code} by {info.initiator}, {'clean' if info.clean else 'unclean'}")
