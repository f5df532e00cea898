"""Where a scenario is played: a server that runs, reached over memory or over sockets."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Final, Protocol, TypeGuard, cast

from spry_core.protocol.limits import Limits, Timeouts
from spry_core.testing.address import Address, AddressWire
from spry_core.testing.client import TestClient
from spry_core.testing.conformance.tolerance import REAL, VIRTUAL, Tolerance
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.wire import MemoryWire, Wire
from spry_core.web.application import Application

SMALL: Final = 4096
"""Bytes of the receive buffer of a slow peer: the kernel makes the least of it that it can."""

ROOMY: Final = 30.0
"""Seconds that a `Send` waits for room if nothing else is said."""

POLL: Final = 0.002
"""Seconds between two looks at what handlers have noted in another thread."""


class Stage(Protocol):
    """A running server, as the player of a scenario sees it."""

    @property
    def tolerance(self) -> Tolerance:
        """How exact its time is."""
        ...

    @property
    def has_shutdown(self) -> bool:
        """True if `shutdown` may be called."""
        ...

    def connect(self, *, slow: bool, patience: float | None) -> Wire:
        """Open a connection; see `steps.Connect`. Raises `ConnectionRefusedError`."""
        ...

    def wait_until(self, is_over: Callable[[], bool], timeout: float) -> bool:
        """Wait until `is_over()`, so many seconds at most; tell whether it is."""
        ...

    def shutdown(self, code: int, reason: str, grace: float | None) -> None:
        """Let the server begin to shut down."""
        ...


class ShutDown(Protocol):
    """Begins what `Server.shutdown` does, from any thread, and does not wait for its end."""

    def __call__(self, *, code: int, reason: str, grace: float | None) -> object:
        """Begin; the arguments are those of `Server.shutdown`."""
        ...


class Serving(Protocol):
    """What a backend gives to say that it serves: a `Running`, or whatever has these two."""

    @property
    def address(self) -> Address:
        """Host and port, or the path of a unix socket."""
        ...

    @property
    def shutdown(self) -> ShutDown | None:
        """Begins to shut down; None if the backend cannot."""
        ...


@dataclass(frozen=True, slots=True)
class Running:
    """What a backend gives to say that it serves."""

    address: Address
    """Host and port, or the path of a unix socket."""

    shutdown: ShutDown | None = None
    """Begins to shut down; None if the backend cannot, and then what needs it is skipped."""


class Backend(Protocol):
    """What the author of a backend writes, once: how it serves an application."""

    def __call__(
        self, app: Application, *, limits: Limits, timeouts: Timeouts
    ) -> AbstractContextManager[Serving | Address | Stage]:
        """Serve `app` on a free port of the loopback while the block runs; at its end cut what is left, and stop.

        What loop or threads it runs in is its own business; the block itself is entered and left in the caller's. A backend
        that has a time of its own, as the memory driver has, gives a `Stage`.
        """
        ...


class SocketStage:
    """A server at an address, in real time."""

    def __init__(self, running: Serving, tolerance: Tolerance = REAL) -> None:
        self.tolerance = tolerance
        self._address = running.address
        self._shutdown = running.shutdown
        self._wires: list[AddressWire] = []

    @property
    def has_shutdown(self) -> bool:
        """True if the backend has given a way to shut down."""
        return self._shutdown is not None

    def connect(self, *, slow: bool, patience: float | None) -> Wire:
        """Open a connection."""
        wire = AddressWire(
            self._address,
            patience=ROOMY if patience is None else patience,
            receive_buffer=SMALL if slow else None,
        )
        self._wires.append(wire)
        return wire

    def wait_until(self, is_over: Callable[[], bool], timeout: float) -> bool:
        """Look again and again."""
        clock = self._wires[0]
        until = clock.now() + timeout
        while not is_over():
            if clock.now() >= until:
                return False
            clock.sleep(POLL)
        return True

    def shutdown(self, code: int, reason: str, grace: float | None) -> None:
        """Let the server begin to shut down."""
        assert self._shutdown is not None  # the caller has asked
        self._shutdown(code=code, reason=reason, grace=grace)


class MemoryStage:
    """A server in memory, in virtual time."""

    tolerance = VIRTUAL

    def __init__(self, client: TestClient) -> None:
        self._client = client

    @property
    def has_shutdown(self) -> bool:
        """True: it can."""
        return True

    @property
    def driver(self) -> MemoryDriver:
        """What has the time."""
        return self._client.driver

    def connect(self, *, slow: bool, patience: float | None) -> Wire:
        """Open a connection. Every peer is a slow one here: 64 KiB are all that fits into a stream unread."""
        return MemoryWire(self._client, patience=ROOMY if patience is None else patience)

    def wait_until(self, is_over: Callable[[], bool], timeout: float) -> bool:
        """Let everything settle, and time pass from deadline to deadline."""
        try:
            self.driver.wait_until(is_over, "a note", timeout=timeout)
        except TimeoutError:
            return False
        return True

    def shutdown(self, code: int, reason: str, grace: float | None) -> None:
        """Let the server begin to shut down."""
        self._client.shutdown(code, reason, grace=grace)


@contextmanager
def memory(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[Stage]:
    """Serve in memory: the backend of that name."""
    with TestClient(app, limits=limits, timeouts=timeouts) as client:
        yield MemoryStage(client)


def stage_of(given: Serving | Address | Stage) -> Stage:
    """Make the stage of what a backend has given."""
    if isinstance(given, (str, tuple)):
        return SocketStage(Running(given))
    return SocketStage(given) if _is_serving(given) else cast(Stage, given)


def _is_serving(given: object) -> TypeGuard[Serving]:
    return hasattr(given, "address")
