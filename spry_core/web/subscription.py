"""`ws.listen`: callbacks for messages instead of a loop, one at a time, in order.

A sync callback is called inside `receive_data`, without a task switch; what an async one returns is awaited
in a task of the connection, and the next message waits for it. It waits too while more than the high-water
mark is unsent, so that ``ws.listen(ws.add)`` is an echo with backpressure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import copy_context
from inspect import isawaitable
from typing import Final, TypeAlias

from spry_core.closing import CloseInfo, ConnectionClosed
from spry_core.tasks import part
from spry_core.wakeup import WakeUp
from spry_core.web.failure import fail_handler
from spry_core.web.link import Link, SendResult

OnMessage: TypeAlias = Callable[[str | bytes], object]
"""Called with each message; what it returns is awaited if it can be."""

OnError: TypeAlias = Callable[[ConnectionClosed], object]
"""Called when the connection did not end well."""

OnDone: TypeAlias = Callable[[CloseInfo], object]
"""Called on any end of the connection."""


_NOT_AWAITED: Final = frozenset((type(None), bool, SendResult))
"""Of what callbacks mostly return none can be awaited, and to look it up takes less time than to ask it."""


class Subscription:
    """What `WebSocket.listen` gives: holds the messages' one consumer until it is cancelled or the connection
    ends.
    """

    __slots__ = (
        "__weakref__",
        "_context",
        "_done",
        "_is_busy",
        "_is_done",
        "_is_over",
        "_is_paused",
        "_last_calls",
        "_link",
        "_on_done",
        "_on_error",
        "_on_message",
    )

    def __init__(
        self, link: Link, on_message: OnMessage, on_error: OnError | None, on_done: OnDone | None
    ) -> None:
        self._link = link
        self._on_message = on_message
        self._on_error = on_error
        self._on_done = on_done
        self._context = copy_context()
        self._last_calls: tuple[
            tuple[Callable[..., object], object], ...
        ] = ()  # what the end is told to, two at most
        self._is_paused = False
        self._is_busy = False  # a callback runs, or a task is about to go on
        self._is_over = False  # no message will be called back any more
        self._is_done = False  # nor anything else
        self._done = WakeUp(link.driver)
        if link.is_dead:
            raise link.closed_error()
        link.inbox.claim(self, "listen")
        link.background += 1
        link.inbox.call(self)
        self._go_on_later()

    def pause(self) -> None:
        """Call back no more until `resume`; messages wait, and soon the peer does.

        When the stream is gone, what still waits is dropped, so that a subscription which nobody resumes does
        not outlive its connection.
        """
        self._is_paused = True

    def resume(self) -> None:
        """Go on after `pause`. Never calls back before it has returned."""
        self._is_paused = False
        self._go_on_later()

    def cancel(self) -> None:
        """Call back no more; somebody else may consume from now on. A callback that runs is left to finish."""
        self._last_calls = ()
        self._finish()
        self._end()
        self._link.leave_alone()

    async def done(self) -> CloseInfo | None:
        """Wait until the subscription is over: it was cancelled, or the connection has ended and the last
        callback has returned. Return how the connection ended, or None if it has not.
        """
        await self._link.driver.checkpoint(False)
        while not self._is_done:
            await self._done.wait()
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

    def _go_on_later(self) -> None:
        """Look in a task, if there is something to do and nobody does it."""
        has_work = self._link.inbox.has_mail or self._link.info is not None
        if has_work and not self._is_busy and not self._is_over:
            self._start_work(None)

    def _start_work(self, waiting: Awaitable[object] | None) -> None:
        self._is_busy = True
        self._context.run(self._link.start, lambda: self._work(waiting))

    async def _work(self, waiting: Awaitable[object] | None) -> None:
        """Await what a callback returned, then call back on, until there is nothing to do."""
        try:
            while True:
                if waiting is not None:
                    await self._wait_for(waiting)
                waiting = self._work_off()
                if waiting is None:
                    return
        except BaseException:
            self._give_up()
            raise
        finally:
            self._is_busy = False

    def _give_up(self) -> None:
        """The task was cancelled: when the end of the stream has been, nobody would ever look here again."""
        if self._link.connection.closed:
            self._last_calls = ()
            self._finish()
            self._end()

    async def _wait_for(self, waiting: Awaitable[object]) -> None:
        try:
            if self._is_over:  # the last calls clean up: nothing interrupts them
                await waiting
                return
            with self._link.interrupted_by_end():
                await waiting
        except BaseException as raised:
            error, rest = part(raised, is_cancelling=self._link.is_cancelling)
            if error is not None:
                fail_handler(self._link, error)
            if rest is not None:
                raise rest from None

    def _work_off(self) -> Awaitable[object] | None:
        """Call back as often as there is something to call for; return what has to be awaited before the next
        call. Messages are released when no more is there, several at a time.
        """
        link, inbox, flow = self._link, self._link.inbox, self._link.flow
        run, on_message = self._context.run, self._on_message
        while not self._is_over:
            if flow.is_lost and (self._is_paused or link.cancels_on_end):
                self._is_paused = False
                inbox.drop()
            if self._is_paused:
                inbox.come_back_with_one()
                return None
            if flow.is_pressed and link.is_full:
                inbox.come_back()
                if inbox.has_mail and link.is_full:
                    return None
            message = inbox.take() if inbox.items else None
            if message is not None:
                try:
                    result = run(on_message, message)
                except BaseException as raised:
                    self._fail(raised)
                    continue
                if type(result) not in _NOT_AWAITED and isawaitable(result):
                    inbox.come_back_with_one()
                    return result
            elif not inbox.come_back_for_more():
                break
        return self._call_last() if self._is_over or flow.is_settled else None

    def _call_last(self) -> Awaitable[object] | None:
        """Call back about the end, if that has come."""
        info = self._link.info
        if info is not None and not (self._is_over or self._is_paused):
            self._begin_end(info)
        while self._last_calls:
            (callback, argument), *rest = self._last_calls
            self._last_calls = tuple(rest)
            result = self._call(callback, argument)
            if isawaitable(result):
                return result
        if self._is_over:
            self._end()
        return None

    def _begin_end(self, info: CloseInfo) -> None:
        error = self._link.closed_error()
        if self._on_error is not None and type(error) is not ConnectionClosed:
            self._last_calls += ((self._on_error, error),)
        if self._on_done is not None:
            self._last_calls += ((self._on_done, info),)
        self._finish()

    def _call(self, callback: Callable[..., object], argument: object) -> object:
        """Call back about the end."""
        try:
            return self._context.run(callback, argument)
        except BaseException as raised:
            self._fail(raised)
            return None

    def _fail(self, raised: BaseException) -> None:
        """A callback has raised: that is an exception of the handler, never swallowed.

        Also what looks like a cancellation: who does not wait cannot have been cancelled by us.
        """
        error, rest = part(raised, is_cancelling=False)
        if error is not None:
            fail_handler(self._link, error)
        if rest is not None:
            raise rest from None

    def _finish(self) -> None:
        """Call back for no message any more; the last one counts as consumed."""
        if self._is_over:
            return
        self._is_over = True
        self._link.inbox.come_back()
        self._link.inbox.unclaim(self)
        self._link.background -= 1

    def _end(self) -> None:
        self._is_done = True
        self._done.wake()
