"""The lifespan of an application: entered before the first connection, left after the last, in one task."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from contextvars import ContextVar

import pytest

from spry_core import Application, Request, scope, sleep, timeout
from spry_core.errors import LocalProtocolError
from spry_core.serving import LogRecord, Server
from spry_core.tasks import event, now
from spry_core.testing import Cancelled, MemoryDriver, TestClient
from spry_core.testing.lent import LentDriver
from spry_core.testing.pump import Watch
from spry_core.testing.task import MemoryEvent

Function = Callable[[Application], AsyncGenerator[None, None]]


def noting(notes: list[str], name: str) -> Function:
    """Make a lifespan function that notes when it is entered and left."""

    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        notes.append(f"{name} enters")
        yield
        notes.append(f"{name} leaves")

    return lifespan


class Served:
    """A server in memory, started or not."""

    def __init__(self, *functions: Function) -> None:
        self.app = Application()
        for function in functions:
            self.app.lifespan(function)
        self.driver = MemoryDriver()
        self.records = list[LogRecord]()
        self.server = Server(
            self.app, random=bytes, wall_clock=lambda: 0.0, report=lambda record: self.records.append(record)
        )
        self.watch = Watch(self.driver, self.server)

    def start(self) -> None:
        self.driver.add_host(self.server.lifespan)
        self.server.start(self.driver.lend("the lifespan", self.watch.look))
        self.driver.settle()

    def shutdown(self, grace: float | None = None) -> None:
        self.server.shutdown(self.driver.now(), grace=grace)
        self.watch.look()
        self.driver.settle()

    def abort(self) -> None:
        self.server.abort(self.driver.now())
        self.driver.settle()

    @property
    def faults(self) -> list[tuple[str, BaseException | None]]:
        return [(record.text, record.exception) for record in self.records if record.logger == "spry.error"]

    @property
    def state(self) -> tuple[bool, bool]:
        return self.server.has_started, self.server.closed


def test_without_lifespan_functions_it_has_started_from_the_first() -> None:
    served = Served()
    assert (served.state, served.server.failure) == ((True, False), None)
    served.start()
    assert served.driver.tasks() == []
    served.shutdown()
    assert served.state == (True, True)


def test_functions_are_entered_in_order_and_left_in_reverse() -> None:
    notes = list[str]()
    served = Served(noting(notes, "one"), noting(notes, "two"))
    assert served.state == (False, False)
    served.start()
    assert (notes, served.state) == (["one enters", "two enters"], (True, False))
    served.shutdown()
    assert notes == ["one enters", "two enters", "two leaves", "one leaves"]
    assert (served.state, served.server.failure, served.faults) == ((True, True), None, [])


def test_all_of_it_is_one_task() -> None:
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    seen = list[str]()

    async def one(app: Application) -> AsyncGenerator[None, None]:
        variable.set("one")
        yield
        seen.append(variable.get())

    async def two(app: Application) -> AsyncGenerator[None, None]:
        seen.append(variable.get())
        variable.set("two")
        yield

    served = Served(one, two)
    served.start()
    assert len(served.driver.tasks()) == 1
    served.shutdown()
    assert seen == ["one", "two"]


def test_it_can_sleep_and_set_time_limits() -> None:
    moments = list[float]()

    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        await sleep(2.0)
        moments.append(now())
        yield
        with pytest.raises(TimeoutError), timeout(3.0):
            await event().wait()
        moments.append(now())

    served = Served(lifespan)
    served.start()
    assert (served.state, served.server.next_deadline()) == ((False, False), 2.0)
    served.driver.advance(2.0)
    assert (served.state, served.server.next_deadline()) == ((True, False), None)
    served.shutdown()
    assert (served.server.closed, served.server.next_deadline()) == (False, 5.0)
    served.driver.advance(3.0)
    assert (served.server.closed, moments) == (True, [2.0, 5.0])


def test_it_goes_on_behind_the_yield_when_the_last_session_is_over() -> None:
    notes, app = list[str](), Application()
    app.lifespan(noting(notes, "it"))

    @app.get("/slow")
    async def slow(request: Request) -> str:
        await sleep(3.0)
        notes.append("answered")
        return "done"

    client = TestClient(app)
    peer = client.connect()
    peer.send(b"GET /slow HTTP/1.1\r\nHost: t\r\n\r\n")
    client.shutdown()
    client.advance(3.0)
    assert (notes, client.server.closed) == (["it enters", "answered"], False)
    peer.close()
    assert (notes, client.server.closed) == (["it enters", "answered", "it leaves"], True)


def test_no_session_is_made_before_it_has_started() -> None:
    notes = list[str]()
    served = Served(noting(notes, "it"))
    with pytest.raises(LocalProtocolError, match="before the lifespan has started"):
        served.server.session(served.driver)
    assert served.server.session_count == 0
    served.start()
    served.server.session(served.driver)
    assert served.server.session_count == 1


def test_it_can_be_started_once_and_not_behind_a_shutdown() -> None:
    notes = list[str]()
    served = Served(noting(notes, "it"))
    with pytest.raises(LocalProtocolError, match=r"`Server\.start` comes first"):
        _ = served.server.lifespan.driver
    served.start()
    with pytest.raises(LocalProtocolError, match="was started before"):
        served.start()
    other = Served(noting(notes, "other"))
    other.shutdown()
    assert other.state == (False, True)
    with pytest.raises(LocalProtocolError, match="the server is closing"):
        other.start()
    assert notes == ["it enters"]


def test_an_error_in_startup_is_kept_and_nothing_is_served() -> None:
    notes, error = list[str](), KeyError("no database")

    async def failing(app: Application) -> AsyncGenerator[None, None]:
        raise error
        yield

    served = Served(noting(notes, "one"), failing, noting(notes, "three"))
    served.start()
    assert notes == ["one enters", "one leaves"]
    assert (served.state, served.server.failure, served.faults) == ((False, True), error, [])


def test_the_error_of_a_group_of_one_comes_out_as_itself() -> None:
    error = KeyError("no database")

    async def failing(app: Application) -> AsyncGenerator[None, None]:
        raise ExceptionGroup("nursery", [error])
        yield

    served = Served(failing)
    served.start()
    assert served.server.failure is error


def test_an_error_in_teardown_is_kept_and_logged_and_the_rest_is_left() -> None:
    notes, errors = list[str](), [KeyError("inner"), OSError("outer")]

    def failing(error: Exception) -> Function:
        async def lifespan(app: Application) -> AsyncGenerator[None, None]:
            yield
            raise error

        return lifespan

    served = Served(noting(notes, "it"), failing(errors[1]), failing(errors[0]))
    served.start()
    served.shutdown()
    assert (notes, served.state) == (["it enters", "it leaves"], (True, True))
    assert served.server.failure is errors[0]
    assert served.faults == [
        ("lifespan: KeyError in the application", errors[0]),
        ("lifespan: OSError in the application", errors[1]),
    ]
    assert served.records[-1].fields == {"kind": "application fault", "fault": "OSError"}


def test_an_error_of_teardown_after_one_of_startup_is_logged() -> None:
    first, second = KeyError("startup"), OSError("teardown")

    async def leaving(app: Application) -> AsyncGenerator[None, None]:
        yield
        raise second

    async def failing(app: Application) -> AsyncGenerator[None, None]:
        raise first
        yield

    served = Served(leaving, failing)
    served.start()
    assert served.server.failure is first
    assert served.faults == [("lifespan: OSError in the application", second)]


def test_a_function_that_does_not_yield_is_an_error_that_says_so() -> None:
    async def barren(app: Application) -> AsyncGenerator[None, None]:
        if app.locals:
            yield

    served = Served(barren)
    served.start()
    assert type(served.server.failure) is LocalProtocolError
    assert str(served.server.failure).endswith("barren has ended without a yield")


@pytest.mark.parametrize("closes_badly", [False, True])
def test_a_function_that_yields_twice_is_an_error_that_says_so(closes_badly: bool) -> None:
    notes = list[str]()

    async def fertile(app: Application) -> AsyncGenerator[None, None]:
        yield
        try:
            yield
        finally:
            notes.append("closed")
            if closes_badly:
                raise OSError("not now")

    served = Served(noting(notes, "it"), fertile)
    served.start()
    served.shutdown()
    failure = served.server.failure
    if closes_badly:
        assert repr(failure) == "OSError('not now')"
    else:
        assert str(failure).endswith("fertile has yielded a second time")
    assert (notes, served.state) == (["it enters", "closed", "it leaves"], (True, True))


def waiting(notes: list[str], name: str) -> Function:
    """Make a lifespan function whose teardown waits for ever."""

    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        yield
        notes.append(f"{name} begins to leave")
        try:
            await event().wait()
        except Cancelled:
            notes.append(f"{name} is cancelled")
            raise

    return lifespan


def test_abort_cancels_a_teardown_that_waits() -> None:
    notes = list[str]()
    served = Served(waiting(notes, "one"), noting(notes, "two"))
    served.start()
    served.shutdown()
    assert (notes, served.server.closed) == (["two enters", "two leaves", "one begins to leave"], False)
    served.abort()
    assert notes[3:] == ["one is cancelled"]
    assert (served.server.closed, served.server.failure, served.faults) == (True, None, [])


def test_after_abort_the_first_wait_behind_a_yield_is_cancelled() -> None:
    notes = list[str]()
    served = Served(noting(notes, "one"), waiting(notes, "two"))
    served.start()
    served.abort()
    assert notes == ["one enters", "two begins to leave", "two is cancelled", "one leaves"]
    assert (served.server.closed, served.server.failure, served.faults) == (True, None, [])


def test_abort_cancels_a_startup() -> None:
    notes = list[str]()

    async def slow(app: Application) -> AsyncGenerator[None, None]:
        await sleep(10.0)
        yield

    served = Served(noting(notes, "one"), slow)
    served.start()
    served.abort()
    assert notes == ["one enters", "one leaves"]
    assert (served.state, served.server.failure, served.faults) == ((False, True), None, [])


def slow_starter(notes: list[str]) -> Function:
    async def slow(app: Application) -> AsyncGenerator[None, None]:
        await sleep(10.0)
        notes.append("entered")
        yield
        notes.append("left")

    return slow


def test_a_startup_may_finish_within_the_grace_of_a_shutdown() -> None:
    notes = list[str]()
    served = Served(slow_starter(notes))
    served.start()
    served.shutdown(grace=10.1)
    served.driver.advance(10.0)
    assert (notes, served.state) == (["entered", "left"], (True, True))
    served.driver.advance(0.2)
    assert served.server.failure is None


def test_a_startup_is_cancelled_when_the_grace_is_over() -> None:
    notes = list[str]()
    served = Served(slow_starter(notes))
    served.start()
    served.shutdown(grace=5.0)
    served.driver.advance(4.9)
    assert served.state == (False, False)
    served.driver.advance(0.1)
    assert (notes, served.state, served.server.failure) == ([], (False, True), None)


class Nursery(BaseException):
    """What a nursery of a backend throws into its own block when a task of it has failed."""


class NursingEvent(MemoryEvent):
    """An event whose waiter can be interrupted, as by a nursery around it."""

    error: BaseException | None = None

    def interrupt(self, error: BaseException) -> None:
        self.error = error
        self.set()

    async def wait(self) -> None:
        await super().wait()
        if self.error is not None:
            raise self.error


class NursingDriver(LentDriver):
    """A driver whose events are like that."""

    def __init__(self, served: Served) -> None:
        super().__init__(served.driver, "the lifespan", served.watch.look)
        self.made = NursingEvent(served.driver)

    def event(self) -> NursingEvent:
        return self.made


def interrupt(served: Served, error: BaseException) -> None:
    """Start it, and let its wait for the last session raise `error`."""
    driver = NursingDriver(served)
    served.server.start(driver)
    served.driver.settle()
    driver.made.interrupt(error)
    served.driver.settle()


def test_a_cancellation_that_is_not_ours_is_thrown_in_at_the_yields() -> None:
    """A nursery that a lifespan function has opened can only then say what has happened in it."""
    notes = list[str]()
    error = KeyError("a task of the nursery")

    async def outer(app: Application) -> AsyncGenerator[None, None]:
        try:
            yield
        except Nursery:
            notes.append("outer")
            raise error from None

    async def inner(app: Application) -> AsyncGenerator[None, None]:
        try:
            yield
        finally:
            notes.append("inner")

    served = Served(noting(notes, "outermost"), outer, inner)
    interrupt(served, Nursery())
    assert notes == ["outermost enters", "inner", "outer", "outermost leaves"]
    assert (served.server.failure, served.server.closed) == (error, True)
    assert served.faults == [("lifespan: KeyError in the application", error)]


def test_a_cancellation_that_nobody_takes_is_an_error() -> None:
    served, cancellation = Served(noting([], "it")), Nursery()
    interrupt(served, cancellation)
    assert (served.server.failure, served.server.closed) == (cancellation, True)
    assert served.faults == [("lifespan: Nursery in the application", cancellation)]


def test_a_lifespan_that_ends_by_itself_ends_the_server() -> None:
    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        with suppress(Nursery):
            yield

    served = Served(lifespan)
    interrupt(served, Nursery())
    assert (served.server.is_closing, served.server.failure, served.faults) == (True, None, [])


def test_what_ends_the_process_passes_through() -> None:
    notes = list[str]()

    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        yield
        raise SystemExit(3)

    served = Served(noting(notes, "it"), lifespan)
    served.start()
    with pytest.raises(SystemExit, match="3"):
        served.shutdown()
    assert (served.server.closed, served.server.failure) == (True, None)


def test_an_error_of_a_task_of_a_scope_ends_it_and_the_server() -> None:
    notes, error = list[str](), KeyError("a task")

    async def fail() -> None:
        await sleep(1.0)
        raise error

    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        async with scope() as s:
            s.start_soon(fail)
            yield
            notes.append("never")

    served = Served(noting(notes, "outer"), lifespan)
    served.start()
    assert served.state == (True, False)
    served.driver.advance(1.0)
    assert (notes, served.state, served.server.failure) == (
        ["outer enters", "outer leaves"],
        (True, True),
        error,
    )
    assert served.faults == [("lifespan: KeyError in the application", error)]


def test_aborting_cancels_the_tasks_of_its_scope() -> None:
    notes = list[str]()

    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        async with scope() as s:
            s.start_soon(event().wait)
            yield
        notes.append("never")

    served = Served(noting(notes, "outer"), lifespan)
    served.start()
    served.shutdown()
    assert served.state == (True, False)
    served.abort()
    assert (notes, served.state, served.faults) == (["outer enters", "outer leaves"], (True, True), [])


def test_tasks_can_be_started_beside_it() -> None:
    notes = list[str]()

    async def beside() -> None:
        notes.append(f"runs at {now()}")

    async def lifespan(app: Application) -> AsyncGenerator[None, None]:
        served.server.lifespan.start(beside)
        yield

    served = Served(lifespan)
    served.start()
    assert notes == ["runs at 0.0"]


@pytest.mark.parametrize("ends_in_time", [False, True])
def test_one_that_takes_too_long_to_end_is_cancelled_and_that_is_said(ends_in_time: bool) -> None:
    async def slow(app: Application) -> AsyncGenerator[None, None]:
        yield
        await sleep(14.0 if ends_in_time else 16.0)

    served = Served(slow)
    served.start()
    served.shutdown(grace=10.0)
    served.driver.advance(15.0)
    assert served.state == (True, True)
    served.server.handle_deadline(15.0)
    assert served.faults == ([] if ends_in_time else [("lifespan: cancelled, it took too long to end", None)])


def test_the_adapter_hears_of_a_shutdown_before_any_connection_does() -> None:
    """Else a client that is told to go connects again, to a listener that is about to go as well."""
    heard: list[tuple[bool, int]] = []
    app = Application()
    server = Server(app, random=bytes, wall_clock=lambda: 0.0, report=lambda record: None)
    driver = MemoryDriver()
    server.start(driver.lend("the server", lambda: heard.append((server.is_closing, server.session_count))))
    told: list[int] = []
    server.session(driver.lend("a session", lambda: told.append(len(heard))))
    server.shutdown(0.0)
    assert (heard, told) == ([(True, 1)], [1])
