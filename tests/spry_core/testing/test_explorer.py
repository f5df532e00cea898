"""Crash points: classic bugs are found at their line, and the right versions pass."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest

from spry_core import Application, ConnectionClosed, Next, Outcome, Request, WebSocket, scope, sleep
from spry_core.driver import Event
from spry_core.tasks import event
from spry_core.testing import Deadlock, TestClient, explorer
from spry_core.testing.explorer import FAULTS, CrashPointFailure, ExplorationError, Fault, Report, explore
from spry_core.testing.task import Cancelled

MakeApp = Callable[[], Application]


def place(function: Callable[..., object], code: str) -> str:
    """Return the line of this file at which `function` has `code`, as a report names it."""
    lines, first = inspect.getsourcelines(function)
    line = first + next(number for number, line in enumerate(lines) if code in line)
    return f"{__file__}:{line} in {function.__qualname__}"


def failed(make: MakeApp, scenario: explorer.Scenario, check: explorer.Scenario | None = None) -> Report:
    """Explore what has a bug, and return the report."""
    with pytest.raises(CrashPointFailure) as caught:
        explore(make, scenario, check=check)
    return caught.value.report


def found(report: Report) -> set[tuple[Fault, str]]:
    """Return at which lines which fault did harm."""
    return {(finding.fault, finding.point.at) for finding in report.findings}


# ---------------------------------------------------------------------------------------- a lock that is not released


class Lock:
    def __init__(self) -> None:
        self.is_held = False
        self.freed: Event | None = None

    async def acquire(self) -> None:
        while self.is_held:
            self.freed = event()
            await self.freed.wait()
        self.is_held = True

    def release(self) -> None:
        self.is_held = False
        if self.freed is not None:
            self.freed.set()


async def work_without_care(lock: Lock) -> str:
    await lock.acquire()
    await sleep(1.0)
    lock.release()
    return "done"


async def work_with_care(lock: Lock) -> str:
    await lock.acquire()
    try:
        await sleep(1.0)
    finally:
        lock.release()
    return "done"


def locked(work: Callable[[Lock], Awaitable[str]]) -> MakeApp:
    def make() -> Application:
        app, lock = Application(), Lock()

        @app.get("/")
        async def handler(request: Request) -> str:
            return await work(lock)

        return app

    return make


def get_twice(client: TestClient) -> None:
    for _ in range(2):
        assert client.get("/").text == "done"


def test_a_lock_that_is_not_released_is_found() -> None:
    """Without a check the scenario has to pass once more; here the next request waits for ever."""
    report = failed(locked(work_without_care), get_twice)
    line = place(work_without_care, "await sleep")
    assert found(report) == {("cancellation", line), ("timeout", line)}
    assert {type(finding.error) for finding in report.findings} == {Deadlock}


def test_a_lock_that_is_released_in_any_case_passes() -> None:
    report = explore(locked(work_with_care), get_twice)
    assert (report.findings, report.is_exhaustive) == ((), True)
    assert [point.at for point in report.points] == [place(work_with_care, "await sleep")] * 2
    assert report.runs == 2 * len(FAULTS)
    assert str(report) == "0 of 8 runs failed: seed 0, all points"


# ------------------------------------------------------------------------------------------------ a job that is lost


async def take_then_save(queue: list[str], saved: list[str]) -> None:
    while queue:
        job = queue.pop(0)
        await sleep(0.1)
        saved.append(job)


async def save_then_take(queue: list[str], saved: list[str]) -> None:
    while queue:
        await sleep(0.1)
        saved.append(queue[0])
        del queue[0]


def mailbox(work: Callable[[list[str], list[str]], Awaitable[None]]) -> MakeApp:
    """Make an application that stores what comes, and works on it."""

    def make() -> Application:
        app = Application()
        queue, saved = list[str](), list[str]()
        app.locals.update(queue=queue, saved=saved, received=[])

        @app.ws("/jobs")
        async def jobs(ws: WebSocket, request: Request) -> None:
            async for message in ws:
                assert isinstance(message, str)
                app.locals["received"].append(message)
                queue.append(message)
                await work(queue, saved)
                await ws.send("saved")

        @app.get("/lost")
        async def lost(request: Request) -> list[str]:
            return sorted({*app.locals["received"]} - {*queue, *saved})

        return app

    return make


def send_jobs(client: TestClient) -> None:
    with client.ws("/jobs") as ws:
        for job in ("a", "b"):
            ws.send(job)
            assert ws.receive() == "saved"


def nothing_lost(client: TestClient) -> None:
    assert client.get("/lost").json() == []


def test_a_message_that_is_lost_between_receiving_and_storing_is_found() -> None:
    report = failed(mailbox(take_then_save), send_jobs, nothing_lost)
    line = place(take_then_save, "await sleep")
    assert found(report) == {("cancellation", line), ("timeout", line)}
    assert [finding.point.number for finding in report.findings if finding.fault == "timeout"] == [
        point.number for point in report.points if point.at == line
    ]


def test_a_message_that_is_taken_when_it_is_stored_passes() -> None:
    assert explore(mailbox(save_then_take), send_jobs, check=nothing_lost).findings == ()


# ---------------------------------------------------------------------------------------- a counter that goes one way


async def count_carelessly(ws: WebSocket, online: list[int]) -> None:
    online[0] += 1
    while True:
        message = await ws.receive()
        if message == "bye":
            break
        await ws.send(message)
    online[0] -= 1


async def count_carefully(ws: WebSocket, online: list[int]) -> None:
    online[0] += 1
    try:
        while (message := await ws.receive()) != "bye":
            await ws.send(message)
    finally:
        online[0] -= 1


async def count_disconnects_only(ws: WebSocket, online: list[int]) -> None:
    online[0] += 1
    try:
        while (message := await ws.receive()) != "bye":
            await ws.send(message)
    except ConnectionClosed:
        pass
    online[0] -= 1


def room(work: Callable[[WebSocket, list[int]], Awaitable[None]]) -> MakeApp:
    def make() -> Application:
        app, online = Application(), [0]

        @app.ws("/room")
        async def handler(ws: WebSocket, request: Request) -> None:
            await work(ws, online)

        @app.get("/online")
        async def count(request: Request) -> str:
            return str(online[0])

        return app

    return make


def say(client: TestClient) -> None:
    with client.ws("/room") as ws:
        ws.send("hello")
        assert ws.receive() == "hello"
        ws.send("bye")


def nobody_online(client: TestClient) -> None:
    assert client.get("/online").text == "0"


def test_a_counter_that_is_not_decremented_on_a_disconnect_is_found() -> None:
    report = failed(room(count_carelessly), say, nobody_online)
    receiving, sending = place(count_carelessly, "ws.receive()"), place(count_carelessly, "ws.send(")
    places = {finding.point.at for finding in report.findings if finding.fault == "disconnect"}
    assert receiving in places
    assert {at for fault, at in found(report) if fault == "cancellation"} == {receiving, sending}
    assert not [finding for finding in report.findings if finding.fault == "full buffer"]


def test_a_counter_that_is_decremented_on_a_disconnect_alone_fails_for_the_rest_alone() -> None:
    report = failed(room(count_disconnects_only), say, nobody_online)
    assert {finding.fault for finding in report.findings} == {"cancellation", "timeout"}


def test_a_counter_that_is_decremented_in_any_case_passes() -> None:
    assert explore(room(count_carefully), say, check=nobody_online).findings == ()


# ---------------------------------------------------------------------------------- what only a full buffer brings out


def ranking(is_sent_first: bool) -> MakeApp:
    """Make an application whose clients may see a number before it counts."""

    def make() -> Application:
        app, told = Application(), list[int]()
        counted = [0]

        @app.ws("/next")
        async def handler(ws: WebSocket, request: Request) -> None:
            async for _ in ws:
                number = counted[0] + 1
                if not is_sent_first:
                    counted[0] = number
                told.append(number)
                await ws.send(str(number))
                if is_sent_first:
                    counted[0] = number

        @app.get("/twice")
        async def twice(request: Request) -> str:
            return str(len(told) - len(set(told)))

        return app

    return make


def two_at_once(client: TestClient) -> None:
    with client.ws("/next") as one, client.ws("/next") as two:
        one.send("?")
        two.send("?")
        assert {one.receive(), two.receive()} == {"1", "2"}


def none_twice(client: TestClient) -> None:
    assert client.get("/twice").text == "0"


def test_a_handler_that_does_not_expect_send_to_wait_is_found() -> None:
    report = failed(ranking(is_sent_first=True), two_at_once, none_twice)
    assert "full buffer" in {finding.fault for finding in report.findings}
    assert explore(ranking(is_sent_first=False), two_at_once, check=none_twice).findings == ()


# ------------------------------------------------------------------------------------------------ reports, and so on


def test_a_report_says_where_and_how_to_go_on() -> None:
    with pytest.raises(CrashPointFailure) as caught:
        explore(locked(work_without_care), get_twice, faults=["cancellation"], seed=7)
    assert str(caught.value) == (
        "2 of 2 runs failed: seed 7, all points\n"
        f"  cancellation at {place(work_without_care, 'await sleep')}\n"
        "    Deadlock: nothing can bring the answer to GET / (time 0.0)\n"
        '    at point 1; the first alone: explore(..., only="cancellation:1", seed=7)\n'
        f"  cancellation at {place(work_without_care, 'await sleep')}\n"
        "    Deadlock: nothing can bring the answer to GET / (time 1.0)\n"
        '    at point 2; the first alone: explore(..., only="cancellation:2", seed=7)'
    )
    assert caught.value.__cause__ is caught.value.report.findings[0].error
    assert str(caught.value.report.findings[1].point) == (
        f"point 2: {place(work_without_care, 'await sleep')}, task 2 of connection 50000"
    )


def test_what_fails_at_one_line_again_and_again_is_told_once() -> None:
    def chat(client: TestClient) -> None:
        with client.ws("/room") as ws:
            for _ in range(3):
                ws.send("hello")
                assert ws.receive() == "hello"
            ws.send("bye")

    report = failed(room(count_carelessly), chat, nobody_online)
    lines = [line for line in str(report).splitlines() if line.startswith("  cancellation")]
    assert len(lines) == len(set(lines)) == 2
    sending = [point.number for point in report.points if point.at == place(count_carelessly, "ws.send(")]
    assert len(sending) == 3
    assert f'    at points {", ".join(map(str, sending))}; the first alone: explore(..., only="c' in str(
        report
    )


def test_an_error_without_a_text_is_told_by_its_name() -> None:
    def fail(client: TestClient) -> None:
        if any(record.exception is not None for record in client.reports):
            raise LookupError

    assert "\n    LookupError\n" in str(failed(locked(work_with_care), get_twice, fail))


def test_one_run_alone_raises_what_it_raises() -> None:
    with pytest.raises(Deadlock, match="nothing can bring the answer to GET /"):
        explore(locked(work_without_care), get_twice, only="cancellation:2")
    report = explore(locked(work_without_care), get_twice, only="full buffer:2")
    assert (report.runs, report.findings, report.is_exhaustive) == (1, (), False)


@pytest.mark.parametrize("only", ["cancellation:3", "cancellation:0", "cancellation", "flood:1", ":"])
def test_a_run_that_there_is_not_is_refused(only: str) -> None:
    with pytest.raises(ExplorationError, match=re.escape(f"no run '{only}': the scenario has points 1 to 2")):
        explore(locked(work_with_care), get_twice, only=only)


def test_a_fault_that_there_is_not_is_refused() -> None:
    faults = cast("list[Fault]", ["disconnect", "flood"])
    with pytest.raises(ValueError, match=r"^faults are .*, not flood$"):
        explore(locked(work_with_care), get_twice, faults=faults)


def test_of_many_points_a_sample_is_drawn_by_the_seed() -> None:
    def often(client: TestClient) -> None:
        for _ in range(30):
            client.get("/")

    def numbers(seed: int) -> list[int]:
        with pytest.raises(CrashPointFailure) as caught:
            explore(locked(work_without_care), often, faults=["timeout"], seed=seed, samples=5)
        report = caught.value.report
        assert (report.runs, report.is_exhaustive) == (5, False)
        assert str(report).startswith(f"5 of 5 runs failed: seed {seed}, a sample of points\n")
        return [finding.point.number for finding in report.findings]

    assert numbers(1) == numbers(1) == sorted(numbers(1))
    assert numbers(1) != numbers(2)


def test_a_scenario_that_fails_without_a_fault_fails_as_it_is() -> None:
    def wrong(client: TestClient) -> None:
        assert client.get("/").text == "something else"

    with pytest.raises(AssertionError, match="something else") as caught:
        explore(locked(work_with_care), wrong)
    assert not isinstance(caught.value, CrashPointFailure)


def test_a_scenario_that_goes_another_way_each_time_is_told() -> None:
    """Here what one run has left is there in the next."""
    app, visits = Application(), list[int]()

    @app.get("/")
    async def handler(request: Request) -> str:
        visits.append(1)
        for _ in range(max(0, 4 - len(visits))):
            await sleep(1.0)
        return "done"

    with pytest.raises(ExplorationError, match=r"^point 1: .* is not there in another run: give a function"):
        explore(app, lambda client: client.get("/"), faults=["cancellation"])


def test_a_fault_that_never_comes_in_a_scenario_that_fails_is_its_own_error() -> None:
    """The scenario passes twice, when its points are counted, and fails before it comes to one."""
    runs = list[int]()

    def fickle(client: TestClient) -> None:
        runs.append(1)
        if len(runs) > 4:
            raise LookupError("enough")
        client.get("/")

    with pytest.raises(CrashPointFailure, match="LookupError: enough"):
        explore(locked(work_with_care), fickle, faults=["disconnect"])


def test_an_application_may_be_explored_as_it_is() -> None:
    app = Application()
    sizes = list[int]()

    @app.get("/")
    async def handler(request: Request) -> str:
        await sleep(1.0)
        return "done"

    def scenario(client: TestClient) -> None:
        sizes.append(len(app.routes))
        assert client.get("/").text == "done"

    assert explore(app, scenario).runs == len(FAULTS)
    assert set(sizes) == {1}


def test_a_handler_that_swallows_everything_is_found() -> None:
    def make() -> Application:
        app = Application()

        @app.get("/")
        async def stubborn(request: Request) -> str:
            for _ in range(100_000):
                try:
                    await sleep(1.0)
                except Cancelled:
                    continue
                else:
                    return "done"
            return "never"  # pragma: no cover - it is stopped before

        return app

    report = failed(make, lambda client: client.get("/"))
    assert {finding.fault for finding in report.findings} >= {"cancellation"}


def test_tasks_of_a_connection_are_interrupted_too_and_the_lifespan_is_not() -> None:
    def make() -> Application:
        app = Application()

        @app.lifespan
        async def life(app: Application) -> AsyncIterator[None]:
            async with scope() as tasks:
                tasks.start_soon(tick)
                yield
                tasks.cancel()

        async def tick() -> None:
            while True:
                await sleep(0.4)

        async def child(seen: list[str]) -> None:
            await sleep(1.0)
            seen.append("child")

        @app.get("/")
        async def parent(request: Request) -> list[str]:
            seen = list[str]()
            async with scope() as tasks:
                tasks.start_soon(child, seen)
            return seen

        return app

    report = explore(make, lambda client: client.get("/"))
    assert {point.task for point in report.points} == {
        "task 3 of connection 50000",
        "task 4 of connection 50000",
    }


def test_a_handler_that_goes_on_without_its_connection_is_waited_for_in_vain() -> None:
    """Its time is bounded: then the check has its turn."""

    def make() -> Application:
        app = Application()

        @app.ws("/")
        async def handler(ws: WebSocket, request: Request) -> None:
            await ws.send("hello")
            await sleep(10 * explorer.PATIENCE)

        return app

    def scenario(client: TestClient) -> None:
        assert client.ws("/").receive() == "hello"

    times = list[float]()
    explore(make, scenario, faults=["disconnect"], check=lambda client: times.append(client.now))
    assert set(times) == {0.0, explorer.PATIENCE}


def test_a_time_limit_outside_of_any_handler_changes_nothing() -> None:
    """A point of a middleware that stands further out."""

    def make() -> Application:
        app = Application()

        async def slow(request: Request, next: Next) -> Outcome:
            await sleep(1.0)
            return await next()

        app.middleware.use(slow)

        @app.get("/")
        async def handler(request: Request) -> str:
            return "done"

        return app

    assert explore(make, get_once, faults=["timeout"]).findings == ()


def test_an_application_that_was_served_before_is_refused_with_what_to_do() -> None:
    app = Application()

    @app.get("/")
    async def handler(request: Request) -> str:
        return "done"

    get_once(TestClient(app))
    with pytest.raises(
        ExplorationError, match=r"has been served already, .*: give a function that makes it$"
    ):
        explore(app, get_once)


def get_once(client: TestClient) -> None:
    assert client.get("/").text == "done"


def plain() -> Application:
    app = Application()

    @app.get("/")
    async def hello(request: Request) -> str:
        return "hello"

    return app


def test_a_scenario_without_a_point_is_an_error_that_says_why() -> None:
    """A test that passes because nothing was tried would never fail."""
    with pytest.raises(ExplorationError) as caught:
        explore(plain, lambda client: client.get("/"))
    assert str(caught.value) == (
        "the scenario comes by no point, so nothing could go wrong: no task of a connection waits in it. "
        "A handler is interrupted where it awaits something of Spry's, such as `sleep` or `ws.receive`"
    )


@pytest.mark.parametrize(("faults", "samples"), [([], 500), (FAULTS, 0)])
def test_trying_nothing_is_refused(faults: list[Fault], samples: int) -> None:
    with pytest.raises(ValueError, match=r"^without a fault, or without samples, nothing would be tried$"):
        explore(plain, lambda client: client.get("/"), faults=faults, samples=samples)
