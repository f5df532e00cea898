"""What both pumps do for a session, on every backend, over a real TCP stream."""

from __future__ import annotations

import logging
from typing import Final, cast

import anyio
import pytest

from adapters.leaks import nothing_left
from adapters.scripted import pumped
from adapters.serving import App, connected, handshake, serving
from handshakes import SWITCHED
from spry_core import Next, Outcome, Request
from spry_core.protocol import ABORT, CLOSE, HALF_CLOSE, Connection

pytestmark = pytest.mark.anyio

BIG = bytes(range(256)) * 20_000
"""Five megabytes that show whether a byte is missing or out of place; more than any kernel buffer here."""


async def test_received_bytes_are_passed_on_as_they_came() -> None:
    async with pumped() as this:
        await this.peer.send(b"hello")
        await this.session.until(("data", b"hello"))
        assert type(this.session.all("data")[0]) is bytes


async def test_what_the_session_answers_is_written_at_once() -> None:
    async with pumped() as this:
        this.session.on_data = lambda data: this.session.say(data.upper(), soon=None)
        await this.peer.send(b"hello")
        assert await this.peer.receive(5) == b"HELLO"
        await this.session.until(("written", 5))


async def test_a_batch_is_one_write() -> None:
    """The peer finds all of it in one piece, because it left in one piece."""
    async with pumped() as this:
        this.session.say(b"one ", b"two ", b"three")
        assert await this.peer.receive_some() == b"one two three"
        await this.session.until(("written", 13))
        assert this.session.all("written") == [13]


async def test_the_peers_end_leaves_our_direction_open() -> None:
    """RFC 9293 §3.6, case 2: the peer has ended its direction, and we may go on sending."""
    async with pumped() as this:
        this.peer.end()
        await this.session.until(("eof", None))
        this.session.say(b"late", CLOSE)
        assert await this.peer.receive_all() == b"late"


async def test_the_peers_end_comes_once_however_reading_is_paused_and_resumed() -> None:
    async with pumped() as this:
        this.peer.end()
        await this.session.until(("eof", None))
        for wants_reading in (False, True, False, True):
            this.session.wants_reading = wants_reading
            this.session.driver.notify()
            await anyio.wait_all_tasks_blocked()
        this.session.deadline = this.session.driver.now()
        this.session.driver.notify()
        await this.session.until(("deadline", 0))
        assert this.session.all("eof") == [None]


@pytest.mark.parametrize("most", [64 * 1024, 256 * 1024])
async def test_more_is_asked_for_behind_a_full_read_if_the_session_wants_it(most: int) -> None:
    """And for no more than that; behind a short one for 64 KiB again."""
    async with pumped(receive_buffer=400_000) as this:
        this.session.read_size = most
        for _ in range(2):
            this.session.heard.clear()
            this.session.wants_reading = False
            this.session.driver.notify()
            await this.peer.send(bytes(200_000))  # what the kernel takes of it while nobody reads
            await anyio.wait_all_tasks_blocked()
            this.session.wants_reading = True
            this.session.driver.notify()
            while sum(sizes := [len(cast("bytes", each)) for each in this.session.all("data")]) < 200_000:
                await anyio.wait_all_tasks_blocked()
            assert sizes[0] <= 64 * 1024
            assert max(sizes) <= most
            if most > 64 * 1024 and sizes[0] == 64 * 1024:
                assert sizes[1] > 64 * 1024
            await this.peer.send(b"short")
            await this.session.until(("data", b"short"))


async def test_a_half_close_comes_after_the_bytes_and_the_peer_may_still_send() -> None:
    async with pumped() as this:
        this.session.say(BIG, HALF_CLOSE)
        assert await this.peer.receive_all() == BIG
        await this.peer.send(b"thanks")
        await this.session.until(("data", b"thanks"))
        assert this.session.all("lost") == []


async def test_a_close_comes_after_the_bytes() -> None:
    async with pumped() as this:
        this.session.say(BIG, CLOSE)
        assert await this.peer.receive_all() == BIG
        await this.until_ended()
        assert this.session.all("lost") == [None]
        assert sum(n for n in this.session.all("written") if isinstance(n, int)) <= len(BIG)


async def test_an_abort_resets_the_stream() -> None:
    async with pumped() as this:
        this.session.say(ABORT)
        with pytest.raises(ConnectionResetError):
            await this.peer.receive_some()
        await this.until_ended()
        assert this.session.all("lost") == [None]


async def test_an_abort_does_not_wait_for_a_peer_that_does_not_read() -> None:
    async with pumped(receive_buffer=4096, send_buffer=4096) as this:
        this.session.say(BIG)
        await anyio.wait_all_tasks_blocked()
        assert this.session.unsent > 0
        this.session.say(ABORT)
        await this.until_ended()
        with pytest.raises(ConnectionResetError):
            await this.peer.receive_all()


async def test_an_abort_does_not_wait_for_a_close_that_waits_for_its_bytes() -> None:
    async with pumped(receive_buffer=4096, send_buffer=4096) as this:
        this.session.say(BIG, CLOSE)
        await anyio.wait_all_tasks_blocked()
        assert this.session.all("lost") == []
        this.session.say(ABORT)
        await this.until_ended()
        assert this.session.all("lost") == [None]


async def test_every_byte_is_credited_once() -> None:
    async with pumped(receive_buffer=4096, send_buffer=4096) as this:
        this.session.say(BIG)
        assert await this.peer.receive(len(BIG)) == BIG
        await this.session.until_unsent(0)
        written = this.session.all("written")
        assert len(written) > 1
        assert sum(n for n in written if isinstance(n, int)) == len(BIG)


async def test_progress_is_credited_before_a_deadline_is_handled() -> None:
    """Or a write deadline would cut a peer that reads slowly."""
    async with pumped(receive_buffer=4096, send_buffer=4096) as this:
        this.session.say(BIG)
        await anyio.wait_all_tasks_blocked()
        before = this.session.unsent
        await this.peer.receive(1_000_000)
        this.session.deadline = this.session.driver.now()
        this.session.driver.notify()
        await this.session.until_called("deadline")
        [unsent] = this.session.all("deadline")
        assert isinstance(unsent, int)
        assert unsent < before


async def test_later_bytes_wait_behind_those_the_kernel_did_not_take() -> None:
    async with pumped(receive_buffer=4096, send_buffer=4096) as this:
        this.session.say(BIG)
        for number in range(100):
            this.session.say(b"%03d" % number)
        this.session.say(CLOSE, soon=True)
        expected = BIG + b"".join(b"%03d" % number for number in range(100))
        assert await this.peer.receive_all() == expected


async def test_a_session_may_send_at_every_credit() -> None:
    """A credit that is answered with `notify` comes back in while the pump is writing; it must not pile up."""
    async with pumped() as this:
        rest = [b"%04d" % number for number in range(3000)]
        expected = b"".join(rest)

        def send_next() -> None:
            if rest:
                this.session.say(rest.pop(0))

        this.session.on_credit = send_next
        send_next()
        assert await this.peer.receive(len(expected)) == expected


async def test_looking_soon_is_one_look_for_many_calls() -> None:
    async with pumped() as this:
        before = this.session.looks
        for piece in (b"a", b"b", b"c"):
            this.session.say(piece, soon=True)
        assert this.session.looks == before
        assert await this.peer.receive_some() == b"abc"


async def test_looking_at_once_between_two_looks_soon_keeps_the_order() -> None:
    async with pumped() as this:
        this.session.say(b"a", soon=True)
        this.session.say(b"b")
        this.session.say(b"c", soon=True)
        assert await this.peer.receive(3) == b"abc"


async def test_what_one_task_after_the_other_says_soon_is_one_write() -> None:
    """Pipelined requests are such tasks: each begins when the one before it is answered."""
    async with pumped() as this:
        rest = [b"%d" % number for number in range(8)]

        async def say_next() -> None:
            piece = rest.pop(0)
            if rest:
                this.session.driver.start(say_next)
            this.session.say(piece, soon=True)

        this.session.driver.start(say_next)
        assert await this.peer.receive_some() == b"01234567"
        assert this.session.all("written") == [8]


async def test_a_task_that_waits_keeps_nothing_back_that_was_said_before() -> None:
    async with pumped() as this:
        answered = anyio.Event()

        async def say_and_start() -> None:
            this.session.driver.start(wait_and_say)
            this.session.say(b"a", soon=True)

        async def wait_and_say() -> None:
            await answered.wait()
            this.session.say(b"b", soon=True)

        this.session.driver.start(say_and_start)
        assert await this.peer.receive_some() == b"a"
        answered.set()
        assert await this.peer.receive_some() == b"b"


async def test_tasks_without_end_keep_nothing_back_for_long() -> None:
    async with pumped() as this:

        async def say_next() -> None:
            if not this.session.all("written"):
                this.session.driver.start(say_next)
            this.session.say(b"a", soon=True)

        this.session.driver.start(say_next)
        await this.session.until_called("written")
        [first, *_] = this.session.all("written")
        assert isinstance(first, int)
        assert 16 <= first <= 18


async def test_a_paused_session_gets_nothing_until_it_wants_to_read_again() -> None:
    async with pumped() as this:
        this.session.wants_reading = False
        this.session.driver.notify()
        await this.peer.send(b"hello")
        this.session.deadline = this.session.driver.now() + 0.05
        this.session.driver.notify()
        await this.session.until(("deadline", 0))
        assert this.session.all("data") == []
        this.session.wants_reading = True
        this.session.driver.notify()
        await this.session.until(("data", b"hello"))


async def test_reading_that_is_paused_by_what_was_read_stops() -> None:
    async with pumped() as this:

        def pause(data: bytes) -> None:
            this.session.wants_reading = False

        this.session.on_data = pause
        await this.peer.send(b"one")
        await this.session.until(("data", b"one"))
        await this.peer.send(b"two")
        this.session.deadline = this.session.driver.now() + 0.05
        this.session.driver.notify()
        await this.session.until(("deadline", 0))
        assert this.session.all("data") == [b"one"]


async def test_a_deadline_that_was_there_from_the_start_is_handled() -> None:
    async with pumped(deadline=0.0) as this:
        await this.session.until(("deadline", 0))


async def test_a_deadline_can_be_brought_forward() -> None:
    async with pumped() as this:
        now = this.session.driver.now()
        for later in (3600.0, 1800.0, 0.02):
            this.session.deadline = now + later
            this.session.driver.notify()
        await this.session.until(("deadline", 0))


async def test_a_deadline_that_moves_away_is_handled_at_its_new_time() -> None:
    async with pumped() as this:
        now = this.session.driver.now()
        this.session.deadline = now + 0.02
        this.session.driver.notify()
        this.session.deadline = now + 0.08
        this.session.driver.notify()
        await this.session.until(("deadline", 0))
        assert this.session.driver.now() >= now + 0.08


async def test_a_deadline_that_is_taken_back_changes_nothing() -> None:
    async with pumped() as this:
        this.session.deadline = this.session.driver.now() + 0.02
        this.session.driver.notify()
        this.session.deadline = None
        await this.peer.send(b"hello")
        await this.session.until(("data", b"hello"))
        this.session.deadline = this.session.driver.now() + 0.06
        this.session.driver.notify()
        await this.session.until(("deadline", 0))
        assert this.session.all("deadline") == [0]


async def test_deadlines_and_tasks_go_on_when_the_stream_is_gone() -> None:
    """A handler may still run, and wait for time to pass."""
    async with pumped() as this:
        this.session.is_kept = True
        this.session.say(CLOSE)
        await this.session.until(("lost", None))
        this.session.deadline = this.session.driver.now() + 0.02
        this.session.driver.notify()
        await this.session.until(("deadline", 0))
        assert not this.ended.is_set()
        this.session.is_kept = False
        this.session.driver.notify()
        await this.until_ended()


async def test_a_pump_ends_after_the_last_task() -> None:
    async with pumped() as this:
        go_on = this.session.driver.event()
        done: list[str] = []

        async def work() -> None:
            await go_on.wait()
            await this.session.driver.checkpoint(True)
            done.append("work")

        this.session.driver.start(work)
        this.session.say(CLOSE)
        await this.session.until(("lost", None))
        assert not this.ended.is_set()
        go_on.set()
        await this.until_ended()
        assert done == ["work"]


async def test_a_reset_by_the_peer_is_an_error_of_the_stream() -> None:
    async with pumped() as this:
        this.peer.reset()
        await this.session.until(("lost", ConnectionResetError))
        await this.until_ended()
        assert this.reports == []


@pytest.mark.parametrize("answer", [b"", b"answer"])
async def test_a_reset_that_comes_with_the_last_bytes_is_noticed(answer: bytes) -> None:
    """The loop wakes the pump once for both; uvloop then never again."""
    async with pumped() as this:
        this.session.on_data = lambda data: this.session.say(*[answer][: len(answer)], soon=None)
        this.peer.socket.send(b"hello")
        this.peer.reset()
        await this.until_ended()
        assert this.session.heard[0] == ("data", b"hello")
        assert this.session.all("lost") in ([ConnectionResetError], [BrokenPipeError])
        assert this.reports == []


async def test_writing_to_a_peer_that_has_reset_loses_the_stream() -> None:
    async with pumped() as this:
        this.session.wants_reading = False
        this.session.driver.notify()
        this.peer.reset()
        this.session.say(b"hello")
        this.session.say(b"hello?")
        await this.until_ended()
        assert this.session.all("lost")[0] in (ConnectionResetError, BrokenPipeError)
        assert this.reports == []


async def test_a_half_close_of_a_stream_that_the_peer_has_reset_loses_it() -> None:
    async with pumped() as this:
        this.session.wants_reading = False
        this.session.driver.notify()
        this.peer.reset()
        this.session.say(HALF_CLOSE)
        await this.until_ended()
        assert this.session.all("lost")[0] in (OSError, ConnectionResetError)
        assert this.reports == []


async def test_what_is_said_when_the_stream_is_gone_is_dropped() -> None:
    async with pumped() as this:
        this.session.is_kept = True
        this.session.say(CLOSE)
        await this.session.until(("lost", None))
        this.session.say(b"too late", CLOSE)
        this.session.say(b"too late", soon=True)
        assert await this.peer.receive_all() == b""
        assert this.session.all("lost") == [None]


@pytest.mark.parametrize(
    "faulty", ["data", "eof", "deadline", "written", "data_to_send", "next_deadline", "wants_read"]
)
async def test_an_error_of_our_own_ends_one_connection_and_is_reported_once(faulty: str) -> None:
    """An exception barrier stands around everything that a connection does, also around the end that follows from the first."""
    async with pumped() as this:
        started = anyio.Event()
        ends: list[str] = []

        async def work() -> None:
            started.set()
            try:
                await this.session.driver.event().wait()
            finally:
                ends.append("cancelled")

        this.session.driver.start(work)
        await started.wait()
        this.session.faulty = (faulty, "abort", "lost")
        this.session.deadline = this.session.driver.now() + 0.02
        this.session.say(b"x")
        if faulty in ("data", "eof"):
            await this.peer.send(b"hello")
            this.peer.end()
        with pytest.raises(ConnectionResetError):
            await this.peer.receive_all()
        await this.until_ended()
        assert ends == ["cancelled"]
        [report] = this.reports
        assert (report.logger, report.level) == ("spry.error", 40)
        assert report.text == "internal error: connection aborted"
        assert repr(report.exception) == f"ZeroDivisionError({faulty!r})"


async def test_an_error_when_the_stream_is_lost_is_reported_once() -> None:
    async with pumped() as this:
        this.session.faulty = ("lost",)
        this.session.say(CLOSE)
        await this.until_ended()
        assert [repr(report.exception) for report in this.reports] == ["ZeroDivisionError('lost')"]


async def test_what_a_task_raises_past_its_session_ends_the_connection() -> None:
    async with pumped() as this:

        async def work() -> None:
            await this.session.driver.checkpoint(True)
            raise ZeroDivisionError("work")

        this.session.driver.start(work)
        with pytest.raises(ConnectionResetError):
            await this.peer.receive_some()
        await this.until_ended()
        assert [repr(report.exception) for report in this.reports] == ["ZeroDivisionError('work')"]


class Flawed(Connection):
    """A connection with an error of our own in it."""

    def receive_data(self, data: bytes, now: float) -> None:
        if data == b"stumble":
            raise ZeroDivisionError("our own")
        super().receive_data(data, now)


WAITING: Final = {
    "for content": b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n",
    "for a message": handshake("/echo"),
    "for something else": handshake("/sleep"),
}


@pytest.mark.parametrize("what", WAITING)
async def test_handlers_that_end_because_of_an_error_of_our_own_are_not_blamed(
    what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The session cancels them, so their cancellation is no error of theirs: the log tells of ours alone."""
    app = App()

    async def note(request: Request, next: Next) -> Outcome:
        app.notes.note("begun")
        try:
            return await next()
        finally:
            app.notes.note("left")

    app.middleware.use(note)
    async with nothing_left(), serving(app, make_connection=Flawed) as server:
        async with await connected(server) as peer:
            await peer.send(WAITING[what])
            await app.notes.until("begun")
            if what != "for content":
                assert await peer.receive_until(b"\r\n\r\n") == SWITCHED
            await peer.send(b"stumble")
            with pytest.raises(ConnectionResetError):
                await peer.receive_all()
            await app.notes.until("left")
    errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in errors] == ["internal error: connection aborted"]
