"""Who runs a task, and how the task finds out: a context variable that `enter` sets."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Protocol, TypeVarTuple

from spry_core.driver import Driver, Event
from spry_core.errors import LocalProtocolError
from spry_core.tasks.timers import Timers

Args = TypeVarTuple("Args")


class Host(Protocol):
    """Who runs tasks: a session, or the server for its lifespan."""

    @property
    def driver(self) -> Driver:
        """The driver lent to it."""
        ...

    @property
    def timers(self) -> Timers:
        """The moments that its `next_deadline` and `handle_deadline` include."""
        ...

    @property
    def is_cancelling(self) -> bool:
        """True since it has cancelled its tasks: a cancellation that comes out of one is then its doing."""
        ...

    def start(self, function: Callable[[], Awaitable[None]]) -> object:
        """Run this as one more of its tasks, with the context variables of the caller; never inside this call."""
        ...


_HOST: ContextVar[Host] = ContextVar("spry_core.tasks.host")


def enter(host: Host, function: Callable[[*Args], Awaitable[None]], *args: *Args) -> Awaitable[None]:
    """Give what runs `function(*args)` with `host` as the one whose clock and timers it uses.

    Hosts start tasks with it: `driver.start(enter, self, function, *args)`. The variable lives in the task's own context,
    where the driver makes this call, and everything that the task starts in turn inherits it.
    """
    become_host(host)
    return function(*args)


def become_host(host: Host) -> None:
    """Make `host` the one of all that runs in the present context, or in copies of it, from here on."""
    _HOST.set(host)


def current_host() -> Host:
    """Return the host of the running task.

    Raises:
        LocalProtocolError: This is no task of Spry's.
    """
    try:
        return _HOST.get()
    except LookupError:
        message = (
            "no task of Spry's is running here: use this inside a handler, a middleware, a callback of listen or the lifespan, "
            "and elsewhere what your event loop offers"
        )
        raise LocalProtocolError(message) from None


def now() -> float:
    """Return the clock of all deadlines, in seconds; only differences matter, and it never runs backwards.

    Raises:
        LocalProtocolError: This is no task of Spry's.
    """
    return current_host().driver.now()


def event() -> Event:
    """Make an `Event` of the running backend: `set()`, `is_set()`, `await wait()`. It goes up once and wakes every waiter.

    Raises:
        LocalProtocolError: This is no task of Spry's.
    """
    return current_host().driver.event()
