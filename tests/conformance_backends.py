"""Backends for the tests of the conformance kit itself; the right ones are in `spry_asyncio.testing` and `spry_trio.testing`."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

from spry_core import Application, Limits, Timeouts


@contextmanager
def broken(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[tuple[str, int]]:
    """A backend that cannot serve."""
    raise OSError("no more ports")
    yield


@contextmanager
def unstoppable(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[tuple[str, int]]:
    """A backend that leaves a thread which never ends."""
    threading.Thread(target=threading.Event().wait).start()
    raise OSError("no more ports")
    yield


@contextmanager
def nowhere(app: Application, *, limits: Limits, timeouts: Timeouts) -> Generator[tuple[str, int]]:
    """A backend that does not listen."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        address = gone.getsockname()
    yield address
