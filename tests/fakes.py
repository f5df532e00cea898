"""A driver and an exchange for tests of the web storey: coroutines stepped by hand, no loop, no time, no session.

Both write down what was asked of them. The memory driver of `spry_core.testing` is the real thing; these stand below it, so that
what it is made of can be tested without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import AbstractContextManager
from types import coroutine
from typing import Generic, TypeVar, TypeVarTuple

from spry_core.driver import Scope
from spry_core.protocol.deflate import Deflate
from spry_core.protocol.events import Accept, Offer, Refusal, RequestHead
from spry_core.protocol.limits import Limits, Timeouts
from spry_core.web.exchange import StreamInfo
from spry_core.web.link import Link

T = TypeVar("T")
Args = TypeVarTuple("Args")


class Cancelled(BaseException):
    """What a backend throws into a task that was cancelled."""


@coroutine
def pause() -> Generator[None, None, None]:
    """Give control back to whoever steps this coroutine."""
    yield


class FakeEvent:
    """A flag that goes up once."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def is_set(self) -> bool:
        return self._is_set

    async def wait(self) -> None:
        while not self._is_set:
            await pause()


class FakeDriver:
    """Six verbs of which two do something, and notes of both."""

    def __init__(self) -> None:
        self.switches: list[bool] = []
        """What `checkpoint` was called with."""
        self.events: list[FakeEvent] = []
        """What `event` has made."""

    def now(self) -> float:
        return 0.0

    def start(self, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> FakeDriver:
        raise AssertionError("nothing here starts a task")

    def scope(self) -> AbstractContextManager[Scope]:
        raise AssertionError("nothing here opens a scope")

    async def checkpoint(self, switch: bool) -> None:
        self.switches.append(switch)

    def event(self) -> FakeEvent:
        self.events.append(FakeEvent())
        return self.events[-1]

    def notify(self, soon: bool = False) -> None:
        raise AssertionError("nothing here speaks to the pump")

    def cancel(self) -> None:
        raise AssertionError("nothing here is a task")


class FakeExchange:
    """One request without a connection."""

    def __init__(self, *, limits: Limits | None = None, stream: StreamInfo | None = None) -> None:
        self.head = RequestHead(method=b"GET", target=b"/")
        self.driver = FakeDriver()
        self.stream = StreamInfo(peer="192.0.2.1:50312") if stream is None else stream
        self.limits = Limits() if limits is None else limits
        self.timeouts = Timeouts()
        self.asked: list[int | str] = []
        """Invitations, and numbers of bytes released, in order."""
        self.errors: list[tuple[str, BaseException | None]] = []
        """What was reported for the log."""

    def invite_content(self) -> None:
        self.asked.append("invite")

    def release(self, n: int) -> None:
        self.asked.append(n)

    def accept(self, accept: Accept, limits: Limits, timeouts: Timeouts, deflate: Deflate | None) -> Link:
        raise AssertionError("nothing here becomes a WebSocket")

    def report_error(self, text: str, error: BaseException | None) -> None:
        self.errors.append((text, error))


class Stepped(Generic[T]):
    """A coroutine that runs from one wait to the next, when it is told to."""

    def __init__(self, work: Coroutine[object, None, T]) -> None:
        self._work = work
        self._results: list[T] = []

    def step(self) -> bool:
        """Run on to the next wait or to the end; tell whether that was the end."""
        try:
            self._work.send(None)
        except StopIteration as end:
            self._results.append(end.value)
            return True
        return False

    def cancel(self) -> None:
        """Throw a cancellation in where it waits; it must come out again."""
        try:
            self._work.throw(Cancelled())
        except Cancelled:
            return
        raise AssertionError("the cancellation was swallowed")

    @property
    def result(self) -> T:
        """What it returned."""
        return self._results[0]


def run(work: Coroutine[object, None, T]) -> T:
    """Run a coroutine that never has to wait, and return its result."""
    stepped = Stepped(work)
    if not stepped.step():
        stepped.cancel()
        raise AssertionError("this would have waited")
    return stepped.result


def head(
    target: str = "/",
    *fields: tuple[str, str],
    method: str = "GET",
    http_version: str = "1.1",
    websocket: Offer | Refusal | None = None,
) -> RequestHead:
    """Make the head of a request."""
    return RequestHead(
        method=method.encode(),
        target=target.encode("latin-1"),
        headers=tuple((name.lower().encode(), value.encode("latin-1")) for name, value in fields),
        http_version=http_version.encode(),
        websocket=websocket,
    )
