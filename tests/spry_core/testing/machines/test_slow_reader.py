"""Tests of `spry_core.testing.machines.slow_reader`: what is right passes, and every bug is found in few steps."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import strategies as st

from broken_apps import Handler, app_of, steps_to_failure
from spry_core import Application, BufferFull, Request, WebSocket
from spry_core.protocol import Limits, Timeouts
from spry_core.testing.frames import BINARY, TEXT, Frame
from spry_core.testing.machines import SlowReader
from spry_core.testing.machines.slow_reader import SlowSteps


async def echo(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        await ws.send(message)


class TestEcho(SlowReader):
    app: Application = app_of(echo)
    step_count = 8
    max_examples = 25
    recordings = None

    def expected(self, message: str | bytes) -> Sequence[str | bytes]:
        return [message]


async def drops_when_full(ws: WebSocket, request: Request) -> None:
    async for message in ws:
        try:
            ws.add(message)
        except BufferFull:
            pass


async def hoards(ws: WebSocket, request: Request) -> None:
    held: list[str | bytes] = []
    async for message in ws:
        held.append(message)
        if ws.buffered_amount == 0:
            for each in held:
                await ws.send(each)
            held.clear()


class Wrong(TestEcho):
    __test__ = False
    max_unread = 200_000
    limits = Limits(max_unsent=100_000)

    def messages(self) -> st.SearchStrategy[str | bytes]:
        return st.just(bytes(100_000))


@pytest.mark.parametrize("handler", [drops_when_full, hoards])
def test_a_bug_is_found_in_few_steps(handler: Handler) -> None:
    machine = Wrong()
    machine.app = app_of(handler)
    said, steps = steps_to_failure(machine)
    assert said
    assert 1 <= len(steps) <= 7


def test_what_the_server_has_taken_is_counted_in_bytes() -> None:
    """As what the peer has sent is, and not in characters."""
    steps = SlowSteps(TestEcho())
    steps.model.max_unread = 0
    text = "\N{EURO SIGN}" * 100_000
    steps.sent = 300_000
    steps.line.send(Frame(TEXT, text.encode()))
    steps.expected.append(text)
    steps.check()
    steps.stop_reading()
    steps.check()
    steps.teardown()


def test_a_peer_that_reads_nothing_is_cut_and_another_one_comes() -> None:
    machine = TestEcho()
    steps = SlowSteps(machine)
    steps.stop_reading()
    steps.line.send(Frame(BINARY, bytes(300_000)))
    steps.expected.append(bytes(300_000))
    steps.wait(100)
    assert steps.is_cut
    steps.finish()
    steps.open_again()
    assert not steps.is_cut
    steps.teardown()


def test_a_machine_without_a_model_says_what_is_missing() -> None:
    with pytest.raises(NotImplementedError) as caught:
        SlowReader().expected("a")
    assert str(caught.value) == "SlowReader.expected says what is answered to a message"


def test_silence_counts_from_when_answers_wait() -> None:
    machine = TestEcho()
    machine.timeouts = Timeouts(write=30.0, ping_interval=None)
    steps = SlowSteps(machine)
    steps.stop_reading()
    for _ in range(3):
        steps.wait(20)
    for _ in range(3):
        steps.line.send(Frame(BINARY, bytes(100_000)))
        steps.expected.append(bytes(100_000))
        steps.check()
    steps.wait(20)
    assert (steps.silent, steps.stuck, steps.is_cut) == (80.0, 20.0, False)
    steps.wait(20)
    assert steps.is_cut


def test_a_server_that_waits_for_ever_is_found() -> None:
    machine = TestEcho()
    machine.timeouts = Timeouts(write=None, ping_interval=None)
    steps = SlowSteps(machine)
    machine.timeouts = Timeouts(write=30.0, ping_interval=None)  # what should be
    steps.stop_reading()
    for _ in range(3):
        steps.line.send(Frame(BINARY, bytes(100_000)))
        steps.expected.append(bytes(100_000))
    steps.wait(20)
    with pytest.raises(AssertionError, match=r"is not cut \(`Timeouts\.write`\)"):
        steps.wait(20)


def test_a_ping_may_come_when_the_peer_has_just_stopped() -> None:
    steps = SlowSteps(TestEcho())
    steps.wait(19)
    steps.stop_reading()
    steps.wait(20)
    steps.wait(1)
    assert (steps.silent, steps.is_cut) == (21.0, False)
    steps.read_again()
    assert steps.is_cut
