"""Crash points: run a scenario once for every place where something could go wrong in a handler, and let it go wrong there.

A handler can be interrupted wherever it waits, and nowhere else: at every wait and every checkpoint of a task that runs for a
connection. In the memory of a test these points can be counted, and since the same seed gives the same run, the n-th of them is
the same place each time. So the scenario is run once without a fault; then once for each point and each fault, in a world of
its own; and after each of these runs something has to be true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final, Literal, TypeAlias, assert_never

from spry_core.driver import Scope
from spry_core.errors import LocalProtocolError, SpryError
from spry_core.protocol import DEFAULT_ENGINE, EngineName, Limits, Timeouts
from spry_core.testing.client import TestClient
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.pump import WINDOW
from spry_core.testing.task import MemoryTask
from spry_core.web.application import Application
from spry_core.web.middleware import Next, Outcome
from spry_core.web.request import Request

Fault: TypeAlias = Literal["disconnect", "cancellation", "timeout", "full buffer"]
"""What can go wrong at a point."""

FAULTS: Final[tuple[Fault, ...]] = ("disconnect", "cancellation", "timeout", "full buffer")
"""All of them.

- disconnect: the connection of the task is cut; the task sees it there if it waits there, else at its next wait.
- cancellation: the task is cancelled.
- timeout: a time limit around the handler runs out, as a middleware has it.
- full buffer: the peer reads nothing for a second, and every sender has to wait.
"""

STALL: Final = 1.0
"""Virtual seconds for which a peer reads nothing when buffers are to be full."""

PATIENCE: Final = 300.0
"""Virtual seconds that the tasks of a connection that was cut get to come to an end, before `check` is called."""

Apps: TypeAlias = Application | Callable[[], Application]
"""An application, or what makes one for each run."""

Scenario: TypeAlias = Callable[[TestClient], object]
"""What is done with a client; it raises if it goes wrong."""


@dataclass(frozen=True, slots=True)
class Point:
    """One place at which a task may be interrupted, in the course of a scenario."""

    number: int
    """Which one it is, from 1, in the order of the run without a fault."""

    task: str
    """The task, with its connection."""

    at: str
    """The user's line, as ``FILE:LINE in FUNCTION``; Spry's own where none of the user's is involved."""

    def __str__(self) -> str:
        return f"point {self.number}: {self.at}, {self.task}"


@dataclass(frozen=True, slots=True)
class Finding:
    """A run after which something was not as it has to be."""

    fault: Fault
    """What went wrong in it."""

    point: Point
    """Where that was."""

    error: Exception
    """What `check` raised, or the end of the server."""

    @property
    def only(self) -> str:
        """What to give to `explore` to have this run alone."""
        return f"{self.fault}:{self.point.number}"


@dataclass(frozen=True, slots=True)
class Report:
    """What an exploration has seen."""

    points: tuple[Point, ...]
    """The points of the scenario, as they are without a fault."""

    runs: int
    """How often the scenario was run with a fault."""

    findings: tuple[Finding, ...]
    """What was found."""

    is_exhaustive: bool
    """True if every point had its turn; of more than `samples` it is some of them, drawn by the seed."""

    seed: int
    """The seed of all runs."""

    def __str__(self) -> str:
        kind = "all points" if self.is_exhaustive else "a sample of points"
        lines = [f"{len(self.findings)} of {self.runs} runs failed: seed {self.seed}, {kind}"]
        for (fault, at, error), findings in self._by_place().items():
            numbers = ", ".join(str(finding.point.number) for finding in findings)
            where = f"at {'point' if len(findings) == 1 else 'points'} {numbers}"
            alone = f'explore(..., only="{findings[0].only}", seed={self.seed})'
            lines += [f"  {fault} at {at}", f"    {error}", f"    {where}; the first alone: {alone}"]
        return "\n".join(lines)

    def _by_place(self) -> dict[tuple[Fault, str, str], list[Finding]]:
        """Put together what has failed at the same line in the same way: a loop comes there again and again."""
        found: dict[tuple[Fault, str, str], list[Finding]] = {}
        for finding in self.findings:
            text = (str(finding.error).splitlines() or [""])[0]
            error = f"{type(finding.error).__name__}: {text}".removesuffix(": ")
            found.setdefault((finding.fault, finding.point.at, error), []).append(finding)
        return found


class CrashPointFailure(AssertionError):  # noqa: N818 - what a test fails with
    """Some runs have failed. The text names each by fault, file and line; the `__cause__` is the error of the first."""

    def __init__(self, report: Report) -> None:
        super().__init__(str(report))
        self.report: Final = report
        """All that was seen."""


def explore(
    app: Apps,
    scenario: Scenario,
    *,
    check: Scenario | None = None,
    faults: Sequence[Fault] = FAULTS,
    seed: int = 0,
    samples: int = 500,
    only: str | None = None,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    engine: EngineName = DEFAULT_ENGINE,
) -> Report:
    """Run `scenario` once for every point and every fault, and `check` after each.

    Args:
        app: A function that makes the application, called for each run, so that no run sees what another has left. An application
            as it is will do if its lifespan sets up all of its state; it gets one middleware more.
        scenario: What a client does, such as ``lambda client: client.get("/")``. Without a fault it must pass. With one, whatever
            it raises counts as what a client sees of it.
        check: What has to be true after each run, with or without a fault; it gets the same client, and the server still runs.
            Without it, `scenario` has to pass once more, as if nothing had happened.
        faults: Which of `FAULTS` to try.
        seed: Decides the order of ready tasks, as in `TestClient`, and which points are left out.
        samples: Points to try for each fault; of more, so many are drawn.
        only: One run of those that a report names, such as ``"disconnect:3"``. What it raises comes out as it is.
        limits, timeouts, engine: As in `TestClient`.

    Raises:
        CrashPointFailure: Some runs have failed.
        ExplorationError: The scenario does not go the same way each time, comes by no point, or `only` names no run of it; or
            the application has been served before.
        ValueError: There is no such fault, there are none to try, or no samples to take.
        Exception: The scenario, or the check, fails without any fault.
    """
    if unknown := set(faults) - set(FAULTS):
        raise ValueError(f"faults are {', '.join(FAULTS)}, not {', '.join(sorted(unknown))}")
    if not faults or samples < 1:
        raise ValueError("without a fault, or without samples, nothing would be tried")
    explorer = _Explorer(app, scenario, check or scenario, seed, limits or Limits(), timeouts, engine)
    if only is not None:
        return explorer.run_only(only)
    report = explorer.run_all(faults, samples)
    if report.findings:
        raise CrashPointFailure(report) from report.findings[0].error
    return report


class ExplorationError(SpryError):
    """The points of a scenario cannot be told apart, or there is no such point."""


class _World:
    """One run: a client, a count, and at most one fault."""

    def __init__(self, client: TestClient, scopes: dict[str, Scope]) -> None:
        self._client = client
        self._scopes = scopes
        self.points: list[Point] = []
        self.fault: Fault | None = None
        self.number = 0
        self.struck: str | None = None
        client.driver.watch(self._reach)

    def _reach(self, task: MemoryTask) -> None:
        if task.owner not in self._client.pumps:  # the lifespan's
            return
        self.points.append(Point(len(self.points) + 1, task.name, str(task.running_at())))
        if self.fault is not None and len(self.points) == self.number:
            self.struck = task.owner
            self._strike(task, self.fault)

    def _strike(self, task: MemoryTask, fault: Fault) -> None:
        pump = self._client.pumps[task.owner]
        match fault:
            case "disconnect":
                pump.cut()
            case "cancellation":
                task.cancel()
            case "timeout":
                if task.owner in self._scopes:
                    self._scopes[task.owner].cancel()
            case "full buffer":
                pump.window = 0
                driver = self._client.driver
                driver.add_arrival(driver.now() + STALL, lambda: setattr(pump, "window", WINDOW))
            case _:
                assert_never(fault)

    def settle(self) -> None:
        """Let everything end that the fault has begun."""
        driver, owner = self._client.driver, self.struck
        driver.watch(None)
        if self.fault == "full buffer":
            driver.advance(STALL)
        elif self.fault == "disconnect":
            try:
                driver.wait_until(
                    lambda: all(task.owner != owner for task in driver.tasks()), "the end", timeout=PATIENCE
                )
            except TimeoutError:
                pass  # it may go on without its connection
        driver.settle()


class _Explorer:
    """One call of `explore`."""

    def __init__(
        self,
        app: Apps,
        scenario: Scenario,
        check: Scenario,
        seed: int,
        limits: Limits,
        timeouts: Timeouts | None,
        engine: EngineName,
    ) -> None:
        self._scopes: dict[str, Scope] = {}
        self._driver: MemoryDriver | None = None
        self._is_prepared = False
        self._app = app
        self._scenario = scenario
        self._check = check
        self._seed = seed
        self._limits = limits
        self._timeouts = timeouts
        self._engine: EngineName = engine

    def run_all(self, faults: Iterable[Fault], samples: int) -> Report:
        """Try every fault at every point."""
        points = self._count(None)
        runs, is_exhaustive = 0, True
        findings: list[Finding] = []
        for fault in faults:
            every = self._count(fault)
            chosen = _sample(every, samples, Random(f"explorer {self._seed}"))
            is_exhaustive = is_exhaustive and len(chosen) == len(every)
            runs += len(chosen)
            tried = ((point, self._try(fault, point)) for point in chosen)
            findings += [Finding(fault, point, error) for point, error in tried if error is not None]
        if not runs:
            raise ExplorationError(
                "the scenario comes by no point, so nothing could go wrong: no task of a connection waits in it. "
                "A handler is interrupted where it awaits something of Spry's, such as `sleep` or `ws.receive`"
            )
        return Report(tuple(points), runs, tuple(findings), is_exhaustive, self._seed)

    def run_only(self, only: str) -> Report:
        """Try one fault at one point, and let what it raises come out."""
        name, _, number = only.rpartition(":")
        faults: dict[str, Fault] = {each: each for each in FAULTS}
        fault = faults.get(name)
        every = self._count(fault)
        if fault is None or not number.isdecimal() or not 1 <= int(number) <= len(every):
            raise ExplorationError(f"no run {only!r}: the scenario has points 1 to {len(every)}")
        self._run(fault, every[int(number) - 1])
        return Report(tuple(every), 1, (), is_exhaustive=False, seed=self._seed)

    def _count(self, fault: Fault | None) -> list[Point]:
        """Run without a fault, in the conditions of `fault`, and return the points of the scenario."""
        client = self._make_client(fault)
        with client:
            world = _World(client, self._scopes)
            self._scenario(client)
            world.settle()
            self._check(client)
        return world.points

    def _try(self, fault: Fault, point: Point) -> Exception | None:
        try:
            self._run(fault, point)
        except ExplorationError:
            raise
        except Exception as error:
            return error
        return None

    def _run(self, fault: Fault, point: Point) -> None:
        """Let `fault` happen at `point`; raise what is wrong afterwards."""
        client = self._make_client(fault)
        with client:
            world = _World(client, self._scopes)
            world.fault, world.number = fault, point.number
            try:
                self._scenario(client)
            except Exception:
                if world.struck is None:
                    raise
            if world.struck is None or world.points[point.number - 1] != point:
                raise ExplorationError(
                    f"{point} is not there in another run: give a function that makes the application, "
                    "and a scenario that does the same each time"
                )
            world.settle()
            self._check(client)

    def _make_client(self, fault: Fault | None) -> TestClient:
        self._scopes.clear()
        limits = replace(self._limits, high_water=0) if fault == "full buffer" else self._limits
        client = TestClient(
            self._make_app(), seed=self._seed, limits=limits, timeouts=self._timeouts, engine=self._engine
        )
        self._driver = client.driver
        return client

    def _make_app(self) -> Application:
        if not isinstance(self._app, Application):
            app = self._app()
            app.middleware.use(self._limited)
            return app
        if not self._is_prepared:
            self._is_prepared = True
            try:
                self._app.middleware.use(self._limited)
            except LocalProtocolError:
                raise ExplorationError(
                    "the application has been served already, so it takes no further middleware: "
                    "give a function that makes it"
                ) from None
        return self._app

    async def _limited(self, request: Request, next: Next) -> Outcome:
        """Be the time limit around the handler that runs out when a fault says so."""
        driver = self._driver
        assert driver is not None  # it is that of the client whose server this runs in
        with driver.scope() as scope:
            self._scopes[driver.current_task().owner] = scope
            return await next()
        raise TimeoutError("the time limit that the explorer has set")


def _sample(points: list[Point], samples: int, random: Random) -> list[Point]:
    if len(points) <= samples:
        return points
    return sorted(random.sample(points, samples), key=lambda point: point.number)
