"""What the connections of a server are to do in time, for a loop that has nothing for that itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sized
from functools import partial
from typing import Final, Protocol

from spry_core.tasks import Timer, Timers
from spry_system.looks import Looker, Looks
from spry_system.poller import Receiver


class Part(Receiver, Looker, Protocol):
    """Who has something to do: the pump of a connection."""

    def look_soon(self) -> None:
        """Look at the session before the loop sleeps, or ask for that once more."""
        ...

    def time_has_come(self) -> None:
        """The moment that was asked for is here."""
        ...


class Agenda:
    """What is to be done for which connection: one thing at a time, and each before the loop sleeps or when its moment is here.

    What ends the process does not come out of here: the connections have to be closed, and are, as long as somebody does what
    this says.
    """

    __slots__ = ("_due", "_end_process", "_ready", "_soon", "_timers", "is_patient", "looks", "steps_due")

    def __init__(self, end_process: Callable[[BaseException], None]) -> None:
        """Hand what ends the process to this."""
        self.looks: Final = Looks()
        """Those that are to be done at once."""
        self.is_patient: bool = False
        """True while several receive, one after the other: nobody looks, and tasks that are woken count as `steps_due`. Whoever
        has reason for haste sets it back.
        """
        self.steps_due: int = 0
        """Tasks that are to take a step before anybody looks."""
        self._ready = deque[Part]()
        self._timers = Timers()
        self._due: Final[list[Part]] = []
        self._soon: Final[dict[Part, None]] = {}  # in order, and each once
        self._end_process = end_process

    # What the connections ask

    def look_soon(self, part: Part) -> None:
        """Let this one look before the loop sleeps, once."""
        self._soon[part] = None

    def add(self, when: float, part: Part) -> Timer:
        """Tell this one when its time has come."""
        return self._timers.add(when, partial(self._due.append, part))

    # What the loop asks

    @property
    def has_soon(self) -> bool:
        """True if something is to be done before the loop sleeps."""
        return bool(self._soon)

    def next_deadline(self) -> float | None:
        """Return the next of the moments, or None."""
        return self._timers.next_deadline()

    def expect(self, parts: Iterable[Part]) -> None:
        """Have these receive in `go_on`. One alone is looked at as soon as it has: to wait for steps costs a turn."""
        self._ready.extend(parts)
        self.is_patient = len(self._ready) > 1

    def go_on(self, beginning: Sized) -> None:
        """Let those receive that are ready, and then everybody look who was to.

        When there is somebody in `beginning`, that one is to take a step, as a part of the call that has led to it, and this is
        to be called again. While steps are due, looks wait: this is to be called again when none is.
        """
        looks, ready = self.looks, self._ready
        looks.is_on = True
        while not beginning:
            try:
                if ready and (self.is_patient or not looks.has_next):
                    part = ready.popleft()
                    looks.catch_up(part)  # a session that was told something may want nothing now
                    part.receive()
                    continue
                self.is_patient = False
                if self.steps_due:
                    return
                if not looks.has_next:
                    looks.is_on = False
                    return
                looks.look_next()
            except BaseException as error:
                self._end_process(error)

    def receive(self, parts: list[Part]) -> None:
        """Let these receive. Who is left out, when one of them ends the process, can do so the next time."""
        call = self.looks.call
        try:
            self.looks.finish()  # those who wait for steps may want nothing now
            for part in parts:
                call(part.receive)
        except BaseException as error:
            self._end_process(error)

    def handle_deadline(self, now: float) -> None:
        """Tell those whose time has come. One that asks for a moment that is past is told the next time: others are to run."""
        self._timers.handle_deadline(now)
        due = self._due.copy()
        self._due.clear()
        self._call_each([part.time_has_come for part in due])

    def handle_soon(self) -> None:
        """Let those look who are to look soon; who asks again meanwhile does so the next time."""
        soon = tuple(self._soon)
        self._soon.clear()
        self._call_each([part.look_soon for part in soon])

    def _call_each(self, calls: list[Callable[[], None]]) -> None:
        for call in calls:
            try:
                self.looks.call(call)
            except BaseException as error:
                self._end_process(error)
