"""`ws.listen`: callbacks for messages instead of a loop, one at a time, in order.

A sync callback is called inside `receive_data`, without a task switch; what an async one returns is awaited
in a task of the connection, and the next message waits for it. It waits too while more than the high-water
mark is unsent, so that ``ws.listen(ws.add)`` is an echo with backpressure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from inspect import isawaitable
from typing import TypeAlias

from spry_core.closing import CloseInfo
from spry_core.errors import ConnectionClosed
from spry_core.wakeup import WakeUp
from spry_core.web.failure import fail_handler
from spry_core.web.link import Link

OnMessage: TypeAlias = Callable[[str | bytes], object]
"""Called with each message; what it returns is awaited if it can be."""

OnError: TypeAlias = Callable[[ConnectionClosed], object]
"""Called when the connection did not end well."""

OnDone: TypeAlias = Callable[[CloseInfo], object]
"""Called on any end of the connection."""


class Subscription:
    """What `WebSocket.listen` gives: holds the messages' one consumer until it is cancelled or the connection
    ends.
    """

    def __init__(
        self, link: Link, on_message: OnMessage, on_error: OnError | None, on_done: OnDone | None
    ) -> None:
        self._link = link
        self._on_message = on_message
        self._on_error = on_error
        self._on_done = on_done
        self._context = copy_context()
        self._is_paused = False
        self._is_busy = False
        self._is_over = False
        self._over = WakeUp(link.driver)
        link.claim(self, "listen")
        link.background += 1
        link.call(self)
        if self._has_work:
            self._start_work()

    def pause(self) -> None:
        """Call back no more until `resume`; messages wait, and soon the peer does."""
        self._is_paused = True

    def resume(self) -> None:
        """Go on after `pause`. Never calls back before it has returned."""
        self._is_paused = False
        if self._has_work and not self._is_busy:
            self._start_work()

    def cancel(self) -> None:
        """Call back no more; somebody else may consume from now on. A callback that runs is left to finish."""
        self._finish()
        self._link.leave_alone()

    async def done(self) -> CloseInfo | None:
        """Wait until the subscription is over; return how the connection ended, or None if it was cancelled
        before that.
        """
        while not self._is_over:
            await self._over.wait()
        return self._link.info

    def look(self) -> None:
        """Messages, room to write or the end: call back as far as possible, without waiting."""
        if self._is_busy:
            return
        self._is_busy = True
        try:
            waiting = self._work_off()
        finally:
            self._is_busy = False
        if waiting is not None:
            self._start_work(waiting)

    @property
    def _has_work(self) -> bool:
        return bool(self._link.inbox) or self._link.has_delivered_all

    def _start_work(self, waiting: Awaitable[object] | None = None) -> None:
        self._is_busy = True
        self._context.run(self._link.start, lambda: self._work(waiting))

    async def _work(self, waiting: Awaitable[object] | None) -> None:
        """Await what a callback returned, then call back on, until there is nothing to do."""
        try:
            while True:
                if waiting is not None:
                    await waiting
                waiting = self._work_off(in_task=True)
                if waiting is None:
                    return
        except Exception as error:
            self._fail(error)
        finally:
            self._is_busy = False

    def _work_off(self, *, in_task: bool = False) -> Awaitable[object] | None:
        """Call back for message after message; return what has to be awaited before the next."""
        link = self._link
        while not self._is_over and not self._is_paused:
            link.come_back()
            if link.is_full:
                return None
            if link.inbox:
                result = self._call(self._on_message, link.take(), in_task=in_task)
            elif link.has_delivered_all:
                return self._call_end(in_task=in_task)
            else:
                return None
            if isawaitable(result):
                return result
        if self._is_over:
            link.come_back()
        return None

    def _call(self, callback: Callable[..., object], argument: object, *, in_task: bool) -> object:
        try:
            # A task that was started in the context is inside of it already.
            return callback(argument) if in_task else self._context.run(callback, argument)
        except Exception as error:
            self._fail(error)
            return None

    def _call_end(self, *, in_task: bool) -> Awaitable[object] | None:
        info = self._link.info
        assert info is not None
        error = self._link.closed_error()
        self._finish()
        results: list[object] = []
        if self._on_error is not None and type(error) is not ConnectionClosed:
            results.append(self._call(self._on_error, error, in_task=in_task))
        if self._on_done is not None:
            results.append(self._call(self._on_done, info, in_task=in_task))
        awaitables = [result for result in results if isawaitable(result)]
        return _one_after_the_other(awaitables) if awaitables else None

    def _fail(self, error: Exception) -> None:
        """An exception in a callback is one of the handler, never swallowed."""
        self._finish()
        fail_handler(self._link, error)

    def _finish(self) -> None:
        if self._is_over:
            return
        self._is_over = True
        self._link.unclaim(self)
        self._link.background -= 1
        self._over.wake()


async def _one_after_the_other(awaitables: list[Awaitable[object]]) -> None:
    for awaitable in awaitables:
        await awaitable
