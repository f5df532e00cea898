"""Where a task waits, by file and line, and whether what it awaits belongs to an event loop.

A coroutine knows what it awaits (`cr_await`), and so on down to the innermost. Whoever wrote the handler wants the last line
of their own code in that chain, and next to it the name of what they awaited there.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from inspect import currentframe
from itertools import takewhile
from types import AsyncGeneratorType, CodeType, CoroutineType, FrameType, GeneratorType, TracebackType
from typing import Final, TypeAlias, TypeGuard

from spry_core.errors import SpryError
from spry_core.web.request import Request

_EVENT_LOOPS: Final = frozenset({"anyio", "asyncio", "curio", "sniffio", "trio", "uvloop"})
"""Packages whose awaitables work under an event loop only."""

_NO_LOOP: Final = ("no running event loop",)
"""What `asyncio.get_running_loop` says; it is written in C, so nothing of it is in a traceback."""

_LIBRARIES: Final = sys.stdlib_module_names | _EVENT_LOOPS

_NOT_THE_USER: Final = _LIBRARIES | {"spry_asyncio", "spry_core", "spry_system", "spry_trio"}
"""Packages whose frames are passed over on the way to the user's own line."""

_KIT: Final = "spry_core.testing."

MAX_TARGET: Final = 80
"""Characters of a request's target that are told."""

_Suspended: TypeAlias = (  # a string: these classes cannot be subscripted before Python 3.13
    "CoroutineType[object, object, object] | GeneratorType[object, object, object] | AsyncGeneratorType[object, object]"
)


class Deadlock(SpryError):  # noqa: N818 - a deadlock is what it is called everywhere
    """Somebody waits for what nothing can bring. The text says who waits for what, and where each task is parked."""


class ForeignAwaitable(SpryError):  # noqa: N818 - names the thing found
    """A task awaited something that belongs to an event loop, and under the memory driver there is none.

    The `__cause__`, if any, is what the library itself had to say.
    """

    def __init__(self, task: str, at: str, awaited: str) -> None:
        """Say which task awaited what, and at which line."""
        super().__init__(
            f"{task} at {at} awaited {awaited}, which belongs to an event loop; "
            "under the memory driver only what spry lends can be awaited"
        )


@dataclass(frozen=True, slots=True)
class Place:
    """One line of running code."""

    module: str
    """The module's name, as it names itself."""

    code: CodeType
    """The function."""

    line: int
    """The line that is being executed."""

    @property
    def package(self) -> str:
        """The outermost package of the module."""
        return self.module.partition(".")[0]

    @property
    def is_librarys(self) -> bool:
        """True if the standard library or an event loop wrote it."""
        return self.package in _LIBRARIES

    @property
    def is_users(self) -> bool:
        """True if neither Spry, the standard library nor an event loop wrote it."""
        return self.package not in _NOT_THE_USER

    def __str__(self) -> str:
        return f"{self.code.co_filename}:{self.line} in {self.code.co_qualname}"


def describe(awaitable: object) -> str:
    """Say where a suspended coroutine waits: the user's innermost line, and what is awaited there.

    Where Spry itself waits, it is the line of the user's generator whose items it passes on, if there is one, and the request.
    """
    frames = list(_frames(awaitable))
    places = [_place(frame, frame.f_lineno) for frame in frames]
    if not places:
        return "finished"
    at = _users_last(places)
    if at is not None:
        return f"{at}{_awaiting(places)}"
    ours = [place for place in places if not (place.is_librarys or place.module.startswith(_KIT))]
    waits = (ours or places)[-1]
    fed = _feeding(frames)
    return f"{waits if fed is None else f'{fed}, yielding to {waits.code.co_qualname}'}{_answering(frames)}"


def running_place(driver: CodeType) -> Place | None:
    """Return the user's innermost line in the coroutine that is running, else Spry's own.

    Args:
        driver: The function that steps it: what called that is not the coroutine's.
    """
    running: list[Place] = []
    frame = currentframe()
    while frame is not None and frame.f_code is not driver:
        running.append(_place(frame, frame.f_lineno))
        frame = frame.f_back
    below = [place for place in running if not place.module.startswith(_KIT)]
    return next((place for place in running if place.is_users), below[0] if below else None)


def foreign_in(awaitable: object, yielded: object) -> tuple[str, str]:
    """Return the user's line in a suspended coroutine, and the name of what it awaits there.

    `yielded` is what it gave the driver, and not the driver's.
    """
    places = list(_places(awaitable))
    return str(_users_last(places) or places[-1]), _called_in_loop(places) or _kind(yielded)


def foreign_call(error: BaseException) -> tuple[str, str] | None:
    """Return the user's line and what was called there, if `error` says that no event loop runs; else None.

    The libraries notice it in their own code and with these types: asyncio, trio and anyio with a `RuntimeError` (or a class
    below it), `asyncio.Event` and `Queue` and trio's nursery with an `AttributeError`.
    """
    if not isinstance(error, RuntimeError | AttributeError):
        return None
    places = list(_traceback_places(error.__traceback__))
    if not places or not (places[-1].package in _EVENT_LOOPS or error.args == _NO_LOOP):
        return None
    return str(_users_last(places) or places[0]), _called_in_loop(places) or "asyncio.get_running_loop"


def _called_in_loop(places: list[Place]) -> str | None:
    """Name the function of an event loop that the user's innermost line has called, at once or through others.

    Such a library may call another (anyio calls sniffio): it is the first that the user knows.
    """
    called = next((place for place in _behind_user(places) if place.package in _EVENT_LOOPS), None)
    return None if called is None else f"{called.module}.{called.code.co_qualname}"


def _kind(yielded: object) -> str:
    kind = type(yielded)
    return "a bare yield" if yielded is None else f"{kind.__module__}.{kind.__qualname__}"


def _awaiting(places: list[Place]) -> str:
    behind = _behind_user(places)
    return f", awaiting {behind[0].code.co_qualname}" if behind else ""


def _users_last(places: list[Place]) -> Place | None:
    return next((place for place in reversed(places) if place.is_users), None)


def _behind_user(places: list[Place]) -> list[Place]:
    """Return what lies below the user's innermost frame; everything, if none is the user's."""
    behind = list(takewhile(lambda place: not place.is_users, reversed(places)))
    return behind[::-1]


def _traceback_places(traceback: TracebackType | None) -> Iterator[Place]:
    while traceback is not None:
        yield _place(traceback.tb_frame, traceback.tb_lineno)
        traceback = traceback.tb_next


def _places(awaitable: object) -> Iterator[Place]:
    """Walk from a coroutine down to what it waits for in the end."""
    return (_place(frame, frame.f_lineno) for frame in _frames(awaitable))


def _frames(awaitable: object) -> Iterator[FrameType]:
    suspended = _suspended(awaitable)
    while suspended is not None:
        frame, awaited = _look_into(suspended)
        if frame is not None:
            yield frame
        suspended = _suspended(awaited)


def _feeding(frames: list[FrameType]) -> Place | None:
    """Return the user's line in a generator that an object of Spry's in one of these frames holds."""
    for value in _locals(frames):
        held: dict[str, object] = getattr(value, "__dict__", {})
        for each in filter(_is_suspended, held.values()):
            frame, _ = _look_into(each)
            if frame is not None and (place := _place(frame, frame.f_lineno)).is_users:
                return place
    return None


def _answering(frames: list[FrameType]) -> str:
    """Name the request that these frames are there for."""
    request = next((value for value in _locals(frames) if isinstance(value, Request)), None)
    return "" if request is None else f", for {request.method} {request.target[:MAX_TARGET]}"


def _locals(frames: list[FrameType]) -> Iterator[object]:
    for frame in reversed(frames):
        yield from frame.f_locals.values()


def _place(frame: FrameType, line: int) -> Place:
    return Place(str(frame.f_globals.get("__name__", "?")), frame.f_code, line)


def _look_into(suspended: _Suspended) -> tuple[FrameType | None, object]:
    if isinstance(suspended, CoroutineType):
        return suspended.cr_frame, suspended.cr_await
    if isinstance(suspended, GeneratorType):
        return suspended.gi_frame, suspended.gi_yieldfrom
    return suspended.ag_frame, suspended.ag_await


def _is_suspended(value: object) -> TypeGuard[_Suspended]:
    return isinstance(value, CoroutineType | GeneratorType | AsyncGeneratorType)


def _suspended(awaited: object) -> _Suspended | None:
    """Return what is suspended in `awaited`.

    A step of an async generator and what `coroutine.__await__` returns have no attribute that leads on; the garbage collector
    knows what they hold.
    """
    if _is_suspended(awaited):
        return awaited
    if type(awaited).__name__ in _OPAQUE:
        return next(each for each in gc.get_referents(awaited) if _is_suspended(each))
    inner: object = getattr(
        awaited, "cr_await", None
    )  # a backend may have something of its own that says so as a coroutine does
    return inner if _is_suspended(inner) else None


_OPAQUE: Final = frozenset({"async_generator_asend", "async_generator_athrow", "coroutine_wrapper"})
