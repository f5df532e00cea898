"""What belongs to an event loop, primitive by primitive, and what the memory driver calls each of them."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
from collections.abc import Awaitable, Callable
from contextlib import closing
from typing import Final, NamedTuple, TypeAlias

import anyio
import anyio.lowlevel
import anyio.to_thread
import trio

Function: TypeAlias = Callable[[], Awaitable[object]]


def line_of(function: Function) -> int:
    """Return the number of the line that is marked as the one which awaits."""
    lines, first = inspect.getsourcelines(function)
    return first + next(number for number, text in enumerate(lines) if text.endswith("# here\n"))


# ------------------------------------------------------------------------------------------------------------ asyncio


async def asyncio_sleep_zero() -> None:
    await asyncio.sleep(0)  # here


async def asyncio_sleep() -> None:
    await asyncio.sleep(1)  # here


async def asyncio_event() -> None:
    await asyncio.Event().wait()  # here


async def asyncio_queue_empty() -> None:
    await asyncio.Queue[int]().get()  # here


async def asyncio_queue_full() -> None:
    queue = asyncio.Queue[int](1)
    queue.put_nowait(1)
    await queue.put(2)  # here


async def asyncio_queue_unfinished() -> None:
    queue = asyncio.Queue[int]()
    queue.put_nowait(1)
    await queue.join()  # here


async def asyncio_lock_held() -> None:
    async with (lock := asyncio.Lock()):
        await lock.acquire()  # here


async def asyncio_semaphore_used_up() -> None:
    await asyncio.Semaphore(0).acquire()  # here


async def asyncio_condition() -> None:
    async with (condition := asyncio.Condition()):
        await condition.wait()  # here


async def asyncio_barrier() -> None:
    await asyncio.Barrier(2).wait()  # here


async def asyncio_future() -> None:
    with closing(asyncio.new_event_loop()) as loop:
        await loop.create_future()  # here


async def asyncio_gather() -> None:
    with closing(asyncio.new_event_loop()) as loop:
        await asyncio.gather(loop.create_future(), loop.create_future())  # here


async def asyncio_shield() -> None:
    with closing(asyncio.new_event_loop()) as loop:
        await asyncio.shield(loop.create_future())  # here


async def asyncio_wait() -> None:
    with closing(asyncio.new_event_loop()) as loop:
        await asyncio.wait([loop.create_future()])  # here


async def asyncio_wait_for() -> None:
    with closing(asyncio.new_event_loop()) as loop:
        await asyncio.wait_for(loop.create_future(), 1)  # here


async def asyncio_to_thread() -> None:
    await asyncio.to_thread(int)  # here


async def asyncio_timeout() -> None:
    async with asyncio.timeout(1):  # here
        pass


async def asyncio_task_group() -> None:
    async with asyncio.TaskGroup():  # here
        pass


async def asyncio_create_task() -> None:
    with closing(asyncio.sleep(0)) as coroutine:
        await asyncio.create_task(coroutine)  # here


async def asyncio_loop() -> None:
    asyncio.get_running_loop()  # here


async def asyncio_open_connection() -> None:
    await asyncio.open_connection("127.0.0.1", 1)  # here


async def asyncio_of_another_thread() -> None:
    with closing(asyncio.new_event_loop()) as loop:
        future = concurrent.futures.Future[int]()
        await asyncio.wrap_future(future, loop=loop)  # here


# --------------------------------------------------------------------------------------------------------------- trio


async def trio_sleep_zero() -> None:
    await trio.sleep(0)  # here


async def trio_sleep() -> None:
    await trio.sleep(1)  # here


async def trio_sleep_forever() -> None:
    await trio.sleep_forever()  # here


async def trio_checkpoint() -> None:
    await trio.lowlevel.checkpoint()  # here


async def trio_event() -> None:
    await trio.Event().wait()  # here


async def trio_event_set() -> None:
    (event := trio.Event()).set()
    await event.wait()  # here


async def trio_lock_free() -> None:
    await trio.Lock().acquire()  # here


async def trio_nursery() -> None:
    async with trio.open_nursery():  # here
        pass


async def trio_channel_empty() -> None:
    _, receiving = trio.open_memory_channel[int](0)
    await receiving.receive()  # here


async def trio_channel_full() -> None:
    sending, _ = trio.open_memory_channel[int](0)
    await sending.send(1)  # here


async def trio_time_limit() -> None:
    with trio.fail_after(1):  # here
        pass


async def trio_cancel_scope() -> None:
    with trio.CancelScope():  # here
        pass


async def trio_to_thread() -> None:
    await trio.to_thread.run_sync(int)  # here


# -------------------------------------------------------------------------------------------------------------- anyio


async def anyio_sleep_zero() -> None:
    await anyio.sleep(0)  # here


async def anyio_sleep() -> None:
    await anyio.sleep(1)  # here


async def anyio_checkpoint() -> None:
    await anyio.lowlevel.checkpoint()  # here


async def anyio_event() -> None:
    await anyio.Event().wait()  # here


async def anyio_lock_free() -> None:
    await anyio.Lock().acquire()  # here


async def anyio_task_group() -> None:
    async with anyio.create_task_group():  # here
        pass


async def anyio_stream() -> None:
    sending, receiving = anyio.create_memory_object_stream[int](0)
    with sending, receiving:
        await receiving.receive()  # here


async def anyio_time_limit() -> None:
    with anyio.fail_after(1):  # here
        pass


async def anyio_to_thread() -> None:
    await anyio.to_thread.run_sync(int)  # here


class Foreign(NamedTuple):
    """One primitive: what uses it, what it is called, and what it raises by itself, if it does not yield."""

    function: Function
    awaited: str
    cause: type[Exception] | None


FOREIGN: Final = (
    Foreign(asyncio_sleep_zero, "asyncio.tasks.sleep", None),
    Foreign(asyncio_sleep, "asyncio.tasks.sleep", RuntimeError),
    Foreign(asyncio_event, "asyncio.locks.Event.wait", AttributeError),
    Foreign(asyncio_queue_empty, "asyncio.queues.Queue.get", AttributeError),
    Foreign(asyncio_queue_full, "asyncio.queues.Queue.put", AttributeError),
    Foreign(asyncio_queue_unfinished, "asyncio.queues.Queue.join", AttributeError),
    Foreign(asyncio_lock_held, "asyncio.locks.Lock.acquire", AttributeError),
    Foreign(asyncio_semaphore_used_up, "asyncio.locks.Semaphore.acquire", AttributeError),
    Foreign(asyncio_condition, "asyncio.locks.Condition.wait", AttributeError),
    Foreign(asyncio_barrier, "asyncio.locks.Barrier.wait", AttributeError),
    Foreign(asyncio_future, "_asyncio.Future", None),
    Foreign(asyncio_gather, "asyncio.tasks._GatheringFuture", None),
    Foreign(asyncio_shield, "_asyncio.Future", None),
    Foreign(asyncio_wait, "asyncio.tasks.wait", RuntimeError),
    Foreign(asyncio_wait_for, "asyncio.tasks.wait_for", RuntimeError),
    Foreign(asyncio_to_thread, "asyncio.threads.to_thread", RuntimeError),
    Foreign(asyncio_timeout, "asyncio.timeouts.timeout", RuntimeError),
    Foreign(asyncio_task_group, "asyncio.taskgroups.TaskGroup.__aenter__", RuntimeError),
    Foreign(asyncio_create_task, "asyncio.tasks.create_task", RuntimeError),
    Foreign(asyncio_loop, "asyncio.get_running_loop", RuntimeError),
    Foreign(asyncio_open_connection, "asyncio.streams.open_connection", RuntimeError),
    Foreign(asyncio_of_another_thread, "_asyncio.Future", None),
    Foreign(trio_sleep_zero, "trio._timeouts.sleep", None),
    Foreign(trio_sleep, "trio._timeouts.sleep", RuntimeError),
    Foreign(trio_sleep_forever, "trio._timeouts.sleep_forever", None),
    Foreign(trio_checkpoint, "trio._core._run.checkpoint", None),
    Foreign(trio_event, "trio._sync.Event.wait", RuntimeError),
    Foreign(trio_event_set, "trio._sync.Event.wait", None),
    Foreign(trio_lock_free, "trio._sync._LockImpl.acquire", RuntimeError),
    Foreign(trio_nursery, "trio._core._run.open_nursery", AttributeError),
    Foreign(trio_channel_empty, "trio._channel.MemoryReceiveChannel.receive", RuntimeError),
    Foreign(trio_channel_full, "trio._channel.MemorySendChannel.send", RuntimeError),
    Foreign(trio_time_limit, "trio._timeouts.fail_after", RuntimeError),
    Foreign(trio_cancel_scope, "trio._core._run.CancelScope.__enter__", RuntimeError),
    Foreign(trio_to_thread, "trio._threads.to_thread_run_sync", RuntimeError),
    Foreign(anyio_sleep_zero, "anyio._core._eventloop.sleep", RuntimeError),
    Foreign(anyio_sleep, "anyio._core._eventloop.sleep", RuntimeError),
    Foreign(anyio_checkpoint, "anyio.lowlevel.checkpoint", RuntimeError),
    Foreign(anyio_event, "anyio._core._synchronization.EventAdapter.wait", RuntimeError),
    Foreign(anyio_lock_free, "anyio._core._synchronization.LockAdapter.acquire", RuntimeError),
    Foreign(anyio_task_group, "anyio._core._tasks.create_task_group", RuntimeError),
    Foreign(anyio_stream, "anyio.streams.memory.MemoryObjectReceiveStream.receive", RuntimeError),
    Foreign(anyio_time_limit, "anyio._core._tasks.fail_after", RuntimeError),
    Foreign(anyio_to_thread, "anyio.to_thread.run_sync", RuntimeError),
)
"""All of these need a loop at once."""


async def lock_free() -> str:
    async with asyncio.Lock():
        return "passed"


async def semaphore_free() -> str:
    async with asyncio.Semaphore():
        return "passed"


async def event_set() -> str:
    (event := asyncio.Event()).set()
    await event.wait()
    return "passed"


async def queue_filled() -> str:
    queue = asyncio.Queue[str]()
    await queue.put("passed")
    return await queue.get()


async def future_done() -> str:
    with closing(asyncio.new_event_loop()) as loop:
        future: asyncio.Future[str] = loop.create_future()
        future.set_result("passed")
        return await future


HARMLESS: Final = (lock_free, semaphore_free, event_set, queue_filled, future_done)
"""These belong to asyncio and do not touch the loop, because there is nothing to wait for."""
