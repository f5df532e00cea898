"""Every operation of a WebSocket that can wait, cancelled at each place where it does.

Whatever it leaves behind, the stream is intact (whole frames, whole messages, or a connection that says why not), nobody is
locked out, and no task is left.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from types import coroutine
from typing import TypeAlias

import pytest

from frames import BINARY, CLOSE_FRAME, CONTINUATION, PING, PONG, TEXT, close_payload, frame, read_frames
from sockets import Opened, close_frame
from spry_core import Limits
from spry_core.testing import Cancelled
from spry_core.testing.task import MemoryTask

NEVER = -2
BEFORE = -1


Operation: TypeAlias = Callable[[Opened], Awaitable[object]]


@dataclass
class Scenario:
    """One operation, and what happens around it while it waits."""

    operation: Operation
    helps: tuple[Callable[[Opened], None], ...]
    waits: int
    """How often it waits when nobody cancels it."""
    closes: Mapping[int, int] = field(default_factory=dict[int, int])
    """The close code that we send, where it was cancelled; none elsewhere."""


async def slowly(opened: Opened, *items: str) -> AsyncGenerator[str]:
    """Give these with a pause before each of them, and one at the end."""
    for item in items:
        await opened.driver.checkpoint(True)
        yield item
    await opened.driver.checkpoint(True)


def read_on(opened: Opened) -> None:
    opened.stream.is_reading = True


def stop_reading(opened: Opened) -> None:
    opened.stream.is_reading = False


def answer_ping(opened: Opened) -> None:
    opened.stream.send(frame(PONG, b"mine"))


def answer_close(opened: Opened) -> None:
    opened.stream.send(close_frame(1000))


def end(opened: Opened) -> None:
    opened.stream.close()


async def in_a_block(opened: Opened) -> None:
    async with opened.ws as ws:
        await ws.send("x" * 20)


SCENARIOS = {
    "send": Scenario(lambda opened: opened.ws.send("x" * 20), (read_on,), 1),
    "send_text": Scenario(lambda opened: opened.ws.send_text(b"x" * 20), (read_on,), 1),
    "send_bytes": Scenario(lambda opened: opened.ws.send_bytes(b"x" * 20), (read_on,), 1),
    "send_json": Scenario(lambda opened: opened.ws.send_json("x" * 20), (read_on,), 1),
    "drained": Scenario(lambda opened: (opened.ws.add("x" * 20), opened.ws.drained())[1], (read_on,), 1),
    "add_stream": Scenario(lambda opened: opened.ws.add_stream(slowly(opened, "x" * 20, "y")), (read_on,), 4),
    "send_fragments": Scenario(
        lambda opened: opened.ws.send_fragments(slowly(opened, "x" * 20, "y"), "text"),
        (read_on,),
        4,
        {1: 1011, 2: 1011, 3: 1011},
    ),
    "send_fragments, whole": Scenario(
        lambda opened: opened.ws.send_fragments(["x" * 8], "text"), (read_on,), 1
    ),
    "ping": Scenario(lambda opened: opened.ws.ping(b"mine"), (read_on, answer_ping), 1),
    "close": Scenario(
        lambda opened: opened.ws.close(), (read_on, answer_close), 1, {NEVER: 1000, BEFORE: 1000, 0: 1000}
    ),
    "closed": Scenario(
        lambda opened: opened.ws.closed, (read_on, answer_close, end), 1, {NEVER: 1000, BEFORE: 1000, 0: 1000}
    ),
    "block": Scenario(in_a_block, (read_on, answer_close), 2, {NEVER: 1000, BEFORE: 1011, 0: 1011, 1: 1000}),
}


class Cancelling:
    """Runs an operation in a task, and cancels that task at one of its waits."""

    def __init__(self, opened: Opened, at: int) -> None:
        self.waits = 0
        self._opened = opened
        self._at = at
        self.task: MemoryTask = opened.driver.start(self._run)

    def begin(self, operation: Operation) -> None:
        self._operation = operation
        if self._at == BEFORE:
            self.task.cancel()
        self._opened.driver.settle()

    async def _run(self) -> None:
        async def operate() -> None:
            await self._operation(self._opened)

        await self._stepwise(operate())

    @coroutine
    def _stepwise(
        self, work: Coroutine[object, BaseException | None, None]
    ) -> Generator[object, BaseException | None, None]:
        """Step `work`; where it waits for the time that was chosen it is cancelled there, and all that it awaits then is too."""
        error: BaseException | None = None
        while True:
            try:
                pause = work.send(error)
            except StopIteration:
                return
            if self.waits == self._at:
                self.task.cancel()
                error = Cancelled()
            else:
                error = yield pause
            self.waits += 1


def stalled() -> Opened:
    """Return one whose peer does not read and whose pipe is full to the last byte."""
    opened = Opened(limits=Limits(high_water=10), ping_interval=None, close_timeout=None)
    stop_reading(opened)
    opened.ws.add(bytes(65_532))
    opened.driver.settle()
    return opened


def cases() -> list[tuple[str, int]]:
    return [(name, at) for name, each in SCENARIOS.items() for at in (NEVER, BEFORE, *range(each.waits))]


@pytest.mark.parametrize(("name", "at"), cases())
def test_an_operation_that_is_cancelled_where_it_waits_leaves_nothing_behind(name: str, at: int) -> None:
    scenario = SCENARIOS[name]
    opened = stalled()
    run = Cancelling(opened, at)
    run.begin(scenario.operation)
    for each in scenario.helps:
        each(opened)
    read_on(opened)
    assert run.task.is_done
    if at == NEVER:
        assert run.waits == scenario.waits
    read_on(opened)
    sent = read_frames(opened.stream.take())
    assert_intact([(each.opcode, each.fin) for each in sent])
    closes = [each.payload for each in sent if each.opcode == CLOSE_FRAME]
    assert closes == ([close_payload(scenario.closes[at])] if at in scenario.closes else [])
    if not closes:
        assert_usable(opened)
    opened.stream.reset()
    assert (opened.client.driver.tasks(), opened.client.server.session_count) == ([], 0)
    assert opened.errors == []


def assert_intact(frames: list[tuple[int, bool]]) -> None:
    """See that messages are whole, but for one that is broken off by a Close frame (RFC 6455 §5.4)."""
    in_message = False
    for opcode, fin in frames:
        match opcode:
            case _ if opcode in (PING, PONG, CLOSE_FRAME):
                assert fin
            case _ if opcode == CONTINUATION:
                assert in_message
                in_message = not fin
            case _:
                assert opcode in (TEXT, BINARY)
                assert not in_message
                in_message = not fin
    assert not in_message or frames[-1][0] == CLOSE_FRAME


def assert_usable(opened: Opened) -> None:
    """See that whoever comes next may do everything."""
    ws, run = opened.ws, opened.driver.run
    run(lambda: ws.add_stream(["a"]))
    run(lambda: ws.send_fragments(["b"], "text"))
    run(ws.send, "c")
    run(ws.drained)
    pinging = opened.start(ws.ping, b"mine")
    opened.stream.send(frame(PONG, b"mine"))
    assert pinging.results == [0.0]
    assert opened.stream.take() == b"\x81\x01a\x01\x01b\x80\x00\x81\x01c\x89\x04mine"
