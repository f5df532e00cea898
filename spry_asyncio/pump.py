"""The bytes and the timer of one connection on asyncio: callbacks of the loop between a non-blocking socket and a session.

Every call of the session is followed by one `look`: write what is to be written, read or not, set the timer, see whether it is
over. asyncio pushes, so nothing here waits. The session decides everything; what is decided here is only how asyncio does it:

- The socket is ours and not a transport's: the loop says when it is readable, and no more. A transport costs more for each
  message, each connection and each opening, and does not say what it has written.
- One read for each call of the loop, so that a peer that floods lets the others run; of asyncio's own loop one for each socket
  that is ready, since a callback for each costs a fifth of what is to be done there.
- A look comes behind the call that led to it, be it of another connection, and lets handlers that are about to take a step do
  that first (`spry_system.Turns`): what they have to say goes out with one write.
- `send` is tried first, in whichever task it comes to: there is no wait, so no cancellation can tear a frame and no two senders
  can meet. What the kernel does not take waits until the loop says that the socket is writable, and nothing passes it.
- The loop is asked to stop watching for bytes when there are some that the session does not want, not before: a session that
  wants none for a moment, as between a request and its answer, costs nothing.
- The timer is only ever lowered. A deadline that moved later fires early once and is set again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from contextvars import copy_context
from typing import Final, Protocol, TypeVarTuple

from spry_asyncio.driver import Driver, clock_of
from spry_core.driver import Driver as DriverProtocol
from spry_core.protocol.memory import READ_SIZE
from spry_core.serving import LogRecord, Served
from spry_system import HAS_EPOLL, BasePump, Poller, TimerHandle, Turns, reset_on_close

Args = TypeVarTuple("Args")

MOST_FOR_STARTING: Final = 16
"""Times that a look waits for what tasks that begin have to say; requests are parsed as many at a time."""

MOST_FOR_WOKEN: Final = 2
"""The same for tasks that were woken: till the middle of the loop's next turn, and till the one behind it. The handler of a peer
that sends all the time is always about to take a step.
"""


MOST_AT_ONCE: Final = 64
"""Sockets that are read before their connections are looked at."""

BIG: Final = 16 * 1024
"""Bytes of a read behind which nobody else is read first: what they lead to is sent while the processor's cache has it."""


class Watch(Protocol):
    """What tells pumps that there are bytes."""

    def watch(self, sock: socket.socket, pump: Pump) -> None:
        """Have it `receive` whenever it can, until `forget`; raises `OSError` if no more sockets can be watched."""
        ...

    def forget(self, sock: socket.socket) -> None:
        """Watch it no longer; to be called before it is closed."""
        ...


class OneByOne:
    """Has the loop watch each socket."""

    __slots__ = ("_loop",)

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def watch(self, sock: socket.socket, pump: Pump) -> None:
        """As `Watch.watch`."""
        self._loop.add_reader(sock.fileno(), pump.receive)

    def forget(self, sock: socket.socket) -> None:
        """As `Watch.forget`."""
        self._loop.remove_reader(sock.fileno())


class Together:
    """Has the loop watch all sockets of a server as one: what each callback costs is paid once for all that are ready.

    They are read one after the other, and then looked at one after the other, some at a time.
    """

    __slots__ = ("_loop", "_poller", "_turns")

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns) -> None:
        """Raises `OSError` if no descriptor is left."""
        self._loop = loop
        self._turns = turns
        self._poller = Poller[Pump]()
        self._loop.add_reader(self._poller.fileno(), self._receive)

    def watch(self, sock: socket.socket, pump: Pump) -> None:
        """As `Watch.watch`."""
        self._poller.watch(sock, pump)

    def forget(self, sock: socket.socket) -> None:
        """As `Watch.forget`."""
        self._poller.forget(sock)

    def close(self) -> None:
        """Watch nothing any more."""
        self._loop.remove_reader(self._poller.fileno())
        self._poller.close()

    def _receive(self) -> None:
        ready = self._poller.ready()
        if len(ready) == 1:
            ready[0].receive()  # its own turn is as good
            return
        for start in range(0, len(ready), MOST_AT_ONCE):
            self._turns.is_on = True
            try:
                for pump in ready[start : start + MOST_AT_ONCE]:
                    pump.receive()
            finally:
                self._turns.finish()


def watch_together(loop: asyncio.AbstractEventLoop, turns: Turns) -> Together | None:
    """Make one where it can be made and is worth it: a callback of uvloop's costs next to nothing."""
    if not HAS_EPOLL or not isinstance(loop, asyncio.SelectorEventLoop):
        return None
    try:
        return Together(loop, turns)
    except OSError:
        return None  # no descriptor is left; the loop has one already


def turns_of(loop: asyncio.AbstractEventLoop) -> Turns:
    """Make what keeps the looks of the connections of one server in order."""
    return Turns(lambda call, context: loop.call_soon(call, context=context))


class Pump(BasePump):
    """Moves the bytes of one accepted socket and keeps its session's time."""

    __slots__ = (
        "_context",
        "_driver",
        "_ended",
        "_has_ended",
        "_is_writing",
        "_loop",
        "_loses_errors",
        "_put_off",
        "_turns",
        "_watched",
        "_will_look",
    )

    def __init__(
        self,
        sock: socket.socket,
        open_session: Callable[[DriverProtocol], Served],
        report: Callable[[LogRecord], None],
        ended: Callable[[Pump], None],
        turns: Turns | None = None,
        watch: Watch | None = None,
    ) -> None:
        """Make the session at once, so that it is counted before anything else can happen.

        Args:
            sock: The stream, connected and non-blocking; the pump closes it.
            open_session: Makes the session, given the driver that is lent to it.
            report: Takes the record of an internal error.
            ended: Is told once, when neither stream nor session nor task is left.
            turns: Those of the server that it belongs to, if it has others.
            watch: What watches the sockets of that server; None for the loop.
        """
        self._loop = asyncio.get_running_loop()
        super().__init__(sock, clock_of(self._loop), report)
        self._ended = ended
        self._turns = turns or turns_of(self._loop)
        self._watched = watch or OneByOne(self._loop)
        self._context = copy_context()  # what callbacks of this connection set is there for none of another
        self._driver = Driver(self)
        self._session = open_session(self._driver)
        self._put_off = 0  # times that a look was
        self._is_writing = False  # the loop calls when there is room
        self._will_look = False  # a look is to come or under way, and sees what happens before it is over
        # uvloop stops watching a socket with an error pending when it has called once, whether that found the error or not.
        self._loses_errors = not isinstance(self._loop, asyncio.SelectorEventLoop)
        self._has_ended = False

    def open(self) -> None:
        """Begin: from here on the loop says when there are bytes. If it cannot, the stream is lost."""
        if self._is_lost:
            return
        try:
            self._watch()
        except Exception as error:
            self._tell(self._lose, error)
        else:
            self.notify()

    # ------------------------------------------------------------------------------------------ what the driver calls

    def notify(self, soon: bool = False) -> None:
        """Look at the session again: behind the present call, and behind the steps of those it has woken, or else at once."""
        if self._will_look:
            return
        self._will_look = True
        if soon:
            self._turns.put_off(self)
        else:
            self._turns.note(self)

    def task_ended(self, error: Exception | None) -> None:
        """Look whether that was the last thing; what a task raises is the session's to handle, so an error here is ours."""
        if error is not None:
            self._fail(error)
        if self._is_lost:
            self.notify()

    # ------------------------------------------------------------------------------------------ what the turns call

    def waits(self) -> bool:
        """Let tasks that are about to take a step say first what they have to say, but not without an end."""
        driver, put_off = self._driver, self._put_off
        waits = driver.due > 0 and (
            put_off < MOST_FOR_WOKEN or (put_off < MOST_FOR_STARTING and driver.is_starting)
        )
        self._put_off = put_off + 1 if waits else 0
        if waits and not self._has_failed:
            try:
                self._wants_read = self._session.wants_read  # nothing is read meanwhile that is not wanted
            except Exception as error:
                self._fail(error)
        return waits

    def look(self) -> None:
        """Do what the session wants done: bytes, reading, deadline, end."""
        if self._has_ended:
            return
        try:
            if not self._has_failed:
                self._follow_session()
        except Exception as error:
            self._fail(error)
        finally:
            self._will_look = False
        if self._loses_errors and not self._has_sent and not self._is_lost:
            self._look_for_error()
        if self._is_lost and not self._driver.has_tasks and (self._has_failed or self._session.closed):
            self._finish()

    # -------------------------------------------------------------------------------------------- what the loop calls

    def receive(self) -> None:
        """Pass on what has come, or find that the session wants nothing now."""
        if not self._wants_read or not self._is_watched:
            if self._is_watched:
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
        self._has_sent = False
        driver = self._driver
        is_outermost = self._begin_call()
        try:  # as `_tell`, without its price
            driver.is_pumping = True
            self._context.run(self._session.receive_data, data, self._now())
        except Exception as error:
            self._fail(error)
        finally:
            driver.is_pumping = False
            if is_outermost:
                self._turns.finish(self)
            elif len(data) >= BIG:
                self._turns.finish()

    def _go_on_writing(self) -> None:
        self._is_blocked = False
        self.notify()
        if self._is_writing and not self._is_blocked:
            self._stop_writing()

    def _time_has_come(self) -> None:
        self._clear_timer()
        # uvloop calls timers before it looks for bytes again: some may have come in time while a task that began in a call of
        # this or another pump held the loop up.
        if self._loses_errors and self._is_watched:
            self.receive()
        if not self._has_ended:
            self._tell(self._session.handle_deadline)

    # -------------------------------------------------------------------------------------------------- the machinery

    def _tell(self, call: Callable[[*Args, float], None], *args: *Args) -> None:
        """Call the session, with the time, and look at what came of it."""
        is_outermost = self._begin_call()
        try:
            self._driver.is_pumping = True
            self._context.run(call, *args, self._now())
        except Exception as error:
            self._fail(error)
        finally:
            self._driver.is_pumping = False
            if is_outermost:
                self._turns.finish(self)

    def _begin_call(self) -> bool:
        """Have a look come behind the call of the session that follows; tell whether it is for the caller to have it come."""
        turns = self._turns
        if turns.is_on:
            self.notify()
            return False
        turns.is_on = self._will_look = True
        return True

    def _look_for_error(self) -> None:
        """Find the reset that has come behind the bytes of this read; what it left unread is lost with it."""
        if number := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._tell(self._lose, OSError(number, os.strerror(number)))

    def _wait_for_room(self) -> None:
        self._is_blocked = True
        if not self._is_writing:
            self._loop.add_writer(self._socket.fileno(), self._go_on_writing)
            self._is_writing = True

    def _lose(self, error: Exception | None, now: float, *, reset: bool = False) -> None:
        """Close the socket and tell the session, also when it asked for that. With `reset`, drop what the kernel still holds."""
        if self._is_lost:
            return
        self._is_lost = True
        self._unsent = self._end = None
        if self._is_watched:
            self._stop_watching()
        if self._is_writing:
            self._stop_writing()
        if reset:
            reset_on_close(self._socket)
        self._socket.close()
        self._session.connection_lost(error, now)

    def _watch(self) -> None:
        self._watched.watch(self._socket, self)
        self._is_watched = True

    def _stop_watching(self) -> None:
        self._is_watched = False
        self._watched.forget(self._socket)

    def _stop_writing(self) -> None:
        self._is_writing = False
        self._loop.remove_writer(self._socket.fileno())

    def _call_at(self, deadline: float) -> TimerHandle:
        return self._loop.call_at(deadline, self._time_has_come, context=self._turns.context)

    def _cancel_tasks(self) -> None:
        self._driver.cancel()

    def _finish(self) -> None:
        self._has_ended = True
        self._clear_timer()
        self._ended(self)
