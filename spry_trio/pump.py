"""The bytes and the timer of one connection on trio: a task between a non-blocking socket and a session.

Every call of the session is followed by one `_look`: write what is to be written, read or not, lower the deadline, see whether it
is over. trio pulls, so the pump's task waits, in one scope over many reads. The session decides everything; what is decided here
is only how trio does it:

- The pump waits before it reads. Trying `recv` first would cost a failed call for each read, and never let the others run while
  a peer floods.
- `send` is tried first, in whichever task says `notify`: there is no wait, so no cancellation can tear a frame and no two senders
  can meet. What the kernel does not take goes to a writer task, and while that lives nobody else writes.
- The deadline of the scope is only ever lowered. One that moved later fires early once and is set again. Bytes are received
  after the wait, so a deadline that ends the wait loses none.
"""

from __future__ import annotations

import math
import socket
from collections.abc import Callable
from types import TracebackType
from typing import Final, TypeVarTuple, cast

import trio

from spry_core.driver import Driver as DriverProtocol
from spry_core.serving import LogRecord, Served, record_internal_fault
from spry_system import Sender, reset_on_close
from spry_trio.driver import Driver, Workers

Args = TypeVarTuple("Args")

READ_SIZE: Final = 64 * 1024
"""Bytes asked for in one read: more than a read of a TCP stream usually gives."""

MOST_PUT_OFF: Final = 16
"""Turns of the loop that a look waits for what tasks that begin have to say; requests are parsed as many at a time."""


class Pump(Sender):
    """Moves the bytes of one accepted socket and keeps its session's time."""

    __slots__ = (
        "_deadline",
        "_driver",
        "_ended",
        "_has_begun",
        "_has_failed",
        "_is_at_end",
        "_is_idle",
        "_is_looking",
        "_is_over",
        "_is_writing",
        "_may_read",
        "_report",
        "_scope",
        "_when_alone",
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
        """Make the session at once, so that it is counted before the pump's task first runs.

        Args:
            sock: The stream, connected and non-blocking; the pump closes it.
            workers: The tasks that handlers run in.
            open_session: Makes the session, given the driver that is lent to it.
            report: Takes the record of an internal error.
            ended: Is told once, when neither stream nor session nor task is left.
        """
        super().__init__(sock)
        self._report = report
        self._ended = ended
        self._workers = workers
        self._driver = Driver(self, workers)
        self._session = open_session(self._driver)
        self._scope = trio.CancelScope()
        self._deadline = math.inf  # the scope's, kept beside it: reading the scope's costs more
        self._when_alone: trio.Event | None = None
        self._may_read = True  # what came of the session's answer when it was last looked at
        self._has_begun = False
        self._is_looking = False
        self._is_idle = False  # the pump waits without reading
        self._is_at_end = False  # the peer has sent its end of stream
        self._is_writing = False  # the writer task lives
        self._has_failed = False
        self._is_over = False  # it has failed, or the session was closed when it was last looked at

    async def run(self) -> None:
        """Move bytes until the session is closed and the last of its tasks has ended.

        Cancelled from outside it closes the connection with 1001, goes on under a shield until that is done, which the session's
        deadlines bound, and then lets the cancellation go on.
        """
        self._has_begun = True
        try:
            await self._run()
            await self._wait_until_alone()
        except trio.Cancelled:
            with trio.CancelScope(shield=True):
                self._tell(self._close)
                await self._run()
                await self._wait_until_alone()
            raise
        finally:
            self._ended(self)

    # ------------------------------------------------------------------------------------------ what the driver calls

    def notify(self, soon: bool = False) -> None:
        """Look at the session again, at once or before the loop sleeps."""
        if not soon:
            self._look()
        elif self._has_begun and not self._is_lost:
            self._start_writer()

    def task_ended(self, error: Exception | None) -> None:
        """Look at the session again; what a task raises is the session's to handle, so an error here is ours."""
        if error is not None:
            self._fail(error)
        if self._is_lost:
            self._look()
        self._tell_if_alone()

    # -------------------------------------------------------------------------------------------------- the machinery

    async def _run(self) -> None:
        # All in one function: the frame of another would be held by every idle connection.
        self._look()
        while not self._is_over:
            try:
                deadline = self._session.next_deadline()
                self._deadline = math.inf if deadline is None else deadline
                with trio.CancelScope(deadline=self._deadline) as self._scope:
                    while not self._is_over:
                        try:
                            if self._may_read:
                                await trio.lowlevel.wait_readable(self._socket)
                            else:
                                await self._wait_idle()
                        except trio.ClosedResourceError:
                            pass  # a task has closed it meanwhile
                        # Another task may have filled the inbox, or closed the socket, since the wait ended.
                        if self._may_read:
                            self._receive()
            except Exception as error:
                self._fail(error)
            else:
                self._tell(self._session.handle_deadline)

    async def _wait_idle(self) -> None:
        """Wait without reading; only the scope ends this: a deadline, reading to go on, or the end."""
        self._is_idle = True
        try:
            await trio.sleep_forever()
        finally:
            self._is_idle = False

    def _is_alone(self) -> bool:
        return not self._is_writing and not self._driver.has_tasks

    async def _wait_until_alone(self) -> None:
        """Let the tasks end; cancelled are only those that the session has cancelled."""
        while not self._is_alone():
            self._when_alone = trio.Event()
            await self._when_alone.wait()

    def _tell_if_alone(self) -> None:
        if self._when_alone is not None and self._is_alone():
            self._when_alone.set()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return  # it was readable for nothing
        except OSError as error:
            self._tell(self._lose, error)
            return
        if not data:
            self._is_at_end = True
            self._tell(self._session.receive_eof)
            return
        try:  # as `_tell`, without its price
            self._session.receive_data(data, trio.current_time())
        except Exception as error:
            self._fail(error)
        self._look()

    def _tell(self, call: Callable[[*Args, float], None], *args: *Args) -> None:
        """Call the session, with the time, and look at what came of it."""
        try:
            call(*args, trio.current_time())
        except Exception as error:
            self._fail(error)
        self._look()

    def _close(self, now: float) -> None:
        """Close with 1001 and without grace: whoever cancels is waiting."""
        self._session.shutdown(now, grace=0.0)

    def _look(self) -> None:
        """Do what the session wants done: bytes, reading, deadline, end."""
        # A session may answer a credit with `notify`: the look that gave the credit is not over and sees it all.
        if self._is_looking or not self._has_begun:
            return
        self._is_looking = True
        try:
            if not self._has_failed:
                self._follow_session()
        except Exception as error:
            self._fail(error)
        finally:
            self._is_looking = False
        if self._has_failed or (self._is_lost and self._session.closed):
            self._is_over = True
            self._scope.cancel()

    def _follow_session(self) -> None:
        session = self._session
        if not self._is_lost:
            self._write(session)
        self._may_read = session.wants_read and not self._is_at_end and not self._is_lost
        if self._is_idle and self._may_read:
            self._scope.cancel()
        deadline = session.next_deadline()
        if deadline is not None and deadline < self._deadline:
            self._deadline = self._scope.deadline = deadline

    def _now(self) -> float:
        return trio.current_time()

    def _wait_for_room(self) -> None:
        self._is_blocked = True
        self._start_writer()

    def _start_writer(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._workers.start(self._keep_writing)

    async def _keep_writing(self) -> None:
        """Be the writer: send what is there until nothing is. Ended by the session's deadlines, which close the socket."""
        for _ in range(MOST_PUT_OFF):  # pipelined requests are then answered in one piece
            if not self._driver.is_starting:
                break
            await trio.lowlevel.cancel_shielded_checkpoint()
        self._is_blocked = False
        self._look()
        while self._is_blocked and not self._is_lost:
            try:
                await trio.lowlevel.wait_writable(self._socket)
            except trio.ClosedResourceError:
                break
            self._is_blocked = False
            self._look()
        self._is_writing = False
        self._tell_if_alone()

    def _lose(self, error: Exception | None, now: float, *, reset: bool = False) -> None:
        """Close the socket and tell the session, also when it asked for that. With `reset`, drop what the kernel still holds."""
        if self._is_lost:
            return
        self._is_lost = True
        self._may_read = False
        self._unsent = self._end = None
        if reset:
            reset_on_close(self._socket)
        trio.lowlevel.notify_closing(self._socket)  # whoever waits for it would wait for ever
        self._socket.close()
        self._session.connection_lost(error, now)

    def _fail(self, error: Exception) -> None:
        """End this connection after an error of our own, as the last resort: report it once, cut the stream, cancel the tasks."""
        if self._has_failed:
            return
        self._has_failed = True
        self._report(record_internal_fault("connection aborted", error))
        self._abort_session(trio.current_time())
        try:
            self._lose(None, trio.current_time(), reset=True)
        except Exception:
            pass  # the session is broken, which has just been reported

    def _abort_session(self, now: float) -> None:
        """Let the session cancel its tasks, so that it takes that for no error of theirs; and cancel what it has left."""
        try:
            self._session.abort(now)
        except Exception:
            pass  # it is broken, which has just been reported
        self._driver.cancel()


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
