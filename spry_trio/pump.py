"""The bytes and the timer of one connection on trio: calls of the server's loop between a non-blocking socket and a session.

Every call of the session is followed by a `look`: write what is to be written, read or not, set the timer, see whether it is
over. A connection has no task of its own: one of the server's waits for all of them. The session decides everything; what is
decided here is only how trio does it:

- One read for each time that the loop says that there is something, so that a peer that floods lets the others run.
- A look comes behind the call that led to it, be it of another connection, and behind the first steps that the leader takes.
  Where several connections were read in a row it also comes behind the steps of those whom that has woken.
- `send` is tried first, in whichever task it comes to: there is no wait, so no cancellation can tear a frame and no two senders
  can meet. What the kernel does not take waits, with a task that waits for room, and nothing passes it.
- The loop is asked to stop watching for bytes when there are some that the session does not want, not before: a session that
  wants none for a moment, as between a request and its answer, costs nothing.
- The timer is only ever lowered. A deadline that moved later fires early once and is set again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextvars import copy_context
from types import TracebackType
from typing import Final, TypeVarTuple, cast

import trio

from spry_core.driver import Driver as DriverProtocol
from spry_core.protocol.memory import READ_SIZE
from spry_core.serving import LogRecord, Served
from spry_system import BasePump, TimerHandle, reset_on_close
from spry_trio.driver import Driver, Workers

Args = TypeVarTuple("Args")

MOST_PUT_OFF: Final = 16
"""Turns of the loop that a look waits for what tasks that begin have to say; requests are parsed as many at a time."""

BIG: Final = 16 * 1024
"""Bytes of a read behind which nothing waits for others: what they lead to is sent while the processor's cache has it."""


class Pump(BasePump):
    """Moves the bytes of one accepted socket and keeps its session's time."""

    __slots__ = (
        "_context",
        "_driver",
        "_ended",
        "_has_ended",
        "_is_looking",
        "_is_writing",
        "_loop",
        "_put_off",
        "_when_ended",
        "_workers",
    )

    def __init__(
        self,
        sock: socket.socket,
        workers: Workers,
        open_session: Callable[[DriverProtocol], Served],
        report: Callable[[LogRecord], None],
        ended: Callable[[Pump], None],
    ) -> None:
        """Make the session at once, so that it is counted before anything else can happen.

        Args:
            sock: The stream, connected and non-blocking; the pump closes it.
            workers: The tasks that handlers run in, and the loop that waits for the socket.
            open_session: Makes the session, given the driver that is lent to it.
            report: Takes the record of an internal error.
            ended: Is told once, when neither stream nor session nor task is left.
        """
        super().__init__(sock, workers.loop.now, report)
        self._ended = ended
        self._workers = workers
        self._loop = workers.loop
        self._context = copy_context()  # what callbacks of this connection set is there for none of another
        self._driver = Driver(self, workers)
        self._session = open_session(self._driver)
        self._put_off = 0  # times that a look was
        self._when_ended: trio.Event | None = None
        self._is_writing = False  # a task waits for room
        self._is_looking = True  # nobody does before it is opened
        self._has_ended = False

    def open(self) -> None:
        """Begin: from here on the loop says when there are bytes. If it cannot, the stream is lost."""
        self._is_looking = False
        try:
            self._loop.begin()
            self._watch()
        except Exception as error:
            self._tell(self._lose, error)
        else:
            self.look()

    async def run(self) -> None:
        """Move bytes until the session is closed and the last of its tasks has ended: `open`, for who waits for the end.

        Cancelled from outside it closes the connection with 1001, goes on under a shield until that is done, which the session's
        deadlines bound, and then lets the cancellation go on.
        """
        self.open()
        try:
            await self._wait_until_ended()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                self._tell(self._close)
                await self._wait_until_ended()
            raise

    async def _wait_until_ended(self) -> None:
        while not self._has_ended:
            self._when_ended = trio.Event()
            await self._when_ended.wait()

    # ------------------------------------------------------------------------------------------ what the driver calls

    def notify(self, soon: bool = False) -> None:
        """Look at the session again: at once, or before trio sleeps."""
        if soon:
            self._loop.look_soon(self)
        else:
            self._loop.look(self)

    def task_ended(self, error: Exception | None) -> None:
        """Look whether that was the last thing; what a task raises is the session's to handle, so an error here is ours."""
        if error is not None:
            self._fail(error)
        if self._is_lost:
            self.look()

    # -------------------------------------------------------------------------------------------- what the loop calls

    def receive(self) -> None:
        """Pass on what has come, or find that the session wants nothing now."""
        if not self._wants_read or not self._is_watched:
            self._stop_watching()
            return
        try:
            data = self._socket.recv(self._read_size)
        except (BlockingIOError, InterruptedError):
            return  # it was readable for nothing
        except OSError as error:
            self._tell(self._lose, error)
            return
        if not data:
            self._is_at_end = True
            self._stop_watching()
            self._tell(self._session.receive_eof)
            return
        if len(data) >= READ_SIZE or self._read_size != READ_SIZE:
            self._choose_read_size(len(data))
        if len(data) >= BIG:
            self._loop.hurry()
        try:  # as `_tell`, without its price
            self._context.run(self._session.receive_data, data, self._loop.now())
        except Exception as error:
            self._fail(error)
        self._loop.look(self)

    def look(self) -> None:
        """Do what the session wants done: bytes, reading, deadline, end."""
        # A session may answer a credit with `notify`: the look that gave the credit is not over and sees it all.
        if self._is_looking or self._has_ended:
            return
        self._is_looking = True
        try:
            if not self._has_failed:
                self._follow_session()
        except Exception as error:
            self._fail(error)
        finally:
            self._is_looking = False
        if self._is_lost and not self._is_writing and (self._has_failed or self._session.closed):
            self._finish_if_alone()

    def look_soon(self) -> None:
        """Look, but not before a task has taken its first step: pipelined requests are then answered in one piece."""
        if self._driver.is_starting and self._put_off < MOST_PUT_OFF:
            self._put_off += 1
            self._loop.look_soon(self)
        else:
            self._put_off = 0
            self._context.run(self.look)

    def time_has_come(self) -> None:
        """Let the session do what has fallen due."""
        self._clear_timer()
        if not self._has_ended:
            self._tell(self._session.handle_deadline)

    # -------------------------------------------------------------------------------------------------- the machinery

    def _tell(self, call: Callable[[*Args, float], None], *args: *Args) -> None:
        """Call the session, with the time, and look at what came of it."""
        try:
            self._context.run(call, *args, self._loop.now())
        except Exception as error:
            self._fail(error)
        self._loop.look(self)

    def _close(self, now: float) -> None:
        """Close with 1001 and without grace: whoever cancels is waiting."""
        self._session.shutdown(now, grace=0.0)

    def _watch(self) -> None:
        self._loop.watch(self._socket, self)
        self._is_watched = True

    def _stop_watching(self) -> None:
        if self._is_watched:
            self._is_watched = False
            self._loop.forget(self._socket)

    def _call_at(self, deadline: float) -> TimerHandle:
        return self._loop.call_at(deadline, self)

    def _cancel_tasks(self) -> None:
        self._driver.cancel()

    def _wait_for_room(self) -> None:
        self._is_blocked = True
        if not self._is_writing:
            self._is_writing = True
            self._workers.start(self._keep_writing)

    async def _keep_writing(self) -> None:
        """Be the writer: send what is there until nothing is. Ended by the session's deadlines, which close the socket."""
        while self._is_blocked and not self._is_lost:
            try:
                await trio.lowlevel.wait_writable(self._socket)
            except trio.ClosedResourceError:
                break
            self._is_blocked = False
            self._loop.look(self)
        self._is_writing = False
        self.look()

    def _lose(self, error: Exception | None, now: float, *, reset: bool = False) -> None:
        """Close the socket and tell the session, also when it asked for that. With `reset`, drop what the kernel still holds."""
        if self._is_lost:
            return
        self._is_lost = True
        self._unsent = self._end = None
        self._stop_watching()
        if reset:
            reset_on_close(self._socket)
        trio.lowlevel.notify_closing(self._socket)  # whoever waits for it would wait for ever
        self._socket.close()
        self._session.connection_lost(error, now)

    def _finish_if_alone(self) -> None:
        if self._driver.has_tasks:
            return
        self._has_ended = True
        self._clear_timer()
        self._ended(self)
        if self._when_ended is not None:
            self._when_ended.set()


class RaisingBare:
    """A block that takes the group off a single exception: the nursery inside is ours, and whoever is outside should not have to
    know of it. A class: of a generator each idle connection would hold the frame.
    """

    __slots__ = ()

    def __enter__(self) -> None:
        """Nothing is to be done before."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if not isinstance(error, BaseExceptionGroup):
            return
        bare, *others = cast("BaseExceptionGroup[BaseException]", error).exceptions
        if others:
            return
        context = bare.__context__
        try:
            raise bare
        finally:
            bare.__context__ = context  # not the group
