"""Where a suspended coroutine waits, and what is foreign in it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Generator, Iterator
from typing import cast

import anyio
import pytest
import trio

from spry_core import Application, Request, Response
from spry_core.testing import TestClient
from spry_core.testing.memory import MemoryDriver
from spry_core.testing.parked import (
    ForeignAwaitable,
    Place,
    describe,
    foreign_call,
    foreign_in,
    running_place,
)


class Forever:
    """Suspends whoever awaits it."""

    def __await__(self) -> Generator[str, None, None]:
        yield "foreign"


def suspended(coroutine: Coroutine[object, None, object]) -> Coroutine[object, None, object]:
    coroutine.send(None)
    return coroutine


async def wait() -> None:
    await Forever()


def test_the_users_innermost_line_is_told() -> None:
    async def outer() -> None:
        await wait()

    coroutine = suspended(outer())
    told = describe(coroutine)
    coroutine.close()
    assert re.fullmatch(rf"{re.escape(__file__)}:\d+ in Forever.__await__", told)


def test_what_is_awaited_below_the_users_line_is_named() -> None:
    driver = MemoryDriver()
    places = list[str]()

    async def user() -> None:
        await driver.event().wait()

    task = driver.start(user)
    driver.settle()
    line = user.__code__.co_firstlineno + 1
    places.append(str(task))
    task.cancel()
    driver.settle()
    name = f"{test_what_is_awaited_below_the_users_line_is_named.__qualname__}.<locals>.user"
    assert places == [f"task 1 at {__file__}:{line} in {name}, awaiting MemoryEvent.wait"]


def test_without_a_line_of_the_users_the_innermost_is_told() -> None:
    driver = MemoryDriver()
    event = driver.event()
    task = driver.start(event.wait)
    driver.settle()
    told = str(task)
    event.set()
    driver.settle()
    assert re.fullmatch(r"task 1 at \S+task\.py:\d+ in _pause", told)


def told_of_an_unread_answer(content: AsyncIterator[bytes] | list[bytes], target: str) -> str:
    """Let a server answer with `content` what nobody reads, and describe its task."""
    app = Application()

    @app.get("/stream")
    async def answer(request: Request) -> Response:
        return Response(content)

    client = TestClient(app)
    peer = client.connect()
    peer.is_reading = False
    peer.send(f"GET {target} HTTP/1.1\r\nHost: t\r\n\r\n".encode())
    (task,) = client.driver.tasks()
    return str(task)


def test_where_an_answer_streams_the_users_generator_and_the_request_are_told() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        while True:
            yield bytes(10_000)

    told = told_of_an_unread_answer(pieces(), "/stream?a=b")
    line = pieces.__code__.co_firstlineno + 2
    assert told == (
        f"task 1 of connection 50000 at {__file__}:{line} in {pieces.__qualname__}, "
        "yielding to HttpExchange.wait_for_room, for GET /stream?a=b"
    )


def test_where_an_answer_streams_out_of_an_iterable_spry_s_line_and_the_request_are_told() -> None:
    told = told_of_an_unread_answer([bytes(10_000)] * 100, "/stream?" + "a" * 100)
    assert re.fullmatch(
        r"task 1 of connection 50000 at \S+exchange\.py:\d+ in HttpExchange\.wait_for_room, "
        rf"for GET /stream\?{'a' * 72}",
        told,
    )


def numbers(*each: int) -> Iterator[int]:
    yield from each


def test_a_generator_that_has_ended_or_is_not_the_users_feeds_nobody() -> None:
    driver = MemoryDriver()
    event, ended = driver.event(), numbers()
    assert list(ended) == []
    vars(event).update(ended=ended, walk=os.walk(__file__))
    task = driver.start(event.wait)
    driver.settle()
    told = str(task)
    event.set()
    driver.settle()
    assert re.fullmatch(r"task 1 at \S+task\.py:\d+ in _pause", told)


def test_a_coroutine_that_has_ended_waits_nowhere() -> None:
    async def ended() -> None:
        """End at once."""

    coroutine = ended()
    with pytest.raises(StopIteration):
        coroutine.send(None)
    assert describe(coroutine) == "finished"


def test_the_way_leads_through_async_generators() -> None:
    async def items() -> AsyncIterator[int]:
        await wait()
        yield 1

    async def user() -> None:
        async for _ in items():
            pass

    coroutine = suspended(user())
    told = describe(coroutine)
    coroutine.close()
    assert told.endswith(" in Forever.__await__")


def test_the_way_leads_through_a_coroutine_that_an_object_hands_out() -> None:
    class Indirect:
        def __await__(self) -> Generator[object, None, None]:
            return wait().__await__()

    async def user() -> None:
        await Indirect()

    coroutine = suspended(user())
    told = describe(coroutine)
    coroutine.close()
    assert told.endswith(" in Forever.__await__")


def test_the_way_ends_at_an_object_that_cannot_be_looked_into() -> None:
    class Opaque:
        def __await__(self) -> Iterator[str]:
            return iter(["foreign"])

    async def user() -> None:
        await cast("Awaitable[str]", Opaque())  # any iterator does at run time

    coroutine = suspended(user())
    told = foreign_in(coroutine, "foreign")
    line = user.__code__.co_firstlineno + 1
    coroutine.close()
    assert told == (f"{__file__}:{line} in {user.__qualname__}", "builtins.str")


def test_a_bare_yield_is_named_as_such() -> None:
    class Bare:
        def __await__(self) -> Generator[None, None, None]:
            yield

    async def user() -> None:
        await Bare()

    coroutine = suspended(user())
    told = foreign_in(coroutine, None)
    coroutine.close()
    assert told[1] == "a bare yield"


def test_a_function_of_an_event_loop_is_named() -> None:
    async def user() -> None:
        await asyncio.sleep(0)

    coroutine = suspended(user())
    line = user.__code__.co_firstlineno + 1
    told = foreign_in(coroutine, None)
    coroutine.close()
    assert told == (f"{__file__}:{line} in {user.__qualname__}", "asyncio.tasks.sleep")


def test_without_a_line_of_the_users_the_librarys_own_is_told() -> None:
    coroutine = suspended(asyncio.sleep(0))
    at, awaited = foreign_in(coroutine, None)
    coroutine.close()
    assert re.fullmatch(r"\S+asyncio/tasks\.py:\d+ in __sleep0", at)
    assert awaited == "asyncio.tasks.sleep"


async def asyncio_queue() -> None:
    await asyncio.Queue[int]().get()


async def asyncio_event() -> None:
    await asyncio.Event().wait()


async def asyncio_sleep() -> None:
    await asyncio.sleep(1)


async def trio_sleep() -> None:
    await trio.sleep(1)


async def trio_nursery() -> None:
    async with trio.open_nursery():
        pass


async def anyio_sleep() -> None:
    await anyio.sleep(1)


FOREIGN = [
    (asyncio_queue, "asyncio.queues.Queue.get"),
    (asyncio_event, "asyncio.locks.Event.wait"),
    (asyncio_sleep, "asyncio.tasks.sleep"),
    (trio_sleep, "trio._timeouts.sleep"),
    (trio_nursery, "trio._core._run.open_nursery"),
    (anyio_sleep, "anyio._core._eventloop.sleep"),
]


@pytest.mark.parametrize(("function", "awaited"), FOREIGN, ids=[function.__name__ for function, _ in FOREIGN])
def test_an_error_that_says_that_no_loop_runs_is_known(
    function: Callable[[], Coroutine[object, None, None]], awaited: str
) -> None:
    coroutine = function()
    with pytest.raises((RuntimeError, AttributeError)) as caught:
        coroutine.send(None)
    found = foreign_call(caught.value)
    assert found is not None
    assert found == (f"{__file__}:{_line_in(caught.tb, function)} in {function.__name__}", awaited)


def _line_in(traceback: object, function: Callable[[], Awaitable[None]]) -> int:
    """Return the line at which `function` was when it raised."""
    from types import TracebackType

    while isinstance(traceback, TracebackType):
        if traceback.tb_frame.f_code.co_name == function.__name__:
            return traceback.tb_lineno
        traceback = traceback.tb_next
    raise AssertionError("the function is not in the traceback")


def test_without_a_line_of_the_users_the_first_frame_is_told() -> None:
    coroutine = asyncio.sleep(1)
    error: RuntimeError | None = None
    try:
        coroutine.send(None)
    except RuntimeError as raised:
        error = raised
    assert error is not None
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # without this test's own frame
    found = foreign_call(error)
    assert found is not None
    assert found[1] == "asyncio.tasks.sleep"
    assert re.fullmatch(r"\S+asyncio/tasks\.py:\d+ in sleep", found[0])


def test_other_errors_are_the_users_own() -> None:
    with pytest.raises(asyncio.QueueEmpty) as of_library:
        asyncio.Queue[int]().get_nowait()
    with pytest.raises(RuntimeError) as of_user:
        raise RuntimeError("of the user")
    assert foreign_call(of_library.value) is None
    assert foreign_call(of_user.value) is None
    assert foreign_call(RuntimeError("never raised")) is None


def test_the_text_of_the_error_says_what_may_be_awaited() -> None:
    assert str(ForeignAwaitable("task 1", "app.py:3 in echo", "asyncio.tasks.sleep")) == (
        "task 1 at app.py:3 in echo awaited asyncio.tasks.sleep, which belongs to an event loop; "
        "under the memory driver only what spry lends can be awaited"
    )


def step(look: Callable[[], Place | None]) -> Place | None:
    """Stand for the driver, which steps a coroutine."""
    return look()


def test_the_users_line_of_what_runs_is_found_below_the_driver() -> None:
    def handler() -> Place | None:
        return running_place(step.__code__)

    place = step(handler)
    assert place is not None
    assert (place.code, place.is_users) == (handler.__code__, True)
    assert place.line == handler.__code__.co_firstlineno + 1


def test_what_runs_without_any_line_of_the_users_has_spry_s_or_none() -> None:
    """The kit's own lines do not count as Spry's: they would say nothing."""

    def ours(module: str) -> Place | None:
        namespace: dict[str, object] = {"__name__": module, "look": running_place, "step": step}
        exec("def handler():\n    return look(step.__code__)\n", namespace)
        return step(cast("Callable[[], Place | None]", namespace["handler"]))

    place = ours("spry_core.serving.answer")
    assert place is not None
    assert (place.module, place.is_users) == ("spry_core.serving.answer", False)
    assert ours("spry_core.testing.memory") is None
