"""Who is to keep the laws."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import trio

import lawless
from spry_core import Application, Request
from spry_core.protocol import Connection, Message
from spry_core.testing import ForeignAwaitable, MemoryDriver
from spry_core.testing.laws import AppSubject, ConnectionSubject
from spry_core.testing.laws.inputs import frames_of, requests
from spry_core.testing.laws.subject import Owned, subject_of
from spry_core.testing.laws.trial import Trial
from spry_core.testing.requests import handshake


def bare() -> ConnectionSubject:
    return ConnectionSubject(lambda now, random: Connection("server", now=now, random=random))


def test_whatever_is_given_becomes_a_subject() -> None:
    assert isinstance(subject_of(Application()), AppSubject)
    assert isinstance(subject_of(Application), AppSubject)
    subject = bare()
    assert subject_of(subject) is subject


def test_a_lifespan_runs_and_is_no_task_of_the_connection() -> None:
    steps: list[str] = []
    app = Application()

    @app.lifespan
    async def life(app: Application) -> AsyncIterator[None]:
        steps.append("begun")
        yield

    trial = Trial(app)
    assert (steps, trial.tasks(), len(trial.driver.tasks())) == (["begun"], [], 1)


def test_a_lifespan_that_fails_comes_out() -> None:
    app = Application()

    @app.lifespan
    async def life(app: Application) -> AsyncIterator[None]:
        raise ZeroDivisionError("at the start")
        yield

    with pytest.raises(ZeroDivisionError, match="at the start"):
        Trial(app)


def test_a_bare_connection_is_owned_by_an_echo() -> None:
    trial = Trial(bare())
    trial.send([handshake("/") + frames_of("hello") + frames_of("grüße")])
    assert trial.peer.received.endswith(b"\r\n\r\n\x81\x05hello\x81\x07gr\xc3\xbc\xc3\x9fe")
    assert trial.finish("ends").ending == "end"


def test_a_bare_connection_answers_every_request() -> None:
    trial = Trial(bare())
    trial.send([requests("/")])
    assert trial.finish("ends").output.count(b"HTTP/1.1 200 ") == 5


def test_messages_behind_a_close_are_consumed_and_not_answered() -> None:
    class Recording(Connection):
        released = 0

        def next_event(self) -> Message | None:
            self.released += 1
            return Message(data="late") if self.released == 1 else None

        def release(self, n: int, now: float) -> None:
            self.released += 100 * n

    connection = Recording("server", now=0.0, random=bytes)
    owned = Owned(connection)
    owned.receive_eof(0.0)
    assert (connection.released, owned.ends, owned.after_end) == (402, 0, [])


def test_a_driver_may_be_anybodys() -> None:
    face, host = bare().mount(MemoryDriver(), MemoryDriver(), 0)
    assert host is None
    assert (face.wants_read, face.closed) == (True, False)


def test_a_bare_connection_takes_content_and_its_deadlines() -> None:
    trial = Trial(bare())
    trial.send([b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"])
    assert trial.peer.received.startswith(b"HTTP/1.1 200 ")
    owned = Owned(Connection("server", now=0.0, random=bytes))
    deadline = owned.next_deadline()
    assert deadline is not None
    owned.handle_deadline(deadline)
    assert owned.next_deadline() != deadline


def test_what_a_handler_does_that_needs_an_event_loop_comes_out() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> None:
        await trio.sleep(1)

    with pytest.raises(ForeignAwaitable, match=r"awaited trio\._timeouts\.sleep"):
        Trial(app).send([requests("/")])


def test_what_comes_behind_the_end_is_kept() -> None:
    owned = Owned(lawless.EndsTwice("server", now=0.0, random=bytes))
    owned.receive_data(b"nonsense\r\n\r\n", 0.0)  # a Failure, for which an owner has nothing to do
    owned.connection_lost(None, 0.0)
    assert (owned.ends, [type(each).__name__ for each in owned.after_end]) == (2, ["ConnectionEnded"])
