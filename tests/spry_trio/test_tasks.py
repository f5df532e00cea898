"""What takes its first step where it was begun: the leader's own task, and who leads when that has to wait."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import partial
from typing import cast

import pytest
import trio

from adapters.peer import PATIENCE, Peer, pair
from adapters.scripted import ScriptedSession
from spry_core.driver import Driver, Event, Task
from spry_core.protocol import ABORT
from spry_core.serving import LogRecord, Session
from spry_trio import Pump
from spry_trio.driver import MOST_STEPS, open_workers

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


class Party:
    """Two connections of one server, and what their tasks have to tell."""

    def __init__(self) -> None:
        self.sessions: list[ScriptedSession] = []
        self.peers: list[Peer] = []
        self.log: list[str] = []
        self.tasks: list[trio.lowlevel.Task] = []
        self.reports: list[LogRecord] = []

    def open_session(self, driver: Driver) -> Session:
        self.sessions.append(ScriptedSession(driver))
        return cast(Session, self.sessions[-1])

    def begin_at_data(self, number: int, work: Callable[[], Awaitable[None]]) -> None:
        """Have a session begin this whenever it receives something."""
        session = self.sessions[number]

        def begin(data: bytes) -> None:
            session.driver.start(work)
            self.log.append("begun")

        session.on_data = begin

    def note_task(self) -> None:
        self.tasks.append(trio.lowlevel.current_task())


class Turns(trio.abc.Instrument):
    """Counts trio's turns. What a task can count is none of them: who runs first in a turn is left to chance."""

    def __init__(self) -> None:
        self.number = 0

    def before_io_wait(self, timeout: float) -> None:
        self.number += 1


def run(test: Callable[[Party], Awaitable[None]]) -> None:
    """Run with two connections."""

    async def main() -> None:
        party = Party()
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as nursery, open_workers() as workers:
                for _ in range(2):
                    sock, peer = pair()
                    party.peers.append(peer)
                    pump = Pump(sock, workers, party.open_session, party.reports.append, lambda pump: None)
                    nursery.start_soon(pump.run)
                await trio.testing.wait_all_tasks_blocked()
                try:
                    await test(party)
                finally:  # whatever a test has left, the pumps need the loop until they have ended
                    for session in party.sessions:
                        session.say(ABORT)
                    for peer in party.peers:
                        peer.socket.close()
        assert party.reports == []

    trio.run(main)


def test_who_need_not_wait_is_done_before_the_connection_is_looked_at() -> None:
    async def test(party: Party) -> None:
        session = party.sessions[0]

        async def answer() -> None:
            party.note_task()
            party.log.append("answers")
            session.say(b"an")
            session.say(b"swer")
            party.log.append(f"{len(session.all('written'))} written")

        party.begin_at_data(0, answer)
        for number in range(3):
            await party.peers[0].send(b"question")
            assert await party.peers[0].receive(6) == b"answer"
            assert session.all("written") == [6] * (number + 1)
        assert party.log == [
            line for number in range(3) for line in ("begun", "answers", f"{number} written")
        ]
        assert len(set(party.tasks)) == 1  # and no other was woken for it

    run(test)


def test_who_waits_goes_on_in_a_task_of_its_own_and_somebody_else_leads() -> None:
    async def test(party: Party) -> None:
        first, second = party.sessions
        go_on = first.driver.event()

        async def wait() -> None:
            party.note_task()
            first.say(b"one")
            await go_on.wait()
            party.note_task()
            await trio.sleep(0)
            party.note_task()
            first.say(b"two")

        async def answer() -> None:
            party.note_task()
            second.say(b"answer")

        party.begin_at_data(0, wait)
        party.begin_at_data(1, answer)
        await party.peers[0].send(b"question")
        assert await party.peers[0].receive(3) == b"one"
        await party.peers[1].send(b"question")
        assert await party.peers[1].receive(6) == b"answer"
        go_on.set()
        assert await party.peers[0].receive(3) == b"two"
        mine, other, *rest = party.tasks
        assert other is not mine
        assert rest == [mine, mine]

    run(test)


def test_each_has_the_context_variables_of_its_starter() -> None:
    async def test(party: Party) -> None:
        first = party.sessions[0]

        async def work() -> None:
            party.log.append(NAME.get())
            NAME.set("work")
            if len(party.log) == 1:
                await trio.sleep(0)
                party.log.append(NAME.get())
            first.say(b"!")

        def begin(data: bytes) -> None:
            NAME.set(data.decode())
            first.driver.start(work)
            NAME.set("later")

        first.on_data = begin
        for name in (b"a", b"b"):
            await party.peers[0].send(name)
            assert await party.peers[0].receive(1) == b"!"
        assert party.log == ["a", "work", "b"]
        assert NAME.get() == "nobody"

    run(test)


def test_who_is_cancelled_in_its_first_step_takes_nobody_along() -> None:
    async def test(party: Party) -> None:
        session = party.sessions[0]
        tasks: list[Task] = []

        def begin(data: bytes) -> None:
            tasks.append(session.driver.start(work_for[data]))

        async def never_waits() -> None:
            tasks[0].cancel()
            session.say(b"a")

        async def waits() -> None:
            tasks[1].cancel()
            try:
                await trio.sleep_forever()
            finally:
                session.say(b"b")

        async def answers() -> None:
            await trio.lowlevel.checkpoint()
            session.say(b"c")

        work_for = {b"a": never_waits, b"b": waits, b"c": answers}
        session.on_data = begin
        for letter in work_for:
            await party.peers[0].send(letter)
            assert await party.peers[0].receive(1) == letter
        for task in tasks:
            task.cancel()  # too late for all of them
        await party.peers[0].send(b"c")
        assert await party.peers[0].receive(1) == b"c"

    run(test)


def test_who_is_cancelled_before_its_first_step_is_ended_at_its_first_wait() -> None:
    async def test(party: Party) -> None:
        session = party.sessions[0]

        async def work() -> None:
            party.log.append("begun")
            try:
                await trio.lowlevel.checkpoint()
                party.log.append("went on")
            finally:
                session.say(b"!")

        session.on_data = lambda data: session.driver.start(work).cancel()
        for _ in range(2):
            await party.peers[0].send(b"question")
            assert await party.peers[0].receive(1) == b"!"
        assert party.log == ["begun"] * 2

    run(test)


def test_tasks_that_begin_each_other_for_ever_let_the_rest_run() -> None:
    async def test(party: Party) -> None:
        session, turns = party.sessions[0], Turns()
        steps, others = list[int](), list[int]()

        async def begin_another() -> None:
            steps.append(turns.number)
            if len(steps) < 4 * MOST_STEPS:
                session.driver.start(begin_another)
            else:
                session.say(b"!")

        party.begin_at_data(0, begin_another)
        trio.lowlevel.add_instrument(turns)
        await party.peers[0].send(b"question")
        while not session.all("written"):
            await trio.lowlevel.checkpoint()
            others.append(turns.number)
        assert await party.peers[0].receive(1) == b"!"
        first, last = steps[0], steps[-1]
        assert steps == [first] * (MOST_STEPS - 1) + list(range(first, last + 1))
        assert last == first + 3 * MOST_STEPS
        assert set(range(first + 1, last)) <= set(others)

    run(test)


def at_data(call: Callable[[], None]) -> Callable[[bytes], None]:
    """Give what does this whenever something has come."""
    return lambda data: call()


def wake_at_data(party: Party, work: Callable[[int], Awaitable[None]]) -> None:
    """Have a task of each session wait for something to come, and do this then."""

    async def wait(number: int, event: Event) -> None:
        await event.wait()
        await work(number)

    for number, session in enumerate(party.sessions):
        event = session.driver.event()
        session.on_data = at_data(event.set)
        session.driver.start(wait, number, event)


def send_to_both(party: Party) -> None:
    """Send so that both connections have something to receive in the same turn."""
    for peer in party.peers:
        peer.socket.send(b"question")


def test_what_woken_tasks_say_to_anybody_goes_out_behind_the_steps_of_all() -> None:
    async def test(party: Party) -> None:
        async def answer(number: int) -> None:
            for session in party.sessions:
                session.say(b"an")
                session.say(b"swer")

        wake_at_data(party, answer)
        await trio.testing.wait_all_tasks_blocked()
        send_to_both(party)
        for peer, session in zip(party.peers, party.sessions, strict=True):
            assert await peer.receive(12) == b"answer" * 2
            assert session.all("written") == [12]

    run(test)


def test_tasks_that_wake_each_other_for_ever_let_the_rest_run() -> None:
    async def test(party: Party) -> None:
        bells = [session.driver.event() for session in party.sessions]
        is_over = False

        async def ring(number: int) -> None:
            while not is_over:
                bells[1 - number].set()
                bells[number] = party.sessions[number].driver.event()
                await bells[number].wait()

        wake_at_data(party, ring)
        await trio.testing.wait_all_tasks_blocked()
        send_to_both(party)
        for peer, session in zip(party.peers, party.sessions, strict=True):
            await session.until(("data", b"question"))
            session.on_data = session.say
            await peer.send(b"another")
            assert await peer.receive(7) == b"another"
        is_over = True
        for bell in bells:
            bell.set()

    run(test)


def test_who_is_told_to_read_no_more_in_a_turn_does_not_receive_in_it() -> None:
    async def test(party: Party) -> None:
        def stop(other: ScriptedSession) -> None:
            other.wants_reading = False
            other.driver.notify()

        for session, other in zip(party.sessions, reversed(party.sessions), strict=True):
            session.on_data = at_data(partial(stop, other))
        send_to_both(party)
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(len(session.all("data")) for session in party.sessions) == [0, 1]

    run(test)


@pytest.mark.parametrize("waits", [False, True])
def test_what_ends_the_process_in_a_first_step_is_let_out(waits: bool) -> None:
    async def test(party: Party) -> None:
        async def leave() -> None:
            if waits:
                await trio.lowlevel.checkpoint()
            raise KeyboardInterrupt

        party.begin_at_data(0, leave)
        await party.peers[0].send(b"question")
        await trio.sleep_forever()

    with pytest.raises(BaseExceptionGroup) as caught:
        run(test)
    assert caught.group_contains(KeyboardInterrupt)
