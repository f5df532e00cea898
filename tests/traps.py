"""Booby traps: with `arm`, whatever does I/O, tells the time or draws random numbers raises instead.

Arm them before the code under test is imported: then also what that code binds early (`from time import monotonic`)
is a trap. Importing itself goes on to work, since the import system uses its own way to the files.
"""

from __future__ import annotations

import asyncio
import builtins
import datetime
import io
import logging
import os
import random
import secrets
import select
import selectors
import socket
import ssl
import subprocess
import threading
import time
import uuid
from collections.abc import Callable
from types import ModuleType
from typing import NoReturn

TRAPS: dict[ModuleType, tuple[str, ...]] = {
    asyncio: (
        "create_task",
        "current_task",
        "get_event_loop",
        "get_running_loop",
        "new_event_loop",
        "run",
        "sleep",
    ),
    builtins: ("input", "open"),
    io: ("FileIO", "open", "open_code"),
    logging: ("Logger", "getLogger"),
    os: (
        "getenv",
        "getpid",
        "getrandom",
        "listdir",
        "open",
        "pipe",
        "read",
        "scandir",
        "stat",
        "urandom",
        "write",
    ),
    random: (
        *(
            "SystemRandom",
            "betavariate",
            "choice",
            "choices",
            "expovariate",
            "gauss",
            "getrandbits",
            "randbytes",
        ),
        *("randint", "random", "randrange", "sample", "seed", "shuffle", "triangular", "uniform"),
    ),
    secrets: ("SystemRandom", "choice", "randbelow", "randbits", "token_bytes", "token_hex", "token_urlsafe"),
    select: ("epoll", "kqueue", "poll", "select"),
    selectors: ("DefaultSelector", "SelectSelector"),
    socket: ("create_connection", "create_server", "getaddrinfo", "gethostname", "socket", "socketpair"),
    ssl: ("MemoryBIO", "SSLContext", "create_default_context"),
    subprocess: ("Popen", "run"),
    threading: ("Condition", "Event", "Lock", "RLock", "Thread", "Timer"),
    time: (
        *("clock_gettime", "ctime", "gmtime", "localtime", "monotonic", "monotonic_ns", "perf_counter"),
        *("perf_counter_ns", "process_time", "sleep", "strftime", "thread_time", "time", "time_ns"),
    ),
    uuid: ("uuid1", "uuid4"),
}
"""What is replaced, by module. `asyncio` and `threading` are here because they lead to a loop or to another thread."""


class Sprung(BaseException):
    """A trap was touched. No `Exception`, so that nothing takes it for an error of a handler."""


sprung: list[str] = []
"""The traps touched so far, for the case that somebody swallowed the exception after all."""


def trap(name: str) -> Callable[..., NoReturn]:
    """Return a function that raises whenever it is called, and says that it was."""

    def spring(*arguments: object, **options: object) -> NoReturn:
        sprung.append(name)
        raise Sprung(name)

    return spring


class SeededRandom(random.Random):
    """`random.Random` as the testing kit may use it: a seed is an input, none is a draw."""

    def __init__(self, seed: int | str | None = None) -> None:
        if seed is None:
            trap("random.Random without a seed")()
        super().__init__(seed)


class StoppedDatetime(datetime.datetime):
    """`datetime.datetime` without a clock."""


def arm() -> None:
    """Set every trap, for the rest of this process."""
    for module, names in TRAPS.items():
        for name in names:
            if hasattr(module, name):  # some exist on one system only
                setattr(module, name, trap(f"{module.__name__}.{name}"))
    for name in ("now", "today", "utcnow"):
        setattr(StoppedDatetime, name, trap(f"datetime.datetime.{name}"))
    # These two go on to work as far as they are pure.
    setattr(random, "Random", SeededRandom)  # noqa: B010 - to the checkers an assignment to a class is an error
    setattr(datetime, "datetime", StoppedDatetime)  # noqa: B010
