"""The lifespan of an application: what it does before the first connection and after the last.

Everything runs in one task, so a scope or a nursery that is open around a `yield` is closed by the task that opened it. The
generators are entered in the order of registration and left in reverse. Each is simply gone on with behind its `yield`,
whatever happened to the others, so what it has opened gets closed without a `finally`. Only a cancellation that is not ours is
thrown in at the `yield`: it belongs to something that a generator has opened, a nursery of which a task has failed or a time
limit, and that can only be told by the exception.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from enum import Enum, auto
from typing import Protocol, cast

from spry_core.driver import Driver, Event, Task
from spry_core.errors import LocalProtocolError
from spry_core.serving.journal import record_warning
from spry_core.serving.record import ERROR, FAULT, LogRecord
from spry_core.tasks import Timers, enter, part, unwrap
from spry_core.web.application import Application
from spry_core.web.calling import name_of


class Owner(Protocol):
    """What a lifespan needs of its server."""

    def report(self, record: LogRecord) -> None:
        """Take a record for the log."""
        ...

    def lifespan_ended(self) -> None:
        """Nothing of it runs any more, so nothing may be served any more."""
        ...


class _Stage(Enum):
    NEW = auto()  # not begun; without any lifespan function there is nothing to begin
    STARTING = auto()  # before the last of the yields
    STARTED = auto()  # connections are served
    STOPPING = auto()  # behind the yields
    ENDED = auto()


class Lifespan:
    """Runs the lifespan functions of one application, and is the host of what they do with time (`spry_core.tasks`)."""

    def __init__(self, app: Application, owner: Owner) -> None:
        self.timers: Timers = Timers()
        """What the lifespan functions, and the tasks that they start, wait for."""
        self.has_started: bool = not app.lifespans
        """True since every lifespan function has come to its `yield`; from the first if there is none."""
        self.failure: BaseException | None = None
        """The first error that startup or teardown raised."""
        self.is_cancelling: bool = False
        """True since it was cancelled."""
        self._app = app
        self._owner = owner
        self._stage = _Stage.NEW
        self._driver: Driver | None = None
        self._task: Task | None = None
        self._no_session_is_left: Event | None = None
        self._thrown: BaseException | None = None  # a cancellation that goes outwards through the generators

    @property
    def driver(self) -> Driver:
        """The driver lent to it; `LocalProtocolError` before it has begun."""
        if self._driver is None:
            raise LocalProtocolError("the lifespan has not begun: `Server.start` comes first")
        return self._driver

    @property
    def is_over(self) -> bool:
        """True when nothing of it runs."""
        return self._stage in (_Stage.NEW, _Stage.ENDED)

    @property
    def is_ending(self) -> bool:
        """True since there is nothing more to serve, until it is over."""
        return not self.is_over and self._no_session_is_left is not None and self._no_session_is_left.is_set()

    def begin(self, driver: Driver) -> None:
        """Run all of it as one task; without any lifespan function there is nothing to run.

        Raises:
            LocalProtocolError: It was begun before.
        """
        if self._driver is not None:
            raise LocalProtocolError("the server was started before")
        self._driver = driver
        if not self._app.lifespans:
            return
        self._stage = _Stage.STARTING
        self._no_session_is_left = driver.event()
        self._task = driver.start(enter, self, self._run)

    def notify(self) -> None:
        """Let the adapter look at the server, if it has lent a driver."""
        if self._driver is not None:
            self._driver.notify()

    def start(self, function: Callable[[], Awaitable[None]]) -> None:
        """Run this as a task beside it; whoever starts one waits for its end."""
        self.driver.start(enter, self, function)

    def end(self) -> None:
        """Go on behind the yields: the last session is over, and there will be no other."""
        assert self._no_session_is_left is not None
        self._no_session_is_left.set()

    def cancel(self) -> None:
        """Cancel what it waits for: now in startup and teardown, and at the first wait behind a `yield` otherwise."""
        self.is_cancelling = True
        if self._stage in (_Stage.STARTING, _Stage.STOPPING):
            self._cancel_task()

    def give_up_starting(self) -> None:
        """Cancel it if it still has not started."""
        if self._stage is _Stage.STARTING:
            self.cancel()

    def give_up_ending(self) -> None:
        """Cancel it if it still has not come to its end, and say so: what it was about to close may be open now."""
        if self.is_ending and not self.is_cancelling:
            self._owner.report(record_warning("", None, "lifespan: cancelled, it took too long to end"))
            self.cancel()

    def _cancel_task(self) -> None:
        assert self._task is not None
        self._task.cancel()

    async def _run(self) -> None:
        entered: list[AsyncGenerator[object, None]] = []
        try:
            await self._serve(entered)
            self._stage = _Stage.STOPPING
            if self.is_cancelling:
                self._cancel_task()
            await self._leave(entered)
            self._finish()
        finally:
            self._stage = _Stage.ENDED
            self._owner.lifespan_ended()
            self.driver.notify()

    async def _serve(self, entered: list[AsyncGenerator[object, None]]) -> None:
        """Enter every generator, and wait until the last session is over."""
        assert self._no_session_is_left is not None
        try:
            for function in self._app.lifespans:
                # The registration has seen to it that it is an async generator function.
                generator = cast("AsyncGenerator[object, None]", function(self._app))
                await _enter_one(generator)
                entered.append(generator)
            self._stage, self.has_started = _Stage.STARTED, True
            self.driver.notify()
            await self._no_session_is_left.wait()
        except BaseException as raised:
            self._take(raised)

    async def _leave(self, entered: list[AsyncGenerator[object, None]]) -> None:
        for generator in reversed(entered):
            thrown, self._thrown = self._thrown, None
            try:
                await _leave_one(generator, None if self.is_cancelling else thrown)
            except BaseException as raised:
                self._take(raised)

    def _take(self, raised: BaseException) -> None:
        """Note an error; a cancellation goes on to the generator further out."""
        if isinstance(raised, Exception):
            self._note(unwrap(raised))
        else:
            self._thrown = raised

    def _finish(self) -> None:
        """Deal with a cancellation that no generator has taken for its own."""
        if self._thrown is None:
            return
        error, rest = part(self._thrown, is_cancelling=self.is_cancelling)
        if error is not None:
            self._note(error)
        if rest is not None:
            raise rest from None

    def _note(self, error: BaseException) -> None:
        """Keep the first error, and log each but the one that startup failed with, which whoever started it will raise."""
        is_of_startup = self.failure is None and self._stage is _Stage.STARTING
        if self.failure is None:
            self.failure = error
        if not is_of_startup:
            self._owner.report(_record(error))


def _record(error: BaseException) -> LogRecord:
    fault = type(error).__name__
    return LogRecord(
        logger=ERROR,
        level=FAULT,
        text=f"lifespan: {fault} in the application",
        fields={"kind": "application fault", "fault": fault},
        exception=error,
    )


async def _enter_one(generator: AsyncGenerator[object, None]) -> None:
    try:
        await anext(generator)
    except StopAsyncIteration:
        message = f"the lifespan function {name_of(generator)} has ended without a yield"
        raise LocalProtocolError(message) from None


async def _leave_one(generator: AsyncGenerator[object, None], thrown: BaseException | None) -> None:
    try:
        await (anext(generator) if thrown is None else generator.athrow(thrown))
    except StopAsyncIteration:
        return
    await generator.aclose()
    raise LocalProtocolError(f"the lifespan function {name_of(generator)} has yielded a second time")
